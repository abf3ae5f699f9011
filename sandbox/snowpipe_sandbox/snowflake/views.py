"""Views and table functions of INFORMATION_SCHEMA and SNOWFLAKE.ACCOUNT_USAGE, as rows.

A query that names one runs over its rows as an ordinary relation. Columns: sources: Snowflake §2.4, §2.5;
TABLES, COLUMNS and SCHEMATA: https://docs.snowflake.com/en/sql-reference/info-schema.

Longer than 400 lines: INFORMATION_SCHEMA and ACCOUNT_USAGE as tables of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from snowpipe_sandbox.snowflake import errors, history_views, relations, resolve
from snowpipe_sandbox.snowflake.catalog import Pipe, Table
from snowpipe_sandbox.snowflake.names import Name, dotted, qualify, split
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.sessions import Session

HISTORY_DAYS = 14
USAGE_DAYS = 15
ACCOUNT_PIPES_LAG = timedelta(hours=3)
TYPES = {"N": "FIXED", "L": "TIMESTAMP_LTZ", "T": "TEXT", "Z": "TIMESTAMP_NTZ", "B": "BOOLEAN"}


def columns(text: str) -> list[Column]:
    """Columns from ``NAME`` (VARCHAR), ``NAME:N`` (NUMBER), ``NAME:L`` (TIMESTAMP_LTZ)."""
    split_words = (word.partition(":") for word in text.split())
    return [Column(name, TYPES[kind or "T"]) for name, _, kind in split_words]


PIPES = columns(
    "PIPE_CATALOG PIPE_SCHEMA PIPE_NAME PIPE_OWNER DEFINITION IS_AUTOINGEST_ENABLED "
    "NOTIFICATION_CHANNEL_NAME CREATED:L LAST_ALTERED:L COMMENT PATTERN"
)
ACCOUNT_PIPES = columns(
    "PIPE_ID:N PIPE_NAME PIPE_SCHEMA_ID:N PIPE_SCHEMA PIPE_CATALOG_ID:N PIPE_CATALOG IS_AUTOINGEST_ENABLED "
    "NOTIFICATION_CHANNEL_NAME PIPE_OWNER DEFINITION CREATED:L LAST_ALTERED:L COMMENT PATTERN DELETED:L "
    "OWNER_ROLE_TYPE IS_SNOWFLAKE_MANAGED:B"
)
TABLES = columns(
    "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_OWNER TABLE_TYPE IS_TRANSIENT CLUSTERING_KEY ROW_COUNT:N "
    "BYTES:N RETENTION_TIME:N SELF_REFERENCING_COLUMN_NAME REFERENCE_GENERATION USER_DEFINED_TYPE_CATALOG "
    "USER_DEFINED_TYPE_SCHEMA USER_DEFINED_TYPE_NAME IS_INSERTABLE_INTO IS_TYPED COMMIT_ACTION CREATED:L "
    "LAST_ALTERED:L LAST_DDL:L LAST_DDL_BY AUTO_CLUSTERING_ON COMMENT IS_TEMPORARY IS_ICEBERG IS_DYNAMIC "
    "IS_IMMUTABLE IS_HYBRID"
)
"""https://docs.snowflake.com/en/sql-reference/info-schema/tables"""
COLUMNS = columns(
    "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION:N COLUMN_DEFAULT IS_NULLABLE "
    "DATA_TYPE CHARACTER_MAXIMUM_LENGTH:N NUMERIC_PRECISION:N NUMERIC_SCALE:N DATETIME_PRECISION:N "
    "IS_IDENTITY IDENTITY_START IDENTITY_INCREMENT IDENTITY_ORDERED COMMENT "
    "IDENTITY_GENERATION IDENTITY_MAXIMUM IDENTITY_MINIMUM IDENTITY_CYCLE DATA_TYPE_ALIAS"
)
"""The last five are not applicable, or empty, and SQLAlchemy asks for them:
https://docs.snowflake.com/en/sql-reference/info-schema/columns."""
SCHEMATA = columns("CATALOG_NAME SCHEMA_NAME SCHEMA_OWNER CREATED:L LAST_ALTERED:L COMMENT")

USAGE_VIEWER, OBJECT_VIEWER = "SNOWFLAKE.USAGE_VIEWER", "SNOWFLAKE.OBJECT_VIEWER"


# --- views


def view(session: Session, name: tuple[str, ...]) -> Result:
    """The rows of a system view by its stored name. Raises 2003, or not emulated for an unknown one."""
    if name[-2] == relations.INFORMATION_SCHEMA:
        database = name[0] if len(name) == 3 else session.database
        if database is None:
            raise errors.no_database("SELECT")
        with session.account.lock:
            resolve.database(session.account, session, database)
        shown = INFORMATION_SCHEMA_VIEWS.get(name[-1])
        if shown is None or database == "SNOWFLAKE":
            raise errors.not_emulated(f"INFORMATION_SCHEMA.{name[-1]}")
        return shown(session, database)
    if name[1] != "ACCOUNT_USAGE" or name[2] not in ACCOUNT_USAGE_VIEWS:
        raise errors.not_emulated(dotted(name))
    database_role, maker = ACCOUNT_USAGE_VIEWS[name[2]]
    if not may_read_account_usage(session, database_role):
        raise errors.does_not_exist("Object", dotted(name))
    return maker(session.account)


def may_read_account_usage(session: Session, database_role: str) -> bool:
    """ACCOUNTADMIN, a role with IMPORTED PRIVILEGES, or one that was given the database role."""
    reached = session.account.privileges.closure(session.role)
    return bool(reached & {"ACCOUNTADMIN", database_role, "SNOWFLAKE.IMPORTED"})


def _visible_tables(session: Session, database: str) -> list[Table]:
    with session.account.lock:
        return [
            table
            for table in session.account.catalog.tables
            if table.database == database and session.account.privileges.sees(session.role, table)
        ]


def _tables(session: Session, database: str) -> Result:
    rows = [
        (
            table.database,
            table.schema,
            table.name,
            table.owner,
            "BASE TABLE" if table.kind in ("TABLE", "DYNAMIC TABLE") else table.kind,
            "YES" if table.transient else "NO",
            None,
            None if table.is_query else relations.row_count(session, table),
            None if table.is_query else 0,
            None if table.is_query else 1,
            *([None] * 5),
            *("YES", "YES", None),
            table.created_on,
            table.altered_on or table.created_on,
            table.ddl_on or table.created_on,
            None,
            "NO",
            table.comment or None,
            *("NO" for _ in range(5)),
        )
        for table in _visible_tables(session, database)
    ]
    return Result(TABLES, rows)


def _columns(session: Session, database: str) -> Result:
    rows = []
    for table in _visible_tables(session, database):
        for position, column in enumerate(table.columns, start=1):
            sizes = column.type.partition("(")[2].rstrip(")").split(",")
            number = column.base_type == "NUMBER"
            identity = column.identity
            rows.append(
                (
                    table.database,
                    table.schema,
                    table.name,
                    column.name,
                    position,
                    None if identity else column.default,
                    "YES" if column.nullable else "NO",
                    "TEXT" if column.base_type == "VARCHAR" else column.base_type,
                    column.length,
                    int(sizes[0]) if number else None,
                    int(sizes[1]) if number else None,
                    9 if column.base_type.startswith("TIME") else None,
                    "YES" if identity else "NO",
                    str(identity.start) if identity else None,
                    str(identity.step) if identity else None,
                    ("YES" if identity.ordered else "NO") if identity else None,
                    column.comment,
                    *([None] * 5),
                )
            )
    return Result(COLUMNS, rows)


def _schemata(session: Session, database: str) -> Result:
    with session.account.lock:
        rows = [
            (
                schema.database,
                schema.name,
                schema.owner,
                schema.created_on,
                schema.created_on,
                schema.comment or None,
            )
            for schema in session.account.catalog.schemas.values()
            if schema.database == database and session.account.privileges.sees(session.role, schema)
        ]
    return Result(SCHEMATA, sorted(rows))


def _pipes(session: Session, database: str) -> Result:
    with session.account.lock:
        rows = [
            (
                pipe.database,
                pipe.schema,
                pipe.name,
                pipe.owner,
                pipe.definition,
                "YES" if pipe.auto_ingest else "NO",
                pipe.notification_channel,
                pipe.created_on,
                pipe.altered_on or pipe.created_on,
                pipe.comment or None,
                pipe.copy.pattern,
            )
            for pipe in session.account.catalog.pipes
            if pipe.database == database and monitors(session, pipe)
        ]
    return Result(PIPES, rows)


def _load_history(session: Session, database: str) -> Result:
    visible = {(table.schema, table.name) for table in _visible_tables(session, database)}
    found = history_views.load_history(session.account, database)
    return Result(found.columns, [row for row in found.rows if (row[0], row[2]) in visible])


def _account_pipes(account: Account) -> Result:
    """One row a generation of a pipe; notification columns are reserved (sources: Snowflake §2.5).

    The view's latency of up to three hours: what is younger is not there yet.
    """
    catalog = account.catalog
    lag = min(ACCOUNT_PIPES_LAG, timedelta(seconds=account.history.account_usage_lag_s))
    settled = account.now() - lag
    with account.lock:
        rows = [
            (
                pipe.id,
                pipe.name,
                schema.id if (schema := catalog.schemas.get((pipe.database, pipe.schema))) else None,
                pipe.schema,
                database.id if (database := catalog.databases.get(pipe.database)) else None,
                pipe.database,
                None,
                None,
                pipe.owner,
                pipe.definition,
                pipe.created_on,
                pipe.altered_on or pipe.created_on,
                pipe.comment or None,
                pipe.copy.pattern,
                pipe.dropped_on if pipe.dropped_on and pipe.dropped_on <= settled else None,
                "ROLE",
                False,
            )
            for pipe in (*catalog.dropped_pipes, *catalog.pipes)
            if pipe.created_on <= settled
        ]
    return Result(ACCOUNT_PIPES, rows)


INFORMATION_SCHEMA_VIEWS: dict[str, Callable[[Session, str], Result]] = {
    "TABLES": _tables,
    "COLUMNS": _columns,
    "SCHEMATA": _schemata,
    "PIPES": _pipes,
    "LOAD_HISTORY": _load_history,
}
ACCOUNT_USAGE_VIEWS: dict[str, tuple[str, Callable[[Account], Result]]] = {
    "COPY_HISTORY": (USAGE_VIEWER, history_views.account_copy_history),
    "LOAD_HISTORY": (USAGE_VIEWER, history_views.account_load_history),
    "PIPE_USAGE_HISTORY": (USAGE_VIEWER, history_views.account_pipe_usage_history),
    "PIPES": (OBJECT_VIEWER, _account_pipes),
}
"""Views by name: the database role that may read each, and what makes its rows."""

# --- table functions


def table_function(session: Session, database: str | None, name: str, arguments: Mapping[str, Any]) -> Result:
    """The rows of ``TABLE(<database>.INFORMATION_SCHEMA.<name>(...))``. ``database`` None: current."""
    database = database or session.database
    if database is None:
        raise errors.no_database("SELECT")
    maker = TABLE_FUNCTIONS.get(name)
    if maker is None:
        raise errors.not_emulated(f"INFORMATION_SCHEMA.{name}(...)")
    with session.account.lock:
        resolve.database(session.account, session, database)
    return maker(session, database, arguments)


UNQUALIFIED = ("VALIDATE_PIPE_LOAD",)
"""Public worksheets call it without INFORMATION_SCHEMA; of the others the pages say that it is needed."""


def moment(session: Session, value: Any, name: str) -> datetime:
    """A time argument as aware UTC; without a zone in the session's, a date at its start. Raises 001008."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise errors.invalid_value(value, name) from None
    if not isinstance(value, datetime):
        raise errors.invalid_value(str(value), name)
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(session.parameters.timezone))
    return value.astimezone(UTC)


def _range(session: Session, arguments: Mapping[str, Any], start: str, end: str) -> tuple[datetime, datetime]:
    """The range asked for. Raises an error where its start is more than 14 days ago."""
    now = session.account.now()
    if arguments.get(start) is None:
        raise missing_argument(start)
    first = moment(session, arguments[start], start)
    last = moment(session, arguments[end], end) if arguments.get(end) is not None else now
    if first < now - timedelta(days=HISTORY_DAYS, seconds=60):
        raise _too_long_ago(HISTORY_DAYS, start)
    return first, last


def _too_long_ago(days: int, name: str) -> errors.SnowflakeError:
    return errors.SnowflakeError(
        2125, "22023", f"Cannot retrieve data from more than {days} days ago: {name} is outside the range."
    )


def missing_argument(name: str) -> errors.SnowflakeError:
    """A table function without an argument it needs."""
    return errors.SnowflakeError(
        2124, "22023", f"SQL compilation error:\nmissing required argument [{name}] for table function."
    )


def _named_table(session: Session, database: str, arguments: Mapping[str, Any]) -> Table:
    if arguments.get("TABLE_NAME") is None:
        raise missing_argument("TABLE_NAME")
    given = split(str(arguments["TABLE_NAME"]))
    if len(given) == 2:
        given = [database, *given]
    with session.account.lock:
        name = qualify(given, session, "SELECT")
        found = session.account.catalog.tables.get(name)
        privileges = session.account.privileges
        if found is None or not (
            privileges.sees(session.role, found) or privileges.has_on_account(session.role, "MONITOR")
        ):
            raise errors.does_not_exist("Table", dotted(name))
        return found


def _copy_history(session: Session, database: str, arguments: Mapping[str, Any]) -> Result:
    """COPY_HISTORY: its pipe columns are NULL for a role without MONITOR on the pipe (sources §2.4)."""
    _known(arguments, "TABLE_NAME", "START_TIME", "END_TIME", "PIPE_NAME")
    table = _named_table(session, database, arguments)
    start, end = _range(session, arguments, "START_TIME", "END_TIME")
    wanted = Name(*split(str(arguments["PIPE_NAME"]))) if arguments.get("PIPE_NAME") else None
    return history_views.copy_history(
        session.account, table, start, end, wanted, lambda pipe: monitors(session, pipe)
    )


def monitors(session: Session, pipe: Pipe) -> bool:
    """May the role see what the pipe does (MONITOR or OWNERSHIP on it, or MONITOR EXECUTION)?"""
    privileges = session.account.privileges
    return privileges.sees(session.role, pipe) and (
        privileges.has(session.role, "MONITOR", pipe)
        or privileges.has_on_account(session.role, "MONITOR EXECUTION")
    )


def _named_pipe(session: Session, arguments: Mapping[str, Any]) -> Pipe:
    with session.account.lock:
        return resolve.pipe(session.account, session, split(str(arguments["PIPE_NAME"])))


def _pipe_usage(session: Session, _database: str, arguments: Mapping[str, Any]) -> Result:
    """PIPE_USAGE_HISTORY: the last ten minutes unless told; ACCOUNTADMIN or MONITOR USAGE."""
    _known(arguments, "DATE_RANGE_START", "DATE_RANGE_END", "PIPE_NAME")
    with session.account.lock:
        session.account.privileges.require_on_account(session.role, "MONITOR USAGE")
    now = session.account.now()
    start = arguments.get("DATE_RANGE_START")
    end = arguments.get("DATE_RANGE_END")
    last = now if end is None else moment(session, end, "DATE_RANGE_END")
    first = last - timedelta(minutes=10) if start is None else moment(session, start, "DATE_RANGE_START")
    if first < now - timedelta(days=USAGE_DAYS):
        raise _too_long_ago(USAGE_DAYS, "DATE_RANGE_START")
    name = _named_pipe(session, arguments).full_name if arguments.get("PIPE_NAME") else None
    return history_views.pipe_usage_history(session.account, first, last, name)


def _validate_pipe_load(session: Session, _database: str, arguments: Mapping[str, Any]) -> Result:
    """VALIDATE_PIPE_LOAD: refused for a pipe whose COPY has a SELECT (sources: Snowflake §2.5)."""
    _known(arguments, "PIPE_NAME", "START_TIME", "END_TIME")
    if arguments.get("PIPE_NAME") is None:
        raise missing_argument("PIPE_NAME")
    pipe = _named_pipe(session, arguments)
    account = session.account
    with account.lock:
        account.privileges.require(session.role, pipe, "MONITOR")
        stage = account.catalog.stages.by_id(pipe.stage_id)
        if stage is not None:
            account.privileges.require(session.role, stage, "USAGE")
        table = account.catalog.pipe_table(pipe)
        if table is not None:
            account.privileges.require(session.role, table, "SELECT", "INSERT")
    start, end = _range(session, arguments, "START_TIME", "END_TIME")
    return history_views.validate_pipe_load(account, pipe, start, end)


def _known(arguments: Mapping[str, Any], *names: str) -> None:
    for name in arguments:
        if name not in names:
            raise errors.SnowflakeError(
                1003, "42000", f"SQL compilation error:\ninvalid argument name '{name}' for table function."
            )


TABLE_FUNCTIONS: dict[str, Callable[[Session, str, Mapping[str, Any]], Result]] = {
    "COPY_HISTORY": _copy_history,
    "PIPE_USAGE_HISTORY": _pipe_usage,
    "VALIDATE_PIPE_LOAD": _validate_pipe_load,
}
