"""What CREATE OR REPLACE PIPE loses: grants, comment, parameters, and options that are written only there.

Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.clouds.failures import Row
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts.snowflake import ask
from runbook.settings import MANAGED_BY, Stream
from runbook.sql import LITERAL, NAME, Constant, Keyword, literal

_QUALIFIED = rf"{NAME}(?:\.{NAME}){{0,2}}"
_HEAD = re.compile(rf"\s*create\s+(?:or\s+replace\s+)?pipe\s+{_QUALIFIED}(?=\s)", re.IGNORECASE)
_OPTION = re.compile(rf"\s*(\w+)\s*=\s*({LITERAL}|{_QUALIFIED}|[0-9]+)(?=\s)", re.DOTALL)
_OF_EVERY_PIPE = ("AUTO_INGEST", "COMMENT", "PIPE_EXECUTION_PAUSED")


NOTE = f"{MANAGED_BY} replaces this pipe; `invoke replace-pipe` ends it: "
"""How a pipe's comment begins while the pipe is being replaced."""


@dataclass(frozen=True, order=True)
class PipeGrant:
    """One privilege on a pipe. ``to``: ROLE or DATABASE_ROLE; ``role`` as SHOW GRANTS writes it."""

    to: str
    role: str
    privilege: str
    with_option: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for what GRANT could not say."""
        object.__setattr__(self, "to", Keyword(self.to))
        object.__setattr__(self, "privilege", Keyword(self.privilege))


@dataclass(frozen=True)
class Belongings:
    """What a pipe has beside its COPY, its owner and its queue. Raises ValueError for anything else.

    ``parameters``: those set on the pipe itself, such as PIPE_EXECUTION_PAUSED, as SQL values.
    ``options``: CREATE PIPE's beside AUTO_INGEST and COMMENT, such as ERROR_INTEGRATION, as SQL values.
    """

    parameters: Mapping[str, Constant]
    grants: tuple[PipeGrant, ...]
    options: Mapping[str, Constant]


def constants(values: Mapping[str, str]) -> dict[str, Constant]:
    """Names with their values, each as it stands in a statement; raises ValueError."""
    return {Keyword(name): Constant(value) for name, value in values.items()}


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
    try:
        return Belongings(constants(parameters), _held(grants), constants(written_options(ddl)))
    except ValueError as error:
        raise CannotTell(f"What belongs to the pipe {name} cannot be read", why=str(error)) from None


def _held(grants: list[Row]) -> tuple[PipeGrant, ...]:
    """What is granted on the pipe, as SHOW GRANTS lists it, without who owns it."""
    return tuple(
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
    Raises ValueError for a text with something else between the two.
    """
    head = _HEAD.match(ddl)
    at, found = head.end() if head else 0, {}
    while option := _OPTION.match(ddl, at):
        found[option[1].upper()] = option[2]
        at = option.end()
    if not re.compile(r"\s*as\b", re.IGNORECASE).match(ddl, at):
        raise ValueError(f"its definition has more than options before AS: {ddl[at : at + 60]!r}")
    return {name: value for name, value in found.items() if name not in _OF_EVERY_PIPE}


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
