r"""What was loaded: a pipe's memory, a table's memory, and the attempts that history functions show.

The two memories never meet, except in REFRESH, which asks both (sources: Snowflake §3.1-3.3):

=================  ===============================  =====================================
\\                  pipe                             table
=================  ===============================  =====================================
written by         that pipe                        COPY INTO
kept               14 days                          64 days
key                bucket and name                  bucket, name, size and ETag
failures           remembered                       not remembered
forgets on         DROP or CREATE OR REPLACE PIPE   TRUNCATE, DROP or CREATE OR REPLACE TABLE
=================  ===============================  =====================================

Everything is by hidden object id and by the tenant's clock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from snowpipe_sandbox.snowflake.load_errors import RecordError
from snowpipe_sandbox.snowflake.names import Name

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.catalog import Table

PIPE_MEMORY = timedelta(days=14)
TABLE_MEMORY = timedelta(days=64)
ACCOUNT_USAGE_KEPT = timedelta(days=365)
ACCOUNT_USAGE_LAG_S = 7200
"""ACCOUNT_USAGE.COPY_HISTORY is normally up to two hours late (sources: Snowflake §2.4)."""

Status = Literal["Load in progress", "Loaded", "Load failed", "Partially loaded", "Load skipped"]
Verdict = Literal["load", "loaded", "uncertain"]


class File(Protocol):
    """What the memories look at in a staged file."""

    @property
    def path(self) -> str:
        """``bucket/key``."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def etag(self) -> str:
        """The ETag, unquoted."""

    @property
    def last_modified(self) -> datetime:
        """When S3 got it."""


@dataclass(frozen=True, slots=True)
class TableIdentity:
    """A table as histories keep it: names may change or go, ids do not."""

    id: int
    name: Name
    schema_id: int
    catalog_id: int


@dataclass(frozen=True, slots=True)
class PipeIdentity:
    """A pipe as histories keep it."""

    id: int
    name: Name


@dataclass(frozen=True, slots=True)
class Attempt:
    """One load of one file into one table; ``pipe`` None means COPY INTO.

    ``stage_url`` and the rest of the file's URL are what STAGE_LOCATION and FILE_NAME are made of.
    ``bytes_read`` is the uncompressed size. ``column_name`` is the first error's, ``"T"["C":1]``.
    """

    table: TableIdentity
    pipe: PipeIdentity | None
    file_path: str
    stage_url: str
    file_size: int
    status: Status
    started_at: datetime
    ended_at: datetime
    received_at: datetime | None = None
    row_count: int = 0
    row_parsed: int | None = None
    error_count: int = 0
    error_limit: int | None = None
    first_error: RecordError | None = None
    first_error_message: str | None = None
    column_name: str | None = None
    bytes_read: int = 0
    errors: tuple[tuple[RecordError, str], ...] = ()
    """The rejected records with their columns' names, for VALIDATE_PIPE_LOAD."""

    @property
    def url(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.file_path}"

    @property
    def location(self) -> tuple[str, str]:
        """STAGE_LOCATION and FILE_NAME, whose sum is the URL.

        The slash between them sits at the end of the one or the start of the other (facts/snowflake.md
        §2.4); here it moves with who loaded, so that nobody relies on either.
        """
        stage_url = self.stage_url if self.url.startswith(self.stage_url) else "s3://"
        name = self.url[len(stage_url) :]
        if self.pipe is not None and stage_url.endswith("/") and stage_url != "s3://":
            return stage_url[:-1], "/" + name
        return stage_url, name


@dataclass(slots=True)
class _TableMemory:
    """One table's load metadata."""

    loaded: dict[tuple[str, int, str], datetime] = field(default_factory=dict)
    first_load: datetime | None = None
    truncated_at: datetime | None = None


class LoadHistory:
    """An account's load metadata and load history. Thread-safe."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._pipes: dict[int, dict[str, datetime]] = {}
        self._tables: dict[int, _TableMemory] = {}
        self._marked: dict[int, set[str]] = {}
        self._attempts: list[Attempt] = []
        self._in_progress: dict[tuple[int, int, str], Attempt] = {}
        self.account_usage_lag_s: float = ACCOUNT_USAGE_LAG_S
        """How late ACCOUNT_USAGE views are, in the tenant's seconds."""
        self.rollback_keeps_copies = False
        """The table remembers a COPY that was undone: which of the two is so is on no public page."""
        self.truncate_keeps_pipe_loads = False
        """As before BCR-2305: TRUNCATE hides what COPY loaded, and not what a pipe did."""

    def identity(self, table: Table) -> TableIdentity:
        """A table as histories keep it. Hold ``account.lock``."""
        catalog = self._account.catalog
        schema = catalog.schemas.get((table.database, table.schema))
        database = catalog.databases.get(table.database)
        schema_id, catalog_id = (schema.id if schema else 0), (database.id if database else 0)
        return TableIdentity(table.id, table.full_name, schema_id, catalog_id)

    # -- marks of COPY statements that run ----------------------------------------------------------------

    def mark(self, table_id: int, path: str, *, force: bool) -> bool:
        """Mark a file for a COPY that loads it; False where another COPY has, unless that does not matter.

        "The COPY command marks the files"; a parallel one skips them, and does not wait.
        Source: https://docs.snowflake.com/en/user-guide/data-load-considerations-load
        """
        with self._lock:
            marked = self._marked.setdefault(table_id, set())
            if path in marked and not force:
                return False
            marked.add(path)
            return True

    def unmark(self, table_id: int, paths: Iterable[str]) -> None:
        """The COPY has ended, and its transaction too, whatever came of it."""
        with self._lock:
            self._marked.setdefault(table_id, set()).difference_update(paths)

    # -- the table's memory ------------------------------------------------------------------------------

    def copy_verdict(self, table_id: int, file: File) -> Verdict:
        """What a COPY INTO without FORCE does with a file.

        "uncertain": too old to know. It is older than 64 days, the table's first load is too, and nothing is
        remembered of it; COPY skips it without a word unless LOAD_UNCERTAIN_FILES (sources: Snowflake §3.3).
        """
        horizon = self._account.clock.now() - TABLE_MEMORY
        with self._lock:
            memory = self._tables.get(table_id)
            if memory is None:
                return "load"
            loaded_at = memory.loaded.get((file.path, file.size, file.etag))
            if loaded_at is not None and loaded_at > horizon:
                return "loaded"
            first = memory.first_load
            if file.last_modified <= horizon and first is not None and first <= horizon:
                return "uncertain"
            return "load"

    def copied(self, table_id: int, files: Iterable[File]) -> None:
        """COPY INTO loaded these files, wholly or partly."""
        now = self._account.clock.now()
        with self._lock:
            memory = self._tables.setdefault(table_id, _TableMemory())
            for file in files:
                memory.loaded[file.path, file.size, file.etag] = now
                memory.first_load = memory.first_load or now

    def truncate_table(self, table_id: int) -> None:
        """TRUNCATE TABLE: the table's memory is gone for good, and the history before now is hidden."""
        with self._lock:
            self._tables[table_id] = _TableMemory(truncated_at=self._account.clock.now())

    def forget_table(self, table_id: int) -> None:
        """The table was dropped or replaced: nothing is looked up by its id again.

        Its metadata stay here, for an UNDROP brings them back with the id (sources: Snowflake §3.1).
        """

    # -- the pipe's memory -------------------------------------------------------------------------------

    def pipe_knows(self, pipe_id: int, path: str) -> bool:
        """Has the pipe loaded, or failed to load, a file of this bucket and name in the last 14 days?"""
        with self._lock:
            seen = self._pipes.get(pipe_id, {}).get(path)
        return seen is not None and seen > self._account.clock.now() - PIPE_MEMORY

    def piped(self, pipe_id: int, path: str) -> None:
        """The pipe has dealt with a file, whatever became of it."""
        with self._lock:
            self._pipes.setdefault(pipe_id, {})[path] = self._account.clock.now()

    def forget_pipe(self, pipe_id: int) -> None:
        """The pipe was dropped or replaced: its memory is gone."""
        with self._lock:
            self._pipes.pop(pipe_id, None)

    # -- attempts ----------------------------------------------------------------------------------------

    def begin(self, attempt: Attempt) -> None:
        """A pipe has begun to load a file: COPY_HISTORY shows ``Load in progress``."""
        with self._lock:
            self._in_progress[self._key(attempt)] = replace(attempt, status="Load in progress")

    def record(self, attempts: Iterable[Attempt]) -> None:
        """These files were loaded, or failed."""
        with self._lock:
            for attempt in attempts:
                self._in_progress.pop(self._key(attempt), None)
                self._attempts.append(attempt)
                if attempt.status in ("Loaded", "Partially loaded"):
                    memory = self._tables.setdefault(attempt.table.id, _TableMemory())
                    memory.first_load = memory.first_load or attempt.ended_at

    def abandon(self, attempt: Attempt) -> None:
        """The load did not come to an end; it will be tried again or never."""
        with self._lock:
            self._in_progress.pop(self._key(attempt), None)

    @staticmethod
    def _key(attempt: Attempt) -> tuple[int, int, str]:
        return attempt.table.id, attempt.pipe.id if attempt.pipe else 0, attempt.file_path

    def attempts(self) -> list[Attempt]:
        """Everything that came to an end, oldest first."""
        with self._lock:
            return list(self._attempts)

    def shown_for(
        self, table: TableIdentity, living_pipes: set[int], *, in_progress: bool = True
    ) -> Iterator[Attempt]:
        """What the history functions still show of a table.

        Loads by COPY belong to the table's id and go with it; loads by a pipe belong to the pipe and go with
        the pipe; TRUNCATE hides what was before it (sources: Snowflake §2.4): a pipe's loads since
        https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_04/bcr-2305.
        """
        with self._lock:
            memory = self._tables.get(table.id)
            truncated_at = memory.truncated_at if memory else None
            attempts = list(self._attempts) + (list(self._in_progress.values()) if in_progress else [])
        for attempt in attempts:
            if attempt.pipe is None:
                mine = attempt.table.id == table.id
            else:
                mine = attempt.pipe.id in living_pipes and (
                    attempt.table.id == table.id or attempt.table.name == table.name
                )
            is_kept = attempt.pipe is not None and self.truncate_keeps_pipe_loads
            if mine and (is_kept or truncated_at is None or attempt.ended_at > truncated_at):
                yield attempt
