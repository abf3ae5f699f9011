"""What fresh eyes found silent, or wrong: each as the one thing that is otherwise in a whole installation."""

import json

import pytest

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.errors import Refused
from runbook.facts import Facts, aws, history
from runbook.facts.aws import Bucket
from runbook.facts.history import TableRows
from runbook.facts.objects import Entry, Table
from runbook.facts.topic import Topic, publishing, subscribing, topic
from runbook.policies.held import Key
from runbook.settings import read
from runbook.verify import check
from runbook.wanted.pipeline import columns, made_as
from runbook.wanted.rules import BucketNotifications, queue_rule
from tests.unit.conftest import written
from tests.unit.observed import MADE, QUEUE, FakeReader, Known, healthy, integration
from tests.unit.planned import changes

TOPIC = "arn:aws:sns:us-west-2:111122223333:files"


def told(settings, **facts):
    """The failed root causes and the advice, by id, of an installation with these facts."""
    known = {**healthy(settings), **facts.pop("more", {}), **facts}
    outcome = check(Known(settings, known), deep=True)
    return [row.id for row in outcome.root_causes], [row.id for row in outcome.advice]


def table_of(stream, **types):
    return Table(tuple((name, types.get(name, made_as(stream)[name])) for name in columns(stream)))


@pytest.mark.parametrize("kind", ["NUMBER(38,0)", "VARCHAR(255)", "TIMESTAMP_NTZ(9)", "BOOLEAN"])
def test_a_column_that_does_not_hold_every_text_is_advised(settings, kind):
    table = {("table", "events"): table_of(settings.stream("events"), NAME_TRACKER=kind)}
    assert told(settings, more=table) == ([], ["step4.table-has-the-columns"])


@pytest.mark.parametrize("kind", ["VARCHAR", "VARCHAR(16777216)", "VARCHAR(134217728)", "TEXT", "STRING"])
def test_a_column_that_holds_every_text_is_right(settings, kind):
    table = {("table", "events"): table_of(settings.stream("events"), NAME_TRACKER=kind)}
    assert told(settings, more=table) == ([], [])


def test_rows_that_our_role_does_not_see_are_no_deleted_rows(settings):
    rows = {("rows", "events"): TableRows(3, MADE, None, hidden=7)}
    assert told(settings, more=rows) == ([], ["delivery.loaded-rows-are-still-there"])


@pytest.mark.parametrize(
    ("stored", "seen", "files", "complete"),
    [(10, 10, {}, False), (10, 3, None, False), (10, 0, None, False), (0, 0, {}, True), (3, 5, {}, False)],
)
def test_a_table_that_stores_more_rows_than_we_see_is_no_witness(settings, stored, seen, files, complete):
    stream = settings.stream("events")
    answers = {
        "SHOW TABLES LIKE": [{"name": stream.table.name, "created_on": MADE, "rows": stored}],
        "SELECT COUNT(*) AS n": [{"n": seen}],
    }
    found = history.table_total(FakeReader(settings, answers), stream, ("_FILE",))
    assert found is not None
    assert (found.files, found.hidden) == (files, max(0, stored - seen))
    # what no row of it names is counted later; none of these names a file
    assert TableRows(found.total, MADE, found.files, found.total, found.hidden).is_complete is complete


def test_a_subscription_that_nobody_confirmed_serves_no_queue(settings):
    other = QUEUE + "-other"
    rows = [
        {"Protocol": "sqs", "Endpoint": QUEUE, "SubscriptionArn": "PendingConfirmation"},
        {"Protocol": "sqs", "Endpoint": other, "SubscriptionArn": f"{TOPIC}:1234"},
        {"Protocol": "https", "Endpoint": "https://x", "SubscriptionArn": f"{TOPIC}:5678"},
    ]
    answers = {
        "sns:GetTopicAttributes": {"Attributes": {"Policy": json.dumps({"Statement": []})}},
        "sns:ListSubscriptionsByTopic": rows,
    }
    found = topic(FakeReader(settings, answers), TOPIC)
    assert found is not None
    assert found.queues == {other}
    assert not found.reaches(QUEUE)


REFUSED = AwsFailed("s3", "HeadBucket", "403", "Forbidden", "r", region="eu-west-1")
DENIED = AwsFailed("s3", "GetBucketPolicy", "AccessDenied", "not authorized", "r")


def test_a_bucket_whose_policy_denies_us_too_is_there_and_its_statement_is_named(settings):
    lock = {"Sid": "Lock", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    rows = [{**lock, "Resource": [settings.aws.bucket_arn, f"{settings.aws.bucket_arn}/*"]}]
    answers = {"s3:HeadBucket": REFUSED, "s3:GetBucketPolicy": {"Policy": json.dumps({"Statement": rows})}}
    reader = FakeReader(settings, answers)
    assert aws.bucket(reader, settings.aws.bucket) == Bucket(settings.aws.bucket, "eu-west-1")
    shut = aws.bucket_policy(reader, settings.aws.bucket)
    known = {"bucket_policy": shut, "entry": Entry(succeeded=False, message="403")}
    assert told(settings, **known) == (["step1.bucket-policy-lets-the-role-read"], [])


def test_a_bucket_that_says_nothing_but_no_is_not_known(settings):
    reader = FakeReader(settings, {"s3:HeadBucket": REFUSED, "s3:GetBucketPolicy": DENIED})
    with pytest.raises(aws.CannotTell, match="cannot be read") as told:
        aws.bucket(reader, settings.aws.bucket)
    assert told.value.missing_right == "s3:ListBucket"


def test_where_a_deny_is_the_reason_no_grant_is_asked_for(settings):
    words = (
        "not authorized to perform: s3:GetBucketNotification with an explicit deny in a resource-based policy"
    )
    failed = AwsFailed("s3", "GetBucketNotificationConfiguration", "AccessDenied", words, "r")
    with pytest.raises(aws.CannotTell) as told:
        aws.bucket_notifications(FakeReader(settings, {"s3:GetBucketNotificationConfiguration": failed}), "b")
    assert "grant s3:" not in str(told.value.remedy)
    assert "Deny" in str(told.value.remedy)


@pytest.mark.parametrize(
    ("state", "failed"),
    [
        ("Enabled", []),
        *(
            (state, ["step5.topic-lets-the-bucket-publish"])
            for state in ("Disabled", "PendingDeletion", "missing")
        ),
    ],
)
def test_a_topic_whose_key_is_out_of_use_is_named(state, failed):
    settings = read(written(streams__events__sns_topic=TOPIC, streams__events_bad__sns_topic=TOPIC))
    s3 = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"}
    user = subscribing(TOPIC, integration(settings))
    policy = {"Statement": [publishing(TOPIC, settings), user]}
    attributes = {"Attributes": {"KmsMasterKeyId": "1234"}}
    to_topic = [
        {**{k: v for k, v in queue_rule(each, QUEUE).items() if k != "QueueArn"}, "TopicArn": TOPIC}
        for each in settings.streams
    ]
    facts = {
        ("topic", TOPIC): Topic(TOPIC, policy, frozenset({QUEUE}), attributes),
        ("topic key", TOPIC): Key("1234", state, {"Statement": [s3]}),
        "notifications": BucketNotifications({"TopicConfigurations": to_topic}),
    }
    assert told(settings, more=facts) == (failed, [])


def test_a_reader_that_may_not_look_at_the_topics_key_says_nothing(settings):
    denied = AwsFailed("kms", "DescribeKey", "AccessDeniedException", "not authorized", "r")
    assert Facts(FakeReader(settings, {"kms:DescribeKey": denied})).topic_key(encrypted(settings)) is None


def test_a_topics_key_that_is_not_there_is_missing(settings):
    gone = AwsFailed("kms", "DescribeKey", "NotFoundException", "not found", "r")
    found = Facts(FakeReader(settings, {"kms:DescribeKey": gone})).topic_key(encrypted(settings))
    assert found == Key(f"arn:aws:kms:eu-west-1:{settings.aws.account_id}:key/k", "missing", {})


def test_a_key_of_another_account_that_is_not_seen_is_not_called_missing(settings):
    gone = AwsFailed("kms", "DescribeKey", "NotFoundException", "not found", "r")
    theirs = encrypted(settings, account="999900001111")
    assert Facts(FakeReader(settings, {"kms:DescribeKey": gone})).topic_key(theirs) is None


def encrypted(settings, account=""):
    """A topic in another region than the settings', whose key is named by its id."""
    arn = f"arn:aws:sns:eu-west-1:{account or settings.aws.account_id}:topic"
    return Topic(arn, {}, frozenset(), {"Attributes": {"KmsMasterKeyId": "k"}})


P, ELSE = {("status", "events"): None, ("pause", "events"): None}, "; else: invoke "


@pytest.mark.parametrize(
    ("setting", "gone", "named", "remedy"),
    [
        ("streams__events__pipe", P, "step4.pipe-exists", "RAW.SNOWPLOW.EVENTS_PIPE"),
        (
            "streams__events__stage",
            {("listing", "events"): None},
            "step4.stage-exists",
            "RAW.SNOWPLOW.ENRICHED_STAGE",
        ),
        (
            "streams__events__table",
            {("table", "events"): None, ("rows", "events"): None},
            "step4.table-exists",
            f"RAW.SNOWPLOW.EVENTS{ELSE}step4-snowflake",
        ),
        (
            "snowflake__integration",
            {"integration": None, "entry": None},
            "step2.integration-exists",
            f"SNOWPLOW_S3{ELSE}step2-snowflake step3-aws step4-snowflake",
        ),
        (
            "aws__role_name",
            {"role": None},
            "step1.role-exists",
            f"snowflake-read-role{ELSE}step1-aws step3-aws",
        ),
    ],
)
def test_a_name_that_the_settings_have_wrong_is_named_by_what_is_there(
    settings, setting, gone, named, remedy
):
    wrong = read(written(**{setting: "ANOTHER"}))
    absent = {"DESC TABLE": SqlFailed(2003, "does not exist", "", "")}  # no view has its name either
    outcome = check(Known(wrong, {**healthy(settings), **gone}, answers=absent), deep=True)
    where = setting.replace("__", ".")
    (cause,) = outcome.root_causes
    assert (cause.id, str(cause.remedy)) == (named, f"correct {where} in the settings, if they mean {remedy}")


def test_no_second_pipe_is_made_beside_the_one_that_loads_the_folder(settings):
    wrong = read(written(streams__events__pipe="ANOTHER"))
    with pytest.raises(Refused, match=r"EVENTS_PIPE of this installation loads .* already"):
        changes(4, Known(wrong, {**healthy(settings), **P}))
