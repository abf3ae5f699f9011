"""One round: look at everything that needs no warehouse, now and then at everything, and remember it.

What a round asks does not grow with the number of files: of a folder it reads the end (arrivals.py). Only a
deep round lists the whole folder and reads the load histories.
"""

import json
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from runbook.clouds.failures import SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell, RunbookError
from runbook.facts import Facts, objects
from runbook.settings import Settings
from runbook.verify.checking import check
from runbook.verify.outcome import Outcome, Result
from runbook.verify.waivers import with_waivers
from runbook.watching import arrivals, causes, flow
from runbook.watching.arrivals import End
from runbook.watching.causes import Cause
from runbook.watching.flow import Flow
from runbook.watching.history import History, iso, when
from runbook.watching.looking import Look, figures_of, flow_of

DEEP_AGAIN = timedelta(minutes=60)  # while something is wrong that only a deep round sees
CLOUDS = {"aws": "AWS", "snowflake": "Snowflake"}
ANSWERS = {side: f"watch.{side}-answers" for side in CLOUDS}
KEEP_ARRIVING = "delivery.files-keep-arriving"
TELLS = "watch.checks-can-tell"
TELLS_DEEP = "watch.deep-checks-can-tell"
OWN = (*flow.OWN, *ANSWERS.values(), TELLS, TELLS_DEEP)
"""What watching judges beside the checks."""


@dataclass
class Round:
    """What one round found."""

    at: datetime
    outcome: Outcome
    flows: tuple[Flow, ...]
    own: tuple[Cause, ...]
    is_deep: bool
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """By stream ("" for the whole installation) and name."""
    ends: dict[str, End] = field(default_factory=dict)
    learned: dict[str, objects.Listing] = field(default_factory=dict)
    trouble: dict[str, CannotTell] = field(default_factory=dict)
    seen: causes.Seen = field(default_factory=lambda: causes.Seen({}))
    unasked: tuple[str, ...] = ()
    """Causes that are known, and that only a deep round sees: this one was none."""

    @property
    def exit_code(self) -> int:
        """As verify's: 1 where something is wrong, 3 where only some checks could not tell."""
        if self.outcome.root_causes or any(cause.key in flow.OWN for cause in self.own) or self.unasked:
            return 1
        return 0 if self.outcome.is_well_from_here and not self.trouble else 3

    def words(self, settings: Settings) -> list[tuple[Flow, str]]:
        """Each stream, and in a word where it stands."""
        patience = timedelta(minutes=settings.checks.loaded_within_minutes)
        return [(each, flow.word(each, patience)) for each in self.flows]

    @property
    def verdict(self) -> str:
        """In a word."""
        return {0: "healthy", 1: "broken"}.get(self.exit_code, "unknown")


def run(reader: Reader, history: History, now: datetime | None = None) -> Round:
    """Look, judge, and write down what was found. Only reads both clouds."""
    begun = time.monotonic()
    settings = reader.settings
    is_deep = deep_is_due(history, settings, now or datetime.now(UTC))
    look = Look(reader, history, is_deep=is_deep)
    facts = Facts(reader, listing=look.listing)
    outcome = check(facts, deep=is_deep)
    at = now or moment(history, facts)
    outcome = with_waivers(outcome, settings.waivers, at.date())
    found = Round(at, outcome, (), (), is_deep, ends=look.ends, learned=look.listed, trouble=reader.trouble)
    found.figures = figures_of(facts, look, history, at, frozenset(_explained(found, settings)))
    found.flows = tuple(
        flow_of(facts, look, history, stream, at, found.figures[stream.name]) for stream in settings.streams
    )
    _judge(found, history, settings)
    found.figures.setdefault("", {})["round_duration_seconds"] = round(time.monotonic() - begun, 3)
    remember(found, history, settings)
    return found


def moment(history: History, facts: Facts | None) -> datetime:
    """The time by Snowflake's clock; while it does not answer, by ours and how far they were apart."""
    here = datetime.now(UTC)
    with suppress(RunbookError, SqlFailed):
        if facts is not None:
            there = facts.now
            history.keep("clock_ahead_s", str((there - here).total_seconds()))
            return there.replace(microsecond=0)
    ahead = timedelta(seconds=float(history.noted("clock_ahead_s") or 0))
    return (here + ahead).replace(microsecond=0)


def deep_is_due(history: History, settings: Settings, now: datetime) -> bool:
    """Whether this round reads everything: it is time, or something only a deep round sees is not settled."""
    every = settings.watch.deep_every_minutes
    if every is None:
        return False
    last = history.noted("deep_at")
    now = now + timedelta(seconds=float(history.noted("clock_ahead_s") or 0))
    since = now - when(last) if last else None
    if since is None or since < timedelta(0) or since >= timedelta(minutes=every):
        return True
    deep_ids = _deep_ids(history)
    rows = history.db.execute("SELECT key, confirmed, well FROM cause WHERE ended IS NULL").fetchall()
    mine = [(confirmed, well) for key, confirmed, well in rows if key in deep_ids]
    if any(confirmed is None or well for confirmed, well in mine):
        return True
    return bool(mine) and since >= min(DEEP_AGAIN, timedelta(minutes=every))


def _deep_ids(history: History) -> set[str]:
    """What only a deep round judges."""
    return {flow.BAD_SCHEMAS, *json.loads(history.noted("deep_ids") or "[]")}


def _judge(found: Round, history: History, settings: Settings) -> None:
    """What is wrong by the checks, by the figures, and what cannot be seen at all."""
    limits, watch = settings.watch.limits, settings.watch
    judged = flow.judged(
        found.flows,
        patience=timedelta(minutes=settings.checks.loaded_within_minutes),
        latency_p95=_minutes(limits.latency_p95_minutes),
        backlog=limits.backlog_files,
        bad_rows=limits.bad_rows_percent,
        kinds={stream.name: stream.kind for stream in settings.streams},
        explained=frozenset(_explained(found, settings)),
    )
    is_seen = all(each.state for each in found.flows) and not found.trouble
    own, well = list(judged.wrong), set(judged.well) if is_seen else set()
    for side, name in CLOUDS.items():
        why = found.trouble.get(side)
        blind = _blind(history, ANSWERS[side], found.at, watch.blind_after_minutes, wrong=why is not None)
        if why is None:
            well.add(ANSWERS[side])
        elif blind or why.final:
            own.append(_unanswered(side, name, why, _since(history, ANSWERS[side], found.at)))
    unknown = _unknown(found.outcome) if not found.trouble else []
    if not found.trouble:
        key = TELLS_DEEP if found.is_deep else TELLS
        if _blind(history, key, found.at, watch.blind_after_minutes, wrong=bool(unknown)):
            own.append(_untold(key, unknown, _since(history, key, found.at)))
        elif not unknown:
            well.add(key)
    found.own = tuple(cause for cause in own if not _is_waived(cause, settings, found.at))
    well |= {cause.key for cause in own} - {cause.key for cause in found.own}
    told = {key for (key,) in history.db.execute("SELECT key FROM cause WHERE ended IS NULL")}
    found.seen = _one_of_two(causes.seen_in(found.outcome, found.own, well), told)


def _explained(found: Round, settings: Settings) -> set[str]:
    """The streams that a failed check speaks of."""
    of = {row.stream for row in found.outcome.results if row.outcome == "failed"}
    return {stream.name for stream in settings.streams if None in of or stream.name in of}


def _one_of_two(seen: causes.Seen, told: set[str]) -> causes.Seen:
    """A silence that a check and the learned rhythm both see is one cause: the one that was seen first."""
    if not {flow.PRODUCER, KEEP_ARRIVING} <= seen.wrong.keys():
        return seen
    left_out = flow.PRODUCER if KEEP_ARRIVING in told else KEEP_ARRIVING
    wrong = {key: cause for key, cause in seen.wrong.items() if key != left_out}
    return replace(seen, wrong=wrong)


def _minutes(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(minutes=value)


def _is_waived(cause: Cause, settings: Settings, now: datetime) -> bool:
    return any(
        waiver.check == cause.key and waiver.until >= now.date() and waiver.stream in (None, *cause.streams)
        for waiver in settings.waivers
    )


def _blind(history: History, key: str, now: datetime, after_minutes: float, *, wrong: bool) -> bool:
    """Whether something has been wrong for so long; remembers since when."""
    since = history.noted(f"since.{key}")
    if not wrong:
        history.keep(f"since.{key}", "")
        return False
    if not since:
        history.keep(f"since.{key}", iso(now))
    return now - _since(history, key, now) >= timedelta(minutes=after_minutes)


def _since(history: History, key: str, now: datetime) -> datetime:
    noted = history.noted(f"since.{key}")
    return min(when(noted), now) if noted else now


def _unanswered(side: str, name: str, why: CannotTell, since: datetime) -> Cause:
    said = f"{why.what}{f': {why.why}' if why.why else ''}"
    lead = f"The sign-in to {name} was refused" if why.final else f"{name} does not answer"
    return Cause(
        ANSWERS[side],
        (),
        f"{name} can be asked.",
        f"{lead}, so nothing can be said of the pipeline. {said}",
        why.remedy,
        "docs/watch.md",
        since=since,
        sure=True,
    )


def _unknown(outcome: Outcome) -> list[Result]:
    return [row for row in outcome.unknown_causes if not row.elsewhere]


def _untold(key: str, unknown: list[Result], since: datetime) -> Cause:
    more = f" (and {len(unknown) - 1} more reasons)" if len(unknown) > 1 else ""
    first = unknown[0]
    return Cause(
        key,
        (),
        "Every check has an answer.",
        f"{first.id} could not be checked: {first.cause}{more}",
        str(first.remedy),
        "docs/watch.md",
        since=since,
        sure=True,
    )


def remember(found: Round, history: History, settings: Settings) -> None:
    """Write the round down, whole or not at all."""
    at = iso(found.at)
    summary = {
        "counts": found.outcome.counts,
        "root_causes": [row.id for row in found.outcome.root_causes],
        "own": [cause.key for cause in found.own],
        "words": {each.stream: word for each, word in found.words(settings)},
        "states": {each.stream: each.state for each in found.flows},
    }

    def work(db: sqlite3.Connection) -> None:
        causes.take(db, found.seen, found.at, confirm=settings.watch.confirm_rounds)
        if not found.is_deep:
            found.unasked = tuple(key for key in causes.present(db) if key in _deep_ids(history))
        db.execute(
            "INSERT OR REPLACE INTO round VALUES (?, ?, ?, ?, ?)",
            (
                at,
                found.figures.get("", {}).get("round_duration_seconds", 0.0),
                found.verdict,
                int(found.is_deep),
                json.dumps(summary),
            ),
        )
        rows = [
            (at, stream, name, value)
            for stream, mine in found.figures.items()
            for name, value in mine.items()
        ]
        db.executemany("INSERT OR REPLACE INTO figure VALUES (?, ?, ?, ?)", rows)
        _remember_arrivals(found, history)
        for each in found.flows:
            if each.loaded:
                history.note(f"ingested.{each.stream}", iso(each.loaded))
        if found.is_deep and not found.trouble:
            history.note("deep_at", at)
        if deep := {row.id for row in found.outcome.results if row.deep}:
            history.note("deep_ids", json.dumps(sorted(deep)))
        history.note("round_at", at)

    history.change(work)


def _remember_arrivals(found: Round, history: History) -> None:
    """Arrivals by hour: what is new, and what a look at the whole folder counts."""
    for stream, end in found.ends.items():
        is_first = not history.noted(f"mark.{stream}")
        _add(history, stream, end.files if is_first else end.new)
        if is_first and end.files:
            _known_since(history, stream, min(file.modified for file in end.files))
        history.note(f"mark.{stream}", end.mark.as_text())
        for name, count in (("files", len(end.new)), ("bytes", sum(file.size for file in end.new))):
            total = int(history.noted(f"arrived_{name}.{stream}") or 0)
            history.note(f"arrived_{name}.{stream}", str(total + count))
    for stream, listing in found.learned.items():
        recent = [file for file in listing.files if file.modified > found.at - timedelta(weeks=10)]
        for hour, (files, size) in arrivals.by_hour(recent).items():
            history.db.execute(
                "INSERT INTO arrival VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "files = MAX(files, excluded.files), bytes = MAX(bytes, excluded.bytes)",
                (stream, iso(hour), files, size),
            )
        if recent:
            _known_since(history, stream, min(file.modified for file in recent))


def _add(history: History, stream: str, files: tuple[objects.StagedFile, ...]) -> None:
    for hour, (count, size) in arrivals.by_hour(files).items():
        history.db.execute(
            "INSERT INTO arrival VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "files = files + excluded.files, bytes = bytes + excluded.bytes",
            (stream, iso(hour), count, size),
        )


def _known_since(history: History, stream: str, oldest: datetime) -> None:
    noted = history.noted(f"known_since.{stream}")
    if not noted or when(noted) > oldest:
        history.note(f"known_since.{stream}", iso(oldest))


def nobody_answers(history: History, settings: Settings, trouble: dict[str, CannotTell]) -> Round:
    """The round in which neither cloud accepted the sign-in."""
    at = moment(history, None)
    outcome = replace(Outcome(settings.target, at, 0.0), results=())
    found = Round(at, outcome, (), (), is_deep=False, trouble=trouble)
    _judge(found, history, settings)
    remember(found, history, settings)
    return found
