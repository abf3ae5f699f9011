"""What the checks said: one result a check and stream, and the causes behind them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from runbook.invocation import typed
from runbook.remedy import NOTHING, Remedy, told

Word = Literal["passed", "failed", "advice", "blocked", "unknown", "skipped"]
WORDS: tuple[Word, ...] = ("passed", "failed", "advice", "blocked", "unknown", "skipped")
WELL: frozenset[Word] = frozenset({"passed", "advice", "skipped"})
"""Outcomes of a check on something that works."""


@dataclass(frozen=True)
class Result:
    """One check on one stream (``stream`` is None where it speaks of the whole installation)."""

    id: str
    step: int | None
    stream: str | None
    title: str
    outcome: Word
    needs: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    observed: str = ""
    expected: str = ""
    cause: str = ""
    remedy: Remedy = NOTHING
    see: str = ""
    elsewhere: bool = False  # unknown because that cloud is the other administrator's
    missing_right: str = ""  # unknown because we lack it
    deep: bool = False  # asked with --deep only
    names: tuple[str, ...] = ()  # what is wrong, each by a name that stays, where one more of them is news

    def as_json(self) -> dict[str, Any]:
        """The result as ``verify --format json`` writes it."""
        return {
            "id": self.id,
            "step": self.step,
            "stream": self.stream,
            "title": self.title,
            "outcome": self.outcome,
            "blocked_by": list(self.blocked_by),
            "observed": self.observed,
            "expected": self.expected,
            "cause": self.cause,
            "remedy": str(self.remedy),
            "commands": [command.line for command in self.remedy.commands],
            "see": self.see,
        }


@dataclass(frozen=True)
class Outcome:
    """Everything one ``verify`` found. ``strict``: advice counts as not healthy."""

    target: str
    started_at: datetime
    duration_s: float
    results: tuple[Result, ...] = field(default=())
    strict: bool = False

    def typed(self) -> "Outcome":
        """The same with every command as it must be typed to go to the target that was checked."""
        rows = (replace(row, cause=typed(row.cause), remedy=row.remedy.typed()) for row in self.results)
        return replace(self, results=tuple(rows))

    @property
    def root_causes(self) -> tuple[Result, ...]:
        """The failed checks that no other failed check explains, one a check id."""
        return self._first_of("failed")

    @property
    def advice(self) -> tuple[Result, ...]:
        """What works and should be changed, one result a check id."""
        return self._first_of("advice")

    def _first_of(self, word: Word) -> tuple[Result, ...]:
        first: dict[str, Result] = {}
        for result in self.results:
            if result.outcome == word:
                first.setdefault(result.id, result)
        return tuple(first.values())

    @property
    def unknown_causes(self) -> tuple[Result, ...]:
        """What could not be told, one result a reason."""
        first: dict[str, Result] = {}
        for result in self.results:
            if result.outcome == "unknown":
                first.setdefault(result.cause, result)
        return tuple(first.values())

    @property
    def counts(self) -> dict[Word, int]:
        """How many checks had each outcome, also those that none had."""
        return {word: sum(row.outcome == word for row in self.results) for word in WORDS}

    @property
    def summary(self) -> str:
        """The counts in words: ``40 passed, 1 failed``."""
        return ", ".join(f"{count} {word}" for word, count in self.counts.items() if count)

    @property
    def is_healthy(self) -> bool:
        """Whether everything that was judged works; never by default."""
        return self._is_well(self.results)

    @property
    def is_well_from_here(self) -> bool:
        """Whether all is well but for what only the other administrator may see."""
        return self._is_well(row for row in self.results if not row.elsewhere)

    @property
    def is_well_but_for_advice(self) -> bool:
        """Whether everything that was judged works, however strict."""
        return replace(self, strict=False).is_healthy

    def _is_well(self, rows: Iterable[Result]) -> bool:
        words = {row.outcome for row in rows}
        return "passed" in words and words <= WELL and not (self.strict and "advice" in words)

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 a check failed (or advises, where strict), 3 only that some checks could not tell."""
        if self.is_healthy:
            return 0
        return 1 if self.root_causes or (self.strict and self.advice) else 3

    def as_json(self) -> dict[str, Any]:
        """The outcome as ``verify --format json`` writes it."""
        return {
            "target": self.target,
            "healthy": self.is_healthy,
            "started_at": self.started_at.isoformat(),
            "duration_s": round(self.duration_s, 3),
            "root_causes": [result.id for result in self.root_causes],
            "advice": [result.id for result in self.advice],
            "checks": [result.as_json() for result in self.results],
        }


def untold(target: str, started_at: datetime, duration_s: float, what: str, remedy: str) -> Outcome:
    """The outcome of a run that could not ask anything: one unknown, and why."""
    row = Result(
        id="verify.ran",
        step=None,
        stream=None,
        title="The checks could be run.",
        outcome="unknown",
        cause=what,
        remedy=told(remedy),
    )
    return Outcome(target, started_at, duration_s, (row,))


def explained(results: Iterable[Result]) -> tuple[Result, ...]:
    """The results with every failure or advice that another failure explains turned into ``blocked``.

    A check names what it needs; a need that did not pass, directly or further back, on the same
    stream or on the whole installation, is the reason, and only the first of the chain is a cause.
    """
    rows = tuple(results)
    return tuple(_explained(row, rows) for row in rows)


def _explained(row: Result, rows: tuple[Result, ...]) -> Result:
    if row.outcome not in ("failed", "advice", "blocked"):
        return row
    roots = _roots(row, rows, frozenset())
    if not roots:
        return row
    return replace(row, outcome="blocked", blocked_by=tuple(dict.fromkeys(roots)))


def _roots(row: Result, rows: tuple[Result, ...], seen: frozenset[str]) -> list[str]:
    """The ids at the beginning of the chains that explain ``row``."""
    found: list[str] = []
    for need in (*row.needs, *row.blocked_by):
        if need in seen:
            continue
        for other in rows:
            if other.id == need and _meets(row, other) and _explains(other):
                found += _roots(other, rows, seen | {row.id}) or [other.id]
    return found


def _explains(other: Result) -> bool:
    """Whether a need that did not pass is a reason; what nobody here may see explains nothing."""
    return other.outcome not in WELL and not other.elsewhere


def _meets(row: Result, other: Result) -> bool:
    return row.stream is None or other.stream is None or row.stream == other.stream
