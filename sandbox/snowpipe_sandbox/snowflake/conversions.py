"""SQL that converts a value to a column's type, and SQL that is true where it cannot.

What Snowflake takes for a number, a boolean or a time is narrower here and wider there than what DuckDB
takes; the macros below hold the difference. Source: sources: Snowflake §1.3, §1.6;
https://docs.snowflake.com/en/sql-reference/data-type-conversion. That a text field loaded into a VARIANT
column is parsed as JSON is not documented (sources: Snowflake §9); a value that is not JSON is an error here,
which is the unkind reading.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

import duckdb

from snowpipe_sandbox.snowflake import engine, errors, load_errors, time_formats, values
from snowpipe_sandbox.snowflake.catalog import TableColumn
from snowpipe_sandbox.snowflake.copy_statement import CopyStatement
from snowpipe_sandbox.snowflake.datatypes import duckdb_type
from snowpipe_sandbox.snowflake.formats import FormatOptions

CLOCKS = [
    "%Y-%m-%dT%H",
    "%Y-%m-%d %H",
    "%m/%d/%Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S.%f",
    "%a, %d %b %Y %I:%M:%S %p",
    "%a %b %d %H:%M:%S %Y",
]
"""What AUTO takes beside ISO: https://docs.snowflake.com/en/sql-reference/date-time-input-output"""

MACROS = (
    # A number as Snowflake reads one: no underscores, no hexadecimal, blanks around it allowed.
    r"""CREATE MACRO IF NOT EXISTS load_is_number(x) AS
        regexp_full_match(x, '\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*')""",
    r"""CREATE MACRO IF NOT EXISTS load_boolean(x) AS CASE
        WHEN lower(trim(x)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN TRUE
        WHEN lower(trim(x)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN FALSE END""",
    # A whole number is seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
    r"""CREATE MACRO IF NOT EXISTS load_epoch(x) AS CASE
        WHEN NOT regexp_full_match(x, '\s*-?[0-9]{1,19}\s*') THEN NULL
        WHEN abs(TRY_CAST(x AS BIGINT)) < 31536000000 THEN make_timestamp(TRY_CAST(x AS BIGINT) * 1000000)
        WHEN abs(TRY_CAST(x AS BIGINT)) < 31536000000000 THEN make_timestamp(TRY_CAST(x AS BIGINT) * 1000)
        WHEN abs(TRY_CAST(x AS BIGINT)) < 31536000000000000 THEN make_timestamp(TRY_CAST(x AS BIGINT))
        ELSE make_timestamp(TRY_CAST(x AS BIGINT) // 1000) END""",
    # The wall clock of what is not ISO, its offset taken out.
    rf"""CREATE MACRO IF NOT EXISTS load_clock(x) AS try_strptime(
        regexp_replace(trim(x), '\s*[+-][0-9]{{2}}:?[0-9]{{2}}(\s[0-9]{{4}})?$', '\1'), {CLOCKS})""",
    r"""CREATE MACRO IF NOT EXISTS load_offset(x) AS
        regexp_extract(trim(x), '\s([+-][0-9]{2}:?[0-9]{2})(\s[0-9]{4})?$', 1)""",
    # TIMESTAMP_NTZ keeps the wall clock and drops an offset.
    r"""CREATE MACRO IF NOT EXISTS load_timestamp_ntz(x) AS coalesce(
        TRY_CAST(regexp_replace(x, '\s*(Z|[+-][0-9]{2}:?[0-9]{2})$', '') AS TIMESTAMP),
        load_epoch(x), load_clock(x))""",
    f"""CREATE MACRO IF NOT EXISTS load_timestamp_ltz(x) AS coalesce(
        TRY_CAST(regexp_replace(trim(x), '{values.BEFORE_OFFSET}', '\\1') AS TIMESTAMPTZ),
        load_epoch(x) AT TIME ZONE 'UTC',
        CASE WHEN load_offset(x) = '' THEN CAST(load_clock(x) AS TIMESTAMPTZ)
        ELSE TRY_CAST(CAST(load_clock(x) AS VARCHAR) || load_offset(x) AS TIMESTAMPTZ) END)""",
    """CREATE MACRO IF NOT EXISTS load_date(x) AS coalesce(
        TRY_CAST(x AS DATE), CAST(try_strptime(trim(x), ['%d-%b-%Y', '%m/%d/%Y']) AS DATE),
        CAST(load_epoch(x) AS DATE))""",
    "CREATE MACRO IF NOT EXISTS load_time(x) AS TRY_CAST(x AS TIME)",
    "CREATE MACRO IF NOT EXISTS load_json(x) AS CASE WHEN json_valid(x) THEN x::JSON END",
    *(
        f"CREATE MACRO IF NOT EXISTS load_is_{name}(x) AS json_type(x) IN ({kinds})"
        for name, kinds in {
            "object": "'OBJECT'",
            "varchar": "'VARCHAR'",
            "boolean": "'BOOLEAN'",
            "integer": "'BIGINT', 'UBIGINT'",
        }.items()
    ),
    "CREATE MACRO IF NOT EXISTS load_as_varchar(x) AS CASE WHEN json_type(x) = 'VARCHAR' THEN x ->> '$' END",
    """CREATE MACRO IF NOT EXISTS load_as_integer(x) AS
        CASE WHEN json_type(x) IN ('BIGINT', 'UBIGINT') THEN CAST(x AS DECIMAL(38, 0)) END""",
    """CREATE MACRO IF NOT EXISTS load_as_boolean(x) AS
        CASE WHEN json_type(x) = 'BOOLEAN' THEN CAST(x AS BOOLEAN) END""",
    """CREATE MACRO IF NOT EXISTS load_array_to_string(x, between) AS
        array_to_string(list_transform(json_extract_string(x, '$[*]'), e -> coalesce(e, '')), between)""",
    "CREATE MACRO IF NOT EXISTS load_lpad(x, n, p := ' ') AS lpad(CAST(x AS VARCHAR), CAST(n AS INTEGER), p)",
    "CREATE MACRO IF NOT EXISTS load_rpad(x, n, p := ' ') AS rpad(CAST(x AS VARCHAR), CAST(n AS INTEGER), p)",
    "CREATE MACRO IF NOT EXISTS load_octet_length(x) AS strlen(x)",
    "CREATE MACRO IF NOT EXISTS load_base64_encode(x) AS to_base64(encode(x))",
    r"""CREATE MACRO IF NOT EXISTS load_same(document, name) AS
        json_extract(document, '$."' || replace(name, '"', '\"') || '"')""",
    """CREATE MACRO IF NOT EXISTS load_alike(document, name) AS load_same(
        document, list_filter(json_keys(document), k -> upper(k) = upper(name))[1])""",
    # A number in a document is seconds, whatever its size: see values.py.
    """CREATE MACRO IF NOT EXISTS load_is_seconds(x) AS
        json_type(x) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE', 'DECIMAL')""",
    f"""CREATE MACRO IF NOT EXISTS load_seconds(n) AS CASE
        WHEN abs(n) < {values.LAST_SECOND} THEN make_timestamp(CAST(n * 1000000 AS BIGINT))
        WHEN n > 0 THEN CAST('infinity' AS TIMESTAMP) ELSE CAST('-infinity' AS TIMESTAMP) END""",
    """CREATE MACRO IF NOT EXISTS load_trimmed(x) AS
        CASE WHEN json_type(x) = 'VARCHAR' THEN to_json(trim(x ->> '$')) ELSE x END""",
    """CREATE MACRO IF NOT EXISTS load_unless(x, texts) AS
        CASE WHEN list_contains(texts, x ->> '$') THEN NULL ELSE x END""",
    """CREATE MACRO IF NOT EXISTS load_binary(x) AS
        CASE WHEN regexp_full_match(x, '([0-9A-Fa-f]{2})*') THEN unhex(x) END""",
)
"""Conversions that give NULL for what Snowflake would refuse."""

_WITH_MACROS: WeakSet[engine.Engine] = WeakSet()


def define_macros(duckdb_engine: engine.Engine) -> None:
    """Make MACROS known in an account's database, once."""
    if duckdb_engine in _WITH_MACROS:
        return
    cursor = duckdb_engine.cursor()
    for macro in MACROS:
        for attempt in range(20):
            try:
                cursor.execute(macro)
                break
            except duckdb.TransactionException:  # another thread is making the same one
                if attempt == 19:
                    raise
    cursor.close()
    _WITH_MACROS.add(duckdb_engine)


def convert(
    column: TableColumn, raw: str, type_: str, statement: CopyStatement, options: FormatOptions
) -> tuple[str, str | None]:
    """SQL that converts to the column's type, and SQL that is true where it cannot."""
    wanted = duckdb_type(column.type)
    base = column.base_type
    if base == "VARCHAR":
        return _text(column, raw, type_, statement)
    if type_ == "VARCHAR":
        converted = _stated(base, raw, options) or _FROM_TEXT[base](raw, wanted)
    elif base in ("VARIANT", "OBJECT", "ARRAY"):
        return (raw if type_ == "JSON" else f"to_json({raw})"), None
    elif type_ == "JSON":
        text = f"({raw} ->> '$')"
        converted = _FROM_TEXT[base](text, wanted)
        if base.startswith("TIMESTAMP"):
            seconds = f"load_seconds(TRY_CAST({text} AS DECIMAL(38, 6)))"
            seconds += "" if base == "TIMESTAMP_NTZ" else " AT TIME ZONE 'UTC'"
            converted = f"CASE WHEN load_is_seconds({raw}) THEN {seconds} ELSE {converted} END"
        raw = f"(CASE WHEN json_type({raw}) <> 'NULL' THEN {raw} END)"
    elif type_ == wanted:
        return raw, None
    else:
        converted = f"TRY_CAST({raw} AS {wanted})"
    return converted, f"{raw} IS NOT NULL AND ({converted}) IS NULL"


_WALL_CLOCK = "strftime({raw}, '%Y-%m-%d %H:%M:%S.%g')"
_AS_TEXT = {
    "VARCHAR": "{raw}",
    "BLOB": "hex({raw})",
    "TIME": "left(CAST({raw} AS VARCHAR), 8)",
    "JSON": "({raw} ->> '$')",
    "TIMESTAMP": _WALL_CLOCK,
    "TIMESTAMP WITH TIME ZONE": f"({_WALL_CLOCK} || ' ' || "
    "sandbox_zone(sandbox_offset({raw}, current_setting('TimeZone')), ''))",
}
"""A value's text by DuckDB's type: times by the default output formats.

Source: https://docs.snowflake.com/en/sql-reference/parameters (TIMESTAMP_OUTPUT_FORMAT and its like)
"""


def _text(column: TableColumn, raw: str, type_: str, statement: CopyStatement) -> tuple[str, str | None]:
    text = _AS_TEXT.get(type_, "CAST({raw} AS VARCHAR)").format(raw=raw)
    length = column.length or load_errors.MAX_VARCHAR
    if length >= load_errors.MAX_VARCHAR:
        return text, None
    if statement.truncate_columns:
        return f"left({text}, {length})", None
    return text, f"length({text}) > {length}"


_TIMES = {
    "DATE": "DATE_FORMAT",
    "TIME": "TIME_FORMAT",
    "TIMESTAMP_NTZ": "TIMESTAMP_FORMAT",
    "TIMESTAMP_LTZ": "TIMESTAMP_FORMAT",
    "TIMESTAMP_TZ": "TIMESTAMP_FORMAT",
}


def _stated(base: str, raw: str, options: FormatOptions) -> str | None:
    """SQL that reads the text by the format that is stated, None for AUTO; binary is HEX, or not emulated."""
    if base == "BINARY" and options["BINARY_FORMAT"] != "HEX":
        raise errors.not_emulated(f"BINARY_FORMAT = {options['BINARY_FORMAT']}")
    option = _TIMES.get(base)
    if option is None or options[option].upper() == "AUTO":
        return None
    stated = time_formats.of(options[option])
    if base in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ"):
        return stated.zoned(raw)
    return f"CAST({stated.moment(raw)} AS {base.removesuffix('_NTZ')})"


_FROM_TEXT: dict[str, Callable[[str, str], str]] = {
    "NUMBER": lambda x, t: f"CASE WHEN load_is_number({x}) THEN TRY_CAST(trim({x}) AS {t}) END",
    "FLOAT": lambda x, t: f"TRY_CAST({x} AS {t})",
    "BOOLEAN": lambda x, _: f"load_boolean({x})",
    "DATE": lambda x, _: f"load_date({x})",
    "TIME": lambda x, _: f"load_time({x})",
    "TIMESTAMP_NTZ": lambda x, _: f"load_timestamp_ntz({x})",
    "TIMESTAMP_LTZ": lambda x, _: f"load_timestamp_ltz({x})",
    "TIMESTAMP_TZ": lambda x, _: f"load_timestamp_ltz({x})",
    "VARIANT": lambda x, _: f"load_json({x})",
    "OBJECT": lambda x, _: f"load_json({x})",
    "ARRAY": lambda x, _: f"load_json({x})",
    "BINARY": lambda x, _: f"load_binary({x})",
}
