"""kill -9 after each writing call of `up` and `down`, in turn: shown by 3 of issue 6.

The run is killed as soon as the request log has a writing call of that number: after it, and before the next.
"""

import time

import pytest

from tests.scenarios.conftest import Installation, kill
from tests.scenarios.foreign import Foreign, foreign_things
from tests.scenarios.test_down import ours_left

UP_WRITES = 50
DOWN_WRITES = 14
SOME = {"up": (12, 40), "down": (1, 9)}


def at_write(one: Installation, command: str, number: int) -> bool:
    """Kill a run once its write of that number was made; False where it ended before."""
    before = one.requests()[-1]["n"] if one.requests() else 0
    running = one.started(command)
    deadline = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < deadline:
        if len(one.writes_since(before)) >= number:
            kill(running)
            return True
        time.sleep(0.002)
    return False


def set_up(one: Installation) -> tuple[Foreign, object]:
    theirs = foreign_things(7)
    theirs.has_role = False
    theirs.make(one)
    return theirs, theirs.read(one)


def up_is_cut(one: Installation, number: int) -> None:
    theirs, before = set_up(one)
    assert at_write(one, "up", number) or number > max(SOME["up"])
    assert theirs.read(one) == before
    one.run("up")
    one.assert_healthy()
    assert theirs.read(one) == before


def down_is_cut(one: Installation, number: int) -> None:
    theirs, before = set_up(one)
    one.run("up")
    assert at_write(one, "down", number) or number > max(SOME["down"])
    assert theirs.read(one) == before
    one.run("down")
    assert ours_left(one) == []
    assert theirs.read(one) == before


@pytest.mark.parametrize("number", SOME["up"])
def test_up_killed_at_a_write_is_finished_by_the_next(installation: Installation, number: int) -> None:
    up_is_cut(installation, number)


@pytest.mark.parametrize("number", SOME["down"])
def test_down_killed_at_a_write_is_finished_by_the_next(installation: Installation, number: int) -> None:
    down_is_cut(installation, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(UP_WRITES + 1))
def test_up_killed_at_every_write(installation: Installation, number: int) -> None:
    up_is_cut(installation, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DOWN_WRITES + 1))
def test_down_killed_at_every_write(installation: Installation, number: int) -> None:
    down_is_cut(installation, number)
