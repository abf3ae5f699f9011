"""S3 and Snowflake's load memories in memory, fast: the rules of the truth table and nothing else.

| tool | asks | tells |
|---|---|---|
| S3 event | the pipe: name, 14 days | the pipe |
| ALTER PIPE REFRESH, files of 7 days | the pipe, and the table: name and ETag, 64 days | the pipe |
| COPY INTO | the table | the table |

`tests/scenarios/test_model.py` holds it to the sandbox, which is held to the documentation:
https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage
"""

from collections.abc import Callable, Collection, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

PATIENCE = timedelta(minutes=15)  # how late an announcement may be (checks.loaded_within_minutes)
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
PIPE_MEMORY = timedelta(days=14)
TABLE_MEMORY = timedelta(days=64)
REFRESH_REACH = timedelta(days=7)
STALE = timedelta(days=14)
SHARED_QUEUE = "arn:aws:sqs:us-west-2:999988887777:sf-snowpipe-AIDAMODEL-0"

STALE_PIPE, OWNER_CHANGED = 3194, 3195  # the sandbox's numbers; Snowflake documents none


@dataclass(frozen=True)
class Object:
    """A file in the bucket. ``rows``: what is in it, None where it cannot be read."""

    key: str
    rows: tuple[str, ...] | None
    etag: str
    modified: datetime
    size: int


AGAIN = ", of what is there"  # a REFRESH that was asked for when the file's rows were in the table


@dataclass(frozen=True)
class Row:
    """``etag`` and ``source``: which content of the file it is from, and what put it there."""

    file: str
    number: int
    value: str
    read_at: datetime
    etag: str
    source: str


@dataclass
class Pipe:
    id: int
    definition: str
    created_on: datetime
    queue: str
    owner: str = "SNOWPLOW_LOADER"
    comment: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    grants: set[tuple[str, str, str, bool]] = field(default_factory=set)
    paused_since: datetime | None = None
    owner_changed: bool = False
    stopped: bool = False
    misses: str = ""  # a stage that was renamed since the pipe was made
    pending: dict[str, datetime] = field(default_factory=dict)
    loading: dict[str, datetime] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    known: dict[str, datetime] = field(default_factory=dict)
    last_ingested: datetime | None = None

    @property
    def paused(self) -> bool:
        return self.parameters.get("PIPE_EXECUTION_PAUSED") == "TRUE"

    @property
    def state(self) -> str:
        if self.stopped:
            return "STOPPED_STAGE_DROPPED"
        if self.paused:
            return "PAUSED"
        return "STALLED_COMPILATION_ERROR" if self.misses else "RUNNING"


@dataclass
class Table:
    id: int
    created_on: datetime
    rows: list[Row] = field(default_factory=list)
    memory: dict[tuple[str, str], datetime] = field(default_factory=dict)
    first_load: datetime | None = None
    truncated_at: datetime | None = None


@dataclass(frozen=True)
class Attempt:
    """One load of one file; ``pipe`` None: by COPY."""

    key: str
    table: int
    pipe: int | None
    status: str
    ended_at: datetime
    rows: int
    parsed: int
    error: str = ""
    received_at: datetime | None = None
    size: int = 0


@dataclass(order=True, frozen=True)
class Message:
    due: datetime
    queue: str
    key: str
    is_late: bool = False


class Refusal(Exception):
    """Snowflake's answer: an error number and a text."""

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno


class World:
    """One bucket, one pipe, one table, and a clock."""

    def __init__(self, definition: str, *, prefix: str, account_lag: timedelta | None) -> None:
        self.now = START
        self.prefix = prefix
        self.account_lag = account_lag
        self.bucket: dict[str, Object] = {}
        self.messages: list[Message] = []
        self.rule_queue: str | None = SHARED_QUEUE
        self.new_queue_each_time = False
        self.history: list[Attempt] = []
        self._ids = 0
        self.table = Table(self._next(), START - timedelta(minutes=1))
        self.pipe = Pipe(self._next(), definition, START - timedelta(minutes=1), SHARED_QUEUE)
        self.former: list[Pipe] = []
        self.lock: object | None = None
        self.leases: dict[str, tuple[datetime, str]] = {}
        self.bare_refresh = False
        self.doubled: list[tuple[str, str, set[str]]] = []
        """Same content put into the table again: the file, by what, and by what it was there already."""

    def copied(self) -> "World":
        """A world of its own, as this one is; nobody's transaction is open in it."""
        other = copy(self)
        other.bucket, other.leases, other.lock = dict(self.bucket), dict(self.leases), None
        other.messages, other.history, other.doubled = (
            list(self.messages),
            list(self.history),
            list(self.doubled),
        )
        other.table = replace(self.table, rows=list(self.table.rows), memory=dict(self.table.memory))
        other.pipe, *other.former = [
            replace(
                pipe,
                parameters=dict(pipe.parameters),
                grants=set(pipe.grants),
                pending=dict(pipe.pending),
                loading=dict(pipe.loading),
                sources=dict(pipe.sources),
                known=dict(pipe.known),
            )
            for pipe in (self.pipe, *self.former)
        ]
        return other

    def tick(self, statement: str) -> None:
        """The time a statement takes."""
        self.now += timedelta(milliseconds=10)

    def _next(self) -> int:
        self._ids += 1
        return self._ids

    # -- S3 --------------------------------------------------------------------------------------------

    def put(
        self, name: str, rows: tuple[str, ...] | None, *, delays: tuple[timedelta, ...] = (timedelta(),)
    ) -> str:
        """Write a file. ``delays``: its events, none when it is lost, two when S3 repeats itself."""
        key = self.prefix + name
        size = 0 if rows == () else 20 + 10 * len(rows or ())
        at = self.now.replace(microsecond=0)
        self.bucket[key] = Object(key, rows, f"{crc32(repr((key, rows)).encode()):08x}", at, size)
        if self.rule_queue and key.endswith(".gz"):
            self.messages += [
                Message(self.now + delay, self.rule_queue, key, is_late=delay > PATIENCE) for delay in delays
            ]
        return key

    def deliver(self, limit: int = 1000) -> bool:
        """What S3 has to say by now, the first of it first; whether there was anything."""
        due = sorted(message for message in self.messages if message.due <= self.now)[:limit]
        for message in due:
            self.messages.remove(message)
            if message.queue == self.pipe.queue and not self.pipe.stopped:
                self._enqueue(message.key, "late event" if message.is_late else "event")
        return bool(due)

    # -- the pipe --------------------------------------------------------------------------------------

    def _enqueue(self, key: str, source: str) -> bool:
        pipe = self.pipe
        if key in pipe.pending or key in pipe.loading or self.pipe_knows(key):
            return False
        pipe.pending[key], pipe.sources[key] = self.now, source
        return True

    def pipe_knows(self, key: str) -> bool:
        seen = self.pipe.known.get(key)
        return seen is not None and seen > self.now - PIPE_MEMORY

    def drop_old(self) -> None:
        """What waits longer than 14 days is dropped."""
        pending = self.pipe.pending
        for key in [key for key, since in pending.items() if since <= self.now - PIPE_MEMORY]:
            del pending[key]

    def begin_load(self, limit: int = 1000) -> bool:
        """The pipe takes up files that wait."""
        self.drop_old()
        if self.pipe.state != "RUNNING":
            return False
        keys = list(self.pipe.pending)[:limit]
        for key in keys:
            self.pipe.loading[key] = self.pipe.pending.pop(key)
        return bool(keys)

    def finish_load(self, limit: int = 1000) -> bool:
        """What the pipe, or one that was replaced meanwhile, has taken up is in the table."""
        worked = False
        for pipe in (*self.former, self.pipe):
            for key in list(pipe.loading)[:limit]:
                self._loaded_by(pipe, key)
                del pipe.loading[key]
                worked = True
        self.former = [pipe for pipe in self.former if pipe.loading]
        return worked

    def _loaded_by(self, pipe: Pipe, key: str) -> None:
        found = self.bucket[key]
        pipe.known[key] = self.now
        if found.rows is None:
            self._note(key, pipe.id, "Load failed", 0, "not a gzip file", pipe.loading[key])
            return
        source = pipe.sources[key]
        self._insert(found, source if pipe is self.pipe else f"former pipe's {source}")
        pipe.last_ingested = self.now
        self._note(key, pipe.id, "Loaded", len(found.rows), received_at=pipe.loading[key])

    def settle(self) -> None:
        """Until nothing is under way."""
        while self.deliver() | self.begin_load() | self.finish_load():
            pass

    def refresh(self, prefix: str = "", after: datetime | None = None, by: str = "a person's") -> list[str]:
        self._not_stopped()
        since = max(self.now - REFRESH_REACH, after or self.now - REFRESH_REACH)
        sent = []
        for key, found in sorted(self.bucket.items()):
            if not key.startswith(self.prefix + prefix) or found.modified <= since:
                continue
            again = AGAIN if any(row.file == key for row in self.table.rows) else ""
            if self.verdict(found) != "loaded" and self._enqueue(key, f"{by} REFRESH{again}"):
                sent.append(key)
        return sent

    def _not_stopped(self) -> None:
        if self.pipe.stopped:
            raise Refusal(2003, "Stage does not exist or not authorized.")

    def replace_pipe(self, definition: str, *, comment: str = "", owner: str = "SNOWPLOW_LOADER") -> None:
        """CREATE OR REPLACE PIPE: everything the old one knew, held and was granted is gone."""
        if self.pipe.loading:
            self.former.append(self.pipe)
        queue = self.pipe.queue
        if self.new_queue_each_time:
            queue = f"{SHARED_QUEUE}{self._ids}"
        self.pipe = Pipe(self._next(), definition, self.now, queue, owner, comment)
        self.now += timedelta(milliseconds=1)

    def set_paused(self, value: str | None) -> None:
        """ALTER PIPE … SET or UNSET PIPE_EXECUTION_PAUSED; a stale pipe resumes only by force."""
        pipe = self.pipe
        resumes = pipe.paused and value != "TRUE"
        if resumes and pipe.paused_since and self.now - pipe.paused_since > STALE:
            raise Refusal(STALE_PIPE, "Pipe cannot be resumed: it is stale. Use SYSTEM$PIPE_FORCE_RESUME")
        if resumes and pipe.owner_changed:
            raise Refusal(OWNER_CHANGED, "Pipe cannot be resumed. Use SYSTEM$PIPE_FORCE_RESUME")
        self._set_paused(value)

    def _set_paused(self, value: str | None) -> None:
        pipe = self.pipe
        if value is None:
            pipe.parameters.pop("PIPE_EXECUTION_PAUSED", None)
        else:
            pipe.parameters["PIPE_EXECUTION_PAUSED"] = value
        pipe.paused_since = (pipe.paused_since or self.now) if pipe.paused else None

    def force_resume(self) -> None:
        """SYSTEM$PIPE_FORCE_RESUME with both overrides."""
        self.drop_old()
        self.pipe.owner_changed = False
        self._set_paused("FALSE")

    # -- the table -------------------------------------------------------------------------------------

    def verdict(self, found: Object) -> str:
        """What a COPY without FORCE does with a file."""
        table, horizon = self.table, self.now - TABLE_MEMORY
        loaded_at = table.memory.get((found.key, found.etag))
        if loaded_at is not None and loaded_at > horizon:
            return "loaded"
        if found.modified <= horizon and table.first_load and table.first_load <= horizon:
            return "uncertain"
        return "load"

    def _insert(self, found: Object, source: str, gone: Collection[Row] = ()) -> None:
        there = {
            row.source
            for row in self.table.rows
            if (row.file, row.etag) == (found.key, found.etag) and not any(row is each for each in gone)
        }
        if there:
            self.doubled.append((found.key, source, there))
        self.table.rows += [
            Row(found.key, n, value, self.now, found.etag, source)
            for n, value in enumerate(found.rows or (), 1)
        ]

    @property
    def doubled_by_us(self) -> list[tuple[str, str, set[str]]]:
        """What the product put there again, or put there although it was still to come.

        S3 repeating itself after a pipe was made anew, or telling of a file hours later, is nobody's doing;
        a person's REFRESH of what is there is the person's, whichever pipe ends it.
        """
        ours = {f"our {how}{again}" for how in ("REFRESH", "COPY") for again in ("", AGAIN)}
        return [
            (key, source, there)
            for key, source, there in self.doubled
            if source in ours
            or (
                source.startswith("former")
                and not source.endswith(f"a person's REFRESH{AGAIN}")
                and there & ours
            )
            or (source == "event" and "our COPY" in there)
        ]

    def _note(
        self,
        key: str,
        pipe: int | None,
        status: str,
        rows: int,
        error: str = "",
        received_at: datetime | None = None,
    ) -> None:
        size = self.bucket[key].size
        self.history.append(
            Attempt(key, self.table.id, pipe, status, self.now, rows, rows, error, received_at, size)
        )
        if status == "Loaded":
            self.table.first_load = self.table.first_load or self.now

    def copy(
        self,
        keys: list[str],
        *,
        force: bool = False,
        uncertain: bool = False,
        by: str = "a person's",
        gone: Collection[Row] = (),
    ) -> list[tuple[str, str]]:
        """COPY INTO with FILES: each file's status; a file it skips without a word is not there."""
        said = []
        for key in keys:
            found = self.bucket.get(key)
            verdict = self.verdict(found) if found else "missing"
            if found is None:
                said.append((key, "LOAD_FAILED"))
            elif verdict == "loaded" and not force:
                said.append((key, "LOAD_SKIPPED"))
            elif verdict == "uncertain" and not (force or uncertain):
                continue
            elif found.rows is None:
                self._note(key, None, "Load failed", 0, "not a gzip file")
                said.append((key, "LOAD_FAILED"))
            else:
                self._insert(found, f"{by} COPY", gone)
                self.table.memory[key, found.etag] = self.now
                self._note(key, None, "Loaded", len(found.rows))
                said.append((key, "LOADED"))
        return said

    def truncate(self) -> None:
        self.table.rows, self.table.memory, self.table.first_load = [], {}, None
        self.table.truncated_at = self.now
        self.now += timedelta(milliseconds=1)

    def replace_table(self) -> None:
        self.table = Table(self._next(), self.now)

    # -- what the histories show -----------------------------------------------------------------------

    def recent(self) -> Iterator[Attempt]:
        """COPY_HISTORY, the function: 14 days, forgetting with table, pipe and TRUNCATE."""
        table, since = self.table, self.now - timedelta(days=14)
        hidden = table.truncated_at
        for attempt in self.history:
            mine = attempt.table == table.id if attempt.pipe is None else attempt.pipe == self.pipe.id
            if mine and attempt.ended_at > since and not (hidden and attempt.ended_at <= hidden):
                yield attempt
        for key in self.pipe.loading:
            since = self.pipe.loading[key]
            yield Attempt(key, table.id, self.pipe.id, "Load in progress", self.now, 0, 0, "", since)

    def account(self) -> list[Attempt]:
        """ACCOUNT_USAGE.COPY_HISTORY: a year, late."""
        if self.account_lag is None:
            raise Refusal(2003, "Object 'SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY' does not exist")
        late = self.now - self.account_lag
        return [attempt for attempt in self.history if attempt.ended_at <= late]

    # -- transactions ----------------------------------------------------------------------------------

    def replaced_rows(self, gone: list[Row], work: Callable[[], list[tuple[str, str]]]) -> "Staged":
        """What a DELETE and COPY of one transaction will do, done to nothing yet."""
        table, history, first = self.table, list(self.history), self.table.first_load
        rows, memory = list(table.rows), dict(table.memory)
        said = work()
        staged = Staged(
            gone,
            table.rows[len(rows) :],
            dict(table.memory.items() - memory.items()),
            self.history[len(history) :],
            said,
        )
        table.rows, table.memory, table.first_load, self.history = rows, memory, first, history
        return staged

    def commit(self, staged: "Staged") -> None:
        table = self.table
        gone = {id(row) for row in staged.gone}
        table.rows = [row for row in table.rows if id(row) not in gone] + staged.rows
        table.memory |= dict.fromkeys(staged.memory, self.now)
        self.history += [replace(attempt, ended_at=self.now) for attempt in staged.history]


@dataclass(frozen=True)
class Staged:
    gone: list[Row]
    rows: list[Row]
    memory: dict[tuple[str, str], datetime]
    history: list[Attempt]
    said: list[tuple[str, str]]
