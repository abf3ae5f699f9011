"""What goes wrong at a terminal or in a CI job: one paragraph, the right exit code, nothing half-done."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from snowpipe_sandbox import process

from tests.scenarios.conftest import INVOKE, PYTHON, ROOT, Installation

CANARY = "CANARY-ak39fk2"


def said(
    at: Installation, *arguments: str, code: int, without: tuple[str, ...] = (), **variables: str
) -> str:
    """What a command that must fail says: one paragraph on standard error, on one line here."""
    with changed(at, without, variables):
        done = at.run(*arguments, expect=code)
    assert "Traceback" not in done.stdout + done.stderr
    text = " ".join(done.stderr.split())
    assert len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    assert "mistake in snowpipe-runbook" not in text, done.stderr
    return text[text.index("error: ") :]


@contextmanager
def changed(at: Installation, without: tuple[str, ...], variables: dict[str, str]) -> Iterator[None]:
    kept = at.environment
    at.environment = {**{k: v for k, v in kept.items() if k not in without}, **variables}
    try:
        yield
    finally:
        at.environment = kept


# ---- settings

FILES = {
    "unknown key": ("aws:\n  acount_id: '1'\n", "aws.acount_id: unknown key"),
    "account as a number": ("aws:\n  account_id: 111122223333\n", "must be written in quotes"),
    "no streams": (
        "streams:\n  events:\n    enabled: false\n  events_bad:\n    enabled: false\n",
        "streams: none is there, or none is enabled",
    ),
    "live without pins": ("target: prod\n", "aws.account_id is still the sandbox's"),
    "broken YAML": ("aws: [\n", "ParserError"),
    "null section": ("aws: null\n", "A section"),
    "null streams": ("streams: null\n", "A section"),
    "a list": ("- a\n- b\n", "a single value or a list"),
    "not text": ("\x00\x01", "cannot be read"),
    "a number as key": ("aws:\n  1: x\n", "cannot be read"),
    "not a number": ("checks:\n  ready_within_seconds: soon\n", "checks.ready_within_seconds"),
}


def test_a_wrong_settings_file_is_refused_by_key_and_nothing_is_contacted(
    installation: Installation, tmp_path: Path
) -> None:
    before = len(installation.requests())
    for name, (text, words) in FILES.items():
        path = tmp_path / "wrong.yaml"
        path.write_text(text)
        without = ("INVOKE_AWS_ACCOUNT_ID", "INVOKE_SNOWFLAKE_ACCOUNT", "INVOKE_AWS_BUCKET")
        told = said(installation, "-f", str(path), "plan", code=2, without=without)
        assert words in told, (name, told)
        assert "wrong.yaml" in told, (name, told)
    absent = str(tmp_path / "absent.yaml")
    for command in ("verify", "up", "demo"):  # Invoke itself passes over a file that is not there
        told = said(installation, "-f", absent, command, code=2)
        assert "The settings file does not exist" in told
        assert absent in told
    assert "ends in .yaml" in said(installation, "-f", "prod", "plan", code=2)
    assert len(installation.requests()) == before


def test_a_variable_that_sets_nothing_or_nonsense_is_refused(installation: Installation) -> None:
    told = said(installation, "plan", code=2, INVOKE_AWS_ACOUNT_ID="1")
    assert "INVOKE_AWS_ACOUNT_ID sets nothing" in told
    assert "INVOKE_AWS_ACCOUNT_ID" in told
    assert "INVOKE_STREAMS sets nothing" in said(installation, "plan", code=2, INVOKE_STREAMS="events")
    told = said(installation, "plan", code=2, INVOKE_AWS_BUCKET="Upper_Case")
    assert "aws.bucket: 'Upper_Case'" in told
    assert "INVOKE_AWS_BUCKET" in told
    assert "'soon'" in said(installation, "plan", code=2, INVOKE_CHECKS_READY_WITHIN_SECONDS="soon")


def test_one_stream_can_be_left_out(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("target: sandbox\nstreams:\n  events_bad:\n    enabled: false\n")
    found = json.loads(installation.run("-f", str(path), "plan", "--format", "json").stdout)
    text = json.dumps(found)
    assert "snowplow/enriched/stream/" in text
    assert "snowplow/enriched/bad/" not in text


def test_flags_that_mean_nothing(installation: Installation) -> None:
    for arguments, words in (
        (("verify", "--format", "nonsense"), "table|json|junit"),
        (("plan", "--format", "nonsense"), "table|json"),
        (("verify", "--stream", "nonsense"), "events, events_bad"),
        (("refresh", "--stream", "nonsense"), "events, events_bad"),
        (("pause", "--stream", "nonsense"), "events, events_bad"),
        (("verify", "--step", "9"), "There is no step 9"),
        (("verify", "--step", "x"), "'x'"),
        (("verify", "--wait", "-5"), "--wait"),
        (("sql",), "--step 2"),
        (("sql", "--step", "3"), "Step 3 has no SQL"),
    ):
        assert words in said(installation, *arguments, code=2)
    assert "There is no flag --nonsense" in said(installation, "verify", "--nonsense", code=2)
    assert "CREATE ROLE" in installation.run("sql", "--step", "2").stdout


def test_a_traceback_only_with_debug(installation: Installation, tmp_path: Path) -> None:
    installation.environment["INVOKE_AWS_ACCOUNT_ID"] = "999999999999"
    assert "Traceback" in installation.run("verify", "--debug", expect=2).stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text("aws: [\n")
    assert "Traceback" in installation.run("-f", str(broken), "verify", "--debug", expect=2).stderr


# ---- who we are


def test_credentials_and_pins(installation: Installation, tmp_path: Path) -> None:
    key, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    assert "no AWS credentials" in said(installation, "up", code=3, without=(key, secret))
    assert "cannot be used" in said(installation, "verify", code=2, without=(secret,))
    unknown = said(installation, "up", code=3, AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN00")
    assert "InvalidClientTokenId" in unknown
    wrong = said(installation, "up", code=3, AWS_SECRET_ACCESS_KEY=CANARY)
    assert "SignatureDoesNotMatch" in wrong
    assert CANARY not in wrong
    assert "nobody" in said(installation, "verify", code=2, AWS_PROFILE="nobody")
    other = said(installation, "up", code=2, INVOKE_AWS_ACCOUNT_ID="999999999999")
    assert installation.settings.aws.account_id in other
    assert "pin 999999999999" in other
    assert "pin ACME-PROD" in said(installation, "up", code=2, INVOKE_SNOWFLAKE_ACCOUNT="ACME-PROD")
    astray = said(installation, "up", code=2, without=("AWS_ENDPOINT_URL",))
    assert "The target is the sandbox" in astray
    assert "correct AWS_ENDPOINT_URL" in said(installation, "up", code=2, AWS_ENDPOINT_URL="nonsense")
    live = tmp_path / "live.yaml"
    live.write_text(
        "target: prod\naws: {account_id: '999988887777', bucket: acme-events}\n"
        "snowflake: {account: ACME-PROD, connection: sandbox-of-acme}\n"
    )
    pins = ("INVOKE_AWS_ACCOUNT_ID", "INVOKE_AWS_BUCKET", "INVOKE_SNOWFLAKE_ACCOUNT")
    told = said(installation, "-f", str(live), "step1-aws", "--yes", code=2, without=pins)
    assert "pin 999988887777" in told  # the environment still points at the sandbox
    assert installation.writes_since(0) == []


def connections(at: Installation, folder: Path, change: Callable[[str], str], mode: int = 0o600) -> str:
    """Another SNOWFLAKE_HOME, with the tenant's connections.toml changed."""
    folder.mkdir(mode=0o700)
    text = (Path(at.environment["SNOWFLAKE_HOME"]) / "connections.toml").read_text()
    path = folder / "connections.toml"
    path.write_text(change(text))
    path.chmod(mode)
    return str(folder)


def with_role(role: str) -> Callable[[str], str]:
    return lambda text: f'{text}role = "{role}"\n'


def without_line(name: str, instead: str = "") -> Callable[[str], str]:
    return lambda text: (
        "\n".join(instead if line.startswith(f"{name} ") else line for line in text.splitlines()) + "\n"
    )


OURS = sys.executable == PYTHON  # else the commands' environment has 5.x of the connector
CONNECTIONS: dict[str, tuple[Callable[[str], str], int, str]] = {
    "password": (without_line("password", f'password = "{CANARY}"'), 3, "Incorrect username or password"),
    "account": (without_line("account", 'account = "NOPE"'), 3, "390201"),
    # 5.x of the connector takes a host for enough, and the server says what is missing
    "no account": (without_line("account"), *((2, "Account must be specified") if OURS else (3, "390201"))),
    "no user": (without_line("user"), 2, "User is empty" if OURS else "parameter 'user'"),
    "no such role": (with_role("NO_SUCH_ROLE"), 3, "NO_SUCH_ROLE"),
    "nobody listens": (without_line("port", "port = 1"), 3, "The sandbox does not answer"),
    "broken": (lambda text: text + "[[\n", 2, "connections.toml"),
}


def test_snowflake_connections_that_cannot_be_used(installation: Installation, tmp_path: Path) -> None:
    for name, (change, code, words) in CONNECTIONS.items():
        home = connections(installation, tmp_path / name.replace(" ", "-"), change)
        told = said(installation, "step2-snowflake", code=code, SNOWFLAKE_HOME=home)
        assert words in told, (name, told)
        assert CANARY not in told
    told = said(installation, "verify", code=2, INVOKE_SNOWFLAKE_CONNECTION="nope")
    assert "'nope'" in told
    home = connections(installation, tmp_path / "open", str, mode=0o666)
    assert "permission" in said(installation, "verify", code=2, SNOWFLAKE_HOME=home).lower()
    assert installation.writes_since(0) == []


# ---- rights and things that are missing


def test_a_role_that_may_see_nothing_cannot_tell(healthy: Installation, tmp_path: Path) -> None:
    healthy.environment["SNOWFLAKE_HOME"] = connections(healthy, tmp_path / "public", with_role("PUBLIC"))
    done = healthy.run("verify", "--format", "json", expect=3)
    found = json.loads(done.stdout)
    assert not found["healthy"]
    assert found["root_causes"] == []
    unknown = {row["id"]: row for row in found["checks"] if row["outcome"] == "unknown"}
    assert "PUBLIC may not see it" in unknown["step2.integration-exists"]["cause"]
    assert "USAGE on integration SNOWPLOW_S3" in unknown["step2.integration-exists"]["remedy"]
    assert {"step4.pipe-exists", "step4.stage-exists", "step4.table-exists", "step4.schema-exists"} <= set(
        unknown
    )
    for command in ("step2-snowflake", "refresh", "pause", "status"):
        assert "PUBLIC may not see it" in said(healthy, command, code=3)


def person(at: Installation, name: str, actions: list[str]) -> dict[str, Any]:
    """The variables of a new IAM user with these actions only."""
    iam = at.aws("iam")
    iam.create_user(UserName=name)
    if actions:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.mark.slow
def test_iam_users_with_too_few_rights(installation: Installation) -> None:
    reads = person(installation, "reads", ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*"])
    told = said(installation, "up", code=3, **reads)
    assert "grant iam:CreatePolicy" in told
    assert "nothing was changed" in told
    some = person(installation, "some", ["iam:Get*", "iam:List*", "s3:Get*", "s3:List*", "iam:*Policy"])
    told = said(installation, "step1-aws", code=4, **some)
    assert "grant iam:CreateRole" in told
    assert "1 of 3 changes were made" in told
    nothing = person(installation, "nothing", [])
    assert "iam:GetPolicy" in said(installation, "plan", code=3, **nothing)
    installation.run("up")  # somebody who may goes on
    with changed(installation, (), reads):
        installation.assert_healthy()
    with changed(installation, (), nothing):
        found = json.loads(installation.run("verify", "--format", "json", expect=3).stdout)
    assert not found["healthy"]
    remedies = {row["id"]: row["remedy"] for row in found["checks"] if row["outcome"] == "unknown"}
    assert remedies["step1.role-exists"] == "grant iam:GetRole"
    assert remedies["step1.bucket-exists"] == "grant s3:ListBucket"


def test_a_bucket_that_is_not_there_or_not_ours(
    installation: Installation, new_installation: Callable[..., Installation]
) -> None:
    for command in ("up", "step1-aws"):
        told = said(installation, command, code=2, INVOKE_AWS_BUCKET="no-such-bucket-anywhere")
        assert "There is no bucket no-such-bucket-anywhere" in told
    theirs = new_installation().settings.aws.bucket
    told = said(installation, "up", code=3, INVOKE_AWS_BUCKET=theirs)
    assert theirs in told
    assert installation.writes_since(0) == []


# ---- output


@pytest.mark.slow
def test_results_that_cannot_be_written(healthy: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("old")
    for place in (tmp_path / "absent" / "x.json", tmp_path, Path("/dev/full")):
        assert "cannot be written" in said(healthy, "verify", "--step", "1", "--output", str(place), code=2)
    assert not Path("/dev/full").is_file()  # a device is written to, never replaced
    healthy.run("verify", "--step", "1", "--format", "json", "--output", str(kept))
    assert json.loads(kept.read_text())["healthy"]
    assert list(tmp_path.glob("*.part")) == []
    for redirected, code in (("> /dev/full", 2), ("2> /dev/full", 0), (">&-", 0), ("2>&-", 0)):
        done = healthy.shell(f"invoke verify --step 1 {redirected}", expect=code)
        assert "Traceback" not in done.stdout + done.stderr
    done = healthy.shell("bash -o pipefail -c 'invoke plan --format json | head -1'")
    assert done.stdout == "[\n"
    assert done.stderr == ""


def test_without_room_for_the_record_of_a_run(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = said(installation, "up", code=2, RUNBOOK_HOME=str(tmp_path / "file" / "home"))
    assert "The record of this run cannot be written".lower() in told.lower()
    installation.run("up")
    installation.assert_healthy()


def test_colour_only_where_it_is_welcome(installation: Installation) -> None:
    terminal = "python -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'"
    line = f"{terminal} invoke verify --step 1"
    assert "\x1b" not in installation.shell(line, expect=1).stdout
    with changed(installation, ("NO_COLOR",), {"TERM": "xterm"}):
        assert "\x1b[31;1m" in installation.shell(line, expect=1).stdout
        assert "\x1b" not in installation.run("verify", "--step", "1", expect=1).stdout


@pytest.mark.slow
def test_waiting_for_what_stays_red_ends(installation: Installation) -> None:
    done = installation.run("verify", "--wait", "3", "--format", "json", expect=1, timeout=30)
    assert not json.loads(done.stdout)["healthy"]
    assert "waiting: " in done.stderr


# ---- secrets


def test_no_secret_is_ever_told_or_kept(installation: Installation) -> None:
    tenant = installation.tenant
    secrets = (tenant["aws"]["secret_access_key"], tenant["snowflake"]["password"], CANARY)
    outputs = []
    with changed(installation, (), {"SNOWFLAKE_PASSWORD": CANARY, "PRIVATE_KEY_PASSPHRASE": CANARY}):
        for arguments in (("up", "--debug"), ("verify",), ("verify", "--format", "json"), ("plan",)):
            done = installation.run(*arguments)
            outputs.append(done.stdout + done.stderr)
    wrong = installation.environment | {"AWS_SECRET_ACCESS_KEY": CANARY}
    with changed(installation, (), wrong):
        done = installation.run("up", "--debug", expect=3)
        outputs.append(done.stdout + done.stderr)
    records = list((Path(installation.environment["RUNBOOK_HOME"]) / "runs").glob("*.jsonl"))
    assert records
    outputs += [path.read_text() for path in records]
    assert [secret for secret in secrets for text in outputs if secret in text] == []


# ---- interrupted


def under_way(at: Installation, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*INVOKE, *arguments],
        cwd=ROOT,
        env={**at.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(running: subprocess.Popen[str], words: str) -> list[str]:
    """Read what is said until ``words`` are."""
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"{words!r} was never said: {''.join(lines)}")


@pytest.mark.parametrize("words", ["target sandbox", "done: iam:CreatePolicy", "done: sql/step4"])
def test_ctrl_c_is_one_line_and_running_again_finishes(installation: Installation, words: str) -> None:
    running = under_way(installation, "up")
    until(running, words)
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert "Traceback" not in rest
    told = " ".join(rest.split())
    if installation.writes_since(0):
        assert running.returncode == 4, rest
        assert "error: Interrupted." in told
        assert "run the same command again" in told
    else:
        assert running.returncode == 130, rest
        assert "nothing was changed" in told
    installation.run("up")
    installation.assert_healthy()


@pytest.mark.slow
def test_ctrl_c_while_waiting_for_health(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    running = under_way(installation, "verify", "--wait", "60", "--format", "json", "--output", str(path))
    until(running, "waiting: ")
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert running.returncode == 130, rest
    assert "Traceback" not in rest
    assert json.loads(path.read_text())["healthy"] is False  # whole, and no earlier good news stays
    assert list(tmp_path.glob("result*")) == [path]


# ---- a sandbox that dies


@pytest.mark.slow
@pytest.mark.skipif(not OURS, reason="the other environment has no sandbox to start")
def test_a_killed_sandbox_is_told_or_started_again(installation: Installation, tmp_path: Path) -> None:
    """Between and during commands; the processes killed here are this test's own."""
    environment = {
        name: value
        for name, value in installation.environment.items()
        if not name.startswith(("INVOKE_", "AWS_", "SNOWFLAKE_")) and name != "RUNBOOK_SANDBOX_GIVEN"
    }
    environment |= {"RUNBOOK_HOME": str(tmp_path), "INVOKE_TARGET": "sandbox"}
    own = Installation({}, tmp_path, environment, installation.settings, installation.warm)
    folder = tmp_path / "sandbox"
    try:
        first = process.start(folder)
        given: dict[str, Any] = {**process.env(folder, first.tenant), "RUNBOOK_SANDBOX_GIVEN": "1"}
        os.kill(first.pid, signal.SIGKILL)
        told = said(own, "verify", code=3, **given)
        assert "The sandbox does not answer" in told
        assert 'eval "$(invoke sandbox.env)"' in told

        running = under_way(own, "up")  # starts a new one by itself
        until(running, "step 2 proven")
        second = process.status(folder)
        assert second is not None
        assert second.pid != first.pid
        os.kill(second.pid, signal.SIGKILL)
        rest, _ = running.communicate(timeout=60)
        assert running.returncode == 4, rest
        assert "Traceback" not in rest
        assert "error: " in rest

        own.run("up")
        assert own.verify()["healthy"]
    finally:
        process.stop(folder)


# ---- two at once


@pytest.mark.slow
def test_two_at_once_end_well_and_leave_one_of_everything(installation: Installation) -> None:
    both = [under_way(installation, "up") for _ in range(2)]
    for running in both:
        told, _ = running.communicate(timeout=90)
        assert running.returncode in (0, 1, 2, 3, 4)
        assert "Traceback" not in told
        assert running.returncode == 0 or len(re.findall("^error: ", told, re.MULTILINE)) == 1, told
        assert "mistake in snowpipe-runbook" not in " ".join(told.split()), told
    installation.run("up")
    installation.assert_healthy()
    document = installation.aws("s3").get_bucket_notification_configuration(
        Bucket=installation.settings.aws.bucket
    )
    rules = [row["Id"] for row in document["QueueConfigurations"]]
    assert sorted(rules) == sorted(stream.rule_id for stream in installation.settings.streams)


def test_a_list_whose_reader_goes_away_ends_in_silence() -> None:
    """``invoke --list | head -1``: Invoke prints before any task runs."""
    lister = subprocess.Popen(
        [*INVOKE, "--list"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert lister.stdout
    lister.stdout.close()
    assert lister.stderr
    assert lister.stderr.read() == ""
    lister.stderr.close()
    assert lister.wait(60) == 0
