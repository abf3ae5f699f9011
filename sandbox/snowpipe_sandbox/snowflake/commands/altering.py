"""ALTER <kind> [IF EXISTS] <name>, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, plain_sql, result, tables
from snowpipe_sandbox.snowflake.commands import (
    beside,
    containers,
    database_roles,
    derived,
    file_formats,
    integrations,
    monitors,
    pipes,
    roles,
    session_commands,
    stages,
    streams,
    tagging,
    tasks,
    users,
)
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

Alterer = Callable[["Session", Tokens], Result]

KINDS: list[tuple[tuple[str, ...], Alterer]] = [
    (("STORAGE", "INTEGRATION"), integrations.alter),
    (("NOTIFICATION", "INTEGRATION"), integrations.alter),
    (("INTEGRATION",), integrations.alter),
    (("STAGE",), stages.alter),
    (("FILE", "FORMAT"), file_formats.alter),
    (("PIPE",), pipes.alter),
    (("STREAM",), streams.alter),
    (("TASK",), tasks.alter),
    (("DATABASE", "ROLE"), database_roles.alter),
    (("DATABASE",), containers.alter_database),
    (("SCHEMA",), containers.alter_schema),
    (("WAREHOUSE",), containers.alter_warehouse),
    (("ROLE",), roles.alter),
    (("ACCOUNT",), containers.alter_account),
    (("USER",), users.alter),
    (("ALERT",), beside.alter_alert),
    (("SEQUENCE",), beside.alter_sequence),
    (("RESOURCE", "MONITOR"), monitors.alter),
    (("DYNAMIC", "TABLE"), derived.alter_dynamic),
]
DONE = "Statement executed successfully."


def comment(session: Session, tokens: Tokens) -> Result:
    """COMMENT [IF EXISTS] ON kind name IS '…', as the ALTER … SET COMMENT that it stands for.

    Source: https://docs.snowflake.com/en/sql-reference/sql/comment.
    """
    tokens.expect("COMMENT")
    if_exists = "IF EXISTS " if tokens.take("IF", "EXISTS") else ""
    tokens.expect("ON")
    kinds = [words for words, _ in KINDS if words[0] not in ("ACCOUNT", "USER")]
    kind = next((words for words in [*kinds, ("TABLE",), ("VIEW",)] if tokens.take(*words)), None)
    if kind is None:
        raise errors.not_emulated(f"COMMENT ON {tokens.next.value}")
    name = tokens.until("IS")
    tokens.expect("IS")
    written = tokens.next.text
    tokens.string()
    tokens.end()
    return alter(session, Tokens(f"ALTER {' '.join(kind)} {if_exists}{name} SET COMMENT = {written}"))


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER of any kind; with IF EXISTS what is missing (or not visible) is not an error."""
    tagged = tagging.alter(session, tokens.text)
    if tagged is not None:
        return tagged
    tokens.expect("ALTER")
    if tokens.take("SESSION"):
        return session_commands.alter_session(session, tokens)
    if tokens.sees("TABLE") or tokens.sees("VIEW"):
        statement = plain_sql.one_statement(tokens.text)
        if not isinstance(statement, exp.Alter):
            raise errors.not_emulated(tokens.text.strip()[:60])
        return tables.alter(session, statement)
    for words, alterer in KINDS:
        if tokens.take(*words):
            if_exists = tokens.take("IF", "EXISTS")
            session.commit()
            try:
                return alterer(session, tokens)
            except SnowflakeError as error:
                if if_exists and error.errno == 2003:
                    return result.status(DONE)
                raise
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"ALTER {' '.join(tokens.ahead(n).text for n in range(2)).strip()}")
