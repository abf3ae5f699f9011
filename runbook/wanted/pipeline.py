"""What the pipeline must look like in Snowflake: columns, file format options, the pipe's statement.

Wanted values as plain data, beside the facts they are compared with: steps bring them about,
checks compare them, and neither sees the other.
"""

import re
from collections.abc import Collection

from runbook.settings import Settings, Stream
from runbook.sql import rendered, statements, template

# Every option that sql/step4_snowflake sets, as DESC FILE FORMAT writes it (docs/runbook.md#file-format).
FORMAT_OPTIONS: dict[str, dict[str, str]] = {
    "enriched": {
        "TYPE": "CSV",
        "COMPRESSION": "AUTO",
        "RECORD_DELIMITER": "\\n",
        "FIELD_DELIMITER": "\\t",
        "MULTI_LINE": "false",
        "PARSE_HEADER": "false",
        "SKIP_HEADER": "0",
        "SKIP_BLANK_LINES": "true",
        "ESCAPE": "NONE",
        "ESCAPE_UNENCLOSED_FIELD": "NONE",
        "TRIM_SPACE": "false",
        "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE",
        "NULL_IF": "[]",
        "ERROR_ON_COLUMN_COUNT_MISMATCH": "true",
        "REPLACE_INVALID_CHARACTERS": "true",
        "EMPTY_FIELD_AS_NULL": "true",
        "SKIP_BYTE_ORDER_MARK": "true",
        "ENCODING": "UTF8",
    },
    "bad_rows": {
        "TYPE": "JSON",
        "COMPRESSION": "AUTO",
        "STRIP_OUTER_ARRAY": "false",
        "REPLACE_INVALID_CHARACTERS": "true",
        "SKIP_BYTE_ORDER_MARK": "true",
    },
}


def shape(stream: Stream) -> str:
    """How a stream's own files in ``sql/`` end."""
    return stream.kind


def columns(stream: Stream) -> tuple[str, ...]:
    """The columns the stream's pipe writes, in order, as they are created in ``sql/``."""
    number = {"enriched": "30", "bad_rows": "31"}[stream.kind]
    text = template(f"step4_snowflake/{number}_table_{stream.kind}.sql")
    return tuple(name.upper() for name in re.findall(r"^  (\w+) [A-Z]", text, re.MULTILINE))


def format_options(stream: Stream) -> dict[str, str]:
    """The file format's options that decide what is lost: those that lose nothing, or those found."""
    return stream.found.format if stream.found else FORMAT_OPTIONS[stream.kind]


def missing_columns(names: Collection[str], stream: Stream) -> list[str]:
    """The columns the pipe writes that the table has not; what others' pipes write only Snowflake knows."""
    if stream.found:
        return []
    return [name for name in columns(stream) if name not in names]


LEASE_PREFIX = "SNOWPIPE_RUNBOOK_LEASE_"
"""How the names of leases begin: file formats that say who is at work (runbook.loading.leases)."""


def pipe_definition(settings: Settings, stream: Stream) -> str:
    """The COPY statement of the stream's pipe: as sql/step4_snowflake writes it, or as it was found."""
    if stream.found:
        return stream.found.statement
    number = {"enriched": "60", "bad_rows": "61"}[stream.kind]
    text = rendered(f"step4_snowflake/{number}_pipe_{stream.kind}.sql", settings, stream)
    statement = next(row for row in statements(text) if row.upper().startswith("CREATE PIPE"))
    return statement[re.search(r"\bAS\s+(?=COPY\b)", statement).end() :]  # type: ignore[union-attr]


def same_statement(one: str, other: str) -> bool:
    """Whether two statements differ in nothing but white space, letter case and a final semicolon."""
    return _words(one) == _words(other)


def _words(statement: str) -> list[str]:
    pieces = re.findall(r"'(?:[^']|'')*'|\"[^\"]*\"|[\w$.@/]+|[^\s\w]", statement.strip().rstrip(";"))
    return [piece if piece[0] in "'\"" else piece.upper() for piece in pieces]
