"""Pipes: CREATE, ALTER, REFRESH, DROP, DESC, SHOW (sources: Snowflake §1.5).

Longer than 400 lines: every statement about pipes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import copying, errors, pausing, resolve, result
from snowpipe_sandbox.snowflake.catalog import Pipe, Stage
from snowpipe_sandbox.snowflake.copy_statement import CopyStatement, for_pipe, parse_copy
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import Name, quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session


def _integration_name(tokens: Tokens) -> str:
    """An integration's name, as an identifier or in a string."""
    return options.name(tokens)[-1]


CREATE_OPTIONS: dict[str, options.Reader] = {
    "AUTO_INGEST": options.boolean,
    "ERROR_INTEGRATION": _integration_name,
    "AWS_SNS_TOPIC": options.string,
    "INTEGRATION": options.refused("INTEGRATION"),
    "COMMENT": options.string,
    "PIPE_EXECUTION_PAUSED": options.boolean,
}
SET_OPTIONS: dict[str, options.Reader] = {
    "PIPE_EXECUTION_PAUSED": options.boolean,
    "ERROR_INTEGRATION": _integration_name,
    "LOG_EVENT_LEVEL": options.word,
    "COMMENT": options.string,
}
EVENT_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF")
"""https://docs.snowflake.com/en/sql-reference/parameters#log-level"""


UNSETTABLE = ("PIPE_EXECUTION_PAUSED", "ERROR_INTEGRATION", "COMMENT", "LOG_EVENT_LEVEL")


class OwnContext:
    """The pipe being made, as the place where unqualified names of its COPY are looked up."""

    def __init__(self, name: Name, role: str) -> None:
        self.database: str | None = name.database
        self.schema: str | None = name.schema
        self.role = role


# --- CREATE


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE PIPE: the COPY must compile; with AUTO_INGEST the role is assumed and a queue bound (003167).

    OR REPLACE is drop and create: load history, grants and pause parameter are lost. OR ALTER may change only
    PIPE_EXECUTION_PAUSED and COMMENT.
    """
    parts = tokens.name()
    given = options.read_options(tokens, CREATE_OPTIONS, until=lambda: tokens.sees("AS"))
    if "PIPE_EXECUTION_PAUSED" in given and not mode.or_alter:
        raise errors.syntax_error("unexpected 'PIPE_EXECUTION_PAUSED'.")
    tokens.expect("AS")
    definition = _definition(tokens)
    copy = for_pipe(parse_copy(definition))
    _check_options(given)
    _check_context(session, copy)
    account = session.account
    with account.lock:
        name, _ = resolve.schema_for_create(account, session, parts, "CREATE PIPE")
        existing = account.catalog.pipes.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        if existing is not None:
            account.privileges.require_ownership(session.role, existing)
            if mode.or_alter:
                return _or_alter(session, existing, given, definition)
        pipe = _compiled(session, name, copy, definition, given)
    if pipe.auto_ingest:
        account.pipes.bind_channel(pipe)
    with account.lock:
        replaced = account.catalog.pipes.get(name)
        if replaced is not None:
            pipe.replaces_another = True
            _gone(session, replaced)
        account.catalog.pipes.put(pipe)
        account.privileges.created(pipe)
        pausing.note(account.catalog, account.now())
    if replaced is not None:
        account.pipes.forget(replaced)
    account.pipes.wake(pipe)
    return result.status(f"Pipe {name.name} successfully created.")


def _definition(tokens: Tokens) -> str:
    """The COPY as written, without parentheses around it.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe (examples).
    """
    written = tokens.rest()
    inner = Tokens(written)
    if not (inner.take("(") and inner.sees("COPY")):
        return written
    whole = inner.rest()
    return whole[: whole.rindex(")")].strip() if whole.endswith(")") else written


def _check_context(session: Session, copy: CopyStatement) -> None:
    """Raises 090105, 090106 for names of the COPY that need a database or schema the session has not.

    The pipe's own name may be qualified and does not help. Sources:
    https://github.com/snowflakedb/terraform-provider-snowflake/issues/533 and /1707 (``FROM @stage``).
    """
    named = copy.file_format.name if copy.file_format else None
    fewest = min(len(name) for name in (copy.table, copy.stage.parts, named or copy.table))
    if fewest < 3 and session.database is None:
        raise errors.no_database("operation")
    if fewest < 2 and session.schema is None:
        raise errors.no_schema("operation")


def _check_options(given: dict[str, Any]) -> None:
    if "AWS_SNS_TOPIC" in given and not given.get("AUTO_INGEST"):
        raise errors.not_bound("Cannot set AWS SNS topic for pipe without auto_ingest")


def _compiled(
    session: Session, name: Name, copy: CopyStatement, definition: str, given: dict[str, Any]
) -> Pipe:
    """The pipe, if its COPY compiles: table, stage, format and columns are there and may be used.

    Unqualified names are looked up in the pipe's own schema. Does not call AWS.
    """
    account = session.account
    context = OwnContext(name, session.role)
    if "ERROR_INTEGRATION" in given:
        resolve.error_integration(account, context, given["ERROR_INTEGRATION"])
    table = resolve.table_for_load(account, context, copy.table, ("SELECT", "INSERT"))
    stage, _ = resolve.stage_for_use(account, context, copy.stage.parts)
    format_id = _format_id(session, context, copy, stage)
    copying.compile_copy(account, context, copy, table, stage)
    return Pipe(
        account.catalog.next_id(),
        *name,
        session.role,
        account.now(),
        definition,
        copy,
        bool(given.get("AUTO_INGEST")),
        stage.id,
        format_id,
        aws_sns_topic=given.get("AWS_SNS_TOPIC"),
        comment=given.get("COMMENT", ""),
        stage_url=stage.url,
        table=table.full_name,
        error_integration=given.get("ERROR_INTEGRATION"),
    )


def _format_id(session: Session, context: OwnContext, copy: CopyStatement, stage: Stage) -> int | None:
    """The named format the pipe parses with: the COPY's, else the stage's; None for options written out."""
    if copy.file_format is not None and copy.file_format.name is not None:
        return resolve.format_for_use(session.account, context, copy.file_format.name).id
    if copy.file_format is None and isinstance(stage.file_format, int):
        return stage.file_format
    return None


def _or_alter(session: Session, pipe: Pipe, given: dict[str, Any], definition: str) -> Result:
    """CREATE OR ALTER over a pipe: anything but the pause parameter and comment must be as it is."""
    same = definition.split() == pipe.definition.split()
    topic = given.get("AWS_SNS_TOPIC")
    if not same or bool(given.get("AUTO_INGEST")) != pipe.auto_ingest or topic != pipe.aws_sns_topic:
        raise SnowflakeError(
            2,
            "0A000",
            "Unsupported feature 'CREATE OR ALTER PIPE changing the COPY statement or AUTO_INGEST'.",
        )
    pausing.set_paused(session.account, pipe, paused=given.get("PIPE_EXECUTION_PAUSED"))
    pipe.comment = given.get("COMMENT", "")
    pipe.altered_on = session.account.now()
    session.account.pipes.wake(pipe)
    return result.status(f"Pipe {pipe.name} successfully altered.")


def _gone(session: Session, pipe: Pipe) -> None:
    """A pipe is dropped or replaced. Hold the lock; tell the pipe service afterwards."""
    account = session.account
    pipe.dropped_on = account.now()
    account.catalog.dropped_pipes.append(pipe)
    account.catalog.pipes.remove(pipe.full_name)
    account.privileges.forget(pipe)


# --- ALTER, DROP


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER PIPE … SET, UNSET or REFRESH."""
    parts = tokens.name()
    verb = tokens.one_of("SET", "UNSET", "REFRESH")
    if verb == "REFRESH":
        return _refresh(session, parts, tokens)
    given: dict[str, Any] = {}
    unset: list[str] = []
    if verb == "SET":
        given = options.read_options(tokens, SET_OPTIONS)
        if not given:
            raise tokens.error()
    else:
        unset = options.unset_list(tokens, *UNSETTABLE)
    account = session.account
    with account.lock:
        pipe = resolve.pipe(account, session, parts)
        _may_alter(session, pipe, set(given), unset)
        if "PIPE_EXECUTION_PAUSED" in given or "PIPE_EXECUTION_PAUSED" in unset:
            pausing.set_paused(account, pipe, paused=given.get("PIPE_EXECUTION_PAUSED"))
        if "ERROR_INTEGRATION" in given:
            _set_error_integration(session, pipe, given["ERROR_INTEGRATION"])
        if "ERROR_INTEGRATION" in unset:
            pipe.error_integration = None
        if "LOG_EVENT_LEVEL" in given:
            pipe.log_event_level = _event_level(given["LOG_EVENT_LEVEL"])
        if "LOG_EVENT_LEVEL" in unset:
            pipe.log_event_level = None
        if "COMMENT" in given or "COMMENT" in unset:
            pipe.comment = given.get("COMMENT", "")
        pipe.altered_on = account.now()
    account.pipes.wake(pipe)
    return result.status("Statement executed successfully.")


def _set_error_integration(session: Session, pipe: Pipe, name: str) -> None:
    """Raises 2003, or an error where another one is set already: it must be unset first. Its number is ours.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-errors.
    """
    resolve.error_integration(session.account, session, name)
    if pipe.error_integration not in (None, name):
        raise SnowflakeError(
            91131,
            "42601",
            f"SQL compilation error:\nPipe {pipe.name} already has the error integration "
            f"{pipe.error_integration}. Unset it first.",
        )
    pipe.error_integration = name


def _event_level(text: str) -> str:
    """A level of LOG_EVENT_LEVEL, which here only is what SHOW PARAMETERS says. Raises 001008."""
    if text.upper() not in EVENT_LEVELS:
        raise errors.invalid_value(text, "LOG_EVENT_LEVEL")
    return text.upper()


def _may_alter(session: Session, pipe: Pipe, given: set[str], unset: list[str]) -> None:
    """SET PIPE_EXECUTION_PAUSED needs OPERATE, everything else, UNSET of it too, OWNERSHIP. Raises 3001.

    LOG_EVENT_LEVEL needs OPERATE and MODIFY LOG EVENT LEVEL on the account, of the pipe's owner too. Source:
    https://docs.snowflake.com/en/sql-reference/sql/alter-pipe (access control, usage notes)
    """
    privileges = session.account.privileges
    changed = given | set(unset)
    if "LOG_EVENT_LEVEL" in changed:
        privileges.require_on_account(session.role, "MODIFY LOG EVENT LEVEL")
    if (given == {"PIPE_EXECUTION_PAUSED"} and not unset) or changed == {"LOG_EVENT_LEVEL"}:
        privileges.require(session.role, pipe, "OPERATE")
    else:
        privileges.require_ownership(session.role, pipe)


REFRESHED = result.texts("File", "Status")


def _refresh(session: Session, parts: tuple[str, ...], tokens: Tokens) -> Result:
    """ALTER PIPE … REFRESH: queue files of the last seven days that neither memory knows."""
    given = options.read_options(tokens, {"PREFIX": options.string, "MODIFIED_AFTER": options.string})
    modified_after = None
    if "MODIFIED_AFTER" in given:
        modified_after = _zoned(given["MODIFIED_AFTER"])
    account = session.account
    with account.lock:
        pipe = resolve.pipe(account, session, parts)
        privileges = account.privileges
        privileges.require(session.role, pipe, "OPERATE")
        stage = account.catalog.stages.by_id(pipe.stage_id)
        if stage is not None:
            privileges.require(session.role, stage, "USAGE")
        file_format = account.catalog.file_formats.by_id(pipe.format_id)
        if file_format is not None:
            privileges.require(session.role, file_format, "USAGE")
        table = account.catalog.pipe_table(pipe)
        if table is not None:
            privileges.require(session.role, table, "SELECT", "INSERT")
    found = account.pipes.refresh(pipe, given.get("PREFIX"), modified_after)
    return found if isinstance(found, Result) else Result(REFRESHED, found[1], result.DDL)


def _zoned(text: str) -> datetime:
    """An ISO-8601 time with its zone. Raises 001008 without one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise errors.invalid_value(text, "MODIFIED_AFTER") from None
    if moment.tzinfo is None:
        raise errors.invalid_value(text, "MODIFIED_AFTER")
    return moment.astimezone(UTC)


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP PIPE: its memory and history are gone; there is no UNDROP."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        pipe = resolve.pipe(account, session, parts)
        account.privileges.require_ownership(session.role, pipe)
        _gone(session, pipe)
    account.pipes.forget(pipe)
    return result.status(f"{pipe.name} successfully dropped.")


# --- SHOW, DESC

SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts(
        "name",
        "database_name",
        "schema_name",
        "definition",
        "owner",
        "notification_channel",
        "comment",
        "integration",
        "pattern",
        "error_integration",
        "owner_role_type",
        "invalid_reason",
        "kind",
    ),
    result.Column("is_snowflake_managed", "BOOLEAN"),
]
"""The last (its place is ours): https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_01/bcr-2137."""


def show_row(session: Session, pipe: Pipe) -> tuple[Any, ...]:
    """A row of SHOW PIPES, which DESC PIPE gives too.

    With AWS_SNS_TOPIC the notification channel is the topic's ARN; the queue stands in SYSTEM$PIPE_STATUS.
    Sources: https://github.com/snowflakedb/terraform-provider-snowflake (pkg/resources/pipe.go),
    https://docs.snowflake.com/en/user-guide/multi-location-resilience-data-pipelines-setup-validate.
    """
    return (
        pipe.created_on,
        pipe.name,
        pipe.database,
        pipe.schema,
        pipe.definition,
        pipe.owner,
        pipe.aws_sns_topic or pipe.notification_channel,
        pipe.comment or None,
        None,
        pipe.copy.pattern,
        pipe.error_integration,
        "ROLE",
        invalid_reason(session, pipe),
        "STAGE",
        False,
    )


def invalid_reason(session: Session, pipe: Pipe) -> str | None:
    """Why the pipe cannot load, as far as the catalogue knows."""
    catalog = session.account.catalog
    stage = catalog.stages.by_id(pipe.stage_id)
    if stage is None:
        return "Stage has been dropped or replaced."
    if pipe.format_id is not None and catalog.file_formats.by_id(pipe.format_id) is None:
        return "File format has been dropped or replaced."
    if catalog.pipe_table(pipe) is None:
        return f"Table '{pipe.table}' does not exist or not authorized."
    return None


DESCRIBED = [column for column in SHOWN if column.name != "owner_role_type"] + result.texts("owner_role_type")


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC PIPE: one row; owner_role_type, which is not documented, comes last."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        pipe = resolve.pipe(account, session, parts)
        row = show_row(session, pipe)
    return Result(DESCRIBED, [(*row[:11], *row[12:], row[11])], result.DESCRIBE)


def ddl(pipe: Pipe) -> str:
    """CREATE OR REPLACE … as GET_DDL writes it."""
    auto = " auto_ingest=true" if pipe.auto_ingest else " auto_ingest=false"
    topic = f" error_integration={quoted(pipe.error_integration)}" if pipe.error_integration else ""
    topic += f" aws_sns_topic='{pipe.aws_sns_topic}'" if pipe.aws_sns_topic else ""
    return f"create or replace pipe {pipe.full_name}{auto}{topic} as {pipe.definition};"
