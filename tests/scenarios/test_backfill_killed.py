"""A backfill killed at every statement and call in turn: the next one ends it, and each row is there once."""

import time

import pytest

from tests.scenarios.conftest import Installation, kill
from tests.scenarios.test_backfill import assert_once, put, requests_so_far, silence


def folders(at: Installation, count: int, files: int) -> list[str]:
    """Folders of files nobody announced to the pipe: half older than REFRESH reaches, half younger."""
    silence(at)
    names = [f"point={point:03d}/{number:02d}.gz" for point in range(count) for number in range(files)]
    keys = put(at, *(name for number, name in enumerate(names) if number % 2))
    at.advance(days=10)
    keys += put(at, *(name for number, name in enumerate(names) if number % 2 == 0))
    at.advance(hours=1)
    return keys


def killed_at(at: Installation, point: int, request: int) -> None:
    """A backfill of one folder, killed once both clouds were asked that many times."""
    before = requests_so_far(at)
    running = at.started("backfill", "--pattern", f".*/point={point:03d}/.*")
    while running.poll() is None and requests_so_far(at) < before + request:
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
    return requests_so_far(at) - before


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
