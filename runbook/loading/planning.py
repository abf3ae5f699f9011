"""Which files are loaded, by which tool: the verdicts of a store as a plan."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from runbook.facts.history import TABLE_MEMORY_DAYS
from runbook.facts.objects import StagedFile
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.looking import of_values
from runbook.ledger.store import Store
from runbook.ledger.verdicts import NOT_ALONE, Verdict, Way, judge, judged
from runbook.loading.prefixes import exact_prefixes, whole_names

FILES_PER_COPY = 1000  # https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
EXAMPLES = 5


@dataclass(frozen=True)
class BackfillPlan:
    """Every file that matches, each in one class, each with a tool or a reason.

    Files and bytes are counted where they are kept; files as values are only what is loaded or named.
    """

    asked: Asked
    store: Store

    @property
    def evidence(self) -> Evidence:
        """What concerns no single file."""
        return self.store.evidence

    @cached_property
    def tools(self) -> dict[tuple[Kind, Way | None], tuple[int, int]]:
        """Files and bytes by class and tool; the sums are the matches."""
        order = list(Kind)
        found = self.store.tools().items()
        return dict(sorted(found, key=lambda item: (order.index(item[0][0]), item[0][1] or "")))

    @cached_property
    def counts(self) -> dict[Kind, tuple[int, int]]:
        """Files and bytes by class, in the classes' order."""
        found: dict[Kind, tuple[int, int]] = {}
        for (kind, _), (files, size) in self.tools.items():
            before = found.get(kind, (0, 0))
            found[kind] = before[0] + files, before[1] + size
        return found

    @property
    def matching(self) -> tuple[int, int]:
        """Files and bytes that match."""
        return _total(self.tools.values())

    def loaded_by(self, *ways: Way) -> tuple[int, int]:
        """Files and bytes that these tools load; all tools where none is named."""
        return _total(
            found for (_, way), found in self.tools.items() if way is not None and way in (ways or Way)
        )

    def verdicts(
        self, *, kinds: Collection[Kind] | None = None, ways: Collection[Way] | None = None
    ) -> Iterator[Verdict]:
        """The files that match, oldest first; only of some kinds, or some tools'."""
        for some in self.store.verdicts(kinds=kinds, ways=ways):
            said = [Verdict(*each) for each in some]
            told = {
                each.file.key for each in said if each.way in (None, Way.REPLACE) and each.kind.is_missing
            }
            evidence = self.store.about(sorted(told)) if told else self.evidence
            for each in said:
                yield self._with_reason(each, evidence) if each.file.key in told else each

    def _with_reason(self, each: Verdict, evidence: Evidence) -> Verdict:
        """The file's verdict as it would be alone; another where REFRESH cannot take it alone."""
        alone = judge(each.file, evidence, self.asked)
        return replace(alone, way=None, why=NOT_ALONE) if each.way is None and alone.way else alone

    def by(self, way: Way) -> tuple[Verdict, ...]:
        """The files of one tool, oldest first."""
        return tuple(self.verdicts(ways=[way])) if self.loaded_by(way)[0] else ()

    @cached_property
    def to_load(self) -> tuple[Verdict, ...]:
        """Everything that is loaded."""
        return tuple(self.verdicts(ways=list(Way)))

    @property
    def missing(self) -> Iterator[Verdict]:
        """What is not, or not wholly, in the table; or is not known."""
        return self.verdicts(kinds=[kind for kind in Kind if kind.is_missing])

    @cached_property
    def first(self) -> tuple[str, ...]:
        """The keys of the first few that match."""
        return tuple(self.store.first(EXAMPLES))

    @cached_property
    def estimated_rows(self) -> int | None:
        """Rows to come, by the rows a byte of what this table loaded; None when nothing is known."""
        rows, size = self.store.loaded_size()
        return round(rows / size * self.loaded_by()[1]) if size else None

    # -- REFRESH, for exactly what is wanted -----------------------------------------------------------

    def refreshes(
        self, keys: Iterable[str] | None = None, also: Iterable[str] = ()
    ) -> tuple[tuple[tuple[str, datetime], ...], frozenset[str]]:
        """REFRESH's PREFIX and MODIFIED_AFTER pairs that queue these keys and no other; and keys it cannot.

        Without ``keys``: everything that the plan loads by REFRESH. REFRESH takes every file under PREFIX,
        of any suffix, that neither the pipe nor the table remembers: also what an earlier pipe loaded,
        which must not be queued again, and whatever else ``also`` names. A just arrived file is the
        pipe's own and harmless.
        """
        chosen = None if keys is None else frozenset(keys)
        wanted, others, since = self.store.near(chosen, frozenset(also))
        if since is None:
            return (), frozenset()
        after = since - timedelta(seconds=1)
        prefixes, left = exact_prefixes(frozenset(wanted), others)
        prefixes = whole_names(prefixes, wanted)
        cut = len(self.evidence.stream.prefix)
        return tuple((prefix[cut:], after) for prefix in prefixes), left


def _total(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    pairs = list(parts)
    return sum(files for files, _ in pairs), sum(size for _, size in pairs)


def plan_files(asked: Asked, listed: Sequence[StagedFile], evidence: Evidence) -> BackfillPlan:
    """The plan for everything listed that matches."""
    return plan_store(asked, of_values(asked, listed, evidence))


def plan_store(asked: Asked, store: Store) -> BackfillPlan:
    """The plan for everything in a store that matches."""
    store.judge(asked, lambda file, evidence: judged(file, evidence, asked))
    plan = BackfillPlan(asked, store)
    if plan.loaded_by(Way.REFRESH)[0]:
        _, left = plan.refreshes()
        if left:  # REFRESH takes others with them, and COPY would not let the pipe know them
            store.take_away(left)
            return BackfillPlan(asked, store)
    return plan


# -- COPY, in batches -------------------------------------------------------------------------------------


def batches(verdicts: Sequence[Verdict], now: datetime) -> list[tuple[bool, tuple[Verdict, ...]]]:
    """Files for one COPY each, oldest first; True where the table's memory cannot know them any more."""
    horizon = now - timedelta(days=TABLE_MEMORY_DAYS - 1)
    old = [verdict for verdict in verdicts if verdict.file.modified <= horizon]
    new = [verdict for verdict in verdicts if verdict.file.modified > horizon]
    return [
        (uncertain, tuple(rows[at : at + FILES_PER_COPY]))
        for uncertain, rows in ((True, old), (False, new))
        for at in range(0, len(rows), FILES_PER_COPY)
    ]
