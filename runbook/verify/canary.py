"""The canary: one recognisable file, what tells its object and its row from every other, and where they are.

It is put as a producer puts a file and loaded by the pipe itself, so for a few seconds the table holds
one row that anybody can tell apart: ``app_id`` is :data:`NAME` (enriched events), or the document's
``schema`` names it (bad rows).
"""

import gzip
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from runbook.clouds.reader import Reader
from runbook.facts import aws, snowflake
from runbook.settings import Stream
from runbook.sql import literal

NAME = "snowpipe-runbook-canary"
SCHEMA = f"iglu:{NAME}/canary/jsonschema/1-0-0"
ABANDONED = timedelta(minutes=15)
"""What an older run put is nobody's any more."""

_FIELDS = 131  # docs/runbook.md#table
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
        record = self._event() if self.stream.kind == "enriched" else self._bad_row()
        plain = record.encode() + b"\n"
        return gzip.compress(plain, mtime=0) if self.key.endswith(".gz") else plain

    def _event(self) -> str:
        """An enriched event of 131 fields; the run's name stands where the tracker's would."""
        fields = [""] * _FIELDS
        fields[0], fields[1] = NAME, "srv"
        fields[2] = fields[3] = f"{self.begun:%Y-%m-%d %H:%M:%S}.000"
        fields[5], fields[6] = "unstruct", str(uuid5(NAMESPACE_URL, self.run))
        fields[8], fields[9], fields[10], fields[11] = self.run, NAME, NAME, NAME
        return "\t".join(fields)

    def _bad_row(self) -> str:
        return json.dumps({"schema": SCHEMA, "data": {"run": self.run}})

    @property
    def delete(self) -> str:
        """The statement that takes its row out of the table again."""
        mine = f"{_ours(self.stream)} AND {_run(self.stream)} = {literal(self.run)}"
        return f"DELETE FROM {self.stream.table.sql} WHERE {mine}"  # noqa: S608 (literals, quoted)

    @property
    def begun(self) -> datetime:
        """When its run began, by the clock of the machine that began it."""
        return datetime.strptime(self.run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _ours(stream: Stream) -> str:
    """True of a canary's row and of no other."""
    if stream.kind == "enriched":
        return f"app_id = {literal(NAME)}"
    return f"document:schema::VARCHAR = {literal(SCHEMA)}"


def _run(stream: Stream) -> str:
    """The run that sent it, out of its row."""
    return "name_tracker" if stream.kind == "enriched" else "document:data.run::VARCHAR"


def runs_in_table(reader: Reader, stream: Stream) -> list[str]:
    """The runs whose canary has a row. Needs a warehouse; only reads."""
    statement = f"SELECT DISTINCT {_run(stream)} AS run FROM {stream.table.sql} WHERE {_ours(stream)}"  # noqa: S608
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
