"""What is this installation's and not in its settings: pipes and stages in its schema that carry our mark.

A stream that was dropped from the settings, or that goes by other names since, leaves them behind: its
pipe loads on, and needs its folder in policy and integration as long as it is there.
"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook.facts.copy_statement import read
from runbook.facts.objects import Pipe, Stage
from runbook.settings import MANAGED_BY, Identifier, Settings, Stream, joined

if TYPE_CHECKING:
    from runbook.facts import Facts

_URL = re.compile(r"(s3(?:china|gov)?)://([^/]+)/(.*)", re.DOTALL)


def is_ours(comment: str) -> bool:
    """Whether a comment is one this project writes, also while a pipe is being replaced."""
    return comment.rstrip().endswith(f"({MANAGED_BY})") or comment.startswith(f"{MANAGED_BY} ")


def left_over(settings: Settings, pipes: dict[str, Pipe], stages: dict[str, Stage]) -> tuple[Stream, ...]:
    """What the settings do not name, each as a stream that is called after its pipe or stage."""
    named = {stream.pipe.name for stream in settings.streams}
    found = [
        _of_pipe(settings, name, pipe, stages)
        for name, pipe in sorted(pipes.items())
        if name not in named and is_ours(pipe.comment)
    ]
    known = {stream.stage.name for stream in (*settings.streams, *found)}
    known |= {stream.directory_stage.name for stream in settings.streams if stream.directory_stage}
    alone = [
        _stream(settings, name, Identifier(name), stage.url)
        for name, stage in sorted(stages.items())
        if name not in known and is_ours(stage.comment)
    ]
    return (*found, *alone)


def _of_pipe(settings: Settings, name: str, pipe: Pipe, stages: dict[str, Stage]) -> Stream:
    copy = read(pipe.definition, settings.snowflake.database, settings.snowflake.schema_name)
    here = copy.stage is not None and copy.stage == settings.qualified(copy.stage.name)
    stage = stages.get(copy.stage.name) if copy.stage and here else None
    found = _stream(
        settings, name, copy.stage.name if copy.stage else Identifier(name), _url(stage, copy.path)
    )
    return replace(
        found,
        stage=copy.stage or found.stage,
        table=copy.table or found.table,
        file_format=copy.file_format or found.file_format,
    )


def _url(stage: Stage | None, path: str) -> str:
    return joined(stage.url, path) if stage else ""


def _stream(settings: Settings, name: str, stage: Identifier, url: str) -> Stream:
    first, parts = settings.streams[0], _URL.fullmatch(url)
    own = settings.qualified(Identifier(name))
    return replace(
        first,
        name=name,
        url=url,
        bucket=parts[2] if parts else "",
        prefix=parts[3] if parts else "",
        table=own,
        pipe=own,
        stage=settings.qualified(stage),
        file_format=own,
        sns_topic=None,
        directory_stage=None,
        found=None,
    )


def read_now(facts: "Facts") -> dict[str, str]:
    """What our pipes read now: the URL by the pipe's name, of those in the settings and those left over."""
    found = {stream.pipe.sql: stream.url for stream in facts.left_over if stream.pipe != stream.stage}
    for stream in facts.settings.streams:
        stage = facts.stage(stream) if facts.pipe(stream) else None
        if stage is not None:
            found[stream.pipe.sql] = stage.url
    return found


def under_another_name(facts: "Facts", stream: Stream) -> list[str]:
    """Pipes of this installation that load the stream's folder into its table, where its own is not there.

    Then the settings have another name than the pipe: one of that name would load every file a second time.
    """
    if not facts.settings.is_ours or facts.pipe(stream) is not None:
        return []
    pipes = [left for left in facts.left_over if left.pipe != left.stage]
    return [left.pipe.sql for left in pipes if (left.url, left.table) == (stream.url, stream.table)]
