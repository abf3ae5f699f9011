"""replace-pipe from outside: a changed COPY comes live, and nothing is lost, repeated or forgotten."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from runbook.errors import NotConverged, Refused
from tests.scenarios.conftest import PYTHON, ROOT, Installation
from tests.scenarios.killing import Killer, every, writing
from tests.scenarios.test_backfill import (
    PIPE,
    TABLE,
    assert_once,
    definition,
    event_id,
    put,
    requests_so_far,
    silence,
)

OLD = "ON_ERROR = CONTINUE"


def by_hand(at: Installation, old: str = OLD) -> None:
    """The pipe as somebody made it: with another COPY than the one in sql/step4_snowflake."""
    text = definition(at).replace("ON_ERROR = SKIP_FILE", old)
    at.sql(f"CREATE OR REPLACE PIPE {PIPE} AUTO_INGEST = TRUE COMMENT = 'ours' AS {text}", "SNOWPLOW_LOADER")
    at.sql(f"GRANT MONITOR, OPERATE ON PIPE {PIPE} TO ROLE SNOWPLOW_OPERATOR", "SNOWPLOW_LOADER")


def shown(at: Installation) -> dict[str, Any]:
    """Everything about the pipe that must be as it was."""
    pipe = next(row for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    return {
        "owner": pipe[5],
        "channel": pipe[6],
        "comment": pipe[7],
        "grants": sorted(row[1:8:2] for row in at.sql(f"SHOW GRANTS ON PIPE {PIPE}")),
        "parameters": sorted((row[0], row[1], row[3]) for row in at.sql(f"SHOW PARAMETERS IN PIPE {PIPE}")),
    }


def replace_pipe(at: Installation, *arguments: str, expect: int | None = 0) -> Any:
    done = at.run("replace-pipe", "--stream", "events", "--format", "json", *arguments, expect=expect)
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_a_changed_copy_comes_live_with_everything_else_as_it_was(healthy: Installation) -> None:
    by_hand(healthy)
    healthy.sql("CREATE ROLE WATCHER")
    healthy.sql(f"GRANT MONITOR ON PIPE {PIPE} TO ROLE WATCHER WITH GRANT OPTION", "SNOWPLOW_LOADER")
    healthy.sql(f"ALTER PIPE {PIPE} SET LOG_EVENT_LEVEL = 'ERROR'", "ACCOUNTADMIN")
    so_far = requests_so_far(healthy)
    said = " ".join(replace_pipe(healthy, expect=Refused.exit_code).split())
    assert "GRANT MODIFY LOG EVENT LEVEL ON ACCOUNT TO ROLE SNOWPLOW_LOADER" in said
    assert not any("CREATE OR REPLACE" in str(row) for row in healthy.writes_since(so_far))
    healthy.sql("GRANT MODIFY LOG EVENT LEVEL ON ACCOUNT TO ROLE SNOWPLOW_LOADER", "ACCOUNTADMIN")
    keys = put(healthy, "loaded-1.gz", "loaded-2.gz")
    healthy.settle()
    healthy.advance(minutes=1)
    before, so_far = shown(healthy), requests_so_far(healthy)

    planned = replace_pipe(healthy, "--dry-run")
    assert healthy.writes_since(so_far) == []
    assert planned["replace"] is True
    assert set(planned) == {
        *("dry_run", "missing", "pipe", "replace", "since", "statements", "stream", "target", "to_end", "why")
    }
    whole = "\n".join(planned["statements"])
    for text in ("PIPE_EXECUTION_PAUSED = TRUE", "CREATE OR REPLACE PIPE", "LOG_EVENT_LEVEL = 'ERROR'"):
        assert text in whole
    assert "GRANT MONITOR ON PIPE RAW.SNOWPLOW.EVENTS_PIPE TO ROLE WATCHER WITH GRANT OPTION" in whole

    done = replace_pipe(healthy)
    assert done["missing"] == []
    assert "ON_ERROR = SKIP_FILE" in definition(healthy)
    assert shown(healthy) == before
    keys += put(healthy, "after.gz")
    healthy.settle()
    assert_once(healthy, keys)
    healthy.assert_healthy()
    assert replace_pipe(healthy)["to_end"] is False
    told = json.loads(healthy.run("status", "--format", "json").stdout)[0]
    assert (told["in_bucket"], told["never_loaded"]) == (len(keys), 0), told


def test_where_rows_name_no_file_the_pipe_s_own_history_says_what_is_loaded(healthy: Installation) -> None:
    by_hand(healthy)
    loaded = put(healthy, "loaded-1.gz", "loaded-2.gz")
    healthy.settle()
    healthy.sql(f"UPDATE {TABLE} SET _file = NULL WHERE _file LIKE '%loaded-1.gz'")
    so_far = requests_so_far(healthy)
    said = replace_pipe(healthy, expect=Refused.exit_code)
    assert "cannot say which files it holds" in " ".join(said.split())
    assert healthy.writes_since(so_far) == []

    healthy.advance(minutes=40)
    just_loaded = put(healthy, "loaded-3.gz")
    healthy.settle()
    silence(healthy)
    waiting = put(healthy, "waits.gz")
    healthy.advance(seconds=90)
    planned = replace_pipe(healthy, "--dry-run")
    assert any("REFRESH PREFIX = 'waits.gz'" in statement for statement in planned["statements"])
    replace_pipe(healthy)
    healthy.settle()
    rows = dict(healthy.sql(f"SELECT event_id, COUNT(*) FROM {TABLE} GROUP BY event_id"))
    names = [key.rpartition("/")[2] for key in (*loaded, *just_loaded, *waiting)]
    assert rows == {event_id(name, row): 1 for name in names for row in range(2)}
    assert shown(healthy)["comment"] == "ours"


def test_what_waits_in_the_old_queue_is_loaded_and_a_person_s_pause_stays(healthy: Installation) -> None:
    by_hand(healthy)
    keys = put(healthy, "day=1/loaded.gz")
    healthy.settle()
    healthy.advance(minutes=1)
    healthy.sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE", "SNOWPLOW_LOADER")
    keys += put(healthy, "day=1/waits.gz", "day=2/waits.gz")
    healthy.settle()
    before = shown(healthy)
    replace_pipe(healthy)
    assert shown(healthy) == before
    assert_once(healthy, keys[:1])
    healthy.run("resume", "--stream", "events")
    healthy.settle()
    assert_once(healthy, keys)


def test_what_went_to_the_pipe_before_for_a_moment_is_loaded_by_the_next_run(healthy: Installation) -> None:
    by_hand(healthy)
    keys = put(healthy, "loaded.gz")
    healthy.settle()
    healthy.advance(minutes=1)
    silence(healthy)
    keys += put(healthy, "missed.gz")
    healthy.environment["INVOKE_CHECKS_READY_WITHIN_SECONDS"] = "3"
    healthy.control("POST", "/faults", {"replaced_pipe_s": 30})
    assert "missed.gz" in replace_pipe(healthy, expect=4)
    healthy.advance(seconds=31)
    assert replace_pipe(healthy)["missing"] == []
    assert_once(healthy, keys)


ASKED = """
import subprocess, sys
from invoke.main import program
from runbook.running import Run
command, meanwhile = (each.split() for each in sys.argv[1:])
Run.ask = lambda *_: subprocess.run([sys.executable, "-m", "invoke", *meanwhile], check=True)
program.run(["invoke", *command])
"""


def while_asked(at: Installation, command: str, meanwhile: str, expect: int = 0) -> str:
    """The command, and another one that somebody else runs while it waits for an answer."""
    done = subprocess.run(
        [PYTHON, "-c", ASKED, command, meanwhile],
        cwd=ROOT,
        env=at.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stderr


def test_a_refresh_looks_again_when_the_pipe_was_replaced_while_it_asked(healthy: Installation) -> None:
    by_hand(healthy)
    healthy.advance(minutes=1)
    keys = put(healthy, "loaded.gz")
    healthy.settle()
    silence(healthy)
    keys += put(healthy, "new.gz")
    healthy.advance(minutes=20)
    said = while_asked(
        healthy, "refresh --stream events", "replace-pipe --stream events", expect=Refused.exit_code
    )
    assert "a second time" in " ".join(said.split())
    at_once = healthy.run("backfill", "--pattern", ".*", "--stream", "events", expect=NotConverged.exit_code)
    assert "in flight: 1 file, to look at again after" in at_once.stdout
    assert "the pipe was just recreated" in at_once.stderr
    assert_once(healthy, keys[:1])
    healthy.advance(minutes=20)
    healthy.run("backfill", "--pattern", ".*", "--stream", "events")
    assert_once(healthy, keys)


def test_a_pause_that_comes_while_it_asks_stays(healthy: Installation) -> None:
    by_hand(healthy)
    while_asked(healthy, "replace-pipe --stream events", "pause --stream events")
    assert ("PIPE_EXECUTION_PAUSED", "true", "PIPE") in [
        (name, value.lower(), level) for name, value, level in shown(healthy)["parameters"]
    ]


def test_a_file_that_waited_and_fails_is_named(healthy: Installation) -> None:
    by_hand(healthy)
    silence(healthy)
    healthy.advance(minutes=1)
    keys = put(healthy, "waits.gz")
    broken = healthy.put("events", "broken.gz", b"\x1f\x8b\x08 no gzip")
    found = replace_pipe(healthy, expect=1)
    assert [(row["key"], row["class"]) for row in found["missing"]] == [(broken, "failed")]
    assert_once(healthy, keys)


def test_another_queue_is_told_of_by_the_bucket_s_rule_and_nothing_between_is_lost(
    healthy: Installation,
) -> None:
    by_hand(healthy)
    healthy.control("POST", "/faults", {"new_queue_each_time": 1})
    theirs = {"Id": "theirs", "QueueArn": shown(healthy)["channel"], "Events": ["s3:ObjectRemoved:*"]}
    s3, bucket = healthy.aws("s3"), healthy.settings.aws.bucket
    rules = s3.get_bucket_notification_configuration(Bucket=bucket)
    rules.pop("ResponseMetadata")
    rules["QueueConfigurations"].append(theirs)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=rules)
    other = healthy.stream("events_bad").rule_id
    old = {row["Id"]: row["QueueArn"] for row in rules["QueueConfigurations"]}

    said = replace_pipe(healthy, expect=4)
    assert "five minutes" in " ".join(said.split())
    now = {
        row["Id"]: row["QueueArn"]
        for row in s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    }
    mine = healthy.stream("events").rule_id
    assert now == {**old, mine: shown(healthy)["channel"]}
    assert now[mine] != old[mine]
    assert now[other] == old[other]

    silence(healthy)  # the new rule does not work yet
    keys = put(healthy, "between.gz")
    healthy.advance(minutes=6)
    replace_pipe(healthy)
    assert shown(healthy)["comment"] == "ours"
    assert_once(healthy, keys)


def ended(at: Installation) -> None:
    """The replacement run to its end; after a change of the bucket's rule that takes a second run."""
    for _ in range(3):
        code = at.run("replace-pipe", "--stream", "events", expect=None).returncode
        if code == 0:
            return
        assert code == NotConverged.exit_code
        at.advance(minutes=6)
        at.settle()
    raise AssertionError(at.run("replace-pipe", "--stream", "events", "--dry-run", expect=None).stderr)


PARTS = 6
"""Of the runs that are killed at every call, each takes every sixth: together they are minutes."""
KILLED = [
    pytest.param(writing, False, 1, 1, id="writes"),
    *(
        pytest.param(writing, True, first, 2, id=f"writes-another-queue-{first}", marks=pytest.mark.slow)
        for first in (1, 2)
    ),
    *(
        pytest.param(every, queue, first, PARTS, id=f"every-call-{name}{first}", marks=pytest.mark.slow)
        for queue, name in ((False, ""), (True, "another-queue-"))
        for first in range(1, PARTS + 1)
    ),
]


@pytest.mark.parametrize(("counts", "another_queue", "first", "step"), KILLED)
def test_killed_at_every_statement_the_next_run_ends_it_exactly_once(
    healthy: Installation, counts: Callable[[str], bool], another_queue: bool, first: int, step: int
) -> None:
    """One installation, and a replacement killed again and again, a few calls further each time."""
    healthy.sql("CREATE ROLE WATCHER")
    keys: list[str] = []
    number, code = first - step, -9
    while code == -9:
        number += step
        by_hand(healthy)
        healthy.sql(f"GRANT MONITOR ON PIPE {PIPE} TO ROLE WATCHER", "SNOWPLOW_LOADER")
        healthy.settle()
        healthy.advance(minutes=20)
        as_it_was = shown(healthy)
        if another_queue:
            healthy.control("POST", "/faults", {"new_queue_each_time": 1})
        killer = Killer(healthy, number, counts)
        code = killer.run("replace-pipe", "--stream", "events")
        keys += put(healthy, f"day={number}/meanwhile.gz", rows=1)
        ended(healthy)
        healthy.control("POST", "/faults", {})
        is_now = shown(healthy)
        if another_queue:
            assert is_now.pop("channel") != as_it_was.pop("channel"), killer.statements
        assert is_now == as_it_was, killer.statements
        assert "ON_ERROR = SKIP_FILE" in definition(healthy)
        healthy.settle()
        assert_once(healthy, keys, rows=1)
    assert code == (NotConverged.exit_code if another_queue else 0)
    assert number > 5, "it holds, creates, grants twice and ends"


def test_a_stale_pipe_is_resumed_by_force_and_what_its_queue_lost_is_loaded(
    healthy: Installation,
) -> None:
    healthy.run("pause", "--stream", "events")
    keys = put(healthy, "lost.gz")
    healthy.settle()
    healthy.advance(days=12)
    keys += put(healthy, "waits.gz")
    healthy.settle()
    healthy.advance(days=3)
    done = healthy.run("resume", "--stream", "events")
    assert "2 files not in the table" in " ".join(done.stderr.split())
    healthy.settle()
    assert_once(healthy, keys)
    assert healthy.run("resume", "--stream", "events").stdout.strip() == "events: is running already"
