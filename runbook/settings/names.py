"""Names: those of a Snowflake object as Snowflake stores them, and the runbook's own."""

import hashlib
import json
import re
from dataclasses import dataclass

SANDBOX = "sandbox"
SANDBOX_ACCOUNT_ID = "111122223333"
SANDBOX_ACCOUNT = "SANDBOXORG-SANDBOX"
SANDBOX_BUCKET = "snowplow-sandbox"
MANAGED_BY = "snowpipe-runbook"
ADOPTED_BY = "AdoptedBy"
"""The tag on what somebody else made and `--adopt` took over: taking back leaves it there."""
MANAGED_FOR = "ManagedFor"
"""The tag that names the installation a role or policy is for."""
MOST_TAGS = 50  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

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
            f"{text!r} is not a Snowflake name: letters, digits, _ and $, or anything in double quotes; "
            "255 characters at most"
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


def two_parts(text: str) -> str:
    """``DATABASE.ROLE`` as Snowflake shows it, for a statement; empty for anything else."""
    parts = re.findall(r'(?:^|(?<=\.))("(?:[^"]|"")+"|[^".]+)(?=\.|$)', text)
    if len(parts) != 2 or ".".join(parts) != text:
        return ""
    try:
        return ".".join(Identifier.parse(part).sql for part in parts)
    except ValueError:
        return ""


def digest(value: object) -> str:
    """The SHA-256 of a value as JSON, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
