"""Loading what a plan names: by COPY first, then replacements, then REFRESH, which asks what COPY told.

COPY statements run side by side, each in a session of its own; the rest one after the other.

While it loads it holds a lease (runbook.loading.leases): nobody replaces the pipe between a look and its
statement. Right before each statement the histories and the table are read again, and whatever somebody else
has loaded meanwhile is left out. Killed anywhere, the next run finds what is done in the histories.

Longer than 400 lines: one run of loading, in its order.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from runbook.clouds.failures import Row, SqlFailed
from runbook.clouds.writer import Receipt, Writer
from runbook.errors import NotConverged, RunbookError
from runbook.facts import Facts
from runbook.facts.delivery import IN_PROGRESS, LOADED
from runbook.facts.objects import Load
from runbook.ledger import looking
from runbook.ledger.classes import Evidence
from runbook.ledger.verdicts import Verdict, Way, judge, would_queue
from runbook.loading import statements, strays
from runbook.loading.leases import COPY_S, SHORT_S, Holding, guarded, is_late, leased, too_late
from runbook.loading.planning import BackfillPlan, batches
from runbook.plan import Applied, SqlChange
from runbook.running import Run
from runbook.settings import Stream
from runbook.sql import statements as split
from runbook.terminal import note

T = TypeVar("T")

_QUEUED = "queued, and the pipe has not loaded it yet"
_NOT_TAKEN = (
    "REFRESH did not take it: the pipe remembers a file of that name, which TRUNCATE TABLE hides from the "
    "load history; backfill --reload-gone loads it by COPY"
)

_SKIPPED = (
    "COPY skipped it: another COPY is loading it, perhaps of a run that was killed, or the table's own load "
    "memory knows it"
)

_ROWS_CHANGED = (
    "its rows in the table are not those that were looked at a moment before: a job moves or deletes them; "
    "run it again while nothing does"
)

_ENDS_SOON = "interrupted: what is under way ends first; Ctrl-C again ends the command at once"

CHUNK = 1000  # files whose rows are read again in one statement
TOGETHER = 20  # REFRESH statements in one request


class Stop:
    """Ctrl-C, kept until the running statement has ended; a second one ends the command there."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take Ctrl-C while loading; only a main thread is sent one."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGINT, self._asked)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)

    def _asked(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        # another thread's words: this one may be in the middle of a line
        threading.Thread(target=note, args=(_ENDS_SOON,), daemon=True).start()


@dataclass
class Loaded:
    """What came of it: files dealt with, and for some why they were not loaded.

    ``strays``: files of another suffix that came along. ``at_others``: what a COPY of another run is loading.
    """

    files: set[str] = field(default_factory=set)
    queued: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    strays: list["strays.Stray"] = field(default_factory=list)
    at_others: set[str] = field(default_factory=set)


@dataclass
class Loader:
    """One stream being loaded. ``progress`` is told of files dealt with and of rows that came.

    ``holding``: the lease under which it is done, where the caller has one already.
    """

    run: Run
    stream: Stream
    plan: BackfillPlan
    stop: Stop
    progress: Callable[[int, int], None]
    holding: Holding | None = None
    loaded: Loaded = field(default_factory=Loaded)
    on_record: set[Load] = field(default_factory=set)

    def load(self) -> Loaded:
        """Load everything the plan names, until told to stop. Writes.

        Raises Refused where somebody is replacing the pipe.
        """
        if self.holding is None:
            with leased(self.run, self.stream) as self.holding:
                return self.load()
        self._copy()
        self._replace()
        self._refresh()
        self._copy_what_refresh_did_not_take()
        self.loaded.stopped = self.stop.asked
        return self.loaded

    def _hold(self, seconds: int = SHORT_S) -> None:
        """The lease for that long, before the last look; Ctrl-C does not cut it off."""
        if self.holding is None:
            raise AssertionError("nothing is loaded without a lease")
        self._finished(partial(self.holding.hold, seconds))

    def _keep(self) -> None:
        if self.holding is not None:
            self._finished(self.holding.keep)

    def _finished(self, statement: Callable[[], T]) -> T:
        """Run beside the main thread: in that one the connector cancels a statement at Ctrl-C."""
        with self.run.writer.clouds.aside() as pool:
            return pool.submit(statement).result()

    # -- COPY ------------------------------------------------------------------------------------------

    def _copy(self) -> None:
        """Everything that is COPY's; once more what a COPY of another run was loading and did not load."""
        verdicts = self.plan.by(Way.COPY)
        self._copy_by_name(verdicts)
        skipped = [each for each in verdicts if self.loaded.why.get(each.file.key) == _SKIPPED]
        if skipped and not self.stop.asked:
            self._wait_for_others(skipped)
            self._copy_by_name(skipped)
            self.loaded.at_others = {
                each.file.key for each in skipped if self.loaded.why.get(each.file.key) == _SKIPPED
            }

    def _wait_for_others(self, verdicts: Sequence[Verdict]) -> None:
        """While a COPY of another run may be loading these files. Only reads.

        A COPY marks its files, and another one skips them without waiting; should the first fail, they stay
        unloaded. Source: https://docs.snowflake.com/en/user-guide/data-load-considerations-load
        """
        reader, pause = self.run.reader, 0.2
        deadline = reader.now() + self.run.settings.checks.ready_within_seconds
        while not self.stop.asked and reader.now() < deadline:
            others = self.holding.others() if self.holding else []
            _, left, _ = self._still(verdicts)
            if not left or not others:
                return
            reader.sleep(pause)
            pause = min(pause * 1.5, 5)

    def _copy_what_refresh_did_not_take(self) -> None:
        """What the pipe remembers while no history and no row does was loaded before the table was emptied.

        Where rows that are gone are to come back, COPY brings them: the pipe, which remembers the name, skips
        whatever is still announced. Source: https://docs.snowflake.com/en/sql-reference/sql/truncate-table
        """
        wanted = self.plan.asked.reload_gone and self.plan.evidence.is_witness
        left = [key for key, why in self.loaded.why.items() if why == _NOT_TAKEN] if wanted else []
        if left:
            named = {verdict.file.key: verdict for verdict in self.plan.by(Way.REFRESH)}
            for key in left:
                del self.loaded.why[key]
            self._copy_by_name([replace(named[key], way=Way.COPY) for key in left])

    def _copy_by_name(self, verdicts: Sequence[Verdict]) -> None:
        """Batches in parallel sessions, none begun after Ctrl-C; what a session ran is told as it ends."""
        left = batches(verdicts, self.plan.evidence.now)
        clouds, ready = self.run.writer.clouds, self.run.writer.ready
        writers = [Writer(clouds, f"write {number}", ready=ready) for number in range(clouds.sessions)]
        under_way: dict[Future[Copied], Writer] = {}
        failed: RunbookError | None = None
        with clouds.side_by_side(len(writers)) as pool:
            while under_way or (left and not failed and not self.stop.asked):
                while left and writers and not failed and not self.stop.asked:
                    writer = writers.pop(0)
                    under_way[pool.submit(self._copy_one, writer, *left.pop(0))] = writer
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for each in done:
                    writers.append(under_way.pop(each))
                    try:
                        self._copied(each.result())
                    except RunbookError as error:
                        failed = failed or error
        if failed:  # told once what ran beside it has ended and is on record
            raise failed

    def _copy_one(self, writer: Writer, uncertain: bool, batch: Sequence[Verdict]) -> "Copied":  # noqa: FBT001
        self._hold(COPY_S)
        evidence, still, _ = self._still(batch)
        keys = [verdict.file.key for verdict in still]
        for key in {verdict.file.key for verdict in batch} - set(keys):
            self.loaded.why.pop(key, None)
        if not keys:
            return Copied(len(batch))
        change = statements.copy(self.stream, self.run.settings, evidence.pipe, keys, uncertain=uncertain)
        receipts: list[Receipt] = []
        self.run.writer.begun += 1
        rows = self._run(change, split(change.sql), receipts, writer.answer)
        return Copied(len(batch), keys, rows, Applied(change, tuple(receipts)))

    def _copied(self, one: "Copied") -> None:
        if one.applied:
            self.run.applied(0, one.applied)
            self._note(one.rows, one.keys)
        self.progress(one.files, sum(int(row.get("rows_loaded") or 0) for row in one.rows))

    def _note(self, rows: Sequence[Row], keys: Sequence[str]) -> None:
        """COPY's answer, a row a file; a file it does not mention was skipped."""
        said = {_key(str(row["file"])): row for row in rows if row.get("file")}
        for key in keys:
            row = said.get(key)
            if row is not None and row["status"] in LOADED:
                self.loaded.files.add(key)
                self.loaded.why.pop(key, None)
            elif row is not None:
                self.loaded.why[key] = str(row["first_error"] or row["status"])
            else:
                self.loaded.why[key] = _SKIPPED

    # -- DELETE and COPY in one transaction ------------------------------------------------------------

    def _replace(self) -> None:
        for verdict in self.plan.by(Way.REPLACE):
            if self.stop.asked:
                return
            self._hold(COPY_S)
            evidence, still, _ = self._still([verdict])
            if still:
                self._replace_one(evidence, verdict.file.key)
            self.progress(1, 0)

    def _replace_one(self, evidence: Evidence, key: str) -> None:
        """The file's rows for its rows now; undone when the file does not load.

        And where other rows go than were looked at: a job that merges and empties the table has taken some
        on meanwhile, and the whole file would bring them a second time.
        """
        change = statements.replace(self.stream, self.run.settings, evidence.pipe, key)
        *delete, copy, commit = split(change.sql)
        receipts: list[Receipt] = []
        try:
            if _deleted(self._statements(change, delete, receipts)) == _rows_of(evidence, key):
                self._note(self._statements(change, [copy], receipts), [key])
            else:
                self.loaded.why[key] = _ROWS_CHANGED
            self._statements(change, [commit if key in self.loaded.files else "ROLLBACK"], receipts)
        except BaseException:
            self.loaded.files.discard(key)
            with suppress(Exception):  # what went wrong before is what is told
                self.run.writer.sql("ROLLBACK")
            raise
        if key in self.loaded.files:
            self.run.applied(0, Applied(change, tuple(receipts)))
        elif self.loaded.why[key] != _ROWS_CHANGED:
            self.loaded.why[key] += "; its former rows were kept"

    # -- REFRESH ---------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        verdicts = self.plan.by(Way.REFRESH)
        if not verdicts or self.stop.asked:
            return
        self._hold()
        evidence, still, others = self._still(verdicts)
        self.progress(len(verdicts) - len(still), 0)
        keys = {verdict.file.key for verdict in still}
        pairs, left = self.plan.refreshes(keys, others)
        self.loaded.queued = set()
        for some in batched(pairs, TOGETHER):
            if self.stop.asked:
                break
            self._keep()
            self._queue([(self.stream.prefix + prefix, after) for prefix, after in some], keys - left)
        for key in left:
            self.loaded.why[key] = "a file whose name goes on from this one appeared meanwhile: run it again"
        if evidence.status.execution_state == "RUNNING":
            self._wait(evidence)
        if pairs:
            starts = [self.stream.prefix + prefix for prefix, _ in pairs]
            known = {load.key for load in evidence.recent}
            self.loaded.strays = strays.found(
                self.run.facts(), self.stream, starts, pairs[0][1], known, evidence.now - looking.ALREADY
            )

    def _queue(self, pairs: Sequence[tuple[str, datetime]], keys: set[str]) -> None:
        """Some REFRESH statements, of whole prefixes, as one request that is done only under the lease."""
        cut = len(self.stream.prefix)
        made = [
            statements.refresh(self.stream, self.run.settings, start[cut:], after) for start, after in pairs
        ]
        lease = self.holding.lease if self.holding else None
        change, receipts = guarded(statements.together(made), lease), list[Receipt]()
        if is_late(self._statements(change, split(change.sql), receipts)):
            raise too_late(self.stream)
        self.run.applied(0, Applied(change, tuple(receipts)))
        self.loaded.queued |= {key for key in keys if key.startswith(tuple(start for start, _ in pairs))}

    def _wait(self, evidence: Evidence) -> None:
        """Until the pipe has dealt with what was queued, or nothing happens any more. Only reads.

        What was on record before, such as a COPY that failed, is not the pipe's doing.
        """
        since = evidence.now - looking.ALREADY
        reader, limit = self.run.reader, self.run.settings.checks.ready_within_seconds
        waiting, pause = set(self.loaded.queued), 0.1
        deadline = reader.now() + limit
        while waiting and not self.stop.asked and reader.now() < deadline:
            known = {
                load.key: load
                for load in self.run.facts().loads_since(self.stream, since) or ()
                if load.status != IN_PROGRESS and load not in self.on_record
            }
            dealt = waiting & known.keys()
            self.loaded.files |= {key for key in dealt if known[key].status in LOADED}
            waiting -= dealt
            self.progress(len(dealt), sum(known[key].rows for key in dealt))
            if dealt:
                deadline = reader.now() + limit
            elif waiting:
                reader.sleep(pause)
                pause = min(pause * 1.5, 5)
        self.loaded.queued = waiting if waiting and self._queue_has_some() else set()
        for key in waiting:
            self.loaded.why[key] = _QUEUED if self.loaded.queued else _NOT_TAKEN

    def _queue_has_some(self) -> bool:
        """Whether the pipe, or a REFRESH of it, still has something to do."""
        status = self.run.facts().pipe_status(self.stream)
        return status is not None and status.has_work

    # -- what all share --------------------------------------------------------------------------------

    def _still(self, verdicts: Sequence[Verdict]) -> tuple[Evidence, list[Verdict], set[str]]:
        """The evidence now, the files whose verdict is still the same, and what else REFRESH would take."""
        facts: Facts = self.run.facts()
        still: list[Verdict] = []
        others: set[str] = set()
        evidence = self.plan.evidence
        for at in range(0, len(verdicts), CHUNK):
            if at:
                self._keep()
            some = verdicts[at : at + CHUNK]
            keys = [verdict.file.key for verdict in some]
            evidence = looking.again(facts, self.plan.store.about(keys), keys)
            self.on_record |= set(evidence.recent)
            for verdict in some:
                now = judge(verdict.file, evidence, self.plan.asked)
                if now.kind is verdict.kind and now.way is not None:
                    still.append(verdict)
                elif would_queue(verdict.file, now.kind, evidence):
                    others.add(verdict.file.key)
        return evidence, still, others

    def _statements(self, change: SqlChange, texts: Sequence[str], receipts: list[Receipt]) -> list[Row]:
        answer = self.run.writer.answer
        return self._run(change, texts, receipts, lambda text: self._finished(lambda: answer(text)))

    def _run(
        self,
        change: SqlChange,
        texts: Sequence[str],
        receipts: list[Receipt],
        answer: Callable[[str], tuple[Receipt, list[Row]]],
    ) -> list[Row]:
        rows: list[Row] = []
        for text in texts:
            try:
                receipt, rows = answer(text)
            except SqlFailed as error:
                raise _failed(change, error, done=bool(self.run.changed)) from None
            receipts.append(receipt)
        return rows


@dataclass(frozen=True)
class Copied:
    """What one COPY came to: the files it was about, those it named, and Snowflake's answer."""

    files: int
    keys: Sequence[str] = ()
    rows: Sequence[Row] = ()
    applied: Applied | None = None


def batched(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The rows, some at a time."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _deleted(rows: Sequence[Row]) -> int:
    """How many rows a DELETE says that it took; the only cell of its answer.

    Source: https://docs.snowflake.com/en/sql-reference/sql/delete
    """
    return sum(int(str(cell)) for row in rows for cell in row.values())


def _rows_of(evidence: Evidence, key: str) -> int:
    found = evidence.rows(key)
    return found.rows if found else 0


def _failed(change: SqlChange, error: SqlFailed, *, done: bool) -> RunbookError:
    kind = NotConverged if done else RunbookError
    return kind(
        f"{change.why} failed",
        where=error.sql.split("\n", 1)[0][:80],
        why=str(error),
        remedy="mend that and run the same command again: it goes on with what is missing",
    )


def _key(url: str) -> str:
    """The object's key of COPY's ``file``, which is a URL on an external stage."""
    _, found, rest = url.partition("://")
    return rest.partition("/")[2] if found else url
