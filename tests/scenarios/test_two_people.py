"""Two administrators, each with rights on one cloud only, and what they hand over."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

PARAMETER = "/snowpipe/handoff"


def alone_on_aws(whole: Installation) -> Installation:
    """The AWS administrator: nothing to sign in to Snowflake with."""
    home = whole.folder / "no-snowflake"
    home.mkdir()
    return replace(whole, environment={**whole.environment, "SNOWFLAKE_HOME": str(home)})


def alone_on_snowflake(whole: Installation, keys: dict[str, str] | None = None) -> Installation:
    """Snowflake's administrator: no AWS credentials, or those of somebody with other rights."""
    environment = {
        name: value
        for name, value in whole.environment.items()
        if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }
    return replace(whole, environment={**environment, **(keys or {})})


def with_a_handoff(make: Callable[..., Installation], place: str, tmp_path: Path) -> Installation:
    return make(INVOKE_HANDOFF=place.replace("FOLDER", str(tmp_path)))


def parameter_reader(whole: Installation) -> dict[str, str]:
    """An AWS user who may read and write one parameter, and nothing else."""
    iam = whole.aws("iam")
    iam.create_user(UserName="snowflake-admin")
    resource = f"arn:aws:ssm:*:{whole.settings.aws.account_id}:parameter{PARAMETER}"
    allow = {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:PutParameter"], "Resource": resource}
    iam.put_user_policy(
        UserName="snowflake-admin",
        PolicyName="handoff",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    key = iam.create_access_key(UserName="snowflake-admin")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.mark.parametrize("place", ["FOLDER/handoff.json", f"ssm:{PARAMETER}"])
def test_five_steps_by_two_people_with_rights_on_one_cloud_each(
    new_installation: Callable[..., Installation], tmp_path: Path, place: str
) -> None:
    whole = with_a_handoff(new_installation, place, tmp_path)
    keys = parameter_reader(whole) if place.startswith("ssm:") else None
    aws, snowflake = alone_on_aws(whole), alone_on_snowflake(whole, keys)

    aws.run("step1-aws")
    aws.run("handoff")
    snowflake.run("step2-snowflake")
    assert "external ID" in snowflake.run("handoff").stdout
    opened = aws.run("step3-aws")
    assert "step3.snowflake-gets-in" in opened.stderr
    snowflake.run("step4-snowflake")
    snowflake.run("handoff")
    aws.run("step5-aws")

    whole.assert_healthy()
    for one, step in ((aws, 1), (snowflake, 2), (aws, 3), (snowflake, 4), (aws, 5)):
        task = f"step{step}-{'aws' if one is aws else 'snowflake'}"
        assert "nothing to change" in one.run(task).stdout


def outcomes(found: dict[str, Any]) -> dict[str, set[str]]:
    by_word: dict[str, set[str]] = {}
    for row in found["checks"]:
        by_word.setdefault(row["outcome"], set()).add(row["id"])
    return by_word


def test_verify_by_one_side_judges_what_was_handed_over_and_never_says_healthy(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    whole = with_a_handoff(new_installation, "FOLDER/handoff.json", tmp_path)
    whole.run("up")
    whole.run("handoff")
    aws, snowflake = alone_on_aws(whole), alone_on_snowflake(whole)

    found = aws.verify()
    assert found["healthy"] is False
    seen = outcomes(found)
    assert {"step3.trust-external-id", "step5.rule-reaches-the-pipes-queue"} <= seen["passed"]
    assert {"step2.integration-exists", "step3.snowflake-gets-in", "step4.pipe-runs"} <= seen["unknown"]
    other = outcomes(snowflake.verify())
    assert {"step1.role-exists", "step5.rule-exists"} <= other["unknown"]
    needless = outcomes(whole.verify())["skipped"]  # what these settings do not ask of anybody
    for one in (seen, other):
        assert set(one) == {"passed", "skipped", "unknown"}
        assert one["skipped"] <= needless

    whole.aws("s3").put_bucket_notification_configuration(
        Bucket=whole.settings.aws.bucket, NotificationConfiguration={}
    )
    assert aws.verify()["root_causes"] == ["step5.rule-exists"]
    assert aws.run("verify", expect=1).stdout.count("There are no Snowflake credentials here") == 1


def test_a_handoff_that_is_out_of_date_is_told(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    whole = with_a_handoff(new_installation, "FOLDER/handoff.json", tmp_path)
    whole.run("up")
    whole.run("handoff")
    snowflake = alone_on_snowflake(whole)
    whole.sql("CREATE OR REPLACE STORAGE INTEGRATION SNOWPLOW_S3 TYPE = EXTERNAL_STAGE "
              "STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_ALLOWED_LOCATIONS = ('*') "
              f"STORAGE_AWS_ROLE_ARN = '{whole.settings.aws.role_arn}'")  # fmt: skip
    told = snowflake.run("step2-snowflake").stderr  # somebody's, which allows all that is needed: it stays
    assert "does not say: the external ID; run `invoke handoff`" in told
    snowflake.run("handoff")
    assert "does not say" not in snowflake.run("step2-snowflake").stderr

    aws = alone_on_aws(whole)
    aws.environment["INVOKE_AWS_ROLE_NAME"] = "another-role"
    refused = aws.run("step3-aws", expect=2).stderr
    assert "written under other settings: aws" in " ".join(refused.split())


def test_what_is_not_handed_over_yet_is_named_with_who_brings_it(
    new_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    whole = with_a_handoff(new_installation, "FOLDER/handoff.json", tmp_path)
    aws = alone_on_aws(whole)
    assert "invoke step1-aws" in aws.run("handoff", expect=2).stderr
    aws.run("step1-aws")
    early = aws.run("step3-aws", expect=2).stderr
    assert "step2-snowflake handoff" in " ".join(early.split())
    aws.run("handoff")
    alone_on_snowflake(whole).run("step2-snowflake", "handoff")
    aws.run("step3-aws")
    assert "step4-snowflake handoff" in " ".join(aws.run("step5-aws", expect=2).stderr.split())


@pytest.mark.parametrize("place", ["FOLDER/handoff.json", f"ssm:{PARAMETER}"])
def test_down_takes_back_what_was_handed_over_and_nothing_else_at_that_place(
    new_installation: Callable[..., Installation], tmp_path: Path, place: str
) -> None:
    whole = with_a_handoff(new_installation, place, tmp_path)
    file, ssm = tmp_path / "handoff.json", whole.aws("ssm")

    def there() -> str:
        if place.startswith("ssm:"):
            found = ssm.get_parameters(Names=[PARAMETER])["Parameters"]
            return str(found[0]["Value"]) if found else ""
        return file.read_text() if file.exists() else ""

    def put(text: str) -> None:
        file.write_text(text)
        ssm.put_parameter(Name=PARAMETER, Value=text, Type="String", Overwrite=True)

    whole.run("up", "handoff")
    ours = there()
    assert json.loads(ours)["snowflake"]
    dry = " ".join(whole.run("down", "--dry-run").stdout.split())
    assert "it hands over what is gone" in dry
    assert there() == ours
    whole.run("down")
    assert there() == ""
    taken = "handoff.json" if place.startswith("FOLDER") else "ssm:DeleteParameter"
    assert taken in whole.run("runs", "--show", "latest").stdout
    assert "there is nothing to take back" in whole.run("down").stdout

    for theirs in ("by hand", json.dumps({**json.loads(ours), "settings": {"aws": "another"}})):
        put(theirs)
        assert "there is nothing to take back" in whole.run("down").stdout
        assert there() == theirs


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"iam_user_arn": "*"}, "snowflake.iam_user_arn"),
        ({"iam_user_arn": "arn:aws:iam::111122223333:root"}, "snowflake.iam_user_arn"),
        ({"external_id": "0000\n"}, "snowflake.external_id"),
        ({"notification_channels": {"events": "arn:aws:sns:us-west-2:111122223333:x"}}, "channels"),
        ({"surplus": 1}, "surplus"),
    ],
)  # fmt: skip
def test_a_forged_handoff_is_none(
    new_installation: Callable[..., Installation], tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    whole = with_a_handoff(new_installation, "FOLDER/handoff.json", tmp_path)
    whole.run("step1-aws", "step2-snowflake", "handoff")
    file = tmp_path / "handoff.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "snowflake": {**document["snowflake"], **wrong}}))
    assert says in alone_on_aws(whole).run("step3-aws", expect=3).stderr
