"""What is there of an SNS topic between the bucket and the pipes: its policy, and whose queues it serves."""

import re
from dataclasses import dataclass
from hashlib import sha256
from json import loads

from runbook.clouds.reader import Reader
from runbook.facts.aws import ask
from runbook.policies.documents import Document, as_list, statements
from runbook.policies.held import Key, SnowflakesUser
from runbook.policies.judging import Asked, Held, Who, conditions, every, judged, principal, takes
from runbook.settings import Settings

SUBSCRIBE_SID = "SnowpipeRunbookSnowflakeSubscribes"
PUBLISH_SID = "SnowpipeRunbookBucketPublishes"
S3 = Who("Service", "s3.amazonaws.com")
PUBLISHING = ("kms:GenerateDataKey", "kms:Decrypt")
"""What S3 needs of the key of an encrypted topic."""
BY_A_SERVICE: dict[str, str | None] = {
    "aws:securetransport": "true",
    "aws:principalisawsservice": "true",
    "aws:viaawsservice": "false",
    "aws:principalorgid": None,  # a service is in no organisation,
    "aws:sourcevpc": None,  # and comes through nobody's endpoint
    "aws:sourcevpce": None,
    "aws:multifactorauthpresent": None,
    "aws:username": None,
}
"""What is known of a service's own request.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""
EVENTBRIDGE = Who("Service", "events.amazonaws.com")


def is_topic(channel: str) -> bool:
    """Whether a pipe's notification channel is a topic, not a queue.

    *Seen*: SHOW PIPES has the topic's ARN for a pipe that was made with AWS_SNS_TOPIC.
    Source: https://docs.snowflake.com/en/user-guide/multi-location-resilience-data-pipelines-setup-validate
    """
    return ":sns:" in channel


@dataclass(frozen=True)
class Topic:
    """An SNS topic: its policy, the queues subscribed to it, and the attributes as AWS answers them."""

    arn: str
    policy: Document
    queues: frozenset[str]
    answer: Document

    def lets_subscribe(self, user: SnowflakesUser) -> Held:
        """Whether the policy lets Snowflake's user subscribe its queue; None: only AWS knows."""
        return judged(self._allowing, self._subscribing(user), principal(user.iam_user_arn))

    def lets_publish(self, settings: Settings) -> Held:
        """Whether the policy lets S3 publish the events of the streams' buckets; None: only AWS knows.

        Also by a statement for everybody under a condition on the bucket: *observed* in Snowflake Labs' own
        module and in AWS' older walkthroughs.
        """
        return every(judged(self._allowing, asked, S3) for asked in self._publishing(settings))

    def undecided(self, settings: Settings) -> list[str]:
        """The statements on whose conditions alone it depends whether S3 may publish, with their keys."""
        asked = self._publishing(settings)
        if all(judged(self.policy, one, S3) is not None for one in asked):
            return []
        found = [
            f"{row.get('Sid', '(without Sid)')} ({', '.join(key for key, held in met if held is None)})"
            for row in statements(self.policy)
            for one in asked
            if takes(row, one, S3) is None and (met := conditions(row, one.known))
        ]
        return list(dict.fromkeys(found))

    @property
    def key(self) -> str:
        """The KMS key that encrypts what is published here, as it is written; empty where none does."""
        return str(self.answer.get("Attributes", {}).get("KmsMasterKeyId") or "")

    def key_refuses_s3(self, key: Key | None, settings: Settings) -> bool:
        """Whether the topic's key surely keeps S3 out: AWS' own key, or a policy that names others.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
        """
        if self.key.endswith("alias/aws/sns"):
            return True
        if key is None:
            return False
        asked = [Asked(action, key.arn, known) for known in self._by_s3(settings) for action in PUBLISHING]
        return any(judged(key.policy, one, S3) is False for one in asked)

    @property
    def takes_from_eventbridge(self) -> bool:
        """Whether rules of EventBridge may publish here, as option 3 of Snowflake's page has it.

        Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3
        """
        return (
            judged(self._allowing, Asked("sns:Publish", self.arn, {"aws:sourceowner": None}), EVENTBRIDGE)
            is not False
        )

    def _subscribing(self, user: SnowflakesUser) -> Asked:
        known = {
            "aws:securetransport": "true",
            "aws:principalarn": user.iam_user_arn,
            "aws:principalaccount": user.iam_user_arn.split(":")[4],
            "aws:sourceowner": user.iam_user_arn.split(":")[4],
            "sns:protocol": "sqs",
        }
        return Asked("sns:Subscribe", self.arn, known)

    def _publishing(self, settings: Settings) -> list[Asked]:
        """With the condition keys S3's publishing carries, for each bucket."""
        known = self._by_s3(settings)
        return [Asked("sns:Publish", self.arn, {**one, "aws:sourceowner": None}) for one in known]

    def _by_s3(self, settings: Settings) -> list[dict[str, str | None]]:
        return [
            {
                **BY_A_SERVICE,
                "aws:principalservicename": S3.name,
                "aws:sourcearn": bucket,
                "aws:sourceaccount": settings.aws.account_id,
            }
            for bucket in publishers(self.arn, settings)
        ]

    def denying(self, user: SnowflakesUser, settings: Settings) -> list[str]:
        """The Sids of statements that surely deny S3 to publish, or Snowflake's user to subscribe.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
        """
        asked = (
            *((one, S3) for one in self._publishing(settings)),
            (self._subscribing(user), principal(user.iam_user_arn)),
        )
        return [
            str(row.get("Sid", "(without Sid)"))
            for row in statements(self.policy)
            if row.get("Effect") == "Deny" and any(takes(row, one, who) for one, who in asked)
        ]

    @property
    def _allowing(self) -> Document:
        return {"Statement": [row for row in statements(self.policy) if row.get("Effect") == "Allow"]}

    def reaches(self, channel: str) -> bool:
        """Whether what is published here comes to the pipe whose notification channel is ``channel``.

        Sources: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3 (the channel is the queue
        bound to the topic); *observed:* github.com/snowflakedb/terraform-provider-snowflake reads it as
        the topic's own ARN where it is one, and then any queue of Snowpipe's must do.
        """
        return channel in self.queues or (
            channel == self.arn and any(":sf-snowpipe-" in queue for queue in self.queues)
        )

    def with_ours(self, settings: Settings, user: SnowflakesUser) -> Document:
        """The policy with our two statements in place; other people's as they are."""
        others = self.others_statements(settings, user)
        taken = {row.get("Sid") for row in others}
        mine = [
            {**row, "Sid": _own_sid(str(row["Sid"]), settings)} if row["Sid"] in taken else row
            for row in (subscribing(self.arn, user), publishing(self.arn, settings))
        ]
        return {"Version": "2012-10-17", **self.policy, "Statement": [*others, *mine]}

    def others_statements(self, settings: Settings, user: SnowflakesUser | None) -> list[Document]:
        """The policy's statements that are not ours; another installation's, by user or bucket, are not."""
        return [row for row in statements(self.policy) if not _is_ours(row, self.arn, settings, user)]

    def without_ours(
        self, settings: Settings, user: SnowflakesUser | None, queues: frozenset[str]
    ) -> list[Document]:
        """The policy's statements without ours; where others' queues are subscribed, S3 still publishes.

        ``queues``: those of our own pipes.
        """
        serves_others = bool(self.queues - queues - {""})
        publishing = (PUBLISH_SID, _own_sid(PUBLISH_SID, settings)) if serves_others else ()
        return [
            row
            for row in statements(self.policy)
            if row.get("Sid") in publishing or not _is_ours(row, self.arn, settings, user)
        ]


_ONE_USER = re.compile(r"arn:[\w-]+:iam::\d{12}:user/.+")


def _own_sid(sid: str, settings: Settings) -> str:
    return sid + sha256(settings.installation.encode()).hexdigest()[:8]


def publishers(topic: str, settings: Settings) -> list[str]:
    """The ARNs of the buckets whose streams name the topic; of the default one where none does."""
    streams = settings.topics.get(topic, ())
    names = dict.fromkeys(stream.bucket for stream in streams) or (settings.aws.bucket,)
    return [settings.aws.bucket_named(name).arn for name in names]


def _is_ours(row: Document, topic: str, settings: Settings, user: SnowflakesUser | None) -> bool:
    sid = row.get("Sid")
    if sid in (_own_sid(SUBSCRIBE_SID, settings), _own_sid(PUBLISH_SID, settings)):
        return True
    if sid == SUBSCRIBE_SID:
        named = row.get("Principal")
        name = str(named.get("AWS")) if isinstance(named, dict) else ""
        return not (user and _ONE_USER.fullmatch(name) and name != user.iam_user_arn)
    buckets = as_list(row.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn"))
    return sid == PUBLISH_SID and set(buckets) <= set(publishers(topic, settings))


def subscribing(topic: str, user: SnowflakesUser) -> Document:
    """The statement SYSTEM$GET_AWS_SNS_IAM_POLICY prints, under a Sid of ours.

    Source: https://docs.snowflake.com/en/sql-reference/functions/system_get_aws_sns_iam_policy
    """
    return {
        "Sid": SUBSCRIBE_SID,
        "Effect": "Allow",
        "Principal": {"AWS": user.iam_user_arn},
        "Action": "sns:Subscribe",
        "Resource": topic,
    }


def publishing(topic: str, settings: Settings) -> Document:
    """The statement that lets S3 publish the events of the streams' buckets, and no other's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    """
    buckets = publishers(topic, settings)
    return {
        "Sid": PUBLISH_SID,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {
            "ArnLike": {"aws:SourceArn": buckets[0] if len(buckets) == 1 else buckets},
            "StringEquals": {"aws:SourceAccount": settings.aws.account_id},
        },
    }


def topic(reader: Reader, arn: str) -> Topic | None:
    """The topic with its policy and subscriptions; None when it does not exist."""

    def read() -> Topic:
        attributes = reader.aws("sns", "GetTopicAttributes", TopicArn=arn)["Attributes"]
        rows = reader.aws_pages("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn)
        return Topic(
            arn=arn,
            policy=loads(attributes.get("Policy") or "{}"),
            queues=frozenset(row["Endpoint"] for row in as_list(rows) if _is_served(row)),
            answer={"Attributes": dict(attributes)},
        )

    return ask(read, f"The topic {arn}")


def _is_served(row: Document) -> bool:
    """Whether it is a queue's subscription, and confirmed: an unconfirmed one has no ARN, and gets nothing.

    Sources: https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html (an endpoint of another account
    must be confirmed by its owner), https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
    """
    return bool(row["Protocol"] == "sqs" and str(row["SubscriptionArn"]).startswith("arn:"))
