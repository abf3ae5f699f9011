"""The whole story on a fresh sandbox, and the sums that must come out exactly.

Files that were there before the set-up, the five steps, files arriving afterwards, both tables;
then a fault from outside, its root cause, its remedy, and what was missed meanwhile. Part of the
tasks: it is the one command that also plays the producer and the passing of time.
"""

import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.commands import sandbox
from runbook.commands.refresh import refresh
from runbook.commands.status import status
from runbook.commands.step import step
from runbook.commands.verify import verify
from runbook.errors import CannotTell, NotConverged, Unhealthy
from runbook.settings import Settings, Stream
from runbook.terminal import Style, counted, say, table, wrapped
from runbook.wanted.pipeline import columns as columns_of

MADE = (
    "snowpipe_sandbox.snowplow",
    *("--seed", "20260101", "--start", "2026-01-01T09:00:00+00:00", "--rows", "3600", "--per-file", "400"),
    *("--enriched-path", "good/", "--hard-cases", "--bad-path", "bad/", "--bad-share", "0.0209"),
    *("--bad-per-file", "15", "--bad-partition", ""),
)
"""The producer: ten files of events, one of them hard to read, and five of bad rows."""


SOON = 1
"""Minutes after which a file is late in the story: doctor would ask about a clock that is further ahead."""


@dataclass
class Sent:
    """What was put into the bucket for one stream: the records of each file, by key."""

    records: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many records were sent."""
        return sum(len(rows) for rows in self.records.values())


class Demo:
    """The story's stage: one tenant, its settings, and what was sent."""

    def __init__(self, config: Mapping[str, Any], tenant: Mapping[str, Any], producer: Path) -> None:
        self.config = {**config, "checks": {**config["checks"], "loaded_within_minutes": SOON}}
        self.settings: Settings = reading.read(self.config)
        self.tenant = tenant
        self.producer = producer
        self.clouds = Clouds(self.settings, run_id="demo", command="demo")
        self.sent = {stream.name: Sent() for stream in self.settings.streams}
        self.good, self.bad = self.settings.stream("events"), self.settings.stream("events_bad")
        self._good, self._bad = self._made("good"), self._made("bad")
        self._hard = next(file for file in self._good if "hard-cases" in file.name)
        self._good.remove(self._hard)

    def _made(self, folder: str) -> list[Path]:
        """The producer's files of one kind, the first one first."""
        return sorted(path for path in (self.producer / folder).rglob("*") if path.is_file())

    def arrive(self, *, good: int = 0, bad: int = 0) -> None:
        """Files arrive as the loader writes them."""
        for stream, count, folder, files in (
            (self.good, good, "good", self._good),
            (self.bad, bad, "bad", self._bad),
        ):
            for _ in range(count):
                file = files.pop(0)
                self._put(stream, str(file.relative_to(self.producer / folder)), file.read_bytes())

    def arrive_hard_cases(self) -> None:
        """A file of events that a careless file format would damage."""
        self._put(self.good, self._hard.name, self._hard.read_bytes())

    def _put(self, stream: Stream, name: str, body: bytes) -> None:
        key = stream.prefix + name
        self.clouds.aws("s3").put_object(Bucket=stream.bucket, Key=key, Body=body)
        lines = zlib.decompress(body, 31).removesuffix(b"\n").split(b"\n")
        self.sent[stream.name].records[key] = lines

    def delete_rule(self, stream: Stream) -> None:
        """Somebody writes the bucket's notifications without our rule, as a console does."""
        s3, bucket = self.clouds.aws("s3"), stream.bucket
        document = s3.get_bucket_notification_configuration(Bucket=bucket)
        document.pop("ResponseMetadata", None)
        rules = document.get("QueueConfigurations", [])
        document["QueueConfigurations"] = [row for row in rules if row["Id"] != stream.rule_id]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=document)

    def settle(self) -> None:
        """Let the pipes finish what has been announced; raises CannotTell when they do not."""
        if not self._control("settle", {"timeout_s": 60})["settled"]:
            raise CannotTell("The sandbox's pipes did not come to rest within a minute")

    def wait_minutes(self, minutes: int) -> None:
        """Time passes in the sandbox."""
        self._control("clock", {"advance_s": minutes * 60})

    def _control(self, verb: str, body: dict[str, Any]) -> Any:
        request = Request(  # noqa: S310 (the sandbox's own loopback address)
            f"{self.tenant['control_url']}/{verb}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=90) as answer:  # noqa: S310
            return json.load(answer)

    def verified(self) -> int:
        """`invoke verify --deep`, as a person would run it."""
        return verify(self.config, formats=["table"], deep=True)


def demo(config: Mapping[str, Any]) -> int:
    """Tell the story; 0 when every number is exactly what went in. Raises Unhealthy otherwise."""
    with TemporaryDirectory() as folder:
        producer = Path(folder) / "producer"
        done = sandbox.program(*MADE, "--out", str(producer))
        if done.returncode:
            raise CannotTell("The producer's files cannot be made", why=done.stderr.strip())
        state = sandbox.afresh()
        sandbox.point_at(state)
        told = Demo(config, state["tenant"], producer)
        try:
            _story(told)
            return _sums(told)
        except KeyboardInterrupt:
            raise NotConverged("The story was interrupted", remedy="invoke demo starts afresh") from None
        finally:
            told.clouds.close()


def _story(told: Demo) -> None:
    _chapter("Files are in the bucket before anything is set up")
    told.arrive(good=3, bad=1)
    told.arrive_hard_cases()
    _in_bucket(told)

    _chapter("The five steps", "invoke up")
    step(told.config, (1, 2, 3, 4, 5), dry_run=False, yes=True, adopt=False)

    _chapter("A pipe does not load what was there before it: take it in, once", "invoke refresh")
    refresh(told.config, stream=None, dry_run=False, yes=True)

    _chapter("New files arrive, and load by themselves")
    told.arrive(good=4, bad=2)
    told.settle()
    _in_bucket(told)
    status(told.config, output_format="table")

    _chapter("Is everything as it should be?", "invoke verify --deep")
    _expect(told.verified() == 0, "the new installation is not healthy")

    _chapter("Somebody overwrites the bucket's notifications: the rule of events_bad is gone")
    told.delete_rule(told.bad)
    told.arrive(good=2, bad=2)
    told.settle()
    told.wait_minutes(SOON + 1)
    say("Files keep arriving. Nothing complains: both pipes are RUNNING.")

    _chapter("verify names the cause", "invoke verify --deep")
    _expect(told.verified() == 1, "the missing rule was not noticed")

    _chapter("The remedy it printed", "invoke step5-aws")
    step(told.config, (5,), dry_run=False, yes=True, adopt=False)

    _chapter("What was missed meanwhile is found", "invoke verify --deep")
    _expect(told.verified() == 1, "the files that were never announced were not noticed")

    _chapter("The remedy it printed", "invoke refresh --stream events_bad")
    refresh(told.config, stream="events_bad", dry_run=False, yes=True)
    told.settle()

    _chapter("And now?", "invoke verify --deep")
    _expect(told.verified() == 0, "the installation is not healthy after the remedies")


def _chapter(title: str, command: str = "") -> None:
    say()
    say(wrapped("── ", title, Style.of(sys.stdout)))
    if command:
        say(f"$ {command}")


def _in_bucket(told: Demo) -> None:
    for name, sent in told.sent.items():
        files, records = counted(len(sent.records), "file"), counted(sent.rows, "record")
        say(f"{name}: {files} with {records} in the bucket")


def _sums(told: Demo) -> int:
    """What is where, counted and compared with what was sent, record by record."""
    _chapter("What is where")
    rows = [_sum(told, stream) for stream in told.settings.streams]
    say(table(rows, Style.of(sys.stdout)))
    wrong = [row["stream"] for row in rows if row["exact"] != "yes"]
    _expect(not wrong, f"not exactly what went in: {', '.join(wrong)}")
    say()
    say("Every record is in its table exactly once, every value as it was sent.")
    say('Look around: eval "$(invoke sandbox.env)"')
    say("             invoke status; aws s3 ls snowplow-sandbox")
    return 0


def _sum(told: Demo, stream: Stream) -> dict[str, Any]:
    sent = told.sent[stream.name]
    found = _records(told, stream)
    wanted = Counter((key, *record) for key, record in _wanted(stream, sent))
    return {
        "stream": stream.name,
        "files sent": len(sent.records),
        "files loaded": len({key for key, *_ in found}),
        "records sent": sent.rows,
        "table": str(stream.table.name),
        "rows": sum(found.values()),
        "exact": "yes" if found == wanted else "NO",
    }


def _wanted(stream: Stream, sent: Sent) -> Iterable[tuple[str, tuple[Any, ...]]]:
    for key, lines in sent.records.items():
        for line in lines:
            if stream.kind == "enriched":
                yield key, tuple(value or None for value in line.decode().split("\t"))
            else:
                yield key, (_canonical(line.decode()),)


def _records(told: Demo, stream: Stream) -> Counter[tuple[Any, ...]]:
    columns = ", ".join(name for name in columns_of(stream) if name not in ("_FILE_ROW", "_LOADED_AT"))
    with told.clouds.snowflake("read").cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {stream.table.sql}")  # noqa: S608
        rows = cursor.fetchall()
    if stream.kind == "enriched":
        return Counter((row[-1], *row[:-1]) for row in rows)
    return Counter((row[-1], _canonical(row[0])) for row in rows)


def _canonical(document: str) -> str:
    return json.dumps(json.loads(document), sort_keys=True)


def _expect(held: bool, otherwise: str) -> None:  # noqa: FBT001 (reads as a sentence)
    if not held:
        raise Unhealthy(f"The story did not go as it should: {otherwise}")
