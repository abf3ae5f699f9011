"""The statements of a backfill, made from the pipe's own COPY: what a dry run prints is what runs."""

from collections.abc import Sequence
from dataclasses import replace as replace_text
from datetime import datetime

from runbook.errors import Refused
from runbook.facts.copy_statement import CopyStatement, read, without_pattern
from runbook.facts.objects import Pipe
from runbook.facts.patterns import is_read_alike
from runbook.plan import SqlChange
from runbook.settings import Identifier, Settings, Stream
from runbook.sql import literal, one_statement, written
from runbook.sql import statements as split


def own_copy(stream: Stream, pipe: Pipe) -> str:
    """The pipe's COPY, ready for FILES and options; raises Refused where they would mean another thing.

    A PATTERN is left out: the files that are named are those it takes.

    In a pipe ON_ERROR is SKIP_FILE unless written, in a COPY it is ABORT_STATEMENT: written out here.
    Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
    """
    try:
        text = one_statement(pipe.definition)
    except ValueError as error:
        raise Refused(
            f"The COPY of {stream.pipe} cannot be read", why=str(error), remedy="invoke verify --step 4"
        ) from None
    found = read(text, stream.pipe.database, stream.pipe.schema)
    if found.pattern:
        text = _for_named_files(stream, text, found)
        found = read(text, stream.pipe.database, stream.pipe.schema)
    if (found.stage, found.path) != (stream.stage, stream.path) or found.doubt:
        whole = f"@{stream.stage}/{stream.path}" if stream.path else f"@{stream.stage} as a whole"
        raise Refused(
            f"The COPY of {stream.pipe} does not read {whole}",
            why=f"{found.doubt or f'it reads {found.source}'}, and file names would mean other files",
            remedy="invoke verify --step 4",
        )
    return text if found.states_on_error else f"{text}\nON_ERROR = SKIP_FILE"


def _for_named_files(stream: Stream, text: str, found: CopyStatement) -> str:
    """The COPY without its PATTERN; raises Refused where we may read that otherwise than Snowflake."""
    meant = stream.found.pattern if stream.found else ""
    plain = without_pattern(text)
    without = read(plain, stream.pipe.database, stream.pipe.schema)
    if found.pattern != meant or without != replace_text(found, pattern=""):
        raise Refused(
            f"The COPY of {stream.pipe} has a PATTERN",
            why="it is not the one that the settings have, and files it leaves out would be loaded",
            remedy="invoke verify --step 4",
        )
    if not is_read_alike(meant):
        raise Refused(
            f"The COPY of {stream.pipe} has the PATTERN {meant!r}",
            why="Snowflake may read it otherwise than here, and files it leaves out would be loaded",
            remedy="backfill such a pipe by hand, with FILES",
        )
    return plain


def _load(stream: Stream, pipe: Pipe) -> str:
    """The pipe's COPY into the stream's own table: the table's owner runs what the pipe's owner wrote.

    Raises Refused for one that loads another table.
    """
    text = own_copy(stream, pipe)
    table = read(text, stream.pipe.database, stream.pipe.schema).table
    if table != stream.table:
        raise Refused(
            f"The COPY of {stream.pipe} does not load {stream.table}",
            why=f"it loads {table or 'a table that cannot be read from it'}",
            remedy="invoke verify --step 4",
        )
    return text


def refresh(
    stream: Stream, settings: Settings, prefix: str, after: datetime, role: Identifier | None = None
) -> SqlChange:
    """Queue what lies under a prefix; run by the pipe's owner unless another role is named."""
    path = f" PREFIX = {literal(stream.name_of(stream.prefix + prefix))}" if prefix else ""
    when = literal(after.isoformat())
    return SqlChange(
        "operate/refresh.sql",
        f"USE ROLE {(role or settings.snowflake.loader_role).sql};\n"
        f"ALTER PIPE {stream.pipe.sql} REFRESH{path} MODIFIED_AFTER = {when};",
        f"{stream.name}: queue what lies under {stream.prefix}{prefix} and nothing remembers",
    )


def together(changes: Sequence[SqlChange]) -> SqlChange:
    """Changes by one role as one change, which is named as the first of them."""
    if len(changes) == 1:
        return changes[0]
    first, *rest = changes
    role, _ = split(first.sql)
    more = [text for change in rest for text in split(change.sql) if text != role]
    sql = ";\n".join([*split(first.sql), *more]) + ";"
    return replace_text(first, sql=sql, why=f"{first.why}, and {len(rest)} more")


def use(stream: Stream, settings: Settings) -> str:
    """The table's owner, and the schema in which the pipe's COPY finds unqualified names."""
    schema = f"{stream.pipe.database.sql}.{stream.pipe.schema.sql}"
    return f"USE ROLE {settings.snowflake.owner_role.sql};\nUSE SCHEMA {schema};\n"


def copy(
    stream: Stream, settings: Settings, pipe: Pipe, keys: Sequence[str], *, uncertain: bool
) -> SqlChange:
    """Load up to 1,000 files by name. The table's memory skips what a COPY of somebody else loaded.

    ``uncertain``: the files are older than the table's memory, and COPY would skip them without a word.
    """
    options = "\nLOAD_UNCERTAIN_FILES = TRUE" if uncertain else ""
    return SqlChange(
        "operate/backfill (generated)",
        f"{use(stream, settings)}{_load(stream, pipe)}\nFILES = {_files(stream, keys)}{options};",
        f"{stream.name}: load {len(keys)} files by name",
    )


def replace(stream: Stream, settings: Settings, pipe: Pipe, key: str) -> SqlChange:
    """One file's rows deleted and loaded again, in one transaction: never both in, never both out.

    FORCE, because the table's memory may say loaded while, here, no row of the file is left.
    """
    return SqlChange(
        "operate/backfill (generated)",
        f"{use(stream, settings)}BEGIN;\n"
        f"DELETE FROM {stream.table.sql} WHERE _file = {literal(key)};\n"
        f"{_load(stream, pipe)}\nFILES = {_files(stream, [key])}\nFORCE = TRUE;\n"
        "COMMIT;",
        f"{stream.name}: replace the rows of {key}",
    )


def _files(stream: Stream, keys: Sequence[str]) -> str:
    """Names behind the stage's URL, and the path where the COPY has one."""
    return written([stream.name_of(key) for key in keys])
