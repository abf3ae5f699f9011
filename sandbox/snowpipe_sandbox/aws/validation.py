"""Policy documents as IAM accepts them: JSON, grammar, charset, size, and principals that exist.

Sources: `Grammar of the IAM JSON policy language
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>`_, `IAM and STS quotas
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>`_, AWS API model iam (botocore
1.44.5) for charset and errors; texts recorded against AWS by LocalStack (tests/aws/services/iam) and quoted
in https://github.com/databrickslabs/ucx/issues/2269.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from snowpipe_sandbox.aws.conditions import is_operator, listed
from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.iam import Document, statements

MANAGED_POLICY_SIZE = 6_144
INLINE_POLICIES_SIZE = 10_240
TRUST_POLICY_SIZE = 2_048
_CHARSET = re.compile(r"[\u0009\u000A\u000D\u0020-\u00FF]+")
_VERSIONS = ("2012-10-17", "2008-10-17")
_SID = re.compile(r"[0-9A-Za-z]*")
_ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
_ARN = re.compile(r"arn:[^:\s]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip
_TRUST_ACTIONS = re.compile(r"\*|sts:.*", re.IGNORECASE)
_SYNTAX = "Syntax errors in policy."

PrincipalExists = Callable[[str], bool]
"""Whether an ARN, account id or unique id names a principal that is there."""


def malformed(message: str) -> AwsError:
    """IAM's refusal of a document."""
    return AwsError("MalformedPolicyDocument", message, 400)


def quota_exceeded(quota: str, limit: int) -> AwsError:
    """IAM's refusal of one too many, or one too large."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}", 409)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed(_SYNTAX)
    return found


def load(text: str) -> Document:
    """A document's JSON; MalformedPolicyDocument "This policy contains invalid Json" for what is none."""
    if not text or not _CHARSET.fullmatch(text):
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
        )
    try:
        found = json.loads(text, object_pairs_hook=_no_duplicates)
    except ValueError:
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(found, dict):
        raise malformed(_SYNTAX)
    return found


def size_of(text: str) -> int:
    """Characters that count against the quota: all but white space."""
    return len(re.sub(r"\s", "", text))


def check_size(text: str, quota: str, limit: int) -> None:
    """LimitExceeded 409 for a document over its quota."""
    if size_of(text) > limit:
        raise quota_exceeded(quota, limit)


def _is_text_list(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
    )


def _check_frame(document: Document) -> list[Mapping[str, Any]]:
    """The document's outermost shape; its statements."""
    if set(document) - {"Version", "Id", "Statement"} or "Statement" not in document:
        raise malformed(_SYNTAX)
    if "Version" in document and document["Version"] not in _VERSIONS:
        raise malformed(_SYNTAX)
    found = statements(document)
    if not found or not all(isinstance(statement, dict) for statement in found):
        raise malformed(_SYNTAX)
    sids = [statement["Sid"] for statement in found if "Sid" in statement]
    if len(set(map(str, sids))) != len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    return found


def _check_statement(statement: Mapping[str, Any]) -> None:
    """What holds for statements of every kind of policy."""
    if set(statement) - _ELEMENTS or statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed(_SYNTAX)
    if ("Action" in statement) == ("NotAction" in statement):
        raise malformed(_SYNTAX if "Action" in statement else "Policy statement must contain actions.")
    actions = statement.get("Action", statement.get("NotAction"))
    if not _is_text_list(actions):
        raise malformed("Policy statement must contain actions." if actions == [] else _SYNTAX)
    for action in listed(actions):
        if not _ACTION.fullmatch(action):
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                if ":" not in action
                else f"Vendor {action.partition(':')[0]} is not valid"
            )
    _check_conditions(statement.get("Condition", {}))


def _check_conditions(block: Any) -> None:
    if not isinstance(block, dict):
        raise malformed(_SYNTAX)
    for operator, keys in block.items():
        if not is_operator(operator) or not isinstance(keys, dict):
            raise malformed(_SYNTAX)
        for key, values in keys.items():
            if ":" not in key or isinstance(values, dict):
                raise malformed("Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")


def _check_sids(found: list[Mapping[str, Any]]) -> None:
    for statement in found:
        if not isinstance(statement.get("Sid", ""), str) or not _SID.fullmatch(statement.get("Sid", "")):
            raise malformed(
                f"Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
                f"expression [0-9A-Za-z]*: {statement.get('Sid')}"
            )


def check_identity_document(text: str) -> Document:
    """A permissions policy: no Principal, a Resource in every statement, ARNs that are ARNs."""
    document = load(text)
    found = _check_frame(document)
    for statement in found:
        _check_statement(statement)
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed("Policy document should not specify a principal.")
        if ("Resource" in statement) == ("NotResource" in statement):
            raise malformed("Policy statement must contain resources.")
        resources = statement.get("Resource", statement.get("NotResource"))
        if not _is_text_list(resources):
            raise malformed("Policy statement must contain resources." if resources == [] else _SYNTAX)
        for resource in listed(resources):
            if resource != "*" and not _ARN.fullmatch(resource):
                raise malformed(f'Resource {resource} must be in ARN format or "*".')
    if "Version" not in document and any("${" in text for _ in found):
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    _check_sids(found)
    return document


def check_trust_document(text: str, exists: PrincipalExists) -> Document:
    """A role's trust policy: a Principal that exists in every statement, sts actions, no Resource."""
    document = load(text)
    found = _check_frame(document)
    for statement in found:
        _check_statement(statement)
        if "Resource" in statement or "NotResource" in statement:
            raise malformed("Has prohibited field Resource")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("Missing required field Principal")
        for action in listed(statement.get("Action", statement.get("NotAction"))):
            if not _TRUST_ACTIONS.fullmatch(action):
                raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
        check_principals(statement.get("Principal", statement.get("NotPrincipal")), exists)
    _check_sids(found)
    return document


def check_principals(element: Any, exists: PrincipalExists) -> None:
    """MalformedPolicyDocument ``Invalid principal in policy: "AWS":"<arn>"`` for one that is not there."""
    if element == "*":
        return
    if not isinstance(element, dict) or not element:
        raise malformed("Invalid principal in policy")
    for kind, names in element.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser") or not _is_text_list(names):
            raise malformed("Invalid principal in policy")
        for name in listed(names):
            if kind == "AWS" and not exists(name):
                raise malformed(f'Invalid principal in policy: "AWS":"{name}"')
            if kind == "Service" and not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", name):
                raise malformed(f'Invalid principal in policy: "SERVICE":"{name}"')


def check_resource_document(text: str, exists: PrincipalExists) -> Document:
    """A bucket, queue, topic or key policy: Principal and Resource in every statement."""
    document = load(text)
    for statement in _check_frame(document):
        _check_statement(statement)
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("Missing required field Principal")
        if "Resource" not in statement and "NotResource" not in statement:
            raise malformed("Missing required field Resource")
        check_principals(statement.get("Principal", statement.get("NotPrincipal")), exists)
    return document
