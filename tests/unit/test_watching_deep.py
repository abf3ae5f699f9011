"""When a round reads everything: by the hours, and sooner while what only such a round sees lasts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.settings import Settings
from runbook.verify.checking import NOT_ASKED
from runbook.verify.outcome import Outcome, Result, Word
from runbook.watching import causes
from runbook.watching.history import History
from runbook.watching.rounds import Round, deep_is_due, remember

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
ROUND = timedelta(minutes=5)


def looked(history: History, settings: Settings, at: datetime, word: Word) -> Round:
    """A round with the check that only a deep one asks, which it is unless that was skipped."""
    cause = NOT_ASKED if word == "skipped" else "x"
    row = Result("views.x", None, "events", "X is well.", word, cause=cause, deep=True)
    other = Result("step4.y", 4, "events", "Y is well.", "passed")
    outcome = Outcome("prod", at, 0.1, (row, other))
    found = Round(at, outcome, (), (), is_deep=word != "skipped", seen=causes.seen_in(outcome))
    remember(found, history, settings)
    return found


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite", durable=False)


def test_every_six_hours_while_all_is_well(history: History, settings: Settings) -> None:
    assert deep_is_due(history, settings, BEGIN)
    looked(history, settings, BEGIN, "passed")
    assert not deep_is_due(history, settings, BEGIN + ROUND)
    assert not deep_is_due(history, settings, BEGIN + timedelta(hours=5))
    assert deep_is_due(history, settings, BEGIN + timedelta(hours=6))


def test_what_the_first_round_of_all_sees_is_looked_at_again_at_once(
    history: History, settings: Settings
) -> None:
    looked(history, settings, BEGIN, "failed")
    assert deep_is_due(history, settings, BEGIN + ROUND)  # so that it is told in the second round
    looked(history, settings, BEGIN + ROUND, "failed")
    assert not deep_is_due(history, settings, BEGIN + 2 * ROUND)
    mended = BEGIN + ROUND + timedelta(hours=1)
    assert deep_is_due(history, settings, mended)
    looked(history, settings, mended, "passed")
    assert deep_is_due(history, settings, mended + ROUND)  # likewise its end
    looked(history, settings, mended + ROUND, "passed")
    assert not deep_is_due(history, settings, mended + 2 * ROUND)


def test_what_is_known_to_be_wrong_is_wrong_until_somebody_looks_again(
    history: History, settings: Settings
) -> None:
    """A scheduler's exit code does not say well in the rounds that do not ask."""
    words: tuple[Word, ...] = ("failed", "skipped", "failed", "skipped", "passed", "passed", "skipped")
    codes = [
        looked(history, settings, BEGIN + number * ROUND, word).exit_code for number, word in enumerate(words)
    ]
    assert codes == [1, 0, 1, 1, 0, 0, 0]  # the second: seen once, and not confirmed
