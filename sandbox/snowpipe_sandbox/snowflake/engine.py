"""The DuckDB database behind one account, and Snowflake's SQL for it through fakesnow's transforms.

Only fakesnow's translation of plain SQL is used: its own idea of stages, file formats, SHOW and
information schema is never reached (:mod:`snowpipe_sandbox.snowflake.plain_sql` decides what gets here).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import sqlglot
from fakesnow import macros, transforms
from sqlglot import ErrorLevel, exp

from snowpipe_sandbox.clock import Clock
from snowpipe_sandbox.snowflake import semi_structured, time_formats, values

# sqlglot warns when it falls back to an opaque command; those are refused here anyway.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

CLOSED_WITHIN_S = 10
DIVISION_BY_ZERO = "Division by zero"
HOME = "SANDBOX_HOME"
"""The attached database that holds fakesnow's macros; every cursor's current one."""


class Engine:
    """One in-memory DuckDB. Databases of the account are attached databases of the same name."""

    def __init__(self, clock: Clock) -> None:
        # fakesnow's macros use the arrow for lambdas, as its own instance does.
        self._duckdb = duckdb.connect(":memory:", config={"lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self.ddl = threading.RLock()
        """Held while objects are made or dropped: DuckDB's catalogue refuses concurrent changes.

        Locks are taken in the order account, this one, session; never the other way round.
        """
        self.renaming = threading.Lock()
        """Held while tables get other names, from reading the old ones to storing the new ones."""
        self._duckdb.execute(f"ATTACH ':memory:' AS {HOME}")
        self._duckdb.execute(macros.creation_sql(HOME))
        self._duckdb.execute(TIMESTAMP_MACROS)
        self._duckdb.execute(DIVISION_MACRO)
        self._duckdb.execute(values.macros(HOME))
        self._duckdb.execute(semi_structured.macros(HOME))
        self._duckdb.execute(time_formats.macros(HOME))
        self._duckdb.execute("SET GLOBAL TimeZone = 'UTC'")
        self._duckdb.execute("SET GLOBAL python_enable_replacements = false")
        # its time grows with the square of a view's columns, and what it saves is little
        self._duckdb.execute("SET GLOBAL disabled_optimizers = 'common_subexpressions'")
        self._ahead = timedelta(-1)
        self._following = threading.Lock()
        self.follow(clock)

    def cursor(self, timezone: str = "UTC") -> Any:
        """A connection of its own on the data, for one thread. The caller closes it."""
        self.follow(self._clock)
        cursor = self._duckdb.cursor()
        cursor.execute(f"SET schema = '{HOME}.main'")
        if timezone != "UTC":
            cursor.execute(f"SET TimeZone = '{timezone}'")
        return cursor

    def follow(self, clock: Clock) -> None:
        """Let defaults of columns see the tenant's clock: the macro ``sandbox_now()``."""
        self._clock = clock
        ahead = clock.now() - datetime.now(UTC)
        if abs(ahead - self._ahead) < timedelta(seconds=1):
            return
        with self._following:
            self._ahead = ahead
            self._duckdb.cursor().execute(
                f"CREATE OR REPLACE MACRO {HOME}.main.sandbox_now() AS "
                f"(now() + INTERVAL '{round(ahead.total_seconds())} seconds')"
            )

    def close(self) -> None:
        """Free the data, once the statement that is under way has ended; it is waited for a little."""
        until = time.monotonic() + CLOSED_WITHIN_S
        while True:
            try:
                self._duckdb.close()
            except duckdb.Error:  # DuckDB closes no connection under a call
                if time.monotonic() > until:
                    return
                time.sleep(0.01)
            else:
                return


# fakesnow's own _fs_to_timestamp turns epoch seconds into the session's time zone; values' keeps UTC's.
TIMESTAMP_MACROS = f"""
CREATE OR REPLACE MACRO {HOME}.main.sandbox_try_timestamp(val) AS (
    CASE WHEN try_cast(val AS BIGINT) IS NOT NULL
        THEN make_timestamp(CAST(val AS BIGINT) * 1000000)
        ELSE TRY_CAST(val AS TIMESTAMP)
    END
);
"""

# DuckDB divides by zero
DIVISION_MACRO = f"""
CREATE OR REPLACE MACRO {HOME}.main.sandbox_divisor(val) AS
    (CASE WHEN val = 0 THEN error('{DIVISION_BY_ZERO}') ELSE val END);
"""

NTZ = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ)


def try_timestamps(node: exp.Expression) -> exp.Expression:
    """TRY_TO_TIMESTAMP, TRY_TO_TIMESTAMP_NTZ and TRY_CAST … AS TIMESTAMP_NTZ: NULL for what is not a time."""
    named = str(node.this).upper() if isinstance(node, exp.Anonymous) else ""
    if named in ("TRY_TO_TIMESTAMP", "TRY_TO_TIMESTAMP_NTZ") and len(node.expressions) == 1:
        return exp.Anonymous(this="sandbox_try_timestamp", expressions=node.expressions)
    if isinstance(node, exp.TryCast) and node.to.this in NTZ:
        return exp.Anonymous(this="sandbox_try_timestamp", expressions=[node.this])
    if named in ("TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_TZ") and len(node.expressions) == 1:
        return values.with_offset(exp.cast(node.expressions[0], "TIMESTAMPTZ"))
    return node


def divisions(node: exp.Expression) -> exp.Expression:
    """Division by zero is an error (100051), not infinity."""
    if isinstance(node, exp.Div | exp.Mod) and not (
        isinstance(node.expression, exp.Literal) and float(node.expression.this)
    ):
        node.set("expression", exp.Anonymous(this="sandbox_divisor", expressions=[node.expression.unnest()]))
    return node


def trims(node: exp.Expression) -> exp.Expression:
    """TRIM, LTRIM and RTRIM of anything as text, of spaces or of the characters that are named.

    fakesnow's own would forget the side and the characters.
    Source: https://docs.snowflake.com/en/sql-reference/functions/ltrim
    """
    if not isinstance(node, exp.Trim):
        return node
    name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(str(node.args.get("position") or ""), "TRIM")
    characters = node.args.get("expression")
    return exp.Anonymous(
        this=name, expressions=[exp.cast(node.this, "VARCHAR"), *([characters] if characters else [])]
    )


CHAIN = (
    *semi_structured.CHAIN,
    *values.CHAIN,
    divisions,
    try_timestamps,
    trims,
    transforms.upper_case_unquoted_identifiers,
    transforms.extract_comment_on_table,
    transforms.extract_comment_on_columns,
    transforms.semi_structured_types,
    transforms.try_parse_json,
    transforms.split,
    transforms.indices_to_json_extract,  # before regex_substr
    transforms.json_extract_cast_as_varchar,
    transforms.json_extract_cased_as_varchar,
    transforms.json_extract_precedence,
    transforms.flatten_value_cast_as_varchar,
    transforms.flatten,
    transforms.regex_replace,
    transforms.regex_substr,
    transforms.values_columns,
    transforms.to_date,
    transforms.timestamp_offsets,
    transforms.to_decimal,
    transforms.to_timestamp,
    transforms.to_variant,
    transforms.object_construct,
    transforms.timestamp_ntz,
    transforms.float_to_double,
    transforms.integer_precision,
    transforms.sample,
    transforms.array_size,
    transforms.random,
    transforms.array_agg_within_group,
    transforms.array_agg,
    transforms.object_agg,
    transforms.array_construct_etc,
    transforms.dateadd_date_cast,
    transforms.dateadd_string_literal_timestamp_cast,
    transforms.datediff_string_literal_timestamp_cast,
    transforms.haversine,
    transforms.hex_string,
    transforms.sha256,
    transforms.alias_in_join,
    transforms.alias_in_where,
)
"""fakesnow's transforms for plain SQL, in its order; left out: what pretends (stages, SHOW, tags, users,
information schema) and the cast of every SUM to DOUBLE, which would make counts come back as floats."""

LOOKS_AT: dict[Callable[..., Any], tuple[type[exp.Expr], ...]] = {
    semi_structured.flattened: (exp.Explode,),
    semi_structured.array_aggregates: (exp.ArrayAgg, exp.WithinGroup),
    divisions: (exp.Div, exp.Mod),
    try_timestamps: (exp.Anonymous, exp.TryCast),
    trims: (exp.Trim,),
    transforms.upper_case_unquoted_identifiers: (exp.Identifier,),
    transforms.extract_comment_on_table: (exp.Create, exp.Comment, exp.Alter),
    transforms.extract_comment_on_columns: (exp.Alter,),
    transforms.semi_structured_types: (exp.DataType,),
    transforms.try_parse_json: (exp.Anonymous,),
    transforms.split: (exp.Split,),
    transforms.indices_to_json_extract: (exp.Bracket,),
    transforms.json_extract_cast_as_varchar: (exp.Cast,),
    transforms.json_extract_cased_as_varchar: (exp.Upper, exp.Lower),
    transforms.json_extract_precedence: (exp.JSONExtract, exp.JSONExtractScalar),
    transforms.flatten_value_cast_as_varchar: (exp.Cast,),
    transforms.flatten: (exp.Lateral, exp.TableFromRows),
    transforms.regex_replace: (exp.RegexpReplace,),
    transforms.regex_substr: (exp.RegexpExtract,),
    transforms.values_columns: (exp.Values,),
    transforms.to_date: (exp.Anonymous,),
    transforms.timestamp_offsets: (exp.Cast,),
    transforms.to_decimal: (exp.ToNumber,),
    transforms.to_timestamp: (exp.UnixToTime, exp.Anonymous, exp.Cast),
    transforms.to_variant: (exp.ToVariant,),
    transforms.object_construct: (exp.StarMap, exp.Struct, exp.JSONObject),
    transforms.timestamp_ntz: (exp.DataType,),
    transforms.float_to_double: (exp.DataType,),
    transforms.integer_precision: (exp.DataType,),
    transforms.sample: (exp.TableSample,),
    transforms.array_size: (exp.ArraySize,),
    transforms.random: (exp.Select,),
    transforms.array_agg_within_group: (exp.WithinGroup,),
    transforms.array_agg: (exp.ArrayAgg, exp.Window),
    transforms.object_agg: (exp.ObjectAgg,),
    transforms.array_construct_etc: (exp.ArrayConstructCompact, exp.Array, exp.ArrayConcat),
    transforms.dateadd_date_cast: (exp.DateAdd,),
    transforms.dateadd_string_literal_timestamp_cast: (exp.DateAdd,),
    transforms.datediff_string_literal_timestamp_cast: (exp.DateDiff,),
    transforms.haversine: (exp.Anonymous,),
    transforms.hex_string: (exp.HexString,),
    transforms.sha256: (exp.SHA2, exp.SHA2Digest, exp.Anonymous),
    transforms.alias_in_join: (exp.Select,),
    transforms.alias_in_where: (exp.Select,),
}
"""What each changes (fakesnow is pinned): it is asked of these nodes only, and not where there is none.

A view with a column for each of hundreds of schemas has tens of thousands of nodes.
"""

KEPT = "_kept"


def _insert_overwrite(statement: exp.Expression) -> list[exp.Expression]:
    """INSERT OVERWRITE reads what it inserts before it empties the table, which may be what it reads.

    A statement sees what was there when it began: https://docs.snowflake.com/en/sql-reference/transactions
    """
    parts = list(transforms.insert_overwrite(statement))
    if len(parts) == 1 or not isinstance(statement.expression, exp.Query):
        return parts
    emptied, insert = parts
    kept = exp.Create(
        this=exp.to_table(KEPT),
        kind="TABLE",
        replace=True,
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        expression=insert.expression.copy(),
    )
    insert.set("expression", exp.select("*").from_(exp.to_table(KEPT)))
    return [kept, emptied, insert]


SPLITTERS = (
    transforms.merge,
    transforms.alter_table_add_multiple_columns,
    _insert_overwrite,
)


def translate(statement: exp.Expression) -> list[str]:
    """The DuckDB statements that do what one Snowflake statement says, in order.

    Raises sqlglot's UnsupportedError, fakesnow's errors or NotImplementedError for what they cannot say.
    """
    return [_translated(part) for part in _split(statement)]


def _split(statement: exp.Expression) -> list[exp.Expression]:
    for splitter in SPLITTERS:
        parts = splitter(statement)
        if len(parts) > 1:
            return list(parts)
    return [statement]


def _translated(statement: exp.Expression) -> str:
    kinds = {type(node) for node in statement.walk()}
    for transform in CHAIN:
        looks_at = LOOKS_AT.get(transform, (exp.Expr,))
        if any(issubclass(kind, looks_at) for kind in kinds):
            statement, kinds = _transformed(statement, transform, looks_at)
    # Everything is quoted: Snowflake allows names that are words of DuckDB's own.
    return str(statement.sql(dialect="duckdb", identify=True, unsupported_level=ErrorLevel.RAISE))


def _transformed(
    root: exp.Expr, transform: Callable[[exp.Expr], exp.Expr], looks_at: tuple[type[exp.Expr], ...]
) -> tuple[exp.Expr, set[type[exp.Expr]]]:
    """What sqlglot's ``transform`` does, in a fraction of its time; and the kinds of node there are.

    What was put in place of a node is not looked into.
    """
    kinds: set[type[exp.Expr]] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, looks_at):
            parent, key, index = node.parent, node.arg_key, node.index
            new = transform(node)
            if new is not node:
                if node is root:
                    root = new
                elif parent and key:
                    parent.set(key, new, index)
                kinds.update(type(each) for each in new.walk())
                continue
        kinds.add(type(node))
        for value in reversed(node.args.values()):
            if isinstance(value, list):
                stack.extend(each for each in reversed(value) if isinstance(each, exp.Expr))
            elif isinstance(value, exp.Expr):
                stack.append(value)
    return root, kinds


def parse(text: str) -> list[exp.Expression]:
    """The statements of a text as sqlglot sees them; empty ones left out. Raises sqlglot's ParseError."""
    return [
        statement
        for statement in sqlglot.parse(text, read="snowflake")
        if statement is not None and not isinstance(statement, exp.Semicolon)
    ]
