"""The store that holds values: for folders of some thousand files, and without anything to install."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.facts.history import RowsOfFile
from runbook.facts.objects import Load, StagedFile
from runbook.facts.snowflake import load_of, utc
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.store import Judge
from runbook.ledger.verdicts import Way
from runbook.listing.ranges import Page

MOST = 20_000
"""Lines of anything: what more there is, DuckDB compares faster and in less memory."""


class TooMany(Exception):
    """There is more than values are for."""


class Plain:
    """One stream's files and what is known of them, as values; see :class:`runbook.ledger.store.Store`."""

    as_of: str | None = None

    def __init__(self, evidence: Evidence, *, most: int = MOST) -> None:
        self.evidence = evidence
        self._most = most
        self._files: dict[str, StagedFile] = {}
        self._recent: list[Load] = []
        self._account: list[Load] = []
        self._rows: dict[str, RowsOfFile] = {}
        self._matching: list[StagedFile] = []
        self._judged: dict[str, tuple[Kind, Way | None, bool]] = {}

    @classmethod
    def of(cls, files: Iterable[StagedFile], evidence: Evidence) -> "Plain":
        """What is listed, and evidence that holds everything already."""
        found = cls(evidence)
        found._files = {file.key: file for file in files}
        found._recent, found._account = list(evidence.recent), list(evidence.account or ())
        found._rows = dict(evidence.table.files or {})
        return found

    def close(self) -> None:
        """Nothing is held but values."""

    # -- what is put in --------------------------------------------------------------------------------

    def add_pages(self, pages: Sequence[Page], asked: Asked) -> None:
        """Add files as S3 lists them; their time in whole seconds, which is all that LIST knows."""
        for page in pages:
            each = zip(page.keys, page.sizes, page.modified, strict=True)
            self.add_files((StagedFile(key, int(size), "", _second(at)) for key, size, at in each), asked)

    def add_files(self, files: Iterable[StagedFile], asked: Asked) -> None:  # noqa: ARG002 (as the others)
        """Add files that are listed, as values."""
        self._files.update((file.key, file) for file in files)
        self._refuse_more(len(self._files))

    def add_history(self, batch: Any, *, recent: bool) -> None:
        """Add lines of a history, as Snowflake answers: Arrow or rows."""
        self.add_loads((load_of(row, self.evidence.stream) for row in _as_rows(batch)), recent=recent)

    def add_loads(self, loads: Iterable[Load], *, recent: bool) -> None:
        """Add lines of a history, as values."""
        lines = self._recent if recent else self._account
        lines.extend(loads)
        self._refuse_more(len(lines))

    def add_rows(self, batch: Any) -> None:
        """Add the table's rows by file, as Snowflake answers: Arrow or rows."""
        for row in _as_rows(batch):
            read_at = utc(row["t"]) if row["t"] else None
            odd = int(row["twice"] or 0), int(row["misread"] or 0)
            self._rows[str(row["f"])] = RowsOfFile(int(row["n"]), read_at, *odd)
        self._refuse_more(len(self._rows))

    def _refuse_more(self, lines: int) -> None:
        if lines > self._most:
            raise TooMany

    def forget_files(self) -> None:
        """Forget what is listed, to list it by other means."""
        self._files.clear()

    def forget_histories(self) -> None:
        """Forget loads and rows, to read them again."""
        self._recent, self._account, self._rows = [], [], {}

    def rows_present(self) -> int:
        """How many rows of the table name their file."""
        return sum(rows.rows for rows in self._rows.values())

    def judged_as_a_whole(self, evidence: Evidence) -> Evidence:
        """The evidence with everything that was put in."""
        table = evidence.table
        return replace(
            evidence,
            recent=tuple(self._recent),
            account=None if evidence.account is None else tuple(self._account),
            table=replace(table, files=None if table.files is None else dict(self._rows)),
        )

    # -- what is asked ---------------------------------------------------------------------------------

    def judge(self, asked: Asked, judge: Judge) -> None:
        """Give each file its verdict."""
        self._judged = {file.key: judge(file, self.evidence) for file in self._files.values()}
        matching = (file for file in self._files.values() if asked.matches(file))
        self._matching = sorted(matching, key=lambda file: (file.modified, file.key))

    def take_away(self, keys: Collection[str]) -> None:
        """Leave some files without a tool, whatever was judged."""
        for key in keys:
            kind, _, queued = self._judged[key]
            self._judged[key] = kind, None, queued

    def tools(self) -> dict[tuple[Kind, Way | None], tuple[int, int]]:
        """Files and bytes that match, by class and tool."""
        files: Counter[tuple[Kind, Way | None]] = Counter()
        sizes: Counter[tuple[Kind, Way | None]] = Counter()
        for file in self._matching:
            kind, way, _ = self._judged[file.key]
            files[kind, way] += 1
            sizes[kind, way] += file.size
        return {each: (files[each], sizes[each]) for each in files}

    def verdicts(
        self, *, kinds: Collection[Kind] | None = None, ways: Collection[Way] | None = None
    ) -> Iterator[list[tuple[StagedFile, Kind, Way | None]]]:
        """The files that match, oldest first; only of some kinds, or some tools'."""
        each = ((file, *self._judged[file.key][:2]) for file in self._matching)
        yield [
            (file, kind, way)
            for file, kind, way in each
            if (kinds is None or kind in kinds) and (ways is None or way in ways)
        ]

    def first(self, count: int) -> list[str]:
        """The keys of the first few that match, oldest first."""
        return [file.key for file in self._matching[:count]]

    def near(
        self, keys: Collection[str] | None, also: Collection[str]
    ) -> tuple[set[str], set[str], datetime | None]:
        """Which files a REFRESH is for, which others it must not take, and since when it must reach."""
        planned = {file.key for file in self._matching if self._judged[file.key][1] is Way.REFRESH}
        wanted = planned if keys is None else set(keys) & self._files.keys()
        since = min((self._files[key].modified for key in wanted), default=None)
        if since is None:
            return set(), set(), None
        reached = since - timedelta(seconds=1)
        others = {
            file.key
            for file in self._files.values()
            if file.modified >= reached
            and (file.key in also or (self._judged[file.key][2] and file.key not in planned))
        }
        return wanted, others - wanted, since

    def about(self, keys: Sequence[str]) -> Evidence:
        """The evidence about a few files, as values."""
        wanted, evidence = set(keys), self.evidence
        return evidence.about(
            tuple(load for load in self._recent if load.key in wanted),
            None if evidence.account is None else tuple(each for each in self._account if each.key in wanted),
            {key: rows for key, rows in self._rows.items() if key in wanted},
        )

    def listed(self, asked: Asked) -> tuple[int, int, int]:
        """How many files are listed, of these in time, and of these again named by the pattern."""
        in_time = [file for file in self._files.values() if asked.in_time(file)]
        return len(self._files), len(in_time), sum(asked.names(file.key) for file in in_time)

    def first_keys(self, count: int) -> list[str]:
        """The first keys listed, in their order."""
        return sorted(self._files)[:count]

    def loaded_size(self) -> tuple[int, int]:
        """Rows and bytes of the loads of the last days whose files are there still."""
        loads = [load for load in self._recent if load.rows > 0 and load.key in self._files]
        return sum(load.rows for load in loads), sum(self._files[load.key].size for load in loads)


def _as_rows(batch: Any) -> list[dict[str, Any]]:
    """A batch as rows, whether it is Arrow or rows."""
    rows: list[dict[str, Any]] = batch if isinstance(batch, list) else batch.to_pylist()
    return rows


def _second(written: bytes) -> datetime:
    """A time as S3 writes it, such as 2026-01-31T08:00:00.000Z."""
    return datetime.fromisoformat(written.decode()).astimezone(UTC).replace(microsecond=0)
