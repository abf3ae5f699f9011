"""Step 5, AWS: the bucket tells each pipe's queue about new files."""

from contextlib import suppress
from datetime import timedelta

import pytest

from checks.conftest import (
    NO_TOPIC,
    advice,
    goes_past_the_topic,
    mended_by,
    there,
    unless_past_the_topic,
    unless_the_settings_are_wrong,
)
from runbook.claims import check
from runbook.errors import Absent, CannotTell, RunbookError
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.delivery import NAMED, strangers, unheard
from runbook.facts.objects import StagedFile
from runbook.facts.snowflake import LOAD_HISTORY_DAYS
from runbook.facts.topic import Topic
from runbook.remedy import STREAM, invoke, remedy
from runbook.settings import Settings, Stream
from runbook.wanted.rules import (
    COPIED,
    CREATED,
    IN_PARTS,
    POST,
    PUT,
    BucketNotifications,
    Rule,
    silent_events,
)


@check(
    remedy=(
        "DROP PIPE it",
        invoke("step4-snowflake", "step5-aws", lead=" and create it again: "),
        "; or fan out by an SNS topic",
    ),
    see="queue-region",
    needs=(
        "step4.pipe-exists",
        "step4.pipe-takes-notifications",
        "step1.bucket-region",
    ),
)
def check_queue_is_in_the_buckets_region(channel: str, bucket: Bucket, stream: Stream) -> None:
    """The pipe's queue is in the bucket's region."""
    if stream.sns_topic:
        pytest.skip("a topic stands between them, and reaches other regions")
    region = channel.split(":")[3] if channel else "no queue"
    assert region == bucket.region, "S3 cannot notify a queue of another region"


WIDEN = remedy(
    "widen that rule, which goes to the pipe, to s3:ObjectCreated:* of the whole folder, or delete it",
    invoke("step5-aws", lead="; then run: "),
)


@check(
    remedy=("narrow that rule, or fan out through an SNS topic", invoke("step5-aws", lead="; then run: ")),
    see="overlap",
    needs=("step5.queue-is-in-the-buckets-region",),
)
def check_no_other_rule_takes_the_files(
    facts: Facts, notifications: BucketNotifications, stream: Stream, channel: str
) -> None:
    """No rule of somebody else's takes files of the stream to another place.

    S3 takes no two rules that one file could match for one event, so ours cannot stand beside it.
    """
    ours, wanted, target = facts.settings.is_ours, _wanted(stream), stream.sns_topic or channel
    reaching = [rule for rule in notifications.rules if rule.target == target]
    others = [rule for rule in notifications.rules if not rule.is_of(stream, target)]
    theirs = [rule for rule in others if rule.touches(wanted) and (ours or rule not in reaching)]
    told = bool(theirs) and not ours and _every_file_was_told(reaching, facts, stream)
    served = silent_events(reaching, stream) == [] or told
    found = [] if served else [f"{rule.id}: {_told(rule)}" for rule in theirs]
    with mended_by(WIDEN, only=ours and all(rule.target == target for rule in theirs)):
        assert found == [], "our rule would overlap with it, and S3 refuses that"


@check(remedy=invoke("step5-aws"), see="rule")
def check_rule_exists(
    facts: Facts, notifications: BucketNotifications, bucket: Bucket, settings: Settings, stream: Stream
) -> None:
    """A rule of the bucket announces the stream's new files."""
    _unless_by_eventbridge(facts, notifications, settings, stream)
    named = _named(facts, notifications, stream)
    found = [rule.id for rule in _about(notifications, facts, stream)] or ([named.id] if named else [])
    if not found and any(rule.touches(_wanted(stream)) for rule in notifications.rules):
        raise Absent("Room for our rule", asserted_by="step5.no-other-rule-takes-the-files")
    if not found and _out_of_reach(facts, stream, bucket):
        raise Absent("A queue S3 can notify", asserted_by="step5.queue-is-in-the-buckets-region")
    assert found != [], "new files are announced to nobody"


def _unless_by_eventbridge(
    facts: Facts, notifications: BucketNotifications, settings: Settings, stream: Stream
) -> None:
    """Skips where others' bucket tells EventBridge, and no rule of its own tells the pipe."""
    theirs = not settings.is_ours and notifications.go_to_eventbridge
    if theirs and not _about(notifications, facts, stream):
        pytest.skip("the bucket tells EventBridge, whose rules are not looked at; the files are")


def _about(notifications: BucketNotifications, facts: Facts, stream: Stream) -> list[Rule]:
    """The rules for the stream's files: whole, or in others' installation for a part of them."""
    whole = [rule for rule in notifications.rules if rule.covers(stream)]
    together = silent_events(notifications.rules, stream) == []
    if whole or (facts.settings.is_ours and not together):
        return whole
    return [rule for rule in notifications.rules if rule.touches(_wanted(stream))]


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


@check(remedy=invoke("step5-aws"), see="rule", needs=("step5.rule-exists",))
def check_rule_covers_the_stream(
    facts: Facts, notifications: BucketNotifications, settings: Settings, stream: Stream
) -> None:
    """The rules' prefixes, suffixes and events cover every new file of the stream, together.

    In what others made, rules for some ways of arriving or some subfolders are right as long as every file
    that arrived is of those.
    """
    _unless_by_eventbridge(facts, notifications, settings, stream)
    rules = _about(notifications, facts, stream) or list(notifications.rules)
    silent = silent_events(rules, stream)
    named = _named(facts, notifications, stream)
    wanted = f"{CREATED} under {stream.prefix}*{stream.suffix}"
    if silent and settings.is_ours and not named and any(rule.touches(_wanted(stream)) for rule in rules):
        raise Absent("Room for our rule", asserted_by="step5.no-other-rule-takes-the-files")
    if silent:
        unless_the_settings_are_wrong(
            facts, lambda made: silent_events(notifications.rules, made.stream(stream.name)) == []
        )
        if named and _announces_what_arrives(named, facts, stream):
            asserted_by = "delivery.arriving-files-are-the-streams"
            raise Absent(f"A file that ends in {stream.suffix}", asserted_by=asserted_by)
    observed = "; ".join(map(_told, [named] if named else rules)) if silent else wanted
    with advice(only=bool(silent) and not settings.is_ours and _every_file_was_told(rules, facts, stream)):
        assert observed == wanted, "some new files are announced to nobody"


def _every_file_was_told(rules: list[Rule], facts: Facts, stream: Stream) -> bool:
    """Whether some rule is for each file that arrived lately, whole or in parts."""
    with suppress(CannotTell):
        listing = facts.listing(stream)
        since = facts.now - timedelta(days=LOAD_HISTORY_DAYS)
        files = [f for f in listing.files if stream.takes(f.key) and f.modified > since] if listing else []
        return bool(files) and all(_was_told(rules, file) for file in files)
    return False


def _was_told(rules: list[Rule], file: StagedFile) -> bool:
    """Whether a rule is for this file; the ETag of an upload in parts has a dash.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    way = {IN_PARTS} if "-" in file.etag else {PUT, POST, COPIED}
    return any(rule.takes(file.key) and rule.events & {CREATED, *way} for rule in rules)


def _announces_what_arrives(rule: Rule, facts: Facts, stream: Stream) -> bool:
    """Whether nothing that arrives ends as the settings say, and all of it as the rule does."""
    with suppress(CannotTell):
        listing = facts.listing(stream)
        arriving = strangers(stream, listing, facts.now) if listing else []
        return arriving != [] and all(name.endswith(rule.suffix) for name in arriving[:NAMED])
    return False


@check(
    remedy=invoke("step5-aws"),
    see="rule",
    needs=(
        "step5.rule-exists",
        "step5.rule-covers-the-stream",
        "step5.no-other-rule-takes-the-files",
        "step5.queue-is-in-the-buckets-region",
        "step4.pipe-exists",
        "step3.topic-exists",
    ),
)
def check_rule_reaches_the_pipes_queue(
    facts: Facts, notifications: BucketNotifications, settings: Settings, stream: Stream, channel: str
) -> None:
    """The rules send to the queue the pipe reads, or to the topic it is subscribed to."""
    _unless_by_eventbridge(facts, notifications, settings, stream)
    rules, wanted = _about(notifications, facts, stream), stream.sns_topic or channel
    targets = sorted({rule.target for rule in rules})
    if silent_events(rules, stream) == []:  # those that reach it must do alone
        rules = [rule for rule in rules if rule.target == wanted]
        targets = targets if silent_events(rules, stream) else [wanted]
    with unless_past_the_topic(facts, stream):
        assert wanted in targets, "the events go to a queue the pipe does not read"


KEY_FOR_S3 = remedy(
    "have the topic's owner encrypt it with a key of their own whose policy lets s3.amazonaws.com "
    "kms:GenerateDataKey and kms:Decrypt, or with none"
)


WITHOUT_THE_CONDITION = remedy(
    "have the topic's owner exempt s3.amazonaws.com from that condition",
    invoke("refresh", "--stream", STREAM, lead="; then: "),
)
KEY_BACK = remedy(
    "enable the topic's key in KMS, or cancel its deletion; or have the topic's owner encrypt it with "
    "another that lets S3 in"
)


@check(remedy=invoke("step3-aws"), see="sns", needs=("step3.topic-exists",))
def check_topic_lets_the_bucket_publish(
    facts: Facts, topic: Topic, notifications: BucketNotifications, settings: Settings, stream: Stream
) -> None:
    """The topic's policy lets S3 publish the bucket's events, or EventBridge, where that tells it of them.

    Where the topic is encrypted, its key must be enabled, and let S3 in too. What depends on a condition only
    AWS can judge is wrong where the pipe was not notified of the newest file.
    Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    by_rule = any(rule.target == topic.arn for rule in notifications.rules)
    if not by_rule and notifications.go_to_eventbridge and topic.takes_from_eventbridge:
        return
    refused = topic.lets_publish(settings) is False
    with unless_past_the_topic(facts, stream):
        assert not refused, "S3 drops the events without a word"
    doubtful = topic.undecided(settings)
    doubtful = doubtful if doubtful and _is_unheard(facts, stream) else []
    with mended_by(WITHOUT_THE_CONDITION):
        assert doubtful == [], (
            "the pipe was not notified of the newest file, and S3 may not meet the condition"
        )
    key = facts.topic_key(topic)
    dead = [f"{topic.key} is {key.state}"] if key and key.state != "Enabled" else []
    with mended_by(KEY_BACK):
        assert dead == [], "nobody can encrypt for the topic, and S3 drops the events without a word"
    shut = [topic.key] if topic.key_refuses_s3(key, settings) else []
    with mended_by(KEY_FOR_S3):
        assert shut == [], (
            "S3 may not encrypt for the topic with that key, and drops the events without a word"
        )


WITH_IT = invoke("replace-pipe", "--stream", STREAM, lead="; or have the pipe made with it, after step 3: ")


@check(
    remedy=(
        "where the pipe was made without the topic",
        invoke("replace-pipe", "--stream", STREAM, lead=", "),
        "; else as documented",
    ),
    see="sns-subscription",
    needs=("step3.topic-exists", "step4.pipe-exists"),
)
def check_topic_reaches_the_pipes_queue(facts: Facts, stream: Stream, channel: str) -> None:
    """The queue the pipe reads is subscribed to the topic."""
    if not stream.sns_topic:
        pytest.skip(NO_TOPIC)
    beside = "the pipe has a queue of its own, and rules of the bucket tell it of every new file"
    way = channel if goes_past_the_topic(facts, stream) else stream.sns_topic
    with mended_by(remedy(f"take streams.{stream.name}.sns_topic out of the settings", WITH_IT)):
        assert way == stream.sns_topic, beside
    topic = there(facts.topic(stream.sns_topic), "The topic", "step3.topic-exists")
    assert topic.reaches(channel), "the topic tells everybody but the pipe"


def _is_unheard(facts: Facts, stream: Stream) -> bool:
    """Whether the pipe was surely not notified of the newest file."""
    with suppress(RunbookError):
        listing, status, pipe = facts.listing(stream), facts.pipe_status(stream), facts.pipe(stream)
        if listing and not listing.error and status and pipe:
            return unheard(stream, listing, status, pipe, facts.now, facts.settings.checks) != []
    return False


def _told(rule: Rule) -> str:
    return f"{', '.join(sorted(rule.events))} under {rule.prefix}*{rule.suffix}"
