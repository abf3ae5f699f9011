"""Snowflake's user in AWS, and a queue of its account."""

import json
import uuid
from dataclasses import dataclass
from typing import Any


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

    def queue(self, name: str = "", *, region: str = "", policy: bool = True, **attributes: str) -> Queue:
        """A queue that S3 may send to, unless ``policy`` is False."""
        sqs = self.boto3("sqs", region)
        name = name or f"sf-snowpipe-{uuid.uuid4().hex}"
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        queue = Queue(sqs, url, arn)
        if policy:
            queue.let("s3.amazonaws.com")
        return queue
