"""Nothing sound is called faulty: 200 installations in every run, 2,000 where time is no matter."""

# ruff: noqa: E501 (a case is one line)

from dataclasses import replace
from typing import Any

import pytest

from runbook.facts.aws import held_policy
from runbook.facts.objects import Entry, Listing, StagedFile
from runbook.policies.held import Key, RolePolicies
from runbook.verify import check
from runbook.wanted.rules import BucketNotifications
from tests.unit import sound
from tests.unit.at_once import CHECKS, advised, judged, red
from tests.unit.test_layout import CHECKS as DOCUMENTED


def test_these_are_the_checks() -> None:
    assert sorted(CHECKS) == sorted(check.id for check in DOCUMENTED)


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(200, 2000, 200))]
)
def test_two_hundred_sound_installations_are_healthy(first: int) -> None:
    wrong = {}
    for seed in range(first, first + 200):
        shape = sound.drawn(seed)
        if found := red(sound.facts_of(shape)):
            wrong[str(shape)] = found
    assert wrong == {}


PLAIN = replace(
    sound.drawn(0),
    policy="everything",
    trust="as documented",
    bucket="none",
    copy=sound.COPIES[0],
    announced="one rule",
    publishing="service",
    owner="LOADER",
    held="itself",
    key="",
)


def test_it_is_what_verify_says_too() -> None:
    """The checks called one after the other and by pytest: the same words."""
    shape = replace(PLAIN, policy="as published", announced="put alone", copy=sound.COPIES[1])
    rows = check(sound.facts_of(shape), deep=True).results
    by_pytest = {row.id + (f"[{row.stream}]" if row.stream else ""): row.outcome for row in rows}
    assert by_pytest == {name: said.split(":")[0] for name, said in judged(sound.facts_of(shape)).items()}


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ({"policy": "as published"}, {"step1.policy-lets-snowflake-read"}),
        ({"policy": "without the location"}, {"step1.policy-lets-snowflake-read", "step1.policy-is-read-only"}),
        ({"policy": "without versions"}, {"step1.policy-lets-snowflake-read", "step1.policy-is-read-only"}),
        ({"policy": "for unloading too"}, {"step1.policy-is-read-only"}),
        ({"trust": "the account's root"}, {"step3.trust-names-snowflakes-user"}),
        ({"trust": "a pattern"}, {"step3.others-statements-ask-for-an-external-id"}),
        ({"announced": "put alone"}, {"step5.rule-covers-the-stream"}),
        ({"announced": "by subfolder"}, {"step5.rule-covers-the-stream"}),
        ({"copy": sound.COPIES[1]}, {"step4.pipe-loses-no-row"}),
    ],
)  # fmt: skip
def test_what_works_and_could_be_better_is_advice(change: dict[str, Any], checks: set[str]) -> None:
    found = advised(sound.facts_of(replace(PLAIN, **change)))
    assert found - {"step1.policy-is-read-only"} == checks - {"step1.policy-is-read-only"}
    assert checks <= found


def test_a_plain_one_needs_none() -> None:
    plain = replace(PLAIN, policy="as published")
    rows = [*sound.POLICIES["as published"], sound.allow("s3:GetBucketLocation", sound.B)]
    facts = changed(plain, role_policies=RolePolicies({"p": {"Statement": rows}}))
    assert advised(facts) == set()


REFUSED = Entry(succeeded=False, message="Access Denied (Status Code: 403; Error Code: AccessDenied)")
VPCE = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
TAGGED = {"StringNotEquals": {"aws:PrincipalTag/team": "data"}}
ONLY_ADMIN = {"AWS": "arn:aws:iam::111122223333:user/admin"}
EVERYWHERE = {"Principal": "*", "Resource": [sound.B, f"{sound.B}/*"]}


def changed(shape: sound.Sound, **facts: Any) -> Any:
    """The installation with facts that are otherwise."""
    known = sound.facts_of(shape)
    known.known = {**known.known, **facts}
    if "role_policies" in facts:
        known.known["policy"] = held_policy(known.known["role"], facts["role_policies"])
    return known


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (sound.deny("s3:*", None, when=VPCE, **EVERYWHERE), "step3.no-condition-keeps-snowflake-out"),
        (sound.deny("s3:GetObject", None, when=TAGGED, **EVERYWHERE), "step3.no-condition-keeps-snowflake-out"),
        (sound.deny("s3:*", None, when={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, **EVERYWHERE), "step3.no-condition-keeps-snowflake-out"),
        (sound.deny("s3:*", None, when={"StringNotLike": {"aws:PrincipalArn": ["*/admin"]}}, **EVERYWHERE), "step1.bucket-policy-lets-the-role-read"),
        ({"Effect": "Deny", "NotPrincipal": ONLY_ADMIN, "Action": "s3:GetObject", "Resource": f"{sound.B}/*"}, "step1.bucket-policy-lets-the-role-read"),
        ({"Effect": "Deny", "Principal": "*", "NotAction": "s3:ListBucket", "Resource": f"{sound.B}/*"}, "step1.bucket-policy-lets-the-role-read"),
        (sound.deny("s3:GetObject", None, Principal={"AWS": "111122223333"}, Resource=f"{sound.B}/in/*"), "step1.bucket-policy-lets-the-role-read"),
    ],
)  # fmt: skip
def test_where_snowflake_lists_and_may_not_read_the_statement_is_named(statement: Any, named: str) -> None:
    facts = changed(PLAIN, reading=REFUSED, bucket_policy={"Statement": [{"Sid": "Theirs", **statement}]})
    (cause,) = check(facts, deep=True).root_causes
    assert cause.id == named
    assert "Theirs" in cause.observed


def test_a_key_policy_under_a_condition_is_named_where_reading_is_refused() -> None:
    root = {"AWS": "arn:aws:iam::111122223333:root"}
    row = {"Sid": "InsideOnly", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "v"}}}  # fmt: skip
    shape = replace(PLAIN, key=sound.KEY)
    assert red(changed(shape, key=Key(sound.KEY, "Enabled", {"Statement": [row]}))) == {}
    facts = changed(shape, key=Key(sound.KEY, "Enabled", {"Statement": [row]}), reading=REFUSED)
    (cause,) = check(facts, deep=True).root_causes
    assert (cause.id, cause.observed) == (
        "step3.no-condition-keeps-snowflake-out",
        "key policy: InsideOnly (aws:SourceVpce)",
    )


def test_a_rule_that_never_fires_announces_nothing() -> None:
    """A raw equals sign in a prefix: S3 takes the rule and matches no key with it."""
    rows = {"QueueConfigurations": [sound.rule("in/d=1/")]}
    assert [one.fires for one in BucketNotifications(rows).rules] == [False]
    assert [
        one.fires for one in BucketNotifications({"QueueConfigurations": [sound.rule("in/d%3D1/")]}).rules
    ] == [True]


def test_a_file_that_no_rule_told_of_is_no_advice_but_a_failure() -> None:
    facts = sound.facts_of(replace(PLAIN, announced="put alone"))
    listing = facts.known["listing", "events"]
    parts = StagedFile(f"{sound.FOLDER}big.gz", 9, "0123-2", listing.files[0].modified)
    known = changed(replace(PLAIN, announced="put alone"))
    known.known["listing", "events"] = Listing((*listing.files, parts))
    assert judged(known)["step5.rule-covers-the-stream[events]"].startswith("failed")


def test_an_external_id_with_a_blank_is_shown_so_that_it_can_be_seen() -> None:
    trust = sound.trusting(Condition={"StringEquals": {"sts:ExternalId": f"{sound.EXTERNAL_ID} "}})
    facts = changed(PLAIN)
    facts.known["role"] = replace(facts.known["role"], trust={"Statement": [trust]})
    (cause,) = check(facts, deep=True).root_causes
    assert (cause.observed, cause.expected) == (f"'{sound.EXTERNAL_ID} '", f"'{sound.EXTERNAL_ID}'")


def test_a_key_that_names_the_role_itself_needs_no_policy_of_the_roles() -> None:
    shape = replace(PLAIN, key=sound.KEY, policy="in one statement")
    without = RolePolicies({"reading": {"Statement": sound.POLICIES["in one statement"]}})
    role = sound.facts_of(shape).known["role"].arn
    for who, wrong in (({"AWS": role}, False), ({"AWS": "arn:aws:iam::111122223333:root"}, True)):
        row = {"Effect": "Allow", "Principal": who, "Action": "kms:Decrypt", "Resource": "*"}
        facts = changed(shape, role_policies=without, key=Key(sound.KEY, "Enabled", {"Statement": [row]}))
        assert ("step1.role-may-decrypt" in red(facts)) == wrong


PART = f"{sound.B}/{sound.FOLDER}a/*"
"""Where the newest file lies."""


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"bucket_policy": {"Statement": [sound.deny("s3:GetObject", None, Principal="*", Resource=PART)]}}, "step1.bucket-policy-lets-the-role-read"),
        ({"role_policies": RolePolicies({"p": {"Statement": [*sound.POLICIES["everything"], sound.deny("s3:GetObject", PART)]}})}, "step1.no-other-policy-denies-reading"),
        ({"role_policies": RolePolicies({"p": {"Statement": sound.POLICIES["everything"]}}, {"Statement": [sound.allow("s3:*", "*"), sound.deny("s3:Get*", PART)]})}, "step1.boundary-lets-the-role-read"),
    ],
)  # fmt: skip
def test_a_deny_of_where_the_newest_file_lies_is_named(facts: dict[str, Any], named: str) -> None:
    listing = sound.facts_of(PLAIN).known["listing", "events"]
    newest = replace(listing, files=tuple(file for file in listing.files if "/a/" in file.key))
    refused = changed(PLAIN, reading=REFUSED, **facts)
    refused.known["listing", "events"] = newest
    (cause,) = check(refused, deep=True).root_causes
    assert cause.id == named


def test_two_conditions_on_the_external_id_of_which_one_is_not_met() -> None:
    both = {"StringEquals": {"sts:ExternalId": sound.EXTERNAL_ID}, "Null": {"sts:ExternalId": "true"}}
    facts = changed(PLAIN, entry=REFUSED)
    facts.known["role"] = replace(facts.known["role"], trust={"Statement": [sound.trusting(Condition=both)]})
    (cause,) = check(facts, deep=True).root_causes
    assert (cause.id, cause.observed) == (
        "step3.trust-external-id",
        f"Null true, StringEquals {sound.EXTERNAL_ID}",
    )


def test_a_role_without_a_policy_that_the_bucket_lets_read_is_sound() -> None:
    role = sound.facts_of(PLAIN).known["role"].arn
    lets = sound.allow(["s3:GetObject", "s3:ListBucket"], [sound.B, f"{sound.B}/*"]) | {
        "Principal": {"AWS": role}
    }
    known = changed(PLAIN, role_policies=RolePolicies(), bucket_policy={"Statement": [lets]})
    assert red(known) == {}
    known = changed(PLAIN, role_policies=RolePolicies(), reading=REFUSED)
    assert "step1.policy-exists" in red(known)


@pytest.mark.parametrize("granted", [True, False])
def test_a_grant_of_the_key_is_as_good_as_its_policy(granted: bool) -> None:
    shape = replace(PLAIN, key=sound.KEY)
    theirs = {"Statement": [sound.allow("kms:*", "*") | {"Principal": {"AWS": "arn:aws:iam::1:root"}}]}
    known = changed(shape, key=Key(sound.KEY, "Enabled", theirs), key_grants=granted)
    named = [] if granted else ["step1.key-policy-lets-the-role-decrypt"]
    assert [cause.id for cause in check(known, deep=True).root_causes] == named


DENIED = "step1.no-other-policy-denies-reading"


@pytest.mark.parametrize("newest_is_encrypted", [True, False])
def test_that_older_files_are_read_says_nothing_of_the_key(newest_is_encrypted: bool) -> None:
    """They came before the bucket had the key; the newest shows whether the role may use it."""
    shape = replace(PLAIN, key=sound.KEY)
    settings = sound.settings_of(shape)
    aws = settings.aws.model_copy(update={"kms_key_arn": sound.KEY})
    known = sound.facts_of(shape, settings.model_copy(update={"aws": aws}))
    quarantine = {"Statement": [sound.deny("kms:*", "*")]}
    known.known |= {"decrypting": newest_is_encrypted}
    known.known["role_policies"].others["quarantine"] = quarantine
    outcomes = {row.outcome for row in check(known, deep=True).results if row.id == DENIED}
    assert outcomes == {"advice" if newest_is_encrypted else "failed"}


def test_a_deny_of_the_key_in_another_policy_of_others_is_seen() -> None:
    known = sound.facts_of(replace(PLAIN, key=sound.KEY))
    known.known["role_policies"].others["quarantine"] = {"Statement": [sound.deny("kms:*", "*")]}
    assert [cause.id for cause in check(known, deep=True).root_causes] == ["step1.role-may-decrypt"]
