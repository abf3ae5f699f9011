"""What a recording holds: other names, always the same by the same, and nothing secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from runbook import __version__
from runbook.clouds.tape import Recorder
from runbook.errors import SettingsWrong
from runbook.settings import read as settings_of
from runbook.verify import recording
from runbook.verify.renaming import Renaming
from tests.unit.conftest import written

EXTERNAL_ID = "AB12345_SFCRole=2_x8sd/dsf="
USER = "arn:aws:iam::900000000001:user/ab12345-s-x"
ACCOUNT = {"locator": "AB12345", "organization": "SANDBOXORG", "account_name": "SANDBOX", "user_name": "Anna"}


def answers() -> dict[str, list[Any]]:
    recorder = Recorder()
    shown = [
        {"property": "STORAGE_AWS_EXTERNAL_ID", "property_value": EXTERNAL_ID},
        {"property": "STORAGE_AWS_IAM_USER_ARN", "property_value": USER},
    ]
    theirs = {
        "sts:ExternalId": ["vendor-hush-7Q", "AB12345_SFCRole=1_b0Ld="],
        "aws:SourceAccount": "987654321098",
    }
    trust = [
        {"Principal": {"AWS": USER}, "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}},
        {"Principal": {"AWS": ["900000000002"]}, "Condition": {"StringEquals": theirs}},
        {"Principal": {"AWS": USER}, "Condition": {"StringLike": {"STS:externalid": "*_SFCRole=*"}}},
    ]
    role = {
        "Arn": "arn:aws:iam::111122223333:role/reader",
        "RoleId": "AROAIOSFODNN7EXAMPLE",
        "AssumeRolePolicyDocument": {"Statement": trust},
    }
    for question, answer in (
        (("sql", "SELECT CURRENT_ACCOUNT() AS locator", None), [ACCOUNT]),
        (("sql", "DESC INTEGRATION S3_INT", None), shown),
        (("aws", "iam", "GetRole", {"RoleName": "reader"}), {"Role": role}),
        (("sql", "SHOW STAGES", None), [{"url": "s3://snowplow-sandbox/in/", "owner": "SNOWPLOW_LOADER"}]),
    ):
        recorder.kept(question, lambda: answer)  # noqa: B023 (called at once)
    return recorder.answers


def renamed() -> tuple[Any, str]:
    settings = settings_of(written())
    found = {
        "answers": answers(),
        "settings": {"account": "SANDBOXORG-SANDBOX", "also": "sandboxorg-sandbox"},
    }
    made = Renaming(found, settings).value(found)
    return made, json.dumps(made)


OTHERS = ("hush", "b0Ld", "987654321098", "900000000002")
HIDDEN = ("111122223333", "900000000001", "AB12345", "ab12345", "SANDBOXORG", "sandboxorg", "Anna", "x8sd")


@pytest.mark.parametrize("hidden", [*HIDDEN, *OTHERS, "snowplow-sandbox", "AROAIOSFODNN7EXAMPLE"])
def test_whose_it_is_stands_nowhere(hidden: str) -> None:
    assert hidden not in renamed()[1]


def test_the_same_is_replaced_by_the_same_and_keeps_its_shape() -> None:
    made, text = renamed()
    (row,) = made["answers"]['["sql", "DESC INTEGRATION S3_INT", null]']
    external_id, user = (each["property_value"] for each in row["answer"])
    (who,) = made["answers"]['["sql", "SELECT CURRENT_ACCOUNT() AS locator", null]'][0]["answer"]
    assert external_id.startswith(f"{who['locator']}_SFCRole=2_")
    assert len(external_id) - len(who["locator"]) == len(EXTERNAL_ID) - len("AB12345")
    assert user.startswith("arn:aws:iam::50000000000")
    assert text.count(user) == 3
    assert made["settings"]["account"] == f"{who['organization']}-{who['account_name']}"
    assert "s3://the-bucket/in/" in text
    assert "*_SFCRole=*" in text
    assert text.count(external_id) == 2
    assert "SNOWPLOW_LOADER" in text


def test_a_secret_of_this_process_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "not-for-others-1")
    said = {"answers": {}, "settings": {}, "a": ["say not-for-others-1"], "not-for-others-1": 1}
    assert "not-for-others-1" not in json.dumps(recording.without_secrets(said))
    assert "not-for-others-1" not in json.dumps(Renaming(said, settings_of(written())).value(said))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a recording"),
        ("[]", "is not a recording"),
        ("{}", "is not a recording"),
        (json.dumps({"recording": 2, "version": __version__}), "another version"),
        (json.dumps({"recording": 1, "version": "0.0.1"}), "another version"),
        ("[" * 100_000, "is not a recording"),
        (json.dumps({"recording": 1, "version": __version__}), "not whole"),
        (json.dumps({"recording": 1, "version": __version__, "settings": 5, "answers": {}}), "not whole"),
    ],
)
def test_what_is_no_recording_of_ours_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(text)
    with pytest.raises(SettingsWrong, match=said):
        recording.read(str(file))
    with pytest.raises(SettingsWrong, match="cannot be read"):
        recording.read(str(tmp_path / "nothing"))


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    made = {
        "recording": 1,
        "version": __version__,
        "asked": {"step": None, "stream": None, "deep": False},
        "started_at": "2026-01-01T00:00:00+00:00",
        "duration_s": 1.5,
        "absent": [],
        "settings": {},
        "answers": {},
    }
    recording.write(made, str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert recording.read(str(file)) == made
