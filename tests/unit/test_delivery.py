"""Which files are missing, failed, partly loaded or late, by the listing and the load histories."""

# ruff: noqa: E501 (a table has one row a line)

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.clouds.failures import SqlFailed
from runbook.commands.refresh import loaded_everywhere, refresh_plan
from runbook.commands.status import whereabouts
from runbook.errors import Blocked, CannotTell, NotConverged, Refused
from runbook.facts.delivery import (
    belongs,
    failed,
    findings,
    half_strangers,
    late,
    named,
    never_loaded,
    unheard,
)
from runbook.facts.history import RowsOfFile, TableRows
from runbook.facts.objects import Listing, Load, PipeStatus
from runbook.ledger.findings import is_refused
from tests.unit.observed import MADE, NOW, pipe, staged

P = "snowplow/enriched/stream/"
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def stream(settings):
    return settings.stream("events")


def load(key, status="LOADED", *, rows=3, parsed=3, error="", at=NOW):
    return Load(key, status, at, rows, parsed, parsed - rows, error, "EVENTS_PIPE")


def listed(*files):
    return Listing(tuple(files))


@pytest.mark.parametrize(
    ("key", "belonging"),
    [
        (P + "a.gz", True),
        (P + "a.tsv", False),
        (P, False),
        (P + "x/", False),
        (P + "a.gz.tmp", False),
        (P + "a.GZ", False),
    ],
)
def test_a_file_belongs_to_a_stream_by_its_suffix(stream, key, belonging):
    assert belongs(staged(key), stream) is belonging


def test_never_loaded_is_what_no_history_names_oldest_first(stream):
    old = staged(P + "old.gz", modified=NOW - DAY)
    new = staged(P + "new.gz", modified=NOW)
    twin = staged(P + "also-new.gz", modified=NOW)
    known = [staged(P + name) for name in ("loaded.gz", "failed.gz", "partly.gz", "loading.gz")]
    loads = (
        load(P + "loaded.gz"),
        load(P + "failed.gz", "LOAD_FAILED"),
        load(P + "partly.gz", "PARTIALLY_LOADED"),
        load(P + "loading.gz", "LOAD_IN_PROGRESS"),
    )
    listing = listed(new, *known, old, twin, staged(P + "other.txt"))
    assert never_loaded(stream, listing, loads) == [old, twin, new]


@given(st.lists(st.integers(0, 20), unique=True), st.sets(st.integers(0, 20)))
def test_a_file_is_either_known_to_a_history_or_never_loaded(stream_files, known):
    from runbook.settings import read
    from tests.unit.conftest import written

    stream = read(written()).stream("events")
    listing = listed(*(staged(f"{P}{number}.gz") for number in stream_files))
    loads = tuple(load(f"{P}{number}.gz") for number in known)
    found = {file.key for file in never_loaded(stream, listing, loads)}
    assert found == {f"{P}{number}.gz" for number in set(stream_files) - known}


def test_a_failed_file_is_told_while_it_is_there_and_nothing_has_loaded_it():
    listing = listed(*(staged(P + name) for name in ("a.gz", "b.gz", "c.gz")))
    loads = (
        load(P + "a.gz", "LOAD_FAILED", error="bad field"),
        load(P + "b.gz", "LOAD_FAILED", error="bad line"),
        load(P + "b.gz"),
        load(P + "c.gz", "LOAD_FAILED", error="x"),
        load(P + "c.gz", "PARTIALLY_LOADED"),
        load(P + "gone.gz", "LOAD_FAILED", error="deleted since"),
    )
    assert failed(listing, loads) == [f"{P}a.gz: bad field"]


@pytest.mark.parametrize(("count", "said"), [(0, 0), (5, 5), (6, 6), (100, 6)])
def test_many_files_are_named_a_few_and_counted(count, said):
    rows = [str(number) for number in range(count)]
    assert named(rows)[:5] == rows[:5]
    assert len(named(rows)) == said
    if count > 5:
        assert named(rows)[-1] == f"and {count - 5} more"
    assert list(findings(dict.fromkeys(rows, "cut short")).keys) == rows


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({}, []),
        ({"pendingFileCount": 0, "oldestFileTimestamp": "2026-11-20T10:00:00Z"}, []),
        ({"pendingFileCount": 3}, []),
        ({"pendingFileCount": 3, "oldestFileTimestamp": "2026-11-20T11:45:00Z"}, []),
        ({"pendingFileCount": 3, "oldestFileTimestamp": "2026-11-20T11:44:59.999Z", "oldestPendingFilePath": "p"}, ["p and 2 more"]),
        ({"pendingFileCount": 1, "oldestFileTimestamp": "2026-11-20T11:00:00.000Z"}, ["? and 0 more"]),
        ({"pendingFileCount": 1, "oldestFileTimestamp": "2026-11-20T13:44:00+02:00", "oldestPendingFilePath": "q"}, ["q and 0 more"]),
    ],
)  # fmt: skip
def test_an_announced_file_that_waits_too_long_is_late(document, found):
    assert late(PipeStatus(document), NOW, 15 * MINUTE) == found


# ---- operating


def installed(found, **changes):
    for key, value in changes.items():
        found[(key, "events")] = value
    return found


def test_where_the_files_of_a_stream_are(found, facts, stream):
    known = facts(
        installed(
            found,
            listing=listed(
                *(staged(f"{P}{name}.gz") for name in ("a", "b", "c", "d", "e")),
                staged(P + "forgotten.gz", modified=NOW - 15 * DAY),
            ),
            loads=(
                load(P + "a.gz", at=NOW - HOUR),
                load(P + "b.gz", "PARTIALLY_LOADED", rows=2, at=NOW - 2 * HOUR),
                load(P + "c.gz", "LOAD_FAILED", rows=0, at=NOW),
            ),
            status=PipeStatus(
                {"executionState": "RUNNING", "pendingFileCount": 1, "oldestFileTimestamp": NOW.isoformat()}
            ),
        )
    )
    row = whereabouts(known, stream)
    assert row.as_json() == {
        "stream": "events",
        "state": "RUNNING",
        "in_bucket": 6,
        "loaded": 2,
        "failed": 1,
        "pending": 1,
        "never_loaded": 2,
        "before_pipe": 0,
        "other_files": 0,
        "rows_loaded": 5,
        "last_load": "2026-11-20T11:00:00+00:00",
        "rest": {"before_pipe": 1},
    }
    assert row.as_row()["last load (UTC)"] == "11-20 11:00"
    assert row.remarks == ["other files: 1 there before the pipe was made (invoke verify --deep)"]


def test_a_canary_is_no_file_of_the_stream(found, facts, settings, stream):
    loads = (load(P + "a.gz", rows=3), load(P + "snowpipe-runbook-canary-20261120T110000Z-abc123.gz", rows=1))
    row = whereabouts(facts(installed(found, listing=listed(staged(P + "a.gz")), loads=loads)), stream)
    assert (row.in_bucket, row.loaded, row.rows_loaded) == (1, 1, 3)


def test_what_cannot_be_listed_is_not_nothing(found, facts, settings, stream):
    refused = Listing((), SqlFailed(3167, "Error assuming AWS_ROLE", "q", "LIST"))
    row = whereabouts(facts(installed(found, listing=refused, loads=())), stream)
    assert (row.in_bucket, row.never_loaded) == (None, None)
    assert row.as_row()["files"] == row.as_row()["missing"] == "?"
    assert row.remarks == ["the folder cannot be listed through the stage: invoke verify says why"]


def test_what_the_replaced_pipe_loaded_is_counted_by_its_rows(found, facts, settings, stream):
    """COPY_HISTORY forgets with a pipe what it loaded."""
    made = NOW - HOUR
    found["pipes"] = {stream.pipe.name: pipe(settings, stream, created_on=made)}
    rows = {P + name: RowsOfFile(5, made - HOUR, 0) for name in ("a.gz", "b.gz")}
    known = facts(
        installed(
            found,
            listing=listed(*(staged(P + name, modified=made - DAY) for name in ("a.gz", "b.gz"))),
            loads=(),
            rows=TableRows(10, made - 9 * DAY, rows),
            status=PipeStatus({"executionState": "RUNNING"}),
        )
    )
    row = whereabouts(known, stream)
    assert (row.in_bucket, row.loaded, row.rows_loaded, row.never_loaded) == (2, 2, 10, 0)
    assert (row.last_load, row.rest, row.remarks) == (made - HOUR, {}, [])


@pytest.mark.parametrize(("count", "are"), [(1, "1 of the missing is"), (2, "2 of the missing are")])
def test_what_is_older_than_the_pipe_an_earlier_one_may_have_loaded(
    found, facts, settings, stream, count, are
):
    made = NOW - DAY
    old = [staged(f"{P}{number}.gz", modified=made - HOUR * number) for number in range(count)]
    found["pipes"] = {stream.pipe.name: pipe(settings, stream, created_on=made)}
    known = facts(
        installed(
            found,
            listing=listed(*old, staged(P + "new.gz", modified=made + HOUR)),
            loads=(),
            status=PipeStatus({"executionState": "RUNNING"}),
        )
    )
    row = whereabouts(known, stream)
    assert (row.never_loaded, row.before_pipe) == (count + 1, count)
    assert row.remarks[0].startswith(f"{are} older than the pipe")


def test_every_failed_file_is_counted_and_files_of_another_suffix_are_told(found, facts, stream):
    files = [staged(f"{P}{number}.gz") for number in range(9)]
    files += [staged(f"{P}{number}.zst") for number in range(2)]
    known = facts(
        installed(
            found,
            listing=listed(*files, staged(f"{P}_SUCCESS")),
            loads=tuple(load(file.key, "LOAD_FAILED", rows=0, at=NOW) for file in files[:9]),
            status=PipeStatus({"executionState": "RUNNING"}),
        )
    )
    row = whereabouts(known, stream)
    assert (row.failed, row.other_files, row.never_loaded) == (9, 2, 0)
    assert "2 files of the last 14 days in its folder are not the stream's" in row.remarks[0]


def test_where_nothing_is(absent, facts, stream):
    row = whereabouts(facts(absent), stream)
    assert (row.state, row.in_bucket, row.loaded, row.last_load) == ("absent", None, 0, None)
    assert row.as_row()["last load (UTC)"] == "never"


def rows_of(*keys):
    """The table with three rows of each file."""
    return TableRows(3 * len(keys), MADE, {key: RowsOfFile(3, NOW) for key in keys})


def test_a_refresh_takes_what_is_missing_of_the_last_seven_days(found, facts, stream):
    young, old = staged(P + "young.gz", modified=NOW - 6 * DAY), staged(P + "old.gz", modified=NOW - 8 * DAY)
    forgotten = staged(P + "forgotten.gz", modified=NOW - 15 * DAY)
    known = facts(
        installed(
            found,
            listing=listed(young, old, forgotten, staged(P + "a.gz")),
            loads=(load(P + "a.gz"),),
            rows=rows_of(P + "a.gz"),
        )
    )
    made = refresh_plan(known, stream)
    assert (made.files, made.too_old) == ((young,), 1)
    assert str(made) == (
        f"1 file of the last 7 days not in any load history ({P}young.gz); 1 older beyond REFRESH"
    )


def test_a_refresh_of_what_the_table_already_holds_is_refused(found, facts, stream):
    known = facts(
        installed(found, listing=listed(staged(P + "a.gz"), staged(P + "b.gz")), rows=rows_of(P + "a.gz"))
    )
    with pytest.raises(Refused, match=rf"load 1 files a second time \({P}a\.gz\)"):
        refresh_plan(known, stream)


def test_a_refresh_leaves_alone_what_nobody_can_tell_of(found, facts, stream):
    """Loaded before the table was emptied, perhaps: the new file is brought by its name, the old one stays."""
    emptied = NOW - timedelta(hours=9)
    old = staged(P + "old.gz", modified=emptied - timedelta(hours=1))
    new = staged(P + "new.gz", modified=NOW - timedelta(hours=2))
    done = staged(P + "done.gz", modified=NOW - timedelta(hours=3))
    known = facts(
        installed(
            found,
            listing=listed(old, new, done),
            loads=(load(done.key, at=NOW - timedelta(hours=3)),),
            rows=TableRows(3, emptied - DAY, None),
        )
        | {"pipes": {stream.pipe.name: replace(found["pipes"][stream.pipe.name], created_on=emptied)}}
    )
    made = refresh_plan(known, stream)
    assert ([file.key for file in made.files], made.uncertain) == ([new.key], 1)
    assert made.starts() == [new.key]
    assert str(made).endswith("; 1 left alone, as nobody can tell whether it was loaded")


def test_nothing_missing_asks_the_table_nothing(found, facts, stream):
    assert refresh_plan(facts(found), stream).files == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"listing": None}, Blocked),
        ({"loads": None}, Blocked),
        ({"listing": Listing(error=SqlFailed(3139, "gone", "q", "LIST"))}, CannotTell),
    ],
)
def test_a_refresh_without_pipe_or_stage_is_not_planned(found, facts, stream, changes, error):
    with pytest.raises(error):
        refresh_plan(facts(installed(found, **changes)), stream)
    with pytest.raises(Blocked):
        refresh_plan(facts({**found, "pipes": {}}), stream)


def test_waiting_ends_when_every_file_is_in_the_history(found, facts, stream):
    files = (staged(P + "a.gz"), staged(P + "b.gz"))
    first = facts(installed(dict(found), loads=(load(P + "a.gz"), load(P + "b.gz", "LOAD_IN_PROGRESS"))))
    second = facts(
        installed(dict(found), loads=(load(P + "a.gz"), load(P + "b.gz", "LOAD_FAILED", error="no")))
    )
    first.then = second
    assert loaded_everywhere(first, stream, files, 60) == [f"{P}b.gz: no"]
    assert len(first.reader.slept) == 1


@pytest.mark.parametrize(
    ("state", "remedy"),
    [("PAUSED", "invoke resume --stream events"), ("STALLED_STAGE_PERMISSION_ERROR", "invoke verify")],
)
def test_nobody_waits_for_a_pipe_that_does_not_run(found, facts, stream, state, remedy):
    known = facts(installed(found, loads=(), status=PipeStatus({"executionState": state})))
    with pytest.raises(
        NotConverged, match=rf"1 file queued and not loaded \({P}a\.gz\).* is {state}\. To do: {remedy}"
    ):
        loaded_everywhere(known, stream, (staged(P + "a.gz"),), 60)
    assert known.reader.slept == []


def test_what_a_pipe_does_not_take_is_named_with_the_command_that_brings_it(found, facts, stream):
    known = facts(installed(found, loads=()))
    with pytest.raises(NotConverged, match=r"did not take 1 file .*a\.gz.*--pattern '\.\*' --reload-gone"):
        loaded_everywhere(known, stream, (staged(P + "a.gz"),), 60)


def test_waiting_ends_with_the_time_and_names_the_rest(found, facts, stream):
    waiting = PipeStatus({"executionState": "RUNNING", "pendingFileCount": 1})
    known = facts(installed(found, loads=(load(P + "a.gz"),), status=waiting))
    with pytest.raises(NotConverged, match=rf"1 files were queued and are not loaded yet \({P}b\.gz\)"):
        loaded_everywhere(known, stream, (staged(P + "a.gz"), staged(P + "b.gz")), 60)
    assert 60 <= known.reader.clock <= 70
    assert max(known.reader.slept) <= 5


def status(**keys):
    return PipeStatus({name: moment.isoformat() if moment else None for name, moment in keys.items()})


@pytest.mark.parametrize(
    ("arrived", "forwarded", "ingested", "red"),
    [
        (NOW - HOUR, NOW - 2 * HOUR, NOW - 2 * HOUR, True),
        (NOW - HOUR, NOW - 2 * HOUR, None, True),
        (NOW - HOUR, NOW - HOUR, NOW - 2 * HOUR, False),  # heard of it, and failed: another check's
        (NOW - HOUR, NOW - 2 * HOUR, NOW - HOUR / 2, False),  # loaded by a REFRESH
        (NOW - HOUR / 10, NOW - 2 * HOUR, None, False),  # not late yet
        (NOW - HOUR, None, None, False),  # a status that does not say
        (NOW - 8 * DAY, NOW - 9 * DAY, None, False),  # perhaps loaded by a COPY
    ],
)
def test_the_newest_file_and_the_pipes_last_sign_of_life(settings, stream, arrived, forwarded, ingested, red):
    said = status(lastForwardedMessageTimestamp=forwarded, lastIngestedTimestamp=ingested)
    files = listed(staged(P + "a.gz", modified=arrived))
    old = pipe(settings, stream, created_on=NOW - 30 * DAY)
    found = unheard(stream, files, said, old, NOW, settings.checks)
    assert bool(found) == red


@pytest.mark.parametrize(
    ("own", "others", "red"), [(0, 2, True), (3, 1, False), (4, 2, True), (5, 2, False), (2, 2, True)]
)
def test_files_of_another_suffix_are_named_where_they_are_many(stream, own, others, red):
    files = [staged(f"{P}{number}.gz") for number in range(own)]
    files += [staged(f"{P}{number}.zst") for number in range(others)]
    files += [staged(f"{P}_SUCCESS"), staged(f"{P}.part"), staged(f"{P}old.zst", modified=NOW - 20 * DAY)]
    found = half_strangers(stream, listed(*files), NOW)
    assert bool(found) == red


@pytest.mark.parametrize("end", [".md5", ".done", ".meta.json"])
def test_what_goes_with_a_file_of_the_stream_is_not_another(stream, end):
    files = [staged(f"{P}{number}.gz{more}") for number in range(9) for more in ("", end)]
    assert half_strangers(stream, listed(*files), NOW) == []
    alone = [staged(f"{P}{number}.gz{end}") for number in range(9, 18)]
    assert half_strangers(stream, listed(*files, *alone), NOW) != []


@pytest.mark.parametrize(("others", "red"), [(2, False), (3, True)])
def test_files_of_another_suffix_are_named_on_the_day_they_begin_to_come(stream, others, red):
    files = [staged(f"{P}{number}.gz", modified=NOW - DAY * (2 + number % 12)) for number in range(500)]
    files += [staged(f"{P}last-{number}.gz", modified=NOW - DAY / 3) for number in range(6)]
    files += [staged(f"{P}{number}.zst", modified=NOW - HOUR * number) for number in range(others)]
    assert bool(half_strangers(stream, listed(*files), NOW)) == red


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ("a.gz: Failed to access remote file: access denied. Please check your credentials", True),
        ("a.gz: Remote file 'a.gz' was not found. There are several potential causes.", True),
        ("a.gz: gone from the bucket before it was loaded: Remote file 'a.gz' was not found.", False),
        ("a.gz: Failed to access remote file: The operation is not valid (InvalidObjectState)", False),
        ("a.gz: Invalid data encountered during decompression", False),
    ],
)
def test_a_file_that_snowflake_was_not_let_read_is_told_from_one_that_is_gone(told, refused):
    assert is_refused(told) == refused
