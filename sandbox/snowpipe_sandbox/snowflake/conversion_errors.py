"""Which rows of a batch do not convert, and what Snowflake says about each.

The whole batch is computed at once; only where DuckDB refuses it, because a strict cast or PARSE_JSON inside
a transformation meets a bad value, it is halved until the bad rows stand alone.

Texts and numbers: sources: Snowflake §1.7; [frostlake] https://github.com/mlorek/frostlake; 100074 as in
snowflakedb/snowflake-connector-python#41.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from snowpipe_sandbox.snowflake import duckdb_errors, json_reader, load_errors
from snowpipe_sandbox.snowflake.load_errors import RecordError
from snowpipe_sandbox.snowflake.projection import Projection, Target

Problem = tuple[str, int, str]

_KINDS = {
    "NUMBER": ("Numeric value", 100038, "22018"),
    "FLOAT": ("Numeric value", 100038, "22018"),
    "BOOLEAN": ("Boolean value", 100037, "22018"),
    "DATE": ("Date", 100040, "22007"),
    "TIME": ("Time", 100108, "22007"),
    "TIMESTAMP_NTZ": ("Timestamp", 100035, "22007"),
    "TIMESTAMP_LTZ": ("Timestamp", 100035, "22007"),
    "TIMESTAMP_TZ": ("Timestamp", 100035, "22007"),
}


class Finder(Protocol):
    """Names a row of the batch as a place in its file."""

    def error(self, index: int, problem: Problem, column: int | None) -> RecordError:
        """The error of the batch's row ``index``."""


def find(cursor: Any, projection: Projection, batch: pa.Table, finder: Finder) -> dict[int, RecordError]:
    """The rows of ``batch`` (by their index column i) that do not convert, with their errors."""
    bad: dict[int, RecordError] = {}
    _find(cursor, projection, batch, finder, bad)
    return bad


def _find(
    cursor: Any, projection: Projection, batch: pa.Table, finder: Finder, bad: dict[int, RecordError]
) -> None:
    if not batch.num_rows:
        return
    cursor.register("batch", batch)
    try:
        checked = cursor.sql(projection.check()).to_arrow_table()
    except duckdb.Error as refused:
        if batch.num_rows == 1:
            index = batch["i"][0].as_py()
            field = _refusing_field(cursor, projection)
            bad[index] = finder.error(index, _refused(refused), field)
            return
        half = batch.num_rows // 2
        _find(cursor, projection, batch.slice(0, half), finder, bad)
        _find(cursor, projection, batch.slice(half), finder, bad)
        return
    failing = checked["failing"].to_pylist()
    if not any(failing):
        return
    rows = [n for n, number in enumerate(failing) if number]
    values = cursor.execute(
        f"SELECT {', '.join(t.raw for t in projection.targets)} FROM "
        f"(SELECT * FROM {projection.source} QUALIFY row_number() OVER () - 1 IN "
        f"({', '.join(map(str, rows))}))"
    ).fetchall()
    indexes = checked["i"].to_pylist()
    for n, row in zip(rows, values, strict=True):
        target = projection.targets[abs(failing[n]) - 1]
        value = row[abs(failing[n]) - 1]
        problem = _null() if failing[n] < 0 else _unconverted(target, value)
        column = target.field if projection.transformed else target.position
        bad[indexes[n]] = finder.error(indexes[n], problem, column)


def _null() -> Problem:
    return "NULL result in a non-nullable column", 100072, "22000"


def _unconverted(target: Target, value: Any) -> Problem:
    """A value that does not fit its column."""
    base = target.column.base_type
    if base == "VARCHAR":
        return (
            f"User character length limit ({target.column.length}) exceeded by string '{value}'",
            100074,
            "54000",
        )
    if base in ("VARIANT", "OBJECT", "ARRAY"):
        return load_errors.json_error(json_reader.detail_of(str(value)))
    if base == "BINARY":
        return f"The following string is not a legal hex-encoded value: '{value}'", 100115, "22000"
    if target.document:
        shown = {"NUMBER": "FIXED", "FLOAT": "REAL"}.get(base, base)
        return f"Failed to cast variant value {value} to {shown}", 100071, "22000"
    what, code, sql_state = _KINDS[base]
    return f"{what} '{value}' is not recognized", code, sql_state


_VALUE = re.compile(r"""string ["'](.*?)["'] to (\w+)|field format: "(.*?)",""", re.DOTALL)
_MALFORMED = re.compile(r'Malformed JSON.*?Input: "(.*)"', re.DOTALL)


def _refused(error: duckdb.Error) -> Problem:
    """DuckDB's complaint about one row, in Snowflake's words."""
    text = str(error)
    if json_text := _MALFORMED.search(text):
        return load_errors.json_error(json_reader.detail_of(json_text[1]))
    known = duckdb_errors.translate(error)
    if known.errno in (100078, 100115, 100071):
        return known.message, known.errno, known.sqlstate
    value = _VALUE.search(text)
    if value is None:
        return "Numeric value is not recognized", 100038, "22018"
    if value[3] is not None:
        what = "Date" if "date field" in text else "Time" if "time field" in text else "Timestamp"
        kind = {"Date": "DATE", "Time": "TIME", "Timestamp": "TIMESTAMP_NTZ"}[what]
        return (f"{what} '{value[3]}' is not recognized", *_KINDS[kind][1:])
    base = {"BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIME": "TIME"}.get(value[2], "NUMBER")
    what, code, sql_state = _KINDS[base]
    return f"{what} '{value[1]}' is not recognized", code, sql_state


def _refusing_field(cursor: Any, projection: Projection) -> int | None:
    """The $n of the first expression that fails for the one row in ``batch``."""
    for target in projection.targets:
        try:
            cursor.execute(f"SELECT {target.converted} FROM {projection.source}").fetchall()
        except duckdb.Error:
            return target.field if projection.transformed else target.position
    return None
