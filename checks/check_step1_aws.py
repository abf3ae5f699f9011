"""Step 1, AWS: the policy reads the streams' folders, the role holds it."""

import pytest

from runbook.facts import Facts
from runbook.facts.access import unreadable
from runbook.facts.aws import Bucket, Policy, Role
from runbook.settings import Settings


def check_bucket_exists(facts: Facts) -> None:
    """The bucket exists.

    Remedy: correct aws.bucket in the settings, or create the bucket
    See: docs/runbook.md#bucket
    """
    assert facts.bucket is not None, "no bucket of that name can be found"


def check_bucket_region(bucket: Bucket, settings: Settings) -> None:
    """The bucket is in the region the settings say.

    Remedy: correct aws.region in the settings
    See: docs/runbook.md#bucket
    """
    assert bucket.region == settings.aws.region, "S3 only notifies queues of the bucket's own region"


def check_policy_exists(facts: Facts) -> None:
    """The permissions policy exists.

    Remedy: invoke step1-aws
    See: docs/runbook.md#policy
    """
    assert facts.policy is not None, "no policy of that name can be found"


def check_policy_lets_snowflake_read(policy: Policy, settings: Settings) -> None:
    """The policy allows reading and listing every stream's folder, and locating the bucket.

    Remedy: invoke step1-aws
    See: docs/runbook.md#policy
    """
    assert unreadable(policy.document, settings) == [], "Snowflake lacks a permission on the bucket"


def check_policy_is_read_only(policy: Policy, settings: Settings) -> None:
    """The policy allows nothing beyond reading the streams' folders.

    Remedy: invoke step1-aws
    See: docs/runbook.md#policy
    """
    from runbook.facts.access import excessive

    assert excessive(policy.document, settings) == [], "the policy grants more than loading needs"


def check_role_exists(facts: Facts) -> None:
    """The role exists.

    Remedy: invoke step1-aws
    See: docs/runbook.md#role
    """
    assert facts.role is not None, "no role of that name can be found"


def check_role_has_the_expected_arn(role: Role, settings: Settings) -> None:
    """The role is under the path the settings say, so its ARN is what Snowflake is told.

    Remedy: correct aws.path in the settings
    See: docs/runbook.md#role
    """
    assert role.arn == settings.aws.role_arn, "Snowflake would assume a role of another ARN"


@pytest.mark.needs("step1.policy-exists")
def check_role_holds_the_policy(role: Role, settings: Settings) -> None:
    """The role holds the permissions policy.

    Remedy: invoke step1-aws
    See: docs/runbook.md#role
    """
    assert settings.aws.policy_arn in role.attached_policies, "the policy is not attached to the role"
