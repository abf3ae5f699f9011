"""Broken by the key that encrypts the files: not named, gone, disabled, denied, its grants and its policy."""

from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.denied import bounded, document
from tests.scenarios.faults.fault import fault


def _encrypted(at: Installation) -> str:
    """A key of the customer's, with which the bucket encrypts new files."""
    arn = str(at.aws("kms").create_key()["KeyMetadata"]["Arn"])
    chosen = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    at.aws("s3").put_bucket_encryption(
        Bucket=at.settings.aws.bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": chosen}]},
    )
    return arn


def _named(at: Installation) -> str:
    """The same, and the settings name it."""
    arn = _encrypted(at)
    at.environment["INVOKE_AWS_KMS_KEY_ARN"] = arn
    at.run("step1-aws")
    return arn


def _left_out(at: Installation, arn: str, *more: dict[str, object]) -> str:
    """The key's policy names whoever set it, and who ``more`` says; returns what it was."""
    kms, me = at.aws("kms"), at.aws("sts").get_caller_identity()["Arn"]
    before = str(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    mine = {"Sid": "Mine", "Effect": "Allow", "Principal": {"AWS": me}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=document(mine, *more))
    return before


@fault("key", "policy")
def key_not_in_the_settings(at: Installation) -> Iterator[None]:
    arn = _encrypted(at)
    yield
    at.environment["INVOKE_AWS_KMS_KEY_ARN"] = arn
    at.run("step1-aws")


@fault("key", "policy")
def key_of_that_name_is_gone(at: Installation) -> Iterator[None]:
    aws = at.settings.aws
    at.environment["INVOKE_AWS_KMS_KEY_ARN"] = f"arn:aws:kms:{aws.region}:{aws.account_id}:key/none"
    yield
    del at.environment["INVOKE_AWS_KMS_KEY_ARN"]


@fault("key", "policy")
def key_disabled(at: Installation) -> Iterator[None]:
    arn = _named(at)
    at.aws("kms").disable_key(KeyId=arn)
    yield
    at.aws("kms").enable_key(KeyId=arn)


@fault("key", "policy")
def key_policy_leaves_the_role_out(at: Installation) -> Iterator[None]:
    arn = _named(at)
    before = _left_out(at, arn)
    yield
    at.aws("kms").put_key_policy(KeyId=arn, PolicyName="default", Policy=before)


@fault("key", "policy", "file")
def key_alias_moved(at: Installation) -> Iterator[None]:
    """The bucket names its key by an alias, which somebody moved to a new key."""
    kms, alias = at.aws("kms"), "alias/lake"
    old, new = (str(kms.create_key()["KeyMetadata"]["Arn"]) for _ in range(2))
    kms.create_alias(AliasName=alias, TargetKeyId=old)
    chosen = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": alias}
    at.aws("s3").put_bucket_encryption(
        Bucket=at.settings.aws.bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": chosen}]},
    )
    at.environment["INVOKE_AWS_KMS_KEY_ARN"] = old
    at.run("step1-aws")
    kms.update_alias(AliasName=alias, TargetKeyId=new)
    yield
    at.environment["INVOKE_AWS_KMS_KEY_ARN"] = new
    at.run("step1-aws")


@fault("key", "policy")
def key_grant_revoked(at: Installation) -> Iterator[None]:
    """A grant alone lets the role in, as key policies of platform teams have it, and it is revoked."""
    arn, kms, role = _named(at), at.aws("kms"), at.settings.aws.role_arn
    grant = kms.create_grant(KeyId=arn, GranteePrincipal=role, Operations=["Decrypt"])["GrantId"]
    before = _left_out(at, arn)
    kms.revoke_grant(KeyId=arn, GrantId=grant)
    yield
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=before)


@fault("key", "policy", "role")
def boundary_without_the_key(at: Installation) -> Iterator[None]:
    """Files that came before the bucket had a key are read as before."""
    _named(at)
    yield from bounded(at, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})


@fault("key", "policy", "role")
def inline_policy_denies_the_key(at: Installation) -> Iterator[None]:
    _named(at)
    where = {"RoleName": at.settings.aws.role_name, "PolicyName": "no-kms"}
    row = {"Sid": "NoKms", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    at.aws("iam").put_role_policy(**where, PolicyDocument=document(row))
    yield
    at.aws("iam").delete_role_policy(**where)


@fault("key", "policy")
def key_policy_for_another_region(at: Installation) -> Iterator[None]:
    """The key may be used through the S3 of another region only: the statement was copied."""
    arn, kms = _named(at), at.aws("kms")
    row: dict[str, object] = {
        "Sid": "Lake",
        "Effect": "Allow",
        "Principal": {"AWS": at.settings.aws.role_arn},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
    }
    before = _left_out(at, arn, row)
    yield
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=before)
