"""Killed at any point, the same command run again finishes."""

import time

import pytest

from tests.scenarios.conftest import Installation, kill

POINTS = 10


@pytest.mark.slow
def test_up_killed_at_ten_points_finishes_when_run_again(installation: Installation) -> None:
    for point in range(POINTS):
        running = installation.started("up")
        _until_writes(installation, running, point * 3)
        kill(running)
    installation.run("up")
    installation.assert_healthy()


def _until_writes(installation: Installation, running: object, more: int) -> None:
    """Until the run has made that many writing calls beyond what was there, or has ended."""
    before = len(installation.writes_since(0))
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline:  # type: ignore[attr-defined]
        if len(installation.writes_since(0)) >= before + max(more // POINTS, 1):
            return
        time.sleep(0.01)


OFTEN, ALSO = [10, 19], [1, 4, 7, 13, 16, 22, 25, 28]


@pytest.mark.parametrize("writes", [*OFTEN, *(pytest.param(each, marks=pytest.mark.slow) for each in ALSO)])
def test_a_first_run_killed_after_some_writes(installation: Installation, writes: int) -> None:
    running = installation.started("up")
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline:
        if len(installation.writes_since(0)) >= writes:
            break
        time.sleep(0.005)
    kill(running)
    installation.run("up")
    installation.assert_healthy()
