"""What older memories say was loaded: ACCOUNT_USAGE's year, and the rows of the table itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook.facts.snowflake import Load, ask, load_of, utc
from runbook.session import DOES_NOT_EXIST, NO_PRIVILEGE, Reader, SqlFailed
from runbook.settings import Stream
from runbook.sql import literal

# https://docs.snowflake.com/en/sql-reference/account-usage/copy_history
ACCOUNT_HISTORY_DAYS = 365
ACCOUNT_HISTORY_LAG = timedelta(days=2)
"""How late the view may be for a table that changes little; two hours is usual."""

TABLE_MEMORY_DAYS = 64  # https://docs.snowflake.com/en/user-guide/data-load-considerations-load


@dataclass(frozen=True)
class RowsOfFile:
    """The rows of one file in the table. ``read_at``: when Snowflake read the file, where known."""

    rows: int
    read_at: datetime | None


@dataclass(frozen=True)
class TableRows:
    """The table as a witness: its rows by file, and how many rows name no file.

    ``files`` is None where the table has no ``_FILE`` column.
    """

    total: int
    created_on: datetime
    files: dict[str, RowsOfFile] | None
    unnamed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether a file without a row here has certainly no row in the table."""
        return self.total == 0 or (self.files is not None and self.unnamed == 0)


def account_loads(reader: Reader, stream: Stream) -> tuple[Load, ...] | None:
    """A year of loads into tables of this name, whatever was re-created since; None when we may not look.

    The view is up to two days late and has no loads in progress. Needs SNOWFLAKE.USAGE_VIEWER.
    Source: https://docs.snowflake.com/en/sql-reference/account-usage/copy_history
    """
    table = stream.table
    statement = (
        "SELECT file_name, stage_location, status, last_load_time, row_count, row_parsed, error_count, "
        "first_error_message, pipe_catalog_name, pipe_schema_name, pipe_name "
        "FROM SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY "
        f"WHERE table_catalog_name = {literal(table.database)} "
        f"AND table_schema_name = {literal(table.schema)} AND table_name = {literal(table.name)}"
    )
    try:
        return tuple(load_of(row, stream) for row in reader.sql(statement))
    except SqlFailed as error:
        if error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
            return None
        raise


def table_rows(reader: Reader, stream: Stream, columns: tuple[str, ...]) -> TableRows | None:
    """What the stream's table holds, by file; None without a table. Exact, and never late."""
    name = stream.table.sql

    def read() -> TableRows:
        created_on = _created_on(reader, stream)
        total = int(reader.sql(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"])
        if "_FILE" not in columns:
            return TableRows(total, created_on, None)
        files = rows_of_files(reader, stream, columns)
        return TableRows(total, created_on, files, total - sum(found.rows for found in files.values()))

    return ask(read, f"The rows of {name}", f"SELECT on table {name}")


def rows_of_files(
    reader: Reader, stream: Stream, columns: tuple[str, ...], keys: tuple[str, ...] = ()
) -> dict[str, RowsOfFile]:
    """The table's rows by file, of these files or of all; the table must have a ``_FILE`` column."""
    read_at = "MAX(_loaded_at)" if "_LOADED_AT" in columns else "NULL"
    which = f"_file IN ({', '.join(map(literal, keys))})" if keys else "_file IS NOT NULL"
    rows = reader.sql(
        f"SELECT _file AS f, COUNT(*) AS n, {read_at} AS t FROM {stream.table.sql} "
        f"WHERE {which} GROUP BY _file"
    )
    return {str(row["f"]): RowsOfFile(int(row["n"]), utc(row["t"]) if row["t"] else None) for row in rows}


def _created_on(reader: Reader, stream: Stream) -> datetime:
    """When the table of that name was made: a replaced one is younger than the loads into the old."""
    table = stream.table
    schema = f"{table.database.sql}.{table.schema.sql}"
    rows = reader.sql(f"SHOW TABLES LIKE {literal(table.name)} IN SCHEMA {schema}")
    return next(utc(row["created_on"]) for row in rows if row["name"] == table.name)
