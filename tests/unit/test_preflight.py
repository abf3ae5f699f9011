"""What doctor looks for is what docs/runbook.md#rights says, and what the steps really call."""

import re

import pytest

from runbook.facts.aws import right
from runbook.preflight.needs import There, aws_rights, snowflake_rights
from runbook.settings import read
from tests.unit.conftest import written
from tests.unit.test_documents import rows
from tests.unit.test_layout import ROOT, RUNBOOK

SETTINGS = read(
    written(
        aws__permissions_boundary="arn:aws:iam::111122223333:policy/edge",
        handoff="ssm:///snowpipe/handoff",
    )
)
TABLE = {does: needs for _, does, needs in rows(RUNBOOK, "| who | does | needs |")}


def named(text):
    return set(re.findall(r"`((?:iam|s3|ssm):\w+)`", text))


@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_table_names_the_actions_of_a_step(step):
    wanted = {row.action for row in aws_rights(SETTINGS) if row.step == step}
    parameter = {action for action in wanted if action.startswith("ssm:")}
    assert named(TABLE[f"step {step}"]) == wanted - parameter
    if step == 3:
        assert named(TABLE["a handoff in a parameter"]) == parameter


def test_every_call_a_step_makes_is_a_right_that_is_looked_for():
    known = {row.action for row in aws_rights(SETTINGS)}
    sources = [*(ROOT / "runbook" / "steps").glob("*.py"), ROOT / "runbook" / "facts" / "aws.py"]
    text = "".join(path.read_text() for path in sources)
    calls = re.findall(r'"(iam|s3)",\s*"([A-Z]\w+)"', text)
    assert len(calls) > 12
    assert {right(*call) for call in calls} - known == set()


def test_the_page_names_every_privilege():
    said = RUNBOOK[RUNBOOK.index("## Rights") :]
    for there in (
        There(False, False, False, False, False),
        There(False, False, False, True, False),
        There(False, False, False, True, True),
    ):
        for wanted in snowflake_rights(SETTINGS, there):
            assert f"`{wanted.privilege}`" in said


@pytest.mark.parametrize(
    ("there", "grants"),
    [
        (
            There(False, False, False, False, False),
            [
                "GRANT CREATE INTEGRATION ON ACCOUNT TO ROLE ACCOUNTADMIN;",
                "GRANT CREATE ROLE ON ACCOUNT TO ROLE ACCOUNTADMIN;",
                "GRANT CREATE DATABASE ON ACCOUNT TO ROLE SYSADMIN;",
            ],
        ),
        (
            There(True, True, True, True, False),
            [
                "GRANT OWNERSHIP ON INTEGRATION SNOWPLOW_S3 TO ROLE ACCOUNTADMIN;",
                "GRANT USAGE ON DATABASE RAW TO ROLE SYSADMIN WITH GRANT OPTION;",
                "GRANT CREATE SCHEMA ON DATABASE RAW TO ROLE SYSADMIN;",
            ],
        ),
    ],
)
def test_the_statement_that_grants(there, grants):
    assert [wanted.grant for wanted in snowflake_rights(SETTINGS, there)] == grants
