"""Step 5 taken back, AWS: our rules out of the bucket's event notifications."""

from collections.abc import Iterator
from contextlib import suppress

from runbook.errors import Blocked, CannotTell
from runbook.facts import Facts
from runbook.facts.neighbours import queue_of
from runbook.facts.topic import is_topic
from runbook.plan import AwsChange, Before, Change
from runbook.settings import Stream
from runbook.steps.step5_aws import READ
from runbook.wanted.rules import BucketNotifications, Rule


def plan(facts: Facts) -> Iterator[Change]:
    """Write each bucket's document back without the streams' rules; a bucket that is gone has none."""
    yield from plan_streams(facts, (*facts.settings.streams, *facts.left_over))


def plan_streams(facts: Facts, streams: tuple[Stream, ...]) -> Iterator[Change]:
    """The same for some streams."""
    if facts.settings.is_terraforms(5):
        return
    for bucket in sorted({stream.bucket for stream in streams if stream.bucket}):
        have = facts.notifications_of(bucket)
        if have is not None:
            yield from _without(facts, bucket, have, streams)


def _without(
    facts: Facts, bucket: str, have: BucketNotifications, streams: tuple[Stream, ...]
) -> Iterator[Change]:
    every = [each for each in (*facts.settings.streams, *facts.left_over) if each.bucket == bucket]
    staying = [each for each in every if each not in streams]
    going = {
        rule.id: rule
        for stream in streams
        if stream.bucket == bucket
        for rule in have.rules
        if rule.is_of(stream, _target(facts, stream)) and not _tells_any(rule, facts, staying)
    }
    present = sorted(name for name, rule in going.items() if not needed_by(facts, bucket, rule))
    if not present:
        return
    owner = {"Bucket": bucket, "ExpectedBucketOwner": facts.settings.aws.account_id}
    yield AwsChange(
        "s3",
        "PutBucketNotificationConfiguration",
        {**owner, "NotificationConfiguration": have.without_rules(set(present))},
        why=f"without {', '.join(present)}",
        before=Before(READ, owner, have.document),
    )


def _tells_any(rule: Rule, facts: Facts, streams: list[Stream]) -> bool:
    """Whether a stream that stays is told of its files by this rule: of the same folder and queue."""
    for stream in streams:
        target = None
        with suppress(Blocked, CannotTell):
            target = _target(facts, stream)
        if rule.is_of(stream, target):
            return True
    return False


def _target(facts: Facts, stream: Stream) -> str | None:
    return stream.sns_topic or facts.channel(stream)


def needed_by(facts: Facts, bucket: str, rule: Rule) -> list[str]:
    """Who else the rule tells about new files: others' pipes in the account, other accounts' on the topic.

    Of an account that is not ours only the queue can be seen, by Snowpipe's way to name it.
    """
    place, topic = f"://{bucket}/", facts.topic(rule.target) if is_topic(rule.target) else None
    mine = {queue_of(facts, stream) for stream in facts.settings.streams if stream.sns_topic == rule.target}
    pipes = [
        other.name
        for other in facts.neighbours
        if other.channel in {rule.target, *mine}
        and place in other.url
        and _meet(other.url.partition(place)[2], rule.prefix)
    ]
    queues = sorted(topic.queues - mine) if topic else ()
    return pipes or [f"the queue {queue}" for queue in queues if ":sf-snowpipe-" in queue]


def _meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
