"""Every caller is judged here, by :mod:`snowpipe_sandbox.aws.iam`, before anything happens.

Message forms: `Troubleshoot access denied error messages
<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>`_; S3 says no more than
"Access Denied" to a caller of another account (`S3 User Guide, troubleshoot 403
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html>`_).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.iam import Decision, Policies, Principal, Request, decide
from snowpipe_sandbox.aws.identities import Caller, Identities
from snowpipe_sandbox.aws.targets import Target, context_of, copy_source, s3_target, targets_of


@dataclass(frozen=True, slots=True)
class Judge:
    """The decisions of one request: whose, and as of when (``at``: IAM's propagation delay ago)."""

    identities: Identities
    caller: Caller
    now: datetime
    at: datetime | None

    def decision(self, call: Call, target: Target, *, without: tuple[str, ...] = ()) -> Decision:
        """What IAM says about one target; ``without`` names condition keys the request does not carry."""
        principal = self.caller.principal
        tags = self.identities.tags_of(self.caller, self.at)
        context = {**context_of(call, principal, self.caller, self.now), **tags, **target.context}
        for key in without:
            context.pop(key, None)
        policies = (
            Policies() if principal.kind == "anonymous" else self.identities.policies_of(self.caller, self.at)
        )
        policies = replace(policies, resource=target.policy, resource_policy_decides=target.policy_decides)
        return decide(principal, Request(target.action, target.resource, context), policies, target.account)

    def authorise(self, call: Call) -> None:
        """Raise the service's own refusal unless everything the call needs is allowed."""
        for target in targets_of(call, self.caller.principal, self.identities, self.at):
            self.require(call, target)

    def require(self, call: Call, target: Target) -> None:
        """Raise the service's own refusal unless ``target`` is allowed."""
        decision = self.decision(call, target)
        if not decision.allowed:
            raise denied(call, self.caller.principal, target, decision)

    def require_object_key(self, call: Call) -> None:
        """SSE-KMS: reading an object also needs kms:Decrypt, writing one kms:GenerateDataKey.

        Source: `Protecting data with SSE-KMS
        <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>`_.
        """
        for action, identifier, bucket_name, key in _object_keys(call):
            bucket = stores.bucket_named(bucket_name)
            if bucket is None:
                continue
            target = _key_target(action, identifier, bucket, key)
            self.require(call, target)

    def may_list(self, call: Call) -> bool:
        """Whether a missing key may be told apart from a forbidden one: s3:ListBucket on the bucket."""
        return self.decision(call, s3_target("s3:ListBucket", call.bucket), without=("s3:prefix",)).allowed


def denied(call: Call, principal: Principal, target: Target, decision: Decision) -> AwsError:
    """The refusal in the service's own words."""
    user = f"User: {principal.arn} is not authorized to perform: {target.action} on resource: "
    if call.service == "s3":
        if principal.kind == "anonymous" or principal.account != target.account:
            return AwsError("AccessDenied", "Access Denied", 403)
        resource = target.resource if target.action.startswith("kms:") else f'"{target.resource}"'
        return AwsError("AccessDenied", f"{user}{resource} {decision.why}", 403)
    if call.service == "sts":
        return AwsError("AccessDenied", f"{user}{target.resource}", 403)
    if call.service == "sns":
        words = user.replace(target.action, target.action.replace("sns:", "SNS:"))
        return AwsError("AuthorizationError", f"{words}{target.resource} {decision.why}", 403)
    if call.service == "sqs":
        words = user.replace(target.action, target.action.lower())
        why = decision.why.replace(target.action, target.action.lower())
        return AwsError("AccessDenied", f"{words}{target.resource} {why}", 403)
    return AwsError("AccessDenied", f"{user}{target.resource} {decision.why}", 403)


def _object_keys(call: Call) -> list[tuple[str, str | None, str, str]]:
    """(kms action, key identifier or None for aws/s3, bucket, key) of the encrypted objects touched."""
    if call.operation == "GetObject" or (
        call.operation == "HeadObject" and call.request.headers.get("x-amz-checksum-mode") == "ENABLED"
    ):
        return _read(call.bucket, call.key, str(call.parameters.get("versionId", "")) or None)
    found: list[tuple[str, str | None, str, str]] = []
    if call.operation in ("CopyObject", "UploadPartCopy"):
        found += _read(*copy_source(call))
    if call.operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        found += _written(call)
    return found


def _read(bucket_name: str, key: str, version: str | None) -> list[tuple[str, str | None, str, str]]:
    bucket = stores.bucket_named(bucket_name)
    stored = stores.current_object(bucket, key, version) if bucket is not None else None
    if stored is None or stored.encryption not in ("aws:kms", "aws:kms:dsse"):
        return []
    return [("kms:Decrypt", stored.kms_key_id, bucket_name, key)]


def _written(call: Call) -> list[tuple[str, str | None, str, str]]:
    bucket = stores.bucket_named(call.bucket)
    headers = call.request.headers
    algorithm = headers.get("x-amz-server-side-encryption")
    identifier = headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    if algorithm is None and bucket is not None and bucket.encryption:
        default = bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"]
        algorithm, identifier = default["SSEAlgorithm"], default.get("KMSMasterKeyID")
    if algorithm not in ("aws:kms", "aws:kms:dsse"):
        return []
    return [("kms:GenerateDataKey", identifier, call.bucket, call.key)]


def _key_target(action: str, identifier: str | None, bucket: object, key: str) -> Target:
    """The KMS key as a target: its key policy decides; the AWS managed key serves its own account only."""
    account, region = bucket.account_id, bucket.region_name  # type: ignore[attr-defined]
    name, partition = bucket.name, bucket.partition  # type: ignore[attr-defined]
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    context = {
        "kms:viaservice": (f"s3.{region}.{suffix}",),
        "kms:encryptioncontext:aws:s3:arn": (f"arn:{partition}:s3:::{name}/{key}",),
        "aws:viaawsservice": ("true",),
    }
    if identifier is None:
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": account}},
            },
        }
        arn = f"arn:{partition}:kms:{region}:{account}:alias/aws/s3"
        return Target(action, arn, account, policy, policy_decides=True, context=context)
    stored = stores.kms_key(identifier, account, region)
    if stored is None:
        raise AwsError("KMS.NotFoundException", f"Key '{identifier}' does not exist", 400)
    if stored.key_state != "Enabled":
        code = "KMS.DisabledException" if stored.key_state == "Disabled" else "KMS.KMSInvalidStateException"
        raise AwsError(code, f"{stored.arn} is {_state(stored.key_state)}.", 400)
    return Target(
        action,
        stored.arn,
        stored.account_id,
        stores.key_policy(stored),
        policy_decides=True,
        context=context,
    )


def _state(key_state: str) -> str:
    return "disabled" if key_state == "Disabled" else "pending deletion"
