"""Values bound on the server (qmark and numeric): from the wire's texts to constants of the SQL tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, plain_sql, result
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(given: Mapping[str, Any]) -> list[exp.Expression]:
    """The values of ``{"1": {"type": "TEXT", "value": "x"}, …}`` in order.

    An array binding (a list of values for each placeholder) becomes tuples: see
    :func:`snowpipe_sandbox.snowflake.plain_sql.bind`. Raises 000002 for types that are not emulated.
    """
    positions = sorted(given, key=lambda each: int(each) if each.isdigit() else 0)
    if positions and not all(each.isdigit() for each in positions):
        raise errors.not_emulated("bindings by name")
    columns = [given[each] for each in positions]
    if any(isinstance(each.get("value"), list) for each in columns):
        return [
            exp.Tuple(expressions=[_value(str(each["type"]), value) for value in each["value"]])
            for each in columns
        ]
    return [_value(str(each["type"]), each.get("value")) for each in columns]


def _value(type_: str, value: str | None) -> exp.Expression:  # noqa: PLR0911 - one line a type
    """One value as a constant."""
    kind = type_.upper()
    if value is None:
        return exp.Null()
    if kind in ("TEXT", "VARCHAR", "CHAR", "ANY"):
        return exp.Literal.string(value)
    if kind in ("FIXED", "REAL", "DECFLOAT"):
        return _number(value)
    if kind == "BOOLEAN":
        return exp.Boolean(this=value.lower() in ("true", "1"))
    if kind == "BINARY":
        return exp.func(
            "TO_BINARY", exp.Literal.string(value), exp.Literal.string("HEX"), dialect="snowflake"
        )
    if kind == "DATE":
        day = date(1970, 1, 1) + timedelta(milliseconds=int(value))
        return exp.cast(exp.Literal.string(day.isoformat()), "DATE")
    if kind == "TIME":
        moment = EPOCH + timedelta(microseconds=int(value) // 1000)
        return exp.cast(exp.Literal.string(moment.time().isoformat()), "TIME")
    if kind in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "TIMESTAMP"):
        moment = EPOCH + timedelta(microseconds=int(value.split()[0]) // 1000)
        if kind in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ"):
            return exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), "TIMESTAMPTZ")
        return exp.cast(exp.Literal.string(moment.replace(tzinfo=None).isoformat(sep=" ")), "TIMESTAMPNTZ")
    raise errors.not_emulated(f"binding a value of type {type_}")


def _number(text: str) -> exp.Expression:
    if text.startswith("-"):
        return exp.Neg(this=exp.Literal.number(text[1:]))
    return exp.Literal.number(text)


def describe(session: Session, text: str, given: Mapping[str, Any]) -> tuple[Result, int]:
    """The columns a statement would give, and how many placeholders it has; only queries are looked into."""
    statement = plain_sql.one_statement(text)
    placeholders = len(list(statement.find_all(exp.Placeholder)))
    if isinstance(statement, exp.Query):
        bound: Sequence[exp.Expression] = read(given) if given else [exp.Null()] * placeholders
        limited = exp.select("*").from_(plain_sql.bind(statement, bound).subquery("described")).limit(0)
        names = plain_sql.projection_names(statement, plain_sql.written_projections(text))
        described = plain_sql.select(session, limited)
        return _renamed(described, names), placeholders
    kinds = {
        exp.Insert: result.INSERT,
        exp.Update: result.UPDATE,
        exp.Delete: result.DELETE,
        exp.Merge: result.MERGE,
    }
    return Result(result.texts("status"), [], kinds.get(type(statement), result.DDL)), placeholders


def _renamed(described: Result, names: Sequence[str | None]) -> Result:
    if len(names) != len(described.columns):
        return described
    columns = [
        result.Column(name or each.name, each.type, each.nullable, each.length, each.precision, each.scale)
        for name, each in zip(names, described.columns, strict=True)
    ]
    return Result(columns, [], described.statement_type)
