"""Delivery: what lies in the bucket is in the tables."""

from datetime import timedelta

import pytest

from checks.conftest import OTHERS, advice, mended_by
from runbook.errors import Advised, CannotTell
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.delivery import findings, half_strangers, late, strangers, unheard
from runbook.facts.silence import fallen_silent
from runbook.facts.snowflake import Listing, Pipe, PipeStatus
from runbook.ledger.findings import (
    Ledger,
    again,
    changed,
    emptied,
    failed,
    gone,
    misread,
    missing,
    partly_loaded,
    touched,
    twice,
)
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
    "step3.topic-exists",
    "step3.topic-denies-nothing",
    "step5.topic-lets-the-bucket-publish",
    "step5.topic-reaches-the-pipes-queue",
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
    assert str(listing.error or "listed") == "listed", (
        "Snowflake assumes the role, and still cannot list the stage"
    )


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
@pytest.mark.needs("step4.pipe-writes-the-table", "delivery.stage-can-be-listed")
def check_table_was_not_emptied(ledger: Ledger, stream: Stream) -> None:
    """The table was not emptied: its load history knows what the pipe has loaded.

    TRUNCATE, or a new table of that name, takes the history away with the rows. The pipe remembers,
    and so refuses to load those files again.

    Remedy: Time Travel; or: invoke backfill --stream STREAM --pattern '.*' --reload-gone
    See: docs/runbook.md#emptied
    """
    if not stream.keeps_rows:
        pytest.skip(f"streams.{stream.name}.keeps_rows is false: the table is emptied as it goes")
    assert emptied(ledger) == [], "the table was emptied or recreated since, and its load history with it"


@pytest.mark.deep
@pytest.mark.needs(
    *THE_WAY,
    "delivery.stage-can-be-listed",
    "delivery.table-was-not-emptied",
    "delivery.queue-is-worked-off",
    "delivery.newest-file-reached-the-pipe",
)
def check_files_are_loaded(ledger: Ledger, stream: Stream) -> None:
    """Every file that arrived in the last 14 days, since there was a table or a pipe, is loaded.

    Remedy: invoke backfill --stream STREAM --pattern '.*'
    See: docs/runbook.md#missing-files
    """
    assert missing(ledger) == [], "these files were never announced, or the announcement was lost"


@pytest.mark.deep
@pytest.mark.needs(
    *THE_WAY, *WHAT_IS_READ, "delivery.stage-can-be-listed", "delivery.new-files-hold-what-is-read"
)
def check_no_file_failed(ledger: Ledger, listing: Listing, stream: Stream) -> None:
    """No file failed to load, or was gone before it was loaded.

    A pipe never tries a failed file again, not even when it is corrected under the same name.

    Remedy: correct or restore it, then: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#failed-files
    """
    files = Listing() if listing.error else listing
    assert failed(ledger, files) == [], "Snowflake could not load these files"


@pytest.mark.deep
@pytest.mark.needs("delivery.stage-can-be-listed", "step4.pipe-loses-no-row")
def check_no_file_is_partly_loaded(ledger: Ledger, stream: Stream) -> None:
    """No file lost rows while it was loaded.

    Remedy: DELETE its rows (WHERE _file = KEY), upload it corrected under a new name, delete the old file
    See: docs/runbook.md#partly-loaded-files
    """
    assert partly_loaded(ledger) == [], "rows of these files are not in the table"


@pytest.mark.needs("delivery.stage-can-be-listed")
def check_new_files_hold_what_is_read(
    facts: Facts, listing: Listing, bucket: Bucket, settings: Settings, stream: Stream
) -> None:
    """The newest files hold what the stream's pipe reads, by their first bytes.

    Snowflake counts no fields where a COPY has a SELECT: what else they hold becomes rows, without an error.

    Remedy: have the producer mend it, then: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#new-files
    """
    if not settings.is_ours:
        pytest.skip(OTHERS)
    try:
        found = facts.glimpses(stream)
    except CannotTell as error:
        if not error.missing_right:
            raise
        raise Advised(f"what new files hold is not looked at: {error.why}", MAY_NOT_READ) from None
    assert findings({each.key: each.wrong for each in found if each.wrong}) == [], (
        "it is not what the stream's files are"
    )
    with advice(remedy=OLDER):
        old = {each.key: each.older for each in found if each.older}
        assert findings(old) == [], "what is missing at the end is NULL"


OLDER = "nothing, if an older Snowplow writes them; else have the producer mend it"
MAY_NOT_READ = "grant s3:GetObject on the streams' folders to whoever verifies, or ask the table: --deep"


@pytest.mark.deep
@pytest.mark.needs(*WHAT_IS_READ, "delivery.stage-can-be-listed", "delivery.new-files-hold-what-is-read")
def check_rows_are_events(ledger: Ledger, stream: Stream) -> None:
    """The rows of the last 14 days are what events are read as: no gzip, no JSON, no tab inside a field.

    Remedy: correct a wrong file, then: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#misread-files
    """
    assert misread(ledger) == [], "the file holds something else, or was read by other options than now"


@pytest.mark.deep
@pytest.mark.needs("delivery.rows-are-there-once")
def check_no_file_repeats_another(facts: Facts, ledger: Ledger, stream: Stream) -> None:
    """No file of the last 14 days brought the rows of another file again.

    Remedy: delete that file and its rows (DELETE … WHERE _file = KEY), or the other one and its
    See: docs/runbook.md#files-again
    """
    assert again(ledger, facts.same_rows(stream)) == [], "the same rows are there under two names"


@pytest.mark.deep
@pytest.mark.needs("delivery.stage-can-be-listed")
def check_no_file_changed_since_it_was_loaded(ledger: Ledger, stream: Stream) -> None:
    """No file was written again under the name it was loaded by.

    Remedy: load it anew, its old rows go: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#changed-files
    """
    assert changed(ledger) == [], "a pipe knows a file by its name, and ignores the new content"
    with advice(remedy=UNLESS_THE_SAME):
        assert touched(ledger) == [], "written again with the same size: other content is ignored"


@pytest.mark.deep
@pytest.mark.needs("step4.loader-has-its-rights", "step4.no-other-pipe-loads-the-same")
def check_rows_are_there_once(ledger: Ledger, stream: Stream) -> None:
    """No file has more rows in the table than it has, as far as one of them came in the last 14 days.

    Remedy: load it anew, its old rows go: invoke backfill --stream STREAM --pattern KEY --reload-failed
    See: docs/runbook.md#rows
    """
    assert twice(ledger) == [], "these files were loaded twice"


@pytest.mark.deep
@pytest.mark.needs(
    "delivery.stage-can-be-listed",
    "delivery.table-was-not-emptied",
    "step4.loader-has-its-rights",
    "step4.pipe-writes-the-table",
)
def check_loaded_rows_are_still_there(ledger: Ledger, stream: Stream) -> None:
    """Every row of a file that was loaded in the last 14 days, and is still there, is in the table.

    Where a job deletes them as a rule, streams.STREAM.keeps_rows: false says so.

    Remedy: unless on purpose (keeps_rows: false): invoke backfill --stream STREAM --pattern KEY --reload-gone
    See: docs/runbook.md#rows
    """
    assert gone(ledger) == [], "the table was truncated, replaced, or rows were deleted"


@pytest.mark.needs("delivery.stage-can-be-listed")
def check_arriving_files_are_the_streams(facts: Facts, listing: Listing, stream: Stream) -> None:
    """What arrives in the folder is what the stream loads: it ends in the stream's suffix.

    Several pipes of others may share a folder; then each file is one pipe's.

    Remedy: have whoever writes end its names so, or correct streams.STREAM.suffix and: invoke step5-aws
    See: docs/runbook.md#other-files
    """
    beside = [each for each in facts.settings.streams if each.found and each.name != stream.name]
    files = tuple(
        file
        for file in listing.files
        if not any(file.key.startswith(each.prefix) and each.takes(file.key) for each in beside)
    )
    listing = Listing(files, listing.error)
    found = strangers(stream, listing, facts.now) or half_strangers(stream, listing, facts.now)
    pattern = stream.found.pattern if stream.found else ""
    rejected = bool(pattern) and any(name.endswith(stream.suffix) for name in found)
    why = f"the pipe's PATTERN = {pattern!r} takes none of it" if rejected else ""
    with mended_by(A_PATTERN, only=rejected):
        assert found == [], why or "nothing of it is announced or loaded"


A_PATTERN = (
    "whoever made the pipe corrects its PATTERN, which is matched with what stands behind the stage and its "
    "path; then discover it again"
)


@pytest.mark.needs("delivery.stage-can-be-listed", "step4.stage-is-on-the-folder")
def check_files_keep_arriving(facts: Facts, listing: Listing, pipe: Pipe, stream: Stream) -> None:
    """Files arrive as often as they used to, or as files_arrive_within_hours says.

    Remedy: ask whoever writes the files; nothing here keeps them from arriving
    See: docs/runbook.md#no-files
    """
    hours = stream.files_arrive_within_hours
    if hours == "never":
        pytest.skip("files_arrive_within_hours is never")
    newest = max((file.modified for file in listing.files), default=None)
    if hours is not None:
        oldest = facts.now - timedelta(hours=hours)
        assert newest is not None, "no file has ever arrived"
        assert newest >= oldest, f"the newest file is of {newest:%Y-%m-%d %H:%M} UTC"
        return
    if newest is None:
        pytest.skip("no file has ever arrived")
    found = fallen_silent(stream, listing, pipe.created_on, facts.now)
    beside = facts.beside(stream) if found else ()
    elsewhere = f"; beside its folder there are {', '.join(beside)}" if beside else ""
    observed = [f"since {found.since:%Y-%m-%d %H:%M} UTC; {found.why}"] if found else []
    with advice(only=found is not None and not found.is_certain):
        assert observed == [], f"nothing arrives any more{elsewhere}"
