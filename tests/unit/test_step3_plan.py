"""Step 3 plans, given these facts, these changes: the trust policy."""

# ruff: noqa: E501 (a table has one row a line)

import json
import shlex
from dataclasses import replace

import pytest

from checks.check_step3_aws import check_trust_external_id
from runbook.errors import Advised, Refused
from runbook.facts.topic import Topic
from runbook.plan import AwsChange, Before, plan_step
from runbook.policies.documents import text
from runbook.policies.held import TRUST_SID
from runbook.settings import read
from runbook.steps import STEPS
from runbook.wanted.trust import closed_trust, nobody, ours
from tests.unit.conftest import written
from tests.unit.observed import EXTERNAL_ID, SNOWFLAKES_USER, FakeReader, Known, healthy, integration, role
from tests.unit.planned import changes


def trust_of(*rows):
    return {"Version": "2012-10-17", "Statement": list(rows)}


def planned(known):
    """The changes without what they replace, which a test of its own looks at."""
    return [replace(change, before=None) for change in changes(3, known)]


def updated(*rows, why):
    return [
        AwsChange(
            "iam",
            "UpdateAssumeRolePolicy",
            {"RoleName": "snowflake-read-role", "PolicyDocument": text(trust_of(*rows))},
            why=why,
        )
    ]


AUDIT = {
    "Sid": "Audit",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222233334444:role/audit"},
    "Action": "sts:AssumeRole",
}


def test_opens_the_closed_role_to_snowflakes_user_alone(settings, found, facts):
    found["role"] = role(settings, trust=closed_trust())
    mine = ours(found["integration"])
    assert planned(facts(found)) == updated(mine, why="the role is assumable by nobody")
    assert mine == {
        "Sid": TRUST_SID,
        "Effect": "Allow",
        "Principal": {"AWS": SNOWFLAKES_USER},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": found["integration"].external_id}},
    }


@pytest.mark.parametrize("place", [0, 1])
def test_keeps_statements_that_are_not_ours(settings, found, facts, place):
    rows = [nobody()]
    rows.insert(place, AUDIT)
    found["role"] = role(settings, trust=trust_of(*rows))
    why = "the role is assumable by nobody"
    assert planned(facts(found)) == updated(AUDIT, ours(found["integration"]), why=why)


def test_a_foreign_statement_beside_ours_is_no_drift(settings, found, facts):
    for rows in ([AUDIT, ours(found["integration"])], [ours(found["integration"]), AUDIT]):
        found["role"] = role(settings, trust=trust_of(*rows))
        assert changes(3, facts(found)) == []


def test_a_single_statement_as_aws_may_write_it_is_no_drift(settings, found, facts):
    row = ours(found["integration"])
    row["Action"] = ["sts:AssumeRole"]
    row["Principal"] = {"AWS": [SNOWFLAKES_USER]}
    row["Condition"] = {"StringEquals": {"sts:ExternalId": [found["integration"].external_id]}}
    found["role"] = role(settings, trust={"Version": "2012-10-17", "Statement": row})
    assert changes(3, facts(found)) == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"external_id": "OLD_SFCRole=1_x"}, f"the external ID {EXTERNAL_ID} is not asked for; the external ID OLD_SFCRole=1_x goes: no stage of ours uses it"),
        ({"iam_user_arn": "arn:aws:iam::999988887777:user/old"}, "Snowflake's user is not trusted"),
    ],
)  # fmt: skip
def test_a_trust_of_another_user_or_external_id_is_put_right(settings, found, facts, changed, why):
    found["role"] = role(settings, trust=trust_of(ours(integration(settings, **changed))))
    assert planned(facts(found)) == updated(ours(found["integration"]), why=why)


def test_a_dead_users_id_is_replaced(settings, found, facts):
    dead = {**ours(found["integration"]), "Principal": {"AWS": "AIDAEXAMPLE"}}
    found["role"] = role(settings, trust=trust_of(dead))
    assert planned(facts(found)) == updated(ours(found["integration"]), why="Snowflake's user is not trusted")


@pytest.mark.parametrize(("missing", "step"), [("role", 1), ("integration", 2)])
def test_is_blocked_by_the_step_that_brings_what_is_missing(found, facts, missing, step):
    found[missing] = None
    plan = plan_step(STEPS[2], facts(found))
    assert (plan.changes, plan.blocked.by_step, plan.is_empty) == ((), step, False)
    assert f"invoke step{step}-" in str(plan.blocked)


@pytest.mark.parametrize("adopt", [False, True])
def test_the_trust_of_a_role_that_is_not_ours_is_refused(settings, found, facts, adopt):
    found["role"] = role(settings, tags={})
    with pytest.raises(Refused, match="invoke step1-aws --adopt"):
        changes(3, facts(found, adopt=adopt))


def test_what_it_replaces_is_asked_for_again_before_it_is_written(settings, found, facts):
    found["role"] = role(settings, trust=trust_of(AUDIT))
    [change] = changes(3, facts(found))
    assert change.before == Before(
        "GetRole",
        {"RoleName": settings.aws.role_name},
        trust_of(AUDIT),
        at=("Role", "AssumeRolePolicyDocument"),
    )
    for now, holds in ((trust_of(AUDIT), True), (trust_of(AUDIT, nobody()), False), ({}, False)):
        reader = FakeReader(settings, {"iam:GetRole": {"Role": {"AssumeRolePolicyDocument": now}, "X": 1}})
        assert change.before.still_holds(reader, "iam") == holds


TOPIC = "arn:aws:sns:us-west-2:111122223333:files"
THEIRS = {
    "Sid": "theirs",
    "Effect": "Allow",
    "Principal": {"AWS": "222233334444"},
    "Action": "sns:Subscribe",
    "Resource": TOPIC,
}


def with_topic(policy):
    """Facts of a healthy installation whose events go through a topic with that policy; None: no topic."""
    settings = read(written(streams__events__sns_topic=TOPIC))
    topic = policy and Topic(TOPIC, policy, frozenset(), {"Attributes": {"Policy": text(policy)}})
    return Known(settings, {**healthy(settings), ("topic", TOPIC): topic})


def test_the_topics_policy_is_merged_and_stays():
    known = with_topic({"Version": "2008-10-17", "Id": "default", "Statement": [THEIRS]})
    (change,) = changes(3, known)
    after = json.loads(change.parameters["AttributeValue"])
    assert (after["Id"], after["Statement"][0]) == ("default", THEIRS)
    assert [row["Action"] for row in after["Statement"][1:]] == ["sns:Subscribe", "sns:Publish"]
    assert after["Statement"][1]["Principal"] == {"AWS": SNOWFLAKES_USER}
    assert change.before.operation == "GetTopicAttributes"
    assert changes(3, with_topic(after)) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"Principal": {"AWS": "AIDAEXAMPLE"}},
        {"Effect": "Deny"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "222233334444"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        {"Resource": "arn:aws:sns:us-west-2:111122223333:another"},
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_a_topics_policy_that_does_not_let_both_in_is_put_right(spoilt, place):
    policy = {"Version": "2012-10-17", "Statement": [THEIRS]}
    (first,) = changes(3, with_topic(policy))
    whole = json.loads(first.parameters["AttributeValue"])
    broken = {**whole, "Statement": list(whole["Statement"])}
    broken["Statement"][place] = {**broken["Statement"][place], **spoilt}
    (again,) = changes(3, with_topic(broken))
    assert json.loads(again.parameters["AttributeValue"]) == whole


@pytest.mark.parametrize(
    ("place", "anothers"),
    [
        (1, {"Principal": {"AWS": "arn:aws:iam::999988887777:user/other"}}),
        (2, {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}}),
    ],
)
def test_a_topics_statement_of_another_installation_stays(place, anothers):
    (first,) = changes(3, with_topic({"Version": "2012-10-17", "Statement": [THEIRS]}))
    whole = json.loads(first.parameters["AttributeValue"])
    statements = list(whole["Statement"])
    statements[place] = {**statements[place], **anothers}
    (change,) = changes(3, with_topic({**whole, "Statement": statements}))
    after = json.loads(change.parameters["AttributeValue"])
    assert statements[place] in after["Statement"]
    assert len({row["Sid"] for row in after["Statement"]}) == 4
    assert changes(3, with_topic(after)) == []


def test_a_topic_that_is_not_there_is_refused():
    with pytest.raises(Refused, match="does not exist"):
        changes(3, with_topic(None))


def judged(known):
    """What the check of the external ID says, and the remedy of its advice."""
    try:
        check_trust_external_id(known, known.role, known.integration, known.settings)
    except Advised as advised:
        return str(advised).splitlines()[0], str(advised.remedy)
    return "", ""


@pytest.mark.parametrize("in_use", [True, False])
def test_an_external_id_that_no_integration_has_is_named_with_the_command_that_takes_it_out(
    settings, found, facts, in_use
):
    """Only Snowflake's user of this account is let in, so no other account can bring that ID."""
    both = ours(found["integration"])
    both["Condition"]["StringEquals"]["sts:ExternalId"] = ["OLD_SFCRole=1_x", EXTERNAL_ID]
    both["Condition"]["IpAddress"] = {"aws:SourceIp": "192.0.2.0/24"}
    found["role"] = role(settings, trust=trust_of(AUDIT, both))
    described = {EXTERNAL_ID: "SNOWPLOW_S3", "OLD_SFCRole=1_x": "ANOTHER_S3" if in_use else ""}
    answers = {"SHOW INTEGRATIONS": [{"name": "AN_API", "category": "API"}]}
    for one, name in described.items():
        if name:
            answers["SHOW INTEGRATIONS"].append({"name": name, "category": "STORAGE"})
            answers[f"DESC INTEGRATION {name}"] = [
                {"property": "STORAGE_AWS_EXTERNAL_ID", "property_value": one}
            ]
    said, told = judged(facts(found, answers=answers))
    if in_use:
        assert (said, told) == ("", "")
        return
    assert said.startswith("no storage integration of this Snowflake account has that external ID")
    words = shlex.split(told.partition(": ")[2])
    assert words[:5] == ["aws", "iam", "update-assume-role-policy", "--role-name", "snowflake-read-role"]
    mended = {**both, "Condition": {**both["Condition"], "StringEquals": {"sts:ExternalId": EXTERNAL_ID}}}
    assert json.loads(words[-1]) == trust_of(AUDIT, mended)
    del both["Condition"]["IpAddress"]  # which step 3 takes off; the ID stays, for it may be somebody's
    assert changes(3, facts(found, answers=answers)) == []


def test_what_of_an_external_id_cannot_be_seen_is_not_judged(settings, found, facts):
    both = ours(found["integration"])
    both["Condition"]["StringEquals"]["sts:ExternalId"] = ["OLD_SFCRole=1_x", EXTERNAL_ID]
    found["role"] = role(settings, trust=trust_of(both))
    known = facts(found)
    known.reader.hidden_from = {"admin": "SYSADMIN"}
    assert judged(known) == ("", "")
