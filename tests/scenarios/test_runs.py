"""The record of real runs: what was planned, done and proven, with the clouds' own ids."""

import json

from tests.scenarios.conftest import Installation, kill


def test_runs_show_what_up_and_down_did(installation: Installation) -> None:
    installation.run("up")
    installation.run("up")
    installation.run("down")
    listed = json.loads(installation.run("runs", "--format", "json").stdout)
    assert [(row["command"], row["ended"]) for row in listed] == [
        ("down", "done"),
        ("up", "done"),
        ("up", "done"),
    ]
    assert [row["changes"] > 0 for row in listed] == [True, False, True]
    first = json.loads(installation.run("runs", "--show", listed[2]["run"], "--format", "json").stdout)
    changes = [row for row in first if "change" in row]
    assert all(all(row["references"]) for row in changes)
    rules = [row for row in changes if row["change"] == "s3:PutBucketNotificationConfiguration"]
    assert [row["before"] for row in rules] == [{}]
    assert {row["step"] for row in first if "checks" in row} == {1, 2, 3, 4, 5}
    text = installation.run("runs", "--show", "latest").stdout
    assert "DROP STORAGE INTEGRATION IF EXISTS SNOWPLOW_S3" in text
    diff = installation.run("runs", "--diff", f"{listed[1]['run']}..{listed[2]['run']}").stdout
    assert "+change    iam:CreateRole: the role does not exist" in diff


def test_a_run_that_was_killed_says_what_it_meant_to_do(installation: Installation) -> None:
    running = installation.started("up")
    while running.poll() is None and len(installation.writes_since(0)) < 5:
        pass
    kill(running)
    [found] = json.loads(installation.run("runs", "--format", "json").stdout)
    assert found["ended"] == "cut off"
    assert "plan      step 1: iam:CreatePolicy" in installation.run("runs", "--show", "latest").stdout


def test_runs_needs_no_cloud_and_starts_none(installation: Installation) -> None:
    before = len(installation.requests())
    assert "no runs on record" in installation.run("runs").stdout
    assert len(installation.requests()) == before
