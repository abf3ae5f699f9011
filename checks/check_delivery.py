"""Delivery: what lies in the bucket is in the tables.

Longer than 400 lines: the checks of delivery.
"""

from contextlib import suppress
from datetime import timedelta

import pytest

from checks.conftest import OTHERS, advice, mended_by
from runbook.claims import check
from runbook.errors import Advised, CannotTell, RunbookError
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.delivery import NAMED, belongs, findings, half_strangers, late, strangers, unheard
from runbook.facts.objects import Listing, Pipe, PipeStatus, Table
from runbook.facts.silence import bringing, fallen_silent
from runbook.ledger.findings import (
    Ledger,
    again,
    changed,
    emptied,
    failed,
    gone,
    is_refused,
    misread,
    missing,
    partly_loaded,
    strays,
    touched,
    twice,
    without_a_name,
)
from runbook.policies.refusals import of_files
from runbook.remedy import FILES, STREAM, invoke, remedy
from runbook.settings import Settings, Stream
from runbook.wanted.pipeline import too_narrow

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


LOAD_AGAIN = ("backfill", "--stream", STREAM, "--pattern", FILES, "--reload-failed")
LOADED_BY_NAME = remedy(invoke("backfill", "--stream", STREAM, "--pattern", ".*"))
"""Where the folder also has files that are not the stream's: REFRESH would take them too."""
UNLESS_THE_SAME = remedy(
    "nothing, if it was copied onto itself",
    invoke(*LOAD_AGAIN, lead="; for other content: "),
)


@check(
    remedy="find what denies s3:ListBucket on this folder, such as a condition in the bucket's policy",
    see="snowflake-does-not-get-in",
    needs=(
        "step3.snowflake-gets-in",
        "step4.stage-is-not-orphaned",
        "step4.stage-is-on-the-folder",
        "step4.stage-uses-the-integration",
    ),
)
def check_stage_can_be_listed(listing: Listing) -> None:
    """The stage lists its files."""
    assert str(listing.error or "listed") == "listed", (
        "Snowflake assumes the role, and still cannot list the stage"
    )


@check(
    remedy=(
        "look at `",
        invoke("status"),
        "` twice: if pending does not fall for an hour, ask Snowflake's support",
    ),
    see="late-files",
    needs=THE_WAY,
)
def check_queue_is_worked_off(
    facts: Facts, pipe_status: PipeStatus, settings: Settings, stream: Stream
) -> None:
    """No announced file waits longer than checks.loaded_within_minutes."""
    waiting = late(pipe_status, facts.now, timedelta(minutes=settings.checks.loaded_within_minutes))
    assert waiting == [], "an announced file has not been loaded for too long"


@check(
    remedy=invoke("refresh", "--stream", STREAM),
    see="silent-pipe",
    needs=(
        *THE_WAY,
        "delivery.stage-can-be-listed",
        "delivery.queue-is-worked-off",
    ),
)
def check_newest_file_reached_the_pipe(
    facts: Facts, listing: Listing, pipe: Pipe, pipe_status: PipeStatus, stream: Stream
) -> None:
    """The pipe was notified of the newest file."""
    files = Listing() if listing.error else listing
    found = unheard(stream, files, pipe_status, pipe, facts.now, facts.settings.checks)
    not_ours = any(file.size and not belongs(file, stream) for file in files.files)
    unread = "; whether its subscription has a filter policy is not read" if stream.sns_topic else ""
    with mended_by(LOADED_BY_NAME, only=not_ours):
        assert found == [], f"it was never announced, though everything on the way is right{unread}"


@check(
    remedy=(
        "Time Travel",
        invoke("backfill", "--stream", STREAM, "--pattern", ".*", "--reload-gone", lead="; or: "),
    ),
    see="emptied",
    needs=("step4.pipe-writes-the-table", "delivery.stage-can-be-listed"),
    deep=True,
)
def check_table_was_not_emptied(ledger: Ledger, stream: Stream) -> None:
    """The table was not emptied: its load history knows what the pipe has loaded.

    TRUNCATE, or a new table of that name, takes the history away with the rows. The pipe remembers,
    and so refuses to load those files again.
    """
    if not stream.keeps_rows:
        pytest.skip(f"streams.{stream.name}.keeps_rows is false: the table is emptied as it goes")
    assert emptied(ledger) == [], "the table was emptied or recreated since, and its load history with it"


@check(
    remedy=invoke("backfill", "--stream", STREAM, "--pattern", ".*"),
    see="missing-files",
    needs=(
        *THE_WAY,
        "delivery.stage-can-be-listed",
        "delivery.table-was-not-emptied",
        "delivery.queue-is-worked-off",
        "delivery.newest-file-reached-the-pipe",
    ),
    deep=True,
)
def check_files_are_loaded(ledger: Ledger, stream: Stream) -> None:
    """Every file that arrived in the last 14 days, since there was a table or a pipe, is loaded."""
    assert missing(ledger) == [], "these files were never announced, or the announcement was lost"


@check(
    remedy=(
        "correct or restore it",
        invoke(*LOAD_AGAIN, lead=", then: "),
    ),
    see="failed-files",
    needs=(
        *THE_WAY,
        *WHAT_IS_READ,
        "delivery.stage-can-be-listed",
        "delivery.new-files-hold-what-is-read",
    ),
    deep=True,
)
def check_no_file_failed(
    facts: Facts, ledger: Ledger, listing: Listing, table: Table, stream: Stream
) -> None:
    """No file failed to load, or was gone before it was loaded.

    A pipe never tries a failed file again, not even when it is corrected under the same name.
    """
    found = failed(ledger, Listing() if listing.error else listing)
    refused = any(is_refused(row) for row in found)
    by = _kept_out_by(facts, stream, found.keys[:NAMED]) if refused else ""
    narrow = [] if refused or not found else too_narrow(table.columns, stream)
    if narrow:
        by = f"; the table has {', '.join(narrow)}"
    with mended_by(LET_IN, only=refused), mended_by(WIDEN, only=bool(narrow)):
        assert found == [], f"Snowflake could not load these files{by}"


def _kept_out_by(facts: Facts, stream: Stream, keys: tuple[str, ...]) -> str:
    """The statements that deny these very files, or may; empty where there are none, or nobody can tell."""
    with suppress(RunbookError):
        bucket = stream.bucket
        policies = {"bucket policy": facts.bucket_policy(bucket), "boundary": facts.role_policies.boundary}
        every = {**policies, **facts.role_policies.others}
        found = [
            str(row)
            for name, text in every.items()
            for row in of_files(name, text, facts.settings, bucket, keys)
        ]
        return f"; what denies them, or may: {', '.join(found)}" if found else ""
    return ""


WIDEN = remedy(
    "where a value did not fit, give the column its type back as step4.table-has-the-columns says, else "
    "correct the file",
    invoke(*LOAD_AGAIN, lead="; then: "),
)
LET_IN = remedy(
    "let Snowflake read it, where a policy, its key, its tags or its owner still prevent that",
    invoke(*LOAD_AGAIN, lead="; then: "),
)


@check(
    remedy="DELETE its rows (WHERE _file = KEY), upload it corrected under a new name, delete the old file",
    see="partly-loaded-files",
    needs=("delivery.stage-can-be-listed", "step4.pipe-loses-no-row"),
    deep=True,
)
def check_no_file_is_partly_loaded(ledger: Ledger, stream: Stream) -> None:
    """No file lost rows while it was loaded."""
    assert partly_loaded(ledger) == [], "rows of these files are not in the table"


@check(
    remedy=(
        "have the producer mend it",
        invoke(*LOAD_AGAIN, lead=", then: "),
    ),
    see="new-files",
    needs=("delivery.stage-can-be-listed",),
)
def check_new_files_hold_what_is_read(
    facts: Facts, listing: Listing, bucket: Bucket, settings: Settings, stream: Stream
) -> None:
    """The newest files hold what the stream's pipe reads, by their first bytes.

    Snowflake counts no fields where a COPY has a SELECT: what else they hold becomes rows, without an error.
    """
    if not settings.is_ours:
        pytest.skip(OTHERS)
    try:
        found = facts.glimpses(stream)
    except CannotTell as error:
        if not error.missing_right:
            raise
        if _is_refused(facts):
            pytest.skip("AWS refuses Snowflake and us alike: nobody can look at what new files hold")
        raise Advised(f"what new files hold is not looked at: {error.why}", MAY_NOT_READ) from None
    assert findings({each.key: each.wrong for each in found if each.wrong}) == [], (
        "a new file holds something else"
    )
    with advice(remedy=OLDER):
        old = {each.key: each.older for each in found if each.older}
        assert findings(old) == [], "what is missing at the end is NULL"


def _is_refused(facts: Facts) -> bool:
    """Whether Snowflake too is kept from the files, which another check tells of."""
    with suppress(CannotTell):
        return bool(facts.refusal)
    return False


OLDER = remedy("nothing, if an older Snowplow writes them; else have the producer mend it")
MAY_NOT_READ = remedy(
    "grant s3:GetObject on the streams' folders to whoever verifies, or ask the table: --deep"
)


@check(
    remedy=(
        "correct a wrong file",
        invoke(*LOAD_AGAIN, lead=", then: "),
    ),
    see="misread-files",
    needs=(
        *WHAT_IS_READ,
        "delivery.stage-can-be-listed",
        "delivery.new-files-hold-what-is-read",
    ),
    deep=True,
)
def check_rows_are_events(ledger: Ledger, settings: Settings, stream: Stream) -> None:
    """The rows of the last 14 days are what events are read as: no gzip, no JSON, no tab inside a field."""
    assert misread(ledger) == [], "the file holds something else, or was read by other options than now"
    with advice(remedy=TAKE_OUT):
        assert (strays(ledger) if settings.is_ours else []) == [], (
            f"its name does not end in {stream.suffix}: a REFRESH or a COPY by hand took it"
        )


TAKE_OUT = remedy("unless it is on purpose, delete that file and its rows: DELETE … WHERE _file = KEY")


@check(
    remedy="delete that file and its rows (DELETE … WHERE _file = KEY), or the other one and its rows",
    see="files-again",
    needs=("delivery.rows-are-there-once",),
    deep=True,
)
def check_no_file_repeats_another(facts: Facts, ledger: Ledger, stream: Stream) -> None:
    """No file of the last 14 days brought the rows of another file again."""
    assert again(ledger, facts.same_rows(stream)) == [], "the same rows are there under two names"


@check(
    remedy=(
        "load it again, which removes its old rows",
        invoke(*LOAD_AGAIN, lead=": "),
    ),
    see="changed-files",
    needs=("delivery.stage-can-be-listed",),
    deep=True,
)
def check_no_file_changed_since_it_was_loaded(ledger: Ledger, stream: Stream) -> None:
    """No file was written again under the name it was loaded by."""
    assert changed(ledger) == [], "a pipe knows a file by its name, and ignores the new content"
    with advice(remedy=UNLESS_THE_SAME):
        assert touched(ledger) == [], "written again with the same size: other content is ignored"


@check(
    remedy=(
        "load it again, which removes its old rows",
        invoke(*LOAD_AGAIN, lead=": "),
    ),
    see="rows",
    needs=("step4.loader-has-its-rights", "step4.no-other-pipe-loads-the-same"),
    deep=True,
)
def check_rows_are_there_once(ledger: Ledger, stream: Stream) -> None:
    """No file has more rows in the table than it has, as far as one of them came in the last 14 days."""
    assert twice(ledger) == [], "these files were loaded twice"


SEES_ALL = remedy(
    "have the row access policy of the table show every row to the role that verifies and loads again"
)


NAMES_FILES = remedy(
    "have whatever changes _file put it back: until these rows name their files again, nobody can tell which "
    "are missing, or there twice"
)


@check(
    remedy=(
        "unless on purpose (keeps_rows: false)",
        invoke("backfill", "--stream", STREAM, "--pattern", FILES, "--reload-gone", lead=": "),
    ),
    see="rows",
    needs=(
        "delivery.stage-can-be-listed",
        "delivery.table-was-not-emptied",
        "step4.loader-has-its-rights",
        "step4.pipe-writes-the-table",
    ),
    deep=True,
)
def check_loaded_rows_are_still_there(ledger: Ledger, stream: Stream) -> None:
    """Every row of a file that was loaded in the last 14 days, and is still there, is in the table.

    Where a job deletes them as a rule, streams.STREAM.keeps_rows: false says so.
    """
    assert gone(ledger) == [], "the table was truncated, replaced, or rows were deleted"
    with advice(remedy=NAMES_FILES):
        assert without_a_name(ledger) == [], (
            f"{ledger.evidence.table.unnamed:,} rows of the table name no file, and may be theirs"
        )
    with advice(remedy=SEES_ALL):
        hidden = ledger.evidence.table.hidden
        seen = f"all but {hidden:,} rows of the table" if hidden else "all rows"
        assert seen == "all rows", "our role cannot see them, so it is not known whether rows are missing"


@check(
    remedy=(
        "have whoever writes end its names so, or correct streams.",
        STREAM,
        ".suffix",
        invoke("step5-aws", lead=" and: "),
    ),
    see="other-files",
    needs=("delivery.stage-can-be-listed",),
)
def check_arriving_files_are_the_streams(facts: Facts, listing: Listing, stream: Stream) -> None:
    """What arrives in the folder is what the stream loads: it ends in the stream's suffix.

    Several pipes of others may share a folder; then each file is one pipe's.
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


A_PATTERN = remedy(
    "whoever made the pipe corrects its PATTERN, which is matched with what stands behind the stage and its "
    "path; then discover it again"
)


@check(
    remedy="ask whoever writes the files; nothing here keeps them from arriving",
    see="no-files",
    needs=("delivery.stage-can-be-listed", "step4.stage-is-on-the-folder"),
)
def check_files_keep_arriving(facts: Facts, listing: Listing, pipe: Pipe, stream: Stream) -> None:
    """Files arrive as often as they used to, or as files_arrive_within_hours says."""
    hours = stream.files_arrive_within_hours
    if hours == "never":
        pytest.skip("files_arrive_within_hours is never")
    newest = max((file.modified for file in bringing(listing.files)), default=None)
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
