"""Pipes elsewhere in the account, as far as the role sees them: what they read and into which table."""

from dataclasses import dataclass, replace

from runbook.errors import CannotTell
from runbook.facts.copy_statement import read
from runbook.facts.snowflake import ask, pipe_status
from runbook.session import Reader
from runbook.settings import Identifier, QualifiedName, Stream


@dataclass(frozen=True)
class OtherPipe:
    """A pipe that is none of the settings': ``url`` is what it reads, "" where its stage is not seen.

    ``stopped``: it loads nothing unless somebody forces it, as the pipe of a cloned schema; asked only of
    those that would repeat a stream.
    """

    name: QualifiedName
    table: QualifiedName | None
    url: str
    stopped: bool = False

    def repeats(self, stream: Stream) -> bool:
        """Whether it loads files of the stream into the stream's own table, and so a second time.

        Every pipe has its own load history.
        Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro
        """
        same_files = self.url and (self.url.startswith(stream.url) or stream.url.startswith(self.url))
        return self.table == stream.table and bool(same_files)


def other_pipes(reader: Reader) -> tuple[OtherPipe, ...]:
    """Every pipe of the account that the settings do not name."""
    ours = {stream.pipe for stream in reader.settings.streams}
    rows = ask(lambda: reader.sql("SHOW PIPES IN ACCOUNT"), "The account's pipes", "MONITOR EXECUTION") or []
    theirs = [(_name(row), str(row["definition"])) for row in rows if _name(row) not in ours]
    if not theirs:
        return ()
    stages = (
        ask(lambda: reader.sql("SHOW STAGES IN ACCOUNT"), "The account's stages", "USAGE on stages") or []
    )
    urls = {_name(row): str(row["url"]) for row in stages}
    found = [_pipe(name, text, urls) for name, text in theirs]
    return tuple(
        replace(pipe, stopped=_is_stopped(reader, pipe))
        if any(pipe.repeats(stream) for stream in reader.settings.streams)
        else pipe
        for pipe in found
    )


def _is_stopped(reader: Reader, pipe: OtherPipe) -> bool:
    """Whether its state says so; a pipe whose state is not ours to see is taken for one that loads."""
    try:
        status = pipe_status(reader, pipe.name)
    except CannotTell as error:
        if not error.missing_right:
            raise
        return False
    return status is not None and status.is_stopped_for_good


def _pipe(name: QualifiedName, text: str, urls: dict[QualifiedName, str]) -> OtherPipe:
    copy = read(text, name.database, name.schema)
    url = urls.get(copy.stage, "") if copy.stage else ""
    return OtherPipe(name, copy.table, url + copy.path if url else "")


def _name(row: dict[str, object]) -> QualifiedName:
    return QualifiedName(
        Identifier(str(row["database_name"])),
        Identifier(str(row["schema_name"])),
        Identifier(str(row["name"])),
    )
