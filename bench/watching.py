"""What a round of `invoke watch` costs, however many files lie in the folder.

    python -m bench.watching --folder /var/tmp/bench [--keys 100 10000 1000000]

A whole round against a sandbox: every check, both pipes, row counts. Only the listing of the events' folder
is answered by bench.s3_endpoint, which has as many keys as wanted. The first round finds the folder's end,
every later one reads on from there. CPU is the watcher's own; the sandbox is a process beside it.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import yaml
from tabulate import tabulate

from bench.listing import endpoint, prepared
from bench.s3_endpoint import PREFIX, Keys, shapes

ROOT = Path(__file__).parent.parent
ROUNDS = 5
BY_ITSELF = ("sqs:ReceiveMessage", "LOGOUT")
"""The pipe's own reading of its queue, and a good-bye."""


@contextmanager
def front(aws: str, listing: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.front", "--aws", aws, "--listing", listing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield f"http://127.0.0.1:{running.stdout.readline().strip()}"
        finally:
            running.terminate()


def asked_for(url: str) -> Any:
    with urlopen(url, timeout=60) as answer:
        return json.load(answer)


class Counted:
    """Requests of the watcher: what the sandbox logged, and the pages that it never saw."""

    def __init__(self, control: str, front_url: str) -> None:
        self.control, self.front = control, front_url
        self.next = asked_for(f"{control}/requests?since=0")["next"]
        self.pages = asked_for(f"{front_url}/asked")

    def since(self) -> int:
        document = asked_for(f"{self.control}/requests?since={self.next}")
        pages = asked_for(f"{self.front}/asked")
        ours = [
            row
            for row in document["requests"]
            if (row["cloud"] == "snowflake" or "assumed-role" not in row["caller"])
            and row["operation"] not in BY_ITSELF
        ]
        found = len(ours) + int(pages - self.pages)
        self.next, self.pages = document["next"], pages
        return found


def rounds(count: int, keys: Path, latency_ms: float, home: Path) -> Iterator[list[Any]]:
    """The rows of the table for one folder."""
    import boto3
    from snowpipe_sandbox import process

    from runbook import settings as reading
    from runbook.commands.watch import Asked, Watcher, place
    from runbook.watching.history import History

    status = process.start(home / "sandbox")
    tenant: Any = status.tenant
    try:
        os.environ.update(process.env(home / "sandbox", tenant))
        os.environ.update({"RUNBOOK_SANDBOX_GIVEN": "1", "RUNBOOK_HOME": str(home / "runbook")})
        subprocess.run(
            [sys.executable, "-m", "invoke", "up"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        written = Keys.read(keys)
        newest = written.key(len(written) - 1)  # it is there, and loaded
        body = gzip.compress(b"\t" * 130 + b"\n")
        boto3.Session().client("s3").put_object(Bucket=tenant["aws"]["bucket"], Key=newest, Body=body)
        time.sleep(3)
        with (
            endpoint(keys, latency_ms) as listing,
            front(tenant["aws"]["endpoint_url"], listing) as url,
        ):
            os.environ["AWS_ENDPOINT_URL"] = url
            config = yaml.safe_load((ROOT / "invoke.yaml").read_text())
            config["watch"] = {"deep_every_minutes": None}
            settings = reading.read(config)
            assert settings.stream("events").prefix == PREFIX
            watcher = Watcher(settings, History(place(settings) / "history.sqlite"), Asked(every="5m"))
            counted = Counted(str(tenant["control_url"]), url)
            found = []
            for _ in range(ROUNDS + 2):
                begin, used = time.monotonic(), time.process_time()
                watcher.round()
                cpu = 1000 * (time.process_time() - used)
                found.append((counted.since(), cpu, time.monotonic() - begin))
            watcher.sessions.end()
            watcher.history.close()
        asked, cpu, seconds = found[0]
        yield ["first, signing in", count, asked, round(cpu), round(seconds, 1)]
        later = found[2:]  # the second still imports and fills caches
        few, many = min(row[0] for row in later), max(row[0] for row in later)
        middle = [statistics.median(row[place_] for row in later) for place_ in (1, 2)]
        asked_text = str(few) if few == many else f"{few} to {many}"
        yield [f"later, median of {ROUNDS}", count, asked_text, round(middle[0]), round(middle[1], 1)]
    finally:
        process.stop(home / "sandbox")


def measured(count: int, keys: Path, latency_ms: float) -> list[list[Any]]:
    with TemporaryDirectory() as home:
        return list(rounds(count, keys, latency_ms, Path(home)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    parser.add_argument("--shape", choices=list(shapes(1)), default="date folders")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--latency-ms", type=float, default=30)
    given = parser.parse_args()
    rows = []
    for count in given.keys:  # in a process each: libraries remember whose credentials they read first
        keys = prepared(given.folder, count, given.shape)
        with get_context("spawn").Pool(1) as alone:
            rows += alone.apply(measured, (count, keys, given.latency_ms))
    print(tabulate(rows, headers=["round", "keys", "requests", "CPU ms", "seconds"], intfmt=","))


if __name__ == "__main__":
    main()
