"""`verify --record` and `--replay`: the same words from a file, with no cloud and no credentials."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.recordings import recorded

TELLING = ("verify", "--deep", "--format", "json")


def replayed(at: Installation, file: Path, code: int = 0) -> str:
    """Told again where nobody answers."""
    at.environment = {
        **at.environment,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "SNOWFLAKE_HOME": str(file.parent),
        "AWS_ACCESS_KEY_ID": "",
        "RUNBOOK_SANDBOX_GIVEN": "1",
    }
    done = at.run("verify", "--replay", str(file), "--format", "json", expect=code)
    assert "the commands are for that target alone" in " ".join(done.stderr.split())
    return done.stdout


@pytest.fixture
def up(installation: Installation) -> Installation:
    installation.run("up", "--yes")
    return installation


def test_a_healthy_verdict_is_told_again_byte_for_byte(up: Installation, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    told = up.run(*TELLING, "--record", str(file), "--plain").stdout
    assert file.stat().st_mode & 0o077 == 0
    assert replayed(up, file) == told


OTHERS = {
    "INVOKE_AWS_ROLE_NAME": "Acme+Lake@read",
    "INVOKE_AWS_POLICY_NAME": "acme-lake",
    "INVOKE_SNOWFLAKE_DATABASE": "acme_lake",
    "INVOKE_SNOWFLAKE_SCHEMA": '"web été"',
    "INVOKE_SNOWFLAKE_INTEGRATION": "ACME$S3",
    "INVOKE_SNOWFLAKE_OPERATOR_ROLE": '"on ""call"" crew"',
    "INVOKE_STREAMS_EVENTS_TABLE": '"Hits.Of.Acme"',
    "INVOKE_STREAMS_EVENTS_PIPE": "acme_hits_pipe",
    "INVOKE_STREAMS_EVENTS_BAD_STAGE": '"acme_lake"',
}
"""Names that need quotes, are in each other, and are spelled like others but for capitals."""
SHOWN_NOWHERE = ("acme", "web été", "web \\u00e9t", "crew", "hits", "anna", "198.51.100.7")


@pytest.mark.slow
def test_a_fault_is_told_again_with_other_names_and_without_a_secret(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    up = new_installation(**OTHERS)
    up.run("up", "--yes")
    file, aws = tmp_path / "bundle.json", up.settings.aws
    up.aws("iam").tag_role(RoleName=aws.role_name, Tags=[{"Key": "Owner", "Value": "anna@acme.com"}])
    guarded: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}
    from_there = {"NotIpAddress": {"aws:SourceIp": "198.51.100.7"}}
    guarded |= {"Resource": f"{aws.bucket_arn}/*", "Condition": from_there}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [guarded]})
    up.aws("s3").put_bucket_policy(Bucket=aws.bucket, Policy=policy)
    up.sql("CREATE STAGE ACME_LAKE.PUBLIC.ANNAS COMMENT = 'of Anna, see https://wiki.acme.com'")
    up.aws("s3").put_bucket_notification_configuration(Bucket=aws.bucket, NotificationConfiguration={})
    told = recorded(up)
    assert told["root_causes"] == ["step5.rule-exists"]
    up.run(*TELLING, "--record", str(file), expect=1)
    text = file.read_text()
    for each in (aws.account_id, aws.bucket, up.environment["AWS_SECRET_ACCESS_KEY"]):
        assert each not in text
    assert [each for each in SHOWN_NOWHERE if each in text.casefold()] == []
    again = json.loads(replayed(up, file, code=1))
    assert again["root_causes"] == ["step5.rule-exists"]
    assert "unknown" not in {row["outcome"] for row in again["checks"]}


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"version": "0.0.9"}, {"recording": 2}])
def test_another_version_is_refused(up: Installation, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "bundle.json"
    up.run(*TELLING, "--record", str(file))
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
