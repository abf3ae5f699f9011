"""`invoke verify --canary`: it arrives, is timed hop by hop, and nothing of it stays, whatever happens."""

import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook.sandbox.snowplow.events import events
from runbook.sandbox.snowplow.files import loader_files
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


def test_it_arrives_is_timed_and_is_gone_and_nobody_elses_row_is(healthy: Installation) -> None:
    file = next(loader_files(events(1, datetime(2026, 1, 1, tzinfo=UTC)), per_file=20, seed=1))
    healthy.put("events", "theirs.gz", file.body)
    healthy.settle()
    before = rows(healthy)
    assert before == 20
    healthy.aws("s3").put_bucket_versioning(
        Bucket=healthy.settings.aws.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    n = len(healthy.requests())
    hops = canary(healthy)
    assert {row["outcome"] for row in hops.values()} == {"passed"}
    times = [float(row["observed"].removesuffix(" s")) for row in hops.values()]
    assert times == sorted(times)
    assert left(healthy) == []
    assert rows(healthy) == before
    writes = healthy.writes_since(n)
    assert [write.split()[0] for write in writes if write.startswith("s3:")] == [
        "s3:PutObject",
        "s3:DeleteObject",
    ]
    assert len([write for write in writes if write.startswith("DELETE")]) == 1
    # it was loaded as one whole row by the pipe, and this is on record
    history = healthy.sql(
        "SELECT status, row_count, pipe_name FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY("
        "TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) "
        f"WHERE file_name LIKE '%{NAME}%'"
    )
    assert history == [("Loaded", 1, "EVENTS_PIPE")]
    texts = [path.read_text() for path in (healthy.folder / "runbook" / "runs").glob("*.jsonl")]
    (record,) = [text for text in texts if "canary begun" in text]
    assert all(word in record for word in ("s3:PutObject", "s3:DeleteObject", "DELETE FROM"))
    # what it leaves in the histories worries nobody
    assert healthy.verify()["healthy"]
    assert {row["outcome"] for row in canary(healthy, "--stream", "events_bad").values()} == {"passed"}
    assert left(healthy) == []


def test_where_it_stops_is_said_and_it_is_removed(healthy: Installation) -> None:
    healthy.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    hops = canary(healthy, "--wait", "3", expect=1)
    assert [row["outcome"] for row in hops.values()] == ["passed", "failed", "blocked", "blocked", "blocked"]
    assert "not within 3 seconds" in hops["event"]["cause"]
    assert hops["loaded"]["blocked_by"] == ["canary.event"]
    assert left(healthy) == []


def test_one_whose_event_comes_after_it_was_removed_loads_nothing(healthy: Installation) -> None:
    healthy.control("POST", "/faults", {"notifications": {"delay_s": 4}})
    canary(healthy, "--wait", "1", expect=1)
    healthy.settle()
    assert left(healthy) == []
    healthy.control("DELETE", "/faults")
    assert healthy.verify()["healthy"]


def test_it_is_not_sent_through_what_is_known_to_be_broken(healthy: Installation) -> None:
    healthy.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    n = len(healthy.requests())
    hops = canary(healthy, expect=1)
    assert {row["outcome"] for row in hops.values()} == {"blocked"}
    assert {tuple(row["blocked_by"]) for row in hops.values()} == {("step4.pipe-is-not-paused",)}
    assert healthy.writes_since(n) == []


def test_the_right_to_put_is_named(healthy: Installation) -> None:
    reads = person(healthy, "reads", ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"])
    with changed(healthy, (), reads):
        hops = canary(healthy, expect=1)
    assert hops["put"]["outcome"] == "failed"
    assert "s3:PutObject is missing" in hops["put"]["cause"]
    assert left(healthy) == []


def test_ctrl_c_removes_it_first(healthy: Installation) -> None:
    healthy.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    running = under_way(healthy, "verify", "--canary", "--wait", "60")
    until(running, "canary put")
    assert left(healthy) != []
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert running.returncode == 130, rest
    assert "object and row are removed" in rest
    assert "Traceback" not in rest
    assert left(healthy) == []


@pytest.mark.parametrize("drop", [1.0, 0.0], ids=["on its way", "arrived"])
def test_what_a_killed_run_leaves_the_next_one_removes(healthy: Installation, drop: float) -> None:
    healthy.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    running = under_way(healthy, "verify", "--canary", "--wait", "60")
    until(running, "canary put")
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)
    if not drop:
        healthy.control("DELETE", "/faults")
        healthy.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE REFRESH", role="SNOWPLOW_OPERATOR")
        healthy.settle()
    kinds = ["object"] if drop else ["object", "row"]
    assert len(left(healthy)) == len(kinds)
    healthy.control("DELETE", "/faults")
    canary(healthy)
    assert left(healthy) == []
