"""Backfill from outside: what is missing is loaded once, and nothing is ever there twice."""

import gzip
import json
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from tests.scenarios.conftest import Installation, kill
from tests.scenarios.test_two_people import alone_on_snowflake

TABLE = "RAW.SNOWPLOW.EVENTS"
PIPE = "RAW.SNOWPLOW.EVENTS_PIPE"


def event_id(name: str, row: int) -> str:
    """The id of a row of a file: Enrich lets none pass that is not a UUID."""
    return str(uuid5(NAMESPACE_URL, f"{name}-{row}"))


def event(name: str, row: int) -> bytes:
    """One well-formed event of 131 fields, its event_id its own."""
    fields = [""] * 131
    fields[0], fields[6] = "web", event_id(name, row)
    return "\t".join(fields).encode()


def put(at: Installation, *names: str, rows: int = 2) -> list[str]:
    return [
        at.put("events", name, gzip.compress(b"\n".join(event(name, row) for row in range(rows)) + b"\n"))
        for name in names
    ]


def silence(at: Installation) -> None:
    """Nobody tells the pipes about new files any more."""
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket, NotificationConfiguration={}
    )


def backfill(at: Installation, *arguments: str, expect: int | None = 0) -> Any:
    """The first stream's part of the JSON."""
    done = at.run(
        "backfill", "--pattern", ".*enriched.*", "--format", "json", *arguments, expect=expect, timeout=60
    )
    return json.loads(done.stdout)["streams"][0]


def classes(found: Any) -> dict[str, int]:
    counts = {name: row["files"] for name, row in found["classes"].items()}
    assert sum(counts.values()) == found["matched"]["files"]
    return counts


def rows_by_file(at: Installation) -> dict[str, int]:
    return dict(at.sql(f"SELECT _file, COUNT(*) FROM {TABLE} GROUP BY _file"))


def assert_once(at: Installation, keys: list[str], rows: int = 2) -> None:
    assert rows_by_file(at) == dict.fromkeys(keys, rows)
    assert at.sql(f"SELECT COUNT(*) - COUNT(DISTINCT event_id) FROM {TABLE}") == [(0,)]


def definition(at: Installation) -> str:
    rows = at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW")
    found: str = next(row[4] for row in rows if row[1] == "EVENTS_PIPE")
    return found


def requests_so_far(at: Installation) -> int:
    found: int = at.control("GET", "/requests?since=0")["next"]
    return found


def until(running: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    """Until something is so, or the command has ended."""
    deadline = time.monotonic() + 30
    while running.poll() is None and time.monotonic() < deadline and not condition():
        time.sleep(0.005)


def test_files_from_before_the_pipe_are_loaded_once_and_a_second_run_finds_nothing(
    installation: Installation,
) -> None:
    keys = put(installation, "a.gz", "b.gz", "c.gz")
    installation.advance(minutes=1)
    installation.run("up")
    found = backfill(installation)
    assert classes(found) == {"before_pipe": 3}
    assert (found["loaded"]["files"], found["loaded"]["rows"]) == (3, 6)
    assert found["missing"] == []
    runs = list((installation.folder / "runbook" / "runs").glob("*.jsonl"))
    journal = [json.loads(line) for run in runs for line in run.read_text().splitlines()]
    (asked,) = [line for line in journal if "asked" in line]
    assert (asked["asked"]["pattern"], asked["files"]) == (".*enriched.*", 3)
    for run in runs:  # what is true stands in the histories
        run.unlink()
    again = backfill(installation)
    assert classes(again) == {"loaded_by_pipe": 3}
    assert again["to_load"]["files"] == 0
    assert_once(installation, keys)


@pytest.mark.slow
def test_what_a_pipe_loaded_stays_once_even_when_it_is_replaced_and_the_documented_advice_doubles_it(
    healthy: Installation,
) -> None:
    keys = put(healthy, "piped-1.gz", "piped-2.gz")
    healthy.settle()
    silence(healthy)
    keys += put(healthy, "silent-1.gz")
    healthy.advance(hours=1)
    assert classes(backfill(healthy)) == {"loaded_by_pipe": 2, "never_notified": 1}

    # the pipe is made anew by somebody, and has forgotten what it loaded
    healthy.sql(
        f"CREATE OR REPLACE PIPE {PIPE} AUTO_INGEST = TRUE AS {definition(healthy)}", "SNOWPLOW_LOADER"
    )
    healthy.advance(minutes=1)
    keys += put(healthy, "silent-2.gz")
    healthy.advance(hours=1)
    found = backfill(healthy)
    assert classes(found) == {"loaded_by_earlier_pipe": 2, "in_table": 1, "never_notified": 1}
    healthy.settle()
    assert_once(healthy, keys)

    # why backfill exists: the pipe's COPY, run by hand, knows nothing of what the pipe did
    healthy.sql(definition(healthy), "SYSADMIN")
    assert rows_by_file(healthy) == dict.fromkeys(keys, 4)


@pytest.mark.slow
def test_a_pattern_takes_what_it_names_a_dry_run_writes_nothing_and_what_is_wrong_is_refused(
    healthy: Installation,
) -> None:
    silence(healthy)
    (old,) = put(healthy, "day=0/old.gz")
    healthy.advance(days=70)
    put(healthy, "day=1/a.gz", "day=1/b.gz", "day=11/a.gz", "day=1/note.txt")
    healthy.advance(hours=1)
    before = requests_so_far(healthy)

    def refused(*arguments: str) -> str:
        return " ".join(healthy.run("backfill", *arguments, expect=2).stderr.split())

    assert "regular expression" in refused("--pattern", "*.gz")
    assert "--since" in refused("--pattern", ".*", "--since", "yesterday")
    assert [row for row in healthy.requests()[before:] if row["cloud"] == "snowflake"] == []
    assert "would match 2" in refused("--pattern", "a[.]gz")
    assert "No file is of the time" in refused("--pattern", ".*", "--since", "2999-01-01")
    assert "--max-files 4" in refused("--pattern", ".*", "--max-files", "1")

    found = backfill(healthy, "--dry-run")
    assert healthy.writes_since(before) == []
    assert classes(found) == {"never_notified": 4, "other_suffix": 1}
    assert found["loaded"] is None
    copy, *refreshes = found["statements"]
    assert "FILES = ('day=0/old.gz')" in copy
    assert "LOAD_UNCERTAIN_FILES = TRUE" in copy
    assert any("REFRESH PREFIX = 'day=11/a.gz'" in text for text in refreshes)
    assert set(found) == {
        *("account_usage", "classes", "files_as_of", "first", "known_since", "loaded", "matched"),
        *("missing", "statements", "stream", "table", "to_load"),
    }

    healthy.run("backfill", "--pattern", ".*/day=1/.*")
    prefix = healthy.stream("events").prefix
    assert set(rows_by_file(healthy)) == {f"{prefix}day=1/a.gz", f"{prefix}day=1/b.gz"}
    assert old not in rows_by_file(healthy)


def test_failed_and_changed_files_are_named_and_replaced_only_when_asked(healthy: Installation) -> None:
    (whole,) = put(healthy, "whole.gz")
    broken = healthy.put("events", "broken.gz", b"\x1f\x8b no gzip")
    healthy.settle()
    healthy.advance(minutes=1)
    put(healthy, "whole.gz", rows=3)
    put(healthy, "broken.gz")
    healthy.settle()
    healthy.advance(hours=1)
    found = backfill(healthy, expect=1)
    assert classes(found) == {"changed": 1, "failed": 1}
    reasons = {row["key"]: row["reason"] for row in found["missing"]}
    assert "2 rows are in the table" in reasons[whole]
    assert "--reload-failed" in reasons[broken]
    assert rows_by_file(healthy) == {whole: 2}
    found = backfill(healthy, "--reload-failed")
    assert (found["loaded"]["files"], found["loaded"]["rows_twice"]) == (2, 0)
    assert rows_by_file(healthy) == {whole: 3, broken: 2}

    # a file that does not load any more loses none of its former rows
    healthy.advance(minutes=1)  # S3's LAST_MODIFIED is of whole seconds
    healthy.put("events", "whole.gz", b"\x1f\x8b no gzip")
    found = backfill(healthy, "--reload-failed", expect=1)
    assert "former rows were kept" in found["missing"][0]["reason"]
    assert rows_by_file(healthy) == {whole: 3, broken: 2}

    # killed between DELETE and COMMIT: the former rows, or the new ones
    healthy.advance(minutes=1)
    put(healthy, "whole.gz", rows=5)
    healthy.control("POST", "/faults", {"latency_ms": 100})
    before = requests_so_far(healthy)
    running = healthy.started("backfill", "--pattern", ".*", "--reload-failed")
    until(running, lambda: any("DELETE" in text for text in healthy.writes_since(before)))
    kill(running)
    healthy.control("DELETE", "/faults")
    assert rows_by_file(healthy)[whole] in (3, 5)


@pytest.mark.slow
def test_days_weeks_and_a_year_later_everything_is_known_and_loaded_once(healthy: Installation) -> None:
    keys = put(healthy, "piped.gz")
    healthy.settle()
    healthy.advance(minutes=1)  # after the pipe's last load: files are listed by whole seconds
    silence(healthy)
    for days in (8, 15, 65, 380):
        keys += put(healthy, f"silent-{days}.gz")
        healthy.advance(days=days)
        found = backfill(healthy)
        assert found["classes"]["never_notified"]["copy"] == found["loaded"]["files"] == 1
        assert_once(healthy, keys)
    assert backfill(healthy)["to_load"]["files"] == 0


def test_killed_or_two_at_once_each_file_is_loaded_once(healthy: Installation) -> None:
    silence(healthy)
    keys = put(healthy, *(f"old-{n}.gz" for n in range(3)))
    healthy.advance(days=10)
    keys += put(healthy, *(f"new-{n}.gz" for n in range(3)))
    healthy.advance(hours=1)
    for writes in (1, 2, 3):
        before = requests_so_far(healthy)
        running = healthy.started("backfill", "--pattern", ".*", "--yes")
        until(running, lambda: len(healthy.writes_since(before)) >= writes)  # noqa: B023 (asked at once)
        kill(running)
    healthy.settle()
    both = [healthy.started("backfill", "--pattern", ".*") for _ in range(2)]
    assert [running.wait(timeout=60) for running in both] == [0, 0]
    assert_once(healthy, keys)

    keys += put(healthy, *(f"later-{n}.gz" for n in range(5)))
    healthy.advance(days=10)
    keys += put(healthy, *(f"last-{n}.gz" for n in range(5)))
    healthy.advance(hours=1)
    both = [healthy.started("backfill", "--pattern", ".*") for _ in range(2)]
    assert [running.wait(timeout=60) for running in both] == [0, 0]
    assert_once(healthy, keys)


def test_ctrl_c_lets_the_running_statements_end_and_the_next_run_goes_on(healthy: Installation) -> None:
    silence(healthy)
    keys = put(healthy, "old.gz")
    healthy.advance(days=70)
    keys += put(healthy, "younger.gz")
    healthy.advance(days=20)
    keys += put(healthy, "young.gz")
    healthy.advance(hours=1)
    healthy.control("POST", "/faults", {"latency_ms": 150})
    before = requests_so_far(healthy)
    running = healthy.started("backfill", "--pattern", ".*")
    until(running, lambda: any("USE ROLE SYSADMIN" in row["text"] for row in healthy.requests()[before:]))
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) == 4
    healthy.control("DELETE", "/faults")
    begun = rows_by_file(healthy)
    assert set(begun) <= set(keys[:2]), "nothing was begun after Ctrl-C"
    assert begun, "what was running ended"
    assert backfill(healthy)["loaded"]["files"] == len(keys) - len(begun)
    assert_once(healthy, keys)


def test_a_paused_pipe_keeps_its_files_and_an_emptied_table_is_filled_only_when_asked(
    healthy: Installation,
) -> None:
    healthy.run("pause", "--stream", "events")
    keys = put(healthy, "announced.gz")
    healthy.advance(hours=1)
    healthy.settle()
    assert classes(backfill(healthy, expect=1)) == {"waiting": 1}
    healthy.advance(days=9)
    found = backfill(healthy, expect=1)
    assert classes(found) == {"waiting": 1}
    assert "invoke resume" in found["missing"][0]["reason"]
    healthy.run("resume", "--stream", "events")
    healthy.settle()
    assert_once(healthy, keys)

    healthy.sql(f"TRUNCATE TABLE {TABLE}")
    healthy.advance(hours=3)
    assert classes(backfill(healthy, expect=1)) == {"rows_gone": 1}
    assert backfill(healthy, "--reload-gone")["loaded"]["files"] == 1
    assert_once(healthy, keys)


@pytest.mark.slow
def test_files_are_listed_with_aws_credentials_and_without_them_through_the_stage(
    healthy: Installation,
) -> None:
    silence(healthy)
    put(healthy, "odd name+é%.gz", "plain.gz")
    healthy.advance(hours=1)
    before = requests_so_far(healthy)
    found = backfill(healthy, "--dry-run")
    asked = healthy.requests()[before:]
    assert not [row for row in asked if row["text"].startswith("LIST ")]
    people = healthy.settings.aws.account_id
    assert [row for row in asked if "ListObjects" in row["operation"] and people in row["caller"]], {
        row["operation"] for row in asked
    }

    nobody = alone_on_snowflake(healthy)
    before = requests_so_far(healthy)
    said = nobody.run("backfill", "--pattern", ".*enriched.*", "--dry-run", "--format", "json")
    assert "through the stage" in said.stderr
    assert json.loads(said.stdout)["streams"] == [found]
    assert [row for row in healthy.requests()[before:] if row["text"].startswith("LIST ")]
    assert healthy.writes_since(before) == []
