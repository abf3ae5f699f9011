"""`verify --record` and `--replay`: the same words from a file, with no cloud and no credentials."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

TELLING = ("verify", "--deep", "--format", "json")


def recorded(at: Installation, file: Path, *more: str, code: int = 0) -> str:
    return at.run(*TELLING, "--record", str(file), *more, expect=code).stdout


def replayed(at: Installation, file: Path, code: int = 0) -> str:
    """Told again where nobody answers."""
    at.environment = {
        **at.environment,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "SNOWFLAKE_HOME": str(file.parent),
        "AWS_ACCESS_KEY_ID": "",
        "RUNBOOK_SANDBOX_GIVEN": "1",
    }
    return at.run("verify", "--replay", str(file), "--format", "json", expect=code).stdout


@pytest.fixture
def up(installation: Installation) -> Installation:
    installation.run("up", "--yes")
    return installation


def test_a_healthy_verdict_is_told_again_byte_for_byte(up: Installation, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    told = recorded(up, file, "--plain")
    assert file.stat().st_mode & 0o077 == 0
    assert replayed(up, file) == told


def test_a_fault_is_told_again_with_other_names_and_without_a_secret(
    up: Installation, tmp_path: Path
) -> None:
    file, aws = tmp_path / "bundle.json", up.settings.aws
    up.aws("s3").put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
    told = json.loads(recorded(up, file, code=1))
    text = file.read_text()
    for hidden in (aws.account_id, aws.bucket, up.environment["AWS_SECRET_ACCESS_KEY"]):
        assert hidden not in text
    again = json.loads(replayed(up, file, code=1))
    assert again["root_causes"] == told["root_causes"] == ["step5.rule-exists"]
    assert verdict(again) == verdict(told)


def verdict(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(row["id"], row["stream"], row["outcome"]) for row in found["checks"]]


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"version": "0.0.9"}, {"recording": 2}])
def test_another_version_is_refused(up: Installation, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "bundle.json"
    recorded(up, file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    done = up.run("verify", "--replay", str(file), expect=2)
    assert "another version" in " ".join(done.stderr.split())


def test_a_recording_that_cannot_be_written_is_told_before_and_costs_no_verdict(
    up: Installation, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("yesterday's")
    for place, why in (
        (tmp_path / "none" / "b.json", "no such folder"),
        (tmp_path, "a folder"),
        (tmp_path / ("b" * 300), "too long"),
    ):
        done = up.run("verify", "--format", f"json={report}", "--record", str(place), expect=2)
        assert why in " ".join(done.stderr.split())
        (row,) = json.loads(report.read_text())["checks"]
        assert row["id"] == "verify.ran"  # nobody was asked
    # that a name is too long with what the draft adds to it is only known when it is written
    done = up.run("verify", "--format", f"json={report}", "--record", str(tmp_path / ("b" * 250)), expect=2)
    assert "cannot be written" in " ".join(done.stderr.split())
    assert json.loads(report.read_text())["healthy"]


def test_what_is_no_recording_and_what_cannot_stand_together_is_refused(
    installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.json"
    for text in ("", "[]", "{}"):
        file.write_text(text)
        assert "not a recording" in installation.run("verify", "--replay", str(file), expect=2).stderr
    for flag in ("--record", "--replay"):
        assert f"{flag} names no file" in installation.run("verify", flag, "", expect=2).stderr
    assert "--record alone" in installation.run("verify", "--plain", expect=2).stderr
    for flags in (("--replay", str(file), "--deep"), ("--record", str(file), "--canary")):
        assert "cannot stand beside" in installation.run("verify", *flags, expect=2).stderr
