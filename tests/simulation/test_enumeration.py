"""No way at all in which two commands, the pipe, its notifications and a kill lose or double a row."""

import copy
from itertools import combinations_with_replacement

import pytest

from runbook.settings import Settings, read
from tests.simulation.enumeration import COMMANDS, Enumeration, Quick, Small
from tests.unit.conftest import DEFAULTS


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read(copy.deepcopy(DEFAULTS))


def without_a_violation(every: Enumeration) -> None:
    ways = every.run()
    counts = f"{len(every.ways):,} states, {ways:.3g} ways, {len(every.judged)} ends"
    print(f"{' beside '.join(every.commands)}, kills {every.kills}: {counts}")
    assert not every.failures, every.failures[:3]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_killed_anywhere(settings: Settings, command: str) -> None:
    without_a_violation(Enumeration(settings, [command], kills=1, announced=0))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["backfill", "refresh", "pause", "resume"])
def test_a_command_killed_anywhere_while_a_file_is_announced(settings: Settings, command: str) -> None:
    without_a_violation(Enumeration(settings, [command], kills=1, announced=1))


PAIRS = [list(pair) for pair in combinations_with_replacement(COMMANDS, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("commands", PAIRS, ids=" beside ".join)
def test_every_pair_of_commands_with_one_interruption(settings: Settings, commands: list[str]) -> None:
    without_a_violation(Enumeration(settings, commands, announced=0, wakes=0, switches=1))


# -- and it finds what is wrong --------------------------------------------------------------------------


class Forgetful(Quick):
    """A pipe that takes a file each time it is told of it."""

    def pipe_knows(self, key: str) -> bool:
        return False


def test_a_row_that_is_there_twice_is_found(settings: Settings) -> None:
    class Wrong(Small):
        kind = Forgetful

    every = Enumeration(settings, ["refresh"], announced=2, first=True, begins=Wrong)
    every.run()
    assert [why for why, _ in every.failures if "doubled" in why]
