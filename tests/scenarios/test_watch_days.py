"""Days of watching on the sandbox's clock: faults put in and mended, outages of ours, quiet nights, bursts.

Every fault that stops data is told within two rounds with its cause, once, and its end once; nothing else is.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.days import VENDORS, Days
from tests.scenarios.faults import page
from tests.scenarios.receivers import Receiver, receiver

FAULTS = (
    "pipe-paused",
    "rule-deleted",
    "external-id-wrong",
    "policy-deleted",
    "loader-lacks-insert",
    "integration-disabled",
    "bucket-policy-of-a-vpc",
    "policy-detached",
    "rule-for-another-folder",
    "list-not-allowed",
    "integration-blocks-a-folder",
    "announcement-lost",
    "role-deleted",
    "loader-lacks-stage",
    "integration-names-another-role",
    "rule-for-another-suffix",
    "document-overwritten",
    "get-object-not-allowed",
    "external-id-cut-short",
    "notifications-stop",  # not of the page: for hours, and by nothing of ours
    "integration-misses-a-folder",
    "trust-denies-by-somebody-elses-statement",
    "trust-overwritten",  # last: what it leaves stands before our statement
)
"""Faults that stop data: one a working day. The remedy is a command, or done by hand as it says."""
SIDES = (("aws",), ("snowflake",), ("aws", "snowflake"))


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.mark.slow
def test_hours(new_installation: Callable[..., Installation], told: Receiver) -> None:
    """A fault, an outage of ours and a kill, in half a minute; the month takes twenty."""
    run = _installed(new_installation, told, 1, step=timedelta(hours=2))
    with run.lived():
        run.pass_time()
        run.usual()
        run.fault("rule-deleted")
        run.outage("aws")
        run.killed()
        run.usual()
    _assert_all_is_well(run)


@pytest.mark.slow
def test_thirty_days(new_installation: Callable[..., Installation], told: Receiver) -> None:
    run = _installed(new_installation, told, 30, step=timedelta(hours=2))
    for _ in range(9 * 12):  # before anybody watches: the rhythm lies in the bucket
        run.pass_time()
    faults, sides = list(FAULTS), list(SIDES * 5)
    silent_on = 16
    with run.lived():
        begin = run.now
        for day in range(30):
            run.until(hour=8)
            works = run.now.weekday() < 5
            if day >= silent_on and run.now.weekday() in (1, 2, 3):
                run.silence()
                silent_on = 99
            elif works:
                for _ in range(min(len(faults), 2 if day % 4 == 3 else 1)):
                    _broken(run, faults.pop(0))
            run.until(hour=run.chance.choice((18, 20, 22)))
            if day % 2 == 0:
                run.outage(*sides.pop(0))
            run.until(hour=4)
        run.counts["days"] = (run.now - begin).days
    run.problems += [f"not come to: {faults}"] if faults or silent_on == 16 else []
    _assert_all_is_well(run)


def _broken(run: Days, name: str) -> None:
    if name in page.rows():
        run.fault(name)
    else:
        run.deaf()


def _installed(
    new_installation: Callable[..., Installation], told: Receiver, seed: int, *, step: timedelta
) -> Days:
    installation = new_installation()
    installation.run("up")
    return Days(installation, told, seed, step=step, deep_every=timedelta(days=1))


def _assert_all_is_well(run: Days) -> None:
    """No row is lost, every receiver took everything, what was triggered is resolved."""
    run.at.settle()
    files = {name for (name,) in run.at.sql("SELECT DISTINCT _file FROM RAW.SNOWPLOW.EVENTS")}
    told = {vendor: len(run.told.of(vendor)) for vendor in VENDORS}
    actions = [row["event_action"] for row in run.told.of("pagerduty")]
    print({**run.counts, "told": len(run.expected), **told})
    print("\n".join(run.problems))
    assert run.problems == []
    assert len([name for name in files if name.endswith(".gz")]) >= run.counts["files of events"]
    assert run.told.refused == []
    assert told["slack"] == told["teams"] == told["webhook"]
    assert actions.count("trigger") == actions.count("resolve") == len(run.expected) / 2
