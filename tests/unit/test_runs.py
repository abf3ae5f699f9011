"""Earlier runs: listed, told whole, compared; damage and hostile text do no harm."""

import json

import pytest

from runbook.clouds.writer import Receipt
from runbook.commands import runs
from runbook.errors import SettingsWrong
from runbook.plan import Applied, AwsChange, Before, SqlChange
from runbook.records import Record
from runbook.terminal import visible

SQL = SqlChange("step2_snowflake/10_roles.sql", "USE ROLE A;\nCREATE ROLE IF NOT EXISTS B;\n", "missing")
THEIRS = {"QueueConfigurations": [{"Id": "theirs"}]}
AWS = AwsChange(
    "s3",
    "PutBucketNotificationConfiguration",
    {"NotificationConfiguration": {"QueueConfigurations": [{"Id": "theirs"}, {"Id": "ours"}]}},
    "no rule ours",
    Before("GetBucketNotificationConfiguration", {}, THEIRS),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def record(settings, folder):
    def make(number, *changes, command="up", ended="done"):
        found = Record(settings, command, f"20261120T12000{number}Z-abc{number:03}", folder=folder)
        found.who = {"aws": "arn:aws:iam::1:user/me", "snowflake": "ME@S"}
        found.planned(2, changes)
        for change in changes:
            found.applied(2, Applied(change, (Receipt("q1"), Receipt("q2"))))
        found.proved(2, {"step2.roles-exist": "passed", "step2.x events": "failed"})
        if ended:
            found.ended(ended, error="why not" if ended == "failed" else "")
        return found

    return make


def test_a_run_without_changes_leaves_no_end(settings, folder):
    Record(settings, "status", "r", folder=folder).ended("done")
    assert runs.every() == []
    assert "no runs on record" in runs.table([])


def test_the_empty_record_of_a_full_disk_hides_no_other(record, folder):
    record(1, SQL)
    (folder / "runs" / "20261120T120002Z-abc002.jsonl").touch()
    assert [run.id[-6:] for run in runs.every()] == ["abc001"]
    assert runs.find("latest").id.endswith("abc001")


def test_a_run_is_one_line_that_fits_80_columns(record):
    record(1, SQL, command="step4-snowflake")
    assert max(map(len, runs.table(runs.every()).splitlines())) <= 80


def test_runs_are_listed_latest_first_with_how_they_ended(record):
    record(1, SQL, AWS)
    record(2, SQL, ended="failed")
    record(3, SQL, ended="")
    found = runs.every()
    assert [(run.id[-6:], len(run.changes), run.ended) for run in found] == [
        ("abc003", 1, "cut off"),
        ("abc002", 1, "failed"),
        ("abc001", 2, "done"),
    ]
    assert runs.table(found).splitlines()[2].split()[1:3] == ["up", "sandbox"]


def test_a_run_is_told_with_ids_documents_checks_and_end(record, settings):
    record(1, SQL, AWS, ended="failed")
    text = runs.told(runs.find("latest"))
    for words in (
        f"settings  {settings.fingerprint}",
        "who       arn:aws:iam::1:user/me, ME@S",
        "plan      step 2: sql/step2_snowflake/10_roles.sql, s3:Put",
        "            CREATE ROLE IF NOT EXISTS B\n            -- q2",
        '            +   "Id": "ours"',
        "checks    step 2: 1 passed, step2.x events failed",
        "ended     failed: why not",
    ):
        assert words in text
    assert '-   "Id": "theirs"' not in text


@pytest.mark.parametrize("begun", [{"why": "to time each hop"}, {}], ids=["today", "formerly"])
def test_a_canary_is_told_with_its_hops(record, begun):
    found = record(1, command="verify", ended="")
    found.note({"step": 0, "change": "canary begun", "text": "in/canary.gz", "pid": 7, **begun})
    found.note({"canary": "events", "hops": {"put": 0.2, "event": 1.4}, "problem": "not within 600 seconds"})
    text = runs.told(runs.find("latest"))
    assert "change    canary begun: to time each hop" in text
    assert "canary    events: put 0.2 s, event 1.4 s; it went no further: not within 600 seconds" in text


def test_a_run_is_found_by_the_end_of_its_id(record):
    first = record(1, SQL)
    record(2, SQL)
    assert runs.find("abc001").id == first.path.stem
    for name, said in (("abc", "no run"), ("", "2 runs"), ("zzz", "no run")):
        with pytest.raises(SettingsWrong, match=said):
            runs.find(name)


def test_two_runs_are_compared_by_what_they_did_not_when(record):
    record(1, SQL)
    record(2, SQL)
    record(3, SQL, AWS, command="step5-aws")
    assert "did the same" in runs.difference(*runs.pair("abc001..abc002"))
    text = runs.difference(*runs.pair("abc001..latest"))
    assert "+command   invoke step5-aws" in text
    assert "+change    s3:PutBucketNotificationConfiguration: no rule ours" in text
    assert "q1" not in text
    for wrong in ("abc001", "..abc001", "abc001.."):
        with pytest.raises(SettingsWrong, match="names no two runs"):
            runs.pair(wrong)


def test_a_last_line_that_was_cut_off_is_left_out(record):
    found = record(1, SQL)
    with found.path.open("a") as file:
        file.write('{"at": "2026')
    assert runs.find("latest").ended == "done"


@pytest.mark.parametrize(
    "text",
    ["{}\n", "[]\n", "no json\n{}\n", '{"command": 1}\n[]\n', "\xff\n", "[" * 100_000 + "\n"],
    ids=str.__len__,
)
def test_any_other_damage_names_the_file(folder, text):
    (folder / "runs").mkdir()
    (folder / "runs" / "x.jsonl").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsWrong, match="A record cannot be read") as refused:
        runs.every()
    assert "x.jsonl" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("été ☃", "été ☃"),
        ("\x1b[2J", "\\u001b[2J"),
        ("a\rb\x00\x7f\x9b", "a\\rb\\u0000\\u007f\\u009b"),
        ("\u202egz.exe", "\\u202egz.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\udb40\\udc01"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_instead(text, shown):
    assert visible(text) == shown
    assert json.loads(json.dumps([visible(json.dumps(text, ensure_ascii=False))]))


def test_json_stays_the_same_json():
    document = {"k\u202e": "\x9b\x7f\u2028\U000e0001"}
    assert json.loads(visible(json.dumps(document, ensure_ascii=False))) == document


@pytest.mark.parametrize(
    "line",
    [
        {"command": "up"},
        {"planned": "x"},
        {"planned": [{"what": 1}], "step": 1},
        {"checks": ["red"], "step": 1},
        {"checks": {"a": 1}},
        {"canary": "events", "hops": ["put"], "problem": ""},
        {"change": 7, "why": "x", "text": "y"},
        {"change": "s3:Put", "why": "x"},
        {"change": "s3:Put", "why": "x", "text": ["y"]},
        {"change": "s3:Put", "why": "x", "text": "y", "references": 7},
        {"change": "s3:Put", "why": "x", "text": "y", "before": {}, "parameters": []},
        {"change": "s3:Put", "why": "x", "text": "y", "before": {}, "parameters": {"PolicyDocument": "{"}},
    ],
)
def test_a_line_that_somebody_altered_is_a_damaged_record_and_no_mistake(folder, line):
    head = {} if line == {"command": "up"} else {"at": "t", "command": "up", "target": "t", "settings": "s"}
    (folder / "runs").mkdir()
    (folder / "runs" / "20261120T120001Z-abc001.jsonl").write_text(json.dumps({**head, **line}) + "\n")
    for ask in (runs.every, lambda: runs.find("latest")):
        with pytest.raises(SettingsWrong, match="A record cannot be read"):
            ask()
