"""What the pipe that is to be replaced has loaded, noted where the table cannot say whose its rows are."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from runbook.errors import Blocked, Refused
from runbook.facts import Facts
from runbook.facts.delivery import LOADED, PARTLY
from runbook.facts.objects import Load
from runbook.facts.snowflake import LOAD_HISTORY_DAYS
from runbook.ledger import looking
from runbook.ledger.left import MOST
from runbook.replacing.note import Note, Witness
from runbook.settings import Stream

MOST_NOTED = 500  # names of files in a pipe's comment
SECOND = timedelta(seconds=1)  # S3 says no more of a file's time


def witnessed(facts: Facts, stream: Stream, note: Note) -> Note:
    """The note with what the pipe has loaded, where the table cannot say whose its rows are. Only reads.

    COPY_HISTORY forgets with a pipe what it loaded, so what it says is noted while the pipe is there.
    Raises Refused where that is more than a note holds, or longer ago than the history goes back.
    Source: https://docs.snowflake.com/en/sql-reference/functions/copy_history
    """
    rows, loads, pipe = facts.table_rows(stream), facts.loads(stream), facts.pipe(stream)
    if rows is None or loads is None or pipe is None:
        raise Blocked(f"The table {stream.table} does not exist", by_step=4, remedy="invoke step4-snowflake")
    note = replace(note, left=_in_part(note, loads))
    refuse_more_than_is_kept(facts, stream, len(note.left))
    if rows.files is not None and not rows.unnamed and stream.keeps_rows:
        return note
    if not stream.keeps_rows:
        _refuse_what_was_emptied(facts, stream, note, loads)
    patience = timedelta(minutes=facts.settings.checks.loaded_within_minutes)
    reach = max(
        note.made_on if note.witness else pipe.created_on, facts.now - timedelta(days=LOAD_HISTORY_DAYS)
    )
    if note.since - SECOND < reach:
        raise Refused(
            f"{stream.table} cannot say which files it holds, and the pipe's load history cannot either",
            why=f"{_why(stream)}; files that came since {note.since:%Y-%m-%d %H:%M} UTC may wait; the "
            f"history has this pipe's loads of {LOAD_HISTORY_DAYS} days: since {reach:%Y-%m-%d %H:%M} UTC",
            remedy="run it again when nothing waits in the pipe's queue (`invoke status`), and later than "
            f"{reach + patience:%m-%d %H:%M} UTC; or fill the columns _file, _file_row "
            "and _loaded_at",
        )
    until = facts.now - timedelta(minutes=1)  # what came later may come after the listing, in its second
    done = {load.key for load in loads if load.status in LOADED}
    waiting, loaded = set[str](), set[str]()
    for file in looking.listed(facts, stream):
        name = file.key.removeprefix(stream.prefix)
        is_loaded = file.key in done or bool(note.witness and note.witness.says_loaded(name, file.modified))
        if file.modified >= note.since - SECOND and is_loaded != (file.modified <= until):
            (loaded if is_loaded else waiting).add(name)
    if len(waiting) + len(loaded) > MOST_NOTED:
        raise Refused(
            f"{len(waiting)} files since {note.since:%Y-%m-%d %H:%M} UTC are not loaded",
            where=str(stream.pipe),
            why=f"{_why(stream)}; so the pipe's comment keeps what the new one must load, and it keeps "
            f"{MOST_NOTED} names",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}, then run it again",
        )
    return replace(note, witness=Witness(until, frozenset(waiting), frozenset(loaded)))


def refuse_more_than_is_kept(facts: Facts, stream: Stream, count: int) -> None:
    """Raises Refused where more files were loaded in part than anything would name afterwards. Only reads.

    The new pipe's comment names the newest; of older ones ACCOUNT_USAGE tells, where it may be read.
    """
    if count <= MOST or facts.account_loads(stream) is not None:
        return
    raise Refused(
        f"{count} files were loaded in part, and only {MOST} of them would be named afterwards",
        where=str(stream.pipe),
        why="the load history that has them goes with the pipe; its comment keeps the newest",
        remedy=f"invoke backfill --pattern '.*' --stream {stream.name} --reload-failed, then run it again; "
        "or grant SNOWFLAKE.USAGE_VIEWER, for ACCOUNT_USAGE keeps them all for a year",
    )


def _why(stream: Stream) -> str:
    """Why the table cannot say it."""
    if not stream.keeps_rows:
        return "the table is emptied as it goes (keeps_rows: false)"
    return "the table has no _file column, or rows without a file name"


def _refuse_what_was_emptied(facts: Facts, stream: Stream, note: Note, loads: Iterable[Load]) -> None:
    """Raises Refused where a landing table was emptied so lately that no history has all loads in question.

    TRUNCATE hides all loads before it; one from before the time in question shows that there was none since.
    Source: https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_04/bcr-2305
    """
    since = note.witness.until if note.witness else note.since - SECOND
    status = facts.pipe_status(stream)
    last = status.time("lastIngestedTimestamp") if status else None
    kept = min((load.loaded_at for load in loads if load.loaded_at), default=None)
    if last is None or last < since or (kept is not None and kept <= since):
        return
    raise Refused(
        f"{stream.table} was emptied, and its load history with it",
        why=f"which of the files since {since:%Y-%m-%d %H:%M} UTC are loaded, only the pipe knows, and a new "
        "one would not",
        remedy="suspend the job that empties the table, and run it again when nothing waits in the pipe's "
        f"queue (`invoke status`), {facts.settings.checks.loaded_within_minutes} minutes later",
    )


def _in_part(note: Note, loads: Iterable[Load]) -> tuple[Load, ...]:
    """What this pipe or one before it has loaded in part, and nothing has loaded since."""
    last: dict[str, Load] = {load.key: load for load in note.left}
    for load in sorted(loads, key=lambda load: load.loaded_at or note.since):
        if load.status in LOADED:
            last[load.key] = load
    return tuple(load for load in last.values() if load.status in PARTLY)
