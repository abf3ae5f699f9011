"""Streams in several buckets, also of several regions, are one installation."""

import copy
import json
from typing import Any

import pytest

from runbook.clouds.connections import region_of
from runbook.commands.doctor import _bucket
from runbook.commands.tfvars import variables
from runbook.errors import Refused, SettingsWrong
from runbook.facts.topic import PUBLISH_SID, Topic
from runbook.plan import plan_step
from runbook.policies.access import excessive, unreadable
from runbook.rights.needs import aws_rights
from runbook.settings import Settings, read
from runbook.steps import STEPS
from runbook.verify.checking import check
from runbook.wanted.permissions import permissions
from runbook.wanted.rules import BucketNotifications
from tests.unit.accounts import Accounts
from tests.unit.conftest import written
from tests.unit.observed import QUEUE, SNOWFLAKES_USER, Known, healthy, integration, nothing
from tests.unit.test_two_installations import Environment, assert_it_works, down, up

EU = "acme-eu"
KEY, KEY_EU = (f"arn:aws:kms:{region}:111122223333:key/one" for region in ("us-west-2", "eu-west-1"))
SECOND = {
    "streams__events_bad__bucket": EU,
    "aws__buckets": {EU: {"region": "eu-west-1"}},
    "snowflake__account": "ORG-A1",
}


def several(**changes: Any) -> Settings:
    return read(written(**{**SECOND, **changes}))


# -- settings --------------------------------------------------------------------------------------------


def test_a_stream_says_its_bucket_and_else_has_the_first_one():
    settings = several(aws__kms_key_arn=KEY)
    events, bad = settings.streams
    assert (events.bucket, bad.bucket) == ("snowplow-sandbox", EU)
    assert (events.url, bad.url) == (
        "s3://snowplow-sandbox/snowplow/enriched/stream/",
        f"s3://{EU}/snowplow/enriched/bad/",
    )
    assert [(each.name, each.region, each.kms_key_arn) for each in settings.buckets] == [
        ("snowplow-sandbox", "us-west-2", KEY),
        (EU, "eu-west-1", None),  # a key of another region is not its
    ]
    assert several(aws__buckets={}, aws__kms_key_arn=KEY).buckets[1].kms_key_arn == KEY
    only = several(streams__events__bucket=EU)
    assert [each.name for each in only.buckets] == [EU]


def test_what_names_one_bucket_is_agreed_upon_as_before(settings):
    """A handoff that was written before streams could name a bucket goes on to fit."""
    named = read(written(streams__events__bucket=None, aws__buckets={}))
    assert (named.agreed, named.fingerprint) == (settings.agreed, settings.fingerprint)
    old = written()
    del old["aws"]["buckets"]
    for stream in old["streams"].values():
        del stream["bucket"]
    assert (read(old).agreed, read(old).fingerprint) == (settings.agreed, settings.fingerprint)
    assert several().agreed["streams"] != settings.agreed["streams"]
    assert several().agreed["aws"] != several(aws__buckets={}).agreed["aws"]


def test_two_buckets_may_have_the_same_folder_and_one_bucket_may_not():
    same = {"streams__events_bad__prefix": "snowplow/enriched/stream/"}
    assert len(several(**same).streams) == 2
    for bucket in (None, "snowplow-sandbox"):  # by either writing it is the first one
        with pytest.raises(SettingsWrong, match="overlap"):
            several(**same, streams__events_bad__bucket=bucket, aws__buckets={})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"streams__events_bad__bucket": "Acme"}, "streams.events_bad.bucket: 'Acme' is not written like"),
        ({"aws__buckets": {"acme-us": {}}}, "aws.buckets.acme-us: no stream names that bucket"),
        ({"aws__buckets": {"snowplow-sandbox": {}}}, "is aws.bucket: its region and key are aws.region"),
        ({"aws__buckets": {EU: {"region": "cn-north-1"}}}, "is in another partition than aws.region"),
        ({"aws__buckets": {EU: {"region": "Ireland"}}}, "aws.buckets.acme-eu.region: 'Ireland'"),
        ({"aws__buckets": {EU: {"kms_key_arn": KEY_EU}}}, "kms_key_arn is not in us-west-2"),
        ({"aws__buckets": {EU: {"bucket": "x"}}}, "aws.buckets.acme-eu.bucket: unknown key"),
        ({"streams__events_bad__sns_topic": "arn:aws:sns:us-west-2:111122223333:t"}, "bucket's eu-west-1"),
        ({"aws__managed_by": "terraform"}, "the Terraform module makes rules in aws.region alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_key(changes, said):
    with pytest.raises(SettingsWrong) as told:
        several(**changes)
    assert said in str(told.value)


# -- AWS -------------------------------------------------------------------------------------------------


def test_the_policy_reads_each_bucket_for_itself():
    own = {EU: {"region": "eu-west-1", "kms_key_arn": KEY_EU}}
    settings = several(aws__kms_key_arn=KEY, aws__buckets=own)
    document = permissions(settings)
    assert unreadable(document, settings) == []
    assert excessive(document, settings) == []
    via = {
        row["Resource"]: row["Condition"]["StringEquals"]["kms:ViaService"]
        for row in document["Statement"]
        if row["Action"] == "kms:Decrypt"
    }
    assert via == {KEY: "s3.us-west-2.amazonaws.com", KEY_EU: "s3.eu-west-1.amazonaws.com"}
    assert len({row["Sid"] for row in document["Statement"]}) == len(document["Statement"])
    [first] = [bucket.arn for bucket in settings.buckets if bucket.name == "snowplow-sandbox"]
    crossed = copy.deepcopy(document)
    crossed["Statement"][0]["Resource"].append(f"{first}/snowplow/enriched/bad/*")
    assert excessive(crossed, settings) == ["s3:GetObject under snowplow-sandbox/snowplow/enriched/bad/"]
    wide = copy.deepcopy(document)
    wide["Statement"][3]["Resource"] = f"arn:aws:s3:::{EU}/*"
    assert excessive(wide, settings) == [f"s3:GetObject under the whole bucket {EU}"]
    narrow = permissions(read(written(snowflake__account="ORG-A1")))
    assert [row for row in unreadable(narrow, settings) if "s3:ListBucket" in row] == [
        f"s3:ListBucket on arn:aws:s3:::{EU} under snowplow/enriched/bad/"
    ]


def test_a_policy_longer_than_iam_takes_is_refused_before_anything_is_made():
    more = {
        f"streams__s{number}": {
            **{part: f"{part}_{number}" for part in ("table", "stage", "pipe")},
            "kind": "json",
            "bucket": EU,
            "prefix": f"{'long/' * 10}{number}/",
        }
        for number in range(50)
    }
    settings = several(**more)
    with pytest.raises(Refused, match=r"would have [\d,]+ characters, and IAM takes 6,144"):
        plan_step(STEPS[0], Known(settings, {**nothing(settings), "stages": {}, "pipes": {}}))


THEIRS = {
    "snowplow-sandbox": {"EventBridgeConfiguration": {}},
    EU: {
        "LambdaFunctionConfigurations": [
            {
                "Id": "thumbnails",
                "LambdaFunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:t",
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "images/"}]}},
            }
        ]
    },
}


def accounts() -> Accounts:
    at = Accounts(notifications=copy.deepcopy(THEIRS))
    at.snowflakes["ORG-A1"].regions = {EU: "eu-west-1"}
    return at


def test_five_steps_and_down_leave_the_rules_of_others_in_both_buckets_as_they_were():
    at, one = accounts(), Environment(several())
    up(at, one)
    assert_it_works(at, one)
    targets = {
        bucket: [row["QueueArn"].split(":")[3] for row in document["QueueConfigurations"]]
        for bucket, document in at.notifications.items()
    }
    assert targets == {"snowplow-sandbox": ["us-west-2"], EU: ["eu-west-1"]}
    for bucket, document in at.notifications.items():
        left = {kind: rows for kind, rows in document.items() if kind != "QueueConfigurations"}
        assert json.dumps(left) == json.dumps(THEIRS[bucket])
    down(at, one)
    assert json.dumps(at.notifications) == json.dumps(THEIRS)
    assert (at.roles, at.policies) == ({}, {})


def test_one_stream_taken_back_touches_its_bucket_alone():
    at, one = accounts(), Environment(several())
    up(at, one)
    before = json.dumps(at.notifications["snowplow-sandbox"])
    down(at, one, "events_bad")
    assert json.dumps(at.notifications["snowplow-sandbox"]) == before
    assert json.dumps(at.notifications[EU]) == json.dumps(THEIRS[EU])


def test_a_clash_in_one_bucket_is_refused_before_any_is_written():
    settings = several()
    found = healthy(settings)
    found["notifications"] = BucketNotifications()
    overlapping = copy.deepcopy(THEIRS[EU]["LambdaFunctionConfigurations"])
    overlapping[0]["Filter"]["Key"]["FilterRules"][0]["Value"] = "snowplow/"
    found["notifications", EU] = BucketNotifications({"LambdaFunctionConfigurations": overlapping})
    with pytest.raises(Refused, match=f"The rule 'thumbnails' of {EU} already takes"):
        plan_step(STEPS[4], Known(settings, found))


def test_a_stream_that_moves_to_another_bucket_starves_no_pipe():
    """The old pipe goes on in the old bucket until it is taken back."""
    at = Accounts()
    at.snowflakes["ORG-A1"].regions = {EU: "eu-west-1"}
    first = Environment(read(written(snowflake__account="ORG-A1")))
    up(at, first)
    before = copy.deepcopy(at.notifications["snowplow-sandbox"])
    names = {"streams__events_bad__stage": "BAD_EU", "streams__events_bad__pipe": "BAD_EU_PIPE"}
    moved = Environment(several(**names))
    up(at, moved)
    assert_it_works(at, moved)
    assert at.notifications["snowplow-sandbox"] == before
    facts = at.facts(moved.settings)
    assert unreadable(facts.policy.document, first.settings) == []
    assert all(facts.integration.allows(stream.url) for stream in first.settings.streams)
    down(at, moved, "EVENTS_BAD_PIPE")
    up(at, moved)
    [rule] = at.notifications["snowplow-sandbox"]["QueueConfigurations"]
    assert rule["Id"].endswith(".EVENTS_PIPE")
    assert "bad" not in json.dumps([row for row in facts_of(at, moved) if "snowplow-sandbox" in str(row)])


def facts_of(at: Accounts, one: Environment) -> list[Any]:
    return list(at.facts(one.settings).policy.document["Statement"])


def test_a_topic_takes_the_events_of_the_buckets_whose_streams_name_it():
    topic = "arn:aws:sns:us-west-2:111122223333:files"
    settings = several(
        aws__buckets={}, streams__events__sns_topic=topic, streams__events_bad__sns_topic=topic
    )
    user = integration(settings)
    empty = Topic(topic, {}, frozenset(), {})
    made = empty.with_ours(settings, user)
    there = Topic(topic, made, frozenset({QUEUE}), {})
    assert there.lets_publish(settings)
    assert there.without_ours(settings, user, frozenset({QUEUE})) == []
    arns = [f"arn:aws:s3:::{name}" for name in ("snowplow-sandbox", EU)]
    [row] = [row for row in made["Statement"] if row["Sid"] == PUBLISH_SID]
    assert row["Condition"]["ArnLike"]["aws:SourceArn"] == arns
    first = several(aws__buckets={}, streams__events__sns_topic=topic)
    alone = empty.with_ours(first, user)
    assert not Topic(topic, alone, frozenset(), {}).lets_publish(settings)
    assert SNOWFLAKES_USER in str(alone)
    kept = there.with_ours(first, user)["Statement"]
    assert row in kept  # another bucket's events go on: never narrowed


def test_calls_go_to_the_region_of_the_bucket_topic_or_key():
    settings = several()
    topic = "arn:aws:sns:eu-west-1:111122223333:files"
    asked = [
        ("s3", {"Bucket": "snowplow-sandbox"}, "us-west-2"),
        ("s3", {"Bucket": EU, "Prefix": "a/"}, "eu-west-1"),
        ("s3", {"Bucket": "left-behind"}, "us-west-2"),
        ("sns", {"TopicArn": topic}, "eu-west-1"),
        ("kms", {"KeyId": KEY_EU}, "eu-west-1"),
        ("kms", {"KeyId": "alias/mine"}, "us-west-2"),
        ("iam", {"RoleName": "r"}, "us-west-2"),
    ]
    for service, parameters, region in asked:
        assert region_of(settings, service, parameters) == region


# -- what is told ----------------------------------------------------------------------------------------


def causes(settings: Settings, found: dict[Any, Any]) -> dict[str, str]:
    rows = check(Known(settings, found, answers={})).root_causes
    return {row.id: f"{row.cause} | {row.observed} | {row.expected} | {row.remedy}" for row in rows}


def test_verify_names_the_bucket_that_is_wrong():
    settings = several()
    found = healthy(settings)
    assert causes(settings, found) == {}
    gone = {**found, ("bucket", EU): None, ("notifications", EU): None, ("bucket_policy", EU): {}}
    [(name, told)] = causes(settings, gone).items()
    assert name == "step1.bucket-exists"
    assert f"the account has no bucket {EU}" in told
    elsewhere = several(aws__buckets={})
    found = healthy(elsewhere) | {("bucket", EU): found["bucket", EU]}
    assert causes(elsewhere, found)["step1.bucket-region"] == (
        f"S3 only notifies queues of the bucket's own region | {EU}: eu-west-1 | {EU}: us-west-2 | "
        f"correct aws.buckets.{EU}.region in the settings"
    )


class Watched(Known):
    """Facts that note what is asked while they look, and what only when a check wants it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, healthy(settings), answers={})
        self.looking, self.seen, self.late = False, set[object](), set[object]()

    def look(self, **more: Any) -> None:
        self.looking = True
        super().look(**more)
        self.looking = False

    def _once(self, key: Any, read: Any) -> Any:
        self.seen |= {key} if self.looking else set()
        self.late |= set() if key in self.seen else {key}
        return super()._once(key, read)


def test_what_many_streams_of_three_buckets_need_is_asked_side_by_side():
    """A question that comes up only in a check is waited for alone: once a stream would be a long time."""
    kinds = ("enriched", "bad_rows", "json")
    more = {
        f"streams__s{number}": {
            **{part: f"{part}_{number}" for part in ("table", "stage", "pipe")},
            "kind": kinds[number % 3],
            "bucket": (None, "acme-two", EU)[number % 3],
            "prefix": f"more/{number}/",
        }
        for number in range(6)
    }
    few, many = Watched(several()), Watched(several(**more))
    for facts in (few, many):
        assert check(facts).root_causes == ()
    assert len(many.settings.buckets) == 3
    assert many.late == few.late


def test_doctor_and_tfvars_go_by_bucket():
    settings = several(aws__buckets={})
    found = healthy(settings)
    facts = Known(settings, found)
    told = [row.what for bucket in settings.buckets for row in _bucket(facts, bucket)]
    assert told[::2] == [
        "the bucket snowplow-sandbox is in us-west-2",
        f"the bucket {EU} is in us-west-2",
    ]
    rights = {(right.action, right.resource) for right in aws_rights(settings)}
    assert ("s3:PutBucketNotification", f"arn:aws:s3:::{EU}") in rights
    assert ("s3:PutObject", f"arn:aws:s3:::{EU}/snowplow/enriched/bad/*") in rights
    found["notifications", EU] = BucketNotifications(THEIRS[EU])
    got = variables(facts)
    assert (got["foreign_rules"], got["other_foreign_rules"]) == ([], {EU: ["thumbnails"]})
    assert [stream.get("bucket") for stream in got["streams"].values()] == [None, EU]
