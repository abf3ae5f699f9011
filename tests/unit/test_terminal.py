"""A table on a narrow terminal."""

from runbook.terminal import Style, table

ROWS = [{"stream": "events", "files": 12, "last": "never"}, {"stream": "bad", "files": 3, "last": "11-20"}]


def test_a_line_for_each_row_where_there_is_room():
    lines = table(ROWS, Style(colour=False, width=80)).splitlines()
    assert lines[0].split() == ["stream", "files", "last"]
    assert lines[2].split() == ["events", "12", "never"]


def test_a_column_for_each_row_where_there_is_none():
    assert table(ROWS, Style(colour=False, width=20)).splitlines() == [
        "         events    bad",
        "-----  --------  -----",
        "files        12      3",
        "last      never  11-20",
    ]
