"""Whether a stream has fallen silent, learned from the files there are. Pure functions.

Nobody says how often a producer writes; its own past does. Two signs, and never one of them within a day: its
rhythm by the hours of the week (:mod:`runbook.facts.rhythm`), or nothing for three times as long as the
longest pause of the last five weeks. A past of two weeks or more is a measure to fail by; a shorter one may
not have seen a weekend, and only advises. Bad rows may well stop, and that is good news. A stream to which
nothing has come since its pipe was made is judged from then on. A mark or a file with nothing in it brings
nothing: who writes only such files is silent too.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runbook.facts.objects import Listing, StagedFile
from runbook.facts.rhythm import TOO_ODD, Rhythm
from runbook.kinds import kind_of
from runbook.settings import Stream

AT_LEAST = timedelta(days=1)
REMEMBERED = timedelta(days=35)
PAUSES = 3  # times the longest pause
A_MEASURE = timedelta(days=14)


@dataclass(frozen=True)
class FallenSilent:
    """Since when nothing has arrived, why that is unusual, and whether the past is long enough to fail by."""

    since: datetime
    why: str
    is_certain: bool


def fallen_silent(stream: Stream, listing: Listing, made: datetime, now: datetime) -> FallenSilent | None:
    """What is too quiet about a stream that has begun; None where nothing is, or the past is too short.

    ``made``: when its pipe was.
    """
    files = bringing(listing.files)
    if not files:
        return None
    newest = max(file.modified for file in files)
    since = max(newest, made)
    if now - since <= AT_LEAST:
        return None
    came = sorted({file.modified for file in files if file.modified > newest - REMEMBERED})
    certain = newest - came[0] >= A_MEASURE and not kind_of(stream).MAY_STAY_AWAY
    hours = Counter(at.replace(minute=0, second=0, microsecond=0) for at in came)
    rhythm = Rhythm(came[0], newest, hours)
    why = ""
    if rhythm.is_learned and rhythm.chance_of(since, now) <= TOO_ODD:
        why = "in these hours of the week files have always come"
    elif not kind_of(stream).MAY_STAY_AWAY:
        why = _pauses(came, now - since)
    return FallenSilent(newest, why, certain) if why else None


NOTHING_PACKED = 20
"""Bytes of a gzip file in which there is nothing: 10 before it, 2 of an empty block, 8 behind it.

Sources: RFC 1952, section 2.3; RFC 1951, section 3.2.6
"""


def bringing(files: Iterable[StagedFile]) -> list[StagedFile]:
    """The files but for marks such as ``_SUCCESS``, and those with nothing in them."""
    return [file for file in files if not _brings_nothing(file)]


def _brings_nothing(file: StagedFile) -> bool:
    name = file.key.rpartition("/")[2]
    is_empty = not file.size or (file.size == NOTHING_PACKED and name.endswith(".gz"))
    return is_empty or not name or name[0] in "._"


def _pauses(came: list[datetime], quiet: timedelta) -> str:
    longest = max((later - earlier for earlier, later in pairwise(came)), default=None)
    if longest is None or quiet <= PAUSES * longest:
        return ""
    return f"before, a file came at least every {_told(longest)}"


def _told(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    if hours < 2:
        return f"{max(1, round(hours * 60))} minutes"
    return f"{round(hours)} hours" if hours < 72 else f"{round(hours / 24)} days"
