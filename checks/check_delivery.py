"""Delivery: what lies in the bucket is in the tables."""

from datetime import timedelta

import pytest

from checks.conftest import advice
from runbook.facts import Facts
from runbook.facts.delivery import (
    changed,
    failed,
    forgotten,
    gone,
    late,
    missing,
    partly_loaded,
    strangers,
    touched,
    twice,
    unheard,
)
from runbook.facts.snowflake import Listing, Load, Pipe, PipeStatus
from runbook.settings import Settings, Stream

THE_WAY = (
    "step3.snowflake-gets-in",
    "step4.stage-exists",
    "step4.stage-is-on-the-folder",
    "step4.stage-uses-the-integration",
    "step4.stage-is-not-orphaned",
    "step4.pipe-exists",
    "step4.pipe-is-not-paused",
    "step4.schema-does-not-pause",
    "step4.account-does-not-pause",
    "step4.loader-has-its-rights",
    "step4.pipe-runs",
    "step5.rule-exists",
    "step5.rule-covers-the-stream",
    "step5.rule-reaches-the-pipes-queue",
)


WHAT_IS_READ = (
    "step1.boundary-lets-the-role-read",
    "step1.bucket-policy-lets-the-role-read",
    "step1.key-is-enabled",
    "step1.key-policy-lets-the-role-decrypt",
    "step1.no-other-policy-denies-reading",
    "step1.policy-exists",
    "step1.policy-lets-snowflake-read",
    "step1.role-holds-the-policy",
    "step1.role-may-decrypt",
    "step4.file-format-loses-nothing",
    "step4.pipe-reads-by-the-file-format",
    "step4.table-has-the-columns",
    "step4.table-takes-missing-values",
)


UNLESS_THE_SAME = (
    "nothing, if it was copied onto itself; for other content: "
    "invoke backfill --stream STREAM --pattern KEY --reload-failed"
)


@pytest.mark.needs(
    "step3.snowflake-gets-in",
    "step4.stage-is-not-orphaned",
    "step4.stage-is-on-the-folder",
    "step4.stage-uses-the-integration",
)
def check_stage_can_be_listed(listing: Listing) -> None:
    """The stage lists its files.

    Remedy: find what denies s3:ListBucket on this folder, such as a condition in the bucket's policy
    See: docs/runbook.md#snowflake-does-not-get-in
    """
    assert str(listing.error or "listed") == "listed", "Snowflake gets in, and still cannot list the stage"


@pytest.mark.needs(*THE_WAY)
def check_queue_is_worked_off(
    facts: Facts, pipe_status: PipeStatus, settings: Settings, stream: Stream
) -> None:
    """No announced file waits longer than checks.loaded_within_minutes.

    Remedy: look at `invoke status` twice: if pending does not fall for an hour, ask Snowflake's support
    See: docs/runbook.md#late-files
    """
    waiting = late(pipe_status, facts.now, timedelta(minutes=settings.checks.loaded_within_minutes))
    assert waiting == [], "an announced file has not been loaded for too long"


@pytest.mark.needs(*THE_WAY, "delivery.stage-can-be-listed", "delivery.queue-is-worked-off")
def check_newest_file_reached_the_pipe(
    facts: Facts, listing: Listing, pipe: Pipe, pipe_status: PipeStatus, stream: Stream
) -> None:
    """The pipe has heard of the newest file: files do not stop reaching it while they go on arriving.

    Remedy: invoke refresh --stream STREAM
    See: docs/runbook.md#silent-pipe
    """
    files = Listing() if listing.error else listing
    found = unheard(stream, files, pipe_status, pipe, facts.now, facts.settings.checks)
    assert found == [], "it was never announced, though everything on the way is right"


@pytest.mark.deep
@pytest.mark.needs("step4.pipe-writes-the-table")
def check_table_was_not_emptied(
    facts: Facts, loads: tuple[Load, ...], pipe_status: PipeStatus, stream: Stream
) -> None:
    """The table's load history knows the file that the pipe loaded last.

    TRUNCATE, or a new table of that name, takes the history away with the rows. The pipe remembers,
    and so refuses to load those files again.

    Remedy: Time Travel; or two days on: invoke backfill --stream STREAM --pattern '.*' --reload-gone
    See: docs/runbook.md#emptied
    """
    found = forgotten(pipe_status, loads, facts.now)
    assert found == [], "the table was emptied or made anew since, and its history with it"


@pytest.mark.deep
@pytest.mark.needs(
    *THE_WAY,
    "delivery.stage-can-be-listed",
    "delivery.table-was-not-emptied",
    "delivery.queue-is-worked-off",
    "delivery.newest-file-reached-the-pipe",
)
def check_files_are_loaded(
    facts: Facts,
    listing: Listing,
    loads: tuple[Load, ...],
    pipe: Pipe,
    pipe_status: PipeStatus,
    stream: Stream,
) -> None:
    """Every file that arrived since the pipe was made is in a load history.

    Remedy: invoke refresh --stream STREAM
    See: docs/runbook.md#missing-files
    """
    found = [] if listing.error else missing(stream, listing, loads, pipe, facts.now, facts.settings.checks)
    assert found == [], "these files were never announced, or the announcement was lost"


@pytest.mark.deep
@pytest.mark.needs(*THE_WAY, *WHAT_IS_READ, "delivery.stage-can-be-listed")
def check_no_file_failed(listing: Listing, loads: tuple[Load, ...], stream: Stream) -> None:
    """No file that is still in the bucket failed to load.

    A pipe never tries a failed file again, not even when it is corrected under the same name.

    Remedy: correct or restore it, then: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#failed-files
    """
    assert failed(listing, loads) == [], "Snowflake could not load these files"


@pytest.mark.deep
@pytest.mark.needs("delivery.stage-can-be-listed", "step4.pipe-loses-no-row")
def check_no_file_is_partly_loaded(listing: Listing, loads: tuple[Load, ...], stream: Stream) -> None:
    """No file lost rows while it was loaded.

    Remedy: DELETE its rows (WHERE _file = KEY), upload it corrected under a new name, delete the old file
    See: docs/runbook.md#partly-loaded-files
    """
    assert partly_loaded(listing, loads) == [], "rows of these files are not in the table"


@pytest.mark.deep
@pytest.mark.needs("delivery.stage-can-be-listed")
def check_no_file_changed_since_it_was_loaded(
    listing: Listing, loads: tuple[Load, ...], stream: Stream
) -> None:
    """No file was written again under the name it was loaded by.

    Remedy: load it anew, its old rows go: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#changed-files
    """
    assert changed(listing, loads) == [], "a pipe knows a file by its name, and ignores the new content"
    with advice(remedy=UNLESS_THE_SAME):
        assert touched(listing, loads) == [], "written again with the same size: other content is ignored"


@pytest.mark.deep
@pytest.mark.needs("step4.loader-has-its-rights", "step4.no-other-pipe-loads-the-same")
def check_rows_are_there_once(loads: tuple[Load, ...], recent_rows: dict[str, int], stream: Stream) -> None:
    """No file of the last 14 days has more rows in the table than it has.

    Remedy: DELETE … WHERE _file = KEY AND _loaded_at = the later of its load times
    See: docs/runbook.md#rows
    """
    assert twice(loads, recent_rows) == [], "these files were loaded twice"


@pytest.mark.deep
@pytest.mark.needs(
    "delivery.stage-can-be-listed", "step4.loader-has-its-rights", "step4.pipe-writes-the-table"
)
def check_loaded_rows_are_still_there(
    listing: Listing, loads: tuple[Load, ...], recent_rows: dict[str, int], stream: Stream
) -> None:
    """Every row of a file that was loaded in the last 14 days, and is still there, is in the table.

    Remedy: unless deleted on purpose: invoke backfill --stream STREAM --pattern KEY --reload-gone
    See: docs/runbook.md#rows
    """
    assert gone(listing, loads, recent_rows) == [], "the table was truncated, replaced, or rows were deleted"


@pytest.mark.needs("delivery.stage-can-be-listed")
def check_arriving_files_are_the_streams(facts: Facts, listing: Listing, stream: Stream) -> None:
    """What arrives in the folder is what the stream loads: it ends in the stream's suffix.

    Remedy: have whoever writes end its names so, or correct streams.STREAM.suffix and: invoke step5-aws
    See: docs/runbook.md#other-files
    """
    assert strangers(stream, listing, facts.now) == [], "nothing of it is announced or loaded"


@pytest.mark.needs("delivery.stage-can-be-listed")
def check_files_keep_arriving(facts: Facts, listing: Listing, settings: Settings, stream: Stream) -> None:
    """A file arrived within checks.files_arrive_within_hours.

    Remedy: ask whoever writes the files; nothing here keeps them from arriving
    See: docs/runbook.md#no-files
    """
    hours = settings.checks.files_arrive_within_hours
    if hours is None:
        pytest.skip("checks.files_arrive_within_hours is not set")
    oldest = facts.now - timedelta(hours=hours)
    newest = max((file.modified for file in listing.files), default=None)
    assert newest is not None, "no file has ever arrived"
    assert newest >= oldest, f"the newest file is of {newest:%Y-%m-%d %H:%M} UTC"
