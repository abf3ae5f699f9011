"""Where a stream stands, in three sentences that nobody confuses, and what its figures say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook.facts.rhythm import Silence
from runbook.watching import flow
from runbook.watching.causes import Cause, Seen
from runbook.watching.flow import Flow, judged, word
from runbook.watching.rounds import KEEP_ARRIVING, _one_of_two

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)
KINDS = {"events": "enriched", "events_bad": "bad_rows"}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


FLOWING = Flow(
    stream="events",
    now=NOW,
    state="RUNNING",
    newest_file=ago(5),
    newest_key="folder/new.gz",
    notified=ago(5),
    loaded=ago(4),
    pending=0,
)
LONG = Silence(ago(600), timedelta(hours=10), is_too_long=True, why="the limit set is 6 hours")


def judge(*flows: Flow, explained: frozenset[str] = frozenset(), **limits: Any) -> flow.Judged:
    asked = {"latency_p95": timedelta(minutes=30), "backlog": 1000, "bad_rows": 20.0, **limits}
    return judged(flows, patience=PATIENCE, kinds=KINDS, explained=explained, **asked)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({}, "flowing"),
        ({"newest_file": ago(300), "notified": ago(300)}, "quiet"),
        ({"newest_file": ago(600), "notified": ago(600), "silence": LONG}, "silent"),
        ({"newest_file": ago(20), "notified": ago(90), "loaded": ago(89)}, "not-notified"),
        ({"newest_file": ago(10), "notified": ago(90), "loaded": ago(89)}, "flowing"),  # it may be on its way
        ({"pending": 3, "oldest_pending": ago(40)}, "not-loading"),
        ({"pending": 3, "oldest_pending": ago(10)}, "flowing"),
        ({"newest_file": None, "notified": None}, "unknown"),
        ({"newest_file": None}, "flowing"),  # only the pipe tells of arrivals
        ({"newest_file": ago(20), "notified": ago(90), "loaded": ago(10)}, "flowing"),  # a refresh brought it
        (
            {"newest_file": ago(20), "notified": None, "loaded": None},
            "flowing",
        ),  # a key may be missing: no fault
    ],
)
def test_where_it_stands(changes: dict[str, Any], where: str) -> None:
    assert word(replace(FLOWING, **changes), PATIENCE) == where


def test_three_sentences() -> None:
    silent = replace(FLOWING, newest_file=ago(600), notified=ago(600), silence=LONG)
    unheard = replace(FLOWING, newest_file=ago(20), notified=ago(90), loaded=ago(89))
    stuck = replace(FLOWING, pending=3, oldest_pending=ago(40), state="PAUSED")
    said = {case.wrong[0].key: case.wrong[0].why for case in map(judge, (silent, unheard, stuck))}
    assert said[flow.PRODUCER].startswith(
        "The producer is silent: no file has arrived since 2026-03-02 02:00"
    )
    assert said[flow.NOTIFIED].startswith("Notifications do not arrive: folder/new.gz arrived at")
    assert said[flow.LOADED].startswith("Loading does not happen: 3 notified files wait")


def test_what_a_failed_check_explains_is_not_said_twice() -> None:
    stuck = replace(FLOWING, pending=3000, oldest_pending=ago(40), latencies=[9000.0] * 10)
    assert {cause.key for cause in judge(stuck).wrong} == {flow.LOADED, flow.LATENCY, flow.BACKLOG}
    assert judge(stuck, explained=frozenset({"events"})).wrong == ()


def test_latency() -> None:
    slow = replace(FLOWING, latencies=[60.0] * 80 + [4000.0] * 20)
    (cause,) = judge(slow).wrong
    assert (cause.key, cause.streams) == (flow.LATENCY, ("events",))
    assert judge(slow, latency_p95=None).wrong == ()
    assert judge(replace(slow, latencies=[4000.0] * 4)).wrong == ()  # too few to say
    assert judge(replace(slow, latencies=[60.0] * 98 + [4000.0] * 2)).wrong == ()


def test_bad_rows() -> None:
    good = replace(FLOWING, rows=7000.0)
    bad = replace(FLOWING, stream="events_bad", rows=3000.0)
    (cause,) = judge(good, bad).wrong
    assert (cause.key, cause.streams) == (flow.BAD_ROWS, ("events_bad",))
    assert cause.why.startswith("30% of the rows of the last day are bad rows")
    assert judge(good, replace(bad, rows=1000.0)).wrong == ()
    assert judge(replace(good, rows=10.0), replace(bad, rows=30.0)).wrong == ()  # too few to say
    assert judge(good, bad, bad_rows=None).wrong == ()


def test_a_jump_of_bad_rows_has_the_schemas_name() -> None:
    usual = ("schema_violations/2-0-1 of com.acme/cart/1-0-0", 120.0, 100.0)
    jumped = ("schema_violations/2-0-1 of com.acme/checkout/1-0-0", 5000.0, 40.0)
    few = ("adapter_failures/1-0-0", 50.0, 0.0)
    bad = replace(FLOWING, stream="events_bad", bad=(usual, jumped, few))
    (cause,) = judge(FLOWING, bad).wrong
    assert (cause.key, cause.streams) == (flow.BAD_SCHEMAS, ("events_bad",))
    assert "5,000 of schema_violations/2-0-1 of com.acme/checkout/1-0-0" in cause.why
    assert "cart" not in cause.why
    assert cause.names == ("schema_violations/2-0-1 of com.acme/checkout/1-0-0",)
    assert flow.BAD_SCHEMAS not in judge(FLOWING).well  # only a deep round sees them
    assert flow.BAD_SCHEMAS in judge(replace(FLOWING, bad=()), replace(bad, bad=())).well


def test_two_streams_of_one_cause_are_one() -> None:
    stuck = replace(FLOWING, pending=3, oldest_pending=ago(40))
    (cause,) = judge(stuck, replace(stuck, stream="events_bad")).wrong
    assert cause.streams == ("events", "events_bad")


def test_a_silence_that_a_check_sees_too_is_one_cause() -> None:
    cause = Cause(flow.PRODUCER, ("events",), "", "")
    check = Cause(KEEP_ARRIVING, ("events",), "", "")
    both = Seen({flow.PRODUCER: cause, KEEP_ARRIVING: check})
    assert _one_of_two(both, set()).wrong.keys() == {flow.PRODUCER}
    assert _one_of_two(both, {flow.PRODUCER}).wrong.keys() == {flow.PRODUCER}
    assert _one_of_two(both, {KEEP_ARRIVING}).wrong.keys() == {KEEP_ARRIVING}
    assert _one_of_two(Seen({KEEP_ARRIVING: check}), set()).wrong.keys() == {KEEP_ARRIVING}
