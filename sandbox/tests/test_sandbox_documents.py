"""The sandbox's tables: each emulated behaviour names a source and a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
TESTS = {
    "aws.md": HERE / "aws",
    "loading.md": HERE / "snowflake",
    "snowflake.md": HERE / "snowflake",
}


def rows(page: str) -> list[list[str]]:
    """The table rows that speak of a behaviour: not heads, rules or headings inside a table."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")] for line in lines if line.startswith("|")
    ]
    return [
        row
        for row in cells
        if len(row) >= 4 and row[0] not in ("behaviour", "what") and not row[0].startswith(("**", "---"))
    ]


@pytest.mark.parametrize("page", TESTS)
def test_every_emulated_behaviour_has_a_source_and_a_test_that_exists(page: str) -> None:
    found = rows(page)
    assert len(found) > 20, page
    for row in found:
        assert row[1] or "refused" in row[2], f"{page}: no source for {row[0]}"
        names = re.findall(r"(?:([\w/]+\.py)::)?(test_\w+)", " | ".join(row[2:]))
        if "emulated" in row[2]:
            assert names, f"{page}: no test for {row[0]}"
        for file, name in names:
            places = [TESTS[page] / file] if file else sorted(TESTS[page].glob("test_*.py"))
            code = "".join(place.read_text() for place in places if place.is_file())
            assert f"def {name}" in code, f"{page}: {row[0]}: no test {file}::{name}"


def test_every_source_the_code_names_is_listed() -> None:
    text = (ROOT / "docs" / "sources.md").read_text()
    listed = {
        name: set(re.findall(r"^\| ([0-9.]+) \|", part, re.MULTILINE))
        for name, part in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    }
    for path in [*(ROOT / "snowpipe_sandbox").rglob("*.py"), *HERE.rglob("*.py")]:
        for name, numbers in re.findall(r"sources: (\w+) ((?:[§0-9., -]|and)+)", path.read_text()):
            for number in re.findall(r"§([0-9]+(?:\.[0-9]+)?)", numbers):
                assert number in listed[name], f"{path}: {name} §{number}"


@pytest.mark.parametrize(
    ("title", "points", "prefix"), [("Snowflake", 22, "test_{:02d}_"), ("AWS", 12, "test_point_{}_")]
)
def test_every_point_of_the_two_lists_names_all_its_tests(title: str, points: int, prefix: str) -> None:
    """A test that is named after a point has a row there, and each point has one at least."""
    text = (ROOT / "docs" / "points.md").read_text()
    part = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| `([\w/]+\.py::test_\w+)` \|$", part, re.MULTILINE)
    folder = HERE / title.lower()
    for number in range(1, points + 1):
        written = {
            f"{title.lower()}/{file.name}::{name}"
            for file in folder.glob("test_*.py")
            for name in re.findall(rf"def ({prefix.format(number)}\w+)\(", file.read_text())
        }
        assert written, number
        assert {test for point, test in rows if int(point) == number} == written
