"""Files of another suffix that a REFRESH took with those it was meant for: found afterwards, and named.

REFRESH takes every file under its prefix, and a producer may put one there between the look and the
statement. Which files a REFRESH queued does not follow from its answer, which is not documented. So the
prefixes are listed once more, and the load history says what came of the files.

Source: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.facts import Facts
from runbook.facts.delivery import IN_PROGRESS, belongs
from runbook.facts.objects import Load, StagedFile
from runbook.facts.snowflake import listed_below
from runbook.settings import Stream
from runbook.sql import literal

SIDE_BY_SIDE = 8
PATIENCE_S = 30


@dataclass(frozen=True)
class Stray:
    """A file that is not the stream's and came with a REFRESH; ``rows`` is None while it is not loaded."""

    key: str
    rows: int | None

    def __str__(self) -> str:
        came = "it is queued" if self.rows is None else f"{self.rows} of its rows are in the table"
        return f"{self.key}: {came}"


def told(strays: Sequence[Stray]) -> list[str]:
    """What is said of them, a line a file."""
    return [
        f"{stray}. It came while the files were compared, without the stream's suffix; REFRESH took it too"
        for stray in strays
    ]


def remedy(stream: Stream, keys: Sequence[str]) -> str:
    """What a person can do about them."""
    names = ", ".join(literal(key) for key in keys)
    delete = f"DELETE FROM {stream.table.sql} WHERE _file IN ({names});"
    return "where the same rows come under another name as well, delete these: " + (
        delete if stream.names_files else f"by hand, from {stream.table.sql}"
    )


def found(
    facts: Facts,
    stream: Stream,
    starts: Sequence[str],
    after: datetime,
    known: Collection[str],
    since: datetime,
) -> list[Stray]:
    """The strays of REFRESH statements with these prefixes, waited for a little. Only reads.

    ``known``: keys that were in a load history before. ``since``: from when on the history is read.
    """
    reader = facts.reader
    with reader.side_by_side(SIDE_BY_SIDE) as pool:
        pending = [pool.submit(listed_below, reader, stream, start) for start in starts]
    files = {file.key: file for each in pending for file in each.result()}
    others = {file.key for file in files.values() if _is_stray(file, stream, after)}
    others -= set(known)
    deadline = reader.now() + PATIENCE_S
    while others:
        loads = _loads(facts.afresh(), stream, since)
        if others <= loads.keys() or reader.now() > deadline:
            return [Stray(key, loads[key].rows if key in loads else None) for key in sorted(others)]
        reader.sleep(1)
    return []


def _is_stray(file: StagedFile, stream: Stream, after: datetime) -> bool:
    return bool(file.size) and not belongs(file, stream) and file.modified >= after


def _loads(facts: Facts, stream: Stream, since: datetime) -> dict[str, Load]:
    return {
        load.key: load
        for load in facts.loads_since(stream, since) or ()
        if load.status != IN_PROGRESS and load.pipe == stream.pipe.name
    }
