"""docs/faults.md as data: what each fault is expected to look like, and how it is mended."""

import re
from dataclasses import dataclass

from tests.scenarios.conftest import ROOT

PAGE = ROOT / "docs" / "faults.md"
HEAD = "| fault | symptom | cause | check | known | remedy | source |"
ADVICE = " (advice)"
KNOWN = ("documented", "recorded", "inferred")
THEN = " **then** "


@dataclass(frozen=True)
class Row:
    """One fault as the page tells it. ``remedies``: one after the other, as `verify` prints them.

    ``outcome``: failed, or advice for what works. ``known``: whether documented, recorded or inferred.
    """

    name: str
    symptom: str
    cause: str
    check: str
    outcome: str
    known: str
    remedies: tuple[str, ...]
    source: str


def rows() -> dict[str, Row]:
    """Every row of every table of the page, by the fault's name."""
    found = [_row(line) for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    names = [row.name for row in found]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return {row.name: row for row in found}


def _row(line: str) -> Row:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
    name, symptom, cause, check, known, remedy, source = cells
    outcome = "advice" if check.endswith(ADVICE) else "failed"
    remedies = tuple(part.strip("`") for part in remedy.split(THEN))
    check = check.removesuffix(ADVICE).strip("`")
    return Row(name.strip("`"), symptom, cause, check, outcome, known, remedies, source)
