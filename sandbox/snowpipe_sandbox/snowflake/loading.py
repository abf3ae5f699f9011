"""Loading files into a table: read, try, judge by ON_ERROR, write.

Files are read into batches of bounded size (many small files share one; a large file has many), each batch
is tried in DuckDB when a record in it could fail, and rows wait, on disk if there are many, until their file
is judged. Only then are they written, by INSERT in the caller's transaction.

Sources: sources: Snowflake §1.6; [frostlake] https://github.com/mlorek/frostlake for what error_limit is, and
when a file is LOADED, PARTIALLY_LOADED or LOAD_FAILED.

Longer than 400 lines: one load of one file, whatever its format.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from snowpipe_sandbox.snowflake import (
    avro_reader,
    compression,
    conversion_errors,
    csv_reader,
    header_reader,
    json_reader,
    load_errors,
    parquet_reader,
)
from snowpipe_sandbox.snowflake.bucket import StagedFile
from snowpipe_sandbox.snowflake.copy_statement import OnError
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.load_errors import FileError, RecordError
from snowpipe_sandbox.snowflake.projection import METADATA_TYPES, Projection
from snowpipe_sandbox.snowflake.rows import Chunk

BATCH_BYTES = 24 * 1024 * 1024
SPOOL_BYTES = 96 * 1024 * 1024
ERRORS_KEPT = 1_000

FileStatus = Literal["LOADED", "PARTIALLY_LOADED", "LOAD_FAILED"]
Open = Callable[[StagedFile], tuple[StagedFile, IO[bytes]]]
"""Opens a file, and answers with what it is by now: its size, ETag and time."""


@dataclass(slots=True)
class FileLoad:
    """One file's load: what was found in it, and what became of it.

    ``errors`` holds the first thousand rejected records in file order; ``error_count`` counts all.
    ``failure``: why the file as a whole could not be read. ``bytes_read`` is its uncompressed size.
    """

    file: StagedFile
    scanned_at: datetime
    parsed: int = 0
    good: int = 0
    error_count: int = 0
    errors: list[RecordError] = field(default_factory=list)
    failure: FileError | None = None
    bytes_read: int = 0
    limit: int = 1
    status: FileStatus = "LOADED"

    @property
    def loaded(self) -> int:
        """Rows that reached the table."""
        return 0 if self.status == "LOAD_FAILED" else self.good

    @property
    def first_error(self) -> RecordError | None:
        """The rejected record that comes first in the file."""
        return self.errors[0] if self.errors else None

    @property
    def message(self) -> str | None:
        """first_error: of the file, or of its first rejected record."""
        if self.failure is not None:
            return self.failure.message
        return self.first_error.message if self.first_error else None

    @property
    def errors_seen(self) -> int:
        """errors_seen: rejected records, or 1 for a file that could not be read."""
        return self.error_count + (1 if self.failure else 0)

    def reject(self, errors: Iterable[RecordError]) -> None:
        """Count and keep rejected records."""
        for error in errors:
            self.error_count += 1
            self.errors.append(error)
        if len(self.errors) > 2 * ERRORS_KEPT:
            self.sort()

    def sort(self) -> None:
        """Put the errors in file order; parsing and conversion find them apart from each other."""
        self.errors.sort(key=lambda error: error.row_number)
        del self.errors[ERRORS_KEPT:]

    def judge(self, on_error: OnError) -> None:
        """Decide by ON_ERROR what becomes of the file [frostlake]."""
        self.sort()
        self.limit = on_error.limit(self.parsed)
        skipped = self.failure is not None or (
            on_error.mode == "SKIP_FILE" and self.error_count >= self.limit
        )
        if skipped or (not self.good and self.error_count):
            self.status = "LOAD_FAILED"
        else:
            self.status = "PARTIALLY_LOADED" if self.error_count else "LOADED"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What every file of a load has in common."""

    projection: Projection
    options: FormatOptions
    on_error: OnError
    table: str
    """The target as DuckDB names it, quoted."""
    table_name: str
    column_names: list[str]
    timezone: str = "UTC"


@dataclass(slots=True)
class _Part:
    """A chunk of one file waiting to be tried."""

    number: int
    chunk: Chunk


class Load:
    """One load of some files. ``cursor`` is a DuckDB connection with conversions.MACROS."""

    def __init__(self, plan: LoadPlan, cursor: Any, open_file: Open, now: Callable[[], datetime]) -> None:
        self.plan = plan
        self.cursor = cursor
        self.open_file = open_file
        self.now = now
        self.files: list[FileLoad] = []
        self._spool = _Spool()
        self._parts: list[_Part] = []
        self._waiting_bytes = 0

    def read(self, files: Iterable[StagedFile], check_canceled: Callable[[], None] = lambda: None) -> None:
        """Read, try and judge the files. Nothing is written to the table.

        Raises SnowflakeError at the first bad record or file if ON_ERROR = ABORT_STATEMENT.
        """
        for file in files:
            check_canceled()
            load = FileLoad(file, self.now())
            self.files.append(load)
            try:
                for chunk in self._chunks(load):
                    self._add(len(self.files) - 1, chunk)
            except FileError as failure:
                load.failure = failure
            self._abort_on(load)
        self._try()
        for load in self.files:
            self._abort_on(load)
            load.judge(self.plan.on_error)

    def write(self, writing: Any, *, in_transaction: bool = False) -> int:
        """INSERT the rows of the files that were not skipped, in one transaction; the number of rows.

        ``in_transaction``: the connection is in the caller's own transaction, which goes on. Raises duckdb's
        errors, after undoing what was written unless the transaction is the caller's.
        """
        if in_transaction:
            return self._write(writing)
        writing.execute("BEGIN TRANSACTION")
        try:
            written = self._write(writing)
            writing.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                writing.execute("ROLLBACK")
            raise
        return written

    def _write(self, writing: Any) -> int:
        dropped = [n for n, load in enumerate(self.files) if load.status == "LOAD_FAILED"]
        statement = self.plan.projection.insert(self.plan.table)
        written = 0
        for table in self._spool.tables():
            batch = table
            if dropped:
                batch = batch.filter(pc.invert(pc.is_in(batch["f"], value_set=pa.array(dropped, pa.int32()))))
            if batch.num_rows:
                writing.register("batch", batch)
                writing.execute(statement)
                writing.unregister("batch")
                written += batch.num_rows
        return written

    def sample(self, rows: int) -> list[tuple[Any, ...]]:
        """The first rows as they would be written (VALIDATION_MODE = RETURN_n_ROWS)."""
        found: list[tuple[Any, ...]] = []
        for table in self._spool.tables():
            self._register(table)
            found += self.cursor.execute(self.plan.projection.select() + f" LIMIT {rows}").fetchall()
            if len(found) >= rows:
                break
        return found[:rows]

    def close(self) -> None:
        """Free what waits on disk."""
        self._spool.close()

    # -- reading -----------------------------------------------------------------------------------------

    def _chunks(self, load: FileLoad) -> Iterator[Chunk]:
        plan = self.plan
        load.file, source = self.open_file(load.file)
        if plan.options.type == "PARQUET":
            load.bytes_read = load.file.size
            with source:
                yield from parquet_reader.read(source, plan.options, plan.timezone)
            return
        with source:
            blocks = _counted(compression.blocks(source, load.file.key, plan.options["COMPRESSION"]), load)
            if plan.options.type == "AVRO":
                yield from avro_reader.read(blocks)
                return
            if plan.options.type == "JSON":
                yield from json_reader.read(blocks, plan.options)
                return
            projection = plan.projection
            if projection.matched:
                yield from header_reader.read(blocks, plan.options, projection.expected)
            else:
                yield from csv_reader.read(blocks, plan.options, projection.wanted, projection.expected)

    def _add(self, number: int, chunk: Chunk) -> None:
        load = self.files[number]
        load.parsed += chunk.parsed
        load.reject(self._named(error) for error in chunk.errors)
        self._abort_on(load)
        if chunk.table.num_rows:
            self._parts.append(_Part(number, chunk))
            self._waiting_bytes += chunk.table.nbytes
            if self._waiting_bytes >= BATCH_BYTES:
                self._try()

    def _named(self, error: RecordError) -> RecordError:
        return error.named(self.plan.table_name, self.plan.column_names)

    def column_label(self, error: RecordError) -> str | None:
        """first_error_column_name: of the table's column, or of the $n in a transformation."""
        if error.column is None:
            return None
        if self.plan.projection.transformed:
            return f'"TRANSIENT_STAGE_TABLE"["${error.column}":{error.column}]'
        return load_errors.column_label(self.plan.table_name, self.plan.column_names, error.column)

    def _abort_on(self, load: FileLoad) -> None:
        if self.plan.on_error.mode != "ABORT_STATEMENT":
            return
        if load.failure is not None:
            raise SnowflakeError(load.failure.code, load.failure.sql_state, load.failure.message)
        if load.errors:
            load.sort()
            error = load.errors[0]
            raise load_errors.statement_error(error, load.file.key, self.column_label(error) or "")

    # -- trying ------------------------------------------------------------------------------------------

    def _try(self) -> None:
        """Find the rows of the waiting chunks that do not convert; spool the others."""
        parts, self._parts, self._waiting_bytes = self._parts, [], 0
        if not parts:
            return
        batch = pa.concat_tables([self._with_origin(part) for part in parts])
        batch = batch.append_column("i", pa.array(range(batch.num_rows), pa.int64()))
        bad: dict[int, RecordError] = {}
        if self.plan.projection.fallible:
            self._register(batch)
            bad = conversion_errors.find(self.cursor, self.plan.projection, batch, _Finder(parts))
        starts = _starts(parts)
        for index in sorted(bad):
            number = parts[_part_of(starts, index)].number
            self.files[number].reject([self._named(bad[index])])
        for file_number, rows in _rows_by_file(parts, starts, bad):
            self.files[file_number].good += rows
        if bad:
            keep = [n for n in range(batch.num_rows) if n not in bad]
            batch = batch.take(pa.array(keep, pa.int64()))
        self._spool.add(batch)

    def _with_origin(self, part: _Part) -> pa.Table:
        """The chunk with its file's number and the METADATA$ columns the load asks for."""
        table = part.chunk.table
        rows = table.num_rows
        load = self.files[part.number]
        table = table.append_column("f", pa.repeat(pa.scalar(part.number, pa.int32()), rows))
        values: dict[str, Any] = {
            "m_filename": (load.file.key, pa.string()),
            "m_content_key": (load.file.etag, pa.string()),
            "m_last_modified": (load.file.last_modified.replace(tzinfo=None), pa.timestamp("us")),
            "m_start_scan_time": (load.scanned_at, pa.timestamp("us", "UTC")),
        }
        for name in METADATA_TYPES:
            if name not in self.plan.projection.metadata:
                continue
            if name == "m_row_number":
                column = pa.array(part.chunk.row_numbers, pa.int64())
            else:
                value, type_ = values[name]
                column = pa.repeat(pa.scalar(value, type_), rows)
            table = table.append_column(name, column)
        return table

    def _register(self, batch: pa.Table) -> None:
        self.cursor.register("batch", batch)


def _counted(blocks: Iterable[bytes], load: FileLoad) -> Iterator[bytes]:
    for block in blocks:
        load.bytes_read += len(block)
        yield block


def _starts(parts: Sequence[_Part]) -> list[int]:
    starts, total = [], 0
    for part in parts:
        starts.append(total)
        total += part.chunk.table.num_rows
    return starts


def _part_of(starts: Sequence[int], index: int) -> int:
    return bisect_right(starts, index) - 1


def _rows_by_file(
    parts: Sequence[_Part], starts: Sequence[int], bad: Iterable[int]
) -> Iterator[tuple[int, int]]:
    lost: dict[int, int] = {}
    for index in bad:
        part = _part_of(starts, index)
        lost[part] = lost.get(part, 0) + 1
    for n, each in enumerate(parts):
        yield each.number, each.chunk.table.num_rows - lost.get(n, 0)


@dataclass(slots=True)
class _Finder:
    """Where a row of a batch stands in its file."""

    parts: Sequence[_Part]
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = _starts(self.parts)

    def error(self, index: int, problem: tuple[str, int, str], column: int | None) -> RecordError:
        """The error of the batch's row ``index`` in the field of ``column``."""
        part = _part_of(self.starts, index)
        place = self.parts[part].chunk.origin.place(index - self.starts[part])
        return place.error(problem, column)


class _Spool:
    """Rows waiting for their file's verdict: in memory, and beyond SPOOL_BYTES on disk."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def add(self, table: pa.Table) -> None:
        """Keep a batch."""
        if not table.num_rows:
            return
        self._tables.append(table)
        self._bytes += table.nbytes
        if self._bytes > SPOOL_BYTES:
            self._to_disk()

    def _to_disk(self) -> None:
        if self._writer is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the load
            self._writer = pa.ipc.new_stream(self._file, self._tables[0].schema)
        for table in self._tables:
            self._writer.write_table(table)
        self._tables, self._bytes = [], 0

    def tables(self) -> Iterator[pa.Table]:
        """Everything that was kept, in batches. Nothing can be added afterwards."""
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.seek(0)
            waiting: list[pa.RecordBatch] = []
            size = 0
            for batch in pa.ipc.open_stream(self._file):
                waiting.append(batch)
                size += batch.nbytes
                if size >= BATCH_BYTES:
                    yield pa.Table.from_batches(waiting)
                    waiting, size = [], 0
            if waiting:
                yield pa.Table.from_batches(waiting)
        if self._tables:
            yield pa.concat_tables(self._tables)

    def close(self) -> None:
        """Free memory and disk."""
        self._tables = []
        if self._file is not None:
            self._file.close()
