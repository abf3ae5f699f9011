"""Two and three installations in the same accounts: what one does leaves the others as they were.

Every combination of shared names, planned and made on pretended accounts (tests/unit/accounts.py): it is
refused and nothing is changed, or both work, and each one's `down` takes away its own part only.
"""

import copy
import itertools
import pickle
import random
from contextlib import suppress
from dataclasses import dataclass

import pytest

from runbook.errors import Refused
from runbook.facts.left_over import read_now
from runbook.plan import plan_step
from runbook.policies.access import external_ids, unreadable
from runbook.settings import Settings, read
from runbook.steps import STEPS
from runbook.steps.others import refuse_others
from runbook.teardown import BACKWARDS, one_stream
from tests.unit.accounts import Accounts
from tests.unit.conftest import written

ALL = (1, 2, 3, 4, 5)


@dataclass
class Environment:
    """One environment file: what it shares with the first, and what is its own."""

    settings: Settings
    is_up: bool = False


def environment(number: int, *own: str, **changes: object) -> Environment:
    """The default names, but for those of ``own``, which get the environment's number."""
    names = {
        "account": {"snowflake__account": f"ORG-A{number}"},
        "database": {"snowflake__database": f"RAW{number}"},
        "schema": {"snowflake__schema": f"SNOWPLOW{number}"},
        "role": {"aws__role_name": f"role-{number}"},
        "policy": {"aws__policy_name": f"policy-{number}"},
        "integration": {"snowflake__integration": f"SNOWPLOW_S3_{number}"},
        "roles": {
            "snowflake__loader_role": f"LOADER{number}",
            "snowflake__operator_role": f"OPERATOR{number}",
        },
        "prefixes": {
            "streams__events__prefix": f"env{number}/stream/",
            "streams__events_bad__prefix": f"env{number}/bad/",
        },
        "share_role": {"aws__share_role": True},
        "share_both": {"aws__share_role": True, "snowflake__share_integration": True},
    }
    found: dict[str, object] = {"snowflake__account": "ORG-A1"}
    for name in own if number > 1 else ():
        found |= names[name]
    return Environment(read(written(**{**found, **changes})))


def up(at: Accounts, one: Environment, **more: object) -> None:
    """`invoke up`: refused before anything is changed, or made step by step; a step may still refuse."""
    before = pickle.dumps(at)
    try:
        refuse_others(at.facts(one.settings, **more), ALL)
    except Refused:
        assert at == pickle.loads(before)
        raise
    for step in STEPS:
        plan = plan_step(step, at.facts(one.settings, **more))
        assert plan.blocked is None
        for change in plan.changes:
            at.make(change, one.settings)
        assert plan_step(step, at.facts(one.settings)).is_empty, step.number
    one.is_up = True


def down(at: Accounts, one: Environment, stream: str | None = None) -> None:
    """`invoke down`: all is planned first, so a refusal changes nothing."""
    found = one_stream.stream_of(at.facts(one.settings), stream) if stream else None
    steps = one_stream.backwards(found) if found else BACKWARDS
    for step in steps:
        plan_step(step, at.facts(one.settings))
    for step in steps:
        for change in plan_step(step, at.facts(one.settings)).changes:
            at.make(change, one.settings)
        assert plan_step(step, at.facts(one.settings)).is_empty, step.number
    one.is_up = one.is_up and bool(stream)


def assert_it_works(at: Accounts, one: Environment) -> None:
    """All that its files need on their way is there, judged by meaning; and nothing is left to do."""
    facts, settings = at.facts(one.settings), one.settings
    assert unreadable(facts.policy.document, settings) == []
    assert settings.aws.policy_arn in facts.role.attached_policies
    integration = facts.integration
    assert external_ids(facts.role, integration) == [integration.external_id]
    assert not facts.role.denies_everybody
    assert integration.role_arn == settings.aws.role_arn
    for stream in settings.streams:
        assert integration.allows(stream.url)
        assert facts.stage(stream).integration == integration.name
        channel = facts.channel(stream)
        assert any(
            rule.covers(stream) and rule.target == channel
            for rule in facts.notifications_of(stream.bucket).rules
        )
    assert settings.snowflake.loader_role in facts.roles
    for step in STEPS:
        assert plan_step(step, facts).is_empty, step.number


def own_part(at: Accounts, one: Environment) -> object:
    """What is this environment's in both clouds, byte for byte."""
    facts, settings = at.facts(one.settings), one.settings
    return copy.deepcopy(
        (
            at.policies[settings.aws.policy_arn],
            facts.role.own_statement,
            [
                facts.notifications_of("snowplow-sandbox").of(stream, facts.channel(stream))
                for stream in settings.streams
            ],
            {
                name: row
                for name, row in at.snowflake(settings).objects["PIPE"].items()
                if settings.schema_sql in name
            },
            facts.integration.external_id,
        )
    )


NAMES = ("account", "database", "role", "policy", "integration", "roles", "prefixes")
SHARES = ((), ("share_role",), ("share_both",))
COMBINATIONS = [
    (*(name for name, is_own in zip(NAMES, bits, strict=True) if is_own), *share)
    for bits in itertools.product([False, True], repeat=len(NAMES))
    for share in SHARES
]


def play(seed: int, owns: list[tuple[str, ...]]) -> int:
    """Everybody up, in any order; then one after the other down. Returns how many were up at once."""
    chance = random.Random(seed)
    at = Accounts()
    everybody = [environment(number, *own) for number, own in enumerate(owns, 1)]
    chance.shuffle(everybody)

    def others_are_as_they_were(parts: dict[int, object]) -> None:
        for each in everybody:
            if each.is_up:
                assert_it_works(at, each)
                if id(each) in parts:
                    assert own_part(at, each) == parts[id(each)]

    by_place = {(one.settings.snowflake.account, one.settings.schema_sql): one for one in everybody}
    everybody = list(by_place.values())  # two files for one schema are one installation, see below
    for one in everybody:
        parts = {id(each): own_part(at, each) for each in everybody if each.is_up}
        with suppress(Refused):
            up(at, one)
        others_are_as_they_were(parts)
    together = sum(each.is_up for each in everybody)
    chance.shuffle(everybody)
    for one in everybody:
        parts = {id(each): own_part(at, each) for each in everybody if each.is_up and each is not one}
        before = pickle.dumps(at)
        try:
            down(at, one)
        except Refused:
            assert at == pickle.loads(before)
        others_are_as_they_were(parts)
    return together


THREE = 120
PARTS = 4  # for several processes


@pytest.mark.parametrize("part", range(PARTS))
def test_two_with_every_combination_of_shared_names(part: int) -> None:
    """Every one of them in every run; with the three of the next test they are more than 500."""
    assert len(COMBINATIONS) + THREE > 500
    seen = {play(seed, [(), own]) for seed, own in enumerate(COMBINATIONS[part::PARTS])}
    assert {1, 2} <= seen


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0, THREE),
        *(pytest.param(n, n + 220, marks=pytest.mark.slow) for n in range(THREE, 1000, 220)),
    ],
)
def test_three_that_share_what_chance_says(first: int, last: int) -> None:
    chance = [random.Random(seed) for seed in range(first, last)]
    seen = {
        play(first + number, [(), one.choice(COMBINATIONS), one.choice(COMBINATIONS)])
        for number, one in enumerate(chance)
    }
    assert {1, 2, 3} <= seen


@pytest.mark.parametrize(
    ("own", "named"),
    [
        (("account", "prefixes"), "policy"),
        (("account", "prefixes", "policy"), "role"),
        (("database", "prefixes", "policy", "role"), "integration"),
        (("schema", "prefixes", "policy", "role"), "integration"),
    ],
)
def test_a_second_installation_is_refused_by_what_it_would_take(own: tuple[str, ...], named: str) -> None:
    at, first, second = Accounts(), environment(1), environment(2, *own)
    up(at, first)
    with pytest.raises(Refused, match=f"The {named} .*belongs to another installation.*to a name of this"):
        up(at, second)
    with pytest.raises(Refused, match="belongs to another installation"):
        up(at, second, adopt=True)


@pytest.mark.parametrize(
    "own",
    [
        ("account", "prefixes", "policy", "role"),
        ("account", "prefixes", "policy", "share_role"),
        ("database", "prefixes", "policy", "role", "integration"),
        ("database", "prefixes", "policy", "integration", "share_role"),
        ("database", "prefixes", "policy", "share_both"),
        ("database", "policy", "share_both"),
    ],
)
def test_a_guest_that_came_and_went_leaves_every_document_as_it_was(own: tuple[str, ...]) -> None:
    """In the order in which it was, too: a second run has nothing to write."""
    at, first, guest = Accounts(), environment(1), environment(2, *own)
    up(at, first)
    policies, roles, rules = (copy.deepcopy(each) for each in (at.policies, at.roles, at.notifications))
    integrations = copy.deepcopy(at.snowflake(first.settings).integrations)
    try:
        up(at, guest)
    except Refused:
        assert "prefixes" not in own
    down(at, guest)
    assert (at.policies, at.roles, at.notifications) == (policies, roles, rules)
    assert at.snowflake(first.settings).integrations == integrations
    assert_it_works(at, first)


def former(at: Accounts, one: Environment) -> None:
    """The marks as a former version wrote them: none of them names an installation."""
    for row in (*at.policies.values(), *at.roles.values()):
        row["tags"].pop("ManagedFor", None)
    for row in at.snowflake(one.settings).integrations.values():
        row["comment"] = "Reads Snowplow files from S3 (snowpipe-runbook)"
    for stream in one.settings.streams:
        for document in at.notifications.values():
            for row in document["QueueConfigurations"]:
                row["Id"] = stream.former_rule_id if row["Id"] == stream.rule_id else row["Id"]


def test_what_a_former_version_made_is_carried_over_and_its_rules_keep_their_ids() -> None:
    at, one = Accounts(), environment(1)
    up(at, one)
    today = copy.deepcopy(at)
    former(at, one)
    rules = copy.deepcopy(at.notifications)
    up(at, one)
    assert (at.policies, at.roles, at.snowflakes) == (today.policies, today.roles, today.snowflakes)
    assert at.notifications == rules
    down(at, one)
    assert not at.policies
    assert not at.roles
    assert not any(document["QueueConfigurations"] for document in at.notifications.values() if document)


@pytest.mark.parametrize(
    "own", [("account", "prefixes"), ("database", "prefixes"), ("account",), ("database",)]
)
def test_what_a_former_version_made_is_not_taken_by_a_second_installation(own: tuple[str, ...]) -> None:
    at, first, second = Accounts(), environment(1), environment(2, *own)
    up(at, first)
    former(at, first)
    before = copy.deepcopy(at)
    with pytest.raises(Refused, match="belongs to another installation"):
        up(at, second)
    down(at, second)
    assert at == before


def test_rules_of_two_accounts_for_pipes_of_one_name_stand_side_by_side() -> None:
    at, first = Accounts(), environment(1)
    second = environment(2, "account", "prefixes", "role", "policy")
    up(at, first)
    former(at, first)
    up(at, second)
    up(at, first)
    [document] = at.notifications.values()
    assert len({row["Id"] for row in document["QueueConfigurations"]}) == 4
    down(at, second)
    assert_it_works(at, first)


def renamed(at: Accounts) -> None:
    for document in at.notifications.values():
        for number, row in enumerate(document["QueueConfigurations"]):
            row["Id"] = f"rewritten-{number}"


def test_rules_that_another_tool_renamed_are_ours_by_their_content() -> None:
    at, one = Accounts(), environment(1)
    up(at, one)
    renamed(at)
    assert_it_works(at, one)
    down(at, one)
    assert not any(document.get("QueueConfigurations") for document in at.notifications.values())


# ---- nothing is narrowed under a pipe that is there


MOVED = {
    "another bucket": {"aws__bucket": "another-bucket"},
    "another prefix": {"streams__events__prefix": "new/stream/", "streams__events_bad__prefix": "new/bad/"},
}
NEW_NAMES = {
    f"streams__{stream}__{part}": f"{stream}_{part}_2"
    for stream in ("events", "events_bad")
    for part in ("stage", "pipe")
}


@pytest.mark.parametrize("how", MOVED)
def test_a_move_keeps_what_the_old_pipes_read_until_they_are_taken_back(how: str) -> None:
    at, old = Accounts(), environment(1)
    up(at, old)
    new = environment(1, **MOVED[how], **NEW_NAMES)
    up(at, new)
    assert_it_works(at, new)
    assert_old_pipes_work(at, old)
    facts = at.facts(new.settings)
    assert [stream.name for stream in facts.left_over] == ["EVENTS_BAD_PIPE", "EVENTS_PIPE"]
    assert len(read_now(facts)) == 4
    for name in ("EVENTS_BAD_PIPE", "EVENTS_PIPE"):
        down(at, new, name)
        assert_it_works_but_for_narrowing(at, new)
    up(at, new)
    assert at.facts(new.settings).left_over == ()
    assert_it_works(at, new)
    fresh = Accounts()
    up(fresh, new)
    assert at.policies == fresh.policies
    assert {name: row for name, row in at.notifications.items() if row} == fresh.notifications
    assert at.snowflake(new.settings).integrations == fresh.snowflake(new.settings).integrations


def assert_old_pipes_work(at: Accounts, old: Environment) -> None:
    facts, settings = at.facts(old.settings), old.settings
    assert unreadable(facts.policy.document, settings) == []
    for stream in settings.streams:
        assert facts.integration.allows(stream.url)
        assert any(rule.covers(stream) for rule in facts.notifications_of(stream.bucket).rules)


def assert_it_works_but_for_narrowing(at: Accounts, one: Environment) -> None:
    facts = at.facts(one.settings)
    assert unreadable(facts.policy.document, one.settings) == []
    for stream in one.settings.streams:
        assert facts.integration.allows(stream.url)
        assert any(rule.covers(stream) for rule in facts.notifications_of(stream.bucket).rules)


def test_a_stream_that_is_switched_off_goes_on_until_it_is_taken_back() -> None:
    at, whole = Accounts(), environment(1)
    up(at, whole)
    without = environment(1, streams__events_bad__enabled=False)
    up(at, without)
    assert_old_pipes_work(at, whole)
    down(at, without, "EVENTS_BAD_PIPE")
    up(at, without)
    assert "enriched/bad" not in str(at.policies)
    assert "enriched/bad" not in str(at.snowflakes["ORG-A1"].integrations)
    assert "EVENTS_BAD_PIPE" not in str(at.notifications)
    assert_it_works(at, without)


def test_a_prefix_that_changed_under_the_same_stage_is_refused_before_anything_is_changed() -> None:
    at, old = Accounts(), environment(1)
    up(at, old)
    with pytest.raises(Refused, match=r"set streams\.events\.stage and \.pipe to new names"):
        up(at, environment(1, **MOVED["another prefix"]))
    assert_it_works(at, old)


def test_another_integration_is_trusted_beside_the_old_one_until_the_stages_have_moved() -> None:
    at, old = Accounts(), environment(1)
    up(at, old)
    [before] = at.facts(old.settings).role.trust["Statement"]
    new = environment(1, snowflake__integration="NEW_S3")
    for number in (1, 2, 3):
        for change in plan_step(STEPS[number - 1], at.facts(new.settings)).changes:
            at.make(change, new.settings)
    [during] = at.facts(new.settings).role.trust["Statement"]
    assert before["Condition"]["StringEquals"]["sts:ExternalId"] in str(during)
    up(at, new)
    assert_it_works(at, new)


def test_another_role_is_not_given_to_an_integration_under_pipes_that_run() -> None:
    at, old = Accounts(), environment(1)
    up(at, old)
    with pytest.raises(Refused, match="invoke pause"):
        up(at, environment(1, aws__role_name="new-role", aws__policy_name="new-policy"))


def test_another_role_is_not_given_to_an_integration_that_a_guest_reads_through() -> None:
    at, first, guest = (
        Accounts(),
        environment(1),
        environment(2, "database", "prefixes", "policy", "share_both"),
    )
    up(at, first)
    up(at, guest)
    before = pickle.dumps(at)
    with pytest.raises(Refused, match=r"RAW2\.SNOWPLOW\.\w+ read through it too") as told:
        up(at, environment(1, aws__role_name="new-role", aws__policy_name="new-policy"))
    assert "put aws.role_name back to snowflake-read-role" in told.value.remedy
    assert at == pickle.loads(before)
    assert_it_works(at, guest)


def test_two_files_for_one_schema_are_one_installation() -> None:
    at, first = Accounts(), environment(1)
    up(at, first)
    second = environment(1, **MOVED["another prefix"], **NEW_NAMES)
    up(at, second)
    assert_old_pipes_work(at, first)
    assert_it_works(at, second)


def test_a_key_goes_only_with_the_pipes_that_may_need_it() -> None:
    """Files stay encrypted with the key they were written with: a pipe never tries a failed file again."""
    old, new = (f"arn:aws:kms:us-west-2:111122223333:key/{name}" for name in ("old", "new"))
    at = Accounts()
    up(at, environment(1, aws__kms_key_arn=old))
    for one in (environment(1, aws__kms_key_arn=new), environment(1)):
        up(at, one)
        [policy] = at.policies.values()
        assert old in str(policy)
        assert_it_works(at, one)
    down(at, one)
    up(at, one)
    assert "kms" not in str(at.policies)
