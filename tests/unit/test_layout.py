"""One identity everywhere, and documents that cannot drift from the code."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from runbook import settings as reading
from runbook.sql import FOLDER, files, parameters, template, values
from runbook.steps import STEPS

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
TASKS: dict[str, Any] = {name.replace("_", "-"): tasks.namespace[name] for name in tasks.namespace.task_names}

CHECK = re.compile(r"def (check_\w+)\(.*?\"\"\"(.*?)\"\"\"", re.DOTALL)


def checks() -> list[tuple[str, str, str, str]]:
    """Every check as (area, name, needs, docstring)."""
    found = []
    for path in sorted((ROOT / "checks").glob("check_*.py")):
        area = re.match(r"check_(step\d|delivery)", path.stem)
        assert area, path
        source = path.read_text()
        blocks = ((block, CHECK.search(block)) for block in source.split("\n\n\n"))
        found += [(area[1], m[1], block[: m.start()], m[2]) for block, m in blocks if m]
    return found


CHECKS = checks()
IDS = {f"{area}.{name.removeprefix('check_').replace('_', '-')}" for area, name, _, _ in CHECKS}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.task)
def test_a_step_is_its_task_module_sql_folder_checks_and_heading(step: Any) -> None:
    stem = step.task.replace("-", "_")
    assert step.module.__name__ == f"runbook.steps.{stem}"
    assert step.task in TASKS
    assert (ROOT / "checks" / f"check_{stem}.py").is_file()
    assert (FOLDER / stem).is_dir() == (step.side == "snowflake")
    side = "AWS" if step.side == "aws" else "Snowflake"
    assert f"\n## Step {step.number}, {side}\n" in RUNBOOK
    assert step.title.startswith(f"Step {step.number}, {side}: ")


def test_there_are_checks() -> None:
    assert len(CHECKS) > 35


@pytest.mark.parametrize(("area", "name", "needs", "text"), CHECKS, ids=lambda value: str(value)[:40])
def test_a_check_has_its_sentence_remedy_and_place(area: str, name: str, needs: str, text: str) -> None:
    assert text.strip().splitlines()[0].endswith("."), name
    assert re.search(r"^    Remedy: \S", text, re.MULTILINE), name
    see = re.search(r"^    See: docs/runbook.md#(\S+)", text, re.MULTILINE)
    assert see, name
    assert see[1] in anchors(), f"{name}: no place {see[1]}"
    for need in re.findall(r"\"((?:step\d|delivery)\.[a-z-]+)\"", needs):
        assert need in IDS, f"{name} needs {need}, which is no check"


def anchors() -> set[str]:
    named = set(re.findall(r"<a id=\"([a-z0-9-]+)\"></a>", RUNBOOK))
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    return named | {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", ["runbook", "checks", "sql", "tasks.py", "README.md", "docs"])
def test_every_place_named_in_the_runbook_exists(path: str) -> None:
    where = ROOT / path
    found = (
        [where] if where.is_file() else [p for p in where.rglob("*") if p.suffix in (".py", ".sql", ".md")]
    )
    for file in found:
        for anchor in re.findall(r"docs/runbook\.md#([a-z0-9-]+)", file.read_text()):
            assert anchor in anchors(), f"{file}: {anchor}"


REMEDIES = sorted(
    {m for _, _, _, text in CHECKS for m in re.findall(r"^    Remedy: (invoke .+)$", text, re.MULTILINE)}
)


@pytest.mark.parametrize("line", REMEDIES)
def test_a_remedy_that_is_a_command_is_one(line: str) -> None:
    assert_command(line)


def assert_command(line: str) -> None:
    words = line.split()[1:]
    flags: set[str] = set()
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            assert word in flags, f"{line}: no flag {word}"
            if words and not words[0].startswith("--") and words[0] not in TASKS:
                words.pop(0)
        else:
            assert word in TASKS, f"{line}: no task {word}"
            flags = {flag for argument in TASKS[word].get_arguments() for flag in as_flags(argument)}


def as_flags(argument: Any) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in argument.names]


@pytest.mark.parametrize("document", ["README.md", "docs/runbook.md", "docs/sandbox.md", "CONTRIBUTING.md"])
def test_the_commands_a_document_names_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"`invoke ([a-z0-9.-]+)", text) + re.findall(
        r"^    (?:\S+ )?invoke ([a-z0-9.]\S*)", text, re.MULTILINE
    )
    assert named
    for task in named:
        assert task.rstrip(";`") in TASKS, f"{document}: {task}"


def test_no_numbered_file_replaces_anything() -> None:
    for path in FOLDER.rglob("*.sql"):
        code = re.sub(r"--[^\n]*", "", path.read_text())
        assert not re.search(r"\bOR\s+REPLACE\b", code, re.IGNORECASE), path


def test_every_parameter_of_every_file_is_provided_and_every_file_says_what_it_is() -> None:
    settings = reading.read(yaml.safe_load((ROOT / "invoke.yaml").read_text()))
    provided = set(values(settings, settings.streams[0]))
    for folder in ("step2_snowflake", "step4_snowflake", "operate"):
        for name in files(folder):
            assert set(parameters(template(name))) <= provided, name
            assert template(name).startswith("-- "), name


def test_dependencies_are_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {(re.split(r"[\[<>=]", row)[0], "") for row in project["dependencies"]}
    for extra, rows in project["optional-dependencies"].items():
        wanted |= {(re.split(r"[\[<>=]", row)[0], extra) for row in rows}
    table = (ROOT / "docs" / "dependencies.md").read_text()
    found = {
        (cells[1], cells[2])
        for cells in (
            [cell.strip() for cell in line.split("|")] for line in table.splitlines() if "|" in line
        )
        if cells[1] not in ("package", "---")
    }
    assert found == wanted


def test_the_changes_name_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_is_one_page_and_its_links_lead_somewhere() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document}: {link}"
