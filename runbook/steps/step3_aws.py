"""Step 3, AWS: let exactly Snowflake's user, with the external ID, assume the role.

Documented as: add Snowflake's external ID as trust relationship for the IAM role. Statements
that are not ours stay. The step is done when Snowflake really gets in: IAM takes a while to
tell everybody, and Snowflake keeps old credentials for up to an hour. Where a stream's events go
through an SNS topic, its policy too lets Snowflake's user in.
"""

from collections.abc import Iterator

from runbook.errors import Blocked, Refused
from runbook.facts import Facts
from runbook.facts.aws import TRUST_SID, Role
from runbook.facts.documents import Document, same, text
from runbook.facts.snowflake import SnowflakesUser
from runbook.plan import AwsChange, Before, Change


def plan(facts: Facts) -> Iterator[Change]:
    """Put our statement into the trust policy, in place of the one that denies everybody."""
    role, user = facts.role, facts.snowflakes_user
    if role is None:
        raise Blocked(
            "There is no role whose trust policy could be set", by_step=1, remedy="invoke step1-aws"
        )
    if user is None:
        raise Blocked(
            "Snowflake's user and external ID are not there", by_step=2, remedy="invoke step2-snowflake"
        )
    if not role.is_ours:
        raise Refused(f"The role {role.arn} was not made by this project", remedy="invoke step1-aws --adopt")
    want = trust(role, user)
    if not same(role.trust, want):
        yield AwsChange(
            "iam",
            "UpdateAssumeRolePolicy",
            {"RoleName": facts.settings.aws.role_name, "PolicyDocument": text(want)},
            why=_difference(role, user),
            before=read_before(role, facts.settings.aws.role_name),
        )
    yield from _topics(facts, user)


def _topics(facts: Facts, user: SnowflakesUser) -> Iterator[Change]:
    """Let Snowflake subscribe to the streams' topics, and the bucket publish to them.

    SNS replaces a topic's whole policy on every write, so other people's statements go along.
    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3
    """
    for arn in facts.settings.topics:
        have = facts.topic(arn)
        if have is None:
            raise Refused(
                f"The topic {arn} does not exist",
                why="the runbook never creates one: others' subscriptions hang on it",
                remedy="create it, or correct the stream's sns_topic",
            )
        if have.lets_subscribe(user) and have.lets_publish(facts.settings):
            continue
        where = {"TopicArn": arn}
        yield AwsChange(
            "sns",
            "SetTopicAttributes",
            {
                **where,
                "AttributeName": "Policy",
                "AttributeValue": text(have.with_ours(facts.settings, user)),
            },
            why="the bucket may not publish to it, or Snowflake not subscribe",
            before=Before("GetTopicAttributes", where, have.answer),
        )


def trust(role: Role, user: SnowflakesUser) -> Document:
    """The role's trust policy with ours in place; other people's statements as they are."""
    statements = [*role.others_statements, ours(user)]
    return {"Version": "2012-10-17", **role.trust, "Statement": statements}


def read_before(role: Role, name: str) -> Before:
    """The trust policy that a write replaces: somebody else's change since is not overwritten."""
    return Before("GetRole", {"RoleName": name}, role.trust, at=("Role", "AssumeRolePolicyDocument"))


def ours(user: SnowflakesUser) -> Document:
    """The statement that lets Snowflake's user in.

    StringEquals is false when no external ID is given, so the condition also demands that one is.
    Source: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration
    """
    return {
        "Sid": TRUST_SID,
        "Effect": "Allow",
        "Principal": {"AWS": user.iam_user_arn},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": user.external_id}},
    }


def _difference(role: Role, user: SnowflakesUser) -> str:
    if role.denies_everybody:
        return "the role is assumable by nobody"
    if user.iam_user_arn not in role.trusted_principals:
        return "Snowflake's user is not trusted"
    return "the external ID, or another part of our statement, is not what the integration needs"
