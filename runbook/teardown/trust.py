"""Step 3 taken back, AWS: our statements out of the role's trust policy and the topics'. Others' stay."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.facts.neighbours import queue_of
from runbook.facts.whose import role_is_for_us
from runbook.plan import AwsChange, Before, Change
from runbook.policies.documents import Document, same, statements, text
from runbook.policies.held import Role
from runbook.steps.step3_aws import read_before
from runbook.wanted.trust import nobody


def plan(facts: Facts) -> Iterator[Change]:
    """Close the role, and the topics, to Snowflake before anything it had access by is dropped."""
    if not facts.settings.is_terraforms(3):
        yield from _role(facts)
    for arn in facts.settings.topics:
        yield from _topic(facts, arn)


def _role(facts: Facts) -> Iterator[Change]:
    role = facts.role
    if role is None or not (facts.settings.aws.share_role or (role.is_ours and role_is_for_us(facts, role))):
        return
    if role.own_statement is None and not (role.is_ours and role_is_for_us(facts, role)):
        return
    want = trust(role)
    if not same(role.trust, want):
        yield AwsChange(
            "iam",
            "UpdateAssumeRolePolicy",
            {"RoleName": facts.settings.aws.role_name, "PolicyDocument": text(want)},
            why="Snowflake's user is trusted no more",
            before=read_before(role, facts.settings.aws.role_name),
        )


def _topic(facts: Facts, arn: str) -> Iterator[Change]:
    """A topic's policy without our statements; one with nothing else in it stays: none may be empty.

    Pipes of the same account on the topic need both; somebody else's queue on it needs what S3 publishes.
    """
    have, queues = facts.topic(arn), _channels(facts, arn)
    if have is None or any(other.channel in {arn, *queues} - {""} for other in facts.neighbours):
        return
    theirs = have.without_ours(facts.settings, facts.integration, queues)
    if not theirs or len(theirs) == len(statements(have.policy)):
        return
    where = {"TopicArn": arn}
    yield AwsChange(
        "sns",
        "SetTopicAttributes",
        {**where, "AttributeName": "Policy", "AttributeValue": text({**have.policy, "Statement": theirs})},
        why="Snowflake and the bucket are trusted no more",
        before=Before("GetTopicAttributes", where, have.answer),
    )


def _channels(facts: Facts, arn: str) -> frozenset[str]:
    """The queues of our pipes on a topic."""
    streams = [stream for stream in facts.settings.streams if stream.sns_topic == arn]
    return frozenset(queue_of(facts, stream) for stream in streams)


def trust(role: Role) -> Document:
    """The trust policy without ours. IAM keeps no empty one: then it denies everybody, as after step 1."""
    return {**role.trust, "Statement": role.others_statements or [nobody()]}
