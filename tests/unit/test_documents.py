"""Documents that cannot drift: their commands, links, tables and numbers are the project's."""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook import errors
from runbook import settings as reading
from runbook.running import INTERRUPTED
from runbook.verify.outcome import Outcome, Result
from tests.unit.test_layout import ROOT, RUNBOOK, TASKS, command_fault

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "sandbox").rglob("*.md")),
]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
SETUP = "python3 -m venv .venv && .venv/bin/pip install --quiet {what} && .venv/bin/{then}"
TO_TRY, TO_TEST = "-e ./sandbox -e .", "-e './sandbox[test]' -e '.[test]'"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def rows(text: str, head: str) -> list[list[str]]:
    """The rows of the table whose head line begins so."""
    lines = iter(text.splitlines())
    assert any(line.startswith(head) for line in lines), f"no table {head}"
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


# ---- README


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) <= 90


@pytest.mark.parametrize(("what", "then"), [(TO_TRY, "invoke demo"), (TO_TEST, "pytest -n 2")])
def test_the_readmes_two_commands_are_one_line_each_and_name_what_exists(what: str, then: str) -> None:
    line = SETUP.format(what=what, then=then)
    assert README.splitlines().count(f"    {line}") == 1
    assert "test" in PROJECT["optional-dependencies"]


def test_ci_runs_the_readmes_own_test_command() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text()
    assert script.stat().st_mode & 0o111
    assert text.splitlines()[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in text
    pattern = re.search(r"sed -n 's/(.+)/\\1/p' README\.md", text)
    assert pattern
    by_python = pattern[1].replace("\\(", "(").replace("\\)", ")")
    found = re.findall(by_python, README, re.MULTILINE)
    assert found == [SETUP.format(what=TO_TEST, then="pytest -n 2")]
    assert "http" not in text


# ---- commands


def commands_in_blocks(page: Path) -> list[str]:
    """Every ``invoke …`` and ``snowpipe-runbook …`` of a code block, one by one."""
    text = re.sub(r"\\\n +", "", page.read_text())  # a line that goes on
    blocks = re.findall(r"^ {4,}((?:invoke|snowpipe-runbook) .+)$", text, re.MULTILINE)
    blocks += re.findall(r"^ {4,}docker run .* (snowpipe-runbook .+)$", text, re.MULTILINE)
    return [command for line in blocks for command in _one_by_one(line)]


def _one_by_one(line: str) -> list[str]:
    return [command.strip() for command in re.split(r"; |&& ", re.sub(r" +[#>].*", "", line))]


@each_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    """Those of code blocks, and between backticks."""
    said = re.findall(r"`((?:invoke|snowpipe-runbook) [a-z-][^`…]*)`", page.read_text().replace("\\\n", ""))
    for command in (*commands_in_blocks(page), *(each for line in said for each in _one_by_one(line))):
        if not set(command.split()) & {"TASK", "SCRIPT"}:  # stands for any
            assert command_fault(command) == "", f"{page.name}: {command}"


def test_every_page_is_found_by_its_question() -> None:
    links = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text()))
    assert links == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_readme_begins_with_a_pipe_that_one_has_and_says_what_nobody_has_seen() -> None:
    first = README[: README.index("## Try it")]
    assert "snowpipe-runbook check --pipe" in first
    assert re.search(r"!\[[^]]+\]\(docs/images/", first)
    assert "Nothing here has been seen on real accounts yet" in first


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_task_is_documented(task: str) -> None:
    """In a code block or between backticks: alone, or as ``invoke …``."""
    pages = README + RUNBOOK + (ROOT / "CONTRIBUTING.md").read_text()
    said = re.findall(r"`([^`\n]+)`|^    (.+)$", pages, re.MULTILINE)
    commands = [line for line in (one or other for one, other in said) if "invoke " in line or line == task]
    assert any(task in re.split(r"[\s;()\"]+", line) for line in commands)


# ---- links


def slugs(page: Path) -> set[str]:
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set(re.findall(r"<a id=\"([\w-]+)\"></a>", text)) | {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
    }


@each_page
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text()):
        path, _, place = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {link}"
        if place:
            assert place in slugs(target), f"{page.name}: {link}"


def test_a_place_has_one_name() -> None:
    named = re.findall(r"<a id=\"([\w-]+)\"></a>", RUNBOOK)
    assert len(named) == len(set(named))


def test_every_place_of_the_runbook_has_a_source_or_a_decision() -> None:
    """What can go wrong is said with its cause, its remedy and where that is documented."""
    body = re.split(r"^## verify", RUNBOOK, flags=re.MULTILINE)[0]
    sections = re.split(r"^<a id=\"([\w-]+)\"></a>\n### ", body, flags=re.MULTILINE)[1:]
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    assert len(found) > 20
    for name, text in found.items():
        assert "https://" in text or name in ("bucket", "no-files"), f"{name}: no source"
        if name != "pipe-state":  # a table
            assert all(word in text for word in ("**Symptom:**", "**Cause", "emedy")), name


# ---- numbers and shapes


def test_the_exit_codes_are_the_errors() -> None:
    table = {int(code): words for code, words in rows(RUNBOOK, "| code | means |")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")]
    assert set(table) == {0, INTERRUPTED, *(kind.exit_code for kind in kinds)}
    said = README[README.index("Exit codes of all commands") :]
    for code in sorted(set(table) - {INTERRUPTED}):
        assert re.search(rf"\b{code} \w", said), code


def test_the_json_in_the_runbook_has_verifys_keys() -> None:
    sample = re.search(r"^    (\{\"target\".*?)\n\n", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert sample
    shown = yaml.safe_load(sample[1])  # YAML takes JSON in over several lines
    result = Result("step3.x", 3, None, "…", "failed")
    real = Outcome("sandbox", datetime(2026, 1, 1, tzinfo=UTC), 0.8, (result,)).as_json()
    assert list(shown) == list(real)
    assert list(shown["checks"][0]) == list(real["checks"][0])


def test_the_outcomes_in_the_runbook_are_all_there_are() -> None:
    from typing import get_args

    from runbook.verify.outcome import Word

    table = rows(RUNBOOK, "| outcome | means | healthy |")
    assert {row[0].strip("`") for row in table} == set(get_args(Word))
    for word, _, healthy in table:
        result = Result("step1.x", 1, None, "…", word.strip("`"))  # type: ignore[arg-type]
        held = Result("step1.y", 1, None, "…", "passed")
        real = Outcome("x", datetime(2026, 1, 1, tzinfo=UTC), 0, (result, held)).is_healthy
        assert (healthy == "yes") == real, word


def test_the_names_in_the_runbook_are_the_default_settings() -> None:
    default = reading.read(yaml.safe_load((ROOT / "invoke.yaml").read_text()))
    for name in (
        default.snowflake.loader_role,
        default.snowflake.operator_role,
        default.snowflake.admin_role,
        default.snowflake.owner_role,
        default.stream("events").table.sql,
        default.aws.bucket,
    ):
        assert str(name) in RUNBOOK


# ---- the rest


def test_dependencies_are_explained_one_by_one() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[\[<>=!~; ]", requirement)[0]

    sandbox = tomllib.loads((ROOT / "sandbox" / "pyproject.toml").read_text())["project"]
    wanted = [(name(row), "") for row in PROJECT["dependencies"]]
    wanted += [
        (name(row), extra) for extra, needed in PROJECT["optional-dependencies"].items() for row in needed
    ]
    wanted += [(name(row), "sandbox") for row in sandbox["dependencies"]]
    table = rows((ROOT / "docs" / "dependencies.md").read_text(), "| package | extra | why |")
    assert sorted((package, extra) for package, extra, _ in table) == sorted(wanted)
    assert all(len(why) > 5 for _, _, why in table)


def test_the_changes_begin_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_the_licence_is_the_one_declared() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {int(page.stem[:4])}. ")
    parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
    assert parts == ["Context", "Options", "Decision", "Consequences"]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.stem[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """As Invoke lays one file over the other."""
    found = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = merged(found[key], value) if both else value
    return found


def test_the_example_environment_is_a_live_one_that_is_accepted() -> None:
    default = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    example = yaml.safe_load((ROOT / "environments" / "example.yaml").read_text())
    settings = reading.read(merged(default, example))
    assert not settings.is_sandbox
    assert set(example["aws"]) >= {"account_id", "region", "bucket"}
    assert set(example["snowflake"]) >= {"connection", "account"}
