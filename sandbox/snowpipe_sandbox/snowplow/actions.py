"""What visitors do besides looking: self-describing events, structured events, as ready pieces.

Schemas as on Iglu Central (https://github.com/snowplow/iglu-central, state of 2026-04-23), except the
``com.example`` ones, which are a customer's own. Values hold quotes, backslashes and line ends on
purpose: JSON columns of real events are full of escapes, and they must survive the load.
"""

from typing import NamedTuple

from .devices import entity

SNOWPLOW = "com.snowplowanalytics.snowplow"
MOBILE = "com.snowplowanalytics.mobile"


class Action(NamedTuple):
    """A self-describing event: its vendor, name and version, as Enrich splits them, and its JSON."""

    vendor: str
    name: str
    version: str
    json: str


class Structured(NamedTuple):
    """A structured event: the ``se_*`` fields."""

    category: str
    action: str
    label: str
    property: str
    value: str


def action(vendor: str, name: str, version: str, data: object) -> Action:
    """A self-describing event with its entity written out."""
    return Action(vendor, name, version, entity(f"{vendor}/{name}/jsonschema/{version}", data))


def _link(target: str, content: str, element: str = "", classes: tuple[str, ...] = ()) -> Action:
    data: dict[str, object] = {"targetUrl": target}
    if element:
        data["elementId"] = element
    data |= {"elementClasses": list(classes), "elementTarget": "", "elementContent": content}
    return action(SNOWPLOW, "link_click", "1-0-1", data)


def _form(form: str, elements: dict[str, str]) -> Action:
    written = [
        {"name": name, "value": value, "nodeName": "INPUT", "type": "text"}
        for name, value in elements.items()
    ]
    return action(
        SNOWPLOW, "submit_form", "1-0-0", {"formId": form, "formClasses": ["form"], "elements": written}
    )


def _field(event: str, form: str, element: str, value: str) -> Action:
    kind = "type" if event == "change_form" else "elementType"
    data = {
        "formId": form,
        "elementId": element,
        "nodeName": "INPUT",
        kind: "text",
        "elementClasses": [],
        "value": value,
    }
    return action(SNOWPLOW, event, "1-0-0", data)


WEB_ACTIONS: tuple[Action, ...] = (
    _link("https://shop.example.com/sale", "Sale", "nav-sale", ("nav", "nav--hot")),
    _link("https://docs.example.com/loaders/s3-loader/", "S3 loader"),
    _link(
        "https://shop.example.com/c/shoes/trail-runner-2?colour=black",
        'Trail Runner 2 "Night"',
        "",
        ("tile",),
    ),
    _link("https://example.com/jobs?utm_source=footer&x=%22y%22", "We're hiring\n→ jobs"),
    _link("https://partner.example.net/path?q=caf%C3%A9", "Café \\ Bar"),
    _form("newsletter", {"email": "user@example.com", "consent": "on"}),
    _form("feedback", {"rating": "4", "comment": 'Works. But: "C:\\data\\new" is not found…'}),
    _field("change_form", "checkout", "street", "Straße des 17. Juni 135"),
    _field("focus_form", "checkout", "zip", ""),
    action(
        SNOWPLOW, "site_search", "1-0-0", {"terms": ["rain", "shell"], "totalResults": 14, "pageResults": 10}
    ),
    action(
        "com.example.shop",
        "add_to_cart",
        "1-0-2",
        {
            "sku": "TR2-42-BLK",
            "name": 'Trail Runner 2 "Night"',
            "quantity": 1,
            "price": 129.0,
            "currency": "EUR",
        },
    ),
    action("com.example.shop", "product_view", "2-1-0", {"sku": "LH-L-NVY", "list": None, "position": 3}),
)

APP_ACTIONS: tuple[Action, ...] = (
    action(
        "com.example.shop",
        "add_to_cart",
        "1-0-2",
        {"sku": "RS-M-GRN", "name": "Rain Shell", "quantity": 2, "price": 189.5, "currency": "EUR"},
    ),
    action(SNOWPLOW, "application_background", "1-0-0", {"backgroundIndex": 2}),
    action(SNOWPLOW, "application_foreground", "1-0-0", {"foregroundIndex": 2}),
    _link("https://shop.example.com/help/returns", "Returns"),
)

SERVER_ACTIONS: tuple[Action, ...] = (
    action(
        "com.example.backend",
        "order_shipped",
        "1-0-0",
        {
            "orderId": "A-100234",
            "carrier": "DHL",
            "parcels": [{"id": "JD0146", "weightKg": 1.2}],
            "late": False,
        },
    ),
    action(
        "com.example.backend", "stock_level_changed", "1-1-0", {"sku": "SOC-3", "before": 12, "after": 11}
    ),
)

WEBHOOK_ACTIONS: tuple[Action, ...] = (
    action(
        "com.sendgrid",
        "processed",
        "3-0-0",
        {
            "email": "user@example.com",
            "timestamp": "2026-11-01T12:00:00.000Z",
            "category": ["newsletter"],
            "sg_event_id": "sbJ8zUkxQYqYo1GfJt1-4A",
            "sg_message_id": "filter0021p3las1-27755-5F2D1C5E-12.0",
        },
    ),
)

STRUCTURED: tuple[Structured, ...] = (
    Structured("ecomm", "add-to-basket", "TR2-42-BLK", "colour=black", "129.0"),
    Structured("video", "play", "How to wash a rain shell", "", "0.25"),
    Structured("search", "filter", "größe: 42", "facet", ""),
    Structured("nav", "menu_open", "", "", ""),
    Structured("form", "error", 'Field "street" is required', "checkout", "1"),
    Structured("scroll", "depth", "Χαριτίνη", "75%", "75"),
)
