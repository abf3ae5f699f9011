"""The wheel as a user has it: installed from nothing, in a folder with one environment file, then gone again.

A new virtual environment without git, compiler or anything else on PATH; no checkout, no `invoke.yaml`. The
sandbox poses as a live target: only the environment file says where the two clouds are.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.test_where import as_live

PACKAGES = ("PIP_", "UV_", "PIPX_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy")
"""Where this machine finds packages; nobody's credentials or settings."""
STEPS = ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake", "step5-aws")
PIPE = "RAW.SNOWPLOW.EVENTS_PIPE"


def bare(home: Path, path: str) -> dict[str, str]:
    """An environment in which little is set."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(PACKAGES)}
    config = next(
        (
            file
            for file in (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf")
            if file.is_file()
        ),
        None,
    )
    where = {"PIP_CONFIG_FILE": str(config)} if config and "PIP_CONFIG_FILE" not in kept else {}
    return {
        **kept,
        **where,
        "HOME": str(home),
        "PATH": path,
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }


def ran(
    *words: str | Path, env: dict[str, str], cwd: Path | None = None, expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in words],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if expect is not None:
        assert done.returncode == expect, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def binaries(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pip install WHEEL` into a new environment, where nothing can be compiled; its folder of programs."""
    folder = tmp_path_factory.mktemp("user")
    ran(sys.executable, "-m", "venv", folder / "venv", env=bare(folder / "home", "/nowhere"))
    programs = folder / "venv" / "bin"
    env = bare(folder / "home", str(programs))
    ran(programs / "pip", "install", "--quiet", "--only-binary", ":all:", wheel, env=env)
    return programs


@dataclass
class User:
    """Somebody in a folder of their own with one environment file, and `snowpipe-runbook` on PATH."""

    at: Installation
    folder: Path
    env: dict[str, str]

    def run(self, *words: str, expect: int | None = 0) -> str:
        done = ran("snowpipe-runbook", *words, env=self.env, cwd=self.folder, expect=expect)
        return done.stdout + (done.stderr if expect else "")


@pytest.fixture
def user(new_installation: Callable[..., Installation], binaries: Path, tmp_path: Path) -> User:
    at, folder = new_installation(), tmp_path / "folder"
    folder.mkdir()
    file = as_live(at, tmp_path)
    shutil.move(file, folder / "prod.yaml")
    there = ("AWS_", "SNOWFLAKE_")
    clouds = {name: value for name, value in at.environment.items() if name.startswith(there)}
    return User(
        at, folder, {**bare(tmp_path / "home", str(binaries)), **clouds, "NO_PROXY": "127.0.0.1,localhost"}
    )


def test_the_five_steps_from_an_empty_folder_with_one_environment_file(user: User) -> None:
    names = re.findall(r"^  ([a-z][\w.-]+)", user.run("--list"), re.MULTILINE)
    assert {*STEPS, "check", "verify", "backfill"} <= set(names)
    assert user.run("--version").startswith("snowpipe-runbook ")
    target = ("-f", "prod.yaml")
    before = user.at.requests()[-1]["n"] if user.at.requests() else 0
    user.run(*target, "settings")
    user.run(*target, "plan")
    user.run(*target, "plan", "--exit-code", expect=10)
    user.run(*target, "verify", expect=1)
    assert user.at.writes_since(before) == []
    for step in STEPS:
        user.run(*target, step, "--dry-run")
        user.run(*target, step, "--yes")
    user.run(*target, "plan", "--exit-code")
    key = user.at.put("events", "a.gz", gzip.compress(b"\t" * 130 + b"\n"))
    user.at.settle()

    before = user.at.requests()[-1]["n"]
    url = f"s3://{user.at.settings.aws.bucket}/{key}"
    for words in (
        ("verify",),
        ("verify", "--deep", "--format", "junit"),
        ("verify", "--format", "nagios"),
        ("check", "--pipe", PIPE),
        ("doctor",),
        ("status",),
        ("explain", url),
        ("plan", "--format", "github"),
        ("sql", "--step", "4"),
        ("runs",),
        ("runs", "--show", "latest"),
        ("up", "--dry-run"),
        ("down", "--dry-run"),
        ("refresh", "--dry-run"),
        ("backfill", "--pattern", ".*", "--dry-run"),
        ("pause", "--dry-run"),
        ("replace-pipe", "--stream", "events", "--dry-run"),
        ("handoff", "--output", "-"),
        ("tfvars", "--output", "vars.json"),
        ("discover", "--all", "--output", "found.yaml"),
        ("watch", "--once"),
    ):
        user.run(*target, *words)
    assert "pip install pygal" in " ".join(user.run(*target, "report", expect=2).split())
    assert json.loads(user.run("check", "--pipe", PIPE, "--connection", "acme", "--format", "json"))[
        "healthy"
    ]
    assert PIPE in user.run("discover", "--connection", "acme")
    user.run("-f", "found.yaml", "verify")
    assert user.at.writes_since(before) == []

    user.run(*target, "pause", "--yes")
    user.run(*target, "resume", "--yes")
    user.run(*target, "verify")
    user.run(*target, "down", "--name", "prod", "--yes")
    assert {path.name for path in user.folder.iterdir()} == {
        "prod.yaml",
        "found.yaml",
        "vars.json",
        ".runbook",
    }


def test_what_is_installed_is_one_package_and_leaves_nothing_behind(wheel: Path, tmp_path: Path) -> None:
    site = (
        tmp_path
        / "venv"
        / "lib"
        / f"python{sys.version_info.major}.{sys.version_info.minor}"
        / "site-packages"
    )
    env = bare(tmp_path / "home", "/nowhere")
    ran(sys.executable, "-m", "venv", tmp_path / "venv", env=env)
    pip = tmp_path / "venv" / "bin" / "pip"

    def there() -> set[Path]:
        return {path for path in (tmp_path / "venv").rglob("*") if "__pycache__" not in path.parts}

    before, top = there(), {path.name for path in site.iterdir()}
    ran(pip, "install", "--quiet", "--no-deps", wheel, env=env)
    new = {path.name for path in site.iterdir()} - top
    assert {name for name in new if not name.endswith(".dist-info")} == {"runbook"}
    ran(pip, "uninstall", "--yes", "--quiet", "snowpipe-runbook", env=env)
    assert there() == before


def another_version(wheel: Path, folder: Path) -> Path:
    """The same content as a version of its own."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns(".venv", ".git", ".runbook", "__pycache__", ".terraform", "sandbox")
    shutil.copytree(ROOT, copy, ignore=ignored)
    project = copy / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"', 'version = "0.0.9"', project.read_text(), count=1))
    (built,) = WheelBuilder(str(copy)).build(directory=str(folder / "dist"), versions=["standard"])
    assert built != str(wheel)
    return Path(built)


def tools(name: str) -> tuple[str, dict[str, str]]:
    """How a tool installer is called, and the variables that keep its files in one folder; skips without."""
    program = os.environ.get(f"SCENARIO_{name.upper()}") or shutil.which(name)
    if not program:
        pytest.skip(f"{name} is not on PATH, and SCENARIO_{name.upper()} names none")
    variables = {
        "uv": ("UV_TOOL_DIR", "UV_TOOL_BIN_DIR", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR"),
        "pipx": ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR", "PIPX_COMPLETION_DIR"),
    }
    return program, dict.fromkeys(variables[name], "")


@pytest.mark.parametrize("name", ["uv", "pipx"])
def test_two_versions_side_by_side_and_nothing_left_after_uninstall(
    name: str, wheel: Path, tmp_path: Path
) -> None:
    program, variables = tools(name)
    older = another_version(wheel, tmp_path)
    env = bare(tmp_path / "home", f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    homes = []
    for number, one in enumerate((older, wheel)):
        home = tmp_path / f"tools{number}"
        own = {**env, **{variable: str(home / variable.lower()) for variable in variables}}
        install = (
            ("tool", "install", "--quiet", "--python", sys.executable)
            if name == "uv"
            else ("install", "--quiet")
        )
        ran(program, *install, one, env=own)
        homes.append((home, own))
    said = []
    for home, own in homes:
        binary = home / ("uv_tool_bin_dir" if name == "uv" else "pipx_bin_dir") / "snowpipe-runbook"
        said.append(ran(binary, "--version", env=own, cwd=tmp_path).stdout.split()[1])
        assert "step1-aws" in ran(binary, "--list", env=own, cwd=tmp_path).stdout
    assert said[0] == "0.0.9"
    assert said[1] != said[0]
    for home, own in homes:
        ran(program, *(("tool",) if name == "uv" else ()), "uninstall", "snowpipe-runbook", env=own)
        left = [path for path in home.rglob("*") if "snowpipe" in path.name or path.name == "runbook"]
        theirs = [path for path in left if "cache" in str(path.relative_to(home)) or path.suffix == ".lock"]
        assert [path for path in left if path not in theirs] == []  # the installer's, of any package
    assert not (tmp_path / "home" / ".runbook").exists()
