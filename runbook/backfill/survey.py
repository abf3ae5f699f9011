"""Every file, load and row of one stream, side by side in an embedded DuckDB that spills to disk.

A stream may have tens of millions of files. They come as Arrow, and the rules of
:mod:`runbook.ledger.classes` are not written a second time in SQL: files that no rule can tell apart
are put together, and one of them is judged for all. What rules look at is a file's name, whether it is
empty, and its times among the moments that matter; a file whose loads differ is judged alone.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from runbook import private
from runbook.backfill.asked import Asked
from runbook.errors import SettingsWrong
from runbook.facts.history import RowsOfFile
from runbook.facts.snowflake import Load, StagedFile
from runbook.invocation import home
from runbook.ledger.classes import ARCHIVED_SAYS, Evidence

MEMORY = "400MB"  # DuckDB's own; the rest of the process takes about as much again
TOGETHER = 10_000  # files whose loads and rows are values at a time

TIME = pa.timestamp("us")
LISTED = pa.schema({"key": pa.string(), "size": pa.int64(), "modified": TIME, "matches": pa.bool_()})
LOADS = pa.schema(
    {
        "key": pa.string(),
        "status": pa.string(),
        "loaded_at": TIME,
        "rows": pa.int64(),
        "rows_parsed": pa.int64(),
        "errors": pa.int64(),
        "first_error": pa.string(),
        "pipe": pa.string(),
        "recent": pa.bool_(),
    }
)
PRESENT = pa.schema(
    {
        "key": pa.string(),
        "rows": pa.int64(),
        "read_at": TIME,
        "twice": pa.int64(),
        "misread": pa.int64(),
    }
)
HEAPS = pa.schema({"key": pa.string(), "files": pa.int64(), "bytes": pa.int64()})
JUDGED = pa.schema(
    {"likes": pa.int64(), "kind": pa.string(), "way": pa.string(), "queued_by_refresh": pa.bool_()}
)

TABLES = """
CREATE {temp} TABLE listed (key VARCHAR, size BIGINT, modified TIMESTAMP, matches BOOLEAN);
CREATE {temp} TABLE loads (file UHUGEINT, status VARCHAR, loaded_at TIMESTAMP, rows BIGINT,
    rows_parsed BIGINT, errors BIGINT, first_error VARCHAR, pipe VARCHAR, recent BOOLEAN);
CREATE {temp} TABLE present (file UHUGEINT, rows BIGINT, read_at TIMESTAMP, twice BIGINT, misread BIGINT);
CREATE {temp} TABLE files (key VARCHAR, size BIGINT, modified TIMESTAMP, wanted BOOLEAN, likes BIGINT);
CREATE {temp} TABLE heaps (key VARCHAR, files BIGINT, bytes BIGINT);
CREATE {temp} TABLE judged (likes BIGINT, kind VARCHAR, way VARCHAR, queued_by_refresh BOOLEAN);
"""

# What histories and the table say of files is kept by ``file``, md5_number(key): with the names themselves
# ten million files took a third longer to compare and spill.

# one line a file that histories name: odd where its loads differ in anything that a rule looks at
TOLD = """
CREATE OR REPLACE TEMP TABLE told AS
WITH shapes AS (
    SELECT row_number() OVER () AS shape, * FROM (SELECT DISTINCT status, pipe, rows = 0 AS none,
        contains(first_error, $archived) AS archived FROM loads)
)
SELECT file, min(shape) AS shape, max(loaded_at) AS loaded_at, max(rows) AS rows,
    bool_or(recent) AS recent, bool_or(NOT recent) AS older,
    min(shape) <> max(shape) OR min(rows) <> max(rows) OR coalesce(min(loaded_at) <> max(loaded_at), FALSE)
        OR count(loaded_at) NOT IN (0, count(*)) AS odd
FROM loads JOIN shapes ON loads.status = shapes.status AND loads.pipe IS NOT DISTINCT FROM shapes.pipe
    AND (loads.rows = 0) = none AND contains(first_error, $archived) = archived
GROUP BY file
"""

_BY_FILE = "md5_number(key), * EXCLUDE key"
_BY_KEY = "key, * EXCLUDE (key, file)"

# likes: a number that is the same for two files only where no rule can tell them apart
FILES = """
INSERT INTO files
SELECT listed.key, size, modified,
    matches AND modified >= coalesce($since, modified) AND coalesce(modified < $until, TRUE),
    CASE WHEN odd THEN -1 - listed.rowid ELSE {likes} END
FROM listed LEFT JOIN told ON told.file = md5_number(listed.key)
    LEFT JOIN present ON present.file = md5_number(listed.key)
"""


class Survey:
    """One stream's files and what is known of them; ``evidence`` holds what concerns no single file.

    ``as_of``: since when the list of files is, as Snowflake writes it; None where it is of now.
    """

    as_of: str | None = None

    def __init__(self, evidence: Evidence, *, on_disk: bool = True) -> None:
        self.evidence = evidence
        self.folder = _folder() if on_disk else None
        self.connection = _opened(self.folder)
        self.connection.execute(TABLES.format(temp="" if on_disk else "TEMP"))
        self._alone = threading.Lock()

    @classmethod
    def of(cls, asked: Asked, listed: Sequence[StagedFile], evidence: Evidence) -> "Survey":
        """The same from values: what is listed, and everything that the evidence holds."""
        found = cls(replace(evidence, recent=(), account=None), on_disk=False)
        found.list_files(asked, listed)
        for loads, recent in ((evidence.account or (), False), (evidence.recent, True)):
            found.add_loads(table(LOADS, [of_load(load, recent=recent) for load in loads]))
        rows = evidence.table.files or {}
        found.add_rows(
            table(
                PRESENT,
                [(key, row.rows, _naive(row.read_at), row.twice, row.misread) for key, row in rows.items()],
            )
        )
        found.evidence = evidence.about((), () if evidence.account is not None else None, {})
        return found

    def close(self) -> None:
        """Forget everything, on disk too.

        After Ctrl-C a thread may still be putting in what it read; nobody waits for it, and DuckDB closes
        no connection under a call.
        """
        with suppress(duckdb.Error):
            self.connection.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- what is put in --------------------------------------------------------------------------------

    def list_files(self, asked: Asked, files: Iterable[StagedFile]) -> None:
        """Add files that are listed, as values."""
        rows = [(file.key, file.size, _naive(file.modified), asked.names(file.key)) for file in files]
        self.add_files(table(LISTED, rows))

    def add_files(self, files: pa.Table) -> None:
        """Add files that are listed; columns as LISTED."""
        self._add("listed", files)

    def add_loads(self, loads: pa.Table) -> None:
        """Add lines of a history; columns as LOADS."""
        self._add("loads", loads, _BY_FILE)

    def add_rows(self, rows: pa.Table) -> None:
        """Add the table's rows by file; columns as PRESENT."""
        self._add("present", rows, _BY_FILE)

    def add_heaps(self, heaps: pa.Table) -> None:
        """Add files that are not listed by name, but by one that no rule can tell from them; as HEAPS."""
        self._add("heaps", heaps)

    def forget(self, table: str) -> None:
        """Empty one of the tables, to fill it anew."""
        self.connection.execute(f"DELETE FROM {table}")

    def forget_rows_of(self, keys: Sequence[str]) -> None:
        """Forget the table's rows of some files, to read them anew."""
        self.connection.execute(
            "DELETE FROM present WHERE file IN (SELECT md5_number(unnest($1)))", [list(keys)]
        )

    def _add(self, table: str, given: pa.Table, columns: str = "*") -> None:
        if given.num_rows:
            with self._alone:
                self.connection.register("given", given)
                self.connection.execute(f"INSERT INTO {table} SELECT {columns} FROM given")
                self.connection.unregister("given")

    # -- what is asked ---------------------------------------------------------------------------------

    def put_together(self, asked: Asked) -> None:
        """Give each file the number of its likes."""
        moments = sorted({moment.astimezone(UTC).replace(tzinfo=None) for moment in self.evidence.moments})
        self.forget("files")
        self.forget("judged")
        self.connection.execute(TOLD, {"archived": ARCHIVED_SAYS})
        self.connection.execute(
            FILES.format(likes=_likes(moments)),
            {
                "suffix": self.evidence.stream.suffix,
                "since": _naive(asked.since),
                "until": _naive(asked.until),
            },
        )

    def examples(self) -> Iterator[list[tuple[int, StagedFile]]]:
        """One file of each kind of likes, some at a time."""
        rows = self.rows(
            "SELECT likes, key, size, modified FROM files JOIN "
            "(SELECT any_value(rowid) AS example FROM files GROUP BY likes) ON files.rowid = example"
        )
        for some in rows:
            yield [(likes, staged_file(*file)) for likes, *file in some]

    def judge(self, verdicts: Sequence[tuple[int, str, str | None, bool]]) -> None:
        """Keep what was judged of some likes: kind, way, whether a REFRESH would queue them."""
        self._add("judged", table(JUDGED, verdicts))

    def judge_alone(self, keys: Iterable[str], way: str | None) -> None:
        """Give some files another tool than their likes, or none."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE alone AS SELECT key, kind, queued_by_refresh, "
            "(SELECT least(min(likes), 0) FROM files) - row_number() OVER () AS likes "
            "FROM files JOIN judged USING (likes) WHERE key IN (SELECT unnest($keys))",
            {"keys": list(keys)},
        )
        self.connection.execute("UPDATE files SET likes = alone.likes FROM alone WHERE files.key = alone.key")
        self.connection.execute(
            "INSERT INTO judged SELECT likes, kind, $way, queued_by_refresh FROM alone", {"way": way}
        )

    def rows(self, query: str, binds: Sequence[Any] | dict[str, Any] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, some at a time; other questions may be asked between them."""
        if self.folder is None:
            found = self.connection.execute(query, binds).fetchall()
            yield from (found[at : at + TOGETHER] for at in range(0, len(found), TOGETHER))
            return
        cursor = self.connection.cursor()
        cursor.execute(query, binds)
        while some := cursor.fetchmany(TOGETHER):
            yield some

    def row(self, query: str, binds: Sequence[Any] | dict[str, Any] = ()) -> tuple[Any, ...]:
        """The one row of a query."""
        with self._alone:
            found: list[tuple[Any, ...]] = self.connection.execute(query, binds).fetchall()
        return found[0]

    def about(self, keys: Sequence[str]) -> Evidence:
        """The evidence about a few files, as values."""
        with self._alone:
            self.connection.register("chosen", pa.table({"key": pa.array(keys, pa.string())}))
            loads = self.connection.execute(
                f"SELECT {_BY_KEY} FROM loads JOIN chosen ON file = md5_number(key) ORDER BY loads.rowid"
            ).fetchall()
            rows = self.connection.execute(
                f"SELECT {_BY_KEY} FROM present JOIN chosen ON file = md5_number(key)"
            ).fetchall()
            self.connection.unregister("chosen")
        account = [_load(row) for row in loads if not row[-1]]
        return self.evidence.about(
            tuple(_load(row) for row in loads if row[-1]),
            None if self.evidence.account is None else tuple(account),
            {key: RowsOfFile(count, _utc(read_at), *odd) for key, count, read_at, *odd in rows},
        )

    def listed(self, asked: Asked) -> tuple[int, int, int]:
        """How many files are listed, of these in time, and of these again named by the pattern."""
        in_time = "modified >= coalesce($since, modified) AND coalesce(modified < $until, TRUE)"
        counts = [
            self.row(
                f"SELECT coalesce(sum({each}), 0)::BIGINT, "
                f"coalesce(sum({each}) FILTER ({in_time}), 0)::BIGINT, "
                f"coalesce(sum({each}) FILTER (matches AND {in_time}), 0)::BIGINT FROM {where}",
                {"since": _naive(asked.since), "until": _naive(asked.until)},
            )
            for each, where in (("1", "listed"), ("heaps.files", "heaps JOIN listed USING (key)"))
        ]
        total, timely, matching = (sum(each) for each in zip(*counts, strict=True))
        return total, timely, matching

    def first_keys(self, count: int) -> list[str]:
        """The first keys listed, in their order."""
        return [
            key for some in self.rows(f"SELECT key FROM listed ORDER BY key LIMIT {count}") for (key,) in some
        ]

    def loaded_size(self) -> tuple[int, int]:
        """Rows and bytes of the loads of the last days whose files are there still."""
        rows, size = self.row(
            "SELECT coalesce(sum(rows), 0)::BIGINT, coalesce(sum(size), 0)::BIGINT "
            "FROM loads JOIN listed ON file = md5_number(key) WHERE recent AND rows > 0"
        )
        return rows, size

    def rows_present(self) -> int:
        """How many rows of the table name their file."""
        return int(self.row("SELECT coalesce(sum(rows), 0)::BIGINT FROM present")[0])

    def judged_as_a_whole(self, evidence: Evidence) -> Evidence:
        """The evidence with what follows from all files together: what is kept, what outlived the pipe."""
        last = _naive(evidence.last_ingested)
        any_recent, after, named = self.row(
            "SELECT count(*) > 0, "
            "coalesce(bool_or(loaded_at >= $last::TIMESTAMP - INTERVAL 1 SECOND), FALSE), "
            "coalesce(bool_or(file IN (SELECT md5_number(unnest($names)))), FALSE) FROM loads WHERE recent",
            {"last": last, "names": list(evidence.last_ingested_keys)},
        )
        (kept,) = self.row(
            "SELECT least((SELECT min(loaded_at) FROM loads), (SELECT min(read_at) FROM present))"
        )
        return replace(
            evidence,
            outlived=self.table_outlived_the_pipe(),
            kept=_utc(kept),
            ingested=evidence.shows_the_last_load(bool(any_recent), bool(after), bool(named)),
        )

    def table_outlived_the_pipe(self) -> bool:
        """Whether the table holds files that no history of the pipe's time remembers."""
        found = self.row(
            "SELECT EXISTS (FROM present ANTI JOIN (FROM loads WHERE recent) AS loads USING (file))"
        )
        return bool(found[0])


def staged_file(key: str, size: int, modified: datetime) -> StagedFile:
    """A file as the survey keeps it; it keeps no ETag, for no rule asks."""
    return StagedFile(key, size, "", modified.replace(tzinfo=UTC))


def _likes(moments: Sequence[datetime]) -> str:
    """All that rules look at as the digits of one number; what is not known is a digit's last value."""
    number = "coalesce(shape, 0)::BIGINT"  # first, for nobody knows how many there are
    for digit, values in (
        ("ends_with(listed.key, $suffix)::INT", 2),
        ("ends_with(listed.key, '/')::INT", 2),
        ("(size = 0)::INT", 2),
        (_place("modified", moments), 2 * len(moments) + 1),
        (f"coalesce({_place('loaded_at', moments)}, {2 * len(moments) + 1})", 2 * len(moments) + 2),
        ("coalesce((modified > loaded_at)::INT, 2)", 3),
        ("coalesce(recent::INT, 2)", 3),
        ("coalesce(older::INT, 2)", 3),
        ("(present.file IS NOT NULL)::INT", 2),
        ("coalesce((modified > read_at)::INT, 2)", 3),
        ("coalesce((twice > 0)::INT, 0)", 2),
        ("coalesce((misread > 0)::INT, 0)", 2),
        ("coalesce((present.rows < told.rows)::INT, 0)", 2),
        ("coalesce((present.rows > told.rows)::INT, 0)", 2),
    ):
        number = f"({number} * {values} + {digit})"
    return number


def _place(column: str, moments: Sequence[datetime]) -> str:
    """Where a time stands among moments: before, at or after each of them."""
    each = [f"({column} >= TIMESTAMP '{at}')::INT + ({column} > TIMESTAMP '{at}')::INT" for at in moments]
    return f"({' + '.join(each)})" if each else "0"


def table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(each, kind.type) for each, kind in zip(columns, schema, strict=True)], schema)


def of_load(load: Load, *, recent: bool) -> tuple[Any, ...]:
    """A line of a history as a row of LOADS."""
    numbers = (load.rows, load.rows_parsed, load.errors)
    return (load.key, load.status, _naive(load.loaded_at), *numbers, load.first_error, load.pipe, recent)


def _load(row: tuple[Any, ...]) -> Load:
    key, status, loaded_at, *others, _ = row
    return Load(key, status, _utc(loaded_at), *others)


def _naive(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _opened(folder: Path | None) -> duckdb.DuckDBPyConnection:
    """A database of its own, which puts in the folder what is more than its memory.

    Without a folder, a session of the one that is shared and in memory: opening takes 20 ms.
    """
    if folder is None:
        return _in_memory().cursor()
    options = {"memory_limit": MEMORY, "temp_directory": str(folder), "threads": min(os.cpu_count() or 1, 4)}
    return duckdb.connect(":memory:", config=options)


@cache
def _in_memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def _folder() -> Path:
    """A folder of this process under .runbook, or under the system's own for what is temporary.

    Comparing needs room but keeps nothing: it goes on where only .runbook cannot be written. Raises
    SettingsWrong where neither can.
    """
    try:
        return _folder_in(home())
    except OSError:
        pass
    try:
        return Path(tempfile.mkdtemp(prefix=f"survey-{os.getpid()}-"))
    except OSError as error:
        raise SettingsWrong(
            "There is no folder to compare files and histories in",
            where=f"{home()}, {tempfile.gettempdir()}",
            why=str(error),
            remedy="make room or make one of them writable; RUNBOOK_HOME and TMPDIR name them",
        ) from None


def _folder_in(place: Path) -> Path:
    """One more folder of this process; those of processes that were killed are removed."""
    private.folder(place)
    for left in place.glob("survey-*"):
        with suppress(ValueError, PermissionError):
            try:
                os.kill(int(left.name.split("-")[1]), 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)
    number = sum(1 for _ in place.glob(f"survey-{os.getpid()}-*"))
    found = place / f"survey-{os.getpid()}-{number}"
    private.folder(found)
    return found
