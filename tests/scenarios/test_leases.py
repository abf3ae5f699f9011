"""Commands that load and commands that replace the pipe, at once: one waits or refuses."""

from typing import Any

import pytest

from runbook.errors import CannotTell, NotConverged, Refused, Unhealthy
from tests.scenarios.conftest import Installation
from tests.scenarios.killing import Killer
from tests.scenarios.test_backfill import PIPE, TABLE, assert_once, put, rows_by_file, silence
from tests.scenarios.test_replace_pipe import by_hand

LOADS = {
    "refresh": ("refresh", "--stream", "events"),
    "backfill": ("backfill", "--pattern", ".*", "--stream", "events"),
}


def refreshes(statement: str) -> bool:
    return "ALTER PIPE" in statement and "REFRESH" in statement


def loaded_and_one_missing(at: Installation) -> list[str]:
    """Files that the pipe has loaded, one that nobody told it of, and a COPY that is to be changed."""
    by_hand(at)
    at.advance(minutes=1)
    keys = put(at, *(f"d1/loaded-{number}.gz" for number in range(4)))
    at.settle()
    silence(at)
    keys += put(at, "d1/missing.gz")
    at.advance(minutes=30)
    at.environment["INVOKE_CHECKS_READY_WITHIN_SECONDS"] = "3"
    return keys


def leases(at: Installation) -> list[Any]:
    return at.sql("SHOW FILE FORMATS LIKE 'SNOWPIPE_RUNBOOK_LEASE%' IN SCHEMA RAW.SNOWPLOW")


@pytest.mark.parametrize("command", LOADS)
def test_a_replacement_beside_a_load_waits_and_refuses_and_nothing_is_there_twice(
    healthy: Installation, command: str
) -> None:
    keys = loaded_and_one_missing(healthy)
    beside: list[Any] = []
    between = Killer(
        healthy,
        1,
        refreshes,
        meanwhile=lambda: beside.append(healthy.run("replace-pipe", "--stream", "events", expect=None)),
    )
    assert between.run(*LOADS[command]) == 0, between.said
    (refused,) = beside
    assert refused.returncode == Refused.exit_code
    assert f"Another command is at work on {PIPE}: {command}" in " ".join(refused.stderr.split())
    healthy.settle()
    assert_once(healthy, keys)
    assert leases(healthy) == []
    healthy.run("replace-pipe", "--stream", "events")
    healthy.settle()
    assert_once(healthy, keys)


@pytest.mark.parametrize("command", LOADS)
def test_a_request_that_comes_after_its_lease_does_nothing(healthy: Installation, command: str) -> None:
    """The machine slept, or the network hung, between the look and the statement; the lease is long over."""
    keys = loaded_and_one_missing(healthy)

    def an_hour_later() -> None:
        healthy.advance(hours=1)
        healthy.run("replace-pipe", "--stream", "events")

    between = Killer(healthy, 1, refreshes, meanwhile=an_hour_later)
    assert between.run(*LOADS[command]) in (Refused.exit_code, NotConverged.exit_code), between.said
    assert "came too late" in between.said
    healthy.settle()
    assert_once(healthy, keys[:-1])  # nobody waited for it in the replaced pipe's queue
    healthy.advance(minutes=30)
    healthy.run(*LOADS["backfill"])
    assert_once(healthy, keys)


def test_a_load_beside_a_replacement_gives_way(healthy: Installation) -> None:
    keys = loaded_and_one_missing(healthy)
    beside: list[int] = []

    def everybody() -> None:
        others = (*LOADS.values(), ("resume", "--stream", "events"), ("down",))
        beside.extend(healthy.run(*arguments, expect=None).returncode for arguments in others)

    between = Killer(healthy, 1, lambda text: "CREATE OR REPLACE PIPE" in text, meanwhile=everybody)
    between.timeout = 240
    assert between.run("replace-pipe", "--stream", "events") == 0, between.said
    refused, paused = Refused.exit_code, Unhealthy.exit_code  # backfill finds nothing to load while it pauses
    assert beside == [refused, paused, refused, refused]
    healthy.settle()
    assert_once(healthy, keys[:-1])  # nobody told the pipe of the last one: it did not wait in its queue
    assert leases(healthy) == []
    healthy.advance(minutes=30)  # an earlier pipe may be at it until then, says a backfill
    healthy.run(*LOADS["backfill"])
    assert_once(healthy, keys)


def test_after_a_load_that_was_killed_the_replacement_waits_for_its_time(healthy: Installation) -> None:
    keys = loaded_and_one_missing(healthy)
    assert Killer(healthy, 1, refreshes).run(*LOADS["backfill"]) == -9
    assert len(leases(healthy)) == 1
    said = healthy.run("replace-pipe", "--stream", "events", expect=Refused.exit_code).stderr
    assert "DROP FILE FORMAT IF EXISTS RAW.SNOWPLOW.SNOWPIPE_RUNBOOK_LEASE_" in " ".join(said.split())
    healthy.settle()
    healthy.advance(minutes=5)
    healthy.run("replace-pipe", "--stream", "events")
    assert leases(healthy) == []
    healthy.settle()
    assert_once(healthy, keys)


def test_a_pipe_is_not_created_while_somebody_loads_with_the_one_before_it(healthy: Installation) -> None:
    keys = loaded_and_one_missing(healthy)
    beside: list[int] = []

    def again() -> None:
        healthy.sql(f"DROP PIPE {PIPE}", "SNOWPLOW_LOADER")
        beside.append(healthy.run("step4-snowflake", expect=None).returncode)

    between = Killer(healthy, 1, refreshes, meanwhile=again)
    assert between.run(*LOADS["refresh"]) == CannotTell.exit_code, between.said
    assert beside == [Refused.exit_code]
    healthy.run("step4-snowflake")
    healthy.settle()
    assert_once(healthy, keys[:-1])


def test_without_the_right_to_note_it_nothing_is_loaded(healthy: Installation) -> None:
    keys = loaded_and_one_missing(healthy)
    healthy.sql("REVOKE CREATE FILE FORMAT ON SCHEMA RAW.SNOWPLOW FROM ROLE SNOWPLOW_OPERATOR", "SYSADMIN")
    for arguments in (*LOADS.values(), ("replace-pipe", "--stream", "events")):
        said = healthy.run(*arguments, expect=CannotTell.exit_code).stderr
        assert "invoke step4-snowflake" in " ".join(said.split())
    done = healthy.run("step4-snowflake", expect=NotConverged.exit_code)  # the pipe's COPY is somebody else's
    assert "step4.pipe-loses-no-row" in done.stderr
    healthy.run(*LOADS["refresh"])
    assert_once(healthy, keys)


def test_down_takes_leases_away_that_were_left_behind(healthy: Installation) -> None:
    loaded_and_one_missing(healthy)
    assert Killer(healthy, 1, refreshes).run(*LOADS["refresh"]) == -9
    healthy.advance(minutes=5)
    healthy.run("down")
    assert leases(healthy) == []
    assert healthy.sql("SHOW ROLES LIKE 'SNOWPLOW%'") == []


@pytest.mark.parametrize("command", LOADS)
@pytest.mark.parametrize("count", [3, 25])
def test_a_file_of_another_suffix_that_comes_meanwhile_is_not_loaded_or_named(
    healthy: Installation, command: str, count: int
) -> None:
    """A few files are refreshed by their names; many by what these begin with: others may come too."""
    silence(healthy)
    keys = put(healthy, *(f"d1/a{number:02}.gz" for number in range(count)), rows=1)
    healthy.advance(hours=1)
    between = Killer(
        healthy, 1, refreshes, meanwhile=lambda: put(healthy, "d1/a99.gz.part", "d1/a01.gz.part", rows=1)
    )
    between.timeout = 120
    code = between.run(*LOADS[command])
    healthy.settle()
    rows = rows_by_file(healthy)
    others = set(rows) - set(keys)
    assert set(rows) >= set(keys)
    assert code == (1 if others else 0), between.said
    for key in others:
        assert key in between.said
        assert "DELETE FROM" in between.said
    assert len(others) == (1 if count < 20 else 2)
    assert healthy.sql(f"SELECT COUNT(*) FROM {TABLE}") == [(len(rows),)]
