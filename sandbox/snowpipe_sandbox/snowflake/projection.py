"""From a file's fields to a table's columns: what a COPY compiles to.

A projection is DuckDB SQL over a batch of rows (columns c1 … cN for $1 … $N, and m_… for METADATA$…): one
expression for each target column, converted to its type, and beside it which column cannot be converted.

Sources: [transform] https://docs.snowflake.com/en/user-guide/data-load-transform; [querying-metadata]
https://docs.snowflake.com/en/user-guide/querying-metadata; sources: Snowflake §1.5-1.6.

Longer than 400 lines: the SELECT in a COPY, an expression each.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from snowpipe_sandbox.snowflake import (
    coercion,
    conversions,
    engine,
    errors,
    functions,
    load_errors,
    sequences,
)
from snowpipe_sandbox.snowflake.catalog import Table, TableColumn
from snowpipe_sandbox.snowflake.copy_statement import CopyStatement, only_simple_select
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.names import quoted

log = logging.getLogger(__name__)

METADATA = {
    "METADATA$FILENAME": "m_filename",
    "METADATA$FILE_ROW_NUMBER": "m_row_number",
    "METADATA$FILE_CONTENT_KEY": "m_content_key",
    "METADATA$FILE_LAST_MODIFIED": "m_last_modified",
    "METADATA$START_SCAN_TIME": "m_start_scan_time",
}

_TRY = {
    "TRY_TO_TIMESTAMP": "LOAD_TIMESTAMP_NTZ",
    "TRY_TO_TIMESTAMP_NTZ": "LOAD_TIMESTAMP_NTZ",
    "TRY_TO_TIMESTAMP_LTZ": "LOAD_TIMESTAMP_LTZ",
    "TRY_TO_DATE": "LOAD_DATE",
    "TRY_TO_TIME": "LOAD_TIME",
    "TRY_TO_BOOLEAN": "LOAD_BOOLEAN",
    "TRY_PARSE_JSON": "LOAD_JSON",
}
_TRY_CAST = {
    exp.DType.TIMESTAMP: "LOAD_TIMESTAMP_NTZ",
    exp.DType.TIMESTAMPNTZ: "LOAD_TIMESTAMP_NTZ",
    exp.DType.DATETIME: "LOAD_TIMESTAMP_NTZ",
    exp.DType.TIMESTAMPLTZ: "LOAD_TIMESTAMP_LTZ",
    exp.DType.DATE: "LOAD_DATE",
    exp.DType.TIME: "LOAD_TIME",
    exp.DType.BOOLEAN: "LOAD_BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A column being filled: where it stands in the table, from which $n (None: from none), by what SQL."""

    column: TableColumn
    position: int
    field: int | None
    raw: str
    """The expression before conversion, in DuckDB's SQL."""
    converted: str
    fails: str | None
    """SQL that is true where the conversion fails, or None where it cannot."""
    counts: bool = False
    """Does it draw from a sequence? Then it is computed only where it is written."""
    document: bool = False
    """Is what it converts a VARIANT?"""


@dataclass(frozen=True, slots=True)
class Projection:
    """A compiled load: SQL over ``batch`` for the columns ``targets``.

    ``wanted`` fields are read of each record; ``expected`` is how many a record must have, or None.
    ``fallible``: some record may fail to convert, so a batch is tried before it is written.
    """

    targets: tuple[Target, ...]
    wanted: int
    expected: int | None
    transformed: bool
    source: str
    metadata: frozenset[str]
    fallible: bool
    matched: bool = False
    """Do fields go to the columns of their names?"""

    def insert(self, table: str) -> str:
        """INSERT INTO the table from ``batch``."""
        columns = ", ".join(f'"{t.column.name}"' for t in self.targets)
        return f"INSERT INTO {table} ({columns}) {self.select()}"

    def select(self) -> str:
        """The converted rows of ``batch``."""
        return f"SELECT {', '.join(t.converted for t in self.targets)} FROM {self.source}"

    def check(self) -> str:
        """(row index, 1-based number of the failing target or 0) for each row, after computing all of it."""
        cases = [f"WHEN {t.fails} THEN {n}" for n, t in enumerate(self.targets, 1) if t.fails]
        # every column is converted before any is found NULL [frostlake: enforceColumnConstraints]
        cases += [
            f"WHEN ({t.converted}) IS NULL THEN {-n}"
            for n, t in enumerate(self.targets, 1)
            if not t.column.nullable and not t.counts
        ]
        failing = f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
        computed = ", ".join(
            f"({'NULL' if t.counts else t.converted}) AS v{n}" for n, t in enumerate(self.targets, 1)
        )
        return f"SELECT i, {failing} AS failing, {computed} FROM {self.source}"


def compile_copy(
    statement: CopyStatement,
    columns: Sequence[TableColumn],
    options: FormatOptions,
    compiled_at: datetime,
    timezone: str,
    cursor: Any,
    next_of: sequences.Find,
) -> Projection:
    """The projection of a COPY into a table of these columns.

    ``compiled_at``: what CURRENT_TIMESTAMP and its like say (the load's compilation, not its run:
    sources: Snowflake §1.5). ``cursor``: a connection to an engine with MACROS, for finding out types.
    ``next_of``: finds sequences. Raises SnowflakeError: an unknown or repeated column, another number of
    expressions than of columns, a function that is not emulated.
    """
    now = _Now(compiled_at, timezone)
    targets = _target_columns(statement, columns)
    positions = {column.name: n for n, column in enumerate(columns, 1)}
    metadata: set[str] = set()
    if statement.match_by_column_name is not None:
        targets = [column for column in targets if column.identity is None]
        sources = _matched(statement, targets, options, metadata)
        counted = options.type == "CSV" and options["ERROR_ON_COLUMN_COUNT_MISMATCH"]
        expected = len(columns) if counted else None
    elif statement.select is None:
        sources, expected = _plain(statement, targets, options)
    else:
        sources, metadata = _selected(statement, options, now, next_of)
        expected = None
        if len(sources) != len(targets):
            raise SnowflakeError(
                2020,
                "21S01",
                "SQL compilation error:\nInsert value list does not match column list expecting "
                f"{len(targets)} but got {len(sources)}",
            )
    wanted = max([source.highest_field for source in sources] + [1])
    matched = statement.match_by_column_name is not None
    if statement.select is None and expected is not None and not matched:
        wanted = expected
    sources += _defaults(columns, targets, now)
    filled = [*targets, *(c for c in columns if c not in targets and c.shown_default is not None)]
    from_ = _from(wanted, metadata, documents=matched or options.type != "CSV")
    types = _types(cursor, sources, from_, wanted, metadata, [source.text for source in sources])
    made = [
        _target(column, positions[column.name], source, type_, statement, options)
        for column, source, type_ in zip(filled, sources, types, strict=True)
    ]
    fallible = any(t.fails or not (t.column.nullable or t.counts) for t in made) or any(
        s.strict for s in sources
    )
    return Projection(
        targets=tuple(made),
        wanted=wanted,
        expected=expected,
        transformed=statement.select is not None,
        source=from_,
        metadata=frozenset(metadata),
        fallible=fallible,
        matched=matched,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """An expression in DuckDB's SQL, the first and highest $n it reads, and whether it may raise."""

    sql: str
    field: int | None = None
    highest_field: int = 0
    strict: bool = False
    text: str = ""
    """As it was written."""
    counts: bool = False
    """Does it draw from a sequence?"""


def _target_columns(statement: CopyStatement, columns: Sequence[TableColumn]) -> list[TableColumn]:
    if not statement.columns:
        return list(columns)
    known = {column.name: column for column in columns}
    targets = []
    for name in statement.columns:
        if name not in known:
            raise SnowflakeError(
                904,
                "42000",
                f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{quoted(name)}'",
            )
        if known[name] in targets:
            raise SnowflakeError(
                2025, "42S21", f"SQL compilation error:\nduplicate column name '{quoted(name)}'"
            )
        targets.append(known[name])
    return targets


def _plain(
    statement: CopyStatement, targets: Sequence[TableColumn], options: FormatOptions
) -> tuple[list[_Source], int | None]:
    """Fields to columns one by one. Fields are counted only without a column list [frostlake]."""
    if options.type != "CSV":
        if len(targets) != 1 or targets[0].base_type not in ("VARIANT", "OBJECT", "ARRAY"):
            raise SnowflakeError(
                2019,
                "0A000",
                f"SQL compilation error:\n{options.type} file format can produce one and only one column of "
                "type variant, object, or array. Load data into separate columns using the "
                "MATCH_BY_COLUMN_NAME copy option or copy with transformation.",
            )
        return [_Source("c1", 1, 1)], None
    counted = options["ERROR_ON_COLUMN_COUNT_MISMATCH"] and not statement.columns
    sources = [_Source(f"c{n}", n, n) for n in range(1, len(targets) + 1)]
    return sources, len(targets) if counted else None


def _matched(
    statement: CopyStatement, targets: Sequence[TableColumn], options: FormatOptions, metadata: set[str]
) -> list[_Source]:
    """A document's members, or a CSV file's fields, to the columns of their names; NULL for the others.

    Source: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (MATCH_BY_COLUMN_NAME,
    INCLUDE_METADATA). Raises 000904 for a column or METADATA$ name nobody knows.
    """
    if options.type == "CSV" and not options["PARSE_HEADER"]:
        raise errors.not_emulated(
            "MATCH_BY_COLUMN_NAME with CSV files whose format has no PARSE_HEADER = TRUE"
        )
    filled = statement.include_metadata
    unknown = set(filled) - {column.name for column in targets} | (set(filled.values()) - set(METADATA))
    if unknown:
        raise errors.invalid_identifier(min(unknown))
    metadata |= {METADATA[name] for name in filled.values()}
    macro = "load_same" if statement.match_by_column_name == "CASE_SENSITIVE" else "load_alike"
    return [
        _Source(METADATA[filled[column.name]])
        if column.name in filled
        else _Source(_cleaned(f"{macro}(c1, {_literal(column.name)})", options), 1, 1, text=column.name)
        for column in targets
    ]


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")


def _cleaned(member: str, options: FormatOptions) -> str:
    """TRIM_SPACE and NULL_IF, which documents know under MATCH_BY_COLUMN_NAME only [create-file-format]."""
    if options.type == "CSV":
        return f"({member} ->> '$')"
    if options["TRIM_SPACE"]:
        member = f"load_trimmed({member})"
    if options["NULL_IF"]:
        member = f"load_unless({member}, [{', '.join(_literal(text) for text in options['NULL_IF'])}])"
    return member


def _from(wanted: int, metadata: set[str], *, documents: bool) -> str:
    if not documents:
        return "batch"
    others = "".join(f", {name}" for name in sorted(metadata))
    # a document's other columns do not exist
    nulls = "".join(f", NULL::VARCHAR AS c{n}" for n in range(2, wanted + 1))
    return f"(SELECT i, c1::JSON AS c1{nulls}{others} FROM batch)"


# -- the SELECT of a transformation ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Now:
    """The moment the load was compiled, for CURRENT_TIMESTAMP and the like."""

    moment: datetime
    timezone: str

    def node(self, found: exp.Expression) -> exp.Expression:
        """The constant a function of the present stands for."""
        utc = self.moment.replace(tzinfo=None).isoformat(sep=" ")
        if found.args.get("sysdate"):
            return exp.cast(exp.Literal.string(utc), "TIMESTAMPNTZ")
        aware = exp.cast(exp.Literal.string(utc + "+00"), "TIMESTAMPLTZ")
        if isinstance(found, exp.CurrentDate):
            return exp.cast(aware, "DATE")
        if isinstance(found, (exp.CurrentTime, exp.Localtime)):
            local = self.moment.astimezone(ZoneInfo(self.timezone)).time()
            return exp.cast(exp.Literal.string(local.isoformat()), "TIME")
        return aware


_PRESENT = (exp.CurrentTimestamp, exp.Localtimestamp, exp.CurrentDate, exp.CurrentTime, exp.Localtime)
_OTHERWISE = {"HASH"}
"""Functions whose values are others in DuckDB."""
_REFUSED = (exp.Subquery, exp.Select, exp.AggFunc, exp.Window, exp.Star)


def _selected(
    statement: CopyStatement, options: FormatOptions, now: _Now, next_of: sequences.Find
) -> tuple[list[_Source], set[str]]:
    try:
        select = sqlglot.parse_one(f"SELECT {statement.select} FROM batch", read="snowflake")
    except ParseError as error:
        raise errors.unparsed(error) from None
    metadata: set[str] = set()
    sources = []
    for item in select.expressions:
        if item.find(*_REFUSED):
            raise only_simple_select()
        whole = item.unalias()
        drawn = sequences.parts_of(whole)
        if drawn:
            sources.append(_Source(next_of(drawn), counts=True))
        else:
            sources.append(_source(whole, statement, options, now, metadata))
    return sources, metadata


def _source(
    item: exp.Expression, statement: CopyStatement, options: FormatOptions, now: _Now, metadata: set[str]
) -> _Source:
    """One expression of the SELECT in DuckDB's SQL."""
    if isinstance(item, exp.Parameter) and str(item.this.this).isdigit() and int(item.this.this) > 0:
        number = int(item.this.this)
        return _Source(f"c{number}", number, number)
    if isinstance(item, exp.Column) and not item.table and item.name.upper() in METADATA:
        metadata.add(METADATA[item.name.upper()])
        return _Source(METADATA[item.name.upper()])
    holder = exp.select(item.copy())
    fields = _name_fields(holder, statement, options)
    for column in list(holder.find_all(exp.Column)):
        _name_metadata(column, metadata)
    for found in list(holder.find_all(*_PRESENT)):
        found.replace(now.node(found))
    for found in list(holder.find_all(exp.Func)):
        if type(found).__name__.startswith("Current") or functions.name_of(found) in _OTHERWISE:
            raise errors.not_emulated(f"{found.sql(dialect='snowflake')} in a COPY transformation")
    if options.type == "CSV":
        coercion.coerce(holder, [_texts(fields)])
    _name_tries(holder)
    _name_ours(holder)
    strict = holder.find(exp.Cast, exp.ParseJSON, exp.ToNumber, exp.Anonymous, exp.Func) is not None
    try:
        (sql,) = engine.translate(holder)
    except SnowflakeError:
        raise
    except Exception:  # noqa: BLE001 - sqlglot and fakesnow raise what comes
        raise _not_emulated(item) from None
    return _Source(
        sql.removeprefix("SELECT "),
        min(fields, default=None),
        max(fields, default=0),
        strict=strict,
        text=item.sql(dialect="snowflake")[:100],
    )


def _texts(fields: Sequence[int]) -> Table:
    """A delimited file's fields as what their types are known by: texts."""
    columns = [TableColumn(f"c{n}", f"VARCHAR({load_errors.MAX_VARCHAR})") for n in sorted({*fields})]
    return Table(0, "", "", "batch", "", datetime.min.replace(tzinfo=UTC), columns=columns)


def _name_fields(holder: exp.Expression, statement: CopyStatement, options: FormatOptions) -> list[int]:
    """Write c1 for $1; answer the numbers in order. Raises for paths into what is text."""
    fields: list[int] = []
    for parameter in list(holder.find_all(exp.Parameter)):
        number = str(parameter.this.this)
        if not number.isdigit() or int(number) < 1:
            raise errors.not_emulated("session variables in a COPY transformation")
        whole = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
        if isinstance(whole, exp.Column) and whole.table and whole.table.upper() != statement.alias:
            raise SnowflakeError(
                904, "42000", f"SQL compilation error:\ninvalid identifier '{whole.sql(dialect='snowflake')}'"
            )
        if options.type == "CSV" and isinstance(whole.parent, (exp.JSONExtract, exp.Bracket)):
            raise SnowflakeError(
                1044,
                "42P13",
                "SQL compilation error:\nInvalid argument types for function 'GET': (VARCHAR, VARCHAR)",
            )
        fields.append(int(number))
        whole.replace(exp.column(exp.to_identifier(f"c{number}", quoted=True)))
    return fields


def _name_metadata(column: exp.Column, metadata: set[str]) -> None:
    name = column.name if column.this.args.get("quoted") else column.name.upper()
    if name == "NEXTVAL" and column.table:
        raise errors.not_emulated("a sequence inside an expression of a COPY transformation")
    if column.this.args.get("quoted") and name.startswith("c") and name[1:].isdigit():
        return
    if name not in METADATA:
        raise SnowflakeError(
            904, "42000", f"SQL compilation error:\ninvalid identifier '{column.sql(dialect='snowflake')}'"
        )
    metadata.add(METADATA[name])
    column.replace(exp.column(exp.to_identifier(METADATA[name], quoted=True)))


_OURS = frozenset(
    [
        "ARRAY_TO_STRING",
        "AS_BOOLEAN",
        "AS_INTEGER",
        "AS_VARCHAR",
        "BASE64_ENCODE",
        "IS_BOOLEAN",
        "IS_INTEGER",
        "IS_OBJECT",
        "IS_VARCHAR",
        "LPAD",
        "OCTET_LENGTH",
        "RPAD",
    ]
)
"""Functions that DuckDB has otherwise, or not for such arguments: macros of conversions.py, ``load_`` before.

Sources: the page of each, such as https://docs.snowflake.com/en/sql-reference/functions/array_to_string
"""


def _name_ours(holder: exp.Expression) -> None:
    for found in list(holder.find_all(exp.Func)):
        name = found.sql(dialect="snowflake").partition("(")[0].upper()
        if name in _OURS:
            arguments = [each.copy() for each in found.iter_expressions()]
            found.replace(exp.Anonymous(this=f"LOAD_{name}", expressions=arguments))


def _name_tries(holder: exp.Expression) -> None:
    """TRY_… functions as this module's macros: fakesnow's own raise where Snowflake's give NULL."""
    for found in list(holder.find_all(exp.TryCast)):
        name = _TRY_CAST.get(found.to.this)
        if name is not None:
            found.replace(exp.Anonymous(this=name, expressions=[found.this.copy()]))
    for found in list(holder.find_all(exp.Func)):
        name = found.name.upper() if isinstance(found, exp.Anonymous) else found.sql_name()
        macro = _TRY.get(name)
        if macro is None:
            continue
        arguments = found.expressions if isinstance(found, exp.Anonymous) else [found.this]
        if len(arguments) != 1 or found.args.get("format"):
            raise errors.not_emulated(f"{name} with a format")
        found.replace(exp.Anonymous(this=macro, expressions=[arguments[0].copy()]))


def _defaults(columns: Sequence[TableColumn], targets: Sequence[TableColumn], now: _Now) -> list[_Source]:
    """The defaults of columns nothing is loaded into, worked out when the load is compiled."""
    sources = []
    for column in columns:
        if column in targets:
            continue
        if column.next_sql is not None:
            sources.append(_Source(column.next_sql, counts=True))
            continue
        if column.default is None:
            continue
        holder = sqlglot.parse_one(f"SELECT {column.default}", read="snowflake")
        for found in list(holder.find_all(*_PRESENT)):
            found.replace(now.node(found))
        (sql,) = engine.translate(holder)
        sources.append(_Source(sql.removeprefix("SELECT ")))
    return sources


def _not_emulated(item: exp.Expression) -> SnowflakeError:
    return errors.not_emulated(f"in a COPY transformation: {item.sql(dialect='snowflake')[:100]}")


def _types(
    cursor: Any,
    sources: Sequence[_Source],
    from_: str,
    wanted: int,
    metadata: set[str],
    written: Sequence[str],
) -> list[str]:
    """The DuckDB type of each expression. Raises not emulated for what DuckDB cannot make sense of."""
    fields = [f"NULL::VARCHAR AS c{n}" for n in range(1, wanted + 1)]
    fields += [f"NULL::{METADATA_TYPES[name]} AS {name}" for name in sorted(metadata)]
    batch = f"(SELECT 0 AS i, {', '.join(fields)})"
    items = ", ".join(f"({source.sql}) AS v{n}" for n, source in enumerate(sources))
    try:
        described = cursor.execute(f"DESCRIBE WITH batch AS {batch} SELECT {items} FROM {from_}").fetchall()
    except duckdb.Error as error:
        log.info("DuckDB: %s", error)
        if len(sources) == 1:
            raise errors.not_emulated(f"in a COPY transformation: {written[0]}") from None
        for source, text in zip(sources, written, strict=True):
            _types(cursor, [source], from_, wanted, metadata, [text])
        raise errors.not_emulated("in a COPY transformation") from None
    return [row[1] for row in described]


METADATA_TYPES = {
    "m_filename": "VARCHAR",
    "m_row_number": "BIGINT",
    "m_content_key": "VARCHAR",
    "m_last_modified": "TIMESTAMP",
    "m_start_scan_time": "TIMESTAMPTZ",
}


def _target(
    column: TableColumn,
    position: int,
    source: _Source,
    type_: str,
    statement: CopyStatement,
    options: FormatOptions,
) -> Target:
    raw = f"({source.sql})"
    if source.counts:
        return Target(column, position, None, "NULL", raw, None, counts=True)
    converted, fails = conversions.convert(column, raw, type_, statement, options)
    return Target(column, position, source.field, raw, converted, fails, document=type_ == "JSON")
