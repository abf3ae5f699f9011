"""Principals in stored policies: whether they exist, and what becomes of them when they are deleted.

Source: `AWS JSON policy elements: Principal
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>`_: IAM resolves
an ARN to the unique id when a policy is saved; when the user or role is deleted the policy shows that id, a
new one of the same name does not match it, and the policy cannot be saved again with it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.identities import Identities
from snowpipe_sandbox.aws.realm import Realms

_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:[\w-]+:(iam|sts)::(\d{12}):(root|user/.+|role/.+|assumed-role/[^/]+/.+)")


class Directory:
    """Every principal the sandbox knows, of every account."""

    def __init__(self, realms: Realms, identities: Identities) -> None:
        self._realms = realms
        self._identities = identities

    def exists(self, name: str) -> bool:
        """Whether a Principal.AWS value names something that is there (``*`` does)."""
        if name == "*":
            return True
        if _ACCOUNT.fullmatch(name):
            return self._realms.of(name) is not None
        found = _ARN.fullmatch(name)
        if not found or self._realms.of(found.group(2)) is None:
            return False
        service, account, rest = found.groups()
        if rest == "root":
            return True
        view = self._identities.view(account)
        if service == "sts":
            role = rest.split("/")[1]
            return any(":role/" in one.arn and one.arn.endswith(f"/{role}") for one in view.entities.values())
        return view.by_arn(name) is not None

    def deleted(self, arn: str, unique_id: str) -> set[str]:
        """Write the unique id wherever a stored policy names the deleted ARN; the accounts touched."""
        touched = set()
        for account in self._realms.snapshot():
            for document in _documents(account):
                text = document.text
                if arn in text:
                    document.write(_replaced(text, arn, unique_id))
                    touched.add(account)
        return touched


def _replaced(text: str, arn: str, unique_id: str) -> str:
    """The document with ``arn`` replaced in Principal elements only."""

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [unique_id if item == arn else item for item in value]
        return unique_id if value == arn else value

    document = json.loads(text)
    found = document.get("Statement", [])
    for statement in found if isinstance(found, list) else [found]:
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element)
            if isinstance(principal, dict) and "AWS" in principal:
                principal["AWS"] = renamed(principal["AWS"])
    return json.dumps(document)


class _Stored:
    """A policy document held by one of moto's objects, as text."""

    def __init__(self, holder: Any, attribute: str) -> None:
        self._holder = holder
        self._attribute = attribute

    @property
    def text(self) -> str:
        value = getattr(self._holder, self._attribute)
        if not value:
            return ""
        if isinstance(value, bytes):
            return value.decode()
        return value if isinstance(value, str) else json.dumps(value)

    def write(self, text: str) -> None:
        value = getattr(self._holder, self._attribute)
        setattr(self._holder, self._attribute, text.encode() if isinstance(value, bytes) else text)


def _documents(account: str) -> Iterator[_Stored]:
    """Every resource-based policy of an account: trust, bucket, queue, topic and key policies."""
    for backend in iam_backends[account].values():
        for role in backend.roles.values():
            yield _Stored(role, "assume_role_policy_document")
    for bucket in stores.each_bucket():
        if bucket.account_id == account:
            yield _Stored(bucket, "policy")
    for backends, things, attribute in (
        (sqs_backends, "queues", "policy"),
        (sns_backends, "topics", "policy"),
        (kms_backends, "keys", "policy"),
    ):
        if account not in backends:
            continue
        for backend in list(backends[account].values()):
            for thing in list(getattr(backend, things).values()):
                if hasattr(thing, attribute):
                    yield _Stored(thing, attribute)
