"""A tenant's first bucket, made without a request (set-up is not in the tenant's log)."""

from moto.s3.models import PublicAccessBlock, s3_backends

from runbook.sandbox.aws.accounts import AccountUser
from runbook.sandbox.aws.s3 import default_encryption
from runbook.sandbox.aws.stores import bucket_named, partition_of


def make_bucket(owner: AccountUser, name: str, region: str) -> None:
    """A bucket with the settings AWS gives a new one; ValueError when somebody has one of this name."""
    if bucket_named(name) is not None:
        raise ValueError(f"there is a bucket {name} already: bucket names are global")
    bucket = s3_backends[owner.account_id][partition_of(region)].create_bucket(name, region)
    bucket.ownership_rule = "BucketOwnerEnforced"
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.encryption = default_encryption()
