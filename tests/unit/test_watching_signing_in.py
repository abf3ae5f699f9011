"""A watcher never asks so often that a user is locked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.errors import CannotTell
from runbook.settings import Settings
from runbook.watching.history import History
from runbook.watching.signing_in import Sessions

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
REFUSED = CannotTell(
    "Snowflake connection 'prod' cannot be used", why="250001: wrong", remedy="mend", final=True
)


class Reader:
    """As much of a reader as the count looks at."""

    def __init__(self, why: CannotTell | None = None) -> None:
        self.closed = {"snowflake": why} if why else {}


@pytest.fixture
def place(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "history.sqlite"


def attempts(place: Path, settings: Settings, span: timedelta, every: timedelta) -> list[datetime]:
    """When rounds, each a process of its own, really asked a Snowflake that refuses."""
    found, now = [], NOW
    while now < NOW + span:
        history = History(place, durable=False)
        sessions = Sessions(settings, history)
        why = sessions._not_yet(now)
        if why is None:
            found.append(now)
        sessions._count(Reader(why or REFUSED), now)  # type: ignore[arg-type]
        history.close()
        now += every
    return found


def test_three_times_in_thirty_days(place: Path, settings: Settings) -> None:
    asked = attempts(place, settings, timedelta(days=30), timedelta(minutes=30))
    assert [at - NOW for at in asked] == [timedelta(0), timedelta(minutes=30), timedelta(minutes=90)]


def test_the_reason_is_told_meanwhile(place: Path, settings: Settings) -> None:
    attempts(place, settings, timedelta(minutes=5), timedelta(minutes=5))
    why = Sessions(settings, History(place))._not_yet(NOW + timedelta(minutes=5))
    assert why is not None
    assert why.final
    assert "250001: wrong" in str(why)
    assert "the next attempt is at 2026-03-02 08:10 UTC" in str(why)


def test_another_variable_is_tried_at_once(
    place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts(place, settings, timedelta(days=1), timedelta(minutes=30))
    assert Sessions(settings, History(place))._not_yet(NOW + timedelta(days=2)) is not None
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "another")
    assert Sessions(settings, History(place))._not_yet(NOW + timedelta(days=2)) is None


def test_a_success_counts_anew(place: Path, settings: Settings) -> None:
    attempts(place, settings, timedelta(days=1), timedelta(minutes=30))
    sessions = Sessions(settings, History(place))
    sessions._count(Reader(), NOW)  # type: ignore[arg-type]
    assert sessions._not_yet(NOW + timedelta(days=2)) is None


def test_a_clock_that_went_back_keeps_nobody_out_for_ever(place: Path, settings: Settings) -> None:
    attempts(place, settings, timedelta(minutes=1), timedelta(minutes=1))
    assert Sessions(settings, History(place))._not_yet(NOW - timedelta(days=400)) is None


def test_no_secret_is_kept(place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "pl4nted-S3cret")
    history = History(place)
    why = CannotTell("Snowflake connection 'prod' cannot be used", why="said pl4nted-S3cret", final=True)
    Sessions(settings, history)._count(Reader(why), NOW)  # type: ignore[arg-type]
    history.close()
    assert b"pl4nted" not in place.read_bytes()
