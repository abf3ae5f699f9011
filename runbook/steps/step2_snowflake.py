"""Step 2, Snowflake: the storage integration for the role, and who may use it.

Documented as: create the integration object with the new IAM role; retrieve its external ID
(and Snowflake's IAM user ARN) for the trust policy of step 3.
"""

from collections.abc import Iterator
from contextlib import suppress

from runbook.errors import CannotTell, Refused
from runbook.facts import Facts
from runbook.facts.objects import StorageIntegration
from runbook.facts.ours import MARK, is_marked, stages_of_others
from runbook.facts.whose import admits, integration_is_for_us, kept_locations, named_in
from runbook.plan import Change, SqlChange
from runbook.remedy import invoke
from runbook.settings import Settings, Stream
from runbook.sql import Value, rendered
from runbook.steps.owners import refuse_another_owners
from runbook.wanted.grants import Grant, integration_grants, missing_grants

FOLDER = "step2_snowflake"


def plan(facts: Facts) -> Iterator[Change]:
    """Create what is missing, alter what has drifted, replace nothing."""
    settings = facts.settings
    if why := "; ".join(_roles(facts)):
        yield _file("10_roles.sql", settings, why)
    yield from _integration(facts, facts.integration)
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


def _integration(facts: Facts, have: StorageIntegration | None) -> Iterator[Change]:
    settings = facts.settings
    admin, name = settings.snowflake.admin_role, settings.snowflake.integration.sql
    if have is None:
        hidden = f"{admin} cannot see it"
        refuse_another_owners(facts, "INTEGRATION", name, admin, why=hidden, number=2, to="grant USAGE on it")
        yield _file("20_integration.sql", settings, "the integration does not exist")
        return
    _right_provider(settings, have)
    if not is_marked(have.comment):
        yield from _theirs(facts, have)
        return
    guest = refuse_others(facts)
    kept = dict.fromkeys(have.allowed_locations, "") if guest else kept_locations(facts, have)
    want = _in_order(have, (*settings.allowed_locations, *sorted(kept)))
    other: dict[str, Value] = {"allowed_locations": want}
    if guest:
        other["integration_comment"] = have.comment
    why = list(_drift(settings, have, set(want), {} if guest else kept))
    if not guest and named_in(have.comment) is None:
        why.append("its comment does not name the schema it serves")
    if why:
        refuse_another_owners(facts, "INTEGRATION", name, admin, why="; ".join(why), number=2)
        _refuse_to_stop_pipes(facts, have)
        yield _file("20_integration.sql", settings, "; ".join(why), other)


def _in_order(have: StorageIntegration, want: tuple[str, ...]) -> tuple[str, ...]:
    """The locations, each once: those that are there as they stand, and the new ones behind them."""
    there = [place for place in have.allowed_locations if place in want]
    return tuple(dict.fromkeys((*there, *want)))


def _right_provider(settings: Settings, have: StorageIntegration) -> None:
    if have.provider and have.provider != settings.aws.storage_provider:
        raise Refused(
            f"The integration {have.name} is for {have.provider}, not {settings.aws.storage_provider}",
            why="another provider means replacing it, and every stage on it would lose it",
            remedy="set snowflake.integration to a new name",
        )


def _drift(
    settings: Settings, have: StorageIntegration, want: set[str], kept: dict[str, str]
) -> Iterator[str]:
    if not have.enabled:
        yield "the integration is disabled"
    if have.role_arn != settings.aws.role_arn:
        yield f"it is for the role {have.role_arn}"
    if set(have.allowed_locations) == want:
        return
    if not have.allowed_locations or set(have.allowed_locations) - want:
        yield f"it allows {', '.join(sorted(have.allowed_locations)) or 'nothing'}"
    else:
        yield f"it does not allow {', '.join(sorted(want - set(have.allowed_locations)))}"
    if gone := sorted(set(have.allowed_locations) - want):
        yield f"it will no longer allow {', '.join(gone)}"
    for place, stage in kept.items():
        yield f"it will still allow {place}, for the stage {stage}"


def refuse_others(facts: Facts) -> bool:
    """Raises Refused where the integration is another's, and not shared; whether it is shared."""
    have = facts.integration
    if have is not None and not is_marked(have.comment):
        list(_theirs(facts, have))
    if have is None or not is_marked(have.comment):
        return False
    if integration_is_for_us(facts, have):
        _refuse_to_take_the_role_from_others(facts, have)
        return False
    snowflake = facts.settings.snowflake
    if snowflake.share_integration:
        if have.role_arn != facts.settings.aws.role_arn:
            raise Refused(
                f"The integration {have.name} is for the role {have.role_arn}",
                why="it is another installation's, and is only shared",
                remedy="set aws.role_name and aws.path to it, or snowflake.integration to a new name",
            )
        return True
    named = named_in(have.comment)
    by = ", ".join(facts.others_on_the_integration) if named is None else ""
    raise Refused(
        f"The integration {have.name} belongs to another installation of this project",
        why=f"its comment names {named}"
        if named
        else f"it serves {by or 'folders these settings do not name'}",
        remedy="set snowflake.integration to a name of this installation's own; or share it: "
        "snowflake.share_integration: true, with aws.share_role: true (docs/runbook.md#two-installations)",
    )


def _theirs(facts: Facts, have: StorageIntegration) -> Iterator[Change]:
    """Somebody else's integration is altered only with --adopt, and never under other people's stages.

    Raises Refused. What is adopted keeps its comment, so `invoke down` leaves it there.
    """
    settings = facts.settings
    want = set(settings.allowed_locations)
    if have.enabled and have.role_arn == settings.aws.role_arn and all(map(have.allows, want)):
        return
    why = "; ".join(_drift(settings, have, want, {}))
    if not facts.adopt:
        adopting = invoke("step2-snowflake", "--adopt")
        raise Refused(
            f"The integration {have.name} was not made by this project, and is not what is wanted",
            why=f"{why}. Its comment does not end in {MARK}",
            remedy=f"{adopting} alters it; or set snowflake.integration to a new name",
            adopts=adopting,
        )
    if others := stages_of_others(facts.reader):
        raise Refused(
            f"Others read through the integration {have.name}: {', '.join(others)}",
            why=f"altering it would change their access: {why}",
            remedy="set snowflake.integration to a new name",
        )
    yield _file("20_integration.sql", settings, why, {"integration_comment": have.comment})


def _refuse_to_stop_pipes(facts: Facts, have: StorageIntegration) -> None:
    """Another role that Snowflake cannot assume yet would fail the files of the pipes that run."""
    if have.role_arn == facts.settings.aws.role_arn:
        return
    running = [
        stream for stream in facts.settings.streams if facts.pipe(stream) and not _is_paused(facts, stream)
    ]
    with suppress(CannotTell):
        role = facts.role
        row = role.own_statement if role else None
        if not running or (row is not None and admits(row, have)):
            return
        if facts.entry is not None and not facts.entry.succeeded:
            return
    if running:
        raise Refused(
            f"The integration {have.name} would assume another role, which Snowflake cannot assume yet",
            why=f"until step 3 is done the files of {', '.join(str(stream.pipe) for stream in running)} "
            "would fail, and a pipe never tries a failed file again",
            remedy="`invoke pause`, then `invoke up`, which resumes the pipes at its end",
        )


def _refuse_to_take_the_role_from_others(facts: Facts, have: StorageIntegration) -> None:
    """Stages that the settings do not name read by the old role; the new one has no policy for them."""
    if have.role_arn == facts.settings.aws.role_arn:
        return
    works = False
    with suppress(CannotTell):
        works = facts.entry is not None and facts.entry.succeeded
    if works and (others := sorted(facts.stages_on_the_integration)):
        raise Refused(
            f"The integration {have.name} would assume another role, which reads only the settings' folders",
            why=f"{', '.join(others)} read through it too, and their files would fail",
            remedy=f"put aws.role_name back to {have.role_arn.rpartition('/')[2]}, or move them first "
            "(docs/runbook.md#two-installations)",
        )


def _is_paused(facts: Facts, stream: Stream) -> bool:
    pause = facts.pause(stream)
    return pause is not None and pause.paused


def _usage(facts: Facts) -> Iterator[str]:
    snowflake = facts.settings.snowflake
    for role in dict.fromkeys((snowflake.owner_role, snowflake.loader_role, snowflake.operator_role)):
        if missing_grants(facts.grants_to(role), integration_grants(facts.settings)):
            yield f"{role} has no USAGE on it"


def _file(name: str, settings: Settings, why: str, other: dict[str, Value] | None = None) -> SqlChange:
    path = f"{FOLDER}/{name}"
    return SqlChange(path, rendered(path, settings, other=other), why)
