"""SHOW <kind> [LIKE '…'] [IN …] [STARTS WITH '…'] [LIMIT n], with Snowflake's columns in their order.

Longer than 400 lines: the columns of every SHOW.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from snowpipe_sandbox.snowflake import errors, relations, resolve, result, sequences
from snowpipe_sandbox.snowflake.catalog import Beside, Objects, Schema, SchemaObject
from snowpipe_sandbox.snowflake.commands import (
    beside,
    database_roles,
    derived,
    file_formats,
    integrations,
    keys,
    monitors,
    notifications,
    pipes,
    show_grants,
    show_parameters,
    stages,
    streams,
    tasks,
    users,
)
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import like_matches
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

T = TypeVar("T")
MAX_ROWS = 10_000
INFORMATION_SCHEMA = "INFORMATION_SCHEMA"
VIEWS_OF_THE_DATABASE = "Views describing the contents of schemas in this database"
CREATED_ON = Column("created_on", "TIMESTAMP_LTZ")


@dataclass(frozen=True, slots=True)
class Filter:
    """LIKE, IN, STARTS WITH, LIMIT … FROM. ``database`` and ``schema`` None: not limited."""

    like: str | None = None
    database: str | None = None
    schema: str | None = None
    starts_with: str = ""
    limit: int = MAX_ROWS
    after: str | None = None

    def passes(self, name: str) -> bool:
        """Does a name pass LIKE (without case), STARTS WITH (with case) and FROM?"""
        return (
            (self.like is None or like_matches(self.like, name))
            and name.startswith(self.starts_with)
            and (self.after is None or name > self.after)
        )


def read_filter(session: Session, tokens: Tokens, *, scoped: bool) -> Filter:
    """The clauses after the kind. Without IN the current schema's database is meant, as Snowflake does."""
    like = tokens.string() if tokens.take("LIKE") else None
    database, schema = (session.database, None) if scoped else (None, None)
    if scoped and session.database is not None and session.schema is not None:
        schema = session.schema
    if tokens.take("IN"):
        if not scoped and not tokens.sees("ACCOUNT"):
            raise tokens.error()
        database, schema = _scope(session, tokens)
    return replace(_named(tokens, like), database=database, schema=schema)


def _named(tokens: Tokens, like: str | None) -> Filter:
    """STARTS WITH and LIMIT … FROM, to the end of the statement."""
    starts_with = tokens.string() if tokens.take("STARTS", "WITH") else ""
    limit, after = MAX_ROWS, None
    if tokens.take("LIMIT"):
        limit = min(tokens.integer(), MAX_ROWS)
        after = tokens.string() if tokens.take("FROM") else None
    tokens.end()
    return Filter(like, starts_with=starts_with, limit=limit, after=after)


def _there(find: Callable[[], T]) -> T:
    """What IN names. Raises 2043, and not 2003, where it is missing or not visible.

    *Observed:* https://github.com/dbt-labs/dbt-adapters (dbt-snowflake, impl.py: SHOW OBJECTS in a schema),
    https://github.com/open-metadata/OpenMetadata/issues/4547 (SHOW TABLES in a schema),
    https://github.com/Embucket/embucket (SHOW SCHEMAS in a database).
    """
    try:
        return find()
    except errors.SnowflakeError as error:
        if error.errno == 2003:
            raise errors.cannot_be_performed() from None
        raise


def _scope(session: Session, tokens: Tokens) -> tuple[str | None, str | None]:
    """IN ACCOUNT, IN DATABASE [name], IN [SCHEMA] name. Raises 2043."""
    account = session.account
    if tokens.take("ACCOUNT"):
        return None, None
    if tokens.take("DATABASE"):
        if tokens.at_end or tokens.sees("STARTS") or tokens.sees("LIMIT"):
            if session.database is None:
                raise errors.no_database("SHOW")
            return session.database, None
        name = tokens.identifier()
        return _there(lambda: resolve.database(account, session, name)).name, None
    named = tokens.take("SCHEMA")
    if tokens.at_end and named:
        if session.schema is None:
            raise errors.no_schema("SHOW")
        return session.database, session.schema
    parts = tokens.name(2)
    if len(parts) == 1 and not named and parts[0] in account.catalog.databases:
        return _there(lambda: resolve.database(account, session, parts[0])).name, None
    found = _there(lambda: resolve.schema(account, session, parts))
    return found.database, found.name


# --- kinds


def show(session: Session, tokens: Tokens) -> Result:
    """SHOW of any kind the sandbox has; TERSE and HISTORY are not emulated."""
    tokens.expect("SHOW")
    if tokens.take("TERSE"):
        return _terse(session, tokens)
    if tokens.take("GRANTS"):
        return show_grants.show(session, tokens)
    if tokens.take("FUTURE", "GRANTS"):
        return show_grants.show_future(session, tokens)
    if tokens.take("PARAMETERS"):
        return show_parameters.show(session, tokens)
    for words, shower in KINDS:
        if tokens.take(*words):
            if words[0] in WITH_HISTORY and tokens.next.value == "HISTORY":
                raise errors.not_emulated(f"SHOW {words[0]} HISTORY")
            with session.account.lock:
                columns, rows = shower(session, tokens)
            return Result(columns, rows, result.SHOW)
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"SHOW {tokens.next.value}")


WITH_HISTORY = ("DATABASES", "SCHEMAS", "TABLES")
"""Kinds of which what was dropped can be shown too.

Source: https://docs.snowflake.com/en/sql-reference/sql/show-tables (and the pages of the others).
"""
TERSE = ("created_on", "name", "kind", "database_name", "schema_name")
TERSE_KINDS = ("DATABASES", "OBJECTS", "SCHEMAS", "TABLES", "VIEWS")


def _terse(session: Session, tokens: Tokens) -> Result:
    """SHOW TERSE: five columns, empty where the kind has none of that name.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-schemas (and the pages of the other kinds).
    """
    kind = tokens.next.value
    if kind not in TERSE_KINDS:
        raise errors.not_emulated(f"SHOW TERSE {kind}")
    tokens.advance()
    with session.account.lock:
        columns, rows = dict(KINDS)[kind,](session, tokens)
    places = {column.name: n for n, column in enumerate(columns)}
    filled = [tuple(row[places[name]] if name in places else None for name in TERSE) for row in rows]
    return Result([CREATED_ON, *result.texts(*TERSE[1:])], filled, result.SHOW)


Rows = tuple[list[Column], list[tuple[Any, ...]]]


def _in_schemas(
    session: Session, tokens: Tokens, objects: Objects[Any], row: Callable[[Any], tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    wanted = read_filter(session, tokens, scoped=True)
    found: Iterable[SchemaObject] = (
        each
        for each in objects
        if wanted.passes(each.called if isinstance(each, Beside) else each.name)
        and wanted.database in (None, each.database)
        and wanted.schema in (None, each.schema)
        and session.account.privileges.sees(session.role, each)
    )
    return [row(each) for each in found][: wanted.limit]


def _pipes(session: Session, tokens: Tokens) -> Rows:
    catalog = session.account.catalog
    return pipes.SHOWN, _in_schemas(
        session, tokens, catalog.pipes, lambda each: pipes.show_row(session, each)
    )


def _stages(session: Session, tokens: Tokens) -> Rows:
    catalog = session.account.catalog
    return stages.SHOWN, _in_schemas(
        session, tokens, catalog.stages, lambda each: stages.show_row(session, each)
    )


def _file_formats(session: Session, tokens: Tokens) -> Rows:
    catalog = session.account.catalog
    return file_formats.SHOWN, _in_schemas(session, tokens, catalog.file_formats, file_formats.show_row)


TABLES_SHOWN = [
    CREATED_ON,
    *result.texts("name", "database_name", "schema_name", "kind", "comment", "cluster_by"),
    Column("rows", "FIXED"),
    Column("bytes", "FIXED"),
    *result.texts(
        "owner",
        "retention_time",
        "automatic_clustering",
        "change_tracking",
        "search_optimization",
        "search_optimization_progress",
        "search_optimization_bytes",
        "is_external",
        "enable_schema_evolution",
        "owner_role_type",
        "is_event",
        "budget",
        "is_hybrid",
        "is_iceberg",
        "is_dynamic",
        "is_immutable",
    ),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-tables."""


def _tables(session: Session, tokens: Tokens) -> Rows:
    def row(each: Any) -> tuple[Any, ...]:
        return (
            each.created_on,
            each.name,
            each.database,
            each.schema,
            "TEMPORARY" if each.temporary else "TRANSIENT" if each.transient else "TABLE",
            each.comment,
            "",
            relations.row_count(session, each),
            0,
            each.owner,
            "1",
            "OFF",
            "OFF",
            "OFF",
            None,
            None,
            "N",
            "Y" if each.evolves else "N",
            "ROLE",
            "N",
            None,
            "N",
            "N",
            "Y" if each.refreshed is not None else "N",
            "N",
        )

    only_tables: Objects[Any] = Objects()
    for each in (*session.account.catalog.tables, *session.temporary):
        if each.kind in ("TABLE", "DYNAMIC TABLE"):
            only_tables.put(each)
    return TABLES_SHOWN, _in_schemas(session, tokens, only_tables, row)


SCHEMAS_SHOWN = [
    CREATED_ON,
    *result.texts(
        "name",
        "is_default",
        "is_current",
        "database_name",
        "owner",
        "comment",
        "options",
        "retention_time",
        "owner_role_type",
        "budget",
    ),
]


def _schemas(session: Session, tokens: Tokens) -> Rows:
    like = tokens.string() if tokens.take("LIKE") else None
    database = session.database
    if tokens.take("IN"):
        if tokens.take("ACCOUNT"):
            database = None
        elif not tokens.take("DATABASE") or tokens.next.kind in ("word", "quoted"):
            name = tokens.identifier()
            database = _there(lambda: resolve.database(session.account, session, name)).name
    wanted = _named(tokens, like)
    rows = [_schema_row(session, each) for each in schemas_of(session, database)]
    return SCHEMAS_SHOWN, [row for row in rows if wanted.passes(row[1])][: wanted.limit]


def schemas_of(session: Session, database: str | None) -> list[Schema]:
    """The schemas the role may see, by name, each database's INFORMATION_SCHEMA among them."""
    account = session.account
    found = [
        each
        for each in account.catalog.schemas.values()
        if database in (None, each.database) and account.privileges.sees(session.role, each)
    ]
    found += [
        Schema(0, each.name, INFORMATION_SCHEMA, "", each.created_on, VIEWS_OF_THE_DATABASE)
        for each in account.catalog.databases.values()
        if database in (None, each.name) and account.privileges.may_reach(session.role, each.name)
    ]
    return sorted(found, key=lambda each: (each.database, each.name))


def _schema_row(session: Session, each: Schema) -> tuple[Any, ...]:
    kinds = (("TRANSIENT", each.transient), ("MANAGED ACCESS", each.managed))
    return (
        each.created_on,
        each.name,
        "N",
        "Y" if (each.database, each.name) == (session.database, session.schema) else "N",
        each.database,
        each.owner,
        each.comment,
        ", ".join(kind for kind, is_so in kinds if is_so),
        "1",
        "ROLE" if each.owner else "",
        None,
    )


DATABASES_SHOWN = [
    CREATED_ON,
    *result.texts(
        "name",
        "is_default",
        "is_current",
        "origin",
        "owner",
        "comment",
        "options",
        "retention_time",
        "kind",
        "budget",
        "owner_role_type",
    ),
]


def _databases(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    rows: list[tuple[Any, ...]] = [
        (
            each.created_on,
            each.name,
            "N",
            "Y" if each.name == session.database else "N",
            "",
            each.owner,
            each.comment,
            "TRANSIENT" if each.transient else "",
            "1",
            "STANDARD",
            None,
            "ROLE",
        )
        for _, each in sorted(session.account.catalog.databases.items())
        if wanted.passes(each.name) and session.account.privileges.sees(session.role, each)
    ]
    if wanted.passes("SNOWFLAKE") and session.account.privileges.closure(session.role) & {
        "ACCOUNTADMIN",
        "SNOWFLAKE.IMPORTED",
        "SNOWFLAKE.USAGE_VIEWER",
        "SNOWFLAKE.OBJECT_VIEWER",
    }:
        rows.append(
            (
                session.account.created_on,
                "SNOWFLAKE",
                "N",
                "N",
                "SNOWFLAKE.ACCOUNT_USAGE",
                "",
                "",
                "",
                "1",
                "APPLICATION",
                None,
                "",
            )
        )
    return DATABASES_SHOWN, rows


ROLES_SHOWN = [
    CREATED_ON,
    *result.texts("name", "is_default", "is_current", "is_inherited"),
    Column("assigned_to_users", "FIXED"),
    Column("granted_to_roles", "FIXED"),
    Column("granted_roles", "FIXED"),
    *result.texts("owner", "comment"),
]


def _roles(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    privileges = session.account.privileges
    inherited = privileges.closure(session.role)
    rows = [
        (
            each.created_on,
            each.name,
            "Y" if each.name == session.account.default_role else "N",
            "Y" if each.name == session.role else "N",
            "Y" if each.name in inherited and each.name != session.role else "N",
            int(each.name in privileges.user_roles),
            sum(each.name in other.granted for other in privileges.roles.values()),
            sum("." not in name for name in each.granted),
            each.owner,
            each.comment,
        )
        for _, each in sorted(privileges.roles.items())
        if wanted.passes(each.name) and not each.database
    ]
    return ROLES_SHOWN, rows


def _database_roles(session: Session, tokens: Tokens) -> Rows:
    """SHOW DATABASE ROLES [LIKE …] IN DATABASE name."""
    wanted = read_filter(session, tokens, scoped=True)
    if wanted.database is None:
        raise errors.no_database("SHOW")
    found = [row for row in database_roles.rows(session, wanted.database) if wanted.passes(row[1])]
    return database_roles.SHOWN, found[: wanted.limit]


WAREHOUSES_SHOWN = [
    *result.texts("name", "state", "type", "size"),
    *[
        Column(name, "FIXED")
        for name in ("min_cluster_count", "max_cluster_count", "started_clusters", "running", "queued")
    ],
    *result.texts("is_default", "is_current"),
    Column("auto_suspend", "FIXED"),
    *result.texts("auto_resume", "available", "provisioning", "quiescing", "other"),
    CREATED_ON,
    *[Column(name, "TIMESTAMP_LTZ") for name in ("resumed_on", "updated_on")],
    *result.texts("owner", "comment", "owner_role_type"),
]


def _users(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    shown = [CREATED_ON, *result.texts(*users.SHOWN)]
    return shown, [row for row in users.rows(session) if wanted.passes(row[1])][: wanted.limit]


def _warehouses(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    rows = [
        (
            each.name,
            "STARTED",
            "STANDARD",
            "X-Small",
            1,
            1,
            1,
            0,
            0,
            "Y" if each.name == session.account.default_warehouse else "N",
            "Y" if each.name == session.warehouse else "N",
            600,
            "true",
            "100",
            "0",
            "0",
            "0",
            each.created_on,
            each.created_on,
            each.created_on,
            each.owner,
            each.comment,
            "ROLE",
        )
        for _, each in sorted(session.account.catalog.warehouses.items())
        if wanted.passes(each.name) and session.account.privileges.sees(session.role, each)
    ]
    return WAREHOUSES_SHOWN, rows


def _integrations(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    rows = sorted([*integrations.show_rows(session), *notifications.show_rows(session)])
    return integrations.SHOWN, [row for row in rows if wanted.passes(row[0])]


def _storage_integrations(session: Session, tokens: Tokens) -> Rows:
    columns, rows = _integrations(session, tokens)
    return columns, [row for row in rows if row[2] == "STORAGE"]


def _notification_integrations(session: Session, tokens: Tokens) -> Rows:
    columns, rows = _integrations(session, tokens)
    return columns, [row for row in rows if row[2] == "NOTIFICATION"]


def _streams(session: Session, tokens: Tokens) -> Rows:
    found = session.account.catalog.streams
    return streams.SHOWN, _in_schemas(session, tokens, found, lambda each: streams.show_row(session, each))


def _tasks(session: Session, tokens: Tokens) -> Rows:
    return tasks.SHOWN, _in_schemas(session, tokens, session.account.catalog.tasks, tasks.show_row)


def _beside(kind: str) -> Callable[[Session, Tokens], Rows]:
    """SHOW of one of the kinds that are only there; it lists none of Snowflake's own functions."""

    def show(session: Session, tokens: Tokens) -> Rows:
        found = session.account.catalog.beside[kind]
        return beside.SHOWN[kind], _in_schemas(session, tokens, found, beside.show_row)

    return show


def _sequences(session: Session, tokens: Tokens) -> Rows:
    account = session.account
    found = account.catalog.beside[sequences.KIND]
    return sequences.SHOWN, _in_schemas(
        session, tokens, found, lambda each: sequences.show_row(account, each)
    )


def _monitors(session: Session, tokens: Tokens) -> Rows:
    wanted = read_filter(session, tokens, scoped=False)
    found = [row for row in monitors.rows(session) if wanted.passes(row[0])]
    return monitors.SHOWN, found[: wanted.limit]


VIEWS_SHOWN = [
    CREATED_ON,
    *result.texts("name", "reserved", "database_name", "schema_name", "owner", "comment", "text"),
    *result.texts("is_secure", "is_materialized", "owner_role_type", "change_tracking"),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-views. The text of a view is not kept."""


def _views(session: Session, tokens: Tokens) -> Rows:
    def row(each: Any) -> tuple[Any, ...]:
        place = (each.created_on, each.name, "", each.database, each.schema)
        materialized = str(each.kind == "MATERIALIZED VIEW").lower()
        return (*place, each.owner, each.comment, "", str(each.secure).lower(), materialized, "ROLE", "OFF")

    only_views: Objects[Any] = Objects()
    for each in (*session.account.catalog.tables, *session.temporary):
        if each.kind in ("VIEW", "MATERIALIZED VIEW"):
            only_views.put(each)
    return VIEWS_SHOWN, _in_schemas(session, tokens, only_views, row)


def _dynamic(session: Session, tokens: Tokens) -> Rows:
    only_dynamic: Objects[Any] = Objects()
    for each in session.account.catalog.tables:
        if each.refreshed is not None:
            only_dynamic.put(each)
    return derived.SHOWN, _in_schemas(
        session, tokens, only_dynamic, lambda each: derived.show_row(session, each)
    )


OBJECTS_SHOWN = [
    CREATED_ON,
    *result.texts("name", "database_name", "schema_name", "kind", "comment", "cluster_by"),
    Column("rows", "FIXED"),
    Column("bytes", "FIXED"),
    *result.texts("owner", "retention_time", "owner_role_type", "is_dynamic", "is_iceberg"),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-objects,
https://docs.snowflake.com/en/release-notes/bcr-bundles/2024_03/bcr-1529 (is_dynamic),
https://docs.snowflake.com/en/release-notes/bcr-bundles/2025_01/bcr-1842 (is_iceberg)."""


def _objects(session: Session, tokens: Tokens) -> Rows:
    def row(each: Any) -> tuple[Any, ...]:
        is_view = each.is_query
        rows = None if is_view else relations.row_count(session, each)
        place = (each.created_on, each.name, each.database, each.schema, each.kind, each.comment, "")
        dynamic = "Y" if each.refreshed is not None else "N"
        return (*place, rows, None if is_view else 0, each.owner, "1", "ROLE", dynamic, "N")

    return OBJECTS_SHOWN, _in_schemas(session, tokens, session.account.catalog.tables, row)


KINDS: list[tuple[tuple[str, ...], Callable[[Session, Tokens], Rows]]] = [
    (("STORAGE", "INTEGRATIONS"), _storage_integrations),
    (("INTEGRATIONS",), _integrations),
    (("NOTIFICATION", "INTEGRATIONS"), _notification_integrations),
    (("STAGES",), _stages),
    (("FILE", "FORMATS"), _file_formats),
    (("PIPES",), _pipes),
    (("STREAMS",), _streams),
    (("TASKS",), _tasks),
    (("VIEWS",), _views),
    (("OBJECTS",), _objects),
    (("TABLES",), _tables),
    (("DYNAMIC", "TABLES"), _dynamic),
    (("PRIMARY", "KEYS"), keys.primary),
    (("UNIQUE", "KEYS"), keys.unique),
    (("IMPORTED", "KEYS"), keys.imported),
    (("EXPORTED", "KEYS"), keys.imported),
    (("INDEXES",), keys.indexes),
    (("SCHEMAS",), _schemas),
    (("DATABASES",), _databases),
    (("ROLES",), _roles),
    (("DATABASE", "ROLES"), _database_roles),
    (("WAREHOUSES",), _warehouses),
    (("USERS",), _users),
    (("RESOURCE", "MONITORS"), _monitors),
    (("PROCEDURES",), _beside("PROCEDURE")),
    (("USER", "PROCEDURES"), _beside("PROCEDURE")),
    (("USER", "FUNCTIONS"), _beside("FUNCTION")),
    (("MASKING", "POLICIES"), _beside("MASKING POLICY")),
    (("ROW", "ACCESS", "POLICIES"), _beside("ROW ACCESS POLICY")),
    (("TAGS",), _beside("TAG")),
    (("ALERTS",), _beside("ALERT")),
    (("SEQUENCES",), _sequences),
]
