"""Snowflake keeps a role's temporary credentials for up to 60 minutes.

Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
"""

import json
from typing import Any


def test_a_revoked_trust_shows_when_the_cached_credentials_are_an_hour_old(tenant: Any) -> None:
    iam, cursor = tenant.boto3("iam"), tenant.connect().cursor()
    role_arn = f"arn:aws:iam::{tenant.account_id}:role/reader"
    cursor.execute(
        "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = '{role_arn}' STORAGE_ALLOWED_LOCATIONS = ('s3://{tenant.bucket}/')"
    )
    described = {row[0]: row[2] for row in cursor.execute("DESC INTEGRATION I").fetchall()}
    trusted = _trust(described["STORAGE_AWS_IAM_USER_ARN"], described["STORAGE_AWS_EXTERNAL_ID"])
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trusted)
    reads = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_role_policy(
        RoleName="reader",
        PolicyName="reads",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reads]}),
    )

    def gets_in() -> bool:
        statement = f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('I', 's3://{tenant.bucket}/', 'x', 'list')"
        return bool(json.loads(cursor.execute(statement).fetchone()[0])["status"] == "success")

    tenant.control("POST", "/faults", {"credential_cache_s": 3600})
    assert gets_in()
    iam.update_assume_role_policy(
        RoleName="reader",
        PolicyDocument=_trust(described["STORAGE_AWS_IAM_USER_ARN"], "another"),
    )
    assert gets_in()
    tenant.control("POST", "/clock", {"advance_s": 3601})
    assert not gets_in()


def _trust(user: str, external_id: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": user},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
