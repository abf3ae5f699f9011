"""An HTTP request named as AWS names it: service, operation, IAM action, access, parameters.

Operations and their HTTP bindings: AWS API models (botocore 1.44.5). IAM actions where they differ from
the operation's name: `Service Authorization Reference, Amazon S3
<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>`_.
What is not listed here is refused as not emulated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from snowpipe_sandbox.aws.errors import AwsError, NotEmulated
from snowpipe_sandbox.aws.http import HttpRequest

Access = Literal["read", "write"]

_QUERY_TARGETS = {"AmazonSQS": "sqs", "AmazonSSM": "ssm", "TrentService": "kms"}

_READS: dict[str, str] = {
    "iam": """GetUser ListUsers ListAccessKeys ListUserPolicies ListAttachedUserPolicies GetUserPolicy
        ListUserTags ListGroupsForUser GetRole ListRoles ListRolePolicies GetRolePolicy ListRoleTags
        ListAttachedRolePolicies ListInstanceProfilesForRole GetPolicy GetPolicyVersion ListPolicies
        ListPolicyVersions ListPolicyTags ListEntitiesForPolicy ListAccountAliases SimulatePrincipalPolicy
        GetGroup ListGroups ListGroupPolicies GetGroupPolicy ListAttachedGroupPolicies""",
    "sts": "GetCallerIdentity",
    "sqs": "GetQueueUrl GetQueueAttributes ListQueues ListQueueTags",
    "sns": """GetTopicAttributes ListTopics ListSubscriptions ListSubscriptionsByTopic
        GetSubscriptionAttributes ListTagsForResource""",
    "ssm": "GetParameter GetParameters GetParametersByPath DescribeParameters ListTagsForResource",
    "kms": """DescribeKey ListKeys ListAliases GetKeyPolicy ListKeyPolicies GetKeyRotationStatus
        ListGrants ListResourceTags""",
}
_WRITES: dict[str, str] = {
    "iam": """CreateUser DeleteUser CreateAccessKey DeleteAccessKey UpdateAccessKey PutUserPolicy
        DeleteUserPolicy AttachUserPolicy DetachUserPolicy TagUser UntagUser
        CreateGroup DeleteGroup AddUserToGroup RemoveUserFromGroup PutGroupPolicy DeleteGroupPolicy
        AttachGroupPolicy DetachGroupPolicy
        CreateRole DeleteRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy PutRolePolicy
        DeleteRolePolicy AttachRolePolicy DetachRolePolicy TagRole UntagRole PutRolePermissionsBoundary
        DeleteRolePermissionsBoundary CreatePolicy DeletePolicy CreatePolicyVersion DeletePolicyVersion
        SetDefaultPolicyVersion TagPolicy UntagPolicy""",
    "sts": "AssumeRole",
    "sqs": """CreateQueue DeleteQueue SetQueueAttributes SendMessage SendMessageBatch ReceiveMessage
        DeleteMessage DeleteMessageBatch ChangeMessageVisibility ChangeMessageVisibilityBatch PurgeQueue
        TagQueue UntagQueue""",
    "sns": """CreateTopic DeleteTopic SetTopicAttributes Subscribe Unsubscribe SetSubscriptionAttributes
        Publish TagResource UntagResource""",
    "ssm": "PutParameter DeleteParameter DeleteParameters AddTagsToResource RemoveTagsFromResource",
    "kms": """CreateKey PutKeyPolicy CreateAlias DeleteAlias UpdateAlias EnableKey DisableKey
        ScheduleKeyDeletion CancelKeyDeletion EnableKeyRotation DisableKeyRotation TagResource UntagResource
        CreateGrant RevokeGrant Encrypt Decrypt GenerateDataKey""",
}
# Calls that use a key or a queue without leaving a change behind that anybody could read back.
_NOT_WRITES = {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "sts:AssumeRole"}

OPERATIONS: dict[str, dict[str, Access]] = {
    service: {
        **dict.fromkeys(_READS[service].split(), "read"),
        **{
            name: "read" if f"{service}:{name}" in _NOT_WRITES else "write"
            for name in _WRITES[service].split()
        },
    }
    for service in _READS
}

# (subresource, operation, IAM action) by level and method; "" is a request without a subresource.
_S3: dict[tuple[str, str], tuple[tuple[str, str, str], ...]] = {
    ("service", "GET"): (("", "ListBuckets", "ListAllMyBuckets"),),
    ("bucket", "HEAD"): (("", "HeadBucket", "ListBucket"),),
    ("bucket", "GET"): (
        ("location", "GetBucketLocation", "GetBucketLocation"),
        ("versions", "ListObjectVersions", "ListBucketVersions"),
        ("uploads", "ListMultipartUploads", "ListBucketMultipartUploads"),
        ("versioning", "GetBucketVersioning", "GetBucketVersioning"),
        ("policy", "GetBucketPolicy", "GetBucketPolicy"),
        ("policyStatus", "GetBucketPolicyStatus", "GetBucketPolicyStatus"),
        ("notification", "GetBucketNotificationConfiguration", "GetBucketNotification"),
        ("encryption", "GetBucketEncryption", "GetEncryptionConfiguration"),
        ("tagging", "GetBucketTagging", "GetBucketTagging"),
        ("acl", "GetBucketAcl", "GetBucketAcl"),
        ("cors", "GetBucketCors", "GetBucketCORS"),
        ("website", "GetBucketWebsite", "GetBucketWebsite"),
        ("logging", "GetBucketLogging", "GetBucketLogging"),
        ("lifecycle", "GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
        ("replication", "GetBucketReplication", "GetReplicationConfiguration"),
        ("accelerate", "GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
        ("requestPayment", "GetBucketRequestPayment", "GetBucketRequestPayment"),
        ("object-lock", "GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
        ("ownershipControls", "GetBucketOwnershipControls", "GetBucketOwnershipControls"),
        ("publicAccessBlock", "GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
        ("list-type", "ListObjectsV2", "ListBucket"),
        ("", "ListObjects", "ListBucket"),
    ),
    ("bucket", "PUT"): (
        ("versioning", "PutBucketVersioning", "PutBucketVersioning"),
        ("policy", "PutBucketPolicy", "PutBucketPolicy"),
        ("notification", "PutBucketNotificationConfiguration", "PutBucketNotification"),
        ("encryption", "PutBucketEncryption", "PutEncryptionConfiguration"),
        ("tagging", "PutBucketTagging", "PutBucketTagging"),
        ("", "CreateBucket", "CreateBucket"),
    ),
    ("bucket", "DELETE"): (
        ("policy", "DeleteBucketPolicy", "DeleteBucketPolicy"),
        ("encryption", "DeleteBucketEncryption", "PutEncryptionConfiguration"),
        ("tagging", "DeleteBucketTagging", "PutBucketTagging"),
        ("", "DeleteBucket", "DeleteBucket"),
    ),
    ("bucket", "POST"): (("delete", "DeleteObjects", "DeleteObject"),),
    ("object", "HEAD"): (("", "HeadObject", "GetObject"),),
    ("object", "GET"): (
        ("tagging", "GetObjectTagging", "GetObjectTagging"),
        ("acl", "GetObjectAcl", "GetObjectAcl"),
        ("attributes", "GetObjectAttributes", "GetObject"),
        ("uploadId", "ListParts", "ListMultipartUploadParts"),
        ("", "GetObject", "GetObject"),
    ),
    ("object", "PUT"): (
        ("tagging", "PutObjectTagging", "PutObjectTagging"),
        ("uploadId", "UploadPart", "PutObject"),
        ("", "PutObject", "PutObject"),
    ),
    ("object", "DELETE"): (
        ("tagging", "DeleteObjectTagging", "DeleteObjectTagging"),
        ("uploadId", "AbortMultipartUpload", "AbortMultipartUpload"),
        ("", "DeleteObject", "DeleteObject"),
    ),
    ("object", "POST"): (
        ("uploads", "CreateMultipartUpload", "PutObject"),
        ("uploadId", "CompleteMultipartUpload", "PutObject"),
    ),
}
# Subresources the API knows (botocore's S3 model); one that is not in the table above is refused, so that
# it is never mistaken for the plain request.
_SUBRESOURCES = {
    "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "list-type", "location", "logging",
    "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
    "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging",
    "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}  # fmt: skip
_KINDS = {
    # the resource an action is about, where it has one (Service Authorization Reference)
    "sqs": "queue",
    "sns": "topic",
    "kms": "key",
    "ssm": "parameter",
}
_ABOUT_THE_ACCOUNT = {
    "s3:ListAllMyBuckets", "sts:GetCallerIdentity", "sqs:ListQueues", "sns:ListTopics", "kms:CreateKey",
    "sns:ListSubscriptions", "kms:ListKeys", "kms:ListAliases", "ssm:DescribeParameters", "iam:ListRoles",
    "iam:ListUsers", "iam:ListGroups", "iam:ListPolicies", "iam:ListAccountAliases",
}  # fmt: skip
_VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"}


@cache
def _s3_actions() -> frozenset[str]:
    actions = {action for table in _S3.values() for _, _, action in table}
    return frozenset(actions | {action.replace("Object", "ObjectVersion") for action in _VERSIONED & actions})


def resource_kind(action: str) -> str | None:
    """``s3``, ``role``, ``queue``, …: what ``s3:GetObject`` is about; "" for none, None if not known here."""
    service, _, name = action.partition(":")
    s3_actions = {known for table in _S3.values() for _, _, known in table}
    known = (
        s3_actions | {f"{one}Version" for one in _VERSIONED} if service == "s3" else OPERATIONS.get(service)
    )
    if known is None or name not in known:
        return None
    if action in _ABOUT_THE_ACCOUNT:
        return ""
    if service == "s3":
        return "s3"
    if service in ("iam", "sts"):
        kinds = {"Principal": "entity", "Role": "role", "User": "user", "AccessKey": "user", "Group": "group"}
        return next((kind for word, kind in kinds.items() if word in name), "policy")
    return _KINDS[service]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as AWS would log it. ``parameters`` are the query service's or JSON members."""

    service: str
    operation: str
    action: str
    access: Access
    protocol: str
    request: HttpRequest
    region: str = "us-east-1"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    bucket: str = ""
    key: str = ""

    @property
    def name(self) -> str:
        """``s3:PutObject``: the operation, as the request log and the faults name it."""
        return f"{self.service}:{self.operation}"

    @property
    def iam_action(self) -> str:
        """``s3:ListBucket``: the action a policy must allow."""
        return f"{self.service}:{self.action}"

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        value = self.parameters.get(name, default)
        return value if isinstance(value, str) else default

    def members(self, name: str) -> list[str]:
        """A query list: ``PolicyArns.member.1``, ``PolicyArns.member.2`` and so on."""
        found = []
        for n in range(1, 1001):
            value = self.parameters.get(f"{name}.member.{n}")
            if value is None:
                break
            found.append(str(value))
        return found


def protocol_of(request: HttpRequest, service: str) -> str:
    """The protocol an error must be written in, knowable before the call itself is understood."""
    if "x-amz-target" in request.headers:
        return "json"
    return "s3" if service == "s3" or not service else "query"


def bucket_in_host(request: HttpRequest) -> str:
    """The bucket a request names in its host, as most do on AWS; empty when it is in the path.

    Virtual-host names the sandbox can be reached by: ``<bucket>.localhost`` and
    ``<bucket>.s3.<region>.localhost`` (any port).
    """
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if not host.endswith(".localhost"):
        return ""
    bucket = host.removesuffix(".localhost")
    for marker in (".s3.", ".s3-"):
        bucket = bucket.partition(marker)[0]
    bucket = bucket.removesuffix(".s3")
    return "" if bucket == "s3" or bucket.startswith("s3.") else bucket


def path_style(request: HttpRequest) -> HttpRequest:
    """The same request with the bucket in its path, if it was in the host name."""
    bucket = bucket_in_host(request)
    return replace(request, path=f"/{bucket}{request.path}") if bucket else request


def call_of(request: HttpRequest, service: str, region: str) -> Call:
    """What is asked. Raises NotEmulated for services and operations the sandbox does not have."""
    target = request.headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.rpartition(".")
        service = _QUERY_TARGETS.get(prefix.split("_")[0], service)
        return _named(
            service, operation, request, protocol="json", region=region, parameters=_json_body(request)
        )
    if service in ("s3", ""):
        return _s3_call(path_style(request), region)
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    parameters = {**request.query, **form}
    return _named(
        service,
        str(parameters.get("Action", "")),
        request,
        protocol="query",
        region=region,
        parameters=parameters,
    )


def _json_body(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        raise AwsError("SerializationException", "The request body is not JSON") from None
    return found if isinstance(found, dict) else {}


def _named(
    service: str,
    operation: str,
    request: HttpRequest,
    *,
    protocol: str,
    region: str,
    parameters: dict[str, Any],
) -> Call:
    access = OPERATIONS.get(service, {}).get(operation)
    if access is None:
        known = service in OPERATIONS
        raise NotEmulated(f"{service}:{operation}" if known else f"the AWS service {service or '?'}")
    return Call(service, operation, operation, access, protocol, request, region, parameters)


def _s3_call(request: HttpRequest, region: str) -> Call:
    bucket, _, key = request.path[1:].partition("/")
    level = "service" if not bucket else "bucket" if not key else "object"
    asked = _SUBRESOURCES & set(request.query)
    operation, action = _s3_operation(level, request.method, asked, request)
    if "x-amz-copy-source" in request.headers and operation in ("PutObject", "UploadPart"):
        operation = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}[operation]
    if "versionId" in request.query and action in _VERSIONED:
        action = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}.get(
            action, action.replace("Object", "ObjectVersion")
        )
    access: Access = "read" if request.method in ("GET", "HEAD") else "write"
    return Call(
        "s3", operation, action, access, "s3", request, region, request.query, unquote(bucket), unquote(key)
    )


def _s3_operation(level: str, method: str, asked: set[str], request: HttpRequest) -> tuple[str, str]:
    for subresource, operation, action in _S3.get((level, method), ()):
        if subresource in asked or (not subresource and not asked):
            extra = asked - {subresource}
            if extra - {"uploads", "uploadId", "list-type"}:
                break
            return operation, action
    raise NotEmulated(f"S3 {method} {level} {' '.join(sorted(asked)) or request.path}")
