"""What doctor looks for is what docs/runbook.md#rights says, and what the steps really call."""

import re

import pytest

from runbook.facts.aws import right
from runbook.rights.judged import snowflake_findings
from runbook.rights.needs import COMMANDS, OPTIONAL, There, aws_rights, snowflake_rights
from runbook.settings import read
from tests.unit.conftest import written
from tests.unit.test_documents import rows
from tests.unit.test_layout import ROOT, RUNBOOK

SETTINGS = read(
    written(
        aws__permissions_boundary="arn:aws:iam::111122223333:policy/edge",
        aws__kms_key_arn="arn:aws:kms:us-west-2:111122223333:key/1",
        streams__events__sns_topic="arn:aws:sns:us-west-2:111122223333:files",
        handoff="ssm:///snowpipe/handoff",
    )
)
TABLE = {does: needs for _, does, needs in rows(RUNBOOK, "| who | does | needs |")}


def named(text):
    return set(re.findall(r"`((?:iam|s3|ssm|sns|kms):\w+)`", text))


@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_table_names_the_actions_of_a_step(step):
    wanted = {row.action for row in aws_rights(SETTINGS) if row.step == step}
    parameter = {action for action in wanted if action.startswith("ssm:")}
    assert named(TABLE[f"step {step}"]) == wanted - parameter
    if step == 3:
        assert named(TABLE["a handoff in a parameter"]) == parameter


@pytest.mark.parametrize("command", ["backfill", "replace-pipe", "verify --canary", "down"])
def test_the_table_names_the_actions_of_a_command(command):
    wanted = {row.action for row in aws_rights(SETTINGS) if row.step == command}
    assert named(TABLE[f"`{command}`"]) == wanted
    assert command in COMMANDS


def test_every_call_that_is_made_is_a_right_that_is_looked_for():
    """Of steps, commands and what they read; identities and the simulator are doctor's own."""
    known = {row.action for row in aws_rights(SETTINGS)} | set(OPTIONAL)
    sources = [
        path
        for path in (ROOT / "runbook").rglob("*.py")
        if "rights" not in path.relative_to(ROOT / "runbook").parts
    ]
    text = "".join(path.read_text() for path in sources)
    calls = re.findall(r'"(iam|s3|sns|kms|ssm)",\s*"([A-Z]\w+)"', text)
    calls += [("iam", name) for name in re.findall(r'_pages\(reader, "(\w+)"', text)]
    assert len(calls) > 30
    assert {right(*call) for call in calls} - known == set()


def test_where_terraform_makes_it_only_what_we_read_is_needed():
    terraforms = read(written(aws__managed_by="terraform"))
    steps = {row.action for row in aws_rights(terraforms) if isinstance(row.step, int)}
    assert {action for action in steps if not re.search(":(Get|List|Describe)", action)} == set()
    half = read(written(aws__managed_by="terraform_without_rules"))
    kept = {row.action for row in aws_rights(half) if isinstance(row.step, int)}
    assert kept - steps == {"s3:PutBucketNotification"}


class Session:
    """A Snowflake session whose answers are given, by how a statement begins."""

    def __init__(self, settings, answers):
        self.settings, self.answers = settings, answers
        self.reader, self.integration, self.roles, self.schema_exists = self, None, {"SNOWPLOW_LOADER"}, False

    def sql(self, statement):
        return next((rows for start, rows in self.answers.items() if statement.startswith(start)), [])


MARKED = {"name": "SNOWPLOW_LOADER", "comment": "(snowpipe-runbook)"}


@pytest.mark.parametrize(
    ("owner", "warehouse", "missing"),
    [
        ("ACCOUNTADMIN", "W", []),
        ("SYSADMIN", "W", []),  # inherited
        ("SOMEBODY", "W", ["OWNERSHIP on role SNOWPLOW_LOADER for ACCOUNTADMIN"]),
        ("ACCOUNTADMIN", None, ["a warehouse in the session"]),
    ],
)
def test_what_taking_back_and_loading_lack(owner, warehouse, missing):
    def granted(privilege, on, name=""):
        return {"privilege": privilege, "granted_on": on, "name": name}

    made = ("CREATE INTEGRATION", "CREATE ROLE", "CREATE DATABASE")
    session = Session(
        SETTINGS,
        {
            "SELECT CURRENT_AVAILABLE_ROLES()": [
                {"names": '["ACCOUNTADMIN", "SYSADMIN", "SNOWPLOW_LOADER"]', "me": "ANN"}
            ],
            "SELECT CURRENT_ROLE()": [{"role_name": "ACCOUNTADMIN", "warehouse": warehouse}],
            "SHOW ROLES": [{**MARKED, "owner": owner}],
            'SHOW GRANTS TO ROLE "ACCOUNTADMIN"': [granted("USAGE", "ROLE", "SYSADMIN")],
            'SHOW GRANTS TO ROLE "PUBLIC"': [granted("USAGE", "WAREHOUSE", "W")],
            'SHOW GRANTS TO ROLE "SYSADMIN"': [granted(name, "ACCOUNT") for name in made],
        },
    )
    found = snowflake_findings(session)
    assert [row.what for row in found if row.word == "missing"] == missing
    assert {row.step for row in found if row.word == "missing"} <= {"down", "backfill"}


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
                "GRANT OWNERSHIP ON INTEGRATION SNOWPLOW_S3 TO ROLE ACCOUNTADMIN COPY CURRENT GRANTS;",
                "GRANT USAGE ON DATABASE RAW TO ROLE SYSADMIN WITH GRANT OPTION;",
                "GRANT CREATE SCHEMA ON DATABASE RAW TO ROLE SYSADMIN;",
            ],
        ),
    ],
)
def test_the_statement_that_grants(there, grants):
    assert [wanted.grant for wanted in snowflake_rights(SETTINGS, there)] == grants
