"""What IAM refuses and moto lets through, and what follows from an IAM write.

Sources: AWS API model iam (botocore 1.44.5) for names, lengths and error codes; `IAM and STS quotas
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>`_ (names unique per account
without regard to case, 10 managed policies a role); texts recorded against AWS by LocalStack
(tests/aws/services/iam/test_iam.snapshot.json).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any
from unicodedata import category
from urllib.parse import quote

from moto.iam.models import iam_backends

from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.errors import AwsError
from snowpipe_sandbox.aws.http import HttpResponse
from snowpipe_sandbox.aws.iam import Principal
from snowpipe_sandbox.aws.identities import aws_managed_policy
from snowpipe_sandbox.aws.validation import (
    INLINE_POLICIES_SIZE,
    MANAGED_POLICY_SIZE,
    TRUST_POLICY_SIZE,
    PrincipalExists,
    check_identity_document,
    check_size,
    check_trust_document,
    quota_exceeded,
    size_of,
)

MOST_ATTACHED = 10
_NAMES = {"RoleName": 64, "UserName": 64, "PolicyName": 128, "GroupName": 128}
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)")
_DESCRIPTION = re.compile(r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*")
_SHORTEST_SESSION, _LONGEST_SESSION = 3_600, 43_200


def _constraint(value: str, member: str, rule: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}",
    )


def _no_such(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


_RAW_DOCUMENT = re.compile(rb"<(\w*Document)>(\s*\{.*?)</\1>", re.DOTALL)


def with_encoded_documents(answer: HttpResponse) -> HttpResponse:
    """The answer with its policy documents percent-encoded, as IAM sends them, where moto leaves one raw.

    Source: `GetPolicyVersion <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>`_.
    """

    def encoded(found: re.Match[bytes]) -> bytes:
        return b"<%b>%b</%b>" % (found[1], quote(unescape(found[2].decode())).encode(), found[1])

    body = _RAW_DOCUMENT.sub(encoded, answer.body)
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    return replace(answer, headers={**headers, "Content-Length": str(len(body))}, body=body)


class IamRules:
    """The rules of one account's IAM for one call; ``check`` is read-only."""

    def __init__(self, call: Call, caller: Principal, exists: PrincipalExists) -> None:
        self._call = call
        self._account = caller.account
        self._partition = caller.partition
        self._backend: Any = iam_backends[caller.account][caller.partition]
        self._exists = exists

    def check(self) -> None:
        """Raise what IAM would answer to a call it refuses."""
        self._check_names()
        self._check_tags()
        self._check_existence()
        rule: Callable[[], None] | None = getattr(self, f"_check_{self._call.operation}", None)
        if rule is not None:
            rule()

    def _check_existence(self) -> None:
        """NoSuchEntity for the role or policy a call is about, in AWS' words."""
        operation = self._call.operation
        if self._call.text("RoleName") and operation != "CreateRole":
            self._role()
        if self._call.text("PolicyArn"):
            attachable = operation.startswith(("Attach", "CreatePolicyVersion"))
            missing = "does not exist or is not attachable." if attachable else "was not found."
            self._policy("Policy {arn} " + missing)

    def _check_names(self) -> None:
        for parameter, longest in _NAMES.items():
            name = self._call.text(parameter)
            member = parameter[0].lower() + parameter[1:]
            if len(name) > longest:
                raise _constraint(name, member, f"Member must have length less than or equal to {longest}")
            if name and not _NAME.fullmatch(name):
                message = f"The specified value for {member} is invalid. It must contain only alphanumeric "
                raise AwsError("ValidationError", message + "characters and/or the following: +=,.@_-")
        path = self._call.text("Path")
        if path and (len(path) > 512 or not _PATH.fullmatch(path)):
            message = (
                "The specified value for path is invalid. It must begin and end with / and contain only "
            )
            raise AwsError("ValidationError", message + "alphanumeric characters and/or / characters.")
        description = self._call.text("Description")
        if len(description) > 1_000:
            raise _constraint(
                description, "description", "Member must have length less than or equal to 1000"
            )
        if not _DESCRIPTION.fullmatch(description):
            raise _constraint(
                description,
                "description",
                f"Member must satisfy regular expression pattern: {_DESCRIPTION.pattern}",
            )

    def _check_tags(self) -> None:
        for n in range(1, 60):
            key = self._call.text(f"Tags.member.{n}.Key")
            if not key:
                break
            self._check_tag_text("key", key)
            self._check_tag_text("value", self._call.text(f"Tags.member.{n}.Value"))
            if key.lower().startswith("aws:"):
                raise AwsError(
                    "InvalidInput", "Tag keys beginning with aws: are reserved for system use.", 400
                )
        self._check_tag_count()

    @staticmethod
    def _check_tag_text(member: str, text: str) -> None:
        """The characters of a tag (Model: tagKeyType, tagValueType)."""
        if not all(category(each)[0] in "LZN" or each in "_.:/=+-@" for each in text):
            repeated = "+" if member == "key" else "*"
            pattern = rf"[\p{{L}}\p{{Z}}\p{{N}}_.:/=+\-@]{repeated}"
            raise _constraint(
                text, f"tags.1.member.{member}", f"Member must satisfy regular expression pattern: {pattern}"
            )

    def _check_tag_count(self) -> None:
        new = {self._call.text(f"Tags.member.{n}.Key") for n in range(1, 60)} - {""}
        if self._call.operation == "TagRole":
            role = self._role()
            have = {tag["Key"] for tag in role.tags}
            if len(have | new) > 50:
                raise AwsError("LimitExceeded", "The number of tags has reached the maximum limit.", 409)

    def _role(self) -> Any:
        name = self._call.text("RoleName")
        for role in self._backend.roles.values():
            if role.name == name:
                return role
        raise _no_such(f"The role with name {name} cannot be found.")

    def _policy(self, message: str) -> Any:
        arn = self._call.text("PolicyArn")
        if not re.fullmatch(r"arn:[\w-]+:iam::(aws|\d{12}):policy/.+", arn):
            raise AwsError("ValidationError", "Invalid ARN:  Could not be parsed!")
        if ":iam::aws:" in arn:
            aws_managed_policy(self._account, arn, self._partition)
        found = self._backend.managed_policies.get(arn)
        if found is None:
            raise _no_such(message.format(arn=arn))
        return found

    # one method for each operation that has rules of its own, named after it

    def _check_CreateRole(self) -> None:  # noqa: N802
        name = self._call.text("RoleName")
        if any(role.name.lower() == name.lower() for role in self._backend.roles.values()):
            raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        self._check_trust(self._call.text("AssumeRolePolicyDocument"))
        self._check_session()
        if self._call.text("PermissionsBoundary"):
            self._check_boundary()

    def _check_UpdateRole(self) -> None:  # noqa: N802
        self._check_session()

    def _check_UpdateAssumeRolePolicy(self) -> None:  # noqa: N802
        self._check_trust(self._call.text("PolicyDocument"))

    def _check_trust(self, text: str) -> None:
        check_trust_document(text, self._exists)
        check_size(text, "ACLSizePerRole", TRUST_POLICY_SIZE)

    def _check_session(self) -> None:
        text = self._call.text("MaxSessionDuration")
        if not text:
            return
        rule = ""
        if int(text) < _SHORTEST_SESSION:
            rule = f"Member must have value greater than or equal to {_SHORTEST_SESSION}"
        elif int(text) > _LONGEST_SESSION:
            rule = f"Member must have value less than or equal to {_LONGEST_SESSION}"
        if rule:
            raise _constraint(text, "maxSessionDuration", rule)

    def _check_boundary(self) -> None:
        arn = self._call.text("PermissionsBoundary")
        if ":iam::aws:" in arn:
            aws_managed_policy(self._account, arn, self._partition)
        if arn not in self._backend.managed_policies:
            raise _no_such(f"Scope ARN: {arn} does not exist or is not attachable.")

    def _check_PutRolePermissionsBoundary(self) -> None:  # noqa: N802
        self._check_boundary()

    def _check_CreatePolicy(self) -> None:  # noqa: N802
        name = self._call.text("PolicyName")
        for policy in self._backend.managed_policies.values():
            if ":iam::aws:" not in policy.arn and policy.name.lower() == name.lower():
                message = f"A policy called {name} already exists. Duplicate names are not allowed."
                raise AwsError("EntityAlreadyExists", message, 409)
        self._check_managed()

    def _check_CreatePolicyVersion(self) -> None:  # noqa: N802
        self._check_managed()

    def _check_managed(self) -> None:
        text = self._call.text("PolicyDocument")
        check_identity_document(text)
        check_size(text, "PolicySize", MANAGED_POLICY_SIZE)

    def _check_PutRolePolicy(self) -> None:  # noqa: N802
        self._check_inline(self._role())

    def _check_PutUserPolicy(self) -> None:  # noqa: N802
        user = self._backend.users.get(self._call.text("UserName"))
        if user is not None:
            self._check_inline(user)

    def _check_inline(self, entity: Any) -> None:
        text = self._call.text("PolicyDocument")
        check_identity_document(text)
        others = {**entity.policies, self._call.text("PolicyName"): text}
        if sum(map(size_of, others.values())) > INLINE_POLICIES_SIZE:
            raise AwsError(
                "LimitExceeded",
                f"Maximum policy size of {INLINE_POLICIES_SIZE} bytes exceeded for role {entity.name}",
                409,
            )

    def _check_AttachRolePolicy(self) -> None:  # noqa: N802
        role = self._role()
        policy = self._policy("Policy {arn} does not exist or is not attachable.")
        if policy.arn not in role.managed_policies and len(role.managed_policies) >= MOST_ATTACHED:
            raise quota_exceeded("PoliciesPerRole", MOST_ATTACHED)

    def _check_DeletePolicy(self) -> None:  # noqa: N802
        policy = self._policy("Policy {arn} was not found.")
        if self._attached(policy.arn):
            raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
        if len(policy.versions) > 1:
            raise AwsError(
                "DeleteConflict",
                "This policy has more than one version. Before you delete a policy, you must delete the "
                "policy's versions. The default version is deleted with the policy.",
                409,
            )

    def _attached(self, arn: str) -> bool:
        holders = [
            *self._backend.roles.values(),
            *self._backend.users.values(),
            *self._backend.groups.values(),
        ]
        return any(arn in one.managed_policies for one in holders) or any(
            getattr(one, "permissions_boundary_arn", None) == arn for one in holders
        )

    def _check_DeleteUser(self) -> None:  # noqa: N802
        user = self._backend.users.get(self._call.text("UserName"))
        if user is not None and user.access_keys:
            raise AwsError("DeleteConflict", "Cannot delete entity, must delete access keys first.", 409)
