"""`invoke report`: the past of a target as one HTML file, from the history of `invoke watch`."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook import settings as reading
from runbook.commands.watch import WHOSE, place, refuse_anothers
from runbook.errors import SettingsWrong
from runbook.invocation import home
from runbook.running import STANDARD_OUTPUT, write_output
from runbook.settings import Settings
from runbook.terminal import note, say_as_is
from runbook.watching.history import read_only, when
from runbook.watching.past import Canary, Past
from runbook.watching.report import page

CANARIES = 10
LONGEST_SINCE = 1000
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def report(config: Mapping[str, Any], *, since: str, output: str | None) -> int:
    """The page of the last days. Contacts nobody. Raises SettingsWrong where nothing was watched yet."""
    settings = reading.read(config)
    past, now = past_of(settings, since)
    try:
        text = page(past, settings, now, canaries_of(settings, now - past.since, now))
    except ModuleNotFoundError as error:
        if error.name != "pygal":
            raise
        raise SettingsWrong(
            "pygal is not installed",
            why="the report's plots are drawn by it",
            remedy="pip install pygal, in the runbook's environment",
        ) from None
    write_output(text, output, say_as_is)
    if output and output != STANDARD_OUTPUT:
        note(f"target {settings.target}: {output} is written")
    return 0


def canaries_of(settings: Settings, span: timedelta, now: datetime) -> list[Canary]:
    """The last canaries of a target, the newest first, from the records of `invoke verify --canary`."""
    found: list[Canary] = []
    for path in sorted((home() / "runs").glob("*.jsonl"), reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # `invoke runs` names damage
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for row in reversed(rows):
                at = datetime.fromisoformat(row["at"])
                if "hops" in row and row["target"] == settings.target and now - at <= span:
                    hops = {str(hop): float(seconds) for hop, seconds in row["hops"].items()}
                    found.append(Canary(at, str(row["canary"]), hops, str(row["problem"])))
        if len(found) >= CANARIES:
            break
    return found[:CANARIES]


def past_of(settings: Settings, since: str) -> tuple[Past, datetime]:
    """The history of a target since then, and its time now; raises SettingsWrong where there is none."""
    span = span_of(since)
    path = place(settings) / "history.sqlite"
    db = read_only(path)
    if db is None:
        raise SettingsWrong(
            f"Nothing is known of the past of {settings.target}",
            where=str(path),
            why="There is no history of this version",
            remedy="invoke watch --once, or --every 5m, writes one",
        )
    whose = db.execute("SELECT value FROM note WHERE key = ?", (WHOSE,)).fetchone()
    refuse_anothers(path, whose[0] if whose else "", settings)
    row = db.execute("SELECT MAX(at) FROM round").fetchone()
    ahead = db.execute("SELECT value FROM note WHERE key = 'clock_ahead_s'").fetchone()
    now = datetime.now(UTC) + timedelta(seconds=float(ahead[0]) if ahead else 0)
    last = when(row[0]) if row and row[0] else now
    now = max(now, last).replace(microsecond=0)
    return Past(db, now - span), now


def span_of(text: str) -> timedelta:
    """A span such as ``36h``, ``7d`` or ``2w``; raises SettingsWrong for anything else."""
    found = re.fullmatch(r"(\d+)([hdw])", text)
    if not found or not found[1].strip("0"):
        raise SettingsWrong(f"--since {text} is not a span of time", remedy="--since 36h, 7d or 2w")
    if len(found[1]) > len(str(LONGEST_SINCE)) or int(found[1]) > LONGEST_SINCE:
        raise SettingsWrong(
            f"--since {text} is too long",
            why=f"the number is at most {LONGEST_SINCE}",
            remedy=f"--since {LONGEST_SINCE}{found[2]}",
        )
    return int(found[1]) * UNITS[found[2]]
