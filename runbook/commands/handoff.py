"""`invoke handoff`: what one cloud's administrator gives the other's, in a file or an SSM parameter."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from tabulate import tabulate

from runbook.errors import Blocked, CannotTell, Refused, SettingsWrong
from runbook.facts import Facts
from runbook.facts.handoff import FromAws, FromSnowflake, Handoff, stored
from runbook.plan import Applied, AwsChange, Before, answer_of, make
from runbook.running import STANDARD_OUTPUT, Run, running, write_output
from runbook.settings import SSM, Settings
from runbook.terminal import Style, note, say, say_as_is, wrapped

Part = TypeVar("Part", FromAws, FromSnowflake)

LONGEST_PARAMETER = 4096
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""
NEXT = {
    "aws": "AWS's administrator: step1-aws, then step3-aws and step5-aws with this handoff",
    "snowflake": "Snowflake's administrator: step2-snowflake, step4-snowflake, and invoke handoff after each",
}


def handoff(config: Mapping[str, Any], *, output: str | None, ssm: str | None, yes: bool) -> int:
    """Write what is there on the sides we have credentials of, beside what the other side wrote."""
    if output and ssm:
        raise SettingsWrong("A handoff goes to one place", remedy="--output FILE or --ssm NAME")
    named = f"{SSM}{ssm}" if ssm else output
    with running(
        config, "handoff", sides=("aws",) if ssm else (), spare=("aws", "snowflake"), alone=True, yes=yes
    ) as run:
        printed = named == STANDARD_OUTPUT
        place = run.settings.handoff if printed else named or run.settings.handoff
        before = stored(run.reader, place) if place else None
        refuse_anothers(before, run.settings, place or "")
        now = _written(run, before)
        if place is None or printed:
            say_as_is(now.as_text())
            return 0
        if now == before:
            say(f"{place}: says all that is there already")
        elif place.startswith(SSM):
            _put(run, place, now)
        else:
            write_output(now.as_text(), place, say_as_is)
        _tell(place, now)
    return 0


def refuse_anothers(before: Handoff | None, settings: Settings, place: str) -> None:
    """Raises Refused where a place holds what another target's administrators hand over."""
    if before and before.target != settings.target and before.differences(settings):
        raise Refused(
            f"What is at {place} is handed over for the target {before.target}",
            why=f"these settings are of {settings.target}, and writing there would stop the others",
            remedy="name another place (handoff: in the settings), or delete it first",
        )


def _written(run: Run, before: Handoff | None) -> Handoff:
    """Our parts as they are now, the other's as it was written; raises Blocked where there is neither."""
    if before and (differ := before.differences(run.settings)):
        note(f"what was there was written under other settings ({', '.join(differ)}) and is left out")
        before = None
    facts = run.facts()
    facts.look(delivery=False, steps=(1, 2, 5))
    who = run.record.who
    parts = (
        _part(facts, _of_aws, before.aws if before else None, who["aws"]),
        _part(facts, _of_snowflake, before.snowflake if before else None, who["snowflake"]),
    )
    if parts == (None, None):
        raise Blocked("There is nothing to hand over yet", by_step=1, remedy="invoke step1-aws")
    aws, snowflake = parts
    return Handoff(target=run.settings.target, settings=run.settings.agreed, aws=aws, snowflake=snowflake)


def _part(
    facts: Facts, look: Callable[[Facts, str], Part | None], before: Part | None, who: str
) -> Part | None:
    """What a look shows; what was written before where we may not look or nothing has changed."""
    try:
        now = look(facts, who)
    except CannotTell as error:
        if error.unreachable:
            raise
        return before
    return before if now and before and _says(now) == _says(before) else now


def _says(part: FromAws | FromSnowflake) -> dict[str, Any]:
    return part.model_dump(exclude={"by", "at"})


def _of_aws(facts: Facts, who: str) -> FromAws | None:
    role = facts.role
    return FromAws(by=who, at=_now(), role_arn=role.arn) if role else None


def _of_snowflake(facts: Facts, who: str) -> FromSnowflake | None:
    integration = facts.integration
    if integration is None:
        return None
    pipes = {stream.name: facts.pipe(stream) for stream in facts.settings.streams}
    return FromSnowflake(
        by=who,
        at=_now(),
        iam_user_arn=integration.iam_user_arn,
        external_id=integration.external_id,
        notification_channels={
            name: pipe.notification_channel
            for name, pipe in pipes.items()
            if pipe and pipe.notification_channel
        },
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _put(run: Run, place: str, now: Handoff) -> None:
    """Write the parameter, unless somebody else has just written it. Writes.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    value = parameter_text(now, place)
    name = {"Name": place.removeprefix(SSM)}
    there = stored(run.reader, place) is not None
    before = None
    if there:
        before = Before("GetParameter", name, answer_of(run.reader.aws("ssm", "GetParameter", **name)))
    change = AwsChange(
        "ssm",
        "PutParameter",
        {**name, "Value": value, "Type": "String", "Overwrite": there},
        why="what is handed over has changed" if there else "nothing is handed over yet",
        before=before,
    )
    run.ask(f"Write {place}?")
    run.applied(0, Applied(change, make(change, run.reader, run.writer)))


def parameter_text(now: Handoff, place: str) -> str:
    """The document for a parameter; raises Refused where it is too long for one."""
    text = now.as_text(indent=None)
    if len(text) > LONGEST_PARAMETER:
        raise Refused(
            f"The handoff is longer than {LONGEST_PARAMETER} characters, a standard parameter's limit",
            where=place,
            remedy="hand over a file: invoke handoff --output FILE",
        )
    return text


def _tell(place: str, now: Handoff) -> None:
    rows: list[tuple[str, str]] = []
    if now.aws:
        rows.append(("role", now.aws.role_arn))
    if now.snowflake:
        rows += [("Snowflake's user", now.snowflake.iam_user_arn), ("external ID", now.snowflake.external_id)]
        rows += [(f"queue of {name}", arn) for name, arn in now.snowflake.notification_channels.items()]
    say(f"{place}:")
    say(tabulate(rows, tablefmt="plain"))
    for side in ("aws", "snowflake"):
        if getattr(now, side) is None:
            say(wrapped("still to come from ", NEXT[side], Style.of(sys.stdout)))


def stale(facts: Facts) -> list[str]:
    """What is there and was not handed over, or was and is otherwise, as far as we may look. Only reads."""
    told = facts.handoff
    aws, snowflake = _seen(facts, _of_aws), _seen(facts, _of_snowflake)
    pairs: list[tuple[str, object, object]] = []
    if aws:
        pairs.append(("the role", aws.role_arn, told and told.aws and told.aws.role_arn))
    if snowflake:
        said = told.snowflake if told else None
        pairs.append(("Snowflake's user", snowflake.iam_user_arn, said and said.iam_user_arn))
        pairs.append(("the external ID", snowflake.external_id, said and said.external_id))
        queues = said.notification_channels if said else {}
        here = snowflake.notification_channels
        pairs += [(f"the queue of {name}", here.get(name), queues.get(name)) for name in {**here, **queues}]
    return [what for what, now, before in pairs if now != before]


def tell_stale(facts: Facts) -> None:
    """Say so where a handoff is named and does not say what is there."""
    place = facts.settings.handoff
    if place and (differ := stale(facts)):
        note(f"the handoff {place} does not say: {', '.join(differ)}; run `invoke handoff`")


def _seen(facts: Facts, look: Callable[[Facts, str], Part | None]) -> Part | None:
    try:
        return look(facts, "")
    except CannotTell:
        return None


def origin(settings: Settings, told: Handoff) -> str:
    """Where the other side's values come from, and how old they are, for a person."""
    parts = {"AWS": told.aws, "Snowflake": told.snowflake}
    said = [f"{name} by {part.by}, {part.at:%Y-%m-%d %H:%M}Z" for name, part in parts.items() if part]
    return f"handoff {settings.handoff}: {'; '.join(said)}"
