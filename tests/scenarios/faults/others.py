"""What others did to things of ours, so that the step that made them refuses, or their owner must act."""

import json
from collections.abc import Iterator

import boto3

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.aws import _without
from tests.scenarios.faults.fault import fault, notifications, set_notifications, set_trust, trust_document
from tests.scenarios.faults.rules import ROWS, _filter, _of, _somebodys_queue
from tests.scenarios.faults.snowflake import INTEGRATION, PIPE, STAGE, TABLE, TSV

MARKS = ["ManagedBy", "ManagedFor"]
LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}


def _policy(at: Installation, name: str) -> str:
    text = json.dumps({"Version": "2012-10-17", "Statement": [LOGS]})
    return str(at.aws("iam").create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"])


@fault("role", "policy")
def role_holds_ten_policies(at: Installation) -> Iterator[None]:
    iam, aws = at.aws("iam"), at.settings.aws
    iam.detach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)
    others = [_policy(at, f"other-{number}") for number in range(10)]
    for arn in others:
        iam.attach_role_policy(RoleName=aws.role_name, PolicyArn=arn)
    yield
    iam.detach_role_policy(RoleName=aws.role_name, PolicyArn=others[0])
    at.run("step1-aws")


def _tags_off(at: Installation) -> None:
    """As a job does that takes off every tag it does not know."""
    iam, aws = at.aws("iam"), at.settings.aws
    iam.untag_role(RoleName=aws.role_name, TagKeys=MARKS)
    iam.untag_policy(PolicyArn=aws.policy_arn, TagKeys=MARKS)


@fault("policy", "role")
def list_not_allowed_and_tags_gone(at: Installation) -> None:
    _tags_off(at)
    _without(at, "s3:ListBucket")


@fault("trust", "role", "policy")
def external_id_wrong_and_tags_gone(at: Installation) -> None:
    _tags_off(at)
    trust = trust_document(at)
    trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    set_trust(at, trust)


@fault("role", "trust", "policy")
def policy_detached_and_tags_gone(at: Installation) -> None:
    _tags_off(at)
    aws = at.settings.aws
    at.aws("iam").detach_role_policy(RoleName=aws.role_name, PolicyArn=aws.policy_arn)


@fault("integration")
def integration_disabled_and_comment_gone(at: Installation) -> None:
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET COMMENT = 'reviewed' ENABLED = FALSE")


@fault("integration")
def integration_misses_a_folder_and_comment_gone(at: Installation) -> None:
    less = f"STORAGE_ALLOWED_LOCATIONS = ('{at.stream('events').url}')"
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET {less} COMMENT = 'reviewed'")


def _handed_over(at: Installation, thing: str, statement: str, back: str, step: str) -> Iterator[None]:
    """It belongs to a role of the platform team, which alters it; by hand it is taken back."""
    user = at.sql("SELECT CURRENT_USER()")[0][0]
    at.sql("CREATE ROLE PLATFORM")
    at.sql(f'GRANT ROLE PLATFORM TO USER "{user}"')
    for place in ("DATABASE RAW", "SCHEMA RAW.SNOWPLOW"):
        at.sql(f"GRANT USAGE ON {place} TO ROLE PLATFORM")
    at.sql(f"GRANT OWNERSHIP ON {thing} TO ROLE PLATFORM COPY CURRENT GRANTS")
    at.sql(statement, "PLATFORM")
    yield
    at.sql(f"GRANT OWNERSHIP ON {thing} TO ROLE {back} COPY CURRENT GRANTS")
    at.run(step)


def _integration_handed_over(at: Installation, what: str) -> Iterator[None]:
    thing, statement = f"INTEGRATION {INTEGRATION}", f"ALTER STORAGE INTEGRATION {INTEGRATION} SET {what}"
    yield from _handed_over(at, thing, statement, "ACCOUNTADMIN", "step2-snowflake")


@fault("integration", "roles")
def integration_disabled_by_its_new_owner(at: Installation) -> Iterator[None]:
    yield from _integration_handed_over(at, "ENABLED = FALSE")


@fault("integration", "roles")
def integration_given_another_role_by_its_new_owner(at: Installation) -> Iterator[None]:
    yield from _integration_handed_over(at, f"STORAGE_AWS_ROLE_ARN = '{at.settings.aws.role_arn}-new'")


@fault("format", "roles")
def format_damaged_by_its_new_owner(at: Installation) -> Iterator[None]:
    statement = f"ALTER FILE FORMAT {TSV} SET FIELD_DELIMITER = ','"
    yield from _handed_over(at, f"FILE FORMAT {TSV}", statement, "SYSADMIN", "step4-snowflake")


@fault("stage", "roles")
def stage_put_on_another_integration_by_its_new_owner(at: Installation) -> Iterator[None]:
    at.sql(
        "CREATE STORAGE INTEGRATION OTHER_S3 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = '{at.settings.aws.role_arn}' "
        f"STORAGE_ALLOWED_LOCATIONS = ('s3://{at.settings.aws.bucket}/')"
    )
    at.sql("GRANT USAGE ON INTEGRATION OTHER_S3 TO ROLE PUBLIC")
    statement = f"ALTER STAGE {STAGE} SET STORAGE_INTEGRATION = OTHER_S3"
    yield from _handed_over(at, f"STAGE {STAGE}", statement, "SYSADMIN", "step4-snowflake")


@fault("rule")
def rule_deleted_beside_a_dead_one(at: Installation) -> None:
    """S3 validates every destination of the document, and somebody's queue is gone."""
    theirs = {
        "Id": "theirs",
        "QueueArn": _somebodys_queue(at),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": _filter("images/", ""),
    }
    set_notifications(at, {ROWS: [theirs, _of(at, "events")]})
    sqs = at.aws("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="somebodys")["QueueUrl"])


@fault("rule")
def rule_for_put_only_beside_a_dead_one(at: Installation) -> None:
    rule_deleted_beside_a_dead_one(at)
    at.run("step5-aws")
    document = notifications(at)
    for row in document[ROWS]:
        if row["Id"] == at.stream("events_bad").rule_id:
            row["Events"] = ["s3:ObjectCreated:Put"]
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket, NotificationConfiguration=document, SkipDestinationValidation=True
    )


@fault("bucket", "rule", "file")
def bucket_of_another_account(at: Installation) -> Iterator[None]:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    other = at.control("POST", "/accounts", {})
    theirs = boto3.Session().client(
        "s3",
        endpoint_url=at.tenant["aws"]["endpoint_url"],
        region_name=at.settings.aws.region,
        aws_access_key_id=other["access_key_id"],
        aws_secret_access_key=other["secret_access_key"],
    )
    place = {"LocationConstraint": at.settings.aws.region}
    theirs.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    us = f"arn:aws:iam::{at.settings.aws.account_id}:root"
    lets_in = {
        "Effect": "Allow",
        "Principal": {"AWS": us},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    theirs.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [lets_in]})
    )
    yield
    theirs.delete_bucket_policy(Bucket=bucket)
    theirs.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    at.run("step5-aws")


# ---- in Snowflake


@fault("table")
def view_took_the_tables_name(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER TABLE {TABLE} RENAME TO RAW.SNOWPLOW.EVENTS_OLD")
    at.sql(f"CREATE VIEW {TABLE} AS SELECT * FROM RAW.SNOWPLOW.EVENTS_OLD", "SYSADMIN")
    yield
    at.sql(f"DROP VIEW {TABLE}", "SYSADMIN")
    at.sql(f"ALTER TABLE RAW.SNOWPLOW.EVENTS_OLD RENAME TO {TABLE}")


@fault("stage", "pipe", "stops")
def stage_moved_to_another_schema(at: Installation) -> None:
    at.sql("CREATE SCHEMA RAW.OTHER")
    at.sql("ALTER STAGE RAW.SNOWPLOW.BAD_ROWS_STAGE RENAME TO RAW.OTHER.BAD_ROWS_STAGE")


@fault("stage", "pipe", "stops")
def stage_renamed(at: Installation) -> None:
    at.sql(f"ALTER STAGE {STAGE} RENAME TO {STAGE}_OLD")


@fault("schema", "stage", "pipe", "table", "format", "stops")
def schema_made_anew(at: Installation) -> Iterator[None]:
    at.sql("DROP SCHEMA RAW.SNOWPLOW")
    at.sql("CREATE SCHEMA RAW.SNOWPLOW", "SYSADMIN")
    yield
    at.run("step4-snowflake", "step5-aws")


def _owned_by_platform(at: Installation, thing: str, step: str, back: str = "SYSADMIN") -> Iterator[None]:
    """It is handed over with all that was granted on it; by hand it is taken back, and the step grants."""
    at.sql("CREATE ROLE PLATFORM")
    at.sql(f"GRANT OWNERSHIP ON {thing} TO ROLE PLATFORM REVOKE CURRENT GRANTS")
    yield
    at.sql(f"GRANT OWNERSHIP ON {thing} TO ROLE {back} COPY CURRENT GRANTS")
    at.run(step)


@fault("integration", "roles")
def integration_handed_over(at: Installation) -> Iterator[None]:
    yield from _owned_by_platform(at, f"INTEGRATION {INTEGRATION}", "step2-snowflake", "ACCOUNTADMIN")


@fault("stage", "roles")
def stage_handed_over(at: Installation) -> Iterator[None]:
    yield from _owned_by_platform(at, f"STAGE {STAGE}", "step4-snowflake")


@fault("table", "roles")
def table_handed_over(at: Installation) -> Iterator[None]:
    yield from _owned_by_platform(at, f"TABLE {TABLE}", "step4-snowflake")


@fault("schema", "roles")
def schema_handed_over(at: Installation) -> Iterator[None]:
    yield from _owned_by_platform(at, "SCHEMA RAW.SNOWPLOW", "step4-snowflake")


@fault("schema", "roles")
def database_handed_over(at: Installation) -> Iterator[None]:
    yield from _owned_by_platform(at, "DATABASE RAW", "step4-snowflake")


@fault("pipe", "loader", "pause")
def pipe_handed_over_and_never_resumed(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE")
    at.sql(f"GRANT OWNERSHIP ON PIPE {PIPE} TO ROLE ACCOUNTADMIN COPY CURRENT GRANTS")
    yield
    at.sql(f"GRANT OWNERSHIP ON PIPE {PIPE} TO ROLE SNOWPLOW_LOADER COPY CURRENT GRANTS")
    at.sql(f"SELECT SYSTEM$PIPE_FORCE_RESUME('{PIPE}')", "SNOWPLOW_LOADER")
    at.sql(f"ALTER PIPE {PIPE} UNSET PIPE_EXECUTION_PAUSED", "SNOWPLOW_LOADER")
