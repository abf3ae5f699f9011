"""Listing by ranges: every key once, whatever the keys are called and whoever is quicker."""

import threading
from bisect import bisect_right
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.listing.ranges import Fetch, Page, pages, places

PREFIX = "p/"
CHARACTERS = st.sampled_from("ab/0129~\x00\x7f +%é\ud7ff\ue000\uffff\U0010ffff")
NAMES = st.text(CHARACTERS, max_size=5)
FOLDERS = st.builds("{}/{}/{}".format, st.integers(2024, 2026), st.integers(1, 12), st.integers(0, 300))
HOT = st.builds("hot/{:05d}".format, st.integers(0, 400)) | st.builds("{}".format, st.integers(0, 9))
HASHES = st.integers(0, 2**64 - 1).map("{:016x}".format)


def fake(names: set[str], size: int) -> Fetch:
    """S3 with pages of a few keys."""
    keys = sorted(PREFIX + name for name in names)

    def fetch(after: str, limit: int) -> Page:
        first = bisect_right(keys, after)
        found = keys[first : first + min(limit, size)]
        return Page(found, [b"t"] * len(found), [b"1"] * len(found), more=first + len(found) < len(keys))

    return fetch


@pytest.mark.parametrize("names", [NAMES, FOLDERS, HOT, HASHES], ids=["any", "folders", "hot", "hashes"])
def test_no_key_is_missed_or_listed_twice(names: st.SearchStrategy[str]) -> None:
    @given(st.sets(names, max_size=150), st.integers(1, 4), st.integers(1, 6))
    def each_key_once(some: set[str], size: int, width: int) -> None:
        found = Counter(key for page in pages(fake(some, size), PREFIX, width=width) for key in page.keys)
        assert found == Counter(PREFIX + name for name in some)

    each_key_once()


@given(st.sets(NAMES, min_size=1, max_size=40), st.data())
def test_places_lie_behind_what_is_listed_and_before_something(
    given_names: set[str], data: st.DataObject
) -> None:
    names = {name + "." for name in given_names}  # none is itself a place that is tried
    keys = sorted(PREFIX + name for name in names)
    low = data.draw(st.sampled_from(keys))
    high = data.draw(st.none() | st.sampled_from([key for key in keys if key >= low]))
    count = data.draw(st.integers(1, 5))
    found, end = places(fake(names, 5), PREFIX, low, high, count)
    rest = [key for key in keys if low < key and (high is None or key <= high)]
    apart = [key for key in rest if not key.startswith(low)]
    assert found or not apart
    assert len(found) <= count
    assert found == sorted(set(found))
    assert all(low < place for place in found)
    assert not found or any(key >= found[-1] for key in rest)
    assert not [key for key in rest if end is not None and key > end]


def test_what_was_learned_of_a_range_is_not_asked_again() -> None:
    asked: list[str] = []
    fetch = fake({f"year=2026/month=01/{n:05d}" for n in range(2000)}, 1000)

    def counted(after: str, limit: int) -> Page:
        asked.append(after)
        return fetch(after, limit)

    low = PREFIX + "year=2026/month=01/00010"
    found, end = places(counted, PREFIX, low, None)
    first = len(asked)
    again, _ = places(counted, PREFIX, low, found[0])
    assert end is not None
    assert low < again[0] < found[0] < end
    assert 2 * (len(asked) - first) < first


def test_a_small_folder_is_listed_without_a_single_probe() -> None:
    asked: list[int] = []
    fetch = fake({f"{n:04d}" for n in range(2000)}, 1000)

    def counted(after: str, limit: int) -> Page:
        asked.append(limit)
        return fetch(after, limit)

    assert sum(len(page.keys) for page in pages(counted, PREFIX)) == 2000
    assert asked == [1000, 1000]


def test_what_one_worker_is_refused_ends_the_listing() -> None:
    fetch = fake({f"{n:05d}" for n in range(5000)}, 10)

    def refused(after: str, limit: int) -> Page:
        if after > PREFIX + "03":
            raise PermissionError(after)
        return fetch(after, limit)

    with pytest.raises(PermissionError):
        list(pages(refused, PREFIX, width=4))


def test_an_idle_worker_takes_half_of_what_another_is_listing() -> None:
    fetch, first, another = (
        fake({f"{n:05d}" for n in range(300)}, 1),
        threading.get_ident(),
        threading.Event(),
    )
    workers: set[int] = set()

    def waits_for_company(after: str, limit: int) -> Page:
        if limit > 1:
            workers.add(threading.get_ident())
            if len(workers) > 1:
                another.set()
            elif after > PREFIX + "00010":
                assert another.wait(30), "nobody came to list the other half"
        return fetch(after, limit)

    assert sum(len(page.keys) for page in pages(waits_for_company, PREFIX, width=4)) == 300
    assert first not in workers
    assert len(workers) > 1
