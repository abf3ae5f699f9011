"""What a call touches: the actions and resources to be allowed, their policies, and the request context.

Resource types and condition keys: `Service Authorization Reference
<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>`_
(S3, IAM, STS, SQS, SNS, KMS, Systems Manager) and `global condition keys
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>`_.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.iam.models import iam_backends

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.iam import Document, Principal
from snowpipe_sandbox.aws.identities import Caller, Identities, parsed

_S3_HEADERS = {
    "s3:x-amz-acl": "x-amz-acl",
    "s3:x-amz-storage-class": "x-amz-storage-class",
    "s3:x-amz-server-side-encryption": "x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-copy-source": "x-amz-copy-source",
    "s3:x-amz-content-sha256": "x-amz-content-sha256",
}
_LISTS = ("ListObjects", "ListObjectsV2", "ListObjectVersions")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to be authorised. ``policy_decides`` as in :class:`snowpipe_sandbox.aws.iam.Policies`."""

    action: str
    resource: str
    account: str
    policy: Document | None = None
    policy_decides: bool = False
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def no_such_bucket(name: str) -> AwsError:
    """S3's answer for a bucket that nobody has."""
    return AwsError("NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name})


def context_of(
    call: Call, principal: Principal, caller: Caller | None, now: datetime
) -> dict[str, tuple[str, ...]]:
    """The global condition keys of a request, and the service's own that are in its parameters.

    aws:SecureTransport is true: loopback stands in for TLS.
    """
    context: dict[str, tuple[str, ...]] = {
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:securetransport": ("true",),
        "aws:sourceip": ("127.0.0.1",),
        "aws:requestedregion": (call.region,),
        "aws:viaawsservice": ("false",),
        "aws:useragent": (call.request.headers.get("user-agent", ""),),
    }
    if principal.kind not in ("service", "anonymous"):
        context |= _principal_context(principal, caller)
    if call.service == "s3":
        context |= _s3_context(call)
    elif call.service == "iam":
        context |= _present({"iam:policyarn": call.text("PolicyArn"), **_boundary_context(call)})
        context |= _tag_context(call)
    elif call.service == "sts":
        context |= _present(
            {"sts:externalid": call.text("ExternalId"), "sts:rolesessionname": call.text("RoleSessionName")}
        )
    return context


def _present(values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {key: (value,) for key, value in values.items() if value}


def _boundary_context(call: Call) -> dict[str, str]:
    return {"iam:permissionsboundary": call.text("PermissionsBoundary")}


def _tag_context(call: Call) -> dict[str, tuple[str, ...]]:
    context: dict[str, tuple[str, ...]] = {}
    for n in range(1, 51):
        key = call.text(f"Tags.member.{n}.Key")
        if not key:
            break
        context[f"aws:requesttag/{key.lower()}"] = (call.text(f"Tags.member.{n}.Value"),)
        context["aws:tagkeys"] = (*context.get("aws:tagkeys", ()), key)
    return context


def _principal_context(principal: Principal, caller: Caller | None) -> dict[str, tuple[str, ...]]:
    kinds = {"user": "User", "assumed-role": "AssumedRole", "root": "Account"}
    context: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (principal.role_arn or principal.arn,),
        "aws:principalaccount": (principal.account,),
        "aws:principaltype": (kinds[principal.kind],),
        "aws:userid": (principal.unique_id,),
        "aws:principalisawsservice": ("false",),
    }
    if caller and caller.user_name:
        context["aws:username"] = (caller.user_name,)
    if caller and caller.session:
        context["aws:tokenissuetime"] = (caller.session.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),)
        context["aws:multifactorauthpresent"] = ("false",)
    return context


def _s3_context(call: Call) -> dict[str, tuple[str, ...]]:
    headers = call.request.headers
    context = _present({key: headers.get(header, "") for key, header in _S3_HEADERS.items()})
    context["s3:authtype"] = ("REST-HEADER" if "authorization" in headers else "REST-QUERY-STRING",)
    context["s3:signatureversion"] = ("AWS4-HMAC-SHA256",)
    context["s3:tlsversion"] = ("1.3",)  # as aws:SecureTransport: what is loopback here is TLS there
    if call.operation in _LISTS:
        for key, name in (("prefix", "prefix"), ("delimiter", "delimiter"), ("max-keys", "max-keys")):
            if name in call.parameters:
                context[f"s3:{key}"] = (str(call.parameters[name]),)
    if "versionId" in call.parameters:
        context["s3:versionid"] = (str(call.parameters["versionId"]),)
    return context


def targets_of(call: Call, caller: Principal, identities: Identities, at: datetime | None) -> list[Target]:
    """Everything that must be allowed for the call to go ahead; empty for GetCallerIdentity."""
    if call.service == "s3":
        return _s3_targets(call, caller)
    if call.name == "sts:AssumeRole":
        return [_role_target(call, identities, at)]
    if call.service == "iam":
        resource = iam_resource(call, caller)
        account = caller.account
        if call.operation == "SimulatePrincipalPolicy" and resource.count(":") >= 5:
            account = resource.split(":")[4]
        return [Target(call.iam_action, resource, account)]
    if call.service in ("sqs", "sns", "kms", "ssm"):
        return [_OTHERS[call.service](call, caller)]
    return []


def _s3_targets(call: Call, caller: Principal) -> list[Target]:
    partition = stores.partition_of(call.region)
    if not call.bucket:
        return [Target(call.iam_action, "*", caller.account)]
    arn = f"arn:{partition}:s3:::{call.bucket}"
    if call.operation == "CreateBucket":
        return [Target(call.iam_action, arn, caller.account)]
    if call.operation == "DeleteObjects":
        return []  # each object is authorised by itself, and refused by itself
    targets = [s3_target(call.iam_action, call.bucket, call.key)]
    if call.operation in ("CopyObject", "UploadPartCopy"):
        bucket, key, version = copy_source(call)
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        targets.append(s3_target(action, bucket, key))
    return targets


def copy_source(call: Call) -> tuple[str, str, str | None]:
    """Bucket, key and version id of the x-amz-copy-source header."""
    source, _, version = call.request.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(source).lstrip("/").partition("/")
    return bucket, key, version or None


def s3_target(action: str, bucket_name: str, key: str = "") -> Target:
    """A bucket or object with its owner's account and the bucket's policy. Raises NoSuchBucket."""
    bucket = stores.bucket_named(bucket_name)
    if bucket is None:
        raise no_such_bucket(bucket_name)
    arn = f"arn:{bucket.partition}:s3:::{bucket_name}" + (f"/{key}" if key else "")
    context = {"s3:resourceaccount": (bucket.account_id,), "aws:resourceaccount": (bucket.account_id,)}
    return Target(action, arn, bucket.account_id, stores.bucket_policy(bucket), context=context)


def _role_target(call: Call, identities: Identities, at: datetime | None) -> Target:
    arn = call.text("RoleArn")
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise AwsError("ValidationError", f"{arn} is invalid")
    role = identities.view(parts[4], at).by_arn(arn)
    trust = parsed(role.trust) if role else None
    return Target("sts:AssumeRole", arn, parts[4], trust, policy_decides=True)


_IAM_KINDS = (("RoleName", "role", "roles"), ("UserName", "user", "users"), ("GroupName", "group", "groups"))


def iam_resource(call: Call, caller: Principal) -> str:
    """The ARN an IAM call is about; ``*`` for calls about the account."""
    if call.operation == "SimulatePrincipalPolicy":
        return call.text("PolicySourceArn")
    if call.text("PolicyArn") and not any(call.text(name) for name, _, _ in _IAM_KINDS):
        return call.text("PolicyArn")
    prefix = f"arn:{caller.partition}:iam::{caller.account}"
    if call.operation == "CreatePolicy":
        return f"{prefix}:policy{call.text('Path', '/')}{call.text('PolicyName')}"
    for parameter, kind, plural in _IAM_KINDS:
        name = call.text(parameter)
        if name:
            found = getattr(iam_backends[caller.account][caller.partition], plural).values()
            arn = next((thing.arn for thing in found if thing.name == name), None)
            return arn or f"{prefix}:{kind}{call.text('Path', '/')}{name}"
    if call.service == "iam" and call.operation.endswith(("User", "AccessKeys", "AccessKey")):
        return caller.arn
    return "*" if not call.operation.startswith("List") else f"{prefix}:*"


def queue_arn_of(call: Call, caller: Principal) -> str:
    """The ARN of the queue an SQS call names by URL, or by name and owner."""
    partition = stores.partition_of(call.region)
    url = call.text("QueueUrl")
    if url:
        pieces = urlsplit(url).path.strip("/").split("/")
        if len(pieces) != 2:
            raise AwsError("InvalidAddress", f"The address {url} is not valid for this endpoint.", 404)
        account, name = pieces
    else:
        account = call.text("QueueOwnerAWSAccountId") or caller.account
        name = call.text("QueueName") or "*"
    return f"arn:{partition}:sqs:{call.region}:{account}:{name}"


def _queue_target(call: Call, caller: Principal) -> Target:
    arn = queue_arn_of(call, caller)
    queue = stores.queue_at(arn)
    policy = stores.queue_policy(queue) if queue is not None else None
    action = call.iam_action.removesuffix("Batch")
    return Target(action, arn, arn.split(":")[4], policy)


def _topic_target(call: Call, caller: Principal) -> Target:
    default = f"arn:{caller.partition}:sns:{call.region}:{caller.account}:{call.text('Name') or '*'}"
    arn = call.text("TopicArn") or call.text("ResourceArn") or call.text("SubscriptionArn") or default
    arn = ":".join(arn.split(":")[:6])
    topic = stores.topic_at(arn)
    policy = stores.topic_policy(topic) if topic is not None else None
    context = _present({"sns:protocol": call.text("Protocol"), "sns:endpoint": call.text("Endpoint")})
    return Target(call.iam_action, arn, arn.split(":")[4], policy, context=context)


def _key_target(call: Call, caller: Principal) -> Target:
    identifier = call.text("KeyId") or call.text("TargetKeyId")
    key = stores.kms_key(identifier, caller.account, call.region) if identifier else None
    if key is None:
        return Target(call.iam_action, "*", caller.account)
    return Target(call.iam_action, key.arn, key.account_id, stores.key_policy(key), policy_decides=True)


def _parameter_target(call: Call, caller: Principal) -> Target:
    name = call.text("Name") or call.text("Path") or call.text("ResourceId") or "*"
    arn = f"arn:{caller.partition}:ssm:{call.region}:{caller.account}:parameter/{name.lstrip('/')}"
    return Target(call.iam_action, arn, caller.account)


_OTHERS: Mapping[str, Any] = {
    "sqs": _queue_target,
    "sns": _topic_target,
    "kms": _key_target,
    "ssm": _parameter_target,
}
