"""Step 5, AWS: the bucket tells each pipe's queue about new files."""

from contextlib import suppress

import pytest

from checks.conftest import unless_the_settings_are_wrong
from runbook.errors import Absent, CannotTell, RunbookError
from runbook.facts import Facts
from runbook.facts.aws import CREATED, Bucket, BucketNotifications, Rule
from runbook.facts.delivery import NAMED, strangers
from runbook.facts.topic import Topic
from runbook.settings import Settings, Stream


@pytest.mark.needs("step4.pipe-exists", "step4.pipe-takes-notifications", "step1.bucket-region")
def check_queue_is_in_the_buckets_region(channel: str, bucket: Bucket, stream: Stream) -> None:
    """The pipe's queue is in the bucket's region.

    Remedy: DROP PIPE it and make it anew: invoke step4-snowflake step5-aws; or fan out by an SNS topic
    See: docs/runbook.md#queue-region
    """
    if stream.sns_topic:
        pytest.skip("a topic stands between them, and reaches other regions")
    region = channel.split(":")[3] if channel else "no queue"
    assert region == bucket.region, "S3 cannot notify a queue of another region"


@pytest.mark.needs("step5.queue-is-in-the-buckets-region")
def check_no_other_rule_takes_the_files(
    notifications: BucketNotifications, stream: Stream, channel: str
) -> None:
    """No rule of somebody else's takes files of the stream to another place.

    S3 takes no two rules that one file could match for one event, so ours cannot stand beside it.

    Remedy: narrow that rule, or fan out through an SNS topic; then run: invoke step5-aws
    See: docs/runbook.md#overlap
    """
    wanted, target = _wanted(stream), stream.sns_topic or channel
    served = any(rule.covers(stream) and rule.target == target for rule in notifications.rules)
    theirs = [rule for rule in notifications.rules if not rule.is_of(stream, target) and rule.touches(wanted)]
    found = [] if served else [f"{rule.id}: {_told(rule)}" for rule in theirs]
    assert found == [], "our rule would overlap with it, and S3 refuses that"


def check_rule_exists(
    facts: Facts, notifications: BucketNotifications, bucket: Bucket, stream: Stream
) -> None:
    """A rule of the bucket announces every new file of the stream.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    covering = [rule.id for rule in notifications.rules if rule.covers(stream)]
    named = _named(facts, notifications, stream)
    found = covering or ([named.id] if named else [])
    if not found and any(rule.touches(_wanted(stream)) for rule in notifications.rules):
        raise Absent("Room for our rule", asserted_by="step5.no-other-rule-takes-the-files")
    if not found and _out_of_reach(facts, stream, bucket):
        raise Absent("A queue S3 can notify", asserted_by="step5.queue-is-in-the-buckets-region")
    assert found != [], "new files are announced to nobody"


def _named(facts: Facts, notifications: BucketNotifications, stream: Stream) -> Rule | None:
    """The stream's own rule, whatever has become of it."""
    target = stream.sns_topic
    with suppress(RunbookError):  # then its Id must do
        target = target or facts.channel(stream)
    return notifications.of(stream, target)


def _wanted(stream: Stream) -> Rule:
    return Rule(stream.rule_id, "", "", frozenset({CREATED}), stream.prefix, stream.suffix)


def _out_of_reach(facts: Facts, stream: Stream, bucket: Bucket) -> bool:
    """Whether the pipe's queue is surely in another region than the bucket."""
    with suppress(RunbookError):  # then nobody can tell
        channel = facts.channel(stream)
        return bool(channel and not stream.sns_topic and channel.split(":")[3] != bucket.region)
    return False


@pytest.mark.needs("step5.rule-exists")
def check_rule_covers_the_stream(facts: Facts, notifications: BucketNotifications, stream: Stream) -> None:
    """The rule's prefix, suffix and events cover every new file of the stream.

    Remedy: invoke step5-aws
    See: docs/runbook.md#rule
    """
    covering = [rule for rule in notifications.rules if rule.covers(stream)]
    named = _named(facts, notifications, stream)
    wanted = f"{CREATED} under {stream.prefix}*{stream.suffix}"
    if not covering:
        unless_the_settings_are_wrong(
            facts, lambda made: any(rule.covers(made.stream(stream.name)) for rule in notifications.rules)
        )
        if named and _announces_what_arrives(named, facts, stream):
            asserted_by = "delivery.arriving-files-are-the-streams"
            raise Absent(f"A file that ends in {stream.suffix}", asserted_by=asserted_by)
    observed = _told(named) if named and not covering else wanted
    assert observed == wanted, "some new files are announced to nobody"


def _announces_what_arrives(rule: Rule, facts: Facts, stream: Stream) -> bool:
    """Whether nothing that arrives ends as the settings say, and all of it as the rule does."""
    with suppress(CannotTell):
        listing = facts.listing(stream)
        arriving = strangers(stream, listing, facts.now) if listing else []
        return arriving != [] and all(name.endswith(rule.suffix) for name in arriving[:NAMED])
    return False


@pytest.mark.needs(
    "step5.rule-exists",
    "step5.rule-covers-the-stream",
    "step5.no-other-rule-takes-the-files",
    "step5.queue-is-in-the-buckets-region",
    "step4.pipe-exists",
)
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

    Remedy: where the pipe was made without the topic, invoke replace-pipe --stream STREAM; else as documented
    See: docs/runbook.md#sns-subscription
    """
    assert topic.reaches(channel), "the topic tells everybody but the pipe"


def _told(rule: Rule) -> str:
    return f"{', '.join(sorted(rule.events))} under {rule.prefix}*{rule.suffix}"
