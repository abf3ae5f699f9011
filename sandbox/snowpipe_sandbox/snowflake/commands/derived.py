"""Dynamic tables and materialized views: queries that are read as of now.

A materialized view always is, in Snowflake too. **Differs:** a dynamic table is up to date here at every
moment; Snowflake's is so within its TARGET_LAG. So neither a refresh nor a suspension changes what is read.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-dynamic-table,
https://docs.snowflake.com/en/sql-reference/sql/show-dynamic-tables,
https://docs.snowflake.com/en/user-guide/views-materialized (always current; one table, no joins).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, plain_sql, relations, resolve, result, tables
from snowpipe_sandbox.snowflake.catalog import Table
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import dotted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
OPTIONS: dict[str, options.Reader] = {
    "TARGET_LAG": options.word,
    "WAREHOUSE": lambda tokens: options.name(tokens)[-1],
    "INITIALIZATION_WAREHOUSE": lambda tokens: options.name(tokens)[-1],
    "REFRESH_MODE": options.only("REFRESH_MODE", "AUTO", "FULL", "INCREMENTAL"),
    "INITIALIZE": options.only("INITIALIZE", "ON_CREATE", "ON_SCHEDULE"),
    "DATA_RETENTION_TIME_IN_DAYS": options.value,
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": options.value,
    "COMMENT": options.string,
}


def create_dynamic(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE DYNAMIC TABLE … TARGET_LAG = … WAREHOUSE = … AS query. Raises 2029 without one of the two."""
    name, columns, given = _head(tokens, OPTIONS)
    missing = [each for each in ("TARGET_LAG", "WAREHOUSE") if each not in given]
    if missing:
        raise errors.missing_options(*missing)
    account = session.account
    with account.lock:
        found = account.catalog.warehouses.get(given["WAREHOUSE"])
        if found is None or not account.privileges.sees(session.role, found):
            raise errors.does_not_exist("Warehouse", given["WAREHOUSE"])
    return _create(session, tokens, mode, "DYNAMIC TABLE", f"{name} {columns}", given)


def create_materialized(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE MATERIALIZED VIEW … AS query over one table."""
    name, columns, given = _head(tokens, {"COMMENT": options.string})
    query = plain_sql.one_statement(tokens.text[tokens.next.start :])
    outside = (exp.Join, exp.Window, exp.Having, exp.Order, exp.Limit, exp.Union)
    if query.find(*outside) is not None or len(list(relations.named_tables(query))) != 1:
        raise errors.not_emulated("a materialized view over more than rows of one table")
    return _create(session, tokens, mode, "MATERIALIZED VIEW", f"{name} {columns}", given)


def _head(tokens: Tokens, known: dict[str, options.Reader]) -> tuple[str, str, dict[str, Any]]:
    """The name, the list of columns and the options, up to and with AS."""
    name = dotted(tokens.name())
    columns = ""
    if tokens.sees("("):
        start = tokens.next.start
        columns = tokens.text[start:start] + _parenthesised(tokens)
    tokens.take("COPY", "GRANTS")
    given: dict[str, Any] = {}
    while not tokens.take("AS"):
        if tokens.at_end:
            raise tokens.error()
        if tokens.take("CLUSTER", "BY"):
            _parenthesised(tokens)
        else:
            given |= options.read_options(
                tokens, known, until=lambda: tokens.sees("AS") or tokens.sees("CLUSTER")
            )
    return name, columns, given


def _parenthesised(tokens: Tokens) -> str:
    """``( … )`` as written."""
    start, depth = tokens.next.start, 0
    while True:
        if tokens.at_end:
            raise tokens.error()
        token = tokens.advance()
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "symbol" else 0
        if depth == 0:
            return tokens.text[start : token.end]


def _create(
    session: Session, tokens: Tokens, mode: Mode, kind: str, head: str, given: dict[str, Any]
) -> Result:
    how = ("OR REPLACE " if mode.replace else "", "IF NOT EXISTS " if mode.if_not_exists else "")
    statement = plain_sql.one_statement(f"CREATE {how[0]}VIEW {how[1]}{head} AS {tokens.rest()}")
    if not isinstance(statement, exp.Create):
        raise errors.not_emulated(f"CREATE {kind}")
    made = tables.create(session, statement, kind, given if kind == "DYNAMIC TABLE" else None)
    if given.get("COMMENT"):
        found = relations.find(session, relations.parts(_named(statement)))
        found.comment = str(given["COMMENT"])
    return made


def _named(statement: exp.Create) -> exp.Table:
    this = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    if not isinstance(this, exp.Table):
        raise errors.syntax_error("unexpected '('.")
    return this


def dropper(kind: str) -> Callable[[Session, Tokens], Result]:
    """DROP of one of the two."""

    def drop(session: Session, tokens: Tokens) -> Result:
        name = dotted(tokens.name())
        tokens.end()
        statement = plain_sql.one_statement(f"DROP VIEW {name}")
        if not isinstance(statement, exp.Drop):
            raise errors.not_emulated(f"DROP {kind}")
        return tables.drop(session, statement, kind)

    return drop


def alter_dynamic(session: Session, tokens: Tokens) -> Result:
    """ALTER DYNAMIC TABLE … REFRESH, SUSPEND, RESUME, SET: it is up to date as it is."""
    parts = tokens.name()
    verb = tokens.one_of("REFRESH", "SUSPEND", "RESUME", "SET")
    account = session.account
    with account.lock:
        found = resolve.visible(account, session, account.catalog.tables, "Dynamic table", parts)
        if found.refreshed is None:
            raise errors.does_not_exist("Dynamic table", str(found.full_name))
        account.privileges.require(session.role, found, "OPERATE")
        if verb == "SET":
            found.refreshed |= options.read_options(tokens, OPTIONS)
        elif verb != "REFRESH":
            found.refreshed["suspended"] = verb == "SUSPEND"
        tokens.end()
    return result.status(DONE)


SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("name", "database_name", "schema_name", "cluster_by"),
    *[result.Column(name, "FIXED") for name in ("rows", "bytes")],
    *result.texts("owner", "target_lag", "refresh_mode", "refresh_mode_reason", "warehouse", "comment"),
    *result.texts("text", "automatic_clustering", "scheduling_state"),
    *[result.Column(name, "TIMESTAMP_LTZ") for name in ("last_suspended_on", "data_timestamp")],
    *result.texts("is_clone", "is_replica", "owner_role_type"),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-dynamic-tables. The text of the query is not kept."""


def show_row(session: Session, each: Table) -> tuple[Any, ...]:
    """A row of SHOW DYNAMIC TABLES."""
    given = each.refreshed or {}
    mode = given.get("REFRESH_MODE", "AUTO")
    place = (each.created_on, each.name, each.database, each.schema, "")
    how = (given.get("TARGET_LAG"), "FULL" if mode == "AUTO" else mode, None, given.get("WAREHOUSE"))
    state = "SUSPENDED" if given.get("suspended") else "ACTIVE"
    now = (None, session.account.now())
    counted = relations.row_count(session, each)
    return (
        *place,
        counted,
        0,
        each.owner,
        *how,
        each.comment,
        "",
        "OFF",
        state,
        *now,
        "false",
        "false",
        "ROLE",
    )
