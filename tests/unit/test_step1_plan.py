"""Step 1 plans, given these facts, these changes: the policy and the closed role."""

from dataclasses import replace

import pytest

from runbook.clouds.failures import AwsFailed
from runbook.errors import Refused
from runbook.plan import AwsChange
from runbook.policies.documents import text
from runbook.policies.held import NOBODY_SID
from runbook.settings import read
from runbook.wanted.permissions import permissions
from runbook.wanted.trust import closed_trust, nobody
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy, policy, role
from tests.unit.planned import changes

TAGS = [
    {"Key": "ManagedBy", "Value": "snowpipe-runbook"},
    {"Key": "ManagedFor", "Value": "SANDBOXORG-SANDBOX/RAW.SNOWPLOW"},
]


def test_from_nothing_makes_policy_and_a_role_nobody_may_assume(settings, absent, facts):
    assert changes(1, facts(absent)) == [
        AwsChange(
            "iam",
            "CreatePolicy",
            {
                "PolicyName": "snowflake-read-snowplow",
                "Path": "/",
                "Description": "Lets Snowflake read Snowplow files",
                "PolicyDocument": text(permissions(settings)),
                "Tags": TAGS,
            },
            why="the policy does not exist",
        ),
        AwsChange(
            "iam",
            "CreateRole",
            {
                "RoleName": "snowflake-read-role",
                "Path": "/",
                "Description": "Assumed by Snowflake to read Snowplow files",
                "AssumeRolePolicyDocument": text(closed_trust()),
                "Tags": TAGS,
            },
            why="the role does not exist",
        ),
        AwsChange(
            "iam",
            "AttachRolePolicy",
            {
                "RoleName": "snowflake-read-role",
                "PolicyArn": "arn:aws:iam::111122223333:policy/snowflake-read-snowplow",
            },
            why="the role does not hold the policy",
        ),
    ]


def test_the_permissions_are_the_least_that_loads(settings):
    b = "arn:aws:s3:::snowplow-sandbox"
    assert permissions(settings) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadObjects",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [f"{b}/snowplow/enriched/stream/*", f"{b}/snowplow/enriched/bad/*"],
            },
            {
                "Sid": "ListFolders",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": b,
                "Condition": {
                    "StringLike": {"s3:prefix": ["snowplow/enriched/stream/*", "snowplow/enriched/bad/*"]}
                },
            },
            {"Sid": "LocateBucket", "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": b},
        ],
    }


@pytest.mark.parametrize(
    ("region", "service"),
    [("us-west-2", "s3.us-west-2.amazonaws.com"), ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn")],
)
def test_the_key_may_be_used_only_through_s3(region, service):
    key = f"arn:aws:kms:{region}:111122223333:key/k"
    settings = read(written(aws__kms_key_arn=key, aws__region=region))
    assert permissions(settings)["Statement"][3] == {
        "Sid": "DecryptThroughS3",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": service}},
    }


def test_the_role_is_made_under_its_path_with_its_boundary_and_tags(absent):
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    settings = read(
        written(
            aws__path="/team/",
            aws__permissions_boundary=boundary,
            aws__tags={"team": "data", "ManagedBy": "me"},
        )
    )
    made = {change.operation: change.parameters for change in changes(1, Known(settings, absent))}
    assert made["CreateRole"]["Path"] == made["CreatePolicy"]["Path"] == "/team/"
    assert made["CreateRole"]["PermissionsBoundary"] == boundary
    assert made["CreateRole"]["Tags"] == [{"Key": "team", "Value": "data"}, *TAGS]
    assert made["AttachRolePolicy"]["PolicyArn"].endswith(":policy/team/snowflake-read-snowplow")


def new_version(settings):
    return AwsChange(
        "iam",
        "CreatePolicyVersion",
        {
            "PolicyArn": settings.aws.policy_arn,
            "PolicyDocument": text(permissions(settings)),
            "SetAsDefault": True,
        },
        why="the policy's text is not what the settings need",
    )


def test_a_policy_that_drifted_gets_a_new_version(settings, found, facts):
    found["policy"] = policy(settings, document={"Version": "2012-10-17", "Statement": []})
    assert changes(1, facts(found)) == [new_version(settings)]


def test_a_policy_that_means_the_same_burns_no_version(settings, found, facts):
    document = permissions(settings)
    rows = [
        {**row, "Action": [row["Action"]] if isinstance(row["Action"], str) else row["Action"][::-1]}
        for row in document["Statement"]
    ]
    found["policy"] = policy(settings, document={"Statement": rows[::-1], "Version": "2012-10-17"})
    assert changes(1, facts(found)) == []


@pytest.mark.parametrize(
    ("versions", "default", "pruned"),
    [
        (("v1",), "v1", None),
        (("v1", "v2", "v3", "v4"), "v4", None),
        (("v1", "v2", "v3", "v4", "v5"), "v5", "v1"),
        (("v1", "v2", "v3", "v4", "v5"), "v1", "v2"),
        (("v7", "v8", "v9", "v10", "v11"), "v11", "v7"),
        (("v9", "v10", "v11", "v12", "v13"), "v9", "v10"),
        (("v9", "v10", "v11", "v12", "v13"), "v13", "v9"),
    ],
)
def test_the_oldest_version_that_is_not_the_default_makes_room(
    settings, found, facts, versions, default, pruned
):
    found["policy"] = policy(settings, document={"Statement": []}, versions=versions, default_version=default)
    expected = [new_version(settings)]
    if pruned:
        parameters = {"PolicyArn": settings.aws.policy_arn, "VersionId": pruned}
        expected.insert(
            0, AwsChange("iam", "DeletePolicyVersion", parameters, why="IAM keeps at most 5 versions")
        )
    assert changes(1, facts(found)) == expected


def test_a_policy_that_was_detached_is_attached(settings, found, facts):
    found["role"] = role(settings, attached_policies=frozenset({"arn:other"}))
    (change,) = changes(1, facts(found))
    assert (change.operation, change.parameters["PolicyArn"]) == ("AttachRolePolicy", settings.aws.policy_arn)


def test_a_role_that_is_gone_comes_back_closed(settings, found, facts):
    found["role"] = None
    assert [change.operation for change in changes(1, facts(found))] == ["CreateRole", "AttachRolePolicy"]


@pytest.mark.parametrize(
    ("has", "why"), [(None, "the boundary is not set"), ("arn:old", "the boundary is arn:old")]
)
def test_the_boundary_is_put_where_it_is_demanded(has, why):
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    settings = read(written(aws__permissions_boundary=boundary))
    found = healthy(settings) | {"role": role(settings, permissions_boundary=has)}
    assert changes(1, Known(settings, found)) == [
        AwsChange(
            "iam",
            "PutRolePermissionsBoundary",
            {"RoleName": "snowflake-read-role", "PermissionsBoundary": boundary},
            why=why,
        )
    ]


def test_a_boundary_nobody_demanded_stays(settings, found, facts):
    found["role"] = role(settings, permissions_boundary="arn:aws:iam::111122223333:policy/theirs")
    assert changes(1, facts(found)) == []


@pytest.mark.parametrize("what", ["role", "policy"])
@pytest.mark.parametrize("tags", [{}, {"ManagedBy": "terraform"}, {"managedby": "snowpipe-runbook"}])
def test_what_is_somebody_elses_is_refused(settings, found, facts, what, tags):
    found[what] = replace(found[what], tags=tags)
    with pytest.raises(Refused, match=f"The {what} .* was not made by this project.*--adopt"):
        changes(1, facts(found))


@pytest.mark.parametrize("tags", [{}, {"ManagedBy": "terraform", "team": "theirs"}])
def test_with_adopt_it_is_tagged_and_brought_to_what_is_wanted(settings, found, facts, tags):
    found["role"] = role(settings, tags=tags, attached_policies=frozenset())
    found["policy"] = policy(settings, tags=tags, document={"Statement": []})
    arn, name = settings.aws.policy_arn, settings.aws.role_name
    adopted = [{"Key": "AdoptedBy", "Value": "snowpipe-runbook"}, TAGS[1]]
    nobody = {"iam:ListEntitiesForPolicy": {"PolicyRoles": [{"RoleName": name}]}}
    assert changes(1, facts(found, adopt=True, answers=nobody)) == [
        AwsChange("iam", "TagPolicy", {"PolicyArn": arn, "Tags": adopted}, why="adopted"),
        new_version(settings),
        AwsChange("iam", "TagRole", {"RoleName": name, "Tags": adopted}, why="adopted"),
        AwsChange(
            "iam",
            "AttachRolePolicy",
            {"RoleName": name, "PolicyArn": arn},
            why="the role does not hold the policy",
        ),
    ]


@pytest.mark.parametrize("what", ["role", "policy"])
def test_without_room_for_our_tags_nothing_is_adopted(settings, found, facts, what):
    found[what] = replace(found[what], tags={f"k{number}": "v" for number in range(49)})
    with pytest.raises(Refused, match="no room for a tag"):
        changes(1, facts(found, adopt=True))


@pytest.mark.parametrize("tags", [{}, {"AdoptedBy": "snowpipe-runbook"}])
@pytest.mark.parametrize(
    ("holders", "versions", "words"),
    [
        ({"PolicyUsers": [{"UserName": "ann"}]}, ("v1",), "Others hold the policy .*: user ann"),
        ({}, ("v1", "v2", "v3", "v4", "v5"), "has 5 versions"),
    ],
)
def test_an_adopted_policy_is_not_changed_under_others_nor_loses_a_version(
    settings, found, facts, tags, holders, versions, words
):
    found["policy"] = policy(
        settings, tags=tags, document={"Statement": []}, versions=versions, default_version="v1"
    )
    with pytest.raises(Refused, match=words):
        changes(1, facts(found, adopt=True, answers={"iam:ListEntitiesForPolicy": holders}))


def test_a_role_that_others_may_assume_is_not_adopted(settings, found, facts):
    """Or its adoption would end red, with all changes made."""
    root = {"AWS": f"arn:aws:iam::{settings.aws.account_id}:root"}
    row = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
    found["role"] = role(settings, tags={}, trust={"Version": "2012-10-17", "Statement": [row]})
    with pytest.raises(Refused, match=r"can be assumed by others: arn:aws:iam::111122223333:root.*[Ss]tep 3"):
        changes(1, facts(found, adopt=True))


@pytest.mark.parametrize("adopt", [False, True])
def test_a_role_of_that_name_under_another_path_is_refused(settings, found, facts, adopt):
    found["role"] = role(settings, arn="arn:aws:iam::111122223333:role/team/snowflake-read-role")
    with pytest.raises(Refused, match="under another path: arn:aws:iam::111122223333:role/team/"):
        changes(1, facts(found, adopt=adopt))


def test_the_closed_trust_denies_everybody():
    assert closed_trust()["Statement"] == [nobody()]
    assert nobody() == {
        "Sid": NOBODY_SID,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
    }


FULL = [f"arn:aws:iam::111122223333:policy/team-{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("summary", "is_full"),
    [
        ({"SummaryMap": {"AttachedPoliciesPerRoleQuota": 10}}, True),
        ({"SummaryMap": {}}, True),
        (AwsFailed("iam", "GetAccountSummary", "AccessDenied", "no", ""), True),
        ({"SummaryMap": {"AttachedPoliciesPerRoleQuota": 20}}, False),
    ],
)
def test_a_role_that_can_hold_no_more_is_refused_before_anything_is_made(
    settings, found, facts, summary, is_full
):
    found["role"] = role(settings, attached_policies=frozenset(FULL))
    known = facts(found, adopt=True, answers={"iam:GetAccountSummary": summary})
    if not is_full:
        assert [change.operation for change in changes(1, known)] == ["AttachRolePolicy"]
        return
    with pytest.raises(Refused, match="holds 10 policies, and IAM lets a role hold no more") as told:
        changes(1, known)
    assert "team-0, team-1" in told.value.why
    assert "aws iam detach-role-policy --role-name snowflake-read-role" in told.value.remedy
