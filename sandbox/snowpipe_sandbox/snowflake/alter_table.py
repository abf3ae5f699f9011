"""ALTER TABLE: the table is rebuilt in DuckDB, so that rows, checks and defaults stay right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, keys, plain_sql, relations, result, tables
from snowpipe_sandbox.snowflake.catalog import Table, TableColumn
from snowpipe_sandbox.snowflake.datatypes import snowflake_type
from snowpipe_sandbox.snowflake.names import Name, duckdb_name, qualify
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
Shape = list[tuple[TableColumn, str | None]]
"""The new columns, each with the DuckDB expression over the old table that fills it; None: its default."""


def alter(session: Session, statement: exp.Alter) -> Result:
    """One ALTER TABLE. Raises not emulated for actions without an emulation."""
    if str(statement.args["kind"]).upper() != "TABLE":
        raise errors.not_emulated("ALTER VIEW")
    try:
        table = relations.find(session, relations.parts(statement.this), "Table")
    except errors.SnowflakeError as error:
        if statement.args.get("exists") and error.errno == 2003:
            return result.status(DONE)
        raise
    if table.temporary:
        raise errors.not_emulated("ALTER of a temporary table")
    with session.account.lock:
        session.account.privileges.require_ownership(session.role, table)
    session.commit()
    session.account.locks.acquire(session, table.id)
    try:
        _apply(session, table, statement)
        table.altered_on = table.ddl_on = session.account.now()
    finally:
        session.account.locks.release(session)
    session.account.pipes.wake_all()
    return result.status(DONE)


def _apply(session: Session, table: Table, statement: exp.Alter) -> None:
    actions = statement.args["actions"]
    first = actions[0]
    if isinstance(first, exp.AlterRename):
        _rename(session, table, relations.parts(first.this))
    elif isinstance(first, exp.SwapTable):
        _swap(session, relations.parts(statement.this), relations.parts(first.this))
    elif isinstance(first, exp.AlterSet):
        _set(table, first)
    elif isinstance(first, exp.ClusterProperty):
        return
    else:
        shape: Shape = [(column, duckdb_name([column.name])) for column in table.columns]
        for action in actions:
            shape = _reshaped(shape, action)
        _rebuild(session, table, shape)


def _set(table: Table, action: exp.AlterSet) -> None:
    for properties in action.expressions:
        for each in properties.expressions if isinstance(properties, exp.Properties) else [properties]:
            if isinstance(each, exp.SchemaCommentProperty):
                table.comment = each.this.name
            elif (said := tables.evolves(each)) is not None:
                table.evolves = said
            elif not tables.is_harmless(each):
                raise errors.not_emulated(f"ALTER TABLE … SET {each.sql(dialect='snowflake')}")


def _reshaped(shape: Shape, action: exp.Expression) -> Shape:
    """The shape after one action."""
    if isinstance(action, exp.ColumnDef):
        return _added(shape, action)
    if isinstance(action, exp.Schema):
        for each in action.expressions:
            shape = _added(shape, each)
        return shape
    if isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
        for column in action.args.get("tables") or []:
            shape = _dropped(shape, relations.stored(column.this), if_exists=bool(action.args.get("exists")))
        return shape
    if isinstance(action, exp.RenameColumn):
        old, new = relations.stored(action.this.this), relations.stored(action.args["to"].this)
        _require(shape, old)
        return [(replace(column, name=new) if column.name == old else column, sql) for column, sql in shape]
    if isinstance(action, exp.AlterColumn):
        return _changed(shape, action)
    raise errors.not_emulated(f"ALTER TABLE … {action.sql(dialect='snowflake')[:60]}")


def _require(shape: Shape, name: str) -> None:
    if all(column.name != name for column, _ in shape):
        raise errors.SnowflakeError(904, "42000", f"SQL compilation error:\ninvalid identifier '{name}'")


def _added(shape: Shape, action: exp.ColumnDef) -> Shape:
    column = tables.column(action)
    if column.identity is not None:
        raise errors.not_emulated("ALTER TABLE … ADD COLUMN … AUTOINCREMENT")
    if any(each.name == column.name for each, _ in shape):
        if action.args.get("exists"):
            return shape
        raise errors.SnowflakeError(
            1430, "42601", f"SQL compilation error:\ncolumn '{column.name}' already exists"
        )
    return [*shape, (column, None)]


def _dropped(shape: Shape, name: str, *, if_exists: bool) -> Shape:
    if not if_exists:
        _require(shape, name)
    return [(column, sql) for column, sql in shape if column.name != name]


def _changed(shape: Shape, action: exp.AlterColumn) -> Shape:
    """SET DATA TYPE within the same type, SET or DROP NOT NULL, DROP DEFAULT, COMMENT."""
    name = relations.stored(action.this)
    _require(shape, name)
    changed: Shape = []
    for column, sql in shape:
        made = _with_change(column, action) if column.name == name else column
        changed.append((made, sql))
    return changed


def _with_change(column: TableColumn, action: exp.AlterColumn) -> TableColumn:
    if action.args.get("dtype"):
        type_ = snowflake_type(action.args["dtype"])
        if type_.partition("(")[0] != column.base_type or (column.length or 0) > (
            replace(column, type=type_).length or 0
        ):
            raise errors.SnowflakeError(
                2108,
                "22000",
                f"SQL compilation error:\ncannot change column {column.name} from type "
                f"{column.type} to {type_}",
            )
        return replace(column, type=type_)
    if action.args.get("comment"):
        return replace(column, comment=action.args["comment"].name)
    if "allow_null" in action.args and action.args["allow_null"] is not None:
        return replace(column, nullable=bool(action.args["allow_null"]))
    if action.args.get("drop") and not action.args.get("default"):
        return replace(column, default=None)
    raise errors.not_emulated(f"ALTER TABLE … {action.sql(dialect='snowflake')[:60]}")


def _rebuild(session: Session, table: Table, shape: Shape) -> None:
    """Copy the rows into a table of the new shape and put it in the old one's place, all or nothing."""
    name = duckdb_name(table.full_name)
    fresh = duckdb_name((table.database, table.schema, f"{table.name} (altered)"))
    columns = [column for column, _ in shape]
    now = {sql: column.name for column, sql in shape if sql is not None}
    before = {column.name: duckdb_name([column.name]) for column in table.columns}
    names = {old: now[sql] for old, sql in before.items() if sql in now}
    renamed = keys.renamed(table.keys, names)
    kept = [(duckdb_name([column.name]), sql) for column, sql in shape if sql is not None]
    statements = [
        f"CREATE TABLE {fresh} ({', '.join(tables.column_sql(column) for column in columns)})",
        f"INSERT INTO {fresh} ({', '.join(new for new, _ in kept)}) "
        f"SELECT {', '.join(old for _, old in kept)} FROM {name}",
        f"DROP TABLE {name}",
        f"ALTER TABLE {fresh} RENAME TO {duckdb_name([table.name])}",
    ]
    with session.account.engine.ddl:
        tables.all_or_nothing(session, statements)
    with session.account.lock:
        table.columns = columns
        table.keys = renamed
        table.changes += 1


def _rename(session: Session, table: Table, parts: tuple[str, ...]) -> None:
    """RENAME TO, also into another schema of the same database: the hidden id stays."""
    new = qualify(parts, session) if len(parts) != 1 else Name(table.database, table.schema, parts[0])
    if new[:2] != table.full_name[:2]:
        raise errors.not_emulated("ALTER TABLE … RENAME TO another schema")
    with session.account.lock:
        if session.account.catalog.tables.get(new) is not None:
            raise errors.already_exists(str(new))
    sql = f"ALTER TABLE {duckdb_name(table.full_name)} RENAME TO {duckdb_name([new.name])}"
    with session.account.engine.ddl:
        plain_sql.in_duckdb(session, lambda: session.duck.execute(sql))
    with session.account.lock:
        session.account.catalog.tables.rename(table.full_name, new)


def _swap(session: Session, name: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """SWAP WITH: the two exchange their names; ids, and so load histories, go with the rows."""
    with session.account.engine.renaming:
        one, other = relations.find(session, name, "Table"), relations.find(session, parts, "Table")
        with session.account.lock:
            session.account.privileges.require_ownership(session.role, one)
            session.account.privileges.require_ownership(session.role, other)
        if one is other or one.full_name[:2] != other.full_name[:2]:
            raise errors.not_emulated("ALTER TABLE … SWAP WITH itself, or a table of another schema")
        _exchange_names(session, one, other)


def _exchange_names(session: Session, one: Table, other: Table) -> None:
    first, second = one.full_name, other.full_name
    aside = f"{one.name} (swapped)"
    moves = ((first, aside), (second, first.name), ((*first[:2], aside), second.name))
    renames = [f"ALTER TABLE {duckdb_name(old)} RENAME TO {duckdb_name([new])}" for old, new in moves]
    with session.account.engine.ddl:
        tables.all_or_nothing(session, renames)
    with session.account.lock:
        catalog = session.account.catalog
        catalog.tables.rename(first, Name(first.database, first.schema, aside))
        catalog.tables.rename(second, first)
        catalog.tables.rename(Name(first.database, first.schema, aside), second)
