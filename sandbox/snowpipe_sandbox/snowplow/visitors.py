"""Visitors: who they are, what they come with, and when what they do is seen by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from .actions import Action, Structured
from .catalogue import PLACES, Place
from .devices import Device
from .fields import POSITIONS
from .rows import Row, fill, identifier, iso_timestamp, timestamp, unstruct

COLLECTOR_VERSION = "ssc-3.7.0-kinesis"
ENRICH_VERSION = "snowplow-enrich-kinesis-6.13.1"

_ETL = POSITIONS["etl_tstamp"]
_COLLECTOR = POSITIONS["collector_tstamp"]
_CREATED = POSITIONS["dvce_created_tstamp"]
_SENT = POSITIONS["dvce_sent_tstamp"]
_DERIVED = POSITIONS["derived_tstamp"]

_RETURNING = 0.45
_REMEMBERED = 500

T = TypeVar("T")


class Draft(NamedTuple):
    """A row with the times, in milliseconds since 1970, that order and duplicate it.

    ``sent`` is 0 where no device clock took part (webhooks); ``late`` says that it sat on the device.
    """

    row: Row
    sent: int
    collector: int
    etl: int
    late: bool = False


@dataclass(slots=True)
class Visitor:
    """Someone who comes back: ids that stay, a session count that grows."""

    device: Device
    place: Place
    domain_userid: str
    network_userid: str
    user_id: str
    fingerprint: str
    session_index: int = 0
    session_id: str = ""
    previous_session_id: str = ""

    def client_session(self, first_event_id: str, first_event_at: int, storage: str) -> str:
        """The session's client_session 1-0-2 entity up to the event index, which the caller appends."""
        previous = f'"{self.previous_session_id}"' if self.previous_session_id else "null"
        return (
            '{"schema":"iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2","data":{'
            f'"userId":"{self.domain_userid.lower()}","sessionId":"{self.session_id}","sessionIndex":{self.session_index},'
            f'"previousSessionId":{previous},"storageMechanism":"{storage}","firstEventId":"{first_event_id}",'
            f'"firstEventTimestamp":"{iso_timestamp(first_event_at)}","eventIndex":'
        )


class Crowd:
    """The visitors of one site or app: new ones and some that come back."""

    def __init__(self, rng: Random, devices: Sequence[Device]) -> None:
        self._rng = rng
        self._devices = devices
        self._known: list[Visitor] = []

    def arrive(self) -> Visitor:
        """The next visitor, at the start of a new session."""
        rng = self._rng
        if self._known and rng.random() < _RETURNING:
            visitor = pick(rng, self._known)
        else:
            visitor = self._stranger()
            if len(self._known) < _REMEMBERED:
                self._known.append(visitor)
            else:
                self._known[int(rng.random() * _REMEMBERED)] = visitor
        visitor.previous_session_id, visitor.session_id = visitor.session_id, identifier(rng)
        visitor.session_index += 1
        return visitor

    def _stranger(self) -> Visitor:
        rng = self._rng
        device = pick(rng, self._devices)
        user = identifier(rng)
        return Visitor(
            device=device,
            place=pick(rng, PLACES),
            domain_userid=user.upper() if device.os_type == "ios" else user,
            network_userid=identifier(rng),
            user_id=f"customer-{rng.getrandbits(20)}" if rng.random() < 0.6 else "",
            fingerprint=str(rng.getrandbits(32)),
        )


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of the items, each as likely as the others."""
    return items[int(rng.random() * len(items))]


def seen(rng: Random, row: Row, done_at: int, kept_for: int = 0) -> Draft:
    """Stamp a row: done on the device, sent, collected, enriched, in this order.

    Args:
        rng: where the small delays come from.
        row: gets its five timestamps.
        done_at: when it happened, by a true clock, in milliseconds since 1970.
        kept_for: how long the device kept it before sending (offline); it then happened that much earlier.
            The derived time takes this out again: collector - (sent - created).
    """
    haste = rng.random()
    sent = done_at + 3 + int(haste * haste * 900)
    collector = sent + 12 + int(haste * 180)
    etl = collector + 350 + int(rng.random() * 1800)
    created = done_at - kept_for
    row[_CREATED] = timestamp(created)
    row[_SENT] = timestamp(sent)
    row[_COLLECTOR] = timestamp(collector)
    row[_ETL] = timestamp(etl)
    row[_DERIVED] = timestamp(collector - (sent - created))
    return Draft(row, sent, collector, etl, kept_for > 0)


def seen_again(rng: Random, draft: Draft, later: int) -> Draft:
    """The same row sent and collected once more, ``later`` milliseconds after the first time."""
    row = draft.row.copy()
    sent = draft.sent + later if draft.sent else 0
    collector = draft.collector + later
    etl = draft.etl + later + int(rng.random() * 900)
    if sent:  # both moved by the same amount, so the derived time stays
        row[_SENT] = timestamp(sent)
    else:
        row[_DERIVED] = timestamp(collector)
    row[_COLLECTOR] = timestamp(collector)
    row[_ETL] = timestamp(etl)
    return Draft(row, sent, collector, etl, draft.late)


def received(rng: Random, row: Row, collector: int) -> Draft:
    """Stamp a row that no device clock took part in: a webhook, collected and enriched."""
    etl = collector + 350 + int(rng.random() * 1800)
    row[_COLLECTOR] = row[_DERIVED] = timestamp(collector)
    row[_ETL] = timestamp(etl)
    return Draft(row, 0, collector, etl)


def place_fields(place: Place) -> dict[str, str]:
    """What the IP lookups make of an address."""
    return {
        "user_ipaddress": place.address,
        "geo_country": place.country,
        "geo_region": place.region,
        "geo_city": place.city,
        "geo_zipcode": place.zipcode,
        "geo_latitude": place.latitude,
        "geo_longitude": place.longitude,
        "geo_region_name": place.region_name,
        "geo_timezone": place.timezone,
        "ip_isp": place.isp,
        "ip_organization": place.organization,
        "ip_domain": place.domain,
        "ip_netspeed": place.netspeed,
        "os_timezone": place.timezone,
        "br_lang": place.language,
    }


def say(row: Row, event: str, vendor: str, name: str, version: str = "1-0-0") -> None:
    """Set what kind of event a row is, as Enrich names it.

    Source: SchemaEnrichment in https://github.com/snowplow/enrich (a structured event is named after
    Google Analytics; a self-describing one after its own schema).
    """
    fill(
        row,
        {
            "event": event,
            "event_vendor": vendor,
            "event_name": name,
            "event_format": "jsonschema",
            "event_version": version,
        },
    )


def say_action(row: Row, done: Action) -> None:
    """Make a row a self-describing event."""
    say(row, "unstruct", done.vendor, done.name, done.version)
    row[POSITIONS["unstruct_event"]] = unstruct(done.json)


def say_structured(row: Row, done: Structured) -> None:
    """Make a row a structured event."""
    say(row, "struct", "com.google.analytics", "event")
    fill(
        row,
        {
            "se_category": done.category,
            "se_action": done.action,
            "se_label": done.label,
            "se_property": done.property,
            "se_value": done.value,
        },
    )
