# ruff: noqa: E501 - one list a line
"""The sandbox on an AWS endpoint that is not its own: here another sandbox's, met by its API alone."""

from typing import Any

import pytest
from snowpipe_sandbox.server import Sandbox
from snowpipe_sandbox.tenant import DEFAULT


def test_tenants_are_set_up_by_the_public_api(tenant: Any, iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tenant.control("POST", "/accounts", {})
    aws = tenant.described["aws"]
    monkeypatch.setenv("SANDBOX_AWS_ENDPOINT", aws["endpoint_url"])
    monkeypatch.setenv("SANDBOX_AWS_CUSTOMER_KEY", aws["access_key_id"])
    monkeypatch.setenv("SANDBOX_AWS_CUSTOMER_SECRET", aws["secret_access_key"])
    monkeypatch.setenv("SANDBOX_AWS_SNOWFLAKE_KEY", other["access_key_id"])
    monkeypatch.setenv("SANDBOX_AWS_SNOWFLAKE_SECRET", other["secret_access_key"])
    since = tenant.control("GET", "/requests")["next"]
    with Sandbox(default_tenant=False).running() as guest:
        made = guest.tenants.create(DEFAULT, bucket=f"guest-{tenant.name}")
        assert guest.aws_url == tenant.endpoint_url
        assert made.admin.account_id == tenant.account_id
        assert made.snowflake_user.account_id == other["account_id"]
        buckets = tenant.boto3("s3").list_buckets()["Buckets"]
        assert f"guest-{tenant.name}" in [bucket["Name"] for bucket in buckets]
        role = iam.role(iam.trust({"AWS": made.snowflake_user.arn}))
        user = made.snowflake_user
        sts = tenant.client_for("sts", user.access_key_id, user.secret_access_key)
        assert sts.assume_role(RoleArn=role, RoleSessionName="guest", ExternalId="ext-1")["Credentials"]
    operations = [request["operation"] for request in tenant.requests(since)]
    assert operations[:5] == [
        "sts:GetCallerIdentity", "iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey", "s3:CreateBucket",
    ]  # fmt: skip
    assert operations[-1] == "iam:DeleteUser"


def test_an_endpoint_without_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_AWS_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ValueError, match="SANDBOX_AWS_CUSTOMER_KEY"):
        Sandbox()
