"""What a round of `invoke watch` costs at the end of a folder, however many files lie in it.

    python -m bench.watching --folder /var/tmp/bench [--keys 100 10000 1000000]

The first round finds the end, every later one reads on from there. The rest of a round asks as much however
many files there are (tests/scenarios/test_watch.py counts its requests).
"""

import argparse
import os
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from tabulate import tabulate

from bench.listing import KEYS, endpoint, prepared
from bench.s3_endpoint import PREFIX, shapes
from runbook.listing import pages
from runbook.listing.ranges import Fetch, Page
from runbook.watching.arrivals import Mark, look


def counting(fetch: Fetch, asked: list[str]) -> Fetch:
    def counted(after: str, limit: int) -> Page:
        asked.append(after)
        return fetch(after, limit)

    return counted


def reader(url: str) -> SimpleNamespace:
    """As much of a Reader as listing needs."""
    import boto3
    from botocore.config import Config

    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=url, config=config)
    clouds = SimpleNamespace(aws=lambda _: client, ca_bundle=lambda: None)

    @contextmanager
    def waiting(_: str):
        yield

    return SimpleNamespace(clouds=clouds, waiting=waiting, sleep=time.sleep, now=time.monotonic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    parser.add_argument("--shape", choices=list(shapes(1)), default="date folders")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--latency-ms", type=float, default=30)
    given = parser.parse_args()
    os.environ |= KEYS
    rows = []
    for count in given.keys:
        path = prepared(given.folder, count, given.shape)
        with endpoint(path, given.latency_ms) as url:
            asked: list[str] = []
            fetch = counting(pages.of_bucket(reader(url), "bucket", PREFIX, connections=2), asked)
            mark = Mark()
            for name in ("first round", "second round", "third round"):
                begin, used = time.monotonic(), time.process_time()
                end = look(fetch, PREFIX, mark)
                mark = end.mark
                cpu = round(1000 * (time.process_time() - used))
                rows.append([name, count, len(asked), cpu, round(time.monotonic() - begin, 2)])
                asked.clear()
    print(tabulate(rows, headers=["", "keys", "requests", "CPU ms", "seconds"], intfmt=","))


if __name__ == "__main__":
    main()
