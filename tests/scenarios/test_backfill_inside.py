"""`backfill --engine snowflake`: the plan that this machine makes, from what Snowflake compares itself."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import (
    PIPE,
    TABLE,
    assert_once,
    backfill,
    classes,
    definition,
    event,
    put,
    requests_so_far,
    rows_by_file,
    silence,
)
from tests.scenarios.test_bad_input import connections, with_role

DIRECTORY = "RAW.SNOWPLOW.ENRICHED_DIRECTORY"


@pytest.fixture
def listed(healthy: Installation) -> Installation:
    """A healthy installation whose settings name a stage with a directory table."""
    healthy.environment["INVOKE_STREAMS_EVENTS_DIRECTORY_STAGE"] = "ENRICHED_DIRECTORY"
    healthy.sql(
        f"CREATE STAGE {DIRECTORY} URL = '{healthy.stream('events').url}' "
        f"STORAGE_INTEGRATION = {healthy.settings.snowflake.integration} DIRECTORY = (ENABLE = TRUE)"
    )
    healthy.sql(f"GRANT USAGE ON STAGE {DIRECTORY} TO ROLE SYSADMIN")
    return healthy


def refreshed(at: Installation) -> None:
    at.sql(f"ALTER STAGE {DIRECTORY} REFRESH")


def both(at: Installation, *arguments: str, pattern: str = ".*") -> Any:
    """The plan of a dry run, which is the same by either engine."""
    refreshed(at)
    asked = ("--pattern", pattern, "--stream", "events", "--dry-run", "--format", "json", *arguments)
    local, inside = (
        json.loads(at.run("backfill", *asked, "--engine", engine).stdout)["streams"][0]
        for engine in ("local", "snowflake")
    )
    assert inside.pop("files_as_of")
    assert local.pop("files_as_of") is None
    assert inside == local
    return inside


def history_of_many_kinds(at: Installation) -> list[str]:
    """Two pipes one after the other, silence, failures, files changed and emptied, and days between."""
    put(at, "piped-1.gz", "piped-2.gz", "piped-3.gz")
    at.put("events", "empty.gz", b"")
    at.put("events", "readme.txt", b"no event")
    at.put("events", "broken.gz", b"\x1f\x8b no gzip")
    at.settle()
    silence(at)
    missing = put(at, "old-1.gz", "old-2.gz")
    at.advance(days=9)
    at.sql(f"CREATE OR REPLACE PIPE {PIPE} AUTO_INGEST = TRUE AS {definition(at)}", "SNOWPLOW_LOADER")
    at.advance(hours=1)
    at.put("events", "piped-1.gz", gzip.compress(event("changed", 1) + b"\n"))
    at.sql(f"DELETE FROM {TABLE} WHERE _file LIKE '%piped-2.gz'")
    missing += put(at, "dt=1/young-1.gz", "dt=1/young-2.gz", "dt=2/young-3.gz")
    at.advance(hours=1)
    put(at, "dt=2/just-arrived.gz")
    return missing


def test_both_engines_make_the_same_plan_and_load_the_same_once(listed: Installation) -> None:
    missing = history_of_many_kinds(listed)
    found = both(listed)
    assert {"failed", "changed", "rows_gone", "empty", "other_suffix", "never_notified"} <= classes(
        found
    ).keys()
    assert found["to_load"]["files"] == len(missing)
    in_a_few_days = (datetime.now(UTC) + timedelta(days=4)).date().isoformat()
    for arguments in (
        ("--reload-failed",),
        ("--reload-gone",),
        ("--since", in_a_few_days),
        ("--until", in_a_few_days),
    ):
        both(listed, *arguments)
    both(listed, pattern=".*/dt=[12]/young-[0-9].*[.]gz")
    both(listed, pattern=".*piped.*")
    done = backfill(listed, "--stream", "events", "--engine", "snowflake", expect=1)
    assert done["loaded"]["files"] == len(missing)
    assert done["loaded"]["rows"] == 2 * len(missing)
    assert {row["class"] for row in done["missing"]} == {"failed", "changed", "rows_gone"}
    again = both(listed)
    assert again["to_load"]["files"] == 0


def test_what_14_days_have_forgotten_is_known_once_the_year_s_history_may_be_read(
    listed: Installation, tmp_path: Path
) -> None:
    listed.environment["SNOWFLAKE_HOME"] = connections(listed, tmp_path / "owner", with_role("SYSADMIN"))
    loaded = put(listed, "loaded.gz", "gone.gz")
    listed.put("events", "broken.gz", b"\x1f\x8b no gzip")
    listed.settle()
    silence(listed)
    missing = put(listed, "silent.gz")
    listed.sql(f"DELETE FROM {TABLE} WHERE _file = '{loaded[1]}'")
    listed.advance(days=20)
    blind = both(listed)
    # what came before the oldest row may have been loaded by the pipe, and no history says
    assert classes(blind) == {"in_table": 1, "rows_gone": 2, "never_notified": 1}
    assert not blind["account_usage"]

    listed.sql("GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE SYSADMIN")
    seeing = both(listed)
    assert seeing["account_usage"]
    assert classes(seeing) == {"loaded_by_pipe": 1, "rows_gone": 1, "failed": 1, "never_notified": 1}
    done = backfill(listed, expect=1)
    assert (done["loaded"]["files"], done["loaded"]["rows"]) == (1, 2)
    assert rows_by_file(listed) == dict.fromkeys([loaded[0], *missing], 2)
    assert {row["key"].rsplit("/")[-1]: row["class"] for row in done["missing"]} == {
        "gone.gz": "rows_gone",
        "broken.gz": "failed",
    }


ASKED = ("backfill", "--pattern", ".*", "--stream", "events", "--engine", "snowflake")


def test_a_file_the_directory_table_does_not_know_is_left_to_its_next_refresh(listed: Installation) -> None:
    silence(listed)
    known = put(listed, "known.gz")
    listed.advance(hours=1)
    refreshed(listed)
    later = put(listed, "later.gz")
    listed.advance(days=8)
    before = requests_so_far(listed)
    dry = listed.run(*ASKED, "--dry-run")
    assert listed.writes_since(before) == []
    assert "later ones are not in this plan" in " ".join(dry.stdout.split())
    assert "later.gz" not in dry.stdout
    done = listed.run(*ASKED)
    assert "1 file loaded, 2 rows" in done.stdout
    assert_once(listed, known)
    refreshed(listed)
    listed.run(*ASKED)
    assert_once(listed, known + later)


def test_a_directory_table_that_cannot_serve_is_refused_with_what_makes_it(healthy: Installation) -> None:
    def refused(text: str) -> None:
        done = healthy.run(*ASKED, expect=2)
        assert text in " ".join(done.stderr.split())

    refused("streams.events.directory_stage is missing")
    refused("CREATE STAGE RAW.SNOWPLOW.ENRICHED_STAGE_DIRECTORY URL = 's3://")
    healthy.environment["INVOKE_STREAMS_EVENTS_DIRECTORY_STAGE"] = "ENRICHED_DIRECTORY"
    refused("does not exist")
    integration = healthy.settings.snowflake.integration
    make = f"CREATE OR REPLACE STAGE {DIRECTORY} STORAGE_INTEGRATION = {integration} URL ="
    healthy.sql(f"{make} '{healthy.stream('events_bad').url}' DIRECTORY = (ENABLE = TRUE)")
    healthy.sql(f"GRANT USAGE ON STAGE {DIRECTORY} TO ROLE SYSADMIN")
    refused("and the stream's files are in")
    healthy.sql(f"{make} '{healthy.stream('events').url}'")
    healthy.sql(f"GRANT USAGE ON STAGE {DIRECTORY} TO ROLE SYSADMIN")
    refused("has no directory table")
    healthy.sql(f"ALTER STAGE {DIRECTORY} SET DIRECTORY = (ENABLE = TRUE)")
    refused("was never refreshed")
