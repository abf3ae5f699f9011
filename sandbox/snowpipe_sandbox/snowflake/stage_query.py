"""SELECT over the files of a stage: ``SELECT $1, METADATA$FILENAME FROM @stage (FILE_FORMAT => 'f')``.

The files are read when the query runs; a record that cannot be read fails it.
Source: https://docs.snowflake.com/en/user-guide/querying-stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from snowpipe_sandbox.snowflake import (
    avro_reader,
    compression,
    copying,
    csv_reader,
    errors,
    json_reader,
    load_errors,
    names,
    parquet_reader,
    relations,
    resolve,
)
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.copy_statement import FormatClause, parse_stage
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.result import Column, Result
from snowpipe_sandbox.snowflake.rows import Chunk

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def is_stage(table: exp.Table) -> bool:
    """Does the query name a stage here?"""
    return isinstance(table.this, exp.Var | exp.Literal) and str(table.this.this).startswith("@")


def place_fields(query: exp.Expression) -> int:
    """Write the columns ``"$1"``, ``"$2"`` … for the fields, and answer the highest number.

    Raises not emulated for a star, which Snowflake takes only of formats with named columns.
    """
    for select in query.find_all(exp.Select):
        if any(each.is_star for each in select.selects):
            raise errors.not_emulated("SELECT * over a stage's files")
    highest = 1
    for parameter in list(query.find_all(exp.Parameter)):
        number = str(parameter.this.this)
        if not number.isdigit() or int(number) < 1:
            raise errors.not_emulated("session variables")
        highest = max(highest, int(number))
        whole = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
        table = whole.args.get("table") if isinstance(whole, exp.Column) else None
        whole.replace(exp.column(exp.to_identifier(f"${number}", quoted=True), table=table))
    return highest


def rows(session: Session, table: exp.Table, fields: int) -> Result:
    """The records of the files under the stage's path. Raises what reading a stage raises."""
    account = session.account
    session.require_warehouse()
    reference = parse_stage(str(table.this.this))
    stage, integration = resolve.stage_for_use(account, session, reference.parts)
    clause = _format_clause(table)
    with account.lock:
        _, options = copying.format_of(account, session, clause, stage)
    given = table.args.get("pattern")
    pattern = copying.java_pattern(given.name if given is not None else None)
    role = account.bucket.reach(integration)
    prefix = reference.prefix(stage.path)
    found = [
        file for file in role.list(stage.bucket, prefix) if pattern is None or pattern.fullmatch(file.key)
    ]
    parts = [_records(session, role, file, options, fields) for file in found]
    kind = "TEXT" if options.type == "CSV" else "VARIANT"
    columns = [Column(f"${n}", kind if n == 1 else "TEXT") for n in range(1, fields + 1)]
    columns += [Column("METADATA$FILENAME"), Column("METADATA$FILE_ROW_NUMBER", "FIXED")]
    columns += [Column("METADATA$FILE_CONTENT_KEY"), Column("METADATA$FILE_LAST_MODIFIED", "TIMESTAMP_NTZ")]
    columns += [Column("METADATA$START_SCAN_TIME", "TIMESTAMP_LTZ")]
    return Result(columns, [row for part in parts for row in part])


def _format_clause(table: exp.Table) -> FormatClause | None:
    given = table.args.get("format")
    if given is None:
        return None
    if isinstance(given, exp.Literal):
        return FormatClause(tuple(names.split(given.this)))
    if isinstance(given, exp.Table):
        return FormatClause(relations.parts(given))
    raise errors.not_emulated("such a FILE_FORMAT behind a stage")


def _records(
    session: Session, role: RoleSession, file: StagedFile, options: FormatOptions, fields: int
) -> list[tuple[Any, ...]]:
    made: list[tuple[Any, ...]] = []
    try:
        file, source = role.open(file)
    except load_errors.FileError as refused:
        raise errors.SnowflakeError(refused.code, refused.sql_state, refused.message) from None
    modified = file.last_modified.replace(tzinfo=None)
    with source:
        chunks = _chunks(session, source, file, options, fields)
        for chunk in chunks:
            session.check_canceled()
            if chunk.errors:
                first = chunk.errors[0]
                raise errors.SnowflakeError(first.code, first.sql_state, first.message)
            texts = [column.to_pylist() for column in _of_width(chunk.table, fields).columns]
            for number, row in zip(chunk.row_numbers, zip(*texts, strict=True), strict=True):
                made.append((*row, file.key, number, file.etag, modified, session.account.now()))
    return made


def _chunks(
    session: Session, source: IO[bytes], file: StagedFile, options: FormatOptions, fields: int
) -> Iterator[Chunk]:
    try:
        if options.type == "PARQUET":
            yield from parquet_reader.read(source, options, session.parameters.timezone)
            return
        blocks = compression.blocks(source, file.key, options["COMPRESSION"])
        if options.type == "AVRO":
            yield from avro_reader.read(blocks)
        elif options.type == "JSON":
            yield from json_reader.read(blocks, options)
        else:
            yield from csv_reader.read(blocks, options, fields, None)
    except load_errors.FileError as broken:
        raise errors.SnowflakeError(broken.code, broken.sql_state, broken.message) from None


def _of_width(table: Any, fields: int) -> Any:
    """The table with a column for each field, NULL where the file has none."""
    missing = range(table.num_columns + 1, fields + 1)
    for n in missing:
        table = table.append_column(f"c{n}", pa.nulls(table.num_rows, pa.string()))
    return table.select([f"c{n}" for n in range(1, fields + 1)])
