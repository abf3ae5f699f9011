"""The plan of a few files without DuckDB, which takes longer to open than such a plan to make.

The rules are the product's own (`judge`, `would_queue`, `exact_prefixes`); only where files are kept between
them is plain Python. Every twentieth schedule is planned in DuckDB, as the product does.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from runbook.backfill import looking
from runbook.backfill.asked import Asked
from runbook.backfill.planning import NOT_ALONE, Verdict, Way, exact_prefixes, judge, would_queue
from runbook.commands import backfill as command
from runbook.facts import Facts
from runbook.facts.snowflake import StagedFile
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.evidence import evidence
from runbook.replacing import procedure
from runbook.settings import Stream


class PlainSurvey:
    """What is listed and what is known, as values."""

    def __init__(self, files: Sequence[StagedFile], evidence: Evidence) -> None:
        self.files = files
        self.evidence = evidence

    def close(self) -> None:
        pass

    def listed(self, asked: Asked) -> tuple[int, int, int]:
        return len(self.files), len(self.files), sum(asked.names(file.key) for file in self.files)

    def first_keys(self, count: int) -> list[str]:
        return sorted(file.key for file in self.files)[:count]

    def about(self, keys: Sequence[str]) -> Evidence:
        wanted, evidence = set(keys), self.evidence
        account = evidence.account
        return evidence.about(
            tuple(load for load in evidence.recent if load.key in wanted),
            None if account is None else tuple(load for load in account if load.key in wanted),
            {key: rows for key, rows in (evidence.table.files or {}).items() if key in wanted},
        )


class PlainPlan:
    """As BackfillPlan."""

    def __init__(self, asked: Asked, survey: PlainSurvey) -> None:
        self.asked, self.survey = asked, survey
        self.evidence = survey.evidence
        matching = [file for file in survey.files if _matches(asked, file)]
        self._verdicts = [
            judge(file, self.evidence, asked)
            for file in sorted(matching, key=lambda file: (file.modified, file.key))
        ]
        _, left = self.refreshes()
        self._verdicts = [
            replace(verdict, way=None, why=NOT_ALONE) if verdict.file.key in left else verdict
            for verdict in self._verdicts
        ]

    def verdicts(self, which: str = "TRUE") -> Iterator[Verdict]:
        found = re.fullmatch(r"(kind|way) = '(\w+)'", which)
        assert found or which == "TRUE", which
        for verdict in self._verdicts:
            if not found or str(getattr(verdict, found[1])) == found[2]:
                yield verdict

    def by(self, way: Way) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self._verdicts if verdict.way is way)

    @property
    def to_load(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self._verdicts if verdict.way)

    @property
    def missing(self) -> Iterator[Verdict]:
        return (verdict for verdict in self._verdicts if verdict.kind.is_missing)

    @property
    def counts(self) -> dict[Kind, tuple[int, int]]:
        return {kind: (count, 0) for kind, count in Counter(row.kind for row in self._verdicts).items()}

    def loaded_by(self, *ways: Way) -> tuple[int, int]:
        rows = [row for row in self._verdicts if row.way and row.way in (ways or Way)]
        return len(rows), sum(row.file.size for row in rows)

    def refreshes(
        self, keys: Iterable[str] | None = None, also: Iterable[str] = ()
    ) -> tuple[tuple[tuple[str, datetime], ...], frozenset[str]]:
        planned = {row.file.key for row in self._verdicts if row.way is Way.REFRESH}
        wanted = frozenset(planned if keys is None else keys)
        if not wanted:
            return (), frozenset()
        files = {file.key: file for file in self.survey.files}
        after = min(files[key].modified for key in wanted) - timedelta(seconds=1)
        others = {
            file.key
            for file in files.values()
            if file.modified >= after
            and (
                file.key in set(also)
                or (
                    file.key not in planned
                    and would_queue(file, judge(file, self.evidence, self.asked).kind, self.evidence)
                )
            )
        }
        prefixes, left = exact_prefixes(wanted, others - wanted)
        cut = len(self.evidence.stream.prefix)
        return tuple((prefix[cut:], after) for prefix in prefixes), left


def _matches(asked: Asked, file: StagedFile) -> bool:
    return (
        asked.names(file.key)
        and (asked.since is None or file.modified >= asked.since)
        and (asked.until is None or file.modified < asked.until)
    )


def _surveyed(facts: Facts, asked: Asked, stream: Stream, told: Callable[[int], None]) -> PlainSurvey:
    files = looking.listed(facts, stream)
    return PlainSurvey(files, evidence(facts, stream))


def _read_again(facts: Facts, survey: PlainSurvey) -> None:
    survey.evidence = evidence(facts, survey.evidence.stream)


def _plan_files(asked: Asked, files: Sequence[StagedFile], evidence: Evidence) -> PlainPlan:
    return PlainPlan(asked, PlainSurvey(files, evidence))


@contextmanager
def put_in_place(places: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Other things under these names for a while."""
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, other in places:
        setattr(place, name, other)
    try:
        yield
    finally:
        for place, name, own in before:
            setattr(place, name, own)


PLAIN = (
    (looking, "surveyed", _surveyed),
    (looking, "read_histories", _read_again),
    (command, "plan_survey", PlainPlan),
    (procedure, "plan_files", _plan_files),
)
