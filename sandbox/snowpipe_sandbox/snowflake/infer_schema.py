"""INFER_SCHEMA: the columns that the files of a stage have, and CREATE TABLE … USING TEMPLATE.

Sources: https://docs.snowflake.com/en/sql-reference/functions/infer_schema (columns, arguments),
https://docs.snowflake.com/en/sql-reference/sql/create-table (USING TEMPLATE),
https://github.com/snowflakedb/snowpark-python (dataframe_reader.py: a CSV file's EXPRESSION selects by $n).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from snowpipe_sandbox.snowflake import (
    copying,
    errors,
    file_columns,
    functions,
    load_errors,
    names,
    resolve,
)
from snowpipe_sandbox.snowflake.copy_statement import FormatClause, parse_stage
from snowpipe_sandbox.snowflake.encoding import SEMI_STRUCTURED
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import duckdb_name
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

NAME = "INFER_SCHEMA"
ARGUMENTS = ("LOCATION", "FILE_FORMAT", "FILES", "IGNORE_CASE", "MAX_FILE_COUNT", "MAX_RECORDS_PER_FILE")
SHOWN = [
    Column("COLUMN_NAME"),
    Column("TYPE"),
    Column("NULLABLE", "BOOLEAN"),
    Column("EXPRESSION"),
    Column("FILENAMES"),
    Column("ORDER_ID", "FIXED"),
]


@dataclass(slots=True)
class _Found:
    """A column: its place in its file, its type as far as the files tell, and the files that have it."""

    place: int
    type: str | None
    nullable: bool
    files: list[str] = field(default_factory=list)


def rows(session: Session, call: exp.Expression) -> Result:
    """``TABLE(INFER_SCHEMA(…))``. Raises what reading a stage raises, or not emulated."""
    given = _arguments(session, call)
    account = session.account
    session.require_warehouse()
    reference = parse_stage(str(given["LOCATION"]))
    stage, integration = resolve.stage_for_use(account, session, reference.parts)
    with account.lock:
        clause = FormatClause(tuple(names.split(str(given["FILE_FORMAT"]))))
        _, options = copying.format_of(account, session, clause, stage)
    role = account.bucket.reach(integration)
    prefix = reference.prefix(stage.path)
    files = sorted(role.list(stage.bucket, prefix), key=lambda file: file.key)
    if "FILES" in given:
        wanted = {f"{prefix}{name}" for name in given["FILES"]}
        missing = wanted - {file.key for file in files}
        if missing:
            raise copying.missing_file(min(missing))
        files = [file for file in files if file.key in wanted]
    found: dict[str, _Found] = {}
    most = given.get("MAX_RECORDS_PER_FILE")
    for file in files[: given.get("MAX_FILE_COUNT")]:
        session.check_canceled()
        try:
            columns = file_columns.of_file(role, file, options, session.check_canceled, most)
        except load_errors.FileError as broken:
            raise errors.SnowflakeError(broken.code, broken.sql_state, broken.message) from None
        for place, (name, type_, nullable) in enumerate(columns):
            shown = name.upper() if given.get("IGNORE_CASE") else name
            known = found.setdefault(shown, _Found(place, None, nullable=False))
            known.type = file_columns.joined(known.type, type_)
            known.nullable |= nullable
            known.files.append(file.key.removeprefix(stage.path).lstrip("/"))
    return Result(SHOWN, [_row(n, *each, options, given) for n, each in enumerate(found.items())])


def _arguments(session: Session, call: exp.Expression) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for argument in call.expressions:
        if not isinstance(argument, exp.Kwarg):
            raise errors.not_emulated("table functions with arguments by position")
        name, value = str(argument.this.name).upper(), argument.expression
        if name not in ARGUMENTS:
            raise errors.not_emulated(f"INFER_SCHEMA with {name}")
        if name == "FILES":
            listed = value.expressions if isinstance(value, exp.Tuple) else [value.unnest()]
            given[name] = [str(functions.constant(session, each)) for each in listed]
        elif isinstance(value, exp.Boolean):
            given[name] = bool(value.this)
        else:
            given[name] = functions.constant(session, value)
    for name in ("LOCATION", "FILE_FORMAT"):
        if name not in given:
            raise errors.syntax_error(f"missing argument {name}.")
    return given


def _row(
    number: int, name: str, found: _Found, options: FormatOptions, given: dict[str, Any]
) -> tuple[Any, ...]:
    type_ = found.type or "TEXT"
    if options.type == "CSV":
        expression = f"${found.place + 1}::{type_}"
    elif given.get("IGNORE_CASE"):
        expression = f"GET_IGNORE_CASE ($1, '{name}')::{type_}"
    else:
        expression = f"$1:{name}::{type_}"
    return (name, type_, found.nullable, expression, ", ".join(found.files), number)


# --- USING TEMPLATE


def template(tokens: Tokens) -> tuple[str, str, str] | None:
    """``CREATE … TABLE name USING TEMPLATE ( query ) …`` as what stands before USING, the query, the rest."""
    while not tokens.at_end and not tokens.sees("USING", "TEMPLATE"):
        if tokens.sees("(") or tokens.sees("AS"):
            return None
        tokens.advance()
    if tokens.at_end:
        return None
    head = tokens.text[: tokens.next.start]
    tokens.expect("USING", "TEMPLATE")
    start = tokens.next.end
    tokens.expect("(")
    tokens.until(")")
    query = tokens.text[start : tokens.next.start]
    tokens.expect(")")
    return head, query, tokens.rest()


def columns_of(found: Result) -> str:
    """The columns of a template's one ARRAY, as CREATE TABLE has them; names with their case."""
    values = [row[0] for row in found.rows if found.columns[0].type in SEMI_STRUCTURED]
    described = json.loads(values[0]) if len(values) == 1 and values[0] is not None else None
    if not isinstance(described, list) or not described:
        raise errors.not_emulated("USING TEMPLATE of anything but one ARRAY of columns")
    if any(not isinstance(each, dict) or not {"COLUMN_NAME", "TYPE"} <= set(each) for each in described):
        raise errors.not_emulated("USING TEMPLATE of columns without COLUMN_NAME or TYPE")
    return ", ".join(
        f"{duckdb_name([each['COLUMN_NAME']])} {each['TYPE']}"
        f"{'' if each.get('NULLABLE', True) else ' NOT NULL'}"
        for each in described
    )
