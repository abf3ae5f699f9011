"""How the demo looks on a terminal."""

import pytest

from runbook.commands.demo import _chapter


def test_a_heading_is_not_cut_within_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    title = "Somebody overwrites the bucket's notifications: the rule of events_bad is gone"
    _chapter(title)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == f"\u2500\u2500 {title}"
