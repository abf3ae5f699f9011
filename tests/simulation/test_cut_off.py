"""A replacement that is killed before one of its statements, and the one run that ends it."""

import copy
from datetime import timedelta

import pytest

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
    play.world.put("loaded.gz", ("one",))
    play.pass_time(timedelta(hours=1))
    play.world.pipe.misses = "RAW.SNOWPLOW.EVENTS_STAGE_OLD"
    play.world.put("waits.gz", ("two",))
    killed = Operator("replace-pipe", play, play.replace_pipe)
    killed.start()
    while killed.is_alive and not killed.statement.strip().startswith(before):
        killed.step()
    killed.kill()
    assert killed.ended == "killed"
    play.pass_time(timedelta(minutes=20))
    ending = Operator("replace-pipe", play, play.replace_pipe)
    ending.start()
    while ending.is_alive:
        ending.step()
    assert (ending.ended, ending.failure) == ("done", None)
    pipe = play.world.pipe
    assert (pipe.misses, pipe.comment, pipe.paused) == ("", "ours", False)
    play.pass_time(timedelta(minutes=20))
    assert sorted(row.value for row in play.world.table.rows) == ["one", "two"]
