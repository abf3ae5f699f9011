"""`invoke verify --canary`: it arrives, is timed hop by hop, and nothing of it stays, whatever happens."""

import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

import pytest
from snowpipe_sandbox.snowplow.events import events
from snowpipe_sandbox.snowplow.files import loader_files

from runbook.verify.canary import NAME
from tests.scenarios.conftest import Installation
from tests.scenarios.test_bad_input import changed, person, under_way, until

HOPS = ["put", "event", "forwarded", "loaded", "row-visible"]


def canary(at: Installation, *arguments: str, expect: int = 0) -> dict[str, dict[str, Any]]:
    done = at.run("verify", "--canary", "--format", "json", *arguments, expect=expect)
    found = json.loads(done.stdout)
    hops = {row["id"]: row for row in found["checks"] if row["id"].startswith("canary.")}
    assert list(hops) == [f"canary.{hop}" for hop in HOPS]
    assert found["healthy"] == (expect == 0)
    return {name.removeprefix("canary."): row for name, row in hops.items()}


def left(at: Installation) -> list[str]:
    """Objects, versions and rows of any canary."""
    bucket = at.settings.aws.bucket
    versions = at.aws("s3").list_object_versions(Bucket=bucket)
    found = [row["Key"] for kind in ("Versions", "DeleteMarkers") for row in versions.get(kind, ())]
    rows = at.sql(f"SELECT _file FROM RAW.SNOWPLOW.EVENTS WHERE _file LIKE '%{NAME}%'")
    rows += at.sql(f"SELECT _file FROM RAW.SNOWPLOW.EVENTS_BAD WHERE _file LIKE '%{NAME}%'")
    return [key for key in found if NAME in key] + [str(row[0]) for row in rows]


def rows(at: Installation) -> int:
    return int(at.sql("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS")[0][0])


def test_it_arrives_is_timed_and_is_gone_and_nobody_elses_row_is(shared: Installation) -> None:
    file = next(loader_files(events(1, datetime(2026, 1, 1, tzinfo=UTC)), per_file=20, seed=1))
    shared.put("events", "theirs.gz", file.body)
    shared.settle()
    before = rows(shared)
    assert before == 20
    shared.aws("s3").put_bucket_versioning(
        Bucket=shared.settings.aws.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    n = len(shared.requests())
    hops = canary(shared)
    assert {row["outcome"] for row in hops.values()} == {"passed"}
    times = [float(row["observed"].removesuffix(" s")) for row in hops.values()]
    assert times == sorted(times)
    assert left(shared) == []
    assert rows(shared) == before
    writes = shared.writes_since(n)
    assert [write.split()[0] for write in writes if write.startswith("s3:")] == [
        "s3:PutObject",
        "s3:DeleteObject",
    ]
    assert len([write for write in writes if write.startswith("DELETE")]) == 1
    # it was loaded as one whole row by the pipe, and this is on record
    runs = (shared.folder / "runbook" / "runs").glob("*.jsonl")
    record = max(path for path in runs if "canary begun" in path.read_text())
    history = shared.sql(
        "SELECT status, row_count, pipe_name FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY("
        "TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) "
        f"WHERE file_name LIKE '%{NAME}-{record.stem}%'"
    )
    assert history == [("Loaded", 1, "EVENTS_PIPE")]
    assert all(word in record.read_text() for word in ("s3:PutObject", "s3:DeleteObject", "DELETE FROM"))
    assert "canary    events: put " in shared.run("runs", "--show", record.stem).stdout
    # what it leaves in the histories worries nobody
    assert shared.verify()["healthy"]
    assert {row["outcome"] for row in canary(shared, "--stream", "events_bad").values()} == {"passed"}
    assert left(shared) == []


def test_where_it_stops_is_said_and_it_is_removed(shared: Installation) -> None:
    shared.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    hops = canary(shared, "--wait", "3", expect=1)
    assert [row["outcome"] for row in hops.values()] == ["passed", "failed", "blocked", "blocked", "blocked"]
    assert "not within 3 seconds" in hops["event"]["cause"]
    assert hops["loaded"]["blocked_by"] == ["canary.event"]
    assert left(shared) == []


def test_one_whose_event_comes_after_it_was_removed_loads_nothing(shared: Installation) -> None:
    shared.control("POST", "/faults", {"notifications": {"delay_s": 4}})
    canary(shared, "--wait", "1", expect=1)
    shared.settle()
    assert left(shared) == []
    shared.control("DELETE", "/faults")
    shared.assert_healthy()


def test_it_is_not_sent_through_what_is_known_to_be_broken(shared: Installation) -> None:
    shared.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    n = len(shared.requests())
    hops = canary(shared, expect=1)
    assert {row["outcome"] for row in hops.values()} == {"blocked"}
    assert {tuple(row["blocked_by"]) for row in hops.values()} == {("step4.pipe-is-not-paused",)}
    assert shared.writes_since(n) == []
    shared.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")


def test_the_right_to_put_is_named(shared: Installation) -> None:
    reads = person(shared, "reads", ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"])
    with changed(shared, (), reads):
        hops = canary(shared, expect=1)
    assert hops["put"]["outcome"] == "failed"
    assert "s3:PutObject is missing" in hops["put"]["cause"]
    assert left(shared) == []


def test_ctrl_c_removes_it_first(shared: Installation) -> None:
    shared.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    running = under_way(shared, "verify", "--canary", "--wait", "60")
    until(running, "canary put")
    assert left(shared) != []
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert running.returncode == 130, rest
    assert "object and row are removed" in rest
    assert "Traceback" not in rest
    assert left(shared) == []


@pytest.mark.parametrize("drop", [1.0, 0.0], ids=["on its way", "arrived"])
def test_what_a_killed_run_leaves_the_next_one_removes(shared: Installation, drop: float) -> None:
    shared.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    running = under_way(shared, "verify", "--canary", "--wait", "60")
    until(running, "canary put")
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)
    if not drop:
        shared.control("DELETE", "/faults")
        shared.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE REFRESH", role="SNOWPLOW_OPERATOR")
        shared.settle()
    kinds = ["object"] if drop else ["object", "row"]
    assert len(left(shared)) == len(kinds)
    shared.control("DELETE", "/faults")
    canary(shared)
    assert left(shared) == []
