"""What dbt-snowplow-unified documents that it needs is what the typed view gives. None of its code is here.

Names: https://github.com/snowplow/dbt-snowplow-unified (dbt_project.yml: the variables that name entities and
events; src_base.yml: the atomic columns). Types:
https://docs.snowplow.io/docs/fundamentals/canonical-event/ (atomic fields),
https://docs.snowplow.io/docs/api-reference/loaders-storage-targets/schemas-in-warehouse/ (ARRAY and OBJECT).
"""

import re

import pytest
from snowpipe_sandbox.snowplow.fields import FIELDS

from runbook.wanted.views import casts, wanted
from tests.unit.test_views import on

ENTITIES = {
    "com.snowplowanalytics.snowplow/web_page/1": "com_snowplowanalytics_snowplow_web_page_1",
    "com.snowplowanalytics.snowplow/client_session/1": "com_snowplowanalytics_snowplow_client_session_1",
    "com.iab.snowplow/spiders_and_robots/1": "com_iab_snowplow_spiders_and_robots_1",
    "com.snowplowanalytics.snowplow/ua_parser_context/1": (
        "com_snowplowanalytics_snowplow_ua_parser_context_1"
    ),
    "nl.basjes/yauaa_context/1": "nl_basjes_yauaa_context_1",
    "com.snowplowanalytics.snowplow/browser_context/1": "com_snowplowanalytics_snowplow_browser_context_1",
    "com.snowplowanalytics.snowplow/browser_context/2": "com_snowplowanalytics_snowplow_browser_context_2",
    "com.snowplowanalytics.snowplow/mobile_context/1": "com_snowplowanalytics_snowplow_mobile_context_1",
    "com.snowplowanalytics.snowplow/geolocation_context/1": (
        "com_snowplowanalytics_snowplow_geolocation_context_1"
    ),
    "com.snowplowanalytics.mobile/application/1": "com_snowplowanalytics_mobile_application_1",
    "com.snowplowanalytics.mobile/screen/1": "com_snowplowanalytics_mobile_screen_1",
    "com.snowplowanalytics.mobile/deep_link/1": "com_snowplowanalytics_mobile_deep_link_1",
    "com.snowplowanalytics.mobile/screen_summary/1": "com_snowplowanalytics_mobile_screen_summary_1",
}
EVENTS = {
    "com.snowplowanalytics.mobile/screen_view/1": "com_snowplowanalytics_mobile_screen_view_1",
    "com.snowplowanalytics.snowplow/cmp_visible/1": "com_snowplowanalytics_snowplow_cmp_visible_1",
    "com.snowplowanalytics.snowplow/consent_preferences/1": (
        "com_snowplowanalytics_snowplow_consent_preferences_1"
    ),
    "com.snowplowanalytics.snowplow/web_vitals/1": "com_snowplowanalytics_snowplow_web_vitals_1",
    "com.snowplowanalytics.snowplow/application_error/1": (
        "com_snowplowanalytics_snowplow_application_error_1"
    ),
}
TIMES = {"collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "dvce_sent_tstamp", "etl_tstamp",
         "true_tstamp", "refr_dvce_tstamp"}  # fmt: skip
NUMBERS = {"domain_sessionidx", "br_viewwidth", "br_viewheight", "dvce_screenwidth", "dvce_screenheight",
           "doc_width", "doc_height", "page_urlport", "refr_urlport", "pp_xoffset_min", "pp_xoffset_max",
           "pp_yoffset_min", "pp_yoffset_max", "ti_quantity", "txn_id"}  # fmt: skip
TEXTS = {"app_id", "platform", "event", "event_id", "event_name", "user_id", "domain_userid",
         "network_userid", "domain_sessionid", "page_url", "page_referrer", "page_title", "useragent",
         "br_lang", "geo_country",
         "mkt_source", "mkt_medium", "mkt_campaign", "refr_medium", "event_fingerprint",
         "v_tracker"}  # fmt: skip


@pytest.fixture(scope="module")
def items() -> dict[str, str]:
    """The view's columns, each with the expression that makes it."""
    view = wanted(on(entities=list(ENTITIES), self_describing_events=list(EVENTS)))[0]
    select = view.sql.partition("SELECT\n")[2].partition("\nFROM (")[0]
    found = {}
    for item in re.split(r",\n(?=  \S)", select):
        expression, _, name = " ".join(item.split()).rpartition(" AS ")
        found[name] = expression or name
    return found


def test_every_atomic_column_is_there(items: dict[str, str]) -> None:
    atomic = {name for name, _ in FIELDS} - {"contexts", "unstruct_event", "derived_contexts"}
    assert atomic | {"load_tstamp"} <= set(items)
    assert atomic >= TIMES | NUMBERS | TEXTS


def test_they_are_of_the_documented_types(items: dict[str, str]) -> None:
    assert {name for name in TIMES if "TRY_TO_TIMESTAMP_NTZ(" not in items[name]} == set()
    assert {
        name for name in NUMBERS if "TRY_TO_NUMBER(" not in items[name] or ", 38, 0)" not in items[name]
    } == (set())
    assert {name for name in TEXTS if items[name] != name or name in casts()} == set()
    assert items["dvce_ismobile"].startswith("CASE dvce_ismobile WHEN '1' THEN TRUE")
    assert items["load_tstamp"] == "_loaded_at"  # TIMESTAMP_NTZ, UTC


def test_entities_are_arrays_and_events_objects_of_the_names_it_asks_for(items: dict[str, str]) -> None:
    assert {f"contexts_{name}" for name in ENTITIES.values()} <= set(items)
    assert {f"unstruct_event_{name}" for name in EVENTS.values()} <= set(items)
    assert all("TRANSFORM(FILTER(_entities" in items[f"contexts_{name}"] for name in ENTITIES.values())
    assert all("AS_OBJECT(_event:data)" in items[f"unstruct_event_{name}"] for name in EVENTS.values())
