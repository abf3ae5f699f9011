"""`invoke pause`: stop the pipes of one or all streams; what is announced meanwhile waits up to 14 days."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from runbook.clouds.failures import DOES_NOT_EXIST, NO_PRIVILEGE, SqlFailed
from runbook.errors import Blocked, NotConverged, RunbookError
from runbook.loading.leases import leased
from runbook.plan import SqlChange
from runbook.plan_formats import tell_change
from runbook.running import Run, failed_by, running
from runbook.settings import Stream
from runbook.sql import rendered
from runbook.terminal import say


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
    if have.paused == want:
        say(f"{stream.name}: is {'paused' if want else 'running'} already")
        return
    file = f"operate/{command}.sql"
    change = SqlChange(file, rendered(file, run.settings, stream), f"{stream.name}: {command}")
    if dry_run:
        tell_change(change)
        return
    run.ask(f"{command.capitalize()} {stream.pipe}?")
    with nullcontext() if want else leased(run, stream):  # who replaces a pipe keeps it paused
        try:
            run.make(change)
        except SqlFailed as error:
            if want or error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
                raise failed_by(run, change, error) from None
            from runbook.loading.forcing import force

            force(run, stream, error)
    now = run.facts().pause(stream)
    if now is None or now.paused != want:
        raise NotConverged(
            f"{stream.pipe} was told to {command} and did not", remedy="invoke verify --step 4"
        )
    say(f"{stream.name}: {'paused' if want else 'resumed'}")
