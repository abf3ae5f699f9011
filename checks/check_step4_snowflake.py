"""Step 4, Snowflake: formats, tables, stages, pipes and grants of every stream.

Longer than 400 lines: the checks of one step.
"""

from contextlib import suppress

import pytest

from checks.conftest import OTHERS, OWN_OPTIONS, advice, lacking, meant, mended_by, of_another
from runbook.claims import check
from runbook.errors import CannotTell
from runbook.facts import Facts
from runbook.facts.belongings import NOTE
from runbook.facts.copy_statement import CopyStatement, beyond
from runbook.facts.copy_statement import read as read_copy
from runbook.facts.delivery import bound_elsewhere, neighbours
from runbook.facts.left_over import under_another_name
from runbook.facts.objects import FileFormat, Pause, Pipe, PipeStatus, Stage, StorageIntegration, Table
from runbook.facts.snowflake import ORPHANED_STAGE
from runbook.facts.topic import is_topic
from runbook.remedy import NOTHING, STREAM, Remedy, invoke, remedy
from runbook.settings import Settings, Stream
from runbook.wanted.grants import Grant, loader_grants, operator_grants
from runbook.wanted.pipeline import (
    format_options,
    missing_columns,
    of_another_kind,
    pipe_definition,
    same_statement,
    too_narrow,
)


@check(
    remedy=(
        "UNDROP it, rename it back, or correct the settings",
        invoke("step4-snowflake", lead="; if it never was: "),
    ),
    see="schema",
)
def check_schema_exists(facts: Facts) -> None:
    """The database and schema exist, and are not empty.

    Tables and rows come back with them. An empty schema of that name was made after the other was dropped.
    """
    back = NOTHING if facts.schema_exists else _schema_back(facts)
    with mended_by(back, only=bool(back)):
        assert facts.schema_exists, "the schema cannot be seen"
    holds = "nothing" if _is_empty(facts) else "what step 4 makes"
    assert holds == "what step 4 makes", "it is another one of that name, made since, or step 4 was never run"


def _schema_back(facts: Facts) -> Remedy:
    """How to get back a schema that another role owns now, or whose database is hidden; else nothing."""
    snowflake = facts.settings.snowflake
    database = snowflake.database.sql
    held = facts.reach_of(snowflake.owner_role) or frozenset()
    hidden = not any(grant.on == "DATABASE" and grant.name == database for grant in held)
    of_database = of_another(facts, "DATABASE", database) if hidden else NOTHING
    return of_database or of_another(facts, "SCHEMA", f"{database}.{snowflake.schema_name.sql}")


def _is_empty(facts: Facts) -> bool:
    """Whether the schema surely holds no table, stage, file format or pipe of the streams."""
    with suppress(CannotTell):
        return not any(
            look(stream)
            for stream in facts.settings.streams
            for look in (facts.pipe, facts.stage, facts.table, facts.file_format)
        )
    return False


@check(remedy=invoke("step4-snowflake"), see="file-format", needs=("step4.schema-exists",))
def check_file_format_exists(facts: Facts, stream: Stream) -> None:
    """The file format exists."""
    if not stream.names_a_format:
        pytest.skip(OWN_OPTIONS)
    found = facts.file_format(stream)
    copy = _copy(facts, stream) if found is None else None
    named = str(copy.file_format) if copy and copy.file_format != stream.file_format else ""
    back = meant(f"snowflake.file_format_{stream.kind}", named, "step4-snowflake")
    with mended_by(back, only=bool(back)):
        assert found is not None, "the file format cannot be seen"


@check(remedy=invoke("step4-snowflake"), see="file-format")
def check_file_format_loses_nothing(file_format: FileFormat, stream: Stream) -> None:
    """The file format's options are those that neither lose nor alter Snowplow's data."""
    wanted = format_options(stream)
    observed = {name: file_format.options.get(name, "") for name in wanted}
    different = sorted(name for name in wanted if observed[name] != wanted[name])
    assert [f"{name}={observed[name]}" for name in different] == [
        f"{name}={wanted[name]}" for name in different
    ], "the format would damage or drop rows"


@check(
    remedy=(
        "UNDROP it, rename it back, or have its new owner show it",
        invoke("step4-snowflake", lead="; if it never was: "),
    ),
    see="table",
    needs=("step4.schema-exists",),
)
def check_table_exists(facts: Facts, stream: Stream) -> None:
    """The table exists.

    Its rows come back with it; files that arrived meanwhile were announced to nobody.
    """
    found = facts.table(stream)
    why = "a view has its name" if found is None and facts.is_a_view(stream) else "the table cannot be seen"
    back = of_another(facts, "TABLE", stream.table.sql) if found is None else NOTHING
    copy = _copy(facts, stream) if found is None and not back else None
    if copy and copy.table and copy.table != stream.table:
        back = meant(f"streams.{stream.name}.table", str(copy.table), "step4-snowflake")
    with mended_by(back, only=bool(back)):
        assert found is not None, why


OF_ITS_KIND = remedy(
    "give it back the type of sql/step4_snowflake: ADD COLUMN another of that type, UPDATE it (PARSE_JSON of "
    "text for a VARIANT), DROP COLUMN the one, RENAME COLUMN the other"
)
AS_TEXT = remedy(
    "ALTER TABLE … ALTER COLUMN … SET DATA TYPE VARCHAR; where that is refused: DROP COLUMN, then ADD COLUMN "
    "as VARCHAR"
)


@check(
    remedy="rename them back, or add them: ALTER TABLE … ADD COLUMN, with the types of sql/step4_snowflake",
    see="table",
)
def check_table_has_the_columns(table: Table, stream: Stream) -> None:
    """The table has every column the pipe writes, and each holds what is written there."""
    assert missing_columns(table.names, stream) == [], "the pipe's COPY does not compile"
    with advice(remedy=AS_TEXT):
        assert too_narrow(table.columns, stream) == [], "a file with a value that does not fit fails whole"
    with advice(remedy=OF_ITS_KIND):
        assert of_another_kind(table.columns, stream) == [], "what reads it as it was made fails"


@check(
    remedy="ALTER TABLE … ALTER COLUMN … DROP NOT NULL; "
    "then load what failed as delivery.no-file-failed says",
    see="table",
)
def check_table_takes_missing_values(table: Table, stream: Stream, settings: Settings) -> None:
    """No column of the table refuses a value that is missing: Snowplow leaves most of its fields empty."""
    if not settings.is_ours:
        pytest.skip(OTHERS)
    assert list(table.required) == [], "a file with an empty field there fails whole"


@check(remedy=invoke("step4-snowflake"), see="stage", needs=("step4.schema-exists",))
def check_stage_exists(facts: Facts, stream: Stream) -> None:
    """The stage exists."""
    found = facts.stage(stream)
    renamed = [] if found else [left.name for left in facts.left_over if left.url == stream.stage_url]
    why = f"the stage cannot be seen; {renamed[0]} is on its folder, as if renamed" if renamed else ""
    copy = _copy(facts, stream) if found is None else None
    read = str(copy.stage) if copy and copy.stage and copy.stage != stream.stage else ""
    back = meant(f"streams.{stream.name}.stage", read)
    with mended_by(back, only=bool(back)):
        assert found is not None, why or "the stage cannot be seen"


def _copy(facts: Facts, stream: Stream) -> CopyStatement | None:
    """What the stream's pipe says, where there is one and the settings are ours."""
    with suppress(CannotTell):
        pipe = facts.pipe(stream) if facts.settings.is_ours else None
        return read_copy(pipe.definition, stream.pipe.database, stream.pipe.schema) if pipe else None
    return None


@check(
    remedy="correct the settings; or ALTER STAGE … SET URL to that folder (its pipe stops for good)",
    see="stage",
    needs=("step1.bucket-exists",),
)
def check_stage_is_on_the_folder(stage: Stage, stream: Stream) -> None:
    """The stage is on the stream's folder."""
    assert stage.url == stream.stage_url, "the stage reads other files"


@check(remedy=invoke("step2-snowflake", "step3-aws", "step4-snowflake"), see="integration-replaced")
def check_stage_is_not_orphaned(facts: Facts, stream: Stream, integration: StorageIntegration) -> None:
    """The stage's integration is the one it was made on, not one that took its name since.

    Replacing an integration makes a new external ID, drops its grants and orphans every stage on it
    (error 3139); what fails on account of that is named as blocked by this.
    """
    listing = facts.listing(stream)
    if listing is None:
        pytest.skip("there is no stage to judge")
    errno = listing.error.errno if listing.error else 0
    answer = f"error {errno}" if errno == ORPHANED_STAGE else "found"
    assert answer == "found", f"{integration.name} has been replaced since the stage was made"


@check(
    remedy=invoke("step4-snowflake"),
    see="stage",
    needs=("step2.integration-exists", "step4.stage-is-not-orphaned"),
)
def check_stage_uses_the_integration(
    stage: Stage, integration: StorageIntegration, settings: Settings
) -> None:
    """The stage reads through the storage integration of step 2."""
    assert stage.integration == settings.snowflake.integration, "the stage is on another integration"


@check(
    remedy=invoke("step4-snowflake", "step5-aws"),
    see="pipe",
    needs=(
        "step2.roles-are-inherited",
        "step3.snowflake-gets-in",
        "step3.topic-lets-snowflake-subscribe",
        "step4.schema-exists",
        "step4.stage-exists",
        "step4.table-exists",
    ),
)
def check_pipe_exists(facts: Facts, stream: Stream) -> None:
    """The pipe exists."""
    others = under_another_name(facts, stream)
    told = f"; {', '.join(others)} loads its folder into its table" if others else ""
    back = meant(f"streams.{stream.name}.pipe", others[0]) if others else NOTHING
    with mended_by(back, only=bool(back)):
        assert facts.pipe(stream) is not None, f"the pipe cannot be seen{told}"


@check(
    remedy=(
        "DROP PIPE it (it has loaded nothing by itself)",
        invoke("step4-snowflake", "step5-aws", lead=", then run: "),
    ),
    see="pipe",
)
def check_pipe_takes_notifications(pipe: Pipe, stream: Stream, settings: Settings) -> None:
    """The pipe has a queue: it was made with AUTO_INGEST."""
    channel = pipe.notification_channel or "no queue"
    assert channel != "no queue", "AUTO_INGEST is FALSE"
    unnamed = is_topic(channel) and settings.is_ours and not stream.sns_topic
    with advice(remedy=remedy(f"set streams.{stream.name}.sns_topic to that topic")):
        assert not unnamed, f"it listens to {channel}, and the settings name no topic: a new pipe would not"


@check(
    remedy=invoke("replace-pipe", "--stream", STREAM), see="pipe-definition", needs=("step4.table-exists",)
)
def check_pipe_writes_the_table(
    copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY writes the stream's table."""
    assert str(copy_statement.table) == str(wanted_copy.table), "the rows go elsewhere"


@check(
    remedy=invoke("replace-pipe", "--stream", STREAM), see="pipe-definition", needs=("step4.stage-exists",)
)
def check_pipe_reads_the_whole_folder(
    facts: Facts, copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY reads the stream's stage, all of it, and no folder beside it."""
    assert copy_statement.source == wanted_copy.source, "files are left out, or others are loaded"
    listing = facts.listing(stream)
    folders = neighbours(stream, listing) if listing else []
    with advice():
        assert folders == [], "the COPY's path has no slash at its end, and takes in all of these folders"


@check(remedy=invoke("replace-pipe", "--stream", STREAM), see="pipe-definition")
def check_pipe_leaves_no_file_out(
    copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY has no PATTERN: what is announced is loaded."""
    observed, wanted = (
        f"PATTERN = '{each.pattern}'" if each.pattern else "no PATTERN"
        for each in (copy_statement, wanted_copy)
    )
    assert observed == wanted, "a file it rejects is forwarded and ignored, without a word"


@check(
    remedy=invoke("replace-pipe", "--stream", STREAM),
    see="pipe-definition",
    needs=("step4.file-format-exists",),
)
def check_pipe_reads_by_the_file_format(
    copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY reads files by the stream's file format."""
    assert str(copy_statement.file_format) == str(wanted_copy.file_format), "files are read otherwise"


@check(remedy=invoke("replace-pipe", "--stream", STREAM), see="pipe-definition")
def check_pipe_loses_no_row(
    copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY leaves a file it cannot read out whole: CONTINUE loses single rows without a word."""
    observed = f"ON_ERROR = {copy_statement.on_error}"
    assert observed == f"ON_ERROR = {wanted_copy.on_error}", (
        "no notification, and no failed file, tells of a lost row"
    )
    losing = [observed] if copy_statement.on_error == "CONTINUE" else []
    with advice():  # as others made it, and as it was found
        assert losing == [], "no notification, and no failed file, tells of a lost row"


@check(remedy=invoke("replace-pipe", "--stream", STREAM), see="pipe-definition")
def check_pipe_tells_the_true_load_time(
    copy_statement: CopyStatement, wanted_copy: CopyStatement, stream: Stream
) -> None:
    """The pipe's COPY asks no clock that was read when it was compiled, up to hours before."""
    assert list(copy_statement.clocks) == list(wanted_copy.clocks), (
        "the time it writes is not when the row was loaded"
    )


@check(
    remedy=invoke("replace-pipe", "--stream", STREAM),
    see="pipe-definition",
    needs=(
        "step4.pipe-takes-notifications",
        "step4.pipe-writes-the-table",
        "step4.pipe-reads-the-whole-folder",
        "step4.pipe-leaves-no-file-out",
        "step4.pipe-reads-by-the-file-format",
        "step4.pipe-loses-no-row",
        "step4.pipe-tells-the-true-load-time",
    ),
)
def check_pipe_loads_as_written(pipe: Pipe, stream: Stream, settings: Settings) -> None:
    """The pipe's COPY statement is the one in sql/step4_snowflake, and no replacement of it was cut off."""
    wanted = pipe_definition(settings, stream)
    is_same = same_statement(pipe.definition, wanted) or beyond(pipe.definition) == beyond(wanted)
    observed = "as written" if is_same else pipe.definition
    assert observed == "as written", "the pipe loads by another statement"
    assert _replacement(pipe) == "ended", (
        "a replacement is under way or was cut off: grants, parameters, and files that waited may be missing"
    )


def _replacement(pipe: Pipe) -> str:
    return "not ended" if pipe.comment.startswith(NOTE) else "ended"


@check(
    remedy="pause it, GRANT OWNERSHIP … COPY CURRENT GRANTS to the loader role, SYSTEM$PIPE_FORCE_RESUME",
    see="pipe-owner",
    needs=("step2.roles-exist",),
)
def check_pipe_is_owned_by_the_loader(facts: Facts, pipe: Pipe, settings: Settings, stream: Stream) -> None:
    """The pipe loads with the loader role's privileges."""
    with advice(only=lambda: _runs(facts, stream)):
        assert pipe.owner == settings.snowflake.loader_role, "another role owns the pipe"


def _runs(facts: Facts, stream: Stream) -> bool:
    status = facts.pipe_status(stream)
    return status is not None and status.execution_state == "RUNNING"


@check(
    remedy=invoke("step4-snowflake"),
    see="loader-rights",
    needs=(
        "step2.roles-exist",
        "step4.file-format-exists",
        "step4.table-exists",
        "step4.stage-exists",
    ),
)
def check_loader_has_its_rights(
    facts: Facts, loader_grants_held: frozenset[Grant], stream: Stream, settings: Settings
) -> None:
    """The pipe's owner may read the stage and write the table; without one of these it stalls."""
    role = settings.snowflake.loader_role
    missing = lacking(facts, role, loader_grants_held, loader_grants(stream))
    status = facts.pipe_status(stream) if missing else None
    replaced = bool(status and status.is_stopped_for_good)
    why = "what was replaced has lost its grants" if replaced else "the pipe's owner lacks a privilege"
    assert missing == [], why


@check(
    remedy=invoke("step4-snowflake"),
    see="operator-rights",
    needs=(
        "step2.roles-exist",
        "step4.loader-has-its-rights",
        "step4.pipe-exists",
        "step4.pipe-is-owned-by-the-loader",
        "step4.table-exists",
        "step4.stage-exists",
    ),
)
def check_operator_has_its_rights(
    facts: Facts, operator_grants_held: frozenset[Grant], stream: Stream, settings: Settings
) -> None:
    """The operator role may watch, pause, resume and refresh the pipe."""
    role = settings.snowflake.operator_role
    missing = lacking(facts, role, operator_grants_held, operator_grants(settings, stream))
    assert missing == [], "the operator role lacks a privilege"


@check(remedy="DROP PIPE the other one; its rows are in the table twice since it was made", see="two-pipes")
def check_no_other_pipe_loads_the_same(facts: Facts, stream: Stream) -> None:
    """No other pipe loads the stream's files into its table: every row would be there twice."""
    meant_by_the_settings = under_another_name(facts, stream)  # step4.pipe-exists names it
    others = [
        str(other.name) for other in facts.other_pipes if stream.name in other.repeats and not other.stopped
    ]
    found = [name for name in others if name not in meant_by_the_settings]
    assert found == [], "every pipe has its own load history"


@check(
    remedy=(
        "name it in the settings again",
        invoke("down", "--stream", "NAME", lead="; or when nothing arrives there any more: "),
    ),
    see="left-over",
    needs=("step4.schema-exists",),
)
def check_nothing_of_ours_is_left_over(facts: Facts, settings: Settings) -> None:
    """No pipe, stage or rule of this installation is there that the settings do not name.

    Such a pipe loads on, and what it loads nobody watches.
    """
    if not settings.is_ours:
        pytest.skip("others made it: what belongs to it only they know")
    told = {name for stream in settings.streams for name in under_another_name(facts, stream)}
    left = [
        _left(stream)
        for stream in facts.left_over
        if not _is_a_second_stage(stream, settings) and stream.pipe.sql not in told
    ]
    assert left == [], "it was dropped from the settings, or renamed"


def _is_a_second_stage(left: Stream, settings: Settings) -> bool:
    """Whether it is a stage alone, on a folder of the settings: one that was renamed loads nothing."""
    return left.pipe == left.stage and left.url in {stream.stage_url for stream in settings.streams}


def _left(stream: Stream) -> str:
    what = "stage" if stream.pipe == stream.stage else "pipe"
    return f"the {what} {stream.name} on {stream.url or 'no stage'}"


@check(
    remedy=invoke("resume", "--stream", STREAM), see="paused", needs=("step4.pipe-is-owned-by-the-loader",)
)
def check_pipe_is_not_paused(pause: Pause, pipe: Pipe, stream: Stream) -> None:
    """The pipe itself is not paused."""
    if _replacement(pipe) == "not ended":
        pytest.skip("it is held to be replaced, which step4.pipe-loads-as-written names")
    assert _paused_at(pause, "PIPE") == "not paused", "PIPE_EXECUTION_PAUSED is TRUE on the pipe"


@check(
    remedy="ask whoever paused it; ALTER SCHEMA … UNSET PIPE_EXECUTION_PAUSED lets its pipes run",
    see="paused",
)
def check_schema_does_not_pause(pause: Pause, stream: Stream) -> None:
    """The schema does not pause its pipes."""
    assert _paused_at(pause, "SCHEMA") == "not paused", "PIPE_EXECUTION_PAUSED is TRUE on the schema"


@check(
    remedy="ask whoever paused it; ALTER ACCOUNT UNSET PIPE_EXECUTION_PAUSED lets its pipes run", see="paused"
)
def check_account_does_not_pause(pause: Pause, stream: Stream) -> None:
    """The account does not pause its pipes."""
    assert _paused_at(pause, "ACCOUNT", "") == "not paused", "PIPE_EXECUTION_PAUSED is TRUE on the account"


def _paused_at(pause: Pause, *levels: str) -> str:
    return f"paused on the {pause.level.lower()}" if pause.paused and pause.level in levels else "not paused"


@check(
    remedy=invoke("replace-pipe", "--stream", STREAM),
    see="pipe-stopped",
    needs=(
        "step4.file-format-exists",
        "step4.loader-has-its-rights",
        "step4.stage-exists",
        "step4.stage-is-on-the-folder",
        "step4.stage-is-not-orphaned",
    ),
)
def check_pipe_is_not_stopped_for_good(pipe_status: PipeStatus, stream: Stream) -> None:
    """The pipe's stage and file format are those it was made on; otherwise it never loads again."""
    state = pipe_status.execution_state if pipe_status.is_stopped_for_good else "not stopped for good"
    assert state == "not stopped for good", f"the pipe is {state}: what it was made on is gone or another"


@check(
    remedy="mend what the pipe's error names; it then goes on by itself",
    see="pipe-state",
    needs=(
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
        "step4.pipe-loads-as-written",
        "step4.schema-does-not-pause",
        "step4.account-does-not-pause",
    ),
)
def check_pipe_runs(pipe_status: PipeStatus, stream: Stream) -> None:
    """The pipe is running.

    A pipe that was made on a stage of another name since, is made again on the one that is there.
    """
    state = pipe_status.execution_state
    moved = bool(bound_elsewhere(stream, pipe_status))
    with mended_by(remedy(invoke("replace-pipe", "--stream", stream.name)), only=moved):
        assert state == "RUNNING", pipe_status.error or f"the pipe is {state}"
