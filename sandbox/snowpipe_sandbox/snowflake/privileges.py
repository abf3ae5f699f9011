"""Who may do what: roles and their hierarchy, grants by object id, ownership, future grants.

Sources: sources: Snowflake §4; https://docs.snowflake.com/en/user-guide/security-access-control-overview
(role hierarchy, secured objects) and https://docs.snowflake.com/en/user-guide/security-access-control-privileges
(privileges by kind of object). Grants are kept by the object's hidden id: replacing an object loses them.

Longer than 400 lines: the privileges of every kind of object are one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from snowpipe_sandbox.clock import Clock
from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.catalog import (
    Beside,
    Catalog,
    Database,
    FileFormat,
    Integration,
    NotificationIntegration,
    Pipe,
    Schema,
    SchemaObject,
    Stage,
    Stream,
    Table,
    Task,
    Warehouse,
)
from snowpipe_sandbox.snowflake.names import dotted, quoted

OWNERSHIP = "OWNERSHIP"
PUBLIC = "PUBLIC"
SYSTEM_ROLES = ("ACCOUNTADMIN", "ORGADMIN", "PUBLIC", "SECURITYADMIN", "SYSADMIN", "USERADMIN")

PRIVILEGES: dict[str, tuple[str, ...]] = {
    "ACCOUNT": (
        "APPLY TAG",
        "CREATE DATABASE",
        "CREATE INTEGRATION",
        "CREATE ROLE",
        "CREATE STORAGE INTEGRATION",
        "CREATE USER",
        "CREATE WAREHOUSE",
        "EXECUTE MANAGED TASK",
        "EXECUTE TASK",
        "MANAGE GRANTS",
        "MODIFY LOG EVENT LEVEL",
        "MONITOR",
        "MONITOR EXECUTION",
        "MONITOR USAGE",
    ),
    "DATABASE": ("USAGE", "MODIFY", "MONITOR", "CREATE SCHEMA", "CREATE DATABASE ROLE"),
    "SCHEMA": (
        "USAGE",
        "MODIFY",
        "MONITOR",
        "CREATE FILE FORMAT",
        "CREATE PIPE",
        "CREATE STAGE",
        "CREATE STREAM",
        "CREATE TABLE",
        "CREATE TASK",
        "CREATE VIEW",
    ),
    "TABLE": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"),
    "VIEW": ("SELECT", "REFERENCES"),
    "MATERIALIZED VIEW": ("SELECT", "REFERENCES"),
    "DYNAMIC TABLE": ("SELECT", "MONITOR", "OPERATE"),
    "STAGE": ("USAGE",),
    "FILE FORMAT": ("USAGE",),
    "PIPE": ("MONITOR", "OPERATE", "APPLYBUDGET"),
    "STREAM": ("SELECT",),
    "TASK": ("MONITOR", "OPERATE"),
    "PROCEDURE": ("USAGE",),
    "FUNCTION": ("USAGE",),
    "MASKING POLICY": ("APPLY",),
    "ROW ACCESS POLICY": ("APPLY",),
    "TAG": ("APPLY", "READ"),
    "ALERT": ("MONITOR", "OPERATE"),
    "SEQUENCE": ("USAGE",),
    "INTEGRATION": ("USAGE",),
    "WAREHOUSE": ("USAGE", "MODIFY", "MONITOR", "OPERATE"),
}
"""What may be granted on each kind of object, OWNERSHIP aside; ALL means these."""

BESIDE = {
    "ACCOUNT": (
        "APPLY MASKING POLICY",
        "APPLY ROW ACCESS POLICY",
        "CREATE SHARE",
        "EXECUTE ALERT",
        "EXECUTE MANAGED ALERT",
        "IMPORT SHARE",
    ),
    "SCHEMA": (
        "ADD SEARCH OPTIMIZATION",
        "CREATE ALERT",
        "CREATE DYNAMIC TABLE",
        "CREATE EXTERNAL TABLE",
        "CREATE FUNCTION",
        "CREATE MASKING POLICY",
        "CREATE MATERIALIZED VIEW",
        "CREATE PROCEDURE",
        "CREATE ROW ACCESS POLICY",
        "CREATE SECRET",
        "CREATE SEQUENCE",
        "CREATE TAG",
        "CREATE TEMPORARY TABLE",
    ),
    "STAGE": ("READ", "WRITE"),
    "TABLE": ("APPLYBUDGET", "EVOLVE SCHEMA", "REBUILD"),
    "WAREHOUSE": ("APPLYBUDGET",),
}
"""What may be granted too, and ALL does not mean here: of objects the sandbox does not have, and an internal
stage's privileges, which Snowflake takes on an external stage too. Sources:
https://docs.snowflake.com/en/user-guide/security-access-control-privileges,
https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3."""

SYSTEM_GRANTS = {
    "ACCOUNTADMIN": PRIVILEGES["ACCOUNT"],
    "SYSADMIN": ("CREATE DATABASE", "CREATE WAREHOUSE"),
    "SECURITYADMIN": ("MANAGE GRANTS",),
    "USERADMIN": ("CREATE ROLE", "CREATE USER"),
}
SYSTEM_HIERARCHY = {"ACCOUNTADMIN": {"SYSADMIN", "SECURITYADMIN"}, "SECURITYADMIN": {"USERADMIN"}}

DATABASE_ROLES = ("SNOWFLAKE.USAGE_VIEWER", "SNOWFLAKE.OBJECT_VIEWER")
"""Database roles of the SNOWFLAKE database whose views are emulated (sources: Snowflake §4.1)."""

SHOWN_KIND = {"FILE FORMAT": "FILE_FORMAT"}

ACCOUNT_ID = 0
Owned = Database | Schema | Warehouse | Integration | NotificationIntegration | SchemaObject


@dataclass(slots=True)
class Role:
    """A role. ``granted``: the roles whose privileges it inherits. A database role's name is ``DB.NAME``."""

    name: str
    owner: str
    created_on: datetime
    comment: str = ""
    granted: set[str] = field(default_factory=set)
    database: str = ""
    """Of a database role."""

    @property
    def called(self) -> str:
        """Its name without the database."""
        return self.name[len(quoted(self.database)) + 1 :] if self.database else self.name


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege on one object (by id) to one role."""

    privilege: str
    kind: str
    object_id: int
    role: str
    grant_option: bool
    granted_by: str
    created_on: datetime


@dataclass(frozen=True, slots=True)
class FutureGrant:
    """One privilege on every later object of a kind in a schema or database (``scope_id``) to one role."""

    privilege: str
    kind: str
    scope: str
    scope_id: int
    role: str
    grant_option: bool
    created_on: datetime


def kind_of(target: Owned) -> str:
    """The kind of object as GRANT writes it."""
    if isinstance(target, Table | Beside):
        return target.kind
    kinds: list[tuple[type[Any], str]] = [
        (Database, "DATABASE"),
        (Schema, "SCHEMA"),
        (Warehouse, "WAREHOUSE"),
        (Integration, "INTEGRATION"),
        (NotificationIntegration, "INTEGRATION"),
        (Stage, "STAGE"),
        (FileFormat, "FILE FORMAT"),
        (Pipe, "PIPE"),
        (Stream, "STREAM"),
        (Task, "TASK"),
    ]
    return next(kind for cls, kind in kinds if isinstance(target, cls))


def shown_name(target: Owned) -> str:
    """The object's full name as SHOW GRANTS and error texts write it."""
    if isinstance(target, SchemaObject):
        return str(target.full_name)
    if isinstance(target, Schema):
        return dotted((target.database, target.name))
    return quoted(target.name)


class Privileges:
    """Roles and grants. Not thread-safe by itself: callers hold ``Account.lock``."""

    def __init__(self, catalog: Catalog, clock: Clock, account_name: str) -> None:
        self.catalog = catalog
        self.clock = clock
        self.account_name = account_name
        self.roles: dict[str, Role] = {}
        self.grants: list[Grant] = []
        self.future_grants: list[FutureGrant] = []
        self.user_roles: set[str] = {"ACCOUNTADMIN"}
        now = clock.now()
        for name in SYSTEM_ROLES:
            self.roles[name] = Role(name, "", now, granted=set(SYSTEM_HIERARCHY.get(name, ())))
            self.grants += [
                Grant(
                    privilege, "ACCOUNT", ACCOUNT_ID, name, grant_option=True, granted_by="", created_on=now
                )
                for privilege in SYSTEM_GRANTS.get(name, ())
            ]

    # --- roles

    def closure(self, role: str) -> set[str]:
        """The role, every role it inherits, and PUBLIC."""
        reached = {PUBLIC}
        waiting = [role]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                if name in self.roles:
                    waiting.extend(self.roles[name].granted)
        return reached

    def user_may_use(self, role: str) -> bool:
        """Is the role granted to the user, directly or through another role?"""
        found = self.roles.get(role)
        return (
            found is not None
            and not found.database
            and any(role in self.closure(given) for given in self.user_roles)
        )

    def role_type(self, role: str) -> str:
        """What SHOW calls the kind of a role that has something: ROLE or DATABASE_ROLE."""
        found = self.roles.get(role)
        return "DATABASE_ROLE" if role in DATABASE_ROLES or (found and found.database) else "ROLE"

    def holds_role(self, role: str, wanted: str) -> bool:
        """Does ``role`` inherit ``wanted``?"""
        return wanted in self.closure(role)

    # --- questions

    def has(self, role: str, privilege: str, target: Owned) -> bool:
        """Does the role hold the privilege on the object (as its owner: every privilege)?"""
        roles = self.closure(role)
        return target.owner in roles or any(
            grant.object_id == target.id and grant.privilege == privilege and grant.role in roles
            for grant in self.grants
        )

    def owns(self, role: str, target: Owned) -> bool:
        """Does the role, or one it inherits, own the object?"""
        return target.owner in self.closure(role)

    def has_any(self, role: str, target: Owned) -> bool:
        """Does the role hold anything at all on the object?"""
        roles = self.closure(role)
        return target.owner in roles or any(
            grant.object_id == target.id and grant.role in roles for grant in self.grants
        )

    def has_on_account(self, role: str, *privileges: str) -> bool:
        """Does the role hold one of these global privileges?"""
        roles = self.closure(role)
        return any(
            grant.object_id == ACCOUNT_ID and grant.privilege in privileges and grant.role in roles
            for grant in self.grants
        )

    def may_reach(self, role: str, database: str, schema: str | None = None) -> bool:
        """USAGE on the database and, if one is given, on the schema."""
        found = self.catalog.databases.get(database)
        if found is None or not self.has(role, "USAGE", found):
            return False
        if schema is None:
            return True
        inside = self.catalog.schemas.get((database, schema))
        return inside is not None and self.has(role, "USAGE", inside)

    def sees(self, role: str, target: Owned) -> bool:
        """May the role know that the object exists?"""
        if isinstance(target, SchemaObject):
            reachable = self.may_reach(role, target.database, target.schema)
            if isinstance(target, Pipe) and reachable and self.has_on_account(role, "MONITOR EXECUTION"):
                return True
            return reachable and self.has_any(role, target)
        if isinstance(target, Schema):
            return self.may_reach(role, target.database) and self.has_any(role, target)
        return self.has_any(role, target)

    # --- demands

    def require(self, role: str, target: Owned, *privileges: str) -> None:
        """Raise 3001 unless the role holds all of the privileges on an object it may see."""
        if not all(self.has(role, privilege, target) for privilege in privileges):
            raise errors.insufficient_privileges(kind_of(target).lower(), target.name)

    def require_any(self, role: str, target: Owned, *privileges: str) -> None:
        """Raise 3001 unless the role holds one of the privileges on an object it may see."""
        if not any(self.has(role, privilege, target) for privilege in privileges):
            raise errors.insufficient_privileges(kind_of(target).lower(), target.name)

    def require_ownership(self, role: str, target: Owned) -> None:
        """Raise 3001 unless the role owns the object."""
        if not self.owns(role, target):
            raise errors.insufficient_privileges(kind_of(target).lower(), target.name)

    def require_on_account(self, role: str, *privileges: str) -> None:
        """Raise 3001 unless the role holds one of these global privileges."""
        if not self.has_on_account(role, *privileges):
            raise errors.insufficient_privileges("account", self.account_name)

    # --- changes

    def grant(
        self, privilege: str, target: Owned | None, role: str, granted_by: str, *, option: bool
    ) -> None:
        """Give a privilege on an object, or on the account (None); giving it again changes nothing else."""
        kind, object_id = ("ACCOUNT", ACCOUNT_ID) if target is None else (kind_of(target), target.id)
        for index, held in enumerate(self.grants):
            if (held.privilege, held.kind, held.object_id, held.role) == (privilege, kind, object_id, role):
                if option and not held.grant_option:
                    self.grants[index] = Grant(
                        privilege, kind, object_id, role, option, granted_by, held.created_on
                    )
                return
        self.grants.append(Grant(privilege, kind, object_id, role, option, granted_by, self.clock.now()))

    def revoke(self, privilege: str, target: Owned | None, role: str) -> None:
        """Take a privilege away; taking what is not there changes nothing."""
        object_id = ACCOUNT_ID if target is None else target.id
        self.grants = [
            held
            for held in self.grants
            if (held.privilege, held.object_id, held.role) != (privilege, object_id, role)
        ]

    def forget(self, target: Owned) -> None:
        """An object is gone, and its grants with it (and the future grants in it)."""
        self.grants = [held for held in self.grants if held.object_id != target.id]
        self.future_grants = [held for held in self.future_grants if held.scope_id != target.id]

    def displace(self, role: str, found: Owned | None) -> None:
        """What OR REPLACE takes the place of, if it is there: the role must own it, and its grants go."""
        if found is not None:
            self.require_ownership(role, found)
            self.forget(found)

    def forget_role(self, role: str, heir: str) -> None:
        """A role is dropped: what it owned belongs to the role that dropped it."""
        self.grants = [held for held in self.grants if held.role != role]
        self.future_grants = [held for held in self.future_grants if held.role != role]
        for other in self.roles.values():
            other.granted.discard(role)
            if other.owner == role:
                other.owner = heir
        self.user_roles.discard(role)
        for owned in self.everything():
            if owned.owner == role:
                owned.owner = heir
        del self.roles[role]

    def created(self, target: SchemaObject | Schema) -> None:
        """Apply the future grants of its schema, or else its database, to a new object."""
        kind = kind_of(target)
        for grant in self._future_grants_for(target, kind):
            if grant.privilege == OWNERSHIP:
                target.owner = grant.role
            else:
                self.grant(grant.privilege, target, grant.role, "", option=grant.grant_option)

    def _future_grants_for(self, target: SchemaObject | Schema, kind: str) -> list[FutureGrant]:
        """Grants on the schema win over grants on the database for the same kind of object.

        Source: https://docs.snowflake.com/en/sql-reference/sql/grant-privilege (future grants).
        """
        database = self.catalog.databases.get(target.database)
        scopes: list[int] = []
        if isinstance(target, SchemaObject):
            schema = self.catalog.schemas.get((target.database, target.schema))
            scopes += [schema.id] if schema else []
        scopes += [database.id] if database else []
        for scope in scopes:
            found = [held for held in self.future_grants if held.scope_id == scope and held.kind == kind]
            if found:
                return found
        return []

    # --- everything

    def everything(self) -> Iterator[Owned]:
        """Every object that has an owner."""
        catalog = self.catalog
        groups: list[Iterable[Owned]] = [
            catalog.databases.values(),
            catalog.schemas.values(),
            catalog.warehouses.values(),
            catalog.integrations.values(),
            catalog.notifications.values(),
            catalog.file_formats,
            catalog.stages,
            catalog.tables,
            catalog.pipes,
            catalog.streams,
            catalog.tasks,
            *catalog.beside.values(),
        ]
        for group in groups:
            yield from group

    def by_id(self, object_id: int) -> Owned | None:
        """The object with this hidden id."""
        return next((found for found in self.everything() if found.id == object_id), None)

    # --- pipes

    def pipe_problems(self, pipe: Pipe) -> str | None:
        """What the pipe's owner lacks to run its COPY, as the error text Snowflake would give; None: nothing.

        What is missing altogether (stage, format, table) has states of its own and is not told here.
        Source: sources: Snowflake §4.1, "own a running pipe".
        """
        role = pipe.owner
        stage = self.catalog.stages.by_id(pipe.stage_id)
        file_format = self.catalog.file_formats.by_id(pipe.format_id)
        if not self.may_reach(role, pipe.database, pipe.schema):
            return errors.does_not_exist("Schema", dotted((pipe.database, pipe.schema))).message
        if stage is not None:
            if not self._usable(role, stage):
                return errors.does_not_exist("Stage", str(stage.full_name)).message
            integration = self.catalog.stage_integration(stage)
            if integration is not None and not self.integration_usable(role, stage, integration):
                return errors.does_not_exist("Integration", quoted(integration.name)).message
        if file_format is not None and not self._usable(role, file_format):
            return errors.does_not_exist("File format", str(file_format.full_name)).message
        return self._pipe_table_problem(pipe)

    def integration_usable(self, role: str, stage: Stage, integration: Integration) -> bool:
        """USAGE on the stage's integration, held by the role or by the role that owns the stage."""
        return self.has(role, "USAGE", integration) or self.has(stage.owner, "USAGE", integration)

    def _usable(self, role: str, target: Stage | FileFormat) -> bool:
        return self.may_reach(role, target.database, target.schema) and self.has(role, "USAGE", target)

    def _pipe_table_problem(self, pipe: Pipe) -> str | None:
        table = self.catalog.pipe_table(pipe)
        if table is None:
            return None
        if not self.sees(pipe.owner, table):
            return errors.does_not_exist("Table", str(table.full_name)).message
        if not all(self.has(pipe.owner, privilege, table) for privilege in ("INSERT", "SELECT")):
            return errors.insufficient_privileges("table", table.name).message
        return None
