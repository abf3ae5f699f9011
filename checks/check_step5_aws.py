"""Step 5, AWS: the bucket tells each pipe's queue about new files."""

import pytest

from runbook.facts.aws import Bucket, BucketNotifications
from runbook.settings import Stream


@pytest.mark.needs("step4.pipe-exists")
def check_queue_is_in_the_buckets_region(channel: str, bucket: Bucket) -> None:
    """The pipe's queue is in the bucket's region.

    Remedy: correct aws.region in the settings, or send the events through an SNS topic
    See: docs/runbook.md#queue-region
    """
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
    """The rule sends to the queue the pipe reads.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    targets = sorted({rule.target for rule in notifications.rules if rule.covers(stream)})
    assert channel in targets, "the events go to a queue the pipe does not read"
