"""`--engine snowflake`: files, loads and rows are compared inside Snowflake; what is settled stays there.

A directory table tells the files. Snowflake puts together those that no rule can tell apart, as
:mod:`runbook.ledger.on_disk` does on this machine, and one of each kind is judged here, by the same rules.
Fetched are only files that are missing, or that a REFRESH would take with them; the others are counted.

It reads only. A directory table is as old as its last refresh: that writes, and is its owner's to order.
Sources: https://docs.snowflake.com/en/user-guide/data-load-dirtables-query (columns; a query needs a
warehouse), https://docs.snowflake.com/en/sql-reference/functions/concat_ws (NULL where one is),
https://docs.snowflake.com/en/sql-reference/functions-regexp (no look-around, no back-references).

Longer than 400 lines: the rules as one statement of SQL, a clause each.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from runbook.clouds.failures import Row, SqlFailed
from runbook.errors import Refused, SettingsWrong
from runbook.facts import Facts, history, snowflake
from runbook.facts.objects import Load
from runbook.ledger import columns, looking
from runbook.ledger.asked import Asked
from runbook.ledger.classes import REFRESHABLE, Evidence
from runbook.ledger.columns import HEAPS, LISTED, LOADS, PRESENT, of_load, table
from runbook.ledger.left import left_by_an_earlier_pipe
from runbook.ledger.on_disk import OnDisk, staged_file
from runbook.ledger.traits import ODD, SHAPE, traits
from runbook.ledger.verdicts import Way, judged
from runbook.loading.planning import EXAMPLES
from runbook.settings import Identifier, QualifiedName, Settings, Stream
from runbook.sql import literal

NAMED_TOGETHER = 5_000  # keys in one statement, whose text may be 1 MB
ALONE = "odd"  # files whose loads differ: no two are alike, and each is fetched
START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_NOT_SNOWFLAKES = re.compile(r"\(\?|[*+?}][?+]|\\[1-9]")


class Counted(OnDisk):
    """A store of which the larger part is only counted; ``as_of`` is the directory table's last refresh."""

    def __init__(self, evidence: Evidence, as_of: str) -> None:
        super().__init__(evidence)
        self.as_of = as_of
        self.sizes = (0, 0)

    def loaded_size(self) -> tuple[int, int]:
        """As Snowflake counted it, of all files."""
        return self.sizes


def surveyed(facts: Facts, asked: Asked, stream: Stream, told: Callable[[int], None]) -> Counted:
    """The stream's files as its directory table knows them, and all that is known of them. Only reads.

    Raises SettingsWrong for a pattern that Snowflake reads otherwise, Refused without a directory table,
    Blocked when the pipe or the table is not there, CannotTell when one may not be read.
    """
    refuse_patterns_read_otherwise(asked)
    stage, as_of = _directory(facts, stream)
    evidence = looking.of_no_file(facts, stream)
    question = Question.about(facts, asked, stage, evidence)
    store = Counted(question.evidence, as_of)
    try:
        _fill(facts, asked, question, store, told)
    except BaseException:
        store.close()
        raise
    return store


def read_histories(facts: Facts, store: Counted) -> None:
    """What was loaded since the store, of the files that were fetched, and their rows as they are now."""
    before = store.evidence
    stream = before.stream
    now = looking.of_no_file(facts, stream)
    since = facts.loads_since(stream, before.now - looking.ALREADY) or ()
    known = {key for some in store.rows("SELECT key FROM listed") for (key,) in some}
    news = [load for load in since if load.key in known]
    store.add_loads(news, recent=True)
    found = facts.table(stream)
    keys = sorted({load.key for load in news})
    if before.table.files is not None and found is not None:
        store.forget_rows_of(keys)
        for at in range(0, len(keys), NAMED_TOGETHER):
            some = tuple(keys[at : at + NAMED_TOGETHER])
            for batch in facts.reader.batches(history.rows_statement(stream, found.names, some)):
                store.add_rows(batch)
    unnamed = _unnamed(facts, stream, now.table.total) if before.table.files is not None else 0
    store.evidence = replace(
        now,
        account=before.account,
        table=replace(now.table, unnamed=unnamed),
        outlived=before.outlived,
        kept=before.kept,
        ingested=before.ingested,
    )


# -- what is asked of Snowflake ------------------------------------------------------------------------


class Question:
    """One stream's files beside every load and row of theirs, as relations that statements begin with."""

    def __init__(
        self, asked: Asked, stage: QualifiedName, evidence: Evidence, names: tuple[str, ...]
    ) -> None:
        self.evidence = evidence
        self.relations = {
            "listed": _listed(asked, stage, evidence.stream),
            "histories": _histories(evidence),
            "lines": _LINES,
            "told": _TOLD,
            "present": _present(evidence, names),
            "base": _base(evidence),
        }

    @classmethod
    def about(cls, facts: Facts, asked: Asked, stage: QualifiedName, evidence: Evidence) -> "Question":
        """With what concerns no single file: whether the year may be read, whether the table is older."""
        stream = evidence.stream
        found = facts.table(stream)
        names = found.names if found else ()
        evidence = replace(evidence, account=() if _may_read_the_year(facts, stream) else None)
        if evidence.table.files is not None:
            unnamed = _unnamed(facts, stream, evidence.table.total)
            evidence = replace(evidence, table=replace(evidence.table, unnamed=unnamed))
        question = cls(asked, stage, evidence, names)
        return cls(asked, stage, question.judged_as_a_whole(facts), names)

    def judged_as_a_whole(self, facts: Facts) -> Evidence:
        """The evidence with what follows from all files together; as the store's on this machine."""
        evidence = self.evidence
        last = evidence.last_ingested
        row = facts.reader.sql(
            self.asks(
                f"SELECT ({_FORGOTTEN}) AS n, (SELECT MIN(loaded_at) FROM lines) AS oldest_load, "
                "(SELECT MIN(read_at) FROM present) AS oldest_row, "
                "(SELECT COUNT(*) FROM lines WHERE recent = 1) AS any_load, "
                "(SELECT COUNT(*) FROM lines WHERE recent = 1 AND loaded_at >= "
                f"{_micros(last) - 1_000_000 if last else 0}) AS later, "
                "(SELECT COUNT(*) FROM lines WHERE recent = 1 AND key IN "
                f"({_literals(set(evidence.last_ingested_keys))})) AS by_name"
            )
        )[0]
        kept = min(
            (row[name] for name in ("oldest_load", "oldest_row") if row[name] is not None), default=None
        )
        return replace(
            evidence,
            outlived=int(row["n"]) > 0,
            kept=None if kept is None else _moment(kept),
            ingested=evidence.shows_the_last_load(
                *(int(row[name]) > 0 for name in ("any_load", "later", "by_name"))
            ),
        )

    def asks(self, query: str) -> str:
        """A statement over the relations; it only reads."""
        relations = ", ".join(f"{name} AS ({text})" for name, text in self.relations.items())
        return f"WITH {relations} {query}"

    def files(self, which: str) -> str:
        """Files and their loads, a line a load; the files in order of their keys, loads oldest last."""
        return self.asks(
            "SELECT base.key, base.size, base.modified, base.matches, base.likes, base.present_rows, "
            "base.read_at, base.twice, base.misread, "
            "lines.status, lines.loaded_at, lines.n, lines.parsed, lines.errors, "
            "lines.first_error, lines.pipe, lines.recent "
            f"FROM base LEFT JOIN lines ON lines.key = base.key WHERE {which} "
            "ORDER BY base.key, lines.recent, lines.loaded_at"
        )


_LINES = "SELECT *, CONCAT_WS('|', {}) AS shape FROM histories".format(
    ", ".join(f"COALESCE(({each})::VARCHAR, '')" for each in SHAPE)
)
_TOLD = f"""
SELECT key, MIN(shape) AS shape, MAX(loaded_at) AS loaded_at, MAX(n) AS most, MAX(recent) AS recent,
    MAX(1 - recent) AS older, {ODD} AS odd,
    SUM(IFF(recent = 1, n, 0)) AS rows_loaded, SUM(IFF(recent = 1 AND n > 0, 1, 0)) AS loads
FROM lines GROUP BY key
"""
_FORGOTTEN = """
SELECT COUNT(*) AS n FROM present LEFT JOIN (SELECT DISTINCT key FROM lines WHERE recent = 1) AS remembered
    ON remembered.key = present.key WHERE remembered.key IS NULL
"""
_GROUPS = """
SELECT likes, matches, in_time, COUNT(*) AS files, SUM(size) AS bytes, MIN(key) AS example,
    MAX(modified) AS newest, SUM(rows_loaded) AS rows_loaded, SUM(loads * size) AS bytes_loaded
FROM base GROUP BY likes, matches, in_time
"""


def _listed(asked: Asked, stage: QualifiedName, stream: Stream) -> str:
    """The directory table; times are microseconds since 1970."""
    pattern = asked.pattern.pattern
    matches = "TRUE" if pattern == ".*" else f"REGEXP_LIKE(key, {literal(pattern)})"
    times = [f"modified >= {_micros(asked.since)}"] if asked.since else []
    times += [f"modified < {_micros(asked.until)}"] if asked.until else []
    return (
        f"SELECT key, size, modified, {matches} AS matches, {' AND '.join(times) or 'TRUE'} AS in_time FROM ("
        f"SELECT {literal(stream.prefix)} || relative_path AS key, size, "
        "DATE_PART(EPOCH_SECOND, last_modified) * 1000000 AS modified "
        f"FROM DIRECTORY(@{stage.sql})) AS seen"
    )


def _histories(evidence: Evidence) -> str:
    """Both load histories; see :func:`runbook.facts.snowflake.load_of`, which reads one line."""
    path = "RTRIM(stage_location, '/') || '/' || LTRIM(file_name, '/')"
    columns = (
        f"CASE WHEN COALESCE(stage_location, '') = '' THEN file_name "
        f"ELSE REGEXP_REPLACE({path}, '^[^:]*://[^/]*/', '') END AS key, "
        "UPPER(REPLACE(status, ' ', '_')) AS status, "
        "DATE_PART(EPOCH_MICROSECOND, last_load_time) AS loaded_at, COALESCE(row_count, 0) AS n, "
        "COALESCE(row_parsed, 0) AS parsed, COALESCE(error_count, 0) AS errors, "
        "COALESCE(first_error_message, '') AS first_error, pipe_name AS pipe"
    )
    found = f"SELECT {columns}, 1 AS recent FROM ({snowflake.loads_statement(evidence.stream)}) AS days"
    if evidence.account is not None:
        year = history.account_statement(evidence.stream)
        found += f" UNION ALL SELECT {columns}, 0 AS recent FROM ({year}) AS year"
    for load in left_by_an_earlier_pipe(evidence.pipe, evidence.stream.pipe.name):
        values = (literal(load.key), literal(load.status), _micros(load.loaded_at or evidence.now), load.rows)
        more = (load.rows_parsed, load.errors, literal(load.first_error), literal(load.pipe or ""))
        found += f" UNION ALL SELECT {', '.join(map(str, (*values, *more)))}, 1"
    return found


def _present(evidence: Evidence, names: tuple[str, ...]) -> str:
    """The table's rows by file."""
    if evidence.table.files is None:
        return "SELECT '' AS key, 0 AS present_rows, 0 AS read_at, 0 AS twice, 0 AS misread WHERE FALSE"
    read_at = "DATE_PART(EPOCH_MICROSECOND, t)" if "_LOADED_AT" in names else "NULL::INT"
    return (
        f"SELECT f AS key, n AS present_rows, {read_at} AS read_at, twice, misread "
        f"FROM ({history.rows_statement(evidence.stream, names)}) AS counted"
    )


def _base(evidence: Evidence) -> str:
    """A line a file. ``likes`` is the same for two files only where no rule can tell them apart."""
    moments = sorted({_micros(moment) for moment in evidence.moments})
    digits = ["matches::INT", "in_time::INT", "shape"]
    digits += [digit for digit, _ in traits(evidence.stream.suffix, [str(moment) for moment in moments])]
    likes = ", ".join(f"COALESCE(({digit})::VARCHAR, '')" for digit in digits)
    return (
        "SELECT listed.key, size, modified, matches, in_time, present_rows, read_at, twice, misread, "
        "COALESCE(rows_loaded, 0) AS rows_loaded, COALESCE(loads, 0) AS loads, "
        f"IFF(COALESCE(odd, FALSE), {literal(ALONE)}, CONCAT_WS('/', {likes})) AS likes "
        "FROM listed LEFT JOIN told ON told.key = listed.key LEFT JOIN present ON present.key = listed.key"
    )


def _micros(moment: datetime) -> int:
    return (moment - START) // MICROSECOND


# -- what comes of it ----------------------------------------------------------------------------------


def _fill(
    facts: Facts, asked: Asked, question: Question, store: Counted, told: Callable[[int], None]
) -> None:
    """The files that must be known by name; the others counted, each heap under one file's name."""
    groups = {str(row["likes"]): row for row in facts.reader.sql(question.asks(_GROUPS))}
    told(sum(int(row["files"]) for row in groups.values()))
    store.sizes = (
        sum(int(row["rows_loaded"]) for row in groups.values()),
        sum(int(row["bytes_loaded"]) for row in groups.values()),
    )
    if not groups:
        return
    first = facts.reader.sql(question.asks(f"{_FIRST} LIMIT {EXAMPLES}"))
    chosen = {str(row["example"]) for row in groups.values()} | {str(row["key"]) for row in first}
    alike = _fetch(facts, store, question.files(f"base.key IN ({_literals(chosen)})"))
    whole = _by_name(asked, store, groups, alike)
    if whole:
        which = f"base.likes IN ({_literals(whole)}) AND base.key NOT IN ({_literals(chosen)})"
        for likes, files in _fetch(facts, store, question.files(which)).items():
            alike.setdefault(likes, []).extend(files)
    heaps = [
        (
            str(row["example"]),
            int(row["files"]) - len(alike[likes]),
            int(row["bytes"]) - sum(size for _, size, _ in alike[likes]),
        )
        for likes, row in groups.items()
        if int(row["files"]) > len(alike[likes])
    ]
    store.add_known(table(LISTED, ()), table(LOADS, ()), table(PRESENT, ()), table(HEAPS, heaps))


_FIRST = "SELECT key FROM listed WHERE matches AND in_time ORDER BY modified, key"


def _by_name(
    asked: Asked,
    store: Counted,
    groups: Mapping[str, Row],
    alike: Mapping[str, list[tuple[str, int, datetime]]],
) -> set[str]:
    """The likes of files that are loaded, missing, or queued by a REFRESH that loads others."""
    verdicts = {}
    for likes, row in groups.items():
        file = next(each for each in alike[likes] if each[0] == row["example"])
        verdicts[likes] = judged(staged_file(*file), store.about([file[0]]), asked)
    found = {ALONE} & groups.keys()
    for likes, (kind, way, _) in verdicts.items():
        if groups[likes]["matches"] and groups[likes]["in_time"] and (way or kind.is_missing):
            found.add(likes)
    if ALONE in found or any(verdicts[likes][1] == Way.REFRESH for likes in found):
        reach = _micros(store.evidence.now - REFRESHABLE - timedelta(seconds=1))
        found |= {
            likes for likes, (*_, queued) in verdicts.items() if queued and groups[likes]["newest"] >= reach
        }
    return found


def _fetch(facts: Facts, store: Counted, statement: str) -> dict[str, list[tuple[str, int, datetime]]]:
    """Put the files of an answer into the store; returns key, size and time of them by likes."""
    found: dict[str, list[tuple[str, int, datetime]]] = {}
    lines = (row for batch in facts.reader.batches(statement) for row in columns.as_rows(batch))
    files, loads, present = [], [], []
    for key, its in groupby(lines, itemgetter("key")):
        row, *more = its
        modified = _moment(row["modified"]).replace(tzinfo=None)
        found.setdefault(str(row["likes"]), []).append((key, int(row["size"]), modified))
        files.append((key, int(row["size"]), modified, bool(row["matches"])))
        loads += [
            of_load(_load(key, each), recent=bool(each["recent"])) for each in (row, *more) if each["status"]
        ]
        if row["present_rows"]:
            read_at = None if row["read_at"] is None else _moment(row["read_at"]).replace(tzinfo=None)
            odd = int(row["twice"]), int(row["misread"])
            present.append((key, int(row["present_rows"]), read_at, *odd))
    store.add_known(table(LISTED, files), table(LOADS, loads), table(PRESENT, present), table(HEAPS, ()))
    return found


def _load(key: str, row: Row) -> Load:
    numbers = (int(row["n"]), int(row["parsed"]), int(row["errors"]))
    loaded_at = None if row["loaded_at"] is None else _moment(row["loaded_at"])
    return Load(key, str(row["status"]), loaded_at, *numbers, str(row["first_error"]), row["pipe"])


def _moment(micros: object) -> datetime:
    return START + int(str(micros)) * MICROSECOND


def _literals(values: Iterable[str]) -> str:
    return ", ".join(map(literal, sorted(values)))


# -- before anything is asked --------------------------------------------------------------------------


def refuse_patterns_read_otherwise(asked: Asked) -> None:
    """Raises SettingsWrong for a pattern that Snowflake does not read as Python and Java do."""
    if found := _NOT_SNOWFLAKES.search(asked.pattern.pattern):
        raise SettingsWrong(
            f"--pattern {asked.pattern.pattern!r} holds {found.group()!r}, which Snowflake's regular "
            "expressions have not",
            why="with --engine snowflake the files are matched there",
            remedy="write it without look-around, lazy repetition and back-references",
        )


def _directory(facts: Facts, stream: Stream) -> tuple[QualifiedName, str]:
    """The stage whose directory table names the stream's files, and when that was refreshed last.

    Raises SettingsWrong where none is named, Refused where it is not there, is on another folder, or has no
    directory table that was ever refreshed.
    """
    stage, make = stream.directory_stage, directory_statement(facts.settings, stream)
    if stage is None:
        raise SettingsWrong(
            f"streams.{stream.name}.directory_stage is missing",
            why="--engine snowflake reads the files' names from the directory table of a stage, and the "
            "pipe's own stage is better left without one",
            remedy=f"let an administrator run {make}, and name it there",
        )
    seen = snowflake.stages(facts.reader).get(stage.name)
    if seen is None:
        raise Refused(f"The stage {stage} does not exist", remedy=make)
    if seen.url != stream.url:
        raise Refused(
            f"The stage {stage} is on {seen.url}, and the stream's files are in {stream.url}", remedy=make
        )
    properties = facts.reader.sql(f"DESC STAGE {stage.sql}")
    as_of = {
        row["property"]: str(row["property_value"] or "")
        for row in properties
        if row["parent_property"] == "DIRECTORY"
    }
    if as_of.get("ENABLE", "").lower() != "true":
        raise Refused(
            f"The stage {stage} has no directory table",
            remedy=f"ALTER STAGE {stage.sql} SET DIRECTORY = (ENABLE = TRUE)",
        )
    if not as_of.get("LAST_REFRESHED_ON"):
        raise Refused(
            f"The directory table of {stage} was never refreshed", remedy=f"ALTER STAGE {stage.sql} REFRESH"
        )
    return stage, as_of["LAST_REFRESHED_ON"]


def directory_statement(settings: Settings, stream: Stream) -> str:
    """What makes a stage with a directory table over the stream's folder; it lists all of it once."""
    name = stream.directory_stage or settings.qualified(Identifier(f"{stream.stage.name}_DIRECTORY"))
    return (
        f"CREATE STAGE {name.sql} URL = {literal(stream.url)} STORAGE_INTEGRATION = "
        f"{settings.snowflake.integration.sql} DIRECTORY = (ENABLE = TRUE)"
    )


def _may_read_the_year(facts: Facts, stream: Stream) -> bool:
    try:
        facts.reader.sql(f"{history.account_statement(stream)} LIMIT 0")
    except SqlFailed as error:
        if history.is_hidden(error):
            return False
        raise
    return True


def _unnamed(facts: Facts, stream: Stream, total: int) -> int:
    """Rows of the table that name no file."""
    statement = f"SELECT COUNT_IF({history.as_named(stream)}) AS n FROM {stream.table.sql}"
    return total - int(facts.reader.sql(statement)[0]["n"])
