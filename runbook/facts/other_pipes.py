"""Pipes elsewhere in the account, as far as the role sees them: what they read and into which table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts.copy_statement import read
from runbook.facts.patterns import told_apart
from runbook.facts.snowflake import ask, pipe_status
from runbook.settings import Identifier, QualifiedName, joined


@dataclass(frozen=True)
class OtherPipe:
    """A pipe that is not in the settings.

    ``repeats``: names of the streams whose files it loads into the stream's own table, and so a second time:
    every pipe has its own load history.
    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro

    ``stopped``: it loads nothing unless somebody forces or calls it, as the pipe of a cloned schema and one
    without AUTO_INGEST; its state is asked only where it would repeat a stream.
    """

    name: QualifiedName
    repeats: frozenset[str]
    stopped: bool


def other_pipes(reader: Reader) -> tuple[OtherPipe, ...]:
    """Every pipe the account has beside the settings'; one whose stage is not seen repeats nothing."""
    streams = reader.settings.streams
    ours = {stream.pipe for stream in streams}
    rows = ask(lambda: reader.sql("SHOW PIPES IN ACCOUNT"), "The account's pipes", "MONITOR EXECUTION") or []
    theirs = [(_name(row), row) for row in rows if _name(row) not in ours]
    if not theirs:
        return ()
    stages = (
        ask(lambda: reader.sql("SHOW STAGES IN ACCOUNT"), "The account's stages", "USAGE on stages") or []
    )
    urls = {_name(row): str(row["url"]) for row in stages}

    def seen(pipe: QualifiedName, row: Mapping[str, Any]) -> OtherPipe:
        copy = read(str(row["definition"]), pipe.database, pipe.schema)
        url = urls.get(copy.stage, "") if copy.stage else ""
        repeats = frozenset(
            stream.name
            for stream in streams
            # its files lie where the settings say and, where those are wrong, where its stage says
            if copy.table == stream.table
            and not told_apart(copy.pattern, stream.found.pattern if stream.found else "")
            and any(
                _meet(url and joined(url, copy.path), own) for own in (stream.url, urls.get(stream.stage, ""))
            )
        )
        waits = not row["notification_channel"]
        return OtherPipe(pipe, repeats, stopped=bool(repeats) and (waits or _is_stopped(reader, pipe)))

    return tuple(seen(pipe, row) for pipe, row in theirs)


def _meet(one: str, other: str) -> bool:
    """Whether a file can lie under both."""
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def _is_stopped(reader: Reader, pipe: QualifiedName) -> bool:
    """Whether its state says so; a pipe whose state is not ours to see is taken for one that loads."""
    try:
        status = pipe_status(reader, pipe)
    except CannotTell as error:
        if not error.missing_right:
            raise
        return False
    return status is not None and status.is_stopped_for_good


def _name(row: dict[str, object]) -> QualifiedName:
    return QualifiedName(
        Identifier(str(row["database_name"])),
        Identifier(str(row["schema_name"])),
        Identifier(str(row["name"])),
    )
