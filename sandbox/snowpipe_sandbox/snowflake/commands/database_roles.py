"""Database roles: CREATE, ALTER, DROP, SHOW, and finding one by its name.

A database role holds privileges on what is in its database, USAGE on the database from the start, and gives
them to the roles it is granted to; no session has it as its own.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-database-role,
https://docs.snowflake.com/en/sql-reference/sql/grant-database-role,
https://docs.snowflake.com/en/user-guide/security-access-control-overview,
https://github.com/snowflakedb/terraform-provider-snowflake (pkg/sdk: grants_integration_test.go, USAGE on the
database; database_role.go, the columns of SHOW).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve, result
from snowpipe_sandbox.snowflake.commands import roles
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import dotted, quoted
from snowpipe_sandbox.snowflake.privileges import DATABASE_ROLES, Role
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

CREATE = "CREATE DATABASE ROLE"


def _parts(session: Session, tokens: Tokens) -> tuple[str, ...]:
    parts = tokens.name(2)
    if len(parts) == 2:
        return parts
    if session.database is None:
        raise errors.no_database("operation")
    return (session.database, *parts)


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE DATABASE ROLE: owned by the current role, which needs the privilege on the database."""
    database, name = _parts(session, tokens)
    given = options.read_options(tokens, {"COMMENT": options.string})
    account = session.account
    privileges = account.privileges
    with account.lock:
        inside = resolve.database(account, session, database)
        privileges.require(session.role, inside, CREATE)
        comment = given.get("COMMENT", "")
        made = Role(dotted((database, name)), session.role, account.now(), comment, database=database)
        said = roles.add(session, made, mode)
        if privileges.roles[made.name] is made:
            privileges.grant("USAGE", inside, made.name, "", option=False)
    account.pipes.wake_all()
    return said


def find(session: Session, tokens: Tokens) -> Role:
    """The database role that is named next. Raises 2003, or not emulated for one of SNOWFLAKE's."""
    parts = _parts(session, tokens)
    key = dotted(parts)
    if parts[0] == "SNOWFLAKE":
        raise errors.not_emulated(f"{'this use of ' if key in DATABASE_ROLES else ''}database role {key}")
    found = session.account.privileges.roles.get(key)
    if found is None or not found.database:
        raise errors.does_not_exist("Database role", ".".join(quoted(part) for part in parts))
    return found


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER DATABASE ROLE … SET or UNSET COMMENT."""
    account = session.account
    with account.lock:
        found = find(session, tokens)
        if not (tokens.sees("SET", "COMMENT") or tokens.sees("UNSET", "COMMENT")):
            raise errors.not_emulated(f"ALTER DATABASE ROLE … {tokens.next.value}")
        comment = options.comment_only(tokens)
        roles.require_ownership(session, found)
        found.comment = comment
    return result.status("Statement executed successfully.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP DATABASE ROLE."""
    account = session.account
    with account.lock:
        found = find(session, tokens)
        tokens.end()
        roles.require_ownership(session, found)
        account.privileges.forget_role(found.name, session.role)
    account.pipes.wake_all()
    return result.status(f"{found.called} successfully dropped.")


SHOWN = [
    Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("name", "is_default", "is_current", "is_inherited"),
    Column("granted_to_roles", "FIXED"),
    Column("granted_to_database_roles", "FIXED"),
    Column("granted_database_roles", "FIXED"),
    *result.texts("owner", "comment", "owner_role_type"),
]


def rows(session: Session, database: str) -> list[tuple[Any, ...]]:
    """The rows of SHOW DATABASE ROLES IN DATABASE."""
    every = session.account.privileges.roles
    inherited = session.account.privileges.closure(session.role)
    return [
        (
            each.created_on,
            each.called,
            "N",
            "N",
            "Y" if key in inherited else "N",
            sum(key in other.granted and not other.database for other in every.values()),
            sum(key in other.granted and bool(other.database) for other in every.values()),
            len(each.granted),
            each.owner,
            each.comment,
            "ROLE",
        )
        for key, each in sorted(every.items())
        if each.database == database
    ]
