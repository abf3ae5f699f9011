"""What the sandbox costs, in processor time and memory.

Processor time grows on a machine that is busy or slow: the limits are several times what a quiet one takes.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from snowpipe_sandbox import process
from snowpipe_sandbox.server import Sandbox

MEGABYTE = 1024 * 1024


def test_a_fresh_tenant_costs_little(sandbox: Sandbox, tenant: Any) -> None:
    tenant.connect()  # what is loaded once
    fresh = [f"fresh-{n}" for n in range(10)]
    began = time.process_time()
    for name in fresh:
        sandbox.tenants.create(name).account()
    spent = time.process_time() - began
    for name in fresh:
        sandbox.tenants.delete(name)
    assert spent / len(fresh) < 0.2  # quiet: 0.04


@pytest.mark.parametrize("files", [300, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_thousand_small_files_are_ingested_in_a_few_seconds(running: Any, files: int) -> None:
    """From the bucket into the table, in this process' time: S3's side of each read, and Snowflake's."""
    running.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE")
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda n: running.put(f"d={n % 7}/{n}.tsv"), range(files)))
    running.settle()
    began = time.process_time()
    running.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = FALSE")
    running.settle()
    assert running.rows() == files
    assert (time.process_time() - began) / files < 30 / 1_000  # quiet: 4 / 1_000


@pytest.fixture
def alone(tmp_path: Path, client_of: Any) -> Iterator[tuple[Any, int]]:
    """A sandbox in a process of its own, for nobody else: its tenant, and the process' id."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc to read a process' memory from")
    found = process.start(tmp_path)
    client = client_of(found.tenant, found.port)
    yield client, found.pid
    client.close()
    process.stop(tmp_path)


def most_memory_of(pid: int) -> int:
    """The most bytes a process ever held (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("megabytes", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_a_large_file_is_loaded_in_bounded_memory(alone: Any, pipeline_of: Any, megabytes: int) -> None:
    """Everything is kept in memory here, so some multiple of the file; but a small one."""
    tenant, pid = alone
    pipeline = pipeline_of(tenant)
    pipeline.role()
    pipeline.integration()
    pipeline.trust()
    pipeline.objects()
    pipeline.put("small.tsv")
    pipeline.sql("COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST")  # what is loaded once
    line = b"x" * 99 + b"\t" + os.urandom(64).hex()[:99].encode() + b"\n"
    count = megabytes * MEGABYTE // len(line)
    before = most_memory_of(pid)
    key = pipeline.prefix + "large.tsv"
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key=key, Body=line * count)
    pipeline.sql("COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST")
    assert pipeline.rows() == count + 1
    # the upload, the object, the table's rows, and buffers of a size that does not grow with the file
    assert most_memory_of(pid) - before < 160 * MEGABYTE + 3.5 * megabytes * MEGABYTE
