"""What a found pipe does otherwise than the steps would have made it, and what that means. Pure functions."""

from collections.abc import Iterator

from runbook.facts.copy_columns import with_file_column
from runbook.facts.copy_statement import CopyStatement
from runbook.facts.found_format import Format
from runbook.facts.patterns import is_read_alike
from runbook.kinds import KINDS, SNOWPLOWS
from runbook.kinds.through import Through
from runbook.settings import Identifier, QualifiedName
from runbook.sql import literal

FILE_COLUMN = "_FILE"


def differences(copy: CopyStatement, form: Format, kind: str, through: Through) -> Iterator[str]:
    """What a person should know of a pipe. ``through``: how it fills its table."""
    yield _what_tells(through)
    if copy.on_error != "SKIP_FILE":
        yield f"ON_ERROR = {copy.on_error}: rows that cannot be read are lost without a word"
    if copy.pattern and not is_read_alike(copy.pattern):
        yield (
            "its COPY has a PATTERN that Snowflake may read otherwise than it is read here: backfill does "
            "not load the files of such a pipe"
        )
    if copy.clocks:
        yield f"{', '.join(copy.clocks)} in its COPY is the time it was compiled, up to hours before the load"
    if copy.path and not copy.path.endswith("/"):
        yield (
            f"its COPY reads whatever begins with {copy.path}: the path has no slash at its end, and so "
            "neighbours of that name are loaded too"
        )
    if not copy.states_a_format and not form.name:
        yield "the file format is written on the stage; what is altered there is not watched"
    elif form.name is None:
        yield "its COPY states the format's options itself; they are watched as part of its text"
    wanted = KINDS[kind].FORMAT if form.watched and kind in SNOWPLOWS else {}
    for name, value in wanted.items():
        if (have := form.watched.get(name, "")) != value:
            yield f"its file format has {name} = {have}, which can lose or alter data (not {value})"


def _what_tells(through: Through) -> str:
    """How far back it can be told which files are loaded.

    Sources: https://docs.snowflake.com/en/sql-reference/functions/copy_history (14 days),
    https://docs.snowflake.com/en/sql-reference/account-usage/copy_history (365)
    """
    histories = (
        "which files are loaded is told by Snowflake's load histories alone (14 days; 365 where "
        "ACCOUNT_USAGE may be read)"
    )
    if through.file_column:
        column = Identifier(through.file_column).sql
        return f"the table's column {column} names the file of each row, for a person to look at; {histories}"
    return f"no column of the table is known to name the file of a row, so {histories}"


def file_column_statements(
    pipe: QualifiedName,
    table: QualifiedName,
    statement: str,
    columns: list[str],
    options: dict[str, str],
    *,
    counts_fields: bool = False,
) -> list[str]:
    """The statements that give a found table a column for the name of its rows' files; none where unsure.

    ``options``: of the pipe as SHOW PIPES has them, by the name that CREATE PIPE has for each. What was
    loaded before stays without a name. A replaced pipe has forgotten what it loaded: no REFRESH stands here.
    ``counts_fields``: its COPY counts a record's fields, and one with a SELECT does not.
    Sources: https://docs.snowflake.com/en/user-guide/querying-metadata,
    https://docs.snowflake.com/en/user-guide/data-load-transform,
    https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage (recreating pipes)
    """
    name = Identifier(
        next(each for each in (FILE_COLUMN, "SOURCE_FILE", "_FILE_NAME") if each not in columns)
    )
    copy = with_file_column(statement, columns, name.sql)
    if not copy:
        return []
    given = "".join(f" {key} = {value}" for key, value in options.items() if value)
    status = f"SELECT SYSTEM$PIPE_STATUS({literal(pipe.sql)});"
    no_count = "  -- with a SELECT, fields are no longer counted" if counts_fields else ""
    return [
        f"ALTER PIPE {pipe.sql} SET PIPE_EXECUTION_PAUSED = TRUE;",
        f"{status}  -- go on when it says PAUSED, and pendingFileCount is 0",
        f"SHOW GRANTS ON PIPE {pipe.sql};  -- CREATE OR REPLACE takes them away: grant them again",
        f"ALTER TABLE {table.sql} ADD COLUMN {name.sql} VARCHAR;",
        f"CREATE OR REPLACE PIPE {pipe.sql} AUTO_INGEST = TRUE{given} AS\n{copy};{no_count}",
        f"{status}  -- RUNNING, and never REFRESH: it has forgotten what it loaded",
    ]
