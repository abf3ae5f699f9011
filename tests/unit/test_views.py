"""The typed views: names as Snowplow's loaders give them, statements, plans, and the environment file."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snowpipe_sandbox.snowplow.fields import FIELDS

from runbook.errors import Blocked, NotWritten, Refused, SettingsWrong
from runbook.facts.objects import Table
from runbook.facts.views import Found, Present, _by_major, without_a_column
from runbook.plan import plan_step
from runbook.settings import read
from runbook.settings.views import column
from runbook.sql import statements
from runbook.teardown import views as taking_back
from runbook.terminal import Style
from runbook.views import STEP, scan
from runbook.wanted.pipeline import columns
from runbook.wanted.views import casts, schema_names, together, wanted
from tests.unit.conftest import ROOT, written
from tests.unit.observed import Known


def on(**views: Any) -> Any:
    return read(written(views__enabled=True, **{f"views__{key}": value for key, value in views.items()}))


# ---- names


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        # of the loaders' own documentation and fixtures
        ("com.example/button_press/1", "com_example_button_press_1"),
        ("com.snowplowanalytics.snowplow/web_page/1", "com_snowplowanalytics_snowplow_web_page_1"),
        ("org.w3/PerformanceTiming/1", "org_w3_performance_timing_1"),
        ("org.schema/WebPage/1", "org_schema_web_page_1"),
        ("com.google.measurement-protocol/page_view/2", "com_google_measurement_protocol_page_view_2"),
        ("com.acme/URLOfPage/12", "com_acme_urlof_page_12"),
        ("com.Acme/my-event/1", "com_acme_my_event_1"),
    ],
)  # fmt: skip
def test_a_column_is_called_as_the_loaders_call_it(schema: str, name: str) -> None:
    assert column("contexts", schema) == f"contexts_{name}"
    assert column("unstruct_event", schema) == f"unstruct_event_{name}"


@pytest.mark.parametrize(
    "schema",
    ["", "com.acme/user", "com.acme/user/0", "com.acme/user/1-0-0", "iglu:com.acme/user/1",
     "com.acme/us er/1", "com.acme/user'/1", f"com.{'a' * 250}/user/1", "com.acme/us.er/1"],
)  # fmt: skip
def test_what_is_not_a_schema_is_refused_by_its_key(schema: str) -> None:
    with pytest.raises(SettingsWrong, match=r"views\.entities\.0"):
        on(entities=[schema])


def test_what_is_no_list_is_said_in_words() -> None:
    with pytest.raises(SettingsWrong, match=r"views\.entities: should be a list"):
        on(entities=5)


def test_lists_may_come_from_a_variable_of_the_environment() -> None:
    assert on(entities="com.acme/a/1, com.acme/b/2").views.entities == ("com.acme/a/1", "com.acme/b/2")
    assert on(entities="").views.entities == on(entities=None).views.entities == ()


@pytest.mark.parametrize(
    "views",
    [
        {"database": "RAW", "schema": "SNOWPLOW"},
        {"events": "X", "events_bad": "x"},
        {"documented_schema": "ATOMIC"},
        {"documented_schema": "snowplow"},
        {"schema": "no name"},
        {"entity": []},
    ],
)
def test_views_that_would_be_in_the_way_are_refused(views: dict[str, Any]) -> None:
    with pytest.raises(SettingsWrong, match="views"):
        on(**views)


def test_what_others_made_has_no_views() -> None:
    with pytest.raises(SettingsWrong, match=r"views\.enabled"):
        read(written(made_by="others", views__enabled=True))


def test_no_view_changes_what_the_administrators_agree_on(settings: Any) -> None:
    assert on().agreed == settings.agreed
    assert on().fingerprint == settings.fingerprint


# ---- statements

KINDS = {
    "integer": "TRY_TO_NUMBER(REGEXP_SUBSTR({0}, '^[+-]?[0-9]+$'), 38, 0)",
    "float": "TRY_TO_DOUBLE({0})",
    "flag": "CASE {0} WHEN '1' THEN TRUE WHEN '0' THEN FALSE END",
    "timestamp": "COALESCE( TRY_TO_TIMESTAMP_NTZ({0}, 'YYYY-MM-DD HH24:MI:SS.FF'), "
    "TRY_TO_TIMESTAMP_NTZ({0}, 'YYYY-MM-DD HH24:MI:SS') )",
}


def test_every_field_has_the_type_that_the_loaders_tables_give_it() -> None:
    found = casts()
    for name, kind in FIELDS:
        money = kind == "decimal" and name != "se_value"  # the loaders' tables have it as DOUBLE PRECISION
        shape = "TRY_TO_NUMBER({0}, 18, 2)" if money else KINDS.get("float" if kind == "decimal" else kind)
        assert found.get(name) == (shape.format(name) if shape else None), name


def test_the_typed_events_are_the_128_atomic_columns_and_then_the_rest() -> None:
    view = wanted(on(entities=["com.acme/user/1"], self_describing_events=["com.acme/click/2"]))[0]
    (create,) = [text for text in statements(view.sql) if text.startswith("CREATE OR REPLACE VIEW")]
    select = create.partition("SELECT\n")[2].partition("\nFROM (")[0]
    items = [" ".join(item.split()) for item in re.split(r",\n(?=  \S)", select)]
    names = [item.rpartition(" AS ")[2] if " AS " in item else item for item in items]
    atomic = [name for name, _ in FIELDS if name not in ("contexts", "unstruct_event", "derived_contexts")]
    assert len(atomic) == 128
    made = ["unstruct_event_com_acme_click_2", "contexts_com_acme_user_1"]
    assert names == [*atomic, "load_tstamp", *made, "_file", "_file_row", "_loaded_at"]


def test_the_documented_events_are_the_131_fields_and_uploaded_at() -> None:
    view = wanted(on(documented_schema="DOCUMENTED"))[2]
    select = view.sql.partition("SELECT\n")[2].partition("\nFROM ")[0]
    names = [line.strip().rstrip(",") for line in select.split("\n")]
    assert names == [*(name for name, _ in FIELDS), "_loaded_at AS uploaded_at"]
    stream = view.stream
    assert {name.upper() for name in names[:-1]} <= set(columns(stream))


def test_two_schemas_whose_names_differ_in_dashes_only_share_a_column() -> None:
    schemas = ["com.acme/web-page/1", "com.acme/web_page/1", "com.acme/webPage/1", "com.acme/web_page/2"]
    assert [len(each) for _, each in together("entity", schemas)] == [3, 1]
    sql = wanted(on(entities=schemas))[0].sql
    assert sql.count(" AS contexts_com_acme_web_page_1,") == 1
    assert all(f"'iglu:{vendor}/jsonschema/" in sql for vendor in ("com.acme/web-page", "com.acme/webPage"))


def test_a_corpus_of_schemas_has_each_its_column_once_in_one_statement() -> None:
    draw = random.Random(7)
    schemas = sorted(
        {
            f"com.v{number % 37}-x/{draw.choice(['Name', 'name', 'a_b'])}{number}/{major}"
            for number in range(120)
            for major in range(1, 4)
        }
    )
    assert len(schemas) == 360
    view = wanted(on(entities=schemas, self_describing_events=schemas))[0]
    made = re.findall(r" AS ((?:contexts|unstruct_event)_\w+),$", view.sql, re.MULTILINE)
    assert len(made) == len(set(made)) == 720
    assert set(made) == {column(kind, each) for kind in ("contexts", "unstruct_event") for each in schemas}
    assert len(view.sql) < 1_000_000  # https://docs.snowflake.com/en/user-guide/query-size-limits


def test_the_definition_is_known_by_the_comment() -> None:
    one, other = wanted(on())[0], wanted(on(entities=["com.acme/user/1"]))[0]
    assert one.comment != other.comment
    assert one == wanted(on())[0]
    assert f"COMMENT = '{one.comment}'" in one.sql


# ---- plans


def observed(settings: Any, **there: Present | None) -> Known:
    """A whole installation, with these views in the schema ATOMIC."""
    present = {name: each for name, each in there.items() if each}
    found: dict[Any, Any] = {
        ("objects", "RAW.ATOMIC"): present,
        ("schema", "RAW.ATOMIC"): bool(present),
        ("view columns", "RAW.ATOMIC.EVENTS"): ("APP_ID", "CONTEXTS", *schema_names(settings), "_FILE"),
    }
    for stream in settings.streams:
        names = tuple((name, "VARCHAR") for name in columns(stream))
        found["table", stream.name] = Table(names, ())
    return Known(settings, found)


def test_without_views_there_is_nothing_to_plan(settings: Any) -> None:
    assert plan_step(STEP, Known(settings, {})).is_empty
    assert plan_step(STEP, observed(on())).changes


def test_schema_and_views_are_made_and_then_there_is_nothing_to_do() -> None:
    settings = on()
    found = plan_step(STEP, observed(settings))
    assert [change.title for change in found.changes] == [
        "sql/views/10_schema.sql", "sql/views/20_view_enriched.sql", "sql/views/21_view_bad_rows.sql",
    ]  # fmt: skip
    whole = {view.name.name: Present("VIEW", view.comment) for view in wanted(settings)}
    assert plan_step(STEP, observed(settings, **whole)).is_empty


def test_a_view_of_another_definition_is_replaced_with_its_grants() -> None:
    before = {view.name.name: Present("VIEW", view.comment) for view in wanted(on())}
    (change,) = plan_step(STEP, observed(on(entities=["com.acme/user/1"]), **before)).changes
    assert change.title == "sql/views/20_view_enriched.sql"
    assert "CREATE OR REPLACE VIEW RAW.ATOMIC.EVENTS\nCOPY GRANTS\n" in change.sql  # type: ignore[union-attr]


def test_the_columns_that_a_view_loses_are_named_in_the_plan() -> None:
    fuller = on(entities=["com.acme/user/1", "com.acme/cart/1"], self_describing_events=["com.acme/buy/1"])
    before = {view.name.name: Present("VIEW", view.comment) for view in wanted(fuller)}
    facts = observed(on(entities=["com.acme/cart/1"]), **before)
    had = (
        "APP_ID",
        "UNSTRUCT_EVENT",
        "UNSTRUCT_EVENT_COM_ACME_BUY_1",
        "CONTEXTS",
        "CONTEXTS_COM_ACME_CART_1",
    )
    columns = ("view columns", "RAW.ATOMIC.EVENTS")
    facts.known = {**facts.known, columns: (*had, "CONTEXTS_COM_ACME_USER_1", "_FILE")}
    (change,) = plan_step(STEP, facts).changes
    assert change.why == (
        "the view RAW.ATOMIC.EVENTS has another definition and loses UNSTRUCT_EVENT_COM_ACME_BUY_1, "
        "CONTEXTS_COM_ACME_USER_1: the settings no longer have a schema for this"
    )


@pytest.mark.parametrize(
    "there",
    [Present("VIEW", ""), Present("TABLE", ""), Present("VIEW", "x (snowpipe-runbook)"),
     Present("TABLE", "Snowplow events, typed; definition 0123456789ab (snowpipe-runbook)")],
)  # fmt: skip
def test_what_somebody_else_made_is_neither_replaced_nor_dropped(there: Present) -> None:
    facts = observed(on(), EVENTS=there)
    with pytest.raises(Refused, match="not this project's"):
        plan_step(STEP, facts)
    assert list(taking_back.plan(facts)) == []


def test_the_views_of_another_installation_stay_its_own() -> None:
    """Two of ours in one database, both with the schema ATOMIC: each view reads its own one's table."""
    other = read(written(views__enabled=True, snowflake__schema="OTHER"))
    theirs = {view.name.name: Present("VIEW", view.comment) for view in wanted(other)}
    assert list(theirs) == ["EVENTS", "EVENTS_BAD"]
    facts = observed(on(), **theirs)
    with pytest.raises(Refused, match="belongs to another installation") as told:
        plan_step(STEP, facts)
    assert "its comment names RAW.OTHER; these settings are of RAW.SNOWPLOW" in told.value.why
    assert list(taking_back.plan(facts)) == []
    unnamed = Present("VIEW", "Snowplow events, typed; definition 0123456789ab (snowpipe-runbook)")
    assert [change.title for change in plan_step(STEP, observed(on(), EVENTS=unnamed)).changes] == [
        "sql/views/20_view_enriched.sql",
        "sql/views/21_view_bad_rows.sql",
    ]


def test_views_wait_for_their_tables() -> None:
    facts = observed(on())
    facts.known = {**facts.known, ("table", "events"): None}
    found = plan_step(STEP, facts)
    assert isinstance(found.blocked, Blocked)
    assert found.blocked.by_step == 4
    facts.known = {**facts.known, ("table", "events"): Table((("APP_ID", "VARCHAR"),), ())}
    with pytest.raises(Refused, match="has no column"):
        plan_step(STEP, facts)


def test_down_drops_our_views_and_leaves_their_schema() -> None:
    settings = on()
    whole = {view.name.name: Present("VIEW", view.comment) for view in wanted(settings)}
    found = list(taking_back.plan(observed(settings, **whole)))
    assert [statements(change.sql)[1] for change in found] == [
        "DROP VIEW IF EXISTS RAW.ATOMIC.EVENTS", "DROP VIEW IF EXISTS RAW.ATOMIC.EVENTS_BAD",
    ]  # fmt: skip


# ---- schemas that are seen, and the environment file


def test_a_new_major_version_is_a_new_column() -> None:
    seen = {"event": {}, "entity": {name: Found(name, 1, "f", 1) for name in ("a.b/c/1", "a.b/c/2")}}
    missing = without_a_column(seen, {"event": (), "entity": ("a.b/c/1",)})
    assert missing.names == ("a.b/c/2",)
    assert missing == ["a.b/c/2: 1, first in f row 1"]


LISTS = {"self_describing_events": ["a.b/e/1"], "entities": ["a.b/c/1", "a.b/c/2"]}


@pytest.mark.parametrize(
    "text",
    [
        "target: sandbox\n",
        "# only a comment\n",
        "target: x\nviews:\n  enabled: true\n",
        "target: x\nviews: # ours\n  enabled: true\n  entities:\n  - old.er/x/1\n  schema: A\nwatch: {}\n",
        "views:\n    enabled: true\n    entities:  # those\n        - old.er/x/1\n\n    schema: A\n",
        "views:\n  entities: [a.b/c/1]\n\n# the streams\nstreams: {}\n",
    ],
)  # fmt: skip
def test_the_two_lists_are_put_into_the_environment_file_and_nothing_else_changes(text: str) -> None:
    try:
        made = scan.rewritten(text, LISTS)
    except ValueError:
        assert "    enabled" in text  # another indentation: left to a person, never guessed
        return
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(made)
    views = after.pop("views")
    assert {key: views.pop(key) for key in LISTS} == LISTS
    old = dict(before.pop("views", {"enabled": True}))
    assert views == {key: value for key, value in old.items() if key not in LISTS}
    assert after == before
    for comment in re.findall(r"#[^\n]*", text):
        assert comment in made
    assert scan.rewritten(made, LISTS) == made


def test_the_file_keeps_its_mode_and_a_link_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "prod.yaml", tmp_path / "environments" / "prod.yaml"
    link.parent.mkdir()
    link.symlink_to(file)
    file.write_text("target: x\n")
    file.chmod(0o640)
    scan.write(link, "target: y\n")
    assert link.is_symlink()
    assert file.read_text() == "target: y\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["prod.yaml"]
    with pytest.raises(NotWritten):
        scan.write(tmp_path / "none" / "prod.yaml", "target: z\n")


def test_a_section_in_one_line_is_left_to_a_person() -> None:
    with pytest.raises(ValueError, match="one line"):
        scan.rewritten("views: {enabled: true}\n", LISTS)


@given(st.text("views: {}[]#\n -'\"&*!|>abc", max_size=60))
def test_whatever_the_file_is_only_the_lists_change_or_nothing_is_written(text: str) -> None:
    try:
        before = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    if not isinstance(before, dict):
        return
    try:
        made = yaml.safe_load(scan.rewritten(text, LISTS))
    except (ValueError, TypeError, yaml.YAMLError):
        return
    assert {key: value for key, value in made.items() if key != "views"} == {
        key: value for key, value in before.items() if key != "views"
    }


@given(st.lists(st.text("aZ9./-_ :#é'{", max_size=12).map(lambda text: f"iglu:{text}/jsonschema/1-0-0")))
def test_what_a_scan_finds_the_settings_take(names: list[str]) -> None:
    long = f"iglu:com.acme/{'n' * 300}/jsonschema/1-0-0"
    odd = [
        "iglu:com.acme/v/jsonschema/a-0-0",
        "iglu:com.acme/v/jsonschema/0-0-1",
        "iglu:a/b/c/jsonschema/1-0-0",
    ]
    rows = [
        {"kind": kind, "schema": name, "n": 1, "example": "some.gz\n000000000001"}
        for kind in scan.KEYS
        for name in (*names, *odd, long, "iglu:com.acme/ok/jsonschema/1-0-0", "iglu://jsonschema/1-0-0")
        if re.fullmatch(r"iglu:.*/.*/jsonschema/.*-.*", name)  # as the statement asks
    ]
    schemas = scan.merged(on(), _by_major(rows))
    assert on(**schemas).views.entities == tuple(schemas["entities"])
    assert "com.acme/ok/1" in schemas["entities"]
    assert {"com.acme/v/a", "com.acme/v/0", "a/b/jsonschema/1"}.isdisjoint(schemas["entities"])


def test_a_scan_of_many_schemas_is_a_short_table_with_the_new_ones_on_top() -> None:
    names = [f"com.snowplowanalytics.mobile/a_rather_long_name_{number}/1" for number in range(120)]
    seen = {
        "event": {},
        "entity": {name: Found(name, 10**n % 7919 + 1, "f", 1) for n, name in enumerate(names)},
    }
    settings = on(entities=names[1:])
    lines = list(scan.told(settings, seen, Style(colour=False, width=80)))
    assert lines[0].split() == ["times", "kind", "schema"]
    assert lines[1].endswith(f"{names[0]} (new)")
    assert lines[-2:] == ["               and 100 more", "120 schemas seen, 1 of them new"]
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24
    assert list(scan.told(settings, {"event": {}, "entity": {}}, Style(colour=False, width=80))) == []


# ---- ops/dbt


def test_the_dbt_sources_name_the_views_and_their_columns() -> None:
    folder = ROOT / "ops" / "dbt"
    project = yaml.safe_load((folder / "dbt_project.yml").read_text())
    (source,) = yaml.safe_load((folder / "models" / "sources.yml").read_text())["sources"]
    settings = on()
    variables = project["vars"]
    place = (variables["snowplow_database"], variables["snowplow_schema"])
    assert {view.name.sql for view in wanted(settings)} == {
        ".".join((*place, table["identifier"])) for table in source["tables"]
    }
    by_name = {view.name.name: view.sql for view in wanted(settings)}
    for table in source["tables"]:
        for name in (source["config"]["loaded_at_field"], *(each["name"] for each in table["columns"])):
            assert re.search(rf"\b{name},$", by_name[table["identifier"]], re.MULTILINE), name
    unified = variables["snowplow_unified"]
    assert (unified["snowplow__database"], unified["snowplow__atomic_schema"]) == place
