"""Days of watching on the sandbox's clock: faults put in and mended, outages of ours, quiet nights, bursts.

Every fault that stops data is told within two rounds with its cause, once, and its end once; nothing else is.
"""

import gzip
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.faults import FAULTS, page
from tests.scenarios.receivers import Receiver, receiver
from tests.scenarios.test_watch import EVENT, Watched

BY_COMMAND = (
    "pipe-paused",
    "rule-deleted",
    "external-id-wrong",
    "policy-deleted",
    "loader-lacks-insert",
    "integration-disabled",
    "policy-detached",
    "rule-for-another-folder",
    "list-not-allowed",
    "role-deleted",
    "loader-lacks-stage",
    "integration-names-another-role",
    "document-overwritten",
    "get-object-not-allowed",
    "trust-overwritten",  # last: what it leaves stands before our statement
)
"""Faults that stop data and that the printed remedy, a command, mends."""
STEP = timedelta(hours=2)


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


class Days:
    """A producer with office hours, a scheduler with a round every two hours, and what goes wrong."""

    def __init__(self, at: Installation, told: Receiver, seed: int) -> None:
        self.at = at
        self.told = told
        self.watched = Watched(at, told, "webhook", "slack", remind_after_hours=None, messages_an_hour=60)
        self.chance = random.Random(seed)
        self.put = 0
        self.rounds = 0
        self.expected: list[tuple[str, str]] = []

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.at.control("GET", "/clock")["now"])

    def works(self) -> bool:
        now = self.now
        return now.weekday() < 5 and 6 <= now.hour < 20

    def pass_time(self) -> None:
        """Two hours, in which the producer writes where it works."""
        if self.works():
            for _ in range(self.chance.choice((1, 1, 1, 2, 5))):
                self.put += 1
                self.at.put("events", f"{self.now:%Y-%m-%d-%H%M%S}-{self.put:06d}.gz", gzip.compress(EVENT))
        self.at.settle()
        self.at.advance(seconds=STEP.total_seconds())

    def look(self) -> None:
        self.rounds += 1
        self.watched.round(None)

    def causes(self) -> list[tuple[str, str]]:
        found = []
        for row in self.told.of("webhook"):
            found += [("new", each["id"]) for each in row["new"]]
            found += [("ended", each["id"]) for each in row["ended"]]
        return found

    def fault(self, name: str) -> None:
        """Broken, told in the second round at the latest; mended as the message says, told in the second."""
        check = page.rows()[name].check
        FAULTS[name].begin(self.at)
        for _ in range(2):
            self.pass_time()
            self.look()
        self.expected.append(("new", check))
        assert self.causes() == self.expected, name
        (cause,) = [each for each in self.told.of("webhook")[-1]["new"] if each["id"] == check]
        self.at.run(*cause["remedy"].split()[1:])
        self.at.run("refresh", "--yes", expect=None)
        for _ in range(2):
            self.look()
            self.at.advance(minutes=10)
        self.expected.append(("ended", check))
        assert self.causes() == self.expected, name

    def outage(self) -> None:
        """Our own network is away for a round."""
        kept = self.at.environment
        self.at.environment = {**kept, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        self.look()
        self.at.environment = kept
        self.look()
        assert self.causes() == self.expected


@pytest.mark.parametrize("days", [pytest.param(each, marks=pytest.mark.slow) for each in (1, 30)])
def test_days(new_installation: Callable[..., Installation], told: Receiver, days: int) -> None:
    installation = new_installation()
    installation.run("up")
    run = Days(installation, told, days)
    learned = 16 if days > 1 else 8
    for _ in range(learned * 12):  # before anybody watches: the rhythm lies in the bucket
        run.pass_time()
    run.watched.write(**deep_once(run))
    faults = list(BY_COMMAND[:1] if days == 1 else BY_COMMAND)
    for day in range(days):
        for _ in range(12):
            run.pass_time()
            run.look()
            assert run.causes() == run.expected
        if day % 2 == 0:
            run.outage()
        if faults:
            run.fault(faults.pop(0))
    files = sum(1 for _ in installation.sql("SELECT DISTINCT _file FROM RAW.SNOWPLOW.EVENTS"))
    print(f"{days} days, {run.rounds} rounds, {run.put} files, {len(run.expected)} changes told")
    assert files == run.put
    assert told.refused == []
    assert len(told.of("slack")) == len(told.of("webhook"))


def deep_once(run: Days) -> dict[str, Any]:
    """The routes as they are, with one look at the whole folder to learn from."""
    vendors = ("webhook", "slack")
    routes = {name: {"kind": name, "secret_from": f"{name.upper()}_ADDRESS"} for name in vendors}
    return {
        "routes": routes,
        "remind_after_hours": None,
        "messages_an_hour": 60,
        "deep_every_minutes": 60 * 24 * 7,
    }
