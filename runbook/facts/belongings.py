"""What CREATE OR REPLACE PIPE loses: grants, comment, parameters, and options that are written only there.

Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
"""

import re
from dataclasses import dataclass

from runbook.errors import CannotTell
from runbook.facts.snowflake import ask
from runbook.session import Reader
from runbook.settings import Stream
from runbook.sql import literal

_LITERAL = r"'(?:[^'\\]|''|\\.)*'"


@dataclass(frozen=True, order=True)
class PipeGrant:
    """One privilege on a pipe. ``to``: ROLE or DATABASE_ROLE; ``role`` as SHOW GRANTS writes it."""

    to: str
    role: str
    privilege: str
    with_option: bool = False


@dataclass(frozen=True)
class Belongings:
    """What a pipe has beside its COPY, its owner and its queue.

    ``parameters``: those set on the pipe itself, such as PIPE_EXECUTION_PAUSED, as SQL values.
    ``options``: CREATE PIPE's beside AUTO_INGEST and COMMENT, such as ERROR_INTEGRATION, as SQL values.
    """

    parameters: dict[str, str]
    grants: tuple[PipeGrant, ...]
    options: dict[str, str]


def belongings(reader: Reader, stream: Stream) -> Belongings:
    """Everything a replacement of the stream's pipe would lose but its comment. Only reads."""
    name = stream.pipe.sql
    right = f"MONITOR on pipe {name}"
    parameters = ask(lambda: _parameters(reader, name), f"The parameters of {name}", right)
    grants = ask(lambda: reader.sql(f"SHOW GRANTS ON PIPE {name}"), f"The grants on {name}", right)
    ddl = ask(
        lambda: str(reader.sql(f"SELECT GET_DDL('PIPE', {literal(name)}) AS ddl")[0]["ddl"]),
        f"The definition of {name}",
        right,
    )
    if parameters is None or grants is None or ddl is None:
        raise CannotTell(f"The pipe {name} is not there any more", remedy="run the command again")
    held = tuple(
        sorted(
            PipeGrant(
                str(row["granted_to"]),
                str(row["grantee_name"]),
                str(row["privilege"]),
                str(row["grant_option"]).lower() == "true",
            )
            for row in grants
            if row["privilege"] != "OWNERSHIP"
        )
    )
    return Belongings(parameters, held, written_options(ddl))


def _parameters(reader: Reader, pipe: str) -> dict[str, str]:
    """The parameters whose value comes from the pipe itself, not from its schema or account."""
    rows = reader.sql(f"SHOW PARAMETERS IN PIPE {pipe}")
    return {
        str(row["key"]): str(row["value"]).upper()
        if str(row["type"]).upper() in ("BOOLEAN", "NUMBER")
        else literal(str(row["value"]))
        for row in rows
        if row["level"] == "PIPE"
    }


def written_options(ddl: str) -> dict[str, str]:
    """CREATE PIPE's options between the name and AS, but for AUTO_INGEST and COMMENT, as they are written.

    SHOW PIPES does not show all of them: of AWS_SNS_TOPIC it has only the queue that is bound to it.
    """
    head = re.split(r"\bas\s+copy\b", ddl, maxsplit=1, flags=re.IGNORECASE)[0]
    found = re.findall(rf"\b(\w+)\s*=\s*({_LITERAL}|[^\s']+)", head)
    return {
        name.upper(): value
        for name, value in found
        if name.upper() not in ("AUTO_INGEST", "COMMENT", "PIPE_EXECUTION_PAUSED")
    }


def in_progress(reader: Reader, stream: Stream) -> int:
    """How many files the pipe is loading right now; COPY_HISTORY shows them while it does."""
    table = stream.table
    rows = ask(
        lambda: reader.sql(
            f"SELECT COUNT(*) AS n FROM TABLE({table.database.sql}.INFORMATION_SCHEMA.COPY_HISTORY("
            f"TABLE_NAME => {literal(table.sql)}, START_TIME => DATEADD(day, -1, CURRENT_TIMESTAMP()))) "
            "WHERE status ILIKE 'Load in progress'"
        ),
        f"The load history of {table}",
        f"SELECT on table {table}",
    )
    return int(rows[0]["n"]) if rows else 0
