"""Tables and views: CREATE, ALTER, DROP, TRUNCATE, and DESC's rows.

Longer than 400 lines: what a table is, and how rows come into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from snowpipe_sandbox.snowflake import (
    errors,
    functions,
    keys,
    plain_sql,
    relations,
    resolve,
    result,
    sequences,
    stream_reading,
)
from snowpipe_sandbox.snowflake.catalog import Identity, Table, TableColumn
from snowpipe_sandbox.snowflake.datatypes import duckdb_type, shown_type, snowflake_type
from snowpipe_sandbox.snowflake.engine import translate
from snowpipe_sandbox.snowflake.names import Name, duckdb_name
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

HARMLESS_PROPERTIES = (
    exp.ClusterProperty,
    exp.TransientProperty,
    exp.TemporaryProperty,
    exp.SecureProperty,  # who may not own it does not see its text, which is kept nowhere here
    exp.CopyGrantsProperty,
    exp.SchemaCommentProperty,
    exp.LikeProperty,
)
HARMLESS_SETTINGS = {"DATA_RETENTION_TIME_IN_DAYS", "MAX_DATA_EXTENSION_TIME_IN_DAYS", "CHANGE_TRACKING"}
MAX_CHECKED = 16777216


# --- CREATE


def create(
    session: Session, statement: exp.Create, kind: str = "", refreshed: dict[str, Any] | None = None
) -> Result:
    """CREATE [OR REPLACE] TABLE or VIEW. Raises not emulated for properties without an emulation.

    ``kind``: of a view that is more than one; ``refreshed``: what a dynamic table has beside its query.
    """
    kind = kind or str(statement.args["kind"]).upper()
    target = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    name = resolve_target(session, relations.parts(target), f"CREATE {kind}")
    comment, is_evolving = _check_properties(statement)
    temporary = statement.find(exp.TemporaryProperty) is not None
    here = session.temporary if temporary else session.account.catalog.tables
    existing = here.get(name)
    plain = not statement.args.get("replace")
    if existing is not None and plain and not session.account.privileges.has_any(session.role, existing):
        raise errors.exists_unseen(kind, existing.name)
    if existing is not None and statement.args.get("exists"):
        return result.status(f"{name.name} already exists, statement succeeded.")
    if existing is not None and plain:
        raise errors.already_exists(str(name))
    if existing is not None:
        session.account.privileges.require_ownership(session.role, existing)
    of_a_stream = kind == "VIEW" and stream_reading.stand_in(session, statement.expression)
    stream_reading.refuse(session, statement.expression)
    columns, select_sql = _shape(session, statement)
    columns = sequences.of_columns(session, columns, name.database)
    table = Table(
        session.account.catalog.next_id(),
        *name,
        session.role,
        session.account.now(),
        columns=columns,
        kind=kind,
        comment=comment,
        transient=statement.find(exp.TransientProperty) is not None,
        keys=keys.written(statement.this.expressions if isinstance(statement.this, exp.Schema) else []),
        temporary=temporary,
        secure=statement.find(exp.SecureProperty) is not None,
        of_a_stream=of_a_stream,
        refreshed=refreshed,
        evolves=is_evolving,
    )
    keep = existing if existing is not None and statement.find(exp.CopyGrantsProperty) else None
    session.commit()  # DDL ends an open transaction
    with session.account.engine.ddl:
        old = [_drop_sql(existing)] if existing is not None else []
        all_or_nothing(session, [*old, *_create_sql(table, select_sql)])
    with session.account.lock:
        if existing is not None:
            forget(session, existing, keep_grants_for=table if keep else None)
        here.put(table)
        session.account.privileges.created(table)
    session.account.pipes.wake_all()
    what = "Table" if kind == "TABLE" else kind.capitalize()
    return result.status(f"{what} {name.name} successfully created.")


def resolve_target(session: Session, parts: Sequence[str], privilege: str) -> Name:
    """The full name of a table or view to be made, in a schema where the role may make it."""
    with session.account.lock:
        return resolve.schema_for_create(session.account, session, parts, privilege)[0]


def _check_properties(statement: exp.Create) -> tuple[str, bool]:
    """The comment, and ENABLE_SCHEMA_EVOLUTION. Not emulated: any other property with an effect."""
    comment, is_evolving = "", False
    properties = statement.args.get("properties")
    for each in properties.expressions if properties else []:
        if isinstance(each, exp.SchemaCommentProperty):
            comment = each.this.name
        elif (said := evolves(each)) is not None:
            is_evolving = said
        elif not isinstance(each, HARMLESS_PROPERTIES) and not is_harmless(each):
            raise errors.not_emulated(f"CREATE TABLE … {each.sql(dialect='snowflake')[:60]}")
    return comment, is_evolving


def is_harmless(setting: exp.Expression) -> bool:
    """Whether a table with it does what one without it does.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-table
    """
    return type(setting) is exp.Property and setting.this.name.upper() in HARMLESS_SETTINGS


def evolves(setting: exp.Expression) -> bool | None:
    """What ENABLE_SCHEMA_EVOLUTION says; None of another setting."""
    if type(setting) is not exp.Property or setting.this.name.upper() != "ENABLE_SCHEMA_EVOLUTION":
        return None
    value = setting.args.get("value")
    if not isinstance(value, exp.Boolean):
        raise errors.syntax_error(f"unexpected '{setting.sql(dialect='snowflake')}'.")
    return bool(value.this)


def _shape(session: Session, statement: exp.Create) -> tuple[list[TableColumn], str | None]:
    """The columns, and the query that fills the table (for views: that defines it), if there is one."""
    clone = statement.args.get("clone")
    if clone is not None:
        if clone.this.args.get("when") or statement.find(exp.CopyGrantsProperty):
            raise errors.not_emulated("CREATE TABLE … CLONE with AT, BEFORE or COPY GRANTS")
        source = relations.use_table(session, clone.this, "SELECT")
        if any(each.identity for each in source.columns):
            raise errors.not_emulated("CREATE TABLE … CLONE of a table with AUTOINCREMENT")
        return list(source.columns), f"SELECT * FROM {duckdb_name(source.lies_at)}"
    like = statement.find(exp.LikeProperty)
    if like is not None:
        return list(relations.use_table(session, like.this, "SELECT").columns), None
    if statement.expression:
        return _query_shape(session, statement)
    definitions = statement.this.expressions if isinstance(statement.this, exp.Schema) else []
    columns = [column(each) for each in definitions if isinstance(each, exp.ColumnDef)]
    if not columns:
        raise errors.syntax_error("unexpected '<EOF>'.")
    of_the_key = {name for key in keys.written(definitions) if key.kind == "PRIMARY" for name in key.columns}
    columns = [replace(each, nullable=each.nullable and each.name not in of_the_key) for each in columns]
    names = [each.name for each in columns]
    for each in names:
        if names.count(each) > 1:
            raise errors.SnowflakeError(
                2025, "42S21", f"SQL compilation error:\nduplicate column name '{each}'"
            )
    return columns, None


def _query_shape(session: Session, statement: exp.Create) -> tuple[list[TableColumn], str]:
    """The columns a query gives. System relations cannot be part of a view: refused.

    The query of a view is not run; that of a table is, before anything else happens.
    """
    query = statement.expression
    names = plain_sql.projection_names(query)
    if statement.args["kind"] != "VIEW":
        session.require_warehouse()
        plain_sql.select(session, query.copy())
    elif any(relations.is_system(relations.parts(table)) for table in relations.named_tables(query)):
        raise errors.not_emulated("views over INFORMATION_SCHEMA or ACCOUNT_USAGE")
    written = statement.this.expressions if isinstance(statement.this, exp.Schema) else []
    given = [relations.stored(each.this if isinstance(each, exp.ColumnDef) else each) for each in written]
    with plain_sql.prepared(session, query) as ready:
        (sql,) = plain_sql.translated(ready)
        described = plain_sql.in_duckdb(session, lambda: session.duck.execute(f"DESCRIBE {sql}").fetchall())
        own = [row[0] for row in described]
        shown = [name or each for name, each in zip(names, own, strict=True)] if names else own
        final = given or shown
        columns = [TableColumn(name, shown_type(row[1])) for name, row in zip(final, described, strict=True)]
        if statement.args["kind"] != "VIEW" and ready.find(exp.Table) is not None:
            sql = _materialised(session, sql)
        return columns, sql


def _materialised(session: Session, sql: str) -> str:
    """The query's rows as a temporary table of the session, so that system relations may be gone later."""
    plain_sql.in_duckdb(
        session, lambda: session.duck.execute(f"CREATE OR REPLACE TEMP TABLE sandbox_ctas AS {sql}")
    )
    return "SELECT * FROM temp.sandbox_ctas"


def column(definition: exp.ColumnDef) -> TableColumn:
    """A column as written, without its keys."""
    if definition.kind is None:
        raise errors.syntax_error("unexpected column without a type.")
    nullable, default, comment = True, None, None
    identity: Identity | None = None
    for constraint in definition.constraints:
        kind = constraint.kind
        if isinstance(kind, exp.NotNullColumnConstraint):
            nullable = bool(kind.args.get("allow_null"))
        elif isinstance(kind, exp.DefaultColumnConstraint):
            default = kind.this.sql(dialect="snowflake")
        elif isinstance(kind, exp.CommentColumnConstraint):
            comment = kind.this.name
        elif isinstance(kind, exp.PrimaryKeyColumnConstraint):
            nullable = False
        elif isinstance(kind, exp.AutoIncrementColumnConstraint | exp.GeneratedAsIdentityColumnConstraint):
            identity = _identity(kind)
        elif not isinstance(kind, _INFORMATIONAL):
            raise errors.not_emulated(f"column constraint {constraint.sql(dialect='snowflake')}")
    type_ = snowflake_type(definition.kind)
    if identity is not None and not type_.startswith("NUMBER"):
        raise errors.not_emulated(f"AUTOINCREMENT of a {type_}")
    return TableColumn(relations.stored(definition.this), type_, nullable, default, comment, identity)


_INFORMATIONAL = (exp.UniqueColumnConstraint, exp.Reference)


def _identity(kind: exp.Expression) -> Identity:
    """AUTOINCREMENT or IDENTITY, both the same. Without ORDER it is NOORDER.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/create-table,
    https://docs.snowflake.com/en/release-notes/bcr-bundles/2024_01/bcr-1483 (NOORDER).
    """
    start, step = ((kind.args.get(name) or exp.Literal.number(1)).sql() for name in ("start", "increment"))
    return Identity(int(start), int(step), bool(kind.args.get("order")))


def counted(table: Table) -> list[str]:
    """Give each AUTOINCREMENT column a sequence of this table's own; what DuckDB has to do for it."""
    statements = []
    for n, each in enumerate(table.columns):
        if each.identity is None:
            continue
        sequence = duckdb_name((table.database, table.schema, f"{table.id} {each.name}"))
        identity = replace(each.identity, sequence=sequence)
        table.columns[n] = replace(each, identity=identity)
        statements.append(identity.create_sql)
    return statements


def all_or_nothing(session: Session, statements: Sequence[str]) -> None:
    """Run DuckDB statements on the session's connection in one transaction."""

    def run() -> None:
        try:
            for sql in ("BEGIN TRANSACTION", *statements, "COMMIT"):
                session.duck.execute(sql)
        except BaseException:
            with suppress(duckdb.TransactionException):  # a COMMIT that failed has undone everything
                session.duck.execute("ROLLBACK")
            raise

    plain_sql.in_duckdb(session, run)


def _create_sql(table: Table, select_sql: str | None) -> list[str]:
    name = duckdb_name(table.lies_at)
    if table.is_query:
        renamed = ", ".join(duckdb_name([each.name]) for each in table.columns)
        return [f"CREATE VIEW {name} ({renamed}) AS {select_sql}"]
    sequences = counted(table)
    body = ", ".join(column_sql(each) for each in table.columns)
    filled = [] if select_sql is None else [f"INSERT INTO {name} {select_sql}"]
    return [*sequences, f"CREATE TABLE {name} ({body})", *filled]


def copy_sql(made: Table, source: Table) -> list[str]:
    """A table with the columns and rows of another, for DuckDB."""
    return _create_sql(made, f"SELECT * FROM {duckdb_name(source.full_name)}")


def column_sql(each: TableColumn) -> str:
    """The column for DuckDB's CREATE TABLE; a VARCHAR's length is a check, as DuckDB has none."""
    name = duckdb_name([each.name])
    text = f"{name} {duckdb_type(each.type)}"
    if not each.nullable:
        text += " NOT NULL"
    if each.next_sql is not None:
        text += f" DEFAULT ({each.next_sql})"
    elif each.default is not None:
        text += f" DEFAULT ({default_sql(each.default)})"
    if each.base_type == "VARCHAR" and each.length is not None and each.length < MAX_CHECKED:
        text += f" CHECK (length({name}) <= {each.length})"
    return text


def default_sql(default: str) -> str:
    """A column's default for DuckDB; the current time is the tenant's clock's."""
    expression = plain_sql.one_statement(f"SELECT {default}").selects[0]
    if column := expression.find(exp.Column):
        if column.name.upper() == "NEXTVAL":
            raise errors.not_emulated("sequences")
        raise errors.invalid_identifier(default)
    for node in list(expression.walk()):
        if isinstance(node, exp.CurrentTimestamp | exp.Localtimestamp):
            now = "timezone('UTC', sandbox_now())" if node.args.get("sysdate") else "sandbox_now()"
            made = exp.maybe_parse(now, dialect="duckdb")
            if node is expression:
                return now
            node.replace(made)
        elif type(node) in functions.NODES or functions.name_of(node):
            raise errors.not_emulated(f"DEFAULT {default}")
    (sql,) = translate(exp.select(expression))
    return sql.removeprefix("SELECT ")


# --- DROP, TRUNCATE


def drop(session: Session, statement: exp.Drop, kind: str = "") -> Result:
    """DROP TABLE or VIEW [IF EXISTS]: the table's load history goes with it, the pipe's stays."""
    kind = kind or str(statement.args["kind"]).upper()
    tables = statement.args.get("tables") or [statement.this]
    if len(tables) != 1:
        raise errors.syntax_error("unexpected ','.")
    try:
        found = relations.find(session, relations.parts(tables[0]), kind.capitalize())
    except errors.SnowflakeError as error:
        if statement.args.get("exists") and error.errno == 2003:
            return result.status("Drop statement executed successfully (object already dropped).")
        raise
    if found.kind != kind:
        raise errors.does_not_exist(kind.capitalize(), str(found.full_name))
    with session.account.lock:
        session.account.privileges.require_ownership(session.role, found)
    session.commit()
    with session.account.engine.ddl:
        all_or_nothing(session, [_drop_sql(found)])
    with session.account.lock:
        (session.temporary if found.temporary else session.account.catalog.tables).remove(found.full_name)
        forget(session, found)
    session.account.pipes.wake_all()
    return result.status(f"{found.name} successfully dropped.")


def _drop_sql(table: Table) -> str:
    return f"DROP {'VIEW' if table.is_query else 'TABLE'} {duckdb_name(table.lies_at)}"


def forget(session: Session, table: Table, keep_grants_for: Table | None = None) -> None:
    """A table is gone: so are its grants (unless copied) and its load history."""
    privileges = session.account.privileges
    if keep_grants_for is not None:
        for grant in [held for held in privileges.grants if held.object_id == table.id]:
            privileges.grant(
                grant.privilege, keep_grants_for, grant.role, grant.granted_by, option=grant.grant_option
            )
    privileges.forget(table)
    session.account.history.forget_table(table.id)


def truncate(session: Session, statement: exp.TruncateTable) -> Result:
    """TRUNCATE TABLE: rows and the table's load history go, the pipe's history stays."""
    (named,) = statement.expressions
    try:
        found = relations.find(session, relations.parts(named), "Table")
    except errors.SnowflakeError as error:
        if statement.args.get("exists") and error.errno == 2003:
            return result.status("Statement executed successfully.")
        raise
    with session.account.lock:
        session.account.privileges.require(session.role, found, "TRUNCATE")
    session.account.locks.acquire(session, found.id)
    try:
        sql = f"DELETE FROM {duckdb_name(found.lies_at)}"
        plain_sql.in_duckdb(session, lambda: session.duck.execute(sql))
        found.altered_on = session.account.now()
        found.changes += 1
        session.after_commit(lambda: session.account.history.truncate_table(found.id))
    finally:
        if not session.in_transaction:
            session.account.locks.release(session)
    return result.status("Statement executed successfully.")


# --- ALTER


def alter(session: Session, statement: exp.Alter) -> Result:
    """ALTER TABLE: columns added, dropped, renamed or changed; RENAME TO, SWAP WITH, COMMENT."""
    from snowpipe_sandbox.snowflake import alter_table

    return alter_table.alter(session, statement)


# --- DESC

DESCRIBED = result.texts(
    "name",
    "type",
    "kind",
    "null?",
    "default",
    "primary key",
    "unique key",
    "check",
    "expression",
    "comment",
    "policy name",
    "privacy domain",
)


def describe(session: Session, parts: Sequence[str], kind: str) -> Result:
    """DESC TABLE or VIEW (https://docs.snowflake.com/en/sql-reference/sql/desc-table)."""
    found = relations.find(session, tuple(parts), kind.capitalize())
    rows = [
        (
            each.name,
            each.type,
            "COLUMN",
            "Y" if each.nullable else "N",
            each.shown_default,
            _in_a_key(found, each, "PRIMARY"),
            _in_a_key(found, each, "UNIQUE"),
            None,
            None,
            each.comment,
            None,
            None,
        )
        for each in found.columns
    ]
    return Result(DESCRIBED, rows, result.DESCRIBE)


def _in_a_key(table: Table, column: TableColumn, kind: str) -> str:
    return "Y" if any(key.kind == kind and column.name in key.columns for key in table.keys) else "N"
