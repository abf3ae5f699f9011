"""Who loads into a stream's table, and who replaces its pipe: noted in Snowflake, where everybody looks.

What one command has looked up stays true until its statement only while no other command makes it untrue: a
REFRESH that was decided on with one pipe loads everything again when it reaches the next one. So a command
takes a lease before its last look, and gives it back when its statements are done:

* the lease is an object of its own in the pipe's schema, a file format of a name nobody else uses, which
  costs nothing, holds nothing and needs no warehouse; its comment says whose it is, and for how long;
* it is announced first, and only then the others' are looked at: of two that begin at once, at least one sees
  the other;
* those that load take no notice of each other; whoever replaces the pipe waits for them, and they give way to
  him;
* a lease ends by itself, by Snowflake's clock: of a command that was killed nothing stays in the way. What it
  had sent is over by then (``GRACE``, and for REFRESH :func:`guarded`).

Why this and not another way: docs/adr/0017-leases-in-snowflake.md. Sources:
https://docs.snowflake.com/en/sql-reference/transactions (every DDL statement is a transaction of its own),
https://docs.snowflake.com/en/sql-reference/sql/show-file-formats,
https://docs.snowflake.com/en/sql-reference/sql/execute-immediate
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from runbook.clouds.failures import DOES_NOT_EXIST, Row, SqlFailed
from runbook.clouds.network import STATEMENT_TIMEOUT_S, one_line
from runbook.clouds.writer import Writer
from runbook.errors import CannotTell, Refused
from runbook.facts.snowflake import now as snowflake_now
from runbook.facts.snowflake import utc
from runbook.loading import processes
from runbook.plan import SqlChange
from runbook.running import Run
from runbook.settings import Identifier, QualifiedName, Stream
from runbook.sql import literal, statements
from runbook.terminal import note
from runbook.wanted.pipeline import LEASE_PREFIX as PREFIX

MARK = "snowpipe-runbook: "
SHORT_S = 60
"""Long enough to look once more and to send statements that Snowflake takes at once."""
ALONE_S = 300
"""Long enough for what `replace-pipe` looks at before it replaces the pipe."""
COPY_S = STATEMENT_TIMEOUT_S + 60
"""Long enough for any COPY: Snowflake ends a statement after STATEMENT_TIMEOUT_IN_SECONDS.
https://docs.snowflake.com/en/sql-reference/parameters#statement-timeout-in-seconds"""
LONGEST_S = 2 * COPY_S
GRACE = timedelta(seconds=30)
"""What is sent in the last moment of a lease has reached the pipe by then."""
GOODBYE_S = 5
LATE, DONE = "too late", "done"


@dataclass(frozen=True)
class Lease:
    """One lease as it is noted in Snowflake."""

    name: QualifiedName
    since: datetime
    seconds: int
    alone: bool
    pipe: str = ""
    command: str = "a command"
    who: str = "somebody"
    run: str = ""
    process: str = ""

    @property
    def until(self) -> datetime:
        """When it ends by itself, by Snowflake's clock."""
        return self.since + timedelta(seconds=self.seconds)

    def is_over(self, now: datetime) -> bool:
        """Whether nothing of it can come any more.

        Of a replacement that was killed on this machine nothing does: what it sent is safe to be cut off
        anywhere. What a killed load had sent may still be on its way.
        """
        return now > self.until + GRACE or (self.alone and processes.is_gone(self.process))

    def __str__(self) -> str:
        run = f", run {self.run}" if self.run else ""
        return f"{self.command} by {self.who}{run}, since {self.since:%H:%M:%S} UTC"


def drop(lease: Lease) -> str:
    """The statement that takes a lease away."""
    return f"DROP FILE FORMAT IF EXISTS {lease.name.sql}"


def read(row: Row) -> Lease:
    """A lease of a row of SHOW FILE FORMATS; one that cannot be read counts for every pipe, for its time."""
    name = QualifiedName(*(Identifier(str(row[key])) for key in ("database_name", "schema_name", "name")))
    since = utc(row["created_on"])
    try:
        said = json.loads(str(row["comment"] or "").removeprefix(MARK))
        shown = {key: one_line(str(said[key]))[:100] for key in ("command", "who", "run")}
        compared = {key: str(said[key]) for key in ("pipe", "process")}
        seconds = min(max(int(said["seconds"]), 0), LONGEST_S)
        return Lease(name, since, seconds, bool(said["alone"]), **compared, **shown)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Lease(name, since, COPY_S, alone=True)


def of_pipe(rows: Sequence[Row], pipe: QualifiedName | None) -> list[Lease]:
    """The leases on a pipe, and those that do not say on which; every lease where no pipe is named."""
    found = [read(row) for row in rows if re.fullmatch(f"{PREFIX}[0-9A-F]{{32}}", str(row["name"]))]
    return [lease for lease in found if pipe is None or lease.pipe in ("", pipe.sql)]


def show(pipe: QualifiedName) -> str:
    """The statement that lists the leases of a schema."""
    return f"SHOW FILE FORMATS LIKE '{PREFIX}%' IN SCHEMA {pipe.database.sql}.{pipe.schema.sql}"


@dataclass
class Holding:
    """This run's lease on one stream's pipe: to load, or ``alone`` to replace it.

    An installation that others made has none: nothing of ours replaces its pipes.
    """

    run: Run
    stream: Stream
    alone: bool = False
    lease: Lease | None = None
    _writer: Writer = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._writer = Writer(self.run.writer.clouds, ready=self.run.writer.ready)

    @property
    def is_needed(self) -> bool:
        """Whether anything of ours could replace the pipe."""
        return self.run.settings.is_ours

    def hold(self, seconds: int = SHORT_S) -> None:
        """From now on the lease is held for at least that long; look (again) after this. Writes.

        Raises Refused where another command is in the way and stays there, CannotTell where the lease
        cannot be noted.
        """
        if not self.is_needed:
            return
        with self._lock:
            if self.lease is None:
                self.lease = self._waited_for(2 * seconds)
            elif self.lease.until - snowflake_now(self.run.reader) < timedelta(seconds=seconds):
                self._renew(2 * seconds if seconds < COPY_S else seconds + 10 * SHORT_S)

    def keep(self, seconds: int = SHORT_S) -> None:
        """The lease has held since the look and goes on for that long; raises Refused where not. Writes."""
        with self._lock:
            if self.lease is None:
                return
            now = snowflake_now(self.run.reader)
            if now >= self.lease.until:
                raise too_late(self.stream)
            if self.lease.until - now < timedelta(seconds=seconds):
                self._renew(2 * seconds)

    def _renew(self, seconds: int) -> None:
        """Another lease before the old one goes; raises Refused where that is in somebody's way.

        Who replaces the pipe and has held it all the time looks at nobody: all others give way to him. A load
        ends here for whoever waits to replace the pipe.
        """
        old, new = self.lease, self._announced(seconds)
        has_held = self.alone and old is not None and new.since < old.until
        if against := [] if has_held else self._against():
            self._give_back(new)
            raise in_the_way(self.stream.pipe.sql, self.run.command, against)
        self.lease = new
        if old:
            self._give_back(old)

    def release(self, *, hurry: bool = False) -> None:
        """Give the lease back; never an error, and in a hurry (Ctrl-C) not waited for long. Writes."""
        lease, self.lease = self.lease, None
        if lease is not None and hurry:
            goodbye = threading.Thread(target=self._give_back, args=(lease,), daemon=True)
            goodbye.start()
            goodbye.join(GOODBYE_S)
        elif lease is not None:
            self._give_back(lease)

    def others(self) -> list[Lease]:
        """Who else is at work on the pipe now. Only reads."""
        return [lease for lease in self._others() if not lease.is_over(snowflake_now(self.run.reader))]

    # -- taking it -------------------------------------------------------------------------------------

    def _waited_for(self, seconds: int) -> Lease:
        reader, mine, told, pause = self.run.reader, self._announced(seconds), False, 0.2
        deadline = reader.now() + self.run.settings.checks.ready_within_seconds
        while against := self._against():
            if self._gives_way(mine, against):
                self._give_back(mine)
                mine = replace(mine, seconds=0)
            if not told:
                note(f"{self.stream.name}: waiting for {against[0]}")
                told = True
            if reader.now() > deadline:
                self._give_back(mine)
                raise in_the_way(self.stream.pipe.sql, self.run.command, against)
            reader.sleep(pause)
            pause = min(pause * 1.5, 5)
            if not mine.seconds:
                mine = self._announced(seconds)
        if mine.until - snowflake_now(reader) < timedelta(seconds=seconds // 2):
            self._give_back(mine)  # it was waited for too long
            return self._waited_for(seconds)
        return mine

    def _gives_way(self, mine: Lease, against: Sequence[Lease]) -> bool:
        """Whoever loads gives way; of two that replace the pipe, the later."""
        order = (mine.since, mine.name.sql)
        earlier = [lease for lease in against if (lease.since, lease.name.sql) < order]
        return not self.alone or any(lease.alone for lease in earlier)

    def _against(self) -> list[Lease]:
        """Others' leases that are in the way now; those that are over are taken away. Writes."""
        now, others = snowflake_now(self.run.reader), self._others()
        for lease in others:
            if lease.is_over(now):
                self._give_back(lease)
        return [lease for lease in others if (self.alone or lease.alone) and not lease.is_over(now)]

    def _others(self) -> list[Lease]:
        found = of_pipe(self._answer(show(self.stream.pipe)), self.stream.pipe) if self.is_needed else []
        return [lease for lease in found if lease.run != self.run.record.run_id]

    def _announced(self, seconds: int) -> Lease:
        """A new lease as Snowflake notes it. Raises CannotTell where it cannot be noted. Writes."""
        run, pipe = self.run, self.stream.pipe
        name = QualifiedName(pipe.database, pipe.schema, Identifier(f"{PREFIX}{uuid4().hex.upper()}"))
        said = {
            "pipe": pipe.sql,
            "command": run.command,
            "who": run.record.who.get("snowflake", ""),
            "run": run.record.run_id,
            "process": processes.this(),
            "alone": self.alone,
            "seconds": seconds,
        }
        comment = literal(MARK + json.dumps(said, ensure_ascii=True))
        try:
            self._answer(f"CREATE FILE FORMAT {name.sql} TYPE = CSV COMMENT = {comment}")
            rows = self._answer(show(pipe))
        except SqlFailed as error:
            schema = f"{pipe.database.sql}.{pipe.schema.sql}"
            raise CannotTell(
                f"{run.command} cannot note in {schema} that it is at work",
                where=run.settings.target,
                why=f"{error}; without that another command might replace {pipe} meanwhile",
                remedy=f"invoke step4-snowflake grants CREATE FILE FORMAT on the schema to "
                f"{run.settings.snowflake.operator_role}; whoever runs this command needs that role",
            ) from None
        for lease in of_pipe(rows, pipe):
            if lease.name == name:
                return lease
        raise CannotTell(
            f"The lease {name.sql} was made and Snowflake does not show it",
            where=run.settings.target,
            remedy="run the command again",
        )

    # -- statements ------------------------------------------------------------------------------------

    def _answer(self, statement: str) -> list[Row]:
        """One statement by the operator's role: every command may take it, so all see the same leases."""
        self._writer.sql(f"USE ROLE {self.run.settings.snowflake.operator_role.sql}")
        return self._writer.answer(statement)[1]

    def _give_back(self, lease: Lease) -> None:
        with suppress(Exception):  # it ends by itself
            self._answer(drop(lease))


@contextmanager
def leased(run: Run, stream: Stream, *, alone: bool = False) -> Iterator[Holding]:
    """A lease while the block runs, however it ends. Writes."""
    holding = Holding(run, stream, alone)
    try:
        holding.hold()
        yield holding
    except KeyboardInterrupt:
        holding.release(hurry=True)
        raise
    except Exception:
        holding.release()
        raise
    holding.release()


def in_the_way(pipe: str, command: str, against: Sequence[Lease]) -> Refused:
    """What is said where another command is at work."""
    last = max(against, key=lambda lease: lease.until)
    return Refused(
        f"Another command is at work on {pipe}: {last}",
        why="it gives the pipe back as it was, and a pause now would be lost"
        if command == "pause"
        else f"{command} beside it could load files twice",
        remedy=f"run it again when the other one has ended. If it was killed: after "
        f"{last.until + GRACE:%Y-%m-%d %H:%M:%S} UTC, or, when the query history shows that no statement "
        f"of it runs any more, after {drop(last)};",
    )


def wait_for_nobody(run: Run, stream: Stream) -> None:
    """Until no command holds a lease on a pipe that is not there: before it is created. Only reads.

    Whoever takes one later sees the new pipe, or none. Raises Refused.
    """
    reader, pause = run.reader, 0.2
    deadline = reader.now() + run.settings.checks.ready_within_seconds
    writer = Writer(run.writer.clouds)
    writer.sql(f"USE ROLE {run.settings.snowflake.owner_role.sql}")
    while True:
        try:
            rows = writer.answer(show(stream.pipe))[1]
        except SqlFailed as error:
            if error.errno in DOES_NOT_EXIST:
                return
            raise
        now = snowflake_now(reader)
        against = [lease for lease in of_pipe(rows, stream.pipe) if not lease.is_over(now)]
        if not against:
            return
        if reader.now() > deadline:
            raise in_the_way(stream.pipe.sql, run.command, against)
        reader.sleep(pause)
        pause = min(pause * 1.5, 5)


def guarded(change: SqlChange, lease: Lease | None) -> SqlChange:
    """The change's statements as one request, each only while the lease lasts, by Snowflake's own clock.

    However late a request reaches Snowflake, from a machine that slept or a network that hung, nothing is
    done once somebody else may have replaced the pipe. It answers ``DONE`` or ``LATE``.
    """
    if lease is None:
        return change
    first, *rest = statements(change.sql)
    late = f"IF (SYSDATE() >= {literal(lease.until.replace(tzinfo=None).isoformat(' '))}::TIMESTAMP_NTZ) "
    late += f"THEN RETURN '{LATE}'; END IF;"
    body = "\n".join(f"{late}\n{statement};" for statement in rest)
    block = f"BEGIN\n{body}\nRETURN '{DONE}';\nEND;"
    return replace(change, sql=f"{first};\nEXECUTE IMMEDIATE {literal(block)};")


def too_late(stream: Stream) -> Refused:
    """What is said where a guarded request came too late."""
    return Refused(
        f"A request to {stream.pipe} came too late, and nothing was done by it",
        why="the lease of this run has ended, and another command may have replaced the pipe since",
        remedy="run the same command again",
    )


def is_late(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether a guarded request says that it came too late."""
    return any(LATE in row.values() for row in rows)
