"""Databases, schemas, warehouses and the account: CREATE, ALTER, DROP.

Longer than 400 lines: databases and schemas have the same statements.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb

from snowpipe_sandbox.snowflake import duckdb_errors, errors, pausing, resolve, result, sequences
from snowpipe_sandbox.snowflake.catalog import Database, Objects, Pipe, Schema, SchemaObject, Warehouse
from snowpipe_sandbox.snowflake.commands import cloning, monitors
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import duckdb_name, quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
CONTAINER_OPTIONS: dict[str, options.Reader] = {
    "DATA_RETENTION_TIME_IN_DAYS": lambda tokens: tokens.number(),
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": lambda tokens: tokens.number(),
    "COMMENT": options.string,
}
WAREHOUSE_OPTIONS: dict[str, options.Reader] = {
    "WAREHOUSE_SIZE": options.word,
    "WAREHOUSE_TYPE": options.only("WAREHOUSE_TYPE", "STANDARD"),
    "AUTO_SUSPEND": options.value,
    "AUTO_RESUME": options.boolean,
    "INITIALLY_SUSPENDED": options.boolean,
    "MIN_CLUSTER_COUNT": options.value,
    "MAX_CLUSTER_COUNT": options.value,
    "SCALING_POLICY": options.word,
    "STATEMENT_TIMEOUT_IN_SECONDS": lambda tokens: tokens.integer(),
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": options.value,
    "MAX_CONCURRENCY_LEVEL": options.value,
    "ENABLE_QUERY_ACCELERATION": options.boolean,
    "QUERY_ACCELERATION_MAX_SCALE_FACTOR": options.value,
    "RESOURCE_MONITOR": options.word,
    "COMMENT": options.string,
}
RESERVED = ("MEMORY", "SYSTEM", "TEMP", "SNOWFLAKE")


# --- databases


def create_database(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE DATABASE: with a schema PUBLIC; it becomes the session's current database."""
    name = tokens.identifier()
    if tokens.sees("CLONE") or tokens.sees("FROM"):
        raise errors.not_emulated(f"CREATE DATABASE … {tokens.next.value}")
    given = options.read_options(tokens, CONTAINER_OPTIONS)
    account = session.account
    if name.upper() in RESERVED or name.upper().startswith("SANDBOX_HOME"):
        raise errors.not_emulated(f"a database called {name}")
    with account.lock:
        account.privileges.require_on_account(session.role, "CREATE DATABASE")
        existing = account.catalog.databases.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        if existing is not None:
            account.privileges.require_ownership(session.role, existing)
        if existing is not None and mode.or_alter:
            existing.comment = given.get("COMMENT", "")
            return result.status(f"Database {name} successfully altered.")
        if existing is not None:
            _remove_database(session, existing)
        made = Database(
            account.catalog.next_id(),
            name,
            session.role,
            account.now(),
            given.get("COMMENT", ""),
            mode.transient,
        )
        _in_duckdb(session, f"ATTACH ':memory:' AS {duckdb_name([name])}")
        account.catalog.databases[name] = made
        _add_schema(session, name, "PUBLIC", "")
        session.database, session.schema = name, "PUBLIC"
    account.pipes.wake_all()
    return result.status(f"Database {name} successfully created.")


def _in_duckdb(session: Session, sql: str) -> None:
    """Run DDL on a connection of its own: the session's may be busy, and the account's lock is held."""
    engine = session.account.engine
    with engine.ddl, closing(engine.cursor()) as cursor:
        try:
            cursor.execute(sql)
        except duckdb.Error as error:
            raise duckdb_errors.translate(error) from None


def _add_schema(session: Session, database: str, name: str, comment: str) -> Schema:
    account = session.account
    made = Schema(account.catalog.next_id(), database, name, session.role, account.now(), comment)
    _in_duckdb(session, f"CREATE SCHEMA {duckdb_name([database, name])}")
    account.catalog.schemas[database, name] = made
    account.privileges.created(made)
    return made


def _database(session: Session, name: str) -> Database:
    found = resolve.database(session.account, session, name)
    session.account.privileges.require_ownership(session.role, found)
    return found


def drop_database(session: Session, tokens: Tokens) -> Result:
    """DROP DATABASE: everything in it goes with it."""
    name = tokens.identifier()
    if not tokens.take("CASCADE") and tokens.sees("RESTRICT"):
        raise errors.not_emulated("DROP DATABASE … RESTRICT")
    tokens.end()
    account = session.account
    with account.lock:
        _remove_database(session, _database(session, name))
    account.pipes.wake_all()
    return result.status(f"{name} successfully dropped.")


def _remove_database(session: Session, found: Database) -> None:
    catalog = session.account.catalog
    for schema in [each for each in catalog.schemas.values() if each.database == found.name]:
        _remove_schema(session, schema)
    privileges = session.account.privileges
    for role in [key for key, each in privileges.roles.items() if each.database == found.name]:
        privileges.forget_role(role, session.role)
    _in_duckdb(session, f"DETACH {duckdb_name([found.name])}")
    del catalog.databases[found.name]
    session.account.privileges.forget(found)
    if session.database == found.name:
        session.database = session.schema = None


def alter_database(session: Session, tokens: Tokens) -> Result:
    """ALTER DATABASE … SET or UNSET COMMENT."""
    name = tokens.identifier()
    comment = _comment_only(tokens, "DATABASE")
    with session.account.lock:
        _database(session, name).comment = comment
    return result.status(DONE)


def _comment_only(tokens: Tokens, kind: str) -> str:
    if tokens.take("UNSET"):
        options.unset_list(tokens, "COMMENT")
        return ""
    if not tokens.take("SET"):
        raise errors.not_emulated(f"ALTER {kind} … {tokens.next.value}")
    given = options.read_options(tokens, CONTAINER_OPTIONS)
    if not given:
        raise tokens.error()
    return str(given.get("COMMENT", ""))


# --- schemas


def create_schema(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE SCHEMA, empty or as a clone: it becomes the session's current schema."""
    parts = tokens.name(2)
    source = cloning.source_of(session, tokens)
    managed = tokens.take("WITH", "MANAGED", "ACCESS")
    given = options.read_options(tokens, CONTAINER_OPTIONS)
    account = session.account
    with account.lock:
        database = parts[0] if len(parts) == 2 else session.database
        if database is None:
            raise errors.no_database("CREATE SCHEMA")
        inside = resolve.database(account, session, database)
        account.privileges.require(session.role, inside, "CREATE SCHEMA")
        name = parts[-1]
        if name == "INFORMATION_SCHEMA":
            raise errors.already_exists(name)
        existing = account.catalog.schemas.get((database, name))
        present = mode.present(session, existing)
        if present is not None:
            return present
        if existing is not None:
            account.privileges.require_ownership(session.role, existing)
        if source is not None and (mode.or_alter or existing is source):
            raise errors.not_emulated("CREATE SCHEMA … CLONE of this kind")
        if existing is not None and mode.or_alter:
            existing.comment, existing.managed = given.get("COMMENT", ""), managed
            return result.status(f"Schema {name} successfully altered.")
        if existing is not None:
            _remove_alone(session, existing)
        made = _add_schema(session, database, name, given.get("COMMENT", ""))
        made.managed, made.transient = managed, mode.transient or inside.transient
        if source is not None:
            for statement in cloning.fill(session, source, made):
                _in_duckdb(session, statement)
            pausing.note(account.catalog, account.now())
        session.database, session.schema = database, name
    account.pipes.wake_all()
    return result.status(f"Schema {name} successfully created.")


def _schema(session: Session, parts: tuple[str, ...]) -> Schema:
    found = resolve.schema(session.account, session, parts)
    session.account.privileges.require_ownership(session.role, found)
    return found


def drop_schema(session: Session, tokens: Tokens) -> Result:
    """DROP SCHEMA: everything in it goes with it."""
    parts = tokens.name(2)
    if not tokens.take("CASCADE") and tokens.sees("RESTRICT"):
        raise errors.not_emulated("DROP SCHEMA … RESTRICT")
    tokens.end()
    account = session.account
    with account.lock:
        found = _schema(session, parts)
        _remove_alone(session, found)
    account.pipes.wake_all()
    return result.status(f"{found.name} successfully dropped.")


def _remove_alone(session: Session, found: Schema) -> None:
    """Remove a schema of a database that stays. Not emulated where a table outside would lose by it."""
    if sequences.used_from_outside(session.account, found.database, found.name):
        raise errors.not_emulated("DROP SCHEMA of a sequence that is a column's default elsewhere")
    _remove_schema(session, found)


def _remove_schema(session: Session, found: Schema) -> None:
    account = session.account
    catalog = account.catalog
    inside = (found.database, found.name)
    objects: list[SchemaObject] = [
        *catalog.pipes,
        *catalog.stages,
        *catalog.file_formats,
        *catalog.streams,
        *catalog.tasks,
        *(each for group in catalog.beside.values() for each in group),
        *catalog.tables,
    ]
    for each in [each for each in objects if (each.database, each.schema) == inside]:
        _remove_object(session, each)
    _in_duckdb(session, f"DROP SCHEMA {duckdb_name(inside)} CASCADE")
    del catalog.schemas[inside]
    account.privileges.forget(found)
    if (session.database, session.schema) == inside:
        session.schema = None


def _remove_object(session: Session, gone: SchemaObject) -> None:
    account = session.account
    catalog = account.catalog
    if isinstance(gone, Pipe):
        gone.dropped_on = account.now()
        catalog.dropped_pipes.append(gone)
        account.pipes.forget(gone)
    groups: tuple[Objects[Any], ...] = (
        catalog.pipes,
        catalog.stages,
        catalog.file_formats,
        catalog.streams,
        catalog.tasks,
        *catalog.beside.values(),
        catalog.tables,
    )
    for group in groups:
        if group.by_id(gone.id) is not None:
            group.remove(gone.full_name)
    account.privileges.forget(gone)
    account.history.forget_table(gone.id)


def alter_schema(session: Session, tokens: Tokens) -> Result:
    """ALTER SCHEMA … SET or UNSET PIPE_EXECUTION_PAUSED (MODIFY) or COMMENT (OWNERSHIP)."""
    parts = tokens.name(2)
    if tokens.take("ENABLE", "MANAGED", "ACCESS") or tokens.take("DISABLE", "MANAGED", "ACCESS"):
        return _manage_access(session, parts, tokens)
    known = CONTAINER_OPTIONS | {"PIPE_EXECUTION_PAUSED": options.boolean}
    given, unset = _set_or_unset(tokens, known, "SCHEMA")
    account = session.account
    with account.lock:
        found = resolve.schema(account, session, parts)
        if {*given, *unset} == {"PIPE_EXECUTION_PAUSED"}:
            account.privileges.require(session.role, found, "MODIFY")
        else:
            account.privileges.require_ownership(session.role, found)
        if "PIPE_EXECUTION_PAUSED" in {*given, *unset}:
            found.pipe_execution_paused = given.get("PIPE_EXECUTION_PAUSED")
            pausing.note(account.catalog, account.now())
        if "COMMENT" in {*given, *unset}:
            found.comment = given.get("COMMENT", "")
    account.pipes.wake_all()
    return result.status(DONE)


def _manage_access(session: Session, parts: tuple[str, ...], tokens: Tokens) -> Result:
    """ALTER SCHEMA … ENABLE | DISABLE MANAGED ACCESS: needs MANAGE GRANTS beside the schema's ownership.

    Source: https://docs.snowflake.com/en/sql-reference/sql/alter-schema.
    """
    tokens.end()
    account = session.account
    with account.lock:
        found = _schema(session, parts)
        account.privileges.require_on_account(session.role, "MANAGE GRANTS")
        found.managed = " ENABLE " in f" {' '.join(tokens.text.upper().split())} "
    return result.status(DONE)


def _set_or_unset(
    tokens: Tokens, known: dict[str, options.Reader], kind: str
) -> tuple[dict[str, Any], list[str]]:
    if tokens.take("SET"):
        given = options.read_options(tokens, known)
        if not given:
            raise tokens.error()
        return given, []
    if tokens.take("UNSET"):
        return {}, options.unset_list(tokens, *known)
    raise errors.not_emulated(f"ALTER {kind} … {tokens.next.value}")


# --- the account


def alter_account(session: Session, tokens: Tokens) -> Result:
    """ALTER ACCOUNT SET or UNSET PIPE_EXECUTION_PAUSED; ACCOUNTADMIN only."""
    words = [tokens.ahead(n).value for n in range(2)]
    if words[0] in ("SET", "UNSET") and words[1] != "PIPE_EXECUTION_PAUSED":
        raise errors.not_emulated(f"ALTER ACCOUNT {' '.join(words)}")
    given, _unset = _set_or_unset(tokens, {"PIPE_EXECUTION_PAUSED": options.boolean}, "ACCOUNT")
    account = session.account
    with account.lock:
        if not account.privileges.holds_role(session.role, "ACCOUNTADMIN"):
            raise errors.insufficient_privileges("account", account.name)
        account.catalog.pipe_execution_paused = given.get("PIPE_EXECUTION_PAUSED")
        pausing.note(account.catalog, account.now())
    account.pipes.wake_all()
    return result.status(DONE)


# --- warehouses


def create_warehouse(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE WAREHOUSE: a name to use; sizes and suspension change nothing here."""
    name = tokens.identifier()
    tokens.take("WITH")
    given = options.read_options(tokens, WAREHOUSE_OPTIONS)
    account = session.account
    with account.lock:
        account.privileges.require_on_account(session.role, "CREATE WAREHOUSE")
        monitors.check(session, given.get("RESOURCE_MONITOR", "NULL"))
        existing = account.catalog.warehouses.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        account.privileges.displace(session.role, existing)
        made = Warehouse(
            account.catalog.next_id(), name, session.role, account.now(), given.get("COMMENT", "")
        )
        made.statement_timeout_s = given.get("STATEMENT_TIMEOUT_IN_SECONDS", 0)
        account.catalog.warehouses[name] = made
        session.warehouse = name
    return result.status(f"Warehouse {name} successfully created.")


def _warehouse(session: Session, name: str, *privileges: str) -> Warehouse:
    account = session.account
    found = account.catalog.warehouses.get(name)
    if found is None or not account.privileges.sees(session.role, found):
        raise errors.does_not_exist("Warehouse", quoted(name))
    if privileges:
        account.privileges.require_any(session.role, found, *privileges)
    else:
        account.privileges.require_ownership(session.role, found)
    return found


def alter_warehouse(session: Session, tokens: Tokens) -> Result:
    """ALTER WAREHOUSE … SET, RESUME or SUSPEND."""
    name = tokens.identifier()
    if tokens.take("SUSPEND") or tokens.take("RESUME"):
        tokens.take("IF", "SUSPENDED")
        tokens.end()
        with session.account.lock:
            _warehouse(session, name, "OPERATE")
        return result.status(DONE)
    given, unset = _set_or_unset(tokens, WAREHOUSE_OPTIONS, "WAREHOUSE")
    with session.account.lock:
        found = _warehouse(session, name, "MODIFY")
        monitors.check(session, given.get("RESOURCE_MONITOR", "NULL"))
        if "COMMENT" in {*given, *unset}:
            found.comment = given.get("COMMENT", "")
        if "STATEMENT_TIMEOUT_IN_SECONDS" in {*given, *unset}:
            found.statement_timeout_s = given.get("STATEMENT_TIMEOUT_IN_SECONDS", 0)
    return result.status(DONE)


def drop_warehouse(session: Session, tokens: Tokens) -> Result:
    """DROP WAREHOUSE."""
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        found = _warehouse(session, name)
        del account.catalog.warehouses[name]
        account.privileges.forget(found)
        if session.warehouse == name:
            session.warehouse = None
    return result.status(f"{name} successfully dropped.")
