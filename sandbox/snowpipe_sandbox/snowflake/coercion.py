"""Text beside numbers, times and booleans: converted as Snowflake does, where DuckDB refuses or rounds.

Which columns are text is known from the tables of the statement; what the rest of it is, sqlglot works out.
A text whose type cannot be worked out stays as it is, and DuckDB's refusal is then "not emulated".

Sources: https://docs.snowflake.com/en/sql-reference/data-type-conversion (what VARCHAR is coerced to),
https://docs.snowflake.com/en/sql-reference/functions/coalesce (the text is what is converted; NUMBER(18,5)
unless it is a constant; an error where it is not a number),
https://docs.snowflake.com/en/sql-reference/functions/sum and avg (VARCHAR becomes floating point).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify_columns import qualify_columns
from sqlglot.schema import MappingSchema

from snowpipe_sandbox.snowflake.catalog import Table

log = logging.getLogger(__name__)
T = exp.DataType.Type
NUMBERS = exp.DataType.NUMERIC_TYPES
TEXTS = exp.DataType.TEXT_TYPES
FLOATS = {T.FLOAT, T.DOUBLE}
OTHERS = {*exp.DataType.TEMPORAL_TYPES, T.BOOLEAN, T.TIME}
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
MERGED = (exp.Between, exp.In, exp.Coalesce, exp.If, exp.Greatest, exp.Least, exp.Nullif)
SUMMED = (exp.Sum, exp.Avg)
CANDIDATES = (*ARITHMETIC, *COMPARED, *MERGED, *SUMMED, exp.Neg, exp.Case)
BECOMES_A_NUMBER = (*SUMMED, exp.Neg, exp.Coalesce, exp.If, exp.Case, exp.Greatest, exp.Least)
"""What is a number where the text in it is converted to one."""
WIDTH = "DECIMAL(18, 5)"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")


def coerce(statement: exp.Expression, tables: Sequence[Table]) -> None:
    """Write the conversions into the statement. ``tables``: those it names, with their columns."""
    kinds = _kinds(tables)
    is_nested = statement.find(exp.CTE, exp.Subquery) is not None
    if not any(_may_mix(node, kinds, is_nested=is_nested) for node in _candidates(statement)):
        return
    copied = statement.copy()
    pairs = {id(copy): node for copy, node in zip(copied.walk(), statement.walk(), strict=True)}
    _annotate(copied, tables)
    for node in reversed(list(_candidates(copied))):  # innermost first: an outer one is written around it
        original = pairs.get(id(node))
        if original is not None:
            _convert(node, original, kinds)


def _candidates(statement: exp.Expression) -> Iterator[exp.Expression]:
    """The nodes whose operands must be of one type; ``SET column = value`` is none of them."""
    for node in statement.find_all(*CANDIDATES):
        if not (isinstance(node.parent, exp.Update) and node.arg_key == "expressions"):
            yield node


def _kinds(tables: Iterable[Table]) -> dict[str, exp.DataType | None]:
    """The columns' types by name; None where two tables' differ."""
    found: dict[str, str | None] = {}
    for table in tables:
        for column in table.columns:
            found[column.name] = (
                column.base_type if found.get(column.name, column.base_type) == column.base_type else None
            )
    built = {name: exp.DataType.build(name, dialect="snowflake") for name in set(found.values()) if name}
    return {name: built[kind] if kind else None for name, kind in found.items()}


def _operands(node: exp.Expression) -> list[exp.Expression]:
    """What must be of one type: both sides, the branches of a CASE, the values of a list."""
    if isinstance(node, exp.Case):
        branches = [each.args["true"] for each in node.args.get("ifs") or ()]
        return [*branches, *([node.args["default"]] if node.args.get("default") else [])]
    keys = ("true", "false") if isinstance(node, exp.If) else ("this", "expression", "low", "high")
    given = [node.args[key] for key in keys if isinstance(node.args.get(key), exp.Expression)]
    return [*given, *(each for each in node.expressions if isinstance(each, exp.Expression))]


def _may_mix(node: exp.Expression, kinds: dict[str, exp.DataType | None], *, is_nested: bool) -> bool:
    """Whether it is worth while to work out types: a text, or what may be one, beside something else."""
    seen = {_rough(each, kinds) for each in _operands(node)}
    if not is_nested:  # then it is of a relation that the sandbox made
        seen.discard("unknown column")
    if isinstance(node, (*ARITHMETIC, *SUMMED, exp.Neg)):
        return bool(seen & {"text", "constant", "unknown column"})
    texts, rest = seen & {"text", "unknown column"}, seen & {"number", "other", "unknown column"}
    return (len(texts | rest) > 1 and bool(texts) and bool(rest)) or {"constant", "number"} <= seen


def _rough(node: exp.Expression, kinds: dict[str, exp.DataType | None]) -> str:
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return "constant" if node.is_string else "number"
    if isinstance(node, exp.Column):
        kind = kinds.get(_name(node))
        if kind is None:
            return "unknown column"
        return "text" if kind.this in TEXTS else "number" if kind.this in NUMBERS else "other"
    if isinstance(node, exp.Cast):
        return "text" if node.to.this in TEXTS else "number" if node.to.this in NUMBERS else "other"
    return "number" if isinstance(node, (*ARITHMETIC, exp.Count, exp.Length)) else "other"


def _name(column: exp.Column) -> str:
    identifier = column.this
    quoted = isinstance(identifier, exp.Identifier) and identifier.args.get("quoted")
    return str(column.name) if quoted else str(column.name).upper()


def _annotate(copied: exp.Expression, tables: Sequence[Table]) -> None:
    """Types for the nodes of the copy, as far as sqlglot can tell them."""
    for identifier in copied.find_all(exp.Identifier):
        if not identifier.args.get("quoted"):
            identifier.set("this", identifier.name.upper())
    for number, query in enumerate(copied.find_all(exp.Subquery)):
        if isinstance(query.parent, exp.From | exp.Join) and not query.args.get("alias"):
            query.set("alias", exp.TableAlias(this=exp.to_identifier(f"_{number}")))
    used = {column.name for column in copied.find_all(exp.Column)}
    mapping: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for table in tables:
        columns = {each.name: each.base_type for each in table.columns if each.name in used}
        mapping.setdefault(table.database, {}).setdefault(table.schema, {})[table.lies_at.name] = columns
    schema = MappingSchema(mapping, dialect="snowflake", normalize=False)
    for query in _queries(copied):
        try:
            qualify_columns(query, schema=schema, expand_stars=False, allow_partial_qualification=True)
            annotate_types(query, schema=schema, dialect="snowflake")
        except Exception as error:  # noqa: BLE001 - sqlglot's own faults; then types stay unknown
            log.info("no types: %s: %s", type(error).__name__, error)


def _queries(statement: exp.Expression) -> Iterator[exp.Expression]:
    """The statement where it is a query, else the queries in it."""
    if isinstance(statement, exp.Query):
        yield statement
        return
    for query in statement.find_all(exp.Query):
        if query.find_ancestor(exp.Query) is None:
            yield query


def _kind(node: exp.Expression, kinds: dict[str, exp.DataType | None]) -> exp.DataType.Type:
    """The node's type; UNKNOWN where nobody can tell."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return T.VARCHAR if node.is_string else T.DECIMAL
    if isinstance(node, ARITHMETIC):
        times = [each for each in (_kind(side, kinds) for side in _operands(node)) if each in OTHERS]
        return times[0] if times else T.DECIMAL
    if isinstance(node, BECOMES_A_NUMBER):
        wanted = _wanted(node, [_kind(each, kinds) for each in _operands(node)])
        if wanted in (WIDTH, "DOUBLE"):
            return T.DECIMAL if wanted == WIDTH else T.DOUBLE
    if node.type is not None and node.type.this not in (T.UNKNOWN, T.NULL):
        return node.type.this
    if isinstance(node, exp.Column):
        kind = kinds.get(_name(node))
        return kind.this if kind is not None else T.UNKNOWN
    return T.UNKNOWN


def _convert(node: exp.Expression, original: exp.Expression, kinds: dict[str, exp.DataType | None]) -> None:
    """Convert the texts among the operands of one node, where something of another type is beside them."""
    sides = list(zip(_operands(node), _operands(original), strict=True))
    types = [_kind(each, kinds) for each, _ in sides]
    wanted = _wanted(node, types)
    if wanted is None:
        return
    for kind, (_, written) in zip(types, sides, strict=True):
        if kind in TEXTS:
            written.replace(_converted(written, wanted))


def _wanted(node: exp.Expression, types: Sequence[exp.DataType.Type]) -> str | None:
    """What the texts among a node's operands become; None where there is none, or they stay."""
    if not any(each in TEXTS for each in types):
        return None
    if isinstance(node, SUMMED):
        return "DOUBLE"
    if isinstance(node, (*ARITHMETIC, exp.Neg)):
        return None if any(each in OTHERS or each is T.UNKNOWN for each in types) else _width(types)
    return _beside(types)


def _width(types: Iterable[exp.DataType.Type]) -> str:
    return "DOUBLE" if FLOATS & set(types) else WIDTH


def _beside(types: Sequence[exp.DataType.Type]) -> str | None:
    """What a text among values of these types becomes; None where all are text, or one is not known."""
    rest = {each for each in types if each not in TEXTS}
    if not rest or T.UNKNOWN in rest:
        return None
    if rest <= NUMBERS:
        return _width(rest)
    (only, *more) = rest
    return None if more or only not in OTHERS else str(only.value)


def _converted(written: exp.Expression, wanted: str) -> exp.Expression:
    """The text as what is wanted: a constant that is a number as that number, anything else by a cast."""
    plain = written.unnest()
    if wanted in (WIDTH, "DOUBLE") and isinstance(plain, exp.Literal) and _NUMBER.fullmatch(plain.this):
        return exp.Literal.number(plain.this)
    return exp.cast(written.copy(), wanted, dialect="duckdb" if wanted in (WIDTH, "DOUBLE") else None)
