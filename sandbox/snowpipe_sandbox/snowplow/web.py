"""Sessions on a web site: page views, and what happens on each page."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from .actions import SNOWPLOW, STRUCTURED, WEB_ACTIONS
from .catalogue import CAMPAIGNS, PRODUCTS, REFERRERS, Campaign, Page, Referrer, Site
from .devices import BROWSERS, entity
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
    say,
    say_action,
    say_structured,
    seen,
)

_EVENT_ID = POSITIONS["event_id"]
_TXN_ID = POSITIONS["txn_id"]
_FINGERPRINT = POSITIONS["event_fingerprint"]
_CONTEXTS = POSITIONS["contexts"]

_PORTS = {"http": "80", "https": "443"}
_OLD_FEATURES = {
    f"br_features_{name}": flag
    for name, flag in (
        ("pdf", "1"),
        ("flash", "0"),
        ("java", "0"),
        ("director", "0"),
        ("quicktime", "0"),
        ("realplayer", "0"),
        ("windowsmedia", "0"),
        ("gears", "0"),
        ("silverlight", "0"),
    )
}
_PERFORMANCE = (
    "navigationStart", "unloadEventStart", "unloadEventEnd", "fetchStart", "domainLookupStart",
    "domainLookupEnd", "connectStart", "secureConnectionStart", "connectEnd", "requestStart",
    "responseStart", "responseEnd", "domLoading", "domInteractive", "domContentLoadedEventStart",
    "domContentLoadedEventEnd", "domComplete", "loadEventStart", "loadEventEnd",
)  # fmt: skip
_REQUEST_HEADER = entity(
    "org.ietf/http_header/jsonschema/1-0-0", {"name": "Origin", "value": "https://example.com"}
)


@dataclass(frozen=True, kw_only=True)
class WebMix:
    """How sessions on a web site go; the defaults give the event mix of the public sample files.

    Of the 310 public lines 35 % are page views, 34 % self-describing, 15 % structured, 14 % page pings,
    1.3 % transactions and their items; the app and the servers add self-describing and structured ones.
    (A busy site of today has several pings a page view: raise ``actions_per_page`` and ``pings``.)

    Attributes:
        pages: mean pages of a session, at least 1.
        actions_per_page: mean events of a page besides its page view.
        pings: share of these that are page pings.
        self_describing: share of these that are self-describing; the rest are structured events.
        purchases: share of page views of the shop that end in a transaction.
        campaigns: share of sessions that start from a campaign.
        referrers: share of the other sessions that come from a referring site.
    """

    pages: float = 3.2
    actions_per_page: float = 1.0
    pings: float = 0.43
    self_describing: float = 0.29
    purchases: float = 0.03
    campaigns: float = 0.35
    referrers: float = 0.7


class WebSite:
    """One web site: makes sessions of its visitors."""

    def __init__(self, rng: Random, site: Site, mix: WebMix) -> None:
        self._rng = rng
        self._site = site
        self._mix = mix
        self._crowd = Crowd(rng, BROWSERS)
        self._more_pages = 1 - 1 / mix.pages
        self._more_actions = mix.actions_per_page / (1 + mix.actions_per_page)

    def session(self, start: int, kept_for: int = 0) -> Iterator[Draft]:
        """The rows of one session that starts at ``start`` (milliseconds since 1970)."""
        visitor = self._crowd.arrive()
        visit = _Visit(self._rng, self._site, visitor, start, kept_for)
        at = start
        while True:
            page = pick(self._rng, self._site.pages)
            yield visit.page_view(page, at, self._mix)
            while self._rng.random() < self._more_actions:
                at += 1 * SECOND + int(self._rng.random() * 11 * SECOND)
                yield self._action(visit, at)
            if self._site.app_id == "shop" and self._rng.random() < self._mix.purchases:
                yield from visit.purchase(at + 400)
            if self._rng.random() >= self._more_pages:
                return
            at += 2 * SECOND + int(self._rng.random() * 40 * SECOND)

    def _action(self, visit: "_Visit", at: int) -> Draft:
        kind = self._rng.random() - self._mix.pings
        if kind < 0:
            return visit.page_ping(at)
        row = visit.row()
        if kind < self._mix.self_describing:
            say_action(row, pick(self._rng, WEB_ACTIONS))
        else:
            say_structured(row, pick(self._rng, STRUCTURED))
        return visit.done(row, at)


class _Visit:
    """One session under way: what its rows have in common, and the page it is on."""

    def __init__(self, rng: Random, site: Site, visitor: Visitor, start: int, kept_for: int) -> None:
        self._rng = rng
        self._site = site
        self._visitor = visitor
        self._kept_for = kept_for
        self._index = 0
        self._scrolled = 0
        self._page_entities = ""
        self._first_event_id = identifier(rng)
        self._client_session = visitor.client_session(self._first_event_id, start - kept_for, "COOKIE_1")
        self._session_row = self._common()
        self._page_row: Row = []
        self._page: Page | None = None
        self._query = ""
        self._fragment = ""

    def _common(self) -> Row:
        site, visitor = self._site, self._visitor
        device, place = visitor.device, visitor.place
        width, height = device.screen
        row = blank_row()
        fill(row, place_fields(place))
        fill(
            row,
            {
                "app_id": site.app_id,
                "platform": "web",
                "name_tracker": site.tracker_name,
                "v_tracker": site.tracker,
                "v_collector": COLLECTOR_VERSION,
                "v_etl": ENRICH_VERSION,
                "user_id": visitor.user_id,
                "domain_userid": visitor.domain_userid,
                "domain_sessionidx": str(visitor.session_index),
                "domain_sessionid": visitor.session_id,
                "network_userid": visitor.network_userid,
                "useragent": device.useragent,
                "br_cookies": "1",
                "br_colordepth": "24",
                "br_viewwidth": str(width),
                "br_viewheight": str(height - 120),
                "dvce_screenwidth": str(width),
                "dvce_screenheight": str(height),
                "doc_charset": "UTF-8",
            },
        )
        if site.old:
            fill(row, device.old_fields)
            fill(row, _OLD_FEATURES)
            fill(row, {"user_fingerprint": visitor.fingerprint})
        cookie = (
            '{"schema":"iglu:org.ietf/http_cookie/jsonschema/1-0-0","data":{"name":"sp",'
            f'"value":"{visitor.network_userid}"}}}}'
        )
        derived = contexts(f"{device.entities},{_REQUEST_HEADER},{cookie}", revision=0 if site.old else 1)
        fill(row, {"derived_contexts": derived})
        return row

    def page_view(self, page: Page, at: int, mix: WebMix) -> Draft:
        """Come to a page."""
        rng = self._rng
        row = self._session_row.copy()
        before = self._referrer()
        self._page, self._query, self._fragment, self._scrolled = page, "", "", 0
        if before:
            _refer(row, before)
        elif rng.random() < mix.campaigns:
            self._query = _attribute(rng, row, pick(rng, CAMPAIGNS))
            _refer(row, pick(rng, REFERRERS))
        elif rng.random() < mix.referrers:
            _refer(row, pick(rng, REFERRERS))
        elif rng.random() < 0.1:
            self._query = self._cross_domain(row, at)
        if rng.random() < 0.06:
            self._fragment = "details"
        _locate(row, self._site, page, self._query, self._fragment)
        width = self._visitor.device.screen[0]
        fill(row, {"doc_width": str(width), "doc_height": str(page.height)})
        self._page_entities = self._entities(at - self._kept_for, page.height)
        self._page_row = row
        row = row.copy()
        say(row, "page_view", SNOWPLOW, "page_view")
        return self.done(row, at)

    def page_ping(self, at: int) -> Draft:
        """Still on the page, perhaps further down."""
        reach = self._visitor.device.screen[1]
        top = self._scrolled
        self._scrolled += int(self._rng.random() * reach)
        row = self.row()
        say(row, "page_ping", SNOWPLOW, "page_ping")
        fill(
            row,
            {
                "pp_xoffset_min": "0",
                "pp_xoffset_max": "0",
                "pp_yoffset_min": str(top),
                "pp_yoffset_max": str(self._scrolled),
            },
        )
        return self.done(row, at)

    def purchase(self, at: int) -> Iterator[Draft]:
        """Buy one to three things: a transaction and its items, converted from pounds to euros."""
        rng = self._rng
        order = f"A-{rng.getrandbits(24)}"
        basket = [(pick(rng, PRODUCTS), 1 + int(rng.random() * 2)) for _ in range(1 + int(rng.random() * 3))]
        total = sum(product[3] * quantity for product, quantity in basket)
        row = self.row()
        say(row, "transaction", SNOWPLOW, "transaction")
        fill(
            row,
            {
                "tr_orderid": order,
                "tr_affiliation": "Example Shop",
                "tr_total": _money(total + 495),
                "tr_tax": _money(total // 6),
                "tr_shipping": "4.95",
                "tr_city": self._visitor.place.city,
                "tr_state": self._visitor.place.region_name,
                "tr_country": self._visitor.place.country,
                "tr_currency": "GBP",
                "tr_total_base": _money((total + 495) * 115 // 100),
                "tr_tax_base": _money(total // 6 * 115 // 100),
                "tr_shipping_base": "5.69",
                "base_currency": "EUR",
            },
        )
        yield self.done(row, at)
        for position, ((number, name, category, price), quantity) in enumerate(basket):
            row = self.row()
            say(row, "transaction_item", SNOWPLOW, "transaction_item")
            fill(
                row,
                {
                    "ti_orderid": order,
                    "ti_sku": number,
                    "ti_name": name,
                    "ti_category": category,
                    "ti_price": _money(price),
                    "ti_quantity": str(quantity),
                    "ti_currency": "GBP",
                    "ti_price_base": _money(price * 115 // 100),
                    "base_currency": "EUR",
                },
            )
            yield self.done(row, at + 5 * position + 5)

    def row(self) -> Row:
        """A new row for something done on this page."""
        return self._page_row.copy()

    def done(self, row: Row, at: int) -> Draft:
        """Give a row its ids, its entities and its times."""
        rng = self._rng
        self._index += 1
        row[_EVENT_ID] = self._first_event_id if self._index == 1 else identifier(rng)
        if self._site.old:
            row[_TXN_ID] = str(rng.getrandbits(20))
            row[_CONTEXTS] = contexts(self._page_entities, revision=0)
        else:
            row[_FINGERPRINT] = f"{rng.getrandbits(128):032x}"
            row[_CONTEXTS] = contexts(f"{self._page_entities},{self._client_session}{self._index}}}}}")
        return seen(rng, row, at, self._kept_for)

    def _entities(self, at: int, height: int) -> str:
        """What the tracker attaches to every event of one page view: the same web_page id for all of them."""
        rng = self._rng
        times = []
        time = at - 900 - int(rng.random() * 1400)
        for name in _PERFORMANCE:
            time += int(rng.random() * 60)
            times.append(f'"{name}":{time}')
        page = (
            '{"schema":"iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0","data":'
            f'{{"id":"{identifier(rng)}"}}}},'
            '{"schema":"iglu:org.w3/PerformanceTiming/jsonschema/1-0-0","data":{'
            f'"redirectStart":0,"redirectEnd":0,{",".join(times)}}}}}'
        )
        if self._site.old:
            return page
        width, screen_height = self._visitor.device.screen
        language = self._visitor.place.language
        return (
            f'{page},{{"schema":"iglu:com.snowplowanalytics.snowplow/browser_context/jsonschema/2-0-0","data":{{'
            f'"viewport":"{width}x{screen_height - 120}","documentSize":"{width}x{height}",'
            f'"resolution":"{width}x{screen_height}","colorDepth":24,"devicePixelRatio":2,"cookiesEnabled":true,'
            f'"online":true,"browserLanguage":"{language}","documentLanguage":"en","webdriver":false,'
            f'"deviceMemory":8,"hardwareConcurrency":8,"tabId":"{identifier(rng)}"}}}}'
        )

    def _referrer(self) -> Referrer | None:
        """The page before this one, if there was one (a single-page site's tracker keeps the fragment)."""
        if self._page is None:
            return None
        site = self._site
        path, query, fragment = self._page.path, self._query, self._fragment
        return Referrer(site.scheme, site.host, path, query, "internal", "", "", fragment)

    def _cross_domain(self, row: Row, at: int) -> str:
        """A link from another of the customer's domains: ``_sp`` tells who clicked it, and when."""
        user, clicked = identifier(self._rng), at - self._kept_for - 700
        fill(row, {"refr_domain_userid": user, "refr_dvce_tstamp": timestamp(clicked)})
        return f"_sp={user}.{clicked}"


def _locate(row: Row, site: Site, page: Page, query: str, fragment: str) -> None:
    """Set where the page is, whole and in parts."""
    fill(
        row,
        {
            "page_url": _url(site.scheme, site.host, page.path, query, fragment),
            "page_title": page.title,
            "page_urlscheme": site.scheme,
            "page_urlhost": site.host,
            "page_urlport": _PORTS[site.scheme],
            "page_urlpath": page.path,
            "page_urlquery": query,
            "page_urlfragment": fragment,
        },
    )


def _refer(row: Row, referrer: Referrer) -> None:
    """Set where the page was come from, whole and in parts."""
    scheme, host, path, query, medium, source, term, fragment = referrer
    fill(
        row,
        {
            "page_referrer": _url(scheme, host, path, query, fragment),
            "refr_urlscheme": scheme,
            "refr_urlhost": host,
            "refr_urlport": _PORTS[scheme],
            "refr_urlpath": path,
            "refr_urlquery": query,
            "refr_urlfragment": fragment,
            "refr_medium": medium,
            "refr_source": source,
            "refr_term": term,
        },
    )


def _attribute(rng: Random, row: Row, campaign: Campaign) -> str:
    """Set what campaign attribution reads from the landing page's query string; answers that query string."""
    click = f"{rng.getrandbits(96):024x}" if campaign.click_parameter else ""
    fill(
        row,
        {
            "mkt_medium": campaign.medium,
            "mkt_source": campaign.source,
            "mkt_term": campaign.term,
            "mkt_content": campaign.content,
            "mkt_campaign": campaign.name,
            "mkt_clickid": click,
            "mkt_network": campaign.network,
        },
    )
    return f"{campaign.query}&{campaign.click_parameter}={click}" if click else campaign.query


def _url(scheme: str, host: str, path: str, query: str, fragment: str) -> str:
    url = f"{scheme}://{host}{path}"
    if query:
        url = f"{url}?{query}"
    return f"{url}#{fragment}" if fragment else url


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
