"""Step 5, AWS: tell the pipes about new files.

Documented as: configure the S3 event notification, with the Snowpipe's SQS queue ARN as target.
S3 replaces a bucket's whole notification document on every write, so everything that is not
ours is written back as it was read.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from runbook.errors import Blocked, CannotTell, Refused
from runbook.facts import Facts
from runbook.facts.topic import is_topic
from runbook.plan import AwsChange, Before, Change
from runbook.policies.documents import Document
from runbook.settings import Stream
from runbook.wanted.rules import BucketNotifications, Rule, queue_rule, silent_events, topic_rule

READ = "GetBucketNotificationConfiguration"
QUEUES = "QueueConfigurations"
MOST_RULES = 100  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html


def plan(facts: Facts) -> Iterator[Change]:
    """Add the streams' rules to their buckets' event notifications: one document a bucket."""
    yield from plan_rules(facts, facts.settings.streams)


def plan_rules(facts: Facts, streams: tuple[Stream, ...]) -> Iterator[Change]:
    """The same for some streams; the others' rules stay as they are."""
    changes = [_of_bucket(facts, name, streams) for name in dict.fromkeys(each.bucket for each in streams)]
    yield from (change for change in changes if change)  # what is refused of one is refused before any


def refuse_others(facts: Facts) -> None:
    """Raises Refused where others' rules leave no room for ours, whatever queue a new pipe gets. Only reads.

    A rule to a queue of Snowpipe's may be to the new pipe's own, for an account has one: where all such rules
    together tell of every file of the stream, no other is needed.
    """
    for stream in facts.settings.streams:
        if stream.sns_topic or facts.pipe(stream) is not None:
            continue
        with suppress(CannotTell):  # whoever may not look is told at step 5
            _refuse_no_room(facts, stream, facts.notifications_of(stream.bucket) or BucketNotifications())


def _refuse_no_room(facts: Facts, stream: Stream, have: BucketNotifications) -> None:
    mine = [rule for each in facts.settings.streams if (rule := have.of(each, None))]
    [ours] = BucketNotifications({QUEUES: [queue_rule(stream, "")]}).rules
    for theirs in have.rules:
        if theirs in mine or not theirs.touches(ours):
            continue
        together = [rule for rule in have.rules if rule.target == theirs.target]
        if ":sf-snowpipe-" not in theirs.target or silent_events(together, stream):
            raise _clash(stream.bucket, theirs, ours)


def _of_bucket(facts: Facts, name: str, streams: tuple[Stream, ...]) -> Change | None:
    """What one bucket's document lacks of the streams that have their files there."""
    have = facts.notifications_of(name)
    if have is None or facts.bucket_named(name) is None:
        setting = "aws.bucket" if name == facts.settings.aws.bucket else "the stream's bucket"
        raise Refused(
            f"The bucket {name} does not exist",
            why="the runbook never creates a bucket",
            remedy=f"correct {setting}, or create it",
        )
    rules = _rules(facts, have, tuple(stream for stream in streams if stream.bucket == name))
    want = have.with_rules(rules)
    if want == have.document or _only_order_differs(want, have):
        return None
    _refuse_clashes(name, have, want, rules)
    owner = {"Bucket": name, "ExpectedBucketOwner": facts.settings.aws.account_id}
    return AwsChange(
        "s3",
        "PutBucketNotificationConfiguration",
        {**owner, "NotificationConfiguration": want},
        why=_difference(have, rules),
        before=Before(READ, owner, have.document),
    )


def _rules(facts: Facts, have: BucketNotifications, streams: tuple[Stream, ...]) -> dict[str, Document]:
    """Our rules by Id; a stream whose files already reach the right queue or topic needs none.

    A rule of ours whose Id names no account, or that somebody renamed, keeps its Id.
    """
    found: dict[str, Document] = {}
    for stream in streams:
        queue = _queue(facts, stream)
        _refuse_a_deaf_pipe(facts, stream, queue)
        target = stream.sns_topic or queue
        if not stream.sns_topic and is_topic(queue):
            _refuse_an_unnamed_topic(have, stream, queue)
            continue
        mine = have.of(stream, target)
        rule_id = mine.id if mine else stream.rule_id
        if _already_told(have, stream, target, rule_id):
            continue
        row = topic_rule(stream, stream.sns_topic) if stream.sns_topic else queue_rule(stream, queue)
        found[rule_id] = {**row, "Id": rule_id}
    return found


def _queue(facts: Facts, stream: Stream) -> str:
    queue = facts.channel(stream)
    if not queue:
        raise Blocked(
            f"The queue of the pipe {stream.pipe} is not there", by_step=4, remedy="invoke step4-snowflake"
        )
    region, bucket = queue.split(":")[3], facts.bucket_named(stream.bucket)
    if bucket and region != bucket.region and not stream.sns_topic:
        raise Refused(
            f"The queue of {stream.pipe} is in {region}, the bucket in {bucket.region}",
            why="S3 only notifies queues of the bucket's own region",
            remedy=f"correct {facts.settings.aws.region_key(stream.bucket)}, or set "
            f"streams.{stream.name}.sns_topic (docs/runbook.md#sns)",
        )
    return queue


def _refuse_a_deaf_pipe(facts: Facts, stream: Stream, queue: str) -> None:
    """A rule to a topic that the pipe does not listen to would end delivery without a word."""
    topic = facts.topic(stream.sns_topic) if stream.sns_topic else None
    if topic is not None and not topic.reaches(queue):
        raise Refused(
            f"The pipe {stream.pipe} does not listen to {topic.arn}",
            why="it was made without that topic, or the subscription was deleted; with a rule to the topic "
            "its new files would be announced to nobody",
            remedy=f"invoke replace-pipe --stream {stream.name}; where the subscription was deleted, "
            "docs/runbook.md#sns-subscription",
        )


def _refuse_an_unnamed_topic(have: BucketNotifications, stream: Stream, topic: str) -> None:
    """A pipe that listens to a topic takes no rule to a queue; one whose topic is told already needs none."""
    if silent_events([rule for rule in have.rules if rule.target == topic], stream):
        raise Refused(
            f"The pipe {stream.pipe} listens to the topic {topic}, and the settings name none",
            why="a rule to a queue would end delivery without a word",
            remedy=f"set streams.{stream.name}.sns_topic to it; or have the pipe read a queue of its own: "
            f"invoke replace-pipe --stream {stream.name}",
        )


def refuse_without_a_rule(facts: Facts, stream: Stream, topic: str) -> None:
    """Refuse before a pipe leaves its topic where the bucket has no room for a rule to a queue. Only reads.

    The new pipe's queue is not known yet; a rule of somebody's to a queue of Snowpipe's may be to that one.
    """
    have = facts.notifications_of(stream.bucket) or BucketNotifications()
    mine, [ours] = have.of(stream, topic), BucketNotifications({QUEUES: [queue_rule(stream, "")]}).rules
    for theirs in have.rules:
        if theirs != mine and theirs.touches(ours) and ":sf-snowpipe-" not in theirs.target:
            raise Refused(
                f"The pipe {stream.pipe} listens to the topic {topic}, and the settings name none",
                why=f"the new pipe would have a queue of its own, and the rule {theirs.id!r} of "
                f"{stream.bucket} leaves no room for a rule to that: new files would be announced to nobody",
                remedy=f"set streams.{stream.name}.sns_topic to the topic; or narrow that rule first "
                "(docs/runbook.md#overlap)",
            )


def _already_told(have: BucketNotifications, stream: Stream, target: str, own: str) -> bool:
    theirs = [rule for rule in have.rules if rule.id != own and rule.target == target]
    return silent_events(theirs, stream) == []


def _only_order_differs(want: Document, have: BucketNotifications) -> bool:
    if want.keys() != have.document.keys():
        return False
    return all(_same_rows(rows, have.document[kind]) for kind, rows in want.items())


def _same_rows(want: Any, have: Any) -> bool:
    if not isinstance(want, list):
        return bool(want == have)
    return len(want) == len(have) and all(row in have for row in want)


def _refuse_clashes(
    bucket: str, have: BucketNotifications, want: Document, rules: dict[str, Document]
) -> None:
    after = BucketNotifications(want)
    for theirs in have.rules:
        for rule_id in rules:
            ours = after.rule(rule_id)
            if ours and theirs.id not in rules and theirs.touches(ours):
                raise _clash(bucket, theirs, ours)
    if len(after.rules) > MOST_RULES:
        raise Refused(
            f"The bucket {bucket} would have {len(after.rules)} notification rules; S3 allows {MOST_RULES}"
        )


def _clash(bucket: str, theirs: Rule, ours: Rule) -> Refused:
    return Refused(
        f"The rule {theirs.id!r} of {bucket} already takes {', '.join(sorted(theirs.events))} "
        f"under {theirs.prefix or 'the whole bucket'}*{theirs.suffix}",
        why=f"S3 allows no second rule for an event under {ours.prefix}; theirs goes to {theirs.target}",
        remedy="narrow that rule to other folders; or, if it must see these files too, let it send to an SNS "
        "topic that its own target and Snowflake both subscribe to, and set the stream's sns_topic; or, if "
        "it goes to Snowflake's queue already, widen it to s3:ObjectCreated:* (docs/runbook.md#overlap)",
    )


def _difference(have: BucketNotifications, rules: dict[str, Document]) -> str:
    missing = [rule_id for rule_id in rules if have.rule(rule_id) is None]
    if missing:
        return f"no rule {', '.join(missing)}"
    return "a rule of ours is not what its pipe needs"
