"""Plain SQL: SELECT and the statements that change rows, run by DuckDB through fakesnow's transforms.

What the sandbox itself knows (context functions, SYSTEM$…, histories, INFORMATION_SCHEMA) is put into the
query as constants and relations first; names are resolved and privileges checked here, never by DuckDB.

Longer than 400 lines: what of plain SQL is taken, and in which words the rest is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from fakesnow.transforms.merge import operations as merge_operations
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from snowpipe_sandbox.snowflake import (
    coercion,
    directory,
    duckdb_errors,
    encoding,
    errors,
    functions,
    infer_schema,
    relations,
    result,
    sequences,
    stage_query,
    stream_reading,
    views,
)
from snowpipe_sandbox.snowflake.datatypes import result_column, shown_type
from snowpipe_sandbox.snowflake.engine import parse, translate
from snowpipe_sandbox.snowflake.grammar.tokens import tokenize
from snowpipe_sandbox.snowflake.queries import CURRENT
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

log = logging.getLogger(__name__)
T = TypeVar("T")
COUNTED = {exp.Insert: ("inserted", result.INSERT), exp.Delete: ("deleted", result.DELETE)}
CLASHES_BORNE = 10
MOST_IN_A_LIST = 16_384  # https://github.com/snowflakedb/snowflake-connector-python/issues/37
CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
PLACES = count(1)
STREAMS = "streams it reads"
MERGE_PRIVILEGES = {"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}


def one_statement(text: str) -> exp.Expression:
    """The only statement of a text. Raises 001003 (no SQL) or 000008 (several)."""
    try:
        statements = parse(text)
    except ParseError as error:
        raise errors.unparsed(error) from None
    except SqlglotError:  # a text its tokenizer cannot divide
        line, _, last = text.rpartition("\n")
        raise errors.syntax_error(
            "unexpected '<EOF>'.", line.count("\n") + 1 + bool(line), len(last)
        ) from None
    except Exception as error:  # noqa: BLE001 - sqlglot's own faults
        log.info("no parse: %s: %s", type(error).__name__, error)
        raise duckdb_errors.this_statement() from None
    if not statements:
        raise errors.SnowflakeError(900, "42601", "SQL compilation error: Empty SQL statement.")
    if len(statements) > 1:
        raise errors.SnowflakeError(
            8,
            "0A000",
            f"Actual statement count {len(statements)} did not match the desired statement count 1.",
        )
    if any(not each.expressions for each in statements[0].find_all(exp.Select)):
        raise errors.syntax_error("unexpected '<EOF>'.")
    for table in statements[0].find_all(exp.Table):
        relations.read_identifier_call(table)
    for node in statements[0].find_all(exp.In):
        if len(node.expressions) > MOST_IN_A_LIST:
            raise errors.too_long_a_list(MOST_IN_A_LIST, len(node.expressions))
    return statements[0]


def run(session: Session, text: str, bindings: Sequence[exp.Expression] = ()) -> Result:
    """Run one SELECT, INSERT, UPDATE, DELETE or MERGE."""
    statement = bind(one_statement(text), bindings)
    if isinstance(statement, exp.Query):
        return select(session, statement, text)
    if isinstance(statement, CHANGES):
        return change(session, statement)
    raise errors.not_emulated(text.strip()[:60])


def bind(statement: exp.Expression, bindings: Sequence[exp.Expression]) -> exp.Expression:
    """Put the values for ``?`` and ``:1`` placeholders in. Raises 002049 where one has no value."""
    if statement.find(exp.Parameter) and not any(map(stage_query.is_stage, statement.find_all(exp.Table))):
        raise errors.not_emulated("session variables, and $n of anything but a stage's files")
    if any(isinstance(each, exp.Tuple) for each in bindings):
        return _bind_rows(statement, bindings)
    formats = [each for each in statement.find_all(exp.Placeholder) if each.arg_key == "format"]
    for position, placeholder in enumerate(list(statement.find_all(exp.Placeholder, bfs=False))):
        number = placeholder.this
        index = int(number) - 1 if number and str(number).isdigit() else position
        if not 0 <= index < len(bindings):
            raise errors.SnowflakeError(
                2049, "42601", "SQL compilation error: error line 1 at position 0\nBind variable ? not set."
            )
        placeholder.replace(bindings[index].copy())
    if formats:  # sqlglot translates a format where it reads it
        return one_statement(statement.sql(dialect="snowflake"))
    return statement


def _bind_rows(statement: exp.Expression, columns: Sequence[exp.Expression]) -> exp.Expression:
    """An array binding: the one row of an INSERT's VALUES, once for each row of values."""
    values = statement.args.get("expression")
    if (
        not isinstance(statement, exp.Insert)
        or not isinstance(values, exp.Values)
        or len(values.expressions) != 1
    ):
        raise errors.not_emulated("array bindings outside INSERT … VALUES")
    (template,) = values.expressions
    rows = []
    for row in zip(*(column.expressions for column in columns), strict=True):
        made = exp.maybe_copy(template)
        rows.append(bind(exp.Paren(this=made), row).this)
    values.set("expressions", rows)
    return statement


# --- queries


def select(session: Session, query: exp.Expression, text: str = "") -> Result:
    """Run a query and keep its rows as an Arrow table. ``text``: as written, for the columns' names."""
    names = projection_names(query, written_projections(text))
    with prepared(session, query) as ready:
        (sql,) = translated(ready)

        def fetch() -> tuple[list[str], list[str], Any]:
            relation = session.duck.sql(sql)
            return relation.columns, [str(type_) for type_ in relation.types], relation.to_arrow_table()

        found, types, table = in_duckdb(session, fetch)
    shown = (
        [given or own for given, own in zip(names, found, strict=True)] if len(names) == len(found) else found
    )
    columns = [result_column(name, shown_type(type_)) for name, type_ in zip(shown, types, strict=True)]
    table = table.rename_columns([column.name for column in columns])
    return Result(columns, statement_type=result.SELECT, table=table)


def written_projections(text: str) -> list[str]:
    """The expressions between the outermost SELECT and its FROM, as written; [] where that is not plain."""
    tokens = tokenize(text)
    if next(tokens).value != "SELECT":
        return []
    pieces: list[str] = []
    depth, start, end = 0, -1, -1
    for token in tokens:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.value, 0)
        ends = token.kind == "end" or (depth == 0 and token.value in ("FROM", ";", "LIMIT", "UNION", "ORDER"))
        if ends or (depth == 0 and token.value == "," and token.kind == "symbol"):
            pieces.append(text[start:end])
            start = -1
            if ends:
                return pieces
        elif start < 0:
            start = token.start
        end = token.end
    return pieces


def projection_names(query: exp.Expression, written: Sequence[str] = ()) -> list[str | None]:
    """What Snowflake calls the columns: aliases, column names, else the expression's text in capitals.

    Empty where a star hides how many there are.
    """
    names: list[str | None] = []
    projections = query.selects if isinstance(query, exp.Query) else []
    texts = list(written) if len(written) == len(projections) else [""] * len(projections)
    for projection, piece in zip(projections, texts, strict=True):
        if projection.is_star:
            return []
        if isinstance(projection, exp.Alias):
            names.append(relations.stored(projection.args["alias"]))
        elif isinstance(projection, exp.Column):
            names.append(relations.stored(projection.this))
        else:
            names.append((piece or projection.sql(dialect="snowflake")).upper())
    return names


@contextmanager
def prepared(session: Session, query: exp.Expression) -> Iterator[exp.Expression]:
    """The query with its functions evaluated, its system relations in place, its tables checked for SELECT.

    Must be entered before the statement is translated; leaving it drops the system relations.
    """
    with ExitStack() as stack:
        query = functions.evaluate(session, query)
        known = _place_system_relations(session, query, stack)
        target = _target(query) if isinstance(query, CHANGES) else None
        if isinstance(query, exp.Merge):
            _read_inserts(query)
        sequences.place(session, query)
        read = stream_reading.place(session, query)
        relations.shorten_columns(query)
        tables = [] if target is None else [relations.find(session, relations.parts(target))]
        for table in relations.named_tables(query):
            if table is not target:
                found = relations.use_table(session, table, "SELECT")
                tables.append(found)
                known |= {column.name for column in found.columns}
                session.require_warehouse()
        if known:
            relations.check_quoted_columns(query, known)
        functions.check_known(query)
        coercion.coerce(query, tables)
        query.meta[STREAMS] = read
        yield query


def _read_inserts(merge: exp.Expression) -> None:
    """``INSERT (t.a) VALUES (b)`` of a MERGE: t says nothing more, and b is a column of the source.

    Source: https://docs.snowflake.com/en/sql-reference/sql/merge (values refer to the source relation).
    """
    source = merge.args["using"].args.get("alias") or merge.args["using"]
    for insert in merge.find_all(exp.Insert):
        columns = insert.this.expressions if isinstance(insert.this, exp.Tuple) else []
        for column in columns:
            if isinstance(column, exp.Column):
                column.set("table", None)
        for column in insert.expression.find_all(exp.Column) if insert.expression else ():
            if not column.args.get("table") and isinstance(source.this, exp.Identifier):
                column.set("table", source.this.copy())


def _place_system_relations(session: Session, query: exp.Expression, stack: ExitStack) -> set[str]:
    """Replace table functions and system views by relations made now; their column names."""
    known: set[str] = set()
    staged = [table for table in query.find_all(exp.Table) if stage_query.is_stage(table)]
    fields = stage_query.place_fields(query) if staged else 0
    for table in staged:
        known |= _place(session, table, stage_query.rows(session, table, fields), stack)
    for node in list(query.find_all(exp.TableFromRows)):
        found = _table_function(session, node)
        if found is not None:
            known |= _place(session, node, found, stack)
    for table in list(query.find_all(exp.Table)):
        if isinstance(table.this, exp.DirectoryStage):
            known |= _place(session, table, directory.rows(session, table.this.this.name), stack)
    for table in relations.named_tables(query):
        name = relations.parts(table)
        if relations.is_system(name):
            session.require_warehouse()
            known |= _place(session, table, views.view(session, name), stack, alias=name[-1])
    return known


def _table_function(session: Session, node: exp.TableFromRows) -> Result | None:
    """The rows of ``TABLE(...)``; None for FLATTEN and GENERATOR, which DuckDB does."""
    call = node.this
    path: list[str] = []
    while isinstance(call, exp.Dot):
        path.insert(0, relations.stored(call.expression) if not isinstance(call.expression, exp.Func) else "")
        inner, call = call.expression, call.this
        if isinstance(inner, exp.Func):
            function = inner
    if path:
        path = [relations.stored(call), *[part for part in path if part]]
        if path[-1] != relations.INFORMATION_SCHEMA or len(path) > 2:
            raise errors.not_emulated(f"TABLE({node.this.sql(dialect='snowflake')[:60]})")
        arguments = _keyword_arguments(session, function)
        session.require_warehouse()
        database = path[0] if len(path) == 2 else None
        return views.table_function(session, database, functions.name_of(function), arguments)
    if isinstance(node.this, exp.Explode | exp.Generator) or functions.name_of(node.this) == "FLATTEN":
        return None
    if functions.name_of(node.this) == "RESULT_SCAN":
        return result_scan(session, functions.constant(session, node.this.expressions[0]))
    if functions.name_of(node.this) == infer_schema.NAME:
        return infer_schema.rows(session, node.this)
    if functions.name_of(node.this) in views.UNQUALIFIED:
        arguments = _keyword_arguments(session, node.this)
        session.require_warehouse()
        return views.table_function(session, None, functions.name_of(node.this), arguments)
    raise errors.not_emulated(f"TABLE({node.this.sql(dialect='snowflake')[:60]})")


def _keyword_arguments(session: Session, function: exp.Expression) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for argument in function.expressions:
        if not isinstance(argument, exp.Kwarg):
            raise errors.not_emulated("table functions with arguments by position")
        given[str(argument.this.name).upper()] = functions.constant(session, argument.expression)
    return given


def result_scan(session: Session, query_id: Any) -> Result:
    """The rows an earlier statement of this user returned. Raises 000709 where they are gone."""
    query = session.account.queries.get(str(query_id))
    if query is None or query.result is None or query.session.user != session.user:
        raise errors.SnowflakeError(709, "02000", f"Statement {query_id} not found")
    return query.result


def _place(
    session: Session, node: exp.Expression, found: Result, stack: ExitStack, alias: str | None = None
) -> set[str]:
    """Make the rows a relation of the session's DuckDB and let the tree name it instead of ``node``."""
    relation = f"sandbox_relation_{next(PLACES)}"
    table = encoding.arrow_table(found)
    with session.lock:
        session.duck.register(relation, table)
    stack.callback(_unregister, session, relation)
    wanted = node.args.get("alias") or (exp.TableAlias(this=exp.to_identifier(alias)) if alias else None)
    variants = [column.name for column in found.columns if column.type in encoding.SEMI_STRUCTURED]
    if variants:
        converted = ", ".join(f'CAST("{name}" AS JSON) AS "{name}"' for name in variants)
        with session.lock:
            session.duck.execute(
                f'CREATE OR REPLACE TEMP VIEW "{relation}_v" AS '
                f'SELECT * REPLACE ({converted}) FROM "{relation}"'
            )
        relation += "_v"
    replacement = exp.Table(this=exp.to_identifier(relation, quoted=True), alias=wanted)
    replacement.args["joins"] = node.args.get("joins")
    node.replace(replacement)
    replacement.meta[relations.PLACED] = True
    return {column.name for column in found.columns}


def _unregister(session: Session, relation: str) -> None:
    with session.lock:
        if session._duck is not None:  # noqa: SLF001 - closed meanwhile: nothing to unregister
            session.duck.unregister(relation)


# --- changes


def change(session: Session, statement: exp.Expression) -> Result:
    """Run an INSERT, UPDATE, DELETE or MERGE and report the rows it touched.

    The table is locked for UPDATE, DELETE and MERGE until the transaction ends; INSERT does not lock.
    """
    session.require_warehouse()
    if session.parameters["AUTOCOMMIT"] == "false":
        session.begin()
    target = _target(statement)
    with prepared(session, statement) as ready:
        table = relations.use_table(session, _target(ready) or target, *_privileges(ready))
        if table.is_query:
            raise errors.not_emulated(f"changing rows through a {table.kind.lower()}")
        parts = translated(ready)
        if not isinstance(ready, exp.Insert) or ready.args.get("overwrite"):
            session.account.locks.acquire(session, table.id)
        try:
            found = _until_no_clash(session, lambda: _run_change(session, ready, parts))
            table.altered_on = session.account.now()
            table.changes += _rewrites(ready, found)
            stream_reading.advance(session, ready.meta[STREAMS])
            return found
        finally:
            if not session.in_transaction:
                session.account.locks.release(session)


def _rewrites(statement: exp.Expression, found: Result) -> bool:
    """Did it do anything but add rows?"""
    if isinstance(statement, exp.Insert):
        return bool(statement.args.get("overwrite"))
    counts = zip(found.columns, found.rows[0], strict=True)
    return any(count for column, count in counts if not column.name.endswith("inserted"))


def _until_no_clash(session: Session, work: Callable[[], Result]) -> Result:
    """Do a change again that clashed with a concurrent DDL; inside a transaction the clash is told."""
    for _ in range(CLASHES_BORNE):
        try:
            return in_duckdb(session, work)
        except errors.SnowflakeError as error:
            if error.errno != duckdb_errors.CLASH or session.in_transaction:
                raise
    return in_duckdb(session, work)


def _target(statement: exp.Expression) -> exp.Table:
    this = statement.this
    table = this.this if isinstance(this, exp.Schema) else this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise errors.not_emulated(statement.sql(dialect="snowflake")[:60])
    return table


def _privileges(statement: exp.Expression) -> list[str]:
    if isinstance(statement, exp.Merge):
        return [
            "SELECT",
            *[MERGE_PRIVILEGES[what] for what, whens in merge_operations(statement).items() if whens],
        ]
    if isinstance(statement, exp.Insert):
        return ["INSERT", "DELETE"] if statement.args.get("overwrite") else ["INSERT"]
    return ["UPDATE"] if isinstance(statement, exp.Update) else ["DELETE"]


def _run_change(session: Session, statement: exp.Expression, parts: Sequence[str]) -> Result:
    """Run the DuckDB statements of one change, all or none."""
    own = len(parts) > 1 and not session.in_transaction
    if own:
        session.duck.execute("BEGIN TRANSACTION")
    try:
        for sql in parts:
            session.duck.execute(sql)
        touched = session.duck.fetchall()[0]
        names = [each[0] for each in session.duck.description]
    except BaseException:
        if own:
            session.duck.execute("ROLLBACK")
        raise
    if own:
        session.duck.execute("COMMIT")
    if isinstance(statement, exp.Merge):
        columns = [result.Column(name, "FIXED", precision=19, scale=0) for name in names]
        return Result(columns, [tuple(int(number) for number in touched)], result.MERGE)
    if isinstance(statement, exp.Update):
        columns = [
            result.Column(f"number of {what} updated", "FIXED", precision=19, scale=0)
            for what in ("rows", "multi-joined rows")
        ]
        return Result(columns, [(int(touched[0]), 0)], result.UPDATE)
    what, statement_type = COUNTED[type(statement)]
    return result.count(what, int(touched[0]), statement_type)


# --- DuckDB


def translated(statement: exp.Expression) -> list[str]:
    """The DuckDB statements, or not emulated for what has no translation."""
    try:
        return translate(statement)
    except errors.SnowflakeError:
        raise
    except Exception as error:  # noqa: BLE001 - sqlglot and fakesnow raise what comes
        known = duckdb_errors.of_fakesnow(error)
        log.info("no translation: %s: %s", type(error).__name__, error)
        raise known or duckdb_errors.this_statement() from None


def in_duckdb(session: Session, work: Callable[[], T]) -> T:
    """Do the work on the session's connection: interruptible, in bounded time, with Snowflake's errors."""
    query = CURRENT.get()
    with session.lock, ExitStack() as stack:
        duck = session.duck
        if query is not None:
            query.check()
            query.interruptible(duck.interrupt)
            stack.callback(query.interruptible, None)
            if query.timeout_s is not None:
                timer = threading.Timer(query.timeout_s, query.interrupt)
                timer.daemon = True
                timer.start()
                stack.callback(timer.cancel)
        try:
            return work()
        except duckdb.InterruptException:
            if query is not None:
                query.check()
            raise errors.canceled() from None
        except duckdb.Error as error:
            raise duckdb_errors.translate(error) from None
