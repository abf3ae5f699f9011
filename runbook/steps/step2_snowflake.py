"""Step 2, Snowflake: the storage integration for the role, and who may use it.

Documented as: create the integration object with the new IAM role; retrieve its external ID
(and Snowflake's IAM user ARN) for the trust policy of step 3.
"""

from collections.abc import Iterator

from runbook.errors import Refused
from runbook.facts import Facts
from runbook.facts.ours import MARK, is_marked, used_by_others
from runbook.facts.pipeline import integration_grants, missing_grants
from runbook.facts.snowflake import Grant, StorageIntegration
from runbook.plan import Change, SqlChange
from runbook.settings import Settings
from runbook.sql import rendered

FOLDER = "step2_snowflake"


def plan(facts: Facts) -> Iterator[Change]:
    """Create what is missing, alter what has drifted, replace nothing."""
    settings = facts.settings
    if why := "; ".join(_roles(facts)):
        yield _file("10_roles.sql", settings, why)
    if why := "; ".join(_integration(settings, facts.integration)):
        _may_alter(facts, why)
        yield _file("20_integration.sql", settings, why)
    if why := "; ".join(_usage(facts)):
        yield _file("30_usage.sql", settings, why)


def _roles(facts: Facts) -> Iterator[str]:
    snowflake = facts.settings.snowflake
    held = facts.grants_to(snowflake.owner_role) or frozenset()
    for role in (snowflake.loader_role, snowflake.operator_role):
        if role not in facts.roles:
            yield f"the role {role} does not exist"
        elif role != snowflake.owner_role and Grant("USAGE", "ROLE", role) not in held:
            yield f"{role} is not granted to {snowflake.owner_role}"


def _integration(settings: Settings, have: StorageIntegration | None) -> Iterator[str]:
    if have is None:
        yield "the integration does not exist"
        return
    if have.provider and have.provider != settings.aws.storage_provider:
        raise Refused(
            f"The integration {have.name} is for {have.provider}, not {settings.aws.storage_provider}",
            why="another provider means replacing it, and every stage on it would lose it",
            remedy="set snowflake.integration to a new name",
        )
    if not have.enabled:
        yield "the integration is disabled"
    if have.role_arn != settings.aws.role_arn:
        yield f"it is for the role {have.role_arn}"
    if have.allowed_locations != set(settings.allowed_locations) and not _serves(settings, have):
        yield f"it allows {', '.join(sorted(have.allowed_locations)) or 'nothing'}"


def _serves(settings: Settings, have: StorageIntegration) -> bool:
    """Whether it is somebody else's, and allows every stream's folder: also a wider one stays as it is."""
    return not is_marked(have.comment) and all(have.allows(stream.url) for stream in settings.streams)


def _may_alter(facts: Facts, why: str) -> None:
    """Somebody else's integration is altered only with --adopt, and never under other people's stages.

    Raises Refused. What is adopted keeps its comment, so `invoke down` leaves it there.
    """
    have = facts.integration
    if have is None or is_marked(have.comment):
        return
    if not facts.adopt:
        raise Refused(
            f"The integration {have.name} was not made by this project, and is not what is wanted",
            why=f"{why}. Its comment does not end in {MARK}",
            remedy="invoke step2-snowflake --adopt alters it; or set snowflake.integration to a new name",
        )
    if others := [name for name in used_by_others(facts.reader) if name.startswith("the stage ")]:
        raise Refused(
            f"Others read through the integration {have.name}: {', '.join(others)}",
            why=f"altering it would change their access: {why}",
            remedy="set snowflake.integration to a new name",
        )


def _usage(facts: Facts) -> Iterator[str]:
    snowflake = facts.settings.snowflake
    for role in dict.fromkeys((snowflake.owner_role, snowflake.loader_role, snowflake.operator_role)):
        if missing_grants(facts.grants_to(role), integration_grants(facts.settings)):
            yield f"{role} has no USAGE on it"


def _file(name: str, settings: Settings, why: str) -> SqlChange:
    path = f"{FOLDER}/{name}"
    return SqlChange(path, rendered(path, settings), why)
