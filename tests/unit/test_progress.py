"""How far it is: on a terminal, and leaving nothing behind; elsewhere not a word."""

import io
import sys

import pytest

from runbook.backfill.progress import counting, loading


class Terminal(io.StringIO):
    """Standard error as a terminal, and all that was drawn on it."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_files_rows_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", found := Terminal())
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    with counting("files seen") as more:
        more(1234)
    assert "files seen: 1,234" in found.getvalue()
    with loading(3000) as done:
        done(1000, 12345)
    assert "1,000/3,000 files, 12,345 rows" in found.getvalue()
    assert " left" in found.getvalue()
    assert found.getvalue().rpartition("\r")[2].strip() == ""


def test_elsewhere_nothing_is_drawn_and_nothing_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with counting("files seen") as more, loading(3) as done:
        more(1)
        done(1, 1)
    assert capsys.readouterr() == ("", "")
