"""Quiet or dead: what a stream's past weeks say of a silence."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from runbook.watching.rhythm import HOUR, Rhythm, silence

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def rhythm(weeks: float, arrives: Callable[[datetime], float], seed: int = 1) -> Rhythm:
    """A stream as it was for so many weeks before MONDAY; ``arrives``: the chance of files in an hour."""
    chance, begin = random.Random(seed), MONDAY - timedelta(weeks=weeks)
    hours, hour = {}, begin
    while hour < MONDAY + timedelta(weeks=1):
        if hour < MONDAY and chance.random() < arrives(hour):
            hours[hour] = chance.randint(1, 20)
        hour += HOUR
    return Rhythm(begin, MONDAY, hours)


def office(hour: datetime) -> float:
    return 1.0 if hour.weekday() < 5 and 8 <= hour.hour < 18 else 0.0


def always(_: datetime) -> float:
    return 1.0


def busy_night_off(hour: datetime) -> float:
    return 0.97 if 6 <= hour.hour < 23 else 0.05


@pytest.mark.parametrize("weeks", [2, 4, 8])
def test_a_night_and_a_weekend_are_no_news(weeks: int) -> None:
    found = rhythm(weeks, office)
    friday_evening = MONDAY - timedelta(days=3) + 17.5 * HOUR
    quiet = silence(found, friday_evening, MONDAY + 8 * HOUR)
    assert quiet is not None
    assert not quiet.is_too_long


@pytest.mark.parametrize("weeks", [2, 4, 8])
def test_a_monday_without_files_is(weeks: int) -> None:
    found = rhythm(weeks, office)
    friday_evening = MONDAY - timedelta(days=3) + 17.5 * HOUR
    told = next(
        hours
        for hours in range(24)
        if silence(found, friday_evening, MONDAY + hours * HOUR).is_too_long  # type: ignore[union-attr]
    )
    assert 10 <= told <= 14  # it begins at 8


def test_a_steady_stream_is_missed_within_hours() -> None:
    found = rhythm(8, always)
    assert not silence(found, MONDAY, MONDAY + HOUR).is_too_long  # type: ignore[union-attr]
    assert silence(found, MONDAY, MONDAY + 4 * HOUR).is_too_long  # type: ignore[union-attr]
    usual = found.longest_silence(MONDAY)
    assert usual is not None
    assert timedelta(hours=2) <= usual <= timedelta(hours=5)


@pytest.mark.parametrize("seed", range(30))
def test_no_false_alarm_in_four_weeks_of_a_bursty_stream(seed: int) -> None:
    """Hours without files now and then, quiet nights: what is usual is never odd."""
    chance = random.Random(seed)
    found = rhythm(6, busy_night_off, seed)
    hours = dict(found.hours)
    newest = MONDAY
    for step in range(24 * 28):
        now = MONDAY + step * HOUR
        if chance.random() < busy_night_off(now):
            newest = now + HOUR * chance.random()
            hours[now] = 1
        known = Rhythm(found.since, now, hours)
        odd = silence(known, newest, now + HOUR)
        assert odd is not None
        assert not odd.is_too_long, (now, newest)


def test_nobody_knows_before_a_week_is_over() -> None:
    assert silence(rhythm(0.9, always), MONDAY, MONDAY + 100 * HOUR) is None
    assert silence(Rhythm(MONDAY, MONDAY, {}), MONDAY, MONDAY + 100 * HOUR) is None


def test_a_limit_that_is_set_decides() -> None:
    quiet = silence(rhythm(0.5, always), MONDAY, MONDAY + 3 * HOUR, limit=2 * HOUR)
    assert quiet is not None
    assert quiet.is_too_long
    assert not silence(rhythm(8, always), MONDAY, MONDAY + 9 * HOUR, limit=10 * HOUR).is_too_long  # type: ignore[union-attr]


def test_a_stream_that_loads_once_a_week() -> None:
    found = rhythm(8, lambda hour: float(hour.weekday() == 6 and hour.hour == 3))
    sunday = MONDAY - timedelta(days=1) + 3.5 * HOUR
    assert not silence(found, sunday, sunday + timedelta(days=6)).is_too_long  # type: ignore[union-attr]


def test_a_clock_that_went_back_is_no_silence() -> None:
    quiet = silence(rhythm(8, always), MONDAY, MONDAY - timedelta(days=400))
    assert quiet is not None
    assert quiet.lasts == timedelta(0)
    assert not quiet.is_too_long
