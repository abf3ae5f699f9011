"""How long it takes to list a folder, and to plan a backfill of it, beside `s5cmd ls` and `aws s3 ls`.

    python -m bench.listing --keys 1000000 --folder /var/tmp/bench [--shape "date folders"] [--json FILE]

All in one run, one after the other, from one local endpoint that waits 30 ms before each page. What is
not installed is left out and said so. The keys are written once, and kept in the folder.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tabulate import tabulate

from bench.planning import write_histories
from bench.s3_endpoint import PREFIX, shapes, write, written

KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}


def measured(name: str, command: list[str]) -> dict[str, Any]:
    """A command's wall time, CPU time and peak memory; and what it listed, by the lines it wrote."""
    begin = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **KEYS})
    assert running.stdout
    lines, last = 0, b""
    while part := running.stdout.read(1 << 20):
        lines, last = lines + part.count(b"\n"), part
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{name} ended with {running.returncode}")
    found = {
        "what": name,
        "keys": lines,
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": used.ru_maxrss // 1024,
    }
    return found | json.loads(last) if name.startswith("ours") else found


@contextmanager
def endpoint(keys: Path, latency_ms: float) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.s3_endpoint", str(keys), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield f"http://127.0.0.1:{running.stdout.readline().strip()}"
        finally:
            running.terminate()


def prepared(folder: Path, count: int, shape: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{shape.replace(' ', '-')}-{count}.xml"
    if not path.with_suffix(".starts").exists():
        write(path, written(shapes(count)[shape], count))
    if not path.with_suffix(".rows").exists():
        write_histories(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--shape", choices=list(shapes(1)), default="date folders")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--latency-ms", type=float, default=30)
    parser.add_argument(
        "--leave-out", action="append", default=[], help="s5cmd or aws, where they take too long"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with ProcessPoolExecutor(1, get_context("spawn")) as another:  # its memory would count as every program's
        path = another.submit(prepared, given.folder, given.keys, given.shape).result()
    ours = [sys.executable, "-m", "bench.planning", str(path)]
    rows = []
    with endpoint(path, given.latency_ms) as url:
        commands = {
            "ours: list": [*ours, url, "--list-only"],
            "ours: list, read histories, plan": [*ours, url],
            "s5cmd ls": ["s5cmd", "--endpoint-url", url, "ls", f"s3://bucket/{PREFIX}*"],
            "aws s3 ls --recursive": [
                *("aws", "--endpoint-url", url, "s3", "ls", "--recursive", f"s3://bucket/{PREFIX}"),
            ],
        }
        for name, command in commands.items():
            if command[0] in given.leave_out:
                print(f"{name}: left out, as asked")
                continue
            if shutil.which(command[0]) is None:
                print(f"{name}: left out, {command[0]} is not on PATH")
                continue
            rows.append(measured(name, command))
            assert rows[-1]["keys"] == given.keys, rows[-1]
    shown = [[row[name] for name in ("what", "keys", "seconds", "cpu_s", "peak_mib")] for row in rows]
    print(tabulate(shown, headers=["", "keys", "seconds", "CPU seconds", "peak MiB"], intfmt=","))
    if given.json:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
        document = {"shape": given.shape, "latency_ms": given.latency_ms, "machine": machine, "rows": rows}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
