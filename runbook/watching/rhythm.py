"""A stream's usual rhythm: in which hours of the week files arrive, and how odd a silence is. Pure.

For each of the week's 168 hours it is known in how many of the past weeks anything arrived. The chance that
a silence comes about by itself is the product over its hours of the chance that nothing arrives in each. A
night or a weekend in which nothing ever arrived costs nothing; a few busy hours in a row soon cost all. No
hour is certain, however regular: with ``n`` weeks seen and ``m`` of them silent, but not all, the chance is
(m + 1/2) / (n + 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
LEARNED_AFTER = timedelta(days=7)
"""What is known of a stream before cannot tell a weekend from a fault."""
WEEKS = 8  # looked back on: a rhythm may change
TOO_ODD = 0.0001
LONGEST = timedelta(days=28)  # of a silence that is judged hour by hour


@dataclass(frozen=True)
class Rhythm:
    """Of one stream: since when it is known, and the hours in which files arrived."""

    since: datetime
    until: datetime
    hours: Mapping[datetime, int]
    """Files by hour; an hour that is not there had none."""

    @property
    def is_learned(self) -> bool:
        """Whether enough is known to call a silence odd."""
        return self.until - self.since >= LEARNED_AFTER and any(self.hours.values())

    def chance_of_none(self, hour: datetime) -> float:
        """The chance that nothing arrives in an hour of the week, by the weeks before it."""
        seen = silent = 0
        for weeks in range(1, WEEKS + 1):
            before = hour - weeks * WEEK
            if before < self.since:
                break
            if before + HOUR > self.until:
                continue  # not over when it was learned
            seen += 1
            silent += not self.hours.get(before, 0)
        return 1.0 if silent == seen else (silent + 0.5) / (seen + 1)

    def chance_of(self, begin: datetime, end: datetime) -> float:
        """The chance that nothing arrives from ``begin`` to ``end``."""
        chance = 1.0
        begin = max(begin, end - LONGEST)
        hour = begin.replace(minute=0, second=0, microsecond=0)
        while hour < end and chance > TOO_ODD / 1000:
            part = (min(end, hour + HOUR) - max(begin, hour)) / HOUR
            chance *= self.chance_of_none(hour) ** part
            hour += HOUR
        return chance

    def longest_silence(self, begin: datetime) -> timedelta | None:
        """How long a silence from ``begin`` on may last before it is odd; None where nothing is usual."""
        chance, hour = 1.0, begin.replace(minute=0, second=0, microsecond=0)
        while hour < begin + LONGEST:
            none = self.chance_of_none(hour)
            part = (hour + HOUR - max(begin, hour)) / HOUR
            if chance * none**part <= TOO_ODD:
                return max(hour, begin) + HOUR - begin
            chance *= none**part
            hour += HOUR
        return None


@dataclass(frozen=True)
class Silence:
    """What is to be thought of the time since a stream's newest file."""

    newest: datetime
    lasts: timedelta
    is_too_long: bool
    why: str


def silence(
    rhythm: Rhythm, newest: datetime, now: datetime, *, limit: timedelta | None = None
) -> Silence | None:
    """Whether it is too quiet: by the limit where one is set, else by the rhythm; None where nobody knows."""
    lasts = max(now - newest, timedelta(0))
    if limit is not None:
        return Silence(newest, lasts, lasts > limit, f"the limit set is {_hours(limit)}")
    if not rhythm.is_learned:
        return None
    too_long = rhythm.chance_of(newest, now) <= TOO_ODD
    usual = rhythm.longest_silence(newest)
    why = (
        f"at this time of the week it is {_hours(usual)} at most"
        if usual
        else "nothing is usual at this time"
    )
    return Silence(newest, lasts, too_long, why)


def _hours(span: timedelta) -> str:
    hours = span / HOUR
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
