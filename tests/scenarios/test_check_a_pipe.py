"""The first minute with a pipe that exists already: one command, nothing written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

PIPE = "RAW.SNOWPLOW.EVENTS_PIPE"


@pytest.fixture
def at(shared: Installation, tmp_path: Path) -> Installation:
    """A person whose connections.toml has the account under a name that no settings know."""
    home = Path(shared.environment["SNOWFLAKE_HOME"])
    text = (home / "connections.toml").read_text().replace("[sandbox]", "[theirs]")
    (tmp_path / "connections.toml").write_text(text)
    (tmp_path / "connections.toml").chmod(0o600)
    shared.environment["SNOWFLAKE_HOME"] = str(tmp_path)
    return shared


def found(at: Installation, *arguments: str, expect: int = 0) -> dict[str, Any]:
    done = at.run("check", "--pipe", PIPE, *arguments, "--format", "json", expect=expect)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_a_healthy_pipe_is_healthy_and_nothing_is_written(at: Installation) -> None:
    before = at.requests()[-1]["n"]
    assert found(at, "--connection", "theirs")["healthy"]
    assert at.writes_since(before) == []


def test_what_is_wrong_is_named_with_its_root_cause(at: Installation) -> None:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    have = s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        outcome = found(at, "--connection", "theirs", expect=1)
    finally:
        have.pop("ResponseMetadata")
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=have)
    assert outcome["root_causes"] == ["step5.rule-exists"]


def test_a_pipe_that_is_missing_is_said_to_be(at: Installation) -> None:
    done = at.run("check", "--pipe", "RAW.SNOWPLOW.NONE", "--connection", "theirs", expect=3)
    assert "There is no pipe RAW.SNOWPLOW.NONE" in " ".join(done.stderr.split())


def test_a_wrong_format_is_refused_before_anything_is_contacted(at: Installation) -> None:
    done = at.run("check", "--pipe", PIPE, "--connection", "nobody", "--format", "nonsense", expect=2)
    assert "'nonsense'" in done.stderr
    assert "nobody" not in done.stderr


def test_the_pipes_of_an_account_are_listed(at: Installation) -> None:
    listed = at.run("discover", "--connection", "theirs").stdout
    assert PIPE in listed
    assert "RAW.SNOWPLOW.EVENTS_BAD_PIPE" in listed


@pytest.mark.slow
def test_the_settings_own_connection_may_be_named(shared: Installation) -> None:
    assert json.loads(
        shared.run("check", "--pipe", PIPE, "--connection", "sandbox", "--format", "json").stdout
    )


@pytest.mark.slow
def test_every_stream_that_can_be_served_goes_into_one_file_and_the_others_have_their_reason(
    healthy: Installation, tmp_path: Path
) -> None:
    at, url = healthy, f"URL = 's3://{healthy.settings.aws.bucket}/snowplow/enriched/stream/other/'"
    copy = "AUTO_INGEST = TRUE AS COPY INTO RAW.OTHER.T FROM @RAW.OTHER.{} FILE_FORMAT = (TYPE = CSV)"
    aws = at.tenant["aws"]
    keys = (
        f"CREDENTIALS = (AWS_KEY_ID = '{aws['access_key_id']}' AWS_SECRET_KEY = '{aws['secret_access_key']}')"
    )
    for statement in (
        "CREATE SCHEMA RAW.OTHER",
        "CREATE TABLE RAW.OTHER.T (C VARCHAR)",
        f"CREATE STAGE RAW.OTHER.S STORAGE_INTEGRATION = SNOWPLOW_S3 {url}",
        f"CREATE STAGE RAW.OTHER.KEYS {url} {keys}",
        f"CREATE PIPE RAW.OTHER.P {copy.format('S')}",
        f"CREATE PIPE RAW.OTHER.BY_KEYS {copy.format('KEYS')}",
        "CREATE PIPE RAW.OTHER.BY_HAND AS COPY INTO RAW.OTHER.T FROM @RAW.OTHER.S FILE_FORMAT = (TYPE = CSV)",
    ):
        at.sql(statement)
    file = tmp_path / "all.yaml"
    before = at.requests()[-1]["n"]
    done = at.run("discover", "--all", "--output", str(file))
    said = " ".join((done.stdout + done.stderr).split())
    assert "2 streams (events_bad, events)" in said
    text = " ".join(file.read_text().replace("#", " ").split())
    for name, why in {
        "RAW.OTHER.P": "owned by ACCOUNTADMIN: discover it into a file of its own",
        "RAW.OTHER.BY_KEYS": "its stage has no integration: discover it into a file of its own",
        "RAW.OTHER.BY_HAND": "it does not load by itself (AUTO_INGEST is off)",
    }.items():
        for place in (said, text):
            assert re.search(rf"{re.escape(name)}: [^:]*{re.escape(why)}", place), (name, place)
    at.run("-f", str(file), "verify")
    assert at.writes_since(before) == []
    assert "exists" in at.run("discover", "--all", "--output", str(file), expect=2).stderr
    assert "--all and --pipe" in at.run("discover", "--all", "--pipe", PIPE, expect=2).stderr
