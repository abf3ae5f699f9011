"""The canary: one recognisable file, what tells its object and its row from every other, and where they are.

It is put as a producer puts a file and loaded by the pipe itself, so for a few seconds the table holds
one row that anybody can tell apart: ``app_id`` is :data:`NAME` (enriched events), or the document's
``schema`` names it (bad rows).
"""

import gzip
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook.clouds.reader import Reader
from runbook.facts import aws, snowflake
from runbook.kinds import CANARY, kind_of
from runbook.kinds.enriched import begun
from runbook.settings import Stream
from runbook.sql import literal

NAME = CANARY
ABANDONED = timedelta(minutes=15)
"""What an older run put is nobody's any more."""

RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@dataclass(frozen=True)
class Canary:
    """The file of one run: where it goes and what is in it."""

    stream: Stream
    run: str

    @property
    def key(self) -> str:
        """The object's key: in the stream's folder, ending as its files end."""
        return f"{self.stream.prefix}{NAME}-{self.run}{self.stream.suffix}"

    @property
    def body(self) -> bytes:
        """One record of the stream's kind, packed if its name says so."""
        record = kind_of(self.stream).canary(self.run)
        plain = record.encode() + b"\n"
        return gzip.compress(plain, mtime=0) if self.key.endswith(".gz") else plain

    @property
    def delete(self) -> str:
        """The statement that takes its row out of the table again."""
        kind = kind_of(self.stream)
        mine = f"{kind.CANARYS_ROW} AND {kind.CANARYS_RUN} = {literal(self.run)}"
        return f"DELETE FROM {self.stream.table.sql} WHERE {mine}"  # noqa: S608 (literals, quoted)

    @property
    def begun(self) -> datetime:
        """When its run began, by the clock of the machine that began it."""
        return begun(self.run)


def runs_in_table(reader: Reader, stream: Stream) -> list[str]:
    """The runs whose canary has a row. Needs a warehouse; only reads."""
    kind = kind_of(stream)
    statement = f"SELECT DISTINCT {kind.CANARYS_RUN} AS run FROM {stream.table.sql} WHERE {kind.CANARYS_ROW}"  # noqa: S608
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
