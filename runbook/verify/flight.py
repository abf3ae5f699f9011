"""`invoke verify --canary`: the canary through the whole way, each hop timed; then it is removed again.

Also when it stops on the way, and when it is interrupted. What a run that was killed left behind, the
next one removes.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.errors import CannotTell, NotConverged, RunbookError
from runbook.facts import Facts
from runbook.facts.aws import right
from runbook.plan import Applied, AwsChange, SqlChange, make
from runbook.remedy import told
from runbook.running import Run
from runbook.settings import Stream
from runbook.terminal import note
from runbook.verify.canary import ABANDONED, RUN, Canary, canary_of, runs_in_bucket, runs_in_table
from runbook.verify.outcome import Result

HOPS = {
    "put": "The file can be written as a producer writes it.",
    "event": "The bucket announces it, and the pipe receives that.",
    "forwarded": "The pipe takes it to be loaded.",
    "loaded": "The load history has it as loaded.",
    "row-visible": "Its row can be read from the table.",
}


class Stopped(Exception):
    """The canary went no further, and why."""


class Flight:
    """One canary under way. Writes: the object, and what removes it and its row."""

    def __init__(self, run: Run, stream: Stream, seconds: float) -> None:
        self.run = run
        self.reader = run.reader
        self.stream = stream
        self.seconds = seconds
        self.canary = canary_of(run.reader, stream, run.record.run_id)
        self.seconds_of: dict[str, float] = {}

    def fly(self) -> list[Result]:
        """Every hop as a result, after which nothing of it is left; raises NotConverged if something is.

        Also when interrupted: Ctrl-C removes it first.
        """
        self.sweep()
        problem = ""
        try:
            self._travel()
        except Stopped as stopped:
            problem = str(stopped)
        except KeyboardInterrupt:
            self.remove(self.canary)
            self.run.changed = self.run.writer.begun = 0  # what was put is gone again
            note("the canary's object and row are removed")
            raise
        except BaseException:
            self.remove(self.canary)
            raise
        self.remove(self.canary)
        hops = {hop: round(seconds, 1) for hop, seconds in self.seconds_of.items()}
        self.run.record.note({"canary": self.stream.name, "hops": hops, "problem": problem})
        return self._results(problem)

    # ---- the way

    def _travel(self) -> None:
        """From the put to the row; raises Stopped. Each hop is told as it is done."""
        begun = self.reader.now()
        before = self._status()
        self._put()
        self._done("put", begun)
        hops: dict[str, Callable[[], bool]] = {
            "event": lambda: self._moved(before, "lastReceivedMessageTimestamp"),
            "forwarded": lambda: self._forwarded(before),
            "loaded": self._loaded,
            "row-visible": lambda: self.canary.run in runs_in_table(self.reader, self.canary),
        }
        pause = 0.2
        while True:
            for hop, arrived in hops.items():
                if hop in self.seconds_of:
                    continue
                if not arrived():
                    break
                self._done(hop, begun)
            if len(self.seconds_of) == len(HOPS):
                return
            if self.reader.now() - begun + pause > self.seconds:
                raise Stopped(f"not within {self.seconds:.0f} seconds. {self._afterwards()}")
            self.reader.sleep(pause)
            pause = min(pause * 1.5, 5)

    def _afterwards(self) -> str:
        """What may still happen to a canary that did not arrive."""
        return (
            "Its object is deleted, so the pipe will find none; had it begun to read it, its row comes "
            f"later, and the next canary removes it, or {self.canary.delete}"
        )

    def _put(self) -> None:
        # on record before it is there: whoever is killed now leaves a trace
        self.run.record.note(
            {
                "step": 0,
                "change": "canary begun",
                "why": "to time each hop",
                "text": self.canary.key,
                "pid": os.getpid(),
            }
        )
        try:
            self._write("PutObject", {"Key": self.canary.key, "Body": self.canary.body})
        except AwsFailed as error:
            needed = f"; {right('s3', 'PutObject')} is missing" if error.is_denied else ""
            raise Stopped(f"{error}{needed}") from None

    def _done(self, hop: str, begun: float) -> None:
        self.seconds_of[hop] = self.reader.now() - begun
        note(f"  canary {hop}: {self.seconds_of[hop]:.1f} s")

    def _status(self) -> dict[str, object]:
        found = Facts(self.reader).pipe_status(self.stream)
        return dict(found.document) if found else {}

    def _moved(self, before: dict[str, object], name: str) -> bool:
        """Whether the pipe has had a message since; a later hop is proof as well."""
        return self._status().get(name) != before.get(name) or self._loaded()

    def _forwarded(self, before: dict[str, object]) -> bool:
        return self._moved(before, "lastForwardedMessageTimestamp")

    def _loaded(self) -> bool:
        loads = Facts(self.reader).loads(self.stream) or ()
        mine = [load for load in loads if load.key == self.canary.key]
        if failed := next((load for load in mine if load.status == "LOAD_FAILED"), None):
            raise Stopped(f"Snowflake could not load it: {failed.first_error}")
        return any(load.status == "LOADED" for load in mine)

    # ---- removing

    def sweep(self) -> None:
        """Remove what runs that were cut off have left."""
        found = {*runs_in_bucket(self.reader, self.stream), *runs_in_table(self.reader, self.canary)}
        for run in sorted(found):
            if RUN.fullmatch(run) and self._is_abandoned(self._of(run)):
                note(f"  removing the canary that {run} left behind")
                self.remove(self._of(run))

    def _of(self, run: str) -> Canary:
        """The canary of another run."""
        return replace(self.canary, run=run)

    def _is_abandoned(self, canary: Canary) -> bool:
        """Old, or begun on this machine by a process that is gone."""
        if datetime.now(UTC) - canary.begun > ABANDONED:
            return True
        record = self.run.record.path.with_name(f"{canary.run}.jsonl")
        try:
            first = json.loads(record.read_text(encoding="utf-8").splitlines()[0])
            os.kill(int(first["pid"]), 0)
        except ProcessLookupError:
            return True
        except (OSError, ValueError, KeyError, IndexError):
            return False  # another machine's
        return False

    def remove(self, canary: Canary) -> None:
        """Delete the object, as the version it is, and the row; raises NotConverged for what is left."""
        left = []
        for removal in (self._remove_object, self._remove_row):
            try:
                removal(canary)
            except (AwsFailed, SqlFailed, RunbookError) as error:
                left.append(str(error))
        if left:
            raise NotConverged(
                "The canary could not be removed again",
                where=f"s3://{self.stream.bucket}/{canary.key}",
                why="; ".join(left),
                remedy="invoke verify --canary tries again; or by hand: delete that object, and "
                f"{canary.delete}",
            )

    def _remove_object(self, canary: Canary) -> None:
        if canary.run not in runs_in_bucket(self.reader, self.stream):
            return
        try:
            head = self.reader.aws("s3", "HeadObject", Bucket=self.stream.bucket, Key=canary.key)
        except AwsFailed:
            head = {}
        version = head.get("VersionId", "null")
        which = {} if version == "null" else {"VersionId": version}
        self._write("DeleteObject", {"Key": canary.key, **which})

    def _remove_row(self, canary: Canary) -> None:
        if canary.run not in runs_in_table(self.reader, self.canary):
            return
        role = self.run.settings.snowflake.owner_role.sql
        change = SqlChange(
            "operate/canary (generated)", f"USE ROLE {role};\n\n{canary.delete};", "the canary's row"
        )
        self.run.applied(0, Applied(change, make(change, self.reader, self.run.writer)))
        if canary.run in runs_in_table(self.reader, self.canary):
            raise CannotTell("The row is still there", where=str(self.stream.table))

    def _write(self, operation: str, parameters: dict[str, Any]) -> None:
        parameters = {"Bucket": self.stream.bucket, **parameters}
        receipt = self.run.writer.aws("s3", operation, **parameters)
        told = {name: "(the canary)" if name == "Body" else value for name, value in parameters.items()}
        self.run.applied(0, Applied(AwsChange("s3", operation, told, "the canary"), (receipt,)))

    # ---- telling

    def _results(self, problem: str) -> list[Result]:
        """One result a hop; the first that was not done failed, and what comes after is blocked by it."""
        stopped = next((hop for hop in HOPS if hop not in self.seconds_of), None)
        found = []
        for hop, title in HOPS.items():
            base = Result(f"canary.{hop}", None, self.stream.name, title, "passed")
            if hop in self.seconds_of:
                found.append(_with(base, observed=f"{self.seconds_of[hop]:.1f} s"))
            elif hop == stopped:
                found.append(_with(base, outcome="failed", cause=problem, **_advice(hop)))
            else:
                found.append(_with(base, outcome="blocked", blocked_by=(f"canary.{stopped}",)))
        return found


def not_sent(stream: Stream, causes: tuple[str, ...]) -> list[Result]:
    """The hops of a canary that is not sent because something is known to be broken."""
    return [
        Result(f"canary.{hop}", None, stream.name, title, "blocked", blocked_by=causes)
        for hop, title in HOPS.items()
    ]


def _with(base: Result, **changes: object) -> Result:
    return Result(**{**base.__dict__, **changes})


def _advice(hop: str) -> dict[str, object]:
    remedies = {
        "put": "grant that right, or send the canary with the producer's credentials",
        "event": "wait some minutes after step 5; then invoke verify --deep --wait 600",
        "forwarded": "invoke verify --deep --wait 600",
        "loaded": "invoke verify --deep --wait 600",
        "row-visible": "read with a role that may SELECT from the table",
    }
    return {"remedy": told(remedies[hop]), "see": "docs/runbook.md#canary"}
