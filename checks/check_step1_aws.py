"""Step 1, AWS: the policy reads the streams' folders, the role holds it."""

from contextlib import suppress

import pytest

from checks.conftest import (
    advice,
    meant,
    mended_by,
    unless_the_settings_are_wrong,
    unless_without_integration,
)
from runbook.claims import check
from runbook.errors import Absent, CannotTell
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.whose import kept_folders
from runbook.policies.access import NEEDED, WELCOME, decrypting, excessive, unreadable
from runbook.policies.documents import Document
from runbook.policies.held import Policy, Role, RolePolicies
from runbook.policies.judging import judged
from runbook.policies.refusals import conditional, key_refuses, refusals
from runbook.remedy import invoke, remedy
from runbook.settings import Settings


@check(remedy="correct aws.bucket in the settings, or create the bucket", see="bucket")
def check_bucket_exists(facts: Facts) -> None:
    """The bucket exists, in the settings' account."""
    assert facts.bucket is not None, "the account has no bucket of that name"


@check(remedy="correct aws.region in the settings", see="bucket")
def check_bucket_region(bucket: Bucket, settings: Settings) -> None:
    """The bucket is in the region the settings say."""
    assert bucket.region == settings.aws.region, "S3 only notifies queues of the bucket's own region"


@check(remedy=invoke("step1-aws"), see="policy")
def check_policy_exists(facts: Facts, settings: Settings) -> None:
    """The permissions policy exists."""
    unless_without_integration(facts)
    if not settings.is_ours and facts.role is None:  # ours is judged without looking at the role
        raise Absent("A policy of a role", asserted_by="step1.role-exists")
    if facts.policy is None and facts.role and facts.role.arn != settings.aws.role_arn:
        raise Absent("A policy under that path", asserted_by="step1.role-has-the-expected-arn")
    other = _another_policy(facts) if facts.policy is None else ""
    back = meant("aws.policy_name", other, "step1-aws")
    with mended_by(back, only=bool(back)):
        assert facts.policy is not None, "no policy of that name can be found"


def _another_policy(facts: Facts) -> str:
    """Another policy of the role that lets Snowflake read; empty where there is none, or nobody can tell."""
    with suppress(CannotTell):
        others = facts.role_policies.others if facts.settings.is_ours and facts.role else {}
        return next(
            (name for name, text in others.items() if not unreadable(text, facts.settings, NEEDED)), ""
        )
    return ""


@check(
    remedy=invoke("step1-aws"),
    see="policy",
    needs=("step1.bucket-exists", "step1.key-exists"),
)
def check_policy_lets_snowflake_read(facts: Facts, policy: Policy, settings: Settings) -> None:
    """The policy allows reading and listing every stream's folder.

    Snowflake's page asks for s3:GetBucketLocation and s3:GetObjectVersion too, and loads without them.
    """
    lacking = unreadable(policy.document, settings, NEEDED)
    if lacking:
        unless_the_settings_are_wrong(facts, lambda made: not unreadable(policy.document, made, NEEDED))
    with advice(only=lambda: facts.snowflake_reads):
        assert lacking == [], "Snowflake lacks a permission on the bucket"
    doubtful = list(map(str, conditional("policy", policy.document, settings))) if settings.is_ours else []
    assert (doubtful if doubtful and facts.refusal else []) == [], "Snowflake does not meet the condition"
    with advice():
        lacking = unreadable(policy.document, settings, WELCOME)
        assert lacking == [], "Snowflake's page asks for it; files are loaded without it"


@check(remedy=invoke("step1-aws"), see="policy", needs=("step1.bucket-exists",))
def check_policy_is_read_only(facts: Facts, policy: Policy, settings: Settings) -> None:
    """The policy allows nothing beyond reading the streams' folders."""
    beyond = excessive(policy.document, settings)
    if beyond and settings.is_ours:  # what a pipe of ours still reads is not too much
        beyond = excessive(policy.document, settings, tuple(kept_folders(facts, policy.document)))
    with advice():
        assert beyond == [], "the policy grants more than loading needs"


@check(remedy=invoke("step1-aws", "step3-aws"), see="role")
def check_role_exists(facts: Facts) -> None:
    """The role exists.

    A recreated role denies everybody, so its trust policy comes with it.
    """
    unless_without_integration(facts)
    other = "" if facts.role else _another_role(facts)
    back = meant("aws.role_name", other, "step1-aws", "step3-aws")
    with mended_by(back, only=bool(back)):
        assert facts.role is not None, "no role of that name can be found"


def _another_role(facts: Facts) -> str:
    """The role that the integration assumes, where it is another one; empty where nobody here can tell."""
    with suppress(CannotTell):
        have = facts.integration
        another = have is not None and have.role_arn != facts.settings.aws.role_arn
        return have.role_arn.rpartition(":role/")[2] if have and another else ""
    return ""


@check(
    remedy=(
        "set aws.path in the settings",
        invoke("step1-aws", "step3-aws", lead=", or delete that role and run: "),
    ),
    see="role",
)
def check_role_has_the_expected_arn(role: Role, settings: Settings) -> None:
    """The role is under the path the settings say, so its ARN is what Snowflake is told."""
    assert role.arn == settings.aws.role_arn, "Snowflake would assume a role of another ARN"


MOST_ATTACHED = 10  # https://repost.aws/knowledge-center/iam-increase-policy-size
NO_ROOM = remedy(
    "detach a policy that nobody needs from the role, which holds as many as IAM takes (10; Service Quotas "
    "raises that)",
    invoke("step1-aws", lead=", then: "),
)


@check(remedy=invoke("step1-aws"), see="role", needs=("step1.policy-exists",))
def check_role_holds_the_policy(facts: Facts, role: Role, settings: Settings) -> None:
    """The role holds the permissions policy."""
    if not settings.is_ours:
        pytest.skip("every policy the role holds is judged")
    full = len(role.attached_policies) >= MOST_ATTACHED
    with mended_by(NO_ROOM, only=full), advice(only=lambda: facts.snowflake_reads):
        assert settings.aws.policy_arn in role.attached_policies, "the policy is not attached to the role"


@check(
    remedy="take that statement out of the policy it names, except the streams' folders from it, or detach "
    "that policy",
    see="denied",
)
def check_no_other_policy_denies_reading(
    facts: Facts, role_policies: RolePolicies, settings: Settings
) -> None:
    """No other policy of the role denies what loading needs."""
    _nothing_denies(facts, role_policies.others, settings)


def _nothing_denies(facts: Facts, documents: dict[str, Document], settings: Settings) -> None:
    """No document surely denies what loading needs; what Snowflake's page only asks for is advice."""
    with advice(only=lambda: facts.snowflake_reads):
        assert _denying(documents, settings, NEEDED) == [], "a Deny wins over any Allow"
    with advice():
        assert _denying(documents, settings, WELCOME) == [], "a Deny wins over any Allow"


def _denying(documents: dict[str, Document], settings: Settings, actions: tuple[str, ...]) -> list[str]:
    found = [row for name, text in documents.items() for row in refusals(name, text, settings, actions)]
    return [str(row) for row in found if row.is_certain]


@check(remedy="allow it in that boundary, or put a boundary on the role that does", see="denied")
def check_boundary_lets_the_role_read(facts: Facts, role_policies: RolePolicies, settings: Settings) -> None:
    """The role's permissions boundary allows what loading needs."""
    if not role_policies.boundary:
        return
    allowing = role_policies.boundary
    with advice(only=lambda: facts.snowflake_reads):
        lacking = unreadable(allowing, settings, NEEDED)
        assert lacking == [], "a role may do only what both its policy and its boundary allow"
    with advice():
        lacking = unreadable(allowing, settings, WELCOME)
        assert lacking == [], "a role may do only what both its policy and its boundary allow"


@check(remedy="except the role from that statement of the bucket's policy", see="denied")
def check_bucket_policy_lets_the_role_read(facts: Facts, bucket_policy: Document, settings: Settings) -> None:
    """The bucket's policy does not deny what loading needs."""
    _nothing_denies(facts, {"bucket policy": bucket_policy}, settings)


@check(remedy="correct aws.kms_key_arn in the settings", see="key", needs=("step1.bucket-region",))
def check_key_exists(facts: Facts, settings: Settings) -> None:
    """The key the settings name exists."""
    if not settings.aws.kms_key_arn:
        pytest.skip("aws.kms_key_arn is not set")
    assert facts.key is not None, "no key of that ARN can be found"


@check(
    remedy=("set aws.kms_key_arn to that key in the settings", invoke("step1-aws", lead=", then run: ")),
    see="key",
    needs=("step1.bucket-region",),
)
def check_role_may_decrypt(facts: Facts, bucket: Bucket, settings: Settings) -> None:
    """The key that encrypts new files is the settings', or one the role may use otherwise."""
    unless_without_integration(facts)
    named, arn = settings.aws.kms_key_arn, facts.bucket_key_arn
    if arn is None:
        pytest.skip("new files are encrypted by S3 itself")
    asked = decrypting(arn, settings)
    held = [*facts.role_policies.others.values(), *([facts.policy.document] if facts.policy else [])]
    granted = named == arn or any(judged(text, asked) is not False for text in held)
    assert (named if granted else arn) == named, "nothing lets the role decrypt with that key"


@check(remedy="enable that key, or cancel its deletion, in KMS", see="key", needs=("step1.role-may-decrypt",))
def check_key_is_enabled(facts: Facts) -> None:
    """The key is enabled."""
    if facts.key is None:
        pytest.skip("there is no key to judge")
    assert facts.key.state == "Enabled", "nobody can read what it encrypted"


@check(remedy="let the role kms:Decrypt in the key's policy", see="key", needs=("step1.role-may-decrypt",))
def check_key_policy_lets_the_role_decrypt(facts: Facts, settings: Settings) -> None:
    """The key's own policy lets the role decrypt, or leaves it to IAM."""
    unless_without_integration(facts)
    if facts.key is None:
        pytest.skip("there is no key to judge")
    assert key_refuses(facts.key, settings) == [], "without the key's own policy IAM's is worth nothing"
