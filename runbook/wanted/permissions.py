"""The permissions policy that Snowflake's role holds, and the tags that mark what is ours."""

from typing import Any

from runbook.policies.documents import Document
from runbook.settings import MANAGED_BY, MANAGED_FOR, Settings


def permissions(settings: Settings, kept: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> Document:
    """The least Snowflake needs to load: read and list the streams' folders, locate the bucket.

    GetBucketLocation stands alone: under an s3:prefix condition it would never be allowed.
    ``kept``: other folders, as ``bucket/prefix/``, that must stay readable, and ``keys`` they may need.
    Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """
    aws = settings.aws
    read = {aws.bucket: [f"{stream.prefix}*" for stream in settings.streams]}
    for folder in kept:
        bucket, _, prefix = folder.partition("/")
        read.setdefault(bucket, []).append(f"{prefix}*")
    found: list[Document] = []
    for number, (bucket, prefixes) in enumerate(read.items()):
        found += _reading(f"arn:{aws.partition}:s3:::{bucket}", prefixes, str(number or ""))
    for number, key in enumerate((aws.kms_key_arn, *keys)):
        if key:
            found.append(_decrypting(settings, key, str(number or "")))
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


def _decrypting(settings: Settings, key: str, number: str) -> Document:
    domain = "amazonaws.com.cn" if settings.aws.partition == "aws-cn" else "amazonaws.com"
    return {
        "Sid": f"DecryptThroughS3{number}",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{settings.aws.region}.{domain}"}},
    }


def tags(settings: Settings) -> list[dict[str, Any]]:
    """What marks what this project may change and delete, and for whom; and the settings' own."""
    marks = {"ManagedBy": MANAGED_BY, MANAGED_FOR: settings.installation}
    return [{"Key": k, "Value": v} for k, v in {**settings.aws.tags, **marks}.items()]
