"""Identifiers: unquoted ones are upper-cased, quoted ones are kept as written."""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from snowpipe_sandbox.snowflake import errors

PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")


class Context(Protocol):
    """Where unqualified names are looked up, and with whose privileges: a session, or a pipe."""

    @property
    def database(self) -> str | None:
        """The current database."""

    @property
    def schema(self) -> str | None:
        """The current schema."""

    @property
    def role(self) -> str:
        """The current role."""


class Name(NamedTuple):
    """A schema object's full name, as stored (upper case unless it was quoted)."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return dotted(self)


def quoted(identifier: str) -> str:
    """The identifier as SQL text: quoted only where it must be."""
    if PLAIN.fullmatch(identifier):
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def dotted(parts: Sequence[str]) -> str:
    """``RAW.SNOWPLOW.EVENTS``, each part quoted where it must be."""
    return ".".join(quoted(part) for part in parts)


def duckdb_name(name: Sequence[str]) -> str:
    """A full name for DuckDB, every part quoted."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def qualify(parts: Sequence[str], context: Context, operation: str = "operation") -> Name:
    """The full name of one to three stored parts. Raises 090105 or 090106 without a current schema."""
    if len(parts) == 3:
        return Name(*parts)
    if context.database is None:
        raise errors.no_database(operation)
    if len(parts) == 2:
        return Name(context.database, *parts)
    if context.schema is None:
        raise errors.no_schema(operation)
    return Name(context.database, context.schema, parts[0])


def split(text: str) -> list[str]:
    """The stored parts of a dotted name in a string, such as ``'db.schema."myPipe"'``.

    Raises 001003 for text that is not a name.
    """
    parts: list[str] = []
    position = 0
    pattern = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_$]*))\s*(\.|$)')
    while True:
        match = pattern.match(text, position)
        if match is None:
            raise errors.syntax_error(f"unexpected '{text}'.")
        quoted_part, plain_part, separator = match.groups()
        parts.append(plain_part.upper() if quoted_part is None else quoted_part.replace('""', '"'))
        position = match.end()
        if separator == "":
            break
    if len(parts) > 3:
        raise errors.syntax_error(f"unexpected '{text}'.")
    return parts


def like_matches(pattern: str, name: str) -> bool:
    """SHOW … LIKE: without case, ``%`` and ``_`` are wildcards, a backslash escapes them."""
    parts = re.split(r"(\\.|%|_)", pattern)
    wild = {"%": ".*", "_": "."}
    regex = "".join(
        wild.get(part) or re.escape(part[1:] if part.startswith("\\") else part) for part in parts
    )
    return re.fullmatch(regex, name, re.IGNORECASE | re.DOTALL) is not None
