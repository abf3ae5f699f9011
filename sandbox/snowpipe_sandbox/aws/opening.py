"""Accounts and first buckets put straight into moto's state: a tenant's set-up, which is not a request."""

from typing import Any

from moto.iam.models import iam_backends
from moto.s3.models import PublicAccessBlock, s3_backends

from snowpipe_sandbox.aws.identities import aws_managed_policy
from snowpipe_sandbox.aws.stores import bucket_named, partition_of

ADMINISTRATOR = "policy/AdministratorAccess"


def make_user(account_id: str, user: str, region: str, policy: str | None) -> tuple[str, str, str, str, str]:
    """A user with an access key: account, name, ARN, key id, secret.

    ``policy`` is its inline policy; None gives it AdministratorAccess.
    """
    partition = partition_of(region)
    backend: Any = iam_backends[account_id][partition]
    made = backend.create_user(region, user)
    if policy is None:
        arn = f"arn:{partition}:iam::aws:{ADMINISTRATOR}"
        aws_managed_policy(account_id, arn, partition)
        backend.attach_user_policy(arn, user)
    else:
        made.put_policy("permissions", policy)
    key = backend.create_access_key(user)
    return account_id, user, made.arn, key.access_key_id, key.secret_access_key


def make_bucket(account_id: str, name: str, region: str) -> Any:
    """A bucket in an account, empty and private."""
    return s3_backends[account_id][partition_of(region)].create_bucket(name, region)


def set_bucket_defaults(bucket: Any) -> None:
    """What AWS gives every new bucket: ACLs disabled, public access blocked, SSE-S3.

    Source: `Default settings for new S3 buckets
    <https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html>`_.
    """
    bucket.ownership_rule = "BucketOwnerEnforced"
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.encryption = default_encryption()


def default_encryption() -> dict[str, Any]:
    """SSE-S3, which every bucket has since 2023."""
    return {
        "Rule": {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": "false",
        }
    }


def check_bucket_is_free(name: str) -> None:
    """ValueError when somebody has a bucket of this name: they are global."""
    if bucket_named(name) is not None:
        raise ValueError(f"there is a bucket {name} already: bucket names are global")
