"""Two `invoke up` and a foreign writer of the bucket's notifications, all at once: shown by 2 of issue 6."""

import threading
import time
from random import Random
from typing import Any

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

    def add(self, number: int) -> None:
        document = self.read()
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


@pytest.mark.parametrize("seed", range(1))
def test_nobodys_rule_is_lost(installation: Installation, seed: int) -> None:
    all_at_once(installation, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 50))
def test_nobodys_rule_is_lost_in_fifty_runs(installation: Installation, seed: int) -> None:
    all_at_once(installation, seed)
