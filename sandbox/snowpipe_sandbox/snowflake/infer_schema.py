"""INFER_SCHEMA: the columns that the files of a stage have, and CREATE TABLE … USING TEMPLATE.

A number of a CSV or JSON file has the digits of the longest one that was seen. A guess, as no page says: objects
and arrays of a JSON file are VARIANT, values of several kinds are TEXT, and so is what is NULL throughout.

Sources: https://docs.snowflake.com/en/sql-reference/functions/infer_schema (columns, arguments, Parquet's and
JSON's types), https://docs.snowflake.com/en/sql-reference/sql/create-table (USING TEMPLATE),
https://github.com/snowflakedb/snowpark-python (tests/integ/scala/test_dataframe_reader_suite.py: 1.1 and 1.2
of a CSV file are NUMBER(2, 1), a merged order; dataframe_reader.py: a CSV file's EXPRESSION selects by $n).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from snowpipe_sandbox.snowflake import (
    avro_reader,
    compression,
    copying,
    csv_reader,
    errors,
    functions,
    header_reader,
    json_reader,
    load_errors,
    names,
    resolve,
)
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.copy_statement import FormatClause, parse_stage
from snowpipe_sandbox.snowflake.encoding import SEMI_STRUCTURED
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import duckdb_name
from snowpipe_sandbox.snowflake.result import Column, Result
from snowpipe_sandbox.snowflake.rows import Chunk

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

NAME = "INFER_SCHEMA"
ARGUMENTS = ("LOCATION", "FILE_FORMAT", "FILES", "IGNORE_CASE", "MAX_FILE_COUNT", "MAX_RECORDS_PER_FILE")
SHOWN = [
    Column("COLUMN_NAME"),
    Column("TYPE"),
    Column("NULLABLE", "BOOLEAN"),
    Column("EXPRESSION"),
    Column("FILENAMES"),
    Column("ORDER_ID", "FIXED"),
]


@dataclass(slots=True)
class _Found:
    """A column: its place in its file, its type as far as the files tell, and the files that have it."""

    place: int
    type: str | None
    nullable: bool
    files: list[str] = field(default_factory=list)


Inferred = tuple[str, str | None, bool]
"""A column's name, type and whether it is nullable; a type of None fits any."""


def rows(session: Session, call: exp.Expression) -> Result:
    """``TABLE(INFER_SCHEMA(…))``. Raises what reading a stage raises, or not emulated."""
    given = _arguments(session, call)
    account = session.account
    session.require_warehouse()
    reference = parse_stage(str(given["LOCATION"]))
    stage, integration = resolve.stage_for_use(account, session, reference.parts)
    with account.lock:
        clause = FormatClause(tuple(names.split(str(given["FILE_FORMAT"]))))
        _, options = copying.format_of(account, session, clause, stage)
    role = account.bucket.reach(integration)
    prefix = reference.prefix(stage.path)
    files = sorted(role.list(stage.bucket, prefix), key=lambda file: file.key)
    if "FILES" in given:
        wanted = {f"{prefix}{name}" for name in given["FILES"]}
        missing = wanted - {file.key for file in files}
        if missing:
            raise copying.missing_file(min(missing))
        files = [file for file in files if file.key in wanted]
    found: dict[str, _Found] = {}
    for file in files[: given.get("MAX_FILE_COUNT")]:
        session.check_canceled()
        columns = _of_file(session, role, file, options, given.get("MAX_RECORDS_PER_FILE"))
        for place, (name, type_, nullable) in enumerate(columns):
            shown = name.upper() if given.get("IGNORE_CASE") else name
            known = found.setdefault(shown, _Found(place, None, nullable=False))
            known.type = _joined(known.type, type_)
            known.nullable |= nullable
            known.files.append(file.key.removeprefix(stage.path).lstrip("/"))
    return Result(SHOWN, [_row(n, *each, options, given) for n, each in enumerate(found.items())])


def _arguments(session: Session, call: exp.Expression) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for argument in call.expressions:
        if not isinstance(argument, exp.Kwarg):
            raise errors.not_emulated("table functions with arguments by position")
        name, value = str(argument.this.name).upper(), argument.expression
        if name not in ARGUMENTS:
            raise errors.not_emulated(f"INFER_SCHEMA with {name}")
        if name == "FILES":
            listed = value.expressions if isinstance(value, exp.Tuple) else [value.unnest()]
            given[name] = [str(functions.constant(session, each)) for each in listed]
        elif isinstance(value, exp.Boolean):
            given[name] = bool(value.this)
        else:
            given[name] = functions.constant(session, value)
    for name in ("LOCATION", "FILE_FORMAT"):
        if name not in given:
            raise errors.syntax_error(f"missing argument {name}.")
    return given


def _row(
    number: int, name: str, found: _Found, options: FormatOptions, given: dict[str, Any]
) -> tuple[Any, ...]:
    type_ = found.type or "TEXT"
    if options.type == "CSV":
        expression = f"${found.place + 1}::{type_}"
    elif given.get("IGNORE_CASE"):
        expression = f"GET_IGNORE_CASE ($1, '{name}')::{type_}"
    else:
        expression = f"$1:{name}::{type_}"
    return (name, type_, found.nullable, expression, ", ".join(found.files), number)


# --- a file's columns


def _of_file(
    session: Session, role: RoleSession, file: StagedFile, options: FormatOptions, most: int | None
) -> list[Inferred]:
    try:
        file, source = role.open(file)
        with source:
            if options.type == "PARQUET":
                return _of_parquet(source, options)
            blocks = compression.blocks(source, file.key, options["COMPRESSION"])
            if options.type == "AVRO":
                return [(each["name"], *_of_avro(each["type"])) for each in avro_reader.fields(blocks)]
            if options.type == "JSON":
                return _of_documents(_documents(session, json_reader.read(blocks, options)), most)
            return _of_csv(session, blocks, options, most)
    except load_errors.FileError as broken:
        raise errors.SnowflakeError(broken.code, broken.sql_state, broken.message) from None


def _texts(session: Session, chunks: Iterable[Chunk]) -> Iterator[tuple[str | None, ...]]:
    """The records' fields. The first broken record is an error."""
    for chunk in chunks:
        session.check_canceled()
        if chunk.errors:
            first = chunk.errors[0]
            raise errors.SnowflakeError(first.code, first.sql_state, first.message)
        yield from zip(*[column.to_pylist() for column in chunk.table.columns], strict=True)


def _of_csv(
    session: Session, blocks: Iterable[bytes], options: FormatOptions, most: int | None
) -> list[Inferred]:
    """The header's names with PARSE_HEADER = TRUE, else c1, c2 and so on."""
    first, whole = header_reader.first_record(blocks, options)
    types: list[str | None] = [None] * len(first)
    for record in islice(_texts(session, csv_reader.read(whole, options, len(first) or 1, None)), most):
        types = [_joined(known, _of_text(text)) for known, text in zip(types, record, strict=False)]
    header = first if options["PARSE_HEADER"] else [f"c{n}" for n in range(1, len(first) + 1)]
    return [(name, type_, True) for name, type_ in zip(header, types, strict=True)]


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


def _documents(session: Session, chunks: Iterable[Chunk]) -> Iterator[dict[str, Any]]:
    for (text,) in _texts(session, chunks):
        document = json.loads(str(text), parse_float=_Digits, parse_int=_Digits, strict=False)
        if not isinstance(document, dict):
            raise errors.not_emulated("INFER_SCHEMA of JSON that is no object (see STRIP_OUTER_ARRAY)")
        yield document


def _of_documents(documents: Iterator[dict[str, Any]], most: int | None) -> list[Inferred]:
    found: dict[str, str | None] = {}
    for document in islice(documents, most):
        for name, value in document.items():
            found[name] = _joined(found.get(name), _of_value(value))
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


def _joined(one: str | None, other: str | None) -> str | None:
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


# --- USING TEMPLATE


def template(tokens: Tokens) -> tuple[str, str, str] | None:
    """``CREATE … TABLE name USING TEMPLATE ( query ) …`` as what stands before USING, the query, the rest."""
    while not tokens.at_end and not tokens.sees("USING", "TEMPLATE"):
        if tokens.sees("(") or tokens.sees("AS"):
            return None
        tokens.advance()
    if tokens.at_end:
        return None
    head = tokens.text[: tokens.next.start]
    tokens.expect("USING", "TEMPLATE")
    start = tokens.next.end
    tokens.expect("(")
    tokens.until(")")
    query = tokens.text[start : tokens.next.start]
    tokens.expect(")")
    return head, query, tokens.rest()


def columns_of(found: Result) -> str:
    """The columns of a template's one ARRAY, as CREATE TABLE has them; names with their case."""
    values = [row[0] for row in found.rows if found.columns[0].type in SEMI_STRUCTURED]
    described = json.loads(values[0]) if len(values) == 1 and values[0] is not None else None
    if not isinstance(described, list) or not described:
        raise errors.not_emulated("USING TEMPLATE of anything but one ARRAY of columns")
    if any(not isinstance(each, dict) or not {"COLUMN_NAME", "TYPE"} <= set(each) for each in described):
        raise errors.not_emulated("USING TEMPLATE of columns without COLUMN_NAME or TYPE")
    return ", ".join(
        f"{duckdb_name([each['COLUMN_NAME']])} {each['TYPE']}"
        f"{'' if each.get('NULLABLE', True) else ' NOT NULL'}"
        for each in described
    )
