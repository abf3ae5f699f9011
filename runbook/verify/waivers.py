"""Known failures that are not told until a day: what the settings waive is advice. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from runbook.settings.watch import Waiver
from runbook.verify.outcome import Outcome, Result


def with_waivers(outcome: Outcome, waivers: Iterable[Waiver], today: date) -> Outcome:
    """The outcome with what is waived turned into advice, and what only that blocks skipped.

    A waiver that has ended waives nothing, and the failure says that it was waived.
    """
    waivers = tuple(waivers)
    if not waivers:
        return outcome
    rows = [_judged(row, waivers, today) for row in outcome.results]
    left = {row.id for row in rows if row.outcome in ("failed", "unknown")}
    done = {row.id for row in rows if row.outcome == "advice"} - left
    return replace(outcome, results=tuple(_unblocked(row, done) for row in rows))


def _judged(row: Result, waivers: Iterable[Waiver], today: date) -> Result:
    if row.outcome != "failed":
        return row
    mine = [waiver for waiver in waivers if waiver.check == row.id and waiver.stream in (None, row.stream)]
    last = max(mine, key=lambda waiver: waiver.until, default=None)
    if last is None:
        return row
    if last.until < today:
        return replace(row, cause=f"{row.cause} (its waiver ended on {last.until}: {last.reason})")
    return replace(row, outcome="advice", cause=f"{row.cause} (waived until {last.until}: {last.reason})")


def _unblocked(row: Result, waived: set[str]) -> Result:
    if row.outcome != "blocked" or not row.blocked_by or not set(row.blocked_by) <= waived:
        return row
    return replace(row, outcome="skipped", blocked_by=(), cause=f"waived with {', '.join(row.blocked_by)}")


def ended(waivers: Iterable[Waiver], today: date) -> list[str]:
    """A sentence for each waiver that has ended."""
    return [
        f"The waiver of {waiver.check}{f' ({waiver.stream})' if waiver.stream else ''} ended on "
        f"{waiver.until}: what it silenced is reported again."
        for waiver in waivers
        if waiver.until < today
    ]


def idle(waivers: Iterable[Waiver], known: Iterable[str]) -> list[str]:
    """A sentence for each waiver of a check that does not exist."""
    names = set(known)
    return [
        f"There is no check {waiver.check}: its waiver waives nothing."
        for waiver in waivers
        if waiver.check not in names
    ]
