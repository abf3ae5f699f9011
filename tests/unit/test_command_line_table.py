"""docs/command-line.md: what every task does with each kind of line that must do nothing, as it is seen here.

``pytest -n 0 tests/unit/test_command_line_table.py --write-command-line`` writes its table again.
"""

from pathlib import Path
from typing import Any

import pytest
from invoke import Context

import tasks
from runbook.command_line import READING
from tests.unit.test_command_line import (
    DRY,
    EVERY,
    NEEDS,
    ONLY_READ,
    ROOT,
    Terminal,
    as_flags,
    called,
    live,
    terminal,
)

__all__ = ["terminal"]
PAGE = ROOT / "docs" / "command-line.md"


def flags_of(task: str) -> dict[str, Any]:
    found = tasks.namespace[task].get_arguments(ignore_unknown_help=True)
    return {flag: argument for argument in found for flag in as_flags(argument)}


class Row:
    """One task's row: each cell is what its lines came to, and all of them came to the same."""

    def __init__(self, task: str, terminal: Terminal, file: str) -> None:
        self.task, self.terminal = task, terminal
        self.file = f"-f {file} "
        self.place = "" if task == "demo" or "." in task else self.file
        self.flags = flags_of(task)

    def refused(self, line: str, words: str) -> str:
        code, text = self.terminal.types(line)
        assert (code, self.terminal.nobody) == (2, True), (line, text)
        assert words in text, (line, text)
        return "refused"

    def helps(self) -> str:
        for flag in ("--help", "-h"):
            code, text = self.terminal.types(f"{self.place}{called(self.task)} {flag}")
            assert (code, self.terminal.nobody) == (0, True), self.task
            assert f"[--core-opts] {self.task} " in text
        return "help"

    def dry(self) -> str:
        if self.task == "lint":
            return "Invoke's own"  # the one task of shell commands, which Invoke then prints and does not run
        line = f"--dry {self.place}{called(self.task)}"
        if self.task in DRY:
            assert self.terminal.types(line)[0] == 0
            assert [options["dry_run"] for _, _, options in self.terminal.commands] == [True]
            return "dry run"
        if self.task in ONLY_READ:
            assert self.terminal.types(line)[0] == 0
            return "itself"
        return self.refused(line, "has no dry run")

    def unknown(self) -> str:
        return self.refused(f"{self.place}{called(self.task)} --nonsense", "There is no flag --nonsense")

    def argument(self) -> str:
        if self.task not in NEEDS or self.task == "sql":
            return "-"
        return self.refused(f"{self.place}{self.task}", "is missing")

    def value(self) -> str:
        found = {
            self.refused(f"{self.place}{called(self.task)} {flag}", f"{flag} needs a value")
            for flag, argument in self.flags.items()
            if argument.takes_value
        }
        return found.pop() if found else "-"

    def in_a_line(self) -> str:
        line = f"{self.file}up --dry-run {called(self.task)}"
        if self.task in DRY and self.task != "plan":
            return self.refused(line, f"up --dry-run {self.task}")
        if self.task in READING:
            self.terminal.types(line)
            assert self.terminal.commands[0][2]["dry_run"] is True
            return "both"
        return self.refused(line, f"{self.task} has none")

    def of_one(self) -> str:
        found = set()
        for flag, value in (("--yes", ""), ("--stream", "events"), ("--dry-run", "")):
            if flag in self.flags and "." not in self.task:
                given = "" if flag in called(self.task) else f" {flag} {value}".rstrip()
                line = f"{self.place}{called(self.task)}{given} pause"
                found.add(self.refused(line, f"{flag} follows only {self.task}"))
        return found.pop() if found else "-"

    def cells(self) -> list[str]:
        lines = (self.helps, self.dry, self.unknown, self.argument, self.value, self.in_a_line, self.of_one)
        return [line() for line in lines]


def test_the_table_is_what_happens(
    terminal: Terminal,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Context, "run", lambda *_, **__: None)  # lint's shell commands
    file = live(tmp_path)
    found = {task: Row(task, terminal, file).cells() for task in EVERY}
    table = "".join(f"| `{task}` | {' | '.join(cells)} |\n" for task, cells in found.items())
    head, _, _ = PAGE.read_text().partition("\n|---|")
    text = f"{head}\n|{'---|' * 8}\n{table}"
    if pytestconfig.getoption("--write-command-line"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text
