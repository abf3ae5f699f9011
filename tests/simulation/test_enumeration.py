"""No way at all in which two commands, the pipe, its notifications and a kill lose or double a row."""

import copy
from collections.abc import Sequence
from itertools import combinations_with_replacement

import pytest

from runbook.settings import Settings, read
from tests.simulation.enumeration import COMMANDS, Enumeration, Quick, Small
from tests.simulation.session import Answer, Session
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


class Alone(Session):
    """A session that does not see the leases of others."""

    def _leases(self, *arguments: object) -> Answer:
        answer = super()._leases()
        own = f"LEASE_{self.number:016X}"
        return Answer(" ".join(answer.columns), [row for row in answer.rows if own in str(row)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "session", "commands", "announced"),
    [
        (Forgetful, Session, ["refresh"], 2),
        (Quick, Alone, ["refresh", "replace-pipe"], 0),
    ],
    ids=["forgetful pipe", "no leases"],
)
def test_what_would_double_or_lose_rows_is_found(
    settings: Settings, world: type[Quick], session: type[Session], commands: Sequence[str], announced: int
) -> None:
    class Wrong(Small):
        kind = world

    every = Enumeration(
        settings, commands, announced=announced, wakes=0, first=True, kind=Wrong, session=session
    )
    every.run()
    print(len(every.ways), every.failures[:1])
    assert every.failures
