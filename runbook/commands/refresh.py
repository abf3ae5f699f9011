"""`invoke refresh`: load what was never announced in the last 7 days, once."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook.clouds.failures import Row, SqlFailed
from runbook.clouds.writer import Receipt
from runbook.errors import Blocked, CannotTell, NotConverged, Refused
from runbook.facts import Facts
from runbook.facts.delivery import IN_PROGRESS, belongs, failed, named, never_loaded
from runbook.facts.objects import Listing, Load, StagedFile
from runbook.facts.snowflake import LOAD_HISTORY_DAYS, REFRESH_DAYS
from runbook.ledger.classes import Kind
from runbook.ledger.evidence import evidence
from runbook.ledger.findings import Ledger
from runbook.loading import statements as loading_statements
from runbook.loading import strays
from runbook.loading.leases import guarded, is_late, leased, too_late
from runbook.loading.prefixes import exact_prefixes, whole_names
from runbook.plan import Applied, SqlChange
from runbook.plan_formats import tell_change
from runbook.running import Run, failed_by, running
from runbook.settings import Settings, Stream
from runbook.sql import statements
from runbook.terminal import Style, counted, note, say, wrapped

TOGETHER = 20  # REFRESH statements in one request
REFRESHED = timedelta(hours=1)  # a refresh takes no longer
WITHOUT_A_TRACE = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE)


def refresh(config: Mapping[str, Any], *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Queue what was never announced in the last 7 days, and wait until it is loaded. Writes."""
    with running(config, "refresh", sides=("snowflake",), stream=stream, yes=yes) as run:
        failed = [
            key for each in run.settings.those(stream) for key in refresh_stream(run, each, dry_run=dry_run)
        ]
    return 1 if failed else 0


def refresh_stream(run: Run, stream: Stream, *, dry_run: bool = False) -> list[str]:
    """Queue what was never announced to one pipe; the files that then failed to load. Writes unless dry."""
    found = refresh_plan(run.facts(), stream)
    say(wrapped(f"{stream.name}: ", str(found), Style.of(sys.stdout)))
    if not found.files:
        return []
    if dry_run:
        for change in refreshes(run.settings, stream, found):
            tell_change(change)
        return []
    run.ask(f"Refresh {stream.pipe}?")
    with leased(run, stream) as holding:
        found = refresh_plan(run.facts(), stream)  # while it asked, the pipe may have been made again
        if not found.files:
            say(f"{stream.name}: loaded meanwhile")
            return []
        for change in refreshes(run.settings, stream, found):
            holding.keep()
            _make(run, stream, guarded(change, holding.lease))
        failed = loaded_everywhere(run.facts(), stream, found.files, run.settings.checks.ready_within_seconds)
    say(f"{stream.name}: {counted(len(found.files), 'file')} more in the load history")
    style = Style.of(sys.stdout)
    for each in failed:
        say(wrapped("  failed: ", each, style))
    others = strays_of(run.facts(), stream, found)
    for each in strays.told(others):
        say(wrapped("  loaded too: ", each, style))
    if others:
        say(wrapped("  to do: ", strays.remedy(stream, [stray.key for stray in others]), style))
    return [*failed, *(stray.key for stray in others)]


def _make(run: Run, stream: Stream, change: SqlChange) -> None:
    """Make a change under a lease and note it. Writes; raises Refused where it came too late."""
    receipts: list[Receipt] = []
    rows: list[Row] = []
    try:
        for statement in statements(change.sql):
            receipt, rows = run.writer.answer(statement)
            receipts.append(receipt)
    except SqlFailed as error:
        raise failed_by(run, change, error) from None
    if is_late(rows):
        raise too_late(stream)
    run.applied(0, Applied(change, tuple(receipts)))
    note(f"  done: {change.title}")


@dataclass(frozen=True)
class RefreshPlan:
    """What ALTER PIPE … REFRESH would queue, and what it cannot reach."""

    files: tuple[StagedFile, ...]
    too_old: int
    others: tuple[StagedFile, ...] = ()
    known: frozenset[str] = frozenset()
    uncertain: int = 0
    """Files that no history tells of, nor the table: these are left alone."""

    @property
    def since(self) -> datetime:
        """When the oldest of the files was last modified, and a second: S3 says no more of its time."""
        return min(file.modified for file in self.files) - timedelta(seconds=1)

    def starts(self) -> list[str]:
        """What the keys of these files begin with, and no other key that a REFRESH would take."""
        keys = frozenset(file.key for file in self.files)
        others = [file.key for file in self.others if file.modified >= self.since]
        prefixes, left = exact_prefixes(keys, others)
        return whole_names([*prefixes, *sorted(left)], keys)

    def taken(self, files: tuple[StagedFile, ...]) -> tuple[StagedFile, ...]:
        """Those of the files that the REFRESH takes: by what their keys begin with, and their time."""
        starts = tuple(self.starts())
        return tuple(file for file in files if file.key.startswith(starts) and file.modified >= self.since)

    def __str__(self) -> str:
        files = counted(len(self.files), "file")
        said = f"{files} of the last {REFRESH_DAYS} days not in any load history"
        if self.files:
            said += f" ({', '.join(named([file.key for file in self.files]))})"
        said += f"; {self.too_old} older beyond REFRESH" if self.too_old else ""
        alone = "left alone, as nobody can tell whether it was loaded"
        return said + (f"; {self.uncertain} {alone}" if self.uncertain else "")


def refresh_plan(facts: Facts, stream: Stream) -> RefreshPlan:
    """The files a REFRESH would load; raises Refused where one of them is in the table already.

    A pipe that was re-created has forgotten what it loaded, and REFRESH would load it again; the
    table's own file names show it. Source:
    https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
    """
    listing, loads = facts.listing(stream), facts.loads(stream)
    if facts.pipe(stream) is None or listing is None or loads is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    if listing.error:
        raise CannotTell(
            f"The stage {stream.stage} cannot be listed", why=str(listing.error), remedy="invoke verify"
        )
    oldest = facts.now - timedelta(days=REFRESH_DAYS)
    known_since = facts.now - timedelta(days=LOAD_HISTORY_DAYS)
    unknown = [file for file in never_loaded(stream, listing, loads) if file.modified > known_since]
    if not unknown:
        return RefreshPlan((), 0)
    ledger = Ledger(evidence(facts, stream), listing.files)
    queued = tuple(file for file in unknown if file.modified > oldest)
    half_way = [
        file
        for file in ledger.of(Kind.IN_FLIGHT)
        if ledger.evidence.may_be_half_way(file) and not ledger.evidence.loads(file.key)
    ]
    missing = (*ledger.of(*WITHOUT_A_TRACE), *half_way)
    recent = tuple(file for file in missing if file.modified > oldest)
    older = [file for file in unknown if file.modified <= oldest and ledger.verdicts[file.key].is_missing]
    known = frozenset(load.key for load in loads)
    wanted = {file.key for file in recent}
    others = tuple(file for file in listing.files if file.key not in known and file.key not in wanted)
    uncertain = sum(ledger.verdicts[file.key] is Kind.TOO_OLD_TO_KNOW for file in queued)
    plan = RefreshPlan(recent, len(older), others, known, uncertain)
    if recent:
        _refuse_others(stream, plan.taken(listing.files), loads)
        _refuse_to_repeat(facts, stream, queued, plan.taken(queued))
        _refuse_what_may_be_hidden(ledger, plan.taken(queued))
        _refuse_while_an_earlier_pipe_may_load(facts, stream, queued)
    return plan


def refreshes(settings: Settings, stream: Stream, plan: RefreshPlan) -> list[SqlChange]:
    """The requests of a refresh, each with some REFRESH statements by the operator's role."""
    cut, role = len(stream.prefix), settings.snowflake.operator_role
    made = [
        loading_statements.refresh(stream, settings, start[cut:], plan.since, role) for start in plan.starts()
    ]
    return [loading_statements.together(made[at : at + TOGETHER]) for at in range(0, len(made), TOGETHER)]


def strays_of(facts: Facts, stream: Stream, plan: RefreshPlan) -> list[strays.Stray]:
    """Files of another suffix that came with a refresh. Only reads."""
    return strays.found(facts, stream, plan.starts(), plan.since, plan.known, facts.now - REFRESHED)


def _refuse_what_may_be_hidden(ledger: Ledger, files: tuple[StagedFile, ...]) -> None:
    """Raises Refused where an earlier pipe may have loaded a file before the table was emptied."""
    hidden = [
        file.key for file in files if ledger.verdicts[file.key] in (Kind.ROWS_GONE, Kind.TOO_OLD_TO_KNOW)
    ]
    if hidden:
        stream = ledger.evidence.stream
        raise Refused(
            f"A refresh might load {counted(len(hidden), 'file')} a second time ({', '.join(named(hidden))})",
            where=str(stream.pipe),
            why="the table was emptied since, and its load history with it",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}",
        )


def _refuse_others(stream: Stream, files: tuple[StagedFile, ...], loads: tuple[Load, ...]) -> None:
    """Raises Refused where a REFRESH would also load files that are not the stream's, by its beginnings.

    It takes everything that begins so and that the COPY's PATTERN takes; the suffix is the bucket's rule's
    business alone. So a file is in the way only where a wanted one's name is the beginning of its own.
    Source: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe
    """
    known = {load.key for load in loads}
    pattern = stream.found.pattern if stream.found else ""
    others = [
        file.key
        for file in files
        if file.size
        and not belongs(file, stream)
        and file.key not in known
        and (not pattern or re.fullmatch(pattern, stream.name_of(file.key)))
    ]
    if others:
        raise Refused(
            f"A refresh would also load {counted(len(others), 'file')} without the suffix {stream.suffix} "
            f"({', '.join(named(others))})",
            where=str(stream.pipe),
            why="REFRESH takes every file whose name begins as a wanted one's",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}, which loads it by COPY",
        )


def _refuse_to_repeat(
    facts: Facts, stream: Stream, files: tuple[StagedFile, ...], taken: tuple[StagedFile, ...]
) -> None:
    """Raises Refused where a file is in the table, or one that is taken may be: by a pipe that forgot it."""
    rows, pipe = facts.table_rows(stream), facts.pipe(stream)
    present = (rows.files or {}) if rows else {}
    if again := [file.key for file in files if file.key in present]:
        raise Refused(
            f"A refresh would load {len(again)} files a second time ({', '.join(named(again))})",
            where=str(stream.pipe),
            why="their rows are in the table, and no load history remembers them: the pipe was re-created",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}",
        )
    if rows is None or pipe is None or rows.is_complete:
        return
    if older := [file.key for file in taken if file.modified <= pipe.created_on]:
        raise Refused(
            f"A refresh might load {len(older)} files a second time ({', '.join(named(older))})",
            where=str(stream.pipe),
            why="they were there before the pipe was made, an earlier one may have loaded them, and the "
            "table has no _file column, or rows without a file name",
            remedy=f"invoke backfill --pattern '.*' --stream {stream.name}",
        )


def _refuse_while_an_earlier_pipe_may_load(
    facts: Facts, stream: Stream, files: tuple[StagedFile, ...]
) -> None:
    """Raises Refused where a pipe that was replaced a moment ago may be loading one of the files still.

    Where a file is older than the table, and in there is only what this pipe loaded, it is the first.
    """
    pipe, rows, loads = facts.pipe(stream), facts.table_rows(stream), facts.loads(stream) or ()
    patience = timedelta(minutes=facts.settings.checks.loaded_within_minutes)
    if pipe is None or facts.now >= pipe.created_on + patience:
        return
    is_first = rows is not None and rows.files is not None and set(rows.files) <= {load.key for load in loads}
    half_way = [
        file.key
        for file in files
        if file.modified <= pipe.created_on
        and not (is_first and rows is not None and file.modified <= rows.created_on)
    ]
    if half_way:
        files_said = f"{counted(len(half_way), 'file')} ({', '.join(named(half_way))})"
        raise Refused(
            f"An earlier pipe may be loading {files_said} still",
            where=str(stream.pipe),
            why=f"the pipe was made at {pipe.created_on:%H:%M:%S} UTC, after they came",
            remedy=f"run it again after {pipe.created_on + patience:%H:%M} UTC",
        )


def loaded_everywhere(
    facts: Facts, stream: Stream, files: tuple[StagedFile, ...], seconds: float
) -> list[str]:
    """Wait until every file is in the load history; those that failed, with the error. Only reads.

    Raises NotConverged naming the rest, at once where the pipe does not run: it only queues then.
    """
    reader = facts.reader
    deadline, pause = reader.now() + seconds, 0.2
    while True:
        loads = facts.loads(stream) or ()
        known = {load.key for load in loads if load.status != IN_PROGRESS}
        left = [file.key for file in files if file.key not in known]
        if not left:
            return failed(Listing(files), loads)
        status = facts.pipe_status(stream)
        if status and status.execution_state != "RUNNING":
            raise NotConverged(
                f"{counted(len(left), 'file')} queued and not loaded ({', '.join(named(left))})",
                where=str(stream.pipe),
                why=f"the pipe is {status.execution_state}",
                remedy=f"invoke resume --stream {stream.name}"
                if status.execution_state == "PAUSED"
                else "invoke verify",
            )
        if reader.now() > deadline:
            if status and not status.has_work:
                raise _not_taken(stream, left)
            raise NotConverged(
                f"{len(left)} files were queued and are not loaded yet ({', '.join(named(left))})",
                where=str(stream.pipe),
                remedy="loading goes on by itself: look again with `invoke status`",
            )
        reader.sleep(pause)
        pause = min(pause * 1.5, 5)
        facts = facts.afresh()


def _not_taken(stream: Stream, keys: list[str]) -> NotConverged:
    """The pipe has nothing to do, and these are not loaded: it remembers them.

    Source: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe
    """
    return NotConverged(
        f"The pipe did not take {counted(len(keys), 'file')} ({', '.join(named(keys))})",
        where=str(stream.pipe),
        why="it remembers them, and their rows are not in the table: the table was emptied since",
        remedy=f"invoke backfill --stream {stream.name} --pattern '.*' --reload-gone",
    )
