"""What one round reads: the folders' ends, the pipes' status, row counts; and in a deep round all of it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise

from runbook.clouds.failures import DOES_NOT_EXIST, AwsFailed, SqlFailed
from runbook.clouds.reader import Reader
from runbook.errors import CannotTell, RunbookError
from runbook.facts import Facts, objects, snowflake
from runbook.facts.rhythm import Rhythm, Silence, silence
from runbook.ledger.classes import Kind
from runbook.ledger.evidence import evidence
from runbook.ledger.findings import Ledger
from runbook.listing import pages
from runbook.settings import Settings, Stream
from runbook.sql import literal
from runbook.watching import arrivals
from runbook.watching.arrivals import End, Mark
from runbook.watching.flow import Flow
from runbook.watching.history import History, iso, when
from runbook.watching.past import KIND_OF

DAY = timedelta(days=1)
MISSING = (Kind.NEVER_NOTIFIED, Kind.BEFORE_PIPE, Kind.TOO_OLD_TO_KNOW)
LOADED = (Kind.LOADED_BY_PIPE, Kind.LOADED_BY_EARLIER_PIPE, Kind.LOADED_BY_COPY, Kind.IN_TABLE)
SCHEMAS = 20  # of bad rows, the most frequent ones

Figures = dict[str, float]


class Look:
    """The listings of one round: the folder's end, or all of it where the round is deep."""

    def __init__(self, reader: Reader, history: History, *, is_deep: bool) -> None:
        self.is_deep = is_deep
        self.marks = {stream.name: history.noted(f"mark.{stream.name}") for stream in reader.settings.streams}
        self.ends: dict[str, End] = {}
        self.listed: dict[str, objects.Listing] = {}

    def listing(self, reader: Reader, stream: Stream) -> objects.Listing | None:
        """What the checks take for the stream's files."""
        with suppress(CannotTell, AwsFailed):
            if "aws" not in reader.closed:
                fetch = pages.of_bucket(reader, stream.bucket, stream.prefix, connections=2)
                self.ends[stream.name] = arrivals.look(
                    fetch, stream.prefix, Mark.read(self.marks[stream.name])
                )
        if self.is_deep:
            found = snowflake.listing(reader, stream)
            if found is not None and found.error is None:
                self.listed[stream.name] = found
            return found
        end = self.ends.get(stream.name)
        newest = end.newest if end else None
        try:
            below = newest.key if newest else f"{stream.prefix}~"
            snowflake.listed_below(reader, stream, below)
        except SqlFailed as error:
            return None if error.errno in DOES_NOT_EXIST else objects.Listing(error=error)
        return objects.Listing(end.files if end else ())


def figures_of(
    facts: Facts, look: Look, history: History, now: datetime, troubled: frozenset[str]
) -> dict[str, Figures]:
    """The figures of each stream, as far as they can be read. ``troubled``: streams with a failed check."""
    found: dict[str, Figures] = {stream.name: {} for stream in facts.settings.streams}
    with suppress(RunbookError, SqlFailed):
        tables = [stream.table for stream in facts.settings.streams]
        schemas = dict.fromkeys(f"{table.database.sql}.{table.schema.sql}" for table in tables)
        counts = {
            (schema, str(row["name"])): int(row["rows"] or 0)
            for schema in schemas
            for row in facts.reader.sql(f"SHOW TABLES IN SCHEMA {schema}")
        }
        for stream in facts.settings.streams:
            here = (f"{stream.table.database.sql}.{stream.table.schema.sql}", str(stream.table.name))
            if here in counts:
                found[stream.name]["table_rows"] = counts[here]
    for stream in facts.settings.streams:
        mine, end = found[stream.name], look.ends.get(stream.name)
        if end:
            mine["arrived_files"] = len(end.new)
            mine["arrived_bytes"] = sum(file.size for file in end.new)
        with suppress(RunbookError, SqlFailed):
            if status := facts.pipe_status(stream):
                mine |= _of_status(status)
                if end and stream.name not in troubled:
                    mine |= _latency(status, end, history, stream)
        for more in (_of_ledger, _of_usage, _of_schemas) if look.is_deep else ():
            with suppress(RunbookError, SqlFailed):
                mine |= more(facts, stream, now)
    return found


def _of_status(status: objects.PipeStatus) -> Figures:
    found: Figures = {
        "pending_files": status.pending_files,
        "pipe_running": int(status.execution_state == "RUNNING"),
    }
    times = {
        "newest_row_timestamp_seconds": "lastIngestedTimestamp",
        "notified_timestamp_seconds": "lastForwardedMessageTimestamp",
        "oldest_pending_timestamp_seconds": "oldestFileTimestamp",
    }
    for name, key in times.items():
        if at := status.time(key):
            found[name] = at.timestamp()
    return found


def _of_ledger(facts: Facts, stream: Stream, now: datetime) -> Figures:
    """How many files are loaded and how many failed; how many of 14 days no load history knows."""
    listing = facts.listing(stream)
    if listing is None or listing.error or facts.loads(stream) is None or facts.pipe(stream) is None:
        return {}
    ledger = Ledger(evidence(facts, stream), listing.files)
    unknown = ledger.of(*MISSING)
    known_since = now - timedelta(days=snowflake.LOAD_HISTORY_DAYS)
    return {
        "loaded_files": len(ledger.of(*LOADED)),
        "failed_files": len(ledger.of(Kind.FAILED)),
        "missing_files": sum(file.modified > known_since for file in unknown),
    }


def _of_usage(facts: Facts, stream: Stream, _now: datetime) -> Figures:
    """The credits that the pipe cost within the last day.

    Needs MONITOR USAGE. Source: https://docs.snowflake.com/en/sql-reference/functions/pipe_usage_history
    """
    day = (
        "DATE_RANGE_START => DATEADD('hour', -24, CURRENT_TIMESTAMP()), DATE_RANGE_END => CURRENT_TIMESTAMP()"
    )
    rows = facts.reader.sql(
        f"SELECT SUM(credits_used) AS credits FROM TABLE({stream.pipe.database.sql}.INFORMATION_SCHEMA."  # noqa: S608
        f"PIPE_USAGE_HISTORY({day}, PIPE_NAME => {literal(stream.pipe.sql)}))"
    )
    credits_used = rows[0]["credits"] if rows else None
    return {} if credits_used is None else {"pipe_credits": float(credits_used)}


def _of_schemas(facts: Facts, stream: Stream, _now: datetime) -> Figures:
    """How many bad rows of each kind, and of the schema that they name, came within the last day."""
    table = facts.table(stream)
    if stream.kind != "bad_rows" or table is None or not {"DOCUMENT", "_LOADED_AT"} <= set(table.names):
        return {}
    bare = "COALESCE(document:detail, document)"
    rows = facts.reader.sql(
        f"SELECT GET({bare}, 'schema')::VARCHAR AS kind, "  # noqa: S608
        f"GET_PATH({bare}, 'data.failure.messages[0].schemaKey')::VARCHAR AS of_schema, COUNT(*) AS count "
        f"FROM {stream.table.sql} WHERE _loaded_at >= DATEADD('hour', -24, SYSDATE()) "
        f"GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {SCHEMAS}"
    )
    found: Figures = {}
    for row in rows:
        name = KIND_OF + _named(row["kind"]) + (f" of {_named(row['of_schema'])}" if row["of_schema"] else "")
        found[name] = found.get(name, 0.0) + float(row["count"])
    return found


def _named(schema: object) -> str:
    """``schema_violations/2-0-1`` of ``iglu:com.snowplowanalytics.snowplow.badrows/schema_violations/…``."""
    parts = str(schema or "no schema").removeprefix("iglu:").split("/")
    if len(parts) != 4:
        return str(schema or "no schema")[:120]
    vendor, name, _, version = parts
    ours = "" if vendor == "com.snowplowanalytics.snowplow.badrows" else f"{vendor}/"
    return f"{ours}{name}/{version}"[:120]


def _latency(status: objects.PipeStatus, end: End, history: History, stream: Stream) -> Figures:
    """How long the file loaded last took from its arrival, once for each such file.

    Not of a file that arrived while something was wrong: it waited for that to end.
    """
    at, path = status.time("lastIngestedTimestamp"), str(status.document.get("lastIngestedFilePath") or "")
    if at is None or not path or history.noted(f"ingested.{stream.name}") == iso(at):
        return {}
    file = next((file for file in reversed(end.files) if file.key.endswith(path.lstrip("/"))), None)
    if file is None or at < file.modified:
        return {}
    (wrong, last) = history.db.execute("SELECT SUM(ended IS NULL), MAX(ended) FROM cause").fetchone()
    if wrong or (last and file.modified <= when(last)):
        return {}
    return {"load_latency_seconds": (at - file.modified).total_seconds()}


def flow_of(facts: Facts, look: Look, history: History, stream: Stream, now: datetime, mine: Figures) -> Flow:
    """Where one stream stands; adds what it finds to the stream's figures."""
    status: objects.PipeStatus | None = None
    with suppress(RunbookError, SqlFailed):
        status = facts.pipe_status(stream)
    end = look.ends.get(stream.name)
    notified = status.time("lastForwardedMessageTimestamp") if status else None
    path = str(status.document.get("lastForwardedFilePath") or "") if status else ""
    newest = end.newest_of(stream) if end else None
    if end and not arrivals.names_grow(end, path.partition("/")[2], notified):
        newest = None
    loaded = status.time("lastIngestedTimestamp") if status else None
    seen = max((at for at in (newest.modified if newest else None, notified, loaded) if at), default=None)
    if newest:
        mine["newest_file_timestamp_seconds"] = newest.modified.timestamp()
    return Flow(
        stream=stream.name,
        now=now,
        state=status.execution_state if status else "",
        newest_file=newest.modified if newest else None,
        newest_key=newest.key if newest else "",
        notified=notified,
        loaded=loaded,
        pending=status.pending_files if status else None,
        oldest_pending=status.time("oldestFileTimestamp") if status else None,
        silence=_silence(history, facts.settings, stream, seen, now),
        latencies=_samples(history, stream.name, "load_latency_seconds", now, mine),
        rows=_grown(_samples(history, stream.name, "table_rows", now, mine)),
        bad=_bad_schemas(history, stream.name, now, mine) if look.is_deep else None,
    )


def _silence(
    history: History, settings: Settings, stream: Stream, newest: datetime | None, now: datetime
) -> Silence | None:
    limit = settings.watch.limits.quiet_hours.get(stream.name)
    if newest is None:
        return None
    since = history.noted(f"known_since.{stream.name}")
    hours = {
        when(hour): int(files)
        for hour, files in history.db.execute(
            "SELECT hour, files FROM arrival WHERE stream = ?", (stream.name,)
        )
    }
    rhythm = Rhythm(when(since) if since else now, now, hours)
    return silence(rhythm, newest, now, limit=timedelta(hours=limit) if limit else None)


def _samples(
    history: History, stream: str, name: str, now: datetime, mine: Mapping[str, float]
) -> list[float]:
    rows = history.db.execute(
        "SELECT value FROM figure WHERE stream = ? AND name = ? AND at > ? AND at <= ? ORDER BY at",
        (stream, name, iso(now - DAY), iso(now)),
    )
    return [float(value) for (value,) in rows] + ([mine[name]] if name in mine else [])


def _grown(counts: list[float]) -> float | None:
    """By how much a count has grown, whatever was taken away in between."""
    if len(counts) < 2:
        return None
    return sum(max(0.0, after - before) for before, after in pairwise(counts))


def _bad_schemas(
    history: History, stream: str, now: datetime, mine: Mapping[str, float]
) -> tuple[tuple[str, float, float], ...]:
    """Each schema of bad rows with its rows of the last day, and the most that any day before had."""
    today = {name: value for name, value in mine.items() if name.startswith(KIND_OF)}
    looks = history.db.execute(
        "SELECT COUNT(DISTINCT at) FROM figure WHERE stream = ? AND name = 'missing_files' AND at < ?",
        (stream, iso(now - DAY)),
    ).fetchone()[0]
    if not looks:  # nothing to compare with
        return ()
    found = []
    for name, value in today.items():
        (most,) = history.db.execute(
            "SELECT MAX(value) FROM figure WHERE stream = ? AND name = ? AND at < ?",
            (stream, name, iso(now - DAY)),
        ).fetchone()
        found.append((name.removeprefix(KIND_OF), value, float(most or 0)))
    return tuple(found)
