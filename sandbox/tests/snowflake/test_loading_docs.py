"""docs/loading.md names tests that are there."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "loading.md"


def test_every_row_names_a_test_that_exists():
    named = re.findall(r"(test_\w+\.py)::(test_\w+)", PAGE.read_text())
    assert len(named) > 50
    for file, test in named:
        assert re.search(rf"def {test}\(", (HERE / file).read_text()), f"{file}::{test}"


def test_every_source_label_is_resolved():
    text = PAGE.read_text()
    defined = set(re.findall(r"\[([\w-]+)\]\(https://", text))
    used = set(re.findall(r"\[([\w-]+)\](?!\()", text))
    assert used <= defined
