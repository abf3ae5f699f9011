"""A known failure is silenced until its day, and not a day longer."""

from datetime import UTC, date, datetime

import pytest

from runbook.errors import SettingsWrong
from runbook.settings import read
from runbook.settings.watch import Waiver
from runbook.verify.outcome import Outcome, Result
from runbook.verify.waivers import ended, idle, with_waivers
from tests.unit.conftest import written

TODAY = date(2026, 3, 2)


def _row(check: str, word: str, stream: str | None = "events", blocked_by: tuple[str, ...] = ()) -> Result:
    return Result(check, 4, stream, "It is well.", word, blocked_by=blocked_by, cause="it is not")  # type: ignore[arg-type]


OUTCOME = Outcome(
    "prod",
    datetime(2026, 3, 2, tzinfo=UTC),
    1.0,
    (
        _row("step4.paused", "failed"),
        _row("step4.paused", "passed", "events_bad"),
        _row("delivery.late", "blocked", blocked_by=("step4.paused",)),
        _row("step1.role", "passed", None),
    ),
)


def _waiver(check: str = "step4.paused", until: str = "2026-03-31", stream: str | None = None) -> Waiver:
    return Waiver(check=check, until=until, stream=stream, reason="moving")  # type: ignore[arg-type]


def test_what_is_waived_is_advice_and_healthy() -> None:
    found = with_waivers(OUTCOME, [_waiver()], TODAY)
    assert [row.outcome for row in found.results] == ["advice", "passed", "skipped", "passed"]
    assert found.is_healthy
    assert found.root_causes == ()
    assert "waived until 2026-03-31: moving" in found.advice[0].cause


def test_its_last_day_counts_and_the_next_does_not() -> None:
    assert with_waivers(OUTCOME, [_waiver(until="2026-03-02")], TODAY).is_healthy
    found = with_waivers(OUTCOME, [_waiver(until="2026-03-01")], TODAY)
    assert not found.is_healthy
    assert "its waiver ended on 2026-03-01: moving" in found.root_causes[0].cause


@pytest.mark.parametrize("waiver", [_waiver("step4.other"), _waiver(stream="events_bad")])
def test_another_waiver_waives_nothing(waiver: Waiver) -> None:
    assert with_waivers(OUTCOME, [waiver], TODAY) == OUTCOME


def test_what_another_failure_blocks_too_stays_blocked() -> None:
    rows = (*OUTCOME.results, _row("step5.rule", "failed"))
    late = _row("delivery.late", "blocked", blocked_by=("step4.paused", "step5.rule"))
    found = with_waivers(Outcome("prod", OUTCOME.started_at, 1.0, (*rows, late)), [_waiver()], TODAY)
    assert found.results[-1].outcome == "blocked"


def test_sentences() -> None:
    assert ended([_waiver(until="2026-03-01")], TODAY) == [
        "The waiver of step4.paused ended on 2026-03-01: what it silenced is reported again."
    ]
    assert idle([_waiver("step4.padused")], ["step4.paused"]) == [
        "There is no check step4.padused: its waiver waives nothing."
    ]


WRONG_WAIVERS = [
    ({"check": "step4.paused", "reason": "moving"}, "waivers.0.until"),
    ({"check": "step4.paused", "until": "2026-12-31"}, "waivers.0.reason"),
    ({"check": "everything", "until": "2026-12-31", "reason": "moving"}, "waivers.0.check"),
    ({"check": "step4.paused", "until": "never", "reason": "moving"}, "waivers.0.until"),
    (
        {"check": "step4.paused", "until": "2026-12-31", "reason": "moving", "stream": "evnts"},
        "waivers.0.stream",
    ),
]


@pytest.mark.parametrize(("waiver", "key"), WRONG_WAIVERS)
def test_a_waiver_that_says_too_little_is_refused(waiver: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsWrong, match=key):
        read(written(waivers=[waiver]))
