"""The statements of a replacement, each by the pipe's own owner: what a dry run prints is what runs."""

from collections.abc import Iterator
from itertools import groupby

from runbook.facts.belongings import Belongings
from runbook.facts.objects import Pipe
from runbook.ledger.left import joined
from runbook.plan import SqlChange
from runbook.replacing.note import Note
from runbook.settings import Identifier, Stream
from runbook.sql import Constant, Keyword, literal

FILE = "operate/replace-pipe (generated)"


def _by_owner(stream: Stream, pipe: Pipe, statement: str, why: str) -> SqlChange:
    return SqlChange(FILE, f"USE ROLE {Identifier(pipe.owner).sql};\n{statement};", f"{stream.name}: {why}")


def hold(stream: Stream, pipe: Pipe, note: Note) -> SqlChange:
    """Pause, and note what to give back: in one statement, so neither is there without the other."""
    statement = (
        f"ALTER PIPE {stream.pipe.sql} SET PIPE_EXECUTION_PAUSED = TRUE COMMENT = {literal(str(note))}"
    )
    return _by_owner(stream, pipe, statement, "pause the pipe; its comment notes what it will lose")


EVENT_LEVEL = "LOG_EVENT_LEVEL"


def level(stream: Stream, pipe: Pipe, note: Note) -> SqlChange | None:
    """The pipe's LOG_EVENT_LEVEL as it is; None without one of its own.

    Setting it needs MODIFY LOG EVENT LEVEL on the account, of the owner too: where that is missing, the
    replacement stops here, and not when the level is to be given back to the new pipe.
    Source: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe
    """
    value = note.belongings.parameters.get(EVENT_LEVEL)
    if value is None:
        return None
    statement = f"ALTER PIPE {stream.pipe.sql} SET {EVENT_LEVEL} = {value.sql}"
    return _by_owner(stream, pipe, statement, f"{EVENT_LEVEL} as it is: it can be given back")


def create(stream: Stream, pipe: Pipe, note: Note, definition: str) -> SqlChange:
    """The new pipe in the old one's place, with the note; it runs at once."""
    kept = {name: value for name, value in note.belongings.options.items() if name != "AWS_SNS_TOPIC"}
    if stream.sns_topic:
        kept["AWS_SNS_TOPIC"] = Constant(literal(stream.sns_topic))
    options = "".join(f"\n  {Keyword(name).sql} = {value.sql}" for name, value in sorted(kept.items()))
    statement = (
        f"CREATE OR REPLACE PIPE {stream.pipe.sql}\n  AUTO_INGEST = TRUE{options}\n"
        f"  COMMENT = {literal(str(note))}\nAS\n{definition}"
    )
    return _by_owner(stream, pipe, statement, "replace the pipe by one with the COPY as written")


def keep(stream: Stream, pipe: Pipe, note: Note) -> SqlChange:
    """The note as it is now."""
    statement = f"ALTER PIPE {stream.pipe.sql} SET COMMENT = {literal(str(note))}"
    return _by_owner(stream, pipe, statement, "note when the bucket's rule was changed")


def parameters(stream: Stream, pipe: Pipe, want: Belongings, have: Belongings) -> Iterator[SqlChange]:
    """The pipe's own parameters as they were; what nobody had set is taken off again."""
    for name, value in want.parameters.items():
        if have.parameters.get(name) != value:
            statement = f"ALTER PIPE {stream.pipe.sql} SET {Keyword(name).sql} = {value.sql}"
            yield _by_owner(stream, pipe, statement, f"{name} as it was")
    for name in have.parameters:
        if name not in want.parameters:
            statement = f"ALTER PIPE {stream.pipe.sql} UNSET {Keyword(name).sql}"
            yield _by_owner(stream, pipe, statement, f"{name} was not set on the pipe")


def grants(stream: Stream, pipe: Pipe, want: Belongings, have: Belongings) -> Iterator[SqlChange]:
    """The privileges that are missing, a statement for each role."""
    missing = sorted(set(want.grants) - set(have.grants))
    for (to, role, with_option), rows in groupby(
        missing, key=lambda row: (row.to, row.role, row.with_option)
    ):
        privileges = ", ".join(Keyword(row.privilege).sql for row in rows)
        kind = Keyword(to.replace("_", " "))
        statement = (
            f"GRANT {privileges} ON PIPE {stream.pipe.sql} TO {kind.sql} {_role(to, role)}"
            f"{' WITH GRANT OPTION' if with_option else ''}"
        )
        yield _by_owner(stream, pipe, statement, f"{role} has {privileges} again")


def _role(to: str, role: str) -> str:
    """A role's name as it is written; a database role's is qualified already."""
    if to == "DATABASE_ROLE":
        return ".".join(Identifier(part).sql for part in role.split("."))
    return Identifier(role).sql


def end(stream: Stream, pipe: Pipe, note: Note) -> SqlChange:
    """The comment as it was, and behind it what the former pipe loaded in part: the last statement."""
    comment = joined(note.comment, note.left)
    change = f"SET COMMENT = {literal(comment)}" if comment else "UNSET COMMENT"
    return _by_owner(stream, pipe, f"ALTER PIPE {stream.pipe.sql} {change}", "the comment as it was: done")
