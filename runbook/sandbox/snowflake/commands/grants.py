"""GRANT and REVOKE: privileges, ownership, future grants, roles (facts/snowflake.md §4).

Sources: https://docs.snowflake.com/en/sql-reference/sql/grant-privilege, …/grant-ownership, …/grant-role.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook.sandbox.snowflake import errors, resolve, result
from runbook.sandbox.snowflake.catalog import (
    Database,
    Integration,
    Objects,
    Pipe,
    Schema,
    SchemaObject,
    Warehouse,
)
from runbook.sandbox.snowflake.commands import roles
from runbook.sandbox.snowflake.errors import SnowflakeError
from runbook.sandbox.snowflake.grammar.tokens import Tokens
from runbook.sandbox.snowflake.names import qualify, quoted
from runbook.sandbox.snowflake.privileges import (
    DATABASE_ROLES,
    OWNERSHIP,
    PRIVILEGES,
    FutureGrant,
    Owned,
    kind_of,
    shown_name,
)
from runbook.sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from runbook.sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
SNOWFLAKE_IMPORTED = "SNOWFLAKE.IMPORTED"
"""Stands for IMPORTED PRIVILEGES on the SNOWFLAKE database among what a role inherits."""

KNOWN_WORDS = {word for privileges in PRIVILEGES.values() for name in privileges for word in name.split()} | {
    "OWNERSHIP",
    "ALL",
    "IMPORTED",
    "PRIVILEGES",
    "READ",
    "WRITE",
    "TASK",
    "STREAM",
    "FUNCTION",
    "PROCEDURE",
    "SEQUENCE",
    "EXECUTE",
    "MANAGE",
    "APPLY",
    "ATTACH",
    "IMPORT",
    "OVERRIDE",
    "PURCHASE",
    "MANAGED",
    "REBUILD",
    "EVOLVE",
    "SNOWPARK",
    "NOTIFICATION",
    "API",
    "SECURITY",
    "EXTERNAL",
    "MATERIALIZED",
    "DYNAMIC",
    "TEMPORARY",
    "CATALOG",
    "SHARE",
    "USER",
    "NETWORK",
    "POLICY",
    "FAILOVER",
    "REPLICATION",
    "GROUP",
    "LISTING",
    "ACCOUNT",
}
OPEN_KINDS = ("ACCOUNT", "SCHEMA", "DATABASE", "TABLE", "WAREHOUSE")
"""Kinds with more privileges than the sandbox knows."""

PLURALS = {
    "TABLES": "TABLE",
    "VIEWS": "VIEW",
    "STAGES": "STAGE",
    "PIPES": "PIPE",
    "SCHEMAS": "SCHEMA",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a grant is on: an object, the account (both None), or every or every later object of a kind."""

    obj: Owned | None = None
    kind: str = "ACCOUNT"
    future: bool = False
    bulk: bool = False
    scope: Database | Schema | None = None


# --- reading


def _privileges(tokens: Tokens) -> list[str]:
    """``SELECT, CREATE PIPE, …`` up to ON."""
    found: list[str] = []
    words: list[str] = []
    while not tokens.sees("ON"):
        if tokens.take(","):
            found.append(" ".join(words))
            words = []
        elif tokens.next.kind == "word" and tokens.next.value in KNOWN_WORDS:
            words.append(tokens.advance().value)
        else:
            raise tokens.error()
    tokens.expect("ON")
    found.append(" ".join(words))
    if "" in found:
        raise tokens.error()
    return ["ALL" if name in ("ALL", "ALL PRIVILEGES") else name for name in found]


def _target(session: Session, tokens: Tokens) -> Target:
    """What stands after ON. Raises 2003 for an object the role may not know of (unless it manages grants)."""
    if tokens.take("ACCOUNT"):
        return Target()
    if tokens.sees("FUTURE") or tokens.sees("ALL"):
        future = tokens.one_of("FUTURE", "ALL") == "FUTURE"
        kind = _plural(tokens)
        tokens.expect("IN")
        scope_kind = tokens.one_of("SCHEMA", "DATABASE")
        parts = tokens.name(2 if scope_kind == "SCHEMA" else 1)
        scope: Database | Schema = (
            _schema(session, parts) if scope_kind == "SCHEMA" else _database(session, parts[0])
        )
        return Target(None, kind, future=future, bulk=not future, scope=scope)
    found = _object(session, tokens)
    return Target(found, kind_of(found))


def _plural(tokens: Tokens) -> str:
    if tokens.take("FILE", "FORMATS"):
        return "FILE FORMAT"
    word = tokens.next.value
    if word not in PLURALS:
        raise errors.not_emulated(f"grants on {word}")
    tokens.advance()
    return PLURALS[word]


def manages(session: Session) -> bool:
    """MANAGE GRANTS: may grant and see anything."""
    return session.account.privileges.has_on_account(session.role, "MANAGE GRANTS")


def _visible(session: Session, found: Owned | None) -> bool:
    return found is not None and (manages(session) or session.account.privileges.sees(session.role, found))


def _database(session: Session, name: str) -> Database:
    found = session.account.catalog.databases.get(name)
    if found is None or not _visible(session, found):
        raise errors.does_not_exist("Database", quoted(name))
    return found


def _schema(session: Session, parts: tuple[str, ...]) -> Schema:
    if len(parts) == 1:
        if session.database is None:
            raise errors.no_database("GRANT")
        parts = (session.database, parts[0])
    found = session.account.catalog.schemas.get((parts[0], parts[1]))
    if found is None or not _visible(session, found):
        raise errors.does_not_exist("Schema", ".".join(quoted(part) for part in parts))
    return found


def _object(session: Session, tokens: Tokens) -> Owned:
    catalog = session.account.catalog
    if tokens.take("DATABASE"):
        return _database(session, tokens.identifier())
    if tokens.take("SCHEMA"):
        return _schema(session, tokens.name(2))
    named: dict[str, tuple[str, dict[str, Integration] | dict[str, Warehouse]]] = {
        "INTEGRATION": ("Integration", catalog.integrations),
        "WAREHOUSE": ("Warehouse", catalog.warehouses),
    }
    if tokens.sees("STORAGE", "INTEGRATION"):
        tokens.advance()
    for word, (shown, held) in named.items():
        if tokens.take(word):
            name = tokens.identifier()
            found = held.get(name)
            if found is None or not _visible(session, found):
                raise errors.does_not_exist(shown, quoted(name))
            return found
    return _schema_object(session, tokens)


def _schema_object(session: Session, tokens: Tokens) -> SchemaObject:
    catalog = session.account.catalog
    if tokens.take("FILE", "FORMAT"):
        return _in_schema(session, catalog.file_formats, "File format", tokens)
    if tokens.take("STAGE"):
        return _in_schema(session, catalog.stages, "Stage", tokens)
    if tokens.take("PIPE"):
        return _in_schema(session, catalog.pipes, "Pipe", tokens)
    if tokens.take("TABLE") or tokens.take("VIEW"):
        return _in_schema(session, catalog.tables, "Table", tokens)
    if tokens.next.kind == "word" and not tokens.at_end:
        raise errors.not_emulated(f"grants on {tokens.next.value}")
    raise tokens.error()


def _in_schema(session: Session, objects: Objects[resolve.SO], kind: str, tokens: Tokens) -> resolve.SO:
    parts = tokens.name()
    if manages(session):
        found = objects.get(qualify(parts, session))
        if found is not None:
            return found
    return resolve.visible(session.account, session, objects, kind, parts)


def _grantee(session: Session, tokens: Tokens, word: str) -> str:
    """``TO [ROLE] name`` / ``FROM [ROLE] name``."""
    tokens.expect(word)
    if tokens.sees("DATABASE", "ROLE") or tokens.sees("SHARE"):
        raise errors.not_emulated(f"grants to a {tokens.next.value.lower()}")
    tokens.take("ROLE")
    return roles.find(session, tokens.identifier()).name


# --- GRANT, REVOKE


def grant(session: Session, tokens: Tokens) -> Result:
    """GRANT of privileges, ownership, a role or a database role."""
    tokens.expect("GRANT")
    session.commit()
    with session.account.lock:
        outcome = _role_change(session, tokens, "TO") or _grant_privileges(session, tokens)
    session.account.pipes.wake_all()
    return outcome


def revoke(session: Session, tokens: Tokens) -> Result:
    """REVOKE of privileges, a role or a database role."""
    tokens.expect("REVOKE")
    session.commit()
    with session.account.lock:
        outcome = _role_change(session, tokens, "FROM") or _revoke_privileges(session, tokens)
    session.account.pipes.wake_all()
    return outcome


def _grant_privileges(session: Session, tokens: Tokens) -> Result:
    wanted = _privileges(tokens)
    if wanted == ["IMPORTED PRIVILEGES"]:
        return _imported(session, tokens, "TO")
    target = _target(session, tokens)
    role = _grantee(session, tokens, "TO")
    if wanted == [OWNERSHIP]:
        return _grant_ownership(session, tokens, target, role)
    option = tokens.take("WITH", "GRANT", "OPTION")
    tokens.end()
    expanded = _expanded(wanted, target)
    for each in _objects(session, target):
        _require_may_grant(session, each, expanded, target)
        for privilege in expanded:
            if target.future:
                _add_future(session, target, privilege, role, option=option)
            else:
                session.account.privileges.grant(privilege, each, role, session.role, option=option)
    return result.status(DONE)


def _revoke_privileges(session: Session, tokens: Tokens) -> Result:
    if tokens.take("GRANT", "OPTION", "FOR"):
        raise errors.not_emulated("REVOKE GRANT OPTION FOR")
    wanted = _privileges(tokens)
    if wanted == ["IMPORTED PRIVILEGES"]:
        return _imported(session, tokens, "FROM")
    if OWNERSHIP in wanted:
        target = _target(session, tokens)
        if not target.future:
            raise errors.not_emulated("REVOKE OWNERSHIP (grant it to another role)")
    else:
        target = _target(session, tokens)
    role = _grantee(session, tokens, "FROM")
    tokens.take("CASCADE")
    tokens.take("RESTRICT")
    tokens.end()
    expanded = [OWNERSHIP] if OWNERSHIP in wanted else _expanded(wanted, target)
    privileges = session.account.privileges
    for each in _objects(session, target):
        _require_may_grant(session, each, expanded, target)
        for privilege in expanded:
            if target.future:
                privileges.future_grants = [
                    held
                    for held in privileges.future_grants
                    if (held.privilege, held.kind, held.scope_id, held.role)
                    != (privilege, target.kind, _scope(target).id, role)
                ]
            else:
                privileges.revoke(privilege, each, role)
    return result.status(DONE)


def _scope(target: Target) -> Database | Schema:
    if target.scope is None:  # a bulk or future target always has one
        raise errors.syntax_error("unexpected '<EOF>'.")
    return target.scope


def _objects(session: Session, target: Target) -> list[Owned | None]:
    """What the grant is made on: one object (None: the account, or a future grant's scope) or many."""
    if not target.bulk:
        return [target.obj]
    if target.kind == "PIPE":
        # Bulk grants on pipes are not supported (facts/snowflake.md §4.1).
        raise SnowflakeError(2, "0A000", "Unsupported feature 'GRANT/REVOKE ON ALL PIPES'.")
    scope = _scope(target)
    found: list[Owned | None] = []
    for each in session.account.privileges.everything():
        inside = (
            isinstance(each, SchemaObject | Schema)
            and each.database == (scope.database if isinstance(scope, Schema) else scope.name)
            and (
                isinstance(scope, Database) or (isinstance(each, SchemaObject) and each.schema == scope.name)
            )
        )
        if inside and kind_of(each) == target.kind:
            found.append(each)
    return found


def _expanded(wanted: list[str], target: Target) -> list[str]:
    """The privileges by name, ALL written out. Raises 001003-like for one the kind does not have."""
    known = PRIVILEGES[target.kind]
    if wanted == ["ALL"]:
        return list(known)
    for privilege in wanted:
        if privilege not in known:
            if target.kind in OPEN_KINDS and privilege not in ("READ", "WRITE"):
                raise errors.not_emulated(f"privilege {privilege} on {target.kind}")
            raise SnowflakeError(
                1003,
                "42000",
                f"SQL compilation error:\nInvalid object type '{target.kind}' for privilege '{privilege}'",
            )
    return wanted


def _require_may_grant(session: Session, obj: Owned | None, wanted: list[str], target: Target) -> None:
    """The owner, a role with MANAGE GRANTS, or one that holds the privilege with grant option."""
    privileges = session.account.privileges
    if manages(session):
        return
    if target.future:
        if not privileges.owns(session.role, _scope(target)):
            raise errors.insufficient_privileges(kind_of(_scope(target)).lower(), _scope(target).name)
        return
    if obj is not None and privileges.owns(session.role, obj):
        return
    object_id = 0 if obj is None else obj.id
    reached = privileges.closure(session.role)
    held = {
        grant.privilege
        for grant in privileges.grants
        if grant.object_id == object_id and grant.role in reached and grant.grant_option
    }
    refused = [privilege for privilege in wanted if privilege not in held]
    if refused and len(refused) == len(wanted):
        name = session.account.name if obj is None else obj.name
        raise errors.insufficient_privileges(target.kind.lower(), name)
    if refused:
        raise errors.grant_partially_executed(", ".join(refused))


def _add_future(session: Session, target: Target, privilege: str, role: str, *, option: bool) -> None:
    privileges = session.account.privileges
    scope = _scope(target)
    made = FutureGrant(privilege, target.kind, kind_of(scope), scope.id, role, option, session.account.now())
    same = [
        held
        for held in privileges.future_grants
        if (held.privilege, held.kind, held.scope_id, held.role) == (privilege, target.kind, scope.id, role)
    ]
    if not same:
        privileges.future_grants.append(made)


# --- ownership


def _grant_ownership(session: Session, tokens: Tokens, target: Target, role: str) -> Result:
    """GRANT OWNERSHIP: a pipe must be paused, and resumes only by force afterwards."""
    mode = tokens.one_of("REVOKE", "COPY") if tokens.sees("REVOKE") or tokens.sees("COPY") else ""
    if mode:
        tokens.expect("CURRENT", "GRANTS")
    tokens.end()
    if target.future:
        _require_may_grant(session, None, [OWNERSHIP], target)
        _add_future(session, target, OWNERSHIP, role, option=False)
        return result.status(DONE)
    for each in _objects(session, target):
        if each is None:
            raise errors.syntax_error("unexpected 'ACCOUNT'.")
        _transfer(session, each, role, mode)
    return result.status(DONE)


def _transfer(session: Session, obj: Owned, role: str, mode: str) -> None:
    privileges = session.account.privileges
    if not manages(session):
        privileges.require_ownership(session.role, obj)
    if obj.owner == role:
        return
    outbound = [held for held in privileges.grants if held.object_id == obj.id]
    if outbound and not mode:
        raise SnowflakeError(
            3082,
            "42501",
            "SQL execution error: Dependent grant of privilege "
            f"'{outbound[0].privilege}' on securable '{shown_name(obj)}' to role '{outbound[0].role}' "
            "exists. It must be revoked first. More than one dependent grant may exist: use 'SHOW GRANTS' "
            "command to view them. To revoke all dependent grants while transferring object ownership, use "
            "convenience command 'GRANT OWNERSHIP ON <target_objects> TO <target_role> REVOKE CURRENT "
            "GRANTS'.",
        )
    if isinstance(obj, Pipe):
        _check_pipe_transfer(session, obj)
        obj.owner_changed = True
    if mode == "REVOKE":
        privileges.grants = [held for held in privileges.grants if held.object_id != obj.id]
    obj.owner = role


def _check_pipe_transfer(session: Session, pipe: Pipe) -> None:
    """The pipe is paused, and the granting role may insert into its table (facts/snowflake.md §4.1)."""
    account = session.account
    if not account.catalog.pipe_is_paused(pipe):
        raise SnowflakeError(
            3193,
            "55000",
            f"Cannot transfer ownership of pipe {pipe.full_name}: it is running. Pause it first with ALTER "
            "PIPE … SET PIPE_EXECUTION_PAUSED = TRUE.",
        )
    table = account.catalog.pipe_table(pipe)
    if table is not None and not account.privileges.has(session.role, "INSERT", table):
        raise SnowflakeError(
            3192,
            "42501",
            "Pipe may have pending files that could be loaded into table when resumed. To do grant, use role "
            f"with INSERT privilege on the target table {table.name}",
        )


# --- roles


def _role_change(session: Session, tokens: Tokens, word: str) -> Result | None:
    """GRANT/REVOKE ROLE or DATABASE ROLE; None for privileges."""
    if tokens.take("DATABASE", "ROLE"):
        return _database_role(session, tokens, word)
    if tokens.sees("APPLICATION", "ROLE"):
        raise errors.not_emulated("application roles")
    if not tokens.take("ROLE"):
        return None
    role = roles.find(session, tokens.identifier())
    tokens.expect(word)
    to_user = tokens.one_of("ROLE", "USER") == "USER"
    grantee = tokens.identifier()
    tokens.end()
    privileges = session.account.privileges
    if not manages(session) and not (role.owner and privileges.holds_role(session.role, role.owner)):
        raise errors.insufficient_privileges("role", role.name)
    if to_user:
        if grantee != session.account.user:
            raise errors.does_not_exist("User", quoted(grantee))
        change = privileges.user_roles.add if word == "TO" else privileges.user_roles.discard
    else:
        parent = roles.find(session, grantee)
        if word == "TO" and privileges.holds_role(role.name, parent.name):
            raise SnowflakeError(
                3007,
                "42501",
                f"SQL compilation error:\nGranting role '{role.name}' to '{grantee}' makes a circle.",
            )
        change = parent.granted.add if word == "TO" else parent.granted.discard
    change(role.name)
    return result.status(DONE)


def _database_role(session: Session, tokens: Tokens, word: str) -> Result:
    """Only the SNOWFLAKE database's roles whose views are emulated; ACCOUNTADMIN gives them."""
    name = ".".join(tokens.name(2))
    if name not in DATABASE_ROLES:
        raise errors.not_emulated(f"database role {name}")
    grantee = _grantee(session, tokens, word)
    tokens.end()
    _change_inherited(session, grantee, name, word)
    return result.status(DONE)


def _imported(session: Session, tokens: Tokens, word: str) -> Result:
    """IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE: every ACCOUNT_USAGE view."""
    tokens.expect("DATABASE")
    if tokens.identifier() != "SNOWFLAKE":
        raise errors.not_emulated("IMPORTED PRIVILEGES on another database than SNOWFLAKE")
    grantee = _grantee(session, tokens, word)
    tokens.end()
    _change_inherited(session, grantee, SNOWFLAKE_IMPORTED, word)
    return result.status(DONE)


def _change_inherited(session: Session, grantee: str, what: str, word: str) -> None:
    if not session.account.privileges.holds_role(session.role, "ACCOUNTADMIN"):
        raise errors.insufficient_privileges("database", "SNOWFLAKE")
    inherited = session.account.privileges.roles[grantee].granted
    (inherited.add if word == "TO" else inherited.discard)(what)
