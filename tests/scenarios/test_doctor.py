"""`invoke doctor` names each single right that is taken away, and only that; shown by 8 of issue 6."""

import json
from typing import Any

import pytest

from runbook.facts.rights import GRANT_OPTION
from runbook.preflight.needs import There, aws_rights, snowflake_rights
from runbook.settings import Identifier
from tests.scenarios.conftest import Installation
from tests.scenarios.test_bad_input import changed, person


def doctor(at: Installation, expect: int, **variables: str) -> list[dict[str, Any]]:
    """What is not held."""
    with changed(at, (), variables):
        done = at.run("doctor", "--format", "json", expect=expect)
    return [row for row in json.loads(done.stdout)["findings"] if row["word"] != "held"]


def test_each_right_on_aws_taken_away_is_named_and_no_other(installation: Installation) -> None:
    """Every action of every step is denied in turn to a person who may do all of them."""
    iam = installation.aws("iam")
    who = person(installation, "runner", ["iam:*", "s3:*"])
    rights = list(aws_rights(installation.settings))
    actions = sorted({right.action for right in rights})
    assert len(actions) >= 15
    assert doctor(installation, 0, **who) == []
    for action in actions:
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="runner", PolicyName="taken", PolicyDocument=document)
        found = doctor(installation, 1, **who)
        named = {row["what"] for row in found if row["word"] == "missing"}
        assert named == {str(right) for right in rights if right.action == action}
        for row in found:
            if row["word"] == "missing":
                assert json.loads(row["grant"])["Action"] == [action]
            else:  # the bucket's own region is read with the right that is gone
                assert action == "s3:ListBucket"


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
