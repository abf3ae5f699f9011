"""The main job, from outside: the steps as processes, their rows, their idempotence."""

import gzip
import json
import subprocess

import junitparser
import pytest

from tests.scenarios.conftest import Installation

STEPS = ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake", "step5-aws")


def test_the_steps_one_by_one_then_again_change_nothing(installation: Installation) -> None:
    for step in STEPS:
        installation.run(step)
    before = installation.control("GET", "/requests?since=0")["next"]
    for step in STEPS:
        assert "nothing to change" in installation.run(step).stdout
    assert installation.writes_since(before) == []


def test_a_dry_run_and_a_plan_write_nothing_and_say_what_is_known_later(installation: Installation) -> None:
    plan = installation.run("plan").stdout
    assert "known after step 2" in plan
    assert "CREATE STORAGE INTEGRATION" in plan
    assert "aws iam create-role" in plan
    installation.run("up", "--dry-run")
    assert installation.writes_since(0) == []
    machine = json.loads(installation.run("plan", "--format", "json").stdout)
    assert [row["step"] for row in machine] == [1, 2, 3, 4, 5]


def test_a_plan_of_a_finished_installation_is_empty(healthy: Installation) -> None:
    machine = json.loads(healthy.run("plan", "--format", "json").stdout)
    assert [row["changes"] for row in machine] == [[], [], [], [], []]


def test_a_queue_that_does_not_let_s3_in_yet_is_waited_for(installation: Installation) -> None:
    put = {"operation": "s3:PutBucketNotificationConfiguration", "times": 1}
    installation.control("PUT", "/faults", {"unready_destination": put, "conflict": put})
    told = installation.run("up").stderr
    assert "Unable to validate the following destination configurations" in told
    assert "OperationAborted" in told
    assert "trying again in 3 s" in told
    installation.assert_healthy()


def test_what_was_just_made_is_waited_for_until_it_is_seen(installation: Installation) -> None:
    def late(**times: int) -> None:
        faults = [{"operation": name.replace("_", ":"), "times": n} for name, n in times.items()]
        installation.control("PUT", "/faults", {"unseen": faults})

    late(iam_AttachRolePolicy=1, iam_GetPolicy=2)  # the first GetPolicy is the plan's: it is not there yet
    told = installation.run("step1-aws").stderr
    assert "iam:AttachRolePolicy: NoSuchEntity" in told
    assert "iam:CreatePolicy: made, and not seen yet" in told
    installation.run("step2-snowflake", "step3-aws", "step4-snowflake")
    late(s3_GetBucketNotificationConfiguration=3)  # the plan's, the one before the write, the one after it
    told = installation.run("step5-aws").stderr
    assert "s3:PutBucketNotificationConfiguration: made, and not seen yet" in told
    installation.assert_healthy()


def test_a_step_too_early_names_the_step_it_waits_for(installation: Installation) -> None:
    assert "Step 1" in installation.run("step3-aws", expect=2).stderr
    installation.run("step2-snowflake")
    assert "Step 3" in installation.run("step4-snowflake", expect=2).stderr


def test_files_arriving_are_rows_in_their_tables(healthy: Installation) -> None:
    from snowpipe_sandbox.snowplow.hard_cases import bad_documents, weird_events

    events = [case.line for case in weird_events()]
    bad = [case.line for case in bad_documents()]
    healthy.put("events", "a.gz", gzip.compress(b"\n".join(events) + b"\n"))
    healthy.put("events_bad", "b.gz", gzip.compress(b"\n".join(bad)))
    healthy.put("events", "not-announced.txt", b"no suffix, no event")
    healthy.settle()
    rows = healthy.sql("SELECT * FROM RAW.SNOWPLOW.EVENTS ORDER BY _file_row")
    assert [row[:131] for row in rows] == [
        tuple(value or None for value in line.decode().split("\t")) for line in events
    ]
    documents = healthy.sql("SELECT document FROM RAW.SNOWPLOW.EVENTS_BAD ORDER BY _file_row")
    assert [json.loads(row[0]) for row in documents] == [json.loads(line) for line in bad]
    healthy.assert_healthy()


def test_verify_speaks_json_and_junit(healthy: Installation) -> None:
    found = healthy.verify()
    assert found["healthy"] is True
    assert found["root_causes"] == []
    path = healthy.folder / "verify.xml"
    healthy.run("verify", "--format", "junit", "--output", str(path))
    suite = next(iter(junitparser.JUnitXml.fromfile(str(path))))
    assert suite.tests == len(found["checks"])
    assert suite.failures == suite.errors == 0


def test_the_aws_command_sees_role_trust_policy_and_rules(healthy: Installation) -> None:
    def aws(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            ["aws", *arguments, "--output", "json"],
            env=healthy.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    role = aws("iam", "get-role", "--role-name", "snowflake-read-role")["Role"]
    statements = role["AssumeRolePolicyDocument"]["Statement"]  # type: ignore[index]
    assert len(statements) == 1
    assert "sts:ExternalId" in statements[0]["Condition"]["StringEquals"]
    rules = aws("s3api", "get-bucket-notification-configuration", "--bucket", healthy.settings.aws.bucket)[
        "QueueConfigurations"
    ]
    assert len(rules) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"INVOKE_AWS_BUCKET": "Not A Bucket"}, "aws.bucket"),
        ({"INVOKE_AWS_ACCOUNT_ID": "999999999999"}, "999999999999"),
        ({"INVOKE_SNOWFLAKE_ACCOUNT": "OTHER"}, "OTHER"),
        ({"INVOKE_SNOWFLAKE_PIPE_ROLE": "x"}, ""),
    ],
)
def test_wrong_settings_end_in_one_paragraph(
    installation: Installation, overrides: dict[str, str], says: str
) -> None:
    installation.environment.update(overrides)
    done = installation.run("up", expect=None)
    if says:
        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert installation.writes_since(0) == []
