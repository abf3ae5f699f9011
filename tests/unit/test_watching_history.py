"""The history: whatever its file is, watching goes on."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.watching.history import VERSION, History, iso, read_only, when

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def _note(path: Path) -> str:
    history = History(path)
    history.keep("key", "value")
    found = history.noted("key")
    history.close()
    return found


def test_it_remembers(tmp_path: Path) -> None:
    path = tmp_path / "prod" / "history.sqlite"
    _note(path)
    again = History(path)
    assert (again.noted("key"), again.noted("other"), again.problem) == ("value", "", "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_change_that_was_cut_off_was_never_made(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")

    def work(_: sqlite3.Connection) -> None:
        history.note("key", "value")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        history.change(work)
    assert history.noted("key") == ""


@pytest.mark.parametrize(
    "text", [b"this is no database, and long enough to be looked at" * 40, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_broken_file_is_set_aside(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "h.sqlite"
    path.write_bytes(text)
    history = History(path)
    assert "broken" in history.problem
    assert [each.read_bytes() for each in tmp_path.glob("*.broken-*")] == [text]
    history.close()
    assert _note(path) == "value"


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.execute("CREATE TABLE theirs (a)")
    db.close()
    before = path.read_bytes()
    history = History(path)
    assert f"version {VERSION + 1}" in history.problem
    history.keep("key", "value")
    assert history.noted("key") == "value"
    history.close()
    assert path.read_bytes() == before
    assert read_only(path) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "h.sqlite")
    assert "cannot be opened" in history.problem
    history.keep("key", "value")
    assert history.noted("key") == "value"


def test_a_disk_that_is_full_is_left_and_come_back_to(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    history = History(path)
    history.keep("before", "1")
    pages = history.db.execute("PRAGMA page_count").fetchone()[0]
    history.db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk
    for number in range(3):
        history.keep(f"during{number}", "x" * 50_000)
    assert "cannot be written" in history.problem
    assert history.noted("before") == "1"
    assert len(history.noted("during2")) == 50_000
    history.back_to_the_file()
    assert history.problem == ""
    history.close()
    assert History(path).noted("before") == "1"
    assert len(History(path).noted("during1")) == 50_000


def test_it_is_bounded(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite", durable=False)

    def work(db: sqlite3.Connection) -> None:
        for day in range(100):
            at = iso(NOW - timedelta(days=day))
            db.execute("INSERT INTO round VALUES (?, 1, 'healthy', 0, '{}')", (at,))
            db.execute("INSERT INTO figure VALUES (?, 'events', 'pending_files', 1)", (at,))
            db.execute("INSERT INTO arrival VALUES ('events', ?, 1, 1)", (at,))
            db.execute(
                "INSERT INTO message VALUES (?, 'team', ?, 'broken', '{}', '{}', ?, '')",
                (str(day), at, "begun" if day == 99 else "sent"),
            )
        db.execute("INSERT INTO round VALUES (?, 1, 'healthy', 0, '{}')", (iso(NOW + timedelta(days=3650)),))

    history.change(work)
    history.forget(NOW, 35)
    counts = {
        table: history.db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("round", "figure", "arrival", "message")
    }
    assert counts == {
        "round": 36,
        "figure": 36,
        "arrival": 71,
        "message": 37,
    }  # what was begun is not forgotten


def test_times_sort_as_text() -> None:
    assert when(iso(NOW)) == NOW
    assert sorted([iso(NOW + timedelta(hours=9)), iso(NOW)])[0] == iso(NOW)


def test_the_schema_is_the_documented_one(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite")
    tables = [name for (name,) in history.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    page = (Path(__file__).parents[2] / "docs" / "watch.md").read_text()
    for table in tables:
        columns = [row[1] for row in history.db.execute(f"PRAGMA table_info({table})")]
        assert f"| `{table}` | {', '.join(f'`{column}`' for column in columns)} |" in page
    assert f"`user_version` is {VERSION}" in page
    json.dumps(tables)
