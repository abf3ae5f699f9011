# ruff: noqa: E501 - one document a line
"""Points 8 and 10 of what moto leaves out: documents IAM refuses, and its limits."""

import json
from typing import Any

import pytest

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


IDENTITY = [
    ("not json", "This policy contains invalid Json"),
    (document({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
    (document({"Effect": "Allow", "Action": "s3:GetObject"}), "Policy statement must contain resources."),
    (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
    (document({**ALLOW, "Resource": "my-bucket"}), 'Resource my-bucket must be in ARN format or "*".'),
    (
        document({**ALLOW, "Action": "GetObject"}),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    (document({**ALLOW, "Effect": "allow"}), "Syntax errors in policy."),
    (document({**ALLOW, "Condition": {"StringAlmost": {"s3:prefix": "x"}}}), "Syntax errors in policy."),
    (document({**ALLOW, "Colour": "red"}), "Syntax errors in policy."),
    (json.dumps({"Version": "2026-01-01", "Statement": [ALLOW]}), "Syntax errors in policy."),
    (
        document({**ALLOW, "Sid": "a"}, {**ALLOW, "Sid": "a"}),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
]


@pytest.mark.parametrize(("text", "message"), IDENTITY)
def test_point_8_permissions_policies_that_are_none(iam: Any, refused: Any, text: str, message: str) -> None:
    for call in (
        lambda: iam.client.create_policy(PolicyName="p", PolicyDocument=text),
        lambda: iam.role(iam.trust({"Service": "ec2.amazonaws.com"}, None)) and iam.client.put_role_policy(
            RoleName="reader", PolicyName="p", PolicyDocument=text
        ),
    ):  # fmt: skip
        error = refused(call)
        assert (error["Code"], error["Message"], error["Status"]) == ("MalformedPolicyDocument", message, 400)


def test_point_8_a_sid_is_alphanumeric(iam: Any, refused: Any) -> None:
    error = refused(
        iam.client.create_policy, PolicyName="p", PolicyDocument=document({**ALLOW, "Sid": "a b"})
    )
    assert error["Message"].startswith("Statement IDs (SID) must be alpha-numeric.")


def test_point_8_the_charset_ends_at_latin_1(iam: Any, refused: Any) -> None:
    text = json.dumps(
        json.loads(document({**ALLOW, "Resource": "arn:aws:s3:::b/日本/*"})), ensure_ascii=False
    )
    assert refused(iam.client.create_policy, PolicyName="p", PolicyDocument=text)["Code"] == "ValidationError"
    iam.client.create_policy(PolicyName="p", PolicyDocument=json.dumps(json.loads(text)))


TRUSTS = [
    ("not json", "This policy contains invalid Json"),
    (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
    (document({**ALLOW, "Principal": "*", "Action": "sts:AssumeRole"}), "Has prohibited field Resource"),
    (document({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}), "AssumeRole policy may only specify STS AssumeRole actions."),
    (document({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556667:user/nobody"}, "Action": "sts:AssumeRole"}),
     'Invalid principal in policy: "AWS":"arn:aws:iam::444455556667:user/nobody"'),
    (document({"Effect": "Allow", "Principal": {"AWS": "someone"}, "Action": "sts:AssumeRole"}), 'Invalid principal in policy: "AWS":"someone"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), TRUSTS)
def test_point_8_trust_policies_that_are_none(iam: Any, refused: Any, text: str, message: str) -> None:
    error = refused(iam.client.create_role, RoleName="r", AssumeRolePolicyDocument=text)
    assert (error["Code"], error["Message"], error["Status"]) == ("MalformedPolicyDocument", message, 400)
    iam.role(iam.trust({"Service": "ec2.amazonaws.com"}, None))
    error = refused(iam.client.update_assume_role_policy, RoleName="reader", PolicyDocument=text)
    assert error["Message"] == message


def test_point_8_a_mistyped_snowflake_user_fails(iam: Any, snowflake: Any, refused: Any) -> None:
    wrong = snowflake.arn + "x"
    error = refused(iam.client.create_role, RoleName="r", AssumeRolePolicyDocument=iam.trust({"AWS": wrong}))
    assert error["Message"] == f'Invalid principal in policy: "AWS":"{wrong}"'


def test_point_8_sizes(iam: Any, snowflake: Any, refused: Any) -> None:
    def sized(size: int) -> str:
        text = document({**ALLOW, "Resource": "arn:aws:s3:::b/"})
        padding = size - len(text.replace(" ", ""))
        return document({**ALLOW, "Resource": "arn:aws:s3:::b/" + "x" * padding})

    iam.client.create_policy(PolicyName="largest", PolicyDocument=sized(6_144))
    error = refused(iam.client.create_policy, PolicyName="p", PolicyDocument=sized(6_145))
    assert (error["Code"], error["Message"], error["Status"]) == (
        "LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409,
    )  # fmt: skip
    trust = iam.trust({"AWS": snowflake.arn}, "x" * 2_000)
    error = refused(iam.client.create_role, RoleName="r", AssumeRolePolicyDocument=trust)
    assert error["Message"] == "Cannot exceed quota for ACLSizePerRole: 2048"


def test_point_8_bucket_policies_that_are_none(tenant: Any, refused: Any) -> None:
    s3, bucket = tenant.boto3("s3"), f"arn:aws:s3:::{tenant.bucket}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": bucket}
    cases = {
        "{": "Policies must be valid JSON and the first byte must be '{'",
        document({**deny, "Principal": {"AWS": f"{tenant.account_id[:-1]}x"}}): "Invalid principal in policy",
        document({**deny, "Resource": "arn:aws:s3:::another"}): "Policy has invalid resource",
    }
    for text, message in cases.items():
        error = refused(s3.put_bucket_policy, Bucket=tenant.bucket, Policy=text)
        assert (error["Code"], error["Message"]) == ("MalformedPolicy", message)
    public = document({**deny, "Effect": "Allow"})
    assert refused(s3.put_bucket_policy, Bucket=tenant.bucket, Policy=public)["Code"] == "AccessDenied"


def test_point_8_a_queue_policy_names_principals_that_exist(snowflake: Any, refused: Any) -> None:
    queue = snowflake.queue(policy=False)
    nobody = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556667:user/x"},
        "Action": "sqs:*",
        "Resource": queue.arn,
    }
    error = refused(
        queue.sqs.set_queue_attributes, QueueUrl=queue.url, Attributes={"Policy": document(nobody)}
    )
    assert error["Code"].endswith("InvalidAttributeValue")


def test_point_10_policy_versions(iam: Any, refused: Any) -> None:
    arn = iam.client.create_policy(PolicyName="p", PolicyDocument=document(ALLOW))["Policy"]["Arn"]
    for _ in range(4):
        iam.client.create_policy_version(PolicyArn=arn, PolicyDocument=document(ALLOW), SetAsDefault=True)
    error = refused(iam.client.create_policy_version, PolicyArn=arn, PolicyDocument=document(ALLOW))
    assert (error["Code"], error["Status"]) == ("LimitExceeded", 409)
    assert (
        refused(iam.client.delete_policy_version, PolicyArn=arn, VersionId="v5")["Code"] == "DeleteConflict"
    )
    iam.client.delete_policy_version(PolicyArn=arn, VersionId="v1")
    made = iam.client.create_policy_version(PolicyArn=arn, PolicyDocument=document(ALLOW))
    assert made["PolicyVersion"]["VersionId"] == "v6"
    assert refused(iam.client.delete_policy, PolicyArn=arn)["Code"] == "DeleteConflict"


def test_point_10_ten_attachments_and_no_delete_while_attached(iam: Any, refused: Any) -> None:
    iam.role(iam.trust({"Service": "ec2.amazonaws.com"}, None))
    arns = [
        iam.client.create_policy(PolicyName=f"p{n}", PolicyDocument=document(ALLOW))["Policy"]["Arn"]
        for n in range(11)
    ]
    for arn in arns[:10]:
        iam.client.attach_role_policy(RoleName="reader", PolicyArn=arn)
    error = refused(iam.client.attach_role_policy, RoleName="reader", PolicyArn=arns[10])
    assert (error["Code"], error["Message"]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )
    assert refused(iam.client.delete_policy, PolicyArn=arns[0])["Code"] == "DeleteConflict"
    assert refused(iam.client.delete_role, RoleName="reader")["Code"] == "DeleteConflict"


def test_point_10_names(iam: Any, refused: Any) -> None:
    trust = iam.trust({"Service": "ec2.amazonaws.com"}, None)
    iam.role(trust, name="Reader", Path="/a/")
    for name, path in (("reader", "/"), ("Reader", "/b/")):
        error = refused(iam.client.create_role, RoleName=name, Path=path, AssumeRolePolicyDocument=trust)
        assert (error["Code"], error["Status"]) == ("EntityAlreadyExists", 409)
    for name in ("x" * 65, "a b"):
        error = refused(iam.client.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
        assert error["Code"] == "ValidationError"
    iam.client.create_policy(PolicyName="Pol", PolicyDocument=document(ALLOW))
    error = refused(iam.client.create_policy, PolicyName="pol", Path="/b/", PolicyDocument=document(ALLOW))
    assert error["Code"] == "EntityAlreadyExists"


def test_point_10_tags_and_boundaries(iam: Any, tenant: Any, refused: Any) -> None:
    iam.role(iam.trust({"Service": "ec2.amazonaws.com"}, None))
    tags = [{"Key": "aws:mine", "Value": "x"}]
    assert refused(iam.client.tag_role, RoleName="reader", Tags=tags)["Code"] == "InvalidInput"
    for key, value in (("team", "data & co"), ("team", "a,b"), ("team#1", "x"), ("team", "tab\there")):
        tags = [{"Key": key, "Value": value}]
        assert refused(iam.client.tag_role, RoleName="reader", Tags=tags)["Code"] == "ValidationError"
        error = refused(
            iam.client.create_policy, PolicyName="tagged", PolicyDocument=document(ALLOW), Tags=tags
        )
        assert error["Code"] == "ValidationError"
    iam.client.tag_role(RoleName="reader", Tags=[{"Key": "équipe 1", "Value": "a.b:c/d=e+f-g@h_データ"}])
    boundary = f"arn:aws:iam::{tenant.account_id}:policy/nothing"
    error = refused(iam.client.put_role_permissions_boundary, RoleName="reader", PermissionsBoundary=boundary)
    assert (error["Code"], error["Status"]) == ("NoSuchEntity", 404)


def test_texts_recorded_against_aws(iam: Any, tenant: Any, refused: Any) -> None:
    iam.role(iam.trust({"Service": "ec2.amazonaws.com"}, None))
    arn = f"arn:aws:iam::{tenant.account_id}:policy/none"
    cases = [
        (
            lambda: iam.client.attach_role_policy(
                RoleName="reader", PolicyArn="longer-than-twenty-characters"
            ),
            "ValidationError",
            "Invalid ARN:  Could not be parsed!",
        ),
        (
            lambda: iam.client.attach_role_policy(RoleName="reader", PolicyArn=arn),
            "NoSuchEntity",
            f"Policy {arn} does not exist or is not attachable.",
        ),
        (lambda: iam.client.delete_policy(PolicyArn=arn), "NoSuchEntity", f"Policy {arn} was not found."),
        (
            lambda: iam.client.get_role(RoleName="none"),
            "NoSuchEntity",
            "The role with name none cannot be found.",
        ),
    ]
    for call, code, message in cases:
        error = refused(call)
        assert (error["Code"], error["Message"]) == (code, message)
