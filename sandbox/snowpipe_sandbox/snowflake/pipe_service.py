"""Snowpipe: takes S3's messages off the queue, decides which pipe they are for, and loads the files.

One round receives everything there is and loads everything that can be loaded; a thread of the account's
own does rounds, often while there is work and ever less when there is none, and :meth:`PipeService.settle`
does them in the caller's thread. A file is loaded by a pipe at most once: claimed while pending, and
remembered for 14 days whatever became of it (sources: Snowflake §3).

Sources: sources: Snowflake §1.5, §2.1, §3, §8.6-8.9.

Longer than 400 lines: the life of a pipe's queue.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from snowpipe_sandbox.snowflake import evolution, pipe_status
from snowpipe_sandbox.snowflake.bucket import RoleSession, StagedFile
from snowpipe_sandbox.snowflake.channel import Channel, Channels, Message
from snowpipe_sandbox.snowflake.copy_statement import SKIP_FILE
from snowpipe_sandbox.snowflake.copying import Compiled, attempt_of, compile_statement, java_pattern
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.history import Attempt, PipeIdentity
from snowpipe_sandbox.snowflake.load_errors import FileError
from snowpipe_sandbox.snowflake.loading import Load
from snowpipe_sandbox.snowflake.pipe_events import ObjectCreated, created_objects
from snowpipe_sandbox.snowflake.pipe_status import Pending, PipeState
from snowpipe_sandbox.snowflake.resolve import PipeContext
from snowpipe_sandbox.snowflake.result import Column

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.catalog import Pipe, Stage

MESSAGE_KEPT = timedelta(days=14)
REFRESH_RANGE = timedelta(days=7)
RECOMPILED_AFTER = timedelta(hours=1)
"""How long a compiled COPY serves: by so much CURRENT_TIMESTAMP may be early (sources: Snowflake §1.5)."""

FILES_PER_BATCH = 500
BYTES_PER_BATCH = 64 * 1024 * 1024

FIRST_PAUSE_S, BUSY_PAUSE_S, IDLE_PAUSE_S = 0.05, 1.0, 10.0
BUSY_FOR_S = 60.0
"""How long the thread waits between rounds: a second at most in the minute after there was work."""

SETTLE_PAUSE_S = 0.02

STORAGE_ERRORS = (3139, 3167, 91003, 3131)
"""What makes files fail and the pipe STALLED_STAGE_PERMISSION_ERROR: the way to the bucket is shut."""

REFRESH_COLUMNS = [Column("File"), Column("Status")]


class PipeService:
    """The pipes of one account at work. Thread-safe."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.channels = Channels(account)
        self.latency_s: float = 0.0  # how long an announced file waits (sources: Snowflake §3.1)
        self.replaced_pipe_s: float = 0.0
        """How long after CREATE OR REPLACE what is sent to the pipe goes to the one before, and is lost.

        Seen in https://github.com/estuary/connectors/pull/1467; what becomes of it is our guess.
        """
        self._states: dict[int, PipeState] = {}
        self._lock = threading.Lock()
        self._working = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._pulled_at: dict[str, datetime] = {}

    # -- what DDL and functions call ---------------------------------------------------------------------

    def bind_channel(self, pipe: Pipe) -> None:
        """Give an AUTO_INGEST pipe its queue: assumes the role, finds the bucket's region.

        Sets the pipe's ``bucket_region`` and ``notification_channel``. With a topic, subscribes its queue.
        Raises SnowflakeError 3139, 3167 or 091003: this is the one CREATE that asks AWS (sources: Snowflake
        §1.1), and 93100 where the topic does not let Snowflake's user subscribe.
        """
        with self._account.lock:
            stage = self._account.catalog.stages.by_id(pipe.stage_id)
            integration = self._account.catalog.stage_integration(stage) if stage else None
        if stage is None or integration is None:
            raise SnowflakeError(3139, "02000", "SQL compilation error:\nIntegration cannot be found.")
        pipe.bucket_region = self._account.bucket.bucket_region(integration, stage.bucket)
        if pipe.aws_sns_topic:
            pipe.notification_channel = self.channels.of_topic(pipe.aws_sns_topic).arn
        else:
            pipe.notification_channel = self.channels.of_region(pipe.bucket_region).arn
        self._start()

    def wake(self, _pipe: Pipe | None = None) -> None:
        """Something changed that may let a pipe work."""
        self._wake.set()

    def wake_all(self) -> None:
        """Something changed that may let any pipe work."""
        self._wake.set()

    def forget(self, pipe: Pipe) -> None:
        """The pipe was dropped or replaced: its queue of files and its memory are gone."""
        with self._lock:
            self._states.pop(pipe.id, None)
        self._account.history.forget_pipe(pipe.id)

    def status(self, pipe: Pipe) -> dict[str, Any]:
        """SYSTEM$PIPE_STATUS. Asking rechecks a storage error (sources: Snowflake §2.1)."""
        state = self._state(pipe)
        if state.storage_error is not None:
            self._recheck_storage(pipe, state)
        if state.compile_error is not None:
            self._recheck_compilation(pipe, state)
        with self._lock:
            self._drop_old(state)
        return pipe_status.as_json(self, pipe, state)

    def state_name(self, pipe: Pipe) -> tuple[str, str | None]:
        """The execution state, and the error that goes with it."""
        return pipe_status.execution_state(self._account, pipe, self._state(pipe))

    def refresh(
        self, pipe: Pipe, prefix: str | None = None, modified_after: datetime | None = None
    ) -> tuple[list[Column], list[tuple[str, str]]]:
        """ALTER PIPE REFRESH: queue files of the last seven days that neither memory knows.

        A paused pipe only queues them. Raises SnowflakeError 2003, 3001, 3139, 3167, 091003.
        """
        compiled = self._compile(pipe, self._state(pipe))
        role = self._account.bucket.reach(compiled.integration)
        now = self._account.clock.now()
        since = max(now - REFRESH_RANGE, modified_after or now - REFRESH_RANGE)
        start = compiled.prefix + (prefix or "")
        sent: list[tuple[str, str]] = []
        for file in role.list(compiled.stage.bucket, start):
            if file.last_modified <= since or not _taken(compiled.pattern, compiled.stage, file.key):
                continue
            if self._account.history.copy_verdict(compiled.table.id, file) == "loaded":
                continue
            if self._enqueue(pipe, file.bucket, file.key, file.size, now):
                sent.append((file.key[len(compiled.prefix) :], "SENT"))
        self._start()
        self._wake.set()
        return REFRESH_COLUMNS, sent

    def settle(self, timeout_s: float) -> bool:
        """Work until the queues are empty and no pipe has files it could load; False: time went by."""
        deadline = time.monotonic() + timeout_s
        while True:
            if not self._round() and not self._outstanding():
                return True
            if time.monotonic() >= deadline:
                return False
            if self._outstanding():
                self._wake.wait(SETTLE_PAUSE_S)

    def close(self) -> None:
        """Stop working."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def outstanding_on(self, arn: str | None) -> int | None:
        """numOutstandingMessagesOnChannel; None if the queue cannot be asked."""
        channel = self.channels.get(arn)
        if channel is None:
            return None
        try:
            return self.channels.outstanding(channel)
        except (ClientError, BotoCoreError):
            return None

    def pulled_at(self, arn: str | None) -> datetime | None:
        """When the queue was last asked for messages."""
        return self._pulled_at.get(arn or "")

    # -- rounds ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                name = f"snowpipe {self._account.name}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause, last_work = FIRST_PAUSE_S, time.monotonic()
        while not self._closed:
            woken = self._wake.wait(pause)
            self._wake.clear()
            if self._closed:
                return
            if self._round() or woken:
                pause, last_work = FIRST_PAUSE_S, time.monotonic()
            recently = time.monotonic() - last_work < BUSY_FOR_S
            pause = min(pause * 1.5, BUSY_PAUSE_S if recently else IDLE_PAUSE_S)

    def _round(self) -> bool:
        """Receive and load all there is. Was there anything?"""
        with self._working:
            if self._closed:
                return False
            busy = False
            for channel in self.channels.all():
                busy |= self._receive(channel)
            with self._account.lock:
                pipes = list(self._account.catalog.pipes)
            for pipe in pipes:
                busy |= self._work_on(pipe)
            return busy

    def _outstanding(self) -> bool:
        return any(self.outstanding_on(channel.arn) for channel in self.channels.all())

    # -- messages ----------------------------------------------------------------------------------------

    def _receive(self, channel: Channel) -> bool:
        """Take every message off a queue. Were there any, or could it not be asked?"""
        any_received = False
        while not self._closed:
            try:
                messages = self.channels.receive(channel)
                self._pulled_at[channel.arn] = self._account.clock.now()
                if not messages:
                    return any_received
                any_received = True
                self._forward(channel, messages)
                self.channels.delete(channel, messages)
            except (ClientError, BotoCoreError):
                return True
        return any_received

    def _forward(self, channel: Channel, messages: Iterable[Message]) -> None:
        """Give each message to every pipe on the queue."""
        now = self._account.clock.now()
        with self._account.lock:
            pipes = [
                pipe
                for pipe in self._account.catalog.pipes
                if pipe.auto_ingest and pipe.notification_channel == channel.arn
            ]
        for message in messages:
            for pipe in pipes:
                self._state(pipe).last_received = now
            for created in created_objects(message.body, now):
                for pipe in pipes:
                    self._offer(pipe, created, now)

    def _offer(self, pipe: Pipe, created: ObjectCreated, now: datetime) -> None:
        """An object was created: is it under the pipe's path, does PATTERN take it, is it new?

        A pipe without its table, stage or format loses the event; a paused one keeps it
        (sources: Snowflake §3.6, §8.7-8.9).
        """
        state = self._state(pipe)
        with self._account.lock:
            stage = self._account.catalog.stages.by_id(pipe.stage_id)
            name, _ = pipe_status.execution_state(self._account, pipe, state)
        if stage is None or name.startswith("STOPPED_"):
            return
        prefix = pipe.copy.stage.prefix(stage.path)
        if created.bucket != stage.bucket or not created.key.startswith(prefix):
            return
        state.last_forwarded = now
        state.last_forwarded_path = created.path
        if _taken(java_pattern(pipe.copy.pattern), stage, created.key):
            self._enqueue(pipe, created.bucket, created.key, created.size, now)

    def _enqueue(self, pipe: Pipe, bucket: str, key: str, size: int, now: datetime) -> bool:
        """Claim a file for the pipe, unless it has it already."""
        if pipe.replaces_another and now - pipe.created_on < timedelta(seconds=self.replaced_pipe_s):
            return True
        path = f"{bucket}/{key}"
        state = self._state(pipe)
        with self._lock:
            if path in state.pending or self._account.history.pipe_knows(pipe.id, path):
                return False
            state.pending[path] = Pending(bucket, key, size, now)
            return True

    def _state(self, pipe: Pipe) -> PipeState:
        with self._lock:
            return self._states.setdefault(pipe.id, PipeState())

    def _drop_old(self, state: PipeState) -> None:
        """Messages wait at most 14 days."""
        horizon = self._account.clock.now() - MESSAGE_KEPT
        for path in [path for path, each in state.pending.items() if each.received_at <= horizon]:
            del state.pending[path]

    # -- loading -----------------------------------------------------------------------------------------

    def _work_on(self, pipe: Pipe) -> bool:
        """Load what is pending, if the pipe may. Was a file dealt with?"""
        state = self._state(pipe)
        worked = False
        while state.pending and not self._closed:
            with self._lock:
                self._drop_old(state)
                batch = self._next_batch(state)
            with self._account.lock:
                gone = self._account.catalog.pipes.by_id(pipe.id) is None
                name, _ = pipe_status.execution_state(self._account, pipe, state)
            if gone or not batch or name not in pipe_status.WORKING:
                break
            if not self._load_batch(pipe, state, batch):
                break
            worked = True
        return worked

    def _next_batch(self, state: PipeState) -> list[Pending]:
        batch: list[Pending] = []
        size = 0
        due = self._account.clock.now() - timedelta(seconds=self.latency_s)
        for each in state.pending.values():
            if each.received_at > due:
                continue
            if batch and (size + each.size > BYTES_PER_BATCH or len(batch) >= FILES_PER_BATCH):
                break
            batch.append(each)
            size += each.size
        return batch

    def _compile(self, pipe: Pipe, state: PipeState) -> Compiled:
        now = self._account.clock.now()
        if state.compiled_at is None or now - state.compiled_at > RECOMPILED_AFTER:
            state.compiled_at = now
        return compile_statement(
            self._account,
            PipeContext(pipe),
            pipe.copy,
            default_on_error=SKIP_FILE,
            privileges=("INSERT", "SELECT"),
            timezone=self._account.timezone,
            compiled_at=state.compiled_at,
        )

    def _load_batch(self, pipe: Pipe, state: PipeState, batch: list[Pending]) -> bool:
        """Load some files. False: nothing could be done, they stay pending."""
        try:
            compiled = self._compile(pipe, state)
            state.compile_error = None
        except SnowflakeError as refused:
            if refused.errno in STORAGE_ERRORS:
                self._fail_batch(pipe, state, batch, refused)
                return True
            state.fail_compilation(refused.message, self._account.clock.now())
            return False
        try:
            role = self._account.bucket.reach(compiled.integration)
        except SnowflakeError as refused:
            self._fail_batch(pipe, state, batch, refused, compiled)
            return True
        try:
            batch, compiled = self._evolved(pipe, state, batch, compiled, role)
        except SnowflakeError as refused:
            state.fail_compilation(refused.message, self._account.clock.now())
            return False
        except duckdb.Error as broken:
            state.fault(str(broken).splitlines()[0], self._account.clock.now())
            return False
        return self._load(pipe, state, batch, compiled, role.open)

    def _evolved(
        self, pipe: Pipe, state: PipeState, batch: list[Pending], compiled: Compiled, role: RoleSession
    ) -> tuple[list[Pending], Compiled]:
        """What can be loaded after the table evolved once, if it does; the others stay pending."""
        statement, table, options = compiled.statement, compiled.table, compiled.plan.options
        if not evolution.applies(self._account, pipe.owner, statement, table, options):
            return batch, compiled
        files = [each.file for each in batch]
        ready = {
            file.path for file in evolution.evolve(self._account, statement, table, options, role, files)
        }
        return [each for each in batch if each.path in ready], self._compile(pipe, state)

    def _load(
        self, pipe: Pipe, state: PipeState, batch: list[Pending], compiled: Compiled, open_file: Any
    ) -> bool:
        account = self._account
        started_at = account.clock.now()
        identity = PipeIdentity(pipe.id, pipe.full_name)
        files = [each.file for each in batch]
        received = {each.path: each.received_at for each in batch}
        cursor = account.engine.cursor(account.timezone)
        writing = account.engine.cursor(account.timezone)
        load = Load(compiled.plan, cursor, open_file, account.clock.now)
        begun = [_begun(file, compiled, identity, started_at, received[file.path]) for file in files]
        try:
            for each in begun:
                account.history.begin(each)
            load.read(files)
            load.write(writing)
            compiled.table.altered_on = account.now()
            attempts = [
                attempt_of(load, one, compiled, identity, started_at, received[one.file.path])
                for one in load.files
            ]
            self._finish(pipe, state, attempts)
            self._note_storage(load, state)
        except duckdb.Error as broken:
            for each in begun:
                account.history.abandon(each)
            state.fault(str(broken).splitlines()[0], account.clock.now())
            return False
        finally:
            load.close()
            cursor.close()
            writing.close()
        return True

    def _finish(self, pipe: Pipe, state: PipeState, attempts: list[Attempt]) -> None:
        """The files are dealt with: remember them, show them, and let the claims go."""
        history = self._account.history
        for attempt in attempts:
            history.piped(pipe.id, attempt.file_path)
        history.record(attempts)
        with self._lock:
            for attempt in attempts:
                state.pending.pop(attempt.file_path, None)
                if attempt.status != "Load failed":
                    state.last_ingested = attempt.ended_at
                    state.last_ingested_path = attempt.location[1].lstrip("/")

    def _note_storage(self, load: Load, state: PipeState) -> None:
        """Files that were denied say the way to the bucket is shut; files that were read, that it is open."""
        refused = [one.failure for one in load.files if one.failure and one.failure.code == 91003]
        if refused:
            state.fail_storage(refused[0].message, self._account.clock.now())
        elif any(one.failure is None for one in load.files):
            state.storage_error = None

    def _fail_batch(
        self,
        pipe: Pipe,
        state: PipeState,
        batch: list[Pending],
        refused: SnowflakeError,
        compiled: Compiled | None = None,
    ) -> None:
        """The bucket cannot be reached: the files have failed, and a pipe does not try a file twice."""
        now = self._account.clock.now()
        state.fail_storage(refused.message, now)
        with self._account.lock:
            table = self._account.catalog.pipe_table(pipe)
            stage = self._account.catalog.stages.by_id(pipe.stage_id)
            if table is None or stage is None:
                return
            table_identity = compiled.table_identity if compiled else self._account.history.identity(table)
        attempts = [
            Attempt(
                table=table_identity,
                pipe=PipeIdentity(pipe.id, pipe.full_name),
                file_path=each.path,
                stage_url=stage.url,
                file_size=each.size,
                status="Load failed",
                started_at=now,
                ended_at=now,
                received_at=each.received_at,
                row_parsed=0,
                error_count=1,
                error_limit=1,
                first_error_message=refused.message,
            )
            for each in batch
        ]
        self._finish(pipe, state, attempts)

    def _recheck_compilation(self, pipe: Pipe, state: PipeState) -> None:
        """Does the COPY compile again?"""
        try:
            self._compile(pipe, state)
        except SnowflakeError as refused:
            state.compile_error = refused.message
        else:
            state.compile_error = None

    def _recheck_storage(self, pipe: Pipe, state: PipeState) -> None:
        """Is the way to the bucket open again?"""
        with self._account.lock:
            stage: Stage | None = self._account.catalog.stages.by_id(pipe.stage_id)
            integration = self._account.catalog.stage_integration(stage) if stage else None
        if stage is None or integration is None or not integration.enabled:
            return
        try:
            role = self._account.bucket.reach(integration)
            next(iter(role.list(stage.bucket, pipe.copy.stage.prefix(stage.path))), None)
        except (SnowflakeError, FileError) as refused:
            state.fail_storage(str(getattr(refused, "message", refused)), self._account.clock.now())
        else:
            state.storage_error = None


def _taken(pattern: re.Pattern[str] | None, stage: Stage, key: str) -> bool:
    """Whether a pipe's PATTERN takes a file: what is left of its key behind the stage's own path.

    The path that the COPY writes behind the stage is not cut off: of ``@s/path2/`` on ``s3://b/path1/`` the
    pattern sees ``path2/`` and the file's name. That a slash does not begin it, where the stage's URL ends
    without one, is inferred. Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
    """
    left = key[len(stage.path) :].removeprefix("/")
    return pattern is None or pattern.fullmatch(left) is not None


def _begun(
    file: StagedFile, compiled: Compiled, pipe: PipeIdentity, started_at: datetime, received_at: datetime
) -> Attempt:
    """A file whose load has begun."""
    return Attempt(
        table=compiled.table_identity,
        pipe=pipe,
        file_path=file.path,
        stage_url=compiled.stage.url,
        file_size=file.size,
        status="Load in progress",
        started_at=started_at,
        ended_at=started_at,
        received_at=received_at,
    )
