"""SHOW PRIMARY, UNIQUE, IMPORTED and EXPORTED KEYS, and SHOW INDEXES.

Sources: https://docs.snowflake.com/en/sql-reference/sql/show-primary-keys,
https://docs.snowflake.com/en/sql-reference/sql/show-unique-keys,
https://docs.snowflake.com/en/sql-reference/sql/show-imported-keys,
https://docs.snowflake.com/en/sql-reference/sql/show-indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, relations, resolve, result
from snowpipe_sandbox.snowflake.catalog import Table
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.keys import FOREIGN, PRIMARY, UNIQUE
from snowpipe_sandbox.snowflake.names import Name
from snowpipe_sandbox.snowflake.result import Column

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

CREATED_ON = Column("created_on", "TIMESTAMP_LTZ")
SEQUENCE = Column("key_sequence", "FIXED")
SHOWN = [
    CREATED_ON,
    *result.texts("database_name", "schema_name", "table_name", "column_name"),
    SEQUENCE,
    *result.texts("constraint_name", "rely", "comment"),
]
IMPORTED_SHOWN = [
    CREATED_ON,
    *result.texts("pk_database_name", "pk_schema_name", "pk_table_name", "pk_column_name"),
    *result.texts("fk_database_name", "fk_schema_name", "fk_table_name", "fk_column_name"),
    SEQUENCE,
    *result.texts("update_rule", "delete_rule", "fk_name", "pk_name", "deferrability", "rely", "comment"),
]
INDEXES_SHOWN = [
    CREATED_ON,
    *result.texts("name", "is_unique", "columns", "included_columns", "table", "database_name"),
    *result.texts("schema_name", "owner", "owner_role_type"),
]
Rows = tuple[list[Column], list[tuple[Any, ...]]]


def primary(session: Session, tokens: Tokens) -> Rows:
    """SHOW PRIMARY KEYS."""
    return SHOWN, _rows(_tables(session, tokens), PRIMARY)


def unique(session: Session, tokens: Tokens) -> Rows:
    """SHOW UNIQUE KEYS."""
    return SHOWN, _rows(_tables(session, tokens), UNIQUE)


def imported(session: Session, tokens: Tokens) -> Rows:
    """SHOW IMPORTED KEYS and EXPORTED KEYS, as long as no table that is asked about has a foreign key."""
    if any(key.kind == FOREIGN for table in _tables(session, tokens) for key in table.keys):
        raise errors.not_emulated("SHOW IMPORTED KEYS of a table with a foreign key")
    return IMPORTED_SHOWN, []


def indexes(session: Session, tokens: Tokens) -> Rows:
    """SHOW INDEXES: only hybrid tables have any, and there are none here."""
    _tables(session, tokens)
    return INDEXES_SHOWN, []


def _rows(tables: list[Table], kind: str) -> list[tuple[Any, ...]]:
    return [
        (table.created_on, table.database, table.schema, table.name, column, place, key.name, "false", "")
        for table in tables
        for key in table.keys
        if key.kind == kind
        for place, column in enumerate(key.columns, 1)
    ]


def _tables(session: Session, tokens: Tokens) -> list[Table]:
    """The tables of ``[IN { ACCOUNT | DATABASE [name] | SCHEMA [name] | [TABLE] name }]``."""
    account = session.account
    database, schema, table = session.database, session.schema, None
    if tokens.take("IN"):
        if tokens.take("ACCOUNT"):
            database = schema = None
        elif tokens.take("DATABASE"):
            named = None if tokens.at_end else tokens.identifier()
            database, schema = resolve.database(account, session, named).name if named else database, None
        elif tokens.take("SCHEMA"):
            if not tokens.at_end:
                found = resolve.schema(account, session, tokens.name(2))
                database, schema = found.database, found.name
        else:
            tokens.take("TABLE")
            table = relations.find(session, tuple(tokens.name(3)), "Table").full_name
    tokens.end()
    return [each for each in account.catalog.tables if _is_asked_for(session, each, database, schema, table)]


def _is_asked_for(
    session: Session, each: Table, database: str | None, schema: str | None, table: Name | None
) -> bool:
    if not session.account.privileges.sees(session.role, each):
        return False
    if table is not None:
        return each.full_name == table
    return database in (None, each.database) and schema in (None, each.schema)
