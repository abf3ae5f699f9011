"""SHOW GRANTS ON | TO | OF, and SHOW FUTURE GRANTS IN (sources: Snowflake §2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.catalog import Database, Schema
from snowpipe_sandbox.snowflake.commands import database_roles, grant_targets, roles
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.privileges import (
    ACCOUNT_ID,
    OWNERSHIP,
    SHOWN_KIND,
    Owned,
    Role,
    kind_of,
    shown_name,
)
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

CREATED_ON = Column("created_on", "TIMESTAMP_LTZ")
ON = [
    CREATED_ON,
    *result.texts(
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by_role_type",
        "granted_by",
    ),
]
TO = [column for column in ON if column.name != "granted_by_role_type"]
OF = [CREATED_ON, *result.texts("role", "granted_to", "grantee_name", "granted_by")]
TO_USER = [CREATED_ON, *result.texts("role", "granted_to", "grantee_name", "granted_by")]
FUTURE = [
    CREATED_ON,
    *result.texts("privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option"),
]

Line = tuple[datetime, str, str, str, str, bool, str]
"""created_on, privilege, kind, name, role, grant option, granted by"""


def show(session: Session, tokens: Tokens) -> Result:
    """SHOW GRANTS in its forms; without one, the grants of the user."""
    with session.account.lock:
        if tokens.take("ON"):
            return _on(session, tokens)
        if tokens.take("TO"):
            return _to(session, tokens)
        if tokens.take("OF"):
            return _of(session, tokens)
        tokens.end()
        return _to_user(session)


def _on(session: Session, tokens: Tokens) -> Result:
    if tokens.sees("ROLE") or tokens.sees("DATABASE", "ROLE"):
        raise errors.not_emulated("SHOW GRANTS ON ROLE")
    target = grant_targets.read_target(session, tokens)
    tokens.end()
    if target.obj is None and target.kind != "ACCOUNT":
        raise tokens.error()
    lines = _account_lines(session) if target.obj is None else _object_lines(session, target.obj)
    type_of = session.account.privileges.role_type
    rows = [
        (
            created,
            privilege,
            kind,
            name,
            type_of(role),
            role,
            _flag(option=option),
            type_of(by) if by else "",
            by,
        )
        for created, privilege, kind, name, role, option, by in sorted(
            lines, key=lambda line: (line[1], line[4])
        )
    ]
    return Result(ON, rows, result.SHOW)


def _flag(*, option: bool) -> str:
    return "true" if option else "false"


def _account_lines(session: Session) -> list[Line]:
    account = session.account
    return [
        (
            held.created_on,
            held.privilege,
            "ACCOUNT",
            account.name,
            held.role,
            held.grant_option,
            held.granted_by,
        )
        for held in account.privileges.grants
        if held.object_id == ACCOUNT_ID
    ]


def _object_lines(session: Session, obj: Owned) -> list[Line]:
    kind = SHOWN_KIND.get(kind_of(obj), kind_of(obj))
    name = shown_name(obj)
    lines: list[Line] = [
        (held.created_on, held.privilege, kind, name, held.role, held.grant_option, held.granted_by)
        for held in session.account.privileges.grants
        if held.object_id == obj.id
    ]
    lines.append((obj.created_on, OWNERSHIP, kind, name, obj.owner, True, obj.owner))
    return lines


def _to(session: Session, tokens: Tokens) -> Result:
    if tokens.take("USER"):
        name = tokens.identifier()
        tokens.end()
        if name != session.account.user:
            raise errors.does_not_exist("User", quoted(name))
        return _to_user(session)
    role = _role(session, tokens)
    type_of = session.account.privileges.role_type
    tokens.end()
    lines = [line for line in _all_lines(session) if line[4] == role.name]
    rows = [
        (created, privilege, kind, name, type_of(to), to, _flag(option=option), by)
        for created, privilege, kind, name, to, option, by in sorted(
            lines, key=lambda line: (line[2], line[3], line[1])
        )
    ]
    rows += [
        (
            role.created_on,
            "USAGE",
            type_of(given),
            given,
            type_of(role.name),
            role.name,
            "false",
            "",
        )
        for given in sorted(role.granted)
    ]
    return Result(TO, rows, result.SHOW)


def _role(session: Session, tokens: Tokens) -> Role:
    """``[ROLE] name`` or ``DATABASE ROLE db.name``."""
    if tokens.take("DATABASE", "ROLE"):
        return database_roles.find(session, tokens)
    tokens.take("ROLE")
    return roles.find(session, tokens.identifier())


def _all_lines(session: Session) -> Iterable[Line]:
    yield from _account_lines(session)
    for obj in session.account.privileges.everything():
        yield from _object_lines(session, obj)


def _to_user(session: Session) -> Result:
    account = session.account
    rows: list[tuple[Any, ...]] = [
        (account.created_on, role, "USER", account.user, "") for role in sorted(account.privileges.user_roles)
    ]
    return Result(TO_USER, rows, result.SHOW)


def _of(session: Session, tokens: Tokens) -> Result:
    """SHOW GRANTS OF ROLE or DATABASE ROLE: who has it."""
    role = _role(session, tokens)
    tokens.end()
    account = session.account
    rows: list[tuple[Any, ...]] = [
        (role.created_on, role.name, account.privileges.role_type(other.name), other.name, "")
        for _, other in sorted(account.privileges.roles.items())
        if role.name in other.granted
    ]
    if role.name in account.privileges.user_roles:
        rows.append((role.created_on, role.name, "USER", account.user, ""))
    return Result(OF, rows, result.SHOW)


def show_future(session: Session, tokens: Tokens) -> Result:
    """SHOW FUTURE GRANTS IN SCHEMA | DATABASE name, or TO ROLE name."""
    with session.account.lock:
        wanted: list[int] | None = None
        role = None
        if tokens.take("TO"):
            role = _role(session, tokens).name
        else:
            tokens.expect("IN")
            kind = tokens.one_of("SCHEMA", "DATABASE")
            parts = tokens.name(2 if kind == "SCHEMA" else 1)
            scope: Database | Schema = (
                grant_targets.schema(session, parts)
                if kind == "SCHEMA"
                else grant_targets.database(session, parts[0])
            )
            wanted = [scope.id]
        tokens.end()
        privileges = session.account.privileges
        rows = []
        for held in privileges.future_grants:
            inside = privileges.by_id(held.scope_id)
            if inside is None or (wanted and held.scope_id not in wanted) or (role and held.role != role):
                continue
            kind = SHOWN_KIND.get(held.kind, held.kind)
            name = f"{shown_name(inside)}.<{kind}>"
            rows.append(
                (
                    held.created_on,
                    held.privilege,
                    kind,
                    name,
                    privileges.role_type(held.role),
                    held.role,
                    _flag(option=held.grant_option),
                )
            )
    return Result(FUTURE, rows, result.SHOW)
