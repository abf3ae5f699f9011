"""Step 2, Snowflake: the integration stands, for this role and these folders."""

from contextlib import suppress

import pytest

from checks.conftest import (
    OTHERS,
    advice,
    lacking,
    meant,
    mended_by,
    unless_the_settings_are_wrong,
    unless_without_integration,
)
from runbook.claims import check
from runbook.errors import CannotTell
from runbook.facts import Facts
from runbook.facts.objects import StorageIntegration
from runbook.facts.rights import GRANTS_EVERYTHING
from runbook.remedy import NOTHING, invoke
from runbook.settings import Settings
from runbook.wanted.grants import Grant, integration_grants, missing_grants


@check(remedy=invoke("step2-snowflake", "step4-snowflake"), see="roles")
def check_roles_exist(facts: Facts, settings: Settings) -> None:
    """The loader's and the operator's roles exist.

    A recreated role holds nothing, so its grants come with it.
    """
    snowflake = settings.snowflake
    gone = {snowflake.loader_role, snowflake.operator_role} - facts.roles
    back = NOTHING
    if snowflake.loader_role in gone and (owner := _owner_of_the_pipes(facts)):
        back = meant("snowflake.loader_role", owner, "step2-snowflake", "step4-snowflake")
    elif snowflake.operator_role in gone and (on_call := _operator_of_the_pipes(facts)):
        back = meant("snowflake.operator_role", on_call, "step2-snowflake", "step4-snowflake")
    with mended_by(back, only=bool(back)):
        assert sorted(gone) == [], "a role does not exist, or may not be seen"


def _owner_of_the_pipes(facts: Facts) -> str:
    """The one role that owns the streams' pipes as a loader does; empty where nobody can tell.

    What a dropped role owned belongs to the role that dropped it.
    """
    owners: set[str] = set()
    with suppress(CannotTell):
        owners = {pipe.owner for stream in facts.settings.streams if (pipe := facts.pipe(stream))}
    return owners.pop() if len(owners) == 1 and not owners & _administrators(facts.settings) else ""


def _operator_of_the_pipes(facts: Facts) -> str:
    """The one role beside their owner's that may operate the streams' pipes; empty where nobody can tell."""
    found: set[str] = set()
    with suppress(CannotTell):
        found = {role for stream in facts.settings.streams for role in facts.operators(stream)}
    found -= _administrators(facts.settings) | {facts.settings.snowflake.loader_role}
    return found.pop() if len(found) == 1 else ""


def _administrators(settings: Settings) -> set[str]:
    snowflake = settings.snowflake
    return {*GRANTS_EVERYTHING, "SYSADMIN", str(snowflake.admin_role), str(snowflake.owner_role)}


@check(remedy=invoke("step2-snowflake"), see="roles", needs=("step2.roles-exist",))
def check_roles_are_inherited(facts: Facts, settings: Settings) -> None:
    """The owner role inherits the loader's and the operator's, so whoever administers sees their pipes."""
    if not settings.is_ours:
        pytest.skip(OTHERS)
    snowflake = settings.snowflake
    held = facts.grants_to(snowflake.owner_role) or frozenset()
    wanted = {snowflake.loader_role, snowflake.operator_role} - {snowflake.owner_role}
    apart = sorted(role for role in wanted if Grant("USAGE", "ROLE", role) not in held)
    owner = _owner_of_the_stages(facts) if apart else ""
    back = meant("snowflake.owner_role", owner, "step2-snowflake")
    with mended_by(back, only=bool(back)):
        assert apart == [], f"not granted to {snowflake.owner_role}"


def _owner_of_the_stages(facts: Facts) -> str:
    """The role that owns every stream's stage, where it is another one; empty where nobody can tell."""
    owners: set[str] = set()
    with suppress(CannotTell):
        owners = {stage.owner for stream in facts.settings.streams if (stage := facts.stage(stream))}
    owners -= {facts.settings.snowflake.owner_role, *GRANTS_EVERYTHING}
    return owners.pop() if len(owners) == 1 else ""


@check(remedy=invoke("step2-snowflake", "step3-aws", "step4-snowflake"), see="integration")
def check_integration_exists(facts: Facts) -> None:
    """The storage integration exists.

    A recreated one has another external ID, and no stage is on it yet: trust and stages come with it.
    """
    unless_without_integration(facts)
    used = _another_integration(facts) if facts.integration is None else ""
    back = meant("snowflake.integration", used, "step2-snowflake", "step3-aws", "step4-snowflake")
    with mended_by(back, only=bool(back)):
        assert facts.integration is not None, "no integration of that name can be seen"


def _another_integration(facts: Facts) -> str:
    """The integration that the streams' stages are on, where it is another one; else empty."""
    with suppress(CannotTell):
        stages = [facts.stage(stream) for stream in facts.settings.streams]
        names = {stage.integration for stage in stages if stage and stage.integration}
        return next(iter(names - {facts.settings.snowflake.integration}), "")
    return ""


@check(remedy=invoke("step2-snowflake"), see="integration")
def check_integration_is_enabled(integration: StorageIntegration) -> None:
    """The integration is enabled."""
    word = "enabled" if integration.enabled else "disabled"
    assert word == "enabled", "ENABLED is FALSE: no stage on it can be read"


@check(remedy=invoke("step2-snowflake"), see="integration", needs=("step1.role-has-the-expected-arn",))
def check_integration_names_the_role(integration: StorageIntegration, settings: Settings) -> None:
    """The integration assumes the role of step 1."""
    assert integration.role_arn == settings.aws.role_arn, "Snowflake assumes another role"


@check(remedy=invoke("step2-snowflake"), see="integration", needs=("step1.bucket-exists",))
def check_integration_allows_the_folders(
    facts: Facts, integration: StorageIntegration, settings: Settings
) -> None:
    """The integration allows every stream's folder."""
    closed = _closed(integration, settings)
    if closed:
        unless_the_settings_are_wrong(facts, lambda made: not _closed(integration, made))
    with advice(only=lambda: _is_listed(facts)):
        assert closed == [], "a stage on that folder is refused (error 3127)"


def _is_listed(facts: Facts) -> bool:
    """Whether Snowflake lists the folders through the integration: then it allows them."""
    return facts.entry is not None and facts.entry.succeeded


def _closed(integration: StorageIntegration, settings: Settings) -> list[str]:
    urls = [stream.url for stream in settings.streams]
    return [
        url for url in urls if not any(url.startswith(p) or p == "*" for p in integration.allowed_locations)
    ]


@check(
    remedy="ALTER STORAGE INTEGRATION … UNSET STORAGE_BLOCKED_LOCATIONS, or take that one out of it",
    see="integration",
)
def check_integration_blocks_no_folder(
    facts: Facts, integration: StorageIntegration, settings: Settings
) -> None:
    """The integration blocks no stream's folder.

    A list in one pair of quotes is one place nobody has, and DESC shows it like a list: Snowflake's answer
    decides.
    """
    urls = [stream.url for stream in settings.streams]
    blocked = [
        place for place in sorted(integration.blocked_locations) if any(u.startswith(place) for u in urls)
    ]
    with advice(only=lambda: _is_listed(facts)):
        assert blocked == [], "what is blocked wins over what is allowed"
    parts = [place for place in sorted(integration.blocked_locations) if place.startswith(tuple(urls))]
    with advice():
        assert parts == [], "files in that part of a stream's folder may be refused"


@check(
    remedy=invoke("step2-snowflake"),
    see="integration",
    needs=("step2.roles-exist", "step2.roles-are-inherited", "step4.stage-is-not-orphaned"),
)
def check_integration_may_be_used(facts: Facts, integration: StorageIntegration) -> None:
    """The owner, loader and operator roles have USAGE on the integration.

    Only who makes stages needs it, itself or by a role granted to it: a stage is read with its owner's right.
    Sources: https://docs.snowflake.com/en/sql-reference/sql/list,
    https://docs.snowflake.com/en/user-guide/security-access-control-overview
    """
    if not facts.settings.is_ours:
        pytest.skip("only whoever makes a stage needs it")
    snowflake = facts.settings.snowflake
    wanted = integration_grants(facts.settings)
    owner = snowflake.owner_role
    missing = [
        f"{role}: {right}"
        for role in (owner, snowflake.loader_role, snowflake.operator_role)
        for right in missing_grants(facts.grants_to(role), wanted)
    ]
    with advice(only=lambda: lacking(facts, owner, facts.grants_to(owner), wanted) == []):
        assert missing == [], "a role cannot use the integration"
