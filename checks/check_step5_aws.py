"""Step 5, AWS: the bucket tells each pipe's queue about new files."""

import pytest

from runbook.facts.aws import Bucket, BucketNotifications
from runbook.facts.topic import Topic
from runbook.settings import Settings, Stream


@pytest.mark.needs("step4.pipe-exists")
def check_queue_is_in_the_buckets_region(channel: str, bucket: Bucket, stream: Stream) -> None:
    """The pipe's queue is in the bucket's region.

    Remedy: correct aws.region in the settings, or send the events through an SNS topic
    See: docs/runbook.md#queue-region
    """
    if stream.sns_topic:
        pytest.skip("a topic stands between them, and reaches other regions")
    assert channel.split(":")[3:4] == [bucket.region], "S3 cannot notify a queue of another region"


def check_rule_exists(notifications: BucketNotifications, stream: Stream) -> None:
    """A rule of the bucket announces every new file of the stream.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    covering = [rule.id for rule in notifications.rules if rule.covers(stream)]
    named = notifications.rule(stream.rule_id)
    found = covering or ([named.id] if named else [])
    assert found != [], "new files are announced to nobody"


@pytest.mark.needs("step5.rule-exists")
def check_rule_covers_the_stream(notifications: BucketNotifications, stream: Stream) -> None:
    """The rule's prefix, suffix and events cover every new file of the stream.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    covering = [rule for rule in notifications.rules if rule.covers(stream)]
    named = notifications.rule(stream.rule_id)
    observed = (
        f"{sorted(named.events)} {named.prefix}*{named.suffix}" if named and not covering else "covered"
    )
    assert observed == "covered", f"files under {stream.prefix}*{stream.suffix} are not all announced"


@pytest.mark.needs("step5.rule-exists", "step5.rule-covers-the-stream", "step4.pipe-exists")
def check_rule_reaches_the_pipes_queue(
    notifications: BucketNotifications, stream: Stream, channel: str
) -> None:
    """The rule sends to the queue the pipe reads, or to the topic it is subscribed to.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    targets = sorted({rule.target for rule in notifications.rules if rule.covers(stream)})
    assert (stream.sns_topic or channel) in targets, "the events go to a queue the pipe does not read"


@pytest.mark.needs("step3.topic-exists")
def check_topic_lets_the_bucket_publish(topic: Topic, settings: Settings) -> None:
    """The topic's policy lets S3 publish the bucket's events.

    Remedy: invoke step3-aws
    See: docs/runbook.md#sns
    """
    assert topic.lets_publish(settings), "S3 drops the events without a word"


@pytest.mark.needs("step3.topic-exists", "step4.pipe-exists")
def check_topic_reaches_the_pipes_queue(topic: Topic, channel: str) -> None:
    """The queue the pipe reads is subscribed to the topic.

    Remedy: drop the pipe and make it anew by the procedure in the documentation
    See: docs/runbook.md#sns-subscription
    """
    assert channel in topic.queues, "the topic tells everybody but the pipe"
