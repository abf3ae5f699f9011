"""A replacement that is killed before one of its statements, and the one run that ends it."""

import copy
import random
from datetime import timedelta

import pytest

from runbook.commands.pause import switch_stream
from runbook.settings import read
from tests.simulation.schedule import Operator, Play
from tests.unit.conftest import DEFAULTS


@pytest.mark.parametrize(
    "before", ["CREATE OR REPLACE PIPE", "GRANT", "ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET COMMENT"]
)
def test_the_pipe_of_a_renamed_stage_is_replaced_by_the_next_run_wherever_the_first_was_killed(
    before: str,
) -> None:
    """Paused, it does not say that it misses the stage; its COPY reads as it should."""
    play = Play(read(copy.deepcopy(DEFAULTS)), 0, [])
    play.world.replace_pipe(play.wanted, comment="ours")
    play.world.pipe.grants = {("ROLE", "WATCHER", "MONITOR", False)}
    play.world.put("loaded.gz", ("one",))
    play.pass_time(timedelta(hours=1))
    play.world.pipe.misses = "RAW.SNOWPLOW.EVENTS_STAGE_OLD"
    play.world.put("waits.gz", ("two",))
    killed = Operator("replace-pipe", play, play.replace_pipe)
    killed.start()
    while killed.is_alive and not killed.statement.strip().startswith(before):
        killed.step()
    assert killed.is_alive, killed.ended
    killed.kill()
    play.pass_time(timedelta(minutes=20))
    ending = Operator("replace-pipe", play, play.replace_pipe)
    ending.start()
    while ending.is_alive:
        ending.step()
    assert (ending.ended, ending.failure) == ("done", None)
    pipe = play.world.pipe
    assert (pipe.misses, pipe.comment, pipe.paused) == ("", "ours", False)
    assert pipe.grants == {("ROLE", "WATCHER", "MONITOR", False)}
    play.pass_time(timedelta(minutes=20))
    assert sorted(row.value for row in play.world.table.rows) == ["one", "two"]


PLACES = (
    "ALTER PIPE",
    "CREATE OR REPLACE PIPE",
    "GRANT",
    "SELECT COUNT",
    "ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET COMMENT",
)


def begun(seed: int = 0) -> Play:
    """An installation whose COPY is to change."""
    play = Play(read(copy.deepcopy(DEFAULTS)), seed, [])
    play.world.replace_pipe(play.old, comment="ours")
    play.world.pipe.grants = {("ROLE", "WATCHER", "MONITOR", False)}
    play.world.put("loaded.gz", ("one",))
    play.pass_time(timedelta(hours=1))
    play.world.put("waits.gz", ("two",))
    return play


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("before", PLACES)
def test_a_pause_beside_a_replacement_stays_or_is_refused(before: str, seed: int) -> None:
    """Whoever is told "paused" finds the pipe paused when the replacement has ended."""
    play = begun()
    replacing = Operator("replace-pipe", play, play.replace_pipe)
    replacing.start()
    while replacing.is_alive and not replacing.statement.strip().startswith(before):
        replacing.step()
    assert replacing.is_alive, replacing.ended
    pausing = Operator("pause", play, lambda run: switch_stream(run, "pause", play.stream))
    pausing.start()
    chance = random.Random(seed)
    while alive := [one for one in (replacing, pausing) if one.is_alive]:
        chance.choice(alive).step()
    assert (replacing.failure, pausing.failure) == (None, None)
    assert replacing.ended == "done" or replacing.ended.startswith(("NotConverged", "Refused"))
    if pausing.ended == "done":
        assert play.world.pipe.paused, pausing.ended
    else:
        assert pausing.ended.startswith("Refused: Another command is at work"), pausing.ended


def test_a_pause_of_a_pipe_that_a_killed_replacement_holds_says_that_it_would_not_last() -> None:
    play = begun()
    killed = Operator("replace-pipe", play, play.replace_pipe)
    killed.start()
    while not killed.statement.strip().startswith("CREATE OR REPLACE PIPE"):
        killed.step()
    killed.kill()
    play.pass_time(timedelta(hours=1))
    pausing = Operator("pause", play, lambda run: switch_stream(run, "pause", play.stream))
    pausing.start()
    while pausing.is_alive:
        pausing.step()
    assert pausing.failure is None
    assert "is paused by a replacement that was cut off" in pausing.ended
    assert play.world.pipe.paused


@pytest.mark.parametrize("before", ["CREATE OR REPLACE PIPE", "GRANT", "SELECT COUNT"])
def test_what_was_granted_since_a_replacement_was_cut_off_is_not_lost(before: str) -> None:
    play = begun()
    killed = Operator("replace-pipe", play, play.replace_pipe)
    killed.start()
    while not killed.statement.strip().startswith(before):
        killed.step()
    killed.kill()
    late = ("ROLE", "LATE", "MONITOR", False)
    play.world.pipe.grants |= {late}
    play.pass_time(timedelta(hours=1))
    ending = Operator("replace-pipe", play, play.replace_pipe)
    ending.start()
    while ending.is_alive:
        ending.step()
    assert (ending.ended, ending.failure) == ("done", None)
    assert play.world.pipe.grants == {late, ("ROLE", "WATCHER", "MONITOR", False)}
    assert (play.world.pipe.paused, play.world.pipe.comment) == (False, "ours")


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_killed_at_every_statement_the_next_runs_end_it_exactly_once(after: bool) -> None:
    """As tests/scenarios/test_replace_pipe.py does over the wire, here at each of its reads too."""
    number, is_killed = 0, True
    while is_killed:
        number += 1
        play = begun()
        had = set(play.world.pipe.grants)
        killed = Operator("replace-pipe", play, play.replace_pipe)
        killed.start()
        for _ in range(number - 1):
            if killed.is_alive:
                killed.step()
        is_killed = killed.is_alive
        if is_killed and after:
            killed.kill_after = True
            killed.step()
        elif is_killed:
            killed.kill()
        play.world.put("meanwhile.gz", ("three",))
        play.world.now += timedelta(minutes=1)
        ended = ""
        for _ in range(5):
            ending = Operator("replace-pipe", play, play.replace_pipe)
            ending.start()
            while ending.is_alive:
                ending.step()
            assert ending.failure is None
            if (ended := ending.ended) == "done":
                break
            play.pass_time(timedelta(minutes=6))
        play.pass_time(timedelta(minutes=30))
        pipe = play.world.pipe
        assert (ended, pipe.comment, pipe.grants, pipe.paused) == ("done", "ours", had, False), number
        assert sorted(row.value for row in play.world.table.rows) == ["one", "three", "two"], number
    assert number > 100
