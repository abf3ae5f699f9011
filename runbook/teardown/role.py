"""Step 1 taken back, AWS: the role and its permissions policy, or only our part of them."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.facts.ours import is_adopted, policy_is_used, role_is_used
from runbook.facts.whose import policy_is_for_us, role_is_for_us
from runbook.plan import AwsChange, Change
from runbook.policies.held import Policy, Role
from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR


def plan(facts: Facts) -> Iterator[Change]:
    """Delete what the steps made and nobody else uses; from the rest, take our tags and our policy.

    The tags go last: whatever is left after a cut is still known as ours by the next run.
    """
    if facts.settings.is_terraforms(1):
        return
    role, policy = facts.role, facts.policy
    if policy is not None and not (policy.is_ours and policy_is_for_us(facts, policy)):
        policy = None
    if role is not None and role.is_ours and role_is_for_us(facts, role):
        yield from _role(facts, role, policy)
    elif role is not None and policy is not None and facts.settings.aws.share_role:
        yield from _detached(facts, role)
    if policy is not None:
        yield from _policy(facts, policy)


def _detached(facts: Facts, role: Role) -> Iterator[Change]:
    """Our policy taken from the role, where the role holds it."""
    aws = facts.settings.aws
    if aws.policy_arn in role.attached_policies:
        yield AwsChange(
            "iam",
            "DetachRolePolicy",
            {"RoleName": aws.role_name, "PolicyArn": aws.policy_arn},
            why="the role no longer holds the policy",
        )


def _role(facts: Facts, role: Role, policy: Policy | None) -> Iterator[Change]:
    name, policy_arn = facts.settings.aws.role_name, facts.settings.aws.policy_arn
    used = role_is_used(facts.reader, role)
    ours = policy is not None and not is_adopted(policy.tags)
    if policy_arn in role.attached_policies and (ours or not used):
        yield from _detached(facts, role)
    if used:
        yield AwsChange(
            "iam",
            "UntagRole",
            {"RoleName": name, "TagKeys": _our_tags(role.tags)},
            why=f"the role stays, no longer ours: {'; '.join(used)}",
        )
    else:
        yield AwsChange("iam", "DeleteRole", {"RoleName": name}, why="it was made by step 1")


def _policy(facts: Facts, policy: Policy) -> Iterator[Change]:
    if used := policy_is_used(facts.reader, policy):
        yield AwsChange(
            "iam",
            "UntagPolicy",
            {"PolicyArn": policy.arn, "TagKeys": _our_tags(policy.tags)},
            why=f"the policy stays, no longer ours: {'; '.join(used)}",
        )
        return
    for version in policy.versions:
        if version != policy.default_version:
            yield AwsChange(
                "iam",
                "DeletePolicyVersion",
                {"PolicyArn": policy.arn, "VersionId": version},
                why="a policy goes after its versions",
            )
    yield AwsChange("iam", "DeletePolicy", {"PolicyArn": policy.arn}, why="it was made by step 1")


def _our_tags(have: dict[str, str]) -> list[str]:
    """The tags that are there with our value; ManagedBy with another's is theirs."""
    marks = [key for key in ("ManagedBy", ADOPTED_BY) if have.get(key) == MANAGED_BY]
    return marks + [key for key in (MANAGED_FOR,) if key in have]
