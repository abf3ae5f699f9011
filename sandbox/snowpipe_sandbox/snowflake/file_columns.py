"""The columns a file has, as INFER_SCHEMA and schema evolution see them: names, types, whether nullable.

A number of a CSV or JSON file has the digits of the longest that was seen. A guess, as no page says: objects
and arrays of a JSON file are VARIANT, values of several kinds are TEXT, and so is what is NULL throughout.

Sources: https://docs.snowflake.com/en/sql-reference/functions/infer_schema (Parquet's and JSON's types),
https://github.com/snowflakedb/snowpark-python (tests/integ/scala/test_dataframe_reader_suite.py: 1.1 and 1.2
of a CSV file are NUMBER(2, 1)).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowpipe_sandbox.snowflake import (
    avro_reader,
    compression,
    csv_reader,
    errors,
    header_reader,
    json_reader,
    load_errors,
)
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.rows import Chunk

Inferred = tuple[str, str | None, bool]
"""A column's name, type and whether it is nullable; a type of None fits any."""


def of_file(
    role: RoleSession,
    file: StagedFile,
    options: FormatOptions,
    check_canceled: Callable[[], None],
    most: int | None = None,
) -> list[Inferred]:
    """A file's columns, by its first ``most`` records. Raises FileError, or SnowflakeError for a record."""
    file, source = role.open(file)
    with source:
        if options.type == "PARQUET":
            return _of_parquet(source, options)
        blocks = compression.blocks(source, file.key, options["COMPRESSION"])
        if options.type == "AVRO":
            return [(each["name"], *_of_avro(each["type"])) for each in avro_reader.fields(blocks)]
        if options.type == "JSON":
            return _of_documents(_documents(json_reader.read(blocks, options), check_canceled), most)
        return _of_csv(blocks, options, check_canceled, most)


def _texts(chunks: Iterable[Chunk], check_canceled: Callable[[], None]) -> Iterator[tuple[str | None, ...]]:
    """The records' fields. The first broken record is an error."""
    for chunk in chunks:
        check_canceled()
        if chunk.errors:
            first = chunk.errors[0]
            raise errors.SnowflakeError(first.code, first.sql_state, first.message)
        yield from zip(*[column.to_pylist() for column in chunk.table.columns], strict=True)


def _of_csv(
    blocks: Iterable[bytes], options: FormatOptions, check_canceled: Callable[[], None], most: int | None
) -> list[Inferred]:
    """The header's names with PARSE_HEADER = TRUE, else c1, c2 and so on."""
    first, whole = header_reader.first_record(blocks, options)
    types: list[str | None] = [None] * len(first)
    for record in islice(
        _texts(csv_reader.read(whole, options, len(first) or 1, None), check_canceled), most
    ):
        types = [joined(known, _of_text(text)) for known, text in zip(types, record, strict=False)]
    header = first if options["PARSE_HEADER"] else [f"c{n}" for n in range(1, len(first) + 1)]
    return [(name, type_, True) for name, type_ in zip(header, types, strict=True)]


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


def _documents(chunks: Iterable[Chunk], check_canceled: Callable[[], None]) -> Iterator[dict[str, Any]]:
    for (text,) in _texts(chunks, check_canceled):
        document = json.loads(str(text), parse_float=_Digits, parse_int=_Digits, strict=False)
        if not isinstance(document, dict):
            raise errors.not_emulated("INFER_SCHEMA of JSON that is not an object (see STRIP_OUTER_ARRAY)")
        yield document


def _of_documents(documents: Iterator[dict[str, Any]], most: int | None) -> list[Inferred]:
    found: dict[str, str | None] = {}
    for document in islice(documents, most):
        for name, value in document.items():
            found[name] = joined(found.get(name), _of_value(value))
    return [(name, type_, True) for name, type_ in found.items()]


def _of_value(value: Any) -> str | None:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, dict | list):
        return "VARIANT"
    if isinstance(value, str) and not isinstance(value, _Digits):
        found = _of_text(value)
        return found if found in TIMES else "TEXT"
    return _of_text(value)


NUMBER = re.compile(r"[+-]?(\d*)\.?(\d*)")
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")
TIMES = {
    "DATE": re.compile(r"\d{4}-\d\d-\d\d"),
    "TIME": re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"),
    "TIMESTAMP_NTZ": re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?"),
}
MOST_DIGITS = 38


def _of_text(text: str | None) -> str | None:
    """The narrowest type of a field's text; None for NULL."""
    if text is None:
        return None
    if text.lower() in ("true", "false"):
        return "BOOLEAN"
    number = NUMBER.fullmatch(text)
    if number and (number[1] or number[2]):
        return _number(len(number[1]) or 1, len(number[2]))
    if REAL.fullmatch(text):
        return "REAL"
    return next((name for name, pattern in TIMES.items() if pattern.fullmatch(text)), "TEXT")


def _number(whole: int, fraction: int) -> str:
    return f"NUMBER({whole + fraction}, {fraction})" if whole + fraction <= MOST_DIGITS else "REAL"


def joined(one: str | None, other: str | None) -> str | None:
    """The type that takes the values of both."""
    if one is None or other is None or one == other:
        return one or other
    digits = [re.fullmatch(r"NUMBER\((\d+), (\d+)\)", each) for each in (one, other)]
    if digits[0] and digits[1]:
        sizes = [(int(each[1]) - int(each[2]), int(each[2])) for each in digits if each]
        return _number(max(whole for whole, _ in sizes), max(fraction for _, fraction in sizes))
    kinds = {"NUMBER" if number else each for number, each in zip(digits, (one, other), strict=True)}
    if kinds == {"NUMBER", "REAL"}:
        return "REAL"
    if kinds == {"DATE", "TIMESTAMP_NTZ"}:
        return "TIMESTAMP_NTZ"
    return "VARIANT" if "VARIANT" in kinds else "TEXT"


_PARQUET = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "NUMBER(38, 0)"),
    (pa.types.is_floating, "REAL"),
    (pa.types.is_string, "TEXT"),
    (pa.types.is_large_string, "TEXT"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_timestamp, "TIMESTAMP_NTZ"),
)


def _of_parquet(source: IO[bytes], options: FormatOptions) -> list[Inferred]:
    try:
        schema = pq.ParquetFile(pa.BufferReader(source.read()), arrow_extensions_enabled=False).schema_arrow
    except (pa.ArrowException, OSError) as broken:
        raise load_errors.FileError(f"Error parsing the parquet file: Invalid: {broken}", 100152) from None
    return [(each.name, _parquet_type(each.type, options), each.nullable) for each in schema]


def _parquet_type(kind: pa.DataType, options: FormatOptions) -> str:
    if pa.types.is_dictionary(kind):
        return _parquet_type(kind.value_type, options)
    if pa.types.is_decimal(kind):
        return f"NUMBER({kind.precision}, {kind.scale})"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "TEXT" if options["BINARY_AS_TEXT"] else "BINARY"
    return next((name for is_kind, name in _PARQUET if is_kind(kind)), "VARIANT")


_AVRO = {
    "boolean": "BOOLEAN",
    "int": "NUMBER(38, 0)",
    "long": "NUMBER(38, 0)",
    "float": "REAL",
    "double": "REAL",
    "string": "TEXT",
}


def _of_avro(schema: Any) -> tuple[str, bool]:
    """A field's type, and whether it may be null."""
    if isinstance(schema, list):
        kept = [each for each in schema if each != "null"]
        nullable = len(kept) < len(schema)
        return (_of_avro(kept[0])[0] if len(kept) == 1 else "VARIANT"), nullable
    if isinstance(schema, dict) and ("logicalType" in schema or schema["type"] in ("fixed", "bytes")):
        raise errors.not_emulated(f"Avro values of {schema.get('logicalType', schema['type'])}")
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "bytes":
        raise errors.not_emulated("Avro values of bytes")
    return ("TEXT" if kind == "enum" else _AVRO.get(str(kind), "VARIANT")), False
