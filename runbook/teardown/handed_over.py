"""What was handed over, taken back: the two administrators' file or parameter, which names what is gone.

Only a handoff that was written under these settings: what else lies at that place is not ours.
"""

from collections.abc import Iterator
from pathlib import Path

from runbook.errors import CannotTell
from runbook.facts import Facts
from runbook.facts.handoff import stored
from runbook.plan import AwsChange, Before, Change, answer_of
from runbook.settings import SSM


def plan(facts: Facts) -> Iterator[Change]:
    """Delete the parameter.

    Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
    """
    place = facts.settings.handoff or ""
    if place.startswith(SSM) and _is_ours(facts, place):
        name = {"Name": place.removeprefix(SSM)}
        now = answer_of(facts.reader.aws("ssm", "GetParameter", **name))
        yield AwsChange(
            "ssm",
            "DeleteParameter",
            name,
            why="it hands over what is gone",
            before=Before("GetParameter", name, now),
        )


def file(facts: Facts) -> Path | None:
    """The handoff file, where it is ours; None where there is none. Only reads."""
    place = facts.settings.handoff or ""
    return Path(place) if place and not place.startswith(SSM) and _is_ours(facts, place) else None


def _is_ours(facts: Facts, place: str) -> bool:
    try:
        found = stored(facts.reader, place)
    except CannotTell as error:
        if error.missing_right or error.unreachable:
            raise
        return False  # something else lies there
    return found is not None and not found.differences(facts.settings)
