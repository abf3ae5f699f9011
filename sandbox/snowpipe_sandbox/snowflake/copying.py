"""COPY INTO <table>, LIST, and what a pipe's COPY shares with them.

Compiling comes first and finds everything that can be wrong before a file is looked at: table, columns,
stage, integration, format, privileges, numbers of columns. Then AWS is asked; then files are loaded.

Sources: sources: Snowflake §1.4 (LIST), §1.6 (COPY); [frostlake] https://github.com/mlorek/frostlake, whose
COPY tests quote a live account: LOAD_SKIPPED rows, missing FILES, SIZE_LIMIT, VALIDATION_MODE's columns.

Longer than 400 lines: COPY INTO from its statement to its answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import duckdb

from snowpipe_sandbox.snowflake import conversions, errors, evolution, load_errors, resolve, sequences
from snowpipe_sandbox.snowflake import projection as projections
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.catalog import FileFormat, Integration, Stage, Table
from snowpipe_sandbox.snowflake.copy_statement import (
    ABORT_STATEMENT,
    SKIP_FILE,
    CopyStatement,
    FormatClause,
    OnError,
    StageReference,
    for_pipe,
    on_error_of,
    parse_copy,
    parse_list,
    parse_stage,
)
from snowpipe_sandbox.snowflake.datatypes import result_column
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.file_choice import Chosen, choose, marked
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.formats import parse as parse_format
from snowpipe_sandbox.snowflake.history import Attempt, PipeIdentity, TableIdentity
from snowpipe_sandbox.snowflake.history_views import VALIDATION, validation_row
from snowpipe_sandbox.snowflake.loading import FileLoad, Load, LoadPlan
from snowpipe_sandbox.snowflake.names import Context, duckdb_name, quoted
from snowpipe_sandbox.snowflake.result import Column, Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.sessions import Session

__all__ = [
    "CopyStatement",
    "StageReference",
    "compile_copy",
    "compile_statement",
    "for_pipe",
    "list_stage",
    "parse_copy",
    "parse_stage",
    "run",
]

NOTHING = "Copy executed with 0 files processed."
LOADED_BEFORE = "File was loaded before."
COPY_TYPE = 0x3000 + 0x100

OUTPUT = [
    Column("file"),
    Column("status"),
    Column("rows_parsed", "FIXED"),
    Column("rows_loaded", "FIXED"),
    Column("error_limit", "FIXED"),
    Column("errors_seen", "FIXED"),
    Column("first_error"),
    Column("first_error_line", "FIXED"),
    Column("first_error_character", "FIXED"),
    Column("first_error_column_name"),
]
_HISTORY_STATUS = {
    "LOADED": "Loaded",
    "PARTIALLY_LOADED": "Partially loaded",
    "LOAD_FAILED": "Load failed",
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A COPY that compiled: its objects, where it looks, and how it loads."""

    statement: CopyStatement
    stage: Stage
    integration: Integration
    table: Table
    table_identity: TableIdentity
    format: FileFormat | None
    plan: LoadPlan
    prefix: str
    """The key prefix: the stage's path and the FROM path."""
    pattern: re.Pattern[str] | None
    compiled_at: datetime


def compile_statement(
    account: Account,
    context: Context,
    statement: CopyStatement,
    *,
    default_on_error: OnError = ABORT_STATEMENT,
    privileges: Sequence[str] = ("INSERT",),
    timezone: str = "UTC",
    compiled_at: datetime | None = None,
) -> Compiled:
    """Resolve and compile a COPY; AWS is not asked.

    ``timezone``: of the session, or the account's for a pipe. ``compiled_at``: what CURRENT_TIMESTAMP says;
    now, unless a pipe compiled earlier. Raises SnowflakeError: 2003, 3001, 3139, and
    what :func:`projection.compile_copy` and the file format raise.
    """
    compiled_at = compiled_at or account.clock.now()
    with account.lock:
        table = resolve.table_for_load(account, context, statement.table, privileges)
        stage, integration = resolve.stage_for_use(account, context, statement.stage.parts)
        named, options = format_of(account, context, statement.file_format, stage)
        columns = list(table.columns)
        identity = account.history.identity(table)
    if table.kind != "TABLE":
        raise errors.not_emulated(f"COPY INTO a {table.kind.lower()}")
    pattern = java_pattern(statement.pattern)
    conversions.define_macros(account.engine)
    cursor = account.engine.cursor(timezone)
    try:
        projection = projections.compile_copy(
            statement, columns, options, compiled_at, timezone, cursor, sequences.next_of(account, context)
        )
    finally:
        cursor.close()
    plan = LoadPlan(
        projection=projection,
        options=options,
        on_error=statement.on_error or _of_the_stage(stage, default_on_error) or default_on_error,
        table=duckdb_name(table.lies_at),
        table_name=table.name,
        column_names=[column.name for column in columns],
        timezone=timezone,
    )
    prefix = statement.stage.prefix(stage.path)
    return Compiled(statement, stage, integration, table, identity, named, plan, prefix, pattern, compiled_at)


def _of_the_stage(stage: Stage, default: OnError) -> OnError | None:
    """ON_ERROR of the stage's COPY_OPTIONS, which a statement's own is preferred to; a pipe never aborts."""
    own = None if stage.on_error is None else on_error_of(stage.on_error)
    return None if own == ABORT_STATEMENT and default == SKIP_FILE else own


def compile_copy(
    account: Account, context: Context, statement: CopyStatement, table: Table, stage: Stage
) -> Compiled:
    """Compile a COPY as a pipe's definition (CREATE PIPE): errors as :func:`compile_statement`.

    ``table`` and ``stage`` are what the caller resolved; they are looked up again, by the same names.
    """
    del table, stage
    return compile_statement(
        account,
        context,
        statement,
        default_on_error=SKIP_FILE,
        privileges=("SELECT", "INSERT"),
        timezone=account.timezone,
    )


def format_of(
    account: Account, context: Context, clause: FormatClause | None, stage: Stage
) -> tuple[FileFormat | None, FormatOptions]:
    """The format that counts: the COPY's, else the stage's, else CSV. Hold ``account.lock``."""
    if clause is not None:
        if clause.name is None:
            return None, parse_format(clause.options)
        named = resolve.format_for_use(account, context, clause.name)
        return named, named.options.with_changes(clause.options) if clause.options else named.options
    if isinstance(stage.file_format, FormatOptions):
        return None, stage.file_format
    if stage.file_format is None:
        return None, FormatOptions()
    found = account.catalog.file_formats.by_id(stage.file_format)
    if found is None:
        raise errors.does_not_exist("File format", f"of stage {quoted(stage.name)}")
    return found, found.options


def java_pattern(text: str | None) -> re.Pattern[str] | None:
    """PATTERN as Python's regular expression; both match whole strings. Raises 100048 for a broken one."""
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as broken:
        raise SnowflakeError(100048, "2201B", f"Invalid regular expression: '{text}', {broken}") from None


# -- COPY INTO ------------------------------------------------------------------------------------------


def run(account: Account, session: Session, statement: CopyStatement) -> Result:
    """Run a COPY INTO <table> for a session. Writes rows and, once they are committed, load history."""
    session.require_warehouse()
    compiled = compile_statement(account, session, statement, timezone=session.parameters.timezone)
    role = account.bucket.reach(compiled.integration)
    if statement.validation_mode is not None:
        return _validate(account, session, compiled, role)
    return _Copy(account, session, compiled, role).run()


@dataclass(slots=True)
class _Copy:
    account: Account
    session: Session
    compiled: Compiled
    role: RoleSession
    started_at: datetime = field(init=False)

    def run(self) -> Result:
        self.started_at = self.account.clock.now()
        chosen = choose(self.account, self.compiled, self.role)
        plan = self.compiled.plan
        if chosen.missing and plan.on_error.mode == "ABORT_STATEMENT":
            raise missing_file(f"{self.compiled.prefix}{chosen.missing[0]}")
        chosen.files = marked(self.account, self.compiled, chosen)
        paths = [file.path for file in chosen.files]
        try:
            self._evolve(chosen.files)
            return self._loaded(chosen)
        finally:
            self.session.at_end(lambda: self.account.history.unmark(self.compiled.table.id, paths))

    def _evolve(self, files: Sequence[StagedFile]) -> None:
        """Give the table the columns of the files, where it is to have them; the COPY compiles again then."""
        session, compiled = self.session, self.compiled
        statement, options = compiled.statement, compiled.plan.options
        if not evolution.applies(self.account, session.role, statement, compiled.table, options):
            return
        if session.in_transaction:
            raise errors.not_emulated("schema evolution in a transaction")
        before = list(compiled.table.columns)
        evolution.evolve(
            self.account, statement, compiled.table, options, self.role, files, session.check_canceled
        )
        if compiled.table.columns != before:
            self.compiled = compile_statement(
                self.account, session, statement, timezone=session.parameters.timezone
            )

    def _loaded(self, chosen: Chosen) -> Result:
        plan = self.compiled.plan
        with self.session.cursor() as writing:
            reading = self.account.engine.cursor(self.session.parameters.timezone)
            load = Load(plan, reading, self.role.open, self.account.clock.now)
            try:
                load.read(chosen.files, self.session.check_canceled)
                load.write(writing, in_transaction=self.session.in_transaction)
                self.compiled.table.altered_on = self.account.now()
            except duckdb.Error as broken:
                raise _write_failed(broken, self.compiled) from None
            finally:
                load.close()
                reading.close()
        self._remember(load)
        if self.compiled.statement.purge:
            loaded = [one.file for one in load.files if one.status == "LOADED"]
            self.session.after_commit(lambda: self._purge(loaded))
        return self._output(load, chosen)

    def _purge(self, loaded: list[StagedFile]) -> None:
        """PURGE: what was loaded is deleted; a refusal is not an error [copy-into-table]."""
        for file in loaded:
            with suppress(SnowflakeError):
                self.role.delete(file)

    def _remember(self, load: Load) -> None:
        """Put the load into the histories once it is committed."""
        history, table = self.account.history, self.compiled.table_identity
        attempts = [attempt_of(load, one, self.compiled, None, self.started_at) for one in load.files]
        loaded = [one.file for one in load.files if one.status != "LOAD_FAILED"]

        def remember() -> None:
            history.copied(table.id, loaded)
            history.record(attempts)

        if history.rollback_keeps_copies:
            self.session.at_end(lambda: history.copied(table.id, loaded))
        self.session.after_commit(remember)

    def _output(self, load: Load, chosen: Chosen) -> Result:
        rows: list[tuple[Any, ...]] = [_output_row(load, one) for one in load.files]
        rows += [
            (file.url, "LOAD_SKIPPED", 0, 0, None, 1, LOADED_BEFORE, None, None, None)
            for file in chosen.loaded_before
        ]
        for name in chosen.missing:
            key = f"{self.compiled.prefix}{name}"
            message = load_errors.remote_file_missing(key).message
            limit = self.compiled.plan.on_error.limit(0)
            url = f"s3://{self.compiled.stage.bucket}/{key}"
            rows.append((url, "LOAD_FAILED", 0, 0, limit, 1, message, None, None, None))
        if not rows:
            return Result([Column("status")], [(NOTHING,)], COPY_TYPE)
        if self.compiled.statement.return_failed_only:
            rows = [row for row in rows if row[1] != "LOADED"]
        return Result(OUTPUT, rows, COPY_TYPE)


def _output_row(load: Load, one: FileLoad) -> tuple[Any, ...]:
    first = one.first_error
    return (
        one.file.url,
        one.status,
        one.parsed,
        one.loaded,
        one.limit,
        one.errors_seen,
        one.message,
        first.line if first else None,
        first.character if first else None,
        load.column_label(first) if first else None,
    )


def missing_file(key: str) -> SnowflakeError:
    """091016: a COPY that aborts because a file it names is not there [frostlake]."""
    return SnowflakeError(
        91016,
        "22000",
        f"Remote file '{key}' was not found. If you are running a copy command, please make sure files are "
        "not deleted when they are being loaded or files are not being loaded into two different tables "
        "concurrently with auto purge option.",
    )


def _write_failed(broken: duckdb.Error, compiled: Compiled) -> SnowflakeError:
    """The table changed between compiling and writing, or DuckDB found what the projection did not."""
    if isinstance(broken, (duckdb.CatalogException, duckdb.BinderException)):
        return errors.does_not_exist("Table", str(compiled.table.full_name))
    return SnowflakeError(100132, "22000", "The load failed: what was read does not fit the table.")


def attempt_of(
    load: Load,
    one: FileLoad,
    compiled: Compiled,
    pipe: PipeIdentity | None,
    started_at: datetime,
    received_at: datetime | None = None,
) -> Attempt:
    """A file's load as the histories keep it; it ends now."""
    first = one.first_error
    return Attempt(
        table=compiled.table_identity,
        pipe=pipe,
        file_path=one.file.path,
        stage_url=compiled.stage.url,
        file_size=one.file.size,
        status=_HISTORY_STATUS[one.status],  # type: ignore[arg-type]
        started_at=started_at,
        ended_at=load.now(),
        received_at=received_at,
        row_count=one.loaded,
        row_parsed=one.parsed,
        error_count=one.errors_seen,
        error_limit=one.limit,
        first_error=first,
        first_error_message=one.message,
        column_name=load.column_label(first) if first else None,
        bytes_read=one.bytes_read,
        errors=tuple((error, load.column_label(error) or "") for error in one.errors),
    )


# -- VALIDATION_MODE ------------------------------------------------------------------------------------


def _validate(account: Account, session: Session, compiled: Compiled, role: RoleSession) -> Result:
    """VALIDATION_MODE: nothing is loaded, nothing is remembered."""
    mode = str(compiled.statement.validation_mode)
    chosen = choose(account, compiled, role, ignore_memory=mode == "RETURN_ALL_ERRORS")
    rows_wanted = re.fullmatch(r"RETURN_(\d+)_ROWS", mode)
    mode_on_error = OnError("ABORT_STATEMENT" if rows_wanted else "CONTINUE")
    if chosen.missing and rows_wanted:
        raise missing_file(f"{compiled.prefix}{chosen.missing[0]}")
    plan = LoadPlan(
        compiled.plan.projection,
        compiled.plan.options,
        mode_on_error,
        compiled.plan.table,
        compiled.plan.table_name,
        compiled.plan.column_names,
        compiled.plan.timezone,
    )
    reading = account.engine.cursor(session.parameters.timezone)
    load = Load(plan, reading, role.open, account.clock.now)
    try:
        load.read(chosen.files, session.check_canceled)
        if rows_wanted:
            sample = load.sample(int(rows_wanted[1]))
            columns = [
                result_column(target.column.name, target.column.type) for target in plan.projection.targets
            ]
            return Result(columns, sample)
        return Result(VALIDATION, _rejected(load, chosen, compiled.prefix))
    finally:
        load.close()
        reading.close()


def _rejected(load: Load, chosen: Chosen, prefix: str) -> list[tuple[Any, ...]]:
    rows = [
        validation_row(error, one.file.key, load.column_label(error) or "")
        for one in load.files
        for error in one.errors
    ]
    failed = [(one.file.key, one.failure.message) for one in load.files if one.failure]
    failed += [
        (prefix + name, load_errors.remote_file_missing(prefix + name).message) for name in chosen.missing
    ]
    rows += [
        (message, key, None, None, None, "other", 100112, "22000", None, 0, 0, None)
        for key, message in failed
    ]
    return rows


# -- LIST -----------------------------------------------------------------------------------------------

REMOVED_COLUMNS = [Column("name"), Column("result")]


def remove(account: Account, context: Context, text: str) -> Result:
    """REMOVE @stage[/path] [PATTERN = '…']: deletes what LIST of the same would show. Raises as LIST.

    Source: https://docs.snowflake.com/en/sql-reference/sql/remove.
    """
    reference, pattern = parse_list(text)
    matching = java_pattern(pattern)
    stage, integration = resolve.stage_for_use(account, context, reference.parts)
    role = account.bucket.reach(integration)
    removed = []
    for file in list(role.list(stage.bucket, reference.prefix(stage.path))):
        if matching is None or matching.fullmatch(file.key):
            role.delete(file)
            removed.append((file.url.removeprefix(f"s3://{stage.bucket}/"), "removed"))
    return Result(REMOVED_COLUMNS, removed)


LIST_COLUMNS = [Column("name"), Column("size", "FIXED"), Column("md5"), Column("last_modified")]


def list_stage(account: Account, context: Context, text: str) -> Result:
    """LIST @stage[/path] [PATTERN = '…']: full URLs, ETags without quotes, RFC 1123 dates in GMT.

    PATTERN is matched against the whole path, as in COPY. Raises 001003, 2003, 3001, 3139, 3167, 091003.
    """
    reference, pattern = parse_list(text)
    matching = java_pattern(pattern)
    stage, integration = resolve.stage_for_use(account, context, reference.parts)
    role = account.bucket.reach(integration)
    rows = [
        (file.url, file.size, file.etag, format_datetime(file.last_modified, usegmt=True))
        for file in role.list(stage.bucket, reference.prefix(stage.path))
        if matching is None or matching.fullmatch(file.key)
    ]
    return Result(LIST_COLUMNS, rows)
