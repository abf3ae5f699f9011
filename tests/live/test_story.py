"""The story on the accounts of an environment file: pytest -m live tests/live --environment FILE

The file is one that `invoke -f FILE` takes; of it only the accounts, the bucket, the region, the database and
the connection are used, everything else has a name of its own. It costs a few cents and some minutes, and
leaves nothing behind: that is read from both clouds without the runbook, also where it fails in the middle.
"""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.throwaway import Throwaway, throwaway

pytestmark = pytest.mark.live
WITHIN_S = 900
"""The longest wait for a file's rows: Snowpipe takes a minute, S3's first events sometimes some."""
FILES = {
    "events": ("a.gz", b"live\tweb" + b"\t" * 129 + b"\n"),
    "events_bad": (
        "b.gz",
        b'{"schema": "iglu:com.snowplowanalytics.snowplow.badrows/live/jsonschema/1-0-0"}\n',
    ),
}


class InTheMiddleError(Exception):
    """What goes wrong in a story."""


@pytest.fixture
def environment(pytestconfig: pytest.Config) -> Path:
    given = pytestconfig.getoption("--environment")
    if not given:
        pytest.skip("needs real accounts: --environment environments/NAME.yaml")
    return Path(given).absolute()


def test_the_story_is_played_and_leaves_nothing_behind(environment: Path, tmp_path: Path) -> None:
    with throwaway(environment, tmp_path) as at:
        at.run("up", "--yes")
        for stream, (name, body) in FILES.items():
            at.put(stream, name, gzip.compress(body))
        for stream in FILES:
            table = at.settings.stream(stream).table
            until(lambda table=table: at.sql(f"SELECT COUNT(*) AS N FROM {table}") == [{"N": 1}])  # type: ignore[misc]
        is_healthy_and_told_again(at, tmp_path / "bundle.json")
        assert "nothing to change" in at.run("up", "--yes").stdout
        at.run("pause", "--stream", "events", "--yes")
        found = json.loads(at.run("verify", "--format", "json", expect=1).stdout)
        assert found["root_causes"] == ["step4.pipe-is-not-paused"]
        at.run("resume", "--stream", "events", "--yes")
        at.run("verify", "--deep", "--wait", "300")
        at.run("backfill", "--pattern", ".*", "--dry-run")


def is_healthy_and_told_again(at: Throwaway, bundle: Path) -> None:
    """All is well, and a recording of it says the same with other names."""
    at.run("verify", "--deep", "--wait", "300")
    told = json.loads(at.run("verify", "--deep", "--format", "json", "--record", str(bundle)).stdout)
    again = json.loads(at.run("verify", "--replay", str(bundle), "--format", "json").stdout)
    assert told["healthy"]
    assert [row["outcome"] for row in again["checks"]] == [row["outcome"] for row in told["checks"]]
    assert at.mark not in bundle.read_text()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    begun, pause = time.monotonic(), 0.25
    while not is_so():
        assert time.monotonic() - begun < WITHIN_S
        time.sleep(pause)
        pause = min(pause * 2, 15)


def test_what_is_killed_in_the_middle_leaves_nothing_behind_either(environment: Path, tmp_path: Path) -> None:
    def story() -> None:
        with throwaway(environment, tmp_path) as at:
            at.killed_at("Step 4", "up", "--yes")
            assert at.seen()["roles"]
            raise InTheMiddleError

    with pytest.raises(InTheMiddleError):
        story()
