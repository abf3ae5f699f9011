"""Everybody at once: files arrive by another process, several people run commands, kills, clock jumps.

An independent driver over the real commands. Whatever it does, in the end every row of the stream is in the
table once, and what else is there was named by the command that took it. A schedule is made from its seed;
what processes do to each other is theirs.
"""

import random
import threading
import time
from contextlib import closing
from tempfile import TemporaryFile
from typing import IO

import boto3
import pytest

from runbook.errors import CannotTell, NotConverged, Refused, Unhealthy
from tests.scenarios.conftest import ROOT, Installation, kill
from tests.scenarios.test_backfill import PIPE, TABLE, event
from tests.scenarios.test_replace_pipe import by_hand
from tests.scenarios.warm import Command

EXPECTED = {0, Unhealthy.exit_code, Refused.exit_code, CannotTell.exit_code, NotConverged.exit_code, -9}
COMMANDS = (
    ("backfill", "--pattern", ".*", "--stream", "events"),
    ("backfill", "--pattern", ".*", "--stream", "events", "--reload-failed"),
    ("refresh", "--stream", "events"),
    ("refresh", "--stream", "events"),
    ("replace-pipe", "--stream", "events"),
    ("pause", "--stream", "events"),
    ("resume", "--stream", "events"),
    ("step4-snowflake",),
    ("status",),
)


class Producer(threading.Thread):
    """Another process: writes files while the commands run, some of another suffix, as its seed says."""

    def __init__(self, at: Installation, folder: str, seed: int, count: int) -> None:
        super().__init__()
        self.at, self.folder, self.chance, self.count = at, folder, random.Random(seed), count
        self.keys: list[str] = []
        self.others: list[str] = []

    def run(self) -> None:
        aws = self.at.tenant["aws"]
        client = boto3.Session().client(
            "s3",
            endpoint_url=aws["endpoint_url"],
            region_name=aws["region"],
            aws_access_key_id=aws["access_key_id"],
            aws_secret_access_key=aws["secret_access_key"],
        )
        with closing(client) as s3:
            for number in range(self.count):
                time.sleep(self.chance.random() * 0.2)
                other = self.chance.random() < 0.15
                name = f"{self.folder}/{self.chance.choice('ab')}{number:03}.gz{'.part' if other else ''}"
                key = self.at.stream("events").prefix + name
                s3.put_object(Bucket=self.at.settings.aws.bucket, Key=key, Body=event(name, 0) + b"\n")
                (self.others if other else self.keys).append(key)


class Driver:
    """One schedule on an installation; a folder of its own for each."""

    def __init__(self, at: Installation, seed: int) -> None:
        self.at, self.seed, self.chance = at, seed, random.Random(seed)
        self.said: list[str] = []
        self.story: list[str] = []
        self.last = ""

    def play(self, rounds: int) -> None:
        at, chance = self.at, self.chance
        # how long commands wait for each other, and for files that are queued; soon over is the harder case
        at.environment["INVOKE_CHECKS_READY_WITHIN_SECONDS"] = str(chance.choice((2, 2, 5)))
        at.control("DELETE", "/faults")
        by_hand(at)  # somebody else's COPY, at a moment of rest: replace-pipe has something to do
        at.settle()
        at.advance(minutes=30)
        producers = []
        for number in range(rounds):
            self.faults()
            producer = Producer(
                at, f"s{self.seed}/{number}", chance.randrange(1 << 30), chance.randrange(2, 9)
            )
            producer.start()
            producers.append(producer)
            self.commands(chance.choice((1, 2, 2, 3)))
            producer.join()
            span = chance.choice((0, 5, 600, 3600, 86400, 8 * 86400))
            self.story.append(f"{span} seconds go by")
            at.advance(seconds=span)
        self.rest()
        self.judge(producers)

    def faults(self) -> None:
        notifications = self.chance.choice(
            [{"drop": 0.6}, {"duplicate": 0.7}, {"delay_s": 120}, {"drop": 1.0}, {"reorder": True}, {}]
        )
        self.story.append(f"notifications: {notifications}")
        self.at.control("PUT", "/faults", {"notifications": notifications, "pipe_latency_s": 0.2})

    def commands(self, count: int) -> None:
        """Some at once, each a process of its own; now and then one is killed."""
        chosen = [self.chance.choice(COMMANDS) for _ in range(count)]
        doomed = [self.chance.random() < 0.25 for _ in chosen]
        running = []
        for arguments in chosen:
            out: IO[str] = TemporaryFile("w+")  # noqa: SIM115 (closed when it was read)
            running.append((self.at.warm.started(arguments, ROOT, self.at.environment, out, out), out))
        for (command, _), ends in zip(running, doomed, strict=True):
            if ends:
                time.sleep(self.chance.random() * 1.5)
                if command.poll() is None:
                    kill(command)
        for (command, out), arguments in zip(running, chosen, strict=True):
            self.ended(command, out, arguments)

    def ended(self, command: Command, out: IO[str], arguments: tuple[str, ...]) -> None:
        code = command.wait(180)
        with closing(out):
            out.seek(0)
            said = " ".join(out.read().split())
        self.said.append(said)
        self.story.append(f"{' '.join(arguments)}: {code}: {said[-400:]}")
        assert code in EXPECTED, self.told()
        assert "mistake in snowpipe-runbook" not in said, self.told()
        assert "Traceback" not in said, self.told()

    def rest(self) -> None:
        """Everybody has gone home, and one person sets things right."""
        at = self.at
        at.control("DELETE", "/faults")
        at.advance(hours=3)
        at.settle()
        self.until_done("replace-pipe", "--stream", "events")
        at.run("resume", "--stream", "events", expect=None)
        at.settle()
        self.last = self.unannounced()
        at.advance(minutes=30)
        self.until_done("backfill", "--pattern", ".*", "--stream", "events")
        at.settle()

    def unannounced(self) -> str:
        """A file that only the backfill at the end loads.

        A command that has nothing to load writes nothing: what others that were killed left in Snowflake is
        taken away by the next one that takes a lease itself.
        """
        self.at.control("PUT", "/faults", {"notifications": {"drop": 1.0}})
        name = f"s{self.seed}/last.gz"
        key = self.at.put("events", name, event(name, 0) + b"\n")
        self.at.settle()
        self.at.control("DELETE", "/faults")
        return key

    def until_done(self, *arguments: str) -> None:
        for _ in range(4):
            done = self.at.run(*arguments, expect=None, timeout=180)
            said = " ".join((done.stdout + done.stderr).split())
            self.said.append(said)
            self.story.append(f"at the end {' '.join(arguments)}: {done.returncode}: {said[-400:]}")
            if done.returncode in (0, Unhealthy.exit_code):
                return
            if (
                "To do: invoke resume --stream events" in said
            ):  # somebody's pause; the remedy as it is printed
                self.at.run("resume", "--stream", "events", expect=None)
            self.at.settle()
            self.at.advance(minutes=16)
        raise AssertionError(self.told())

    def judge(self, producers: list[Producer]) -> None:
        mine = f"{self.at.stream('events').prefix}s{self.seed}/"
        rows = dict(
            self.at.sql(
                f"SELECT _file, COUNT(*) FROM {TABLE} WHERE STARTSWITH(_file, '{mine}') GROUP BY _file"
            )
        )
        wanted = {self.last, *(key for producer in producers for key in producer.keys)}
        others = {key for producer in producers for key in producer.others}
        assert not wanted - rows.keys(), f"lost: {wanted - rows.keys()}\n{self.told()}"
        assert not [key for key in wanted if rows[key] != 1], f"doubled\n{self.told()}"
        for key in rows.keys() - wanted:
            assert key in others
            assert any(key in said for said in self.said), f"nobody named {key}\n{self.told()}"
        left = self.at.sql("SHOW FILE FORMATS LIKE 'SNOWPIPE_RUNBOOK_LEASE%' IN SCHEMA RAW.SNOWPLOW")
        assert left == [], f"a lease is left: {left}\n{self.told()}"
        pipe = next(
            row for row in self.at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE"
        )
        assert pipe[7] == "ours", f"a replacement of {PIPE} has not ended\n{self.told()}"

    def told(self) -> str:
        return "\n".join([f"seed {self.seed}", *self.story])


def driven(at: Installation, seed: int, rounds: int) -> None:
    Driver(at, seed).play(rounds)


def test_nothing_is_lost_or_doubled_in_five_short_schedules(shared: Installation) -> None:
    for seed in range(5):
        driven(shared, seed, rounds=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 151))
def test_nothing_is_lost_or_doubled_whoever_is_at_work(shared: Installation, seed: int) -> None:
    driven(shared, seed, rounds=6)
