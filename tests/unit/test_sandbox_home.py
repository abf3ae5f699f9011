"""Which sandbox a command finds, and that one which starts is told: RUNBOOK_HOME may name another folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from runbook.commands import sandbox
from runbook.invocation import HERE

NOWHERE: dict[str, Any] = {"unset": [], "environment": {}}


@pytest.mark.parametrize("runs_in_the_project", [True, False])
def test_another_home_starts_another_sandbox_and_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runs_in_the_project: bool,
) -> None:
    there = tmp_path / ".runbook" / "sandbox"
    if runs_in_the_project:
        there.mkdir(parents=True)
        (there / "sandbox.json").write_text(json.dumps({"control_url": "http://127.0.0.1:9/x", "pid": 7}))
    monkeypatch.setattr(HERE, "project", tmp_path)
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(sandbox, "_answers", lambda state: state["pid"] == 7)
    monkeypatch.setattr(sandbox, "_told", lambda _: NOWHERE)
    assert sandbox._started() == NOWHERE
    said = " ".join(capsys.readouterr().err.split())
    assert f"A sandbox starts in {tmp_path}/elsewhere/sandbox, with nothing in it." in said
    assert (f"The one in {there} is another one" in said) == runs_in_the_project
    monkeypatch.delenv("RUNBOOK_HOME")
    sandbox._started()
    assert bool(capsys.readouterr().err) != runs_in_the_project
