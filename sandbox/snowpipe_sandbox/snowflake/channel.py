"""The queue that S3 sends an account's events to: one for each region, in Snowflake's own AWS account.

Name and shape of its ARN: sources: Snowflake §1.5. Its policy lets S3 send, and SNS for topics
(sources: AWS §3.5); only Snowflake's user reads it.
"""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.aws_client import acting, client

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account

RETENTION_S = 14 * 24 * 3600
MOST_AT_ONCE = 10
SUBSCRIPTION_REMEMBERED = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received."""

    body: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A queue of the account."""

    arn: str
    url: str
    region: str


class Channels:
    """An account's queues by region. Thread-safe."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._by_region: dict[str, Channel] = {}
        self._by_topic: dict[str, Channel] = {}
        self._all: dict[str, Channel] = {}
        self._unique_id = ""
        self.new_each_time = False
        """Give every pipe a queue of its own, as real accounts do when a queue's policy is full."""

    def of_region(self, region: str) -> Channel:
        """The account's queue in a region, made when it is first needed. Raises SnowflakeError."""
        with self._lock:
            found = self._by_region.get(region)
            if found is None or self.new_each_time:
                found = self._create(region)
                self._by_region[region] = found
                self._all[found.arn] = found
            return found

    def of_topic(self, topic: str) -> Channel:
        """The queue that is subscribed to a topic, for every pipe on it. Raises SnowflakeError.

        It is subscribed when the first pipe is made, and not again while Snowflake remembers it: whoever
        deletes the subscription waits 72 hours, or takes another topic (sources: Snowflake §2.3).
        """
        pieces = topic.split(":")
        if len(pieces) != 6 or pieces[2] != "sns":
            raise errors.not_bound(f"Invalid SNS topic ARN {topic}")
        with self._lock:
            found = self._by_topic.get(topic)
            if found is None or self._is_forgotten(topic):
                found = found or self._create(pieces[3])
                self._subscribe(found, topic)
                self._by_topic[topic] = found
                self._all[found.arn] = found
            return found

    def _is_forgotten(self, topic: str) -> bool:
        """Whether the last pipe on the topic was dropped 72 hours ago or more."""
        account = self._account
        with account.lock:
            if any(pipe.aws_sns_topic == topic for pipe in account.catalog.pipes):
                return False
            gone = [pipe.dropped_on for pipe in account.catalog.dropped_pipes if pipe.aws_sns_topic == topic]
        return all(at is not None and account.now() - at >= SUBSCRIPTION_REMEMBERED for at in gone)

    def _subscribe(self, channel: Channel, topic: str) -> None:
        """As Snowflake's user, whom the topic's policy must allow sns:Subscribe."""
        aws = self._account.aws
        try:
            with acting(self._account.bucket.own_keys):
                client(aws.endpoint_url, "sns", topic.split(":")[3]).subscribe(
                    TopicArn=topic, Protocol="sqs", Endpoint=channel.arn
                )
        except (ClientError, BotoCoreError) as broken:
            raise errors.not_bound(str(broken)) from None

    def all(self) -> list[Channel]:
        """Every queue of the account."""
        with self._lock:
            return list(self._all.values())

    def get(self, arn: str | None) -> Channel | None:
        """The queue with this ARN."""
        with self._lock:
            return self._all.get(arn or "")

    def _sqs(self, region: str) -> Any:
        return client(self._account.aws.endpoint_url, "sqs", region)

    def _create(self, region: str) -> Channel:
        aws = self._account.aws
        try:
            with acting(self._account.bucket.own_keys):
                if not self._unique_id:
                    identity = client(aws.endpoint_url, "sts", aws.region).get_caller_identity()
                    self._unique_id = identity["UserId"]
                name = f"sf-snowpipe-{self._unique_id}-{secrets.token_urlsafe(16).replace('_', '-')}"
                arn = f"arn:aws:sqs:{region}:{aws.account_id}:{name}"
                url = self._sqs(region).create_queue(
                    QueueName=name,
                    Attributes={
                        "MessageRetentionPeriod": str(RETENTION_S),
                        "VisibilityTimeout": "60",
                        "Policy": json.dumps(_policy(arn, aws.user_arn)),
                    },
                )["QueueUrl"]
        except (ClientError, BotoCoreError) as broken:
            raise errors.SnowflakeError(
                3181, "22000", f'Pipe Notifications bind failure "{broken}"'
            ) from None
        return Channel(arn, url, region)

    def receive(self, channel: Channel) -> list[Message]:
        """What is there, at most ten; empty when there is nothing. Raises botocore's errors."""
        with acting(self._account.bucket.own_keys):
            answer = self._sqs(channel.region).receive_message(
                QueueUrl=channel.url, MaxNumberOfMessages=MOST_AT_ONCE, WaitTimeSeconds=0
            )
        return [Message(each["Body"], each["ReceiptHandle"]) for each in answer.get("Messages", ())]

    def delete(self, channel: Channel, messages: list[Message]) -> None:
        """These messages are dealt with."""
        entries = [{"Id": str(n), "ReceiptHandle": each.receipt} for n, each in enumerate(messages)]
        with acting(self._account.bucket.own_keys):
            self._sqs(channel.region).delete_message_batch(QueueUrl=channel.url, Entries=entries)

    def outstanding(self, channel: Channel) -> int:
        """Messages on the queue: not yet received, delayed or in flight."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        with acting(self._account.bucket.own_keys):
            answer = self._sqs(channel.region).get_queue_attributes(
                QueueUrl=channel.url, AttributeNames=list(names)
            )
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)


def _policy(queue_arn: str, user_arn: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": f"{service}Sends",
                "Effect": "Allow",
                "Principal": {"Service": f"{service.lower()}.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
            }
            for service in ("S3", "SNS")
        ]
        + [
            {
                "Sid": "SnowflakeReads",
                "Effect": "Allow",
                "Principal": {"AWS": user_arn},
                "Action": "sqs:*",
                "Resource": queue_arn,
            }
        ],
    }
