"""Results as the wire carries them: typed columns, JSON rows, or an Arrow stream.

The formats are what snowflake-connector-python 4.x and 5.x decode; the Arrow one follows fakesnow's
(fakesnow/arrow.py), which cites the connector's own iterator.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snowpipe_sandbox.snowflake.result import Column, Result

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the origin of times without a zone
SEMI_STRUCTURED = ("VARIANT", "OBJECT", "ARRAY")


def rowtype(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as clients are told about them."""
    return [_described(column) for column in columns]


def _described(column: Column) -> dict[str, Any]:
    length = column.length or (16777216 if column.type in ("TEXT", *SEMI_STRUCTURED) else None)
    precision, scale = column.precision, column.scale
    if column.type == "FIXED":
        precision, scale = precision or 38, scale or 0
    elif column.type.startswith("TIME"):
        precision, scale = 0, 9
    return {
        "name": column.name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": column.nullable,
        "type": column.type.lower(),
        "length": length,
        "byteLength": None if length is None else min(length * 4, 16777216),
        "precision": precision,
        "scale": scale,
        "collation": None,
    }


# --- JSON


def json_rows(result: Result) -> list[list[str | None]]:
    """The rows with every value as text, as the JSON format wants them."""
    if result.table is not None:
        texts = [
            _json_texts(values, column.type)
            for values, column in zip(result.table.columns, result.columns, strict=True)
        ]
        return [list(row) for row in zip(*texts, strict=True)]
    writers = [_json_writer(column.type) for column in result.columns]
    return [
        [None if value is None else write(value) for write, value in zip(writers, row, strict=True)]
        for row in result.rows
    ]


def _json_texts(values: Any, type_: str) -> list[str | None]:
    """A column as text. Times and dates never become Python's, which end with the year 9999."""
    if type_ in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ") and pa.types.is_timestamp(values.type):
        micros = values.cast(pa.timestamp("us", tz=values.type.tz)).cast(pa.int64()).to_pylist()
        return [None if each is None else _micro_text(each) for each in micros]
    if type_ == "DATE" and pa.types.is_date32(values.type):
        return [None if each is None else str(each) for each in values.cast(pa.int32()).to_pylist()]
    write = _json_writer(type_)
    return [None if each is None else write(each) for each in values.to_pylist()]


def _json_writer(type_: str) -> Callable[[Any], str]:  # noqa: PLR0911 - one line a type
    if type_ == "BOOLEAN":
        return lambda value: "1" if value else "0"
    if type_ == "BINARY":
        return lambda value: bytes(value).hex().upper()
    if type_ == "DATE":
        return _days
    if type_ == "TIME":
        return _seconds_of_day
    if type_ in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ"):
        return epoch_text
    if type_ == "TIMESTAMP_TZ":
        return lambda value: f"{epoch_text(value)} 1440"
    if type_ in SEMI_STRUCTURED:
        return pretty
    return str


def _days(value: date) -> str:
    return str((value - EPOCH.date()).days)


def _seconds_of_day(value: time) -> str:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return f"{seconds}.{value.microsecond:06d}000"


def epoch_text(value: datetime) -> str:
    """A time as seconds since 1970 with nine fraction digits (a time without zone counts as UTC)."""
    naive = (
        value if value.tzinfo is None else value.replace(tzinfo=None) - (value.utcoffset() or timedelta(0))
    )
    since = naive - EPOCH
    return _micro_text((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)


def _micro_text(micro: int) -> str:
    """Microseconds since 1970 as seconds with nine fraction digits."""
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    return f"{sign}{micro // 1_000_000}.{micro % 1_000_000:06d}000"


def pretty(value: Any) -> str:
    """A semi-structured value as clients receive it: indented by two, keys in order.

    Source: https://docs.snowflake.com/en/user-guide/querying-semistructured (sample output).
    """
    parsed = json.loads(value, parse_float=_Number, parse_int=_Number) if isinstance(value, str) else value
    return _indented(parsed, 0)


class _Number(str):
    """A number of a JSON document, digit for digit."""

    __slots__ = ()


def _indented(value: Any, depth: int) -> str:
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        if not value:
            return "{}"
        members = (f"{inner}{_text(key)}: {_indented(value[key], depth + 1)}" for key in sorted(value))
        return "{\n" + ",\n".join(members) + "\n" + outer + "}"
    if isinstance(value, list):
        if not value:
            return "[]"
        return "[\n" + ",\n".join(inner + _indented(item, depth + 1) for item in value) + "\n" + outer + "]"
    return str(value) if isinstance(value, _Number) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- Arrow


def arrow_base64(result: Result) -> str:
    """The rows as an Arrow stream in base 64; the empty text for no rows."""
    table = arrow_table(result)
    if table.num_rows == 0:
        return ""
    arrays = [_wire_array(table.column(i), column) for i, column in enumerate(result.columns)]
    fields = [_wire_field(column, array) for column, array in zip(result.columns, arrays, strict=True)]
    sink = pa.BufferOutputStream()
    wire = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    with pa.ipc.new_stream(sink, wire.schema) as writer:
        writer.write_table(wire)
    return b64encode(sink.getvalue()).decode("ascii")


def arrow_table(result: Result) -> Any:
    """The result as an Arrow table with plain types (what DuckDB gave, or made from the rows)."""
    if result.table is not None:
        return result.table
    columns = list(zip(*result.rows, strict=True)) or [()] * len(result.columns)
    arrays = [
        pa.array(list(values), type=arrow_type(column))
        for values, column in zip(columns, result.columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in result.columns])


def arrow_type(column: Column) -> Any:
    """The plain Arrow type for a column."""
    if column.type == "FIXED":
        scale = column.scale or 0
        return (
            pa.int64()
            if scale == 0 and (column.precision or 38) in (38, 18)
            else pa.decimal128(column.precision or 38, scale)
        )
    return {
        "REAL": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "BINARY": pa.binary(),
        "TIMESTAMP_NTZ": pa.timestamp("us"),
        "TIMESTAMP_LTZ": pa.timestamp("us", tz="UTC"),
        "TIMESTAMP_TZ": pa.timestamp("us", tz="UTC"),
    }.get(column.type, pa.string())


def _wire_field(column: Column, array: Any) -> Any:
    described = _described(column)
    metadata = {
        "logicalType": column.type,
        "precision": str(described["precision"] or 38),
        "scale": str(described["scale"] or 0),
        "charLength": str(described["length"] or 0),
    }
    return pa.field(column.name, array.type, metadata=metadata)


def _wire_array(values: Any, column: Column) -> Any:
    """One column as the connectors' Arrow readers expect it."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_timestamp(array.type):
        return _timestamp_struct(array, with_zone=column.type == "TIMESTAMP_TZ")
    if pa.types.is_time(array.type):
        return pc.multiply(array.cast(pa.time64("us")).cast(pa.int64()), 1000)
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    if column.type in SEMI_STRUCTURED:
        return pa.array(
            [None if value is None else pretty(value) for value in array.to_pylist()], pa.string()
        )
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64())
    return array


def _timestamp_struct(array: Any, *, with_zone: bool) -> Any:
    """Seconds and nanoseconds (and the zone, always UTC) in the structure Snowflake uses."""
    micro = array.cast(pa.timestamp("us", tz=array.type.tz)).cast(pa.int64())
    seconds = pc.floor_temporal(micro.cast(pa.timestamp("us")), unit="second")
    whole = pc.divide(seconds.cast(pa.int64()), 1_000_000)
    fraction = pc.multiply(pc.subtract(micro, pc.multiply(whole, 1_000_000)), 1000).cast(pa.int32())
    fields = [pa.field("epoch", pa.int64()), pa.field("fraction", pa.int32())]
    arrays = [whole, fraction]
    if with_zone:
        fields.append(pa.field("timezone", pa.int32()))
        arrays.append(pa.array([1440] * len(array), pa.int32()))
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=array.is_null())
