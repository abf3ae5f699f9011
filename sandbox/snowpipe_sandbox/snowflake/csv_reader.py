"""CSV and TSV files as rows: blocks of plain lines through Arrow, everything else record by record.

The two ways give the same rows and errors (sandbox/tests/snowflake/test_loading_csv.py holds them together);
the fast one takes a block only when nothing in it is enclosed, escaped, blank, ragged or broken.

Sources: as csv_records.py; which error a wrong column count gets is [frostlake]'s CopyColumnCountTest.

Longer than 400 lines: one reader, with every option of the format.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pyarrow import csv as arrow_csv

from snowpipe_sandbox.snowflake import load_errors
from snowpipe_sandbox.snowflake.csv_records import Record, RecordReader
from snowpipe_sandbox.snowflake.formats import NONE, FormatOptions
from snowpipe_sandbox.snowflake.load_errors import FileError, RecordError
from snowpipe_sandbox.snowflake.rows import Chunk, Place, column_names

BYTE_ORDER_MARK = codecs.BOM_UTF8
RECORDS_PER_CHUNK = 10_000


def read(
    blocks: Iterable[bytes],
    options: FormatOptions,
    wanted: int,
    expected: int | None = None,
    *,
    fast: bool = True,
) -> Iterator[Chunk]:
    """The rows of a file given as blocks of decompressed bytes.

    ``wanted``: how many leading fields become columns; a record with fewer has NULL there, surplus is
    dropped.
    ``expected``: how many fields a record must have, or None when nobody counts (a COPY with a SELECT or a
    column list, ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE). Raises FileError for a file that is not in its
    ENCODING. Memory stays near the size of a block, or of the longest record.
    """
    return _Reader(options, wanted, expected, fast=fast).chunks(_utf8(blocks, options))


def _utf8(blocks: Iterable[bytes], options: FormatOptions) -> Iterator[bytes]:
    """The blocks as UTF-8, whatever ENCODING says; UTF-8 itself is passed on unchecked."""
    if options.codec == "utf-8":
        yield from blocks
        return
    replacing = "replace" if options["REPLACE_INVALID_CHARACTERS"] else "strict"
    decoder = codecs.getincrementaldecoder(options.codec)(replacing)
    try:
        for block in blocks:
            yield decoder.decode(block).encode("utf-8", "replace")
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")
    except UnicodeDecodeError as broken:
        message, code, sql_state = load_errors.invalid_utf8(broken.object[broken.start : broken.end])
        raise FileError(message, code, sql_state) from broken


@dataclass(slots=True)
class _Position:
    """How far the file is read: the next record's line, byte and row number (line and row from 1)."""

    line: int = 1
    byte_offset: int = 0
    row_number: int = 1
    first_record: bool = True


class _Reader:
    def __init__(self, options: FormatOptions, wanted: int, expected: int | None, *, fast: bool) -> None:
        self.options = options
        self.wanted = wanted
        self.expected = expected
        self.fast = fast and _plain(options)
        self.replace_invalid: bool = options["REPLACE_INVALID_CHARACTERS"]
        self.skip_blank_lines: bool = options["SKIP_BLANK_LINES"]
        self.records = RecordReader(options, expected)
        self.at = _Position()

    def chunks(self, blocks: Iterable[bytes]) -> Iterator[Chunk]:
        rest = b""
        skip = self.options["SKIP_HEADER"] + (1 if self.options["PARSE_HEADER"] else 0)
        blocks = iter(blocks)
        ahead = _next_full(blocks)
        while len(ahead) < len(BYTE_ORDER_MARK) and (more := _next_full(blocks)):
            ahead += more
        if self.options["SKIP_BYTE_ORDER_MARK"] and ahead.startswith(BYTE_ORDER_MARK):
            ahead = ahead[len(BYTE_ORDER_MARK) :] or _next_full(blocks)
            self.at.byte_offset = len(BYTE_ORDER_MARK)
        while ahead or rest:
            block, ahead = ahead, _next_full(blocks)
            buffer = rest + block
            final = not ahead
            start = 0
            while skip and (end := buffer.find(b"\n", start)) >= 0:
                start, skip = end + 1, skip - 1
                self.at.line += 1
            self.at.byte_offset += start
            if skip:
                if final:
                    return
                rest = buffer[start:]
                continue
            used = start
            for chunk, end in self._read_buffer(buffer, start, final=final):
                used = end
                yield chunk
            rest = buffer[used:]
            if final:
                return

    def _read_buffer(self, buffer: bytes, start: int, *, final: bool) -> Iterator[tuple[Chunk, int]]:
        """Chunks of the buffer's complete records, each with the offset behind it."""
        end = len(buffer) if final else buffer.rfind(b"\n") + 1
        escape = self.records.syntax.escape_unenclosed
        if not self.fast or end <= start or (escape and escape in buffer[start:end]):
            yield from self._one_by_one(buffer, start, final=final)
            return
        chunk = self._fast(buffer[start:end])
        if chunk is not None:
            yield chunk, end
            return
        for begin, stop, plain in self._runs(buffer, start, end):
            chunk = self._fast(buffer[begin:stop]) if plain else None
            if chunk is not None:
                yield chunk, stop
            else:
                last = final and stop == len(buffer)
                yield from self._one_by_one(buffer[:stop], begin, final=True, last=last)

    def _runs(self, buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Runs of lines (from, to) that are all plain, or all not; long enough runs to be worth it."""
        delimiter = self.records.syntax.field_delimiter
        fields = self.expected
        begin = position = start
        plain = True
        while position < end:
            found = buffer.find(b"\n", position, end)
            stop = end if found < 0 else found + 1
            line = buffer[position:stop].rstrip(b"\n").removesuffix(b"\r")
            count = line.count(delimiter) + 1
            fields = fields or count
            is_plain = count == fields and bool(line) and b"\r" not in line and _is_utf8(line)
            if is_plain != plain and position > begin:
                yield begin, position, plain
                begin = position
            plain = is_plain
            position = stop
        yield begin, end, plain

    def _one_by_one(
        self, buffer: bytes, start: int, *, final: bool, last: bool | None = None
    ) -> Iterator[tuple[Chunk, int]]:
        """Chunks of records read singly. ``last``: does the file end with the buffer?"""
        last = final if last is None else last
        position = start
        while position < len(buffer):
            batch: list[Record] = []
            while position < len(buffer) and len(batch) < RECORDS_PER_CHUNK:
                record = self.records.read(buffer, position, final=final)
                if record is None:
                    break
                batch.append(record)
                position = record.end
            if not batch:
                return
            yield self._slow(batch, buffer, position, last=last and position >= len(buffer)), position
            if len(batch) < RECORDS_PER_CHUNK:
                return

    # -- the fast way ------------------------------------------------------------------------------------

    def _fast(self, block: bytes) -> Chunk | None:
        """The block's rows, or None when it must be read record by record."""
        text = self._plain_text(block)
        if text is None:
            return None
        fields = self.expected or text.partition(b"\n")[0].count(self.records.syntax.field_delimiter) + 1
        if fields < self.wanted and self.expected is None:
            return None
        if fields == 1:
            return None
        table = self._arrow(text, fields)
        if table is None:
            return None
        origin = _LineOrigin(block, replace(self.at), self.records)
        first = self.at.row_number
        chunk = Chunk(table, range(first, first + table.num_rows), origin, table.num_rows)
        self.at.line += table.num_rows
        self.at.row_number += table.num_rows
        self.at.byte_offset += len(block)
        self.at.first_record = False
        return chunk

    def _plain_text(self, block: bytes) -> bytes | None:
        """The block as valid UTF-8 with bare line feeds, or None when it is not plain."""
        if block.startswith(BYTE_ORDER_MARK):
            return None
        text = block
        if b"\r" in text:
            if text.count(b"\r") != text.count(b"\r\n"):
                return None
            text = text.replace(b"\r\n", b"\n")
        if text.startswith(b"\n") or b"\n\n" in text:
            return None
        if len(text) > load_errors.MAX_VARCHAR:
            return None
        try:
            text.decode()
        except UnicodeDecodeError:
            return text.decode("utf-8", "replace").encode() if self.replace_invalid else None
        return text

    def _arrow(self, text: bytes, fields: int) -> pa.Table | None:
        ragged = False

        def on_ragged_row(_row: object) -> str:
            nonlocal ragged
            ragged = True
            return "skip"

        names = column_names(fields)
        nulls = list(self.options["NULL_IF"]) + ([""] if self.options["EMPTY_FIELD_AS_NULL"] else [])
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.options["FIELD_DELIMITER"],
                quote_char=False,
                escape_char=False,
                newlines_in_values=False,
                ignore_empty_lines=False,
                invalid_row_handler=on_ragged_row,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=names[: self.wanted],
                null_values=nulls,
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        return None if ragged else table

    # -- the exact way -----------------------------------------------------------------------------------

    def _slow(self, batch: Sequence[Record], buffer: bytes, end: int, *, last: bool) -> Chunk:
        columns: list[list[str | None]] = [[] for _ in range(self.wanted)]
        places: list[Place] = []
        rejected: list[RecordError] = []
        for record in batch:
            is_last = last and record.end == end
            place = self._place(record, is_last=is_last)
            if self.skip_blank_lines and not record.raw:
                self._advance(record, buffer)
                continue
            problem = self._problem(record, place, is_last=is_last)
            if problem is not None:
                rejected.append(problem)
            else:
                self._append(columns, record)
                places.append(place)
            self.at.first_record = False
            self._advance(record, buffer)
        table = pa.table([pa.array(c, pa.string()) for c in columns], names=column_names(self.wanted))
        return Chunk(table, [p.row_number for p in places], _Places(places), len(batch), rejected)

    def _append(self, columns: list[list[str | None]], record: Record) -> None:
        fields = record.fields
        for n, column in enumerate(columns):
            value = self.records.meaning(fields[n]) if n < len(fields) else None
            column.append(None if value is None else value.decode("utf-8", "replace"))

    def _place(self, record: Record, *, is_last: bool) -> Place:
        terminator = "" if is_last or not record.terminated else self.options["RECORD_DELIMITER"]
        return Place(
            self.at.row_number,
            self.at.line,
            self.at.byte_offset,
            record.raw,
            record.raw.decode("utf-8", "replace") + terminator,
            [one.start for one in record.fields],
        )

    def _advance(self, record: Record, buffer: bytes) -> None:
        """Move behind the record. Lines are counted by line feeds, whatever the record delimiter is."""
        self.at.line += buffer.count(b"\n", record.start, record.end)
        self.at.byte_offset += record.end - record.start
        self.at.row_number += 1

    def _problem(self, record: Record, place: Place, *, is_last: bool) -> RecordError | None:
        """What is wrong with the record, if anything."""
        if record.problem is not None:
            broken = replace(place, starts=[record.problem.at])
            found = broken.error(record.problem.text, 1, "parsing")
            return replace(found, column=record.problem.field + 1)
        if self.expected is not None and len(record.fields) != self.expected:
            return self._wrong_count(record, place, self.expected, is_last=is_last)
        if self.replace_invalid:
            return self._too_large(record, place)
        try:
            record.raw.decode()
        except UnicodeDecodeError:
            return self._invalid_utf8(record, place)
        return self._too_large(record, place)

    def _wrong_count(self, record: Record, place: Place, expected: int, *, is_last: bool) -> RecordError:
        """The first record counts against the table; later ones against what the parser expects there."""
        fields = len(record.fields)
        behind = replace(place, starts=[len(record.raw)])
        if self.at.first_record:
            problem = load_errors.column_count(fields, expected)
            found = behind.error(problem, 1, "parsing")
            if record.terminated and not is_last:
                size = record.end - record.start
                found = replace(found, line=found.line + 1, character=1, byte_offset=place.byte_offset + size)
            return replace(found, column=fields)
        if fields > expected:
            delimiter = self.options["FIELD_DELIMITER"]
            problem = load_errors.surplus_delimiter(delimiter, self.options["RECORD_DELIMITER"])
            at = record.fields[expected].start - len(delimiter.encode())
            return replace(replace(place, starts=[at]).error(problem, 1, "parsing"), column=expected)
        found = behind.error(load_errors.end_of_record(), 1, "parsing")
        return replace(found, column=fields + 1)

    @staticmethod
    def _invalid_utf8(record: Record, place: Place) -> RecordError | None:
        for column, one in enumerate(record.fields, 1):
            try:
                one.raw.decode()
            except UnicodeDecodeError:
                return place.error(load_errors.invalid_utf8(one.value), column, "conversion")
        return None

    @staticmethod
    def _too_large(record: Record, place: Place) -> RecordError | None:
        if len(record.raw) <= load_errors.MAX_VARCHAR:
            return None
        for column, one in enumerate(record.fields, 1):
            if len(one.value) > load_errors.MAX_VARCHAR:
                return place.error(load_errors.too_large_field(len(one.value)), column, "conversion")
        return None


def _next_full(blocks: Iterator[bytes]) -> bytes:
    """The next block that is not empty; empty at the end."""
    return next((block for block in blocks if block), b"")


def _plain(options: FormatOptions) -> bool:
    """May blocks of such a file be plain lines at all?"""
    delimiter = options["FIELD_DELIMITER"]
    return (
        options["RECORD_DELIMITER"] == "\n"
        and options["FIELD_OPTIONALLY_ENCLOSED_BY"] == NONE
        and not options["TRIM_SPACE"]
        and len(delimiter) == 1
        and delimiter.isascii()
        and delimiter not in '\r"'
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class _Places:
    """The places of rows that were read one by one."""

    places: list[Place]

    def place(self, index: int) -> Place:
        return self.places[index]


@dataclass(slots=True)
class _LineOrigin:
    """The places of a block of plain lines: row ``i`` is line ``i``."""

    block: bytes
    first: _Position
    records: RecordReader

    def place(self, index: int) -> Place:
        lines = self.block.split(b"\n")
        offset = sum(len(line) + 1 for line in lines[:index])
        is_last = index + 1 == len(lines) or (index + 2 == len(lines) and not lines[-1])
        raw = lines[index].removesuffix(b"\r")
        record = self.records.read(raw, 0, final=True)
        return Place(
            self.first.row_number + index,
            self.first.line + index,
            self.first.byte_offset + offset,
            raw,
            raw.decode("utf-8", "replace") + ("" if is_last else "\n"),
            [one.start for one in record.fields] if record else (0,),
        )
