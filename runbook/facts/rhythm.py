"""How often a stream's files arrive, learned from those there are, and what is too quiet. Pure functions.

Nobody says how often a producer writes; its own past does. Two signs, and never one of them within a day:
nothing came for three times as long as the longest pause of the last five weeks; or nothing came in hours in
which at least ten files came in each of the last weeks. A past of two weeks or more is a measure to fail by;
a shorter one may not have seen a weekend, and only advises. Bad rows may well stop, and that is good news. A
stream to which nothing has come since its pipe was made is judged from then on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runbook.facts.snowflake import Listing
from runbook.settings import Stream

AT_LEAST = timedelta(days=1)
REMEMBERED = timedelta(days=35)
WEEK = timedelta(days=7)
PAUSES = 3  # times the longest pause
FILES = 10  # files in the same hours of an earlier week
A_MEASURE = timedelta(days=14)


@dataclass(frozen=True)
class Silence:
    """Since when nothing has arrived, why that is unusual, and whether the past is long enough to fail by."""

    since: datetime
    why: str
    is_certain: bool


def silence(stream: Stream, listing: Listing, made: datetime, now: datetime) -> Silence | None:
    """What is too quiet about a stream that has begun; None where nothing is, or the past is too short.

    ``made``: when its pipe was.
    """
    if not listing.files:
        return None
    newest = max(file.modified for file in listing.files)
    since = max(newest, made)
    if now - since <= AT_LEAST:
        return None
    came = sorted({file.modified for file in listing.files if file.modified > newest - REMEMBERED})
    why = _in_the_same_hours(came, since, now)
    if not why and stream.kind != "bad_rows":
        why = _pauses(came, now - since)
    certain = newest - came[0] >= A_MEASURE and stream.kind != "bad_rows"
    return Silence(newest, why, certain) if why else None


def _pauses(came: list[datetime], quiet: timedelta) -> str:
    longest = max((later - earlier for earlier, later in pairwise(came)), default=None)
    if longest is None or quiet <= PAUSES * longest:
        return ""
    return f"before, a file came at least every {_told(longest)}"


def _in_the_same_hours(came: list[datetime], since: datetime, now: datetime) -> str:
    weeks = [back * WEEK for back in range(1, 5) if came[0] <= since - back * WEEK]
    counts = [sum(since - week < at <= now - week for at in came) for week in weeks]
    if len(counts) < 2 or min(counts) < FILES:  # a single week may have been an unusual one
        return ""
    return f"in the same hours of each of the last {len(counts)} weeks at least {min(counts)} files came"


def _told(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    if hours < 2:
        return f"{max(1, round(hours * 60))} minutes"
    return f"{round(hours)} hours" if hours < 72 else f"{round(hours / 24)} days"
