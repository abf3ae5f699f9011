"""Streams: CREATE, ALTER, DROP, DESC, SHOW; :mod:`stream_reading` reads them.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-stream,
https://docs.snowflake.com/en/sql-reference/sql/show-streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve, result, stream_reading
from snowpipe_sandbox.snowflake.catalog import Stream, Table
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

OPTIONS: dict[str, options.Reader] = {
    "APPEND_ONLY": options.boolean,
    "SHOW_INITIAL_ROWS": options.boolean,
    "COMMENT": options.string,
}


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE STREAM … ON TABLE or VIEW: the role needs SELECT on it. Raises 2003, 3001 or not emulated."""
    parts = tokens.name()
    options.tags(tokens)
    tokens.take("COPY", "GRANTS")
    if tokens.sees("CLONE"):
        raise errors.not_emulated("CREATE STREAM … CLONE")
    tokens.expect("ON")
    if not (tokens.take("TABLE") or tokens.take("VIEW")):
        raise errors.not_emulated(f"a stream on {tokens.next.value}")
    source = tokens.name()
    if tokens.sees("AT") or tokens.sees("BEFORE"):
        raise errors.not_emulated("Time Travel")
    given = options.read_options(tokens, OPTIONS)
    account = session.account
    with account.lock:
        name, _ = resolve.schema_for_create(account, session, parts, "CREATE STREAM")
        existing = account.catalog.streams.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        table = resolve.visible(account, session, account.catalog.tables, "Table", source)
        account.privileges.require(session.role, table, "SELECT")
        account.privileges.displace(session.role, existing)
        made = Stream(
            account.catalog.next_id(),
            *name,
            session.role,
            account.now(),
            table.full_name,
            table.id,
            bool(given.get("APPEND_ONLY")),
            comment=given.get("COMMENT", ""),
        )
        stream_reading.start(account, made, table, with_rows=bool(given.get("SHOW_INITIAL_ROWS")))
        account.catalog.streams.put(made)
        account.privileges.created(made)
    return result.status(f"Stream {name.name} successfully created.")


def _owned(session: Session, parts: tuple[str, ...]) -> Stream:
    account = session.account
    found = resolve.visible(account, session, account.catalog.streams, "Stream", parts)
    account.privileges.require_ownership(session.role, found)
    return found


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER STREAM … SET or UNSET COMMENT."""
    parts = tokens.name()
    comment = options.comment_only(tokens)
    with session.account.lock:
        _owned(session, parts).comment = comment
    return result.status("Statement executed successfully.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP STREAM."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        found = _owned(session, parts)
        account.catalog.streams.remove(found.full_name)
        account.privileges.forget(found)
    return result.status(f"{found.name} successfully dropped.")


SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("name", "database_name", "schema_name", "owner", "comment", "table_name", "source_type"),
    *result.texts("base_tables", "type", "stale", "mode"),
    result.Column("stale_after", "TIMESTAMP_LTZ"),
    *result.texts("invalid_reason", "owner_role_type"),
]


def show_row(session: Session, stream: Stream) -> tuple[Any, ...]:
    """A row of SHOW STREAMS. A stream is stale once its table is gone or replaced."""
    table: Table | None = session.account.catalog.tables.get(stream.source)
    gone = table is None or table.id != stream.source_id
    return (
        stream.created_on,
        stream.name,
        stream.database,
        stream.schema,
        stream.owner,
        stream.comment,
        str(stream.source),
        "View" if table is not None and table.is_query else "Table",
        str(stream.source),
        "DELTA",
        "true" if gone else "false",
        "APPEND_ONLY" if stream.append_only else "DEFAULT",
        None,
        "N/A",
        "ROLE",
    )


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC STREAM: its row of SHOW STREAMS."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        found = resolve.visible(account, session, account.catalog.streams, "Stream", parts)
        return Result(SHOWN, [show_row(session, found)], result.DESCRIBE)
