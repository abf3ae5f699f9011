"""The planner of `invoke backfill` over a listing of an S3 endpoint, with histories of as many loads.

    python -m bench.planning KEYS.xml http://127.0.0.1:PORT [--list-only]

Prints one line of JSON: keys, seconds, peak memory. The endpoint is :mod:`bench.s3_endpoint`; what
Snowflake would answer comes as Arrow batches, made here: of a thousand files 998 are loaded and in the
table, one failed and one was never announced.
"""

import argparse
import json
import re
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from botocore.config import Config

from bench.s3_endpoint import NOW, PREFIX, SECONDS, Keys
from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.reader import Identity, Reader
from runbook.facts.objects import Pipe, PipeStatus, Table
from runbook.ledger import asked as asking
from runbook.ledger import looking
from runbook.listing import pages, ranges
from runbook.loading.planning import plan_store

BATCH = 100_000
TIME = pa.timestamp("ns", "UTC")
MADE = datetime(2024, 1, 1, tzinfo=UTC)


def write_histories(path: Path) -> None:
    """What Snowflake would answer about the keys of a file: a year, 14 days, and the table's rows by file."""
    keys = Keys.read(path)
    with ExitStack() as stack:
        outs: dict[str, Any] = {}
        for at in range(0, len(keys), BATCH):
            table = _loads(keys, at, min(at + BATCH, len(keys)))
            recent = pc.greater(table["last_load_time"], pa.scalar(NOW - timedelta(days=14), TIME))
            loaded = table.filter(pc.equal(table["status"], "Loaded"))
            rows = pa.table(
                {
                    "f": pc.binary_join_element_wise(PREFIX, loaded["file_name"], ""),
                    "n": loaded["row_count"],
                    "t": loaded["last_load_time"],
                    "twice": pc.multiply(loaded["error_count"], 0),
                    "misread": pc.multiply(loaded["error_count"], 0),
                }
            )
            for name, answer in (("year", table), ("recent", table.filter(recent)), ("rows", rows)):
                if name not in outs:
                    out = pa.ipc.new_stream(str(path.with_suffix(f".{name}")), answer.schema)
                    outs[name] = stack.enter_context(out)
                outs[name].write_table(answer)


def _loads(keys: Keys, first: int, last: int) -> pa.Table:
    """Of a thousand files 998 loaded, one failed, one never announced; each a minute after it was written."""
    text = bytes(keys.text[keys.starts[first] : keys.starts[last]])
    names = re.findall(rb"<Key>" + PREFIX.encode() + rb"([^<]*)</Key>", text)
    numbers = [number for number in range(first, last) if number % 1000]
    failed = [number % 1000 == 1 for number in numbers]
    count, end = len(keys), int(NOW.timestamp()) + 60
    loaded = [(end - (count - number) * SECONDS // count) * 1_000_000_000 for number in numbers]
    return pa.table(
        {
            "file_name": pa.array([names[number - first].decode() for number in numbers], pa.string()),
            "stage_location": pa.array([f"s3://bucket/{PREFIX}"] * len(numbers), pa.string()),
            "status": pa.array(["Load failed" if each else "Loaded" for each in failed], pa.string()),
            "last_load_time": pa.array(loaded, pa.int64()).cast(TIME),
            "row_count": pa.array([0 if each else 100 for each in failed], pa.int64()),
            "row_parsed": pa.array([100] * len(numbers), pa.int64()),
            "error_count": pa.array([int(each) for each in failed], pa.int64()),
            "first_error_message": pa.array(["broken" if each else None for each in failed], pa.string()),
            "pipe_name": pa.array(["EVENTS_PIPE"] * len(numbers), pa.string()),
        }
    )


class Answers(Reader):
    """A Reader whose Snowflake is written down, and read batch by batch; its AWS is the endpoint."""

    def __init__(self, path: Path, url: str, settings: reading.Settings) -> None:
        self.path = path
        clouds = Clouds(settings, run_id="bench", command="bench")
        clouds.aws = lambda *_: client  # type: ignore[method-assign]
        client = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench").client(
            "s3", endpoint_url=url, region_name="us-east-1", config=Config(signature_version="s3v4")
        )
        super().__init__(clouds)

    def confirm(self, *, aws: bool = True, snowflake: bool = True, partly: bool = False) -> Identity:
        return Identity("", "")

    def sql(self, statement: str, binds: object = None) -> list[dict[str, Any]]:
        if statement.startswith("SHOW TABLES"):
            return [{"name": "EVENTS", "created_on": MADE}]
        files = self.path.with_suffix(".starts").stat().st_size // 8 - 1
        return [{"n": 100 * (files - sum(len(range(at, files, 1000)) for at in (0, 1)))}]

    def batches(self, statement: str) -> Iterator[pa.Table]:
        year = "ACCOUNT_USAGE" in statement
        answer = "year" if year else "recent" if "COPY_HISTORY" in statement else "rows"
        with pa.OSFile(str(self.path.with_suffix(f".{answer}"))) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                yield pa.Table.from_batches([batch])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", type=Path)
    parser.add_argument("url")
    parser.add_argument("--list-only", action="store_true")
    given = parser.parse_args()
    settings = reading.read(yaml.safe_load(Path("invoke.yaml").read_text()))
    stream = settings.streams[0]
    reader = Answers(given.keys, given.url, settings)
    begin = time.monotonic()
    if given.list_only:
        fetch = pages.of_bucket(reader, stream.bucket, stream.prefix, connections=ranges.WIDTH)
        found: dict[str, Any] = {"keys": sum(len(page.keys) for page in ranges.pages(fetch, stream.prefix))}
    else:
        facts: Any = SimpleNamespace(
            reader=reader,
            settings=settings,
            now=NOW,
            pipe=lambda _: Pipe("", "", None, MADE, None),
            pipe_status=lambda _: PipeStatus({"executionState": "RUNNING"}),
            table=lambda _: Table((("_FILE", "VARCHAR"), ("_LOADED_AT", "TIMESTAMP"))),
        )
        asked = asking.read(
            ".*[.]gz", since=None, until=None, max_files=1, reload_failed=False, reload_gone=False
        )
        at: list[float] = []
        store = looking.surveyed(facts, asked, stream, lambda _: at.append(time.monotonic()))
        looked = time.monotonic()
        plan = plan_store(asked, store)
        found = {
            "keys": plan.matching[0],
            "classes": {str(kind): files for kind, (files, _) in plan.counts.items()},
            "listing_s": round(at[-1] - begin, 1),
            "histories_s": round(looked - at[-1], 1),
            "comparing_s": round(time.monotonic() - looked, 1),
        }
        store.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    found |= {
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": used.ru_maxrss // 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
