"""A few sound installations of other people's, built with their own words, found, and called healthy."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

FOUR = [f"s3:ObjectCreated:{way}" for way in ("Put", "Post", "Copy", "CompleteMultipartUpload")]


@dataclass(frozen=True)
class Style:
    """How one of them is made. BUCKET, USER, ACCOUNT and ID stand for what the clouds give."""

    policy: list[dict[str, Any]]
    principal: str
    condition: dict[str, Any]
    copy: str
    events: list[list[str]]
    advice: set[str]
    bucket_policy: list[dict[str, Any]] = field(default_factory=list)


READ = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:GetObjectVersion"],
    "Resource": "arn:aws:s3:::BUCKET/in/*",
}
PUBLISHED = {
    "Effect": "Allow",
    "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
    "Resource": "arn:aws:s3:::BUCKET",
    "Condition": {"StringLike": {"s3:prefix": ["in/*"]}},
}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
STYLES = {
    "the published policy, and the account's root": Style(
        policy=[READ, PUBLISHED],
        principal="arn:aws:iam::ACCOUNT:root",
        condition={"StringEquals": {"sts:ExternalId": "ID"}},
        copy="COPY INTO RAW.HAND.EVENTS -- FROM @old\nFROM @RAW.HAND.ST/events/ FILE_FORMAT = RAW.HAND.FF",
        events=[FOUR[:1], FOUR[1:]],
        advice={
            "step1.policy-is-read-only",  # it reads what lies beside the stream too
            "step1.policy-lets-snowflake-read",
            "step3.trust-names-snowflakes-user",
        },
        bucket_policy=[TLS_ONLY],
    ),
    "one action less, and a pattern": Style(
        policy=[READ, {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::BUCKET"}],
        principal="USER",
        condition={"StringLike": {"sts:ExternalId": ["nobody", "*_SFCRole=*"]}},
        copy="COPY INTO EVENTS FROM (SELECT $1, 'from @x' FROM @ST/events/) FILE_FORMAT=(FORMAT_NAME=FF) "
        "ON_ERROR = CONTINUE",
        events=[FOUR[:1]],
        advice={
            "step1.policy-is-read-only",
            "step1.policy-lets-snowflake-read",
            "step3.others-statements-ask-for-an-external-id",
            "step4.pipe-loses-no-row",
            "step5.rule-covers-the-stream",
        },
    ),
}


@pytest.mark.parametrize("name", list(STYLES))
def test_what_loads_every_file_is_healthy(installation: Installation, tmp_path: Path, name: str) -> None:
    built(installation, STYLES[name])
    assert installation.sql("SELECT COUNT(*) FROM RAW.HAND.EVENTS") == [(1,)]
    file = tmp_path / "found.yaml"
    installation.run("discover", "--pipe", "RAW.HAND.P", "--name", "sandbox", "--output", str(file))
    found = json.loads(installation.run("-f", str(file), "verify", "--deep", "--format", "json").stdout)
    assert (found["root_causes"], set(found["advice"])) == ([], STYLES[name].advice)
    installation.run("-f", str(file), "verify", "--deep", "--strict", expect=1)


def built(at: Installation, style: Style) -> None:
    """All of it as a person makes it, with one file loaded."""
    iam, s3, aws = at.aws("iam"), at.aws("s3"), at.settings.aws

    def document(rows: list[dict[str, Any]], **names: str) -> str:
        text = json.dumps({"Version": "2012-10-17", "Statement": rows})
        for name, value in {"BUCKET": aws.bucket, **names}.items():
            text = text.replace(name, value)
        return text

    at.sql(
        "CREATE STORAGE INTEGRATION HAND TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::{aws.account_id}:role/reader' "
        f"STORAGE_ALLOWED_LOCATIONS = ('s3://{aws.bucket}/')"
    )
    shown = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION HAND")}
    user = shown["STORAGE_AWS_IAM_USER_ARN"]
    row = {
        "Effect": "Allow",
        "Principal": {"AWS": style.principal},
        "Action": "sts:AssumeRole",
        "Condition": style.condition,
    }
    names = {"USER": user, "ACCOUNT": user.split(":")[4], '"ID"': f'"{shown["STORAGE_AWS_EXTERNAL_ID"]}"'}
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document([row], **names))
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=document(style.policy))
    if style.bucket_policy:
        s3.put_bucket_policy(Bucket=aws.bucket, Policy=document(style.bucket_policy))
    for statement in (
        "CREATE DATABASE IF NOT EXISTS RAW",
        "CREATE SCHEMA RAW.HAND",
        "USE SCHEMA RAW.HAND",
        "CREATE FILE FORMAT RAW.HAND.FF TYPE = CSV FIELD_DELIMITER = '\\t'",
        f"CREATE STAGE RAW.HAND.ST URL = 's3://{aws.bucket}/in/' STORAGE_INTEGRATION = HAND",
        "CREATE TABLE RAW.HAND.EVENTS (A VARCHAR, B VARCHAR)",
        f"CREATE PIPE RAW.HAND.P AUTO_INGEST = TRUE AS {style.copy}",
    ):
        at.sql(statement)
    queue = str(at.sql("SHOW PIPES IN SCHEMA RAW.HAND")[0][6])
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/events/"}]}}
    rules = [{"QueueArn": queue, "Events": events, "Filter": prefix} for events in style.events]
    s3.put_bucket_notification_configuration(
        Bucket=aws.bucket, NotificationConfiguration={"QueueConfigurations": rules}
    )
    s3.put_object(Bucket=aws.bucket, Key="in/events/a.tsv", Body=b"a\tb\n")
    at.settle()
