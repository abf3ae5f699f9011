"""Step 3, AWS: exactly Snowflake's user may assume the role, and it really gets in."""

import pytest

from runbook.facts import Facts
from runbook.facts.access import open_to_others, trust_denies
from runbook.facts.aws import Role
from runbook.facts.snowflake import SnowflakesUser, StorageIntegration
from runbook.facts.topic import Topic
from runbook.settings import Stream


@pytest.mark.needs("step4.stage-is-not-orphaned")
def check_trust_names_snowflakes_user(role: Role, snowflakes_user: SnowflakesUser) -> None:
    """The trust policy lets Snowflake's IAM user assume the role.

    Remedy: invoke step3-aws
    See: docs/runbook.md#trust
    """
    assert snowflakes_user.iam_user_arn in role.trusted_principals, "Snowflake's user is not trusted"


@pytest.mark.needs("step4.stage-is-not-orphaned", "step3.trust-names-snowflakes-user")
def check_trust_external_id(role: Role, snowflakes_user: SnowflakesUser) -> None:
    """Snowflake's user is let in with the integration's external ID, and only with it.

    Remedy: invoke step3-aws
    See: docs/runbook.md#external-id
    """
    ids = sorted(role.external_ids(snowflakes_user.iam_user_arn))
    assert ids == [snowflakes_user.external_id], "the external ID is not the integration's"


@pytest.mark.needs("step3.trust-names-snowflakes-user")
def check_trust_denies_nothing(role: Role, snowflakes_user: SnowflakesUser) -> None:
    """No statement of the trust policy denies Snowflake's user.

    Remedy: take that statement out of the trust policy; the one of step 1 goes with invoke step3-aws
    See: docs/runbook.md#trust
    """
    assert trust_denies(role, snowflakes_user) == [], "a Deny statement wins over any Allow"


def check_trust_is_closed_to_others(role: Role) -> None:
    """Nobody gets in by a wildcard, by the account's own root or by the documented placeholder 0000.

    Remedy: remove that statement from the role's trust policy
    See: docs/runbook.md#trust
    """
    assert open_to_others(role) == [], "somebody other than Snowflake may assume the role"


@pytest.mark.needs(
    "step1.bucket-exists",
    "step1.policy-exists",
    "step1.policy-lets-snowflake-read",
    "step1.role-exists",
    "step1.role-has-the-expected-arn",
    "step1.role-holds-the-policy",
    "step2.integration-exists",
    "step2.integration-is-enabled",
    "step2.integration-names-the-role",
    "step2.integration-allows-the-folders",
    "step3.trust-names-snowflakes-user",
    "step3.trust-external-id",
    "step3.trust-denies-nothing",
)
def check_snowflake_gets_in(facts: Facts, integration: StorageIntegration) -> None:
    """Snowflake assumes the role and lists the folders.

    All of the trust and permissions above is right when this fails alone: then it is a boundary,
    an organisation's policy, the bucket's policy, an inactive STS region, or a change made
    less than an hour ago.

    Remedy: wait for IAM, then see the documentation
    See: docs/runbook.md#snowflake-does-not-get-in
    """
    entry = facts.entry
    assert entry is not None, "the integration cannot be seen"
    assert entry.succeeded, f"AWS answered Snowflake: {entry.message}"


def check_topic_exists(facts: Facts, stream: Stream) -> None:
    """The SNS topic that takes the stream's events exists.

    Remedy: create the topic, or correct sns_topic in the settings
    See: docs/runbook.md#sns
    """
    if not stream.sns_topic:
        pytest.skip("its events go straight to the pipe's queue")
    assert facts.topic(stream.sns_topic) is not None, "no topic of that ARN can be found"


@pytest.mark.needs("step3.topic-exists", "step4.stage-is-not-orphaned")
def check_topic_lets_snowflake_subscribe(topic: Topic, snowflakes_user: SnowflakesUser) -> None:
    """The topic's policy lets Snowflake's IAM user subscribe the pipe's queue.

    Remedy: invoke step3-aws
    See: docs/runbook.md#sns
    """
    assert topic.lets_subscribe(snowflakes_user), "creating the pipe fails, or it never hears of a file"
