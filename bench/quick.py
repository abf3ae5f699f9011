"""What can be measured in half a minute, each beside a peer in the same run; fails on a loss of a third.

    python -m bench.quick

Processor seconds, taken in turns, so that what else the machine does is the same for both.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.beside import INVOKE, ROOT, beside, cost, installed, row, start_beside, table
from bench.listing import endpoint, prepared
from bench.s3_endpoint import PREFIX

ROUNDS = 2
KEYS = 20_000
WANTED = (0.85, 1.4, 0.45)
"""The peer's processor seconds by ours, as measured; a third less is a failure."""

SIGNED_IN = """
import boto3, snowflake.connector
boto3.client("sts").get_caller_identity()
snowflake.connector.connect(connection_name="sandbox").cursor().execute("SELECT 1").fetchall()
"""
PAGINATED = f"""
import sys, boto3
client = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="a", aws_secret_access_key="b")
pages = client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="{PREFIX}")
print(sum(len(page["Contents"]) for page in pages))
"""


def verify_beside(home: Path) -> list[Any]:
    script = [[sys.executable, "-c", SIGNED_IN]]
    with installed(home):
        mine, other = beside(lambda: cost([[*INVOKE, "verify"]], ROOT), lambda: cost(script, home), ROUNDS)
    return row("a healthy `verify` | a script that signs in to both", mine, other)


def plan_beside(home: Path) -> list[Any]:
    keys = prepared(home, KEYS, "date folders")
    with endpoint(keys, latency_ms=0) as url:
        ours = [[sys.executable, "-m", "bench.planning", str(keys), url]]
        script = [[sys.executable, "-c", PAGINATED, url]]
        mine, other = beside(lambda: cost(ours, ROOT), lambda: cost(script, home), ROUNDS)
    return row(f"plan a backfill of {KEYS:,} keys | list them with boto3", mine, other)


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("AWS_REGION", "us-east-1")
    with ExitStack() as stack:
        homes = (Path(stack.enter_context(TemporaryDirectory())) for _ in WANTED)
        rows = [start_beside(ROUNDS, next(homes)), plan_beside(next(homes)), verify_beside(next(homes))]
    print(table(rows))
    lost = [
        f"{what}: {ratio:.2f}, {wanted} was measured"
        for (what, *_, ratio), wanted in zip(rows, WANTED, strict=True)
        if ratio < wanted * 2 / 3
    ]
    print(*lost, sep="\n", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
