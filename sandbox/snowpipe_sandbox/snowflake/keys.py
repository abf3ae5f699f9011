"""Primary, unique and foreign keys of a table: read from CREATE TABLE and kept, never enforced.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-table-constraint
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

from sqlglot import exp

from snowpipe_sandbox.snowflake import errors, relations
from snowpipe_sandbox.snowflake.catalog import Key

PRIMARY, UNIQUE, FOREIGN = "PRIMARY", "UNIQUE", "FOREIGN"


def written(definitions: list[exp.Expression]) -> list[Key]:
    """The keys of a CREATE TABLE, beside a column and beside the columns."""
    return [key for each in definitions for key in _keys(each)]


def _keys(each: exp.Expression, name: str = "") -> Iterator[Key]:
    if isinstance(each, exp.ColumnDef):
        column = relations.stored(each.this)
        for constraint in each.constraints:
            given = relations.stored(constraint.this) if constraint.this else ""
            if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
                yield _key(PRIMARY, (column,), given)
            elif isinstance(constraint.kind, exp.UniqueColumnConstraint):
                yield _key(UNIQUE, (column,), given)
            elif isinstance(constraint.kind, exp.Reference):
                yield _key(FOREIGN, (column,), given)
    elif isinstance(each, exp.Constraint):
        for inner in each.expressions:
            yield from _keys(inner, relations.stored(each.this))
    elif isinstance(each, exp.PrimaryKey):
        yield _key(PRIMARY, tuple(map(relations.stored, each.expressions)), name)
    elif isinstance(each, exp.UniqueColumnConstraint):
        yield _key(UNIQUE, tuple(map(relations.stored, each.this.expressions)), name)
    elif isinstance(each, exp.ForeignKey):
        yield _key(FOREIGN, tuple(map(relations.stored, each.expressions)), name)


def _key(kind: str, columns: tuple[str, ...], name: str) -> Key:
    return Key(kind, columns, name or f"SYS_CONSTRAINT_{uuid.uuid4()}")


def renamed(keys: list[Key], names: Mapping[str, str]) -> list[Key]:
    """The keys after columns got other names. Raises not emulated where a key's column is gone."""
    if any(column not in names for key in keys for column in key.columns):
        raise errors.not_emulated("ALTER TABLE … DROP COLUMN of a key")
    return [Key(key.kind, tuple(names[column] for column in key.columns), key.name) for key in keys]
