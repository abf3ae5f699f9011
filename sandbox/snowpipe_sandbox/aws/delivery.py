"""Event notifications on their way: to SQS and SNS in whatever account, as S3 and SNS send them.

Sources: `Event message structure
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>`_, records of
LocalStack's AWS snapshots (test_s3_notifications_sqs.snapshot.json), and `Amazon SNS message formats
<https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>`_. A destination that is gone,
or no longer lets S3 in, loses the event silently, as on AWS.
"""

import heapq
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.sqs.models import Message, sqs_backends

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.iam import Document, Policies, Principal, Request, decide
from snowpipe_sandbox.aws.identities import parsed
from snowpipe_sandbox.aws.notifications import Rule
from snowpipe_sandbox.aws.realm import Realm

S3 = Principal("service", "s3.amazonaws.com", "")
SNS = Principal("service", "sns.amazonaws.com", "")
_REORDER_WITHIN = timedelta(milliseconds=200)
_LONGEST_WAIT_S = 0.02


def _service_may(
    service: Principal, action: str, resource: str, policy: Document | None, source: tuple[str, str]
) -> bool:
    """Whether a resource policy lets an AWS service act for ``source`` (ARN, account)."""
    context = {
        "aws:sourcearn": (source[0],),
        "aws:sourceaccount": (source[1],),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (service.arn,),
        "aws:securetransport": ("true",),
    }
    account = resource.split(":")[4]
    return decide(service, Request(action, resource, context), Policies(resource=policy), account).allowed


def _key_lets(service: Principal, queue_key: str, account: str, region: str, source: tuple[str, str]) -> bool:
    key = stores.kms_key(queue_key, account, region)
    if key is None or key.key_state != "Enabled":
        return False
    policy = parsed(key.policy)
    actions = ("kms:GenerateDataKey", "kms:Decrypt")
    return all(_service_may(service, action, key.arn, policy, source) for action in actions)


def refusal(bucket: Any, rule: Rule) -> str:
    """What S3 has against a destination, or an empty string: existence, region, kind and permission."""
    source = (f"arn:{bucket.partition}:s3:::{bucket.name}", bucket.account_id)
    if rule.kind == "CloudFunction":
        return f"Not authorized to invoke function [{rule.arn}]"
    what = rule.kind.lower()
    found = stores.queue_at(rule.arn) if rule.kind == "Queue" else stores.topic_at(rule.arn)
    if found is None:
        return f"The destination {what} does not exist"
    if rule.arn.split(":")[3] != bucket.region_name:
        return f"The destination {what} is not in the region of the bucket"
    if rule.arn.endswith(".fifo"):
        return f"FIFO {what}s are not supported as a destination"
    action = "sqs:SendMessage" if rule.kind == "Queue" else "sns:Publish"
    policy = stores.queue_policy(found) if rule.kind == "Queue" else stores.topic_policy(found)
    allowed = _service_may(S3, action, rule.arn, policy, source)
    key = getattr(found, "kms_master_key_id", None)
    if allowed and key:
        _, _, _, region, account, _ = rule.arn.split(":")
        allowed = _key_lets(S3, key, account, region, source)
    if not allowed:
        return no_entry(what)
    return ""


def no_entry(what: str) -> str:
    """Why a queue or topic that does not admit S3 is not a destination."""
    return f"Permissions on the destination {what} do not allow S3 to publish notifications from this bucket"


def publish(topic_arn: str, message: str, subject: str, now: datetime) -> str:
    """Send a message to a topic's SQS subscriptions, wherever they are; its message id.

    A queue gets it if its policy lets sns.amazonaws.com send for this topic.
    """
    message_id = str(uuid.uuid4())
    source = (topic_arn, topic_arn.split(":")[4])
    for subscription in stores.topic_subscriptions(topic_arn):
        if subscription.protocol != "sqs":
            continue
        queue = stores.queue_at(subscription.endpoint)
        if queue is None:
            continue
        if not _service_may(
            SNS, "sqs:SendMessage", subscription.endpoint, stores.queue_policy(queue), source
        ):
            continue
        raw = subscription.attributes.get("RawMessageDelivery") == "true"
        body = message if raw else _envelope(topic_arn, subscription.arn, message_id, message, subject, now)
        send(subscription.endpoint, body)
    return message_id


def _envelope(
    topic_arn: str, subscription_arn: str, message_id: str, message: str, subject: str, now: datetime
) -> str:
    region = topic_arn.split(":")[3]
    envelope = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic_arn}
    if subject:
        envelope["Subject"] = subject
    envelope |= {
        "Message": message,
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": f"https://sns.{region}.amazonaws.com/SimpleNotificationService-0.pem",
        "UnsubscribeURL": f"https://sns.{region}.amazonaws.com/?Action=Unsubscribe"
        f"&SubscriptionArn={subscription_arn}",
    }
    return json.dumps(envelope)


def send(queue_arn: str, body: str) -> None:
    """Put a message into the queue of this ARN, which is not a FIFO queue.

    Not by moto's SendMessage, which works out all attributes of the queue and so looks at each message in it.
    """
    _, _, _, region, account, name = queue_arn.split(":")
    queue = sqs_backends[account][region].get_queue(name)
    message = Message(str(uuid.uuid4()), body)
    message.mark_sent(delay_seconds=queue.delay_seconds)
    queue.add_message(message)


@dataclass(order=True)
class _Pending:
    due: datetime
    number: int
    deliver: Callable[[], None] = field(compare=False)
    realm: Realm = field(compare=False)


class Deliveries:
    """Sends event messages, through the tenant's notification faults. Thread-safe."""

    def __init__(self) -> None:
        self._heap: list[_Pending] = []
        self._under_way = 0
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, realm: Realm, bucket: Any, rule: Rule, message: Mapping[str, Any]) -> None:
        """Deliver one message to one rule's destination: now, later, twice, or not at all."""
        body = json.dumps(message)
        faults = realm.faults.notifications
        copies = 1
        if faults.drop and realm.faults.random.random() < faults.drop:
            return
        if faults.duplicate and realm.faults.random.random() < faults.duplicate:
            copies = 2
        for _ in range(copies):
            wait = timedelta(seconds=faults.delay_s)
            if faults.reorder:
                wait += _REORDER_WITHIN * realm.faults.random.random()
            self._enqueue(realm, wait, lambda: _deliver(realm, bucket, rule, body))

    def _enqueue(self, realm: Realm, wait: timedelta, deliver: Callable[[], None]) -> None:
        if not wait:
            deliver()
            return
        with self._changed:
            due = realm.clock.now() + wait
            heapq.heappush(self._heap, _Pending(due, next(self._numbers), deliver, realm))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = [one for one in self._heap if one.due <= one.realm.clock.now()]
                if not due:
                    self._changed.wait(_LONGEST_WAIT_S if self._heap else None)
                    continue
                gone = {one.number for one in due}
                self._heap = [one for one in self._heap if one.number not in gone]
                heapq.heapify(self._heap)
                self._under_way += len(due)
            for one in sorted(due):
                one.deliver()
                with self._changed:
                    self._under_way -= 1

    def forget(self, realm: Realm) -> None:
        """Drop what is still on its way for this realm."""
        with self._changed:
            self._heap = [one for one in self._heap if one.realm is not realm]
            heapq.heapify(self._heap)

    def pending(self, realm: Realm) -> int:
        """How many messages of this realm are still on their way."""
        with self._changed:
            return sum(one.realm is realm for one in self._heap) + self._under_way


def _deliver(realm: Realm, bucket: Any, rule: Rule, body: str) -> None:
    if refusal(bucket, rule):
        return
    if rule.kind == "Queue":
        send(rule.arn, body)
    else:
        publish(rule.arn, body, "Amazon S3 Notification", realm.clock.now())
