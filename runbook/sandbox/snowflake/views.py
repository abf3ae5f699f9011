"""Views and table functions of INFORMATION_SCHEMA and SNOWFLAKE.ACCOUNT_USAGE, as rows.

A query that names one runs over its rows as an ordinary relation. Columns: facts/snowflake.md §2.4, §2.5;
TABLES, COLUMNS and SCHEMATA: https://docs.snowflake.com/en/sql-reference/info-schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from runbook.sandbox.snowflake import errors, relations, resolve
from runbook.sandbox.snowflake.catalog import Pipe, Table
from runbook.sandbox.snowflake.names import dotted, qualify, split
from runbook.sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from runbook.sandbox.snowflake.sessions import Session

HISTORY_DAYS = 14
TYPES = {"N": "FIXED", "L": "TIMESTAMP_LTZ", "T": "TEXT", "Z": "TIMESTAMP_NTZ"}

_LOADED = (
    "FILE_NAME STAGE_LOCATION LAST_LOAD_TIME:L ROW_COUNT:N ROW_PARSED:N FILE_SIZE:N FIRST_ERROR_MESSAGE "
    "FIRST_ERROR_LINE_NUMBER:N FIRST_ERROR_CHARACTER_POS:N FIRST_ERROR_COLUMN_NAME ERROR_COUNT:N ERROR_LIMIT:N "
    "STATUS "
)
_ERRORS = "FIRST_ERROR_MESSAGE FIRST_ERROR_LINE_NUMBER:N FIRST_ERROR_CHARACTER_POSITION:N FIRST_ERROR_COL_NAME "


def columns(text: str) -> list[Column]:
    """Columns from ``NAME`` (VARCHAR), ``NAME:N`` (NUMBER), ``NAME:L`` (TIMESTAMP_LTZ)."""
    split_words = (word.partition(":") for word in text.split())
    return [Column(name, TYPES[kind or "T"]) for name, _, kind in split_words]


COPY_HISTORY = columns(
    _LOADED + "TABLE_CATALOG_NAME TABLE_SCHEMA_NAME TABLE_NAME PIPE_CATALOG_NAME PIPE_SCHEMA_NAME PIPE_NAME "
    "PIPE_RECEIVED_TIME:L BYTES_BILLED:N"
)
ACCOUNT_COPY_HISTORY = columns(
    _LOADED + "TABLE_ID:N TABLE_NAME TABLE_SCHEMA_ID:N TABLE_SCHEMA_NAME TABLE_CATALOG_ID:N TABLE_CATALOG_NAME "
    "PIPE_CATALOG_NAME PIPE_SCHEMA_NAME PIPE_NAME PIPE_RECEIVED_TIME:L FIRST_COMMIT_TIME:L BYTES_BILLED:N"
)
LOAD_HISTORY = columns(
    "SCHEMA_NAME FILE_NAME TABLE_NAME LAST_LOAD_TIME:L STATUS ROW_COUNT:N ROW_PARSED:N " + _ERRORS
    + "ERROR_COUNT:N ERROR_LIMIT:N"
)
ACCOUNT_LOAD_HISTORY = columns(
    "TABLE_ID:N TABLE_NAME SCHEMA_ID:N SCHEMA_NAME CATALOG_ID:N CATALOG_NAME FILE_NAME LAST_LOAD_TIME:L STATUS "
    "ROW_COUNT:N ROW_PARSED:N " + _ERRORS + "ERROR_COUNT:N ERROR_LIMIT:N"
)
_USAGE = "CREDITS_USED:N BYTES_INSERTED:N FILES_INSERTED:N BYTES_BILLED:N"
PIPE_USAGE_HISTORY = columns("START_TIME:L END_TIME:L PIPE_NAME " + _USAGE)
ACCOUNT_PIPE_USAGE_HISTORY = columns("PIPE_ID:N PIPE_NAME START_TIME:L END_TIME:L " + _USAGE)
PIPES = columns(
    "PIPE_CATALOG PIPE_SCHEMA PIPE_NAME PIPE_OWNER DEFINITION IS_AUTOINGEST_ENABLED NOTIFICATION_CHANNEL_NAME "
    "CREATED:L LAST_ALTERED:L COMMENT PATTERN"
)
ACCOUNT_PIPES = columns(
    "PIPE_ID:N PIPE_NAME PIPE_SCHEMA_ID:N PIPE_SCHEMA PIPE_CATALOG_ID:N PIPE_CATALOG IS_AUTOINGEST_ENABLED "
    "NOTIFICATION_CHANNEL_NAME PIPE_OWNER DEFINITION CREATED:L LAST_ALTERED:L COMMENT PATTERN DELETED:L "
    "OWNER_ROLE_TYPE"
)
VALIDATE_PIPE_LOAD = columns(
    "ERROR FILE LINE:N CHARACTER:N BYTE_OFFSET:N CATEGORY CODE:N SQL_STATE COLUMN_NAME ROW_NUMBER:N "
    "ROW_START_LINE:N REJECTED_RECORD"
)
TABLES = columns(
    "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_OWNER TABLE_TYPE IS_TRANSIENT ROW_COUNT:N CREATED:L COMMENT"
)
COLUMNS = columns(
    "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION:N COLUMN_DEFAULT IS_NULLABLE DATA_TYPE "
    "CHARACTER_MAXIMUM_LENGTH:N NUMERIC_PRECISION:N NUMERIC_SCALE:N DATETIME_PRECISION:N COMMENT"
)
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
        maker = INFORMATION_SCHEMA_VIEWS.get(name[-1])
        if maker is None or database == "SNOWFLAKE":
            raise errors.not_emulated(f"INFORMATION_SCHEMA.{name[-1]}")
        return maker(session, database)
    if name[1] != "ACCOUNT_USAGE" or name[2] not in ACCOUNT_USAGE_VIEWS:
        raise errors.not_emulated(dotted(name))
    columns_, database_role, rows = ACCOUNT_USAGE_VIEWS[name[2]]
    if not may_read_account_usage(session, database_role):
        raise errors.does_not_exist("Object", dotted(name))
    return Result(columns_, rows(session))


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
            "VIEW" if table.kind == "VIEW" else "BASE TABLE",
            "NO",
            None if table.kind == "VIEW" else session.account.row_count(table),
            table.created_on,
            table.comment or None,
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
            rows.append(
                (
                    table.database,
                    table.schema,
                    table.name,
                    column.name,
                    position,
                    column.default,
                    "YES" if column.nullable else "NO",
                    "TEXT" if column.base_type == "VARCHAR" else column.base_type,
                    column.length,
                    int(sizes[0]) if number else None,
                    int(sizes[1]) if number else None,
                    9 if column.base_type.startswith("TIME") else None,
                    column.comment,
                )
            )
    return Result(COLUMNS, rows)


def _schemata(session: Session, database: str) -> Result:
    with session.account.lock:
        rows = [
            (schema.database, schema.name, schema.owner, schema.created_on, schema.created_on, schema.comment or None)
            for schema in session.account.catalog.schemas.values()
            if schema.database == database and session.account.privileges.sees(session.role, schema)
        ]
    return Result(SCHEMATA, sorted(rows))


def _pipes(session: Session, database: str) -> Result:
    privileges = session.account.privileges
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
            if pipe.database == database
            and privileges.sees(session.role, pipe)
            and (
                privileges.has(session.role, "MONITOR", pipe)
                or privileges.has_on_account(session.role, "MONITOR EXECUTION")
            )
        ]
    return Result(PIPES, rows)


def _load_history(session: Session, database: str) -> Result:
    visible = {(table.schema, table.name) for table in _visible_tables(session, database)}
    rows = [row for row in session.account.history.load_history(database) if (row[0], row[2]) in visible]
    return Result(LOAD_HISTORY, rows)


def _account_pipes(session: Session) -> list[tuple[Any, ...]]:
    """One row a generation of a pipe; notification columns are reserved (facts/snowflake.md §2.5).

    The view's latency of up to three hours: what is younger is not there yet.
    """
    catalog, account = session.account.catalog, session.account
    settled = account.now() - account.view_latency("PIPES")
    with account.lock:
        everything = [*catalog.dropped_pipes, *catalog.pipes]
        return [
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
            )
            for pipe in everything
            if pipe.created_on <= settled
        ]


INFORMATION_SCHEMA_VIEWS: dict[str, Callable[[Session, str], Result]] = {
    "TABLES": _tables,
    "COLUMNS": _columns,
    "SCHEMATA": _schemata,
    "PIPES": _pipes,
    "LOAD_HISTORY": _load_history,
}
ACCOUNT_USAGE_VIEWS: dict[str, tuple[list[Column], str, Callable[[Session], Any]]] = {
    "COPY_HISTORY": (ACCOUNT_COPY_HISTORY, USAGE_VIEWER, lambda s: s.account.history.account_copy_history()),
    "LOAD_HISTORY": (ACCOUNT_LOAD_HISTORY, USAGE_VIEWER, lambda s: s.account.history.account_load_history()),
    "PIPE_USAGE_HISTORY": (
        ACCOUNT_PIPE_USAGE_HISTORY,
        USAGE_VIEWER,
        lambda s: s.account.history.account_pipe_usage(),
    ),
    "PIPES": (ACCOUNT_PIPES, OBJECT_VIEWER, _account_pipes),
}

# --- table functions


def table_function(session: Session, database: str | None, name: str, arguments: Mapping[str, Any]) -> Result:
    """The rows of ``TABLE(<database>.INFORMATION_SCHEMA.<name>(...))``. ``database`` None: the current one."""
    database = database or session.database
    if database is None:
        raise errors.no_database("SELECT")
    maker = TABLE_FUNCTIONS.get(name)
    if maker is None:
        raise errors.not_emulated(f"INFORMATION_SCHEMA.{name}(...)")
    with session.account.lock:
        resolve.database(session.account, session, database)
    return maker(session, database, arguments)


def moment(session: Session, value: Any, name: str) -> datetime:
    """A time argument as aware UTC; without a zone it is in the session's. Raises 001008."""
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
        raise errors.SnowflakeError(
            2125,
            "22023",
            f"Cannot retrieve data from more than {HISTORY_DAYS} days ago: {start} is outside the range.",
        )
    return first, last


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
    """COPY_HISTORY: the pipe's columns are NULL for a role without MONITOR on it (facts/snowflake.md §2.4)."""
    _known(arguments, "TABLE_NAME", "START_TIME", "END_TIME", "PIPE_NAME")
    table = _named_table(session, database, arguments)
    start, end = _range(session, arguments, "START_TIME", "END_TIME")
    wanted = _named_pipe(session, arguments) if arguments.get("PIPE_NAME") else None
    rows = []
    for row in session.account.history.copy_history(table, start, end):
        pipe_name = tuple(row[16:19])
        if wanted is not None and pipe_name != tuple(wanted.full_name):
            continue
        rows.append(row if _monitors(session, pipe_name) else (*row[:16], None, None, None, *row[19:]))
    return Result(COPY_HISTORY, rows)


def _monitors(session: Session, name: Sequence[str | None]) -> bool:
    if None in name:
        return True
    privileges = session.account.privileges
    with session.account.lock:
        pipe = next((each for each in session.account.catalog.pipes if tuple(each.full_name) == tuple(name)), None)
        return pipe is not None and (
            privileges.has(session.role, "MONITOR", pipe)
            or privileges.has_on_account(session.role, "MONITOR EXECUTION", "MONITOR")
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
    pipe = _named_pipe(session, arguments) if arguments.get("PIPE_NAME") else None
    return Result(PIPE_USAGE_HISTORY, session.account.history.pipe_usage(first, last, pipe))


def _validate_pipe_load(session: Session, _database: str, arguments: Mapping[str, Any]) -> Result:
    """VALIDATE_PIPE_LOAD: refused for a pipe whose COPY has a SELECT (facts/snowflake.md §2.5)."""
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
    return Result(VALIDATE_PIPE_LOAD, account.history.validate_pipe_load(pipe, start, end))


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
