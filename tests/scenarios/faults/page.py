"""docs/faults.md as data: what each fault is expected to look like, and how it is mended."""

import re
from dataclasses import dataclass

from tests.scenarios.conftest import ROOT

PAGE = ROOT / "docs" / "faults.md"
HEAD = "| fault | symptom | cause | check | remedy | source |"
THEN = " **then** "


@dataclass(frozen=True)
class Row:
    """One fault as the page tells it. ``remedies``: one after the other, as `verify` prints them."""

    name: str
    symptom: str
    cause: str
    check: str
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
    name, symptom, cause, check, remedy, source = cells
    remedies = tuple(part.strip("`") for part in remedy.split(THEN))
    return Row(name.strip("`"), symptom, cause, check.strip("`"), remedies, source)
