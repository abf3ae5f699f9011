"""Two `invoke up` and a foreign writer of the bucket's notifications, all at once: shown by 2 of issue 6."""

import copy
import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.scenarios.conftest import Installation
from tests.scenarios.foreign import targets


def theirs(number: int, queue: str) -> dict[str, Any]:
    return {
        "Id": f"theirs-{number}",
        "QueueArn": queue,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": f"other/{number}/"}]}},
    }


class ForeignWriter(threading.Thread):
    """Adds a rule of its own now and then, the way a careful person does: read, add, write, read back."""

    def __init__(self, one: Installation, seed: int, queue: str) -> None:
        super().__init__()
        self.s3, self.bucket = one.aws("s3"), one.settings.aws.bucket
        self.random, self.queue = Random(seed), queue
        self.count = self.random.randint(2, 5)

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)
        found.pop("ResponseMetadata")
        return found

    def run(self) -> None:
        for number in range(self.count):
            time.sleep(self.random.random() * 1.5)
            self.add(number)

    def add(self, number: int, read_before: dict[str, Any] | None = None) -> None:
        document = copy.deepcopy(read_before) if read_before is not None else self.read()
        rows = document.setdefault("QueueConfigurations", [])
        rows.append(theirs(number, self.queue))
        try:
            self.s3.put_bucket_notification_configuration(
                Bucket=self.bucket, NotificationConfiguration=document
            )
        except ClientError as error:
            raise AssertionError(f"rule {number}: {error}") from error


def all_at_once(one: Installation, seed: int) -> None:
    queue, _ = targets(one)
    writer = ForeignWriter(one, seed, queue)
    writer.start()
    both = [one.started("up") for _ in range(2)]
    codes = [running.wait(180) for running in both]
    writer.join()
    assert set(codes) <= {0, 2, 3, 4}, codes
    one.run("up")
    one.assert_healthy()
    rows = writer.read()["QueueConfigurations"]
    ids = sorted(row["Id"] for row in rows)
    ours = [stream.rule_id for stream in one.settings.streams]
    assert ids == sorted([*ours, *(f"theirs-{number}" for number in range(writer.count))])


class Between(ThreadingHTTPServer):
    """Stands between a command and AWS; ``meanwhile`` is done before or after the nth call of a kind."""

    def __init__(self, one: Installation, call: str, number: int, when: str, meanwhile: Callable[[], None]):
        aws = urlsplit(one.tenant["aws"]["endpoint_url"])
        self.left, self.lock = number, Lock()
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def passed_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_it = self.command == call and self.path.endswith("?notification") and between.counted()
                if is_it and when == "before":
                    meanwhile()
                with closing(HTTPConnection(aws.hostname or "", aws.port, timeout=60)) as connection:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    content = answer.read()
                if is_it and when == "after":
                    meanwhile()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else content)

            do_GET = do_PUT = do_POST = do_HEAD = passed_on  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def counted(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left == 0


def step5_meanwhile(
    one: Installation, call: str, number: int, when: str, meanwhile: Callable[[], None]
) -> Any:
    """`invoke step5-aws`, with somebody else at the bucket's notifications at that moment."""
    between = Between(one, call, number, when, meanwhile)
    try:
        endpoint = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{between.server_port}"}
        return replace(one, environment={**one.environment, **endpoint}).run("step5-aws")
    finally:
        between.shutdown()
        between.server_close()
        assert between.left <= 0


@pytest.fixture
def writer(installation: Installation) -> ForeignWriter:
    installation.run("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake")
    return ForeignWriter(installation, 0, targets(installation)[0])


@pytest.mark.parametrize(
    ("call", "number", "when", "careless"),
    [
        ("GET", 2, "before", False),  # between the plan and the last read before the write
        ("PUT", 1, "after", True),  # ours written over by one who had read before it
        ("PUT", 1, "after", False),
    ],
)
def test_a_change_at_that_moment_is_merged(
    installation: Installation, writer: ForeignWriter, call: str, number: int, when: str, careless: bool
) -> None:
    before = writer.read()

    def meanwhile() -> None:
        writer.add(0, before if careless else None)

    step5_meanwhile(installation, call, number, when, meanwhile)
    ids = sorted(row["Id"] for row in writer.read()["QueueConfigurations"])
    assert ids == sorted([*(stream.rule_id for stream in installation.settings.streams), "theirs-0"])
    installation.assert_healthy()


def test_what_s3_lets_nobody_see_is_in_the_record(installation: Installation, writer: ForeignWriter) -> None:
    """Between our last read and our write S3 takes another's write, and ours replaces it without a trace.

    What is left is the record: the document we replaced, and the request's id for AWS' own trail.
    """
    step5_meanwhile(installation, "PUT", 1, "before", lambda: writer.add(0))
    ids = [row["Id"] for row in writer.read()["QueueConfigurations"]]
    assert "theirs-0" not in ids
    shown = json.loads(installation.run("runs", "--show", "latest", "--format", "json").stdout)
    text = json.dumps(shown)
    assert "PutBucketNotificationConfiguration" in text
    assert '"before"' in text


@pytest.mark.parametrize("seed", range(1))
def test_nobodys_rule_is_lost(installation: Installation, seed: int) -> None:
    all_at_once(installation, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 50))
def test_nobodys_rule_is_lost_in_fifty_runs(installation: Installation, seed: int) -> None:
    all_at_once(installation, seed)
