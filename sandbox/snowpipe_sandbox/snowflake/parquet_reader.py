"""Parquet files as rows: each row a document, in one column, as ``$1`` shows it.

What a value becomes is decided by its Parquet type and three options of the format (USE_LOGICAL_TYPE,
BINARY_AS_TEXT, USE_VECTORIZED_SCANNER). Times that are "INTEGER" by the table of [create-file-format] stay
the numbers the file holds.

Sources: [create-file-format] https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE =
PARQUET: times by logical and converted type, maps, NULLs that are not shown); [rivet]
https://github.com/panchenkoai/rivet/blob/main/docs/recipes/snowflake-load.md (measured on a live account:
text without a logical type, UUIDs, lists, times without a converted type). That the message about a broken
file begins with "Error parsing the parquet file: Invalid:" is seen in public code, its number
is not (*open*).
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import IO, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from snowpipe_sandbox.snowflake import load_errors
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.load_errors import FileError
from snowpipe_sandbox.snowflake.rows import Chunk, Documents, Place, column_names

ROWS_PER_CHUNK = 2_000
IN_MEMORY = 16 * 1024 * 1024
PARSING_ERROR = 100152
_BLOCK = 4 * 1024 * 1024
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_NUMBERS = {
    pa.timestamp("s").id: pa.int64(),
    pa.time64("us").id: pa.int64(),
    pa.duration("s").id: pa.int64(),
    pa.time32("s").id: pa.int32(),
    pa.date32().id: pa.int32(),
}

Text = Callable[[Any], str]
"""A value as JSON text."""


def read(source: IO[bytes], options: FormatOptions, timezone: str = "UTC") -> Iterator[Chunk]:
    """The rows of a file: one string column, c1, with a JSON document each.

    ``timezone``: of the session, in which a TIMESTAMP_LTZ is shown. Raises FileError for what is not Parquet.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as kept:
        while block := source.read(_BLOCK):
            kept.write(block)
        kept.seek(0)
        try:
            file = pq.ParquetFile(kept, arrow_extensions_enabled=False)
            yield from _chunks(file, _Reading(options, ZoneInfo(timezone)))
        except (pa.ArrowException, OSError) as broken:
            raise _broken(str(broken)) from None


def _broken(detail: str) -> FileError:
    detail = detail.removeprefix("Could not open Parquet input source '<Buffer>': ")
    return FileError(f"Error parsing the parquet file: Invalid: {detail}", PARSING_ERROR)


def _chunks(file: pq.ParquetFile, reading: _Reading) -> Iterator[Chunk]:
    schema = file.schema_arrow
    leaves = iter([file.schema.column(n) for n in range(len(file.schema))])
    members = [(json.dumps(field.name), reading.text_of(field.type, leaves)) for field in schema]
    plain = pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])
    number = 1
    for batch in file.iter_batches(ROWS_PER_CHUNK):
        columns = [
            column.cast(kind).to_pylist() for column, kind in zip(batch.columns, plain.types, strict=True)
        ]
        documents, errors = [], []
        for offset in range(batch.num_rows):
            try:
                documents.append(reading.document(members, [column[offset] for column in columns]))
            except UnicodeDecodeError as undecoded:
                place = Place(number + offset, number + offset, 0, b"", "")
                errors.append(place.error(load_errors.invalid_utf8(undecoded.object), 1, "parsing"))
        rejected = {error.row_number for error in errors}
        numbers = [n for n in range(number, number + batch.num_rows) if n not in rejected]
        table = pa.table([pa.array(documents, pa.string())], names=column_names(1))
        yield Chunk(table, numbers, Documents(numbers, documents), batch.num_rows, errors)
        number += batch.num_rows


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type with its times as the numbers they are, so that none is too large for Python."""
    number = _NUMBERS.get(kind.id)
    if number is not None:
        return number
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, _plain(each.type)) for each in kind])
    return kind


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the values of a file are shown under a format's options."""

    options: FormatOptions
    zone: tzinfo

    @property
    def vectorized(self) -> bool:
        """USE_VECTORIZED_SCANNER, which reads logical types whatever the other options say."""
        return bool(self.options["USE_VECTORIZED_SCANNER"])

    @property
    def logical(self) -> bool:
        """Do logical types count?"""
        return self.vectorized or bool(self.options["USE_LOGICAL_TYPE"])

    def document(self, members: list[tuple[str, Text]], values: list[Any]) -> str:
        """An object's text. NULLs are shown by the vectorized scanner only."""
        shown = [
            f"{name}:{'null' if value is None else text(value)}"
            for (name, text), value in zip(members, values, strict=True)
            if value is not None or self.vectorized
        ]
        return "{" + ",".join(shown) + "}"

    def text_of(self, kind: pa.DataType, leaves: Iterator[Any]) -> Text:
        """How a value of this type is written; ``leaves``: the file's own columns, in order."""
        if pa.types.is_dictionary(kind):
            return self.text_of(kind.value_type, leaves)
        if pa.types.is_map(kind):
            return self._map(kind, leaves)
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return self._list(self.text_of(kind.value_type, leaves))
        if pa.types.is_struct(kind):
            members = [(json.dumps(each.name), self.text_of(each.type, leaves)) for each in kind]
            names = [each.name for each in kind]
            return lambda value: self.document(members, [value[name] for name in names])
        return self._leaf(kind, next(leaves))

    def _list(self, item: Text) -> Text:
        def text(values: list[Any]) -> str:
            kept = values if self.vectorized else [each for each in values if each is not None]
            return "[" + ",".join("null" if each is None else item(each) for each in kept) + "]"

        return text

    def _map(self, kind: pa.MapType, leaves: Iterator[Any]) -> Text:
        key, item = self.text_of(kind.key_type, leaves), self.text_of(kind.item_type, leaves)
        pair = [('"key"', key), ('"value"', item)]

        def text(pairs: list[tuple[Any, Any]]) -> str:
            if not self.vectorized:
                return '{"key_value":[' + ",".join(self.document(pair, list(each)) for each in pairs) + "]}"
            named = [
                (key(name) if isinstance(name, str) else json.dumps(key(name)), item) for name, _ in pairs
            ]
            return self.document(named, [value for _, value in pairs])

        return text

    def _leaf(self, kind: pa.DataType, leaf: Any) -> Text:
        if pa.types.is_timestamp(kind):
            return self._timestamp(kind, leaf)
        if pa.types.is_time(kind):
            is_time = self.logical or (kind.unit != "ns" and leaf.converted_type.startswith("TIME_"))
            per_second = _PER_SECOND[kind.unit]
            return (lambda value: _quoted(_clock(value, per_second))) if is_time else str
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            return self._binary(kind, leaf)
        return next((text for is_kind, text in _SIMPLE if is_kind(kind)), str)

    def _binary(self, kind: pa.DataType, leaf: Any) -> Text:
        """Bytes: text where the file does not say what they are, else hexadecimal digits."""
        logical = str(leaf.logical_type.type)
        untold = logical in ("NONE", "UNDEFINED") and self.options["BINARY_AS_TEXT"] and not self.vectorized
        if not (untold or logical in ("STRING", "ENUM", "JSON")) or pa.types.is_fixed_size_binary(kind):
            return lambda value: f'"{value.hex().upper()}"'
        errors = "replace" if self.options["REPLACE_INVALID_CHARACTERS"] else "strict"
        return lambda value: _quoted(value.decode("utf-8", errors))

    def _timestamp(self, kind: pa.DataType, leaf: Any) -> Text:
        """A point in time, or the file's number, by the table of [create-file-format]."""
        per_second = _PER_SECOND[kind.unit]
        if leaf.physical_type == "INT96":
            zoned = self.vectorized
        elif self.logical:
            zoned = kind.tz is not None
        elif kind.unit == "ns" or (kind.tz is None and not leaf.converted_type.startswith("TIMESTAMP_")):
            return str
        else:
            zoned = kind.tz is None
        zone = self.zone if zoned else None
        return lambda value: _quoted(_moment(value, per_second, zone))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _floating(value: float) -> str:
    if not math.isfinite(value):
        return {"inf": '"Infinity"', "-inf": '"-Infinity"'}.get(str(value), '"NaN"')
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], Text], ...] = (
    (pa.types.is_date, lambda value: f'"{date(1970, 1, 1) + timedelta(days=value)}"'),
    (pa.types.is_boolean, lambda value: "true" if value else "false"),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, lambda value: f"{value:f}"),
    (pa.types.is_string, _quoted),
    (pa.types.is_large_string, _quoted),
)


def _clock(value: int, per_second: int) -> str:
    seconds, rest = divmod(value, per_second)
    fraction = rest * 1_000_000 // per_second
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}" if fraction else text


def _moment(value: int, per_second: int, zone: tzinfo | None) -> str:
    """Milliseconds, as Snowflake shows them, unless that would lose something."""
    seconds, rest = divmod(value, per_second)
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return str(value)
    moment = moment.replace(microsecond=rest * 1_000_000 // per_second).astimezone(zone or UTC)
    text = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
    text = text.removesuffix("000")
    return f"{text} {moment:%z}" if zone else text
