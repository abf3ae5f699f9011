"""Step 4, Snowflake: formats, tables, stages, pipes and grants of every stream."""

import pytest

from runbook.facts import Facts
from runbook.facts.pipeline import (
    FORMAT_OPTIONS,
    loader_grants,
    missing_columns,
    missing_grants,
    operator_grants,
    pipe_definition,
    same_statement,
)
from runbook.facts.snowflake import (
    ORPHANED_STAGE,
    FileFormat,
    Grant,
    Pause,
    Pipe,
    PipeStatus,
    Stage,
    StorageIntegration,
    Table,
)
from runbook.settings import Settings, Stream


def check_schema_exists(facts: Facts) -> None:
    """The database and schema exist.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#schema
    """
    assert facts.schema_exists, "the schema cannot be seen"


@pytest.mark.needs("step4.schema-exists")
def check_file_format_exists(facts: Facts, stream: Stream) -> None:
    """The file format exists.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#file-format
    """
    assert facts.file_format(stream) is not None, "the file format cannot be seen"


def check_file_format_loses_nothing(file_format: FileFormat, stream: Stream) -> None:
    """The file format's options are those that neither lose nor alter Snowplow's data.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#file-format
    """
    wanted = FORMAT_OPTIONS[stream.kind]
    observed = {name: file_format.options.get(name, "") for name in wanted}
    different = sorted(name for name in wanted if observed[name] != wanted[name])
    assert [f"{name}={observed[name]}" for name in different] == [
        f"{name}={wanted[name]}" for name in different
    ], "the format would damage or drop rows"


@pytest.mark.needs("step4.schema-exists")
def check_table_exists(facts: Facts, stream: Stream) -> None:
    """The table exists.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#table
    """
    assert facts.table(stream) is not None, "the table cannot be seen"


def check_table_has_the_columns(table: Table, stream: Stream) -> None:
    """The table has every column the pipe writes.

    Remedy: add the missing columns to the table (ALTER TABLE … ADD COLUMN)
    See: docs/runbook.md#table
    """
    assert missing_columns(table, stream) == [], "the pipe's COPY does not compile"


@pytest.mark.needs("step4.schema-exists")
def check_stage_exists(facts: Facts, stream: Stream) -> None:
    """The stage exists.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#stage
    """
    assert facts.stage(stream) is not None, "the stage cannot be seen"


def check_stage_is_on_the_folder(stage: Stage, stream: Stream) -> None:
    """The stage is on the stream's folder.

    Remedy: set another stage and pipe name in the settings, or correct the prefix
    See: docs/runbook.md#stage
    """
    assert stage.url == stream.url, "the stage reads other files"


def check_stage_is_not_orphaned(facts: Facts, stream: Stream, integration: StorageIntegration) -> None:
    """The stage's integration is the one it was made on, not one that took its name since.

    Replacing an integration makes a new external ID, drops its grants and orphans every stage on it
    (error 3139); what fails on account of that is named as blocked by this.

    Remedy: invoke step2-snowflake step3-aws step4-snowflake
    See: docs/runbook.md#integration-replaced
    """
    listing = facts.listing(stream)
    if listing is None:
        pytest.skip("there is no stage to judge")
    errno = listing.error.errno if listing.error else 0
    assert errno != ORPHANED_STAGE, f"{integration.name} has been replaced since the stage was made"


@pytest.mark.needs("step2.integration-exists", "step4.stage-is-not-orphaned")
def check_stage_uses_the_integration(stage: Stage, settings: Settings) -> None:
    """The stage reads through the storage integration of step 2.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#stage
    """
    assert stage.integration == settings.snowflake.integration, "the stage is on another integration"


@pytest.mark.needs(
    "step4.schema-exists",
    "step3.snowflake-gets-in",
    "step3.topic-lets-snowflake-subscribe",
    "step4.stage-exists",
    "step4.table-exists",
)
def check_pipe_exists(facts: Facts, stream: Stream) -> None:
    """The pipe exists.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#pipe
    """
    assert facts.pipe(stream) is not None, "the pipe cannot be seen"


def check_pipe_loads_as_written(pipe: Pipe, stream: Stream, settings: Settings) -> None:
    """The pipe's COPY statement is the one in sql/step4_snowflake.

    Remedy: invoke replace-pipe --stream STREAM
    See: docs/runbook.md#pipe-definition
    """
    wanted = pipe_definition(settings, stream)
    observed = "as written" if same_statement(pipe.definition, wanted) else pipe.definition
    assert observed == "as written", "the pipe loads by another statement"


def check_pipe_is_owned_by_the_loader(pipe: Pipe, settings: Settings) -> None:
    """The pipe loads with the loader role's privileges.

    Remedy: transfer the pipe's ownership to the loader role
    See: docs/runbook.md#pipe-owner
    """
    assert pipe.owner == settings.snowflake.loader_role, "another role owns the pipe"


@pytest.mark.needs(
    "step2.roles-exist", "step4.file-format-exists", "step4.table-exists", "step4.stage-exists"
)
def check_loader_has_its_rights(
    loader_grants_held: frozenset[Grant], stream: Stream, settings: Settings
) -> None:
    """The pipe's owner may read the stage and write the table; without one of these it stalls.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#loader-rights
    """
    missing = missing_grants(loader_grants_held, loader_grants(settings, stream))
    assert missing == [], "the pipe's owner lacks a privilege"


@pytest.mark.needs("step2.roles-exist", "step4.pipe-exists", "step4.table-exists", "step4.stage-exists")
def check_operator_has_its_rights(
    operator_grants_held: frozenset[Grant], stream: Stream, settings: Settings
) -> None:
    """The operator role may watch, pause, resume and refresh the pipe.

    Remedy: invoke step4-snowflake
    See: docs/runbook.md#operator-rights
    """
    missing = missing_grants(operator_grants_held, operator_grants(settings, stream))
    assert missing == [], "the operator role lacks a privilege"


def check_pipe_is_not_paused(pause: Pause, settings: Settings, stream: Stream) -> None:
    """Nothing pauses the pipe: not itself, not its schema, not the account.

    Remedy: invoke resume --stream STREAM
    See: docs/runbook.md#paused
    """
    level = f"paused on the {pause.level.lower() or 'account'}" if pause.paused else "not paused"
    assert level == "not paused", f"PIPE_EXECUTION_PAUSED is TRUE on the {pause.level.lower() or 'account'}"


@pytest.mark.needs("step4.file-format-exists", "step4.stage-exists", "step4.stage-is-not-orphaned")
def check_pipe_is_not_stopped_for_good(pipe_status: PipeStatus, stream: Stream) -> None:
    """The pipe's stage and file format are those it was made on; otherwise it never loads again.

    Remedy: invoke replace-pipe --stream STREAM
    See: docs/runbook.md#pipe-stopped
    """
    state = pipe_status.execution_state if pipe_status.is_stopped_for_good else "not stopped for good"
    assert state == "not stopped for good", f"the pipe is {state}: what it was made on is gone or another"


@pytest.mark.needs(
    "step2.integration-may-be-used",
    "step4.pipe-is-not-stopped-for-good",
    "step4.stage-is-not-orphaned",
    "step3.snowflake-gets-in",
    "step4.file-format-exists",
    "step4.table-exists",
    "step4.table-has-the-columns",
    "step4.stage-exists",
    "step4.stage-uses-the-integration",
    "step4.loader-has-its-rights",
    "step4.pipe-is-owned-by-the-loader",
    "step4.pipe-is-not-paused",
)
def check_pipe_runs(pipe_status: PipeStatus, stream: Stream) -> None:
    """The pipe is running.

    Remedy: mend what the pipe's error names; it then goes on by itself
    See: docs/runbook.md#pipe-state
    """
    state = pipe_status.execution_state
    assert state == "RUNNING", pipe_status.error or f"the pipe is {state}"
