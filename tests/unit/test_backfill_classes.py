"""Every file in one class, whatever the histories say; and a tool only where it cannot load twice."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from runbook.backfill.tell import no_match
from runbook.errors import SettingsWrong
from runbook.facts.history import RowsOfFile, TableRows
from runbook.facts.objects import Load, Pipe, PipeStatus, StagedFile
from runbook.ledger import asked as asking
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind, classify
from runbook.ledger.verdicts import NOT_ALONE, Verdict, Way, judge
from runbook.loading.planning import FILES_PER_COPY, BackfillPlan, batches, exact_prefixes, plan_files
from runbook.settings import Settings, Stream
from tests.unit.observed import MADE, NOW, pipe, staged

KEYS = [f"snowplow/enriched/stream/{name}" for name in ("a.gz", "a.gz.gz", "b/c.gz", "b/d.gz", "x.txt", "b/")]
AGES = [timedelta(minutes=1), timedelta(hours=2), timedelta(days=9), timedelta(days=20), timedelta(days=400)]
STATUSES = ["LOADED", "PARTIALLY_LOADED", "LOAD_FAILED", "LOAD_IN_PROGRESS", "LOAD_SKIPPED"]
EVERYTHING = asking.read(".*", since=None, until=None, max_files=10, reload_failed=True, reload_gone=True)
NOTHING_MORE = replace(EVERYTHING, reload_failed=False, reload_gone=False)


@pytest.fixture(scope="module")
def stream(settings: Settings) -> Stream:
    return settings.streams[0]


YES = st.booleans()
an_age = st.sampled_from(AGES)
a_moment = an_age.map(lambda age: NOW - age)
a_size = st.sampled_from([0, 20, 500])
a_row = st.builds(RowsOfFile, st.just(3), st.none())


@cache
def loads(keys: tuple[str, ...]) -> st.SearchStrategy[Load]:
    return st.builds(
        Load,
        key=st.sampled_from(keys),
        status=st.sampled_from(STATUSES),
        loaded_at=a_moment,
        rows=st.integers(0, 3),
        rows_parsed=st.just(3),
        errors=st.just(0),
        first_error=st.sampled_from(["", "InvalidObjectState"]),
        pipe=st.sampled_from([None, "EVENTS_PIPE", "OTHER_PIPE"]),
    )


@cache
def some(keys: tuple[str, ...]) -> tuple[Any, Any, Any, Any]:
    """Some of the keys, rows of some, a history, and one that may not be read; made once for speed."""
    history = st.lists(loads(keys), max_size=len(keys) - 1).map(tuple)
    key = st.sampled_from(keys)
    return st.sets(key), st.dictionaries(key, a_row), history, st.none() | history


PIPES: dict[str, Pipe] = {}


def _pipe(settings: Settings, stream: Stream) -> Pipe:
    """The stream's pipe; its statement is rendered once."""
    return PIPES.get(stream.rule_id) or PIPES.setdefault(stream.rule_id, pipe(settings, stream))


@st.composite
def states(draw: Any, settings: Settings, keys: list[str] = KEYS) -> tuple[list[StagedFile], Evidence]:
    """Any listing under any histories."""
    stream = replace(settings.streams[0], keeps_rows=draw(YES))
    some_keys, some_rows, history, maybe = some(tuple(keys))
    files = [StagedFile(key, draw(a_size), "e", draw(a_moment)) for key in draw(some_keys)]
    rows = draw(some_rows)
    unnamed = 5 if draw(YES) else 0
    status: dict[str, Any] = {"executionState": "PAUSED" if draw(YES) else "RUNNING"}
    if draw(YES):
        status |= {"pendingFileCount": 2}
        if draw(YES):
            status |= {"oldestFileTimestamp": draw(a_moment).isoformat()}
    return files, Evidence(
        stream=stream,
        now=NOW,
        pipe=replace(_pipe(settings, stream), created_on=draw(a_moment)),
        status=PipeStatus(status),
        recent=draw(history),
        account=draw(maybe),
        table=TableRows(
            3 * len(rows) + unnamed,
            draw(a_moment),
            None if draw(YES) else rows,
            unnamed,
        ),
        patience=timedelta(minutes=15),
    )


@settings_of_hypothesis(max_examples=500)
@given(st.data())
def test_counts_add_up_and_nothing_known_as_loaded_is_loaded(settings: Settings, data: Any) -> None:
    files, evidence = data.draw(states(settings))
    asked = data.draw(st.sampled_from([EVERYTHING, NOTHING_MORE]))
    plan = plan_files(asked, files, evidence)
    verdicts = tuple(plan.verdicts())
    assert sum(count for count, _ in plan.counts.values()) == len(files) == len(verdicts)
    assert sum(size for _, size in plan.counts.values()) == sum(file.size for file in files)
    assert plan.matching == (len(files), sum(file.size for file in files))
    assert plan.loaded_by()[0] == sum(verdict.way is not None for verdict in verdicts)
    assert_as_if_each_were_judged_alone(plan, verdicts, evidence)
    for verdict in verdicts:
        present = evidence.rows(verdict.file.key) is not None
        assert not (present and verdict.way in (Way.COPY, Way.REFRESH))
        assert verdict.way is not Way.REPLACE or present
        assert verdict.way is None or verdict.kind.is_missing
        assert verdict.way is not None or not verdict.kind.is_missing or verdict.why
        if asked is NOTHING_MORE and verdict.way:
            assert verdict.kind in (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE)
            assert not [load for load in evidence.loads(verdict.file.key) if load.status != "LOAD_SKIPPED"]
        if verdict.way is Way.COPY and evidence.is_young(verdict.file):
            dealt_with = evidence.pipe_knows(verdict.file) or evidence.pipe_may_know(verdict.file)
            assert dealt_with


def assert_as_if_each_were_judged_alone(
    plan: BackfillPlan, verdicts: tuple[Verdict, ...], evidence: Evidence
) -> None:
    """Files that are put together because they are alike are judged as each would be."""
    alone = {each.file.key: judge(each.file, evidence, plan.asked) for each in verdicts}
    young = [key for key, verdict in alone.items() if verdict.way is Way.REFRESH]
    left = plan.refreshes(young)[1] if young else ()
    for verdict in verdicts:
        same = alone[verdict.file.key]
        if verdict.file.key in left:
            same = replace(same, way=None, why=NOT_ALONE)
        assert (verdict.kind, verdict.way) == (same.kind, same.way)
        assert verdict.why == (same.why if verdict.kind.is_missing else "")


@given(st.data())
def test_refreshes_queue_exactly_the_wanted(settings: Settings, data: Any) -> None:
    files, evidence = data.draw(states(settings))
    plan = plan_files(NOTHING_MORE, files, evidence)
    wanted = {verdict.file.key for verdict in plan.by(Way.REFRESH)}
    pairs, left = plan.refreshes()
    assert not left
    root = evidence.stream.prefix
    queued = {
        file.key
        for file in files
        for prefix, after in pairs
        if file.key.startswith(root + prefix)
        and file.modified > after
        and not evidence.pipe_knows(file)
        and not evidence.table_knows(file)
    }
    assert wanted <= queued
    assert all(classify(file, evidence) is Kind.IN_FLIGHT for file in files if file.key in queued - wanted)


KEY = st.text("ab/", min_size=1, max_size=6)


@given(st.sets(KEY, min_size=1), st.sets(KEY))
def test_prefixes_cover_the_wanted_and_no_other(wanted: set[str], others: set[str]) -> None:
    others -= wanted
    prefixes, left = exact_prefixes(frozenset(wanted), others)
    covered = {key for key in wanted | others if any(key.startswith(prefix) for prefix in prefixes)}
    assert covered == wanted - left
    assert all(any(other.startswith(key) for other in others) for key in left)


def load(key: str, status: str = "LOADED", **changes: Any) -> Load:
    given: dict[str, Any] = {
        "key": key,
        "status": status,
        "loaded_at": NOW - timedelta(minutes=30),
        "rows": 3,
        "rows_parsed": 3,
        "errors": 0,
        "first_error": "",
        "pipe": "EVENTS_PIPE",
    }
    return Load(**{**given, **changes})


KEY_A = KEYS[0]
OLD = NOW - timedelta(days=9)


def evidence_of(
    settings: Settings,
    *,
    rows: int = 0,
    files: bool = True,
    total: int = 100,
    made: datetime = MADE,
    **changes: Any,
) -> Evidence:
    """A table with a complete _file column and other files' rows, histories empty, the pipe running."""
    stream = settings.streams[0]
    named = {"other": RowsOfFile(total, None)} | ({KEY_A: RowsOfFile(rows, None)} if rows else {})
    the_pipe: Pipe = pipe(settings, stream, created_on=made)
    given: dict[str, Any] = {
        "stream": stream,
        "now": NOW,
        "pipe": the_pipe,
        "status": PipeStatus({"executionState": "RUNNING", "pendingFileCount": 0}),
        "recent": (),
        "account": (),
        "table": TableRows(total, MADE - timedelta(days=500), named if files else None, 0),
        "patience": timedelta(minutes=15),
    }
    return Evidence(**{**given, **changes})


CASES: list[tuple[str, dict[str, Any], dict[str, Any], Kind, Way | None]] = [
    ("no trace of it, recent", {}, {}, Kind.NEVER_NOTIFIED, Way.REFRESH),
    ("no trace of it, old", {}, {"modified": OLD}, Kind.NEVER_NOTIFIED, Way.COPY),
    ("before the pipe", {"made": NOW - timedelta(minutes=15)}, {}, Kind.BEFORE_PIPE, Way.REFRESH),
    ("before a pipe just made anew", {"made": NOW - timedelta(minutes=14)}, {}, Kind.IN_FLIGHT, None),
    ("just arrived", {}, {"modified": NOW - timedelta(minutes=3)}, Kind.IN_FLIGHT, None),
    ("loaded by the pipe", {"rows": 3, "recent": (load(KEY_A),)}, {}, Kind.LOADED_BY_PIPE, None),
    ("loaded by COPY", {"rows": 3, "recent": (load(KEY_A, pipe=None),)}, {}, Kind.LOADED_BY_COPY, None),
    (
        "by a former pipe",
        {"rows": 3, "account": (load(KEY_A),), "made": NOW - timedelta(minutes=20)},
        {},
        Kind.LOADED_BY_EARLIER_PIPE,
        None,
    ),
    ("rows and no history", {"rows": 3}, {"modified": OLD}, Kind.IN_TABLE, None),
    ("in progress", {"recent": (load(KEY_A, "LOAD_IN_PROGRESS"),)}, {}, Kind.IN_FLIGHT, None),
    ("failed in this pipe", {"recent": (load(KEY_A, "LOAD_FAILED"),)}, {}, Kind.FAILED, Way.COPY),
    ("failed in a COPY", {"recent": (load(KEY_A, "LOAD_FAILED", pipe=None),)}, {}, Kind.FAILED, Way.REFRESH),
    ("empty", {}, {"size": 0}, Kind.EMPTY, None),
    ("loaded, no rows in it", {"recent": (load(KEY_A, rows=0),)}, {}, Kind.EMPTY, None),
    (
        "changed",
        {"rows": 3, "recent": (load(KEY_A),)},
        {"modified": NOW - timedelta(minutes=20)},
        Kind.CHANGED,
        Way.REPLACE,
    ),
    (
        "partly",
        {"rows": 2, "recent": (load(KEY_A, "PARTIALLY_LOADED"),)},
        {},
        Kind.PARTLY_LOADED,
        Way.REPLACE,
    ),
    (
        "partly, rows without a file",
        {"files": False, "recent": (load(KEY_A, "PARTIALLY_LOADED"),)},
        {},
        Kind.PARTLY_LOADED,
        None,
    ),
    ("rows deleted", {"recent": (load(KEY_A),)}, {}, Kind.ROWS_GONE, Way.COPY),
    ("rows deleted, COPY knows", {"recent": (load(KEY_A, pipe=None),)}, {}, Kind.ROWS_GONE, None),
    (
        "no witness, no year",
        {"files": False, "account": None},
        {"modified": OLD},
        Kind.NEVER_NOTIFIED,
        Way.COPY,
    ),
    (
        "no witness, no year, too old",
        {"files": False, "account": None},
        {"modified": NOW - timedelta(days=15)},
        Kind.TOO_OLD_TO_KNOW,
        None,
    ),
    (
        "no witness, the pipe just made anew",
        {"files": False, "made": NOW - timedelta(hours=1)},
        {"modified": OLD},
        Kind.TOO_OLD_TO_KNOW,
        None,
    ),
    (
        "an empty table is a witness",
        {"files": False, "account": None, "total": 0},
        {"modified": NOW - timedelta(days=100)},
        Kind.BEFORE_PIPE,
        Way.COPY,
    ),
    (
        "paused, and something waits",
        {
            "status": PipeStatus(
                {"executionState": "PAUSED", "pendingFileCount": 1, "oldestFileTimestamp": f"{OLD:%FT%TZ}"}
            )
        },
        {},
        Kind.WAITING,
        None,
    ),
    (
        "paused, nothing waits",
        {"status": PipeStatus({"executionState": "PAUSED"})},
        {},
        Kind.NEVER_NOTIFIED,
        None,
    ),
    (
        "the former pipe may be at it",
        {"made": NOW - timedelta(minutes=5)},
        {"modified": NOW - timedelta(minutes=8)},
        Kind.IN_FLIGHT,
        None,
    ),
    ("another suffix", {}, {"key": KEYS[4]}, Kind.OTHER_SUFFIX, None),
    # TRUNCATE: only the year's view shows the load, by the pipe's name, which the one before had too
    ("emptied, long after the pipe was made", {"account": (load(KEY_A),)}, {}, Kind.ROWS_GONE, Way.COPY),
    (
        "emptied, just after the pipe was made",
        {"account": (load(KEY_A),), "made": NOW - timedelta(minutes=35)},
        {},
        Kind.ROWS_GONE,
        Way.COPY,
    ),
    (
        "emptied, just before the pipe was made",
        {"account": (load(KEY_A),), "made": NOW - timedelta(minutes=25)},
        {},
        Kind.ROWS_GONE,
        Way.REFRESH,
    ),
    (
        "emptied, just after the pipe was made, and something waits",
        {
            "account": (load(KEY_A),),
            "made": NOW - timedelta(minutes=35),
            "status": PipeStatus({"executionState": "PAUSED", "pendingFileCount": 1}),
        },
        {},
        Kind.ROWS_GONE,
        None,
    ),
    (
        "emptied, and the file came just now",
        {"account": (load(KEY_A, loaded_at=NOW - timedelta(minutes=5)),), "made": NOW - timedelta(minutes=9)},
        {"modified": NOW - timedelta(minutes=7)},
        Kind.ROWS_GONE,
        Way.REFRESH,
    ),
]


@pytest.mark.parametrize(("said", "changes", "of_file", "kind", "way"), CASES, ids=[row[0] for row in CASES])
def test_a_file_s_class_and_tool(
    settings: Settings,
    said: str,
    changes: dict[str, Any],
    of_file: dict[str, Any],
    kind: Kind,
    way: Way | None,
) -> None:
    file = staged(**{"key": KEY_A, **of_file})
    found = judge(file, evidence_of(settings, **changes), EVERYTHING)
    assert (found.kind, found.way) == (kind, way), found.why


def test_what_an_earlier_pipe_loaded_is_not_refreshed_with_its_neighbours(settings: Settings) -> None:
    evidence = evidence_of(settings, rows=3, made=NOW - timedelta(minutes=30))
    neighbour = staged(KEY_A.replace("a.gz", "ab.gz"))
    pairs, left = plan_files(EVERYTHING, [staged(KEY_A), neighbour], evidence).refreshes()
    assert [prefix for prefix, _ in pairs] == ["ab.gz"]
    assert not left


def test_a_file_that_was_empty_and_changed_lost_no_rows(settings: Settings) -> None:
    evidence = evidence_of(
        settings, recent=(replace(load(KEY_A), rows=0, loaded_at=NOW - timedelta(hours=2)),)
    )
    found = judge(staged(KEY_A, modified=NOW - timedelta(hours=1)), evidence, NOTHING_MORE)
    assert (found.kind, found.why.split(";")[0]) == (
        Kind.ROWS_GONE,
        "it had no rows then, and was changed since",
    )


def test_a_young_file_that_refresh_cannot_take_alone_stays_with_the_reason(settings: Settings) -> None:
    evidence, other = evidence_of(settings), staged(f"{KEY_A}.part")
    plan = plan_files(EVERYTHING, [staged(KEY_A), other], evidence)
    assert plan.loaded_by() == (0, 0)
    assert [(verdict.way, verdict.why) for verdict in plan.missing] == [(None, NOT_ALONE)]
    old = staged(KEY_A, modified=OLD)
    assert [verdict.way for verdict in plan_files(EVERYTHING, [old, other], evidence).to_load] == [Way.COPY]


def test_batches_are_of_a_thousand_and_apart_where_the_table_forgets() -> None:
    def verdicts(count: int, days: int) -> Iterator[Verdict]:
        for number in range(count):
            file = staged(f"{days}-{number}", modified=NOW - timedelta(days=days))
            yield Verdict(file, Kind.NEVER_NOTIFIED, Way.COPY)

    found = batches([*verdicts(1500, 80), *verdicts(10, 9)], NOW)
    assert [(uncertain, len(rows)) for uncertain, rows in found] == [
        (True, FILES_PER_COPY),
        (True, 500),
        (False, 10),
    ]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("stream", "; '.*stream.*' would match 2"),
        ("/a|/b", "; '.*(/a|/b).*' would match 2"),  # without brackets: what ends in /a, or begins with /b
        ("(?i)STREAM", ""),
        ("nowhere", ""),
    ],
)
def test_what_would_have_matched_does(settings: Settings, pattern: str, hint: str) -> None:
    asked = replace(EVERYTHING, pattern=re.compile(pattern))
    store = plan_files(asked, [staged(key) for key in KEYS[:3:2]], evidence_of(settings)).store
    assert no_match(asked, store).endswith(f"{KEYS[0]}, {KEYS[2]}{hint}")


def test_a_pattern_means_the_whole_key_and_the_times_are_half_open() -> None:
    def read(**flags: Any) -> Asked:
        given = {"since": None, "until": None, "max_files": 1, "reload_failed": False, "reload_gone": False}
        return asking.read(flags.pop("pattern", ".*"), **{**given, **flags})

    file = staged(KEY_A, modified=NOW)
    assert read(pattern=".*[.]gz").matches(file)
    assert not read(pattern="a[.]gz").matches(file)
    assert read(since=NOW.isoformat()).matches(file)
    assert not read(until=NOW.isoformat()).matches(file)
    assert read(since="2026-11-20", until="2026-11-21").matches(file)
    for wrong in (
        {"pattern": "*"},
        {"pattern": ""},
        {"pattern": "[a-z&&[^b]].*"},
        {"since": "soon"},
        {"since": ""},
        {"since": "0001-01-01T00:00+05:00"},
        {"until": "9999-12-31T23:59-05:00"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"max_files": 0},
    ):
        with pytest.raises(SettingsWrong):
            read(**wrong)
