"""DESC[RIBE] <kind> <name>."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, resolve, result, sequences, tables
from snowpipe_sandbox.snowflake.commands import (
    beside,
    file_formats,
    integrations,
    pipes,
    showing,
    stages,
    streams,
    tasks,
)
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def _table(kind: str) -> Callable[[Session, Tokens], Result]:
    def describe_table(session: Session, tokens: Tokens) -> Result:
        parts = tokens.name()
        if tokens.take("TYPE", "=") and tokens.one_of("COLUMNS", "STAGE") == "STAGE":
            raise errors.not_emulated("DESC TABLE … TYPE = STAGE")
        tokens.end()
        return tables.describe(session, parts, kind)

    return describe_table


def _sequence(session: Session, tokens: Tokens) -> Result:
    """DESC SEQUENCE (https://docs.snowflake.com/en/sql-reference/sql/desc-sequence)."""
    with session.account.lock:
        found = beside.find(session, tokens, sequences.KIND)
        tokens.end()
        return Result(sequences.SHOWN, [sequences.show_row(session.account, found)], result.DESCRIBE)


CONTENTS = [result.Column("created_on", "TIMESTAMP_LTZ"), *result.texts("name", "kind")]


def _schema(session: Session, tokens: Tokens) -> Result:
    """DESC SCHEMA: its tables and views (https://docs.snowflake.com/en/sql-reference/sql/desc-schema)."""
    account = session.account
    with account.lock:
        found = resolve.schema(account, session, tokens.name(2))
        tokens.end()
        rows = [
            (each.created_on, each.name, each.kind)
            for each in account.catalog.tables
            if (each.database, each.schema) == (found.database, found.name)
            and account.privileges.sees(session.role, each)
        ]
    return Result(CONTENTS, sorted(rows, key=lambda row: row[1]), result.DESCRIBE)


def _database(session: Session, tokens: Tokens) -> Result:
    """DESC DATABASE: its schemas (https://docs.snowflake.com/en/sql-reference/sql/desc-database)."""
    account = session.account
    with account.lock:
        name = resolve.database(account, session, tokens.identifier()).name
        tokens.end()
        rows = [(each.created_on, each.name, "SCHEMA") for each in showing.schemas_of(session, name)]
    return Result(CONTENTS, rows, result.DESCRIBE)


KINDS: list[tuple[tuple[str, ...], Callable[[Session, Tokens], Result]]] = [
    (("STORAGE", "INTEGRATION"), integrations.describe),
    (("NOTIFICATION", "INTEGRATION"), integrations.describe),
    (("INTEGRATION",), integrations.describe),
    (("STAGE",), stages.describe),
    (("FILE", "FORMAT"), file_formats.describe),
    (("PIPE",), pipes.describe),
    (("STREAM",), streams.describe),
    (("TASK",), tasks.describe),
    (("SEQUENCE",), _sequence),
    (("TABLE",), _table("TABLE")),
    (("VIEW",), _table("VIEW")),
    (("SCHEMA",), _schema),
    (("DATABASE",), _database),
]


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC of any kind; DESC RESULT and the rest are not emulated."""
    tokens.one_of("DESC", "DESCRIBE")
    for words, describer in KINDS:
        if tokens.take(*words):
            return describer(session, tokens)
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"DESC {tokens.next.value}")
