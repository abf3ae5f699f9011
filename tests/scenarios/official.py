"""What Snowplow's own analytics SDK (the package on PyPI) makes of an event, field by field.

The reader that we did not write: the typed view is compared with it. It knows no types beyond JSON's, so
money and times are compared as what the text says; it refuses whole events, so each field is read alone.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from snowplow_analytics_sdk.event_transformer import ENRICHED_EVENT_FIELD_TYPES
from snowplow_analytics_sdk.json_shredder import extract_schema

RENAMED = {"refr_device_tstamp": "refr_dvce_tstamp"}
"""The SDK's name, and that of Enrich, every loader and the original table."""
NAMES = tuple(RENAMED.get(name, name) for name, _ in ENRICHED_EVENT_FIELD_TYPES)
READ = dict(zip(NAMES, (read for _, read in ENRICHED_EVENT_FIELD_TYPES), strict=True))
CENT = Decimal("0.01")
JSON = ("contexts", "derived_contexts", "unstruct_event")


@dataclass(frozen=True)
class Difference:
    """One field of one line that the view has otherwise than the SDK, and why that is right."""

    file: str
    row: int
    field: str
    view: Any
    sdk: Any
    reason: str


def schemas(text: str) -> Iterator[str]:
    """VENDOR/NAME/MAJOR of what is in a JSON field, as the SDK reads a schema."""
    for each in _inside(text):
        found = extract_schema(each["schema"])
        yield f"{found['vendor']}/{found['name']}/{found['version'].split('-')[0]}"


def _inside(text: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(text)["data"]
    except (ValueError, KeyError, TypeError):
        return []
    return [each for each in (data if isinstance(data, list) else [data]) if each]


def atomic(name: str, text: str) -> Any:
    """The SDK's value of a field that is not JSON; None where it has none. Raises where it refuses it."""
    if text == "":
        return None
    ((_, value),) = READ[name](name, text)
    return value


def columns(event: dict[str, str]) -> dict[str, Any]:
    """The SDK's columns of entities and self-describing events, those of both context fields together.

    It leaves a dash in a name, which later SDKs and the loaders make a low line.
    """
    found: dict[str, Any] = {}
    for field in JSON:
        try:
            pairs = READ[field](field, event[field]) if event[field] else []
        except Exception:  # noqa: BLE001 - whatever it refuses has no columns
            pairs = []
        for name, value in pairs:
            key = name.replace("-", "_").upper()
            found[key] = found.get(key, []) + value if isinstance(value, list) else value
    return found


def differences(place: tuple[str, int], event: dict[str, str], row: dict[str, Any]) -> Iterator[Difference]:
    """Every field and column that is not the SDK's; ``row`` is the view's, by stored names."""
    for name in NAMES:
        if name not in JSON:
            yield from _of_field(place, name, event[name], row[name.upper()])
    wanted = columns(event)
    for name in sorted(
        wanted.keys() | {key for key in row if key.startswith(("CONTEXTS_", "UNSTRUCT_EVENT_"))}
    ):
        text = row.get(name)
        have = without_versions(json.loads(text)) if isinstance(text, str) else None
        if have != wanted.get(name):
            reason = _reason_of_json(event)
            yield Difference(*place, name.lower(), have, wanted.get(name), reason)


def without_versions(value: Any) -> Any:
    """Entities as they came: the loaders add the version of each one's schema."""
    if not isinstance(value, list):
        return value
    for each in value:
        assert re.fullmatch(r"[1-9][0-9]*-[0-9]+-[0-9]+", each["_schema_version"])
    return [{key: inner for key, inner in each.items() if key != "_schema_version"} for each in value]


def _reason_of_json(event: dict[str, str]) -> str:
    texts = [event[field] for field in JSON]
    if any(not isinstance(each["data"], dict) for text in texts if text for each in _inside(text)):
        return (
            "an entity whose data is not an object: the loaders keep its version alone, and so does the view"
        )
    if any(map(_has_half_a_pair, texts)):
        return "half of a surrogate pair: DuckDB reads no such JSON; what Snowflake does is on no public page"
    if any("null" in re.sub(r'"[^"]*"', "", text) for text in texts):
        return "an entity that is null: the SDK refuses all of the field, the view leaves it out"
    return ""


def _has_half_a_pair(text: str) -> bool:
    try:
        return any("\ud800" <= sign <= "\udfff" for sign in json.dumps(json.loads(text), ensure_ascii=False))
    except ValueError:
        return False


def _of_field(place: tuple[str, int], name: str, text: str, have: Any) -> Iterator[Difference]:
    try:
        wanted = atomic(name, text)
    except Exception:  # noqa: BLE001 - the SDK refuses the value, and the view has none
        wanted = None
    if isinstance(have, Decimal):
        if have != Decimal(text).quantize(CENT, ROUND_HALF_UP) and have != Decimal(text):
            yield Difference(*place, name, have, wanted, "")
        return
    if name.endswith("_tstamp"):
        yield from _of_time(place, name, text, have)
        return
    if isinstance(have, float):
        wanted = float(text) if isinstance(wanted, str) else wanted  # the SDK gives se_value as text
    if have == wanted:
        return
    yield Difference(*place, name, have, wanted, _reason(name, text, have))


def _reason(name: str, text: str, have: Any) -> str:
    if have is None and name == "se_value":
        return "the SDK does not read it as a number" if not _is_number(text) else ""
    if have is None and re.fullmatch(r"[0-9.eE+-]*", text) and abs(Decimal(text)) >= Decimal(10) ** 16:
        return "beyond NUMBER(18, 2), the documented type"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_time(place: tuple[str, int], name: str, text: str, have: datetime | None) -> Iterator[Difference]:
    """The SDK looks at no time: it puts a T and a Z around whatever is there."""
    if not text:
        if have is not None:
            yield Difference(*place, name, have, None, "")
        return
    written = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})(?:[.]([0-9]{1,9}))?", text)
    if have is None:
        reason = (
            ""
            if written and not text.startswith("0000")
            else "not a time as Enrich writes it, and the SDK does not look"
        )
        if text.startswith("0000"):
            reason = (
                "the year 0000: what Snowflake does is on no public page, the sandbox reads it as no time"
            )
        yield Difference(*place, name, None, text, reason)
        return
    assert written, (place, name, text, have)
    fraction = (written[2] or "").ljust(9, "0")
    shown = f"{have:%Y-%m-%d %H:%M:%S}".rjust(19, "0")
    if (shown, have.microsecond) != (written[1], int(fraction[:6])):
        yield Difference(*place, name, have, text, "")
    elif fraction[6:] != "000":
        yield Difference(*place, name, have, text, "the sandbox keeps microseconds, Snowflake nanoseconds")
