"""The report: whole, by itself, and nobody's script in it."""

import html.parser
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runbook.commands.report import report, span_of
from runbook.commands.status import status
from runbook.errors import SettingsWrong
from runbook.records import Record
from runbook.settings import Settings
from runbook.watching.causes import Cause
from runbook.watching.history import History, iso, read_only
from runbook.watching.past import Past
from runbook.watching.report import _hours, page
from tests.unit.conftest import written

pytestmark = pytest.mark.skipif(
    find_spec("pygal") is None, reason="pygal is not installed (the extra report)"
)

NOW = datetime(2026, 3, 9, 8, tzinfo=UTC)
EVIL = '<script>alert(1)</script> "quoted" & <b>'


def filled(path: Path, *, days: int = 7) -> History:
    """A week of rounds, with a fault that is over and one that lasts."""
    history = History(path, durable=False)
    summary = json.dumps({"words": {"events": "flowing", "events_bad": "quiet"}})
    over = Cause(
        "step4.pipe-is-not-paused",
        ("events",),
        "The pipe is not paused.",
        "the pipe is paused",
        "invoke resume",
    )
    lasts = Cause("step1.role-exists", (), "The role exists.", EVIL, "invoke step1-aws step3-aws")

    def work(db: Any) -> None:
        for hour in range(24 * days):
            at = NOW - timedelta(hours=hour)
            db.execute(
                "INSERT INTO round VALUES (?, 1, ?, 0, ?)",
                (iso(at), "broken" if hour < 9 else "healthy", summary),
            )
            for stream in ("events", "events_bad"):
                db.execute(
                    "INSERT INTO arrival VALUES (?, ?, ?, ?)", (stream, iso(at), hour % 7, 1000 * hour)
                )
                figures = {
                    "table_rows": 1000.0 * (24 * days - hour),
                    "pending_files": hour % 5,
                    "load_latency_seconds": 60.0 + hour,
                    "newest_row_timestamp_seconds": at.timestamp() - 120,
                }
                for name, value in figures.items():
                    db.execute("INSERT INTO figure VALUES (?, ?, ?, ?)", (iso(at), stream, name, value))
        columns = "key, streams, document, since, red, well, confirmed, ended"
        insert = f"INSERT INTO cause ({columns}) VALUES (?, ?, ?, ?, 2, 0, ?, ?)"
        for cause, begin, end in ((over, 50, 40), (lasts, 9, None)):
            since = iso(NOW - timedelta(hours=begin))
            ended = None if end is None else iso(NOW - timedelta(hours=end))
            document = json.dumps(cause.as_json())
            db.execute(insert, (cause.key, json.dumps(cause.streams), document, since, since, ended))

    history.change(work)
    return history


@pytest.fixture
def text(tmp_path: Path, settings: Settings) -> str:
    history = filled(tmp_path / "h.sqlite")
    return page(Past(history.db, NOW - timedelta(days=7)), settings, NOW)


class Outline(html.parser.HTMLParser):
    """Tags, attributes and text of a page; a tag that is closed wrongly is noted."""

    VOID = ("meta", "br", "!doctype")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_it_is_whole_and_by_itself(text: str) -> None:
    outline = Outline()
    outline.feed(text)
    assert (outline.open, outline.wrong) == ([], [])
    assert "script" not in [tag for tag, _ in outline.tags]
    for tag, attributes in outline.tags:
        assert not {"src", "srcset", "onclick", "onload"} & attributes.keys(), (tag, attributes)
        assert not re.match(r"https?:|//", attributes.get("href") or "#"), (tag, attributes)
    assert not re.search(r"@import|url\(", text)
    assert text.count("<svg") >= 4


def test_what_comes_from_outside_is_text(text: str) -> None:
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_state_causes_and_remedies_come_first(text: str) -> None:
    body = text[text.index("<main>") :]
    assert body.index("1 cause not over") < body.index("step1.role-exists")
    assert body.index("step1.role-exists") < body.index("step4.pipe-is-not-paused")
    assert "invoke step1-aws step3-aws" in body
    assert "and lasts" in body


def test_bad_rows_are_told_by_kind_and_schema(tmp_path: Path, settings: Settings) -> None:
    history = filled(tmp_path / "h.sqlite")

    def work(db: Any) -> None:
        for hours, name, count in (
            (30, "schema_violations/2-0-1 of com.acme/checkout/1-0-0", 1200),
            (6, "schema_violations/2-0-1 of com.acme/checkout/1-0-0", 3),
            (6, "adapter_failures/1-0-0", 40),
        ):
            row = (iso(NOW - timedelta(hours=hours)), "events_bad", f"bad_rows_of {name}", count)
            db.execute("INSERT INTO figure VALUES (?, ?, ?, ?)", row)

    history.change(work)
    past = Past(history.db, NOW - timedelta(days=7))
    assert past.bad_rows("events_bad") == [
        ("adapter_failures/1-0-0", 40, 40),
        ("schema_violations/2-0-1 of com.acme/checkout/1-0-0", 3, 1200),
    ]
    assert past.bad_rows("events") == []
    found = page(past, settings, NOW)
    assert found.index("Bad rows by kind and schema") < found.index("com.acme/checkout/1-0-0")
    assert "1,200" in found


def test_the_last_canaries_are_told_by_hop(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    for name, hops, problem in (
        ("20261120T120001Z-aaaaaa", {"put": 0.2, "event": 1.4, "row-visible": 61.0}, ""),
        ("20261120T130001Z-bbbbbb", {"put": 0.3}, f"not within 600 seconds {EVIL}"),
    ):
        Record(settings, "verify", name).note({"canary": "events", "hops": hops, "problem": problem})
    (tmp_path / "runs" / "20261120T140001Z-cccccc.jsonl").write_text("damaged\n")
    (tmp_path / "runs" / "20261120T150001Z-dddddd.jsonl").write_text('["of another program"]\n')
    history = filled(tmp_path / "watch" / "sandbox" / "history.sqlite")
    history.close()
    assert report(written(), since="1000w", output=str(tmp_path / "report.html")) == 0
    found = (tmp_path / "report.html").read_text()
    section = found[found.index("Canaries: seconds to each hop") :]
    assert section.index("not within 600 seconds &lt;script&gt;") < section.index("61.0")


def test_whoever_does_not_see_it_is_read_it(text: str) -> None:
    outline = Outline()
    outline.feed(text)
    plots = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in plots)
    assert [attributes["lang"] for tag, attributes in outline.tags if tag == "html"] == ["en"]
    headings = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert set(headings[1:]) == {2}
    assert text.count("The same in numbers") == len(plots)


def test_a_history_without_a_round(tmp_path: Path, settings: Settings) -> None:
    history = History(tmp_path / "h.sqlite", durable=False)
    found = page(Past(history.db, NOW - timedelta(days=7)), settings, NOW)
    assert "Nothing was watched yet" in found


def test_a_watcher_that_is_silent_is_said(tmp_path: Path, settings: Settings) -> None:
    history = filled(tmp_path / "h.sqlite")
    found = page(Past(history.db, NOW), settings, NOW + timedelta(hours=30))
    assert "30 hours ago: is anybody watching?" in found


def test_trends(tmp_path: Path) -> None:
    filled(tmp_path / "h.sqlite").close()
    db = read_only(tmp_path / "h.sqlite")
    assert db is not None
    trend = Past(db, NOW - timedelta(days=1)).trend("events")
    assert trend.rows == 24 * 1000
    assert trend.files == sum(hour % 7 for hour in range(25))
    assert trend.latency_p50_s == pytest.approx(72, abs=2)
    assert (trend.most_pending, trend.incidents) == (4, 1)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "7 d", "1001d", "99999d", f"{'9' * 5000}d", "-1d"])
def test_a_span_that_is_none(text: str) -> None:
    with pytest.raises(SettingsWrong):
        span_of(text)


def test_a_span_that_is_too_long_says_how_long_it_may_be() -> None:
    with pytest.raises(SettingsWrong, match="--since 9999d is too long") as raised:
        span_of("9999d")
    assert raised.value.remedy == "--since 1000d"


def test_a_span() -> None:
    assert (span_of("36h"), span_of("2w")) == (timedelta(hours=36), timedelta(days=14))


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    with pytest.raises(SettingsWrong, match="Nothing is known of the past of sandbox"):
        report(written(), since="7d", output=None)
    (tmp_path / "watch" / "sandbox").mkdir(parents=True)
    filled(tmp_path / "watch" / "sandbox" / "history.sqlite").close()
    assert report(written(), since="1000w", output=str(tmp_path / "report.html")) == 0
    assert "step1.role-exists" in (tmp_path / "report.html").read_text()


def test_status_tells_what_was_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    (tmp_path / "watch" / "sandbox").mkdir(parents=True)
    filled(tmp_path / "watch" / "sandbox" / "history.sqlite").close()
    assert status(written(), output_format="json", since="1000w") == 0
    (first, _) = json.loads(capsys.readouterr().out)
    assert (first["stream"], first["incidents"]) == ("events", 2)
    assert status(written(), output_format="table", since="1000w") == 0
    assert "step4.pipe-is-not-paused (events): the pipe is paused" in " ".join(
        capsys.readouterr().out.split()
    )


def test_nobody_elses_imports_are_touched(text: str) -> None:
    assert [type(each).__name__ for each in sys.meta_path if "pygal" in type(each).__module__] == []


def test_rows_that_nobody_counted_are_not_zero(tmp_path: Path, settings: Settings) -> None:
    history, past = History(tmp_path / "h.sqlite"), NOW - timedelta(days=7)
    rows = "INSERT INTO figure VALUES (?, 'events', 'table_rows', ?)"

    def looked(minutes: int, count: int) -> None:
        moment = iso(NOW - timedelta(minutes=minutes))
        history.change(lambda db: db.execute(rows, (moment, count)))

    looked(10, 500)
    seen = Past(history.db, past)
    assert seen.trend("events").rows is None
    assert seen.trend("events").as_row()["rows"] == "?"
    assert "Rows that were loaded, by 6 hours</figcaption><p>not known yet" in page(seen, settings, NOW)
    looked(5, 520)
    assert seen.trend("events").rows == 20
    words = re.sub("<[^>]*>", "", page(seen, settings, NOW))
    assert "Rows are counted from the first look on, 2026-03-09 07:50 UTC." in words


def test_minutes_are_not_an_hour(settings: Settings) -> None:
    assert _hours(timedelta(minutes=10)) == "10 minutes"
    assert _hours(timedelta(hours=3)) == "3 hours"
