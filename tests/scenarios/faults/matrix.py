"""Checks × faults: what `verify` shows for every fault, as the test run saw it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.scenarios.conftest import Installation

ABOUT = """\
# Checks × faults

What `invoke verify` shows for every fault of docs/faults.md, as this run saw it.

`X` is the root cause, `b` is blocked by it, `.` is green.

"""


@dataclass(frozen=True)
class Line:
    """One fault: its root cause with the evidence, and the checks it blocks."""

    fault: str
    check: str
    streams: str
    observed: str
    expected: str
    cause: str
    remedy: str
    blocked: tuple[str, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """What tells it from every other fault."""
        return (self.check, self.streams, self.observed, self.cause, self.remedy)

    def __str__(self) -> str:
        shown = (f"`{self.fault}`", f"`{self.check}`", self.streams, self.observed, self.expected, self.cause)
        blocked = ", ".join(f"`{name}`" for name in self.blocked)
        return f"| {' | '.join(map(_cell, shown))} | {blocked} |"


def seen(fault: str, at: Installation, found: Mapping[str, Any]) -> Line:
    """What one `verify` shows."""
    failed = [row for row in found["checks"] if row["outcome"] == "failed"]
    failed = failed or [row for row in found["checks"] if row["outcome"] == "advice"]
    blocked = sorted({row["id"] for row in found["checks"] if row["outcome"] == "blocked"})
    return Line(
        fault,
        failed[0]["id"],
        ", ".join(row["stream"] for row in failed if row["stream"]),
        _without_names(failed[0]["observed"], at),
        _without_names(failed[0]["expected"], at),
        _without_names(failed[0]["cause"], at),
        _without_names(failed[0]["remedy"], at),
        tuple(blocked),
    )


def _without_names(text: str, at: Installation) -> str:
    """The same for every installation: names and numbers of its own replaced."""
    text = text.replace(at.settings.aws.bucket, "BUCKET").replace(at.settings.aws.account_id, "ACCOUNT")
    text = re.sub(r"\w+_SFCRole=\S+=", "EXTERNAL_ID", text)
    text = re.sub(r"arn:aws:iam::9\d{11}:user/[\w-]+", "SNOWFLAKES_USER", text)
    text = re.sub(r"arn:aws:sqs:[\w-]+:9\d{11}:[\w-]+", "SNOWFLAKES_QUEUE", text)
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d[.\d]*)?Z?", "TIME", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(rows: list[Line], checks: list[str]) -> str:
    """The matrix and the evidence, as Markdown."""
    return "\n".join([ABOUT, *_grid(rows, checks), "", *_evidence(rows), ""])


def _grid(rows: list[Line], checks: list[str]) -> list[str]:
    numbers = [f"    {number:>3}  {name}" for number, name in enumerate(checks, 1)]
    tens = "".join(str(number // 10) if number % 10 == 0 else " " for number in range(1, len(checks) + 1))
    ones = "".join(str(number % 10) for number in range(1, len(checks) + 1))
    marks = [f"    {row.fault:<44} {''.join(_mark(row, name) for name in checks)}" for row in rows]
    return [
        "## The checks",
        "",
        *numbers,
        "",
        "## The matrix",
        "",
        f"    {'':<44} {tens}",
        f"    {'':<44} {ones}",
        *marks,
    ]


def _mark(row: Line, check: str) -> str:
    return "X" if check == row.check else "b" if check in row.blocked else "."


def _evidence(rows: list[Line]) -> list[str]:
    head = [
        "## The evidence",
        "",
        "| fault | root cause | stream | observed | expected | because | blocks |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*head, *map(str, rows)]
