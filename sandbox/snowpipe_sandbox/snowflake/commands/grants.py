"""GRANT and REVOKE of privileges, also on later objects (sources: Snowflake §4).

Source: https://docs.snowflake.com/en/sql-reference/sql/grant-privilege.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.catalog import SchemaObject
from snowpipe_sandbox.snowflake.commands import ownership, role_grants
from snowpipe_sandbox.snowflake.commands.grant_targets import (
    Target,
    manages,
    objects_of,
    read_grantee,
    read_privileges,
    read_target,
    require_same_database,
    scope_of,
)
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.privileges import BESIDE, OWNERSHIP, PRIVILEGES, FutureGrant, Owned, kind_of
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
OPEN_KINDS = ("ACCOUNT", "SCHEMA", "DATABASE", "TABLE", "WAREHOUSE")
"""Kinds with more privileges than the sandbox knows."""


# --- GRANT, REVOKE


def grant(session: Session, tokens: Tokens) -> Result:
    """GRANT of privileges, ownership, a role or a database role."""
    tokens.expect("GRANT")
    session.commit()
    with session.account.lock:
        outcome = role_grants.change(session, tokens, "TO") or _grant_privileges(session, tokens)
    session.account.pipes.wake_all()
    return outcome


def revoke(session: Session, tokens: Tokens) -> Result:
    """REVOKE of privileges, a role or a database role."""
    tokens.expect("REVOKE")
    session.commit()
    with session.account.lock:
        outcome = role_grants.change(session, tokens, "FROM") or _revoke_privileges(session, tokens)
    session.account.pipes.wake_all()
    return outcome


def _grant_privileges(session: Session, tokens: Tokens) -> Result:
    wanted = read_privileges(tokens)
    if wanted == ["IMPORTED PRIVILEGES"]:
        return role_grants.imported(session, tokens, "TO")
    target = read_target(session, tokens)
    role = read_grantee(session, tokens, "TO")
    require_same_database(session, target, role)
    if wanted == [OWNERSHIP] and session.account.privileges.roles[role].database:
        raise errors.not_emulated("ownership of a database role")
    if wanted == [OWNERSHIP]:
        return _grant_ownership(session, tokens, target, role)
    option = tokens.take("WITH", "GRANT", "OPTION")
    tokens.end()
    expanded = _expanded(wanted, target)
    for each in objects_of(session, target):
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
    wanted = read_privileges(tokens)
    if wanted == ["IMPORTED PRIVILEGES"]:
        return role_grants.imported(session, tokens, "FROM")
    if OWNERSHIP in wanted:
        target = read_target(session, tokens)
        if not target.future:
            raise errors.not_emulated("REVOKE OWNERSHIP (grant it to another role)")
    else:
        target = read_target(session, tokens)
    role = read_grantee(session, tokens, "FROM")
    tokens.take("CASCADE")
    tokens.take("RESTRICT")
    tokens.end()
    expanded = [OWNERSHIP] if OWNERSHIP in wanted else _expanded(wanted, target)
    privileges = session.account.privileges
    for each in objects_of(session, target):
        _require_may_grant(session, each, expanded, target)
        for privilege in expanded:
            if target.future:
                privileges.future_grants = [
                    held
                    for held in privileges.future_grants
                    if (held.privilege, held.kind, held.scope_id, held.role)
                    != (privilege, target.kind, scope_of(target).id, role)
                ]
            else:
                privileges.revoke(privilege, each, role)
    return result.status(DONE)


def _expanded(wanted: list[str], target: Target) -> list[str]:
    """The privileges by name, ALL written out. Raises 001003-like for one the kind does not have."""
    known = PRIVILEGES[target.kind]
    if wanted == ["ALL"]:
        return list(known)
    for privilege in wanted:
        if privilege not in (*known, *BESIDE.get(target.kind, ())):
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
        if not privileges.owns(session.role, scope_of(target)):
            raise errors.insufficient_privileges(kind_of(scope_of(target)).lower(), scope_of(target).name)
        return
    if obj is not None and privileges.owns(session.role, _grantor(session, obj)):
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


def _grantor(session: Session, obj: Owned) -> Owned:
    """Whose owner may grant: the object's, or that of the schema with managed access that holds it.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-schema (WITH MANAGED ACCESS).
    """
    if not isinstance(obj, SchemaObject):
        return obj
    schema = session.account.catalog.schemas.get((obj.database, obj.schema))
    return schema if schema is not None and schema.managed else obj


def _add_future(session: Session, target: Target, privilege: str, role: str, *, option: bool) -> None:
    privileges = session.account.privileges
    scope = scope_of(target)
    made = FutureGrant(privilege, target.kind, kind_of(scope), scope.id, role, option, session.account.now())
    same = [
        held
        for held in privileges.future_grants
        if (held.privilege, held.kind, held.scope_id, held.role) == (privilege, target.kind, scope.id, role)
    ]
    if not same:
        privileges.future_grants.append(made)


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
    for each in objects_of(session, target):
        if each is None:
            raise errors.syntax_error("unexpected 'ACCOUNT'.")
        ownership.transfer(session, each, role, mode)
    return result.status(DONE)
