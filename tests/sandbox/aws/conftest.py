"""Shorthands for the AWS side's tests."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook.sandbox.server import Sandbox


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Calls, expects a refusal, and gives the error document with the HTTP status in it."""

    def call(function: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            function(**kwargs)
        response = caught.value.response
        return {**response["Error"], "Status": response["ResponseMetadata"]["HTTPStatusCode"]}

    return call


@dataclass
class Snowflake:
    """Snowflake's IAM user in Snowflake's own AWS account."""

    tenant: Any
    arn: str
    account_id: str
    key: str
    secret: str

    def boto3(self, service: str, region: str = "") -> Any:
        return self.tenant.client_for(service, self.key, self.secret, region=region)

    def assume(self, role_arn: str, **kwargs: Any) -> Any:
        """Credentials of the role."""
        wanted = {"RoleArn": role_arn, "RoleSessionName": "snowflake", "ExternalId": "ext-1"} | kwargs
        return self.boto3("sts").assume_role(**{k: v for k, v in wanted.items() if v is not None})[
            "Credentials"
        ]

    def as_role(self, role_arn: str, service: str = "s3", **kwargs: Any) -> Any:
        """A client with the role's credentials."""
        found = self.assume(role_arn, **kwargs)
        return self.tenant.client_for(
            service, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
        )

    def queue(self, name: str = "", *, region: str = "", policy: bool = True, **attributes: str) -> "Queue":
        """A queue that S3 may send to, unless ``policy`` is False."""
        sqs = self.boto3("sqs", region)
        name = name or f"sf-snowpipe-{uuid.uuid4().hex}"
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        queue = Queue(sqs, url, arn)
        if policy:
            queue.let("s3.amazonaws.com")
        return queue


@dataclass
class Queue:
    sqs: Any
    url: str
    arn: str

    def let(self, service: str, **condition: Any) -> None:
        """Let an AWS service send to it."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": self.arn,
            **({"Condition": condition} if condition else {}),
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def messages(self) -> list[dict[str, Any]]:
        """Every message in it, taken out."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def records(self) -> list[dict[str, Any]]:
        """The S3 event records among the messages."""
        return [record for message in self.messages() for record in message.get("Records", [])]


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
