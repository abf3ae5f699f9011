"""A backfill killed at every statement and call in turn: the next one ends it, and each row is there once."""

import gzip
import time

import pytest

from tests.scenarios.conftest import Installation, kill
from tests.scenarios.test_backfill import assert_once, event, requests_so_far, silence


def folders(at: Installation, count: int, files: int) -> list[str]:
    """Folders of files nobody announced to the pipe: half older than REFRESH reaches, half younger."""
    silence(at)
    names = [f"point={point:03d}/{number:02d}.gz" for point in range(count) for number in range(files)]
    keys = put_all(at, names[1::2])
    at.advance(days=10)
    keys += put_all(at, names[::2])
    at.advance(hours=1)
    return keys


def put_all(at: Installation, names: list[str]) -> list[str]:
    """Many files by one client: making one takes longer than a file."""
    s3, prefix = at.aws("s3"), at.stream("events").prefix
    for name in names:
        body = gzip.compress(b"".join(event(name, row) + b"\n" for row in range(2)))
        s3.put_object(Bucket=at.settings.aws.bucket, Key=prefix + name, Body=body)
    return [prefix + name for name in names]


def requests_since(at: Installation, before: int) -> int:
    found: int = at.control("GET", f"/requests?since={before}")["next"]
    return found - before


def killed_at(at: Installation, point: int, request: int) -> None:
    """A backfill of one folder, killed once both clouds were asked that many times."""
    before = requests_so_far(at)
    running = at.started("backfill", "--pattern", f".*/point={point:03d}/.*")
    while running.poll() is None and requests_since(at, before) < request:
        time.sleep(0.002)
    kill(running)


def finished(at: Installation) -> None:
    """The same command once more, for everything; what is queued may take a second look."""
    for _ in range(5):
        at.settle()
        if at.run("backfill", "--pattern", ".*", expect=None).returncode == 0:
            return
    raise AssertionError(at.run("backfill", "--pattern", ".*", "--dry-run").stdout)


def requests_of_one(at: Installation) -> int:
    before = requests_so_far(at)
    at.run("backfill", "--pattern", ".*/point=000/.*")
    return requests_since(at, before)


def test_killed_at_a_few_statements_and_calls_in_turn(healthy: Installation) -> None:
    points = 7
    keys = folders(healthy, points, 4)
    asked = requests_of_one(healthy)
    for point in range(1, points):
        killed_at(healthy, point, asked * point // points)
    finished(healthy)
    assert_once(healthy, keys)


@pytest.mark.slow
def test_killed_at_every_statement_and_call_of_a_backfill_of_three_thousand_files(
    healthy: Installation,
) -> None:
    points, files = 100, 30
    keys = folders(healthy, points, files)
    asked = requests_of_one(healthy)
    assert asked < points, f"{asked} requests, {points} folders: give every request one"
    for point in range(1, points):
        killed_at(healthy, point, point)
    finished(healthy)
    assert len(keys) == 3000
    assert_once(healthy, keys)
