"""Reading the clouds' answers into facts: absent, cannot tell, and each answer's real shape."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.errors import CannotTell
from runbook.facts import Facts, aws, snowflake
from runbook.facts.aws import Bucket, right
from runbook.facts.objects import (
    Entry,
    FileFormat,
    Listing,
    Load,
    Pause,
    PipeStatus,
    Stage,
    StagedFile,
    StorageIntegration,
    Table,
)
from runbook.facts.rights import held_by
from runbook.settings import read
from runbook.wanted.grants import Grant
from runbook.wanted.rules import BucketNotifications
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, OURS, QUEUE, SNOWFLAKES_USER, FakeReader

TAGS = [{"Key": "ManagedBy", "Value": "snowpipe-runbook"}]
NOT_THERE = SqlFailed(2003, "Object does not exist or not authorized.", "q", "DESC")
DENIED = SqlFailed(3001, "Insufficient privileges", "q", "DESC")


def no(code, operation="GetRole", service="iam"):
    return AwsFailed(service, operation, code, "said AWS", "request")


@pytest.fixture
def stream(settings):
    return settings.stream("events")


def test_the_policy_with_its_default_version_and_versions_in_the_order_they_were_made(settings):
    document = {"Version": "2012-10-17", "Statement": []}
    reader = FakeReader(
        settings,
        {
            "iam:GetPolicy": {"Policy": {"DefaultVersionId": "v10", "Tags": TAGS}},
            "iam:GetPolicyVersion": lambda PolicyArn, VersionId: {  # noqa: N803
                "PolicyVersion": {"Document": {**document, "of": VersionId}}
            },
            "iam:ListPolicyVersions": {"Versions": [{"VersionId": v} for v in ("v10", "v9", "v2", "v11")]},
        },
    )
    found = aws.policy(reader)
    assert found.document["of"] == "v10"
    assert found.versions == ("v2", "v9", "v10", "v11")
    assert found.is_ours


def test_the_role_with_and_without_a_boundary(settings):
    head = {"Arn": settings.aws.role_arn, "AssumeRolePolicyDocument": {"Statement": []}}
    answers = {
        "iam:GetRole": {"Role": head},
        "iam:ListAttachedRolePolicies": [{"PolicyArn": "a"}, {"PolicyArn": "b"}],
    }
    found = aws.role(FakeReader(settings, answers))
    assert (found.permissions_boundary, found.is_ours) == (None, False)
    assert found.attached_policies == {"a", "b"}
    head |= {"PermissionsBoundary": {"PermissionsBoundaryArn": "arn:b"}, "Tags": TAGS}
    found = aws.role(FakeReader(settings, answers))
    assert (found.permissions_boundary, found.tags) == ("arn:b", OURS)


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        ({"BucketRegion": "eu-west-1", "ResponseMetadata": {"HTTPHeaders": {}}}, "eu-west-1"),
        ({"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "us-east-1"}}}, "us-east-1"),
    ],
)
def test_the_bucket_and_its_region_asking_only_its_owner(settings, answer, region):
    def head(**parameters):
        assert parameters == {"Bucket": "snowplow-sandbox", "ExpectedBucketOwner": "111122223333"}
        return answer

    found = aws.bucket(FakeReader(settings, {"s3:HeadBucket": head}), "snowplow-sandbox")
    assert found == Bucket("snowplow-sandbox", region)


def test_the_notifications_are_the_document_without_what_the_client_adds(settings):
    answer = {
        "ResponseMetadata": {"RequestId": "x"},
        "EventBridgeConfiguration": {},
        "QueueConfigurations": [],
    }
    reader = FakeReader(settings, {"s3:GetBucketNotificationConfiguration": answer})
    found = aws.bucket_notifications(reader, "snowplow-sandbox")
    assert found == BucketNotifications({"EventBridgeConfiguration": {}, "QueueConfigurations": []})


READS = [
    (aws.role, "iam", "GetRole"),
    (aws.policy, "iam", "GetPolicy"),
    (partial(aws.bucket, name="snowplow-sandbox"), "s3", "HeadBucket"),
    (partial(aws.bucket_notifications, name="snowplow-sandbox"), "s3", "GetBucketNotificationConfiguration"),
]


@pytest.mark.parametrize(("ask", "service", "operation"), READS)
@pytest.mark.parametrize("code", ["NoSuchEntity", "NoSuchBucket", "404"])
def test_what_aws_says_does_not_exist_is_absent(settings, ask, service, operation, code):
    assert ask(FakeReader(settings, {f"{service}:{operation}": no(code, operation, service)})) is None


@pytest.mark.parametrize(("ask", "service", "operation"), READS)
@pytest.mark.parametrize("code", ["AccessDenied", "403"])
def test_what_may_not_be_seen_cannot_be_told_and_names_the_iam_action(
    settings, ask, service, operation, code
):
    with pytest.raises(CannotTell) as told:
        ask(FakeReader(settings, {f"{service}:{operation}": no(code, operation, service)}))
    assert told.value.missing_right == right(service, operation)
    assert told.value.remedy == f"grant {right(service, operation)}"


def test_any_other_refusal_cannot_be_told_either(settings):
    with pytest.raises(CannotTell, match="To do: run the command") as told:
        aws.role(FakeReader(settings, {"iam:GetRole": no("ServiceFailure")}))
    assert told.value.missing_right == ""


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (("s3", "GetBucketNotificationConfiguration"), "s3:GetBucketNotification"),
        (("s3", "PutBucketNotificationConfiguration"), "s3:PutBucketNotification"),
        (("s3", "HeadBucket"), "s3:ListBucket"),
        (("iam", "GetRole"), "iam:GetRole"),
    ],
)
def test_the_right_a_call_needs_is_iams_name_for_it(call, action):
    assert right(*call) == action


# ---- Snowflake

DESC_INTEGRATION = [
    ("ENABLED", "true"),
    ("STORAGE_PROVIDER", "S3"),
    ("STORAGE_ALLOWED_LOCATIONS", "s3://b/a/,s3://b/c/"),
    ("STORAGE_BLOCKED_LOCATIONS", ""),
    ("STORAGE_AWS_IAM_USER_ARN", SNOWFLAKES_USER),
    ("STORAGE_AWS_ROLE_ARN", "arn:role"),
    ("STORAGE_AWS_EXTERNAL_ID", EXTERNAL_ID),
    ("USE_PRIVATELINK_ENDPOINT", "false"),
    ("COMMENT", None),
]


@pytest.mark.parametrize("rows", [DESC_INTEGRATION, DESC_INTEGRATION[::-1]])
def test_the_integration_by_property_in_any_order(settings, rows):
    answer = [{"property": name, "property_value": value} for name, value in rows]
    found = snowflake.integration(FakeReader(settings, {"DESC INTEGRATION SNOWPLOW_S3": answer}))
    assert found == StorageIntegration(
        name="SNOWPLOW_S3",
        enabled=True,
        provider="S3",
        role_arn="arn:role",
        external_id=EXTERNAL_ID,
        iam_user_arn=SNOWFLAKES_USER,
        allowed_locations=("s3://b/a/", "s3://b/c/"),
        blocked_locations=frozenset(),
        comment="",
    )


@pytest.mark.parametrize(
    ("allowed", "blocked", "url", "answer"),
    [
        ({"s3://b/a/"}, set(), "s3://b/a/", True),
        ({"s3://b/a/"}, set(), "s3://b/a/c/", True),
        ({"s3://b/a/"}, set(), "s3://b/a_other/", False),
        ({"s3://b/a"}, set(), "s3://b/a_other/", True),
        ({"*"}, set(), "s3://b/a/", True),
        ({"*"}, {"s3://b/a/"}, "s3://b/a/c/", False),
        (set(), set(), "s3://b/a/", False),
    ],
)
def test_a_location_is_allowed_by_its_beginning_and_blocked_wins(settings, allowed, blocked, url, answer):
    found = StorageIntegration("X", True, "S3", "", "", "", frozenset(allowed), frozenset(blocked), "")
    assert found.allows(url) is answer


def test_grants_name_what_they_are_on_in_words(settings):
    rows = [{"privilege": "USAGE", "granted_on": "FILE_FORMAT", "name": "RAW.SNOWPLOW.F"}]
    found = snowflake.grants_to(
        FakeReader(settings, {"SHOW GRANTS TO ROLE SYSADMIN": rows}), settings.snowflake.owner_role
    )
    assert found == {Grant("USAGE", "FILE FORMAT", "RAW.SNOWPLOW.F")}


def granted(privilege, on, name):
    return {"privilege": privilege, "granted_on": on, "name": name}


BY_DATABASE_ROLES = {
    'SHOW GRANTS TO ROLE "SYSADMIN"': [granted("USAGE", "DATABASE_ROLE", "RAW.OUTER")],
    "SHOW GRANTS TO ROLE SYSADMIN": [
        granted("USAGE", "DATABASE_ROLE", "RAW.OUTER"),
        granted("USAGE", "DATABASE_ROLE", "SNOWFLAKE.USAGE_VIEWER"),
    ],
    'SHOW GRANTS TO ROLE "PUBLIC"': [],
    "SHOW GRANTS TO DATABASE ROLE RAW.OUTER": [granted("USAGE", "DATABASE_ROLE", 'RAW."in.ner"')],
    'SHOW GRANTS TO DATABASE ROLE RAW."in.ner"': [granted("INSERT", "TABLE", "RAW.SNOWPLOW.EVENTS")],
}


def test_a_role_has_what_its_database_roles_have(settings):
    """Whoever runs a pipe may hold its rights in them. Snowflake's own are not asked what they have."""
    reader = FakeReader(settings, BY_DATABASE_ROLES)
    reached = Facts(reader).reach_of(settings.snowflake.owner_role)
    assert Grant("INSERT", "TABLE", "RAW.SNOWPLOW.EVENTS") in reached
    assert "INSERT on table RAW.SNOWPLOW.EVENTS" in held_by(reader, "SYSADMIN")


@pytest.mark.parametrize("name", ["RAW.OTHERS", "RAW.A.B", "NO_DATABASE", 'RAW."a\u00a0b"', "RAW.one two"])
def test_a_database_role_that_cannot_be_looked_at_takes_nothing_away(settings, name):
    """Somebody else's, or one whose name no statement can hold: what the role has itself still counts."""
    own = [granted("USAGE", "DATABASE_ROLE", name), granted("USAGE", "SCHEMA", "RAW.SNOWPLOW")]
    answers = {f"SHOW GRANTS TO ROLE {role}": own for role in ("SYSADMIN", '"SYSADMIN"')}
    answers |= {'SHOW GRANTS TO ROLE "PUBLIC"': [], "SHOW GRANTS TO DATABASE ROLE RAW.OTHERS": DENIED}
    reader = FakeReader(settings, answers)
    reached = Facts(reader).reach_of(settings.snowflake.owner_role)
    assert Grant("USAGE", "SCHEMA", "RAW.SNOWPLOW") in reached
    assert "USAGE on schema RAW.SNOWPLOW" in held_by(reader, "SYSADMIN")


@pytest.mark.parametrize(
    ("rows", "there"), [([], False), ([{"name": "SNOWPLOW2"}], False), ([{"name": "SNOWPLOW"}], True)]
)
def test_the_schema_is_there_by_its_exact_name(settings, rows, there):
    assert snowflake.schema_exists(FakeReader(settings, {"SHOW SCHEMAS IN DATABASE RAW": rows})) is there


def test_a_database_that_is_not_there_has_no_schema(settings):
    assert snowflake.schema_exists(FakeReader(settings, {"SHOW SCHEMAS": NOT_THERE})) is False


def test_stages_and_pipes_of_the_schema_by_name(settings):
    stages = [{"name": "A", "url": "s3://b/", "storage_integration": None, "owner": "SYSADMIN"}]
    made = datetime(2026, 1, 1, 12, tzinfo=UTC)
    pipes = [
        {
            "name": "P",
            "definition": "COPY",
            "owner": "R",
            "notification_channel": "",
            "created_on": made.replace(tzinfo=None),
            "invalid_reason": "",
            "comment": None,
        },
        {
            "name": "Q",
            "definition": "COPY",
            "owner": "R",
            "notification_channel": QUEUE,
            "created_on": made.astimezone(),
            "invalid_reason": "gone",
            "comment": "ours",
        },
        {
            "name": "EVENTS-STREAMING",
            "definition": None,
            "owner": None,
            "notification_channel": None,
            "created_on": None,
            "invalid_reason": None,
            "comment": None,
            "is_snowflake_managed": True,
        },
    ]
    reader = FakeReader(
        settings, {"SHOW STAGES IN SCHEMA RAW.SNOWPLOW": stages, "SHOW PIPES IN SCHEMA RAW.SNOWPLOW": pipes}
    )
    assert snowflake.stages(reader) == {"A": Stage("s3://b/", None, "SYSADMIN")}
    found = snowflake.pipes(reader)
    assert found.keys() == {"P", "Q"}
    assert (found["P"].comment, found["Q"].comment) == ("", "ours")
    assert (found["P"].notification_channel, found["P"].invalid_reason, found["P"].created_on) == (
        None,
        None,
        made,
    )
    assert (found["Q"].notification_channel, found["Q"].invalid_reason, found["Q"].created_on) == (
        QUEUE,
        "gone",
        made,
    )


def test_a_schema_that_is_not_there_has_no_stages_and_no_pipes(settings):
    reader = FakeReader(settings, {"SHOW STAGES": NOT_THERE, "SHOW PIPES": NOT_THERE})
    assert (snowflake.stages(reader), snowflake.pipes(reader)) == ({}, {})


@pytest.mark.parametrize(
    ("document", "state", "pending"),
    [("{}", "", 0), ('{"executionState":"RUNNING","pendingFileCount":2}', "RUNNING", 2)],
)
def test_a_pipe_says_of_itself_what_it_says_and_a_missing_key_is_no_fault(
    settings, stream, document, state, pending
):
    found = snowflake.pipe_status(
        FakeReader(settings, {"SELECT SYSTEM$PIPE_STATUS": [{"status": document}]}), stream.pipe
    )
    assert isinstance(found, PipeStatus)
    assert (found.execution_state, found.pending_files, found.error) == (state, pending, "")


@pytest.mark.parametrize(
    ("value", "level", "paused"), [("true", "PIPE", True), ("TRUE", "SCHEMA", True), ("false", None, False)]
)
def test_a_pause_with_the_level_that_says_so(settings, stream, value, level, paused):
    answer = [{"value": value, "level": level}]
    found = snowflake.pause(FakeReader(settings, {"SHOW PARAMETERS": answer}), stream)
    assert found == Pause(paused, level or "")


def test_columns_and_format_options_as_described(settings, stream):
    reader = FakeReader(
        settings,
        {
            "DESC TABLE RAW.SNOWPLOW.EVENTS": [{"name": "APP_ID", "type": "VARCHAR(16777216)"}],
            "DESC FILE FORMAT RAW.SNOWPLOW.SNOWPLOW_TSV": [{"property": "TYPE", "property_value": "CSV"}],
        },
    )
    assert snowflake.table(reader, stream) == Table((("APP_ID", "VARCHAR(16777216)"),))
    assert snowflake.file_format(reader, stream) == FileFormat({"TYPE": "CSV"})


@pytest.mark.parametrize(
    "ask",
    [
        lambda reader, stream: snowflake.integration(reader),
        lambda reader, stream: snowflake.grants_to(reader, reader.settings.snowflake.loader_role),
        snowflake.file_format,
        snowflake.table,
        lambda reader, stream: snowflake.pipe_status(reader, stream.pipe),
        snowflake.pause,
    ],
)
def test_absent_and_cannot_tell_are_different_answers(settings, stream, ask):
    everything = ("DESC", "SHOW", "SELECT")
    assert ask(FakeReader(settings, dict.fromkeys(everything, NOT_THERE)), stream) is None
    with pytest.raises(CannotTell) as told:
        ask(FakeReader(settings, dict.fromkeys(everything, DENIED)), stream)
    assert told.value.missing_right
    with pytest.raises(CannotTell) as told:
        ask(FakeReader(settings, dict.fromkeys(everything, SqlFailed(1003, "syntax", "q", "x"))), stream)
    assert told.value.missing_right == ""


def test_the_files_of_a_stage_by_their_keys_in_the_bucket(settings, stream):
    rows = [
        {
            "name": "s3://snowplow-sandbox/snowplow/enriched/stream/a b.gz",
            "size": 12,
            "md5": "d41d8",
            "last_modified": "Thu, 20 Nov 2026 11:00:00 GMT",
        }
    ]
    found = snowflake.listing(FakeReader(settings, {"LIST @RAW.SNOWPLOW.ENRICHED_STAGE": rows}), stream)
    moment = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert found == Listing((StagedFile("snowplow/enriched/stream/a b.gz", 12, "d41d8", moment),))


def test_a_stage_that_cannot_be_listed_keeps_the_reason(settings, stream):
    orphaned = SqlFailed(3139, "Integration gone", "q", "LIST")
    assert snowflake.listing(FakeReader(settings, {"LIST": orphaned}), stream) == Listing(error=orphaned)
    assert snowflake.listing(FakeReader(settings, {"LIST": NOT_THERE}), stream) is None


@pytest.mark.parametrize(
    ("answers", "entry"),
    [
        (['{"status":"success","actions":{"LIST":{"status":"success"}}}'] * 2, Entry(True, "")),
        (
            [
                '{"status":"success"}',
                '{"status":"failure","actions":{"LIST":{"status":"failure","message":"denied"}},"message":"no"}',
            ],
            Entry(False, "s3://snowplow-sandbox/snowplow/enriched/bad/: denied"),
        ),
        (
            ['{"status":"failure","actions":[{"name":"LIST","message":"denied"}]}', '{"status":"success"}'],
            Entry(False, "s3://snowplow-sandbox/snowplow/enriched/stream/: denied"),
        ),
        (
            ['{"status":"failure","message":"no role"}'] * 2,
            Entry(False, "s3://snowplow-sandbox/snowplow/enriched/stream/: no role"),
        ),
        (['{"status":"failure"}'] * 2, Entry(False, "")),
    ],
)
def test_whether_snowflake_gets_in_is_asked_for_every_stream_and_never_by_writing(settings, answers, entry):
    def validate(statement):
        for number, stream in enumerate(settings.streams):
            asked = f"('SNOWPLOW_S3', '{stream.url}', 'snowpipe-runbook.probe', 'list') AS answer_{number}"
            assert asked in statement
        return [{f"answer_{number}": answer for number, answer in enumerate(answers)}]

    reader = FakeReader(settings, {"SELECT SYSTEM$VALIDATE": validate})
    assert snowflake.entry(reader) == entry
    assert len(reader.asked) == 1


def test_a_file_to_be_read_is_asked_for_in_its_folder(settings):
    """What a pipe reads may end in mid name; a location that Snowflake validates is a folder."""
    stream = settings.streams[0]
    half = replace(stream, prefix="game/login", url="s3://snowplow-sandbox/game/login")

    def validate(statement):
        assert f"'{stream.url}', 'day=1/a.gz', 'read') AS answer_0" in statement
        assert "'s3://snowplow-sandbox/game/login/', '1.json', 'read') AS answer_1" in statement
        return [{"answer_0": '{"status":"success"}', "answer_1": '{"status":"success"}'}]

    reader = FakeReader(settings, {"SELECT SYSTEM$VALIDATE": validate})
    files = [(stream, f"{stream.prefix}day=1/a.gz"), (half, "game/login/1.json")]
    assert snowflake.reading(reader, files) == Entry(True, "")


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def history(**row):
    return {
        "file_name": "x.gz",
        "stage_location": "s3://snowplow-sandbox/snowplow/enriched/stream/",
        "status": "Loaded",
        "last_load_time": NOW,
        "row_count": 3,
        "row_parsed": 4,
        "error_count": None,
        "first_error_message": None,
        "pipe_catalog_name": None,
        "pipe_schema_name": None,
        "pipe_name": None,
        **row,
    }


@pytest.mark.parametrize(
    ("location", "name", "key"),
    [
        ("s3://snowplow-sandbox/snowplow/enriched/stream/", "x.gz", "snowplow/enriched/stream/x.gz"),
        ("s3://snowplow-sandbox/snowplow/enriched/stream", "/x.gz", "snowplow/enriched/stream/x.gz"),
        ("s3://snowplow-sandbox/snowplow/enriched/stream/", "/x.gz", "snowplow/enriched/stream/x.gz"),
        ("s3://snowplow-sandbox/snowplow/enriched/stream", "x.gz", "snowplow/enriched/stream/x.gz"),
        (
            "s3://snowplow-sandbox/",
            "snowplow/enriched/stream/date=1/x y.gz",
            "snowplow/enriched/stream/date=1/x y.gz",
        ),
        ("s3gov://b/p/", "d/x.gz", "p/d/x.gz"),
        ("", "snowplow/enriched/stream/x.gz", "snowplow/enriched/stream/x.gz"),
        (None, "s3://b/snowplow/enriched/stream/x.gz", "snowplow/enriched/stream/x.gz"),
    ],
)
def test_a_load_names_the_same_key_as_the_listing_wherever_the_slash_stands(stream, location, name, key):
    assert snowflake.load_of(history(stage_location=location, file_name=name), stream).key == key


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Loaded", "LOADED"),
        ("LOAD FAILED", "LOAD_FAILED"),
        ("Partially loaded", "PARTIALLY_LOADED"),
        ("Load in progress", "LOAD_IN_PROGRESS"),
    ],
)
def test_every_spelling_of_a_status_is_one(stream, said, status):
    assert snowflake.load_of(history(status=said), stream).status == status


def test_the_load_history_of_a_table_is_asked_for_fourteen_days(settings, stream):
    def copy_history(statement):
        assert (
            "FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'RAW.SNOWPLOW.EVENTS'" in statement
        )
        minutes = 14 * 24 * 60 - 5  # by Snowflake's clock, in the same round trip
        assert f"START_TIME => DATEADD('minute', -{minutes}, CURRENT_TIMESTAMP())" in statement
        return [history(pipe_name="EVENTS_PIPE", last_load_time=None, first_error_message="e", error_count=1)]

    answers = {"SELECT file_name": copy_history}
    assert snowflake.loads(FakeReader(settings, answers), stream) == (
        Load("snowplow/enriched/stream/x.gz", "LOADED", None, 3, 4, 1, "e", "EVENTS_PIPE"),
    )
    assert snowflake.loads(FakeReader(settings, {**answers, "SELECT file_name": NOT_THERE}), stream) is None


def test_quoted_names_are_asked_for_in_quotes():
    settings = read(written(snowflake__database='"raw"', streams__events__table='"my events"'))
    reader = FakeReader(settings, {'DESC TABLE "raw".SNOWPLOW."my events"': []})
    assert snowflake.table(reader, settings.stream("events")) == Table(())


# ---- one run's facts


def test_a_fact_is_read_once_a_run_however_many_ask(settings):
    gate = threading.Barrier(4)
    reader = FakeReader(settings, {"SELECT SYSDATE()": [{"now": NOW}]})
    facts = Facts(reader)
    found = []

    def ask():
        gate.wait()
        found.append(facts.now)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [NOW] * 4
    assert len(reader.asked) == 1
    assert facts.afresh().now == NOW
    assert len(reader.asked) == 2


def test_a_fact_that_cannot_be_told_says_so_to_everyone_who_asks(settings):
    reader = FakeReader(settings, {"iam:GetRole": no("AccessDenied")})
    facts = Facts(reader)
    for _ in range(2):
        with pytest.raises(CannotTell):
            _ = facts.role
    assert len(reader.asked) == 1


def test_looking_ahead_reads_what_is_asked_later_and_hides_no_failure(settings):
    reader = FakeReader(
        settings,
        {
            "iam:GetRole": no("AccessDenied"),
            "iam:GetPolicy": no("NoSuchEntity"),
            "iam:ListRolePolicies": no("NoSuchEntity"),
            "s3:HeadBucket": no("404"),
            "s3:GetBucketPolicy": no("NoSuchBucketPolicy"),
            "s3:GetBucketEncryption": no("NoSuchBucket"),
        },
    )
    facts = Facts(reader)
    facts.look(delivery=False, steps=(1,))
    asked = sorted(reader.asked)
    assert asked == sorted(reader.answers)
    assert facts.policy is None
    assert facts.bucket_named("snowplow-sandbox") is None
    with pytest.raises(CannotTell):
        _ = facts.role
    assert sorted(reader.asked) == asked
