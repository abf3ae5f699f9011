"""The CI examples: read as their consumers read them, with commands and settings that exist."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from snowflake.connector.connection import DEFAULT_CONFIGURATION
from snowflake.connector.wif_util import AttestationProvider

from tests.unit.test_layout import ROOT, command_fault

OPS = ROOT / "ops"
FILES = [*sorted((OPS / "ci").glob("*.yaml")), ROOT / "docs" / "ci.md"]


def github() -> Any:
    return yaml.safe_load((OPS / "ci" / "github-actions.yaml").read_text())


def gitlab() -> Any:
    return yaml.safe_load((OPS / "ci" / "gitlab-ci.yaml").read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_command_exists(file: Path) -> None:
    lines = re.findall(r"snowpipe-runbook ([a-z-][^`\n|]*)", file.read_text())
    assert lines
    for line in lines:
        assert command_fault(f"invoke {line}") == ""


def test_the_github_job_may_ask_for_its_tokens_and_stores_no_secret() -> None:
    found = github()
    assert found["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in (OPS / "ci" / "github-actions.yaml").read_text()
    for job in found["jobs"].values():
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step


def test_every_event_of_github_has_its_step() -> None:
    found = github()
    assert set(found[True]) == {"pull_request", "push", "schedule"}  # `on` is a boolean to YAML 1.1
    steps = {step.get("name"): step for step in found["jobs"]["snowpipe"]["steps"]}
    assert steps["Plan"]["if"] == "github.event_name == 'pull_request'"
    assert steps["Apply"]["if"] == "github.event_name == 'push'"


def test_gitlab_asks_for_both_tokens() -> None:
    tokens = gitlab()["default"]["id_tokens"]
    assert {token["aud"] for token in tokens.values()} == {"sts.amazonaws.com", "snowflakecomputing.com"}
    for name in ("plan", "apply", "verify"):
        assert gitlab()[name]["script"]
        assert gitlab()[name]["rules"]


@pytest.mark.parametrize("example", [github, gitlab], ids=["github", "gitlab"])
def test_the_whole_job_has_one_target(example: Any) -> None:
    variables = example().get("env") or example()["variables"]
    assert variables["INVOKE_RUNTIME_CONFIG"] == "environments/prod.yaml"


def test_the_connection_is_one_that_the_connector_knows() -> None:
    (connection,) = tomllib.loads((OPS / "ci" / "connections.toml").read_text()).values()
    unknown = set(connection) - {*DEFAULT_CONFIGURATION, "token_file_path"}
    assert not unknown
    assert AttestationProvider.from_string(connection["workload_identity_provider"])
    example = yaml.safe_load((ROOT / "environments" / "example.yaml").read_text())
    assert example["snowflake"]["connection"] == "my-connection"
    assert example["snowflake"]["account"] == connection["account"]


def test_the_container_runs_the_projects_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    instructions = [
        line for line in (OPS / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    ]
    assert {line.split()[0] for line in instructions} <= {
        "FROM",
        "RUN",
        "COPY",
        "USER",
        "WORKDIR",
        "ENTRYPOINT",
    }
    (command,) = project["scripts"]
    assert instructions[-1] == f'ENTRYPOINT ["{command}"]'
    job = yaml.safe_load((OPS / "kubernetes" / "cronjob.yaml").read_text())["spec"]["jobTemplate"]["spec"]
    user = job["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}" in instructions  # by number: Kubernetes' runAsNonRoot can judge no name
    assert any(line.startswith(f"RUN useradd --uid {user} ") for line in instructions)
