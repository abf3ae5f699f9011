"""Random policies, judged by the sandbox's IAM: what it denies has one root cause, what it allows none.

The sandbox's engine and the checks' are two programs; the one knows every condition key of the request, the
other only those that can be known from outside, and Snowflake's answer.
"""

# ruff: noqa: E501 (a table has one row a line)

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from snowpipe_sandbox.aws.delivery import S3, _service_may
from snowpipe_sandbox.aws.iam import Policies, Principal, Request, decide

from runbook.clouds.failures import SqlFailed
from runbook.facts.history import RowsOfFile, TableRows
from runbook.facts.objects import Entry, Listing, Load, PipeStatus
from runbook.facts.topic import Topic, publishing, subscribing
from runbook.policies.held import RolePolicies
from runbook.settings import Settings, read
from runbook.wanted.rules import BucketNotifications, queue_rule
from tests.unit.at_once import judged
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, NOW, QUEUE, SNOWFLAKES_USER, Known, healthy, policy, role, staged
from tests.unit.observed import integration as an_integration
from tests.unit.test_layout import CHECKS

SETTINGS = read(written())
ACCOUNT, SNOWFLAKES = SETTINGS.aws.account_id, SNOWFLAKES_USER.split(":")[4]
ROLE, BUCKET = SETTINGS.aws.role_arn, f"arn:aws:s3:::{SETTINGS.aws.bucket}"
FOLDERS = [stream.prefix for stream in SETTINGS.streams]
TOPIC = f"arn:aws:sns:us-west-2:{ACCOUNT}:files"
FILE = "2026/a"
SESSION = Principal(
    "assumed-role",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/{SETTINGS.aws.role_name}/snowflake",
    ACCOUNT,
    "AROAX:snowflake",
    ROLE,
)
USER = Principal("user", SNOWFLAKES_USER, SNOWFLAKES, "AIDASF")
ANYWHERE = {"aws:securetransport": ("true",), "aws:sourceip": ("198.51.100.77",), "aws:requestedregion": ("us-west-2",), "aws:principalisawsservice": ("false",), "aws:viaawsservice": ("false",), "aws:resourceaccount": (ACCOUNT,), "aws:currenttime": ("2026-11-20T12:00:00Z",)}  # fmt: skip
BY_THE_ROLE = {**ANYWHERE, "aws:principalarn": (ROLE,), "aws:principalaccount": (ACCOUNT,), "aws:principaltype": ("AssumedRole",), "aws:userid": ("AROAX:snowflake",), "aws:sourcevpce": ("vpce-snow",), "s3:resourceaccount": (ACCOUNT,), "s3:tlsversion": ("1.3",)}  # fmt: skip
BY_SNOWFLAKE = {**ANYWHERE, "aws:principalarn": (SNOWFLAKES_USER,), "aws:principalaccount": (SNOWFLAKES,), "aws:principaltype": ("User",), "aws:userid": ("AIDASF",), "sts:externalid": (EXTERNAL_ID,), "sts:rolesessionname": ("snowflake",)}  # fmt: skip

Conditions = dict[str, tuple[list[str], list[str]]]
OF_ANYBODY: Conditions = {
    "aws:SecureTransport": (["Bool"], ["true", "false"]),
    "aws:SourceIp": (["IpAddress", "NotIpAddress"], ["198.51.100.0/24", "203.0.113.0/24"]),
    "aws:SourceVpce": (["StringEquals", "StringNotEquals", "StringEqualsIfExists"], ["vpce-1", "vpce-snow"]),
    "aws:PrincipalArn": (["ArnLike", "ArnNotLike", "StringNotLike"], [ROLE, f"arn:aws:iam::{ACCOUNT}:role/*", SNOWFLAKES_USER]),
    "aws:PrincipalAccount": (["StringEquals", "StringNotEquals"], [ACCOUNT, "444455556666", SNOWFLAKES]),
    "aws:PrincipalOrgID": (["StringEquals", "StringNotEquals", "StringNotEqualsIfExists"], ["o-1"]),
    "aws:userid": (["StringLike", "StringNotLike"], ["AROAX:*", "AROAOLD:*"]),
    "aws:PrincipalType": (["StringEquals", "StringNotEquals"], ["AssumedRole", "User"]),
    "aws:CurrentTime": (["DateGreaterThan", "DateLessThan"], ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
    "aws:MultiFactorAuthPresent": (["Bool", "BoolIfExists", "Null"], ["true", "false"]),
    "aws:PrincipalIsAWSService": (["Bool", "BoolIfExists"], ["true", "false"]),
}  # fmt: skip
OF_READING: Conditions = OF_ANYBODY | {
    "aws:PrincipalTag/team": (["StringEquals", "StringNotEquals", "Null"], ["data"]),
    "s3:prefix": (["StringLike", "StringNotLike", "StringEquals", "StringLikeIfExists", "Null", "ForAnyValue:StringLike"], [FOLDERS[0], f"{FOLDERS[0]}*", f"{FOLDERS[1]}*", "snowplow/*", "other/*"]),
    "s3:TlsVersion": (["NumericLessThan", "NumericGreaterThanEquals"], ["1.2", "1.4"]),
    "s3:ExistingObjectTag/scan": (["StringEquals", "StringNotEquals"], ["clean"]),
    "s3:max-keys": (["NumericGreaterThan", "NumericLessThanEquals"], ["10", "10000"]),
}  # fmt: skip
OF_TRUST: Conditions = OF_ANYBODY | {
    "sts:ExternalId": (["StringEquals", "StringLike", "StringNotEquals", "StringEqualsIgnoreCase", "Null"], [EXTERNAL_ID, "X", EXTERNAL_ID.lower(), "SANDBOX_SFCRole=*"]),
    "sts:RoleSessionName": (["StringEquals", "StringLike"], ["snowflake", "me"]),
}  # fmt: skip
OF_PUBLISHING: Conditions = OF_ANYBODY | {
    "aws:SourceArn": (["ArnLike", "ArnEquals", "StringEquals", "ArnNotLike"], [BUCKET, "arn:aws:s3:::other", "arn:aws:s3:::*"]),
    "aws:SourceAccount": (["StringEquals", "StringNotEquals"], [ACCOUNT, "444455556666"]),
    "aws:SourceOrgID": (["StringEquals", "StringNotEquals"], ["o-1"]),
}  # fmt: skip
READING = ["s3:GetObject", "s3:ListBucket", "s3:*", "s3:Get*", "s3:List*", "*", "s3:PutObject", ["s3:GetObject", "s3:GetObjectVersion"], ["s3:ListBucket", "s3:GetBucketLocation"]]  # fmt: skip
PLACES = [BUCKET, f"{BUCKET}/*", [BUCKET, f"{BUCKET}/*"], f"{BUCKET}/{FOLDERS[0]}*", [f"{BUCKET}/{each}*" for each in FOLDERS], "*", "arn:aws:s3:::other/*", f"{BUCKET}/{FOLDERS[0]}2026/*", f"{BUCKET}/snowplow/*"]  # fmt: skip
SOMEBODY = ["*", {"AWS": "*"}, {"AWS": ROLE}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}]  # fmt: skip
PUBLISHERS = ["*", {"AWS": "*"}, {"Service": "s3.amazonaws.com"}, {"AWS": SNOWFLAKES_USER}, {"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}]  # fmt: skip

NAMED = {
    "policy": {"step1.policy-lets-snowflake-read"},
    "other": {"step1.no-other-policy-denies-reading"},
    "boundary": {"step1.boundary-lets-the-role-read"},
    "bucket": {"step1.bucket-policy-lets-the-role-read"},
    "trust": {"step3.trust-external-id", "step3.trust-names-snowflakes-user", "step3.trust-denies-nothing"},
}
BY_A_CONDITION = "step3.no-condition-keeps-snowflake-out"


def under(draw: Random, known: Conditions) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for _ in range(draw.choice([0, 0, 1, 1, 2])):
        key = draw.choice(list(known))
        operator = draw.choice(known[key][0])
        values = ["true", "false"] if operator == "Null" else known[key][1]
        found.setdefault(operator, {})[key] = draw.choice(values)
    return {"Condition": found} if found else {}


def statement(draw: Random, effect: str, *, of_bucket: bool = False) -> dict[str, Any]:
    row = {"Sid": "Drawn", "Effect": effect, **under(draw, OF_READING)}
    row["NotAction" if draw.random() < 0.12 else "Action"] = draw.choice(READING)
    row["NotResource" if draw.random() < 0.12 else "Resource"] = draw.choice(PLACES)
    return row | ({"Principal": draw.choice(SOMEBODY)} if of_bucket else {})


def of(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(rows)}


def drawn(seed: int) -> tuple[str, dict[str, Any]]:
    """Which of the documents is another than it should be, and all of them."""
    draw = Random(seed)
    which = draw.choice(["policy", "policy", "other", "boundary", "bucket", "trust"])
    found = {"policy": policy(SETTINGS).document, "other": {}, "boundary": {}, "bucket": {}, "trust": role(SETTINGS).trust}  # fmt: skip
    found = copy.deepcopy(found)
    if which == "policy":
        rows = found["policy"]["Statement"]
        if draw.random() < 0.4:
            rows.append(statement(draw, "Deny"))
        elif draw.random() < 0.6:
            draw.choice(rows).update(under(draw, OF_READING))
        else:
            found["policy"] = of(*(statement(draw, "Allow") for _ in range(3)))
    elif which == "trust":
        rows = found["trust"]["Statement"]
        if draw.random() < 0.5:
            asked = under(draw, OF_TRUST).get("Condition", {})
            rows[0]["Condition"] = rows[0]["Condition"] | {
                name: block for name, block in asked.items() if name not in rows[0]["Condition"]
            }
        else:
            deny = {"Sid": "Drawn", "Effect": "Deny", "Action": "sts:*", "Principal": draw.choice(["*", {"AWS": SNOWFLAKES_USER}])}  # fmt: skip
            rows.append(deny | under(draw, OF_TRUST))
    else:
        effects = ["Allow", "Allow", "Deny"] if which == "boundary" else ["Deny"]
        some = range(draw.choice([1, 2, 3]) if which == "boundary" else 1)
        rows = [statement(draw, draw.choice(effects), of_bucket=which == "bucket") for _ in some]
        found[which] = of(*rows)
    return which, found


def refused(documents: dict[str, Any]) -> set[str]:
    """What of listing and reading the sandbox's IAM denies; all where the role cannot be assumed."""
    assuming = Policies([of({"Effect": "Allow", "Action": "*", "Resource": "*"})], None, None, documents["trust"], True)  # fmt: skip
    if not decide(USER, Request("sts:AssumeRole", ROLE, BY_SNOWFLAKE), assuming, ACCOUNT).allowed:
        return {"s3:ListBucket", "s3:GetObject"}
    held = [documents["policy"], *([documents["other"]] if documents["other"] else [])]
    policies = Policies(held, documents["boundary"] or None, None, documents["bucket"] or None)
    asked = [
        request
        for stream in SETTINGS.streams
        for request in (
            Request("s3:ListBucket", BUCKET, {**BY_THE_ROLE, "s3:prefix": (stream.prefix,), "s3:max-keys": ("1000",)}),
            Request("s3:GetObject", f"{BUCKET}/{stream.prefix}{FILE}{stream.suffix}", BY_THE_ROLE),
        )
    ]  # fmt: skip
    return {each.action for each in asked if not decide(SESSION, each, policies, ACCOUNT).allowed}


def observed(settings: Settings, denied: set[str], *, heard: bool = True) -> dict[Any, Any]:
    """An installation with a file in each stream, loaded; or nobody told the pipe of it."""
    found = healthy(settings)
    lists, reads = "s3:ListBucket" not in denied, "s3:GetObject" not in denied
    no = "Access Denied (Status Code: 403; Error Code: AccessDenied)"
    found["entry"] = Entry(lists, "" if lists else no)
    found["reading"] = Entry(reads, "" if reads else no) if lists else None
    for stream in settings.streams:
        file = staged(f"{stream.prefix}{FILE}{stream.suffix}")
        name, at = (FILE, NOW - timedelta(minutes=50)) if heard else ("x", NOW - timedelta(hours=3))
        key = f"{stream.prefix}{name}{stream.suffix}"
        said = {"lastForwardedMessageTimestamp": at.isoformat(), "lastIngestedTimestamp": at.isoformat()}
        found |= {
            ("listing", stream.name): Listing((file,)) if lists else Listing(error=SqlFailed(3167, no, "", "")),
            ("loads", stream.name): (Load(key, "LOADED", at, 1, 1, 0, "", stream.pipe.name, 10),),
            ("rows", stream.name): TableRows(1, NOW - timedelta(days=10), {key: RowsOfFile(1, at)}),
            ("status", stream.name): PipeStatus({"executionState": "RUNNING", "pendingFileCount": 0, **said}),
        }  # fmt: skip
    return found


def causes(facts: Known) -> set[str]:
    """The failed checks that stand on no other one that failed."""
    failed = {name.partition("[")[0] for name, said in judged(facts).items() if said.startswith("failed")}
    by_id = {each.id: each for each in CHECKS}

    def before(name: str) -> Iterator[str]:
        for each in (*by_id[name].needs, *by_id[name].asks):
            yield each
            yield from before(each)

    return {name for name in failed if not failed & set(before(name))}


EVERY = [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(20, 2000, 20))]


@pytest.mark.parametrize("first", EVERY)
def test_what_iam_denies_has_one_root_cause_and_what_it_allows_none(first: int) -> None:
    wrong = {}
    for seed in range(first, first + 20):
        which, documents = drawn(seed)
        denied = refused(documents)
        held = RolePolicies(
            {"other": documents["other"]} if documents["other"] else {}, documents["boundary"]
        )
        facts = Known(
            SETTINGS,
            observed(SETTINGS, denied)
            | {
                "role": role(SETTINGS, trust=documents["trust"]),
                "policy": policy(SETTINGS, document=documents["policy"]),
                "role_policies": held,
                "bucket_policy": documents["bucket"],
            },
        )
        found = causes(facts)
        is_right = len(found) == 1 and found <= NAMED[which] | {BY_A_CONDITION} if denied else not found
        if not is_right:
            wrong[seed] = (sorted(denied), found, json.dumps(documents[which]))
    assert wrong == {}


@pytest.mark.parametrize("first", EVERY)
def test_a_topic_that_lets_s3_or_snowflake_out_is_named_as_that(first: int) -> None:
    with_topic = written()
    for stream in with_topic["streams"].values():
        stream["sns_topic"] = TOPIC
    settings, wrong = read(with_topic), {}
    user = an_integration(settings)
    everything = Policies([of({"Effect": "Allow", "Action": "*", "Resource": "*"})])
    rules = [
        {"Id": each.rule_id, "TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": each.prefix}, {"Name": "Suffix", "Value": each.suffix}]}}}
        for each in settings.streams
    ]  # fmt: skip
    for seed in range(first, first + 20):
        draw = Random(seed)
        rows = [subscribing(TOPIC, user), publishing(TOPIC, settings)]
        drawn_row = {"Sid": "Drawn", "Action": draw.choice(["sns:Publish", "SNS:*", "sns:Subscribe", "*"]), "Resource": TOPIC, "Principal": draw.choice(PUBLISHERS), **under(draw, OF_PUBLISHING)}  # fmt: skip
        if draw.random() < 0.6:
            rows.append({**drawn_row, "Effect": "Deny"})
        else:
            rows = [rows[0], {**drawn_row, "Effect": "Allow"}]
        text = of(*rows)
        publishes = _service_may(S3, "sns:Publish", TOPIC, text, (BUCKET, ACCOUNT))
        by_user = Request("sns:Subscribe", TOPIC, {**BY_SNOWFLAKE, "sns:protocol": ("sqs",)})
        subscribes = decide(USER, by_user, replace(everything, resource=text), ACCOUNT).allowed
        known = observed(settings, set(), heard=publishes) | {
            ("topic", TOPIC): Topic(TOPIC, text, frozenset({QUEUE}), {}),
            "notifications": BucketNotifications({"TopicConfigurations": rules}),
        }
        found = causes(Known(settings, known))
        may = {"step3.topic-denies-nothing"} if not (publishes and subscribes) else set()
        must = {"step5.topic-lets-the-bucket-publish"} if not publishes else set()
        also = {"step3.topic-lets-snowflake-subscribe"} if not subscribes else set()
        if not found <= may | must | also or (not publishes and not found & (may | must)):
            wrong[seed] = (publishes, subscribes, found, json.dumps(rows))
    assert wrong == {}


def test_another_tools_rule_for_some_ways_of_arriving_has_one_root_cause() -> None:
    """Ours cannot stand beside it: S3 takes no two rules for one file and event."""
    rules = [queue_rule(each, QUEUE) for each in SETTINGS.streams]
    rules[0] |= {"Id": "tf-s3-queue", "Events": ["s3:ObjectCreated:Put"]}
    known = observed(SETTINGS, set()) | {
        "notifications": BucketNotifications({"QueueConfigurations": rules}),
    }
    assert causes(Known(SETTINGS, known)) == {"step5.no-other-rule-takes-the-files"}
