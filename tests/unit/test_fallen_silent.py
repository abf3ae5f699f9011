"""What is too quiet: learned from what a stream has been, and never said of one that has not begun."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.facts.objects import Listing
from runbook.facts.silence import fallen_silent
from tests.unit.observed import NOW, staged
from tests.unit.test_taking_back import SETTINGS

EVENTS, BAD = SETTINGS.streams
LONG_AGO = NOW - timedelta(days=400)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def came(*ages, stream=EVENTS, made=LONG_AGO):
    files = tuple(staged(f"{stream.prefix}{age}.gz", modified=NOW - age) for age in ages)
    return fallen_silent(stream, Listing(files), made, NOW)


@pytest.mark.parametrize(
    ("name", "size"), [("_SUCCESS", 9), (".part.crc", 9), ("a.gz", 0), ("a.gz", 20), ("", 0)]
)
def test_marks_and_files_with_nothing_in_them_bring_nothing(name, size):
    files = [staged(f"{EVENTS.prefix}{age}.gz", modified=NOW - age) for age in every(HOUR, since=3 * DAY, until=26 * HOUR)]  # fmt: skip  # noqa: E501
    since = [staged(f"{EVENTS.prefix}{age}/{name}", modified=NOW - age, size=size) for age in every(HOUR, since=DAY, until=HOUR)]  # fmt: skip  # noqa: E501
    found = fallen_silent(EVENTS, Listing((*files, *since)), LONG_AGO, NOW)
    assert found
    assert found.since == NOW - 26 * HOUR
    assert fallen_silent(EVENTS, Listing(tuple(since)), LONG_AGO, NOW) is None


def every(gap, *, since, until):
    """Ages of files: one each ``gap``, from ``since`` ago until ``until`` ago."""
    return [until + gap * number for number in range(int((since - until) / gap) + 1)]


def test_a_stream_that_has_not_begun_is_not_silent():
    assert came() is None
    assert came(10 * DAY) is None  # one file, say to try it out, is no past


def test_nothing_since_yesterday_is_told_of_a_short_past_as_advice():
    found = came(*every(HOUR, since=3 * DAY, until=26 * HOUR))
    assert found
    assert not found.is_certain
    assert found.since == NOW - 26 * HOUR
    assert "at least every 60 minutes" in found.why


def test_after_two_weeks_it_is_certain():
    found = came(*every(HOUR, since=20 * DAY, until=26 * HOUR))
    assert found
    assert found.is_certain
    assert found.why == "in these hours of the week files have always come"


@pytest.mark.parametrize(
    ("gap", "past"),
    [(timedelta(minutes=20), 4 * DAY), (HOUR, 20 * DAY), (DAY, 40 * DAY), (7 * DAY, 40 * DAY)],
)
@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_who_is_no_later_than_ever_is_never_called_silent(gap, past, part):
    assert came(*every(gap, since=past, until=gap * part)) is None


@given(st.integers(0, 6), st.integers(0, 23))
@settings(max_examples=30)
def test_a_week_of_working_days_is_learned(day, hour):
    """From nine to five, Monday to Friday, for a month; asked at any hour of the week after."""
    end = NOW - timedelta(days=NOW.weekday(), hours=NOW.hour)  # a Monday
    moments = [
        end - timedelta(days=back) + timedelta(hours=at)
        for back in range(1, 29)
        for at in range(9, 18)
        if (end - timedelta(days=back)).weekday() < 5
    ]
    now = end + timedelta(days=day, hours=hour)
    moments += [
        end + timedelta(days=d, hours=at)
        for d in range(min(day + 1, 5))
        for at in range(9, 18)
        if end + timedelta(days=d, hours=at) <= now
    ]
    files = tuple(staged(f"{n}.gz", modified=at) for n, at in enumerate(moments))
    assert fallen_silent(EVENTS, Listing(files), LONG_AGO, now) is None


def test_a_working_day_without_a_file_is_told_though_weekends_are_longer():
    end = NOW - timedelta(days=NOW.weekday(), hours=NOW.hour)
    moments = [
        end - timedelta(days=back) + timedelta(hours=at, minutes=minutes)
        for back in range(1, 29)
        for at in range(9, 18)
        for minutes in (0, 30)
        if (end - timedelta(days=back)).weekday() < 5
    ]
    files = tuple(staged(f"{n}.gz", modified=at) for n, at in enumerate(moments))
    assert fallen_silent(EVENTS, Listing(files), LONG_AGO, end + timedelta(hours=9)) is None
    found = fallen_silent(EVENTS, Listing(files), LONG_AGO, end + timedelta(hours=18))
    assert found
    assert found.is_certain


def test_bad_rows_may_stop():
    ages = every(6 * HOUR, since=9 * DAY, until=5 * DAY)
    assert came(*ages)
    assert came(*ages, stream=BAD) is None
    many = came(*every(HOUR, since=20 * DAY, until=26 * HOUR), stream=BAD)
    assert many
    assert not many.is_certain


def test_a_pipe_made_again_counts_from_then():
    ages = every(HOUR, since=3 * DAY, until=26 * HOUR)
    assert came(*ages, made=NOW - 5 * HOUR) is None
    assert came(*ages, made=NOW - 25 * HOUR)


def test_one_long_past_is_forgotten_after_five_weeks():
    old = every(HOUR, since=90 * DAY, until=80 * DAY)
    assert came(*old, *every(DAY, since=30 * DAY, until=0 * DAY)) is None
