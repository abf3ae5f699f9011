"""One identity everywhere: step = task = module = checks = SQL folder = heading; names lead somewhere."""

import ast
import importlib
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from runbook import settings as reading
from runbook.claims import Claim
from runbook.sql import FOLDER, files, parameters, template, values
from runbook.steps import STEPS

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
TASKS: dict[str, Any] = {name.replace("_", "-"): tasks.namespace[name] for name in tasks.namespace.task_names}
PLACE = re.compile(r"docs/runbook\.md#([\w-]+)")


@dataclass(frozen=True)
class Check:
    """A check as it is declared, before any fact is known."""

    area: str
    name: str
    claim: Claim
    asks: tuple[str, ...] = ()
    """The existence checks behind its fixtures: what is not there blocks whoever asks for it."""

    @property
    def id(self) -> str:
        return f"{self.area}.{self.name.removeprefix('check_').replace('_', '-')}"

    @property
    def needs(self) -> tuple[str, ...]:
        return self.claim.needs


def written() -> Iterator[Check]:
    for path in sorted((ROOT / "checks").glob("check_*.py")):
        area = re.match(r"check_(step\d|delivery|views)", path.stem)
        assert area, f"{path.name} is of no step"
        module = importlib.import_module(f"checks.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("check_"):
                asked = list(inspect.signature(function).parameters)
                yield Check(area[1], name, function.claim, tuple(asserted(asked)))


FIXTURES = ast.parse((ROOT / "checks" / "conftest.py").read_text()).body


def asserted(fixtures: list[str]) -> Iterator[str]:
    """The checks that `checks/conftest.py` names for fixtures, and for those they stand on."""
    for node in FIXTURES:
        if isinstance(node, ast.FunctionDef) and node.name in fixtures:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "there":
                    yield ast.literal_eval(call.args[2])
            yield from asserted([argument.arg for argument in node.args.args])


CHECKS = list(written())
IDS = {check.id for check in CHECKS}
each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


def places() -> set[str]:
    """Where a link into docs/runbook.md may lead: explicit anchors, and headings as GitHub names them."""
    named = set(re.findall(r"<a id=\"([\w-]+)\"></a>", RUNBOOK))
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    return named | {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


PLACES = places()


def command_fault(line: str) -> str:
    """What is wrong with an ``invoke …`` line: a task or flag that does not exist; empty if nothing."""
    words = shlex.split(line, comments=True)[1:]
    while words[:1] in (["-f"], ["--list"], ["--help"]):
        words = words[1:] if words[0] == "--list" else words[2:]
    task, places = "", list[str]()
    while words:
        word = words.pop(0).rstrip(";")
        if not word.startswith("-"):
            if places:
                places.pop()
                continue
            task = word
            if task not in TASKS:
                return f"no task {task}"
            places = list(TASKS[task].positional)
            continue
        flags = {flag: arg for arg in TASKS[task].get_arguments() for flag in as_flags(arg)} if task else {}
        if word not in flags:
            return f"no flag {word} of {task or 'invoke'}"
        if flags[word].takes_value and not (words and not words[0].startswith("-")):
            return f"{word} of {task} needs a value"
        if flags[word].takes_value:
            words.pop(0)
    return ""


def as_flags(argument: Any) -> list[str]:
    return [f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}" for name in argument.names]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("invoke step2-snowflake step3-aws", ""),
        ("invoke refresh --stream STREAM --yes", ""),
        ("invoke -f environments/prod.yaml verify --format json   # a comment", ""),
        ("invoke step6-moon", "no task step6-moon"),
        ("invoke up --fast", "no flag --fast of up"),
        ("invoke --yes", "no flag --yes of invoke"),
        ("invoke refresh --stream --yes", "--stream of refresh needs a value"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, fault: str) -> None:
    assert command_fault(line) == fault


# ---- one identity


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.task)
def test_a_step_is_its_task_module_sql_folder_checks_and_heading(step: Any) -> None:
    stem = step.task.replace("-", "_")
    side = {"aws": "AWS", "snowflake": "Snowflake"}[step.side]
    assert step.task == f"step{step.number}-{step.side}"
    assert step.module.__name__ == f"runbook.steps.{stem}"
    assert step.title.startswith(f"Step {step.number}, {side}: ")
    assert TASKS[step.task].__doc__.startswith(f"Step {step.number}, {side}: ")
    assert (ROOT / "checks" / f"check_{stem}.py").is_file()
    assert (FOLDER / stem).is_dir() == (step.side == "snowflake")
    assert f"\n## Step {step.number}, {side}\n" in RUNBOOK


def test_nothing_else_calls_itself_a_step() -> None:
    stems = {step.task.replace("-", "_") for step in STEPS}
    assert {path.stem for path in (ROOT / "runbook" / "steps").glob("step*.py")} == stems
    assert {path.stem.removeprefix("check_") for path in (ROOT / "checks").glob("check_step*.py")} == stems
    assert {path.name for path in FOLDER.glob("step*")} <= stems
    assert {task for task in TASKS if re.match(r"step\d", task)} == {step.task for step in STEPS}
    assert [step.number for step in STEPS] == [1, 2, 3, 4, 5]
    headings = re.findall(r"^## Step (\d), (AWS|Snowflake)$", RUNBOOK, re.MULTILINE)
    assert headings == [
        (str(step.number), {"aws": "AWS", "snowflake": "Snowflake"}[step.side]) for step in STEPS
    ]


# ---- checks


def test_every_step_has_checks_and_so_have_delivery_and_the_views() -> None:
    assert {check.area for check in CHECKS} == {
        *(f"step{step.number}" for step in STEPS),
        "delivery",
        "views",
    }
    assert len(IDS) == len(CHECKS)


@each_check
def test_a_check_has_its_sentence_remedy_and_place(check: Check) -> None:
    assert check.claim.says.endswith("."), "the first paragraph is the claim, a sentence"
    assert check.claim.remedy
    see = PLACE.fullmatch(check.claim.see)
    assert see, "see is not an anchor of docs/runbook.md"
    assert see[1] in PLACES


@each_check
def test_a_check_is_named_at_the_place_it_points_to(check: Check) -> None:
    _, _, after = RUNBOOK.partition(f'<a id="{check.claim.see.partition("#")[2]}"></a>')
    there = re.split(r"<a id=|\n## ", after)[0]
    assert f"`{check.id}`" in there


@each_check
def test_what_a_check_needs_are_checks(check: Check) -> None:
    assert set(check.needs) <= IDS
    assert check.id not in check.needs


def test_the_absence_of_a_thing_is_asserted_by_a_check_that_exists() -> None:
    named = re.findall(
        r"\"((?:step\d|delivery|views)\.[\w-]+)\"", (ROOT / "checks" / "conftest.py").read_text()
    )
    assert named
    assert set(named) <= IDS


def test_checks_do_not_explain_each_other_in_a_circle() -> None:
    TopologicalSorter({check.id: check.needs for check in CHECKS}).prepare()


@each_check
def test_the_commands_of_a_remedy_are_commands(check: Check) -> None:
    assert [fault for each in check.claim.remedy.commands if (fault := command_fault(each.line))] == []
    words = "".join(part for part in check.claim.remedy.parts if isinstance(part, str))
    assert "invoke " not in words, "a command in the words of a remedy: it is a part of its own"


def test_some_remedies_are_commands() -> None:
    assert sum(check.claim.remedy.command is not None for check in CHECKS) > len(CHECKS) / 3


def sources() -> list[Path]:
    return [ROOT / "tasks.py", *(ROOT / "runbook").rglob("*.py"), *(ROOT / "checks").rglob("*.py")]


def test_every_place_the_code_names_in_the_runbook_exists() -> None:
    named = {(path.name, place) for path in sources() for place in PLACE.findall(path.read_text())}
    assert len(named) > 10  # those of the checks are each judged above
    assert {(name, place) for name, place in named if place not in PLACES} == set()


def test_every_command_an_error_advises_exists() -> None:
    """A remedy that begins with ``invoke`` goes on as prose; what stands between backticks is a command."""
    told = {(path.name, path.read_text()) for path in sources()}
    remedies = {
        (name, task) for name, text in told for task in re.findall(r"remedy=\"invoke ([\w.-]+)", text)
    }
    commands = {(name, line) for name, text in told for line in re.findall(r"`(invoke [a-z][^`{\n]*)`", text)}
    assert len(remedies) > 10
    assert len(commands) > 3
    assert {(name, task) for name, task in remedies if task not in TASKS} == set()
    assert {(name, line) for name, line in commands if command_fault(line)} == set()


# ---- SQL

NUMBERED = [path for path in sorted(FOLDER.rglob("*.sql")) if re.match(r"\d\d_", path.name)]


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.name)
def test_no_numbered_file_replaces_anything(path: Path) -> None:
    """But a view: it holds nothing, its text cannot be altered, and COPY GRANTS keeps who may read it."""
    code = re.sub(r"--[^\n]*", "", path.read_text())
    code = re.sub(r"CREATE OR REPLACE VIEW <% view %>\nCOPY GRANTS\n", "", code)
    assert not re.search(r"\bOR\s+(REPLACE|ALTER)\b", code, re.IGNORECASE)


def test_every_file_of_a_folder_that_runs_in_order_is_numbered() -> None:
    assert NUMBERED
    assert {
        path for path in FOLDER.rglob("*.sql") if path.parent.name.startswith(("step", "down", "views"))
    } == set(NUMBERED)


def test_every_parameter_of_every_file_is_provided_and_has_a_sample_for_the_linter() -> None:
    settings = reading.read(yaml.safe_load((ROOT / "invoke.yaml").read_text()))
    provided = set(values(settings, settings.streams[0]))
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["sqlfluff"]["templater"]
    for folder in [path.name for path in FOLDER.iterdir() if path.is_dir()]:
        for name in files(folder):
            asked = set(parameters(template(name)))
            assert asked <= provided, name
            assert asked <= set(linter["placeholder"]), name
            assert template(name).startswith("-- "), name


@pytest.mark.parametrize("name", [*tasks.namespace.task_names])
def test_a_tasks_help_fits_80_columns(name: str) -> None:
    said = tasks.namespace[name].__doc__ or ""
    assert [line for line in said.splitlines() if len(line.strip()) > 78] == []


def test_a_command_is_found_by_its_name() -> None:
    """``runbook/commands/<task>.py`` has the function of that name; the steps and ``up`` are one."""
    for task in TASKS:
        module = "step" if re.fullmatch(r"step\d-\w+|up", task) else task.partition(".")[0].replace("-", "_")
        if module == "lint":
            continue
        place = ROOT / "runbook" / "commands" / f"{module}.py"
        name = task.partition(".")[2] or module
        assert f"\ndef {name}(" in place.read_text(), task


def test_only_the_starter_knows_the_sandbox() -> None:
    """The runbook meets it over its command line and HTTP."""
    known = [
        str(path.relative_to(ROOT))
        for path in [*(ROOT / "runbook").rglob("*.py"), *(ROOT / "checks").rglob("*.py"), ROOT / "tasks.py"]
        if re.search(r"import snowpipe_sandbox|from snowpipe_sandbox", path.read_text())
    ]
    assert known == []
    named = [path.name for path in (ROOT / "runbook").rglob("*.py") if "snowpipe_sandbox" in path.read_text()]
    assert sorted(named) == ["demo.py", "sandbox.py"]


MODULES = [
    path
    for folder in ("runbook", "checks", "sandbox/snowpipe_sandbox")
    for path in (ROOT / folder).rglob("*.py")
]


def test_a_long_module_says_why() -> None:
    long = [path for path in MODULES if len(path.read_text().splitlines()) > 400]
    silent = [
        path
        for path in long
        if "Longer than 400 lines: " not in (ast.get_docstring(ast.parse(path.read_text())) or "")
    ]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


@pytest.mark.parametrize("project", ["runbook", "sandbox/snowpipe_sandbox"])
def test_no_two_modules_import_each_other(project: str) -> None:
    """Nor three in a circle; what is imported for its types alone does not count."""
    root = ROOT / project
    names = {
        path: ".".join([root.name, *path.relative_to(root).with_suffix("").parts])
        for path in root.rglob("*.py")
    }
    modules = {name.removesuffix(".__init__"): path for path, name in names.items()}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        found = graph.setdefault(module, set())
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                found |= inner or ({node.module} & modules.keys())
    TopologicalSorter(graph).prepare()
