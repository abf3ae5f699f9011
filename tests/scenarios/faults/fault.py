"""A way in which the pipeline breaks, as something that can be done to an installation."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.scenarios.conftest import Installation

Break = Callable[[Installation], Iterator[None] | None]


@dataclass(frozen=True)
class Fault:
    """One row of docs/faults.md, by its name there.

    ``breaks`` breaks one thing from outside. Where a person must mend it, it stops after breaking
    and, taken up again, does by hand what the remedy says; otherwise the remedy is a command.
    ``of`` names what it acts on: two faults of one thing are not two faults.
    ``shape``: "topic" for an installation whose events go through one.
    """

    name: str
    breaks: Break
    of: frozenset[str]
    shape: str = ""

    def begin(self, at: Installation) -> Iterator[None]:
        """Break it; what is left of the iterator mends it by hand."""
        by_hand = self.breaks(at)
        if by_hand is None:
            return iter(())
        next(by_hand)
        return by_hand


FAULTS: dict[str, Fault] = {}


def fault(*of: str, shape: str = "") -> Callable[[Break], Break]:
    """Enter a function as the fault of its name."""

    def entered(breaks: Break) -> Break:
        name = breaks.__name__.replace("_", "-")
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, breaks, frozenset(of), shape)
        return breaks

    return entered


# ---- what several faults do


def policy_document(at: Installation) -> dict[str, Any]:
    """The permissions policy's text as it stands."""
    iam, arn = at.aws("iam"), at.settings.aws.policy_arn
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found: dict[str, Any] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
        "Document"
    ]
    return found


def set_policy(at: Installation, document: dict[str, Any]) -> None:
    """Make it the policy's text; of five versions the oldest goes."""
    iam, arn = at.aws("iam"), at.settings.aws.policy_arn
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    if len(versions) == 5:
        oldest = min(
            (row["VersionId"] for row in versions if not row["IsDefaultVersion"]), key=lambda v: int(v[1:])
        )
        iam.delete_policy_version(PolicyArn=arn, VersionId=oldest)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


def trust_document(at: Installation) -> dict[str, Any]:
    """The role's trust policy as it stands."""
    found: dict[str, Any] = at.aws("iam").get_role(RoleName=at.settings.aws.role_name)["Role"][
        "AssumeRolePolicyDocument"
    ]
    return found


def set_trust(at: Installation, document: dict[str, Any]) -> None:
    """Make it the role's trust policy."""
    at.aws("iam").update_assume_role_policy(
        RoleName=at.settings.aws.role_name, PolicyDocument=json.dumps(document)
    )


def notifications(at: Installation) -> dict[str, Any]:
    """The bucket's notification document as it stands."""
    found: dict[str, Any] = at.aws("s3").get_bucket_notification_configuration(Bucket=at.settings.aws.bucket)
    found.pop("ResponseMetadata")
    return found


def set_notifications(at: Installation, document: dict[str, Any]) -> None:
    """Make it the bucket's notification document."""
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket, NotificationConfiguration=document
    )
