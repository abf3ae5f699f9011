"""The permissions policy that Snowflake's role holds, and the tags that mark what is ours."""

from typing import Any

from runbook.policies.access import via_s3
from runbook.policies.documents import Document
from runbook.settings import MANAGED_BY, MANAGED_FOR, Settings, region_of_key


def permissions(settings: Settings, kept: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> Document:
    """The least Snowflake needs to load: read and list the streams' folders, locate the buckets.

    GetBucketLocation stands alone: under an s3:prefix condition it would never be allowed.
    ``kept``: other folders, as ``bucket/prefix/``, that must stay readable, and ``keys`` they may need.
    Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """
    aws = settings.aws
    read = {
        bucket.name: [f"{stream.prefix}*" for stream in settings.in_bucket(bucket.name)]
        for bucket in settings.buckets
    }
    for folder in kept:
        bucket, _, prefix = folder.partition("/")
        read.setdefault(bucket, []).append(f"{prefix}*")
    found: list[Document] = []
    for number, (bucket, prefixes) in enumerate(read.items()):
        found += _reading(f"arn:{aws.partition}:s3:::{bucket}", prefixes, str(number or ""))
    own = {bucket.kms_key_arn: bucket.region for bucket in settings.buckets if bucket.kms_key_arn}
    kept_keys = {key: region_of_key(key) for key in keys if key not in own}
    begin = 0 if own else 1  # DecryptThroughS3 without a number is of a key that the settings name
    for number, (key, region) in enumerate((own | kept_keys).items(), begin):
        found.append(_decrypting(key, region, str(number or "")))
    return {"Version": "2012-10-17", "Statement": found}


def _reading(bucket: str, prefixes: list[str], number: str) -> list[Document]:
    return [
        {
            "Sid": f"ReadObjects{number}",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": [f"{bucket}/{prefix}" for prefix in prefixes],
        },
        {
            "Sid": f"ListFolders{number}",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": prefixes}},
        },
        {
            "Sid": f"LocateBucket{number}",
            "Effect": "Allow",
            "Action": "s3:GetBucketLocation",
            "Resource": bucket,
        },
    ]


def _decrypting(key: str, region: str, number: str) -> Document:
    return {
        "Sid": f"DecryptThroughS3{number}",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": via_s3(region)}},
    }


def tags(settings: Settings) -> list[dict[str, Any]]:
    """What marks what this project may change and delete, and for whom; and the settings' own."""
    marks = {"ManagedBy": MANAGED_BY, MANAGED_FOR: settings.installation}
    return [{"Key": k, "Value": v} for k, v in {**settings.aws.tags, **marks}.items()]
