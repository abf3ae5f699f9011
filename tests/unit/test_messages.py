"""Every text a user reads: sentences of the plain English of the field."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook import errors
from runbook.errors import RunbookError
from tests.unit.test_layout import ROOT

FILES = [
    *sorted((ROOT / "runbook").rglob("*.py")),
    *sorted((ROOT / "checks").glob("*.py")),
    ROOT / "tasks.py",
]
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, RunbookError)
}
PARTS = ("what", "why", "remedy")

NOT_ENGLISH = {
    r"(?<!here )\b(?:is|are) no (?!longer|more|other)": "is not a …, does not exist, is missing",
    r"\banew\b": "again; recreated",
    r"\b(?:gets?|lets? (?:us|it|snowflake)) in\b": "can assume the role; signs in",
    r"\bhears? of\b": "is notified",
    r"\b(?:be|is|are) at it\b": "is still loading",
    r"\bcannot be told\b": "is not known; cannot be distinguished",
}


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string of a module but docstrings, SQL and names; parts of an f-string each by itself."""
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in spoken:
            continue
        if " " in node.value and not re.search(r"\b(SELECT|FROM|CREATE TABLE|::INT)\b", node.value):
            yield node.lineno, node.value


def parts(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """What is said in each place where an error is made: its line, the part's name and its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            given = {"what": node.args[0]} if node.args else {}
            given |= {key.arg: key.value for key in node.keywords if key.arg in PARTS}
            for name, value in given.items():
                if isinstance(value, ast.Constant | ast.JoinedStr):
                    yield node.lineno, name, written(value)


def written(value: ast.expr) -> str:
    if isinstance(value, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "{}"  # type: ignore[misc]
            for part in value.values
        )
    return str(value.value) if isinstance(value, ast.Constant) else "{}"


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_are_in_the_plain_english_of_the_field(file: Path) -> None:
    for line, text in texts(ast.parse(file.read_text())):
        for pattern, better in NOT_ENGLISH.items():
            assert not re.search(pattern, text, re.IGNORECASE), f"{file.name}:{line}: {text!r}: {better}"


PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "sandbox").rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *FILES,
    *sorted((ROOT / "sandbox" / "snowpipe_sandbox").rglob("*.py")),
]
QUOTED = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|\w+\.py::\w+")


@pytest.mark.parametrize("file", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_and_docstrings_are_in_the_plain_english_of_the_field(file: Path) -> None:
    for number, line in enumerate(file.read_text().splitlines(), 1):
        for pattern, better in NOT_ENGLISH.items():
            found = re.search(pattern, QUOTED.sub("", line), re.IGNORECASE)
            assert not found, f"{file.name}:{number}: {line.strip()!r}: {better}"


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_error_is_made_of_whole_sentences(file: Path) -> None:
    for line, name, text in parts(ast.parse(file.read_text())):
        place = f"{file.name}:{line}: {name} {text!r}"
        assert not text.endswith("."), f"{place}: the full stop is put behind it"
        assert "To do:" not in text, f"{place}: the remedy is said once"
        assert not re.search(r"[a-z)]\. [a-z]", text), f"{place}: a fragment after a full stop"
        if name == "what":
            assert len(text.replace("{}", "NAME")) <= 160, f"{place}: more than two lines at 80 columns"


def test_what_is_printed_is_sentences() -> None:
    error = RunbookError(
        "the role is gone", where="prod", why="somebody deleted it", remedy="invoke step1-aws"
    )
    assert str(error) == "The role is gone (prod). Somebody deleted it. To do: invoke step1-aws."
    named = RunbookError("aws.bucket is wrong", why="invoke.yaml says so")
    assert str(named) == "aws.bucket is wrong. invoke.yaml says so."


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_one_function_prints_an_error(file: Path) -> None:
    """``error: `` is written in :func:`runbook.running.ends` alone."""
    said = [line for line, text in texts(ast.parse(file.read_text())) if text.startswith("error: ")]
    assert not said or file.name == "running.py", said
