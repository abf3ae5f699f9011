"""The generated events: 131 fields that parse and agree, the same for the same seed, duplicates counted."""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snowpipe_sandbox.snowplow.events import Counts, Event, Rates, events
from snowpipe_sandbox.snowplow.fields import FIELDS, NAMES, NEVER_EMPTY, POSITIONS
from snowpipe_sandbox.snowplow.oddities import ODDITIES

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")

PARSERS = {
    "text": lambda text: "\t" not in text and "\n" not in text and "\r" not in text,
    "timestamp": lambda text: bool(TIMESTAMP.fullmatch(text)) and bool(datetime.fromisoformat(text)),
    "integer": lambda text: str(int(text)) == text,
    "decimal": lambda text: Decimal(text).is_finite(),
    "float": lambda text: -180 <= float(text) <= 180,
    "flag": lambda text: text in {"0", "1"},
    "json": lambda text: "schema" in json.loads(text),
    "uuid": lambda text: bool(UUID.fullmatch(text)),
}


def made(seed=1, rows=3000, **arguments) -> list[Event]:
    return list(events(seed, START, rows=rows, **arguments))


def value(event: Event, name: str) -> str:
    return event.values[POSITIONS[name]]


@pytest.fixture(scope="module")
def many() -> list[Event]:
    return made(rows=20_000)


def test_field_list():
    assert len(FIELDS) == 131
    assert len(set(NAMES)) == 131
    assert NAMES[:7] == (
        "app_id", "platform", "etl_tstamp", "collector_tstamp", "dvce_created_tstamp", "event", "event_id",
    )  # fmt: skip
    assert NAMES[121] == "refr_dvce_tstamp"
    assert NAMES[130] == "true_tstamp"
    assert Counter(field.kind for field in FIELDS)["json"] == 3
    assert [name for name, kind in FIELDS if kind == "json"] == [
        "contexts",
        "unstruct_event",
        "derived_contexts",
    ]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    start=st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    odd=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_line_is_an_event_that_parses(seed, start, odd):
    for event in events(
        seed, start, rows=60, rates=Rates(odd=odd, natural_duplicates=0.2, synthetic_duplicates=0.2)
    ):
        values = event.line.encode().split(b"\n")[0].decode().split("\t")
        assert values == event.values
        assert len(values) == 131
        for (name, kind), text in zip(FIELDS, values, strict=True):
            assert text or name not in NEVER_EMPTY, name
            assert not text or PARSERS[kind](text), f"{name} is not {kind}: {text!r}"


def test_every_field_is_filled_somewhere(many):
    filled = {name for event in many for name, text in zip(NAMES, event.values, strict=True) if text}
    assert set(NAMES) - filled == set()


def test_same_seed_same_bytes():
    first = [event.line for event in made(seed="demo", rows=2000)]
    assert first == [event.line for event in made(seed="demo", rows=2000)]
    assert first[:500] == [event.line for event in made(seed="demo", rows=500)]
    assert first != [event.line for event in made(seed="demo 2", rows=2000)]


def test_same_bytes_in_another_process():
    program = (
        "import hashlib; from datetime import datetime, UTC;"
        "from snowpipe_sandbox.snowplow.events import events;"
        "lines = [e.line for e in events(7, datetime(2026, 11, 1, 12, tzinfo=UTC), rows=800)];"
        "print(hashlib.sha256('\\n'.join(lines).encode()).hexdigest())"
    )
    here = hashlib.sha256("\n".join(event.line for event in made(seed=7, rows=800)).encode()).hexdigest()
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == here


def test_events_come_in_the_order_enrich_writes_them(many):
    written = [value(event, "etl_tstamp") for event in many]
    assert written == sorted(written)
    assert [event.etl for event in many] == sorted(event.etl for event in many)
    assert many[0].written_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] == written[0]


def test_timestamps_agree(many):
    for event in many:
        created, sent, collector, etl, derived = (
            value(event, f"{name}_tstamp")
            for name in ("dvce_created", "dvce_sent", "collector", "etl", "derived")
        )
        assert collector < etl
        if not sent:
            assert not created
            assert derived == collector
            continue
        assert created < sent < collector
        kept = datetime.fromisoformat(sent) - datetime.fromisoformat(created)
        corrected = (datetime.fromisoformat(collector) - kept).isoformat(" ", "milliseconds")
        assert derived == (value(event, "true_tstamp") or corrected)


def test_late_events_say_so(many):
    late = [event for event in many if event.late]
    assert 0.003 < len(late) / len(many) < 0.06
    for event in many:
        created = value(event, "dvce_created_tstamp")
        if created:
            waited = datetime.fromisoformat(value(event, "collector_tstamp")) - datetime.fromisoformat(
                created
            )
            assert (waited.total_seconds() > 3600) == event.late


def test_duplicates_are_counted_and_are_what_they_say():
    counts = Counts()
    rows = made(
        seed=3, rows=20_000, rates=Rates(natural_duplicates=0.02, synthetic_duplicates=0.01), counts=counts
    )
    assert counts.rows == len(rows) == 20_000
    first: dict[str, Event] = {}
    kinds: Counter[str] = Counter()
    for event in rows:
        before = first.setdefault(event.event_id, event)
        if before is event:
            assert event.duplicate == ""
            continue
        kinds[event.duplicate] += 1
        changed = {name for name, a, b in zip(NAMES, before.values, event.values, strict=True) if a != b}
        assert value(before, "collector_tstamp") < value(event, "collector_tstamp")
        assert value(before, "etl_tstamp") <= value(event, "etl_tstamp")
        times = {"collector_tstamp", "etl_tstamp", "dvce_sent_tstamp", "derived_tstamp"}
        if event.duplicate == "natural":
            assert changed <= times
        else:
            assert event.duplicate == "synthetic"
            assert "event_fingerprint" in changed
            assert value(before, "event_fingerprint")
    assert kinds == {"natural": counts.natural_duplicates, "synthetic": counts.synthetic_duplicates}
    assert len(first) == counts.distinct_event_ids
    assert 0.7 * 0.02 < kinds["natural"] / 20_000 < 1.1 * 0.02
    assert 0.4 * 0.01 < kinds["synthetic"] / 20_000 < 1.1 * 0.01


def test_no_duplicates_and_nothing_odd_when_not_asked_for():
    counts = Counts()
    made(rows=5000, rates=Rates(natural_duplicates=0, synthetic_duplicates=0, odd=0, late=0), counts=counts)
    assert (counts.distinct_event_ids, counts.late, counts.odd) == (5000, 0, Counter())


def test_counts_describe_the_events(many):
    counts = Counts()
    assert made(rows=20_000, counts=counts) == many
    assert counts.events == Counter(value(event, "event") for event in many)
    assert counts.late == sum(event.late for event in many)
    assert counts.odd == Counter(event.odd for event in many if event.odd)


def test_every_odd_value_occurs(many):
    assert {event.odd for event in many if not event.duplicate} == {"", *ODDITIES}
    titles = {value(event, "page_title") for event in many}
    assert {
        "\\N",
        "C:\\",
        "C:\\\\",
        '"Night" runner',
        "before    after",
        "  leading and trailing  ",
    } <= titles
    assert any("\u2028" in title and "\u0085" in title and "\u2029" in title for title in titles)
    assert any("🚀" in title for title in titles)
    notes = "".join(value(event, "contexts") for event in many if event.odd.startswith("json"))
    for piece in (r"\"best\" of \\ 2026", r'"C:\\"', r"\n", r"\t", r"\u0000", r"\ud83d\ude00", r"\/"):
        assert piece in notes


def test_an_event_is_named_as_enrich_names_it(many):
    names = {
        "page_view": ("com.snowplowanalytics.snowplow", "page_view"),
        "page_ping": ("com.snowplowanalytics.snowplow", "page_ping"),
        "transaction": ("com.snowplowanalytics.snowplow", "transaction"),
        "transaction_item": ("com.snowplowanalytics.snowplow", "transaction_item"),
        "struct": ("com.google.analytics", "event"),
    }
    for event in many:
        kind, written = value(event, "event"), value(event, "unstruct_event")
        vendor, name = value(event, "event_vendor"), value(event, "event_name")
        assert value(event, "event_format") == "jsonschema"
        assert bool(written) == (kind == "unstruct")
        if written:
            schema = f"iglu:{vendor}/{name}/jsonschema/{value(event, 'event_version')}"
            assert json.loads(written)["data"]["schema"] == schema
        else:
            assert (vendor, name) == names[kind]


@pytest.mark.parametrize(
    ("field", "kinds"),
    [
        ("se_category", {"struct"}),
        ("pp_yoffset_max", {"page_ping"}),
        ("tr_orderid", {"transaction"}),
        ("ti_sku", {"transaction_item"}),
    ],
)
def test_a_kind_of_event_has_its_fields_and_no_other(many, field, kinds):
    for event in many:
        assert bool(value(event, field)) == (value(event, "event") in kinds)


def test_urls_agree_with_their_parts(many):
    for event in many:
        for url, prefix in (("page_url", "page_url"), ("page_referrer", "refr_url")):
            whole = value(event, url)
            parts = {
                name: value(event, f"{prefix}{name}")
                for name in ("scheme", "host", "port", "path", "query", "fragment")
            }
            if event.odd == "over_the_atomic_limit" and url == "page_referrer":
                continue
            if not whole:
                assert not any(parts.values())
                continue
            query = f"?{parts['query']}" if parts["query"] else ""
            fragment = f"#{parts['fragment']}" if parts["fragment"] else ""
            assert whole == f"{parts['scheme']}://{parts['host']}{parts['path']}{query}{fragment}"
            assert parts["port"] == {"http": "80", "https": "443"}[parts["scheme"]]


def test_one_page_view_and_its_actions_share_a_web_page(many):
    """A page ping's web_page id is that of a page view in the same session."""
    pages: dict[str, set[tuple[str, str, str]]] = {"page_view": set(), "page_ping": set()}
    for event in many:
        kind = value(event, "event")
        if kind in pages:
            (page,) = (
                entity["data"]["id"]
                for entity in json.loads(value(event, "contexts"))["data"]
                if "/web_page/" in entity["schema"]
            )
            pages[kind].add((value(event, "domain_sessionid"), value(event, "page_urlpath"), page))
    assert len(pages["page_view"]) > 5000
    assert pages["page_ping"] <= pages["page_view"]


def test_sessions_count_up_and_visitors_come_back(many):
    sessions: dict[str, dict[str, str]] = {}
    for event in many:
        if value(event, "platform") == "web":
            seen = sessions.setdefault(value(event, "domain_userid"), {})
            assert seen.setdefault(value(event, "domain_sessionid"), value(event, "domain_sessionidx"))
    assert any(len(seen) > 1 for seen in sessions.values())
    for seen in sessions.values():
        assert len(set(seen.values())) == len(seen)


def test_start_needs_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        next(events(1, START.replace(tzinfo=None)))


def test_goes_on_for_ever_without_rows():
    endless = events(1, START)
    assert [next(endless).line for _ in range(200)] == [event.line for event in made(rows=200)]
