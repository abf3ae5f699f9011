"""The generated bad rows: valid JSON of the documented shapes, every family, bare and enveloped."""

import itertools
import json
import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from snowpipe_sandbox.snowplow.bad_rows import BadRow, bad_rows, enveloped, joined
from snowpipe_sandbox.snowplow.events import events
from snowpipe_sandbox.snowplow.failures import FAMILIES
from snowpipe_sandbox.snowplow.fields import NAMES

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

# Version, keys of data, type of failure and its keys (any of the sets), type of payload, as on Iglu Central.
TIMED = {"timestamp", "messages"}
ADAPTER = TIMED | {"vendor", "version"}
COMMON = {"processor", "failure", "payload"}
SHAPES = {
    "schema_violations": ("2-0-1", COMMON, dict, [TIMED], dict),
    "enrichment_failures": ("2-0-1", COMMON, dict, [TIMED], dict),
    "adapter_failures": ("1-0-0", COMMON, dict, [ADAPTER], dict),
    "tracker_protocol_violations": ("1-0-1", COMMON, dict, [ADAPTER], dict),
    "collector_payload_format_violation": ("1-0-0", COMMON, dict, [{"timestamp", "loader", "message"}], str),
    "size_violation": (
        "1-0-0",
        COMMON,
        dict,
        [{"timestamp", "maximumAllowedSizeBytes", "actualSizeBytes", "expectation"}],
        str,
    ),
    "generic_error": ("1-0-0", COMMON, dict, [{"timestamp", "errors"}], str),
    "loader_parsing_error": (
        "2-0-0",
        COMMON,
        dict,
        [{"type"}, {"type", "fieldCount"}, {"type", "errors"}],
        str,
    ),
    "loader_iglu_error": ("2-0-1", COMMON, list, [], dict),
    "loader_runtime_error": ("1-0-1", COMMON, str, [], dict),
    "loader_recovery_error": ("1-0-0", COMMON, dict, [{"error"}], str),
    "recovery_error": ("1-0-1", COMMON | {"recoveries"}, dict, [{"error", "configName"}], dict),
    "relay_failure": ("1-0-0", COMMON, dict, [{"timestamp", "message"}], dict),
    "event_forwarding_error": (
        "1-0-0",
        COMMON,
        dict,
        [{"timestamp", "errorType", "errorMessage", "errorCode", "latestState"}],
        str,
    ),
    "snowflake_error": ("1-0-0", {"processor", "failures", "enrichedEvent"}, type(None), [], type(None)),
}


@pytest.fixture(scope="module")
def many() -> list[BadRow]:
    return list(bad_rows(1, START, rows=1500))


def test_all_families_occur_and_the_common_ones_lead(many):
    families = Counter(row.family for row in many)
    assert set(families) == set(FAMILIES) == set(SHAPES)
    assert [row.family for row in many[: len(FAMILIES)]] == list(FAMILIES)
    assert [family for family, _ in families.most_common(2)] == ["schema_violations", "adapter_failures"]


def test_documents_have_the_documented_shapes(many):
    for row in many:
        version, keys, failure_type, failure_keys, payload_type = SHAPES[row.family]
        document = json.loads(row.line)
        assert document.keys() == {"schema", "data"}
        expected = f"iglu:com.snowplowanalytics.snowplow.badrows/{row.family}/jsonschema/{version}"
        assert document["schema"] == row.schema == expected
        data = document["data"]
        assert data.keys() == keys
        assert data["processor"].keys() == {"artifact", "version"}
        failure = data.get("failure")
        assert type(failure) is failure_type
        if failure_keys:
            assert failure.keys() in failure_keys
        if "timestamp" in (failure or ()):
            assert ISO.fullmatch(failure["timestamp"])
        assert type(data.get("payload")) is payload_type


def test_one_line_each_without_tabs(many):
    for row in many:
        assert not re.search("[\x00-\x1f]", row.line)
        assert row.line == row.line.strip()


def test_payload_enriched_has_the_131_names(many):
    seen = 0
    for row in many:
        payload = json.loads(row.line)["data"].get("payload")
        if isinstance(payload, dict) and "enriched" in payload:
            seen += 1
            enriched = payload["enriched"]
            assert tuple(enriched) == NAMES
            assert enriched["event_id"]
            assert enriched["contexts"] is None or isinstance(enriched["contexts"], str)
            assert payload["raw"].keys() >= {"vendor", "version", "parameters", "loaderName", "encoding"}
    assert seen > 500


def test_all_kinds_of_message_occur(many):
    """Three shapes of a schema violation, three of a loader's parsing error."""
    messages = [
        json.loads(row.line)["data"]["failure"]["messages"][0]
        for row in many
        if row.family == "schema_violations"
    ]
    assert {"ResolutionError", "ValidationError"} == {
        message["error"]["error"] for message in messages if "schemaKey" in message
    }
    assert any("field" in message for message in messages)
    errors = {
        json.loads(row.line)["data"]["failure"]["type"]
        for row in many
        if row.family == "loader_parsing_error"
    }
    assert errors == {"NotTSV", "FieldNumberMismatch", "RowDecodingError"}


def test_same_seed_same_documents(many):
    assert list(bad_rows(1, START, rows=1500)) == many
    assert list(bad_rows(1, START, rows=40)) == many[:40]
    assert list(bad_rows(2, START, rows=40)) != many[:40]


def test_weights_choose_the_families():
    rows = list(
        bad_rows(1, START, rows=30, weights={"size_violation": 1, "generic_error": 1, "relay_failure": 0})
    )
    assert {row.family for row in rows} == {"size_violation", "generic_error"}


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"no_such_family": 1.0}, "no_such_family"), ({}, "at least one"), ({"relay_failure": 0}, "above 0")],
)
def test_weights_that_make_no_sense_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        bad_rows(1, START, weights=weights)


def test_a_start_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        bad_rows(1, START.replace(tzinfo=None))


def test_envelope_is_an_eventbridge_event_around_the_same_document(many):
    for row in many[:100]:
        wrapped = enveloped(row)
        event = json.loads(wrapped.line)
        assert list(event) == [
            "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
        ]  # fmt: skip
        assert event["detail"] == json.loads(row.line)
        assert re.fullmatch(r"\d{12}", event["account"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
        assert (wrapped.family, wrapped.schema, wrapped.written_at) == (
            row.family,
            row.schema,
            row.written_at,
        )
    assert len({json.loads(enveloped(row).line)["id"] for row in many}) == len(many)


def test_joined_with_and_without_a_delimiter(many):
    some = many[:20]
    assert joined(iter(some)).decode().split("\n") == [*(row.line for row in some), ""]
    text, decoder, found = joined(iter(some), "").decode(), json.JSONDecoder(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    assert found == [json.loads(row.line) for row in some]


def test_goes_on_for_ever_without_rows():
    assert len(list(itertools.islice(bad_rows(1, START), 50))) == 50


def test_a_bad_row_is_not_also_a_good_event(many):
    """The event of a bad row is not in the enriched stream of the same seed."""
    good = {event.event_id for event in events(1, START, rows=2000)}
    found = [json.loads(row.line)["data"].get("payload") for row in many]
    failed = {
        payload["enriched"]["event_id"]
        for payload in found
        if isinstance(payload, dict) and "enriched" in payload
    }
    assert len(failed) > 500
    assert failed.isdisjoint(good)
