"""CREATE SCHEMA … CLONE: what is in a schema once more, in a schema of its own.

Tables keep their rows and forget what was loaded into them. A pipe's unqualified names mean the clone's
table, stage and format, its qualified ones still the source's; it is stopped until somebody forces it.
Children keep owner and grants, but for pipes, which belong to the role that clones.

Sources: https://docs.snowflake.com/en/user-guide/object-clone (privileges, pipes, load history),
https://docs.snowflake.com/en/sql-reference/sql/create-clone (privileges, what is not cloned),
https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_06/bcr-2352 (a cloned stage's directory table).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, resolve, sequences, tables
from snowpipe_sandbox.snowflake.catalog import Objects, Pipe, Schema, SchemaObject
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import qualify

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.catalog import SO
    from snowpipe_sandbox.snowflake.sessions import Session


def source_of(session: Session, tokens: Tokens) -> Schema | None:
    """The schema behind CLONE, if that is written. Raises 2003, 3001, or not emulated for what is in it."""
    if not tokens.take("CLONE"):
        return None
    parts = tokens.name(2)
    if tokens.sees("AT") or tokens.sees("BEFORE"):
        raise errors.not_emulated("Time Travel")
    if tokens.sees("IGNORE") or tokens.sees("INCLUDE"):
        raise errors.not_emulated(f"CREATE SCHEMA … CLONE … {tokens.next.value}")
    with session.account.lock:
        found = resolve.schema(session.account, session, parts)
        session.account.privileges.require(session.role, found, "USAGE")
        if any(each.is_query for each in _inside(session.account.catalog.tables, found)):
            raise errors.not_emulated("CREATE SCHEMA … CLONE of a schema with views")
        catalog = session.account.catalog
        if any(column.identity for table in _inside(catalog.tables, found) for column in table.columns):
            raise errors.not_emulated("CREATE SCHEMA … CLONE of a table with AUTOINCREMENT")
        beside: list[SchemaObject] = [*_inside(catalog.streams, found), *_inside(catalog.tasks, found)]
        if beside:
            raise errors.not_emulated("CREATE SCHEMA … CLONE of a schema with streams or tasks")
        if _inside(catalog.beside[sequences.KIND], found):
            raise errors.not_emulated("CREATE SCHEMA … CLONE of a schema with sequences")
    return found


def fill(session: Session, source: Schema, clone: Schema) -> list[str]:
    """Put clones of all that is in a schema into a new one; what DuckDB has to do. Hold ``account.lock``."""
    catalog = session.account.catalog
    statements = []
    for table in _inside(catalog.tables, source):
        made = _copy(session, catalog.tables, table, clone)
        made.columns = list(table.columns)
        statements += tables.copy_sql(made, table)
    for file_format in _inside(catalog.file_formats, source):
        _copy(session, catalog.file_formats, file_format, clone)
    for stage in _inside(catalog.stages, source):
        # until 2026_06 is enabled, its directory table can neither be read nor refreshed
        _copy(session, catalog.stages, stage, clone).directory = None
    for pipe in _inside(catalog.pipes, source):
        _stop(session, _copy(session, catalog.pipes, pipe, clone))
    return statements


def _inside(objects: Objects[SO], schema: Schema) -> list[SO]:
    return [each for each in objects if (each.database, each.schema) == (schema.database, schema.name)]


def _copy(session: Session, objects: Objects[SO], original: SO, clone: Schema) -> SO:
    """One object under the same name in the clone, with an identity of its own and the same grants."""
    account = session.account
    made = replace(
        original,
        id=account.catalog.next_id(),
        database=clone.database,
        schema=clone.name,
        created_on=account.now(),
    )
    objects.put(made)
    for held in [held for held in account.privileges.grants if held.object_id == original.id]:
        account.privileges.grant(held.privilege, made, held.role, held.granted_by, option=held.grant_option)
    return made


def _stop(session: Session, pipe: Pipe) -> None:
    """A clone's pipe looks names up where it is now; it is STOPPED_CLONED, or paused without AUTO_INGEST."""
    catalog = session.account.catalog
    pipe.owner = session.role
    pipe.owner_changed = False
    pipe.cloned = pipe.auto_ingest
    pipe.paused = None if pipe.auto_ingest else True
    here = resolve.PipeContext(pipe)
    pipe.table = qualify(pipe.copy.table, here)
    stage = catalog.stages.get(qualify(pipe.copy.stage.parts, here))
    if stage is not None:
        pipe.stage_id, pipe.stage_url = stage.id, stage.url
    written = pipe.copy.file_format
    if written is not None and written.name is not None:
        found = catalog.file_formats.get(qualify(written.name, here))
        pipe.format_id = found.id if found else pipe.format_id
