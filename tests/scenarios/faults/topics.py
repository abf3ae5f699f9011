"""Broken on an installation whose events go through an SNS topic."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, notifications, set_notifications

NAME = "files"
LINE = gzip.compress(b"app" + b"\t" * 130 + b"\n")


def made(at: Installation) -> None:
    """A topic for both streams, in the settings of whoever stands at this installation."""
    arn = at.aws("sns").create_topic(Name=NAME)["TopicArn"]
    for stream in at.settings.streams:
        at.environment[f"INVOKE_STREAMS_{stream.name.upper()}_SNS_TOPIC"] = arn


def _arn(at: Installation) -> str:
    return at.environment["INVOKE_STREAMS_EVENTS_SNS_TOPIC"]


def _policy(at: Installation) -> list[dict[str, Any]]:
    found = json.loads(at.aws("sns").get_topic_attributes(TopicArn=_arn(at))["Attributes"]["Policy"])
    rows: list[dict[str, Any]] = found["Statement"]
    return rows


def _set_policy(at: Installation, rows: list[dict[str, Any]]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": rows})
    at.aws("sns").set_topic_attributes(TopicArn=_arn(at), AttributeName="Policy", AttributeValue=document)


def _pipes_made_anew(at: Installation) -> None:
    """As docs/runbook.md#sns-subscription says: Snowflake forgets the topic in 72 hours."""
    for stream in at.settings.streams:
        at.sql(f"DROP PIPE {stream.pipe.sql}")
    at.advance(hours=73)
    at.run("step3-aws", "step4-snowflake", "step5-aws", "backfill", "--pattern", ".*")


@fault("topic", shape="topic")
def topic_deleted(at: Installation) -> Iterator[None]:
    at.aws("sns").delete_topic(TopicArn=_arn(at))
    yield
    made(at)
    _pipes_made_anew(at)


@fault("topic", shape="topic")
def topic_policy_without_s3(at: Installation) -> None:
    _set_policy(at, [row for row in _policy(at) if "Service" not in row["Principal"]])


@fault("topic", shape="topic")
def topic_policy_of_another_bucket(at: Installation) -> None:
    rows = json.dumps(_policy(at)).replace(at.settings.aws.bucket, "another-bucket")
    _set_policy(at, json.loads(rows))


@fault("topic", shape="topic")
def settings_name_another_topic(at: Installation) -> Iterator[None]:
    name, arn = "INVOKE_STREAMS_EVENTS_SNS_TOPIC", _arn(at)
    at.environment[name] = f"{arn}s"
    yield
    at.environment[name] = arn


@fault("topic", shape="topic")
def topic_policy_without_snowflake(at: Installation) -> None:
    _set_policy(at, [row for row in _policy(at) if row["Sid"] != "SnowpipeRunbookSnowflakeSubscribes"])


@fault("topic", shape="topic")
def topic_denies_s3(at: Installation) -> Iterator[None]:
    before = _policy(at)
    deny = {"Sid": "Quarantine", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish"}
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    rows = [{**deny, "Resource": _arn(at)}, {**deny, "Sid": "OnlyTls", "Condition": insecure}]
    _set_policy(at, [*before, rows[0], {**rows[1], "Resource": _arn(at)}])
    yield
    _set_policy(at, [row for row in _policy(at) if row["Sid"] != "Quarantine"])


@fault("topic", shape="topic")
def topic_denies_outside_the_organisation(at: Installation) -> Iterator[None]:
    before = _policy(at)
    row = {
        "Sid": "OnlyOurs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": _arn(at),
    }
    _set_policy(
        at, [*before, {**row, "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}]
    )
    yield
    _set_policy(at, before)


@fault("topic", shape="topic")
def topic_asks_for_an_organisation(at: Installation) -> Iterator[None]:
    """Of the bucket, whose organisation nobody here can know; the newest file tells."""
    before = _policy(at)
    asked = [
        {**row, "Condition": {**row["Condition"], "StringEquals": {"aws:SourceOrgID": "o-1234567890"}}}
        if row["Principal"].get("Service")
        else row
        for row in before
    ]
    at.advance(minutes=1)  # after the last file the pipe heard of: files are listed by whole seconds
    _set_policy(at, asked)
    at.put("events", "topic-asks-for-an-organisation.gz", LINE)
    at.settle()
    at.advance(minutes=20)
    yield
    _set_policy(at, before)
    at.run("refresh", "--stream", "events")
    at.settle()


@fault("topic", shape="topic")
def subscription_deleted(at: Installation) -> Iterator[None]:
    sns = at.aws("sns")
    for one in sns.list_subscriptions_by_topic(TopicArn=_arn(at))["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    yield
    _pipes_made_anew(at)


def _key(at: Installation, name: str) -> None:
    at.aws("sns").set_topic_attributes(TopicArn=_arn(at), AttributeName="KmsMasterKeyId", AttributeValue=name)


@fault("topic", shape="topic")
def topic_encrypted_with_the_key_of_aws(at: Installation) -> Iterator[None]:
    _key(at, "alias/aws/sns")
    yield
    _key(at, "")


@fault("topic", shape="topic")
def topic_encrypted_and_a_file_arrives(at: Installation) -> Iterator[None]:
    aws = at.settings.aws
    _key(at, f"arn:aws:kms:{aws.region}:{aws.account_id}:alias/aws/sns")
    at.put("events", "meanwhile.gz", LINE)
    at.settle()
    at.advance(minutes=20)
    yield
    _key(at, "")


@fault("topic", shape="topic")
def topic_encrypted_with_a_key_that_leaves_s3_out(at: Installation) -> Iterator[None]:
    arn = str(at.aws("kms").create_key()["KeyMetadata"]["Arn"])
    _key(at, arn)
    yield
    _key(at, "")


def _own_key(at: Installation) -> str:
    """A key that lets S3 in, which the topic is encrypted with."""
    kms = at.aws("kms")
    arn = str(kms.create_key()["KeyMetadata"]["Arn"])
    document = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    allowed = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}
    document["Statement"].append({**allowed, "Principal": {"Service": "s3.amazonaws.com"}})
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(document))
    _key(at, arn)
    return arn


@fault("topic", shape="topic")
def topic_key_disabled(at: Installation) -> Iterator[None]:
    arn = _own_key(at)
    at.aws("kms").disable_key(KeyId=arn)
    yield
    at.aws("kms").enable_key(KeyId=arn)
    _key(at, "")


@fault("topic", shape="topic")
def topic_key_about_to_be_deleted(at: Installation) -> Iterator[None]:
    arn = _own_key(at)
    at.aws("kms").schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    yield
    _key(at, "")


@fault("rule", shape="topic")
def rule_past_the_topic(at: Installation) -> None:
    rows = notifications(at)["TopicConfigurations"]
    to_topic = at.aws("sns").list_subscriptions_by_topic(TopicArn=rows[0]["TopicArn"])["Subscriptions"]
    queue = next(row["Endpoint"] for row in to_topic if ":sf-snowpipe-" in row["Endpoint"])
    to_queue = [{**{k: v for k, v in row.items() if k != "TopicArn"}, "QueueArn": queue} for row in rows]
    set_notifications(at, {"QueueConfigurations": to_queue})


@fault("settings")
def settings_name_a_topic(at: Installation) -> Iterator[None]:
    """One that nothing of this installation goes through."""
    at.environment["INVOKE_STREAMS_EVENTS_SNS_TOPIC"] = at.aws("sns").create_topic(Name="others")["TopicArn"]
    yield
    del at.environment["INVOKE_STREAMS_EVENTS_SNS_TOPIC"]
