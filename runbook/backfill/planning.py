"""Which files are loaded, by which tool, and which are not, because of what. Pure functions over evidence."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from runbook.backfill.asked import Asked
from runbook.backfill.classes import Evidence, Kind, classify
from runbook.facts.history import TABLE_MEMORY_DAYS
from runbook.facts.ranges import common
from runbook.facts.snowflake import StagedFile

FILES_PER_COPY = 1000  # https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
EXAMPLES = 5

WITHOUT_ASKING = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE)
REPLACED = (Kind.PARTLY_LOADED, Kind.CHANGED)
FAILURES = (Kind.FAILED, Kind.ARCHIVED)


class Way(StrEnum):
    """The tool that loads a file."""

    REFRESH = "refresh"
    COPY = "copy"
    REPLACE = "replace"


@dataclass(frozen=True)
class Verdict:
    """One file: its class, the tool that loads it now, and else why it stays."""

    file: StagedFile
    kind: Kind
    way: Way | None = None
    why: str = ""


@dataclass(frozen=True)
class BackfillPlan:
    """Every file that matches, each in one class, each with a tool or a reason."""

    asked: Asked
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    listed: tuple[StagedFile, ...]

    @cached_property
    def counts(self) -> dict[Kind, tuple[int, int]]:
        """Files and bytes by class, in the classes' order; the sums are the matches."""
        files, size = Counter[Kind](), Counter[Kind]()
        for verdict in self.verdicts:
            files[verdict.kind] += 1
            size[verdict.kind] += verdict.file.size
        return {kind: (files[kind], size[kind]) for kind in Kind if files[kind]}

    def by(self, way: Way) -> tuple[Verdict, ...]:
        """The files of one tool, oldest first."""
        return tuple(verdict for verdict in self.verdicts if verdict.way is way)

    @cached_property
    def to_load(self) -> tuple[Verdict, ...]:
        """Everything that is loaded."""
        return tuple(verdict for verdict in self.verdicts if verdict.way is not None)

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """What is not, or not wholly, in the table; or cannot be told."""
        return tuple(verdict for verdict in self.verdicts if verdict.kind.is_missing)

    @cached_property
    def estimated_rows(self) -> int | None:
        """Rows to come, by the rows a byte of what this table loaded; None when nothing is known."""
        sizes = {file.key: file.size for file in self.listed}
        rows = size = 0
        for load in self.evidence.recent:
            if load.rows and load.key in sizes:
                rows, size = rows + load.rows, size + sizes[load.key]
        if not size:
            return None
        return round(rows / size * sum(verdict.file.size for verdict in self.to_load))


def plan_files(asked: Asked, listed: Sequence[StagedFile], evidence: Evidence) -> BackfillPlan:
    """The plan for everything listed that matches, oldest first."""
    matching = sorted((file for file in listed if asked.matches(file)), key=_age)
    verdicts = [judge(file, evidence, asked) for file in matching]
    wanted = {verdict.file.key for verdict in verdicts if verdict.way is Way.REFRESH}
    _, uncovered = refreshes(wanted, listed, evidence)
    return BackfillPlan(
        asked,
        evidence,
        tuple(_by_copy(verdict) if verdict.file.key in uncovered else verdict for verdict in verdicts),
        tuple(listed),
    )


def _age(file: StagedFile) -> tuple[datetime, str]:
    return file.modified, file.key


def _by_copy(verdict: Verdict) -> Verdict:
    """REFRESH cannot name the file without taking another one with it."""
    return Verdict(verdict.file, verdict.kind, Way.COPY)


def judge(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    """One file's class, and its tool or why it has none."""
    kind = classify(file, evidence)
    if kind in FAILURES and not asked.reload_failed:
        return Verdict(file, kind, why=f"{_error(file, evidence)}; --reload-failed tries it again")
    if kind in WITHOUT_ASKING or kind in FAILURES:
        return _tool(file, kind, evidence, asked)
    if kind in REPLACED:
        return _replaced(file, kind, evidence, asked)
    if kind is Kind.ROWS_GONE:
        return _gone(file, evidence, asked)
    return Verdict(file, kind, why=_unknown(evidence) if kind is Kind.TOO_OLD_TO_KNOW else "")


def _error(file: StagedFile, evidence: Evidence) -> str:
    errors = [load.first_error for load in evidence.loads(file.key) if load.first_error]
    return errors[-1] if errors else "no error is on record"


def _tool(file: StagedFile, kind: Kind, evidence: Evidence, asked: Asked) -> Verdict:
    """COPY for what the pipe has dealt with or is too old for it, else REFRESH: it asks both memories."""
    if evidence.pipe_knows(file):
        return Verdict(file, kind, Way.COPY)
    if evidence.is_young(file):
        state = evidence.status.execution_state
        if state != "RUNNING" and not (state == "PAUSED" and asked.queue_while_paused):
            return Verdict(
                file, kind, why=f"the pipe is {state or 'not running'}, and the file is its to load"
            )
        return Verdict(file, kind, Way.REFRESH)
    if evidence.may_be_queued(file):
        return Verdict(file, kind, why="it may be waiting in the pipe's queue")
    if asked.queue_while_paused:
        return Verdict(file, kind, why="it is too old for a paused pipe's queue")
    return Verdict(file, kind, Way.COPY)


def _replaced(file: StagedFile, kind: Kind, evidence: Evidence, asked: Asked) -> Verdict:
    done = evidence.done(file.key)
    found = evidence.rows(file.key)
    rows = found.rows if found else 0
    loss = f", {done.rows_parsed - done.rows} rows left out" if kind is Kind.PARTLY_LOADED and done else ""
    if found is None:
        return Verdict(
            file,
            kind,
            why=f"the table has no _file column to tell its rows by{loss}: a person must replace them",
        )
    if asked.reload_failed:
        return Verdict(file, kind, Way.REPLACE, f"its {rows} rows are deleted and the file is loaded again")
    return Verdict(
        file, kind, why=f"{rows} rows are in the table{loss}; --reload-failed deletes them and loads it again"
    )


def _gone(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    done = evidence.done(file.key)
    earlier = done is not None and done.loaded_at is not None and done.loaded_at < evidence.table.created_on
    why = "into an earlier table of that name" if earlier else "its rows were deleted since"
    if not asked.reload_gone:
        return Verdict(file, Kind.ROWS_GONE, why=f"{why}; --reload-gone loads it again")
    if not earlier and evidence.table_knows(file):
        return Verdict(
            file,
            Kind.ROWS_GONE,
            why=f"{why}, and the table's own load memory ({TABLE_MEMORY_DAYS} days) skips it: "
            "only COPY with FILES and FORCE = TRUE would load it",
        )
    return _tool(file, Kind.ROWS_GONE, evidence, asked)


def _unknown(evidence: Evidence) -> str:
    since = evidence.known_since
    reach = f"only files after {since:%Y-%m-%d %H:%M} UTC are on record" if since else "its load was skipped"
    if evidence.account is None:
        return f"{reach}: grant SNOWFLAKE.USAGE_VIEWER to see a year of loads"
    return f"{reach}: ACCOUNT_USAGE may be two days late, look again then"


# -- REFRESH, for exactly what is wanted ------------------------------------------------------------------


def refreshes(
    wanted: Iterable[str], listed: Iterable[StagedFile], evidence: Evidence
) -> tuple[tuple[tuple[str, datetime], ...], frozenset[str]]:
    """REFRESH's PREFIX and MODIFIED_AFTER pairs that queue these keys and no other; and keys it cannot.

    REFRESH takes every file under PREFIX, of any suffix, that neither the pipe nor the table remembers:
    also what an earlier pipe loaded, which must not be queued again. A just arrived file is
    the pipe's own and harmless.
    """
    keys = frozenset(wanted)
    if not keys:
        return (), frozenset()
    files = {file.key: file for file in listed}
    after = min(files[key].modified for key in keys) - timedelta(seconds=1)
    others = {
        file.key
        for file in files.values()
        if file.key not in keys
        and file.modified > after
        and not evidence.pipe_knows(file)
        and not evidence.table_knows(file)
        and classify(file, evidence) is not Kind.IN_FLIGHT
    }
    prefixes, left = exact_prefixes(keys, others)
    cut = len(evidence.stream.prefix)
    return tuple((prefix[cut:], after) for prefix in prefixes), left


def exact_prefixes(wanted: frozenset[str], others: Iterable[str]) -> tuple[list[str], frozenset[str]]:
    """The fewest prefixes under which every wanted key lies and no other; and keys without such a one.

    A key that another key begins with has none: REFRESH takes both.
    """
    found: list[str] = []
    left: set[str] = set()
    stack = [sorted({*wanted, *others})]
    while stack:
        keys = stack.pop()
        inside = [key for key in keys if key in wanted]
        shared = common(keys[0], keys[-1])
        if not inside:
            continue
        if len(inside) == len(keys):
            found.append(shared)
            continue
        if keys[0] == shared:
            left.update({shared} & wanted)
            keys = keys[1:]
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(key[len(shared)], []).append(key)
        stack.extend(groups.values())
    return sorted(found), frozenset(left)


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
