"""Every line of the samples × every field: the typed view has what Snowplow's own SDK reads there."""

import gzip
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from runbook.facts.views import lost
from runbook.wanted.views import casts
from tests.scenarios import official
from tests.scenarios.conftest import Installation
from tests.scenarios.test_samples import BAD, ENRICHED, FIELDS, present

NANOSECONDS = "the sandbox keeps microseconds, Snowflake nanoseconds"
EXPLAINED = {
    NANOSECONDS,
    "not a time as Enrich writes it, and the SDK does not look",
    "the year 0000: what Snowflake does is on no public page, the sandbox reads it as no time",
    "half of a surrogate pair: DuckDB reads no such JSON; what Snowflake does is on no public page",
    "an entity that is null: the SDK refuses all of the field, the view leaves it out",
    "an entity whose data is not an object: the loaders keep its version alone, and so does the view",
    "the SDK does not read it as a number",
}
"""Every difference there may be, with its reason; docs/views.md has them."""


def by_place(at: Installation, kind: str, of: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of a table or view, by file and line."""
    names = [row[0] for row in at.sql(f"DESC {kind} {of}")]
    rows = [dict(zip(names, row, strict=True)) for row in at.sql(f"SELECT * FROM {of}")]
    return {(row["_FILE"], row["_FILE_ROW"]): row for row in rows}


def lost_by_the_view(raw: dict[Any, dict[str, Any]], seen: dict[Any, dict[str, Any]]) -> dict[str, int]:
    """How many values of each column are text in the raw table and NULL in the view, of all its rows."""
    lost = Counter(
        name
        for place, row in raw.items()
        for name in casts()
        if row[name.upper()] is not None and seen[place][name.upper()] is None
    )
    return dict(lost)


class Asking:
    """What asks Snowflake for a check, in this test's own session."""

    def __init__(self, at: Installation) -> None:
        self.at = at

    def sql(self, statement: str) -> list[dict[str, Any]]:
        names = re.findall(r" AS ([nx][0-9]+)\b", statement)
        return [dict(zip(names, row, strict=True)) for row in self.at.sql(statement)]


def lost_by_the_check(at: Installation) -> dict[str, int]:
    """What views.no-cast-loses-a-value names."""
    found = lost(Asking(at), at.stream("events"), datetime(2000, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    return {each.what: each.count for each in found}


def test_every_field_of_every_line_is_the_official_readers(healthy: Installation) -> None:
    at = healthy
    events: dict[tuple[str, int], dict[str, str]] = {}
    for name, body in present(ENRICHED):
        key = at.put("events", f"{name}.gz", gzip.compress(body))
        for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            fields = line.removesuffix(b"\r").decode("utf-8", errors="replace").split("\t")
            if len(fields) == FIELDS:
                events[key, number] = dict(zip(official.NAMES, fields, strict=True))
    at.settle()
    found: dict[str, set[str]] = {"ENTITIES": set(), "SELF_DESCRIBING_EVENTS": set()}
    for event in events.values():
        found["ENTITIES"] |= {
            *official.schemas(event["contexts"]),
            *official.schemas(event["derived_contexts"]),
        }
        found["SELF_DESCRIBING_EVENTS"] |= {*official.schemas(event["unstruct_event"])}
    for key, schemas in found.items():
        at.environment[f"INVOKE_VIEWS_{key}"] = ",".join(sorted(schemas))
    at.environment["INVOKE_VIEWS_ENABLED"] = "1"
    for name, body in present(BAD):
        at.put("events_bad", f"{name}.gz", gzip.compress(body))
    at.settle()
    at.run("views")
    failed = at.sql("SELECT family, error, document FROM RAW.ATOMIC.EVENTS_BAD")  # no query fails on any
    assert (len(failed),) == at.sql("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS_BAD")[0]
    assert [row for row in failed if row[0] is None and row[1] is None] == []

    seen = by_place(at, "VIEW", "RAW.ATOMIC.EVENTS")
    raw = by_place(at, "TABLE", "RAW.SNOWPLOW.EVENTS")  # also lines of another number of fields
    assert set(events) <= set(seen)
    apart = [
        each for place, event in events.items() for each in official.differences(place, event, seen[place])
    ]
    assert [each for each in apart if each.reason not in EXPLAINED] == []
    assert lost_by_the_view(raw, seen) == lost_by_the_check(at)
    assert len(events) >= 60
    assert sum(Counter(each.reason for each in apart if each.reason != NANOSECONDS).values()) <= 20
