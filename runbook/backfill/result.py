"""What a backfill of one stream planned and did, and the counts that show nothing is there twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from runbook.clouds.reader import Reader
from runbook.ledger.classes import Kind
from runbook.ledger.store import TOGETHER
from runbook.ledger.verdicts import Verdict
from runbook.loading.loader import Loaded
from runbook.loading.planning import BackfillPlan
from runbook.settings import Stream
from runbook.sql import literal


@dataclass(frozen=True)
class Counted:
    """Repetitions among the rows of a range of files; None where the table has not the columns."""

    event_ids: int | None
    rows_twice: int | None


@dataclass(frozen=True)
class Result:
    """One stream: what was loaded (None after a dry run), and everything judged again."""

    stream: Stream
    now: BackfillPlan
    loaded: Loaded | None = None
    before: Counted = Counted(None, None)
    after: Counted = Counted(None, None)

    @property
    def missing(self) -> Iterator[Verdict]:
        """What is still not in the table."""
        return self.now.missing

    @property
    def files_missing(self) -> int:
        """How many files are still not in the table."""
        return sum(files for kind, (files, _) in self.now.counts.items() if kind.is_missing)

    @cached_property
    def rows(self) -> int:
        """Rows the loaded files have, by the table itself or, without names there, by the histories."""
        rows, keys = 0, sorted(self.loaded.files) if self.loaded else []
        for at in range(0, len(keys), TOGETHER):
            some = keys[at : at + TOGETHER]
            evidence = self.now.store.about(some)
            for key in some:
                found, done = evidence.rows(key), evidence.done(key)
                rows += found.rows if found else done.rows if done else 0
        return rows

    @property
    def event_ids(self) -> tuple[int, int] | None:
        """event_ids that repeat in the range, before and after; None where that was not counted."""
        if self.before.event_ids is None or self.after.event_ids is None:
            return None
        return self.before.event_ids, self.after.event_ids

    @property
    def rows_twice(self) -> int:
        """Rows of the same file and row number that came to be there twice. More than none is an error."""
        return max((self.after.rows_twice or 0) - (self.before.rows_twice or 0), 0)

    @cached_property
    def unsettled_until(self) -> datetime | None:
        """When an earlier pipe cannot be at some of the files any more; None where none may be."""
        evidence = self.now.evidence
        until = evidence.pipe.created_on + evidence.patience
        if evidence.now >= until:
            return None
        files = (verdict.file for verdict in self.now.verdicts(kinds=[Kind.IN_FLIGHT]))
        return until if any(evidence.may_be_half_way(file) for file in files) else None

    def why(self, verdict: Verdict) -> str:
        """Why a file is missing now."""
        said = self.loaded.why.get(verdict.file.key, "") if self.loaded else ""
        if said or verdict.why:
            return said or verdict.why
        if self.loaded is None:
            return f"{verdict.way} would load it"
        return "stopped before it" if self.loaded.stopped else "it came up meanwhile: run it again"


def repetitions(reader: Reader, stream: Stream, columns: tuple[str, ...], keys: list[str]) -> Counted:
    """Repetitions in the range of these files' names. Only reads.

    An event_id may repeat in good data, a row of a file may not.
    """
    if "_FILE" not in columns or not keys:
        return Counted(None, None)
    events = "COUNT(event_id) - COUNT(DISTINCT event_id)" if "EVENT_ID" in columns else "NULL"
    places = "COUNT(_file_row) - COUNT(DISTINCT _file, _file_row)" if "_FILE_ROW" in columns else "NULL"
    row = reader.sql(
        f"SELECT {events} AS e, {places} AS p FROM {stream.table.sql} "
        f"WHERE _file >= {literal(min(keys))} AND _file <= {literal(max(keys))}"
    )[0]
    return Counted(*(None if row[name] is None else int(row[name]) for name in ("e", "p")))
