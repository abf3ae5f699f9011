"""Step 3, AWS: exactly Snowflake's user may assume the role, and it really can."""

import shlex

import pytest

from checks.conftest import advice, by_bucket_policies, mended_by, unless_past_the_topic
from runbook.claims import check
from runbook.facts import Facts
from runbook.facts.objects import StorageIntegration
from runbook.facts.topic import Topic
from runbook.policies.access import (
    admits,
    external_ids,
    is_open,
    open_to_others,
    trust_conditions,
    trust_denies,
    trusts,
    without_external_id,
)
from runbook.policies.documents import text
from runbook.policies.held import NOBODY_SID, Role, SnowflakesUser
from runbook.policies.refusals import Refusal, conditional, key_conditions, refusals
from runbook.remedy import Remedy, invoke, remedy
from runbook.settings import Settings, Stream

RIGHT_FROM_HERE = (
    "step1.boundary-lets-the-role-read",
    "step1.bucket-exists",
    "step1.bucket-policy-lets-the-role-read",
    "step1.key-is-enabled",
    "step1.key-policy-lets-the-role-decrypt",
    "step1.no-other-policy-denies-reading",
    "step1.policy-exists",
    "step1.policy-lets-snowflake-read",
    "step1.role-exists",
    "step1.role-has-the-expected-arn",
    "step1.role-holds-the-policy",
    "step1.role-may-decrypt",
    "step2.integration-allows-the-folders",
    "step2.integration-blocks-no-folder",
    "step2.integration-exists",
    "step2.integration-is-enabled",
    "step2.integration-names-the-role",
    "step3.trust-denies-nothing",
    "step3.trust-external-id",
    "step3.trust-is-not-closed",
    "step3.trust-names-snowflakes-user",
)


@check(remedy=invoke("step3-aws"), see="trust", needs=("step4.stage-is-not-orphaned",))
def check_trust_names_snowflakes_user(role: Role, snowflakes_user: SnowflakesUser) -> None:
    """The trust policy lets Snowflake's IAM user assume the role."""
    by = trusts(role, snowflakes_user)
    if not by:
        assert snowflakes_user.iam_user_arn in role.trusted_principals, "Snowflake's user is not trusted"
    with advice():
        assert (by if by != "*" else snowflakes_user.iam_user_arn) == snowflakes_user.iam_user_arn, (
            "everybody in Snowflake's AWS account is trusted who brings the external ID"
        )


A_PATTERN = remedy("have the statement ask for exactly that ID, unless another integration needs the pattern")


@check(
    remedy=invoke("step3-aws"),
    see="external-id",
    needs=("step4.stage-is-not-orphaned", "step3.trust-names-snowflakes-user"),
)
def check_trust_external_id(
    facts: Facts, role: Role, snowflakes_user: SnowflakesUser, settings: Settings
) -> None:
    """Our statement lets Snowflake's user assume the role only with the integration's external ID."""
    ids = external_ids(role, snowflakes_user)
    open_in_ours = settings.is_ours and any(map(is_open, ids))
    with advice(only=admits(role, snowflakes_user) and not open_in_ours, remedy=A_PATTERN):
        assert ids == [snowflakes_user.external_id], "the external ID is not the integration's"
    idle = facts.idle_external_ids
    with advice(remedy=_without(idle, role, settings)):
        assert idle == (), "no storage integration of this Snowflake account has that external ID"


def _without(idle: tuple[str, ...], role: Role, settings: Settings) -> Remedy:
    """The command that takes these IDs out of our statement; whether they are somebody's, a person knows."""
    trust = role.without_external_ids(idle)
    words = ("update-assume-role-policy", "--role-name", settings.aws.role_name, "--policy-document")
    line = shlex.join(("aws", "iam", *words, text(trust)))
    return remedy(f"unless a person knows whose it is: {line}")


@check(
    remedy="take the statement of that Sid out of the role's trust policy, or have it ask for its own ID",
    see="external-id",
    needs=("step4.stage-is-not-orphaned", "step3.trust-names-snowflakes-user"),
)
def check_others_statements_ask_for_an_external_id(
    role: Role, snowflakes_user: SnowflakesUser, settings: Settings
) -> None:
    """No statement of somebody else's lets Snowflake's user in without an exact external ID."""
    theirs = without_external_id(role, snowflakes_user)
    with advice(only=not settings.is_ours):
        assert theirs == [], "whoever can make Snowflake ask can assume the role"


@check(remedy=invoke("step3-aws"), see="trust", needs=("step3.trust-names-snowflakes-user",))
def check_trust_is_not_closed(role: Role) -> None:
    """The statement with which step 1 keeps everybody out is gone."""
    denying = [NOBODY_SID] if role.denies_everybody else []
    assert denying == [], "step 1 created the role again, or an old trust policy was put back"


@check(
    remedy="take the statement of that Sid out of the role's trust policy",
    see="trust",
    needs=("step3.trust-names-snowflakes-user",),
)
def check_trust_denies_nothing(role: Role, snowflakes_user: SnowflakesUser) -> None:
    """No statement of somebody else's in the trust policy denies Snowflake's user."""
    theirs = [sid for sid in trust_denies(role, snowflakes_user) if sid != NOBODY_SID]
    assert theirs == [], "a Deny statement wins over any Allow"


@check(remedy="take that principal, or external ID, out of the role's trust policy", see="trust")
def check_trust_is_closed_to_others(role: Role, settings: Settings) -> None:
    """Nobody may assume the role by a wildcard, the account's own root or the documented placeholder 0000."""
    found = open_to_others(role)
    with advice(only=not settings.is_ours and "*" not in found):
        assert found == [], "somebody other than Snowflake may assume the role"


NEW_CREDENTIALS = remedy(
    "wait until Snowflake fetches new credentials, within an hour, or delete that policy"
)
"""For sessions that were revoked: only what was given out before is denied.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
"""


@check(
    remedy="exempt the role from that condition, or have it allow Snowflake",
    see="denied",
    needs=RIGHT_FROM_HERE,
)
def check_no_condition_keeps_snowflake_out(
    facts: Facts, role: Role, snowflakes_user: SnowflakesUser, settings: Settings
) -> None:
    """No condition on where or how Snowflake comes keeps it from listing and reading.

    Judged only where Snowflake is refused: what such a condition decides, only AWS knows.
    """
    found = _conditions(facts, settings) if facts.refusal else []
    if facts.refusal:
        found += [Refusal("trust policy", *row) for row in trust_conditions(role, snowflakes_user)]
    why = f"Snowflake is refused, and nothing else is wrong: {facts.refusal}"
    revoked = bool(found) and all(row.keys == ("aws:TokenIssueTime",) for row in found)
    with mended_by(NEW_CREDENTIALS, only=revoked):
        assert sorted(map(str, found)) == [], why


def _conditions(facts: Facts, settings: Settings) -> list[Refusal]:
    """Every statement of which only AWS knows whether it lets Snowflake list and read."""
    boundary, policy = facts.role_policies.boundary, facts.policy
    denying = {
        "boundary": boundary,
        "policy": policy.document if policy else {},
        **facts.role_policies.others,
    }
    if not settings.is_ours:
        del denying["policy"]  # it is those others
    files = facts.unread_files
    texts = {name: facts.bucket_policy(name) for name in facts.buckets}
    found = by_bucket_policies(settings, texts, files=files)
    found += [row for name, text in denying.items() for row in refusals(name, text, settings, files=files)]
    allowing = {"boundary": boundary, "policy": policy.document if policy else {}}
    found += [row for name, text in allowing.items() for row in conditional(name, text, settings, files)]
    keys = {key.arn: key for each in settings.buckets if (key := facts.key(each.name))}
    return found + [row for key in keys.values() for row in key_conditions(key, settings)]


@check(
    remedy=(
        "wait (",
        invoke("verify", "--wait", "3600"),
        "); then it is an organisation's policy, or STS is off there",
    ),
    see="snowflake-does-not-get-in",
    needs=(
        *RIGHT_FROM_HERE,
        "step3.no-condition-keeps-snowflake-out",
    ),
)
def check_snowflake_gets_in(facts: Facts, integration: StorageIntegration) -> None:
    """Snowflake assumes the role, lists the folders and reads their files.

    All that can be read of trust and permissions is right when this fails alone: then it is a change
    made less than an hour ago, an organisation's policy, or an inactive STS region.
    """
    entry = facts.entry
    assert entry is not None, "the integration cannot be seen"
    assert (facts.refusal or "succeeded") == "succeeded", (
        "AWS refuses Snowflake, though all of the above is right"
    )


@check(remedy="create the topic, or correct sns_topic in the settings", see="sns")
def check_topic_exists(facts: Facts, stream: Stream) -> None:
    """The SNS topic that takes the stream's events exists."""
    if not stream.sns_topic:
        pytest.skip("its events go straight to the pipe's queue")
    assert facts.topic(stream.sns_topic) is not None, "no topic of that ARN can be found"


@check(
    remedy="take the statement of that Sid out of the topic's policy",
    see="sns",
    needs=("step3.topic-exists",),
)
def check_topic_denies_nothing(
    facts: Facts, topic: Topic, snowflakes_user: SnowflakesUser, settings: Settings, stream: Stream
) -> None:
    """No statement of the topic's policy denies S3 to publish, or Snowflake to subscribe."""
    with unless_past_the_topic(facts, stream):
        assert topic.denying(snowflakes_user, settings) == [], "a Deny wins over every Allow"


@check(
    remedy=invoke("step3-aws"),
    see="sns",
    needs=("step3.topic-exists", "step4.stage-is-not-orphaned"),
)
def check_topic_lets_snowflake_subscribe(
    facts: Facts, topic: Topic, snowflakes_user: SnowflakesUser, stream: Stream
) -> None:
    """The topic's policy lets Snowflake's IAM user subscribe the pipe's queue."""
    refused = topic.lets_subscribe(snowflakes_user) is False
    with unless_past_the_topic(facts, stream):
        assert not refused, "creating the pipe fails, or its queue is never subscribed"
