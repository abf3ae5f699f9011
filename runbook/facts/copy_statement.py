"""What a pipe's COPY statement says: where it reads, where it writes, and how.

Read from the text Snowflake shows; what is left out has a pipe's default.
Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
"""

import re
from dataclasses import dataclass

from runbook.settings import Identifier, QualifiedName
from runbook.sql import NAME as PART

NAME = rf"{PART}(?:\.{PART}){{0,2}}"

# evaluated when the load is compiled, up to hours before the row is written
EARLY_CLOCKS = (
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "GETDATE",
    "LOCALTIMESTAMP",
    "LOCALTIME",
    "SYSDATE",
    "SYSTIMESTAMP",
)


@dataclass(frozen=True)
class CopyStatement:
    """A pipe's COPY. ``table``, ``stage`` and ``file_format`` are None where the text names none."""

    table: QualifiedName | None
    stage: QualifiedName | None
    path: str
    file_format: QualifiedName | None
    pattern: str
    on_error: str
    clocks: tuple[str, ...]

    @property
    def source(self) -> str:
        """Stage and path, as they stand behind FROM."""
        return "/".join(part for part in (f"@{self.stage}", self.path) if part)


def read(text: str, database: Identifier, schema: Identifier) -> CopyStatement:
    """The statement's parts; unqualified names are of the pipe's own ``database`` and ``schema``.

    Raises nothing: of a text that cannot be read, as somebody else's may be, the parts are None or empty.
    """
    source = re.search(rf"\bFROM\s+'?@({NAME})(/[^\s)'\";]*)?", text, re.IGNORECASE)
    pattern = re.search(r"\bPATTERN\s*=\s*'((?:[^']|'')*)'", text, re.IGNORECASE)
    on_error = re.search(r"\bON_ERROR\s*=\s*'?(\w+%?)", text, re.IGNORECASE)

    def named(pattern: str) -> QualifiedName | None:
        found = re.search(pattern, text, re.IGNORECASE)
        return _qualified(found[1] or found[found.lastindex or 1], database, schema) if found else None

    return CopyStatement(
        table=named(rf"\bINTO\s+(?:IDENTIFIER\s*\(\s*'({NAME})'\s*\)|({NAME}))"),
        stage=_qualified(source[1], database, schema) if source else None,
        path=(source[2] or "").removeprefix("/") if source else "",
        file_format=named(rf"\bFORMAT_NAME\s*=\s*'?({NAME})"),
        pattern=pattern[1] if pattern else "",
        on_error=on_error[1].upper() if on_error else "SKIP_FILE",
        clocks=tuple(name for name in EARLY_CLOCKS if re.search(rf"\b{name}\b", text, re.IGNORECASE)),
    )


def _qualified(name: str, database: Identifier, schema: Identifier) -> QualifiedName:
    parts = [_stored(part) for part in re.findall(PART, name)]
    whole = [database, schema][: 3 - len(parts)] + parts
    return QualifiedName(*whole)


def _stored(part: str) -> Identifier:
    """A name as Snowflake stores it. It has taken this one: whatever stands in quotes is a name."""
    return Identifier(part[1:-1].replace('""', '"') if part.startswith('"') else part.upper())
