"""What cannot be told is said as that, with the right that is missing, and the rest is told all the same."""

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runbook.facts.aws import right
from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.line import Line, http
from tests.scenarios.test_bad_input import changed, connections, person, said, with_role, without_line

AWS_SIDE = ("step1.", "step5.rule")
READER = "WATCHER"


def verify(at: Installation, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    with changed(at, (), variables):
        done = at.run("verify", "--deep", "--format", "json", *arguments, expect=None)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def unknown(found: dict[str, Any]) -> dict[str, Any]:
    assert not found["healthy"]
    assert found["root_causes"] == [], found
    return {row["id"]: row for row in found["checks"] if row["outcome"] == "unknown"}


def passed(found: dict[str, Any]) -> set[str]:
    return {row["id"] for row in found["checks"] if row["outcome"] == "passed"}


def test_each_reading_right_on_aws_taken_away_is_named(shared: Installation) -> None:
    """Every action verify uses, as the request log has it, is denied in turn to a person who may all else.

    What the files hold need not be everybody's to read: there it is advice.
    """
    shared.put("events_bad", "there.gz", b'{"a": 1}')
    shared.settle()
    iam = shared.aws("iam")
    reads = person(shared, "reads", ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"])
    before = len(shared.requests())
    code, whole = verify(shared, **reads)
    assert code == 0, whole
    operations = {row["operation"] for row in shared.requests()[before:] if "user/reads" in row["caller"]}
    needed = {right(*operation.split(":")) for operation in operations} - {"sts:GetCallerIdentity"}
    assert len(needed) >= 6
    for action in sorted(needed):
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="reads", PolicyName="taken", PolicyDocument=document)
        code, found = verify(shared, **reads)
        if action == "s3:GetObject":
            [advised] = [row for row in found["checks"] if row["outcome"] == "advice"]
            assert (code, advised["id"]) == (0, "delivery.new-files-hold-what-is-read"), found
            assert "grant s3:GetObject on the streams' folders" in advised["remedy"]
            continue
        assert code == 3, (action, found["root_causes"])
        denied = f"ask the policy's owner to exempt you from that Deny: a grant cannot override it ({action})"
        told = {row["remedy"] for row in unknown(found).values()}
        assert told in ({denied}, {f"grant {action}"}), action  # the answer to HEAD has no words
        assert any(name.startswith("step4.") for name in passed(found))


def test_the_documented_rights_of_monitoring_are_those_that_verify_uses(shared: Installation) -> None:
    """A person with just these is told that all is well, and each is used, or is for what is not here."""
    page = (ROOT / "docs" / "runbook.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| monitoring |"))
    documented = set(re.findall(r"`((?:iam|s3|kms|sns|ssm):\w+)`", row.partition("; in Snowflake")[0]))
    shared.put("events_bad", "watched.gz", b'{"a": 1}')
    shared.settle()
    reads = person(shared, "monitor", sorted(documented))
    before = len(shared.requests())
    code, found = verify(shared, **reads)
    assert (code, found["advice"]) == (0, []), found
    operations = {row["operation"] for row in shared.requests()[before:] if "user/monitor" in row["caller"]}
    used = {right(*operation.split(":")) for operation in operations} - {"sts:GetCallerIdentity"}
    assert used <= documented
    elsewhere = ("kms:", "sns:", "ssm:")  # a key of its own, a topic, a handoff in a parameter
    assert {one for one in documented - used if not one.startswith(elsewhere)} <= {"iam:GetRolePolicy"}


def role_session(at: Installation, name: str) -> dict[str, str]:
    """An hour's credentials of a role that may read."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": at.settings.aws.account_id},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = at.aws("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    reading = {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=document)
    made = at.aws("sts").assume_role(RoleArn=role, RoleSessionName="on-call")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }


def test_an_expired_session_on_aws_leaves_snowflake_told(shared: Installation) -> None:
    session = role_session(shared, "watcher")
    shared.advance(hours=2)
    code, found = verify(shared, **session)
    assert code == 3
    rows = unknown(found)
    assert {"step1.role-exists", "step1.policy-exists", "step5.rule-exists"} <= set(rows)
    assert all("ExpiredToken" in row["cause"] for row in rows.values())
    assert {row["remedy"] for row in rows.values()} == {"sign in again, or check AWS_PROFILE"}
    assert {"step2.integration-exists", "step4.pipe-runs", "delivery.files-are-loaded"} <= passed(found)


def test_aws_out_of_reach_leaves_snowflake_told(shared: Installation) -> None:
    code, found = verify(shared, AWS_ENDPOINT_URL=f"http://127.0.0.1:{closed_port()}", AWS_MAX_ATTEMPTS="1")
    assert code == 3
    causes = {row["cause"] for row in unknown(found).values()}
    assert len(causes) == 1
    assert all("AWS cannot be reached" in cause and ": Connection refused" in cause for cause in causes)
    assert {"step2.integration-exists", "step3.snowflake-gets-in", "step4.pipe-runs"} <= passed(found)


def snowflake_at(at: Installation, folder: Path, host: str, port: int, protocol: str = "http") -> str:
    """A SNOWFLAKE_HOME whose connection goes there."""

    def change(text: str) -> str:
        for name, value in (("host", f'"{host}"'), ("protocol", f'"{protocol}"'), ("port", str(port))):
            text = without_line(name, f"{name} = {value}")(text)
        return text

    return connections(at, folder, change)


AWS_ALONE = {"step1.policy-exists", "step1.role-holds-the-policy", "step5.rule-exists"}
SNOWFLAKE_ALONE = {"step2.integration-exists", "step3.snowflake-gets-in", "step4.pipe-runs"}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("refused", "Connection refused"),
        ("unknown name", "nowhere.invalid:443: "),
        ("no TLS", "127.0.0.1:"),
        ("not Snowflake", "404 Not Found"),
    ],
)
def test_snowflake_out_of_reach_leaves_aws_told(
    shared: Installation, tmp_path: Path, place: str, reason: str
) -> None:
    port: int = shared.tenant["snowflake"]["port"]
    nobody = Line(port, 1, lambda _: http(b"{}", "404 Not Found"))
    with nobody as line:
        host, port, protocol = {
            "refused": ("127.0.0.1", closed_port(), "http"),
            "unknown name": ("nowhere.invalid", 443, "https"),
            "no TLS": ("127.0.0.1", port, "https"),
            "not Snowflake": ("127.0.0.1", line.port, "http"),
        }[place]
        code, found = verify(
            shared, SNOWFLAKE_HOME=snowflake_at(shared, tmp_path / "a", host, port, protocol)
        )
    assert code == 3
    causes = {row["cause"] for row in unknown(found).values()}
    assert len(causes) == 1
    assert all("'sandbox' cannot be used: " in cause and reason in cause for cause in causes), causes
    assert passed(found) >= AWS_ALONE


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Line.cut, "Nobody listens on"),
        (
            lambda _: http(b'{"success": false, "code": "390114", "message": "expired.", "data": null}'),
            "Snowflake has ended the session: ",
        ),
    ],
    ids=["cut off", "session ended"],
)
def test_snowflake_lost_in_the_middle_is_one_reason_and_aws_is_told(
    shared: Installation, tmp_path: Path, event: Any, reason: str
) -> None:
    with Line(shared.tenant["snowflake"]["port"], 6, event) as line:
        home = snowflake_at(shared, tmp_path / "line", "127.0.0.1", line.port)
        code, found = verify(shared, SNOWFLAKE_HOME=home)
        assert line.happened
    assert code == 3
    causes = {row["cause"] for row in unknown(found).values()}
    assert len(causes) == 1
    assert all(reason in cause for cause in causes), causes
    assert passed(found) >= AWS_ALONE


def aws_port(at: Installation) -> int:
    found: int = urlsplit(at.tenant["aws"]["endpoint_url"]).port
    return found


def test_aws_cut_off_in_the_middle_leaves_snowflake_told(shared: Installation) -> None:
    with Line(aws_port(shared), 6, Line.cut) as line:
        code, found = verify(shared, AWS_ENDPOINT_URL=f"http://127.0.0.1:{line.port}")
        assert line.happened
    assert code == 3
    rows = unknown(found)
    assert all("AWS cannot be reached for " in row["cause"] for row in rows.values())
    assert {row["remedy"] for row in rows.values()} == {"check the network, and run the command again"}
    assert passed(found) >= SNOWFLAKE_ALONE


def test_an_aws_session_that_ends_in_the_middle_is_one_reason(shared: Installation) -> None:
    session = role_session(shared, "interrupted")
    with Line(aws_port(shared), 6, lambda _: shared.advance(hours=2)) as line:
        code, found = verify(shared, AWS_ENDPOINT_URL=f"http://127.0.0.1:{line.port}", **session)
        assert line.happened
    assert code == 3
    rows = unknown(found)
    assert len({row["cause"] for row in rows.values()}) == 1
    assert all("ExpiredToken" in row["cause"] for row in rows.values())
    assert {row["remedy"] for row in rows.values()} == {"sign in again, or check AWS_PROFILE"}
    alone = SNOWFLAKE_ALONE - {"step3.snowflake-gets-in"}  # Snowflake's own session may have ended with it
    assert passed(found) >= alone


def test_snowflake_that_lets_nobody_in_leaves_aws_told(shared: Installation, tmp_path: Path) -> None:
    def wrong(text: str) -> str:
        return text.replace(shared.tenant["snowflake"]["password"], "WRONG")

    home = connections(shared, tmp_path / "wrong", wrong)
    code, found = verify(shared, SNOWFLAKE_HOME=home)
    assert code == 3
    rows = unknown(found)
    assert {"step2.integration-exists", "step4.pipe-exists", "delivery.files-are-loaded"} <= set(rows)
    assert all("'sandbox' cannot be used" in row["cause"] for row in rows.values())
    assert {"step1.policy-exists", "step1.role-holds-the-policy", "step5.rule-exists"} <= passed(found)


def test_a_failure_is_told_although_the_other_cloud_is_not(shared: Installation, tmp_path: Path) -> None:
    """Exit code 1: something is broken, whatever else cannot be told."""
    shared.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    nothing = person(shared, "nothing", [])
    code, found = verify(shared, **nothing)
    assert code == 1
    assert found["root_causes"] == ["step4.pipe-is-not-paused"]
    assert any(row["outcome"] == "unknown" for row in found["checks"])
    shared.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")


def test_throttled_for_longer_than_is_tried_is_unknown_and_says_try_again(shared: Installation) -> None:
    shared.control("POST", "/faults", {"throttle": {"operation": "iam:GetRole", "times": 50}})
    code, found = verify(shared)
    assert code == 3
    rows = unknown(found)
    assert all("Throttling" in row["cause"] for row in rows.values())
    assert {row["remedy"] for row in rows.values()} == {"run the command again"}
    assert "step1.policy-exists" in passed(found)


def test_both_clouds_closed_is_one_paragraph_and_bad_news_in_every_format(
    shared: Installation, tmp_path: Path
) -> None:
    def wrong(text: str) -> str:
        return text.replace(shared.tenant["snowflake"]["password"], "WRONG")

    variables = {
        "SNOWFLAKE_HOME": connections(shared, tmp_path / "wrong", wrong),
        "AWS_SECRET_ACCESS_KEY": "WRONG",
    }
    metrics = tmp_path / "snowpipe.prom"
    shared.run("verify", "--format", f"prometheus={metrics}")
    assert 'snowpipe_runbook_healthy{target="sandbox"} 1' in metrics.read_text()
    asked = ("verify", "--format", "nagios", "--format", f"prometheus={metrics}")
    told = said(shared, *asked, code=3, **variables)
    assert "SignatureDoesNotMatch" in told
    assert 'snowpipe_runbook_healthy{target="sandbox"} 0' in metrics.read_text()
    with changed(shared, (), variables):
        done = shared.run("verify", "--format", "nagios", expect=3)
        assert done.stdout.startswith("SNOWPIPE UNKNOWN - sandbox: verify.ran: ")
        assert not json.loads(shared.run("verify", "--format", "json", expect=3).stdout)["healthy"]
    wrong_setting = shared.run("verify", "--format", "nagios", "--stream", "nonsense", expect=3)
    assert wrong_setting.stdout.startswith("SNOWPIPE UNKNOWN - ")


# ---- Snowflake's privileges


def reading_privileges(at: Installation) -> list[str]:
    """What the role of docs/runbook.md#rights needs to verify everything."""
    snowflake = at.settings.snowflake
    found = [
        f"USAGE ON DATABASE {snowflake.database}",
        f"USAGE ON SCHEMA {snowflake.database}.{snowflake.schema_name}",
        f"USAGE ON INTEGRATION {snowflake.integration}",
    ]
    for stream in at.settings.streams:
        found += [
            f"SELECT ON TABLE {stream.table}",
            f"USAGE ON STAGE {stream.stage}",
            f"USAGE ON FILE FORMAT {stream.file_format}",
            f"MONITOR ON PIPE {stream.pipe}",
        ]
    return found


@pytest.fixture
def watched(shared: Installation, tmp_path: Path) -> Installation:
    """An installation, read by a role that may read it and nothing else."""
    shared.sql(f"CREATE ROLE IF NOT EXISTS {READER}")
    for privilege in reading_privileges(shared):
        shared.sql(f"GRANT {privilege} TO ROLE {READER}")
    shared.sql(f"GRANT ROLE {READER} TO USER {shared.tenant['snowflake']['user']}")
    shared.environment["SNOWFLAKE_HOME"] = connections(shared, tmp_path / "reader", with_role(READER))
    return shared


def test_a_role_that_may_only_read_can_tell_everything(watched: Installation) -> None:
    code, found = verify(watched)
    assert code == 0, [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")]


def test_each_privilege_in_snowflake_taken_away_is_named(watched: Installation) -> None:
    for privilege in reading_privileges(watched):
        watched.sql(f"REVOKE {privilege} FROM ROLE {READER}")
        code, found = verify(watched)
        assert code == 3, (privilege, found["root_causes"])
        remedies = {row["remedy"] for row in unknown(found).values()}
        assert all(remedy.lower().endswith(privilege.lower()) for remedy in remedies), (privilege, remedies)
        assert any(name.startswith("step1.") for name in passed(found))
        watched.sql(f"GRANT {privilege} TO ROLE {READER}")


def test_without_a_warehouse_only_what_needs_one_is_unknown(watched: Installation) -> None:
    watched.sql("REVOKE USAGE ON WAREHOUSE SANDBOX_WH FROM ROLE PUBLIC")
    plain = json.loads(watched.run("verify", "--format", "json").stdout)
    assert plain["healthy"]
    assert {row["cause"] for row in plain["checks"] if row["id"] == "delivery.files-are-loaded"} == {
        "needs a warehouse: ask for it with --deep"
    }
    code, found = verify(watched)
    assert code == 3
    rows = unknown(found)
    assert "delivery.files-are-loaded" in rows
    assert all("USAGE on a warehouse" in row["remedy"] for row in rows.values())
    watched.sql("GRANT USAGE ON WAREHOUSE SANDBOX_WH TO ROLE PUBLIC")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
