"""Arrays, objects and their functions as Snowflake has them, where DuckDB or fakesnow does otherwise.

Semi-structured values are JSON here, so what DuckDB knows of lists is reached by a cast there and back. A
macro writes its argument wherever it names it: a list of one, and a lambda over it, works it out once.

Sources: https://docs.snowflake.com/en/sql-reference/functions/filter (also: a condition that is NULL),
https://docs.snowflake.com/en/sql-reference/functions/transform,
https://docs.snowflake.com/en/sql-reference/functions/array_cat,
https://docs.snowflake.com/en/sql-reference/functions/as_array and as_object (NULL for another type),
https://docs.snowflake.com/en/sql-reference/functions/object_insert,
https://docs.snowflake.com/en/sql-reference/functions/flatten (its columns and arguments),
https://docs.snowflake.com/en/sql-reference/functions/array_agg (no NULLs; an empty ARRAY of no rows),
https://docs.snowflake.com/en/sql-reference/functions/try_to_timestamp (a format),
https://docs.snowflake.com/en/sql-reference/functions/to_timestamp (a number is a moment of UTC).
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp, parse_one

from snowpipe_sandbox.snowflake import errors, time_formats


def macros(home: str) -> str:
    """What DuckDB has to know for the functions this module writes into a statement."""
    return f"""
CREATE OR REPLACE MACRO {home}.main.sandbox_as(x, wanted) AS
    list_transform([to_json(x)], own -> CASE WHEN json_type(own) = wanted THEN own END)[1];
CREATE OR REPLACE MACRO {home}.main.sandbox_list(x) AS
    list_transform([to_json(x)], own -> CASE
        WHEN json_type(own) = 'ARRAY' THEN CAST(own AS JSON[])
        WHEN own IS NULL OR json_type(own) = 'NULL' THEN NULL
        ELSE [own] END)[1];
CREATE OR REPLACE MACRO {home}.main.sandbox_array_cat(a, b) AS
    list_transform([{{'a': {home}.main.sandbox_list(a), 'b': {home}.main.sandbox_list(b)}}], own ->
        CASE WHEN own.a IS NOT NULL AND own.b IS NOT NULL THEN to_json(list_concat(own.a, own.b)) END)[1];
CREATE OR REPLACE MACRO {home}.main.sandbox_object_insert(o, k, v) AS
    list_transform([{{'o': o, 'k': k, 'v': v}}], own -> CASE
        WHEN own.o IS NULL OR own.k IS NULL OR own.v IS NULL THEN own.o
        ELSE json_merge_patch(own.o, json_object(own.k, own.v)) END)[1];
CREATE OR REPLACE MACRO {home}.main.sandbox_epoch(n, scale) AS
    {home}.main._fs_to_timestamp(n, scale) AT TIME ZONE 'UTC';
"""


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """A call of a function of DuckDB's; sqlglot looks no further into what was replaced, so this does."""
    inner = [each.transform(functions, copy=False) for each in arguments]
    return exp.Anonymous(this=name, expressions=inner)


def functions(node: exp.Expression) -> exp.Expression:
    """FILTER, TRANSFORM, ARRAY_CAT, AS_ARRAY, AS_OBJECT, OBJECT_INSERT; times by a format or a number."""
    for kind, made in MADE.items():
        if isinstance(node, kind):
            return made(node)
    return node


def _array_cat(node: exp.ArrayConcat) -> exp.Expression:
    return _call("sandbox_array_cat", node.this, node.expressions[0]) if len(node.expressions) == 1 else node


def _of_a_number(node: exp.UnixToTime) -> exp.Expression:
    if str(node.args.get("target_type")) not in ZONED:
        return node
    return _call("sandbox_epoch", node.this, node.args.get("scale") or exp.Literal.number(0))


def _empty_object(node: exp.Struct) -> exp.Expression:
    """OBJECT_CONSTRUCT(): fakesnow's own cannot stand in a lambda expression."""
    return node if node.expressions else _call("json_object")


def _as(node: exp.Anonymous) -> exp.Expression:
    wanted = AS.get(str(node.this).upper())
    if wanted is None or len(node.expressions) != 1:
        return node
    return _call("sandbox_as", node.expressions[0], exp.Literal.string(wanted))


ZONED = {"TIMESTAMPLTZ", "TIMESTAMPTZ"}
AS = {"AS_ARRAY": "ARRAY", "AS_OBJECT": "OBJECT"}


def _higher_order(node: exp.Expression) -> exp.Expression:
    """FILTER or TRANSFORM: over the elements of an ARRAY, each a VARIANT."""
    given = node.expression
    if not isinstance(given, exp.Lambda) or len(given.expressions) != 1:
        raise errors.not_emulated("FILTER and TRANSFORM without a lambda expression of one argument")
    name = "list_filter" if isinstance(node, exp.ArrayFilter) else "list_transform"
    return _call("to_json", _call(name, _call("sandbox_list", node.this), given))


def _object_insert(node: exp.ObjectInsert) -> exp.Expression:
    """OBJECT_INSERT of a text, which may replace what the key has."""
    flag, value = node.args.get("update_flag"), node.args["value"]
    if not (isinstance(flag, exp.Boolean) and flag.this):
        raise errors.not_emulated("OBJECT_INSERT without its update flag")
    if not isinstance(value, exp.Literal | exp.SplitPart | exp.Cast):
        raise errors.not_emulated("OBJECT_INSERT of what may be an object, array or JSON null")
    return _call("sandbox_object_insert", node.this, node.args["key"], value)


def _tried(node: exp.StrToTime) -> exp.Expression:
    """TRY_TO_TIMESTAMP and its kin of a text in a format; TO_TIMESTAMP of one with a fraction."""
    written = node.args["format"]
    if not node.args.get("safe"):
        return time_formats.with_fraction(node)
    if not isinstance(written, exp.Literal):
        raise errors.not_emulated("TRY_TO_TIMESTAMP with a format that is not a constant")
    known = time_formats.Format(str(written.this))
    text = node.this.transform(functions, copy=False)
    is_zoned = str(node.args.get("target_type")) in ZONED
    made = parse_one(known.zoned("given") if is_zoned else known.moment("given"), dialect="duckdb")
    return made.transform(lambda each: text.copy() if isinstance(each, exp.Column) else each, copy=False)


def _as_array(node: exp.Expression) -> exp.Expression:
    """An ARRAY of what DuckDB has as a list."""
    made = _call("json_keys", node.this) if isinstance(node, exp.JSONKeys) else node.copy()
    return exp.Anonymous(this="to_json", expressions=[made])


def _array_slice(node: exp.ArraySlice) -> exp.Expression:
    """ARRAY_SLICE from a place, counted from 0, up to another that is left out.

    Source: https://docs.snowflake.com/en/sql-reference/functions/array_slice
    """
    bounds = [node.args.get("start"), node.args.get("end")]
    if not all(isinstance(each, exp.Literal) and each.name.isdigit() for each in bounds):
        raise errors.not_emulated("ARRAY_SLICE by anything but two constants of zero or more")
    start, end = (int(each.name) for each in bounds if each is not None)
    sliced = _call(
        "list_slice",
        _call("sandbox_list", node.this),
        exp.Literal.number(start + 1),
        exp.Literal.number(end),
    )
    return _call("to_json", sliced)


MADE: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.ArrayFilter: _higher_order,
    exp.Transform: _higher_order,
    exp.ArrayConcat: _array_cat,
    exp.ArraySlice: _array_slice,
    exp.JSONKeys: _as_array,
    exp.StrtokToArray: _as_array,
    exp.ObjectInsert: _object_insert,
    exp.StrToTime: _tried,
    exp.UnixToTime: _of_a_number,
    exp.Anonymous: _as,
    exp.Struct: _empty_object,
}


def flattened(node: exp.Expression) -> exp.Expression:
    """FLATTEN of an input alone, or with its other arguments at their defaults; raises not emulated."""
    if isinstance(node, exp.Explode):
        for given in (node.this, *node.expressions):
            if isinstance(given, exp.Kwarg) and not _is_default(given):
                raise errors.not_emulated(f"FLATTEN with {given.sql(dialect='snowflake')}")
    return node


def _is_default(given: exp.Kwarg) -> bool:
    name, value = str(given.this.name).upper(), given.expression
    if name in ("OUTER", "RECURSIVE"):
        return isinstance(value, exp.Boolean) and not value.this
    if name == "MODE":
        return isinstance(value, exp.Literal) and value.this.upper() == "BOTH"
    return name == "INPUT"


def array_aggregates(node: exp.Expression) -> exp.Expression:
    """ARRAY_AGG leaves NULLs out, in an order too; over no rows it is an empty ARRAY."""
    empty = exp.Anonymous(this="json_array")
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.ArrayAgg):
        if isinstance(node.parent, exp.Window):
            raise errors.not_emulated("ARRAY_AGG … WITHIN GROUP … OVER")
        return exp.Coalesce(
            this=exp.Anonymous(this="to_json", expressions=[_ordered(node)]), expressions=[empty]
        )
    is_alone = not isinstance(node.parent, exp.WithinGroup | exp.Window | exp.Filter)
    return (
        exp.Coalesce(this=node, expressions=[empty]) if isinstance(node, exp.ArrayAgg) and is_alone else node
    )


def _ordered(node: exp.WithinGroup) -> exp.Expression:
    """``list(value ORDER BY …) FILTER (WHERE value IS NOT NULL)``."""
    values = node.this.this
    value = values.expressions[0] if isinstance(values, exp.Distinct) else values
    order = exp.Order(this=values, expressions=node.expression.expressions)
    listed = exp.Anonymous(this="list", expressions=[order])
    if isinstance(value, exp.StarMap | exp.Struct | exp.JSONObject):  # an object is never NULL
        return listed
    return exp.Filter(
        this=listed,
        expression=exp.Where(this=exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))),
    )


CHAIN = (functions, flattened, array_aggregates)
