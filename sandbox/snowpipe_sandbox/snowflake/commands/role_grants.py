"""GRANT and REVOKE of roles, and of what the SNOWFLAKE database gives.

Source: https://docs.snowflake.com/en/sql-reference/sql/grant-role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.commands import database_roles, roles
from snowpipe_sandbox.snowflake.commands.grant_targets import manages, read_grantee
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.privileges import DATABASE_ROLES
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
SNOWFLAKE_IMPORTED = "SNOWFLAKE.IMPORTED"
"""Stands for IMPORTED PRIVILEGES on the SNOWFLAKE database among what a role inherits."""


def change(session: Session, tokens: Tokens, word: str) -> Result | None:
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
        if grantee in session.account.users:
            return result.status(DONE)
        if grantee != session.account.user:
            raise errors.does_not_exist("User", quoted(grantee))
        change = privileges.user_roles.add if word == "TO" else privileges.user_roles.discard
    else:
        parent = roles.find(session, grantee)
        if word == "TO" and privileges.holds_role(role.name, parent.name):
            raise errors.circle(role.name, grantee)
        change = parent.granted.add if word == "TO" else parent.granted.discard
    change(role.name)
    return result.status(DONE)


def _database_role(session: Session, tokens: Tokens, word: str) -> Result:
    """A database role to a role, or to another one of the same database; its owner gives it.

    Of the SNOWFLAKE database only the roles whose views are emulated, which ACCOUNTADMIN gives.
    Source: https://docs.snowflake.com/en/sql-reference/sql/grant-database-role
    """
    snowflakes = next((name for name in DATABASE_ROLES if tokens.take(*name.replace(".", " . ").split())), "")
    role = None if snowflakes else database_roles.find(session, tokens)
    if tokens.sees(word, "USER"):
        raise errors.not_emulated("a database role granted to a user")
    grantee = read_grantee(session, tokens, word)
    tokens.end()
    if role is None:
        _change_inherited(session, grantee, snowflakes, word)
        return result.status(DONE)
    privileges = session.account.privileges
    parent = privileges.roles[grantee]
    if not manages(session) and not privileges.holds_role(session.role, role.owner):
        raise errors.insufficient_privileges("database role", role.called)
    if parent.database not in ("", role.database):
        raise errors.not_emulated("a database role granted to one of another database")
    if word == "TO" and privileges.holds_role(role.name, parent.name):
        raise errors.circle(role.name, grantee)
    (parent.granted.add if word == "TO" else parent.granted.discard)(role.name)
    return result.status(DONE)


def imported(session: Session, tokens: Tokens, word: str) -> Result:
    """IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE: every ACCOUNT_USAGE view."""
    tokens.expect("DATABASE")
    if tokens.identifier() != "SNOWFLAKE":
        raise errors.not_emulated("IMPORTED PRIVILEGES on another database than SNOWFLAKE")
    grantee = read_grantee(session, tokens, word)
    tokens.end()
    _change_inherited(session, grantee, SNOWFLAKE_IMPORTED, word)
    return result.status(DONE)


def _change_inherited(session: Session, grantee: str, what: str, word: str) -> None:
    if not session.account.privileges.holds_role(session.role, "ACCOUNTADMIN"):
        raise errors.insufficient_privileges("database", "SNOWFLAKE")
    inherited = session.account.privileges.roles[grantee].granted
    (inherited.add if word == "TO" else inherited.discard)(what)
