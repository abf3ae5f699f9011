"""Each file in one class, by what the histories, the table and the pipe say together. Pure functions.

Longer than 400 lines: every rule of what became of a file, on one page.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from runbook.facts.delivery import FAILED, IN_PROGRESS, LOADED, PARTLY, belongs
from runbook.facts.history import ACCOUNT_HISTORY_DAYS, ACCOUNT_HISTORY_LAG, RowsOfFile, TableRows
from runbook.facts.objects import Load, Pipe, PipeStatus, StagedFile
from runbook.facts.snowflake import LOAD_HISTORY_DAYS, REFRESH_DAYS
from runbook.settings import Stream

SKIPPED = "LOAD_SKIPPED"
ARCHIVED_SAYS = "InvalidObjectState"  # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

SECOND = timedelta(seconds=1)

REFRESHABLE = timedelta(days=REFRESH_DAYS) - timedelta(hours=1)
"""Younger files are REFRESH's, older ones COPY's; an hour short of what REFRESH reaches."""


class Kind(StrEnum):
    """What a file is. The value is its name in the JSON."""

    LOADED_BY_PIPE = "loaded_by_pipe"
    LOADED_BY_EARLIER_PIPE = "loaded_by_earlier_pipe"
    LOADED_BY_COPY = "loaded_by_copy"
    IN_TABLE = "in_table"
    EMPTY = "empty"
    TAKEN_ON = "taken_on"
    OTHER_SUFFIX = "other_suffix"
    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    NEVER_NOTIFIED = "never_notified"
    BEFORE_PIPE = "before_pipe"
    FAILED = "failed"
    ARCHIVED = "archived"
    LOADED_TWICE = "loaded_twice"
    MISREAD = "misread"
    PARTLY_LOADED = "partly_loaded"
    CHANGED = "changed"
    ROWS_GONE = "rows_gone"
    ROWS_FEWER = "rows_fewer"
    TOO_OLD_TO_KNOW = "too_old_to_know"

    @property
    def is_missing(self) -> bool:
        """Whether something of the file is not in the table, or cannot be said to be."""
        return self in _MISSING


_MISSING = frozenset(list(Kind)[list(Kind).index(Kind.WAITING) :])

SAYS = {
    Kind.LOADED_BY_PIPE: "loaded by the pipe",
    Kind.LOADED_BY_EARLIER_PIPE: "loaded by an earlier pipe of this name",
    Kind.LOADED_BY_COPY: "loaded by COPY",
    Kind.IN_TABLE: "in the table, in no load history",
    Kind.EMPTY: "empty: it has no rows",
    Kind.TAKEN_ON: "from before the pipe's last load",
    Kind.OTHER_SUFFIX: "of another suffix, or a folder",
    Kind.IN_FLIGHT: "in flight: loading, or just arrived",
    Kind.WAITING: "waiting for a pipe that does not run",
    Kind.NEVER_NOTIFIED: "never announced to the pipe",
    Kind.BEFORE_PIPE: "there before the pipe was made",
    Kind.FAILED: "failed to load",
    Kind.ARCHIVED: "archived: S3 must restore it first",
    Kind.LOADED_TWICE: "loaded more than once",
    Kind.MISREAD: "read as what no event is",
    Kind.PARTLY_LOADED: "partly loaded",
    Kind.CHANGED: "changed since it was loaded",
    Kind.ROWS_GONE: "loaded once, no row of it in the table",
    Kind.ROWS_FEWER: "loaded, some of its rows are gone",
    Kind.TOO_OLD_TO_KNOW: "too old to know",
}


@dataclass(frozen=True)
class Evidence:
    """Everything that says whether a file of one stream is loaded, at one moment.

    ``recent``: COPY_HISTORY of 14 days. ``account``: a year, or None when it may not be read.
    ``patience``: how long a new file may take (checks.loaded_within_minutes).
    ``former``: when pipes that replace-pipe has replaced were made themselves, and how long what was before
    them may still be loading.
    ``outlived``: whether the table holds files that ``recent`` does not name, where these are only some.
    ``noted_since``: from when on ``recent`` also has what replace-pipe noted of an earlier pipe.
    ``kept``: the oldest load that a history or a row still shows, and ``ingested``: whether a history shows
    the pipe's last load; where these are only some files.
    """

    stream: Stream
    now: datetime
    pipe: Pipe
    status: PipeStatus
    recent: tuple[Load, ...]
    account: tuple[Load, ...] | None
    table: TableRows
    patience: timedelta
    outlived: bool | None = None
    former: tuple[tuple[datetime, timedelta], ...] = ()
    noted_since: datetime | None = None
    kept: datetime | None = None
    ingested: bool | None = None

    @property
    def moments(self) -> tuple[datetime, ...]:
        """Every moment that the rules compare a file's or a load's time with.

        Between two of these, times differ only by whether the file is older than its load.
        """
        made, oldest = self.pipe.created_on, self.oldest_queued
        since = (self.patience, REFRESHABLE, timedelta(days=LOAD_HISTORY_DAYS))
        found = [made, made + self.patience, self.table.created_on]
        found += [self.now - age for age in since]
        found += [at for at, _ in self.former]
        found += [at for at in (self.known_since, self.oldest_kept, self.last_ingested) if at]
        if oldest:
            found += [oldest - self.patience, oldest - timedelta(days=REFRESH_DAYS)]
        return tuple(found)

    def about(
        self, recent: tuple[Load, ...], account: tuple[Load, ...] | None, files: dict[str, RowsOfFile]
    ) -> "Evidence":
        """The same about some files alone; what concerns no single file stays as it is."""
        table = replace(self.table, files=None if self.table.files is None else files)
        return replace(
            self,
            recent=recent,
            account=account,
            table=table,
            outlived=self.earlier_pipe_loaded,
            kept=self.oldest_kept,
            ingested=self.last_load_is_known,
        )

    @cached_property
    def _by_key(self) -> dict[str, list[Load]]:
        found: dict[str, list[Load]] = defaultdict(list)
        for load in (*(self.account or ()), *self.recent):
            found[load.key].append(load)
        return found

    @cached_property
    def _recent_by_key(self) -> dict[str, list[Load]]:
        found: dict[str, list[Load]] = defaultdict(list)
        for load in self.recent:
            found[load.key].append(load)
        return found

    def loads(self, key: str) -> list[Load]:
        """Every load of a file that any history shows."""
        return self._by_key.get(key, [])

    def done(self, key: str) -> Load | None:
        """The newest load that put rows in, wholly or partly."""
        rows = [load for load in self.loads(key) if load.status in LOADED and load.loaded_at]
        return max(rows, key=lambda load: load.loaded_at or self.now, default=None)

    def rows(self, key: str) -> RowsOfFile | None:
        """The file's rows in the table; None without rows, or where the table cannot say."""
        return (self.table.files or {}).get(key)

    @property
    def is_witness(self) -> bool:
        """Whether a file without a row in the table has certainly no row where its rows belong."""
        return self.stream.keeps_rows and self.table.is_complete

    # -- whether the table was emptied ------------------------------------------------------------------

    @property
    def last_ingested(self) -> datetime | None:
        """When the pipe as it is now loaded a file last; None where its status does not say.

        TRUNCATE does not touch it. https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
        """
        return self.status.time("lastIngestedTimestamp")

    @cached_property
    def oldest_kept(self) -> datetime | None:
        """The oldest load that a history or a row of the table still shows; TRUNCATE hides all before it."""
        if self.kept is not None:
            return self.kept
        times = [load.loaded_at for load in (*self.recent, *(self.account or ()))]
        times += [rows.read_at for rows in (self.table.files or {}).values()]
        return min((at for at in times if at), default=None)

    @cached_property
    def last_load_is_known(self) -> bool:
        """Whether a history shows the pipe's last load, or none need show it any more.

        With the rows TRUNCATE hides the load history; Snowpipe's own entries only from the behavior change on
        that is named here, and in ACCOUNT_USAGE. The pipe itself remembers.
        Source: https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_04/bcr-2305
        """
        if self.ingested is not None:
            return self.ingested
        last = self.last_ingested
        return last is None or self.shows_the_last_load(
            bool(self.recent),
            any(load.loaded_at and load.loaded_at >= last - SECOND for load in self.recent),
            any(load.key in self.last_ingested_keys for load in self.recent),
        )

    def shows_the_last_load(self, any_load: bool, later: bool, by_name: bool) -> bool:  # noqa: FBT001
        """The same from what the 14 days' history has: any load, one from then on, one of that file.

        A load of the last minutes may be on its way to a history that was read a moment before the status.
        """
        last = self.last_ingested
        if last is None or later or by_name or (any_load and last > self.now - self.patience):
            return True
        forgotten = last <= self.now - timedelta(days=LOAD_HISTORY_DAYS) + timedelta(hours=1)
        return forgotten and self.table.total > 0

    @property
    def last_ingested_keys(self) -> tuple[str, ...]:
        """What the key of the pipe's last file may be: its name is told behind the stage, or its path."""
        name = str(self.status.document.get("lastIngestedFilePath", "?"))
        stage = self.stream.stage_url.partition("://")[2].partition("/")[2]
        return self.stream.prefix + name, stage + name

    @property
    def was_emptied(self) -> bool:
        """Whether the table, with its load history, was certainly emptied since the pipe's last load."""
        return not self.last_load_is_known

    def may_be_hidden(self, file: StagedFile) -> bool:
        """Whether a file of which nothing is known may have been loaded before the table was emptied.

        Certainly emptied: any file may. Otherwise one that the pipe may have loaded before the oldest load
        that is still shown: it was never announced, or the table was emptied in between. While REFRESH
        reaches a file, nobody need know: the pipe itself remembers what it loaded, and skips it.
        Source: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe
        """
        if self.was_emptied:
            return True
        last, kept = self.last_ingested, self.oldest_kept
        if last is None or kept is None or file.modified > self.now - REFRESHABLE:
            return False
        return self.pipe.created_on < file.modified < kept and file.modified <= last

    def was_taken_on(self, file: StagedFile) -> bool:
        """Whether the pipe loaded files after this one into a table that is emptied as it goes."""
        last = self.last_ingested
        return (
            not self.stream.keeps_rows
            and last is not None
            and self.pipe.created_on < file.modified <= last
            and self.may_be_hidden(file)
        )

    def took_on(self, done: Load | None, rows: RowsOfFile | None) -> bool:
        """Whether rows of a file have left a table that is emptied as it goes, for where they belong."""
        left = rows.rows if rows else 0
        return not self.stream.keeps_rows and done is not None and left < done.rows

    # -- what is on record ------------------------------------------------------------------------------

    @cached_property
    def known_since(self) -> datetime | None:
        """A file that arrived after this is known to be loaded or not; None: every file is.

        Without the table as a witness and without ACCOUNT_USAGE, what an earlier pipe or table did
        is on no record. ACCOUNT_USAGE remembers, but up to two days late.
        """
        if self.is_witness:
            return None
        return min(self._on_record_since, self.noted_since or self.now)

    @property
    def _on_record_since(self) -> datetime:
        made = max(self.pipe.created_on, self.table.created_on)
        if self.account is None:
            return max(self.now - timedelta(days=LOAD_HISTORY_DAYS), made)
        year = self.now - timedelta(days=ACCOUNT_HISTORY_DAYS)
        return made if self.now - made < ACCOUNT_HISTORY_LAG else year

    def pipe_knows(self, file: StagedFile) -> bool:
        """Whether the pipe as it is now has dealt with a file of that name, well or badly.

        It remembers 14 days, also what TRUNCATE hides from COPY_HISTORY: the year's view still shows it. But
        there an earlier pipe has the same name, and may have ended a load just after this one was made.
        """
        since = self.now - timedelta(days=LOAD_HISTORY_DAYS)
        made = self.pipe.created_on
        return any(
            load.pipe == self.stream.pipe.name
            and (load.loaded_at is None or load.loaded_at > max(since, after))
            for loads, after in (
                (self._recent_by_key.get(file.key, ()), made),
                (self.loads(file.key), made + self.patience),
            )
            for load in loads
        )

    def pipe_may_know(self, file: StagedFile) -> bool:
        """Whether the pipe, or the one before it, loaded the file just after this one was made.

        Then REFRESH may skip it without a word, for 14 days. It is long announced, and so COPY's, unless it
        came just now.
        """
        made, settled = self.pipe.created_on, file.modified <= self.now - self.patience
        return settled and any(
            load.pipe == self.stream.pipe.name
            and load.loaded_at is not None
            and made < load.loaded_at <= made + self.patience
            for load in self.loads(file.key)
        )

    def table_knows(self, file: StagedFile) -> bool:
        """Whether the table's own load memory says this very content was loaded by COPY."""
        rows = self._recent_by_key.get(file.key, [])
        return any(
            load.pipe is None and load.status in LOADED and load.loaded_at and load.loaded_at >= file.modified
            for load in rows
        )

    def is_young(self, file: StagedFile) -> bool:
        """Whether the file belongs to REFRESH, by its age alone."""
        return file.modified > self.now - REFRESHABLE

    def may_be_queued(self, file: StagedFile) -> bool:
        """Whether the file may be among those the pipe holds.

        The pipe tells how many wait and since when, not which. Announced files wait since they
        arrived; refreshed ones were up to 7 days old then. For a young file of a pipe that runs the
        first is enough: what is refreshed twice is queued once.
        """
        if not self.status.pending_files or self.status.is_stopped_for_good:
            return False
        oldest = self.oldest_queued
        if oldest is None:
            return True
        moves = self.is_young(file) and self.status.execution_state == "RUNNING"
        before = self.patience if moves else timedelta(days=REFRESH_DAYS)
        return file.modified >= oldest - before

    @property
    def oldest_queued(self) -> datetime | None:
        """Since when the oldest of the pipe's files waits; None where it does not say."""
        oldest = self.status.document.get("oldestFileTimestamp")
        return datetime.fromisoformat(str(oldest).replace("Z", "+00:00")) if oldest else None

    @cached_property
    def earlier_pipe_loaded(self) -> bool:
        """Whether something is in the table that the pipe as it is now does not remember."""
        if self.outlived is not None:
            return self.outlived
        remembered = {load.key for load in self.recent}
        return any(key not in remembered for key in self.table.files or ())

    def may_be_half_way(self, file: StagedFile) -> bool:
        """Whether an earlier pipe may still be loading: it was there when that one was replaced just now.

        However old it is: a person's REFRESH or a long pause may have had it loaded only then. Where the file
        is older than the table, and nothing is in there that the pipe did not load, this pipe is the first.
        """
        first = self.table.files is not None and not self.earlier_pipe_loaded
        if first and file.modified <= self.table.created_on:
            return False
        return any(
            file.modified <= made and self.now < made + span
            for made, span in ((self.pipe.created_on, self.patience), *self.former)
        )

    def with_rows(self, keys: Iterable[str], found: dict[str, RowsOfFile]) -> "Evidence":
        """The same with the rows of these files read again."""
        if self.table.files is None:
            return self
        files = dict(self.table.files)
        for key in keys:
            files.pop(key, None)
        return replace(self, table=replace(self.table, files={**files, **found}))


def classify(file: StagedFile, evidence: Evidence) -> Kind:
    """The file's class."""
    if not belongs(file, evidence.stream):
        return Kind.OTHER_SUFFIX
    loads = evidence.loads(file.key)
    if any(load.status == IN_PROGRESS for load in loads):
        return Kind.IN_FLIGHT
    done, rows = evidence.done(file.key), evidence.rows(file.key)
    if rows is not None:
        return _present(file, evidence, done, rows)
    if done is not None and not evidence.is_witness:
        return _remembered(file, evidence, done)
    if done is not None:
        return Kind.EMPTY if done.rows == 0 and not _changed(file, done) else Kind.ROWS_GONE
    return _not_loaded(file, evidence, loads)


def _present(file: StagedFile, evidence: Evidence, done: Load | None, rows: RowsOfFile) -> Kind:
    """Rows of the file are in the table."""
    if rows.twice:
        return Kind.LOADED_TWICE
    read_at = rows.read_at or (done.loaded_at if done else None)
    if read_at and file.modified > read_at:
        return Kind.CHANGED
    if rows.misread:
        return Kind.MISREAD
    if done is None:
        return Kind.IN_TABLE
    if done.status in PARTLY or rows.rows == done.rows or evidence.took_on(done, rows):
        return _by_whom(evidence, done)
    return Kind.ROWS_FEWER if rows.rows < done.rows else Kind.LOADED_TWICE


def _remembered(file: StagedFile, evidence: Evidence, done: Load) -> Kind:
    """A history says loaded, and the table cannot contradict."""
    if done.loaded_at and done.loaded_at < evidence.table.created_on:
        return Kind.TOO_OLD_TO_KNOW  # into an earlier table: whether its rows were kept, nobody says
    if _changed(file, done):
        return Kind.CHANGED
    return Kind.EMPTY if done.rows == 0 else _by_whom(evidence, done)


def _changed(file: StagedFile, done: Load) -> bool:
    """Modified after the load; an overwrite in the very second of the load is not seen."""
    return done.loaded_at is not None and file.modified > done.loaded_at


def _by_whom(evidence: Evidence, done: Load) -> Kind:
    if done.status in PARTLY:
        return Kind.PARTLY_LOADED
    if done.pipe is None:
        return Kind.LOADED_BY_COPY
    if done.loaded_at and done.loaded_at < evidence.pipe.created_on:
        return Kind.LOADED_BY_EARLIER_PIPE
    return Kind.LOADED_BY_PIPE


def _not_loaded(file: StagedFile, evidence: Evidence, loads: list[Load]) -> Kind:
    """No rows, and no history of any."""
    failures = [load for load in loads if load.status in FAILED]
    if failures:
        return Kind.ARCHIVED if ARCHIVED_SAYS in failures[-1].first_error else Kind.FAILED
    if file.size == 0:
        return Kind.EMPTY
    if evidence.was_taken_on(file):
        return Kind.TAKEN_ON
    since = evidence.known_since
    if (since is not None and file.modified <= since) or any(load.status == SKIPPED for load in loads):
        return Kind.TOO_OLD_TO_KNOW
    return _without_a_trace(file, evidence)


def _without_a_trace(file: StagedFile, evidence: Evidence) -> Kind:
    """Nothing is known of it: it is on its way, was never announced, or all that told of it was emptied."""
    before_pipe = file.modified <= evidence.pipe.created_on
    just_arrived = not before_pipe and file.modified > evidence.now - evidence.patience
    if evidence.may_be_queued(file) or just_arrived:
        return Kind.IN_FLIGHT if evidence.status.execution_state == "RUNNING" else Kind.WAITING
    if evidence.may_be_half_way(file):
        return Kind.IN_FLIGHT
    if evidence.may_be_hidden(file) and (before_pipe or not evidence.is_young(file)):
        return Kind.ROWS_GONE if evidence.is_witness else Kind.TOO_OLD_TO_KNOW
    return Kind.BEFORE_PIPE if before_pipe else Kind.NEVER_NOTIFIED
