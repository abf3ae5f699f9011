"""Which failure explains which: root causes, chains, streams, and never healthy by default."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.remedy import told
from runbook.verify.outcome import Outcome, Result, explained


def result(name, outcome="passed", *, stream=None, needs=(), blocked_by=(), remedy="", **more):
    area = name.partition(".")[0]
    step = int(area[4:]) if area.startswith("step") else None
    return Result(
        name, step, stream, f"{name}.", outcome, tuple(needs), tuple(blocked_by), remedy=told(remedy), **more
    )


STARTED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def outcome(*results):
    return Outcome("sandbox", STARTED, 0.8123, explained(results))


def causes(*results):
    return [row.id for row in outcome(*results).root_causes]


def words(*results):
    return [(row.outcome, row.blocked_by) for row in outcome(*results).results]


def test_a_failure_nothing_explains_is_a_root_cause():
    assert causes(result("step1.a"), result("step2.b", "failed")) == ["step2.b"]


def test_a_failure_that_needs_another_is_blocked_by_it():
    assert words(result("step1.a", "failed"), result("step2.b", "failed", needs=["step1.a"])) == [
        ("failed", ()),
        ("blocked", ("step1.a",)),
    ]


def test_only_the_first_of_a_chain_is_a_cause():
    chain = [
        result("step1.a", "failed"),
        result("step2.b", "failed", needs=["step1.a"]),
        result("step3.c", "failed", needs=["step2.b"]),
        result("delivery.d", "failed", needs=["step3.c"]),
    ]
    assert causes(*chain) == ["step1.a"]
    assert words(*chain)[1:] == [("blocked", ("step1.a",))] * 3


def test_a_chain_does_not_reach_over_a_check_that_passed():
    rows = [
        result("step1.a", "failed"),
        result("step2.b", needs=["step1.a"]),
        result("step3.c", "failed", needs=["step2.b"]),
    ]
    assert causes(*rows) == ["step1.a", "step3.c"]


def test_a_check_that_was_skipped_explains_nothing():
    rows = [result("step1.a", "skipped"), result("step2.b", "failed", needs=["step1.a"])]
    assert causes(*rows) == ["step2.b"]


def test_two_faults_are_two_causes_and_what_needs_both_names_both():
    rows = [
        result("step1.a", "failed"),
        result("step2.b", "failed"),
        result("step3.c", "failed", needs=["step1.a", "step2.b"]),
    ]
    assert causes(*rows) == ["step1.a", "step2.b"]
    assert words(*rows)[2] == ("blocked", ("step1.a", "step2.b"))


def test_what_is_absent_blocks_by_its_existence_check():
    rows = [
        result("step2.integration-exists", "failed"),
        result("step3.trust", "blocked", blocked_by=["step2.integration-exists"]),
        result("step4.stage", "failed", needs=["step3.trust"]),
    ]
    assert causes(*rows) == ["step2.integration-exists"]
    assert words(*rows)[2] == ("blocked", ("step2.integration-exists",))


def test_absence_is_traced_to_what_explains_it():
    rows = [
        result("step3.trust", "failed"),
        result("step4.pipe-exists", "failed", needs=["step3.trust"]),
        result("step4.pipe-runs", "blocked", blocked_by=["step4.pipe-exists"]),
    ]
    assert causes(*rows) == ["step3.trust"]
    assert words(*rows)[2] == ("blocked", ("step3.trust",))


def test_what_cannot_be_told_explains_a_failure_but_is_no_cause():
    rows = [result("step1.a", "unknown"), result("step2.b", "failed", needs=["step1.a"])]
    found = outcome(*rows)
    assert found.root_causes == ()
    assert words(*rows) == [("unknown", ()), ("blocked", ("step1.a",))]
    assert found.exit_code == 3


def test_what_cannot_be_told_stays_unknown_beside_a_failure():
    rows = [result("step1.a", "failed"), result("step2.b", "unknown", needs=["step1.a"])]
    assert words(*rows)[1] == ("unknown", ())
    assert outcome(*rows).exit_code == 1


def test_one_stream_does_not_explain_the_other():
    rows = [
        result("step4.stage", "failed", stream="events"),
        result("step4.stage", stream="events_bad"),
        result("step5.rule", "failed", stream="events", needs=["step4.stage"]),
        result("step5.rule", "failed", stream="events_bad", needs=["step4.stage"]),
    ]
    assert [row.outcome for row in outcome(*rows).results] == ["failed", "passed", "blocked", "failed"]
    assert causes(*rows) == ["step4.stage", "step5.rule"]


def test_the_whole_installation_explains_every_stream_and_the_other_way_round():
    rows = [
        result("step3.trust", "failed"),
        result("step4.stage", "failed", stream="events", needs=["step3.trust"]),
        result("step4.stage", "failed", stream="events_bad", needs=["step3.trust"]),
        result("step5.all", "failed", needs=["step4.stage"]),
    ]
    assert causes(*rows) == ["step3.trust"]


def test_one_fault_in_two_streams_is_one_cause():
    rows = [result("step5.rule", "failed", stream=name) for name in ("events", "events_bad")]
    assert causes(*rows) == ["step5.rule"]


def test_a_blocked_check_whose_cause_was_not_run_is_never_healthy():
    rows = [result("step1.a"), result("step4.b", "blocked", blocked_by=["step2.not-run"])]
    found = outcome(*rows)
    assert (found.is_healthy, found.root_causes, found.exit_code) == (False, (), 3)
    assert found.results[1].blocked_by == ("step2.not-run",)


def test_checks_that_need_each_other_end():
    rows = [result("step1.a", "failed", needs=["step1.b"]), result("step1.b", "failed", needs=["step1.a"])]
    assert outcome(*rows).exit_code != 0


@pytest.mark.parametrize(
    ("outcomes", "healthy", "code"),
    [
        ([], False, 3),
        (["skipped"], False, 3),
        (["passed"], True, 0),
        (["passed", "skipped"], True, 0),
        (["passed", "failed"], False, 1),
        (["failed"], False, 1),
        (["passed", "unknown"], False, 3),
        (["passed", "unknown", "failed"], False, 1),
        (["passed", "blocked"], False, 3),
    ],
)
def test_healthy_is_when_something_passed_and_nothing_else_happened(outcomes, healthy, code):
    found = outcome(*(result(f"step1.{number}", word) for number, word in enumerate(outcomes)))
    assert (found.is_healthy, found.exit_code) == (healthy, code)


ids = [f"step{number}.c" for number in range(1, 6)]


@st.composite
def runs(draw):
    """Checks in which a later one may need earlier ones, each with any outcome, on any stream."""
    rows = []
    for index, name in enumerate(ids):
        needs = draw(st.lists(st.sampled_from(ids[:index]), unique=True)) if index else []
        for stream in draw(st.sampled_from([(None,), ("events", "events_bad")])):
            word = draw(st.sampled_from(["passed", "failed", "unknown", "skipped"]))
            rows.append(result(name, word, stream=stream, needs=needs))
    return rows


@given(runs())
def test_explaining_never_turns_anything_green_and_never_loses_every_cause(rows):
    found = outcome(*rows)
    assert len(found.results) == len(rows)
    for before, after in zip(rows, found.results, strict=True):
        if before.outcome == "failed":
            assert after.outcome in ("failed", "blocked")
        else:
            assert after == before
    failed = any(row.outcome == "failed" for row in rows)
    unknown = any(row.outcome == "unknown" for row in rows)
    assert found.is_healthy == (not failed and not unknown and any(row.outcome == "passed" for row in rows))
    if failed and not unknown:
        assert found.root_causes
        assert found.exit_code == 1


@given(runs())
def test_what_is_blocked_is_blocked_by_something_red(rows):
    found = outcome(*rows)
    red = {row.id for row in found.results if row.outcome in ("failed", "unknown")}
    for row in found.results:
        if row.outcome == "blocked":
            assert row.blocked_by
            assert set(row.blocked_by) <= red


def test_the_json_is_the_documented_one():
    row = result(
        "step3.trust-external-id",
        "failed",
        observed="a",
        expected="b",
        cause="c",
        remedy="invoke step3-aws",
        see="docs/runbook.md#trust",
    )
    assert outcome(result("step1.a"), row).as_json() == {
        "target": "sandbox",
        "healthy": False,
        "started_at": "2026-11-20T12:00:00+00:00",
        "duration_s": 0.812,
        "root_causes": ["step3.trust-external-id"],
        "advice": [],
        "checks": [
            {
                "id": "step1.a",
                "step": 1,
                "stream": None,
                "title": "step1.a.",
                "outcome": "passed",
                "blocked_by": [],
                "observed": "",
                "expected": "",
                "cause": "",
                "remedy": "",
                "commands": [],
                "see": "",
            },
            {
                "id": "step3.trust-external-id",
                "step": 3,
                "stream": None,
                "title": "step3.trust-external-id.",
                "outcome": "failed",
                "blocked_by": [],
                "observed": "a",
                "expected": "b",
                "cause": "c",
                "remedy": "invoke step3-aws",
                "commands": ["invoke step3-aws"],
                "see": "docs/runbook.md#trust",
            },
        ],
    }


def test_advice_explains_nothing_and_is_no_cause():
    rows = [result("step1.a", "advice"), result("step2.b", "failed", needs=["step1.a"])]
    assert causes(*rows) == ["step2.b"]
    assert [row.id for row in outcome(*rows).advice] == ["step1.a"]


def test_advice_on_what_a_failure_explains_is_blocked():
    rows = [result("step1.a", "failed"), result("step2.b", "advice", needs=["step1.a"])]
    assert words(*rows)[1] == ("blocked", ("step1.a",))
    assert outcome(*rows).advice == ()
