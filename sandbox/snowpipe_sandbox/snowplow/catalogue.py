"""The small world events happen in: sites and their pages, places, referrers, campaigns.

Addresses are from the documentation ranges (RFC 5737, RFC 3849), hosts end in example.com or .net.
"""

from typing import NamedTuple


class Page(NamedTuple):
    """A page: where it is and what it is called; ``height`` of the document in pixels."""

    path: str
    title: str
    height: int


class Site(NamedTuple):
    """A web site and how it tracks.

    ``old`` sites still run the JavaScript tracker 2.x: they send ``txn_id``, ``user_fingerprint`` and the
    ``br_features_*`` flags, their pipeline runs the deprecated user-agent enrichment and no event
    fingerprint, and their entities come without a client session.
    """

    app_id: str
    host: str
    scheme: str
    tracker: str
    tracker_name: str
    old: bool
    pages: tuple[Page, ...]


class Place(NamedTuple):
    """Where a visitor's address is: the ``geo_*`` and ``ip_*`` fields; empty where a database has nothing."""

    address: str
    country: str
    region: str
    city: str
    zipcode: str
    latitude: str
    longitude: str
    region_name: str
    timezone: str
    language: str
    isp: str = ""
    organization: str = ""
    domain: str = ""
    netspeed: str = ""


class Referrer(NamedTuple):
    """Where a session came from: the ``page_referrer`` and ``refr_*`` fields."""

    scheme: str
    host: str
    path: str
    query: str
    medium: str
    source: str
    term: str
    fragment: str = ""


class Campaign(NamedTuple):
    """What a landing page's query string says, and the ``mkt_*`` fields campaign attribution makes of it."""

    query: str
    medium: str
    source: str
    term: str
    content: str
    name: str
    click_parameter: str
    network: str


SITES: tuple[Site, ...] = (
    Site(
        "shop", "shop.example.com", "https", "js-4.6.0", "sp", old=False,
        pages=(
            Page("/", "Example Shop", 4210),
            Page("/sale", "Sale – up to 40 % off | Example Shop", 6320),
            Page("/c/shoes", "Shoes for every day | Example Shop", 8124),
            Page("/c/shoes/trail-runner-2", "Trail Runner 2 | Example Shop", 5230),
            Page("/c/jackets/rain-shell", "Rain Shell – waterproof | Example Shop", 5110),
            Page("/c/jackets/l%27h%C3%A9ritage", "L'Héritage | Example Shop", 4980),
            Page("/cart", "Your cart | Example Shop", 2100),
            Page("/checkout", "Checkout | Example Shop", 2480),
            Page("/checkout/thank-you", "Thank you! | Example Shop", 1620),
            Page("/account/orders", "Your orders | Example Shop", 2240),
            Page("/help/returns", "How do I return something? | Example Shop", 3120),
        ),
    ),
    Site(
        "docs", "docs.example.com", "https", "js-3.24.4", "docs", old=False,
        pages=(
            Page("/", "Documentation", 2480),
            Page("/get-started/", "Get started - Documentation", 5220),
            Page("/loaders/s3-loader/", "S3 loader - Documentation", 9120),
            Page("/loaders/file-formats/", "File formats: tabs, quotes & escapes - Documentation", 12840),
            Page("/reference/canonical-event/", "The canonical event - Documentation", 15210),
            Page("/search/", "Search - Documentation", 1460),
            Page("/zh/get-started/", "快速入门 - Documentation", 5180),
        ),
    ),
    Site(
        "blog", "blog.example.net", "http", "js-2.5.3-m1", "cf", old=True,
        pages=(
            Page("/", "The Example Blog", 3915),
            Page("/2013/02/08/writing-udfs/", "Writing UDFs - a tutorial", 6015),
            Page("/2014/11/20/loading-json/", "Loading JSON, and what it costs to query it", 5614),
            Page("/about", "About us", 1860),
        ),
    ),
)  # fmt: skip

PLACES: tuple[Place, ...] = (
    Place(
        "203.0.113.7",
        "US",
        "WA",
        "Milton",
        "98354",
        "47.2513",
        "-122.3149",
        "Washington",
        "America/Los_Angeles",
        "en-US",
        "Example Cable",
        "Example Cable",
        "example.net",
        "Cable/DSL",
    ),
    Place(
        "203.0.113.61",
        "US",
        "TX",
        "Austin",
        "78701",
        "30.2711",
        "-97.7437",
        "Texas",
        "America/Chicago",
        "en-US",
        "Example Fiber",
        "Example Fiber",
        "fiber.example.net",
        "Corporate",
    ),
    Place(
        "198.51.100.20",
        "GB",
        "ENG",
        "London",
        "EC1A",
        "51.5164",
        "-0.093",
        "England",
        "Europe/London",
        "en-GB",
    ),
    Place(
        "198.51.100.77",
        "DE",
        "BY",
        "München",
        "80331",
        "48.1374",
        "11.5755",
        "Bayern",
        "Europe/Berlin",
        "de-DE",
        "Beispiel Telekom",
        "Beispiel Telekom",
        "beispiel.example",
        "Cable/DSL",
    ),
    Place(
        "192.0.2.14",
        "FR",
        "IDF",
        "Paris",
        "75001",
        "48.8566",
        "2.3522",
        "Île-de-France",
        "Europe/Paris",
        "fr-FR",
    ),
    Place("192.0.2.200", "JP", "13", "東京", "100-0001", "35.6895", "139.6917", "Tokyo", "Asia/Tokyo", "ja"),
    Place(
        "2001:db8:85a3::8a2e:370:7334",
        "BR",
        "SP",
        "São Paulo",
        "",
        "-23.5475",
        "-46.6361",
        "São Paulo",
        "America/Sao_Paulo",
        "pt-BR",
    ),
    Place("2001:db8::1f4c", "", "", "", "", "", "", "", "", "en"),
    Place(
        "198.51.100.x", "NL", "NH", "", "", "52.3824", "4.8995", "North Holland", "Europe/Amsterdam", "nl-NL"
    ),
)

REFERRERS: tuple[Referrer, ...] = (
    Referrer("https", "www.google.com", "/", "", "search", "Google", ""),
    Referrer(
        "https",
        "www.bing.com",
        "/search",
        "q=trail%20running%20shoes",
        "search",
        "Bing",
        "trail running shoes",
    ),
    Referrer("https", "www.google.de", "/", "", "search", "Google", ""),
    Referrer(
        "https", "l.facebook.com", "/l.php", "u=https%3A%2F%2Fshop.example.com%2F", "social", "Facebook", ""
    ),
    Referrer("https", "news.example.net", "/2026/11/best-rain-shells", "", "unknown", "", ""),
    Referrer("https", "mail.google.com", "/mail/u/0/", "", "email", "Gmail", ""),
)

CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign(
        "utm_source=google&utm_medium=cpc&utm_term=rain%20shell&utm_content=39254295088&utm_campaign=autumn-2026",
        "cpc", "google", "rain shell", "39254295088", "autumn-2026", "gclid", "Google",
    ),
    Campaign(
        "utm_source=newsletter&utm_medium=email&utm_campaign=2026-11_weekly",
        "email", "newsletter", "", "", "2026-11_weekly", "", "",
    ),
    Campaign(
        "utm_source=bing&utm_medium=cpc&utm_term=%22trail+runner%22&utm_campaign=shoes%20%26%20socks",
        "cpc", "bing", '"trail runner"', "", "shoes & socks", "msclkid", "Microsoft",
    ),
    Campaign(
        "utm_source=facebook&utm_medium=social&utm_content=h%C3%A9ritage&utm_campaign=winter",
        "social", "facebook", "", "héritage", "winter", "", "",
    ),
)  # fmt: skip

PRODUCTS: tuple[tuple[str, str, str, int], ...] = (
    ("TR2-42-BLK", 'Trail Runner 2 "Night"', "Shoes", 12900),
    ("RS-M-GRN", "Rain Shell", "Jackets", 18950),
    ("LH-L-NVY", "L'Héritage", "Jackets", 24900),
    ("SOC-3", "Socks, 3 pairs", "Accessories", 1490),
)
"""Stock number, name, category, price in cents."""

SCREENS: tuple[str, ...] = ("Home", "Search", "ProductList", "ProductDetail", "Cart", "Checkout", "Account")
"""The screens of the mobile app."""
