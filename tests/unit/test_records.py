"""The record of a run: a line of JSON a change, on disk before the next, and no change without."""

import json
import re
from datetime import datetime
from types import SimpleNamespace

import pytest

from runbook.clouds.writer import Receipt, Writer
from runbook.commands.down import _delete
from runbook.errors import NotConverged, SettingsWrong
from runbook.plan import Applied, AwsChange, Before, SqlChange
from runbook.records import Record, new_run_id

SQL = SqlChange(
    "step2_snowflake/10_roles.sql", "-- why\nUSE ROLE A;\nCREATE ROLE IF NOT EXISTS B;\n", "missing"
)
AWS = AwsChange("iam", "DeletePolicyVersion", {"VersionId": "v1"}, "old")


def lines(record):
    return [json.loads(line) for line in record.path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def record(settings, tmp_path):
    return Record(settings, "step1-aws", "20261120T120000Z-abc123", folder=tmp_path / ".runbook")


def test_nothing_is_written_before_the_first_change(record):
    assert not record.path.parent.exists()


def test_each_change_is_a_line_with_who_where_what_and_the_clouds_references(settings, record):
    record.who = {"aws": "arn:aws:iam::111122223333:user/me", "snowflake": "ME@SANDBOX"}
    record.applied(2, Applied(SQL, (Receipt("q1"), Receipt("q2"))))
    record.applied(1, Applied(AWS, (Receipt("r1"),)))
    sql, aws = lines(record)
    assert datetime.fromisoformat(sql.pop("at")).tzinfo is not None
    head = {
        "run": "20261120T120000Z-abc123",
        "command": "step1-aws",
        "target": "sandbox",
        "settings": settings.fingerprint,
        "aws": "arn:aws:iam::111122223333:user/me",
        "snowflake": "ME@SANDBOX",
    }
    assert sql == head | {
        "step": 2,
        "change": "sql/step2_snowflake/10_roles.sql",
        "why": "missing",
        "text": "USE ROLE A;\nCREATE ROLE IF NOT EXISTS B;",
        "references": ["q1", "q2"],
    }
    assert (aws["change"], aws["references"]) == ("iam:DeletePolicyVersion", ["r1"])
    assert aws["text"] == "aws iam delete-policy-version --version-id v1"
    assert "before" not in aws


def test_what_a_change_replaced_is_kept(record):
    document = {"EventBridgeConfiguration": {}, "QueueConfigurations": [{"Id": "é\n"}]}
    record.applied(5, Applied(AwsChange("s3", "Put", {}, "why", Before("Get", {}, document)), ()))
    assert lines(record)[0]["before"] == document


def test_hostile_text_stays_on_its_line(record):
    record.note({"text": "a\nb\u2028c\x1b[31m\ud800"})
    record.note({"text": "second"})
    text = record.path.read_text(encoding="utf-8")
    assert text.count("\n") == 2
    assert text.isascii()
    assert lines(record)[0]["text"] == "a\nb\u2028c\x1b[31m\ud800"


def test_a_record_that_cannot_be_written_is_an_error_that_names_it(settings, tmp_path):
    (tmp_path / "in the way").write_text("a file where the folder should be")
    record = Record(settings, "step1-aws", "run", folder=tmp_path / "in the way")
    with pytest.raises(SettingsWrong, match="The record of this run cannot be written") as refused:
        record.note({})
    assert str(record.path) in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_full_disk_is_that_same_error(settings, tmp_path):
    record = Record(settings, "step1-aws", "run", folder=tmp_path)
    record.path.parent.mkdir(parents=True)
    record.path.symlink_to("/dev/full")
    with pytest.raises(SettingsWrong, match="No space left on device"):
        record.note({"a": 1})


def test_a_record_is_made_sure_of_before_a_write_is_sent(settings, tmp_path):
    (tmp_path / "in the way").write_text("")
    record = Record(settings, "pause", "run", folder=tmp_path / "in the way")
    writer = Writer(None, ready=record.make_sure)
    for write in (
        lambda: writer.sql("ALTER"),
        lambda: writer.answer("COPY"),
        lambda: writer.aws("s3", "Put"),
    ):
        with pytest.raises(SettingsWrong, match="The record of this run cannot be written"):
            write()
    assert writer.begun == 0


def test_it_is_made_sure_of_once(record):
    record.make_sure()
    record.make_sure()
    assert [line["begun"] for line in lines(record)] == [True]


def test_a_change_that_was_made_and_cannot_be_noted_is_not_called_unmade(record):
    record.make_sure()
    record.path.unlink()
    record.path.symlink_to("/dev/full")
    with pytest.raises(NotConverged, match="DeletePolicyVersion was made, but the record"):
        record.applied(1, Applied(AWS, ()))


def test_only_before_the_first_change_is_it_said_that_nothing_is_changed(record):
    record.path.parent.mkdir(parents=True)
    record.path.symlink_to("/dev/full")
    with pytest.raises(SettingsWrong, match="nothing is changed without a record"):
        record.make_sure()
    with pytest.raises(SettingsWrong) as refused:
        record.planned(2, [SQL])
    assert "nothing is changed" not in str(refused.value)


def test_a_handoff_stays_where_its_deletion_cannot_be_noted(record, tmp_path):
    file = tmp_path / "handoff.json"
    file.write_text("{}")
    record.path.parent.mkdir(parents=True)
    record.path.symlink_to("/dev/full")
    with pytest.raises(SettingsWrong, match="record of this run cannot be written"):
        _delete(SimpleNamespace(record=record, changed=0), file)
    assert file.exists()


def test_a_runs_name_is_sortable_and_its_own():
    names = {new_run_id() for _ in range(50)}
    assert len(names) == 50
    for name in names:
        assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", name)
