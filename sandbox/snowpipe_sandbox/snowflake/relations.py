"""The tables and views a plain statement names: who they are, and whether the role may use them so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.catalog import Table
from snowpipe_sandbox.snowflake.names import Name, dotted, duckdb_name, qualify, split

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

INFORMATION_SCHEMA = "INFORMATION_SCHEMA"
PLACED = "placed by the sandbox"
"""Marks a table of the tree that is a relation the sandbox made, and no table of the account."""


def stored(identifier: exp.Expression | None) -> str:
    """An identifier of the tree as stored: upper-cased unless quoted."""
    if identifier is None:
        return ""
    name = str(identifier.name)
    return name if identifier.args.get("quoted") else name.upper()


def parts(table: exp.Table) -> tuple[str, ...]:
    """The stored parts of a table's name. Raises 001003 for more than three."""
    if not isinstance(table.this, exp.Identifier) and table.this is not None:
        raise errors.syntax_error(f"unexpected '{table.this.sql(dialect='snowflake')}'.")
    given = (table.args.get("catalog"), table.args.get("db"), table.this)
    return tuple(stored(part) for part in given if part is not None)


def named_tables(statement: exp.Expression) -> Iterator[exp.Table]:
    """Every table the statement names, leaving out common table expressions and table functions."""
    for table in list(statement.find_all(exp.Table)):
        if table.meta.get(PLACED):
            continue
        if str(table.this.name).startswith("@"):
            raise errors.not_emulated("a query over a stage's files (COPY INTO reads them)")
        if not isinstance(table.this, exp.Identifier):
            raise errors.not_emulated(f"FROM {table.sql(dialect='snowflake')[:60]}")
        if not _is_cte(table):
            yield table


def read_identifier_call(table: exp.Table) -> None:
    """Write the name in ``IDENTIFIER('db.schema.t')`` into the tree as if it stood there."""
    call = table.this
    if isinstance(call, exp.DynamicIdentifier):
        literal = call.this
        if not isinstance(literal, exp.Literal) or not literal.is_string:
            raise errors.not_emulated("IDENTIFIER of anything but a string")
        given = split(literal.this)
        for key, part in zip(("this", "db", "catalog"), reversed(given), strict=False):
            table.set(key, exp.to_identifier(part, quoted=True))


def _is_cte(table: exp.Table) -> bool:
    if table.args.get("db") is not None:
        return False
    node: exp.Expression | None = table
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None and any(
            stored(cte.args["alias"].this) == stored(table.this) for cte in with_.expressions
        ):
            return True
        node = node.parent
    return False


def is_system(name: tuple[str, ...]) -> bool:
    """Is this a view of INFORMATION_SCHEMA or of the SNOWFLAKE database?"""
    return (len(name) >= 2 and name[-2] == INFORMATION_SCHEMA) or (len(name) == 3 and name[0] == "SNOWFLAKE")


def use_table(session: Session, table: exp.Table, *privileges: str) -> Table:
    """Check that the role may use the table so, and write its full, quoted name into the tree.

    Raises 2003 (not there, or not visible), 3001 (visible, not allowed), 090105 or 090106 (no context).
    """
    found = find(session, parts(table))
    if found.of_a_stream:
        raise errors.not_emulated("reading a stream, through a view")
    with session.account.lock:
        session.account.privileges.require(session.role, found, *privileges)
    write_name(table, found.lies_at, found.name)
    return found


def find(session: Session, given: tuple[str, ...], kind: str = "Object") -> Table:
    """The table or view of this name, if the role may know of it. Raises 2003, 090105 or 090106."""
    name = qualify(given, session, "SELECT")
    with session.account.lock:
        found = session.temporary.get(name) or session.account.catalog.tables.get(name)
        stream = None if found else session.account.catalog.streams.get(name)
        if stream is not None and session.account.privileges.sees(session.role, stream):
            raise errors.not_emulated("a stream in this place")
        if found is None or not session.account.privileges.sees(session.role, found):
            raise _missing(session, kind, name, given)
        return found


def _missing(session: Session, kind: str, name: Name, given: tuple[str, ...]) -> errors.SnowflakeError:
    """2003 for the outermost thing the role cannot reach; an object by its name as it was written."""
    privileges = session.account.privileges
    if not privileges.may_reach(session.role, name.database):
        return errors.does_not_exist("Database", name.database)
    if not privileges.may_reach(session.role, name.database, name.schema):
        return errors.does_not_exist("Schema", f"{name.database}.{name.schema}")
    return errors.does_not_exist(kind, dotted(given))


def write_name(table: exp.Table, name: Name, shown: str) -> None:
    """Make the tree's table this one, fully qualified; an alias keeps its own name usable."""
    if table.args.get("alias") is None and isinstance(table.parent, (exp.From, exp.Join)):
        table.set("alias", exp.TableAlias(this=exp.to_identifier(shown, quoted=True)))
    table.set("catalog", exp.to_identifier(name.database, quoted=True))
    table.set("db", exp.to_identifier(name.schema, quoted=True))
    table.set("this", exp.to_identifier(name.name, quoted=True))


def shorten_columns(statement: exp.Expression) -> None:
    """Let ``db.schema.table.column`` and ``schema.table.column`` name the table alone.

    A longer dotted name is a path into a VARIANT only behind a colon, so it is a column here.
    """
    for column in list(statement.find_all(exp.Column)):
        if column.args.get("db") is not None:
            column.set("db", None)
            column.set("catalog", None)


def check_quoted_columns(statement: exp.Expression, known: set[str]) -> None:
    """Raise 000904 for a quoted column that differs from every known one.

    DuckDB compares names without case, Snowflake quoted ones with it; so a quoted name with small letters
    must be a column, or an alias of the statement, letter for letter.
    """
    aliases = {stored(alias.args.get("alias")) for alias in statement.find_all(exp.Alias)}
    for table_alias in statement.find_all(exp.TableAlias):
        aliases |= {stored(column) for column in table_alias.columns}
    for column in statement.find_all(exp.Column):
        identifier = column.this
        if not isinstance(identifier, exp.Identifier) or not identifier.args.get("quoted"):
            continue
        if identifier.name != identifier.name.upper() and identifier.name not in known | aliases:
            raise errors.invalid_identifier(f'"{identifier.name}"')


def row_count(session: Session, table: Table) -> int:
    """The rows a table has now."""
    with closing(session.account.engine.cursor()) as cursor:
        try:
            rows = cursor.execute(f"SELECT count(*) FROM {duckdb_name(table.lies_at)}").fetchall()
        except duckdb.CatalogException:  # dropped by somebody this moment
            return 0
    return int(rows[0][0])
