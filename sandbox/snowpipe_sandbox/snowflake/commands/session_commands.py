"""What changes only the session: USE, ALTER SESSION, transactions, the context a login brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.commands import scripting
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import split
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."


def stored(identifier: str | None) -> str | None:
    """An identifier of a connection as stored; None for none. One that is not valid stays as it is."""
    try:
        return split(identifier)[0] if identifier else None
    except SnowflakeError:
        return identifier


def enter(session: Session, asked: Mapping[str, str]) -> None:
    """Set what the login asks for. What is not there (or not visible) is left unset, as Snowflake does."""
    account = session.account
    session.warehouse = account.default_warehouse
    with account.lock:
        warehouse = stored(asked.get("warehouse"))
        if warehouse is not None:
            found = account.catalog.warehouses.get(warehouse)
            session.warehouse = warehouse if found and account.privileges.sees(session.role, found) else None
        database, schema = stored(asked.get("databaseName")), stored(asked.get("schemaName"))
        if database is not None and account.privileges.may_reach(session.role, database):
            session.database = database
            session.schema = _default_schema(session, database)
            if schema is not None:
                session.schema = (
                    schema if account.privileges.may_reach(session.role, database, schema) else None
                )


NAMES = {"databaseName": "database", "schemaName": "schema", "warehouse": "warehouse"}


def missing(session: Session, asked: Mapping[str, str]) -> list[str]:
    """What the login asks for and the session did not get: "database", "schema", "warehouse".

    A client that validates its defaults is refused with 390201 then. Sources:
    https://github.com/apache/arrow-adbc (number, texts),
    https://docs.snowflake.com/en/sql-reference/parameters (CLIENT_VALIDATE_DEFAULT_PARAMETERS).
    """
    got = {"database": session.database, "schema": session.schema, "warehouse": session.warehouse}
    return [what for key, what in NAMES.items() if asked.get(key) and got[what] != stored(asked[key])]


def _default_schema(session: Session, database: str) -> str | None:
    """PUBLIC, if the role may use it."""
    return "PUBLIC" if session.account.privileges.may_reach(session.role, database, "PUBLIC") else None


def use(session: Session, tokens: Tokens) -> Result:
    """USE ROLE, WAREHOUSE, DATABASE, SCHEMA, SECONDARY ROLES."""
    tokens.expect("USE")
    if tokens.take("ROLE"):
        _use_role(session, tokens)
    elif tokens.take("WAREHOUSE"):
        _use_warehouse(session, tokens)
    elif tokens.take("SECONDARY", "ROLES"):
        if not tokens.take("NONE"):
            tokens.name()
            raise errors.not_emulated("secondary roles")
        tokens.end()
    elif tokens.take("SCHEMA"):
        _use_schema(session, tokens)
    else:
        tokens.take("DATABASE")
        _use_database(session, tokens)
    return result.status(DONE, result.USE)


def _use_role(session: Session, tokens: Tokens) -> None:
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        if name not in account.privileges.roles:
            raise errors.cannot_be_performed()
        if not account.privileges.user_may_use(name):
            raise SnowflakeError(
                3013,
                "42501",
                f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. "
                "Specify another role to activate.",
            )
        session.role = name


def _use_warehouse(session: Session, tokens: Tokens) -> None:
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        found = account.catalog.warehouses.get(name)
        if found is None or not account.privileges.sees(session.role, found):
            raise errors.cannot_be_performed()
        session.warehouse = name


def _use_database(session: Session, tokens: Tokens) -> None:
    parts = tokens.name(2)
    tokens.end()
    if len(parts) == 2:
        _enter_schema(session, *parts)
        return
    with session.account.lock:
        if not session.account.privileges.may_reach(session.role, parts[0]):
            raise errors.cannot_be_performed()
        session.database = parts[0]
        session.schema = _default_schema(session, parts[0])


def _use_schema(session: Session, tokens: Tokens) -> None:
    parts = tokens.name(2)
    tokens.end()
    if len(parts) == 1 and session.database is None:
        raise errors.no_database("USE SCHEMA")
    database = parts[0] if len(parts) == 2 else str(session.database)
    _enter_schema(session, database, parts[-1])


def _enter_schema(session: Session, database: str, schema: str) -> None:
    with session.account.lock:
        if not session.account.privileges.may_reach(session.role, database, schema):
            raise errors.cannot_be_performed()
        session.database, session.schema = database, schema


def alter_session(session: Session, tokens: Tokens) -> Result:
    """ALTER SESSION SET name = value, or UNSET name."""
    if tokens.one_of("SET", "UNSET") == "UNSET":
        names = [tokens.identifier()]
        while tokens.take(","):
            names.append(tokens.identifier())
        tokens.end()
        for name in names:
            session.parameters.unset(name)
        return result.status(DONE)
    given: dict[str, str] = {}
    while not tokens.at_end:
        tokens.take(",")
        name = tokens.identifier()
        tokens.expect("=")
        given[name] = str(options.value(tokens))
    if not given:
        raise tokens.error()
    for name, value in given.items():
        session.parameters.set(name, value)
    return result.status(DONE)


# --- transactions


def begin(session: Session, tokens: Tokens) -> Result:
    """BEGIN [WORK | TRANSACTION] [NAME x], or a block of Snowflake Scripting."""
    if scripting.is_block(tokens.text):
        return scripting.anonymous(session, tokens.text)
    tokens.one_of("BEGIN", "START")
    tokens.take("WORK")
    tokens.take("TRANSACTION")
    if tokens.take("NAME"):
        tokens.identifier()
    tokens.end()
    session.begin()
    return result.status(DONE, result.TRANSACTION)


def commit(session: Session, tokens: Tokens) -> Result:
    """COMMIT [WORK]."""
    tokens.expect("COMMIT")
    tokens.take("WORK")
    tokens.end()
    session.commit()
    return result.status(DONE, result.TRANSACTION)


def rollback(session: Session, tokens: Tokens) -> Result:
    """ROLLBACK [WORK]."""
    tokens.expect("ROLLBACK")
    tokens.take("WORK")
    tokens.end()
    session.rollback()
    return result.status(DONE, result.TRANSACTION)
