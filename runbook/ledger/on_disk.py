"""The store in DuckDB, which spills to disk: every file, load and row of one stream, side by side.

A stream may have tens of millions of files. They come as Arrow, and no rule is written a second time in SQL:
files of the same traits (:mod:`runbook.ledger.traits`) are put together, and one of them is judged for all; a
file whose loads differ is judged alone.

Longer than 400 lines: the rules as statements of DuckDB, one each.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from runbook import private
from runbook.errors import SettingsWrong
from runbook.facts.history import RowsOfFile
from runbook.facts.objects import Load, StagedFile
from runbook.invocation import home
from runbook.ledger import columns
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.columns import JUDGED, LISTED, LOADS, PRESENT, aware, naive, of_load, table
from runbook.ledger.store import TOGETHER, Judge
from runbook.ledger.traits import ODD, SHAPE, traits
from runbook.ledger.verdicts import Way
from runbook.listing.ranges import Page

MEMORY = "400MB"  # DuckDB's own; the rest of the process takes about as much again

TABLES = """
CREATE {temp} TABLE listed (key VARCHAR, size BIGINT, modified TIMESTAMP, matches BOOLEAN);
CREATE {temp} TABLE loads (file UHUGEINT, status VARCHAR, loaded_at TIMESTAMP, n BIGINT,
    rows_parsed BIGINT, errors BIGINT, first_error VARCHAR, pipe VARCHAR, recent BOOLEAN);
CREATE {temp} TABLE present (file UHUGEINT, present_rows BIGINT, read_at TIMESTAMP,
    twice BIGINT, misread BIGINT);
CREATE {temp} TABLE files (key VARCHAR, size BIGINT, modified TIMESTAMP, wanted BOOLEAN, likes BIGINT);
CREATE {temp} TABLE heaps (key VARCHAR, files BIGINT, bytes BIGINT);
CREATE {temp} TABLE judged (likes BIGINT, kind VARCHAR, way VARCHAR, queued_by_refresh BOOLEAN);
"""

# What histories and the table say of files is kept by ``file``, md5_number(key): with the names themselves
# ten million files took a third longer to compare and spill.

# one line a file that histories name; a shape is the number of what loads have in common
TOLD = f"""
CREATE OR REPLACE TEMP TABLE told AS
WITH shapes AS (SELECT row_number() OVER () AS shape, * FROM (SELECT DISTINCT {{shape}} FROM loads))
SELECT file, min(shape) AS shape, max(loaded_at) AS loaded_at, max(n) AS most,
    bool_or(recent) AS recent, bool_or(NOT recent) AS older, {ODD} AS odd
FROM loads JOIN shapes ON {{alike}}
GROUP BY file
""".format(
    shape=", ".join(f"({each}) AS s{at}" for at, each in enumerate(SHAPE)),
    alike=" AND ".join(f"({each}) IS NOT DISTINCT FROM s{at}" for at, each in enumerate(SHAPE)),
)

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


class OnDisk:
    """One stream's files and what is known of them; see :class:`runbook.ledger.store.Store`."""

    as_of: str | None = None

    def __init__(self, evidence: Evidence, *, on_disk: bool = True) -> None:
        self.evidence = evidence
        self.folder = _folder() if on_disk else None
        self.connection = _opened(self.folder)
        self.connection.execute(TABLES.format(temp="" if on_disk else "TEMP"))
        self._alone = threading.Lock()

    @classmethod
    def of(cls, asked: Asked, listed: Sequence[StagedFile], evidence: Evidence) -> "OnDisk":
        """The same from values: what is listed, and everything that the evidence holds."""
        found = cls(replace(evidence, recent=(), account=None), on_disk=False)
        found.add_files(listed, asked)
        for loads, recent in ((evidence.account or (), False), (evidence.recent, True)):
            found.add_loads(loads, recent=recent)
        rows = evidence.table.files or {}
        found._add(
            "present",
            table(
                PRESENT,
                [(key, row.rows, naive(row.read_at), row.twice, row.misread) for key, row in rows.items()],
            ),
            _BY_FILE,
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

    def add_pages(self, pages: Sequence[Page], asked: Asked) -> None:
        """Add files as S3 lists them."""
        self._add("listed", pa.concat_tables(columns.of_page(page, asked) for page in pages))

    def add_files(self, files: Iterable[StagedFile], asked: Asked) -> None:
        """Add files that are listed, as values."""
        rows = [(file.key, file.size, naive(file.modified), asked.names(file.key)) for file in files]
        self._add("listed", table(LISTED, rows))

    def add_history(self, batch: Any, *, recent: bool) -> None:
        """Add lines of a history, as Snowflake answers: Arrow or rows."""
        self._add("loads", columns.of_loads(batch, self.evidence.stream, recent=recent), _BY_FILE)

    def add_loads(self, loads: Iterable[Load], *, recent: bool) -> None:
        """Add lines of a history, as values."""
        self._add("loads", table(LOADS, [of_load(load, recent=recent) for load in loads]), _BY_FILE)

    def add_rows(self, batch: Any) -> None:
        """Add the table's rows by file, as Snowflake answers: Arrow or rows."""
        self._add("present", columns.of_rows(batch), _BY_FILE)

    def add_known(self, listed: pa.Table, loads: pa.Table, rows: pa.Table, heaps: pa.Table) -> None:
        """Add files, loads and rows as LISTED, LOADS and PRESENT; and HEAPS: files that are only counted.

        A heap stands under the name of a file that no rule can tell from them.
        """
        self._add("listed", listed)
        self._add("loads", loads, _BY_FILE)
        self._add("present", rows, _BY_FILE)
        self._add("heaps", heaps)

    def forget_files(self) -> None:
        """Forget what is listed, to list it by other means."""
        self._forget("listed")

    def forget_histories(self) -> None:
        """Forget loads and rows, to read them again."""
        self._forget("loads")
        self._forget("present")

    def _forget(self, table: str) -> None:
        self.connection.execute(f"DELETE FROM {table}")

    def forget_rows_of(self, keys: Sequence[str]) -> None:
        """Forget the table's rows of some files, to read them again."""
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

    def judge(self, asked: Asked, judge: Judge) -> None:
        """Give each file the verdict of its likes."""
        self._put_together(asked)
        for some in self._examples():
            evidence = self.about([file.key for _, file in some])
            self._add("judged", table(JUDGED, [(likes, *judge(file, evidence)) for likes, file in some]))

    def _put_together(self, asked: Asked) -> None:
        """Give each file the number of its likes."""
        self._forget("files")
        self._forget("judged")
        self.connection.execute(TOLD)
        self.connection.execute(
            FILES.format(likes=_likes(self.evidence)),
            {"since": naive(asked.since), "until": naive(asked.until)},
        )

    def _examples(self) -> Iterator[list[tuple[int, StagedFile]]]:
        """One file of each kind of likes, some at a time."""
        rows = self.rows(
            "SELECT likes, key, size, modified FROM files JOIN "
            "(SELECT any_value(rowid) AS example FROM files GROUP BY likes) ON files.rowid = example"
        )
        for some in rows:
            yield [(likes, staged_file(*file)) for likes, *file in some]

    def take_away(self, keys: Collection[str]) -> None:
        """Leave some files without a tool, whatever was judged of their likes."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE alone AS SELECT key, kind, queued_by_refresh, "
            "(SELECT least(min(likes), 0) FROM files) - row_number() OVER () AS likes "
            "FROM files JOIN judged USING (likes) WHERE key IN (SELECT unnest($keys))",
            {"keys": list(keys)},
        )
        self.connection.execute("UPDATE files SET likes = alone.likes FROM alone WHERE files.key = alone.key")
        self.connection.execute("INSERT INTO judged SELECT likes, kind, NULL, queued_by_refresh FROM alone")

    def tools(self) -> dict[tuple[Kind, Way | None], tuple[int, int]]:
        """Files and bytes that match, by class and tool."""
        rows = self.rows(
            "SELECT kind, way, count(*) + sum(coalesce(files, 0))::BIGINT, "
            f"(sum(size) + sum(coalesce(bytes, 0)))::BIGINT FROM {_JUDGED} LEFT JOIN heaps USING (key) "
            "WHERE wanted GROUP BY ALL"
        )
        return {
            (Kind(kind), Way(way) if way else None): (files, size)
            for some in rows
            for kind, way, files, size in some
        }

    def verdicts(
        self, *, kinds: Collection[Kind] | None = None, ways: Collection[Way] | None = None
    ) -> Iterator[list[tuple[StagedFile, Kind, Way | None]]]:
        """The files that match, oldest first, some at a time; only of some kinds, or some tools'."""
        binds = {"kinds": list(kinds or ()), "ways": list(ways or ())}
        which = "".join(
            f" AND coalesce(list_contains(${name}s, {name}), FALSE)"
            for name, asked in (("kind", kinds), ("way", ways))
            if asked is not None
        )
        query = (
            f"SELECT key, size, modified, kind, way FROM {_JUDGED} WHERE wanted{which} ORDER BY modified, key"
        )
        for some in self.rows(query, {name: binds[name] for name in binds if f"${name}" in query}):
            yield [(staged_file(*file), Kind(kind), Way(way) if way else None) for *file, kind, way in some]

    def first(self, count: int) -> list[str]:
        """The keys of the first few that match, oldest first."""
        query = f"SELECT key FROM files WHERE wanted ORDER BY modified, key LIMIT {count}"
        return [key for some in self.rows(query) for (key,) in some]

    def near(
        self, keys: Collection[str] | None, also: Collection[str]
    ) -> tuple[set[str], set[str], datetime | None]:
        """Which files a REFRESH is for, which others it must not take, and since when it must reach."""
        planned = "wanted AND coalesce(way = 'refresh', FALSE)"
        taken = planned if keys is None else "key IN (SELECT unnest($keys))"
        binds: dict[str, Any] = {"also": list(also)} | ({} if keys is None else {"keys": list(keys)})
        rows = self.rows(
            f"WITH these AS (SELECT key, modified, {taken} AS taken, key IN (SELECT unnest($also)) "
            f"OR (queued_by_refresh AND NOT ({planned})) AS other FROM {_JUDGED}), "
            "since AS (SELECT min(modified) AS since FROM these WHERE taken), "
            "near AS (SELECT *, lag(taken) OVER (ORDER BY key) AS before, "
            "lead(taken) OVER (ORDER BY key) AS next "
            "FROM these, since WHERE (taken OR other) AND modified >= since - INTERVAL 1 SECOND) "
            "SELECT key, taken, since FROM near WHERE taken OR before OR next",
            binds,
        )
        found: dict[bool, set[str]] = {True: set(), False: set()}
        after = None
        for some in rows:
            for key, is_taken, since in some:
                found[is_taken].add(key)
                after = aware(since)
        return found[True], found[False], after

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
            {key: RowsOfFile(count, aware(read_at), *odd) for key, count, read_at, *odd in rows},
        )

    def listed(self, asked: Asked) -> tuple[int, int, int]:
        """How many files are listed, of these in time, and of these again named by the pattern."""
        in_time = "modified >= coalesce($since, modified) AND coalesce(modified < $until, TRUE)"
        counts = [
            self.row(
                f"SELECT coalesce(sum({each}), 0)::BIGINT, "
                f"coalesce(sum({each}) FILTER ({in_time}), 0)::BIGINT, "
                f"coalesce(sum({each}) FILTER (matches AND {in_time}), 0)::BIGINT FROM {where}",
                {"since": naive(asked.since), "until": naive(asked.until)},
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
            "SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(size), 0)::BIGINT "
            "FROM loads JOIN listed ON file = md5_number(key) WHERE recent AND n > 0"
        )
        return rows, size

    def rows_present(self) -> int:
        """How many rows of the table name their file."""
        return int(self.row("SELECT coalesce(sum(present_rows), 0)::BIGINT FROM present")[0])

    def judged_as_a_whole(self, evidence: Evidence) -> Evidence:
        """The evidence with what follows from all files together: what is kept, what outlived the pipe."""
        last = naive(evidence.last_ingested)
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
            kept=aware(kept),
            ingested=evidence.shows_the_last_load(bool(any_recent), bool(after), bool(named)),
        )

    def table_outlived_the_pipe(self) -> bool:
        """Whether the table holds files that no history of the pipe's time remembers."""
        found = self.row(
            "SELECT EXISTS (FROM present ANTI JOIN (FROM loads WHERE recent) AS loads USING (file))"
        )
        return bool(found[0])


def staged_file(key: str, size: int, modified: datetime) -> StagedFile:
    """A file as the store keeps it; it keeps no ETag, for no rule asks."""
    return StagedFile(key, size, "", modified.replace(tzinfo=UTC))


_JUDGED = "files JOIN judged USING (likes)"


def _likes(evidence: Evidence) -> str:
    """All that rules look at as the digits of one number; what is not known is a digit's last value."""
    moments = sorted({moment.astimezone(UTC).replace(tzinfo=None) for moment in evidence.moments})
    number = "coalesce(shape, 0)::BIGINT"  # first, for nobody knows how many there are
    for digit, values in traits(evidence.stream.suffix, [f"TIMESTAMP '{moment}'" for moment in moments]):
        number = f"({number} * {values + 1} + coalesce({digit}, {values}))"
    return number


def _load(row: tuple[Any, ...]) -> Load:
    key, status, loaded_at, *others, _ = row
    return Load(key, status, aware(loaded_at), *others)


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
