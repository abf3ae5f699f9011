"""Whatever happens, one last backfill leaves every good row exactly once and names every bad file.

The product's own rules, statements and loading, against load memories in memory (world.py). Three hundred
schedules run in every run and two thousand at night (.ci/nightly); `pytest tests/simulation --schedules 50000
--first-seed 7000` runs more of them.
"""

import copy
import random
from datetime import timedelta

import pytest

from runbook.settings import Settings, read
from tests.simulation.schedule import Play, played, schedule, shortened
from tests.simulation.session import Session
from tests.unit.conftest import DEFAULTS

PARTS = 7  # no divisor of 20: each part plans some in DuckDB


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read(copy.deepcopy(DEFAULTS))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_good_row_is_there_once_and_every_bad_file_is_named(
    settings: Settings, part: int, pytestconfig: pytest.Config
) -> None:
    count, first = pytestconfig.getoption("--schedules"), pytestconfig.getoption("--first-seed")
    for seed in range(first + part, first + count, PARTS):
        try:
            played(settings, seed, schedule(seed))
        except BaseException:  # noqa: BLE001 (told with its story, made shorter)
            failure, steps = shortened(settings, seed, schedule(seed))
            story = "\n  ".join(failure.play.story)
            pytest.fail(f"seed {seed}, {len(steps)} steps: {failure!r}\n  {story}", pytrace=False)
    print(f"seeds {first + part} to {first + count - 1}, every {PARTS}th")


def test_the_documented_advice_doubles_rows(settings: Settings) -> None:
    """The pipe's COPY run by hand loads again what the pipe has loaded: why backfill exists.

    https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
    """
    doubled = 0
    for seed in range(200):
        play = Play(settings, seed, [])
        world, chance = play.world, random.Random(seed)
        for _ in range(chance.randrange(1, 6)):
            play.put(chance)
            play.pass_time(timedelta(minutes=20))
        piped = {row.file for row in world.table.rows}
        Session(world, play.stream).execute(world.pipe.definition)
        rows = [(row.file, row.number) for row in world.table.rows]
        twice = {place for place in rows if rows.count(place) > 1}
        assert {file for file, _ in twice} == piped
        doubled += bool(twice)
    assert doubled > 150
