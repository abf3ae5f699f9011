"""The generated events against the real ones of ``../shared/samples/public``, where that folder lies."""

import statistics
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from snowpipe_sandbox.snowplow.events import Event, events
from snowpipe_sandbox.snowplow.fields import NAMES, NEVER_EMPTY, POSITIONS

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "samples" / "public"

pytestmark = pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"no real sample files at {PUBLIC}")


@pytest.fixture(scope="module")
def real() -> dict[str, list[list[str]]]:
    """The rows of 131 fields, by file; the files are five quite different populations."""
    return {
        path.name: [line.decode().split("\t") for line in path.read_bytes().split(b"\n") if line]
        for path in sorted(PUBLIC.glob("enriched-*.tsv"))
    }


@pytest.fixture(scope="module")
def ours() -> list[Event]:
    return list(events(11, datetime(2026, 11, 1, tzinfo=UTC), rows=20_000))


def share(rows, position) -> float:
    return sum(bool(row[position]) for row in rows) / len(rows)


def test_real_files_have_our_131_fields(real):
    assert len(real) == 5
    assert sum(map(len, real.values())) == 310
    for rows in real.values():
        for row in rows:
            assert len(row) == len(NAMES)
            assert all(row[POSITIONS[name]] for name in NEVER_EMPTY)


def test_event_mix_is_that_of_the_real_files(real, ours):
    """Each kind of event within 5 points of its share of all real lines."""
    rows = [row for rows in real.values() for row in rows]
    theirs = Counter(row[POSITIONS["event"]] for row in rows)
    mine = Counter(event.values[POSITIONS["event"]] for event in ours)
    assert mine.keys() == theirs.keys()
    for kind, number in theirs.items():
        assert mine[kind] / len(ours) == pytest.approx(number / len(rows), abs=0.05), kind


# Fields a current pipeline fills and those that wrote the real files did not.
NEWER = {
    "geo_timezone": "given by the IP lookups; only 6 of the 26 real lines with a geo_country have it",
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEWER])
def test_fill_rate_is_within_those_of_the_real_files(real, ours, name):
    """Within 0.2 of the range that the real files span; every file is a population of its own."""
    position = POSITIONS[name]
    theirs = [share(rows, position) for rows in real.values()]
    mine = share([event.values for event in ours], position)
    assert min(theirs) - 0.2 <= mine <= max(theirs) + 0.2


@pytest.mark.parametrize(("name", "country"), [(name, "geo_country") for name in NEWER])
def test_newer_fields_come_with_the_lookup_that_gives_them(real, ours, name, country):
    """Never without a country, here as there."""
    for row in [*(row for rows in real.values() for row in rows), *(event.values for event in ours)]:
        assert row[POSITIONS[country]] or not row[POSITIONS[name]]


def test_lines_are_as_long_as_real_ones(real, ours):
    """Median within a fifth of the real one; nine of ten between 1 and 6 KB."""
    theirs = [len("\t".join(row).encode()) for rows in real.values() for row in rows]
    mine = [len(event.line.encode()) for event in ours]
    assert statistics.median(mine) == pytest.approx(statistics.median(theirs), rel=0.2)
    assert sum(1000 <= size <= 6144 for size in mine) / len(mine) > 0.9
    assert max(mine) < 20_000


def test_never_empty_here_if_never_empty_there(real, ours):
    always = [name for name in NAMES if all(share(rows, POSITIONS[name]) == 1 for rows in real.values())]
    assert {*NEVER_EMPTY, "event"} <= set(always)
    for name in always:
        assert share([event.values for event in ours], POSITIONS[name]) == 1, name
