"""What each family of bad rows holds: failure and payload, made from an enriched event.

Shapes follow the schemas of com.snowplowanalytics.snowplow.badrows on Iglu Central
(https://github.com/snowplow/iglu-central, state of 2026-04-23). ``failure`` is an object, an array or a
string; ``payload`` an object or a string; ``snowflake_error`` has neither.
"""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from .fields import FIELDS, NAMES, POSITIONS
from .rows import Row, iso_timestamp
from .visitors import COLLECTOR_VERSION, pick

Json = dict[str, Any]


class Cause(NamedTuple):
    """What a bad row is made from: an event's values, when it failed, and chance."""

    row: Row
    failed_at: int
    rng: Random

    @property
    def timestamp(self) -> str:
        """When it failed, with the six digits Enrich writes."""
        return f"{iso_timestamp(self.failed_at)[:-1]}{self.rng.getrandbits(32) % 1000:03d}Z"

    def value(self, name: str) -> str:
        """One field of the event."""
        return self.row[POSITIONS[name]]


class Family(NamedTuple):
    """One family of bad rows.

    Attributes:
        version: the schema version written.
        artifact: the component that writes it.
        artifact_version: that component's version.
        data: makes everything of ``data`` but the processor.
        weight: how common it is beside the others.
    """

    version: str
    artifact: str
    artifact_version: str
    data: Callable[[Cause], Json]
    weight: float


def _schema_violations(cause: Cause) -> Json:
    message = pick(cause.rng, (_not_found, _not_valid, _not_json, _too_long))(cause)
    return {
        "failure": {"timestamp": cause.timestamp, "messages": [message]},
        "payload": {"enriched": _partly_enriched(cause.row), "raw": _raw(cause)},
    }


def _not_found(cause: Cause) -> Json:
    error = {
        "error": "ResolutionError",
        "lookupHistory": [
            {
                "repository": repository,
                "errors": [{"error": "NotFound"}],
                "attempts": 1 + int(cause.rng.random() * 5),
                "lastAttempt": iso_timestamp(cause.failed_at - 700),
            }
            for repository in ("Iglu Central", "Iglu Central - Mirror 01")
        ],
    }
    return {"schemaKey": "iglu:com.example.shop/environment_context/jsonschema/1-2-0", "error": error}


def _not_valid(_: Cause) -> Json:
    report = {
        "message": "$.exit_code: null found, integer expected",
        "path": "$.exit_code",
        "keyword": "type",
        "targets": ["null", "integer"],
    }
    error = {"error": "ValidationError", "dataReports": [report]}
    return {"schemaKey": "iglu:com.example.shop/exit_event/jsonschema/1-0-0", "error": error}


def _too_long(_: Cause) -> Json:
    report = {
        "message": "Field mkt_clickid longer than maximum allowed size 128",
        "path": "mkt_clickid",
        "keyword": "maxLength",
        "targets": None,
    }
    key = "iglu:com.snowplowanalytics.snowplow/atomic/jsonschema/1-0-0"
    return {"schemaKey": key, "error": {"error": "ValidationError", "dataReports": [report]}}


def _not_json(_: Cause) -> Json:
    return {
        "field": "ue_px",
        "value": '{"schema":"x',
        "error": "invalid json: exhausted input (line 1, column 13)",
    }


def _enrichment_failures(cause: Cause) -> Json:
    vendor = "com.snowplowanalytics.snowplow"
    messages: tuple[Json, ...] = (
        {
            "enrichment": {
                "schemaKey": f"iglu:{vendor}/javascript_script_config/jsonschema/1-0-0",
                "identifier": "Javascript enrichment",
            },
            "message": {"error": "Error during execution of JavaScript function: [TypeError: x is null]"},
        },
        {
            "enrichment": {
                "schemaKey": f"iglu:{vendor}.enrichments/api_request_enrichment_config/jsonschema/1-0-0",
                "identifier": "api-request",
            },
            "message": {"error": "Error accessing POJO input field [user]"},
        },
        {
            "enrichment": None,
            "message": {
                "field": "tr_tt",
                "value": "12,50",
                "expectation": "cannot be converted to java.math.BigDecimal",
            },
        },
    )
    return {
        "failure": {"timestamp": cause.timestamp, "messages": [pick(cause.rng, messages)]},
        "payload": {"enriched": _partly_enriched(cause.row), "raw": _raw(cause)},
    }


def _adapter_failures(cause: Cause) -> Json:
    vendor, version = pick(
        cause.rng, (("wp-login", "php"), ("com.example.unknown", "v1"), ("cgi-bin", "luci"))
    )
    message = {
        "field": "vendor/version",
        "value": f"{vendor}/{version}",
        "expectation": "vendor/version combination is not supported",
    }
    failure = {"timestamp": cause.timestamp, "vendor": vendor, "version": version, "messages": [message]}
    return {"failure": failure, "payload": _collected(cause, vendor, version)}


def _tracker_protocol_violations(cause: Cause) -> Json:
    vendor, version = "com.snowplowanalytics.snowplow", "tp2"
    message = {
        "field": "querystring",
        "value": None,
        "expectation": "empty querystring: not a valid tracker protocol event",
    }
    failure = {"timestamp": cause.timestamp, "vendor": vendor, "version": version, "messages": [message]}
    return {"failure": failure, "payload": _collected(cause, vendor, version)}


def _collector_payload_format_violation(cause: Cause) -> Json:
    message = {"error": f"error deserializing raw event: Unrecognized type {cause.rng.getrandbits(7)}"}
    failure = {"timestamp": cause.timestamp, "loader": "thrift", "message": message}
    return {"failure": failure, "payload": base64.b64encode(cause.rng.randbytes(600)).decode()}


def _size_violation(cause: Cause) -> Json:
    """The payload is cut to a tenth of what is allowed; here to a hundredth, so that files stay small."""
    most = 1_000_000
    failure = {
        "timestamp": cause.timestamp,
        "maximumAllowedSizeBytes": most,
        "actualSizeBytes": most + cause.rng.getrandbits(19),
        "expectation": f"Enriched event exceeds the maximum allowed size of {most} bytes",
    }
    line = "\t".join(cause.row)
    return {"failure": failure, "payload": (line * (1 + most // 100 // len(line)))[: most // 100]}


def _generic_error(cause: Cause) -> Json:
    errors = [
        "Can't parse JSON holding self-describing event: expected json value got 'x...' (line 1, column 1)"
    ]
    payload = base64.b64encode(f"x{cause.value('event_id')}".encode()).decode()
    return {"failure": {"timestamp": cause.timestamp, "errors": errors}, "payload": payload}


def _loader_parsing_error(cause: Cause) -> Json:
    decoding = {
        "type": "RowDecodingError",
        "errors": [
            {
                "type": "InvalidValue",
                "key": "collector_tstamp",
                "value": "yesterday",
                "message": "Cannot parse timestamp",
            }
        ],
    }
    yesterday = cause.row.copy()
    yesterday[POSITIONS["collector_tstamp"]] = "yesterday"
    failure, payload = pick(
        cause.rng,
        (
            ({"type": "FieldNumberMismatch", "fieldCount": 132}, "\t".join([*cause.row, "surplus"])),
            ({"type": "NotTSV"}, f"not a TSV: {cause.value('event_id')}"),
            (decoding, "\t".join(yesterday)),
        ),
    )
    return {"failure": failure, "payload": payload}


def _loader_iglu_error(cause: Cause) -> Json:
    error = _not_found(cause)["error"]
    failure = [
        {"schemaCriterion": "iglu:com.example.shop/environment_context/jsonschema/1-*-*", "error": error}
    ]
    return {"failure": failure, "payload": _decoded(cause.row)}


def _loader_runtime_error(cause: Cause) -> Json:
    return {"failure": "DynamoDB outage", "payload": _decoded(cause.row)}


def _loader_recovery_error(cause: Cause) -> Json:
    error = {"message": "Runtime error", "location": ["contexts_com_example_shop_environment_context_1_2_0"]}
    return {"failure": {"error": error}, "payload": _write(_decoded(cause.row))}


def _recovery_error(cause: Cause) -> Json:
    original = document("adapter_failures", cause)
    failure = {"error": "Unable to find configuration", "configName": None}
    return {"failure": failure, "payload": original, "recoveries": 1}


def _relay_failure(cause: Cause) -> Json:
    message = {"messageText": "Relay answered 503", "stackTrace": None}
    event = _partly_enriched(cause.row)
    event["dvce_ismobile"] = cause.value("dvce_ismobile") or None
    return {"failure": {"timestamp": cause.timestamp, "message": message}, "payload": {"eventStruct": event}}


def _event_forwarding_error(cause: Cause) -> Json:
    failure = {
        "timestamp": cause.timestamp,
        "errorType": "api",
        "errorMessage": "400 Bad Request",
        "errorCode": "400",
        "latestState": None,
    }
    return {"payload": "\t".join(cause.row), "failure": failure}


def _snowflake_error(cause: Cause) -> Json:
    value = {
        "value": "1234567890123456789012345678901234567890",
        "column": "tr_total",
        "message": "out of range",
    }
    return {"failures": [{"valueError": value}], "enrichedEvent": _decoded(cause.row)}


FAMILIES: dict[str, Family] = {
    "schema_violations": Family("2-0-1", "snowplow-enrich-kinesis", "6.13.1", _schema_violations, 50),
    "enrichment_failures": Family("2-0-1", "snowplow-enrich-kinesis", "6.13.1", _enrichment_failures, 8),
    "adapter_failures": Family("1-0-0", "snowplow-enrich-kinesis", "6.13.1", _adapter_failures, 20),
    "tracker_protocol_violations": Family(
        "1-0-1", "snowplow-enrich-kinesis", "6.13.1", _tracker_protocol_violations, 10
    ),
    "collector_payload_format_violation": Family(
        "1-0-0", "snowplow-enrich-kinesis", "6.13.1", _collector_payload_format_violation, 3
    ),
    "size_violation": Family("1-0-0", "snowplow-stream-collector-kinesis", "3.7.0", _size_violation, 0.5),
    "generic_error": Family("1-0-0", "snowplow-s3-loader", "3.2.0", _generic_error, 1),
    "loader_parsing_error": Family(
        "2-0-0", "snowplow-transformer-kinesis", "6.7.2", _loader_parsing_error, 2
    ),
    "loader_iglu_error": Family("2-0-1", "snowplow-transformer-kinesis", "6.7.2", _loader_iglu_error, 2),
    "loader_runtime_error": Family("1-0-1", "snowplow-bigquery-loader", "2.2.1", _loader_runtime_error, 1),
    "loader_recovery_error": Family(
        "1-0-0", "snowplow-bigquery-repeater", "0.6.1", _loader_recovery_error, 0.5
    ),
    "recovery_error": Family("1-0-1", "snowplow-event-recovery", "0.5.1", _recovery_error, 0.5),
    "relay_failure": Family("1-0-0", "snowplow-indicative-relay", "0.4.0", _relay_failure, 0.5),
    "event_forwarding_error": Family("1-0-0", "snowbridge", "5.2.0", _event_forwarding_error, 0.5),
    "snowflake_error": Family("1-0-0", "snowplow-snowflake-loader", "0.8.2", _snowflake_error, 0.5),
}
"""Every family. The weights are a guess (there are no public figures); schema violations and bots lead."""


def schema(family: str) -> str:
    """The Iglu URI of a family's schema."""
    version = FAMILIES[family].version
    return f"iglu:com.snowplowanalytics.snowplow.badrows/{family}/jsonschema/{version}"


def document(family: str, cause: Cause) -> Json:
    """The whole bad row: schema and data, the processor in it."""
    made = FAMILIES[family]
    processor = {"artifact": made.artifact, "version": made.artifact_version}
    return {"schema": schema(family), "data": {"processor": processor, **made.data(cause)}}


def _write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _partly_enriched(row: Row) -> Json:
    """``payload.enriched``: all 131 names; numbers as numbers, JSON columns as strings, absent as null."""
    event: Json = dict.fromkeys(NAMES)
    for (name, kind), text in zip(FIELDS, row, strict=True):
        if not text:
            continue
        if kind in {"integer", "flag"} and name != "txn_id":
            event[name] = int(text)
        else:
            event[name] = float(text) if kind == "float" else text
    return event


def _decoded(row: Row) -> Json:
    """An event as loaders know it: times in ISO 8601, flags true or false, the JSON columns as objects."""
    event: Json = dict.fromkeys(NAMES)
    for (name, kind), text in zip(FIELDS, row, strict=True):
        if text:
            event[name] = _DECODERS.get(kind, str)(text)
    # A structured event's value is text in the event, a number here.
    event["se_value"] = float(row[POSITIONS["se_value"]]) if row[POSITIONS["se_value"]] else None
    return event


_DECODERS: dict[str, Callable[[str], Any]] = {
    "timestamp": lambda text: f"{text.replace(' ', 'T')}Z",
    "integer": int,
    "decimal": float,
    "float": float,
    "flag": lambda text: text == "1",
    "json": json.loads,
}


def _raw(cause: Cause) -> Json:
    """``payload.raw``: what the tracker sent, one name-value pair a parameter."""
    sent = {
        "e": {"page_view": "pv", "page_ping": "pp", "struct": "se", "unstruct": "ue"}.get(
            cause.value("event"), "tr"
        ),
        "eid": cause.value("event_id"),
        "p": cause.value("platform"),
        "aid": cause.value("app_id"),
        "tna": cause.value("name_tracker"),
        "tv": cause.value("v_tracker"),
        "duid": cause.value("domain_userid"),
        "url": cause.value("page_url"),
        "page": cause.value("page_title"),
        "refr": cause.value("page_referrer"),
        "co": cause.value("contexts"),
        "ue_px": base64.urlsafe_b64encode(cause.value("unstruct_event").encode()).decode().rstrip("="),
    }
    return {
        "vendor": "com.snowplowanalytics.snowplow",
        "version": "tp2",
        "parameters": [{"name": name, "value": value} for name, value in sent.items() if value],
        "contentType": "application/json; charset=UTF-8",
        "loaderName": COLLECTOR_VERSION,
        "encoding": "UTF-8",
        "hostname": "collector.example.com",
        "timestamp": f"{cause.value('collector_tstamp').replace(' ', 'T')}Z",
        "ipAddress": cause.value("user_ipaddress") or None,
        "useragent": cause.value("useragent") or None,
        "refererUri": cause.value("page_url") or None,
        "headers": ["Timeout-Access: <function1>", "Host: collector.example.com", "Accept: */*"],
        "userId": cause.value("network_userid"),
    }


def _collected(cause: Cause, vendor: str, version: str) -> Json:
    """A collector payload: what adapters and the tracker protocol see before there is an event."""
    scanner = cause.rng.random() < 0.7
    return {
        "vendor": vendor,
        "version": version,
        "querystring": [{"name": "q", "value": "%27%20OR%201=1"}] if scanner else [],
        "contentType": None,
        "body": None,
        "collector": COLLECTOR_VERSION,
        "encoding": "UTF-8",
        "hostname": "collector.example.com",
        "timestamp": f"{cause.value('collector_tstamp').replace(' ', 'T')}Z",
        "ipAddress": "203.0.113.250" if scanner else cause.value("user_ipaddress"),
        "useragent": "Go-http-client/1.1" if scanner else cause.value("useragent"),
        "refererUri": None,
        "headers": ["Timeout-Access: <function1>", "Host: collector.example.com"],
        "networkUserId": cause.value("network_userid"),
    }
