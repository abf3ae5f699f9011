"""What somebody else has made is taken over only with --adopt, after it was said what would differ."""

from tests.scenarios.conftest import Installation

THEIRS = "SNOWPLOW_S3"


def described(at: Installation) -> dict[str, str]:
    return {row[0]: row[2] for row in at.sql(f"DESC INTEGRATION {THEIRS}")}


def test_an_integration_of_somebody_elses(installation: Installation) -> None:
    at = installation
    at.sql(
        f"CREATE STORAGE INTEGRATION {THEIRS} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::{at.settings.aws.account_id}:role/bobs' "
        "STORAGE_ALLOWED_LOCATIONS = ('s3://bobs-bucket/') COMMENT = 'Bob uses it'"
    )
    at.sql("CREATE DATABASE BOB")
    at.sql(f"CREATE STAGE BOB.PUBLIC.LAKE URL = 's3://bobs-bucket/' STORAGE_INTEGRATION = {THEIRS}")
    before = described(at)

    refused = " ".join(at.run("up", expect=2).stderr.split())
    assert at.aws("iam").list_policies(Scope="Local")["Policies"] == []  # nothing was changed
    at.run("step1-aws")
    assert "was not made by this project" in refused
    assert "role/bobs; it allows s3://bobs-bucket/" in refused
    assert "--adopt" in refused
    refused = " ".join(at.run("step2-snowflake", "--adopt", expect=2).stderr.split())
    assert "the stage BOB.PUBLIC.LAKE" in refused
    assert described(at) == before

    at.sql("DROP STAGE BOB.PUBLIC.LAKE")
    at.run("up", "--adopt")
    at.assert_healthy()
    assert described(at)["COMMENT"] == "Bob uses it"
    assert described(at)["STORAGE_AWS_EXTERNAL_ID"] == before["STORAGE_AWS_EXTERNAL_ID"]
    assert "nothing to change" in at.run("step2-snowflake").stdout
    assert "its comment is not this project's" in " ".join(at.run("down").stdout.split())
    assert described(at)["COMMENT"] == "Bob uses it"
