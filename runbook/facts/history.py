"""What older memories say was loaded: ACCOUNT_USAGE's year, and the rows of the table itself."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runbook.clouds.failures import DOES_NOT_EXIST, NO_PRIVILEGE, SqlFailed
from runbook.clouds.reader import Reader
from runbook.facts.objects import Load
from runbook.facts.snowflake import LOAD_COLUMNS, ask, load_of, utc
from runbook.kinds import kind_of
from runbook.settings import Stream
from runbook.sql import literal

# https://docs.snowflake.com/en/sql-reference/account-usage/copy_history
ACCOUNT_HISTORY_DAYS = 365
ACCOUNT_HISTORY_LAG = timedelta(days=2)
"""How late the view may be for a table that changes little; two hours is usual."""

TABLE_MEMORY_DAYS = 64  # https://docs.snowflake.com/en/user-guide/data-load-considerations-load


@dataclass(frozen=True)
class RowsOfFile:
    """The rows of one file in the table.

    ``read_at``: when Snowflake read the file, where known. ``twice``: rows whose number in the file another
    row has as well, where the table has the numbers. ``misread``: rows that no event is read as.
    """

    rows: int
    read_at: datetime | None
    twice: int = 0
    misread: int = 0


@dataclass(frozen=True)
class SameRows:
    """Two files, and how many rows of the table both of them brought."""

    one: str
    other: str
    rows: int


@dataclass(frozen=True)
class TableRows:
    """The table as a witness: its rows by file, and how many rows name no file.

    ``files`` is None where the table has no ``_FILE`` column, or rows are ``hidden`` from our role, as a row
    access policy hides them: such a table proves nothing.
    """

    total: int
    created_on: datetime
    files: dict[str, RowsOfFile] | None
    unnamed: int = 0
    hidden: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether a file without a row here has certainly no row in the table."""
        return not self.hidden and (self.total == 0 or (self.files is not None and self.unnamed == 0))


def account_loads(reader: Reader, stream: Stream) -> tuple[Load, ...] | None:
    """A year of loads into tables of this name, whatever was re-created since; None when we may not look."""
    try:
        return tuple(load_of(row, stream) for row in reader.sql(account_statement(stream)))
    except SqlFailed as error:
        if is_hidden(error):
            return None
        raise


def is_hidden(error: SqlFailed) -> bool:
    """Whether it says that ACCOUNT_USAGE may not be read: that it does not exist, or a right is missing."""
    return error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE)


def account_statement(stream: Stream) -> str:
    """The year's view of loads into tables of the stream's name.

    It is up to two days late and has no loads in progress. Needs SNOWFLAKE.USAGE_VIEWER.
    Source: https://docs.snowflake.com/en/sql-reference/account-usage/copy_history
    """
    table = stream.table
    return (
        f"SELECT {LOAD_COLUMNS} FROM SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY "
        f"WHERE table_catalog_name = {literal(table.database)} "
        f"AND table_schema_name = {literal(table.schema)} AND table_name = {literal(table.name)}"
    )


def table_rows(reader: Reader, stream: Stream, columns: tuple[str, ...]) -> TableRows | None:
    """What the stream's table holds, by file; None without a table. Exact, and never late."""
    found = table_total(reader, stream, columns)
    if found is None or found.files is None:
        return found
    files = rows_of_files(reader, stream, columns)
    return replace(found, files=files, unnamed=found.total - sum(each.rows for each in files.values()))


def table_total(reader: Reader, stream: Stream, columns: tuple[str, ...]) -> TableRows | None:
    """How many rows the stream's table has, without a word of any file; None without a table."""
    name = stream.table.sql

    def read() -> TableRows:
        created_on, stored = _shown(reader, stream)
        total = int(reader.sql(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"])
        if stored > total:  # or rows went between the two questions
            stored = min(stored, _shown(reader, stream)[1])
        hidden = max(0, stored - total)
        names_files = stream.names_files and "_FILE" in columns and not hidden
        return TableRows(total, created_on, {} if names_files else None, hidden=hidden)

    return ask(read, f"The rows of {name}", f"SELECT on table {name}")


def rows_of_files(
    reader: Reader, stream: Stream, columns: tuple[str, ...], keys: tuple[str, ...] = ()
) -> dict[str, RowsOfFile]:
    """The table's rows by file, of these files or of all; the table must have a ``_FILE`` column."""
    rows = reader.sql(rows_statement(stream, columns, keys))
    return {
        str(row["f"]): RowsOfFile(
            int(row["n"]), utc(row["t"]) if row["t"] else None, int(row["twice"]), int(row["misread"])
        )
        for row in rows
    }


def rows_statement(stream: Stream, columns: tuple[str, ...], keys: tuple[str, ...] = ()) -> str:
    """How many rows each file has in the table, when Snowflake read it, and how many are there again."""
    read_at = "MAX(_loaded_at)" if "_LOADED_AT" in columns else "NULL"
    twice = "COUNT(_file_row) - COUNT(DISTINCT _file_row)" if "_FILE_ROW" in columns else "0"
    which = (
        f"_file IN ({', '.join(map(literal, keys))})" if keys else f"_file IS NOT NULL AND {as_named(stream)}"
    )
    misread = kind_of(stream).misread(frozenset(columns))
    return (
        f"SELECT _file AS f, COUNT(*) AS n, {read_at} AS t, {twice} AS twice, "
        f"{misread} AS misread FROM {stream.table.sql} WHERE {which} GROUP BY _file"
    )


def as_named(stream: Stream) -> str:
    """SQL that is true of a name as COPY writes it: a key of the bucket, without its scheme.

    What a job has rewritten names no file any more; its rows are there all the same.
    Source: https://docs.snowflake.com/en/user-guide/querying-metadata (METADATA$FILENAME)
    """
    folder = " AND _file LIKE '%/%'" if stream.prefix else ""
    return f"_file NOT LIKE '%://%' AND _file NOT LIKE '/%'{folder}"


COMPARED_WHOLE = 20_000_000
"""Rows up to which a table is compared with all of itself; of a larger one only what came of late."""

MOST_PAIRS = 1000


def same_rows(
    reader: Reader, stream: Stream, columns: tuple[str, ...], since: datetime
) -> tuple[SameRows, ...]:
    """Files that brought the same rows as another one, as far as one of the two came after ``since``.

    A row is the same where Snowplow says so: an event by its id and its times (an id alone also repeats when
    a tracker sends twice), a bad row by the whole document. Other rows have nothing to be known by.
    """
    mark = _mark(stream, columns)
    if mark is None:
        return ()
    name = stream.table.sql

    def read() -> tuple[SameRows, ...]:
        total = int(reader.sql(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"])
        rows = reader.sql(_same_rows_statement(name, mark, since, whole=total <= COMPARED_WHOLE))
        return tuple(SameRows(str(row["one"]), str(row["other"]), int(row["n"])) for row in rows)

    return ask(read, f"The rows of {name}", f"SELECT on table {name}") or ()


def _same_rows_statement(name: str, mark: str, since: datetime, *, whole: bool) -> str:
    moment = f"{literal(since.replace(tzinfo=None).isoformat(sep=' '))}::TIMESTAMP_NTZ"
    window = "" if whole else f"_loaded_at >= {moment} AND "
    return (
        f"WITH marks AS (SELECT _file AS f, {mark} AS mark, _loaded_at AS t FROM {name} "
        f"WHERE {window}_file IS NOT NULL AND {mark} IS NOT NULL), "
        "again AS (SELECT mark, MIN(f) AS one, MAX(f) AS other, MAX(t) AS newest FROM marks "
        "GROUP BY mark HAVING COUNT(DISTINCT f) > 1) "
        f"SELECT one, other, COUNT(*) AS n FROM again WHERE newest >= {moment} "
        f"GROUP BY one, other ORDER BY n DESC, one, other LIMIT {MOST_PAIRS}"
    )


def _mark(stream: Stream, columns: tuple[str, ...]) -> str | None:
    """What a row is known by, NULL for a row without it; None where a column is missing."""
    if not stream.names_files or not {"_FILE", "_LOADED_AT"} <= set(columns):
        return None
    return kind_of(stream).MARK


def _shown(reader: Reader, stream: Stream) -> tuple[datetime, int]:
    """When the table of that name was made, and how many rows it stores; 0 where that is not told.

    A replaced table is younger than the loads into the old. What it stores, a query need not see: rows that a
    row access policy hides from our role. *Inferred:* that SHOW counts them.
    Sources: https://docs.snowflake.com/en/sql-reference/sql/show-tables,
    https://docs.snowflake.com/en/user-guide/security-row-intro
    """
    table = stream.table
    schema = f"{table.database.sql}.{table.schema.sql}"
    rows = reader.sql(f"SHOW TABLES LIKE {literal(table.name)} IN SCHEMA {schema}")
    found = next(row for row in rows if row["name"] == table.name)
    return utc(found["created_on"]), int(found.get("rows") or 0)
