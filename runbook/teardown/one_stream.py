"""One stream taken back: its rule, pipe and stage, and a file format that no other stream reads by.

Its folder stays in policy and integration: once the settings no longer name the stream, `invoke up`
takes it out.
"""

from collections.abc import Iterator
from types import ModuleType

from runbook.errors import SettingsWrong
from runbook.facts import Facts
from runbook.plan import Change, Step
from runbook.settings import Stream
from runbook.teardown import objects, rules


def stream_of(facts: Facts, name: str) -> Stream:
    """A stream of the settings, or a pipe or stage that is left over. Raises SettingsWrong."""
    every = (*facts.settings.streams, *facts.left_over)
    for stream in every:
        if name == stream.name:
            return stream
    raise SettingsWrong(
        f"There is no stream {name!r}, and no pipe or stage of that name is left over",
        where=facts.settings.target,
        why=f"There are {', '.join(stream.name for stream in every)}",
        remedy=f"--stream {every[0].name}, or another of them",
    )


def backwards(stream: Stream) -> tuple[Step, ...]:
    """The steps that take one stream back, in order; they know it also when nothing of it is left."""
    return (
        Step(5, "down", "aws", _of(stream, rules.plan_streams, rules)),
        Step(4, "down", "snowflake", _of(stream, objects.plan_streams, objects)),
    )


def _of(stream: Stream, plan_streams: object, like: ModuleType) -> ModuleType:
    module = ModuleType(f"{like.__name__}.{stream.name}", like.__doc__)

    def plan(facts: Facts) -> Iterator[Change]:
        yield from plan_streams(facts, (stream,))  # type: ignore[operator]

    module.plan = plan  # type: ignore[attr-defined]
    return module
