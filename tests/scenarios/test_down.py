"""`invoke down`: everything of ours goes, everything of others' stays."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.foreign import Foreign, foreign_things
from tests.scenarios.test_backfill import event


def ours_left(one: Installation) -> list[str]:
    """What carries our mark anywhere, read by other clients than the commands'."""
    iam, s3 = one.aws("iam"), one.aws("s3")
    left = []
    document = s3.get_bucket_notification_configuration(Bucket=one.settings.aws.bucket)
    left += [row["Id"] for row in document.get("QueueConfigurations", ()) if "snowpipe-runbook" in row["Id"]]
    for role in iam.list_roles()["Roles"]:
        tags = iam.list_role_tags(RoleName=role["RoleName"])["Tags"]
        left += [f"{role['RoleName']} {tag}" for tag in tags if tag["Value"] == "snowpipe-runbook"]
        trust = json.dumps(role["AssumeRolePolicyDocument"])
        left += [role["RoleName"]] * ("SnowpipeRunbookSnowflakeUser" in trust)
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        tags = iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"]
        left += [f"{policy['Arn']} {tag}" for tag in tags if tag["Value"] == "snowpipe-runbook"]
    for show in ("PIPES", "STAGES", "FILE FORMATS", "INTEGRATIONS", "ROLES"):
        where = "" if show in ("ROLES", "INTEGRATIONS") else " IN ACCOUNT"
        rows = one.sql(f"SHOW {show}{where}")
        left += [f"{show} {row[1]}" for row in rows if any("(snowpipe-runbook)" in str(cell) for cell in row)]
    return left


def test_down_removes_everything_of_ours_and_no_data(healthy: Installation) -> None:
    enriched = gzip.compress(event("one", 1) + b"\n")
    key = healthy.put("events", "one.gz", enriched)
    healthy.settle()
    table = healthy.stream("events").table
    rows = healthy.sql(f"SELECT COUNT(*) FROM {table}")
    assert rows[0][0] > 0
    done = healthy.run("down")
    assert ours_left(healthy) == []
    assert healthy.sql(f"SELECT COUNT(*) FROM {table}") == rows
    assert (
        healthy.aws("s3").get_object(Bucket=healthy.settings.aws.bucket, Key=key)["Body"].read() == enriched
    )
    assert "lost for good: the load history of RAW.SNOWPLOW.EVENTS_PIPE" in done.stdout
    assert "lost for good: the external ID of SNOWPLOW_S3" in done.stdout
    assert "there is nothing to take back" in healthy.run("down").stdout
    healthy.run("up")
    healthy.assert_healthy()


def test_a_dry_run_shows_it_all_and_writes_nothing(healthy: Installation) -> None:
    before = healthy.requests()[-1]["n"]
    done = healthy.run("down", "--dry-run")
    assert healthy.writes_since(before) == []
    for words in ("DROP PIPE IF EXISTS", "DROP STORAGE INTEGRATION", "aws iam delete-role", "put-bucket-not"):
        assert words in done.stdout
    assert "stays: the table RAW.SNOWPLOW.EVENTS with its rows" in done.stdout
    healthy.assert_healthy()


def test_down_on_an_empty_account_does_nothing(installation: Installation) -> None:
    before = installation.requests()[-1]["n"] if installation.requests() else 0
    assert "there is nothing to take back" in installation.run("down").stdout
    assert installation.writes_since(before) == []


@pytest.mark.parametrize("seed", range(3))
def test_foreign_things_are_as_they_were_after_up_and_after_down(
    installation: Installation, seed: int
) -> None:
    """Shown by 1, on the sandbox; tests/unit/test_taking_back.py plans a thousand."""
    _foreign_survives(installation, foreign_things(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 40))
def test_foreign_things_are_as_they_were_many_times(installation: Installation, seed: int) -> None:
    _foreign_survives(installation, foreign_things(seed))


def _foreign_survives(one: Installation, theirs: Foreign) -> None:
    theirs.make(one)
    before = theirs.read(one)
    one.run("up", "--adopt")
    assert theirs.read(one) == before
    one.assert_healthy()
    one.run("down")
    assert theirs.read(one) == before
    assert ours_left(one) == []


Break = Callable[[Installation], Any]


def a_stage(one: Installation) -> None:
    one.sql("CREATE SCHEMA RAW.THEIRS", "SYSADMIN")
    url = one.stream("events").url
    one.sql(f"CREATE STAGE RAW.THEIRS.S URL='{url}' STORAGE_INTEGRATION=SNOWPLOW_S3", "SYSADMIN")


def a_pipe(one: Installation) -> None:
    one.sql("CREATE TABLE RAW.SNOWPLOW.COPY_OF_BAD (document VARIANT)", "SYSADMIN")
    one.sql(
        "CREATE PIPE RAW.SNOWPLOW.THEIRS AS COPY INTO RAW.SNOWPLOW.COPY_OF_BAD "
        "FROM @BAD_ROWS_STAGE FILE_FORMAT = (TYPE = JSON)".replace("@BAD", "@RAW.SNOWPLOW.BAD"),
        "SYSADMIN",
    )


@pytest.mark.parametrize(("use", "named"), [(a_stage, "RAW.THEIRS.S"), (a_pipe, "RAW.SNOWPLOW.THEIRS")])
def test_what_others_stand_on_is_not_pulled_away(healthy: Installation, use: Break, named: str) -> None:
    use(healthy)
    before = healthy.requests()[-1]["n"]
    refused = healthy.run("down", expect=2)
    assert "Others use what would be removed" in refused.stderr
    assert named in refused.stderr
    assert healthy.writes_since(before) == []


def test_a_role_that_holds_others_things_stays(healthy: Installation) -> None:
    healthy.sql("CREATE TABLE RAW.PUBLIC.THEIRS (a INT)", "SYSADMIN")
    healthy.sql("GRANT SELECT ON TABLE RAW.PUBLIC.THEIRS TO ROLE SNOWPLOW_OPERATOR", "SYSADMIN")
    done = healthy.run("down")
    assert "stays: the role SNOWPLOW_OPERATOR: it also holds SELECT on table RAW.PUBLIC.THEIRS" in done.stdout
    assert ours_left(healthy) == ["ROLES SNOWPLOW_OPERATOR"]
    assert any("THEIRS" in str(row) for row in healthy.sql("SHOW GRANTS TO ROLE SNOWPLOW_OPERATOR"))
