"""A history read as Arrow is the history read row by row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from runbook.ledger import columns
from runbook.settings import Settings

AT = datetime(2026, 11, 1, 12, 0, 0, 123000, tzinfo=UTC)


def rows(locations: list[str], names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "file_name": name,
            "stage_location": location,
            "status": status,
            "last_load_time": None if status == "Load in progress" else AT + timedelta(seconds=number),
            "row_count": None if number == 1 else number,
            "row_parsed": number,
            "error_count": 0,
            "first_error_message": None if number else "broken",
            "pipe_name": "EVENTS_PIPE" if number % 2 else None,
        }
        for number, (location, name, status) in enumerate(
            zip(locations, names, ["Loaded", "Load in progress", "Partially loaded"], strict=True)
        )
    ]


@pytest.mark.parametrize(
    ("locations", "names"),
    [
        (["s3://b/p/stream/"] * 3, ["a.gz", "/b.gz", "c/d.gz"]),
        (["s3://b/p/stream"] * 3, ["/a.gz", "b.gz", "//c.gz"]),
        (["s3://b/"] * 3, ["p/a.gz", "b.gz", "c.gz"]),
        (["s3://b/p/", "s3://b/q/", ""], ["a.gz", "b.gz", "p/c.gz"]),
    ],
    ids=["folder", "slash at the name", "bucket", "several"],
)
def test_arrow_and_rows_come_to_the_same(settings: Settings, locations: list[str], names: list[str]) -> None:
    stream, said = settings.streams[0], rows(locations, names)
    schema = pa.Table.from_pylist(said).schema
    at = schema.get_field_index("last_load_time")
    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("us", "America/Los_Angeles")):
        arrow = pa.Table.from_pylist(said, schema.set(at, pa.field("last_load_time", kind)))
        found = columns.of_loads(arrow, stream, recent=True)
        assert found.to_pylist() == columns.of_loads(said, stream, recent=True).to_pylist()
