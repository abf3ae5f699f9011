"""Step 3, AWS: let exactly Snowflake's user, with the external ID, assume the role.

Documented as: add Snowflake's external ID as trust relationship for the IAM role. Statements
that are not ours stay. The step is done when Snowflake really can assume the role: IAM takes a while to
tell everybody, and Snowflake keeps old credentials for up to an hour. Where a stream's events go
through an SNS topic, its policy too lets Snowflake's user in.
"""

import re
from collections.abc import Iterator

from runbook.errors import Blocked, CannotTell, Refused
from runbook.facts import Facts
from runbook.plan import AwsChange, Before, Change
from runbook.policies.access import lets_in
from runbook.policies.documents import Document, same, text
from runbook.policies.held import Role, SnowflakesUser, ids_asked_for, principals_of
from runbook.remedy import invoke
from runbook.steps.step1_aws import refuse_others_role
from runbook.wanted.trust import ours


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
    if not role.is_ours and not facts.settings.aws.share_role:
        adopting = invoke("step1-aws", "--adopt")
        raise Refused(
            f"The role {role.arn} was not made by this project", remedy=str(adopting), adopts=adopting
        )
    refuse_others_role(facts)
    want = trust(role, user, _ids_in_use(facts, role, user))
    if not same(role.trust, want):
        yield AwsChange(
            "iam",
            "UpdateAssumeRolePolicy",
            {"RoleName": facts.settings.aws.role_name, "PolicyDocument": text(want)},
            why=_difference(role, user, want),
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


def trust(role: Role, user: SnowflakesUser, in_use: frozenset[str] = frozenset()) -> Document:
    """The role's trust policy with ours in place; other people's statements as they are.

    ``in_use``: external IDs of other integrations that stages of ours are on; those stay.
    """
    statements = [*role.others_statements, _mended(role.own_statement, ours(user, role.sid), in_use)]
    return {"Version": "2012-10-17", **role.trust, "Statement": statements}


_USER = re.compile(r"arn:[\w-]+:iam::\d{12}:user/.+")


def _mended(have: Document | None, want: Document, in_use: frozenset[str]) -> Document:
    """Our statement as it must be, with what it holds of others': a second external ID, a second user.

    Several IDs in one statement are the documented way to let two integrations use one role.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
    """
    if have is None or have.get("Effect") != "Allow":
        return want
    ours_id = want["Condition"]["StringEquals"]["sts:ExternalId"]
    ids = sorted(ids_asked_for(have) - {"*"})
    users = principals_of(have)
    exact = [one for one in ids if " " not in one]
    asked: Document = {"StringEquals": {"sts:ExternalId": ours_id}}
    if any(lets_in(one, ours_id) for one in ids if one not in exact) and have["Condition"].keys() == {
        "StringLike"
    }:
        asked = have["Condition"]  # by a pattern, which may be for another integration too
    elif others := [one for one in exact if one != ours_id and (len(exact) > 1 or one in in_use)]:
        asked = {"StringEquals": {"sts:ExternalId": [*others, ours_id]}}
    more = [
        name
        for name in users
        if name != want["Principal"]["AWS"] and len(users) > 1 and _USER.fullmatch(name)
    ]
    found = {
        **want,
        "Principal": {"AWS": [*more, want["Principal"]["AWS"]] if more else want["Principal"]["AWS"]},
        "Condition": asked,
    }
    return have if same({"Statement": have}, {"Statement": found}) else found


def _ids_in_use(facts: Facts, role: Role, user: SnowflakesUser) -> frozenset[str]:
    """The external IDs in our statement by which pipes of ours still load through another integration."""
    have = role.own_statement
    if have is None or not ids_asked_for(have) - {user.external_id, "*"}:
        return frozenset()
    try:
        return facts.other_external_ids
    except CannotTell:
        return frozenset()


def read_before(role: Role, name: str) -> Before:
    """The trust policy that a write replaces: somebody else's change since is not overwritten."""
    return Before("GetRole", {"RoleName": name}, role.trust, at=("Role", "AssumeRolePolicyDocument"))


def _difference(role: Role, user: SnowflakesUser, want: Document) -> str:
    have, after = role.own_statement, want["Statement"][-1]
    if role.denies_everybody:
        return "the role is assumable by nobody"
    if have is None:
        return "Snowflake's user is not trusted"
    gone = sorted(ids_asked_for(have) - ids_asked_for(after) - {"*"})
    kept = sorted(ids_asked_for(after) - {user.external_id, "*"})
    parts = [] if user.iam_user_arn in principals_of(have) else ["Snowflake's user is not trusted"]
    if user.external_id not in ids_asked_for(have):
        parts.append(f"the external ID {user.external_id} is not asked for")
    parts += [f"the external ID {name} goes: no stage of ours uses it" for name in gone]
    parts += [f"the external ID {name} stays" for name in kept]
    return "; ".join(parts) or "a part of our statement is not what the integration needs"
