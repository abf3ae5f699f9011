"""Step 1, AWS: a permissions policy that reads the streams' folders, and the role that holds it.

Documented as: create IAM policy, create IAM role. The role is assumable by nobody until step 3
has Snowflake's user and external ID: its trust policy denies everybody.
"""

from collections.abc import Iterator
from typing import Any

from runbook.errors import Refused
from runbook.facts import Facts
from runbook.facts.aws import NOBODY_SID, Policy, Role
from runbook.facts.documents import Document, same, text
from runbook.facts.ours import policy_holders
from runbook.plan import AwsChange, Change
from runbook.settings import ADOPTED_BY, MANAGED_BY, Settings

MOST_VERSIONS = 5  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


ADOPTED = [{"Key": ADOPTED_BY, "Value": MANAGED_BY}]
"""On what somebody else made: a tag of its own, for ManagedBy may be theirs already."""


def plan(facts: Facts) -> Iterator[Change]:
    """Bring the policy's text to what the settings need, and the role to hold it."""
    settings = facts.settings
    yield from _policy(facts, facts.policy)
    yield from _role(settings, facts.role, adopt=facts.adopt)


def _policy(facts: Facts, have: Policy | None) -> Iterator[Change]:
    settings = facts.settings
    want = permissions(settings)
    if have is None:
        yield AwsChange(
            "iam",
            "CreatePolicy",
            {
                "PolicyName": settings.aws.policy_name,
                "Path": settings.aws.path,
                "Description": "Lets Snowflake read Snowplow files",
                "PolicyDocument": text(want),
                "Tags": tags(settings),
            },
            why="the policy does not exist",
        )
        return
    if not have.is_ours:
        if not facts.adopt:
            raise _not_ours(f"The policy {have.arn}", same(have.document, want))
        yield AwsChange("iam", "TagPolicy", {"PolicyArn": have.arn, "Tags": ADOPTED}, why="adopted")
    if same(have.document, want):
        return
    if have.tags.get("ManagedBy") != MANAGED_BY:
        _refuse_to_change_theirs(facts, have)
    if len(have.versions) >= MOST_VERSIONS:
        oldest = next(version for version in have.versions if version != have.default_version)
        yield AwsChange(
            "iam",
            "DeletePolicyVersion",
            {"PolicyArn": have.arn, "VersionId": oldest},
            why=f"IAM keeps at most {MOST_VERSIONS} versions",
        )
    yield AwsChange(
        "iam",
        "CreatePolicyVersion",
        {"PolicyArn": have.arn, "PolicyDocument": text(want), "SetAsDefault": True},
        why="the policy's text is not what the settings need",
    )


def _refuse_to_change_theirs(facts: Facts, have: Policy) -> None:
    """An adopted policy is not changed under others who hold it, and keeps all of its versions."""
    another = "set aws.policy_name to a new name"
    if holders := policy_holders(facts.reader, have):
        raise Refused(
            f"Others hold the policy {have.arn}: {', '.join(holders)}",
            why="its text is not what the settings need, and changing it would change what they may do",
            remedy=another,
        )
    if len(have.versions) >= MOST_VERSIONS:
        raise Refused(
            f"The policy {have.arn} has {len(have.versions)} versions, and IAM keeps no more",
            why="somebody else made it, so none of them is deleted here",
            remedy=f"delete one that nobody needs, or {another}",
        )


def _role(settings: Settings, have: Role | None, *, adopt: bool) -> Iterator[Change]:
    aws = settings.aws
    if have is None:
        boundary = {"PermissionsBoundary": aws.permissions_boundary} if aws.permissions_boundary else {}
        yield AwsChange(
            "iam",
            "CreateRole",
            {
                "RoleName": aws.role_name,
                "Path": aws.path,
                "Description": "Assumed by Snowflake to read Snowplow files",
                "AssumeRolePolicyDocument": text(closed_trust()),
                "Tags": tags(settings),
                **boundary,
            },
            why="the role does not exist",
        )
    elif have.arn != aws.role_arn:
        raise Refused(
            f"There is a role {aws.role_name} under another path: {have.arn}",
            why="role names are unique in an account whatever their path",
            remedy="set aws.path or aws.role_name",
        )
    elif not have.is_ours:
        if not adopt:
            raise _not_ours(f"The role {have.arn}", aws.policy_arn in have.attached_policies)
        yield AwsChange("iam", "TagRole", {"RoleName": aws.role_name, "Tags": ADOPTED}, why="adopted")
    if (
        have is not None
        and aws.permissions_boundary
        and have.permissions_boundary != aws.permissions_boundary
    ):
        yield AwsChange(
            "iam",
            "PutRolePermissionsBoundary",
            {"RoleName": aws.role_name, "PermissionsBoundary": aws.permissions_boundary},
            why=f"the boundary is {have.permissions_boundary or 'not set'}",
        )
    if have is None or aws.policy_arn not in have.attached_policies:
        yield AwsChange(
            "iam",
            "AttachRolePolicy",
            {"RoleName": aws.role_name, "PolicyArn": aws.policy_arn},
            why="the role does not hold the policy",
        )


def permissions(settings: Settings) -> Document:
    """The least Snowflake needs to load: read and list the streams' folders, locate the bucket.

    GetBucketLocation stands alone: under an s3:prefix condition it would never be allowed.
    Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """
    aws = settings.aws
    folders = [f"{stream.prefix}*" for stream in settings.streams]
    found: list[Document] = [
        {
            "Sid": "ReadObjects",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": [f"{aws.bucket_arn}/{folder}" for folder in folders],
        },
        {
            "Sid": "ListFolders",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": aws.bucket_arn,
            "Condition": {"StringLike": {"s3:prefix": folders}},
        },
        {
            "Sid": "LocateBucket",
            "Effect": "Allow",
            "Action": "s3:GetBucketLocation",
            "Resource": aws.bucket_arn,
        },
    ]
    if aws.kms_key_arn:
        domain = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
        found.append(
            {
                "Sid": "DecryptThroughS3",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": aws.kms_key_arn,
                "Condition": {"StringEquals": {"kms:ViaService": f"s3.{aws.region}.{domain}"}},
            }
        )
    return {"Version": "2012-10-17", "Statement": found}


def closed_trust() -> Document:
    """A trust policy nobody satisfies: an explicit Deny wins over anything added beside it."""
    return {"Version": "2012-10-17", "Statement": [nobody()]}


def nobody() -> Document:
    """The statement that denies everybody."""
    return {
        "Sid": NOBODY_SID,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
    }


def tags(settings: Settings) -> list[dict[str, Any]]:
    """ManagedBy, which marks what this project may change and delete, and the settings' own."""
    return [{"Key": k, "Value": v} for k, v in {**settings.aws.tags, "ManagedBy": MANAGED_BY}.items()]


def _not_ours(what: str, fits: bool) -> Refused:  # noqa: FBT001 (a private sentence)
    difference = "It is already what is wanted" if fits else "It differs from what is wanted"
    return Refused(
        f"{what} exists and was not made by this project",
        why=f"it has no tag ManagedBy={MANAGED_BY}. {difference}",
        remedy="run the step with --adopt to take it over, or choose another name in the settings",
    )
