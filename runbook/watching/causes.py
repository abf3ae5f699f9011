"""What is wrong at the moment, and since when: seen, confirmed, ended.

A cause is one check that fails, whichever streams it fails for, or something only watching can see. It is
told once it was seen in so many rounds in a row, and over once it was judged well in as many: what passes by
itself between two rounds disturbs nobody.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from runbook.verify.checking import NOT_ASKED
from runbook.verify.outcome import WELL, Outcome, Result
from runbook.watching.history import clean, iso, when

RESTLESS = 2  # ends within RESTLESS_WITHIN, after which a cause must be well for longer
RESTLESS_WITHIN = timedelta(hours=24)
RESTLESS_ROUNDS = 12


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong. ``sure``: one look is enough.

    ``names``: what is wrong by name (schemas), where one more of them is news.
    """

    key: str
    streams: tuple[str, ...]
    title: str
    why: str
    remedy: str = ""
    see: str = ""
    blocks: tuple[str, ...] = ()
    since: datetime | None = None
    sure: bool = False
    names: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The cause for programs, and as it is kept: redacted."""
        document: dict[str, Any] = clean(
            {
                "id": self.key,
                "streams": list(self.streams),
                "title": self.title,
                "why": self.why,
                "remedy": self.remedy,
                "see": self.see,
                "blocks": list(self.blocks),
                "since": iso(self.since) if self.since else None,
                "names": list(self.names),
            }
        )
        return document


@dataclass(frozen=True)
class Seen:
    """What one round saw: what is wrong, what was judged well, and what hides what."""

    wrong: Mapping[str, Cause]
    well: frozenset[str] = frozenset()
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Causes that cannot be judged while another one lasts, with that one."""


def cause_of(row: Mapping[str, Any]) -> Cause:
    """A cause as it was kept."""
    return Cause(
        key=str(row["id"]),
        streams=tuple(row["streams"]),
        title=str(row["title"]),
        why=str(row["why"]),
        remedy=str(row["remedy"]),
        see=str(row["see"]),
        blocks=tuple(row["blocks"]),
        since=when(row["since"]) if row["since"] else None,
        names=tuple(row.get("names", ())),  # not in what a former version kept
    )


def seen_in(outcome: Outcome, own: Iterable[Cause] = (), own_well: Iterable[str] = ()) -> Seen:
    """What the checks and the watcher's own judgements say, one cause a check."""
    outcome = outcome.typed()
    wrong = {cause.key: cause for cause in own}
    by_id: dict[str, list[Result]] = {}
    for row in outcome.results:
        by_id.setdefault(row.id, []).append(row)
    well, hidden = set(own_well), {}
    for name, rows in by_id.items():
        failed = [row for row in rows if row.outcome == "failed"]
        if failed:
            wrong[name] = _of_check(name, failed, outcome)
        elif blocked := [row for row in rows if row.outcome == "blocked"]:
            hidden[name] = blocked[0].blocked_by[0] if blocked[0].blocked_by else ""
        elif all(row.outcome in WELL and row.cause != NOT_ASKED for row in rows):
            well.add(name)
    return Seen(wrong, frozenset(well) - wrong.keys(), hidden)


def _of_check(name: str, failed: list[Result], outcome: Outcome) -> Cause:
    first = failed[0]
    evidence = f": {first.observed}" if first.observed and first.expected == "(none)" else ""
    blocks = sorted({row.id for row in outcome.results if name in row.blocked_by})
    return Cause(
        key=name,
        streams=tuple(dict.fromkeys(row.stream for row in failed if row.stream)),
        title=first.title,
        why=f"{first.cause}{evidence}",
        remedy=" && ".join(dict.fromkeys(str(row.remedy) for row in failed if row.remedy)),
        see=first.see,
        blocks=tuple(blocks),
        names=tuple(dict.fromkeys(name for row in failed for name in row.names)),
    )


def take(db: sqlite3.Connection, seen: Seen, now: datetime, *, confirm: int) -> None:
    """Bring what is kept up to what a round saw. Within a change of the history."""
    rows = {
        key: (
            number,
            Kept(int(red), int(well), confirmed, json.loads(streams), cause_of(json.loads(document))),
        )
        for number, key, streams, document, red, well, confirmed in db.execute(
            "SELECT id, key, streams, document, red, well, confirmed FROM cause WHERE ended IS NULL"
        )
    }
    for key, cause in seen.wrong.items():
        if key in rows:
            _again(db, *rows[key], cause, now, confirm)
        else:
            fresh = replace(cause, since=cause.since or now)
            db.execute(
                "INSERT INTO cause (key, streams, document, since, red, well, confirmed) "
                "VALUES (?, ?, ?, ?, 1, 0, ?)",
                (
                    key,
                    json.dumps(fresh.streams),
                    json.dumps(fresh.as_json()),
                    iso(fresh.since or now),
                    iso(now) if confirm <= 1 or cause.sure else None,
                ),
            )
    confirmed = {key for (key,) in db.execute(CONFIRMED)}
    for key, (number, kept) in rows.items():
        if key in seen.wrong:
            continue
        if key in seen.well:
            _well(db, number, key, kept, now, confirm)
        elif seen.hidden.get(key) in confirmed:
            db.execute(
                "UPDATE cause SET ended = ?, replaced_by = ? WHERE id = ?",
                (iso(now), seen.hidden[key], number),
            )


CONFIRMED = "SELECT key FROM cause WHERE ended IS NULL AND confirmed IS NOT NULL"


@dataclass(frozen=True)
class Kept:
    """What is kept of an open cause."""

    red: int
    well: int
    confirmed: str | None
    streams: list[str]
    cause: Cause


def _again(
    db: sqlite3.Connection, number: int, kept: Kept, cause: Cause, now: datetime, confirm: int
) -> None:
    streams = list(dict.fromkeys([*kept.streams, *cause.streams]))
    confirmed = kept.confirmed or (iso(now) if kept.red + 1 >= confirm or cause.sure else None)
    names = tuple(dict.fromkeys([*kept.cause.names, *cause.names]))
    whole = replace(cause, streams=tuple(streams), since=kept.cause.since, names=names)
    db.execute(
        "UPDATE cause SET streams = ?, document = ?, red = red + 1, well = 0, confirmed = ? WHERE id = ?",
        (json.dumps(streams), json.dumps(whole.as_json()), confirmed, number),
    )


def _well(db: sqlite3.Connection, number: int, key: str, kept: Kept, now: datetime, confirm: int) -> None:
    if kept.confirmed is None:  # nobody was told
        db.execute("DELETE FROM cause WHERE id = ?", (number,))
        return
    ends = db.execute(
        "SELECT COUNT(*) FROM cause WHERE key = ? AND ended > ?", (key, iso(now - RESTLESS_WITHIN))
    ).fetchone()[0]
    needed = RESTLESS_ROUNDS if ends >= RESTLESS else confirm
    ended = iso(now) if kept.well + 1 >= needed else None
    db.execute("UPDATE cause SET well = well + 1, ended = ? WHERE id = ?", (ended, number))


def present(db: sqlite3.Connection) -> dict[str, Cause]:
    """What is wrong and confirmed, the oldest first."""
    rows = db.execute(
        "SELECT document FROM cause WHERE ended IS NULL AND confirmed IS NOT NULL ORDER BY since, id"
    )
    found = [cause_of(json.loads(document)) for (document,) in rows]
    return {cause.key: cause for cause in found}
