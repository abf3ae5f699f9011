"""`invoke watch` as somebody's scheduler runs it: told once when it breaks, once when it is well again."""

import gzip
import json
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from tests.scenarios.conftest import Installation
from tests.scenarios.receivers import Receiver, receiver
from tests.scenarios.test_sign_in import connected, with_wrong_password

EVENT = ("\t" * 130 + "\n").encode()


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


class Watched:
    """An installation with routes, and a scheduler that runs a round now and then."""

    def __init__(self, installation: Installation, told: Receiver, *vendors: str, **watch: Any) -> None:
        self.installation = installation
        self.told = told
        routes = {}
        for vendor in vendors:
            variable = f"{vendor.upper()}_ADDRESS"
            routes[vendor] = {"kind": vendor, "secret_from": variable}
            installation.environment[variable] = told.url(vendor)
        self.file = installation.folder / "watch.yaml"
        self.write(routes=routes, **watch)

    def write(self, **watch: Any) -> None:
        whole = {"deep_every_minutes": None, **watch}
        waivers = whole.pop("waivers", [])
        self.file.write_text(yaml.safe_dump({"target": "sandbox", "watch": whole, "waivers": waivers}))

    def round(self, expect: int | None = None, *more: str) -> str:
        done = self.installation.run("-f", str(self.file), "watch", "--once", *more, expect=expect)
        return done.stdout + done.stderr

    def put(self, name: str) -> str:
        return self.installation.put("events", name, gzip.compress(EVENT))


@pytest.fixture
def watched(shared: Installation, told: Receiver) -> Watched:
    shutil.rmtree(
        Path(shared.environment["RUNBOOK_HOME"]) / "watch", ignore_errors=True
    )  # nobody watched before
    return Watched(shared, told, "webhook", "slack")


def kinds(told: Receiver, vendor: str = "webhook") -> list[str]:
    return [f"{row['kind']} {' '.join(each['id'] for each in row['new'])}".strip() for row in told.of(vendor)]


def test_told_once_when_it_breaks_and_once_when_it_is_well(watched: Watched) -> None:
    installation, told = watched.installation, watched.told
    for _ in range(2):
        watched.round(expect=0)
    assert told.taken == []
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    for _ in range(4):
        watched.round(expect=1)
    assert kinds(told) == ["broken step4.pipe-is-not-paused"]
    (first,) = told.of("webhook")
    assert first["new"][0]["streams"] == ["events"]
    assert "invoke -f" in first["new"][0]["remedy"]  # it goes to the target that was watched
    assert "resume --stream events" in first["new"][0]["remedy"]
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")
    for _ in range(4):
        watched.round(expect=0)
    assert kinds(told) == ["broken step4.pipe-is-not-paused", "well"]
    assert len(told.of("slack")) == 2
    assert told.refused == []


def test_bad_input_is_a_sentence_each_and_watching_goes_on(watched: Watched) -> None:
    told = watched.told
    watched.write(
        routes={
            "webhook": {"kind": "webhook", "secret_from": "WEBHOOK_ADDRESS"},
            "pigeon": {"kind": "pigeon"},
            "silent": {"kind": "slack", "secret_from": "NOT_SET"},
            "gone": {"kind": "slack", "secret_from": "GONE_ADDRESS"},
        },
        heartbeat_url_from="NO_HEARTBEAT",
        waivers=[
            {"check": "step4.pipe-runs", "until": "2020-01-01", "reason": "long ago"},
            {"check": "step4.no-such-check", "until": "2099-01-01", "reason": "a typing error"},
        ],
    )
    watched.installation.environment["GONE_ADDRESS"] = "http://127.0.0.1:9/pl4ntedS3cret"
    history = Path(watched.installation.environment["RUNBOOK_HOME"]) / "watch" / "sandbox" / "history.sqlite"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.write_bytes(b"no database at all " * 100)
    said = " ".join(watched.round(expect=0).split())
    for sentence in (
        "The route pigeon cannot be used: there is no kind 'pigeon'",
        "The route silent cannot be used: the variable NOT_SET with its URL is not set.",
        "The history was broken",
        "The waiver of step4.pipe-runs ended on 2020-01-01",
        "There is no check step4.no-such-check",
        "The variable NO_HEARTBEAT with the heartbeat's URL is not set.",
    ):
        assert sentence in said, said
    done = watched.installation.run("-f", str(watched.file), "watch", "--test-message", expect=1)
    assert "webhook: delivered" in done.stdout
    assert "gone: not delivered" in done.stdout
    assert "pl4nted" not in done.stdout + done.stderr + said
    assert [row["kind"] for row in told.of("webhook")] == ["test"]


def test_the_heart_beats_while_all_is_well(watched: Watched) -> None:
    told, installation = watched.told, watched.installation
    installation.environment["HEARTBEAT"] = told.url("heartbeat")
    watched.write(heartbeat_url_from="HEARTBEAT")
    watched.round(expect=0)
    assert told.beats == 1
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    watched.round(expect=1)
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")
    assert told.beats == 1
    watched.round(expect=0)
    assert told.beats == 2


@pytest.mark.slow
def test_one_watcher_a_target_and_sigterm_ends_it(watched: Watched) -> None:
    installation = watched.installation
    port = free_port()
    running = installation.started(
        "-f", str(watched.file), "watch", "--every", "10s", "--listen", f"127.0.0.1:{port}"
    )
    eventually(lambda: b"snowpipe_runbook_watch_healthy" in scraped(port), 60)
    said = watched.round(expect=2)
    assert "Another watcher of sandbox is running" in said
    assert str(running.pid) in said
    running.send_signal(signal.SIGTERM)
    assert running.wait(40) == 0
    watched.round(expect=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "when", ["before it answers", pytest.param("between rounds", marks=pytest.mark.slow)]
)
def test_killed_at_any_time_nothing_is_forgotten(watched: Watched, when: str) -> None:
    """The receiver took the message and the watcher died before it knew: the same id comes again."""
    installation, told = watched.installation, watched.told
    watched.write(routes={"webhook": {"kind": "webhook", "secret_from": "WEBHOOK_ADDRESS"}})
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    running = installation.started("-f", str(watched.file), "watch", "--every", "10s")
    if when == "before it answers":
        told.before_answering = lambda: running.kill()
        running.wait(120)
        told.before_answering = None
    else:
        eventually(lambda: len(told.taken) == 1, 120)
        time.sleep(1)
        running.kill()
        running.wait()
    for _ in range(3):
        watched.round(expect=1)
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")
    for _ in range(3):
        watched.round(expect=0)
    by_id = {row["id"]: row for row in told.of("webhook")}
    assert [row["kind"] for row in by_id.values()] == ["broken", "well"]
    again = [row["repeated"] for row in told.of("webhook")]
    assert again == ([False, True, False] if when == "before it answers" else [False, False])


@pytest.mark.slow
def test_a_user_is_not_locked_by_a_password_that_changed(
    new_installation: Callable[..., Installation], told: Receiver, tmp_path: Path
) -> None:
    installation = new_installation()
    installation.run("up")
    watched = Watched(installation, told, "webhook")
    watched.round(expect=0)
    with connected(installation, tmp_path / "wrong", with_wrong_password):
        for _ in range(8):  # when it is tried again: tests/unit/test_watching_signing_in.py
            watched.round(expect=3)
    assert installation.control("GET", "/sign-ins") == {"failed": 1, "locked": False}
    assert kinds(told) == ["broken watch.snowflake-answers"]
    assert "refused" in told.of("webhook")[0]["title"]
    for _ in range(2):  # another file, another time of change: it is tried at once
        watched.round(expect=0)
    assert kinds(told)[-1] == "well"


@pytest.mark.slow
def test_an_outage_is_told_when_it_lasts_and_is_no_fault_of_the_pipeline(
    new_installation: Callable[..., Installation], told: Receiver
) -> None:
    installation = new_installation()
    installation.run("up")
    watched = Watched(installation, told, "webhook", blind_after_minutes=60)
    watched.round(expect=0)
    endpoint = installation.environment["AWS_ENDPOINT_URL"]
    installation.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    for _ in range(3):
        watched.round(expect=3)
        installation.advance(minutes=10)
    assert told.taken == []
    installation.environment["AWS_ENDPOINT_URL"] = endpoint
    watched.round(expect=0)
    assert told.taken == []
    installation.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    for _ in range(3):
        watched.round(expect=3)
        installation.advance(minutes=40)
    assert kinds(told) == ["broken watch.aws-answers"]
    installation.environment["AWS_ENDPOINT_URL"] = endpoint
    for _ in range(3):
        watched.round(expect=0)
    assert kinds(told) == ["broken watch.aws-answers", "well"]


@pytest.mark.slow
def test_no_secret_is_in_any_message_log_or_history(watched: Watched) -> None:
    installation, told = watched.installation, watched.told
    planted = "pl4ntedS3cretInTheUrl"
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    said = "".join(watched.round(None, "--debug") for _ in range(2))
    told.answer = 500
    installation.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE SET PIPE_EXECUTION_PAUSED = FALSE")
    said += "".join(watched.round() for _ in range(3))
    assert "did not take a message: HTTP 500" in " ".join(said.split())
    folder = Path(installation.environment["RUNBOOK_HOME"]) / "watch"
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    password = installation.tenant["snowflake"]["password"]
    for secret in (planted, password, installation.tenant["aws"]["secret_access_key"]):
        assert secret not in said
        assert secret.encode() not in kept
        assert secret not in str(told.taken)


@pytest.mark.slow
def test_three_sentences_for_three_kinds_of_silence(
    new_installation: Callable[..., Installation], told: Receiver
) -> None:
    installation = new_installation()
    installation.run("up")
    watched = Watched(installation, told, "webhook", limits={"quiet_hours": {"events": 6}})
    watched.put("2026-01-01-a.gz")
    installation.settle()
    watched.round(expect=0)
    installation.advance(hours=5)
    watched.round(expect=0)
    installation.advance(hours=2)
    for _ in range(2):
        watched.round(expect=1)
    installation.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    watched.put("2026-01-01-b.gz")
    installation.advance(minutes=30)
    for _ in range(2):
        watched.round(expect=1)
    installation.control("DELETE", "/faults")
    installation.run("refresh", "--stream", "events")
    for _ in range(2):
        watched.round(expect=0)
    whys = [each["why"].partition(":")[0] for row in told.of("webhook") for each in row["new"]]
    assert whys[0] == "The producer is silent"
    keys = [each["id"] for row in told.of("webhook") for each in row["new"]]
    assert keys == ["watch.producer-is-not-silent", "delivery.newest-file-reached-the-pipe"]
    assert told.of("webhook")[-1]["well"]


@pytest.mark.slow
def test_sns_and_pagerduty_and_teams(new_installation: Callable[..., Installation], told: Receiver) -> None:
    installation = new_installation()
    installation.run("up")
    topic = installation.aws("sns").create_topic(Name="watch")["TopicArn"]
    queue = installation.aws("sqs").create_queue(QueueName="watch")["QueueUrl"]
    found = installation.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    installation.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    installation.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    watched = Watched(installation, told, "teams")
    installation.environment["PAGERDUTY_KEY"] = "0123456789abcdef0123456789abcdef"
    watched.write(
        routes={
            "topic": {"kind": "sns", "topic_arn": topic},
            "teams": {"kind": "teams", "secret_from": "TEAMS_ADDRESS"},
            "oncall": {"kind": "pagerduty", "secret_from": "PAGERDUTY_KEY", "url": told.url("pagerduty")},
        }
    )
    installation.run("-f", str(watched.file), "watch", "--test-message")
    assert [row["event_action"] for row in told.of("pagerduty")] == ["trigger", "resolve"]
    assert len(told.of("teams")) == 1
    got = installation.aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    assert "test of `invoke watch --test-message`" in got["Messages"][0]["Body"]


BY_ITSELF = ("sqs:ReceiveMessage", "LOGOUT")
"""The pipe's own reading of its queue, and the good-bye of the round before."""


@pytest.mark.slow
def test_a_rounds_requests_do_not_grow_with_files(
    new_installation: Callable[..., Installation], told: Receiver
) -> None:
    installation = new_installation()
    installation.run("up")
    watched = Watched(installation, told)

    def asked() -> dict[str, int]:
        before = installation.control("GET", "/requests?since=0")["next"]
        watched.round(None)
        after = installation.control("GET", f"/requests?since={before}")["requests"]
        ours = [row for row in after if row["cloud"] == "snowflake" or "assumed-role" not in row["caller"]]
        return dict(Counter(row["operation"] for row in ours if row["operation"] not in BY_ITSELF))

    for number in range(10):  # of the newest few something is read
        watched.put(f"2026-01-01-0000-{number}.gz")
    installation.settle()
    watched.round(None)
    few = asked()
    installation.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    for number in range(1100):
        watched.put(f"2026-01-01-{number:05d}.gz")
    watched.round(None)
    assert asked() == few


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def scraped(port: int) -> bytes:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            found: bytes = answer.read()
            return found
    except OSError:
        return b""


def eventually(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
