"""Step 4 taken back, Snowflake: pipes, stages and file formats. Tables and their rows stay."""

from collections.abc import Iterator

from runbook.clouds.failures import DOES_NOT_EXIST, SqlFailed
from runbook.errors import Refused
from runbook.facts import Facts
from runbook.facts.ours import marked, pipes_of_others
from runbook.facts.whose import integration_is_for_us
from runbook.loading import leases
from runbook.plan import Change, SqlChange
from runbook.replacing import note
from runbook.settings import QualifiedName, Stream
from runbook.sql import rendered


def plan(facts: Facts) -> Iterator[Change]:
    """Drop what carries our comment: what stands on something goes before it.

    Raises Refused where somebody else's stage or pipe uses what would go, and where a replacement of
    a pipe was cut off.
    """
    changes = list(plan_streams(facts, (*facts.settings.streams, *facts.left_over)))
    if changes and (have := facts.integration) is not None and integration_is_for_us(facts, have):
        refuse_others_stages(facts)
    yield from changes


def plan_streams(facts: Facts, streams: tuple[Stream, ...]) -> Iterator[Change]:
    """The same for some streams; what the others use stays."""
    _refuse_half_replaced(facts, streams)
    yield from _leases(facts, streams)
    found = [
        (kind, name, stream)
        for kind in ("pipe", "stage", "file_format")
        for name, stream in _present(facts, kind, streams).items()
    ]
    if found:
        pipes, names = (
            [stream.pipe for stream in streams],
            [name for kind, name, _ in found if kind != "pipe"],
        )
        _refuse(pipes_of_others(facts.reader, pipes, names))
    for kind, name, stream in found:
        path = f"down/{_FILES[kind]}"
        unnamed = "" if stream in facts.settings.streams else ", and the settings do not name it"
        why = f"{name.sql} was made by step 4{unnamed}"
        yield SqlChange(path, rendered(path, facts.settings, stream), why, stream.name)


def _leases(facts: Facts, streams: tuple[Stream, ...]) -> Iterator[Change]:
    """Leases that commands left behind; raises Refused while one is held, for its command is at work."""
    schemas = {stream.pipe.schema: stream.pipe for stream in streams}
    for pipe in schemas.values():
        for lease in _listed(facts, pipe):
            if not lease.is_over(facts.now):
                raise leases.in_the_way(lease.pipe or pipe.sql, "down", [lease])
            statement = f"USE ROLE {facts.settings.snowflake.operator_role.sql};\n{leases.drop(lease)};"
            yield SqlChange("down (generated)", statement, f"the lease {lease.name.name} was left behind")


def _listed(facts: Facts, pipe: QualifiedName) -> list[leases.Lease]:
    try:
        return leases.of_pipe(facts.reader.sql(leases.show(pipe)), None)
    except SqlFailed as error:
        if error.errno in DOES_NOT_EXIST:
            return []
        raise


_FILES = {"pipe": "10_pipe.sql", "stage": "20_stage.sql", "file_format": "30_file_format.sql"}


def _present(facts: Facts, kind: str, streams: tuple[Stream, ...]) -> dict[QualifiedName, Stream]:
    """The streams' objects of a kind that are there and carry our comment, each once."""
    there = marked(facts.reader, kind)
    every = (*facts.settings.streams, *facts.left_over)
    used = {getattr(stream, kind) for stream in every if stream not in streams}
    named = {getattr(stream, kind): stream for stream in reversed(streams)}
    return {
        name: stream
        for name, stream in reversed(named.items())
        if name not in used and name.name in there and name == facts.settings.qualified(name.name)
    }


def refuse_others_stages(facts: Facts) -> None:
    """Raises Refused where the integration goes, and somebody else's stage is on it."""
    _refuse([f"the stage {name}" for name in facts.others_on_the_integration])


def _refuse(others: list[str]) -> None:
    if others:
        raise Refused(
            f"Others use what would be removed: {', '.join(others)}",
            why="without it they stop for good",
            remedy="move them to an integration and stages of their own, or drop them, then run it again",
        )


def _refuse_half_replaced(facts: Facts, streams: tuple[Stream, ...]) -> None:
    for stream in streams:
        pipe = facts.pipe(stream)
        if pipe is not None and pipe.comment.startswith(note.MARK):
            raise Refused(
                f"The pipe {stream.pipe} is half replaced",
                why="its comment holds what a replacement that was cut off must still give back",
                remedy=f"first run `invoke replace-pipe --stream {stream.name}`",
            )
