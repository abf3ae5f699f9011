"""Roles: CREATE, ALTER, DROP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.privileges import SYSTEM_ROLES, Role
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE ROLE: owned by the current role, granted to nobody."""
    name = tokens.identifier()
    given = options.read_options(tokens, {"COMMENT": options.string})
    if "." in name:
        raise errors.not_emulated("an account role with a dot in its name")
    account = session.account
    with account.lock:
        account.privileges.require_on_account(session.role, "CREATE ROLE")
        made = Role(name, session.role, account.now(), given.get("COMMENT", ""))
        said = add(session, made, mode)
    account.pipes.wake_all()
    return said


def add(session: Session, made: Role, mode: Mode) -> Result:
    """Add a role, or do what CREATE does where one of its name is there; under the account's lock."""
    privileges = session.account.privileges
    kind = "Database role" if made.database else "Role"
    existing = privileges.roles.get(made.name)
    present = mode.existing(made.called, exists=existing is not None)
    if present is not None:
        return present
    if existing is not None:
        require_ownership(session, existing)
        if mode.or_alter:
            existing.comment = made.comment
            return result.status(f"{kind} {made.called} successfully altered.")
        privileges.forget_role(made.name, session.role)
    privileges.roles[made.name] = made
    return result.status(f"{kind} {made.called} successfully created.")


def find(session: Session, name: str) -> Role:
    """A role by name; every role may be known to everybody. Raises 2003."""
    found = session.account.privileges.roles.get(name)
    if found is None or found.database:
        raise errors.does_not_exist("Role", quoted(name))
    return found


def require_ownership(session: Session, role: Role) -> None:
    """Raises 003001 unless the session's role owns that one, of the account or of a database."""
    owned = session.account.privileges.holds_role(session.role, role.owner) if role.owner else False
    if role.name in SYSTEM_ROLES or not owned:
        raise errors.insufficient_privileges("database role" if role.database else "role", role.called)


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER ROLE … SET or UNSET COMMENT."""
    name = tokens.identifier()
    if tokens.take("UNSET"):
        options.unset_list(tokens, "COMMENT")
        comment = ""
    elif tokens.take("SET"):
        given = options.read_options(tokens, {"COMMENT": options.string})
        if not given:
            raise tokens.error()
        comment = given["COMMENT"]
    else:
        raise errors.not_emulated(f"ALTER ROLE … {tokens.next.value}")
    with session.account.lock:
        role = find(session, name)
        require_ownership(session, role)
        role.comment = comment
    return result.status("Statement executed successfully.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP ROLE: what it owned belongs to the role that drops it."""
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        role = find(session, name)
        require_ownership(session, role)
        account.privileges.forget_role(name, session.role)
    account.pipes.wake_all()
    return result.status(f"{name} successfully dropped.")
