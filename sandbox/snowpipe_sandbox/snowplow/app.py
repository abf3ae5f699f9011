"""Sessions of the mobile app, and what servers send: back ends and webhooks."""

from collections.abc import Iterator
from random import Random

from .actions import APP_ACTIONS, MOBILE, SERVER_ACTIONS, STRUCTURED, WEBHOOK_ACTIONS, Action, action
from .catalogue import SCREENS
from .devices import PHONES, entity
from .fields import POSITIONS
from .rows import SECOND, Row, blank_row, contexts, fill, identifier, timestamp
from .visitors import (
    COLLECTOR_VERSION,
    ENRICH_VERSION,
    Crowd,
    Draft,
    Visitor,
    pick,
    place_fields,
    received,
    say_action,
    say_structured,
    seen,
)

_EVENT_ID = POSITIONS["event_id"]
_FINGERPRINT = POSITIONS["event_fingerprint"]
_CONTEXTS = POSITIONS["contexts"]

_TRACKERS = {"ios": "ios-6.2.2", "android": "andr-6.2.2"}
_APPLICATION = entity(
    "com.snowplowanalytics.mobile/application/jsonschema/1-0-0", {"version": "4.12.0", "build": "412"}
)


class MobileApp:
    """The app: makes sessions of screen views and what happens on the screens."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._crowd = Crowd(rng, PHONES)

    def session(self, start: int, kept_for: int = 0) -> Iterator[Draft]:
        """The rows of one session that starts at ``start`` (milliseconds since 1970)."""
        rng = self._rng
        visitor = self._crowd.arrive()
        row = _phone_row(visitor)
        first = _event_id(rng, visitor)
        session = visitor.client_session(first, start - kept_for, "LOCAL_STORAGE")
        phone = _mobile_context(rng, visitor)
        at, index, screen, previous = start, 0, "Home", ("", "")
        while True:
            identity = identifier(rng)
            shown = f"{_screen(screen, identity)},{phone},{_APPLICATION},{session}"
            index += 1
            viewed = row.copy()
            say_action(viewed, _screen_view(screen, identity, *previous))
            yield self._done(
                viewed, first if index == 1 else _event_id(rng, visitor), f"{shown}{index}", at, kept_for
            )
            while rng.random() < 0.42:
                at += 2 * SECOND + int(rng.random() * 9 * SECOND)
                index += 1
                done = row.copy()
                if rng.random() < 0.45:
                    say_action(done, pick(rng, APP_ACTIONS))
                else:
                    say_structured(done, pick(rng, STRUCTURED))
                yield self._done(done, _event_id(rng, visitor), f"{shown}{index}", at, kept_for)
            if rng.random() < 0.3:
                return
            at += 3 * SECOND + int(rng.random() * 25 * SECOND)
            previous, screen = (screen, identity), pick(rng, SCREENS)

    def _done(self, row: Row, event_id: str, entities: str, at: int, kept_for: int) -> Draft:
        row[_EVENT_ID] = event_id
        row[_FINGERPRINT] = f"{self._rng.getrandbits(128):032x}"
        row[_CONTEXTS] = contexts(f"{entities}}}}}")
        return seen(self._rng, row, at, kept_for)


class Servers:
    """Back ends with a server-side tracker, and webhooks of other services."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def call(self, at: int) -> Draft:
        """One event a server sends at ``at`` (milliseconds since 1970)."""
        rng = self._rng
        row = blank_row()
        row[_EVENT_ID] = identifier(rng)
        row[_FINGERPRINT] = f"{rng.getrandbits(128):032x}"
        common = {"platform": "srv", "v_collector": COLLECTOR_VERSION, "v_etl": ENRICH_VERSION}
        if rng.random() < 0.3:
            say_action(row, pick(rng, WEBHOOK_ACTIONS))
            fill(
                row,
                common | {"app_id": "mail", "v_tracker": "com.sendgrid-v3", "user_ipaddress": "192.0.2.99"},
            )
            fill(row, {"useragent": "SendGrid Event API", "network_userid": identifier(rng)})
            return received(rng, row, at)
        say_action(row, pick(rng, SERVER_ACTIONS))
        fill(
            row,
            common
            | {
                "app_id": "backend",
                "name_tracker": "orders",
                "v_tracker": "py-1.1.0",
                "user_id": f"customer-{rng.getrandbits(20)}",
                "user_ipaddress": "192.0.2.10",
                "network_userid": identifier(rng),
                "useragent": "python-requests/2.32.5",
                # No tracker sets tags any more; archives of batch pipelines have them.
                "etl_tags": "nightly" if rng.random() < 0.1 else "",
            },
        )
        draft = seen(rng, row, at)
        if rng.random() < 0.5:  # the back end knows the true time; derived is then exactly that
            known = timestamp(at - 2)
            fill(row, {"true_tstamp": known, "derived_tstamp": known})
        return draft


def _phone_row(visitor: Visitor) -> Row:
    device = visitor.device
    width, height = device.screen
    row = blank_row()
    fill(row, place_fields(visitor.place))
    fill(
        row,
        {
            "app_id": f"shop-{device.os_type}",
            "platform": "mob",
            "name_tracker": "appTracker",
            "v_tracker": _TRACKERS[device.os_type],
            "v_collector": COLLECTOR_VERSION,
            "v_etl": ENRICH_VERSION,
            "user_id": visitor.user_id,
            "domain_userid": visitor.domain_userid,
            "network_userid": visitor.network_userid,
            "useragent": device.useragent,
            "br_viewwidth": str(width),
            "br_viewheight": str(height),
            "dvce_screenwidth": str(width),
            "dvce_screenheight": str(height),
            "derived_contexts": contexts(device.entities),
        },
    )
    return row


def _event_id(rng: Random, visitor: Visitor) -> str:
    """The iOS tracker writes its ids in upper case."""
    text = identifier(rng)
    return text.upper() if visitor.device.os_type == "ios" else text


def _mobile_context(rng: Random, visitor: Visitor) -> str:
    device = visitor.device
    vendor_id = f'"appleIdfv":"{identifier(rng).upper()}",' if device.os_type == "ios" else ""
    width, height = device.screen
    return (
        '{"schema":"iglu:com.snowplowanalytics.snowplow/mobile_context/jsonschema/1-0-3","data":{'
        f'"osType":"{device.os_type}","osVersion":"{device.os_version}","deviceManufacturer":"{device.maker}",'
        f'"deviceModel":"{device.model}",{vendor_id}"networkType":"wifi","physicalMemory":8589934592,'
        f'"appAvailableMemory":{rng.getrandbits(32)},"batteryLevel":{int(rng.random() * 101)},'
        f'"batteryState":"unplugged","lowPowerMode":false,"availableStorage":{rng.getrandbits(36)},'
        f'"totalStorage":255989469184,"isPortrait":true,"resolution":"{width}x{height}","scale":3,'
        f'"language":"{visitor.place.language}"}}}}'
    )


def _screen(name: str, identity: str) -> str:
    return (
        '{"schema":"iglu:com.snowplowanalytics.mobile/screen/jsonschema/1-0-0","data":{'
        f'"name":"{name}","id":"{identity}","type":"Default"}}}}'
    )


def _screen_view(name: str, identity: str, previous_name: str, previous_id: str) -> Action:
    data = {"name": name, "id": identity, "type": "Default"}
    if previous_name:
        data |= {"previousName": previous_name, "previousId": previous_id, "previousType": "Default"}
    return action(MOBILE, "screen_view", "1-0-0", data)
