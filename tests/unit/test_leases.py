"""Leases: what a comment says, when one is over, and a request that is done only in time. No clouds."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook.loading import leases, processes
from runbook.plan import SqlChange
from runbook.settings import Settings
from runbook.sql import statements

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAME = f"{leases.PREFIX}{'A' * 32}"
SAID = {
    "pipe": "RAW.SNOWPLOW.EVENTS_PIPE",
    "command": "refresh",
    "who": "ANN@X",
    "run": "r1",
    "process": "",
    "alone": False,
    "seconds": 120,
}


def row(comment: str | None = None, name: str = NAME, **said: Any) -> dict[str, Any]:
    text = leases.MARK + json.dumps(SAID | said) if comment is None else comment
    place = {"database_name": "RAW", "schema_name": "SNOWPLOW", "name": name}
    return {"created_on": NOW, "comment": text, **place}


def test_a_lease_is_over_after_its_time_and_what_was_sent_in_its_last_moment() -> None:
    lease = leases.read(row())
    assert lease.until == NOW + timedelta(seconds=120)
    assert not lease.is_over(lease.until + leases.GRACE)
    assert lease.is_over(lease.until + leases.GRACE + timedelta(seconds=1))


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "x",
        *(leases.MARK + text for text in ("{}", "[1]", "null", "[" * 100_000)),
        leases.MARK + json.dumps(SAID).replace("120", "Infinity"),
        leases.MARK + json.dumps(SAID).replace("120", "NaN"),
    ],
    ids=str.__len__,
)
def test_a_lease_that_cannot_be_read_is_in_everybodys_way_for_its_time(
    settings: Settings, comment: str
) -> None:
    (lease,) = leases.of_pipe([row(comment)], settings.streams[1].pipe)
    assert lease.alone
    assert not lease.is_over(NOW + timedelta(hours=1))
    assert lease.is_over(NOW + timedelta(hours=2))


def test_a_lease_counts_for_its_own_pipe_however_long_its_name(settings: Settings) -> None:
    mine, other = (stream.pipe for stream in settings.streams[:2])
    assert leases.of_pipe([row(pipe=mine.sql)], mine)
    assert not leases.of_pipe([row(pipe=mine.sql)], other)
    assert leases.read(row(pipe="A" * 400)).pipe == "A" * 400


@pytest.mark.parametrize("name", ["THEIRS", leases.PREFIX, f"{NAME}; DROP TABLE X", f"{NAME}B", NAME.lower()])
def test_what_is_not_named_as_a_lease_is_none(settings: Settings, name: str) -> None:
    assert leases.of_pipe([row(name=name)], settings.streams[0].pipe) == []


def test_no_lease_says_that_it_goes_on_for_ever() -> None:
    assert leases.read(row(seconds=10**9)).seconds == leases.LONGEST_S
    assert leases.read(row(seconds=-5)).seconds == 0


def test_a_guarded_request_is_one_statement_whatever_stands_in_it() -> None:
    sql = "USE ROLE R;\nALTER PIPE P REFRESH PREFIX = 'o''clock; $$ \\\\';"
    found = statements(leases.guarded(SqlChange("x.sql", sql, "why"), leases.read(row())).sql)
    assert found[0] == "USE ROLE R"
    (block,) = found[1:]
    assert block.startswith("EXECUTE IMMEDIATE 'BEGIN")
    inner = block.removeprefix("EXECUTE IMMEDIATE '")[:-1].replace("''", "'").replace("\\\\", "\\")
    assert statements(sql)[1] in inner
    assert inner.index("2026-01-31 12:02:00") < inner.index("ALTER PIPE")


def test_a_process_that_has_ended_is_gone_and_this_one_is_not() -> None:
    here = processes.this()
    if not here:
        pytest.skip("the system does not say when a process was started")
    assert not processes.is_gone(here)
    machine, _, started = here.split(" ")
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert processes.is_gone(f"{machine} {child.pid} 1")
    assert processes.is_gone(f"{machine} {os.getpid()} {int(started) - 1}")
    assert not processes.is_gone(f"elsewhere {child.pid} 1")
    assert not processes.is_gone("")
