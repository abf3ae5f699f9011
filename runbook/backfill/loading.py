"""Loading what a plan names: by COPY first, then replacements, then REFRESH, which asks what COPY told.

Right before each statement the histories and the table are read again, and whatever somebody else
has loaded meanwhile is left out. Killed anywhere, the next run finds what is done in the histories.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runbook.backfill import looking, statements
from runbook.backfill.classes import IN_PROGRESS, Evidence
from runbook.backfill.planning import BackfillPlan, Verdict, Way, batches, judge, refreshes
from runbook.errors import NotConverged, RunbookError
from runbook.facts import Facts
from runbook.facts.delivery import LOADED
from runbook.plan import Applied, SqlChange
from runbook.running import Run
from runbook.session import Receipt, Row, SqlFailed
from runbook.settings import Stream
from runbook.sql import statements as split

T = TypeVar("T")

CHUNK = 1000  # files whose rows are read again in one statement


class Stop:
    """Ctrl-C, kept until the running statement has ended; a second one ends the command there."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take Ctrl-C while loading."""
        before = signal.signal(signal.SIGINT, self._asked)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)

    def _asked(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @staticmethod
    def finish(statement: Callable[[], T]) -> T:
        """Run in another thread: in the main one the connector cancels a statement at Ctrl-C."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(statement).result()


@dataclass
class Loaded:
    """What came of it: files dealt with, and for some why they were not loaded."""

    files: set[str] = field(default_factory=set)
    queued: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


@dataclass
class Loader:
    """One stream being loaded. ``progress(n)`` is told of every n files dealt with."""

    run: Run
    stream: Stream
    plan: BackfillPlan
    stop: Stop
    progress: Callable[[int], None]
    loaded: Loaded = field(default_factory=Loaded)

    def load(self) -> Loaded:
        """Load everything the plan names, until told to stop. Writes."""
        self._copy()
        self._replace()
        self._refresh()
        self.loaded.stopped = self.stop.asked
        return self.loaded

    # -- COPY ------------------------------------------------------------------------------------------

    def _copy(self) -> None:
        for uncertain, batch in batches(self.plan.by(Way.COPY), self.plan.evidence.now):
            if self.stop.asked:
                return
            evidence, still = self._still(batch)
            if keys := [verdict.file.key for verdict in still]:
                change = statements.copy(
                    self.stream, self.run.settings, evidence.pipe, keys, uncertain=uncertain
                )
                self._note(self._make(change), keys)
            self.progress(len(batch))

    def _note(self, rows: Sequence[Row], keys: Sequence[str]) -> None:
        """COPY's answer, a row a file; a file it does not mention was skipped."""
        said = {_key(str(row["file"])): row for row in rows if row.get("file")}
        for key in keys:
            row = said.get(key)
            if row is not None and row["status"] in LOADED:
                self.loaded.files.add(key)
            elif row is not None:
                self.loaded.why[key] = str(row["first_error"] or row["status"])
            else:
                self.loaded.why[key] = "COPY skipped it: the table's own load memory knows it"

    # -- DELETE and COPY in one transaction ------------------------------------------------------------

    def _replace(self) -> None:
        for verdict in self.plan.by(Way.REPLACE):
            if self.stop.asked:
                return
            evidence, still = self._still([verdict])
            if still:
                self._replace_one(evidence, verdict.file.key)
            self.progress(1)

    def _replace_one(self, evidence: Evidence, key: str) -> None:
        """The file's rows for its rows now; undone when the file does not load."""
        change = statements.replace(self.stream, self.run.settings, evidence.pipe, key)
        *work, commit = split(change.sql)
        receipts: list[Receipt] = []
        try:
            answer = self._statements(change, work, receipts)
            self._note(answer, [key])
            self._statements(change, [commit if key in self.loaded.files else "ROLLBACK"], receipts)
        except BaseException:
            self.loaded.files.discard(key)
            with suppress(Exception):  # what went wrong before is what is told
                self.run.writer.sql("ROLLBACK")
            raise
        if key in self.loaded.files:
            self.run.applied(0, Applied(change, tuple(receipts)))
        else:
            self.loaded.why[key] += "; its former rows were kept"

    # -- REFRESH ---------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        verdicts = self.plan.by(Way.REFRESH)
        if not verdicts or self.stop.asked:
            return
        evidence, still = self._still(verdicts)
        self.progress(len(verdicts) - len(still))
        keys = {verdict.file.key for verdict in still}
        pairs, left = refreshes(keys, self.plan.listed, evidence)
        self.loaded.queued = set()
        for prefix, after in pairs:
            if self.stop.asked:
                break
            self._make(statements.refresh(self.stream, self.run.settings, prefix, after))
            start = self.stream.prefix + prefix
            self.loaded.queued |= {key for key in keys - left if key.startswith(start)}
        for key in left:
            self.loaded.why[key] = "a file whose name goes on from this one appeared meanwhile: run it again"
        if evidence.status.execution_state == "RUNNING":
            self._wait()

    def _wait(self) -> None:
        """Until the pipe has dealt with what was queued, or nothing happens any more. Only reads."""
        reader, limit = self.run.reader, self.run.settings.checks.ready_within_seconds
        waiting, pause = set(self.loaded.queued), 0.1
        deadline = reader.now() + limit
        while waiting and not self.stop.asked and reader.now() < deadline:
            known = {
                load.key: load.status
                for load in self.run.facts().loads(self.stream) or ()
                if load.status != IN_PROGRESS
            }
            dealt = waiting & known.keys()
            self.loaded.files |= {key for key in dealt if known[key] in LOADED}
            waiting -= dealt
            self.progress(len(dealt))
            if dealt:
                deadline = reader.now() + limit
            elif waiting:
                reader.sleep(pause)
                pause = min(pause * 1.5, 5)
        for key in waiting:
            self.loaded.why[key] = "queued, and the pipe has not loaded it yet"

    # -- what all share --------------------------------------------------------------------------------

    def _still(self, verdicts: Sequence[Verdict]) -> tuple[Evidence, list[Verdict]]:
        """The evidence now, and those of the files whose verdict is still the same."""
        evidence = self.plan.evidence
        facts: Facts = self.run.facts()
        keys = [verdict.file.key for verdict in verdicts]
        for at in range(0, len(keys), CHUNK):
            evidence = looking.again(facts, evidence, keys[at : at + CHUNK])
        asked = self.plan.asked
        return evidence, [
            verdict
            for verdict in verdicts
            if (now := judge(verdict.file, evidence, asked)).kind is verdict.kind and now.way is not None
        ]

    def _make(self, change: SqlChange) -> list[Row]:
        """Run a change to its end and put it on record; the last statement's rows. Writes."""
        receipts: list[Receipt] = []
        rows = self._statements(change, split(change.sql), receipts)
        self.run.applied(0, Applied(change, tuple(receipts)))
        return rows

    def _statements(
        self, change: SqlChange, texts: Sequence[str], receipts: list[Receipt]
    ) -> list[dict[str, Any]]:
        rows: list[Row] = []
        for text in texts:
            try:
                receipt, rows = self.stop.finish(lambda text=text: self.run.writer.answer(text))  # type: ignore[misc]
            except SqlFailed as error:
                raise _failed(change, error, done=bool(self.run.changed)) from None
            receipts.append(receipt)
        return rows


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
