"""The devices visitors come with: user agents and what the enrichments make of them.

Entities follow the Iglu Central schemas ua_parser_context 1-0-0, yauaa_context 1-0-4 and
spiders_and_robots 1-0-0 (https://github.com/snowplow/iglu-central, state of 2026-04-23).
"""

import json
from typing import NamedTuple


class Device(NamedTuple):
    """A device and browser, with its enrichments ready to paste into an event.

    Attributes:
        useragent: what the browser sends (field ``useragent``).
        screen: width and height in pixels.
        old_fields: what the deprecated user-agent-utils enrichment sets (``br_*``, ``os_*``, ``dvce_*``).
        entities: JSON of the derived entities, comma between them, no brackets around.
        os_type: ``ios`` or ``android`` for a phone with the app, otherwise empty.
        maker: manufacturer as mobile_context names it.
        model: device model as mobile_context names it.
        os_version: operating system version as mobile_context names it.
    """

    useragent: str
    screen: tuple[int, int]
    old_fields: dict[str, str]
    entities: str
    os_type: str
    maker: str
    model: str
    os_version: str


def entity(schema: str, data: object) -> str:
    """One self-describing JSON entity, compact; ``schema`` without its ``iglu:``."""
    body = {"schema": f"iglu:{schema}", "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


class _Agent(NamedTuple):
    """What a user-agent parser reads out of a user agent."""

    browser: str
    version: str
    system: str
    system_version: str
    device: str
    kind: str
    engine: str


def _ua_parser(agent: _Agent) -> str:
    major, minor, patch = (*agent.version.split("."), None, None)[:3]
    os_major, os_minor = (*agent.system_version.split("."), None, None)[:2]
    return entity(
        "com.snowplowanalytics.snowplow/ua_parser_context/jsonschema/1-0-0",
        {
            "useragentFamily": agent.browser,
            "useragentMajor": major,
            "useragentMinor": minor,
            "useragentPatch": patch,
            "useragentVersion": f"{agent.browser} {agent.version}",
            "osFamily": agent.system,
            "osMajor": os_major or None,
            "osMinor": os_minor,
            "osPatch": None,
            "osPatchMinor": None,
            "osVersion": f"{agent.system} {agent.system_version}".strip(),
            "deviceFamily": agent.device,
        },
    )


def _yauaa(agent: _Agent) -> str:
    browser, version, system, system_version, device, kind, engine = agent
    major = version.split(".", maxsplit=1)[0]
    system_major = system_version.split(".", maxsplit=1)[0] or "??"
    engine_version = {"Blink": major, "Gecko": major}.get(engine, "605.1.15")
    engine_major = engine_version.split(".", maxsplit=1)[0]
    return entity(
        "nl.basjes/yauaa_context/jsonschema/1-0-4",
        {
            "deviceBrand": "Apple" if system in {"iOS", "Mac OS"} else "Unknown",
            "deviceName": device,
            "operatingSystemVersionMajor": system_major,
            "layoutEngineNameVersion": f"{engine} {engine_version}",
            "operatingSystemNameVersion": f"{system} {system_version or '??'}",
            "agentInformationEmail": "Unknown",
            "networkType": "Unknown",
            "webviewAppNameVersionMajor": "Unknown ??",
            "layoutEngineNameVersionMajor": f"{engine} {engine_major}",
            "operatingSystemName": system,
            "agentVersionMajor": major,
            "layoutEngineVersionMajor": engine_major,
            "webviewAppName": "Unknown",
            "deviceClass": kind,
            "agentNameVersionMajor": f"{browser} {major}",
            "operatingSystemNameVersionMajor": f"{system} {system_major}",
            "webviewAppVersionMajor": "??",
            "operatingSystemClass": "Mobile" if kind in {"Phone", "Tablet"} else "Desktop",
            "webviewAppVersion": "??",
            "layoutEngineName": engine,
            "agentName": browser,
            "agentVersion": version,
            "layoutEngineClass": "Browser",
            "agentNameVersion": f"{browser} {version}",
            "operatingSystemVersion": system_version or "??",
            "agentClass": "Browser",
            "layoutEngineVersion": engine_version,
        },
    )


_NOT_A_ROBOT = entity(
    "com.iab.snowplow/spiders_and_robots/jsonschema/1-0-0",
    {"spiderOrRobot": False, "category": "BROWSER", "reason": "PASSED_ALL", "primaryImpact": "NONE"},
)
_A_ROBOT = entity(
    "com.iab.snowplow/spiders_and_robots/jsonschema/1-0-0",
    {
        "spiderOrRobot": True,
        "category": "SPIDER_OR_ROBOT",
        "reason": "FAILED_UA_INCLUDE",
        "primaryImpact": "PAGE_IMPRESSIONS",
    },
)

_MAKERS = {
    "Windows": "Microsoft Corporation",
    "Mac OS": "Apple Inc.",
    "iOS": "Apple Inc.",
    "Android": "Google Inc.",
}
_KINDS = {"Desktop": "Computer", "Phone": "Mobile", "Tablet": "Tablet", "Robot": "Unknown"}
_ENGINES = {"Blink": "WEBKIT", "AppleWebKit": "WEBKIT", "Gecko": "GECKO", "Unknown": "OTHER"}


def _browser(
    useragent: str,
    browser: str,
    version: str,
    system: str,
    system_version: str,
    *,
    screen: tuple[int, int],
    kind: str = "Desktop",
    device: str = "Other",
    engine: str = "Blink",
) -> Device:
    """A browser with everything the three user-agent enrichments would derive from it."""
    agent = _Agent(browser, version, system, system_version, device, kind, engine)
    robot = kind == "Robot"
    major = version.split(".", maxsplit=1)[0]
    old_fields = {
        "br_name": f"{browser} {major}",
        "br_family": browser,
        "br_version": version,
        "br_type": "Robot" if robot else "Browser (mobile)" if kind == "Phone" else "Browser",
        "br_renderengine": _ENGINES[engine],
        "os_name": f"{system} {system_version}".strip(),
        "os_family": system,
        "os_manufacturer": _MAKERS.get(system, "Other"),
        "dvce_type": _KINDS[kind],
        "dvce_ismobile": "1" if kind in {"Phone", "Tablet"} else "0",
    }
    entities = ",".join(
        (
            _ua_parser(agent),
            _yauaa(agent),
            _A_ROBOT if robot else _NOT_A_ROBOT,
        )
    )
    return Device(useragent, screen, old_fields, entities, "", "", "", "")


def _phone(useragent: str, maker: str, model: str, os_version: str, *, screen: tuple[int, int]) -> Device:
    """A phone with the app: user-agent enrichments see an HTTP client, mobile_context says the rest."""
    apple = maker == "Apple Inc."
    client, version = useragent.split()[1 if apple else 0].split("/")
    agent = _Agent(client, version, "iOS" if apple else "Android", os_version, model, "Phone", "Unknown")
    entities = f"{_ua_parser(agent)},{_NOT_A_ROBOT}"
    return Device(useragent, screen, {}, entities, "ios" if apple else "android", maker, model, os_version)


_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko)"

BROWSERS: tuple[Device, ...] = (
    _browser(
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Chrome/141.0.0.0 Safari/537.36",
        "Chrome", "141.0.0", "Windows", "10", screen=(1920, 1080), device="Desktop",
    ),
    _browser(
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
        "Edge", "140.0.0", "Windows", "10", screen=(1536, 864), device="Desktop",
    ),
    _browser(
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Chrome/141.0.0.0 Safari/537.36",
        "Chrome", "141.0.0", "Mac OS", "10.15", screen=(1512, 982), device="Mac",
    ),
    _browser(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Safari/605.1.15",
        "Safari", "18.6", "Mac OS", "10.15", screen=(1440, 900), device="Mac", engine="AppleWebKit",
    ),
    _browser(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Firefox", "143.0", "Windows", "10", screen=(2560, 1440), device="Desktop", engine="Gecko",
    ),
    _browser(
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Firefox", "143.0", "Linux", "", screen=(1920, 1200), device="Linux Desktop", engine="Gecko",
    ),
    _browser(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Mobile/15E148 Safari/604.1",
        "Mobile Safari", "18.6", "iOS", "18.6", screen=(393, 852), kind="Phone", device="iPhone",
        engine="AppleWebKit",
    ),
    _browser(
        f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Chrome/141.0.0.0 Mobile Safari/537.36",
        "Chrome Mobile", "141.0.0", "Android", "10", screen=(412, 915), kind="Phone", device="K",
    ),
    _browser(
        "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.7 Mobile/15E148 Safari/604.1",
        "Mobile Safari", "17.7", "iOS", "17.7", screen=(820, 1180), kind="Tablet", device="iPad",
        engine="AppleWebKit",
    ),
    _browser(
        "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example.com/about)",
        "ExampleBot", "2.1", "Other", "", screen=(1024, 768), kind="Robot", device="Spider", engine="Unknown",
    ),
)  # fmt: skip

PHONES: tuple[Device, ...] = (
    _phone(
        "Example/412 CFNetwork/1568.3 Darwin/24.6.0", "Apple Inc.", "iPhone17,1", "18.6", screen=(1206, 2622)
    ),
    _phone(
        "Example/409 CFNetwork/1498.7 Darwin/23.6.0", "Apple Inc.", "iPhone14,5", "17.7", screen=(1170, 2532)
    ),
    _phone("okhttp/4.12.0 (Linux; U; Android 15)", "Google", "Pixel 9", "15", screen=(1080, 2424)),
    _phone("okhttp/4.12.0 (Linux; U; Android 14)", "samsung", "SM-A546B", "14", screen=(1080, 2340)),
)
