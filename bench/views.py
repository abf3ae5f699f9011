"""What a query costs through the typed view, on the raw table, and on the view kept as a table.

    python -m bench.views --rows 1000000 --folder /var/tmp/bench

No cloud is asked: the view's own SQL runs in the sandbox's engine (DuckDB, one thread) over Parquet files,
which like Snowflake's micro-partitions hold each column by itself and compressed. ``read`` is the compressed
size of the columns that a query reads, ``CPU seconds`` the least of some runs. The ratios are what to look
at: Snowflake's own figures are others. What an earlier run has left in the folder is used again.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from snowpipe_sandbox.clock import Clock
from snowpipe_sandbox.snowflake import engine
from snowpipe_sandbox.snowplow.events import events
from snowpipe_sandbox.snowplow.fields import FIELDS
from tabulate import tabulate

from runbook import settings as reading
from runbook.sql import statements
from runbook.wanted.views import wanted

COPIES = 10  # of each generated event, with an event_id and a load time of its own
WEB_PAGE = "com.snowplowanalytics.snowplow/web_page"
IS_PAGE = f"e.value:schema::VARCHAR LIKE 'iglu:{WEB_PAGE}/jsonschema/1-%'"
COLUMN = "contexts_com_snowplowanalytics_snowplow_web_page_1"
KEPT = f"APP_ID, BR_VIEWWIDTH, PAGE_URLPATH, {COLUMN.upper()}"
"""The columns that are kept: those that the queries read. The others would cost no query anything."""
QUERIES = {
    "a number by application": (
        "SELECT app_id, MAX(TRY_TO_NUMBER(br_viewwidth)) FROM RAW_EVENTS GROUP BY 1",
        "SELECT app_id, MAX(br_viewwidth) FROM {0} GROUP BY 1",
    ),
    "an entity by page": (
        "SELECT page_urlpath, COUNT(DISTINCT e.value:data:id::VARCHAR) FROM RAW_EVENTS, "
        f"LATERAL FLATTEN(INPUT => TRY_PARSE_JSON(contexts):data) AS e WHERE {IS_PAGE} GROUP BY 1",
        f"SELECT page_urlpath, COUNT(DISTINCT {COLUMN}[0]:id::VARCHAR) FROM {{0}} "
        f"WHERE {COLUMN} IS NOT NULL GROUP BY 1",
    ),
}
"""Each question, asked of the raw table and of the typed events."""


def schemas(duck: Any) -> dict[str, list[str]]:
    """The schemas of the first events, as the settings name them."""
    found: dict[str, set[str]] = {"entities": set(), "self_describing_events": set()}
    rows = duck.execute(
        "SELECT CONTEXTS, DERIVED_CONTEXTS, UNSTRUCT_EVENT FROM RAW_EVENTS LIMIT 5000"
    ).fetchall()
    for *entities, event in rows:
        for text in filter(None, entities):
            found["entities"] |= {_named(each["schema"]) for each in json.loads(text)["data"]}
        if event:
            found["self_describing_events"].add(_named(json.loads(event)["data"]["schema"]))
    return {key: sorted(names) for key, names in found.items()}


def _named(schema: str) -> str:
    vendor, name, _, version = schema.removeprefix("iglu:").split("/")
    return f"{vendor}/{name}/{version.partition('-')[0]}"


def write_raw(duck: Any, rows: int, folder: Path) -> None:
    """The raw table's rows as Parquet, a file for each copy of the events; what is there stays."""
    if (folder / f"raw-{COPIES - 1}.parquet").exists():
        return
    lines = (
        each.line for each in events("bench views", datetime(2026, 1, 1, tzinfo=UTC), rows=rows // COPIES)
    )
    columns = zip(*(line.split("\t") for line in lines), strict=True)
    made = pa.table(
        {
            name.upper(): pa.array([value or None for value in values], pa.string())
            for (name, _), values in zip(FIELDS, columns, strict=True)
        }
    )
    duck.register("made", made)
    for copy in range(COPIES):
        query = (
            f"SELECT made.* REPLACE (CAST(uuid() AS VARCHAR) AS EVENT_ID), 'events/{copy}.gz' AS _FILE, "
            "CAST(row_number() OVER () AS DECIMAL(38, 0)) AS _FILE_ROW, "
            f"TIMESTAMP '2026-01-01' + INTERVAL {copy} DAY AS _LOADED_AT FROM made"
        )
        write(duck, query, folder / f"raw-{copy}.parquet")
    duck.unregister("made")


def write(duck: Any, query: str, file: Path) -> None:
    """A query's rows as a file, whole or not at all."""
    part = file.with_suffix(".part")
    duck.execute(f"COPY ({query}) TO '{part}' (FORMAT parquet, COMPRESSION zstd)")
    part.replace(file)


def translated(text: str) -> str:
    """What the sandbox makes of a query in Snowflake's SQL."""
    (statement,) = engine.parse(text)
    sql: str
    (sql,) = engine.translate(statement)
    return sql


def view_sql(found: dict[str, list[str]]) -> str:
    """The typed view's query, over the relation RAW_EVENTS."""
    config = yaml.safe_load((Path(__file__).parents[1] / "invoke.yaml").read_text())
    config["views"] = {**(config.get("views") or {}), "enabled": True, **found}
    view = wanted(reading.read(config))[0]
    create = next(text for text in statements(view.sql) if text.startswith("CREATE OR REPLACE VIEW"))
    query = create.partition("\nAS\n")[2].replace(view.stream.table.sql, "RAW_EVENTS")
    return f"CREATE VIEW TYPED AS {translated(query)}"


def read_by(duck: Any, sql: str, size: dict[str, int]) -> int:
    """The compressed bytes of the columns that a query reads of a file, each column once."""
    (text,) = [row[1] for row in duck.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()]
    names: set[str] = set()
    for node in _nodes(json.loads(text)):
        found = node.get("extra_info", {}).get("Projections")
        if found and "PARQUET" in str(node.get("name", "")).upper():
            names |= set(found if isinstance(found, list) else [found])
    return sum(size[name] for name in names)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    for node in tree if isinstance(tree, list) else [tree]:
        yield node
        yield from _nodes(node.get("children", []))


def asked(duck: Any, sql: str, runs: int) -> tuple[list[str], float]:
    """The answer, and the least CPU seconds it took."""
    took, answer = [], []
    for _ in range(runs):
        begin = time.process_time()
        answer = duck.execute(sql).fetchall()
        took.append(time.process_time() - begin)
    return sorted(map(str, answer)), min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    duck = engine.Engine(Clock()).cursor()
    duck.execute("SET threads = 1")
    duck.execute("SET disabled_optimizers = ''")  # a warehouse works a repeated expression out once
    write_raw(duck, given.rows, given.folder)
    duck.execute(f"CREATE VIEW RAW_EVENTS AS SELECT * FROM read_parquet('{given.folder}/raw-*.parquet')")
    found = schemas(duck)
    duck.execute(view_sql(found))
    for copy in range(COPIES):
        file = given.folder / f"kept-{copy}.parquet"
        if not file.exists():
            begin = time.process_time()
            write(duck, f"SELECT {KEPT} FROM TYPED WHERE _FILE = 'events/{copy}.gz'", file)
            print(f"{file.name}: {time.process_time() - begin:,.0f} CPU seconds", flush=True)
    duck.execute(f"CREATE VIEW KEPT AS SELECT * FROM read_parquet('{given.folder}/kept-*.parquet')")
    sizes = {
        name: dict(
            duck.execute(
                "SELECT path_in_schema, CAST(SUM(total_compressed_size) AS BIGINT) "
                f"FROM parquet_metadata('{given.folder}/{name}-*.parquet') GROUP BY 1"
            ).fetchall()
        )
        for name in ("raw", "kept")
    }
    results = given.folder / "results.json"
    known: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    rows = []
    for name, (of_raw, of_typed) in QUERIES.items():
        ways = {"raw": of_raw, "view": of_typed.format("TYPED"), "kept": of_typed.format("KEPT")}
        for way, text in ways.items():
            key, sql = f"{name}, {way}", translated(text)
            if key not in known:
                answer, seconds = asked(duck, sql, given.runs)
                size = read_by(duck, sql, sizes["kept" if way == "kept" else "raw"])
                known[key] = {"answer": answer, "seconds": seconds, "read": size}
                results.write_text(json.dumps(known))
        raw, view, kept = (known[f"{name}, {way}"] for way in ways)
        assert raw["answer"] == view["answer"] == kept["answer"], name
        rows += [
            [
                name,
                way,
                of["read"] / 1e6,
                of["seconds"],
                of["read"] / kept["read"],
                of["seconds"] / kept["seconds"],
            ]
            for way, of in (("raw", raw), ("view", view), ("kept", kept))
        ]
    whole = {"raw": sum(sizes["raw"].values()) / 1e6}
    of = f"{len(found['entities'])} entities and {len(found['self_describing_events'])} events"
    print(f"{given.rows:,} events of {of}, {whole['raw']:,.0f} MB; load {os.getloadavg()[0]:.1f}")
    heads = ["query", "on", "read, MB", "CPU seconds", "read / kept", "CPU / kept"]
    print(tabulate(rows, headers=heads, tablefmt="github", floatfmt=("", "", ".1f", ".2f", ".1f", ".1f")))


if __name__ == "__main__":
    main()
