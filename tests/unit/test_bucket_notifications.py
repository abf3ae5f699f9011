"""The bucket's notification document: which rules meet, and that everything foreign stays."""

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.settings import read
from runbook.wanted.rules import CREATED, BucketNotifications, Rule, encoded, queue_rule, topic_rule
from tests.unit.conftest import written
from tests.unit.observed import QUEUE

PUT, COPY, POST = "s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", "s3:ObjectCreated:Post"
REMOVED = "s3:ObjectRemoved:*"


def rule(prefix="", suffix="", *events):
    return Rule("id", "QueueConfigurations", QUEUE, frozenset(events or (CREATED,)), prefix, suffix)


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        # after the examples of https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
        (rule("images/", "", PUT), rule("logs/", "", PUT), False),
        (rule("", ".jpg", PUT), rule("", ".png", PUT), False),
        (rule("images/", ".jpg", PUT), rule("images/", ".png", PUT), False),
        (rule("", "", CREATED), rule("", "", CREATED), True),
        (rule("images", "", CREATED), rule("images/jpg/", "", CREATED), True),
        (rule("", "jpg", CREATED), rule("", "pg", CREATED), True),
        (rule("images", "jpg", CREATED), rule("", "jpg", CREATED), True),
        # the same places, but no common event
        (rule("", "", PUT), rule("", "", COPY), False),
        (rule("", "", CREATED), rule("", "", REMOVED), False),
        (rule("", "", PUT, COPY), rule("", "", COPY, POST), True),
        # ObjectCreated:* takes in its members
        (rule("", "", CREATED), rule("", "", PUT), True),
        (rule("", "", "s3:ObjectCreated:*"), rule("", "", "s3:ObjectCreated:CompleteMultipartUpload"), True),
        # a folder and its neighbour
        (rule("a/", ".gz"), rule("a_bad/", ".gz"), False),
        (rule("a", ".gz"), rule("a_bad/", ".gz"), True),
        (rule("a/b/", ""), rule("a/", ".gz"), True),
        (rule("a/", ".tsv.gz"), rule("a/b/", ".gz"), True),
        (rule("a/", ".tsv"), rule("a/b/", ".gz"), False),
    ],
)
def test_two_rules_that_s3_would_refuse_together(one, other, refused):
    assert one.touches(other) is refused
    assert other.touches(one) is refused


short = st.text("ab/", max_size=3)


@given(short, short, short, short, st.text("ab/", max_size=8))
def test_a_key_that_two_rules_match_makes_them_touch(prefix, suffix, other_prefix, other_suffix, key):
    def takes(each):
        return key.startswith(each.prefix) and key.endswith(each.suffix)

    one, other = rule(prefix, suffix), rule(other_prefix, other_suffix)
    if takes(one) and takes(other):
        assert one.touches(other)


@pytest.mark.parametrize(
    ("have", "covered"),
    [
        (rule("snowplow/enriched/stream/", ".gz"), True),
        (rule("snowplow/enriched/", ".gz"), True),
        (rule("snowplow/enriched/stream", "gz"), True),
        (rule("", ""), True),
        (rule("", "", CREATED, REMOVED), True),
        (rule("snowplow/enriched/stream/2026/", ".gz"), False),
        (rule("snowplow/enriched/bad/", ".gz"), False),
        (rule("Snowplow/", ".gz"), False),
        (rule("", ".tsv.gz"), False),
        (rule("", "", PUT), False),  # misses multipart uploads
        (rule("", "", REMOVED), False),
    ],
)
def test_a_rule_covers_a_stream_when_every_new_file_raises_its_event(settings, have, covered):
    assert have.covers(settings.stream("events")) is covered


def test_a_stream_of_any_suffix_needs_a_rule_of_any_suffix():
    stream = read(written(streams__events__suffix="")).stream("events")
    assert not rule(stream.prefix, ".gz").covers(stream)
    assert rule(stream.prefix, "").covers(stream)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("snowplow/enriched/stream/", "snowplow/enriched/stream/"),
        ("date=2026-11-01/", "date%3D2026-11-01/"),
        ("my files/", "my+files/"),
        ("a+b/", "a%2Bb/"),
        ("events.v1_x-y!*'()/", "events.v1_x-y!*'()/"),
        ("été/", "%C3%A9t%C3%A9/"),
        ("日本/", "%E6%97%A5%E6%9C%AC/"),
        ("100%/", "100%25/"),
        (".gz", ".gz"),
    ],
)
def test_filter_values_are_encoded_as_s3_wants_them(settings, value, stored):
    """Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html"""
    assert encoded(value) == stored
    stream = replace(settings.stream("events"), prefix=value, suffix="")
    (read_back,) = BucketNotifications({"QueueConfigurations": [queue_rule(stream, QUEUE)]}).rules
    assert read_back.prefix == value
    assert read_back.covers(stream)


@given(st.text(st.characters(codec="utf-8")))
def test_a_filter_value_comes_back_as_it_was(value):
    document = {
        "Events": [CREATED],
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": encoded(value)}]}},
    }
    (read_back,) = BucketNotifications({"TopicConfigurations": [document]}).rules
    assert read_back.prefix == value


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("prefix", "suffix"), ("Prefix", "Suffix"), ("PREFIX", "SUFFIX")]
)
def test_filter_names_are_compared_without_case(prefix, suffix):
    rules = [{"Name": suffix, "Value": ".gz"}, {"Name": prefix, "Value": "a/"}]
    row = {
        "Id": "x",
        "LambdaFunctionArn": "arn",
        "Events": [CREATED],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    assert BucketNotifications({"LambdaFunctionConfigurations": [row]}).rules == (
        Rule("x", "LambdaFunctionConfigurations", "arn", frozenset({CREATED}), "a/", ".gz"),
    )


@pytest.mark.parametrize(
    "more", [{}, {"Filter": {}}, {"Filter": {"Key": {}}}, {"Filter": {"Key": {"FilterRules": []}}}]
)
def test_no_filter_is_everything(more):
    row = {"QueueArn": QUEUE, "Events": [CREATED], **more}
    (read_back,) = BucketNotifications({"QueueConfigurations": [row]}).rules
    assert (read_back.id, read_back.prefix, read_back.suffix) == ("", "", "")


# ---- putting our rules in

filters = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(["prefix", "Prefix", "suffix", "Suffix"]),
            "Value": st.text("ab/=%+", max_size=4),
        }
    ),
    max_size=2,
)


def foreign(arn):
    return st.fixed_dictionaries(
        {
            "Id": st.text("abcXYZ0 é", min_size=1, max_size=8),
            arn: st.sampled_from([QUEUE, "arn:aws:sqs:us-west-2:1:other", "arn:aws:sns:us-west-2:1:topic"]),
            "Events": st.lists(st.sampled_from([CREATED, PUT, REMOVED]), min_size=1, unique=True),
        },
        optional={"Filter": st.fixed_dictionaries({"Key": st.fixed_dictionaries({"FilterRules": filters})})},
    )


documents = st.fixed_dictionaries(
    {},
    optional={
        "QueueConfigurations": st.lists(foreign("QueueArn"), max_size=3),
        "TopicConfigurations": st.lists(foreign("TopicArn"), max_size=3),
        "LambdaFunctionConfigurations": st.lists(foreign("LambdaFunctionArn"), max_size=3),
        "EventBridgeConfiguration": st.just({}),
        "SomethingNew": st.just({"a": [1, {"b": None}]}),
    },
)
STREAMS = read(written()).streams
TOPIC = "arn:aws:sns:us-west-2:111122223333:files"
LISTS = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")
wanted_rules = st.lists(
    st.tuples(st.sampled_from(STREAMS), st.booleans()), unique_by=lambda pair: pair[0].name
).map(lambda pairs: {stream.rule_id: ours(stream, QUEUE, topic=topic)[1] for stream, topic in pairs})


def ours(stream, queue, *, topic):
    """A stream's rule, and the list it belongs in."""
    if topic:
        return "TopicConfigurations", topic_rule(stream, TOPIC)
    return "QueueConfigurations", queue_rule(stream, queue)


@st.composite
def with_ours_in_it(draw):
    """A foreign document in which rules of ours already stand, whole or spoilt, anywhere."""
    document = dict(draw(documents))
    for stream in draw(st.lists(st.sampled_from(STREAMS), unique=True)):
        queue = draw(st.sampled_from([QUEUE, "arn:aws:sqs:us-west-2:1:old"]))
        kind, row = ours(stream, queue, topic=draw(st.booleans()))
        rows = list(document.get(kind, []))
        rows.insert(draw(st.integers(0, len(rows))), row)
        document[kind] = rows
    return document


@given(with_ours_in_it(), wanted_rules)
def test_everything_foreign_is_kept_as_it_was_and_ours_is_there_once(document, wanted):
    before = copy.deepcopy(document)
    after = BucketNotifications(document).with_rules(wanted)
    assert document == before, "what was read is not touched"
    assert {key: after[key] for key in after if key not in LISTS} == {
        key: document[key] for key in document if key not in LISTS
    }
    for kind in LISTS:
        theirs = [row for row in document.get(kind, []) if row["Id"] not in wanted]
        assert [row for row in after.get(kind, []) if row["Id"] not in wanted] == theirs
    for rule_id, row in wanted.items():
        assert [each for kind in LISTS for each in after.get(kind, []) if each["Id"] == rule_id] == [row]


@given(with_ours_in_it(), wanted_rules)
def test_putting_them_in_twice_changes_nothing_more(document, wanted):
    once = BucketNotifications(document).with_rules(wanted)
    assert BucketNotifications(once).with_rules(wanted) == once


def test_the_empty_switch_of_eventbridge_stays_on(settings):
    """``{}`` is false in Python and "on" for S3: leaving it out switches EventBridge off."""
    stream = settings.stream("events")
    after = BucketNotifications({"EventBridgeConfiguration": {}}).with_rules(
        {stream.rule_id: queue_rule(stream, QUEUE)}
    )
    assert after == {"EventBridgeConfiguration": {}, "QueueConfigurations": [queue_rule(stream, QUEUE)]}


def test_a_rule_of_ours_that_means_the_same_stays_as_s3_wrote_it(settings):
    """S3 hands filters back in another order and spelling; that is no reason to write."""
    stream = settings.stream("events")
    rules = [{"Name": "Suffix", "Value": ".gz"}, {"Name": "Prefix", "Value": stream.prefix}]
    as_read = {
        "Filter": {"Key": {"FilterRules": rules}},
        "Id": stream.rule_id,
        "QueueArn": QUEUE,
        "Events": [CREATED],
    }
    have = BucketNotifications({"QueueConfigurations": [as_read]})
    assert have.with_rules({stream.rule_id: queue_rule(stream, QUEUE)}) == have.document


def test_the_rule_of_a_stream_as_it_is_sent(settings):
    assert queue_rule(settings.stream("events_bad"), QUEUE) == {
        "Id": "snowpipe-runbook:SANDBOXORG-SANDBOX:RAW.SNOWPLOW.EVENTS_BAD_PIPE",
        "QueueArn": QUEUE,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {
            "Key": {
                "FilterRules": [
                    {"Name": "Prefix", "Value": "snowplow/enriched/bad/"},
                    {"Name": "Suffix", "Value": ".gz"},
                ]
            }
        },
    }
    unlimited = replace(settings.stream("events_bad"), suffix="")
    assert [row["Name"] for row in queue_rule(unlimited, QUEUE)["Filter"]["Key"]["FilterRules"]] == ["Prefix"]
