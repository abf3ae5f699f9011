"""Delivery: what lies in the bucket is in the tables."""

from datetime import timedelta

import pytest

from runbook.facts import Facts
from runbook.facts.delivery import failed, late, missing, partly_loaded
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
    "step4.loader-has-its-rights",
    "step4.pipe-runs",
    "step5.rule-exists",
    "step5.rule-covers-the-stream",
    "step5.rule-reaches-the-pipes-queue",
)


@pytest.mark.needs(
    "step3.snowflake-gets-in", "step4.stage-is-not-orphaned", "step4.stage-uses-the-integration"
)
def check_stage_can_be_listed(listing: Listing) -> None:
    """The stage lists its files.

    Remedy: see the documentation
    See: docs/runbook.md#snowflake-does-not-get-in
    """
    assert str(listing.error or "listed") == "listed", str(listing.error)


@pytest.mark.needs(*THE_WAY)
def check_queue_is_worked_off(
    facts: Facts, pipe_status: PipeStatus, settings: Settings, stream: Stream
) -> None:
    """No announced file waits longer than checks.loaded_within_minutes.

    Remedy: see the documentation
    See: docs/runbook.md#late-files
    """
    waiting = late(pipe_status, facts.now, timedelta(minutes=settings.checks.loaded_within_minutes))
    assert waiting == [], "an announced file has not been loaded for too long"


@pytest.mark.deep
@pytest.mark.needs(*THE_WAY, "delivery.stage-can-be-listed", "delivery.queue-is-worked-off")
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
@pytest.mark.needs("delivery.stage-can-be-listed")
def check_no_file_failed(listing: Listing, loads: tuple[Load, ...], stream: Stream) -> None:
    """No file that is still in the bucket failed to load.

    A pipe never tries a failed file again, not even when it is corrected under the same name.

    Remedy: correct the file, upload it under a new name, and delete the failed one
    See: docs/runbook.md#failed-files
    """
    assert failed(listing, loads) == [], "Snowflake could not load these files"


@pytest.mark.deep
@pytest.mark.needs("delivery.stage-can-be-listed")
def check_no_file_is_partly_loaded(listing: Listing, loads: tuple[Load, ...], stream: Stream) -> None:
    """No file lost rows while it was loaded.

    Remedy: see the documentation
    See: docs/runbook.md#partly-loaded-files
    """
    assert partly_loaded(listing, loads) == [], "rows of these files are not in the table"


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
