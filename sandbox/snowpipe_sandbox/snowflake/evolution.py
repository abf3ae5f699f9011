"""ENABLE_SCHEMA_EVOLUTION: a load by column names adds the columns its files have and the table has not.

A column that a file lacks loses its NOT NULL. A load evolves the table once, by at most 100 columns: of files
that would evolve it in two ways a pipe loads one kind after the other, and COPY refuses (what Snowflake does
then is on no public page). The types are INFER_SCHEMA's, whole numbers as wide as they can be, and a new
column's name is in capitals where names match without case: both are guesses. A file that cannot be read
evolves nothing.

Source: https://docs.snowflake.com/en/user-guide/data-load-schema-evolution
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, file_columns, load_errors
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.catalog import Table, TableColumn
from snowpipe_sandbox.snowflake.copy_statement import CopyStatement
from snowpipe_sandbox.snowflake.datatypes import duckdb_type, snowflake_type
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.names import duckdb_name

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account

MOST_COLUMNS = 100
EVOLVE = "EVOLVE SCHEMA"
_WHOLE = re.compile(r"NUMBER\(\d+, (\d+)\)")


@dataclass(frozen=True, slots=True)
class Evolution:
    """What one file asks of a table: new columns with their types, and columns that may be NULL."""

    added: tuple[tuple[str, str], ...]
    nullable: frozenset[str]


def applies(
    account: Account, role: str, statement: CopyStatement, table: Table, options: FormatOptions
) -> bool:
    """Does a load by this role evolve the table?

    Of CSV only where the fields are named by a header and not counted.
    """
    if not table.evolves or statement.match_by_column_name is None:
        return False
    if options.type == "CSV" and (not options["PARSE_HEADER"] or options["ERROR_ON_COLUMN_COUNT_MISMATCH"]):
        return False
    with account.lock:
        return account.privileges.has(role, EVOLVE, table)


def evolve(
    account: Account,
    statement: CopyStatement,
    table: Table,
    options: FormatOptions,
    role: RoleSession,
    files: Sequence[StagedFile],
    check_canceled: Callable[[], None] | None = None,
) -> list[StagedFile]:
    """Evolve the table once; the files that can be loaded now.

    ``check_canceled``: of a statement, which has to load every file. Raises not emulated where it cannot, and
    beyond 100 new columns.
    """
    check = check_canceled or (lambda: None)
    asked = {file.path: _asked(statement, table, options, role, file, check) for file in files}
    first = next((each.added for each in asked.values() if each.added), ())
    ready = [file for file in files if asked[file.path].added in ((), first)]
    if check_canceled is not None and len(ready) < len(files):
        raise errors.not_emulated("a COPY of files that evolve the table in two ways")
    nullable = frozenset[str]().union(*(asked[file.path].nullable for file in ready))
    if len(first) > MOST_COLUMNS:
        raise errors.not_emulated(f"schema evolution by more than {MOST_COLUMNS} columns")
    if first or nullable:
        _apply(account, table, first, nullable)
    return ready


def _asked(
    statement: CopyStatement,
    table: Table,
    options: FormatOptions,
    role: RoleSession,
    file: StagedFile,
    check_canceled: Callable[[], None],
) -> Evolution:
    try:
        columns = file_columns.of_file(role, file, options, check_canceled)
    except (errors.SnowflakeError, load_errors.FileError):
        check_canceled()
        return Evolution((), frozenset())
    exactly = statement.match_by_column_name == "CASE_SENSITIVE"
    known = {_key(column.name, exactly) for column in table.columns}
    shown = {_key(name, exactly): _wide(type_ or "TEXT") for name, type_, _ in columns}
    added = {name: type_ for name, type_ in shown.items() if name not in known}
    filled = set(statement.include_metadata)
    lacking = frozenset(
        column.name
        for column in table.columns
        if not column.nullable
        and column.identity is None
        and column.name not in filled
        and _key(column.name, exactly) not in shown
    )
    return Evolution(tuple(added.items()), lacking)


def _key(name: str, exactly: bool) -> str:  # noqa: FBT001 - how names are compared
    return name if exactly else name.upper()


def _wide(type_: str) -> str:
    return _WHOLE.sub(r"NUMBER(38, \1)", type_)


def _apply(
    account: Account, table: Table, added: Sequence[tuple[str, str]], nullable: frozenset[str]
) -> None:
    """Change the table, in the catalog and in DuckDB; what another load has done meanwhile is left out."""
    with account.lock, account.engine.ddl, closing(account.engine.cursor()) as cursor:
        known = {column.name for column in table.columns}
        made = [
            TableColumn(name, snowflake_type(exp.DataType.build(type_, dialect="snowflake")))
            for name, type_ in added
            if name not in known
        ]
        place = duckdb_name(table.lies_at)
        freed = [column for column in table.columns if not column.nullable and column.name in nullable]
        for column in made:
            cursor.execute(
                f"ALTER TABLE {place} ADD COLUMN {duckdb_name([column.name])} {duckdb_type(column.type)}"
            )
        for column in freed:
            cursor.execute(f"ALTER TABLE {place} ALTER COLUMN {duckdb_name([column.name])} DROP NOT NULL")
        table.columns = [
            *(replace(each, nullable=True) if each in freed else each for each in table.columns),
            *made,
        ]
        table.altered_on = table.ddl_on = account.now()
