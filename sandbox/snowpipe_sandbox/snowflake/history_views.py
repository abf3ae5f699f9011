"""COPY_HISTORY, LOAD_HISTORY, PIPE_USAGE_HISTORY and VALIDATE_PIPE_LOAD as rows.

Columns, their order, the spellings of STATUS, and how far back each looks: sources: Snowflake §2.4-2.5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.history import ACCOUNT_USAGE_KEPT, Attempt, LoadHistory
from snowpipe_sandbox.snowflake.load_errors import RecordError
from snowpipe_sandbox.snowflake.names import Name
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.catalog import Pipe, Table

FUNCTION_RANGE = timedelta(days=14)
USAGE_DEFAULT_RANGE = timedelta(minutes=10)
USAGE_STEPS = (
    (timedelta(hours=12), timedelta(minutes=5)),
    (timedelta(days=7), timedelta(hours=1)),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CREDITS_PER_GB = 0.0037
LOAD_HISTORY_ROWS = 10_000
LOAD_HISTORY_LAG = timedelta(minutes=90)
PIPE_USAGE_LAG = timedelta(hours=3)


def _columns(**types: str) -> list[Column]:
    return [Column(name, type_) for name, type_ in types.items()]


_FIRST_13 = {
    "FILE_NAME": "TEXT",
    "STAGE_LOCATION": "TEXT",
    "LAST_LOAD_TIME": "TIMESTAMP_LTZ",
    "ROW_COUNT": "FIXED",
    "ROW_PARSED": "FIXED",
    "FILE_SIZE": "FIXED",
    "FIRST_ERROR_MESSAGE": "TEXT",
    "FIRST_ERROR_LINE_NUMBER": "FIXED",
    "FIRST_ERROR_CHARACTER_POS": "FIXED",
    "FIRST_ERROR_COLUMN_NAME": "TEXT",
    "ERROR_COUNT": "FIXED",
    "ERROR_LIMIT": "FIXED",
    "STATUS": "TEXT",
}

COPY_HISTORY = _columns(
    **_FIRST_13,
    TABLE_CATALOG_NAME="TEXT",
    TABLE_SCHEMA_NAME="TEXT",
    TABLE_NAME="TEXT",
    PIPE_CATALOG_NAME="TEXT",
    PIPE_SCHEMA_NAME="TEXT",
    PIPE_NAME="TEXT",
    PIPE_RECEIVED_TIME="TIMESTAMP_LTZ",
    BYTES_BILLED="FIXED",
)

ACCOUNT_COPY_HISTORY = _columns(
    **_FIRST_13,
    TABLE_ID="FIXED",
    TABLE_NAME="TEXT",
    TABLE_SCHEMA_ID="FIXED",
    TABLE_SCHEMA_NAME="TEXT",
    TABLE_CATALOG_ID="FIXED",
    TABLE_CATALOG_NAME="TEXT",
    PIPE_CATALOG_NAME="TEXT",
    PIPE_SCHEMA_NAME="TEXT",
    PIPE_NAME="TEXT",
    PIPE_RECEIVED_TIME="TIMESTAMP_LTZ",
    FIRST_COMMIT_TIME="TIMESTAMP_LTZ",
    BYTES_BILLED="FIXED",
)

_LOAD_TAIL = {
    "LAST_LOAD_TIME": "TIMESTAMP_LTZ",
    "STATUS": "TEXT",
    "ROW_COUNT": "FIXED",
    "ROW_PARSED": "FIXED",
    "FIRST_ERROR_MESSAGE": "TEXT",
    "FIRST_ERROR_LINE_NUMBER": "FIXED",
    "FIRST_ERROR_CHARACTER_POSITION": "FIXED",
    "FIRST_ERROR_COL_NAME": "TEXT",
    "ERROR_COUNT": "FIXED",
    "ERROR_LIMIT": "FIXED",
}

LOAD_HISTORY = _columns(SCHEMA_NAME="TEXT", FILE_NAME="TEXT", TABLE_NAME="TEXT", **_LOAD_TAIL)

ACCOUNT_LOAD_HISTORY = _columns(
    TABLE_ID="FIXED",
    TABLE_NAME="TEXT",
    SCHEMA_ID="FIXED",
    SCHEMA_NAME="TEXT",
    CATALOG_ID="FIXED",
    CATALOG_NAME="TEXT",
    FILE_NAME="TEXT",
    **_LOAD_TAIL,
)

_USAGE = {
    "START_TIME": "TIMESTAMP_LTZ",
    "END_TIME": "TIMESTAMP_LTZ",
    "PIPE_NAME": "TEXT",
    "CREDITS_USED": "REAL",
    "BYTES_INSERTED": "FIXED",
    "FILES_INSERTED": "FIXED",
    "BYTES_BILLED": "FIXED",
}

PIPE_USAGE_HISTORY = _columns(**_USAGE)

ACCOUNT_PIPE_USAGE_HISTORY = _columns(
    PIPE_ID="FIXED",
    PIPE_NAME="TEXT",
    START_TIME="TIMESTAMP_LTZ",
    END_TIME="TIMESTAMP_LTZ",
    CREDITS_USED="REAL",
    BYTES_INSERTED="FIXED",
    FILES_INSERTED="FIXED",
    BYTES_BILLED="FIXED",
)

VALIDATION = _columns(
    ERROR="TEXT",
    FILE="TEXT",
    LINE="FIXED",
    CHARACTER="FIXED",
    BYTE_OFFSET="FIXED",
    CATEGORY="TEXT",
    CODE="FIXED",
    SQL_STATE="TEXT",
    COLUMN_NAME="TEXT",
    ROW_NUMBER="FIXED",
    ROW_START_LINE="FIXED",
    REJECTED_RECORD="TEXT",
)
"""VALIDATE, VALIDATE_PIPE_LOAD and VALIDATION_MODE = RETURN_ERRORS."""


def copy_history(
    account: Account,
    table: Table,
    start: datetime,
    end: datetime | None = None,
    pipe_name: Name | None = None,
    sees_pipe: Callable[[Pipe], bool] = lambda _pipe: True,
) -> Result:
    """INFORMATION_SCHEMA.COPY_HISTORY for a table the role may query.

    ``start`` further back than 14 days is moved there. ``sees_pipe``: has the role MONITOR (or OWNERSHIP) on
    the pipe? Without it the pipe columns are NULL, so that its loads look like COPY's.
    """
    now = account.clock.now()
    since = max(start, now - FUNCTION_RANGE)
    until = now if end is None else end
    with account.lock:
        identity = account.history.identity(table)
        pipes = {pipe.id: pipe for pipe in account.catalog.pipes}
        visible = {id_ for id_, pipe in pipes.items() if sees_pipe(pipe)}
    rows = []
    for attempt in account.history.shown_for(identity, set(pipes)):
        if not since <= attempt.ended_at <= until:
            continue
        shown_pipe = attempt.pipe if attempt.pipe and attempt.pipe.id in visible else None
        if pipe_name is not None and (shown_pipe is None or shown_pipe.name != pipe_name):
            continue
        name = attempt.table.name if attempt.table.id != identity.id else identity.name
        pipe_columns = tuple(shown_pipe.name) if shown_pipe else (None, None, None)
        received = attempt.received_at if shown_pipe else None
        billed = attempt.bytes_read if shown_pipe else None
        rows.append((*_first_13(attempt), *name, *pipe_columns, received, billed))
    return Result(COPY_HISTORY, rows)


def _first_13(attempt: Attempt) -> tuple[Any, ...]:
    location, name = attempt.location
    in_progress = attempt.status == "Load in progress"
    error = attempt.first_error
    return (
        name,
        location,
        attempt.ended_at,
        None if in_progress else attempt.row_count,
        None if in_progress else attempt.row_parsed,
        attempt.file_size,
        attempt.first_error_message,
        error.line if error else None,
        error.character if error else None,
        attempt.column_name,
        None if in_progress else attempt.error_count,
        None if in_progress else attempt.error_limit,
        attempt.status,
    )


def account_copy_history(account: Account) -> Result:
    """SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY: a year, whatever was dropped since, late by the view's lag."""
    rows = []
    lag = timedelta(seconds=account.history.account_usage_lag_s)
    for attempt in _in_view(account.history, account.clock.now(), lag):
        table, pipe = attempt.table, attempt.pipe
        rows.append(
            (
                *_first_13(attempt),
                table.id,
                table.name.name,
                table.schema_id,
                table.name.schema,
                table.catalog_id,
                table.name.database,
                *(tuple(pipe.name) if pipe else (None, None, None)),
                attempt.received_at,
                attempt.ended_at,
                attempt.bytes_read if pipe else None,
            )
        )
    return Result(ACCOUNT_COPY_HISTORY, rows)


def _in_view(history: LoadHistory, now: datetime, lag: timedelta) -> Iterable[Attempt]:
    for attempt in history.attempts():
        if now - ACCOUNT_USAGE_KEPT <= attempt.ended_at <= now - lag:
            yield attempt


_LOAD_STATUS = {"Loaded": "LOADED", "Load failed": "LOAD FAILED", "Partially loaded": "PARTIALLY LOADED"}


def load_history(account: Account, database: str) -> Result:
    """A database's INFORMATION_SCHEMA.LOAD_HISTORY: COPY only, 14 days, at most 10,000 rows."""
    since = account.clock.now() - FUNCTION_RANGE
    with account.lock:
        tables = [
            account.history.identity(table) for table in account.catalog.tables if table.database == database
        ]
    rows = [
        (table.name.schema, attempt.url, table.name.name, *_load_tail(attempt))
        for table in tables
        for attempt in account.history.shown_for(table, set(), in_progress=False)
        if attempt.ended_at >= since
    ]
    return Result(LOAD_HISTORY, rows[:LOAD_HISTORY_ROWS])


def _load_tail(attempt: Attempt) -> tuple[Any, ...]:
    error = attempt.first_error
    return (
        attempt.ended_at,
        _LOAD_STATUS[attempt.status],
        attempt.row_count,
        attempt.row_parsed,
        attempt.first_error_message,
        error.line if error else None,
        error.character if error else None,
        attempt.column_name,
        attempt.error_count,
        attempt.error_limit,
    )


def account_load_history(account: Account) -> Result:
    """SNOWFLAKE.ACCOUNT_USAGE.LOAD_HISTORY: COPY only, a year, up to 90 minutes late."""
    lag = min(LOAD_HISTORY_LAG, timedelta(seconds=account.history.account_usage_lag_s))
    rows = []
    for attempt in _in_view(account.history, account.clock.now(), lag):
        if attempt.pipe is None:
            table = attempt.table
            names = (table.id, table.name.name, table.schema_id, table.name.schema, table.catalog_id)
            rows.append((*names, table.name.database, attempt.url, *_load_tail(attempt)))
    return Result(ACCOUNT_LOAD_HISTORY, rows)


def pipe_usage_history(
    account: Account,
    start: datetime | None = None,
    end: datetime | None = None,
    pipe_name: Name | None = None,
) -> Result:
    """INFORMATION_SCHEMA.PIPE_USAGE_HISTORY; the last ten minutes unless a range is given.

    The page says that rows are of 5 minutes, an hour or a day by the length of the range, and that all pipes
    share one without a name; where one length ends and the next begins is made up (source:
    https://docs.snowflake.com/en/sql-reference/functions/pipe_usage_history).
    """
    now = account.clock.now()
    until = end or now
    since = max(start or until - USAGE_DEFAULT_RANGE, now - FUNCTION_RANGE)
    length = until - since
    every = next((step for most, step in USAGE_STEPS if length <= most), timedelta(days=1))
    found = [row[1:] for row in _usage(account.history.attempts(), since, until, pipe_name, every)]
    return Result(PIPE_USAGE_HISTORY, found if pipe_name is not None else _of_all_pipes(found))


def _of_all_pipes(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of one span added up, in one without a pipe's name."""
    spans: dict[tuple[datetime, datetime], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        spans[row[0], row[1]].append(row[3:])
    return [
        (*span, None, *(sum(column) for column in zip(*used, strict=True)))
        for span, used in sorted(spans.items())
    ]


def account_pipe_usage_history(account: Account) -> Result:
    """SNOWFLAKE.ACCOUNT_USAGE.PIPE_USAGE_HISTORY by the hour, a year, up to three hours late."""
    lag = min(PIPE_USAGE_LAG, timedelta(seconds=account.history.account_usage_lag_s))
    now = account.clock.now()
    used = _usage(account.history.attempts(), now - ACCOUNT_USAGE_KEPT, now - lag, None, timedelta(hours=1))
    rows = [(id_, name, start, end, *rest) for id_, start, end, name, *rest in used]
    return Result(ACCOUNT_PIPE_USAGE_HISTORY, rows)


def _usage(
    attempts: Sequence[Attempt],
    since: datetime,
    until: datetime,
    pipe_name: Name | None,
    every: timedelta,
) -> list[tuple[Any, ...]]:
    """(pipe id, start of a span, its end, pipe name, credits, bytes inserted, files, bytes billed)."""
    hours: dict[tuple[int, Name, datetime], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        pipe = attempt.pipe
        if pipe is None or attempt.status not in ("Loaded", "Partially loaded"):
            continue
        if since <= attempt.ended_at <= until and pipe_name in (None, pipe.name):
            hour = attempt.ended_at - (attempt.ended_at - _EPOCH) % every
            hours[pipe.id, pipe.name, hour].append(attempt)
    rows = []
    for (pipe_id, name, hour), loaded in sorted(hours.items(), key=lambda item: item[0]):
        billed = sum(attempt.bytes_read for attempt in loaded)
        credits_used = billed / 1024**3 * CREDITS_PER_GB
        inserted = sum(attempt.file_size for attempt in loaded)
        start, end = max(hour, since), min(hour + every, until)
        rows.append((pipe_id, start, end, str(name), credits_used, inserted, len(loaded), billed))
    return rows


def validate_pipe_load(account: Account, pipe: Pipe, start: datetime, end: datetime | None = None) -> Result:
    """VALIDATE_PIPE_LOAD: the records a pipe rejected in the last 14 days.

    Raises SnowflakeError for a pipe whose COPY has a SELECT, as the function's page says; the number and text
    are not documented.
    """
    if pipe.copy.select is not None:
        raise SnowflakeError(
            2,
            "0A000",
            "Unsupported feature 'VALIDATE_PIPE_LOAD for a pipe whose COPY statement transforms data'.",
        )
    now = account.clock.now()
    since = max(start, now - FUNCTION_RANGE)
    rows = []
    for attempt in account.history.attempts():
        if attempt.pipe and attempt.pipe.id == pipe.id and since <= attempt.ended_at <= (end or now):
            key = attempt.file_path.partition("/")[2]
            rows += [validation_row(error, key, column) for error, column in attempt.errors]
    return Result(VALIDATION, rows)


def validation_row(error: RecordError, file: str, column_name: str) -> tuple[Any, ...]:
    """A rejected record as VALIDATE and VALIDATION_MODE show it."""
    return (
        error.message,
        file,
        error.line,
        error.character,
        error.byte_offset,
        error.category,
        error.code,
        error.sql_state,
        column_name,
        error.row_number,
        error.row_start_line,
        error.rejected_record,
    )
