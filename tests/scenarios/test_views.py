"""`invoke views`: typed events on top of the raw tables, as a person makes, changes and removes them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from snowpipe_sandbox.snowplow.fields import FIELDS

from tests.scenarios.conftest import Installation
from tests.scenarios.receivers import Receiver, receiver

WEB_PAGE = "com.snowplowanalytics.snowplow/web_page/1"
ON = {"INVOKE_VIEWS_ENABLED": "1"}


def contexts(*entities: tuple[str, Any]) -> str:
    """The text of a contexts field; each entity a schema with its whole version, and its data."""
    data = [{"schema": f"iglu:{schema}", "data": data} for schema, data in entities]
    return json.dumps(
        {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1", "data": data}
    )


def of_itself(name: str, major: int) -> str:
    """The text of the field of a self-describing event."""
    data = {"schema": f"iglu:{name}/jsonschema/{major}-0-0", "data": {"a": 1}}
    return json.dumps({"schema": "iglu:u/e/jsonschema/1-0-0", "data": data})


def event(**fields: str) -> bytes:
    """One line of an enriched file: what is not given is as an event must have it, or empty."""
    values = {
        "event_id": "6f1d3b2a-0000-4000-8000-000000000001",
        "collector_tstamp": "2026-11-20 10:00:00.123",
        "v_collector": "ssc",
        "v_etl": "enrich",
        **fields,
    }
    assert not set(values) - {name for name, _ in FIELDS}
    return "\t".join(values.get(name, "") for name, _ in FIELDS).encode() + b"\n"


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def load(at: Installation, name: str, *lines: bytes) -> str:
    key = at.put("events", name, gzip.compress(b"".join(lines)))
    at.settle()
    return key


def one(at: Installation, columns: str, key: str) -> tuple[Any, ...]:
    (row,) = at.sql(f"SELECT {columns} FROM RAW.ATOMIC.EVENTS WHERE _file = '{key}'")
    return row


def test_off_until_it_is_asked_for(healthy: Installation) -> None:
    told = healthy.run("views", expect=2)
    assert "views.enabled" in told.stderr
    assert not healthy.sql("SHOW SCHEMAS LIKE 'ATOMIC' IN DATABASE RAW")
    assert "views" not in healthy.run("plan").stdout
    healthy.assert_healthy()


@pytest.mark.slow
def test_made_read_changed_and_taken_back(healthy: Installation) -> None:
    at = healthy
    at.environment.update(ON)
    told = at.run("views", "--dry-run").stdout
    assert "CREATE OR REPLACE VIEW RAW.ATOMIC.EVENTS\n" in told
    assert not at.sql("SHOW SCHEMAS LIKE 'ATOMIC' IN DATABASE RAW")
    assert "sql/views/20_view_enriched.sql" in at.run("plan").stdout

    at.run("views")
    assert "nothing to change" in at.run("views").stdout
    key = load(
        at,
        "typed.gz",
        event(
            br_viewwidth="2560",
            tr_total="12.345",
            br_cookies="1",
            geo_latitude="-37.5",
            txn_id="1.5",
            contexts=contexts((f"{WEB_PAGE.rpartition('/')[0]}/jsonschema/1-0-2", {"id": "x", "none": None})),
        ),
    )
    typed = one(at, "br_viewwidth, tr_total, br_cookies, geo_latitude, txn_id, collector_tstamp", key)
    assert str(typed) == (
        "(2560, Decimal('12.35'), True, -37.5, None, datetime.datetime(2026, 11, 20, 10, 0, 0, 123000))"
    )
    assert at.sql("SELECT MAX(br_viewwidth) FROM RAW.ATOMIC.EVENTS") == [(2560,)]
    (loaded, shown) = one(at, "load_tstamp, _loaded_at", key)
    assert loaded.tzinfo is None
    assert shown.tzinfo is not None
    assert (shown - shown.utcoffset()).replace(tzinfo=None) == loaded

    # a schema that the view has no column for: named, and mended as the remedy says
    assert at.verify()["root_causes"] == ["views.every-schema-has-a-column"]
    at.environment["INVOKE_VIEWS_ENTITIES"] = WEB_PAGE
    at.sql("GRANT SELECT ON VIEW RAW.ATOMIC.EVENTS TO ROLE SNOWPLOW_OPERATOR")
    at.run("views")
    (entities,) = one(at, "contexts_com_snowplowanalytics_snowplow_web_page_1", key)
    assert json.loads(entities) == [{"id": "x", "none": None, "_schema_version": "1-0-2"}]
    assert ("SNOWPLOW_OPERATOR", "SELECT") in {
        (row[5], row[1]) for row in at.sql("SHOW GRANTS ON VIEW RAW.ATOMIC.EVENTS")
    }
    found = at.verify()
    assert found["root_causes"] == []
    assert found["advice"] == ["views.no-cast-loses-a-value"], found

    at.run("down", "--yes", "--name", "sandbox")
    assert not at.sql("SHOW VIEWS IN SCHEMA RAW.ATOMIC")
    assert at.sql("SELECT COUNT(*) FROM RAW.SNOWPLOW.EVENTS") == [(1,)]


FAILED = {
    "schema": "iglu:com.snowplowanalytics.snowplow.badrows/schema_violations/jsonschema/2-0-1",
    "data": {
        "processor": {"artifact": "enrich", "version": "5"},
        "failure": {
            "timestamp": "2026-11-20T10:00:00.5Z",
            "messages": [
                {
                    "schemaKey": "iglu:a/b/jsonschema/1-0-0",
                    "error": {"dataReports": [{"message": "$.x: too long"}]},
                }
            ],
        },
        "payload": {"enriched": {"event_id": "6F1D3B2A-0000-4000-8000-00000000000B", "app_id": "shop"}},
    },
}


def test_an_event_is_found_by_its_id_in_either_table(healthy: Installation) -> None:
    at = healthy
    at.environment.update(ON)
    at.run("views")
    key = load(at, "one.gz", event(app_id="shop", event_name="page_view"))
    for name, document in (("bare.gz", FAILED), ("wrapped.gz", {"id": "1", "detail": FAILED})):
        at.put("events_bad", name, gzip.compress(json.dumps(document).encode()))
    at.settle()
    told = at.run("explain", "--event", "6f1d3b2a-0000-4000-8000-000000000001").stdout
    assert f"{key} row 1" in told
    assert "page_view" in told
    done = at.run("explain", "--event", "6f1d3b2a-0000-4000-8000-00000000000b", "--format", "json", expect=1)
    rows = json.loads(done.stdout)["rows"]
    assert [(row["stream"], row["what"]) for row in rows] == [("events_bad", "schema_violations")] * 2
    assert "0 rows" in at.run("explain", "--event", "nowhere", expect=1).stdout
    assert at.run("explain", "--event", "a' OR 'a' = 'a", expect=2).stderr

    columns = "family, family_version, failure_schema, error, processor, app_id, event:app_id::VARCHAR"
    found = at.sql(f"SELECT DISTINCT {columns} FROM RAW.ATOMIC.EVENTS_BAD")
    assert found == [
        ("schema_violations", "2-0-1", "iglu:a/b/jsonschema/1-0-0", "$.x: too long", "enrich", "shop", "shop")
    ]


@pytest.mark.slow
def test_a_view_of_somebody_else_is_left_alone(healthy: Installation) -> None:
    at = healthy
    at.environment.update(ON)
    at.sql("CREATE SCHEMA RAW.ATOMIC", "SYSADMIN")
    at.sql("CREATE VIEW RAW.ATOMIC.EVENTS AS SELECT 1 AS mine", "SYSADMIN")
    assert "not this project's" in at.run("views", expect=None).stderr
    at.run("down", "--yes", "--name", "sandbox")
    assert at.sql("SELECT mine FROM RAW.ATOMIC.EVENTS") == [(1,)]


@pytest.mark.slow
def test_the_documented_tables_columns(healthy: Installation) -> None:
    at = healthy
    at.environment.update({**ON, "INVOKE_VIEWS_DOCUMENTED_SCHEMA": "DOCUMENTED"})
    at.run("views")
    key = load(at, "plain.gz", event(br_viewwidth="784"))
    names = [row[0] for row in at.sql("DESC VIEW RAW.DOCUMENTED.EVENTS")]
    assert len(names) == 132
    assert names[-1] == "UPLOADED_AT"
    assert at.sql("SELECT br_viewwidth, uploaded_at IS NOT NULL FROM RAW.DOCUMENTED.EVENTS") == [
        ("784", True)
    ]
    assert [row[0] for row in at.sql("DESC VIEW RAW.DOCUMENTED.EVENTS_BAD")] == ["JSONTEXT", "UPLOADED_AT"]
    assert key


DEEP = json.loads('{"k":' * 45 + "{}" + "}" * 45)
ODD = {
    "a.b": 1,
    'q"x': 2,
    "ключ": 3,
    "select": 4,
    "": 5,
    "_schema_version": "mine",
    "$": 6,
    "a'b": 7,
    "x\\y": 8,
}
MANY = "com.acme/many/jsonschema/1-0-0"


@pytest.mark.slow
def test_hard_values_fail_no_query_and_what_is_lost_is_named(healthy: Installation) -> None:
    at = healthy
    at.environment.update({**ON, "INVOKE_VIEWS_ENTITIES": "com.acme/many/1"})
    at.run("views")
    whole = 16 * 2**20 - 250  # of a VARCHAR: https://docs.snowflake.com/en/sql-reference/data-types-text
    sound: list[Any] = [[{"n": n} for n in range(1000)], [DEEP], [ODD], [{"big": "x" * whole}]]
    broken = ["[" * 5000, "null", '"x"', '{"data":"x"}', '{"data":{}}', "{", " "]
    key = load(
        at,
        "hard.gz",
        *(event(contexts=contexts(*((MANY, data) for data in several))) for several in sound),
        *(event(contexts=text) for text in broken),
        event(contexts='{"data":[{"schema":5,"data":{}},{"data":{}},[],"x",null]}'),
    )
    rows = at.sql(
        f"SELECT contexts_com_acme_many_1 FROM RAW.ATOMIC.EVENTS WHERE _file = '{key}' ORDER BY _file_row"
    )
    found = [json.loads(row[0]) if row[0] else row[0] for row in rows]
    assert found == [
        *([{**data, "_schema_version": "1-0-0"} for data in several] for several in sound),
        *[None] * (len(broken) + 1),
    ]
    told = {row["id"]: row["observed"] for row in at.verify("--all")["checks"] if row["outcome"] == "advice"}
    assert f"contexts: {len(broken)}, first in {key} row {len(sound) + 1}" in told["views.json-can-be-read"]


@pytest.mark.slow
def test_of_many_schemas_the_new_one_is_named_by_one_verify_and_by_watching(
    healthy: Installation, told: Receiver
) -> None:
    """A hundred entities of three major versions each, and twenty events of two."""
    at = healthy
    schemas = [(f"com.v{n % 7}.x/thing_{n}", major) for n in range(100) for major in (1, 2, 3)]
    events = [(f"com.acme/known_{n}", major) for n in range(20) for major in (1, 2)]
    at.environment.update(
        {
            **ON,
            "INVOKE_VIEWS_ENTITIES": ",".join(f"{name}/{major}" for name, major in schemas),
            "INVOKE_VIEWS_SELF_DESCRIBING_EVENTS": ",".join(f"{name}/{major}" for name, major in events),
        }
    )
    at.run("views")
    assert len(at.sql("DESC VIEW RAW.ATOMIC.EVENTS")) == 128 + len(schemas) + len(events) + 4
    all_of_them = [(f"{name}/jsonschema/{major}-0-3", {"n": 1}) for name, major in schemas]
    known = [
        event(event_id=f"6f1d3b2a-0000-4000-8000-1{number:011}", unstruct_event=of_itself(*each))
        for number, each in enumerate(events)
    ]
    key = load(at, "corpus.gz", event(contexts=contexts(*all_of_them)), *known)
    columns = [f"contexts_com_v{n % 7}_x_thing_{n}_{major}" for n in range(100) for major in (1, 2, 3)]
    counted = [f"SUM(ARRAY_SIZE({name}))" for name in columns]
    counted += [f"COUNT(unstruct_event_com_acme_known_{n}_{major})" for n in range(20) for major in (1, 2)]
    assert set(one(at, ", ".join(counted), key)) == {1}
    assert at.verify()["root_causes"] == []

    load(
        at,
        "new.gz",
        event(event_id="6f1d3b2a-0000-4000-8000-000000000002", unstruct_event=of_itself("com.acme/new", 1)),
        event(
            event_id="6f1d3b2a-0000-4000-8000-000000000003",
            contexts=contexts(("com.v1.x/thing_1/jsonschema/4-0-0", {})),
        ),
    )
    found = at.verify()
    assert found["root_causes"] == ["views.every-schema-has-a-column"]
    (observed,) = [row["observed"] for row in found["checks"] if row["outcome"] == "failed"]
    assert "com.acme/new/1: 1" in observed
    assert "com.v1.x/thing_1/4: 1" in observed

    at.environment["THE_WEBHOOK"] = told.url("webhook")
    file = at.folder / "watched.yaml"
    route = {"kind": "webhook", "secret_from": "THE_WEBHOOK"}
    file.write_text(yaml.safe_dump({"target": "sandbox", "watch": {"routes": {"team": route}}}))

    def watched() -> list[list[str]]:
        """The new names of each message so far, after two rounds more; both read everything."""
        for _ in range(2):
            at.run("-f", str(file), "watch", "--once", expect=1)
            at.advance(hours=1)
        return [sorted(name for each in row["new"] for name in each["names"]) for row in told.of("webhook")]

    assert watched() == [["com.acme/new/1", "com.v1.x/thing_1/4"]]
    assert "com.acme/new/1: 1, first in" in told.of("webhook")[0]["text"]
    newer = contexts(("com.acme/newer/jsonschema/1-0-0", {}))
    load(at, "newer.gz", event(event_id="6f1d3b2a-0000-4000-8000-000000000004", contexts=newer))
    assert watched()[1:] == [["com.acme/new/1", "com.acme/newer/1", "com.v1.x/thing_1/4"]]
    assert "now also com.acme/newer/1" in told.of("webhook")[1]["title"]
    watched()
    assert [row["title"] for row in told.of("webhook")][2:] == []
    found = json.loads(at.run("-f", str(file), "watch", "--once", "--format", "json", expect=1).stdout)
    (why,) = [each["why"] for each in found["causes"]]
    assert "com.acme/new/1" in why


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "events.yaml"
    found.write_text(
        "# ours\ntarget: sandbox\n\nviews:   # typed\n  schema: atomic # small\n\nhandoff: null\n"
    )
    return found


@pytest.mark.slow
def test_a_scan_writes_what_it_finds_into_the_environment_file(healthy: Installation, file: Path) -> None:
    at = healthy
    link = {"schema": "iglu:com.acme/linkClick/jsonschema/2-0-0", "data": {"a": 1}}
    load(
        at,
        "some.gz",
        event(
            contexts=contexts(("com.acme/user/jsonschema/1-0-0", {}), ("com.acme/user/jsonschema/1-0-1", {}))
        ),
        event(
            derived_contexts=contexts(
                ("com.acme/user/jsonschema/2-0-0", {}), ("org.x/geo/jsonschema/1-0-0", {})
            )
        ),
        event(unstruct_event=json.dumps({"schema": "iglu:u/e/jsonschema/1-0-0", "data": link})),
        event(contexts="no json"),
    )
    before = file.read_text()
    told = at.run("-f", str(file), "views", "--scan", "--dry-run").stdout
    assert "rows of the last 14 days" in told
    assert file.read_text() == before

    at.run("-f", str(file), "views", "--scan")
    written = yaml.safe_load(file.read_text())
    assert written["views"] == {
        "schema": "atomic",
        "self_describing_events": ["com.acme/linkClick/2"],
        "entities": ["com.acme/user/1", "com.acme/user/2", "org.x/geo/1"],
    }
    assert file.read_text().startswith(
        "# ours\ntarget: sandbox\n\nviews:   # typed\n  schema: atomic # small\n"
    )
    again = file.read_text()
    assert "nothing new" in at.run("-f", str(file), "views", "--scan").stdout
    assert file.read_text() == again
    assert "put this into" in at.run("views", "--scan").stdout
