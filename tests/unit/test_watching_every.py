"""How long `invoke watch` may rest between two rounds, and whose history it keeps."""

import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from runbook.commands.watch import LONGEST_S, Asked, Watcher, its_own, watch
from runbook.errors import Refused, SettingsWrong
from runbook.settings import read
from runbook.watching.history import History
from tests.unit.conftest import written


@pytest.mark.parametrize(
    ("every", "said"),
    [
        ("9s", "--every 9s is shorter than 10 seconds"),
        ("745h", "--every 745h is longer than 31 days"),
        ("9" * 400, "is longer than 31 days"),
        ("soon", "--every soon is not a time"),
    ],
)
def test_a_rest_that_cannot_be_meant_is_refused(every: str, said: str) -> None:
    with pytest.raises(SettingsWrong, match=said):
        watch(written(), every=every)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.05, "every_minutes: 0.05 is shorter"), (float("inf"), "every_minutes: inf is longer")],
)
def test_it_is_said_where_the_rest_stands(minutes: Any, said: str) -> None:
    with pytest.raises(SettingsWrong, match=said):
        watch(written(watch__every_minutes=minutes))


def test_a_process_can_rest_so_long() -> None:
    assert LONGEST_S < threading.TIMEOUT_MAX


def test_two_installations_of_one_name_do_not_share_a_history(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")
    one, other = read(written()), read(written(snowflake__database="OTHER"))
    its_own(history, one)
    its_own(history, one)
    with pytest.raises(Refused, match="another installation") as refused:
        its_own(history, other)
    assert one.installation in str(refused.value)
    assert other.installation in str(refused.value)


def test_a_history_that_names_nobody_is_said_to_be_taken(tmp_path: Path, capsys: Any) -> None:
    history, settings = History(tmp_path / "h.sqlite"), read(written())
    history.change(lambda db: db.execute("INSERT INTO round VALUES ('2026-01-01', 1, 'healthy', 0, '{}')"))
    its_own(history, settings)
    assert f"from now on it is of {settings.installation}" in capsys.readouterr().err
    its_own(history, settings)
    its_own(History(tmp_path / "new.sqlite"), settings)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("asked", "told"),
    [(Asked(every="5m"), True), (Asked(once=True), False), (Asked(every="5m", listen="x"), False)],
)
def test_a_watch_that_tells_nobody_says_so(
    tmp_path: Path,
    asked: Asked,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("runbook.commands.watch.Endpoint", MagicMock())
    watcher = Watcher(read(written()), History(tmp_path / "h.sqlite"), asked)
    monkeypatch.setattr(watcher, "round", MagicMock(side_effect=SettingsWrong("Enough")))
    with pytest.raises(SettingsWrong, match="Enough"):
        watcher.run(300.0)
    assert ("nobody is told" in capsys.readouterr().err) == told
