"""`invoke doctor` names each single right that is taken away, and only that; shown by 8 of issue 6."""

import json
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runbook.facts.rights import GRANT_OPTION
from runbook.rights.needs import COMMANDS, AwsRight, SnowflakeRight, There, aws_rights, snowflake_rights
from runbook.settings import Identifier, Settings
from tests.scenarios.conftest import Installation, _read
from tests.scenarios.test_bad_input import changed, person


def doctor(at: Installation, expect: int, **variables: str) -> list[dict[str, Any]]:
    """What is not held."""
    with changed(at, (), variables):
        done = at.run("doctor", "--format", "json", expect=expect)
    return [row for row in json.loads(done.stdout)["findings"] if row["word"] != "held"]


def there_after_up(settings: Settings) -> There:
    """What `up` leaves in Snowflake, seen by the sandbox's administrator."""
    snowflake = settings.snowflake
    kinds = ("pipe", "stage", "file_format")
    return There(
        integration=True,
        loader=True,
        operator=True,
        database=True,
        schema=True,
        role=Identifier("ACCOUNTADMIN"),
        warehouse=Identifier("SANDBOX_WH"),
        made=(
            *(f"role {role.sql}" for role in (snowflake.loader_role, snowflake.operator_role)),
            *(
                f"{kind.replace('_', ' ')} {name}"
                for kind in kinds
                for name in sorted({getattr(stream, kind).sql for stream in settings.streams})
            ),
        ),
        tables=settings.streams,
    )


def taken_away(at: Installation, right: SnowflakeRight) -> None:
    """Take one privilege from a role and from all that it inherits; the others on the same thing stay."""
    snowflake, on = at.settings.snowflake, right.grant.partition(" ON ")[2].partition(" TO ROLE ")[0]
    at.sql("CREATE ROLE IF NOT EXISTS SOMEBODY")
    if right.on.startswith("pipe"):
        at.sql(f"ALTER {on} SET PIPE_EXECUTION_PAUSED = TRUE")  # else ownership cannot go over
    at.sql(f"GRANT OWNERSHIP ON {on} TO ROLE SOMEBODY COPY CURRENT GRANTS")
    if right.on.startswith("table"):
        for privilege in ("SELECT", "INSERT", "DELETE"):
            at.sql(f"GRANT {privilege} ON {on} TO ROLE {right.role}")
        for role in (right.role, snowflake.loader_role, snowflake.operator_role):
            at.sql(f"REVOKE {right.privilege} ON {on} FROM ROLE {role}")


# ---- AWS


def beside(account: str) -> dict[str, str]:
    """Settings under which every right that doctor knows is one of those that are needed."""
    return {
        "INVOKE_HANDOFF": "ssm:/snowpipe/handoff",
        "INVOKE_AWS_PERMISSIONS_BOUNDARY": f"arn:aws:iam::{account}:policy/edge",
        "INVOKE_AWS_KMS_KEY_ARN": f"arn:aws:kms:us-west-2:{account}:key/00000000-0000-0000-0000-000000000000",
        "INVOKE_STREAMS_EVENTS_SNS_TOPIC": f"arn:aws:sns:us-west-2:{account}:files",
        "INVOKE_STREAMS_EVENTS_BAD_SNS_TOPIC": f"arn:aws:sns:us-west-2:{account}:bad-files",
    }


def each_once(rights: Iterable[AwsRight]) -> list[tuple[str, str]]:
    """A right taken away is gone for every step and command that needs it."""
    return list(dict.fromkeys((right.action, right.resource) for right in rights))


EXAMPLE = _read(beside("111122223333"))
RIGHTS = each_once(aws_rights(EXAMPLE))
FEW = {
    RIGHTS.index(one) for one in {action.partition(":")[0]: (action, on) for action, on in RIGHTS}.values()
}


def named_in_turn(rights: Sequence[tuple[str, str]], few: Container[int]) -> list[Any]:
    """A parameter for each right; all but a few are the longer run."""
    return [
        pytest.param(number, id=" on ".join(right), marks=() if number in few else pytest.mark.slow)
        for number, right in enumerate(rights)
    ]


@pytest.fixture(scope="module")
def runner(_shared: Installation) -> tuple[Installation, dict[str, str]]:
    """A person who may do all that is needed, and the settings that need all there is."""
    who = person(_shared, "runner", ["iam:*", "s3:*", "sns:*", "kms:*", "ssm:*"])
    variables = {**who, **beside(_shared.settings.aws.account_id)}
    with changed(_shared, (), variables):
        assert doctor(_shared, 0) == []
    return _shared, variables


@pytest.mark.parametrize("number", named_in_turn(RIGHTS, FEW))
def test_each_right_on_aws_taken_away_is_named_and_no_other(
    runner: tuple[Installation, dict[str, str]], number: int
) -> None:
    """One action on one thing is denied to a person who may do everything."""
    at, variables = runner
    rights = list(aws_rights(_read({**own_settings(at), **variables})))
    assert len(each_once(rights)) == len(RIGHTS)
    action, resource = each_once(rights)[number]
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = at.aws("iam")
    iam.put_user_policy(UserName="runner", PolicyName="taken", PolicyDocument=document)
    expected = [right for right in rights if (right.action, right.resource) == (action, resource)]
    for_a_step = any(isinstance(right.step, int) for right in expected)
    try:
        found = doctor(at, 1 if for_a_step else 0, **variables)
    finally:
        iam.delete_user_policy(UserName="runner", PolicyName="taken")
    missing = [row for row in found if row["word"] == "missing"]
    assert [(row["step"], row["what"]) for row in missing] == [(one.step, str(one)) for one in expected]
    for row in missing:
        grant = json.loads(row["grant"])
        assert (grant["Action"], grant["Resource"]) == ([action], [resource])
    if found != missing:  # the bucket's own region is read with the right that is gone
        assert action == "s3:ListBucket"


def own_settings(at: Installation) -> dict[str, str]:
    return {name: value for name, value in at.environment.items() if name.startswith("INVOKE_")}


# ---- Snowflake


def of_commands(settings: Settings) -> list[SnowflakeRight]:
    """What is needed of things that `up` has made, each once; of rights to make them, see below."""
    rights = snowflake_rights(settings, there_after_up(settings))
    found = {
        str(right): right for right in rights if right.step in COMMANDS or right.privilege == "OWNERSHIP"
    }
    elsewhere = ("warehouse", "role")  # a warehouse below; a role's owner in tests/unit/test_preflight.py
    return [right for right in found.values() if not right.on.startswith(elsewhere)]


PRIVILEGES = [(right.privilege, right.on) for right in of_commands(EXAMPLE)]
A_FEW = {
    PRIVILEGES.index(one) for one in {on.partition(" ")[0]: (right, on) for right, on in PRIVILEGES}.values()
}


@pytest.mark.parametrize("number", named_in_turn(PRIVILEGES, A_FEW))
def test_each_privilege_on_what_is_there_taken_away_is_named_and_no_other(
    shared: Installation, number: int
) -> None:
    settings = shared.settings
    assert len(of_commands(settings)) == len(PRIVILEGES)
    right = of_commands(settings)[number]
    needed = [
        one.step for one in snowflake_rights(settings, there_after_up(settings)) if str(one) == str(right)
    ]
    taken_away(shared, right)
    found = doctor(shared, 1 if 2 in needed else 0)
    assert {(row["step"], row["what"]) for row in found} == {(step, str(right)) for step in needed}
    shared.sql(found[0]["grant"])
    assert doctor(shared, 0) == []


def test_a_warehouse_nobody_may_use_is_named_for_what_needs_one(installation: Installation) -> None:
    installation.sql("REVOKE USAGE ON WAREHOUSE SANDBOX_WH FROM ROLE PUBLIC")
    [found] = doctor(installation, 0)
    assert (found["step"], found["what"]) == ("backfill", "USAGE on warehouse SANDBOX_WH for SYSADMIN")
    installation.sql(found["grant"])
    assert doctor(installation, 0) == []


@pytest.mark.parametrize("made", [False, True], ids=["nothing there", "database and schema there"])
def test_each_privilege_taken_away_is_named_and_its_statement_gives_it_back(
    installation: Installation, made: bool
) -> None:
    sql, settings = installation.sql, installation.settings
    user = sql("SELECT CURRENT_USER()")[0][0]
    for role in ("ADM", "OWN"):
        sql(f"CREATE ROLE {role}")
        sql(f"GRANT ROLE {role} TO ROLE ACCOUNTADMIN")
    if made:
        sql("CREATE DATABASE RAW", "SYSADMIN")
        sql("CREATE SCHEMA RAW.SNOWPLOW", "SYSADMIN")
    roles = {"admin_role": Identifier("ADM"), "owner_role": Identifier("OWN")}
    mine = settings.model_copy(update={"snowflake": settings.snowflake.model_copy(update=roles)})
    there = There(integration=False, loader=False, operator=False, database=made, schema=made)
    rights = list(snowflake_rights(mine, there))
    assert len(rights) == (8 if made else 3)
    for right in rights:
        sql(right.grant, giver(right.on))
    as_them = {"INVOKE_SNOWFLAKE_ADMIN_ROLE": "ADM", "INVOKE_SNOWFLAKE_OWNER_ROLE": "OWN"}
    assert doctor(installation, 0, **as_them) == []
    for right in rights:
        sql(
            right.grant.replace(" TO ROLE ", " FROM ROLE ")
            .replace("GRANT ", "REVOKE ", 1)
            .replace(f" {GRANT_OPTION.upper()}", ""),
            giver(right.on),
        )
        [found] = doctor(installation, 1, **as_them)
        assert (found["what"], found["grant"]) == (str(right), right.grant)
        sql(found["grant"], giver(right.on))
    assert doctor(installation, 0, **as_them) == []
    sql("REVOKE ROLE OWN FROM ROLE ACCOUNTADMIN")
    [found] = doctor(installation, 1, **as_them)
    assert (found["what"], found["grant"]) == ("USE ROLE OWN", f"GRANT ROLE OWN TO USER {user};")


def giver(on: str) -> str:
    return "ACCOUNTADMIN" if on == "account" else "SYSADMIN"


def test_what_cannot_be_simulated_is_not_called_held(installation: Installation) -> None:
    iam = installation.aws("iam")
    who = person(installation, "runner", ["iam:*", "s3:*"])
    statement = {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="runner", PolicyName="taken", PolicyDocument=document)
    found = doctor(installation, 3, **who)
    assert {row["word"] for row in found} == {"unknown"}
    assert len(found) == len(list(aws_rights(installation.settings)))
    assert all("grant iam:SimulatePrincipalPolicy" in row["why"] for row in found)


def test_a_clock_that_is_off_and_a_region_that_is_another_are_named(healthy: Installation) -> None:
    healthy.advance(hours=1)
    found = doctor(healthy, 1)
    assert {row["cloud"] for row in found if row["what"].startswith("clocks differ by 3")} >= {"snowflake"}
    found = doctor(healthy, 1, INVOKE_AWS_REGION="eu-west-1")
    assert "the bucket is in us-west-2" in {row["what"] for row in found}


def test_it_is_told_in_a_table_with_the_statement_that_grants(installation: Installation) -> None:
    done = installation.run("doctor", "--all")
    assert "ok: USE ROLE ACCOUNTADMIN" in done.stdout
    before = installation.requests()[-1]["n"]
    with changed(installation, (), {"INVOKE_SNOWFLAKE_OWNER_ROLE": "NOBODY_HAS"}):
        done = installation.run("doctor", expect=1)
    assert "missing: USE ROLE NOBODY_HAS: it is not granted to us" in done.stdout
    assert "  GRANT ROLE NOBODY_HAS TO USER" in done.stdout
    assert installation.writes_since(before) == []


def test_all_that_is_missing_on_aws_is_one_policy_which_gives_it(installation: Installation) -> None:
    """As printed, attached to a person who may ask the simulator and nothing else."""
    iam = installation.aws("iam")
    who = person(installation, "newcomer", ["iam:SimulatePrincipalPolicy"])
    with changed(installation, (), who):
        done = installation.run("doctor", expect=1)
    _, _, printed = done.stdout.partition("AWS, one policy for whoever runs this:\n")
    document, _ = json.JSONDecoder().raw_decode(printed.strip())
    assert done.stdout.count('"Version"') == 1
    assert len([line for line in done.stdout.splitlines() if line.startswith("  missing:")]) < 12
    arn = iam.create_policy(PolicyName="wanted", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="newcomer", PolicyArn=arn)
    assert [row for row in doctor(installation, 0, **who) if row["cloud"] == "aws"] == []


@pytest.mark.parametrize("side", ["aws", "snowflake"])
def test_with_one_sides_credentials_that_side_is_told_and_counts_alone(
    installation: Installation, side: str, tmp_path: Path
) -> None:
    nobody = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    away = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    empty = tmp_path / "empty"
    empty.mkdir()
    without = {"SNOWFLAKE_HOME": str(empty)} if side == "aws" else nobody
    with changed(installation, () if side == "aws" else away, without):
        done = installation.run("doctor", "--format", "json", expect=0)
    found = json.loads(done.stdout)["findings"]
    other = {"aws": "snowflake", "snowflake": "aws"}[side]
    assert [row["what"] for row in found if row["cloud"] == other] == ["what the other administrator may do"]
    assert {row["word"] for row in found if row["cloud"] == side} == {"held"}
    assert len([row for row in found if row["cloud"] == side]) > 3
