"""DROP <kind> [IF EXISTS] <name>."""

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
    stages,
    streams,
    tasks,
    users,
)
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

Dropper = Callable[["Session", Tokens], Result]

KINDS: list[tuple[tuple[str, ...], Dropper]] = [
    (("STORAGE", "INTEGRATION"), integrations.drop),
    (("NOTIFICATION", "INTEGRATION"), integrations.drop),
    (("INTEGRATION",), integrations.drop),
    (("STAGE",), stages.drop),
    (("FILE", "FORMAT"), file_formats.drop),
    (("PIPE",), pipes.drop),
    (("STREAM",), streams.drop),
    (("TASK",), tasks.drop),
    (("DATABASE", "ROLE"), database_roles.drop),
    (("DATABASE",), containers.drop_database),
    (("SCHEMA",), containers.drop_schema),
    (("WAREHOUSE",), containers.drop_warehouse),
    (("ROLE",), roles.drop),
    (("USER",), users.drop),
    (("RESOURCE", "MONITOR"), monitors.drop),
    (("DYNAMIC", "TABLE"), derived.dropper("DYNAMIC TABLE")),
    (("MATERIALIZED", "VIEW"), derived.dropper("MATERIALIZED VIEW")),
    *[(tuple(kind.split()), beside.dropper(kind)) for kind in beside.READERS],
]
ALREADY = "Drop statement executed successfully ({name} already dropped)."


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP of any kind; with IF EXISTS what is missing (or not visible) is not an error."""
    tokens.expect("DROP")
    if tokens.sees("TABLE") or tokens.sees("VIEW"):
        statement = plain_sql.one_statement(tokens.text)
        if not isinstance(statement, exp.Drop):
            raise errors.not_emulated(tokens.text.strip()[:60])
        return tables.drop(session, statement)
    for words, dropper in KINDS:
        if tokens.take(*words):
            if_exists = tokens.take("IF", "EXISTS")
            name = tokens.upcoming()
            session.commit()
            try:
                return dropper(session, tokens)
            except SnowflakeError as error:
                if if_exists and error.errno == 2003:
                    return result.status(ALREADY.format(name=name))
                raise
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"DROP {' '.join(tokens.ahead(n).text for n in range(2)).strip()}")
