"""A job that merges the table into another one and empties it, between a look and the statement."""

import copy
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from runbook.loading.planning import BackfillPlan
from runbook.settings import Settings, read
from tests.simulation.schedule import Operator, Play
from tests.unit.conftest import DEFAULTS


@pytest.fixture
def play() -> Play:
    """A file that the pipe loaded and somebody changed since: `--reload-failed` brings its rows anew."""
    settings: Settings = read(copy.deepcopy(DEFAULTS))
    seed = next(n for n in range(100) if Play(settings, n, []).has_file)
    found = Play(settings, seed, [])
    found.world.put("a.gz", ("one", "two"))
    found.world.settle()
    found.pass_time(timedelta(minutes=30))
    found.world.put("a.gz", ("one", "two", "three"), delays=())
    found.pass_time(timedelta(minutes=30))
    return found


def until(one: Operator, statement: str) -> None:
    """Up to the moment before the statement."""
    one.start()
    while one.is_alive and not one.statement.startswith(statement):
        one.step()


def ended(play: Play, one: Operator) -> tuple[int, dict[str, str]]:
    play.run_together([], random.Random(0))
    while one.is_alive:
        one.step()
    assert one.failure is None
    code, missing = one.result
    return code, missing


def values(play: Play) -> list[str]:
    return [row.value for row in play.world.table.rows]


def test_rows_that_a_job_has_taken_on_meanwhile_are_not_loaded_again(play: Play) -> None:
    one = Operator("backfill", play, lambda run: play.backfill(run, True, False))
    until(one, "DELETE")
    assert len(values(play)) == 2
    play.world.truncate()  # merged into another table first
    code, missing = ended(play, one)
    assert values(play) == []
    assert code != 0
    assert list(missing) == [f"{play.stream.prefix}a.gz"]


def test_rows_that_nobody_touched_are_replaced(play: Play) -> None:
    one = Operator("backfill", play, lambda run: play.backfill(run, True, False))
    until(one, "DELETE")
    assert ended(play, one) == (0, {})
    assert len(values(play)) == 3


def test_a_file_whose_rows_are_half_gone_is_not_loaded_whole_into_a_table_that_is_emptied(play: Play) -> None:
    play.stream = replace(play.stream, keeps_rows=False)
    settings = play.settings
    play.settings = replace_stream(settings, keeps_rows=False)
    del play.world.table.rows[0]
    for gone in (False, True):
        one = Operator("backfill", play, lambda run, gone=gone: play.backfill(run, True, gone))
        one.start()
        code, missing = ended(play, one)
        assert len(values(play)) == 1
        assert code != 0
        (why,) = missing.values()
        assert "taken on" in why


def replace_stream(settings: Settings, **changes: object) -> Settings:
    config = copy.deepcopy(DEFAULTS)
    config["streams"]["events"] |= changes
    return read(config)


# ---- a table that is emptied as it goes, and a pipe that is replaced under it


@pytest.fixture
def landing(play: Play) -> Play:
    """A pipe whose COPY is to change, and files that it has loaded."""
    play.settings = replace_stream(play.settings, keeps_rows=False)
    play.stream = play.settings.stream("events")
    play.world.replace_pipe(play.old, comment="ours")
    play.world.replace_table()
    play.pass_time(timedelta(hours=1))
    for name in ("b.gz", "c.gz"):
        play.world.put(name, (name,))
        play.pass_time(timedelta(minutes=20))
    return play


def emptied(play: Play) -> list[str]:
    """The job's run: the rows that it has taken on."""
    found = values(play)
    play.world.truncate()
    return found


def replaced(play: Play, found: list[BackfillPlan | None] | None = None) -> str:
    """The command as it ended; ``found``: the files that it looked at afterwards."""
    plans = [] if found is None else found
    one = Operator("replace-pipe", play, lambda run: plans.append(play.replace_pipe(run)))
    one.start()
    while one.is_alive:
        one.step()
    assert one.failure is None
    return one.ended


def test_what_waits_is_loaded_once_by_the_new_pipe(landing: Play) -> None:
    taken = emptied(landing)
    landing.pass_time(timedelta(minutes=30))
    landing.world.put("d.gz", ("d.gz",))
    landing.pass_time(timedelta(minutes=30))
    landing.world.put("lost.gz", ("lost.gz",), delays=())
    landing.world.put("just.gz", ("just.gz", "another row"))
    landing.world.settle()
    landing.world.now += timedelta(minutes=2)
    landing.world.put("waits.gz", ("waits.gz",), delays=(timedelta(minutes=9),))
    landing.world.now += timedelta(minutes=2)
    found: list[BackfillPlan | None] = []
    assert replaced(landing, found) == "done"
    (plan,) = found
    assert plan is not None
    assert [verdict.file.key for verdict in plan.missing] == []
    landing.pass_time(timedelta(minutes=30))
    everything = ["another row", "b.gz", "c.gz", "d.gz", "just.gz", "lost.gz", "waits.gz"]
    assert sorted([*taken, *values(landing)]) == everything
    assert not landing.world.doubled


def test_where_the_table_was_emptied_just_now_it_is_refused_and_nothing_loaded_again(
    landing: Play,
) -> None:
    landing.world.put("d.gz", ("d.gz",))
    landing.world.settle()
    landing.world.now += timedelta(minutes=5)
    taken = emptied(landing)
    landing.world.now += timedelta(minutes=1)
    assert "was emptied, and its load history with it" in replaced(landing)
    assert landing.world.pipe.definition == landing.old
    assert not landing.world.pipe.paused
    landing.pass_time(timedelta(minutes=30))
    assert replaced(landing) == "done"
    landing.pass_time(timedelta(hours=1))
    assert sorted([*taken, *values(landing)]) == ["b.gz", "c.gz", "d.gz"]
