"""Which files are loaded, by which tool, and which are not, because of what. Pure functions over evidence."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from runbook.backfill.asked import Asked
from runbook.backfill.survey import Survey, staged_file
from runbook.facts.history import TABLE_MEMORY_DAYS
from runbook.facts.snowflake import REFRESH_DAYS, STOPPED_FOR_GOOD, StagedFile
from runbook.invocation import typed
from runbook.ledger.classes import Evidence, Kind, classify
from runbook.loading.prefixes import exact_prefixes, whole_names

FILES_PER_COPY = 1000  # https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
EXAMPLES = 5

WITHOUT_ASKING = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE)
REPLACED = (Kind.LOADED_TWICE, Kind.MISREAD, Kind.PARTLY_LOADED, Kind.CHANGED)
FAILURES = (Kind.FAILED, Kind.ARCHIVED)
NOT_ALONE = (
    "REFRESH would also take another file, whose name begins with this one's; COPY would have it loaded "
    f"twice, should its announcement still come, and loads it once it is {REFRESH_DAYS} days old: run it "
    "again then, or once the other file is gone"
)


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
    """Every file that matches, each in one class, each with a tool or a reason.

    Files and bytes are counted where they are kept; files as values are only what is loaded or named.
    """

    asked: Asked
    survey: Survey

    @property
    def evidence(self) -> Evidence:
        """What concerns no single file."""
        return self.survey.evidence

    @cached_property
    def tools(self) -> dict[tuple[Kind, Way | None], tuple[int, int]]:
        """Files and bytes by class and tool; the sums are the matches."""
        rows = self.survey.rows(
            "SELECT kind, way, count(*) + sum(coalesce(files, 0))::BIGINT, "
            f"(sum(size) + sum(coalesce(bytes, 0)))::BIGINT FROM {_JUDGED} LEFT JOIN heaps USING (key) "
            "WHERE wanted GROUP BY ALL"
        )
        found = {
            (Kind(kind), Way(way) if way else None): (files, size)
            for some in rows
            for kind, way, files, size in some
        }
        order = list(Kind)
        return dict(sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1] or "")))

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

    def verdicts(self, which: str = "TRUE") -> Iterator[Verdict]:
        """The files that match, oldest first."""
        query = (
            f"SELECT key, size, modified, kind, way FROM {_JUDGED} WHERE wanted AND {which} "
            "ORDER BY modified, key"
        )
        for some in self.survey.rows(query):
            said = [
                Verdict(staged_file(*file), Kind(kind), Way(way) if way else None)
                for *file, kind, way in some
            ]
            told = {
                each.file.key for each in said if each.way in (None, Way.REPLACE) and each.kind.is_missing
            }
            evidence = self.survey.about(sorted(told)) if told else self.evidence
            for each in said:
                yield self._with_reason(each, evidence) if each.file.key in told else each

    def _with_reason(self, each: Verdict, evidence: Evidence) -> Verdict:
        """The file's verdict as it would be alone; another where REFRESH cannot take it alone."""
        alone = judge(each.file, evidence, self.asked)
        return replace(alone, way=None, why=NOT_ALONE) if each.way is None and alone.way else alone

    def by(self, way: Way) -> tuple[Verdict, ...]:
        """The files of one tool, oldest first."""
        return tuple(self.verdicts(f"way = '{way}'")) if self.loaded_by(way)[0] else ()

    @cached_property
    def to_load(self) -> tuple[Verdict, ...]:
        """Everything that is loaded."""
        return tuple(self.verdicts("way IS NOT NULL"))

    @property
    def missing(self) -> Iterator[Verdict]:
        """What is not, or not wholly, in the table; or cannot be told."""
        kinds = ", ".join(f"'{kind}'" for kind in Kind if kind.is_missing)
        return self.verdicts(f"kind IN ({kinds})")

    @cached_property
    def first(self) -> tuple[str, ...]:
        """The keys of the first few that match."""
        query = f"SELECT key FROM files WHERE wanted ORDER BY modified, key LIMIT {EXAMPLES}"
        return tuple(key for some in self.survey.rows(query) for (key,) in some)

    @cached_property
    def estimated_rows(self) -> int | None:
        """Rows to come, by the rows a byte of what this table loaded; None when nothing is known."""
        rows, size = self.survey.loaded_size()
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
        planned = "wanted AND coalesce(way = 'refresh', FALSE)"
        taken = planned if keys is None else "key IN (SELECT unnest($keys))"
        binds: dict[str, Any] = {"also": list(also)} | ({} if keys is None else {"keys": list(keys)})
        rows = self.survey.rows(
            f"WITH these AS (SELECT key, modified, {taken} AS taken, key IN (SELECT unnest($also)) "
            f"OR (queued_by_refresh AND NOT ({planned})) AS other FROM {_JUDGED}), "
            "since AS (SELECT min(modified) AS since FROM these WHERE taken), "
            "near AS (SELECT *, lag(taken) OVER (ORDER BY key) AS before, "
            "lead(taken) OVER (ORDER BY key) AS next "
            "FROM these, since WHERE (taken OR other) AND modified >= since - INTERVAL 1 SECOND) "
            "SELECT key, taken, since FROM near WHERE taken OR before OR next",
            binds,
        )
        wanted: set[str] = set()
        others: set[str] = set()
        after = None
        for some in rows:
            for key, is_taken, since in some:
                (wanted if is_taken else others).add(key)
                after = since.replace(tzinfo=UTC) - timedelta(seconds=1)
        if after is None:
            return (), frozenset()
        prefixes, left = exact_prefixes(frozenset(wanted), others)
        prefixes = whole_names(prefixes, wanted)
        cut = len(self.evidence.stream.prefix)
        return tuple((prefix[cut:], after) for prefix in prefixes), left


_JUDGED = "files JOIN judged USING (likes)"


def _total(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    pairs = list(parts)
    return sum(files for files, _ in pairs), sum(size for _, size in pairs)


def plan_files(asked: Asked, listed: Sequence[StagedFile], evidence: Evidence) -> BackfillPlan:
    """The plan for everything listed that matches."""
    return plan_survey(asked, Survey.of(asked, listed, evidence))


def plan_survey(asked: Asked, survey: Survey) -> BackfillPlan:
    """The plan for everything surveyed that matches; one of each kind of likes is judged."""
    survey.put_together(asked)
    for some in survey.examples():
        evidence = survey.about([file.key for _, file in some])
        survey.judge([(likes, *judged(file, evidence, asked)) for likes, file in some])
    plan = BackfillPlan(asked, survey)
    if plan.loaded_by(Way.REFRESH)[0]:
        _, left = plan.refreshes()
        if left:  # REFRESH takes others with them, and COPY would not let the pipe know them
            survey.judge_alone(left, None)
            return BackfillPlan(asked, survey)
    return plan


def judged(file: StagedFile, evidence: Evidence, asked: Asked) -> tuple[Kind, Way | None, bool]:
    """A file's class and tool, and whether a REFRESH would queue it."""
    verdict = judge(file, evidence, asked)
    return verdict.kind, verdict.way, would_queue(file, verdict.kind, evidence)


def would_queue(file: StagedFile, kind: Kind, evidence: Evidence) -> bool:
    """Whether a REFRESH over the file would queue what is not the pipe's own already."""
    known = evidence.pipe_knows(file) or evidence.table_knows(file)
    return not known and kind not in (Kind.IN_FLIGHT, Kind.WAITING)


def judge(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    """One file's class, and its tool or why it has none."""
    kind = classify(file, evidence)
    if kind in FAILURES and not asked.reload_failed:
        return Verdict(file, kind, why=f"{_error(file, evidence)}; backfill --reload-failed tries it again")
    if kind in WITHOUT_ASKING or kind in FAILURES:
        return _tool(file, kind, evidence, asked)
    if kind in REPLACED:
        return _replaced(file, kind, evidence, asked)
    if kind in (Kind.ROWS_GONE, Kind.ROWS_FEWER):
        return (_gone if kind is Kind.ROWS_GONE else _fewer)(file, evidence, asked)
    if kind is Kind.WAITING:
        state = evidence.status.execution_state or "not running"
        return Verdict(file, kind, why=f"the pipe is {state}; {_mended_by(state, evidence)}")
    return Verdict(file, kind, why=_unknown(evidence) if kind is Kind.TOO_OLD_TO_KNOW else "")


_MENDED_BY = {"PAUSED": "invoke resume"} | dict.fromkeys(STOPPED_FOR_GOOD, "invoke replace-pipe")


def _mended_by(state: str, evidence: Evidence) -> str:
    """The command that has the pipe load again."""
    found = _MENDED_BY.get(state)
    return typed(f"{found} --stream {evidence.stream.name}" if found else "invoke verify")


def _error(file: StagedFile, evidence: Evidence) -> str:
    errors = [load.first_error for load in evidence.loads(file.key) if load.first_error]
    return errors[-1] if errors else "no error is on record"


def _tool(file: StagedFile, kind: Kind, evidence: Evidence, asked: Asked) -> Verdict:
    """COPY for what the pipe has dealt with or is too old for it, else REFRESH: it asks both memories."""
    if evidence.pipe_knows(file):
        return Verdict(file, kind, Way.COPY)
    if evidence.is_young(file) and not evidence.pipe_may_know(file):
        state = evidence.status.execution_state
        if state != "RUNNING" and not (state == "PAUSED" and asked.queue_while_paused):
            return Verdict(
                file,
                kind,
                why=f"the pipe is {state or 'not running'}, and the file is its to load; "
                + _mended_by(state, evidence),
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
    if found and kind is Kind.MISREAD:
        loss = f", {found.misread} of them no event's"
    if found and found.twice:
        loss = f", {found.twice} of them more than once"
    if found is None:
        return Verdict(
            file,
            kind,
            why=f"the table has no _file column to tell its rows by{loss}: a person must replace them",
        )
    if asked.reload_failed:
        return Verdict(file, kind, Way.REPLACE, f"its {rows} rows are deleted and the file is loaded again")
    return Verdict(
        file,
        kind,
        why=f"{rows} rows are in the table{loss}; backfill --reload-failed deletes them and loads it again",
    )


def _gone(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    done = evidence.done(file.key)
    earlier = done is not None and done.loaded_at is not None and done.loaded_at < evidence.table.created_on
    why = "into an earlier table of that name" if earlier else "its rows were deleted since"
    if done is None:
        why = "no history names it, for the table was emptied since: it may have been loaded"
    if done is not None and done.rows == 0:
        why = "it had no rows then, and was changed since"
    if not asked.reload_gone:
        return Verdict(file, Kind.ROWS_GONE, why=f"{why}; backfill --reload-gone loads it again")
    if not earlier and evidence.table_knows(file):
        return Verdict(
            file,
            Kind.ROWS_GONE,
            why=f"{why}, and the table's own load memory ({TABLE_MEMORY_DAYS} days) skips it: "
            "only COPY with FILES and FORCE = TRUE would load it",
        )
    return _tool(file, Kind.ROWS_GONE, evidence, asked)


def _fewer(file: StagedFile, evidence: Evidence, asked: Asked) -> Verdict:
    done, found = evidence.done(file.key), evidence.rows(file.key)
    why = f"{found.rows if found else 0} of {done.rows if done else 0} rows are in the table"
    if asked.reload_gone:
        return Verdict(
            file, Kind.ROWS_FEWER, Way.REPLACE, f"{why}; they are deleted and the file is loaded again"
        )
    return Verdict(
        file, Kind.ROWS_FEWER, why=f"{why}; backfill --reload-gone deletes them and loads the file again"
    )


def _unknown(evidence: Evidence) -> str:
    since = evidence.known_since
    if evidence.was_emptied:
        return "the table was emptied, and its load history with it: the file may have been loaded before"
    reach = f"only files after {since:%Y-%m-%d %H:%M} UTC are on record" if since else "its load was skipped"
    if evidence.account is None:
        return f"{reach}: grant SNOWFLAKE.USAGE_VIEWER to see a year of loads"
    return f"{reach}: ACCOUNT_USAGE may be two days late, look again then"


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
