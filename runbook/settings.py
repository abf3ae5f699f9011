"""Typed, frozen settings: what the pipeline is called, and everything derived from that, once.

The values come from Invoke's configuration (``invoke.yaml``, ``-f FILE``, ``INVOKE_…``
variables). All of them are checked here, with the key's name, before anything is contacted.
Credentials are never settings.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from runbook.errors import SettingsWrong
from runbook.views_settings import Views
from runbook.watch_settings import Waiver, Watch

SANDBOX = "sandbox"
SANDBOX_ACCOUNT_ID = "111122223333"
SANDBOX_ACCOUNT = "SANDBOXORG-SANDBOX"
SANDBOX_BUCKET = "snowplow-sandbox"
MANAGED_BY = "snowpipe-runbook"
ADOPTED_BY = "AdoptedBy"
MANAGED_FOR = "ManagedFor"
"""The tag that names the installation a role or policy is for."""
MOST_TAGS = 50  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""The tag on what somebody else made and `--adopt` took over: taking back leaves it there."""

SSM = "ssm:"
LONGEST_RULE_ID = 255  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_QueueConfiguration.html

_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_STORED_UNQUOTED = re.compile(r"[A-Z_][A-Z0-9_$]*")


class Identifier(str):
    """A Snowflake name as Snowflake stores it: upper case unless it was written in quotes.

    Source: https://docs.snowflake.com/en/sql-reference/identifiers-syntax
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Identifier":
        """Read ``events`` or ``"Events"``; raise ValueError for anything else."""
        if isinstance(text, Identifier):
            return text
        if not isinstance(text, str):
            raise ValueError("a Snowflake name is text")  # noqa: TRY004 (pydantic reports ValueError)
        if not text.isprintable():
            # a line end would let a name written in a comment of sql/ go on as a statement
            raise ValueError(f"{text!r} holds a character that cannot be printed")
        if _UNQUOTED.fullmatch(text) and len(text) <= 255:
            return cls(text.upper())
        inner = text[1:-1].replace('""', "")
        if len(text) > 2 and text[0] == text[-1] == '"' and '"' not in inner and len(text) <= 257:
            return cls(text[1:-1].replace('""', '"'))
        raise ValueError(
            f"{text!r} is not a Snowflake name: letters, digits, _ and $, or anything in double quotes"
        )

    @property
    def sql(self) -> str:
        """The name as it is written in a statement."""
        if _STORED_UNQUOTED.fullmatch(self):
            return str(self)
        return '"' + self.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """``DATABASE.SCHEMA.NAME``."""

    database: Identifier
    schema: Identifier
    name: Identifier

    @classmethod
    def parse(cls, text: str) -> "QualifiedName":
        """Read ``RAW.SNOWPLOW."Events"``; raise ValueError for anything else."""
        parts = re.findall(r'(?:^|(?<=\.))("(?:[^"]|"")+"|[^".]+)(?=\.|$)', text)
        if len(parts) != 3 or ".".join(parts) != text:
            raise ValueError(f"{text!r} is not DATABASE.SCHEMA.NAME")
        return cls(*map(Identifier.parse, parts))

    @property
    def sql(self) -> str:
        """The name as it is written in a statement."""
        return f"{self.database.sql}.{self.schema.sql}.{self.name.sql}"

    def __str__(self) -> str:
        return self.sql


def _one_prefix(prefix: str) -> str:
    """A key prefix that means the same to S3, IAM and Snowflake."""
    if not prefix.endswith("/"):
        raise ValueError(
            f"{prefix!r} must end in a slash: without it the stage also takes its neighbours, "
            f"such as {prefix + '_other/'!r}"
        )
    if prefix.startswith("/"):
        raise ValueError(f"{prefix!r} must not begin with a slash: S3 keys have none")
    if "//" in prefix:
        raise ValueError(f"{prefix!r} holds an empty folder (//)")
    if "," in prefix:
        raise ValueError(f"{prefix!r} holds a comma: DESC INTEGRATION joins its locations with commas")
    if found := re.search(r"[*?\\\x00-\x1f\x7f]|\$\{", prefix):
        raise ValueError(f"{prefix!r} holds {found.group()!r}, which IAM or a statement would read specially")
    if len(prefix.encode()) > 900:
        raise ValueError("is longer than 900 bytes; an S3 key has at most 1,024")
    return prefix


def _suffix(suffix: str) -> str:
    if re.search(r"[*?/\x00-\x1f\x7f]", suffix):
        raise ValueError(f"{suffix!r} is not the end of a file name such as .gz")
    return suffix


def _place(place: str) -> str:
    """A file's path, or ``ssm:`` and a name as Systems Manager takes it.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    if not place.isprintable() or not place:
        raise ValueError("is not the path of a file")
    if place.startswith(SSM) and not re.fullmatch(r"[A-Za-z0-9_.\-/]{1,1011}", place.removeprefix(SSM)):
        raise ValueError(f"{place!r} is not {SSM} and a parameter's name: letters, digits, and _.-/")
    return place


def _fits_a_tag(sign: str) -> bool:
    return category(sign)[0] in "LZN" or sign in "_.:/=+-@"


def _tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags as IAM takes them, beside our own.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise ValueError(f"{key!r} is not a tag's key: 1 to 128 characters, not beginning with aws:")
        if len(value) > 256:
            raise ValueError(f"the value of {key!r} is longer than 256 characters")
        for text in (key, value):
            if odd := [each for each in text if not _fits_a_tag(each)]:
                raise ValueError(f"{text!r} holds {odd[0]!r}: letters, digits, blanks and _.:/=+-@ only")
    keys = [key.lower() for key in {**tags, "ManagedBy": "", MANAGED_FOR: ""}]
    if len(set(keys)) < len(keys):
        raise ValueError(
            f"two keys differ in their case only (ManagedBy and {MANAGED_FOR} are the runbook's own)"
        )
    if len(keys) > MOST_TAGS:
        raise ValueError(f"more than {MOST_TAGS} tags, the runbook's own among them")
    return tags


def _pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is read by Snowflake otherwise than here ({error})") from None
    return pattern


def _qualified_or_none(text: object) -> QualifiedName | None:
    return text if text is None or isinstance(text, QualifiedName) else QualifiedName.parse(str(text))


Name = Annotated[Identifier, BeforeValidator(Identifier.parse)]
Suffix = Annotated[str, AfterValidator(_suffix)]
Place = Annotated[str, AfterValidator(_place)]
IamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@-]+$")]  # ASCII only, as IAM
StreamKind = Literal["enriched", "bad_rows"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=False
    )


class Aws(_Model):
    """The customer's side: who owns the bucket, and the role that lets Snowflake read it."""

    account_id: str = Field(pattern=r"^[0-9]{12}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    role_name: Annotated[IamName, Field(max_length=64)]
    policy_name: Annotated[IamName, Field(max_length=128)]
    path: str = Field(default="/", pattern=r"^/([\x21-\x7e]+/)?$", max_length=512)
    permissions_boundary: str | None = Field(
        default=None, pattern=r"^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$"
    )
    kms_key_arn: str | None = Field(default=None, pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$")
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(default_factory=dict)
    managed_by: Literal["runbook", "terraform", "terraform_without_rules"] = "runbook"
    share_role: bool = False

    @field_validator("account_id", mode="before")
    @classmethod
    def _digits(cls, value: object) -> object:
        # YAML reads 111122223333 as a number, and 012345678901 would lose its zero
        if isinstance(value, int):
            raise ValueError(f"{value} must be written in quotes, as text of 12 digits")  # noqa: TRY004
        return value

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, from the region."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def role_arn(self) -> str:
        """The role's ARN; it includes the path, and is known before the role exists."""
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.role_name}"

    @property
    def policy_arn(self) -> str:
        """The permissions policy's ARN."""
        return f"arn:{self.partition}:iam::{self.account_id}:policy{self.path}{self.policy_name}"

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def url_scheme(self) -> str:
        """How Snowflake writes this partition's S3: ``s3``, ``s3china`` or ``s3gov``."""
        return {"aws": "s3", "aws-cn": "s3china", "aws-us-gov": "s3gov"}[self.partition]

    @property
    def storage_provider(self) -> str:
        """The integration's STORAGE_PROVIDER."""
        return self.url_scheme.upper()


class Snowflake(_Model):
    """Snowflake's side: where the objects live, and who owns and uses them."""

    connection: str = Field(pattern=r"^[\w.-]+$")
    account: str = Field(pattern=r"^[\w.-]+$")
    database: Name
    schema_name: Name = Field(alias="schema")
    integration: Name
    share_integration: bool = False
    admin_role: Name = Identifier("ACCOUNTADMIN")
    owner_role: Name = Identifier("SYSADMIN")
    loader_role: Name
    operator_role: Name
    file_format_enriched: Name
    file_format_bad_rows: Name


class Found(_Model):
    """A stream that others made, as `invoke discover` found it: right is what is as it was."""

    stage_url: str = Field(pattern=r"^s3(china|gov)?://[^/]+/.*$")
    path: str = Field(default="", pattern=r"^[^\x00-\x1f]*$")
    statement: str = Field(min_length=1)
    pattern: Annotated[str, AfterValidator(_pattern)] = ""
    file_format: Annotated[QualifiedName | None, BeforeValidator(_qualified_or_none)] = None
    """None where the COPY states its options itself."""
    format: dict[str, str] = Field(default_factory=dict)
    """The named file format's options that decide what is lost."""


Hours = Annotated[int, Field(ge=1)] | Literal["never"] | None
"""The longest silence of a producer; None: what it used to be; never: it is not judged."""


class StreamSettings(_Model):
    """One stream as it is written in the settings."""

    enabled: Literal[True] = Field(default=True, exclude=True)  # False: the stream is not there at all
    found: Found | None = None  # first: what was found may read a part of a folder, or the whole bucket
    kind: StreamKind
    prefix: str
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

    @field_validator("prefix")
    @classmethod
    def _folder(cls, prefix: str, told: ValidationInfo) -> str:
        return prefix if told.data.get("found") else _one_prefix(prefix)


class Checks(_Model):
    """What ``verify`` calls late."""

    loaded_within_minutes: int = Field(default=15, ge=0)
    files_arrive_within_hours: Hours = None
    ready_within_seconds: int = Field(default=120, ge=1)


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
        return f"{self.url.removesuffix(self.prefix)}{key}".removeprefix(self.stage_url + self.path)

    def takes(self, key: str) -> bool:
        """Whether the pipe is meant to load the object: by suffix, by PATTERN, and no empty folder mark.

        A pipe's PATTERN is matched with what comes behind stage and path.
        Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
        """
        if not key.endswith(self.suffix) or key.endswith("/"):
            return False
        pattern = self.found.pattern if self.found else ""
        return not pattern or re.fullmatch(pattern, self.name_of(key)) is not None

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
        return name if len(name) <= LONGEST_RULE_ID else f"{MANAGED_BY}:{_digest(name)}"

    @property
    def former_rule_id(self) -> str:
        """The Id that was written before Ids named the Snowflake account."""
        return f"{MANAGED_BY}:{self.pipe}"


class Settings(_Model):
    """Everything a command needs to know about one installation."""

    target: str = Field(pattern=r"^[\w.-]+$")
    aws: Aws
    snowflake: Snowflake
    stream_settings: dict[str, StreamSettings] = Field(alias="streams", min_length=1)
    checks: Checks = Checks()
    handoff: Place | None = None
    made_by: Literal["runbook", "others"] = "runbook"
    watch: Watch = Field(default=Watch(), exclude=True)  # whom to tell changes nothing of the installation
    waivers: tuple[Waiver, ...] = Field(default=(), exclude=True)
    views: Views = Field(default=Views(), exclude=True)  # on top of the installation, and no part of it

    @property
    def is_ours(self) -> bool:
        """Whether the steps make and change it; what others made is only watched and loaded."""
        return self.made_by == "runbook"

    @field_validator("stream_settings", mode="before")
    @classmethod
    def _without_removed(cls, value: object) -> object:
        # an environment file drops a default stream by enabled: false; Invoke merges no null into a section
        if isinstance(value, Mapping):
            return {name: stream for name, stream in value.items() if not _is_removed(stream)}
        return value

    @model_validator(mode="after")
    def _streams_apart(self) -> "Settings":
        rows = list(self.stream_settings.items())
        for index, (name, stream) in enumerate(rows):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"streams.{name}: a stream's name is lower case letters, digits and _")
            for other_name, other in rows[index + 1 :]:
                _apart(name, stream, other_name, other)
        return self

    @model_validator(mode="after")
    def _watched_streams_exist(self) -> "Settings":
        for name in self.watch.limits.quiet_hours:
            if name not in self.stream_settings:
                raise ValueError(f"watch.limits.quiet_hours.{name}: there is no stream of that name")
        for number, waiver in enumerate(self.waivers):
            if waiver.stream is not None and waiver.stream not in self.stream_settings:
                raise ValueError(f"waivers.{number}.stream: there is no stream {waiver.stream!r}")
        return self

    @model_validator(mode="after")
    def _views_beside_the_tables(self) -> "Settings":
        if not self.views.enabled:
            return self
        for key in ("schema_name", "documented_schema"):
            schema = getattr(self.views, key)
            if schema and (self.views_database, schema) == (
                self.snowflake.database,
                self.snowflake.schema_name,
            ):
                raise ValueError(f"views.{key.removesuffix('_name')} is the tables' own schema, {schema}")
        return self

    @property
    def views_database(self) -> Identifier:
        """The database of the typed views."""
        return Identifier.parse(self.views.database or self.snowflake.database)

    def view(self, stream: "Stream", *, documented: bool = False) -> QualifiedName:
        """The typed view on a stream's table, or the one with the documented table's columns."""
        views = self.views
        schema = views.documented_schema if documented else views.schema_name
        name = views.events if stream.kind == "enriched" else views.events_bad
        return QualifiedName(self.views_database, *map(Identifier.parse, (schema, name)))

    @property
    def viewed(self) -> tuple["Stream", ...]:
        """The streams with a typed view: the first of each kind."""
        kinds = {stream.kind: stream for stream in reversed(self.streams)}
        return tuple(stream for stream in self.streams if kinds[stream.kind] is stream)

    @model_validator(mode="after")
    def _topics_near_the_bucket(self) -> "Settings":
        for name, stream in self.stream_settings.items():
            if stream.sns_topic and stream.sns_topic.split(":")[3] != self.aws.region:
                raise ValueError(
                    f"streams.{name}.sns_topic is not in aws.region ({self.aws.region}): "
                    "S3 only notifies topics of the bucket's own region"
                )
        return self

    @model_validator(mode="after")
    def _terraform_knows_no_topics(self) -> "Settings":
        for name, stream in self.stream_settings.items():
            if stream.sns_topic and self.aws.managed_by != "runbook":
                raise ValueError(f"streams.{name}.sns_topic: the Terraform module makes no rules to a topic")
        return self

    def is_terraforms(self, step: int) -> bool:
        """Whether what an AWS step makes is Terraform's: then the step only verifies."""
        terraform = self.aws.managed_by != "runbook"
        return terraform and (step in (1, 3) or (step == 5 and self.aws.managed_by == "terraform"))

    @model_validator(mode="after")
    def _found_where_it_reads(self) -> "Settings":
        for name, row in self.stream_settings.items():
            if row.found is None:
                continue
            if self.is_ours:
                raise ValueError(f"streams.{name}.found is of what others made: set made_by: others")
            read = row.found.stage_url + row.found.path
            url = f"{self.aws.url_scheme}://{self.aws.bucket}/{row.prefix}"
            if url not in (read, f"{read}/"):
                raise ValueError(f"streams.{name}.prefix is not what the pipe reads, {read}")
        return self

    @property
    def topics(self) -> dict[str, tuple[Stream, ...]]:
        """The SNS topics that take the streams' events, each with its streams."""
        found: dict[str, tuple[Stream, ...]] = {}
        for stream in self.streams:
            if stream.sns_topic:
                found[stream.sns_topic] = (*found.get(stream.sns_topic, ()), stream)
        return found

    @model_validator(mode="after")
    def _a_shared_integration_shares_its_role(self) -> "Settings":
        if self.snowflake.share_integration and not self.aws.share_role:
            raise ValueError("snowflake.share_integration also needs aws.share_role: it names one role")
        return self

    @model_validator(mode="after")
    def _live_is_not_the_sandbox(self) -> "Settings":
        if self.is_sandbox:
            return self
        if self.aws.account_id == SANDBOX_ACCOUNT_ID:
            raise ValueError("aws.account_id is still the sandbox's; a live target pins its own")
        if self.aws.bucket == SANDBOX_BUCKET:
            raise ValueError("aws.bucket is still the sandbox's; a live target names its own")
        if self.snowflake.account.upper() == SANDBOX_ACCOUNT or self.snowflake.connection == SANDBOX:
            raise ValueError("snowflake.account and snowflake.connection are still the sandbox's")
        return self

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the local stand-in."""
        return self.target == SANDBOX

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order they are written."""
        return tuple(self._stream(name, row) for name, row in self.stream_settings.items())

    def those(self, name: str | None) -> tuple[Stream, ...]:
        """The stream of that name, or all; raises SettingsWrong when there is none."""
        return self.streams if name is None else (self.stream(name),)

    def stream(self, name: str) -> Stream:
        """The stream of that name; raises SettingsWrong when there is none."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = ", ".join(stream.name for stream in self.streams)
        raise SettingsWrong(
            f"There is no stream {name!r}",
            where=self.target,
            why=f"The settings have {known}",
            remedy=f"--stream {self.streams[0].name}, or another of them",
        )

    @property
    def schema_sql(self) -> str:
        """``DATABASE.SCHEMA``, as it is written in a statement."""
        return f"{self.snowflake.database.sql}.{self.snowflake.schema_name.sql}"

    @cached_property
    def installation(self) -> str:
        """The installation's name as a tag's value: the Snowflake account, and the schema its pipes are in.

        IAM takes 256 characters, and fewer signs than Snowflake does; what does not fit gets a digest.
        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
        """
        name = f"{self.snowflake.account.upper()}/{self.schema_sql}"
        plain = "".join(each if _fits_a_tag(each) else "-" for each in name)
        return name if plain == name and len(name) <= 256 else f"{plain[:200]}:{_digest(name)[:12]}"

    @property
    def allowed_locations(self) -> tuple[str, ...]:
        """The integration's STORAGE_ALLOWED_LOCATIONS: the streams' folders and nothing else."""
        return tuple(stream.url for stream in self.streams)

    def qualified(self, name: Identifier) -> QualifiedName:
        """A name in the installation's schema."""
        return QualifiedName(self.snowflake.database, self.snowflake.schema_name, name)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change when any setting does."""
        return _digest(self.model_dump(mode="json", by_alias=True))[:12]

    @cached_property
    def agreed(self) -> dict[str, str]:
        """What both administrators must mean alike, as eight hexadecimal digits a section.

        Left out is what is each one's own: the connection's name, the target's, how long to wait.
        """
        written = self.model_dump(mode="json", by_alias=True)
        written["snowflake"].pop("connection")
        for section, key in (("aws", "share_role"), ("snowflake", "share_integration")):
            if not written[section][key]:
                written[section].pop(key)  # a handoff of a former version goes on to fit
        return {name: _digest(written[name])[:8] for name in ("aws", "snowflake", "streams")}

    def _stream(self, name: str, row: StreamSettings) -> Stream:
        formats = {
            "enriched": self.snowflake.file_format_enriched,
            "bad_rows": self.snowflake.file_format_bad_rows,
        }
        return Stream(
            name=name,
            kind=row.kind,
            prefix=row.prefix,
            suffix=row.suffix,
            url=f"{self.aws.url_scheme}://{self.aws.bucket}/{row.prefix}",
            bucket=self.aws.bucket,
            table=self.qualified(row.table),
            stage=self.qualified(row.stage),
            pipe=self.qualified(row.pipe),
            file_format=(row.found and row.found.file_format) or self.qualified(formats[row.kind]),
            sns_topic=row.sns_topic,
            directory_stage=self.qualified(row.directory_stage) if row.directory_stage else None,
            keeps_rows=row.keeps_rows,
            files_arrive_within_hours=row.files_arrive_within_hours or self.checks.files_arrive_within_hours,
            found=row.found,
            account=self.snowflake.account.upper(),
        )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _is_removed(stream: object) -> bool:
    return stream is None or (isinstance(stream, Mapping) and stream.get("enabled") is False)


def _apart(name: str, stream: StreamSettings, other_name: str, other: StreamSettings) -> None:
    """Refuse two streams that would load each other's files or share an object."""
    if stream.prefix.startswith(other.prefix) or other.prefix.startswith(stream.prefix):
        raise ValueError(
            f"streams.{name}.prefix and streams.{other_name}.prefix overlap "
            f"({stream.prefix!r}, {other.prefix!r}): both pipes would load the same files"
        )
    shared = ("stage",) if stream.found and other.found else ()  # each reads a path of its own of it
    for part in (each for each in ("table", "stage", "pipe") if each not in shared):
        if getattr(stream, part) == getattr(other, part):
            raise ValueError(
                f"streams.{name}.{part} and streams.{other_name}.{part} are both {getattr(other, part)}"
            )


SECTIONS = (
    "target",
    "aws",
    "snowflake",
    "streams",
    "checks",
    "handoff",
    "made_by",
    "watch",
    "waivers",
    "views",
)


def read(
    config: Mapping[str, Any], *, source: str = "invoke.yaml", variables: Collection[str] = ()
) -> Settings:
    """The settings in ``config``; raises SettingsWrong naming every key that is wrong, and where it is.

    ``source``: the files they come from; ``variables``: those of the environment, by name.
    """
    unknown = sorted(set(config) - set(SECTIONS))
    if unknown:
        raise SettingsWrong(
            f"Unknown settings: {', '.join(unknown)}", where=source, remedy=f"known are {', '.join(SECTIONS)}"
        )
    try:
        return Settings.model_validate(dict(config))
    except ValidationError as error:
        rows = error.errors()
        problems = "; ".join(_problem(row) for row in rows)
        named = {"_".join(["INVOKE", *map(str, row["loc"])]).upper() for row in rows}
        guilty = set(variables) if "INVOKE" in named else named & set(variables)  # of two keys: any may be
        where = [*([] if named <= guilty else [source]), *sorted(guilty)]
        raise SettingsWrong(
            f"Settings are wrong: {problems}",
            where=", ".join(where),
            remedy="see the comments in invoke.yaml",
        ) from None


def ours(config: Mapping[str, Any], command: str) -> None:
    """Refuse a command that only knows what the steps made; raises SettingsWrong."""
    settings = read(config)
    if not settings.is_ours:
        raise SettingsWrong(
            f"`invoke {command}` is not for an installation that others made (made_by: others)",
            where=settings.target,
            why="it would change it into what the steps make",
            remedy="verify, status, backfill, refresh, pause and resume serve it as it is",
        )


EXAMPLES = {
    "account_id": "111122223333 (12 digits in quotes)",
    "region": "us-west-2",
    "bucket": "my-snowplow-bucket (lower case)",
    "path": "/snowplow/",
    "permissions_boundary": "arn:aws:iam::111122223333:policy/NAME",
    "kms_key_arn": "arn:aws:kms:us-west-2:111122223333:key/ID",
    "account": "MYORG-MYACCOUNT",
    "connection": "my-connection",
    "stage_url": "s3://my-snowplow-bucket/folder/",
    "sns_topic": "arn:aws:sns:us-west-2:111122223333:NAME",
    "target": "prod",
}
"""What a value that has a shape looks like, by its key."""


def _problem(row: Any) -> str:
    """One pydantic finding as ``key: what is wrong``; never more of the value than pydantic quotes."""
    key = ".".join(str(part) for part in row["loc"])
    if row["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if row["type"] == "missing":
        return f"{key}: missing"
    message = str(row["msg"]).removeprefix("Value error, ")
    if row["type"] == "string_pattern_mismatch":
        example = EXAMPLES.get(str(row["loc"][-1]))
        shape = f"is not written like {example}" if example else f"does not match {row['ctx']['pattern']}"
        message = f"{row['input']!r} {shape}"
    elif row["type"] in ("greater_than_equal", "literal_error"):
        message = f"{row['input']!r} {message.removeprefix('Input ')}"
    return f"{key}: {message}" if key else message
