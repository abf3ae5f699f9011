"""A stream: as it is written in the settings, and with everything derived from that."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from runbook.settings.buckets import BucketName
from runbook.settings.names import LONGEST_RULE_ID, MANAGED_BY, QualifiedName, digest
from runbook.settings.values import (
    FullName,
    Hours,
    Model,
    Name,
    OwnColumns,
    Prefix,
    StreamKind,
    Suffix,
    one_prefix,
    readable_pattern,
)


def joined(stage_url: str, path: str) -> str:
    """What a COPY reads: the stage's URL and the path behind it, with one slash between them.

    Stages without a last slash are common, and load what lies in the folder.
    """
    return f"{stage_url}/{path}" if path and not stage_url.endswith("/") else stage_url + path


class Found(Model):
    """A stream that others made, as `invoke discover` found it: right is what is as it was."""

    stage_url: str = Field(pattern=r"^s3(china|gov)?://[^/]+/.*$")
    path: str = Field(default="", pattern=r"^[^\x00-\x1f]*$")
    statement: str = Field(min_length=1)
    pattern: Annotated[str, AfterValidator(readable_pattern)] = ""
    file_format: FullName = None
    """None where the COPY states its options itself."""
    format: dict[str, str] = Field(default_factory=dict)
    """The named file format's options that decide what is lost."""
    table: FullName = None
    """Where the table is, if not in the settings' database and schema; so are stage and pipe."""
    stage: FullName = None
    pipe: FullName = None


class StreamSettings(Model):
    """One stream as it is written in the settings."""

    enabled: Literal[True] = Field(default=True, exclude=True)  # False: the stream is not there at all
    found: Found | None = None  # first: what was found may read a part of a folder, or the whole bucket
    kind: StreamKind
    bucket: BucketName | None = None
    prefix: Prefix
    suffix: Suffix = ".gz"
    table: Name
    stage: Name
    pipe: Name
    directory_stage: Name | None = Field(default=None, exclude=True)  # not what the administrators agree on
    sns_topic: (
        Annotated[str, Field(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$")] | None
    ) = None
    files_arrive_within_hours: Hours = Field(default=None, exclude=True)
    keeps_rows: bool = Field(default=True, exclude=True)
    """False for a landing table, which is emptied as it goes: its load history alone says what is loaded."""
    columns: OwnColumns = Field(default_factory=dict)
    """Of the kind json: columns beside the document, each filled by its member of that name."""

    @model_validator(mode="after")
    def _columns_of_documents(self) -> "StreamSettings":
        if self.columns and (self.kind != "json" or self.found):
            raise ValueError("columns are for a stream of the kind json that the steps make")
        return self

    @field_validator("prefix")
    @classmethod
    def _folder(cls, prefix: str, told: ValidationInfo) -> str:
        return prefix if told.data.get("found") else one_prefix(prefix)


@dataclass(frozen=True)
class Stream:
    """One prefix, stage, table and pipe, with every derived name."""

    name: str
    kind: StreamKind
    prefix: str
    suffix: str
    url: str
    bucket: str
    table: QualifiedName
    stage: QualifiedName
    pipe: QualifiedName
    file_format: QualifiedName
    sns_topic: str | None = None
    directory_stage: QualifiedName | None = None
    keeps_rows: bool = True
    files_arrive_within_hours: Hours = field(default=None, compare=False)
    found: Found | None = field(default=None, compare=False)
    own_columns: tuple[tuple[str, str], ...] = ()
    """Columns beside the document of a JSON stream: the member that fills each, and its type."""
    account: str = field(default="", compare=False)
    """The Snowflake account, as the settings write it: pipes of two accounts may have one name."""

    @property
    def stage_url(self) -> str:
        """The URL of the stream's stage; a pipe that others made may read a part of it only."""
        return self.found.stage_url if self.found else self.url

    @property
    def path(self) -> str:
        """What the pipe's COPY writes behind its stage; nothing where it reads all of it."""
        return self.found.path if self.found else ""

    def name_of(self, key: str) -> str:
        """An object's key as COPY and REFRESH name it: behind stage and path, glued to them as plain text."""
        read = joined(self.stage_url, self.path)
        return f"{self.url.removesuffix(self.prefix)}{key}".removeprefix(read)

    def takes(self, key: str) -> bool:
        """Whether the pipe is meant to load the object: by suffix, by PATTERN, and no empty folder mark.

        A pipe's PATTERN is matched with what comes behind the stage's own URL; the path that the COPY
        writes behind the stage is part of it: of ``@s/path2/`` on ``s3://b/path1/``, ``path2/`` and the name.
        Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
        """
        if not key.endswith(self.suffix) or key.endswith("/"):
            return False
        pattern = self.found.pattern if self.found else ""
        left = f"{self.url.removesuffix(self.prefix)}{key}".removeprefix(self.stage_url).removeprefix("/")
        return not pattern or re.fullmatch(pattern, left) is not None

    @property
    def names_a_format(self) -> bool:
        """Whether the pipe's COPY names a file format."""
        return self.found is None or self.found.file_format is not None

    @property
    def names_files(self) -> bool:
        """Whether a ``_FILE`` column says which file a row is of; others' may say another thing."""
        return self.found is None

    @property
    def rule_id(self) -> str:
        """The Id of the bucket's notification rule for this stream; S3 takes at most 255 characters."""
        name = f"{MANAGED_BY}:{self.account}:{self.pipe}"
        return name if len(name) <= LONGEST_RULE_ID else f"{MANAGED_BY}:{digest(name)}"

    @property
    def former_rule_id(self) -> str:
        """The Id that was written before Ids named the Snowflake account."""
        return f"{MANAGED_BY}:{self.pipe}"


def apart(
    name: str, stream: StreamSettings, other_name: str, other: StreamSettings, default_bucket: str
) -> None:
    """Refuse two streams that would load each other's files or share an object.

    ``default_bucket``: that of a stream which names none.

    What others made may load a file into two tables, or two folders into one.
    """
    both_found = stream.found is not None and other.found is not None
    one, another = (each.bucket or default_bucket for each in (stream, other))
    overlap = stream.prefix.startswith(other.prefix) or other.prefix.startswith(stream.prefix)
    overlap = overlap and one == another
    if both_found and one != another and _full(stream, "table") == _full(other, "table"):
        raise ValueError(
            f"streams.{name} and streams.{other_name} load from two buckets into one table: its rows name a "
            "file and not its bucket"
        )
    if overlap and (not both_found or _full(stream, "table") == _full(other, "table")):
        raise ValueError(
            f"streams.{name}.prefix and streams.{other_name}.prefix overlap "
            f"({stream.prefix!r}, {other.prefix!r}): both pipes would load the same files"
        )
    shared = ("stage", "table") if both_found else ()
    for part in (each for each in ("table", "stage", "pipe") if each not in shared):
        if _full(stream, part) == _full(other, part):
            raise ValueError(
                f"streams.{name}.{part} and streams.{other_name}.{part} are both {getattr(other, part)}"
            )


def _full(stream: StreamSettings, part: str) -> object:
    """The name of a stream's table, stage or pipe; qualified where it is not in the settings' schema."""
    return (stream.found and getattr(stream.found, part)) or getattr(stream, part)
