"""What is there on AWS: the role, its policy, the bucket and its event notifications."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from runbook.clouds.failures import AwsFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.policies.documents import Document, as_document, statements
from runbook.policies.held import Key, Policy, Role, RolePolicies, trust_sid
from runbook.settings import Stream
from runbook.wanted.rules import BucketNotifications

T = TypeVar("T")


# IAM names these rights otherwise than the API names the calls
# (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)
_RIGHTS = {
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
}


def right(service: str, operation: str) -> str:
    """The IAM action a call needs."""
    name = f"{service}:{operation}"
    return _RIGHTS.get(name, name)


@dataclass(frozen=True)
class Bucket:
    """The bucket, as far as reading its head says."""

    name: str
    region: str


def ask(read: Callable[[], T], what: str) -> T | None:
    """What ``read`` gives; None where AWS says it does not exist; CannotTell where it may not say."""
    try:
        return read()
    except AwsFailed as error:
        if error.is_absence:
            return None
        missing = right(error.service, error.operation) if error.is_denied else ""
        remedy = f"grant {missing}" if missing else "run the command again"
        if missing and "explicit deny" in error.message:
            remedy = (
                f"ask the policy's owner to exempt you from that Deny: a grant cannot override it ({missing})"
            )
        raise CannotTell(
            f"{what} cannot be read", why=str(error), remedy=remedy, missing_right=missing
        ) from None


def policy(reader: Reader) -> Policy | None:
    """The permissions policy; None when there is none of that name."""
    arn = reader.settings.aws.policy_arn

    def read() -> Policy:
        head = reader.aws("iam", "GetPolicy", PolicyArn=arn)["Policy"]
        version = head["DefaultVersionId"]
        body = reader.aws("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)["PolicyVersion"]
        versions = reader.aws("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]
        return Policy(
            arn=arn,
            document=body["Document"],
            versions=tuple(sorted((row["VersionId"] for row in versions), key=lambda v: int(v[1:]))),
            default_version=version,
            tags=_tags(head),
        )

    return ask(read, f"The policy {arn}")


def role(reader: Reader) -> Role | None:
    """The role; None when there is none of that name under any path."""
    name = reader.settings.aws.role_name

    def read() -> Role:
        head = reader.aws("iam", "GetRole", RoleName=name)["Role"]
        attached = reader.aws_pages("iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=name)
        return Role(
            arn=head["Arn"],
            trust=head.get("AssumeRolePolicyDocument", {}),
            attached_policies=frozenset(row["PolicyArn"] for row in attached),
            permissions_boundary=head.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags=_tags(head),
            sid=trust_sid(reader.settings, _tags(head)),
        )

    return ask(read, f"The role {name}")


MOST_ATTACHED = 10  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


def most_attached(reader: Reader) -> int:
    """How many managed policies a role of this account may hold; the default where nobody may say.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
    """
    with suppress(AwsFailed, CannotTell):
        answer = reader.aws("iam", "GetAccountSummary")
        return int(answer["SummaryMap"].get("AttachedPoliciesPerRoleQuota", MOST_ATTACHED))
    return MOST_ATTACHED


def bucket(reader: Reader, name: str) -> Bucket | None:
    """A bucket and its region; None when the account has none of that name.

    The name may be another account's: then S3 answers 403 where we say whose it must be, and else answers.
    A refusal tells the region too.

    S3 gives no reason with a 400, as HEAD has no body; whether it was the session, STS says.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    aws = reader.settings.aws

    def read() -> Bucket | None:
        try:
            head = reader.aws("s3", "HeadBucket", Bucket=name, ExpectedBucketOwner=aws.account_id)
        except AwsFailed as error:
            if error.code == "400":
                reader.aws("sts", "GetCallerIdentity")
            if error.is_denied and _is_anothers(reader, name):
                return None
            if error.is_denied and error.region and _has_a_policy(reader, name):
                return Bucket(name, error.region)
            raise
        headers = head["ResponseMetadata"]["HTTPHeaders"]
        return Bucket(name, head.get("BucketRegion") or headers.get("x-amz-bucket-region", ""))

    return ask(read, f"The bucket {name}")


def _has_a_policy(reader: Reader, name: str) -> bool:
    """Whether the bucket's policy can be read: it is there, and a Deny in it may be why we see no more."""
    account = reader.settings.aws.account_id
    with suppress(AwsFailed):
        reader.aws("s3", "GetBucketPolicy", Bucket=name, ExpectedBucketOwner=account)
        return True
    return False


def _is_anothers(reader: Reader, name: str) -> bool:
    """Whether the bucket answers as long as we do not say whose it must be: it is another account's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    with suppress(AwsFailed):
        reader.aws("s3", "HeadBucket", Bucket=name)
        return True
    return False


MOST_FOLDERS = 10


def folders_beside(reader: Reader, stream: Stream) -> tuple[str, ...]:
    """The first folders beside the stream's that are not a stream's; one call however many files there are.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (Delimiter)
    """
    above = stream.prefix.rstrip("/").rpartition("/")[0]
    where = {"Bucket": stream.bucket, "Prefix": f"{above}/" if above else "", "Delimiter": "/"}
    answer = ask(lambda: reader.aws("s3", "ListObjectsV2", **where), f"The folders beside {stream.url}")
    found = [str(row["Prefix"]) for row in (answer or {}).get("CommonPrefixes", ())]
    ours = tuple(each.prefix for each in reader.settings.in_bucket(stream.bucket))
    return tuple(name for name in found if not name.startswith(ours))[:MOST_FOLDERS]


def bucket_notifications(reader: Reader, name: str) -> BucketNotifications | None:
    """A bucket's notification document; None when the bucket does not exist."""

    def read() -> BucketNotifications:
        answer = reader.aws(
            "s3",
            "GetBucketNotificationConfiguration",
            Bucket=name,
            ExpectedBucketOwner=reader.settings.aws.account_id,
        )
        return BucketNotifications({k: v for k, v in answer.items() if k != "ResponseMetadata"})

    return ask(read, f"The event notifications of {name}")


def role_policies(reader: Reader, role: Callable[[], Role | None]) -> RolePolicies:
    """What the role has beside our policy: attached, inline, and its boundary. Nothing without a role."""
    aws = reader.settings.aws

    def read() -> RolePolicies:
        inline = reader.aws_pages("iam", "ListRolePolicies", "PolicyNames", RoleName=aws.role_name)
        found = {
            name: as_document(
                reader.aws("iam", "GetRolePolicy", RoleName=aws.role_name, PolicyName=name)["PolicyDocument"]
            )
            for name in inline
        }
        have = role()
        ours = {aws.policy_arn} if reader.settings.is_ours else set()
        attached = sorted(have.attached_policies - ours) if have else []
        found.update({arn.rpartition("/")[2]: _document(reader, arn) for arn in attached})
        boundary = have.permissions_boundary if have else None
        return RolePolicies(found, _document(reader, boundary) if boundary else {})

    return ask(read, f"The other policies of the role {aws.role_name}") or RolePolicies()


def _document(reader: Reader, arn: str) -> Document:
    version = reader.aws("iam", "GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = reader.aws("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)
    return as_document(found["PolicyVersion"]["Document"])


def held_policy(role: Role | None, policies: RolePolicies) -> Policy | None:
    """All that others' role holds, as one policy; None where it holds none, or there is no role."""
    rows = [row for document in policies.others.values() for row in statements(document)]
    if role is None or not rows:
        return None
    return Policy(role.arn, {"Version": "2012-10-17", "Statement": rows}, (), "", {})


def bucket_policy(reader: Reader, name: str) -> Document:
    """A bucket's own policy; empty where it has none."""
    aws = reader.settings.aws

    def read() -> Document:
        answer = reader.aws("s3", "GetBucketPolicy", Bucket=name, ExpectedBucketOwner=aws.account_id)
        return as_document(answer["Policy"])

    return ask(read, f"The policy of the bucket {name}") or {}


def bucket_key(reader: Reader, name: str) -> str | None:
    """The customer managed key new files are encrypted with; None: S3's own, or AWS' managed one.

    Whoever may read the bucket may use the other two.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    aws = reader.settings.aws

    def read() -> str | None:
        answer = reader.aws("s3", "GetBucketEncryption", Bucket=name, ExpectedBucketOwner=aws.account_id)
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        chosen = rules[0]["ApplyServerSideEncryptionByDefault"] if rules else {}
        key = str(chosen.get("KMSMasterKeyID") or "")
        return None if not key or key.endswith("alias/aws/s3") else _in_its_region(reader, name, key)

    return ask(read, f"The encryption of the bucket {name}")


def _in_its_region(reader: Reader, bucket: str, key: str) -> str:
    """The key's ARN where the bucket is in another region than ``aws.region``: a bare name is of ours.

    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html (KeyId takes ARNs)
    """
    aws = reader.settings.aws
    region = aws.bucket_named(bucket).region
    return key if region == aws.region else key_of(key, aws.partition, region, aws.account_id)


def key_of(name: str, partition: str, region: str, account: str) -> str:
    """The ARN of a key that is named by its id or alias beside what is of that region and account."""
    if name.startswith("arn:"):
        return name
    bare = name if name.startswith("alias/") else f"key/{name}"
    return f"arn:{partition}:kms:{region}:{account}:{bare}"


def key_arn(reader: Reader, name: str) -> str:
    """The ARN of the key of that alias or id; the name itself where there is no such key.

    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """

    def read() -> str:
        return str(reader.aws("kms", "DescribeKey", KeyId=name)["KeyMetadata"]["Arn"])

    return ask(read, f"The key {name}") or name


def key(reader: Reader, name: str) -> Key | None:
    """A KMS key; None when there is none of that name."""

    def read() -> Key:
        head = reader.aws("kms", "DescribeKey", KeyId=name)["KeyMetadata"]
        text = reader.aws("kms", "GetKeyPolicy", KeyId=head["Arn"], PolicyName="default")["Policy"]
        return Key(head["Arn"], head["KeyState"], as_document(text))

    return ask(read, f"The key {name}")


def grants_decrypt(reader: Reader, key: str, role_arn: str) -> bool:
    """Whether a grant of the key lets the role decrypt, perhaps under constraints; no where nobody may say.

    Sources: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html (weighed along with the key's
    policy), https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html
    """
    with suppress(AwsFailed, CannotTell):
        found = reader.aws_pages("kms", "ListGrants", "Grants", KeyId=key)
        return any(
            row.get("GranteePrincipal") == role_arn and "Decrypt" in row.get("Operations", ())
            for row in found
        )
    return False


def key_of_file(reader: Reader, bucket: str, key: str) -> str:
    """The ARN of the KMS key that a file is encrypted with; empty without one, or where nobody may say.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    with suppress(AwsFailed, CannotTell):
        return str(reader.aws("s3", "HeadObject", Bucket=bucket, Key=key).get("SSEKMSKeyId") or "")
    return ""


def _tags(head: Any) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in head.get("Tags", ())}
