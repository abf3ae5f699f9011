"""A pipeline that lives for days on the sandbox's clock, and one watcher that lives through them.

The watcher is that of `invoke watch --every`, in this process and without its pauses: a round begins when the
sandbox's clock says so. Between it and the sandbox lies a network of our own, which can be cut.
"""

import gzip
import json
import os
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runbook.clouds import connections, network
from runbook.commands.watch import Asked, Watcher, place
from runbook.listing import pages
from runbook.settings.watch import Watch
from runbook.watching.history import History
from tests.scenarios.conftest import Installation
from tests.scenarios.faults import FAULTS, page
from tests.scenarios.receivers import Receiver

ROWS = 30  # of a file: enough in a day for a share of bad ones to be judged
HOUR = timedelta(hours=1)
VENDORS = ("webhook", "slack", "teams", "pagerduty")
ONLY_DEEP = {"delivery.files-are-loaded"}
RETRIES = {"mode": "standard", "total_max_attempts": 2}
KEY = "0123456789abcdef0123456789abcdef"


class Network:
    """Carries what goes to one port of this machine, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """What is under way ends, and nothing gets through."""
        self.is_cut = True
        for each in list(self._open):
            _end(each)

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        _end(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
                if self.is_cut:
                    ours.close()
                    continue
                theirs = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            for ends in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        self._open.add(source)
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        _end(target)
        self._open.discard(source)
        source.close()


def events(number: int, at: datetime) -> bytes:
    """A file of enriched events, like no other."""
    row = ["app"] + [""] * 130
    row[3], row[2], row[5] = f"{at:%Y-%m-%d %H:%M:%S}.000", f"{at:%Y-%m-%d %H:%M:%S}.000", "page_view"
    lines = []
    for which in range(ROWS):
        row[6] = f"{number:08x}-0000-4000-8000-{which:012x}"
        lines.append("\t".join(row))
    return ("\n".join(lines) + "\n").encode()


def bad_rows(number: int, at: datetime) -> bytes:
    """A file with a failed event, like no other."""
    schema = "iglu:com.snowplowanalytics.snowplow.badrows/schema_violations/jsonschema/2-0-1"
    failure = {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "messages": [{"schemaKey": "iglu:com.acme/x/jsonschema/1-0-0"}],
    }
    return (json.dumps({"schema": schema, "data": {"failure": failure, "number": number}}) + "\n").encode()


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


class Days:
    """A producer with office hours, a watcher, and what goes wrong; ``step``: until the next round."""

    def __init__(
        self, at: Installation, told: Receiver, seed: int, *, step: timedelta, deep_every: timedelta
    ) -> None:
        self.at = at
        self.told = told
        self.step = step
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.expected: list[tuple[str, str]] = []
        self.log: list[str] = []
        self.problems: list[str] = []
        self.began = self.now
        self.is_silent = False
        self.networks = {
            "aws": Network(int(urlsplit(at.tenant["aws"]["endpoint_url"]).port or 0)),
            "snowflake": Network(int(at.tenant["snowflake"]["port"])),
        }
        routes = {name: {"kind": name, "secret_from": f"{name.upper()}_ADDRESS"} for name in VENDORS}
        routes["pagerduty"]["url"] = told.url("pagerduty")
        self.watch = Watch.model_validate(
            {
                "routes": routes,
                "remind_after_hours": None,
                "messages_an_hour": 60,
                "deep_every_minutes": deep_every.total_seconds() / 60,
            }
        )
        self._watcher: Watcher | None = None

    # ---- the watcher

    def environment(self) -> dict[str, str]:
        """The watcher's own: the installation's, over the networks that can be cut."""
        home = Path(self.at.environment["SNOWFLAKE_HOME"])
        ours = home.with_name(f"{home.name}-watched")
        ours.mkdir(exist_ok=True)
        port = f"port = {self.at.tenant['snowflake']['port']}"
        for file in home.iterdir():
            text = file.read_text().replace(port, f"port = {self.networks['snowflake'].port}")
            (ours / file.name).write_text(text)
            (ours / file.name).chmod(0o600)
        addresses = {f"{name.upper()}_ADDRESS": self.told.url(name) for name in VENDORS}
        return {
            **self.at.environment,
            **addresses,
            "PAGERDUTY_ADDRESS": KEY,
            "SNOWFLAKE_HOME": str(ours),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.networks['aws'].port}",
        }

    @contextmanager
    def lived(self) -> Iterator["Days"]:
        """With the watcher's environment in place; afterwards nothing of it is left."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment())
        try:
            with pytest.MonkeyPatch.context() as shorter:  # nobody waits a minute and a half in an outage
                shorter.setattr(network, "SILENT_S", 3)
                shorter.setattr(network, "LOGIN_S", 5)
                shorter.setattr(pages, "SILENT_S", 3)
                shorter.setattr(connections, "AWS_BOUNDS", {**network.AWS_BOUNDS, "retries": RETRIES})
                yield self
        finally:
            if self._watcher:
                self._watcher.sessions.end()
                self._watcher.history.close()
            os.environ.clear()
            os.environ.update(before)
            for each in self.networks.values():
                each.close()

    @property
    def watcher(self) -> Watcher:
        """The one that lives, or a new one where it was killed."""
        if self._watcher is None:
            settings = self.at.settings.model_copy(update={"watch": self.watch})
            made = Watcher(settings, History(place(settings) / "history.sqlite"), Asked(every="5m"))
            made.tell = self.log.append  # type: ignore[method-assign]
            self._watcher = made
        return self._watcher

    def killed(self) -> None:
        """It is gone between two rounds, and says good-bye to nobody."""
        if self._watcher is not None:
            self._watcher.history.db.close()
            self._watcher = None
            self.counts["kills"] += 1

    def look(self) -> None:
        """A round; what was told is what was expected, but for what a fault is about to bring."""
        self.counts["rounds"] += 1
        self.watcher.round_that_never_raises()
        wrong = [line for line in self.log if "mistake in snowpipe-runbook" in line]
        assert wrong == []

    def causes(self) -> list[tuple[str, str]]:
        """What was told: each cause that is new, and each that is over."""
        found = []
        for row in self.told.of("webhook"):
            found += [("new", each["id"]) for each in row["new"]]
            found += [("ended", each["id"]) for each in row["ended"]]
        return found

    def compare(self, why: object) -> None:
        """What was told is what was expected; else it is noted, and the days go on."""
        if self.causes() != self.expected:
            more = self.causes()[len(self.expected) :]
            last = [row["text"] for row in self.told.of("webhook")[-1:]]
            self.problems.append(f"{self.now:%Y-%m-%d %H:%M}, {why}: {more}; {self.log[-6:]}; {last}")
            self.expected = self.causes()

    # ---- time, and what comes with it

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.at.control("GET", "/clock")["now"])

    def pass_time(self, span: timedelta | None = None) -> None:
        """Until the next round; the producer writes every hour that it works, now and then much at once."""
        left = span or self.step
        while left > timedelta(0):
            now = self.now
            if now.weekday() < 5 and 6 <= now.hour < 20 and not self.is_silent and left >= HOUR:
                files = 25 if self.chance.random() < 0.015 else self.chance.choice((1, 1, 1, 2))
                self.counts["bursts"] += files == 25
                for _ in range(files):
                    self.put("events", events)
                if now.hour == 9:
                    self.put("events_bad", bad_rows)
                self.at.settle()
            self.at.advance(seconds=min(left, HOUR).total_seconds())
            left -= HOUR

    def put(self, stream: str, body: Callable[[int, datetime], bytes]) -> None:
        self.counts[f"files of {stream}"] += 1
        number, now = self.counts[f"files of {stream}"], self.now
        self.at.put(stream, f"{now:%Y-%m-%d-%H%M%S}-{number:06d}.gz", gzip.compress(body(number, now)))

    def until(self, hour: int, weekday: int | None = None) -> None:
        """Rounds as usual until then."""
        while self.now.hour // 2 != hour // 2 or weekday not in (None, self.now.weekday()):
            self.usual()

    def usual(self) -> None:
        """A round in which nothing new is told; one in fifty, the watcher is killed before it."""
        self.pass_time()
        if self.chance.random() < 0.02:
            self.killed()
        self.look()
        self.compare("nothing happened")

    def fault(self, name: str) -> None:
        """Broken, told in the second round at the latest; mended as the message says, told in the second.

        What only a round that reads everything sees is told within two rounds of the next such one.
        """
        row = page.rows()[name]
        by_hand = FAULTS[name].begin(self.at)
        self.rounds(2)
        if row.check in ONLY_DEEP:
            while len(self.causes()) == len(self.expected) and self.patience():
                self.rounds(1)
        self.ends(row.check, name, lambda: next(by_hand, None))

    def deaf(self) -> None:
        """Notifications stop for a while, and nothing of ours is to blame."""
        self.at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
        self.rounds(2)
        check = "delivery.newest-file-reached-the-pipe"
        self.ends(check, "notifications stop", lambda: self.at.control("DELETE", "/faults"))

    def patience(self) -> bool:
        """Whether the next deep round may still be ahead."""
        return self.now - self.began < timedelta(days=1) + 2 * self.step

    def rounds(self, count: int) -> None:
        """So many of them, after which something may be told."""
        self.began = self.now if count > 1 else self.began
        for _ in range(count):
            self.pass_time()
            self.look()

    def ends(self, check: str, name: str, by_hand: Callable[[], object]) -> None:
        """It was told; it is mended, by hand or as the message says; its end is told."""
        self.counts["faults"] += 1
        self.expected.append(("new", check))
        self.compare(f"{name} is told")
        told = self.told.of("webhook")[-1:]
        remedies = [each["remedy"] for row in told for each in row["new"] if each["id"] == check]
        by_hand()
        for remedy in remedies:
            if remedy.startswith("invoke "):
                self.at.shell(remedy, expect=None)
        self.mend_files()
        for _ in range(2):
            self.pass_time(timedelta(minutes=10))
            self.look()
        if check in ONLY_DEEP:
            self.rounds(3)  # whether one is due is judged by the clock of the round before, which jumped here
        self.expected.append(("ended", check))
        self.compare(f"{name} is over")

    def mend_files(self) -> None:
        """What was not announced, or failed, while it was broken is loaded, as docs/runbook.md says."""
        for stream in ("events", "events_bad"):
            asked = ("backfill", "--stream", stream, "--pattern", ".*", "--reload-failed", "--yes")
            done = self.at.run(*asked, expect=None)
            assert done.returncode == 0 or "there is no file" in " ".join(done.stderr.split()), done.stderr

    def outage(self, *sides: str) -> None:
        """Our own network is away for a round: nobody is told."""
        self.counts["outages"] += 1
        for side in sides:
            self.networks[side].cut()
        self.pass_time()
        self.look()
        for side in sides:
            self.networks[side].mend()
        self.usual()

    def silence(self) -> None:
        """The producer stops in working hours: told after five busy hours and two rounds; then it works."""
        check = "watch.producer-is-not-silent"
        self.is_silent = True
        self.rounds(round(5 * HOUR / self.step) + 2)
        self.expected.append(("new", check))
        self.compare("silence")
        self.is_silent = False
        self.rounds(3)
        self.expected.append(("ended", check))
        self.compare("silence is over")
        self.counts["silences"] += 1
