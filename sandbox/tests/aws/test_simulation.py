"""iam:SimulatePrincipalPolicy as AWS answers it (recorded: github.com/radkawar/stackd, testdata/aws/iam)."""

import json
from typing import Any

import pytest

OBJECT = "arn:aws:s3:::bucket/p/a.gz"
BUCKET = "arn:aws:s3:::bucket"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/p/*"}
LIST = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": BUCKET,
    "Condition": {"StringLike": {"s3:prefix": "p/*"}},
}


@pytest.fixture
def simulate(tenant: Any, iam: Any) -> Any:
    """Simulates for a role with the given statements; the results of all actions."""

    def run(
        *statements: Any, actions: list[str], role: str = "reader", **kwargs: Any
    ) -> list[dict[str, Any]]:
        arn = f"arn:aws:iam::{tenant.account_id}:role/{role}"
        if statements:
            iam.role(iam.trust({"AWS": tenant.account_id}), *statements, name=role)
        answer = iam.client.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions, **kwargs)
        found: list[dict[str, Any]] = answer["EvaluationResults"]
        return found

    return run


def context(name: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}


def test_one_result_an_action_and_the_strictest_of_its_resources(simulate: Any) -> None:
    elsewhere = "arn:aws:s3:::bucket/q/a.gz"
    read, write = simulate(READ, actions=["s3:GetObject", "s3:PutObject"], ResourceArns=[OBJECT, elsewhere])
    assert (read["EvalActionName"], read["EvalDecision"]) == ("s3:GetObject", "implicitDeny")
    assert read["EvalResourceName"] == "arn:aws:s3:::${BucketName}/${KeyName}"
    specific = {one["EvalResourceName"]: one for one in read["ResourceSpecificResults"]}
    assert specific[OBJECT]["EvalResourceDecision"] == "allowed"
    assert specific[elsewhere]["EvalResourceDecision"] == "implicitDeny"
    assert specific[OBJECT]["MatchedStatements"][0]["SourcePolicyId"] == "role_reader_inline"
    assert write["EvalDecision"] == "implicitDeny"


def test_one_resource_is_named_and_none_is_a_star_that_no_arn_matches(simulate: Any) -> None:
    (one,) = simulate(READ, actions=["s3:GetObject"], ResourceArns=[OBJECT])
    assert (one["EvalResourceName"], one["EvalDecision"]) == (OBJECT, "allowed")
    (all_of_them,) = simulate(actions=["s3:GetObject"])
    assert (all_of_them["EvalResourceName"], all_of_them["EvalDecision"]) == ("*", "implicitDeny")
    assert "ResourceSpecificResults" not in all_of_them


def test_a_condition_needs_its_key_and_what_is_missing_is_named(simulate: Any) -> None:
    (without,) = simulate(LIST, actions=["s3:ListBucket"], ResourceArns=[BUCKET])
    assert (without["EvalDecision"], without["MissingContextValues"]) == ("implicitDeny", ["s3:prefix"])
    (inside,) = simulate(
        actions=["s3:ListBucket"], ResourceArns=[BUCKET], ContextEntries=[context("s3:prefix", "p/x")]
    )
    assert (inside["EvalDecision"], inside["MissingContextValues"]) == ("allowed", [])
    (outside,) = simulate(
        actions=["s3:ListBucket"], ResourceArns=[BUCKET], ContextEntries=[context("S3:Prefix", "q/")]
    )
    assert (outside["EvalDecision"], outside["MissingContextValues"]) == ("implicitDeny", [])


def test_keys_of_statements_about_other_actions_are_missing_too_but_not_beside_an_allow(
    simulate: Any,
) -> None:
    allowed, denied = simulate(READ, LIST, actions=["s3:GetObject", "s3:PutObject"], ResourceArns=[OBJECT])
    assert (allowed["EvalDecision"], allowed["MissingContextValues"]) == ("allowed", [])
    assert (denied["EvalDecision"], denied["MissingContextValues"]) == ("implicitDeny", ["s3:prefix"])


def test_an_explicit_deny_wins(simulate: Any) -> None:
    (found,) = simulate(READ, {**READ, "Effect": "Deny"}, actions=["s3:GetObject"], ResourceArns=[OBJECT])
    assert found["EvalDecision"] == "explicitDeny"


def test_a_boundary_limits_and_is_told_of(tenant: Any, simulate: Any, iam: Any) -> None:
    boundary = iam.client.create_policy(PolicyName="limit", PolicyDocument=iam.document(LIST))["Policy"][
        "Arn"
    ]
    simulate(READ, actions=["s3:GetObject"], ResourceArns=[OBJECT])
    iam.client.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=boundary)
    (found,) = simulate(actions=["s3:GetObject"], ResourceArns=[OBJECT])
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_an_arn_the_action_is_never_about_is_an_implicit_deny(simulate: Any) -> None:
    """Even for an administrator: s3:ListAllMyBuckets has no resource, iam:CreateRole is about a role."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    account, role = simulate(
        everything, actions=["s3:ListAllMyBuckets", "iam:CreateRole"], ResourceArns=[BUCKET]
    )
    assert (account["EvalDecision"], role["EvalDecision"]) == ("implicitDeny", "implicitDeny")
    (without,) = simulate(actions=["s3:ListAllMyBuckets"])
    assert without["EvalDecision"] == "allowed"


def test_trust_and_bucket_policies_are_no_part_of_it(tenant: Any, simulate: Any, snowflake: Any) -> None:
    """A bucket policy that denies everybody does not show; the call itself is refused."""
    arn = f"arn:aws:s3:::{tenant.bucket}"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/*"}
    tenant.boto3("s3").put_bucket_policy(
        Bucket=tenant.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    (found,) = simulate(
        {**READ, "Resource": f"{arn}/*"}, actions=["s3:GetObject"], ResourceArns=[f"{arn}/p/a.gz"]
    )
    assert found["EvalDecision"] == "allowed"


def test_a_users_groups_and_managed_policies_count(tenant: Any, iam: Any) -> None:
    user = iam.client.create_user(UserName="ann", Path="/team/")["User"]["Arn"]
    policy = iam.client.create_policy(PolicyName="managed", PolicyDocument=iam.document(READ))["Policy"][
        "Arn"
    ]
    iam.client.create_group(GroupName="readers")
    iam.client.add_user_to_group(GroupName="readers", UserName="ann")
    iam.client.attach_group_policy(GroupName="readers", PolicyArn=policy)
    own = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/${aws:username}/*"}
    iam.client.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=iam.document(own))
    read, write = iam.client.simulate_principal_policy(
        PolicySourceArn=user,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=[OBJECT, "arn:aws:s3:::bucket/ann/x"],
    )["EvaluationResults"]
    assert [one["EvalResourceDecision"] for one in read["ResourceSpecificResults"]] == [
        "allowed",
        "implicitDeny",
    ]
    assert read["MatchedStatements"][0]["SourcePolicyId"] == "managed"
    assert [one["EvalResourceDecision"] for one in write["ResourceSpecificResults"]] == [
        "implicitDeny",
        "allowed",
    ]
    assert write["MatchedStatements"][0]["SourcePolicyId"] == "user_ann_own"


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (
            "arn:aws:sts::{account}:assumed-role/reader/s",
            "InvalidInput",
            "does not clearly define entity type",
        ),
        ("arn:aws:iam::{account}:root", "InvalidInput", "does not clearly define entity type"),
        ("arn:aws:iam::{account}:role/nobody", "NoSuchEntity", "The role with name nobody cannot be found."),
        ("arn:aws:iam::999999999999:role/reader", "AccessDenied", "iam:SimulatePrincipalPolicy"),
    ],
)
def test_whom_it_cannot_simulate(
    tenant: Any, iam: Any, refused: Any, source: str, code: str, message: str
) -> None:
    """Sources: github.com/newrelic/newrelic-lambda-cli/issues/96 (an assumed role's ARN is none)."""
    found = refused(
        iam.client.simulate_principal_policy,
        PolicySourceArn=source.format(account=tenant.account_id),
        ActionNames=["s3:GetObject"],
    )
    assert found["Code"] == code
    assert message in found["Message"]


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        ({"ActionNames": ["GetObject"]}, "InvalidInput", "missing names"),
        (
            {"ResourceArns": ["a-key-id"]},
            "InvalidInput",
            "ResourceNames are not in a valid ARN format: a-key-id.",
        ),
        (
            {"ContextEntries": [context("a:bcd", "1"), context("A:BCD", "2")]},
            "InvalidInput",
            "Duplicate context key",
        ),
        ({"ActionNames": ["madeup:Action"]}, "NotImplemented", "not emulated"),
        ({"ResourceArns": ["arn:aws:kms:us-west-2:999999999999:key/x"]}, "NotImplemented", "another account"),
        ({"PolicyInputList": ["{}"]}, "NotImplemented", "PolicyInputList"),
    ],
)
def test_what_it_refuses(tenant: Any, iam: Any, refused: Any, wanted: Any, code: str, message: str) -> None:
    arn = iam.role(iam.trust({"AWS": tenant.account_id}))
    found = refused(
        iam.client.simulate_principal_policy,
        **({"PolicySourceArn": arn, "ActionNames": ["s3:GetObject"]} | wanted),
    )
    assert found["Code"] == code
    assert message in found["Message"]


def test_who_may_not_simulate_is_refused(tenant: Any, iam: Any, refused: Any) -> None:
    iam.client.create_user(UserName="curious")
    key = iam.client.create_access_key(UserName="curious")["AccessKey"]
    client = tenant.client_for("iam", key["AccessKeyId"], key["SecretAccessKey"])
    found = refused(
        client.simulate_principal_policy,
        PolicySourceArn=f"arn:aws:iam::{tenant.account_id}:user/curious",
        ActionNames=["s3:GetObject"],
    )
    assert found["Code"] == "AccessDenied"
