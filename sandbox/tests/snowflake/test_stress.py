"""Eight sessions at once, events doubled and out of order, pauses and refreshes in between.

Whatever the order, each file's rows are those of the truth table (sources: Snowflake §3.1-3.2): a pipe loads
a path once, COPY once by its own memory, a refresh only what neither knows, and a broken file never.
"""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

SESSIONS = 8
TABLE, PIPE, STAGE = "RAW.SNOWPLOW.LINES", "RAW.SNOWPLOW.LOADER", "@RAW.SNOWPLOW.ST"
COPY = f"COPY INTO {TABLE} (LINE, FILE) FROM (SELECT $1, METADATA$FILENAME FROM {STAGE})"
# what becomes of a file -> how often its rows are in the table at the end
LOADS = {
    "announced": 1,
    "announced twice": 1,  # the object is written again, unchanged
    "broken": 0,
    "announced and copied": 2,  # two memories, and each knows its own
    "never announced": 1,  # by the last refresh
    "copied before": 1,  # a refresh asks both memories
}


@dataclass(frozen=True)
class File:
    """A file of the run: its name says whether the bucket's rule announces it (.gz) or not (.late)."""

    name: str
    fate: str
    rows: int

    @property
    def body(self) -> str:
        lines = [f"{self.name} {n}" for n in range(self.rows)]
        return "\n".join(lines) + ('\n"never closed' if self.fate == "broken" else "\n")


def files_of(seed: int, count: int) -> list[File]:
    chosen = random.Random(seed)
    fates = list(LOADS)
    found = []
    for n in range(count):
        fate = chosen.choices(fates, weights=(12, 2, 2, 2, 1, 1))[0]
        suffix = "late" if fate in ("never announced", "copied before") else "gz"
        found.append(File(f"d={n % 13}/{n}.{suffix}", fate, chosen.randint(1, 3)))
    return found


def acts_of(files: list[File], chosen: random.Random) -> list[tuple[str, Any]]:
    """One session's work in an order of its own; what needs a file comes after it."""
    acts: list[tuple[str, Any]] = []
    for file in files:
        acts.append(("put", file))
        if file.fate == "announced twice":
            acts.append(("put", file))
        if file.fate == "announced and copied":
            acts += [("copy", file)] * 2  # the second finds it loaded
        if chosen.random() < 0.06:
            acts.append((chosen.choice(("pause", "resume", "refresh", "count")), None))
    return acts


class Session:
    """A session's acts, through its own connection."""

    def __init__(self, pipeline: Any, sql: Any) -> None:
        self._pipeline = pipeline
        self._sql = sql

    def run(self, acts: list[tuple[str, Any]]) -> None:
        for act, file in acts:
            getattr(self, act)(file)

    def put(self, file: File) -> None:
        key = self._pipeline.prefix + file.name
        self._pipeline.tenant.boto3("s3").put_object(
            Bucket=self._pipeline.tenant.bucket, Key=key, Body=file.body
        )

    def copy(self, file: File) -> None:
        self._sql(f"{COPY} FILES = ('{file.name}')")

    def pause(self, _: Any) -> None:
        self._sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE")

    def resume(self, _: Any) -> None:
        self._sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = FALSE")

    def refresh(self, _: Any) -> None:
        self._sql(f"ALTER PIPE {PIPE} REFRESH PREFIX = 'd=1'")

    def count(self, _: Any) -> None:
        self._sql(f"SELECT COUNT(*) FROM {TABLE}")


def set_up(pipeline: Any) -> None:
    pipeline.role()
    pipeline.integration()
    pipeline.trust()
    pipeline.sql.run(
        "CREATE DATABASE RAW",
        "CREATE SCHEMA RAW.SNOWPLOW",
        f"CREATE TABLE {TABLE} (LINE VARCHAR, FILE VARCHAR)",
        f"CREATE STAGE RAW.SNOWPLOW.ST URL = '{pipeline.url}' STORAGE_INTEGRATION = S3INT "
        "FILE_FORMAT = (TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"' COMPRESSION = NONE)",
        f"CREATE PIPE {PIPE} AUTO_INGEST = TRUE AS {COPY}",
    )
    rule = {
        "Id": "announced",
        "QueueArn": pipeline.sql.dicts(f"DESC PIPE {PIPE}")[0]["notification_channel"],
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {
            "Key": {
                "FilterRules": [
                    {"Name": "prefix", "Value": pipeline.prefix},
                    {"Name": "suffix", "Value": ".gz"},
                ]
            }
        },
    }
    pipeline.tenant.boto3("s3").put_bucket_notification_configuration(
        Bucket=pipeline.tenant.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )


def settle(pipeline: Any) -> None:
    """Thousands of files take their time where the machine is busy."""
    assert any(pipeline.tenant.control("POST", "/settle", {"timeout_s": 20})["settled"] for _ in range(60))


SLOW = [pytest.param(seed, 5_000, marks=pytest.mark.slow) for seed in range(20)]


@pytest.mark.parametrize(("seed", "count"), [(20, 120), (21, 120), *SLOW])
def test_rows_are_exactly_those_of_the_truth_table(
    pipeline: Any, session_of: Any, seed: int, count: int
) -> None:
    set_up(pipeline)
    files = files_of(seed, count)
    first = Session(pipeline, pipeline.sql)
    before = [file for file in files if file.fate == "copied before"]
    for file in before:
        first.put(file)
        first.copy(file)
    pipeline.tenant.control(
        "PUT",
        "/faults",
        {"seed": seed, "notifications": {"duplicate": 0.3, "reorder": True}},
    )
    work = [file for file in files if file not in before]
    with ThreadPoolExecutor(SESSIONS) as sessions:
        running = [
            sessions.submit(
                Session(pipeline, session_of()).run, acts_of(work[n::SESSIONS], random.Random(seed * 100 + n))
            )
            for n in range(SESSIONS)
        ]
        for one in running:
            one.result()
    pipeline.tenant.control("PUT", "/faults", {})
    first.resume(None)
    settle(pipeline)
    pipeline.sql(f"ALTER PIPE {PIPE} REFRESH")  # what was never announced
    settle(pipeline)

    wanted = {
        (pipeline.prefix + file.name, f"{file.name} {n}"): LOADS[file.fate]
        for file in files
        for n in range(file.rows)
        if LOADS[file.fate]
    }
    assert Counter(pipeline.sql(f"SELECT FILE, LINE FROM {TABLE}")) == wanted
    assert pipeline.status(PIPE)["pendingFileCount"] == 0
