"""`invoke watch` as somebody's scheduler runs it: told once when it breaks, once when it is well again."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.scenarios.conftest import Installation
from tests.scenarios.receivers import Receiver, receiver

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
