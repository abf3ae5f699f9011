"""The canary: one recognisable file, what tells its object and its row from every other, and where they are.

It is put as a producer puts a file and loaded by the pipe itself, so for a few seconds the table holds
one row that anybody can tell apart: ``app_id`` is :data:`NAME` (enriched events), or the document's
``schema`` names it (bad rows). What others load is known by the column that names its file, by a member of
the document, or by a column of text.
"""

import gzip
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook.clouds.reader import Reader
from runbook.errors import Refused
from runbook.facts import Facts, aws, snowflake
from runbook.facts.copy_columns import through
from runbook.facts.copy_statement import read
from runbook.facts.found_format import format_of
from runbook.kinds import CANARY, canary_through, kind_of, shape_of
from runbook.kinds.enriched import begun
from runbook.kinds.through import Shape
from runbook.settings import Stream
from runbook.sql import literal

NAME = CANARY
ABANDONED = timedelta(minutes=15)
"""What an older run put is nobody's any more."""

RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@dataclass(frozen=True)
class Canary:
    """The file of one run: where it goes and what is in it. ``shape``: what it is known by."""

    stream: Stream
    run: str
    shape: Shape
    compression: str = "AUTO"
    """Of the file format."""

    @property
    def key(self) -> str:
        """The object's key: in the stream's folder, ending as its files end."""
        return f"{self.stream.prefix}{NAME}-{self.run}{ending(self.stream)}"

    @property
    def body(self) -> bytes:
        """One record of the stream's kind, packed if its name or the format says so."""
        content = self.shape.content(self.run).encode()
        packed = self.compression == "GZIP" or (self.compression == "AUTO" and self.key.endswith(".gz"))
        return gzip.compress(content, mtime=0) if packed else content

    @property
    def delete(self) -> str:
        """The statement that takes its row out of the table again."""
        mine = f"{self.shape.row} AND {self.shape.run} = {literal(self.run)}"
        return f"DELETE FROM {self.stream.table.sql} WHERE {mine}"  # noqa: S608 (literals, quoted)

    @property
    def begun(self) -> datetime:
        """When its run began, by the clock of the machine that began it."""
        return begun(self.run)


ENDINGS = ("", ".json", ".csv", ".txt", ".tsv", ".json.gz", ".csv.gz", ".gz", ".tsv.gz", ".txt.gz", ".log")
"""How a canary's name may end, where the rules ask for nothing and the pipe has a PATTERN."""


def ending(stream: Stream) -> str:
    """How the name of a file ends that the stream's pipe takes."""
    name = f"{stream.prefix}{NAME}-20260101T000000Z-000000"
    fits = (f"{more}{stream.suffix}" for more in ENDINGS if stream.takes(f"{name}{more}{stream.suffix}"))
    return next(fits, stream.suffix)


def canary_of(reader: Reader, stream: Stream, run: str) -> Canary:
    """A run's canary. Raises Refused where its row could not be told from all others, and why. Only reads."""
    if reader.settings.is_ours:
        return Canary(stream, run, shape_of(kind_of(stream)))
    if not stream.keeps_rows:
        raise _no_canary(stream, "its table is emptied as it goes, so a row may be gone before it is seen")
    table = Facts(reader).table(stream)
    if table is None:
        raise _no_canary(stream, "its table cannot be seen")
    statement, options = "", {}
    if stream.found:
        statement = stream.found.statement
        copy = read(statement, stream.pipe.database, stream.pipe.schema)
        options = format_of(reader, copy, stream.stage).options
    shape = canary_through(stream, through(statement, table.columns, options, table.required))
    if isinstance(shape, str):
        raise _no_canary(stream, shape)
    if (compression := options.get("COMPRESSION", "AUTO").upper()) not in ("AUTO", "GZIP", "NONE"):
        raise _no_canary(stream, f"its files are packed with {compression}")
    found = Canary(stream, run, shape, compression)
    if not stream.takes(found.key):
        raise _no_canary(stream, "its PATTERN leaves a canary's file out, whatever its ending")
    return found


def _no_canary(stream: Stream, why: str) -> Refused:
    return Refused(
        f"No canary can be sent through {stream.pipe}",
        why=why,
        remedy="invoke verify --deep compares every file with what was loaded",
    )


def runs_in_table(reader: Reader, canary: Canary) -> list[str]:
    """The runs whose canary has a row. Needs a warehouse; only reads."""
    stream, shape = canary.stream, canary.shape
    statement = f"SELECT DISTINCT {shape.run} AS run FROM {stream.table.sql} WHERE {shape.row}"  # noqa: S608
    rows = snowflake.ask(
        lambda: reader.sql(statement), f"The rows of {stream.table}", f"SELECT on table {stream.table}"
    )
    return [run for row in rows or () if RUN.fullmatch(run := str(row["run"]))]  # others may use the app_id


def runs_in_bucket(reader: Reader, stream: Stream) -> list[str]:
    """The runs whose canary lies in the stream's folder. Only reads."""
    prefix = f"{stream.prefix}{NAME}-"
    found = aws.ask(
        lambda: reader.aws("s3", "ListObjectsV2", Bucket=stream.bucket, Prefix=prefix),
        f"The folder {stream.url}",
    )
    keys = [str(row["Key"]) for row in (found or {}).get("Contents", ())]
    runs = (RUN.match(key.removeprefix(prefix)) for key in keys)
    return [run[0] for run in runs if run]
