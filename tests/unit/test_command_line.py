"""A command line as it is typed: where it goes, what it is refused for, and what it does when it only asks.

Every line runs in this process as ``invoke`` runs it, from reading the words to calling the command; the
commands themselves are noted instead of run, so that "contacts nobody" is "no command and no sandbox".
"""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from invoke import Program
from invoke.main import program

import tasks
from runbook import command_line as line
from runbook.commands import sandbox
from runbook.errors import SettingsWrong
from runbook.invocation import HERE, TASKS
from runbook.remedy import invoke, remedy

ROOT = Path(__file__).parents[2]
LIVE = """target: prod
aws: {account_id: '210987654321', bucket: acme-events}
snowflake: {account: ACME-EU, connection: acme}
"""
NAMESPACE = tasks.namespace
COMMANDS = sorted(
    {path.stem for path in (ROOT / "runbook" / "commands").glob("*.py")} - {"__init__", "sandbox"}
)
EVERY = sorted(name.replace("_", "-") for name in tasks.namespace.task_names)
OF_TARGET = sorted(TASKS)
NEEDS = {
    "backfill": "--pattern .*",
    "replace-pipe": "--stream events",
    "check": "--pipe A.B.C",
    "explain": "s3://bucket/key.gz",
    "sql": "--step 2",
}
CONTACTS_NOBODY = ("report", "runs", "settings", "sql")
ONLY_READ = (
    *("plan", "check", "doctor", "verify", "status", "explain"),
    *("report", "runs", "settings", "sql", "compare"),
)
DRY = [name for name in OF_TARGET if "dry_run" in tasks.namespace[name].body.__code__.co_varnames]


@dataclass
class Terminal:
    """What a line came to: the commands called with target and options, what was started, its words."""

    capsys: Any
    commands: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    sandbox: list[str] = field(default_factory=list)

    def types(self, line: str) -> tuple[int, str]:
        self.commands.clear()
        self.sandbox.clear()
        sys.argv = ["invoke", *shlex.split(line)]
        code: Any = 0
        try:
            program.run(list(sys.argv))
        except SystemExit as ended:
            code = ended.code or 0
        out, err = self.capsys.readouterr()
        assert "mistake in snowpipe-runbook" not in " ".join(err.split())
        return int(code), " ".join(f"{out} {err}".split())

    @property
    def nobody(self) -> bool:
        return not self.commands and not self.sandbox


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> Terminal:
    """A shell in the project folder without a terminal; nothing of ours in its environment."""
    found = Terminal(capsys)
    for name in ("excepthook", "unraisablehook", "argv", "dont_write_bytecode"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    for name in ("file", "root", "collection", "project", "variables"):
        monkeypatch.setattr(HERE, name, getattr(HERE, name))
    for name in ("RUNBOOK_SANDBOX_GIVEN", "RUNBOOK_SANDBOX", "CI", "INVOKE_RUNTIME_CONFIG", "INVOKE_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(ROOT)

    def noting(name: str) -> Callable[..., int]:
        def command(settings: dict[str, Any], **options: Any) -> int:
            found.commands.append((name, settings["target"], options))
            return 0

        return command

    for name in COMMANDS:
        monkeypatch.setattr(import_module(f"runbook.commands.{name}"), name, noting(name))
    tenant = {"aws": {"endpoint_url": ""}, "snowflake": {"host": "", "port": 1}}
    state = {"tenant": tenant, "environment": {}, "unset": [], "stopped": True}
    monkeypatch.setattr(sandbox, "_found", lambda *_: None)
    monkeypatch.setattr(sandbox, "_told", lambda verb: found.sandbox.append(verb) or state)
    monkeypatch.setattr(sandbox, "point_at", lambda _: None)
    return found


def live(folder: Path, name: str = "prod.yaml") -> str:
    (folder / name).write_text(LIVE)
    return str(folder / name)


def called(task: str) -> str:
    return f"{task} {NEEDS.get(task, '')}".strip()


def test_every_task_with_a_target_is_known_to_what_prints_commands() -> None:
    assert {*TASKS, "compare", "demo", "lint"} == {name for name in EVERY if "." not in name}


# ---- where a line goes


def test_where_each_command_goes(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, (empty, comments, unnamed) = (
        live(tmp_path),
        (tmp_path / f"{n}.yaml" for n in ("empty", "c", "unnamed")),
    )
    empty.write_text("")
    comments.write_text("# target: prod\n")
    unnamed.write_text(LIVE.split("\n", 1)[1].replace("210987654321", "111122223333"))
    named_sandbox = tmp_path / "s.yaml"
    named_sandbox.write_text("target: sandbox\n")
    for task in OF_TARGET:
        asked = called(task)
        assert terminal.types(f"-f {file} {asked}")[0] == 0
        assert [target for _, target, _ in terminal.commands] == ["prod"], task
        assert terminal.types(f"{asked} -f {file}")[0] == 0  # behind the task it is the same
        assert [target for _, target, _ in terminal.commands] == ["prod"], task
        assert not terminal.sandbox
        for wrong in (empty, comments, unnamed):
            code, text = terminal.types(f"-f {wrong} {asked}")
            assert (code, terminal.nobody) == (2, True), (task, wrong)
            assert "names no target" in text or "still the sandbox's" in text
            assert str(wrong) in text
        code, text = terminal.types(asked)  # forgotten, in a schedule
        if task in CONTACTS_NOBODY:
            assert code == 0
            assert not terminal.sandbox
        else:
            assert (code, terminal.nobody) == (2, True), task
            assert "INVOKE_RUNTIME_CONFIG" in text
            assert "INVOKE_TARGET=sandbox" in text
        with monkeypatch.context() as shell:
            shell.setenv("INVOKE_RUNTIME_CONFIG", file)
            assert terminal.types(asked)[0] == 0
            assert [target for _, target, _ in terminal.commands] == ["prod"], task
            assert not terminal.sandbox
            shell.setenv("INVOKE_RUNTIME_CONFIG", str(empty))
            assert terminal.types(asked)[0] == 2
            assert terminal.nobody
        with monkeypatch.context() as shell:
            shell.setenv("INVOKE_TARGET", "sandbox")
            assert terminal.types(asked)[0] == 0
            assert [target for _, target, _ in terminal.commands] == ["sandbox"]
        assert terminal.types(f"-f {named_sandbox} {asked}")[0] == 0
        assert [target for _, target, _ in terminal.commands] == ["sandbox"]


@pytest.mark.parametrize(
    ("more", "what", "lines"),
    [
        ("target: sandbox\n", "target", "1 and 4"),
        ("aws: {bucket: acme-other}\n", "aws", "2 and 4"),
        (
            "checks: {loaded_within_minutes: 5, loaded_within_minutes: 9}\n",
            "loaded_within_minutes",
            "4 and 4",
        ),
    ],
)
def test_what_stands_twice_in_an_environment_file_is_refused(
    terminal: Terminal, tmp_path: Path, more: str, what: str, lines: str
) -> None:
    file = Path(live(tmp_path))
    file.write_text(file.read_text() + more)
    code, text = terminal.types(f"-f {file} pause")
    assert (code, terminal.nobody) == (2, True)
    assert f"The key {what} stands twice ({file}, lines {lines})" in text


@pytest.mark.parametrize(
    ("written", "means"),
    [("015", "13"), ("1:30", "90"), ("[0_17]", "15"), ("'015'", ""), ("15", ""), ("0", "")],
)
def test_a_number_that_yaml_reads_as_another_one_is_refused(
    terminal: Terminal, tmp_path: Path, written: str, means: str
) -> None:
    file = Path(live(tmp_path))
    file.write_text(file.read_text() + f"checks: {{loaded_within_minutes: {written}}}\n")
    code, text = terminal.types(f"-f {file} pause")
    if means:
        assert (code, terminal.nobody) == (2, True)
        assert f"The value {written.strip('[]')} is {means} to YAML ({file}, line 4)" in text
    else:
        assert "to YAML" not in text


@pytest.mark.parametrize("names", [("RUNBOOK_SANDBOX_GIVEN",), ("RUNBOOK_SANDBOX",)])
def test_a_shell_of_the_sandbox_means_the_sandbox(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    for name in names:
        monkeypatch.setenv(name, "1")
    assert terminal.types("verify")[0] == 0
    assert terminal.commands[0][1] == "sandbox"


def test_a_person_at_a_terminal_needs_to_say_nothing_but_a_job_does(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert terminal.types("verify")[0] == 0
    assert terminal.sandbox == ["start"]
    monkeypatch.setenv("CI", "true")
    assert terminal.types("verify")[0] == 2
    assert terminal.nobody
    assert terminal.types("demo")[0] == 0  # asks for it by its name
    assert terminal.types("sandbox.start")[0] == 0
    assert terminal.sandbox == ["start"]


@pytest.mark.parametrize("name", ["prod.yaml", "my prod.yaml", "it's.yaml"])
def test_a_printed_command_goes_where_it_was_printed_for(
    terminal: Terminal, tmp_path: Path, name: str
) -> None:
    file = live(tmp_path, name)
    assert terminal.types(f"-f {shlex.quote(file)} status")[0] == 0
    printed = HERE.typed(
        "run `invoke step1-aws step3-aws` again, or invoke backfill --pattern '.*'; not invoke demo"
    )
    first, second = printed.split("`")[1], printed.split("or ")[1].split(";")[0]
    assert shlex.split(first) == ["invoke", "-f", file, "step1-aws", "step3-aws"]
    assert shlex.split(second) == ["invoke", "-f", file, "backfill", "--pattern", ".*"]
    assert printed.endswith("not invoke demo")
    assert HERE.typed(printed) == printed
    for words in (first, second):
        assert terminal.types(" ".join(map(shlex.quote, shlex.split(words)[1:])))[0] == 0
        assert {target for _, target, _ in terminal.commands} == {"prod"}


def test_a_printed_command_carries_the_variables_that_change_the_files_target(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = live(tmp_path)
    monkeypatch.setenv("INVOKE_SNOWFLAKE_SCHEMA", '"Snow Plow"')
    monkeypatch.setenv("INVOKE_CHECKS_READY_WITHIN_SECONDS", "9")
    monkeypatch.setenv("INVOKE_TARGET", "another")  # the file's own goes before it
    monkeypatch.setenv("INVOKE_AWS_REGION", "us-west-2")  # as it is without
    assert terminal.types(f"-f {file} status")[0] == 0
    assert {target for _, target, _ in terminal.commands} == {"prod"}
    assert HERE.typed("To do: invoke refresh") == (
        f"To do: INVOKE_SNOWFLAKE_SCHEMA='\"Snow Plow\"' invoke -f {file} refresh"
    )
    assert invoke("refresh").line == "invoke refresh"
    assert str(remedy(invoke("refresh")).typed()) == HERE.typed("invoke refresh")
    monkeypatch.delenv("INVOKE_SNOWFLAKE_SCHEMA")
    assert terminal.types(f"-f {file} status")[0] == 0
    assert HERE.typed("invoke refresh") == f"invoke -f {file} refresh"


@pytest.mark.parametrize(
    "text", ["to invoke plans", "Not authorized to invoke function [x]", "s3://b/invoke up.gz"]
)
def test_what_is_no_command_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(HERE, "file", "prod.yaml")
    assert HERE.typed(text) == text or "b/invoke" in text
    assert HERE.typed("s3://b/invoke up") == "s3://b/invoke up"


def test_records_belong_to_the_project_from_wherever_it_is_called(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNBOOK_HOME")
    file = live(tmp_path)
    assert terminal.types("runs")[0] == 0
    assert HERE.home == Path(".runbook")
    monkeypatch.chdir(ROOT / "docs")
    assert terminal.types(f"-f {file} runs")[0] == 0
    assert HERE.home == ROOT / ".runbook"
    monkeypatch.chdir(tmp_path)
    assert terminal.types(f"-r {ROOT} -f {file} runs")[0] == 0
    assert HERE.home == ROOT / ".runbook"
    assert HERE.typed("invoke verify") == f"invoke -r {ROOT} -f {file} verify"
    monkeypatch.setenv("RUNBOOK_HOME", "")
    assert HERE.home == ROOT / ".runbook"


# ---- every task, asked in every way that must do nothing


@pytest.mark.parametrize("task", EVERY)
def test_help_helps_and_contacts_nobody(terminal: Terminal, task: str) -> None:
    for words in (f"{called(task)} --help", f"--help {task}", f"up {task} --nonsense -h"):
        code, text = terminal.types(words)
        assert (code, terminal.nobody) == (0, True), words
        assert f"[--core-opts] {task} " in text, words


def test_help_shows_every_default_and_no_flag_is_short(terminal: Terminal) -> None:
    for task in EVERY:
        _, text = terminal.types(f"{task} --help")
        options = text.partition("Options:")[2]
        for argument in tasks.namespace[task].get_arguments(ignore_unknown_help=True):
            assert all(len(name) > 1 for name in argument.names), task
            if argument.default not in (None, False, "", 0) and argument.kind is not list:
                assert f"default: {argument.default}" in options, (task, argument.name)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-f verify", "'verify' is taken for the file of -f. To do: invoke -f FILE verify"),
        ("-f FILE", "No task is given"),
        ("-- verify", "'verify' is taken for what follows --"),
        ("-f FILE -- step1-aws --yes", "No task is given"),
        ("-f '' verify", "-f names no file"),
        ("--config= verify", "-f names no file"),
        ("verify -f ''", "-f names no file"),
        ("-f FILE verify --wait soon", "--wait 'soon' is not a whole number"),
        ("-f FILE verify --step=", "--step '' is not a whole number"),
        ("help verify", "invoke --help, if that was meant"),
    ],
)
def test_a_line_in_which_nothing_would_be_done_is_not_a_success(
    terminal: Terminal, tmp_path: Path, line: str, words: str
) -> None:
    code, text = terminal.types(line.replace("FILE", live(tmp_path)))
    assert (code, terminal.nobody) == (2, True), text
    assert words in text.replace(str(tmp_path / "prod.yaml"), "FILE")
    for asks in ("--list", "--help", "--complete -- ver"):
        assert terminal.types(f"-f {live(tmp_path)} {asks}")[0] == 0


def test_a_flag_without_its_dashes_is_the_one_that_was_meant(terminal: Terminal) -> None:
    code, text = terminal.types("verify deep")
    assert (code, "invoke verify --deep, if that was meant" in " ".join(text.split())) == (2, True)


@pytest.mark.parametrize("task", EVERY)
def test_a_line_that_is_wrong_is_refused_whole(terminal: Terminal, task: str) -> None:
    flags = {
        flag: arg
        for arg in tasks.namespace[task].get_arguments(ignore_unknown_help=True)
        for flag in as_flags(arg)
    }
    wrong = {
        f"{called(task)} --nonsense": "There is no flag --nonsense",
        f"up {called(task)} --nonsense": "There is no flag --nonsense",
        f"{called(task)} nonsense": "There is no task 'nonsense'",
        f"{task}x": f"invoke {task}",
        f"{called(task)} -d": "There is no flag -d",
        f"{called(task)} -V": "There is no flag -V",
        f"{called(task)} -r /tmp": "There is no flag -r",
        f"{called(task)} -f": "-f needs a value",
        f"-f a.yaml {called(task)} -f b.yaml": "-f is given twice",
        f"-f a.yaml -f b.yaml {called(task)}": "-f is given twice",
        f"--config=a.yaml -fb.yaml {called(task)}": "-f is given twice",
        f"{called(task)} -- x": "-- means nothing",
    }
    wrong |= {f"{called(task)} {flag}": "needs a value" for flag, arg in flags.items() if arg.takes_value}
    wrong |= {
        f"{called(task)} {flag} --debug": "needs a value" for flag, arg in flags.items() if arg.takes_value
    }
    wrong |= {
        f"{called(task)} {flag}=1": "takes no value" for flag, arg in flags.items() if not arg.takes_value
    }
    if task in NEEDS and task != "sql":
        wrong[task] = "is missing"
    if task != "lint":
        wrong |= {
            f"{switch} {called(task)}": "does nothing here" for switch in ("-e", "-w", "--hide=both", "-T 5")
        }
    for asked, words in wrong.items():
        assert words in refusal(asked), asked
    asked, words = next(iter(wrong.items()))
    code, text = terminal.types(asked)  # and one of them the whole way
    assert (code, terminal.nobody) == (2, True)
    assert words in text


def refusal(typed: str) -> str:
    """Why a line is refused before Invoke reads it."""
    asked = Program()
    asked.normalize_argv(["invoke", *shlex.split(typed)])
    asked.parse_core_args()
    with pytest.raises(SettingsWrong) as refused:
        line.checked(asked, NAMESPACE)
    return str(refused.value)


def as_flags(argument: Any) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in argument.names]


@pytest.mark.parametrize("task", [name for name in EVERY if name != "lint"])
def test_invokes_own_dry_run_is_one_or_is_refused(
    terminal: Terminal, task: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = live(tmp_path)
    place = "" if task == "demo" or "." in task else f"-f {file} "

    def asked(typed: str) -> None:
        code, text = terminal.types(typed)
        if task in DRY:
            assert code == 0
            assert [options["dry_run"] for _, _, options in terminal.commands] == [True]
        elif task in ONLY_READ:
            assert code == 0
        else:
            assert (code, terminal.nobody) == (2, True), typed
            assert "has no dry run" in text

    asked(f"--dry {place}{called(task)}")
    asked(f"{place}{called(task)} --dry")
    monkeypatch.setenv("INVOKE_RUN_DRY", "1")
    asked(f"{place}{called(task)}")
    monkeypatch.delenv("INVOKE_RUN_DRY")
    if place:
        Path(file).write_text(LIVE + "run: {dry: true}\n")
        asked(f"{place}{called(task)}")


def test_a_canary_has_no_dry_run(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.types(f"-R -f {live(tmp_path)} verify --canary")[0] == 2
    assert terminal.nobody


# ---- several tasks in a line

REFUSED = {
    "up step5-aws --dry-run": "up --dry-run step5-aws --dry-run",
    "up --dry-run step5-aws": "up --dry-run step5-aws --dry-run",
    "step1-aws step2-snowflake --dry-run": "step1-aws --dry-run step2-snowflake --dry-run",
    "pause resume --stream events": "pause --stream events resume --stream events",
    "verify --stream events refresh": "verify --stream events refresh --stream events",
    "step1-aws --yes step3-aws": "step1-aws --yes step3-aws --yes",
    "verify --yes pause": "verify --yes pause --yes",
}
MEANT = [
    "step2-snowflake step3-aws step4-snowflake",
    "step1-aws --dry-run step2-snowflake --dry-run",
    "up --yes verify",
    "up --dry-run plan",
    "refresh --stream events verify --deep",
    "pause --stream events resume --stream events_bad",
    "step1-aws handoff",
]


@pytest.mark.parametrize("line", REFUSED)
def test_a_flag_that_follows_only_some_is_refused_with_the_line_that_was_meant(
    terminal: Terminal, line: str, tmp_path: Path
) -> None:
    file = live(tmp_path)
    code, text = terminal.types(f"-f {file} {line}")
    assert (code, terminal.nobody) == (2, True)
    meant = f"invoke -f {file} {REFUSED[line]}"
    assert meant in text
    assert terminal.types(meant.removeprefix("invoke "))[0] == 0


@pytest.mark.parametrize("line", MEANT)
def test_a_line_that_says_what_is_meant_is_run(terminal: Terminal, line: str, tmp_path: Path) -> None:
    assert terminal.types(f"-f {live(tmp_path)} {line}")[0] == 0
    assert terminal.commands


def test_a_dry_run_beside_what_has_none_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    code, text = terminal.types(f"-f {live(tmp_path)} up --dry-run handoff")
    assert (code, terminal.nobody) == (2, True)
    assert "handoff has none" in text


# ---- every format, for every ending


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("verify --nonsense", 2),
        ("-f absent.yaml verify", 2),
        ("verify", 2),  # no target
        ("-f {empty} verify", 2),
    ],
)
def test_no_stale_report_stays(terminal: Terminal, tmp_path: Path, line: str, code: int) -> None:
    (tmp_path / "empty.yaml").write_text("")
    names = ("table", "json", "junit", "tap", "prometheus")
    for name in names:
        (tmp_path / name).write_text("old")
    formats = " ".join(f"--format {name}={tmp_path / name}" for name in names)
    line = line.replace("{empty}", str(tmp_path / "empty.yaml"))
    assert terminal.types(f"{line} {formats}")[0] == code
    for name in names:
        assert (tmp_path / name).read_text() != "old", name
    code, text = terminal.types(f"{line} --format nagios")
    assert code == 3
    assert "SNOWPIPE UNKNOWN" in text
