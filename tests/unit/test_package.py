"""What is installed from the wheel works like a checkout, and puts nothing of a common name beside others."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
LIVE = (
    "target: prod\naws: {account_id: '210987654321', bucket: acme-events}\n"
    "snowflake: {account: ACME-EU, connection: acme}\n"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as an installer unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "site")
    return folder / "site"


def snowpipe_runbook(
    installed: Path, cwd: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INVOKE_")}
    return subprocess.run(
        [sys.executable, "-m", "runbook", *arguments],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(installed), "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_package_is_installed(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"runbook"}


@pytest.mark.parametrize(
    "name", ["sql", "checks", "terraform", "invoke.yaml", "tasks.py", "environment.schema.json"]
)
def test_what_a_checkout_has_is_inside(installed: Path, name: str) -> None:
    there, here = installed / "runbook/files" / name, ROOT / name
    files = [path for path in (here.rglob("*") if here.is_dir() else [here]) if path.is_file()]
    for path in files:
        if "__pycache__" not in path.parts and ".terraform" not in path.parts and ".tfstate" not in path.name:
            assert (there / path.relative_to(here)).read_bytes() == path.read_bytes()


def test_the_tasks_are_the_same(installed: Path, tmp_path: Path) -> None:
    done = snowpipe_runbook(installed, tmp_path, "--list", "--list-format", "json")
    assert done.returncode == 0, done.stderr
    for task in ("step1-aws", "step5-aws", "verify", "backfill", "start"):
        assert f'"name": "{task}"' in done.stdout
    assert '"name": "lint"' not in done.stdout  # a checkout's alone


def test_a_switch_of_invokes_that_is_wrong_is_a_usage_error(installed: Path, tmp_path: Path) -> None:
    done = snowpipe_runbook(installed, tmp_path, "-f")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_the_default_settings_are_inside(installed: Path, tmp_path: Path) -> None:
    done = snowpipe_runbook(installed, tmp_path, "sql", "--step", "2")
    assert "USE ROLE ACCOUNTADMIN" in done.stdout, done.stderr


def test_settings_of_a_folder_above_go_before_the_defaults(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "invoke.yaml").write_text("snowflake: {integration: LAKE}\n")
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    done = snowpipe_runbook(installed, below, "sql", "--step", "2")
    assert "CREATE STORAGE INTEGRATION IF NOT EXISTS LAKE" in done.stdout, done.stderr


def test_a_tasks_file_of_one_line_gives_invoke(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from runbook.program import collection; namespace = collection()\n")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "sql", "--step", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "USE ROLE ACCOUNTADMIN" in done.stdout, done.stderr


def test_an_editor_gets_the_schema_from_the_command(installed: Path, tmp_path: Path) -> None:
    done = snowpipe_runbook(installed, tmp_path, "settings", "--schema")
    assert json.loads(done.stdout) == json.loads((ROOT / "environment.schema.json").read_text()), done.stderr


def test_the_settings_are_printed_as_they_are_read(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text(LIVE)
    done = snowpipe_runbook(installed, tmp_path, "-f", "prod.yaml", "settings")
    assert done.returncode == 0, done.stderr
    printed = yaml.safe_load(done.stdout)
    assert printed["aws"]["bucket"] == "acme-events"
    assert printed["streams"]["events"]["table"] == "EVENTS"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (LIVE, 0, ""),
        (LIVE + "streams: {events: {prefix: snowplow}}\n", 2, "streams.events.prefix"),
        (LIVE + "awss: {}\n", 2, "Unknown settings: awss"),
        (LIVE + "target: again\n", 2, "The key target stands twice"),
        ("aws: {bucket: acme-events}\n", 2, "names no target"),
        ("target: prod\naws: {bucket: acme-events}\n", 2, "aws.account_id"),
    ],
)
def test_a_commit_of_a_wrong_environment_file_is_stopped(
    installed: Path, tmp_path: Path, text: str, code: int, said: str
) -> None:
    """What .pre-commit-hooks.yaml runs, with the right file beside the wrong one."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (tmp_path / "environments").mkdir()
    files = ["environments/prod.yaml", "environments/other.yaml"]
    assert all(re.search(hook["files"], file) for file in files)
    (tmp_path / files[0]).write_text(text)
    (tmp_path / files[1]).write_text(LIVE)
    python, *words = hook["entry"].split()
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *words, *files],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr


def test_version_is_the_packages(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "snowpipe-runbook", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("snowpipe-runbook ")
