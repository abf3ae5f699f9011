"""One thing broken from outside: exactly one root cause, of the right step, whose remedy mends it."""

import json
from collections.abc import Callable

import pytest

from tests.scenarios.conftest import Installation


def wrong_external_id(at: Installation) -> None:
    iam, name = at.aws("iam"), at.settings.aws.role_name
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))


def no_list_bucket(at: Installation) -> None:
    iam, arn = at.aws("iam"), at.settings.aws.policy_arn
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    document["Statement"] = [row for row in document["Statement"] if row["Action"] != "s3:ListBucket"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


def rule_deleted(at: Installation) -> None:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    document = s3.get_bucket_notification_configuration(Bucket=bucket)
    rules = [row for row in document["QueueConfigurations"] if "EVENTS_BAD" not in row["Id"]]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": rules}
    )


def pipe_paused(at: Installation) -> None:
    at.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")


def integration_replaced(at: Installation) -> None:
    at.sql(
        "CREATE OR REPLACE STORAGE INTEGRATION SNOWPLOW_S3 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        f"STORAGE_AWS_ROLE_ARN = '{at.settings.aws.role_arn}' ENABLED = TRUE STORAGE_ALLOWED_LOCATIONS = "
        f"({', '.join(repr(url) for url in at.settings.allowed_locations)})"
    )


def stage_usage_revoked(at: Installation) -> None:
    at.sql("REVOKE USAGE ON STAGE RAW.SNOWPLOW.ENRICHED_STAGE FROM ROLE SNOWPLOW_LOADER")


def stage_replaced(at: Installation) -> None:
    stage = at.stream("events")
    at.sql(
        f"CREATE OR REPLACE STAGE {stage.stage} URL = '{stage.url}' STORAGE_INTEGRATION = SNOWPLOW_S3",
        "SYSADMIN",
    )
    for role in ("SNOWPLOW_LOADER", "SNOWPLOW_OPERATOR"):
        at.sql(f"GRANT USAGE ON STAGE {stage.stage} TO ROLE {role}", "SYSADMIN")


def copy_changed(at: Installation) -> None:
    pipe = "RAW.SNOWPLOW.EVENTS_PIPE"
    text = next(row[4] for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    text = text.replace("ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE")
    at.sql(f"CREATE OR REPLACE PIPE {pipe} AUTO_INGEST = TRUE AS {text}", "SNOWPLOW_LOADER")
    at.sql(f"GRANT MONITOR, OPERATE ON PIPE {pipe} TO ROLE SNOWPLOW_OPERATOR", "SNOWPLOW_LOADER")


FAULTS: dict[str, tuple[Callable[[Installation], None], str]] = {
    "wrong external ID in the trust policy": (wrong_external_id, "step3.trust-external-id"),
    "ListBucket taken out of the policy": (no_list_bucket, "step1.policy-lets-snowflake-read"),
    "notification rule deleted": (rule_deleted, "step5.rule-exists"),
    "pipe paused": (pipe_paused, "step4.pipe-is-not-paused"),
    "integration replaced": (integration_replaced, "step4.stage-is-not-orphaned"),
    "stage replaced": (stage_replaced, "step4.pipe-is-not-stopped-for-good"),
    "another COPY": (copy_changed, "step4.pipe-loads-as-written"),
    "USAGE on the stage revoked": (stage_usage_revoked, "step4.loader-has-its-rights"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_one_root_cause_and_its_remedy_heals(healthy: Installation, fault: str) -> None:
    break_it, cause = FAULTS[fault]
    break_it(healthy)
    found = healthy.verify()
    assert found["root_causes"] == [cause], json.dumps(
        [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")], indent=1
    )
    for remedy in dict.fromkeys(
        row["remedy"] for row in found["checks"] if row["id"] == cause and row["outcome"] == "failed"
    ):
        healthy.shell(remedy)
    healthy.assert_healthy()
