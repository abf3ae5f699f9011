"""The CI examples, run as their runners run them: a shell that stops at the first failure, no terminal.

What signs in is left out (a CI's own tokens). The sandbox poses as the live target that the examples name.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.test_where import as_live

# both say so: docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax (shell: bash),
# docs.gitlab.com/runner/shells/ (bash)
SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]


class Job:
    """A checkout with the environment file that the examples name, and a runner in it."""

    def __init__(self, at: Installation, folder: Path) -> None:
        self.at, self.folder = at, folder / "checkout"
        (self.folder / "environments").mkdir(parents=True)
        shutil.move(as_live(at, folder), self.folder / "environments" / "prod.yaml")
        self.summary = folder / "summary.md"
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {
            name: value for name, value in at.environment.items() if not name.startswith("RUNBOOK_SANDBOX")
        }
        self.env = {**kept, "PATH": programs, "CI": "true", "GITHUB_STEP_SUMMARY": str(self.summary)}

    def runs(self, script: str, variables: dict[str, Any], expect: int = 0) -> str:
        own = {
            name: value for name, value in variables.items() if not name.startswith(("AWS_", "SNOWFLAKE_"))
        }
        done = subprocess.run(
            [*SHELL, script],
            cwd=self.folder,
            env={**self.env, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == expect, f"{script}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def breaks(self) -> None:
        self.at.aws("s3").put_bucket_notification_configuration(
            Bucket=self.at.settings.aws.bucket, NotificationConfiguration={}
        )

    def junit(self) -> tuple[int, int]:
        """Tests and failures, as a reader of JUnit counts them."""
        found = JUnitXml.fromfile(str(self.folder / "verify.xml"))
        return found.tests, found.failures


@pytest.fixture
def job(new_installation: Callable[..., Installation], tmp_path: Path) -> Job:
    return Job(new_installation(), tmp_path)


def test_github(job: Job) -> None:
    workflow = yaml.safe_load((ROOT / "ops" / "ci" / "github-actions.yaml").read_text())
    steps = {step.get("name"): step.get("run") for step in workflow["jobs"]["snowpipe"]["steps"]}
    before = len(job.at.requests())
    said = job.runs(steps["Plan"], workflow["env"])
    assert said.startswith("::notice")
    assert any(token.type == "heading_open" for token in MarkdownIt().parse(job.summary.read_text()))
    assert "CREATE STORAGE INTEGRATION" in job.summary.read_text()
    assert len(job.at.requests()) > before
    job.runs(steps["Apply"], workflow["env"])
    job.runs(steps["Verify"], workflow["env"])
    tests, failures = job.junit()
    assert tests > 10
    assert failures == 0
    job.breaks()
    job.runs(steps["Verify"], workflow["env"], expect=1)
    assert job.junit()[1] == 2  # one rule for each stream


def test_gitlab(job: Job) -> None:
    pipeline = yaml.safe_load((ROOT / "ops" / "ci" / "gitlab-ci.yaml").read_text())

    def script(name: str) -> str:
        return "\n".join(pipeline[name]["script"])

    variables = pipeline["variables"]
    job.runs(script("plan"), variables)
    (artifact,) = pipeline["plan"]["artifacts"]["paths"]
    assert "CREATE STORAGE INTEGRATION" in (job.folder / artifact).read_text()
    job.runs(script("apply"), variables)
    job.runs(script("verify"), variables)
    assert job.junit()[1] == 0
    job.breaks()
    job.runs(script("verify"), variables, expect=1)
    wrong = job.folder / "environments" / "prod.yaml"
    wrong.write_text(wrong.read_text() + "nonsense: {}\n")
    job.runs(script("plan"), variables, expect=2)  # not hidden by the pipe into tee
