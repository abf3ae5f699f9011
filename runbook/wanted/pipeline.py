"""What the pipeline must look like in Snowflake: columns, file format options, the pipe's statement.

Wanted values as plain data, beside the facts they are compared with: steps bring them about,
checks compare them, and neither sees the other.
"""

import re
from collections.abc import Collection

from runbook.kinds import kind_of
from runbook.settings import Identifier, Settings, Stream
from runbook.sql import rendered, statements, template

TENS = {"file_format": 20, "table": 30, "pipe": 60}


def sql_file(stream: Stream, what: str) -> str:
    """The file in ``sql/`` that makes a stream's file format, table or pipe, by its kind."""
    return f"step4_snowflake/{TENS[what] + kind_of(stream).NUMBER}_{what}_{stream.kind}.sql"


def columns(stream: Stream) -> tuple[str, ...]:
    """The columns the stream's pipe writes, in order, as they are created in ``sql/``."""
    text = template(sql_file(stream, "table"))
    names = tuple(name.upper() for name in re.findall(r"^  (\w+) [A-Z]", text, re.MULTILINE))
    own = tuple(Identifier.parse(name) for name, _ in stream.own_columns)
    return (names[0], *own, *names[1:]) if own else names


WIDEST = 16_777_216
"""What a text column holds that was made without a length, before it was 134,217,728.

Source: https://docs.snowflake.com/en/sql-reference/data-types-text
"""


def made_as(stream: Stream) -> dict[str, str]:
    """The columns of the stream's table with their types, without length, as step 4 makes it."""
    text = template(sql_file(stream, "table"))
    return {name.upper(): kind for name, kind in re.findall(r"^  (\w+) ([A-Z_]+)", text, re.MULTILINE)}


def too_narrow(found: Collection[tuple[str, str]], stream: Stream) -> list[str]:
    """The table's columns, with their types, that do not hold every text the pipe writes into them."""
    made = {} if stream.found else made_as(stream)
    return [f"{name} {kind}" for name, kind in found if made.get(name) == "VARCHAR" and not _holds_all(kind)]


def of_another_kind(found: Collection[tuple[str, str]], stream: Stream) -> list[str]:
    """The table's columns, with their types, of another kind than step 4 makes: VARIANT, number, time."""
    made = {} if stream.found else made_as(stream)
    begins = {name: kind.partition("_")[0] for name, kind in made.items() if kind != "VARCHAR"}
    return [
        f"{name} {kind}"
        for name, kind in found
        if name in begins and not kind.upper().startswith(begins[name])
    ]


def _holds_all(kind: str) -> bool:
    found = re.fullmatch(r"(?:VARCHAR|STRING|TEXT)(?:\((\d+)\))?", kind.upper())
    return found is not None and int(found[1] or WIDEST) >= WIDEST


def format_options(stream: Stream) -> dict[str, str]:
    """The file format's options that decide what is lost: those that lose nothing, or those found."""
    return stream.found.format if stream.found else dict(kind_of(stream).FORMAT)


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
    text = rendered(sql_file(stream, "pipe"), settings, stream)
    statement = next(row for row in statements(text) if row.upper().startswith("CREATE PIPE"))
    return statement[re.search(r"\bAS\s+(?=COPY\b)", statement).end() :]  # type: ignore[union-attr]


def same_statement(one: str, other: str) -> bool:
    """Whether two statements differ in nothing but white space, letter case and a final semicolon."""
    return _words(one) == _words(other)


def _words(statement: str) -> list[str]:
    pieces = re.findall(r"'(?:[^']|'')*'|\"[^\"]*\"|[\w$.@/]+|[^\s\w]", statement.strip().rstrip(";"))
    return [piece if piece[0] in "'\"" else piece.upper() for piece in pieces]
