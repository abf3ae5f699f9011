"""What watching remembers, in one bounded SQLite file a target: docs/watch.md has the schema.

Deleting the file loses only the past. One that cannot be read, or that a newer version wrote, and a disk that
takes no more, are each told in one sentence, and watching goes on in memory.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from runbook import private
from runbook.redaction import redacted
from runbook.terminal import visible

T = TypeVar("T")

VERSION = 1
APPLICATION_ID = 0x534E5057  # "SNPW": SQLite's own place to say whose file it is
LARGEST_MB = 64

SCHEMA = """
CREATE TABLE round (
    at TEXT PRIMARY KEY, duration_s REAL NOT NULL, verdict TEXT NOT NULL, deep INTEGER NOT NULL,
    summary TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE figure (
    at TEXT NOT NULL, stream TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (stream, name, at)
) WITHOUT ROWID;
CREATE TABLE arrival (
    stream TEXT NOT NULL, hour TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (stream, hour)
) WITHOUT ROWID;
CREATE TABLE cause (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, streams TEXT NOT NULL, document TEXT NOT NULL,
    since TEXT NOT NULL, red INTEGER NOT NULL, well INTEGER NOT NULL, confirmed TEXT, ended TEXT,
    replaced_by TEXT
);
CREATE UNIQUE INDEX cause_open ON cause (key) WHERE ended IS NULL;
CREATE TABLE route (
    name TEXT PRIMARY KEY, told TEXT NOT NULL, told_at TEXT, failures INTEGER NOT NULL, retry_at TEXT,
    error TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE message (
    id TEXT PRIMARY KEY, route TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL,
    told TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class History:
    """The file, or what stands in for it; ``problem`` says in a sentence why it is not the file."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._durable = durable  # whether a change survives the machine, not only the process
        self.problem = ""
        self._is_file = False
        self._is_theirs = False  # of a newer version: never touched
        self.db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        try:
            private.folder(self.path.parent)
            if not self.path.exists():
                private.write(self.path, "")
            found = self._connected(str(self.path))
        except (OSError, sqlite3.OperationalError) as error:
            return self._in_memory(f"The history {self.path} cannot be opened ({error})")
        except sqlite3.DatabaseError as error:
            return self._set_aside(str(error))
        try:
            version = found.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                found.close()
                self._is_theirs = True
                return self._in_memory(
                    f"The history {self.path} is of version {version}, this program writes {VERSION}"
                )
            if version == 0:
                _create(found)
            found.execute("PRAGMA quick_check").fetchone()
            found.execute("SELECT COUNT(*) FROM note").fetchone()
        except sqlite3.DatabaseError as error:
            found.close()
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                return self._in_memory(f"The history {self.path} cannot be written ({error})")
            return self._set_aside(str(error))
        self._is_file = True
        return found

    def _in_memory(self, why: str) -> sqlite3.Connection:
        self.problem = f"{why}; watching goes on, and what it learns now is forgotten when it ends."
        made = self._connected(":memory:")
        _create(made)
        return made

    def _set_aside(self, why: str) -> sqlite3.Connection:
        """A file that is not a history is kept under another name, and a new one begun."""
        aside = self.path.with_name(f"{self.path.name}.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        try:
            self.path.replace(aside)
            private.write(self.path, "")
            made = self._connected(str(self.path))
            _create(made)
        except (OSError, sqlite3.Error) as error:
            return self._in_memory(f"The history {self.path} is broken ({why}; {error})")
        self.problem = f"The history was broken ({why}); it lies in {aside} now, and a new one is begun."
        self._is_file = True
        return made

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` answers; what it changes is on disk then, or not made at all.

        Where the disk takes no more it is done again in memory, and watching goes on there.
        """
        try:
            return self._changed(work)
        except sqlite3.OperationalError as error:
            self._replace_by(list(self.db.iterdump()), error)
            return self._changed(work)

    def _changed(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            found = work(self.db)
            self.db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # after a full disk SQLite may have rolled back by itself
                self.db.execute("ROLLBACK")
            raise
        return found

    def _replace_by(self, script: list[str], error: sqlite3.Error) -> None:
        self.db.close()
        self.problem = (
            f"The history {self.path} cannot be written ({error}); watching goes on in memory until it can."
        )
        self._is_file = False
        self.db = self._connected(":memory:")
        self.db.executescript("\n".join(script))
        _mark(self.db)

    def back_to_the_file(self) -> None:
        """Write what memory holds into the file, where that is possible again."""
        if self._is_file or self._is_theirs:
            return
        try:
            private.folder(self.path.parent)
            if not self.path.exists():
                private.write(self.path, "")
            target = self._connected(str(self.path))
            self.db.backup(target)
            target.execute("SELECT COUNT(*) FROM note").fetchone()
        except (OSError, sqlite3.Error):
            return
        self.db.close()
        self.db, self.problem, self._is_file = target, "", True

    def _connected(self, place: str) -> sqlite3.Connection:
        made = sqlite3.connect(place, isolation_level=None, timeout=10)
        made.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        return made

    # -- notes: single values under a name

    @property
    def has_rounds(self) -> bool:
        """Whether anything was watched already."""
        return self.db.execute("SELECT 1 FROM round LIMIT 1").fetchone() is not None

    def noted(self, key: str) -> str:
        """The value under a name; empty where there is none."""
        row = self.db.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def note(self, key: str, value: str) -> None:
        """Keep a value under a name, without secrets. Within :meth:`change`."""
        self.db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, redacted(value)))

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a name, as a change of its own; one that is kept already costs nothing."""
        if self.noted(key) != value:
            self.change(lambda _: self.note(key, value))

    # -- bounds

    def forget(self, now: datetime, keep_days: int) -> None:
        """Let go what is older than it is of use, and of the oldest more while the file is too large."""
        oldest, weeks = iso(now - timedelta(days=keep_days)), iso(now - timedelta(weeks=10))
        future = iso(now + timedelta(days=1))  # written while a clock was wrong

        def work(db: sqlite3.Connection) -> None:
            for table in ("round", "figure"):
                db.execute(f"DELETE FROM {table} WHERE at < ? OR at > ?", (oldest, future))  # noqa: S608
            db.execute("DELETE FROM arrival WHERE hour < ? OR hour > ?", (weeks, future))
            db.execute("DELETE FROM cause WHERE ended < ?", (oldest,))
            db.execute("DELETE FROM message WHERE state != 'begun' AND at < ?", (oldest,))

        self.change(work)
        self._shrink()

    def _shrink(self) -> None:
        while self._megabytes() > LARGEST_MB:
            middle = self.db.execute("SELECT at FROM round ORDER BY at LIMIT 1 OFFSET 500").fetchone()
            if middle is None:
                return
            for table in ("round", "figure"):
                older = f"DELETE FROM {table} WHERE at < ?"  # noqa: S608
                self.change(partial(_run, older, middle))

    def _megabytes(self) -> float:
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        free = self.db.execute("PRAGMA freelist_count").fetchone()[0]
        size = self.db.execute("PRAGMA page_size").fetchone()[0]
        return float((pages - free) * size) / 1e6

    def close(self) -> None:
        """End it; what is in memory only is tried on the file once more."""
        self.back_to_the_file()
        self.db.close()


def read_only(path: Path) -> sqlite3.Connection | None:
    """The history for whoever only reads it; None where there is none, or none of this version."""
    if not path.exists():
        return None
    try:
        found = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        version = found.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return None
    return found if version == VERSION else None


def _run(statement: str, binds: tuple[Any, ...], db: sqlite3.Connection) -> None:
    db.execute(statement, binds)


def iso(moment: datetime) -> str:
    """A time as it is kept: UTC, to the second, so that text sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when(text: str) -> datetime:
    """A time that was kept."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def clean(value: Any) -> Any:
    """A document without secrets, and without characters that act."""
    if isinstance(value, str):
        return visible(redacted(value))
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value


def _create(db: sqlite3.Connection) -> None:
    db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    _mark(db)


def _mark(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
