"""Commands as a user runs them: processes of their own, against a sandbox in a process of its own."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from snowpipe_sandbox import process

from runbook import settings as reading
from runbook.settings import Settings, Stream
from tests.scenarios.warm import Command, Warm

ROOT = Path(__file__).parents[2]
# another environment's, where SCENARIO_PYTHON says so: the sandbox then stays the installed one
PYTHON = os.environ.get("SCENARIO_PYTHON") or sys.executable
INVOKE = [PYTHON, "-m", "invoke"]


NIGHTLY = {
    "test_adopting",
    "test_another_aws",
    "test_at_once",
    "test_backfill_inside",
    "test_backfill_killed",
    "test_canary",
    "test_cannot_tell",
    "test_ci_jobs",
    "test_compared",
    "test_discover",
    "test_doctor",
    "test_documented_changes",
    "test_documented_commands",
    "test_down",
    "test_foreign_objects",
    "test_found_elsewhere",
    "test_healthy_shapes",
    "test_installed",
    "test_interrupted_everywhere",
    "test_leases",
    "test_live_posed",
    "test_many_streams",
    "test_model",
    "test_replace_pipe",
    "test_round_trips",
    "test_samples",
    "test_several_buckets",
    "test_snow_cli",
    "test_sound_installations",
    "test_terraform",
    "test_topic",
    "test_two_installations",
    "test_two_people",
    "test_views_dbt",
    "test_views_samples",
}
"""Modules of minutes: they run with --run-slow, in .ci/nightly."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem in NIGHTLY:
            item.add_marker(pytest.mark.slow)


@dataclass
class Installation:
    """One tenant of the sandbox, and a person at a terminal with its environment."""

    tenant: dict[str, Any]
    folder: Path
    environment: dict[str, str]
    settings: Settings
    warm: Warm
    _connections: list[Any] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)

    def run(
        self, *arguments: str, expect: int | None = 0, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """`invoke …` as typed; asserts its exit code unless ``expect`` is None."""
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            running = self.warm.started(arguments, ROOT, self.environment, out, err)
            try:
                code = running.wait(timeout)
            except TimeoutError:
                running.kill()
                running.wait()
                raise
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(arguments, code, out.read(), err.read())
        if expect is not None:
            assert done.returncode == expect, (
                f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def started(self, *arguments: str) -> Command:
        """`invoke …` under way; what it prints is thrown away."""
        with Path(os.devnull).open("w") as nowhere:
            return self.warm.started(arguments, ROOT, self.environment, nowhere, nowhere)

    def shell(self, line: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """A remedy as printed; what is more than one `invoke …` is run by a shell that finds `invoke`."""
        if line.startswith("invoke ") and not set(line) & set("|&;<>$`\n"):
            return self.run(*shlex.split(line)[1:], expect=expect)
        path = f"{Path(PYTHON).parent}{os.pathsep}{self.environment['PATH']}"
        done = subprocess.run(
            line,
            shell=True,
            cwd=ROOT,
            env={**self.environment, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def verify(self, *arguments: str) -> dict[str, Any]:
        """The JSON of `invoke verify --deep`; asserts that exit code and JSON agree."""
        done = self.run("verify", "--deep", "--format", "json", *arguments, expect=None)
        assert done.returncode in (0, 1, 3), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["healthy"] == (done.returncode == 0), found
        return found

    def assert_healthy(self) -> None:
        found = self.verify()
        red = [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")]
        assert found["healthy"], json.dumps(red, indent=1)

    def aws(self, service: str) -> Any:
        """The administrator's client of a service; its connections are closed with the installation."""
        if service not in self._clients:
            aws = self.tenant["aws"]
            self._clients[service] = boto3.Session().client(
                service,
                endpoint_url=aws["endpoint_url"],
                region_name=aws["region"],
                aws_access_key_id=aws["access_key_id"],
                aws_secret_access_key=aws["secret_access_key"],
                aws_session_token=aws["session_token"] or None,
            )
        return self._clients[service]

    def sql(self, statement: str, role: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement from outside, as a person with the account's highest role."""
        import snowflake.connector

        if not self._connections:
            side = self.tenant["snowflake"]
            self._connections.append(
                snowflake.connector.connect(
                    account=side["account"],
                    user=side["user"],
                    password=side["password"],
                    host=side["host"],
                    port=side["port"],
                    protocol="http",
                )
            )
        with self._connections[0].cursor() as cursor:
            cursor.execute(f"USE ROLE {role or 'ACCOUNTADMIN'}")
            return list(cursor.execute(statement).fetchall())

    def worksheet(self, *statements: str) -> None:
        """Run statements one after the other in a session, whose role and schema they may change."""
        self.sql("SELECT 1")
        with self._connections[0].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def put(self, stream: str, name: str, body: bytes) -> str:
        key = self.stream(stream).prefix + name
        self.aws("s3").put_object(Bucket=self.settings.aws.bucket, Key=key, Body=body)
        return key

    def stream(self, name: str) -> Stream:
        return self.settings.stream(name)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(
            self.tenant["control_url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def settle(self) -> None:
        assert self.control("POST", "/settle", {"timeout_s": 30})["settled"]

    def advance(self, **span: float) -> None:
        from datetime import timedelta

        self.control("POST", "/clock", {"advance_s": timedelta(**span).total_seconds()})

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "/requests?since=0")["requests"]
        return found

    def writes_since(self, n: int) -> list[str]:
        """The writing calls people made since request ``n``; what Snowflake asks of AWS is not theirs."""
        return [
            f"{row['operation']} {row['text'][:80]}"
            for row in self.control("GET", f"/requests?since={n}")["requests"]
            if row["access"] == "write"
            and not (row["cloud"] == "aws" and self.settings.aws.account_id not in row["caller"])
        ]

    def close(self) -> None:
        for one in (*self._connections, *self._clients.values()):
            one.close()


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Status]:
    folder = tmp_path_factory.mktemp("sandbox")
    found = process.start(folder)
    yield found
    process.stop(folder)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    parent = Warm(tmp_path_factory.mktemp("warm"), PYTHON)
    yield parent
    parent.close()


@contextmanager
def tenants(
    sandbox_process: process.Status, warm: Warm, folder: Path
) -> Iterator[Callable[..., Installation]]:
    """What makes installations, each a tenant of its own, and takes them away at the end."""
    made: list[Installation] = []

    def make(region: str = "us-west-2", **overrides: str) -> Installation:
        name = f"s{uuid.uuid4().hex[:10]}"
        settings = {"INVOKE_AWS_REGION": region, **overrides}
        found = new_tenant(sandbox_process.control_url, name, folder / name, settings, warm, region)
        made.append(found)
        return found

    yield make
    for one in made:
        one.close()
        one.control("DELETE", "")


@pytest.fixture
def new_installation(
    sandbox_process: process.Status, warm: Warm, tmp_path: Path
) -> Iterator[Callable[..., Installation]]:
    with tenants(sandbox_process, warm, tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def _shared(
    sandbox_process: process.Status, warm: Warm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with tenants(sandbox_process, warm, tmp_path_factory.mktemp("shared")) as make:
        found = make()
        found.run("up")
        yield found


@pytest.fixture
def shared(_shared: Installation) -> Iterator[Installation]:
    """A healthy installation for all tests of a module that leave it as they found it."""
    environment = dict(_shared.environment)
    yield _shared
    _shared.environment = environment
    _shared.control("DELETE", "/faults")


@pytest.fixture
def installation(new_installation: Callable[..., Installation]) -> Installation:
    """A fresh tenant; nothing is set up yet."""
    return new_installation()


@pytest.fixture
def healthy(installation: Installation) -> Installation:
    """A tenant with the five steps done and one file loaded in each stream."""
    installation.run("up")
    return installation


@pytest.fixture
def plugins() -> str:
    """The folder with Terraform's AWS provider; skips where there is none."""
    folder = os.environ.get("TERRAFORM_PLUGIN_DIR", "")
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    if not (Path(folder) / "registry.terraform.io/hashicorp/aws").is_dir():
        pytest.skip("TERRAFORM_PLUGIN_DIR names no folder with the AWS provider")
    return folder


def new_tenant(
    control_url: str,
    name: str,
    folder: Path,
    overrides: dict[str, str],
    warm: Warm,
    region: str = "us-west-2",
) -> Installation:
    """A fresh tenant of the sandbox that is controlled there; ``overrides`` are INVOKE_ variables."""
    request = Request(
        f"{control_url}/tenants",
        data=json.dumps({"name": name, "bucket": f"snowplow-{name}", "region": region}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return installation_of(json.load(answer), folder, overrides, warm)


def installation_of(
    tenant: dict[str, Any], folder: Path, overrides: dict[str, str], warm: Warm
) -> Installation:
    """The tenant as a person has it, in a folder of its own."""
    folder.mkdir(parents=True)
    settings = {
        "INVOKE_AWS_ACCOUNT_ID": tenant["aws"]["account_id"],
        "INVOKE_AWS_BUCKET": tenant["aws"]["bucket"],
        "INVOKE_SNOWFLAKE_ACCOUNT": "{organization}-{account_name}".format(**tenant["snowflake"]),
        **overrides,
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SNOWFLAKE_", "INVOKE_"))
    }
    environment = {
        **kept,
        **process.env(folder, tenant),
        **settings,
        "RUNBOOK_SANDBOX_GIVEN": "1",
        "RUNBOOK_HOME": str(folder / "runbook"),
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    return Installation(tenant, folder, environment, _read(settings), warm)


def _read(environment: dict[str, str]) -> Settings:
    import yaml

    config = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    for name, value in environment.items():
        _set(config, name.removeprefix("INVOKE_").lower(), value)
    return reading.read(config)


def _set(config: dict[str, Any], name: str, value: str) -> None:
    """One value by its variable's name: sections and key joined with ``_``, as Invoke joins them."""
    for key, inner in config.items():
        if key == name:
            config[key] = value
        elif isinstance(inner, dict) and name.startswith(f"{key}_"):
            _set(inner, name.removeprefix(f"{key}_"), value)


def kill(running: Command) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
