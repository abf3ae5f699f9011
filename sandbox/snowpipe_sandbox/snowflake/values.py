"""Values as Snowflake reads and writes them where DuckDB, or fakesnow's translation, does otherwise.

Text of times, numbers and semi-structured values; casts to BOOLEAN, BINARY, VARIANT, ARRAY and OBJECT;
TYPEOF; formats with fractions and time zones; a VARIANT beside a plain constant.

Sources: https://docs.snowflake.com/en/sql-reference/data-type-conversion (casts),
https://docs.snowflake.com/en/sql-reference/parameters (the default output formats),
https://docs.snowflake.com/en/sql-reference/functions/typeof,
https://docs.snowflake.com/en/sql-reference/functions/to_binary,
https://docs.snowflake.com/en/sql-reference/functions/to_timestamp (whole numbers in a string),
https://docs.snowflake.com/en/sql-reference/sql-format-models (elements of formats).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake

from snowpipe_sandbox.snowflake import errors

Transform = Callable[[exp.Expression], exp.Expression]
NOT_HEX = "is not a legal hex-encoded value"
TOO_LONG = "is too long and would be truncated"
NOT_OBJECT = "Failed to cast variant value"
NO_ZONE = "a time zone in the format of a time without one"


LAST_SECOND = 9_223_372_036_854
"""Beyond it (the year 294247) a time is infinite here; Snowflake shows "Invalid date" for one."""


BEFORE_OFFSET = r"\s+(Z|[+-][0-9]{1,2}(:?[0-9]{2})?)$"
"""An offset after a blank, which DuckDB does not read and Snowflake does.

Source: https://docs.snowflake.com/en/sql-reference/date-time-input-output (formats of AUTO)
"""


def macros(home: str) -> str:
    """What DuckDB has to know for the functions this module writes into a statement."""
    return f"""
CREATE OR REPLACE MACRO {home}.main.sandbox_clock(t) AS
    left(rpad(CASE WHEN contains(t, '.') THEN t ELSE t || '.' END, 23, '0'), 23);
CREATE OR REPLACE MACRO {home}.main.sandbox_zoned(t) AS
    {home}.main.sandbox_clock(regexp_extract(t, '^(.*?)[+-][0-9:]+$', 1)) || ' ' ||
    rpad(replace(regexp_extract(t, '([+-][0-9:]+)$', 1), ':', ''), 5, '0');
CREATE OR REPLACE MACRO {home}.main.sandbox_text(x) AS CASE typeof(x)
    WHEN 'BLOB' THEN hex(TRY_CAST(CAST(x AS VARCHAR) AS BLOB))
    WHEN 'JSON' THEN to_json(x) ->> '$'
    WHEN 'TIMESTAMP' THEN {home}.main.sandbox_clock(CAST(x AS VARCHAR))
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN {home}.main.sandbox_zoned(CAST(x AS VARCHAR))
    WHEN 'TIME' THEN left(CAST(x AS VARCHAR), 8)
    WHEN 'DOUBLE' THEN regexp_replace(CAST(x AS VARCHAR), '\\.0$', '')
    ELSE CASE WHEN typeof(x) LIKE '%[]' THEN CAST(to_json(x) AS VARCHAR) ELSE CAST(x AS VARCHAR) END END;
CREATE OR REPLACE MACRO {home}.main.sandbox_length(x) AS CASE typeof(x)
    WHEN 'BLOB' THEN octet_length(TRY_CAST(CAST(x AS VARCHAR) AS BLOB))
    ELSE length({home}.main.sandbox_text(x)) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_trunc(unit, x DATE) AS CAST(date_trunc(unit, x) AS DATE),
    (unit, x) AS date_trunc(unit, x);
CREATE OR REPLACE MACRO {home}.main.sandbox_text_of(x, most) AS
    CASE WHEN length({home}.main.sandbox_text(x)) > most
        THEN error('String ''' || {home}.main.sandbox_text(x) || ''' {TOO_LONG}')
        ELSE {home}.main.sandbox_text(x) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_boolean(x) AS
    CASE WHEN typeof(x) = 'VARCHAR' AND lower(CAST(x AS VARCHAR)) IN ('on', 'yes', 'y') THEN TRUE
         WHEN typeof(x) = 'VARCHAR' AND lower(CAST(x AS VARCHAR)) IN ('off', 'no', 'n') THEN FALSE
         ELSE CAST(x AS BOOLEAN) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_binary(x) AS
    CASE WHEN typeof(x) = 'BLOB' THEN CAST(x AS BLOB)
         WHEN regexp_full_match(CAST(x AS VARCHAR), '([0-9A-Fa-f]{{2}})*') THEN unhex(CAST(x AS VARCHAR))
         WHEN x IS NULL THEN NULL
         ELSE CAST(error('The following string {NOT_HEX}: ''' || CAST(x AS VARCHAR) || '''') AS BLOB) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_variant(x) AS CASE WHEN x IS NULL THEN NULL ELSE to_json(x) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_array(x) AS CASE
    WHEN x IS NULL OR json_type(to_json(x)) = 'NULL' THEN NULL
    WHEN json_type(to_json(x)) = 'ARRAY' THEN to_json(x)
    ELSE json_array(to_json(x)) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_object(x) AS CASE
    WHEN x IS NULL OR json_type(to_json(x)) = 'NULL' THEN NULL
    WHEN json_type(to_json(x)) = 'OBJECT' THEN to_json(x)
    ELSE CAST(error('{NOT_OBJECT} ' || CAST(to_json(x) AS VARCHAR) || ' to OBJECT') AS JSON) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_typeof(x) AS CASE
    WHEN x IS NULL THEN NULL ELSE CASE json_type(to_json(x))
    WHEN 'BIGINT' THEN 'INTEGER' WHEN 'UBIGINT' THEN 'INTEGER' WHEN 'HUGEINT' THEN 'INTEGER'
    WHEN 'DOUBLE' THEN
        CASE WHEN regexp_matches(CAST(to_json(x) AS VARCHAR), '[eE]') THEN 'DOUBLE' ELSE 'DECIMAL' END
    WHEN 'NULL' THEN 'NULL_VALUE' ELSE json_type(to_json(x)) END END;
CREATE OR REPLACE MACRO {home}.main.sandbox_offset(x, zone) AS
    CASE WHEN typeof(x) = 'TIMESTAMP' THEN CAST(error('{NO_ZONE}') AS BIGINT)
         ELSE date_diff('minute', CAST(x AS TIMESTAMPTZ) AT TIME ZONE 'UTC',
                                  CAST(x AS TIMESTAMPTZ) AT TIME ZONE zone) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_zone(minutes, between) AS
    (CASE WHEN minutes < 0 THEN '-' ELSE '+' END) || lpad(CAST(abs(minutes) // 60 AS VARCHAR), 2, '0') ||
    between || lpad(CAST(abs(minutes) % 60 AS VARCHAR), 2, '0');
CREATE OR REPLACE MACRO {home}.main.sandbox_seconds(n) AS CASE
    WHEN abs(n) < {LAST_SECOND} THEN make_timestamp(CAST(n * 1000000 AS BIGINT))
    WHEN n > 0 THEN CAST('infinity' AS TIMESTAMP) ELSE CAST('-infinity' AS TIMESTAMP) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_is_number(x) AS
    json_type(x) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE', 'DECIMAL');
CREATE OR REPLACE MACRO {home}.main.sandbox_moment_ntz(x) AS CASE
    WHEN {home}.main.sandbox_is_number(x)
    THEN {home}.main.sandbox_seconds(TRY_CAST(x ->> '$' AS DECIMAL(38, 6)))
    ELSE {home}.main._fs_to_timestamp(x ->> '$', 0) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_with_offset(x) AS CASE
    WHEN typeof(x) = 'VARCHAR'
    THEN CAST(regexp_replace(CAST(x AS VARCHAR), '{BEFORE_OFFSET}', '\\1') AS TIMESTAMPTZ)
    ELSE CAST(x AS TIMESTAMPTZ) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_moment_ltz(x) AS CASE
    WHEN {home}.main.sandbox_is_number(x)
    THEN {home}.main.sandbox_seconds(TRY_CAST(x ->> '$' AS DECIMAL(38, 6))) AT TIME ZONE 'UTC'
    ELSE {home}.main.sandbox_with_offset(x ->> '$') END;
CREATE OR REPLACE MACRO {home}.main._fs_to_timestamp(val, scale) AS (
    CASE WHEN try_cast(val AS BIGINT) IS NULL THEN CAST(val AS TIMESTAMP)
        WHEN typeof(val) <> 'VARCHAR' OR abs(try_cast(val AS BIGINT)) < 31536000000
        THEN make_timestamp(CAST(CAST(val AS BIGINT) * power(10, 6 - scale) AS BIGINT))
        WHEN abs(try_cast(val AS BIGINT)) < 31536000000000 THEN make_timestamp(CAST(val AS BIGINT) * 1000)
        WHEN abs(try_cast(val AS BIGINT)) < 31536000000000000 THEN make_timestamp(CAST(val AS BIGINT))
        ELSE make_timestamp(CAST(val AS BIGINT) // 1000) END
);
"""


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


_TEXT_TYPES = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.NVARCHAR, exp.DType.CHAR, exp.DType.NCHAR)
_SEMI_STRUCTURED = {
    exp.DType.VARIANT: "sandbox_variant",
    exp.DType.ARRAY: "sandbox_array",
    exp.DType.OBJECT: "sandbox_object",
}
_MOMENTS = {
    exp.DType.TIMESTAMP: "sandbox_moment_ntz",
    exp.DType.TIMESTAMPNTZ: "sandbox_moment_ntz",
    exp.DType.DATETIME: "sandbox_moment_ntz",
    exp.DType.TIMESTAMPLTZ: "sandbox_moment_ltz",
    exp.DType.TIMESTAMPTZ: "sandbox_moment_ltz",
}
"""A number in a VARIANT is seconds, also one that is meant as milli- or microseconds (*observed:*
https://github.com/snowflakedb/snowflake-connector-python/issues/1677, issues/600)."""
_TOO_FINE = re.compile(r"\.[0-9]{6}[0-9]*[1-9]")
_PLAIN_CASTS = {
    **_SEMI_STRUCTURED,
    exp.DType.BOOLEAN: "sandbox_boolean",
    exp.DType.BINARY: "sandbox_binary",
    exp.DType.VARBINARY: "sandbox_binary",
}


def casts(node: exp.Expression) -> exp.Expression:
    """CAST and ``::`` to text, times (of a VARIANT), BOOLEAN, BINARY, VARIANT, ARRAY and OBJECT."""
    if type(node) is not exp.Cast:
        return node
    wanted = node.to.this
    if wanted in _PLAIN_CASTS and (wanted not in _SEMI_STRUCTURED or not node.to.expressions):
        return _call(_PLAIN_CASTS[wanted], node.this)
    if wanted in _MOMENTS and isinstance(node.this, exp.Literal) and _TOO_FINE.search(node.this.name):
        raise errors.not_emulated("fractions of a second finer than microseconds")
    if wanted in _MOMENTS and isinstance(node.this.unnest(), exp.JSONExtract):
        return _call(_MOMENTS[wanted], node.this.unnest())
    if wanted in _TEXT_TYPES:
        return _text(node)
    return with_offset(node) if wanted in _ZONED else node


_ZONED = (exp.DType.TIMESTAMPLTZ, exp.DType.TIMESTAMPTZ)


def with_offset(node: exp.Cast) -> exp.Expression:
    """A cast to a time with a zone, of a text whose offset may stand after a blank."""
    if not isinstance(node.this, exp.Literal):
        return _call("sandbox_with_offset", node.this)
    if node.this.is_string:
        node.set("this", exp.Literal.string(re.sub(BEFORE_OFFSET, r"\1", node.this.name)))
    return node


def _text(node: exp.Cast) -> exp.Expression:
    """A cast to text; with a length, longer text is an error."""
    length = node.to.expressions[0].name if node.to.expressions else ""
    if length.isdigit() and int(length) < 16777216:
        return _call("sandbox_text_of", node.this, exp.Literal.number(length))
    if isinstance(node.this, exp.JSONExtract | exp.Literal):
        return node  # fakesnow's own, and nothing to do
    return _call("sandbox_text", node.this)


def functions(node: exp.Expression) -> exp.Expression:
    """TYPEOF, TO_CHAR without a format, LENGTH, DATE_TRUNC, TO_BINARY, TO_ARRAY … and operands of ``||``.

    A DATE that is truncated stays one: https://docs.snowflake.com/en/sql-reference/functions/date_trunc.
    """
    if type(node) in _OF_ONE:
        return _call(_OF_ONE[type(node)], node.this)
    if isinstance(node, exp.ToChar) and not node.args.get("format"):
        return _call("sandbox_text", node.this)
    if isinstance(node, exp.ToBinary):
        return _to_binary(node)
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and isinstance(node.args["unit"], _CONSTANT):
        time = exp.cast(node.this, "TIMESTAMP") if isinstance(node.this, exp.Literal) else node.this
        return _call("sandbox_trunc", exp.Literal.string(node.args["unit"].name), time)
    named = str(node.this).upper() if isinstance(node, exp.Anonymous) else ""
    if named in SEMI_STRUCTURED_CALLS and len(node.expressions) == 1:
        return _call(SEMI_STRUCTURED_CALLS[named], node.expressions[0])
    if type(node) is exp.ParseJSON and not node.args.get("safe") and isinstance(node.this, _FROM_VARIANT):
        node.set("this", _call("sandbox_text", node.this))
    if isinstance(node, exp.DPipe):
        for key in ("this", "expression"):
            operand = node.args[key]
            if not isinstance(operand, exp.Literal | exp.DPipe | exp.Anonymous):
                node.set(key, _call("sandbox_text", operand.unnest()))
    return node


_OF_ONE: dict[type[exp.Expression], str] = {
    exp.Typeof: "sandbox_typeof",
    exp.ToArray: "sandbox_array",
    exp.Length: "sandbox_length",
}
_CONSTANT = (exp.Var, exp.Literal)
_FROM_VARIANT = (exp.JSONExtract, exp.Bracket)
"""What gives a VARIANT: PARSE_JSON reads the text in it."""
SEMI_STRUCTURED_CALLS = {"TO_OBJECT": "sandbox_object"}


def _to_binary(node: exp.ToBinary) -> exp.Expression:
    given = node.args.get("format")
    kind = str(given.this).upper().replace("-", "") if isinstance(given, exp.Literal) else "HEX"
    if kind == "UTF8":
        return _call("encode", node.this)
    if kind == "BASE64":
        return _call("from_base64", node.this)
    if kind != "HEX" or (given is not None and not isinstance(given, exp.Literal)):
        raise errors.not_emulated("TO_BINARY with such a format")
    return _call("sandbox_binary", node.this)


def beside_variants(node: exp.Expression) -> exp.Expression:
    """NULLIF, COALESCE and IFF of a VARIANT and a constant: the constant is a VARIANT too."""
    if isinstance(node, exp.Nullif):
        keys = ("this", "expression")
    elif isinstance(node, exp.If):
        keys = ("true", "false")
    else:
        if isinstance(node, exp.Coalesce):
            operands = [node.this, *node.expressions]
            if any(isinstance(each, exp.JSONExtract) for each in operands):
                node.set("this", _as_variant(node.this))
                node.set("expressions", [_as_variant(each) for each in node.expressions])
        return node
    if any(isinstance(node.args.get(key), exp.JSONExtract) for key in keys):
        for key in keys:
            if node.args.get(key) is not None:
                node.set(key, _as_variant(node.args[key]))
    return node


def _as_variant(node: exp.Expression) -> exp.Expression:
    return _call("sandbox_variant", node) if isinstance(node, exp.Literal) else node


ZONES = {"%:z": ":", "%z": "", "%-z": None}
_PIECES = re.compile(r"%:z|%-z|%z|%f_[a-z]+|%f")
_FRACTIONS = {"%f_three": "%g", "%f_six": "%f", "%f": "%n", "%f_nine": "%n"}


def formatted_times(node: exp.Expression) -> exp.Expression:
    """TO_CHAR and TO_VARCHAR of a time with a format, its fractions and time zones among it.

    Of a number it fails, DuckDB has no such formats. Raises not emulated for a fraction of another length.
    """
    if isinstance(node, exp.ToChar) and isinstance(node.args.get("format"), exp.Literal):
        node = exp.TimeToStr(this=node.this, format=Snowflake.format_time(node.args["format"]))
    if not isinstance(node, exp.TimeToStr) or not isinstance(node.args.get("format"), exp.Literal):
        return node
    written = str(node.args["format"].this)
    found = _PIECES.findall(written)
    if not found:
        return node
    parts = _PIECES.split(written)
    made: list[exp.Expression] = []
    text = parts[0]
    for piece, after in zip(found, parts[1:], strict=True):
        if piece not in ZONES:
            if piece not in _FRACTIONS:
                raise errors.not_emulated("a fraction of this length in a format")
            text += _FRACTIONS[piece] + after
            continue
        if text:
            made.append(_call("strftime", node.this.copy(), exp.Literal.string(text)))
        made.append(_zone(node.this, piece))
        text = after
    if text:
        made.append(_call("strftime", node.this.copy(), exp.Literal.string(text)))
    return made[0] if len(made) == 1 else _call("concat", *made)


def _zone(time: exp.Expression, piece: str) -> exp.Expression:
    """The offset of a time: of the zone it was converted to, else of the session's."""
    if isinstance(time, exp.ConvertTimezone) and not time.args.get("source_tz"):
        minutes = _call("sandbox_offset", time.args["timestamp"].copy(), time.args["target_tz"].copy())
    else:
        here = _call("current_setting", exp.Literal.string("TimeZone"))
        minutes = _call("sandbox_offset", time.copy(), here)
    between = ZONES[piece]
    made = _call("sandbox_zone", minutes, exp.Literal.string(between or ""))
    return made if between is not None else _call("left", made, exp.Literal.number(3))


def _inside_too(transform: Transform) -> Transform:
    """The transform, also of what stands inside what it replaced, where nobody else looks."""

    def whole(node: exp.Expression) -> exp.Expression:
        made = transform(node)
        if made is not node:
            for each in list(made.iter_expressions()):
                changed = each.transform(whole, copy=False)
                if changed is not each:
                    each.replace(changed)
        return made

    return whole


CHAIN = (_inside_too(casts), beside_variants, _inside_too(functions), formatted_times)
