"""moto's state, read where the gateway needs more than an API call would tell.

The one place that touches moto's private objects for S3, SQS, SNS and KMS (moto is pinned).
"""

import json
from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import ssm_backends
from moto.utilities.utils import get_partition

from snowpipe_sandbox.aws.iam import Document
from snowpipe_sandbox.aws.identities import parsed


def partition_of(region: str) -> str:
    """``aws``, ``aws-cn`` or ``aws-us-gov`` for a region."""
    return str(get_partition(region))


def bucket_named(name: str) -> Any | None:
    """The bucket, whosever it is; None when no account has one of this name."""
    found = s3_backends.bucket_accounts.get(name)
    return s3_backends[found[1]][found[0]].buckets.get(name) if found else None


def bucket_policy(bucket: Any) -> Document | None:
    """The bucket's policy; None without one."""
    text = bucket.policy
    if not text:
        return None
    return parsed(text.decode() if isinstance(text, bytes) else text)


def current_object(bucket: Any, key: str, version_id: str | None = None) -> Any | None:
    """The object (a version of it) as moto keeps it; None when absent or hidden by a delete marker."""
    versions = bucket.keys.getlist(key, [])
    if version_id is not None:
        versions = [version for version in versions if str(version.version_id) == version_id]
    latest = versions[-1] if versions else None
    return None if isinstance(latest, FakeDeleteMarker) else latest


def latest_version(bucket: Any, key: str) -> Any | None:
    """The newest version of a key, delete markers included."""
    versions = bucket.keys.getlist(key, [])
    return versions[-1] if versions else None


def queue_at(arn: str) -> Any | None:
    """The queue an SQS ARN names, in the ARN's own account and region."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sqs" or parts[4] not in sqs_backends:
        return None
    backend = sqs_backends[parts[4]]
    return backend[parts[3]].queues.get(parts[5]) if parts[3] in backend else None


def topic_at(arn: str) -> Any | None:
    """The topic an SNS ARN names, in the ARN's own account and region."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sns" or parts[4] not in sns_backends:
        return None
    backend = sns_backends[parts[4]]
    return backend[parts[3]].topics.get(arn) if parts[3] in backend else None


def topic_subscriptions(topic_arn: str) -> list[Any]:
    """A topic's subscriptions."""
    _, _, _, region, account, _ = topic_arn.split(":")
    backend = sns_backends[account][region]
    return [one for one in backend.subscriptions.values() if one.topic.arn == topic_arn]


def queue_policy(queue: Any) -> Document | None:
    """The queue's policy; None without one."""
    text = queue.policy
    return parsed(text if isinstance(text, str) else json.dumps(text)) if text else None


def topic_policy(topic: Any) -> Document | None:
    """The topic's policy; None without one."""
    text = topic.policy
    return parsed(text if isinstance(text, str) else json.dumps(text)) if text else None


def kms_key(identifier: str, account: str, region: str) -> Any | None:
    """The KMS key of an id, alias or ARN, seen from ``account`` in ``region``."""
    if identifier.startswith("arn:"):
        parts = identifier.split(":")
        region, account, identifier = parts[3], parts[4], parts[5]
    if account not in kms_backends:
        return None
    backend = kms_backends[account][region]
    name = identifier.removeprefix("key/")
    if name.startswith("alias/"):
        name = backend.get_key_id_from_alias(name) or ""
    return backend.keys.get(name)


def key_policy(key: Any) -> Document:
    """The key's policy, with each of its grants as a statement that allows the grantee its operations.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html (considered along with the key's
    policy; allowed is what any of them allows, and none denies).
    """
    policy = parsed(key.policy)
    granted = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": grant.grantee_principal},
            "Action": [f"kms:{operation}" for operation in grant.operations],
            "Resource": "*",
        }
        for grant in key.grants.values()
    ]
    rows = policy.get("Statement", [])
    return {**policy, "Statement": [*(rows if isinstance(rows, list) else [rows]), *granted]}


def forget_accounts(accounts: list[str]) -> list[str]:
    """Remove every trace of these accounts from moto; the names of the buckets they had."""
    gone = set(accounts)
    names = [name for name, (_, account) in list(s3_backends.bucket_accounts.items()) if account in gone]
    for name in names:
        bucket: Any = bucket_named(name)
        s3_backends.bucket_accounts.pop(name, None)
        for key in list(bucket.keys):
            bucket.keys.setlist(key, [])  # closes the files moto keeps large objects in
    for account in gone:
        for backends in (iam_backends, s3_backends, sqs_backends, sns_backends, kms_backends, ssm_backends):
            backends.pop(account, None)
    return names


def each_bucket() -> Iterator[Any]:
    """Every bucket of every account."""
    for name in list(s3_backends.bucket_accounts):
        bucket = bucket_named(name)
        if bucket is not None:
            yield bucket
