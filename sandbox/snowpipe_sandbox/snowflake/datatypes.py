"""Column types: Snowflake's, as DESC shows them, and DuckDB's, which hold the values.

Synonyms and defaults: https://docs.snowflake.com/en/sql-reference/intro-summary-data-types.
A TIMESTAMP_TZ is kept as a moment: DuckDB keeps no offset with a value, so it comes back in the
session's time zone.
"""

from __future__ import annotations

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.result import Column

MAX_VARCHAR = 16777216
LARGEST_VARCHAR = 134217728
MAX_BINARY = 8388608

T = exp.DataType.Type
_TEXT = {T.VARCHAR, T.TEXT, T.NVARCHAR}
_CHAR = {T.CHAR, T.NCHAR}
_INTEGER = {T.INT, T.BIGINT, T.SMALLINT, T.TINYINT, T.INT128}
_DECIMAL = {T.DECIMAL, T.DECIMAL128, T.BIGDECIMAL}
_FLOAT = {T.FLOAT, T.DOUBLE}
_PLAIN = {
    T.BOOLEAN: "BOOLEAN",
    T.DATE: "DATE",
    T.TIME: "TIME(9)",
    T.TIMESTAMP: "TIMESTAMP_NTZ(9)",
    T.TIMESTAMPNTZ: "TIMESTAMP_NTZ(9)",
    T.DATETIME: "TIMESTAMP_NTZ(9)",
    T.TIMESTAMPLTZ: "TIMESTAMP_LTZ(9)",
    T.TIMESTAMPTZ: "TIMESTAMP_TZ(9)",
    T.VARIANT: "VARIANT",
    T.OBJECT: "OBJECT",
    T.ARRAY: "ARRAY",
}

_DUCKDB = {
    "VARCHAR": "VARCHAR",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
    "BINARY": "BLOB",
}

_SHOWN = {
    "VARCHAR": f"VARCHAR({MAX_VARCHAR})",
    "DOUBLE": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME(9)",
    "TIMESTAMP": "TIMESTAMP_NTZ(9)",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ(9)",
    "JSON": "VARIANT",
    "BLOB": f"BINARY({MAX_BINARY})",
}


def snowflake_type(data_type: exp.DataType) -> str:
    """The type as DESC TABLE shows it. Raises not emulated, or 001008 for an impossible length."""
    kind = data_type.this
    sizes = [int(parameter.name) for parameter in data_type.expressions if parameter.name.isdigit()]
    if kind in _TEXT | _CHAR:
        length = sizes[0] if sizes else (1 if kind in _CHAR else MAX_VARCHAR)
        if not 1 <= length <= LARGEST_VARCHAR:
            raise errors.invalid_value(str(length), "VARCHAR length")
        return f"VARCHAR({length})"
    if kind in _INTEGER:
        return "NUMBER(38,0)"
    if kind in _DECIMAL:
        precision, scale = (*sizes, 38, 0)[:2] if len(sizes) != 1 else (sizes[0], 0)
        if not (1 <= precision <= 38 and 0 <= scale <= min(precision, 37)):
            raise errors.invalid_value(f"{precision},{scale}", "NUMBER precision and scale")
        return f"NUMBER({precision},{scale})"
    if kind in _FLOAT:
        return "FLOAT"
    if kind in (T.BINARY, T.VARBINARY):
        return f"BINARY({sizes[0] if sizes else MAX_BINARY})"
    if kind in _PLAIN and not (kind in (T.OBJECT, T.ARRAY) and data_type.expressions):
        return _PLAIN[kind]
    raise errors.not_emulated(f"data type {data_type.sql(dialect='snowflake')}")


def duckdb_type(shown: str) -> str:
    """The DuckDB type that holds values of a type as DESC TABLE shows it."""
    base, _, size = shown.partition("(")
    if base == "NUMBER":
        return f"DECIMAL({size}"
    return _DUCKDB[base]


def shown_type(duckdb: str) -> str:
    """The Snowflake type of a DuckDB expression's type (of CREATE TABLE AS SELECT, or of a view)."""
    if duckdb.startswith("DECIMAL"):
        return "NUMBER" + duckdb.removeprefix("DECIMAL").replace(" ", "")
    if duckdb in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER"):
        return "NUMBER(38,0)"
    if duckdb in _SHOWN:
        return _SHOWN[duckdb]
    if duckdb in ('"NULL"', "NULL"):
        return f"VARCHAR({MAX_VARCHAR})"
    raise errors.not_emulated("a column of a type that only the engine underneath has")


def result_column(name: str, shown: str) -> Column:
    """A result's column for a type as DESC TABLE shows it."""
    base, _, size = shown.partition("(")
    if base == "NUMBER":
        precision, scale = size.rstrip(")").split(",")
        return Column(name, "FIXED", precision=int(precision), scale=int(scale))
    if base == "VARCHAR":
        return Column(name, "TEXT", length=int(size.rstrip(")")))
    if base == "FLOAT":
        return Column(name, "REAL")
    if base in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIME"):
        return Column(name, base, precision=0, scale=9)
    if base == "BINARY":
        return Column(name, "BINARY", length=int(size.rstrip(")")))
    return Column(name, base)
