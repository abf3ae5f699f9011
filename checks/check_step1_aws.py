"""Step 1, AWS: the policy reads the streams' folders, the role holds it."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from checks.conftest import (
    advice,
    alone_or_named,
    by_bucket_policies,
    meant,
    mended_by,
    unless_the_bucket_lets_it_read,
    unless_the_settings_are_wrong,
    unless_without_integration,
)
from runbook.claims import check
from runbook.errors import Absent, CannotTell
from runbook.facts import Facts
from runbook.facts.aws import Bucket
from runbook.facts.whose import kept_folders
from runbook.policies.access import NEEDED, WELCOME, decrypting, excessive, unreadable
from runbook.policies.documents import Document, statements
from runbook.policies.held import Key, Policy, Role, RolePolicies
from runbook.policies.judging import judged
from runbook.policies.refusals import (
    Refusal,
    conditional,
    key_admits,
    key_denies,
    key_refuses,
    refusals,
)
from runbook.remedy import invoke, remedy
from runbook.settings import Settings

DECRYPTING = ("kms:Decrypt",)
SEVERAL = remedy("correct the stream's bucket in the settings (aws.bucket, if it names none), or create it")


@check(remedy="correct aws.bucket in the settings, or create the bucket", see="bucket")
def check_bucket_exists(facts: Facts, settings: Settings) -> None:
    """The bucket exists, in the settings' account."""
    missing = [name for name, found in facts.buckets.items() if found is None]
    named = "of that name" if len(settings.buckets) == 1 else " and no bucket ".join(missing)
    with mended_by(SEVERAL, only=len(settings.buckets) > 1):
        assert (None if missing else facts.buckets) is not None, f"the account has no bucket {named}"


@check(remedy="correct aws.region in the settings", see="bucket")
def check_bucket_region(buckets: dict[str, Bucket], settings: Settings) -> None:
    """The bucket is in the region the settings say."""
    wrong = {
        name: bucket.region
        for name, bucket in buckets.items()
        if bucket.region != settings.aws.bucket_named(name).region
    }
    of_them = [name for name in buckets if name in wrong or len(settings.buckets) == 1]
    observed = alone_or_named(settings, {name: buckets[name].region for name in of_them})
    wanted = alone_or_named(settings, {name: settings.aws.bucket_named(name).region for name in of_them})
    keys = ", ".join(settings.aws.key_of(name, "region") for name in wrong)
    with mended_by(remedy(f"correct {keys} in the settings")):
        assert observed == wanted, "S3 only notifies queues of the bucket's own region"


@check(remedy=invoke("step1-aws"), see="policy")
def check_policy_exists(facts: Facts, settings: Settings) -> None:
    """The permissions policy exists."""
    unless_without_integration(facts)
    unless_the_bucket_lets_it_read(facts)
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
        folder = facts.settings.aws.policy_arn.rpartition("/")[0]  # only such a one can be in the settings
        held = facts.role.attached_policies if facts.role else ()
        fitting = {name: text for name, text in others.items() if f"{folder}/{name}" in held}
        return next(
            (name for name, text in fitting.items() if not unreadable(text, facts.settings, NEEDED)), ""
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
    document = policy.document if settings.is_ours else _allowing(policy.document)
    lacking = unreadable(document, settings, NEEDED, facts.unread_files)
    if lacking:
        unless_the_settings_are_wrong(facts, lambda made: not unreadable(document, made, NEEDED))
    lacking = [row for row in lacking if not (_is_of_a_key(row) and _may_use_the_keys(facts, settings))]
    with advice(only=lambda: _is_seen_to_work(facts, lacking)):
        assert lacking == [], "Snowflake lacks a permission on the bucket"
    doubtful = list(map(str, conditional("policy", policy.document, settings))) if settings.is_ours else []
    assert (doubtful if doubtful and facts.refusal else []) == [], "Snowflake does not meet the condition"
    with advice():
        lacking = unreadable(document, settings, WELCOME)
        assert lacking == [], "Snowflake's page asks for it; files are loaded without it"


def _is_of_a_key(lacking: str) -> bool:
    return lacking.startswith("kms:")


def _is_seen_to_work(facts: Facts, lacking: list[str]) -> bool:
    """Whether Snowflake's own reading shows that it does without what its policies lack."""
    return facts.snowflake_reads and (not any(map(_is_of_a_key, lacking)) or facts.snowflake_decrypts)


def _may_use_the_keys(facts: Facts, settings: Settings) -> bool:
    """Whether every key lets the role decrypt by its own policy or a grant; then no policy of it need."""
    names = [each.name for each in settings.buckets if each.kms_key_arn]
    return all(
        _by_the_key_itself(facts, name, str(settings.aws.bucket_named(name).kms_key_arn)) for name in names
    )


def _allowing(document: Document) -> Document:
    """What others' policies allow; step1.no-other-policy-denies-reading names what they deny."""
    return {"Statement": [row for row in statements(document) if row.get("Effect") == "Allow"]}


@check(
    remedy=invoke("step1-aws"),
    see="policy",
    needs=("step1.bucket-exists", "step1.policy-lets-snowflake-read"),
)
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
        folder = facts.settings.aws.role_arn.rpartition("/")[0]
        there, _, name = have.role_arn.rpartition("/") if have else ("", "", "")
        return name if there == folder and name != facts.settings.aws.role_name else ""
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
    remedy="take that statement out of the policy it names, exempt the streams' folders from it, or detach "
    "that policy",
    see="denied",
)
def check_no_other_policy_denies_reading(
    facts: Facts, role_policies: RolePolicies, settings: Settings
) -> None:
    """No other policy of the role denies what loading needs."""
    rows = list(role_policies.others.items())
    _nothing_denies(
        facts,
        lambda actions: [
            row
            for name, text in rows
            for row in refusals(name, text, settings, actions, files=facts.unread_files)
        ],
    )


def _nothing_denies(facts: Facts, denying: Callable[[tuple[str, ...]], list[Refusal]]) -> None:
    """Nothing surely denies what loading needs; what Snowflake's page only asks for is advice."""
    with advice(only=lambda: facts.snowflake_decrypts):
        assert _certain(denying(DECRYPTING)) == [], "a Deny wins over any Allow"
    with advice(only=lambda: facts.snowflake_reads):
        assert _certain(denying(NEEDED)) == [], "a Deny wins over any Allow"
    with advice():
        assert _certain(denying(WELCOME)) == [], "a Deny wins over any Allow"


def _certain(found: list[Refusal]) -> list[str]:
    return [str(row) for row in found if row.is_certain]


@check(remedy="allow it in that boundary, or put a boundary on the role that does", see="denied")
def check_boundary_lets_the_role_read(facts: Facts, role_policies: RolePolicies, settings: Settings) -> None:
    """The role's permissions boundary allows what loading needs."""
    if not role_policies.boundary:
        return
    allowing = role_policies.boundary
    lacking = unreadable(allowing, settings, NEEDED, facts.unread_files)
    with advice(only=lambda: _is_seen_to_work(facts, lacking)):
        assert lacking == [], "a role may do only what both its policy and its boundary allow"
    with advice():
        lacking = unreadable(allowing, settings, WELCOME)
        assert lacking == [], "a role may do only what both its policy and its boundary allow"


@check(remedy="exempt the role from that statement of the bucket's policy", see="denied")
def check_bucket_policy_lets_the_role_read(
    facts: Facts, buckets: dict[str, Bucket], settings: Settings
) -> None:
    """The bucket's policy does not deny what loading needs."""
    unless_without_integration(facts)
    texts = {name: facts.bucket_policy(name) for name in buckets}
    files = facts.unread_files
    _nothing_denies(facts, lambda actions: by_bucket_policies(settings, texts, actions, files))


@check(remedy="correct aws.kms_key_arn in the settings", see="key", needs=("step1.bucket-region",))
def check_key_exists(facts: Facts, settings: Settings) -> None:
    """The key the settings name exists."""
    named = {each.kms_key_arn: each.name for each in settings.buckets if each.kms_key_arn}
    if not named:
        pytest.skip("aws.kms_key_arn is not set")
    missing = [arn for arn, bucket in named.items() if facts.key(bucket) is None]
    which = "of that ARN" if named == {settings.aws.kms_key_arn: settings.aws.bucket} else ", ".join(missing)
    assert (None if missing else named) is not None, f"no key {which} can be found"


@check(
    remedy=("set aws.kms_key_arn to that key in the settings", invoke("step1-aws", lead=", then run: ")),
    see="key",
    needs=("step1.bucket-region", "step1.no-other-policy-denies-reading"),
)
def check_role_may_decrypt(facts: Facts, buckets: dict[str, Bucket], settings: Settings) -> None:
    """The key that encrypts new files is the settings', or one the role may use otherwise."""
    unless_without_integration(facts)
    arns = {name: arn for name in buckets if (arn := facts.bucket_key_arn(name))}
    if not arns:
        pytest.skip("new files are encrypted by S3 itself")
    ours = [facts.policy.document] if facts.policy else []
    held = {
        "Statement": [
            row for text in (*facts.role_policies.others.values(), *ours) for row in statements(text)
        ]
    }
    wanted: dict[str, str | None] = {}
    for name, arn in arns.items():
        bucket = settings.aws.bucket_named(name)
        asked = decrypting(arn, settings, bucket.region)
        allowed = judged(held, asked) is not False
        if bucket.kms_key_arn != arn and not (allowed or _by_the_key_itself(facts, name, arn)):
            wanted[name] = bucket.kms_key_arn
    keys = ", ".join(settings.aws.key_of(name, "kms_key_arn") for name in wanted)
    mend = remedy(f"set {keys} to that key in the settings", invoke("step1-aws", lead=", then run: "))
    observed = alone_or_named(settings, {name: arns[name] for name in wanted})
    with mended_by(mend):
        assert observed == alone_or_named(settings, wanted), "nothing lets the role decrypt with that key"


def _by_the_key_itself(facts: Facts, bucket: str, arn: str) -> bool:
    """Whether the key's own policy names the role, or a grant of it; not so where nobody here can tell."""
    with suppress(CannotTell):
        key = facts.key(bucket)
        if key is None or key.arn != arn or key_denies(key, facts.settings):
            return False
        return key_admits(key, facts.settings) or facts.is_granted_the_key(bucket)
    return False


@check(remedy="enable that key, or cancel its deletion, in KMS", see="key", needs=("step1.role-may-decrypt",))
def check_key_is_enabled(facts: Facts, settings: Settings) -> None:
    """The key is enabled."""
    keys = _keys(facts, settings)
    states = {name: key.state for name, key in keys.items() if key.state != "Enabled"}
    observed = alone_or_named(settings, states)
    assert (observed or "Enabled") == "Enabled", "nobody can read what it encrypted"


def _keys(facts: Facts, settings: Settings) -> dict[str, Key]:
    """The keys that encrypt the streams' files, by bucket; skips where there is none."""
    found = {each.name: key for each in settings.buckets if (key := facts.key(each.name))}
    if not found:
        pytest.skip("there is no key to judge")
    return found


@check(
    remedy="let the role kms:Decrypt in the key's policy, or by a grant",
    see="key",
    needs=("step1.role-may-decrypt",),
)
def check_key_policy_lets_the_role_decrypt(facts: Facts, settings: Settings) -> None:
    """The key's own policy lets the role decrypt, or leaves it to IAM, or a grant of the key does."""
    unless_without_integration(facts)
    keys = {key.arn: (name, key) for name, key in _keys(facts, settings).items()}
    alone = len(settings.buckets) == 1
    shut = [
        why if alone else f"{arn}: {why}"
        for arn, (name, key) in keys.items()
        for why in key_refuses(key, settings)
        if key_denies(key, settings) or not facts.is_granted_the_key(name)
    ]
    assert shut == [], "without the key's own policy IAM's is worth nothing"
