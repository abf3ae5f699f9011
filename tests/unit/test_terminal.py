"""A table on a narrow terminal; a name on one that has not its letters."""

import io
import json

import pytest

from runbook.terminal import Style, say, table

ROWS = [{"stream": "events", "files": 12, "last": "never"}, {"stream": "bad", "files": 3, "last": "11-20"}]


def test_a_line_for_each_row_where_there_is_room():
    lines = table(ROWS, Style(colour=False, width=80)).splitlines()
    assert lines[0].split() == ["stream", "files", "last"]
    assert lines[2].split() == ["events", "12", "never"]


def test_a_column_for_each_row_where_there_is_none():
    rows = [{**row, "last load (UTC)": row["last"]} for row in ROWS]
    assert table(rows, Style(colour=False, width=33)).splitlines() == [
        "                   events    bad",
        "---------------  --------  -----",
        "files                  12      3",
        "last                never  11-20",
        "last load (UTC)     never  11-20",
    ]


def test_a_paragraph_for_each_row_where_there_is_room_for_neither():
    rows = [{"stream": f"stream_{i}", "files": i, "bytes": 0, "last load (UTC)": "never"} for i in range(26)]
    lines = table(rows, Style(colour=False, width=40)).splitlines()
    assert lines[:2] == ["stream_0   files 0, bytes 0, last load", "           (UTC) never"]
    assert len(lines) == 2 * 26


@pytest.mark.parametrize(
    ("encoding", "written"), [("ascii", "\\u00e9\\ud83d\\ude00"), ("latin-1", "é\\ud83d\\ude00")]
)
def test_what_the_stream_cannot_write_is_written_as_in_json(monkeypatch, encoding, written):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    say(json.dumps("é😀", ensure_ascii=False))
    text = stream.buffer.getvalue().decode(encoding)
    assert (text.strip(), json.loads(text)) == (f'"{written}"', "é😀")


@pytest.mark.parametrize(
    ("variables", "is_terminal", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_a_terminals_unless_a_variable_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_terminal: bool, colour: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    assert Style.of(stream).colour is colour
