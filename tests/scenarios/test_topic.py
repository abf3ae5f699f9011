"""A bucket whose events go through an SNS topic, because somebody else must see the same files."""

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import event


def their_queue(at: Installation, *senders: str) -> str:
    """Somebody else's queue; these services may send to it."""
    sqs = at.aws("sqs")
    url = sqs.create_queue(QueueName="lake")["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}] * len(senders)
    allow = [
        {**row, "Principal": {"Service": f"{name}.amazonaws.com"}}
        for row, name in zip(allow, senders, strict=True)
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn


def rules(at: Installation, **lists: list[dict[str, Any]]) -> None:
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket, NotificationConfiguration=lists
    )


def policy_of(at: Installation, topic: str) -> dict[str, Any]:
    attributes = at.aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    found: dict[str, Any] = json.loads(attributes["Policy"])
    return found


@pytest.fixture
def shared(installation: Installation) -> tuple[Installation, str]:
    """A topic for both streams; somebody else's queue listens to it already."""
    sns = installation.aws("sns")
    topic = sns.create_topic(Name="files")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=their_queue(installation, "sns", "s3"))
    environment = {
        **installation.environment,
        "INVOKE_STREAMS_EVENTS_SNS_TOPIC": topic,
        "INVOKE_STREAMS_EVENTS_BAD_SNS_TOPIC": topic,
    }
    return replace(installation, environment=environment), topic


def without_topics(at: Installation) -> Installation:
    """The same with the topics taken out of the settings."""
    kept = {name: value for name, value in at.environment.items() if not name.endswith("_SNS_TOPIC")}
    return replace(at, environment=kept)


def test_an_overlap_is_refused_with_the_ways_out_and_a_topic_is_one(shared: tuple[Installation, str]) -> None:
    at, topic = shared
    queue = their_queue(at, "sns", "s3")
    rules(at, QueueConfigurations=[{"Id": "lake", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}])
    theirs = policy_of(at, topic)["Statement"]
    refused = " ".join(at.run("up", expect=4).stderr.split())
    assert "rule 'lake'" in refused
    assert "SNS topic that its own target and Snowflake both subscribe to" in refused
    assert "widen it" in refused

    rules(at, TopicConfigurations=[{"Id": "lake", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}])
    assert "nothing to change" in at.run("step5-aws").stdout
    at.put("events", "a.gz", gzip.compress(event("a.gz", 0) + b"\n"))
    at.settle()
    assert at.sql("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS") == [(1,)]
    sqs = at.aws("sqs")
    url = sqs.get_queue_url(QueueName="lake")["QueueUrl"]
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert any("a.gz" in message["Body"] for message in got)
    assert [row for row in policy_of(at, topic)["Statement"] if row in theirs] == theirs
    at.assert_healthy()
    unnamed = without_topics(at)
    taken_out = " ".join(unnamed.run("replace-pipe", "--stream", "events", expect=2).stderr.split())
    assert f"listens to the topic {topic}, and the settings name none" in taken_out
    assert "set streams.events.sns_topic to the topic" in taken_out
    at.assert_healthy()
    at.run("down")
    left = [row for row in policy_of(at, topic)["Statement"] if row not in theirs]
    assert [row["Sid"] for row in left] == ["SnowpipeRunbookBucketPublishes"]  # the lake's queue needs it


def test_a_topic_that_comes_after_the_pipe(shared: tuple[Installation, str]) -> None:
    """The pipe is made anew for the topic; nothing is lost or doubled, whichever queue heard of it."""
    with_topic, _ = shared
    before = without_topics(with_topic)

    def arrives(name: str) -> None:
        before.put("events", name, gzip.compress(event(name, 0) + b"\n"))
        before.settle()

    before.run("up")
    arrives("queue.gz")
    refused = " ".join(with_topic.run("up", expect=4).stderr.split())
    assert "does not listen to" in refused
    assert "invoke replace-pipe --stream events" in refused
    arrives("still-the-queue.gz")
    assert before.sql("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS") == [(2,)]
    assert "step5.topic-reaches-the-pipes-queue" in with_topic.verify()["root_causes"]

    for name in ("events", "events_bad"):
        told = " ".join(with_topic.run("replace-pipe", "--stream", name, expect=4).stderr.split())
        assert "five minutes" in told
    arrives("topic.gz")
    with_topic.advance(minutes=6)
    for name in ("events", "events_bad"):
        with_topic.run("replace-pipe", "--stream", name)
    arrives("later.gz")
    with_topic.assert_healthy()
    rows = before.sql("SELECT _file FROM RAW.SNOWPLOW.EVENTS ORDER BY 1")
    names = ["later.gz", "queue.gz", "still-the-queue.gz", "topic.gz"]
    assert rows == [(before.stream("events").prefix + name,) for name in names]
    assert "nothing" in with_topic.run("replace-pipe", "--stream", "events").stdout
