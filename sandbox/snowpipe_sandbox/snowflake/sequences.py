"""Numbers in a row: the clauses of AUTOINCREMENT; sequences, NEXTVAL in columns, queries and loads.

A sequence counts in a DuckDB sequence of its own, in its schema; a column's default remembers the sequence by
name, so that one recreated under the name counts for it from then on (inferred: GET_DDL and DESC show
the name). What Snowflake does with a default whose sequence is gone is on no public page, so that dropping
such a sequence is refused.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-sequence,
https://docs.snowflake.com/en/user-guide/querying-sequences,
https://docs.snowflake.com/en/sql-reference/sql/create-table (DEFAULT),
https://docs.snowflake.com/en/user-guide/data-load-transform (a sequence in a COPY's SELECT).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, relations, resolve, result
from snowpipe_sandbox.snowflake.catalog import Beside, Identity, Table, TableColumn
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens, tokenize
from snowpipe_sandbox.snowflake.names import Context, duckdb_name

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.sessions import Session

KIND = "SEQUENCE"
CLAUSES = {"START": "WITH", "INCREMENT": "BY"}
"""``START [WITH] [=] n INCREMENT [BY] [=] n``: each word with the one that may follow it."""
Find = Callable[[Sequence[str]], str]
"""From the parts of a sequence's name to DuckDB's SQL for its next number."""


def plain_clauses(text: str) -> str:
    """A CREATE TABLE with AUTOINCREMENT's clauses as the page writes them: ``START 1 INCREMENT 1``.

    Snowflake takes them as CREATE SEQUENCE has them, too; public worksheets mostly write ``START = 1``.
    """
    pieces, kept, inside, after = [], 0, False, ""
    for token in tokenize(text):
        if token.kind == "word" and token.value in ("AUTOINCREMENT", "IDENTITY"):
            inside, after = True, ""
        elif inside and token.kind == "word" and token.value in CLAUSES:
            after = token.value
        elif inside and after and (token.value == "=" or token.value == CLAUSES[after]):
            pieces.append(text[kept : token.start])
            kept = token.end
        elif inside and token.kind != "number" and token.value != "-":
            inside = False
    return "".join([*pieces, text[kept:]]) if pieces else text


# --- the object


def read(tokens: Tokens) -> dict[str, Any]:
    """``[WITH] [START …] [INCREMENT …] [ORDER | NOORDER] [COMMENT = '…']``."""
    tokens.take("WITH")
    given: dict[str, int] = {}
    while tokens.next.value in CLAUSES and tokens.next.value not in given:
        word = tokens.advance().value
        tokens.take(CLAUSES[word])
        tokens.take("=")
        number = tokens.next
        value = tokens.number()
        if not value.removeprefix("-").isdigit() or (word == "INCREMENT" and int(value) == 0):
            raise errors.syntax_error(f"unexpected '{number.text}'.")
        given[word] = int(value)
    ordered = tokens.take("ORDER")
    if not ordered:
        tokens.take("NOORDER")
    comment = options.read_options(tokens, {"COMMENT": options.string})
    return {"identity": Identity(given.get("START", 1), given.get("INCREMENT", 1), ordered), **comment}


def start(session: Session, made: Beside) -> None:
    """A new sequence begins to count, also for the columns that draw from one of its name."""
    name = duckdb_name((made.database, made.schema, f"{made.id} {made.name}"))
    made.given["identity"] = replace(made.given["identity"], sequence=name)
    counted: Identity = made.given["identity"]
    users = list(_users(session.account, str(made.full_name)))
    statements = [counted.create_sql]
    statements += [
        f"ALTER TABLE {duckdb_name(table.lies_at)} ALTER COLUMN {duckdb_name([column.name])} "
        f"SET DEFAULT {counted.next_sql}"
        for table, column in users
    ]
    _in_duckdb(session, statements)
    for table, column in users:
        table.columns[table.columns.index(column)] = replace(column, sequence=name)


def end(session: Session, gone: Beside, *, replaced: bool) -> None:
    """A sequence is dropped, or another takes its name. Raises not emulated where a column needs it."""
    if replaced:
        return  # DuckDB's stays until the columns that draw from it draw from the other
    if any(_users(session.account, str(gone.full_name))):
        raise errors.not_emulated("DROP SEQUENCE of a sequence that is a column's default")
    _in_duckdb(session, [f"DROP SEQUENCE {gone.given['identity'].sequence}"])


def _in_duckdb(session: Session, statements: Sequence[str]) -> None:
    with session.account.engine.ddl, closing(session.account.engine.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


def _users(account: Account, name: str) -> Iterator[tuple[Table, TableColumn]]:
    """The tables' columns whose default is the sequence of this full name."""
    for table in account.catalog.tables:
        for column in table.columns:
            if column.sequence and column.default == f"{name}.NEXTVAL":
                yield table, column


def used_from_outside(account: Account, database: str, schema: str) -> bool:
    """Does a table of another schema draw from a sequence of this one?"""
    return any(
        table.schema != schema
        for each in account.catalog.beside[KIND]
        if (each.database, each.schema) == (database, schema)
        for table, _ in _users(account, str(each.full_name))
    )


# --- NEXTVAL


def next_of(account: Account, context: Context) -> Find:
    """Finds a sequence the role may use: 2003, 3001."""

    def find(parts: Sequence[str]) -> str:
        with account.lock:
            found = resolve.visible(account, context, account.catalog.beside[KIND], "Sequence", parts)
            account.privileges.require(context.role, found, "USAGE")
        return str(found.given["identity"].next_sql)

    return find


def parts_of(node: exp.Expression) -> tuple[str, ...]:
    """The sequence's name in ``db.schema.sequence.NEXTVAL``; empty for what is something else."""
    if not isinstance(node, exp.Column) or node.name.upper() != "NEXTVAL" or not node.table:
        return ()
    named = (node.args.get("catalog"), node.args.get("db"), node.args.get("table"))
    return tuple(each.name if each.args.get("quoted") else each.name.upper() for each in named if each)


def place(session: Session, statement: exp.Expression) -> None:
    """Write DuckDB's next number for each ``sequence.NEXTVAL`` of a query or change.

    A table with a column of that name goes first.
    """
    named = {table.alias_or_name.upper() for table in statement.find_all(exp.Table, exp.Subquery)}
    for column in list(statement.find_all(exp.Column)):
        parts = parts_of(column)
        if parts and not (len(parts) == 1 and parts[0] in named):
            made = exp.maybe_parse(next_of(session.account, session)(parts), dialect="duckdb")
            for call in made.find_all(exp.Anonymous):
                call.meta[relations.PLACED] = True
            column.replace(exp.cast(made, "DECIMAL(38, 0)"))


def of_columns(session: Session, columns: Sequence[TableColumn], database: str) -> list[TableColumn]:
    """The columns, those with ``sequence.NEXTVAL`` as their default with the sequence's full name.

    Raises 2003, 3001, or not emulated for a sequence of another database.
    """
    return [_drawing(session, each, database) for each in columns]


def _drawing(session: Session, column: TableColumn, database: str) -> TableColumn:
    expression = exp.maybe_parse(column.default or "NULL", dialect="snowflake")
    parts = parts_of(expression)
    if not parts:
        return column
    account = session.account
    with account.lock:
        found = resolve.visible(account, session, account.catalog.beside[KIND], "Sequence", parts)
        account.privileges.require(session.role, found, "USAGE")
    if found.database != database:
        raise errors.not_emulated("a sequence of another database as a default")
    return replace(column, default=f"{found.full_name}.NEXTVAL", sequence=found.given["identity"].sequence)


# --- SHOW, DESC

SHOWN = [
    *result.texts("name", "database_name", "schema_name"),
    *[result.Column(name, "FIXED") for name in ("next_value", "interval")],
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("owner", "comment", "owner_role_type", "ordered"),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-sequences,
https://docs.snowflake.com/en/release-notes/bcr-bundles/2023_06/bcr-1225 (ordered)."""


def show_row(account: Account, each: Beside) -> tuple[Any, ...]:
    """A row of SHOW and DESC SEQUENCE."""
    counted: Identity = each.given["identity"]
    with closing(account.engine.cursor()) as cursor:
        ((last,),) = cursor.execute(
            "SELECT last_value FROM duckdb_sequences() WHERE sequence_name = ? AND database_name = ?",
            [f"{each.id} {each.name}", each.database],
        ).fetchall()
    upcoming = counted.start if last is None else last + counted.step
    place_ = (each.name, each.database, each.schema, upcoming, counted.step)
    return (*place_, each.created_on, each.owner, each.comment, "ROLE", "Y" if counted.ordered else "N")
