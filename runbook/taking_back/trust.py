"""Step 3 taken back, AWS: our statement out of the role's trust policy. Others' statements stay."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.facts.aws import Role
from runbook.facts.documents import Document, same, text
from runbook.plan import AwsChange, Change
from runbook.steps.step1_aws import nobody
from runbook.steps.step3_aws import read_before


def plan(facts: Facts) -> Iterator[Change]:
    """Close the role to Snowflake before anything it was let in by is dropped."""
    role = facts.role
    if role is None or not role.is_ours:
        return
    want = trust(role)
    if not same(role.trust, want):
        yield AwsChange(
            "iam",
            "UpdateAssumeRolePolicy",
            {"RoleName": facts.settings.aws.role_name, "PolicyDocument": text(want)},
            why="Snowflake's user is let in no more",
            before=read_before(role, facts.settings.aws.role_name),
        )


def trust(role: Role) -> Document:
    """The trust policy without ours. IAM keeps no empty one: then it denies everybody, as after step 1."""
    return {**role.trust, "Statement": role.others_statements or [nobody()]}
