"""`invoke pause`: stop the pipes of one or all streams; what is announced meanwhile waits up to 14 days."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from runbook.clouds.failures import DOES_NOT_EXIST, NO_PRIVILEGE, SqlFailed
from runbook.errors import Blocked, CannotTell, NotConverged, Refused, RunbookError
from runbook.facts import Facts
from runbook.loading.leases import leased
from runbook.plan import SqlChange
from runbook.plan_formats import tell_change
from runbook.replacing.note import read as read_note
from runbook.running import Run, failed_by, running
from runbook.settings import Stream
from runbook.sql import rendered
from runbook.terminal import note, say


def pause(config: Mapping[str, Any], *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Stop the pipes of one or all streams. Writes."""
    return switch(config, "pause", stream, dry_run=dry_run, yes=yes)


def switch(config: Mapping[str, Any], command: str, stream: str | None, *, dry_run: bool, yes: bool) -> int:
    """Pause or resume the pipes of one or all streams. Writes unless dry."""
    with running(config, command, sides=("snowflake",), stream=stream, yes=yes) as run:
        for each in run.settings.those(stream):
            switch_stream(run, command, each, dry_run=dry_run)
    return 0


def switch_stream(run: Run, command: str, stream: Stream, *, dry_run: bool = False) -> None:
    """Pause or resume one pipe. Writes unless dry."""
    want, facts = command == "pause", run.facts()
    have = facts.pause(stream) if facts.pipe(stream) else None
    if have is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    if not want and have.paused and have.level != "PIPE":
        raise RunbookError(
            f"{stream.pipe} is not paused itself, its {have.level.lower()} is",
            remedy=f"whoever paused that: ALTER {have.level} … UNSET PIPE_EXECUTION_PAUSED",
        )
    if have.paused == want and not (want and _is_of_a_replacement(run, stream)):
        say(f"{stream.name}: is {'paused' if want else 'running'} already")
        return
    file = f"operate/{command}.sql"
    change = SqlChange(file, rendered(file, run.settings, stream), f"{stream.name}: {command}")
    if dry_run:
        tell_change(change)
        return
    run.ask(f"{command.capitalize()} {stream.pipe}?")
    if want:
        _pause(run, stream, change)
    else:
        with leased(run, stream):  # who replaces a pipe keeps it paused
            _resume(run, stream, change)
    now = run.facts().pause(stream)
    if now is None or now.paused != want:
        raise NotConverged(f"{stream.pipe} did not {command}", remedy="invoke verify --step 4")
    say(f"{stream.name}: {'paused' if want else 'resumed'}")


def _is_of_a_replacement(run: Run, stream: Stream) -> bool:
    """Whether the pause may be a replacement's, and end with it: its note is there now, or it ended."""
    facts = run.facts()
    if _is_held(facts, stream) or _is_replaced(facts, stream):
        return True
    again = run.facts().pause(stream)
    return again is None or not again.paused


def _is_held(facts: Facts, stream: Stream) -> bool:
    """Whether the pipe is paused to be replaced: whoever does that gives it back as it was before."""
    return _noted(facts, stream, of_old=True)


def _is_replaced(facts: Facts, stream: Stream) -> bool:
    """Whether a new pipe is in place, and its replacement not ended yet."""
    return _noted(facts, stream, of_old=False)


def _noted(facts: Facts, stream: Stream, *, of_old: bool) -> bool:
    pipe = facts.pipe(stream)
    with suppress(Refused):  # a note that somebody altered holds nobody up
        found = read_note(pipe.comment, stream) if pipe else None
        return pipe is not None and found is not None and found.is_of_old(pipe) == of_old
    return False


def _pause(run: Run, stream: Stream, change: SqlChange) -> None:
    """Pause, and not while the pipe is held to be replaced: that pause would go with the old pipe. Writes."""
    with ExitStack() as held:
        try:
            if not _is_replaced(run.facts(), stream):  # the new pipe keeps a pause of its own
                held.enter_context(leased(run, stream))
        except CannotTell as error:
            note(f"{error} Paused all the same; look at it again where somebody replaces the pipe.")
        except Refused:
            if _is_held(run.facts(), stream) or not _is_replaced(run.facts(), stream):
                raise
        if _is_held(run.facts(), stream):
            raise Refused(
                f"{stream.pipe} is paused by a replacement that was cut off, which would resume it",
                why="It loads nothing now, until somebody ends the replacement",
                remedy=f"invoke replace-pipe --stream {stream.name}, then run the command again",
            )
        _make(run, change)


def _make(run: Run, change: SqlChange) -> None:
    try:
        run.make(change)
    except SqlFailed as error:
        raise failed_by(run, change, error) from None


def _resume(run: Run, stream: Stream, change: SqlChange) -> None:
    try:
        run.make(change)
    except SqlFailed as error:
        if error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
            raise failed_by(run, change, error) from None
        from runbook.loading.forcing import force

        force(run, stream, error)
