"""COPY_HISTORY, LOAD_HISTORY, PIPE_USAGE_HISTORY and VALIDATE_PIPE_LOAD as rows.

Columns, their order, the spellings of STATUS, and how far back each looks: facts/snowflake.md §2.4-2.5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runbook.sandbox.snowflake.errors import SnowflakeError
from runbook.sandbox.snowflake.load_errors import RecordError
from runbook.sandbox.snowflake.names import Name

if TYPE_CHECKING:
    from runbook.sandbox.snowflake.account import Account
    from runbook.sandbox.snowflake.catalog import Pipe, Table
    from runbook.sandbox.snowflake.history import Attempt, LoadHistory

Rows = list[tuple[Any, ...]]

ACCOUNT_USAGE_KEPT = timedelta(days=365)
FUNCTION_RANGE = timedelta(days=14)
CREDITS_PER_GB = Decimal("0.0037")
LOAD_HISTORY_ROWS = 10_000
LOAD_HISTORY_LAG = timedelta(minutes=90)
PIPE_USAGE_LAG = timedelta(hours=3)


def copy_history(account: Account, table: Table, start: datetime, end: datetime) -> Rows:
    """INFORMATION_SCHEMA.COPY_HISTORY of a table: 21 columns, loads that ended between two times.

    Pipe columns are always filled; who may not see them is for the caller to know.
    """
    with account.lock:
        identity = account.history.identity(table)
        living = {pipe.id: pipe.full_name for pipe in account.catalog.pipes}
    rows: Rows = []
    for attempt in account.history.shown_for(identity, set(living)):
        if not start <= attempt.ended_at <= end:
            continue
        pipe_columns = tuple(living[attempt.pipe.id]) if attempt.pipe else (None, None, None)
        billed = attempt.bytes_read if attempt.pipe and attempt.status != "Load in progress" else None
        rows.append((*_first_13(attempt), *identity.name, *pipe_columns, attempt.received_at, billed))
    return rows


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


def account_copy_history(account: Account) -> Rows:
    """SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY: a year, whatever was dropped since, late by the view's lag."""
    rows: Rows = []
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
    return rows


def _in_view(history: LoadHistory, now: datetime, lag: timedelta) -> Iterable[Attempt]:
    for attempt in history.attempts():
        if now - ACCOUNT_USAGE_KEPT <= attempt.ended_at <= now - lag:
            yield attempt


_LOAD_STATUS = {"Loaded": "LOADED", "Load failed": "LOAD FAILED", "Partially loaded": "PARTIALLY LOADED"}


def load_history(account: Account, database: str) -> Rows:
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
    return rows[:LOAD_HISTORY_ROWS]


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


def account_load_history(account: Account) -> Rows:
    """SNOWFLAKE.ACCOUNT_USAGE.LOAD_HISTORY: COPY only, a year, up to 90 minutes late."""
    lag = min(LOAD_HISTORY_LAG, timedelta(seconds=account.history.account_usage_lag_s))
    rows: Rows = []
    for attempt in _in_view(account.history, account.clock.now(), lag):
        if attempt.pipe is None:
            table = attempt.table
            names = (table.id, table.name.name, table.schema_id, table.name.schema, table.catalog_id)
            rows.append((*names, table.name.database, attempt.url, *_load_tail(attempt)))
    return rows


def pipe_usage(account: Account, start: datetime, end: datetime, pipe: Pipe | None = None) -> Rows:
    """INFORMATION_SCHEMA.PIPE_USAGE_HISTORY by the hour."""
    name = pipe.full_name if pipe else None
    return [row[1:] for row in _usage(account.history.attempts(), start, end, name)]


def account_pipe_usage(account: Account) -> Rows:
    """SNOWFLAKE.ACCOUNT_USAGE.PIPE_USAGE_HISTORY by the hour, a year, up to three hours late."""
    lag = min(PIPE_USAGE_LAG, timedelta(seconds=account.history.account_usage_lag_s))
    now = account.clock.now()
    used = _usage(account.history.attempts(), now - ACCOUNT_USAGE_KEPT, now - lag, None)
    return [(id_, name, start, end, *rest) for id_, start, end, name, *rest in used]


def _usage(
    attempts: Sequence[Attempt], since: datetime, until: datetime, pipe_name: Name | None
) -> list[tuple[Any, ...]]:
    """(pipe id, hour, its end, pipe name, credits, bytes inserted, files, bytes billed)."""
    hours: dict[tuple[int, Name, datetime], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        pipe = attempt.pipe
        if pipe is None or attempt.status not in ("Loaded", "Partially loaded"):
            continue
        if since <= attempt.ended_at <= until and pipe_name in (None, pipe.name):
            hour = attempt.ended_at.replace(minute=0, second=0, microsecond=0)
            hours[pipe.id, pipe.name, hour].append(attempt)
    rows: Rows = []
    for (pipe_id, name, hour), loaded in sorted(hours.items(), key=lambda item: item[0]):
        billed = sum(attempt.bytes_read for attempt in loaded)
        credits_used = round(Decimal(billed) / 1024**3 * CREDITS_PER_GB, 9)
        inserted = sum(attempt.file_size for attempt in loaded)
        start, end = max(hour, since), min(hour + timedelta(hours=1), until)
        rows.append((pipe_id, start, end, str(name), credits_used, inserted, len(loaded), billed))
    return rows


def validate_pipe_load(account: Account, pipe: Pipe, start: datetime, end: datetime) -> Rows:
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
    rows: Rows = []
    for attempt in account.history.attempts():
        if attempt.pipe and attempt.pipe.id == pipe.id and start <= attempt.ended_at <= end:
            key = attempt.file_path.partition("/")[2]
            rows += [validation_row(error, key, column) for error, column in attempt.errors]
    return rows


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
