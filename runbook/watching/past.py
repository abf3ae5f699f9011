"""What the history tells about a span of time, for `invoke status --since 7d` and `invoke report`."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from runbook.watching.causes import Cause, cause_of
from runbook.watching.flow import quantile
from runbook.watching.history import iso, when

Points = list[tuple[datetime, float]]
KIND_OF = "bad_rows_of "
"""A figure of this name, and a schema: how many bad rows a day brought of it."""


@dataclass(frozen=True)
class Incident:
    """A cause that was confirmed: since when, and until when unless it lasts."""

    cause: Cause
    since: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Canary:
    """A canary that was sent: seconds to each hop that it reached, and why it went no further."""

    at: datetime
    stream: str
    hops: Mapping[str, float]
    problem: str


@dataclass(frozen=True)
class Trend:
    """A stream over a span of time."""

    stream: str
    files: int
    bytes: int
    rows: int | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    most_pending: int | None
    incidents: int

    def as_json(self) -> dict[str, Any]:
        """The row for programs."""
        return dict(self.__dict__)

    def as_row(self) -> dict[str, Any]:
        """The row for a person."""
        return {
            "stream": self.stream,
            "files": self.files,
            "MB": round(self.bytes / 1e6, 1),
            "rows": "?" if self.rows is None else self.rows,
            "latency p50": _minutes(self.latency_p50_s),
            "p95": _minutes(self.latency_p95_s),
            "most pending": "?" if self.most_pending is None else self.most_pending,
            "causes": self.incidents,
        }


def _minutes(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds / 60:.1f} min"


class Past:
    """The rounds of a history since a time."""

    def __init__(self, db: sqlite3.Connection, since: datetime) -> None:
        self.db = db
        self.since = since

    def last(self) -> tuple[datetime, str, dict[str, Any]] | None:
        """The last round: when, its verdict, and its summary; None where there is none."""
        row = self.db.execute("SELECT at, verdict, summary FROM round ORDER BY at DESC LIMIT 1").fetchone()
        return (when(row[0]), str(row[1]), json.loads(row[2])) if row else None

    def rounds(self) -> dict[str, int]:
        """How many rounds ended how."""
        return dict(
            self.db.execute(
                "SELECT verdict, COUNT(*) FROM round WHERE at >= ? GROUP BY verdict", (iso(self.since),)
            )
        )

    def points(self, stream: str, name: str) -> Points:
        """A figure over time."""
        rows = self.db.execute(
            "SELECT at, value FROM figure WHERE stream = ? AND name = ? AND at >= ? ORDER BY at",
            (stream, name, iso(self.since)),
        )
        return [(when(at), float(value)) for at, value in rows]

    def latest(self, stream: str, name: str) -> float | None:
        """A figure as it was read last."""
        row = self.db.execute(
            "SELECT value FROM figure WHERE stream = ? AND name = ? ORDER BY at DESC LIMIT 1", (stream, name)
        ).fetchone()
        return float(row[0]) if row else None

    def arrivals(self, stream: str) -> list[tuple[datetime, int, int]]:
        """Files and bytes by hour; an hour that is not there had none."""
        rows = self.db.execute(
            "SELECT hour, files, bytes FROM arrival WHERE stream = ? AND hour >= ? ORDER BY hour",
            (stream, iso(self.since)),
        )
        return [(when(hour), int(files), int(size)) for hour, files, size in rows]

    def incidents(self) -> list[Incident]:
        """What was told, the newest first; what lasts comes before what is over."""
        rows = self.db.execute(
            "SELECT document, since, ended FROM cause "
            "WHERE confirmed IS NOT NULL AND (ended IS NULL OR ended >= ?) "
            "ORDER BY ended IS NOT NULL, since DESC",
            (iso(self.since),),
        )
        return [
            Incident(cause_of(json.loads(document)), when(since), when(ended) if ended else None)
            for document, since, ended in rows
        ]

    def grown(self, stream: str) -> Points:
        """Rows that came into the table between rounds; nothing where it was not counted twice."""
        points = self.points(stream, "table_rows")
        return [(at, max(0.0, after - before)) for (_, before), (at, after) in pairwise(points)]

    def counted_from(self, stream: str) -> datetime | None:
        """When the table's rows were counted first; what was loaded before is not in :meth:`grown`."""
        points = self.points(stream, "table_rows")
        return points[0][0] if points else None

    def bad_rows(self, stream: str) -> list[tuple[str, float, float]]:
        """Each schema of bad rows: rows in a day as the last deep round counted them, and the most of a day.

        The most frequent first; one that the last round saw no more counts zero.
        """
        named = (stream, f"{KIND_OF}%", iso(self.since))
        every = "FROM figure WHERE stream = ? AND name LIKE ? AND at >= ?"
        (last,) = self.db.execute(f"SELECT MAX(at) {every}", named).fetchone()
        rows = self.db.execute(
            f"SELECT name, SUM(CASE WHEN at = ? THEN value ELSE 0 END), MAX(value) {every} "
            "GROUP BY name ORDER BY 2 DESC, 3 DESC, 1",
            (last, *named),
        )
        return [(str(name).removeprefix(KIND_OF), float(now), float(most)) for name, now, most in rows]

    def trend(self, stream: str) -> Trend:
        """A stream in numbers."""
        hours = self.arrivals(stream)
        latencies = [value for _, value in self.points(stream, "load_latency_seconds")]
        pending = [value for _, value in self.points(stream, "pending_files")]
        grown = self.grown(stream)
        mine = [each for each in self.incidents() if stream in each.cause.streams or not each.cause.streams]
        return Trend(
            stream=stream,
            files=sum(files for _, files, _ in hours),
            bytes=sum(size for _, _, size in hours),
            rows=round(sum(value for _, value in grown)) if grown else None,
            latency_p50_s=quantile(latencies, 50),
            latency_p95_s=quantile(latencies, 95),
            most_pending=round(max(pending)) if pending else None,
            incidents=len(mine),
        )


def by_hour(points: Sequence[tuple[datetime, float]], since: datetime, until: datetime, hours: int) -> Points:
    """Sums over spans of so many hours, also those in which nothing was."""
    step = timedelta(hours=hours)
    begin = since.replace(minute=0, second=0, microsecond=0)
    sums: dict[int, float] = {}
    for at, value in points:
        place = int((at - begin) / step)
        sums[place] = sums.get(place, 0.0) + value
    count = max(1, int((until - begin) / step) + 1)
    return [(begin + place * step, sums.get(place, 0.0)) for place in range(count)]
