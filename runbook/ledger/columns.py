"""Pages of S3 and answers of Snowflake as Arrow; row by row only where they are not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from runbook.facts.objects import Load
from runbook.facts.snowflake import key_of, load_of, utc
from runbook.ledger.asked import Asked
from runbook.listing.ranges import Page
from runbook.settings import Stream

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

UTC_TIME = pa.timestamp("us", "UTC")


def of_page(page: Page, asked: Asked) -> pa.Table:
    """Files of one page of S3's listing; their time in whole seconds, which is all that LIST knows."""
    if asked.pattern.pattern == ".*":
        matches = pa.repeat(True, len(page.keys))  # noqa: FBT003
    else:
        matches = pa.array([asked.names(key) for key in page.keys], pa.bool_())
    modified = pa.array(page.modified, pa.binary()).cast(pa.string()).cast(UTC_TIME)
    modified = modified.cast(pa.timestamp("s"), safe=False).cast(TIME)
    sizes = pa.array(page.sizes, pa.binary()).cast(pa.string()).cast(pa.int64())
    return pa.table([pa.array(page.keys, pa.string()), sizes, modified, matches], LISTED)


def of_loads(batch: Any, stream: Stream, *, recent: bool) -> pa.Table:
    """Lines of a load history; see :func:`runbook.facts.snowflake.load_of`, which reads one."""
    locations = pc.unique(batch["stage_location"]).to_pylist() if isinstance(batch, pa.Table) else []
    if len(locations) != 1 or not locations[0] or not key_of(locations[0], "x"):
        return table(LOADS, [of_load(load_of(row, stream), recent=recent) for row in as_rows(batch)])
    folder = pa.scalar(key_of(locations[0], "x").removesuffix("x"))
    names = pc.utf8_ltrim(batch["file_name"].cast(pa.string()), characters="/")
    status = pc.replace_substring(pc.utf8_upper(batch["status"].cast(pa.string())), " ", "_")
    numbers = [_number(batch[name]) for name in ("row_count", "row_parsed", "error_count")]
    return pa.table(
        [
            pc.binary_join_element_wise(folder, names, ""),
            status,
            _time(batch["last_load_time"]),
            *numbers,
            pc.fill_null(batch["first_error_message"].cast(pa.string()), ""),
            batch["pipe_name"].cast(pa.string()),
            pa.chunked_array([pa.repeat(recent, len(batch))]),
        ],
        schema=LOADS,
    )


def of_rows(batch: Any) -> pa.Table:
    """Rows of the table by file, as :func:`runbook.facts.history.rows_statement` asks for them."""
    if not isinstance(batch, pa.Table):
        rows = [
            (str(row["f"]), int(row["n"]), utc(row["t"]) if row["t"] else None, row["twice"], row["misread"])
            for row in batch
        ]
        return table(
            PRESENT,
            [(key, count, at and at.replace(tzinfo=None), *map(int, odd)) for key, count, at, *odd in rows],
        )
    columns = [batch["f"].cast(pa.string()), _number(batch["n"]), _time(batch["t"])]
    return pa.table([*columns, _number(batch["twice"]), _number(batch["misread"])], schema=PRESENT)


def as_rows(batch: Any) -> list[dict[str, Any]]:
    """A batch as rows, whichever it is."""
    rows: list[dict[str, Any]] = batch.to_pylist() if isinstance(batch, pa.Table) else batch
    return rows


def _number(column: Any) -> Any:
    return pc.fill_null(column.cast(pa.int64()), 0)


def _time(column: Any) -> Any:
    """A time in UTC; one without a zone is UTC."""
    return column.cast(UTC_TIME, safe=False).cast(TIME)


def table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(each, kind.type) for each, kind in zip(columns, schema, strict=True)], schema)


def of_load(load: Load, *, recent: bool) -> tuple[Any, ...]:
    """A line of a history as a row of LOADS."""
    numbers = (load.rows, load.rows_parsed, load.errors)
    return (load.key, load.status, naive(load.loaded_at), *numbers, load.first_error, load.pipe, recent)


def naive(moment: datetime | None) -> datetime | None:
    """A time in UTC without its zone, as DuckDB keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def aware(moment: datetime | None) -> datetime | None:
    """The other way round."""
    return moment.replace(tzinfo=UTC) if moment else None
