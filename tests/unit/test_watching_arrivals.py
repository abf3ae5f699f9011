"""A folder's end, in a few questions however many files lie in it."""

import uuid
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.listing.ranges import Page
from runbook.watching.arrivals import KEPT, PROBES, End, Mark, between, by_hour, look, names_grow
from tests.unit.observed import staged
from tests.unit.test_taking_back import SETTINGS

PREFIX = "a/b/"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Folder:
    """A folder of S3 that counts what it is asked."""

    def __init__(self, names: list[str]) -> None:
        self.keys = sorted(PREFIX + name for name in names)
        self.asked = 0

    def fetch(self, after: str, limit: int) -> Page:
        self.asked += 1
        at = bisect_right(self.keys, after)
        part = self.keys[at : at + limit]
        modified = [b"2026-01-01T00:00:00.000Z"] * len(part)
        return Page(part, modified, [b"10"] * len(part), at + limit < len(self.keys))

    def look(self, mark: Mark = Mark()) -> End:  # noqa: B008 (frozen)
        self.asked = 0
        return look(self.fetch, PREFIX, mark)

    def put(self, *names: str) -> None:
        self.keys = sorted([*self.keys, *(PREFIX + name for name in names)])


def by_time(number: int) -> str:
    return f"{BEGIN + timedelta(seconds=30 * number):%Y-%m-%d-%H%M%S}-{uuid.UUID(int=number)}.gz"


def in_folders(number: int) -> str:
    return f"{BEGIN + timedelta(seconds=30 * number):run=%Y-%m-%d-%H}/part-{number % 120:05d}.gz"


def numbered(number: int) -> str:
    return f"part-{number:09d}.gz"


def at_random(number: int) -> str:
    return f"{uuid.uuid5(uuid.NAMESPACE_URL, str(number))}.gz"


@pytest.mark.parametrize("name", [by_time, in_folders, numbered, at_random])
@pytest.mark.parametrize("count", [0, 1, 999, 1001, 20_000, 200_000])
def test_questions_do_not_grow_with_files(name: Callable[[int], str], count: int) -> None:
    folder = Folder([name(number) for number in range(count)])
    first = folder.look()
    assert folder.asked <= PROBES
    assert first.is_whole
    assert first.files == () or first.files[-1].key == folder.keys[-1]
    assert first.new == ()
    again = folder.look(first.mark)
    assert folder.asked == 1
    assert again.new == ()


def test_what_is_new_is_counted_once() -> None:
    folder = Folder([by_time(number) for number in range(5000)])
    mark = folder.look().mark
    seen = []
    for number in range(5000, 5400, 40):
        folder.put(*(by_time(number + more) for more in range(40)))
        end = folder.look(Mark.read(mark.as_text()))
        assert folder.asked == 1
        seen += [file.key for file in end.new]
        mark = end.mark
    assert sorted(seen) == sorted(PREFIX + by_time(number) for number in range(5000, 5400))
    assert len(mark.known) <= KEPT


def test_a_burst_is_read_page_by_page() -> None:
    folder = Folder([by_time(number) for number in range(5000)])
    mark = folder.look().mark
    folder.put(*(by_time(number) for number in range(5000, 8000)))
    end = folder.look(mark)
    assert len(end.new) == 3000
    assert folder.asked <= 5


def test_what_comes_a_little_out_of_order_is_seen() -> None:
    folder = Folder([by_time(number) for number in range(0, 1000, 2)])
    mark = folder.look().mark
    folder.put(by_time(951))
    assert [file.key for file in folder.look(mark).new] == [PREFIX + by_time(951)]


def test_a_folder_that_is_filled_later_begins_at_its_beginning() -> None:
    folder = Folder([])
    mark = folder.look().mark
    folder.put("a.gz")
    assert [file.key for file in folder.look(mark).new] == [f"{PREFIX}a.gz"]


def test_names_that_do_not_grow_are_noticed() -> None:
    folder = Folder([at_random(number) for number in range(5000)])
    end = folder.look()
    later = datetime(2026, 1, 2, tzinfo=UTC)
    assert not names_grow(end, f"{PREFIX}0000.gz", later)
    assert names_grow(end, end.files[-1].key, later)
    assert names_grow(end, "", None)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
)
def test_between_lies_between(one: str, other: str) -> None:
    low, high = sorted((one, other))
    middle = between(low, high)
    assert middle is None or low < middle < high


def test_by_hour() -> None:
    folder = Folder(["a", "b"])
    assert by_hour(folder.look().files) == {BEGIN: (2, 20)}


def test_a_mark_is_not_a_file_that_nobody_was_notified_of() -> None:
    stream = SETTINGS.streams[0]
    files = [
        staged(f"{stream.prefix}{name}", modified=BEGIN + timedelta(hours=hour), size=size)
        for hour, (name, size) in enumerate([("1.gz", 99), ("2.gz", 20), ("3.gz.tmp", 99), ("_SUCCESS", 0)])
    ]
    end = End(tuple(files), (), Mark(), is_whole=True)
    assert (end.newest, end.newest_of(stream)) == (files[3], files[0])
