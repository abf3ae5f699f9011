"""Step 5 plans, given these facts, these changes: the bucket's event notifications."""

# ruff: noqa: E501 (a table has one row a line)

import pytest

from runbook.errors import Refused
from runbook.facts.aws import Bucket
from runbook.facts.topic import Topic
from runbook.plan import AwsChange, Before, plan_step
from runbook.settings import read
from runbook.steps import STEPS
from runbook.steps.others import refuse_others
from runbook.steps.step5_aws import refuse_without_a_rule
from runbook.wanted.rules import BucketNotifications, queue_rule, topic_rule
from tests.unit.conftest import written
from tests.unit.observed import QUEUE, Known, healthy, pipe
from tests.unit.planned import changes

OWNER = {"Bucket": "snowplow-sandbox", "ExpectedBucketOwner": "111122223333"}
THEIRS = {
    "Id": "thumbnails",
    "LambdaFunctionArn": "arn:aws:lambda:us-west-2:111122223333:function:t",
    "Events": ["s3:ObjectCreated:*"],
    "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "images/"}]}},
}


def put(before, after, why):
    return [
        AwsChange(
            "s3",
            "PutBucketNotificationConfiguration",
            {**OWNER, "NotificationConfiguration": after},
            why=why,
            before=Before("GetBucketNotificationConfiguration", OWNER, before),
        )
    ]


OURS = "snowpipe-runbook:SANDBOXORG-SANDBOX:RAW.SNOWPLOW"
NO_RULE = f"no rule {OURS}.EVENTS_PIPE, {OURS}.EVENTS_BAD_PIPE"


def test_from_nothing_one_rule_a_stream(settings, found, facts):
    found["notifications"] = BucketNotifications()
    rules = [queue_rule(stream, QUEUE) for stream in settings.streams]
    assert changes(5, facts(found)) == put({}, {"QueueConfigurations": rules}, NO_RULE)


def test_keeps_what_is_there(settings, found, facts):
    other = {"Id": "q", "QueueArn": "arn:aws:sqs:us-west-2:1:q", "Events": ["s3:ObjectRemoved:*"]}
    before = {
        "EventBridgeConfiguration": {},
        "LambdaFunctionConfigurations": [THEIRS],
        "QueueConfigurations": [other],
    }
    found["notifications"] = BucketNotifications(before)
    rules = [queue_rule(stream, QUEUE) for stream in settings.streams]
    assert changes(5, facts(found)) == put(
        before, {**before, "QueueConfigurations": [other, *rules]}, NO_RULE
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"QueueArn": "arn:aws:sqs:us-west-2:1:old"}, "a rule of ours is not what its pipe needs"),
        ({"Events": ["s3:ObjectCreated:Put"]}, "a rule of ours is not what its pipe needs"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "old/"}]}}}, "a rule of ours is not what its pipe needs"),
        ({"Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}, f"no rule {OURS}.EVENTS_PIPE"),
    ],
)  # fmt: skip
def test_a_rule_that_drifted_is_put_right(settings, found, facts, changed, why):
    events, bad = (queue_rule(stream, QUEUE) for stream in settings.streams)
    spoilt = {**events, **changed}
    before = {"QueueConfigurations": [spoilt, bad]}
    found["notifications"] = BucketNotifications(before)
    kept = [spoilt] if changed.get("Id") else []
    after = {"QueueConfigurations": [*kept, events, bad]}
    assert changes(5, facts(found)) == put(before, after, why)


def test_another_order_is_no_drift(settings, found, facts):
    rules = [queue_rule(stream, QUEUE) for stream in settings.streams]
    found["notifications"] = BucketNotifications({"QueueConfigurations": rules[::-1]})
    assert changes(5, facts(found)) == []


def test_a_rule_of_theirs_to_the_same_queue_is_enough(settings, found, facts):
    whole = {"Id": "by hand", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}
    for document in (
        {"QueueConfigurations": [whole]},
        {"QueueConfigurations": [whole], "EventBridgeConfiguration": {}},
    ):
        found["notifications"] = BucketNotifications(document)
        assert changes(5, facts(found)) == []


@pytest.mark.parametrize(
    "theirs",
    [
        {"Id": "all", "QueueArn": "arn:aws:sqs:us-west-2:1:lake", "Events": ["s3:ObjectCreated:*"]},
        {"Id": "put", "QueueArn": "arn:aws:sqs:us-west-2:1:lake", "Events": ["s3:ObjectCreated:Put"]},
        {"Id": "half", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:Put"]},
    ],
)
def test_a_rule_of_theirs_that_s3_allows_no_second_beside_is_refused(found, facts, theirs):
    found["notifications"] = BucketNotifications({"QueueConfigurations": [theirs]})
    with pytest.raises(
        Refused, match=f"The rule '{theirs['Id']}' .*theirs goes to {theirs['QueueArn']}.*SNS"
    ):
        changes(5, facts(found))


@pytest.mark.parametrize(
    ("theirs", "leaves_room"),
    [
        ({"Id": "lake", "QueueArn": "arn:aws:sqs:us-west-2:1:lake", "Events": ["s3:ObjectCreated:*"]}, False),
        ({"Id": "half", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:Put"]}, False),
        (
            {**queue_rule(read(written()).streams[0], QUEUE), "Id": "inner", "Filter": {"Key": {"FilterRules": [
                {"Name": "Prefix", "Value": f"{read(written()).streams[0].prefix}sub/"}]}}},
            False,
        ),
        ({"Id": "whole", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}, True),
        ({**queue_rule(read(written()).streams[0], QUEUE)}, True),  # left by a pipe of ours that was dropped
        ({"Id": "removed", "QueueArn": "arn:aws:sqs:us-west-2:1:lake", "Events": ["s3:ObjectRemoved:*"]}, True),
    ],
)  # fmt: skip
def test_what_leaves_no_room_is_refused_before_up_changes_anything(absent, found, facts, theirs, leaves_room):
    """A new pipe's queue is not known yet; where a rule clashes with any of them, `up` need not begin."""
    absent["notifications"] = BucketNotifications({"QueueConfigurations": [theirs]})
    if leaves_room:
        refuse_others(facts(absent), (5,))
        return
    with pytest.raises(Refused, match=f"The rule '{theirs['Id']}'"):
        refuse_others(facts(absent), (5,))
    found["notifications"] = absent["notifications"]
    refuse_others(facts(found), (5,))  # a pipe that is there: step 5 itself, which knows its queue, says so


def test_a_clash_of_another_kind_of_target_is_refused_too(settings, found, facts):
    wide = {**THEIRS, "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "snowplow/"}]}}}
    found["notifications"] = BucketNotifications({"LambdaFunctionConfigurations": [wide]})
    with pytest.raises(Refused, match="thumbnails"):
        changes(5, facts(found))


def test_more_rules_than_s3_allows_are_refused(found, facts):
    many = [
        {**THEIRS, "Id": str(n), "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": f"i{n}x/"}]}}}
        for n in range(99)
    ]
    found["notifications"] = BucketNotifications({"LambdaFunctionConfigurations": many})
    with pytest.raises(Refused, match="would have 101 notification rules; S3 allows 100"):
        changes(5, facts(found))


def test_a_queue_of_another_region_is_refused(settings, found, facts):
    found["bucket"] = Bucket("snowplow-sandbox", "eu-west-1")
    with pytest.raises(Refused, match="is in us-west-2, the bucket in eu-west-1"):
        changes(5, facts(found))


@pytest.mark.parametrize("missing", ["bucket", "notifications"])
def test_a_bucket_that_is_not_there_is_never_made(found, facts, missing):
    found[missing] = None
    with pytest.raises(Refused, match="The bucket snowplow-sandbox does not exist"):
        changes(5, facts(found))


@pytest.mark.parametrize("channel", [None, "gone"])
def test_is_blocked_until_there_is_a_queue(settings, found, facts, channel):
    stream = settings.stream("events_bad")
    pipes = {name: row for name, row in found["pipes"].items() if name != stream.pipe.name}
    if channel is None:
        pipes[stream.pipe.name] = pipe(settings, stream, notification_channel=None)
    found["pipes"] = pipes
    plan = plan_step(STEPS[4], facts(found))
    assert (plan.blocked.by_step, plan.changes) == (4, ())


def test_prefixes_are_compared_as_s3_matches_them(settings):
    settings = read(written(streams__events__prefix="date=1/a b/"))
    found = healthy(settings)
    rows = found["notifications"].document["QueueConfigurations"]
    assert rows[0]["Filter"]["Key"]["FilterRules"][0]["Value"] == "date%3D1/a+b/"
    assert changes(5, Known(settings, found)) == []


TOPIC = "arn:aws:sns:us-west-2:111122223333:files"
LISTENED_TO = {("topic", TOPIC): Topic(TOPIC, {}, frozenset({QUEUE}), {})}
WIDE = {"Id": "lake", "TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}


def test_a_stream_with_a_topic_has_a_rule_to_it_in_place_of_the_one_to_the_queue():
    settings = read(written(streams__events__sns_topic=TOPIC))
    events, bad = settings.streams
    rules = [queue_rule(stream, QUEUE) for stream in (events, bad)]
    found = {
        **healthy(settings),
        **LISTENED_TO,
        "notifications": BucketNotifications({"QueueConfigurations": rules}),
    }
    after = {"QueueConfigurations": rules[1:], "TopicConfigurations": [topic_rule(events, TOPIC)]}
    why = "a rule of ours is not what its pipe needs"
    assert changes(5, Known(settings, found)) == put({"QueueConfigurations": rules}, after, why)
    found["notifications"] = BucketNotifications(after)
    assert changes(5, Known(settings, found)) == []


def test_a_rule_of_theirs_to_the_topic_is_enough():
    settings = read(written(streams__events__sns_topic=TOPIC, streams__events_bad__sns_topic=TOPIC))
    found = {
        **healthy(settings),
        **LISTENED_TO,
        "notifications": BucketNotifications({"TopicConfigurations": [WIDE]}),
    }
    assert changes(5, Known(settings, found)) == []


def listening(settings):
    found = healthy(settings)
    found["pipes"] = {s.pipe.name: pipe(settings, s, notification_channel=TOPIC) for s in settings.streams}
    return found


def test_a_pipe_on_a_topic_that_the_settings_no_longer_name_gets_no_rule_to_a_queue(settings):
    found = listening(settings)
    rules = [queue_rule(stream, QUEUE) for stream in settings.streams]
    for document in ({}, {"QueueConfigurations": rules}):
        found["notifications"] = BucketNotifications(document)
        with pytest.raises(Refused, match=r"listens to the topic .*and the settings name none") as refused:
            changes(5, Known(settings, found))
        assert "sns_topic" in refused.value.remedy


def test_a_pipe_on_a_topic_that_is_told_needs_nothing(settings):
    found = listening(settings)
    found["notifications"] = BucketNotifications({"TopicConfigurations": [WIDE]})
    assert changes(5, Known(settings, found)) == []


def test_a_pipe_leaves_its_topic_only_where_a_rule_to_a_queue_has_room(settings):
    found, stream = listening(settings), settings.streams[0]
    found["notifications"] = BucketNotifications({"TopicConfigurations": [WIDE]})
    with pytest.raises(Refused, match=r"listens to the topic .*and the settings name none") as refused:
        refuse_without_a_rule(Known(settings, found), stream, TOPIC)
    assert "the rule 'lake' of snowplow-sandbox leaves no room" in refused.value.why
    assert "set streams.events.sns_topic to the topic" in refused.value.remedy
    for ours_or_theirs in (topic_rule(stream, TOPIC), queue_rule(stream, QUEUE)):
        row = {
            "TopicConfigurations" if "TopicArn" in ours_or_theirs else "QueueConfigurations": [ours_or_theirs]
        }
        found["notifications"] = BucketNotifications(row)
        refuse_without_a_rule(Known(settings, found), stream, TOPIC)


def test_a_topic_reaches_a_queue_of_another_region():
    settings = read(written(streams__events__sns_topic=TOPIC, streams__events_bad__sns_topic=TOPIC))
    elsewhere = QUEUE.replace("us-west-2", "eu-west-1")
    found = {
        **healthy(settings),
        **LISTENED_TO,
        "notifications": BucketNotifications({"TopicConfigurations": [WIDE]}),
    }
    found["pipes"] = {
        s.pipe.name: pipe(settings, s, notification_channel=elsewhere) for s in settings.streams
    }
    found["topic", TOPIC] = Topic(TOPIC, {}, frozenset({elsewhere}), {})
    assert changes(5, Known(settings, found)) == []


@pytest.mark.parametrize(
    ("queues", "channel", "listens"),
    [
        ({QUEUE}, QUEUE, True),
        ({QUEUE}, TOPIC, True),  # as SHOW PIPES may have it
        ({"arn:aws:sqs:us-west-2:111122223333:lake"}, TOPIC, False),
        ({"arn:aws:sqs:us-west-2:111122223333:lake"}, QUEUE, False),
        (set(), QUEUE, False),
    ],
)
def test_no_rule_to_a_topic_the_pipe_does_not_listen_to(queues, channel, listens):
    settings = read(written(streams__events__sns_topic=TOPIC))
    found = healthy(settings)
    found["pipes"] = {s.pipe.name: pipe(settings, s) for s in settings.streams}
    found["pipes"][settings.streams[0].pipe.name] = pipe(
        settings, settings.streams[0], notification_channel=channel
    )
    found["topic", TOPIC] = Topic(TOPIC, {}, frozenset(queues), {})
    if listens:
        assert len(changes(5, Known(settings, found))) == 1
        return
    with pytest.raises(Refused, match="does not listen to") as refused:
        changes(5, Known(settings, found))
    assert "invoke replace-pipe --stream events" in refused.value.remedy
