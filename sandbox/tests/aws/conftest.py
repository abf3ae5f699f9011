"""Shorthands for the AWS side's tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from snowflakes_user import Snowflake
from snowpipe_sandbox.server import Sandbox


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Calls, expects a refusal, and gives the error document with the HTTP status in it."""

    def call(function: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            function(**kwargs)
        response = caught.value.response
        return {**response["Error"], "Status": response["ResponseMetadata"]["HTTPStatusCode"]}

    return call


@pytest.fixture
def snowflake(tenant: Any, sandbox: Sandbox) -> Snowflake:
    user = sandbox.tenants.get(tenant.name).snowflake_user
    return Snowflake(tenant, user.arn, user.account_id, user.access_key_id, user.secret_access_key)


@dataclass
class Iam:
    """Roles and policies of the customer, in a word."""

    tenant: Any

    @property
    def client(self) -> Any:
        return self.tenant.boto3("iam")

    @staticmethod
    def trust(principal: Any, external_id: str | None = "ext-1") -> str:
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        if external_id is not None:
            statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    @staticmethod
    def document(*statements: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    def role(self, trust: str, *statements: Any, name: str = "reader", **kwargs: Any) -> str:
        """A role's ARN; ``statements`` are its inline policy's."""
        made = self.client.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **kwargs)["Role"]
        if statements:
            self.client.put_role_policy(
                RoleName=name, PolicyName="inline", PolicyDocument=self.document(*statements)
            )
        return str(made["Arn"])

    def reading(self, prefix: str = "p") -> list[dict[str, Any]]:
        """The statements of a least-privilege reader of the tenant's bucket."""
        bucket = f"arn:aws:s3:::{self.tenant.bucket}"
        return [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": f"{bucket}/{prefix}/*",
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}/*"]}},
            },
            {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": bucket},
        ]


@pytest.fixture
def iam(tenant: Any) -> Iam:
    return Iam(tenant)
