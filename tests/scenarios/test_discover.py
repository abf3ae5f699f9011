"""An installation that others made, by the documented runbook's SQL and an administrator's AWS calls."""

import gzip
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

COLUMNS = [f"c{number}" for number in range(131)]
EVENT = gzip.compress(b"app" + b"\t" * 130 + b"\n")
BAD = gzip.compress(b'{"schema": "x", "data": {}}\n')
TSV = (
    "(TYPE = CSV FIELD_DELIMITER = '\\t' FIELD_OPTIONALLY_ENCLOSED_BY = NONE ESCAPE_UNENCLOSED_FIELD = NONE)"
)

THROUGH = "STORAGE_INTEGRATION = SNOWPLOW_S3_INTEGRATION"
STAGES = [
    f"CREATE STAGE RAW.SNOWPLOW.SNOWPLOW_STAGE {THROUGH} URL = '{{url}}good/'",
    f"CREATE STAGE RAW.SNOWPLOW.SNOWPLOW_BAD_STAGE {THROUGH} URL = '{{url}}bad/'",
]
SOURCES = ("@RAW.SNOWPLOW.SNOWPLOW_STAGE", "@RAW.SNOWPLOW.SNOWPLOW_BAD_STAGE")
ONE_STAGE = [f"CREATE STAGE RAW.SNOWPLOW.SNOWPLOW_STAGE {THROUGH} URL = '{{url}}'"]
PATHS = ("@RAW.SNOWPLOW.SNOWPLOW_STAGE/good/", "@RAW.SNOWPLOW.SNOWPLOW_STAGE/bad/")


@dataclass
class Theirs:
    """An installation made from outside, and its discovered environment file."""

    at: Installation
    file: Path

    def invoke(self, *arguments: str, expect: int = 0) -> str:
        done = self.at.run("-f", str(self.file), *arguments, expect=expect)
        return done.stdout if expect == 0 else " ".join(done.stderr.split())

    def found(self) -> dict[str, Any]:
        done = self.at.run("-f", str(self.file), "verify", "--deep", "--format", "json", expect=None)
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["healthy"] == (done.returncode == 0)
        return found

    def assert_healthy(self) -> None:
        found = self.found()
        red = [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")]
        assert found["healthy"], json.dumps(red, indent=1)

    def put(self, folder: str, name: str, body: bytes) -> str:
        key = f"snowplow/{folder}/{name}"
        self.at.aws("s3").put_object(Bucket=self.at.settings.aws.bucket, Key=key, Body=body)
        return key

    def rows(self, table: str) -> int:
        return int(self.at.sql(f"SELECT COUNT(*) FROM RAW.SNOWPLOW.{table}")[0][0])

    def unheard(self, *files: tuple[str, str, bytes]) -> None:
        """Files whose announcement is lost."""
        self.at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
        for file in files:
            self.put(*file)
        self.at.control("DELETE", "/faults")

    def backfill(self, expect: int = 0) -> None:
        for stream in ("events", "events_bad"):
            self.at.run(
                "-f",
                str(self.file),
                "backfill",
                "--pattern",
                ".*",
                "--stream",
                stream,
                "--yes",
                expect=expect,
            )

    def discover(self, *arguments: str, expect: int = 0) -> str:
        done = self.at.run(
            "discover",
            "--pipe",
            "RAW.SNOWPLOW.SNOWPLOW_PIPE",
            "--output",
            str(self.file),
            *arguments,
            expect=expect,
        )
        return done.stdout + done.stderr


def role(at: Installation) -> str:
    """The role of the documented runbook, with a policy that may more than it needs."""
    iam, bucket = at.aws("iam"), f"arn:aws:s3:::{at.settings.aws.bucket}"
    trust = {"Effect": "Allow", "Principal": {"AWS": at.settings.aws.account_id}, "Action": "sts:AssumeRole"}
    rights = [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"{bucket}/snowplow/*",
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": bucket},
    ]
    made = iam.create_role(RoleName="snowflake-read-role", AssumeRolePolicyDocument=text(trust))
    iam.put_role_policy(RoleName="snowflake-read-role", PolicyName="read", PolicyDocument=text(*rights))
    return str(made["Role"]["Arn"])


def text(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusted(at: Installation) -> None:
    """Step 3 by hand: what DESC INTEGRATION shows, into the role's trust policy."""
    value = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION SNOWPLOW_S3_INTEGRATION")}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": value["STORAGE_AWS_IAM_USER_ARN"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": value["STORAGE_AWS_EXTERNAL_ID"]}},
    }
    at.aws("iam").update_assume_role_policy(RoleName="snowflake-read-role", PolicyDocument=text(statement))


def integration(at: Installation, role_arn: str) -> None:
    """Step 2."""
    at.sql(
        "CREATE STORAGE INTEGRATION SNOWPLOW_S3_INTEGRATION TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        f"ENABLED = TRUE STORAGE_AWS_ROLE_ARN = '{role_arn}' "
        f"STORAGE_ALLOWED_LOCATIONS = ('s3://{at.settings.aws.bucket}/snowplow/')"
    )


def objects(at: Installation, stages: list[str], sources: tuple[str, str]) -> str:
    """Step 4, in one worksheet of an accountadmin's; the queue that both pipes share."""
    columns = ", ".join(f"{name} VARCHAR" for name in COLUMNS)
    for statement in (
        "CREATE DATABASE IF NOT EXISTS RAW",
        "CREATE SCHEMA IF NOT EXISTS RAW.SNOWPLOW",
        f"CREATE TABLE RAW.SNOWPLOW.EVENTS ({columns})",
        "CREATE TABLE RAW.SNOWPLOW.EVENTS_BAD (payload VARIANT)",
        *(stage.format(url=f"s3://{at.settings.aws.bucket}/snowplow/") for stage in stages),
        f"CREATE PIPE RAW.SNOWPLOW.SNOWPLOW_PIPE AUTO_INGEST = TRUE AS\n"
        f"COPY INTO RAW.SNOWPLOW.EVENTS\nFROM {sources[0]}\nFILE_FORMAT = {TSV}",
        f"CREATE PIPE RAW.SNOWPLOW.SNOWPLOW_BAD_PIPE AUTO_INGEST = TRUE AS "
        f"COPY INTO RAW.SNOWPLOW.EVENTS_BAD FROM {sources[1]} FILE_FORMAT = (TYPE = JSON)",
    ):
        at.sql(statement)
    (channel,) = {str(row[6]) for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW")}
    return channel


def by_hand(
    at: Installation, stages: list[str] = STAGES, sources: tuple[str, str] = SOURCES, suffix: str = ""
) -> Theirs:
    """The five documented steps, as an accountadmin and an AWS administrator type them."""
    integration(at, role(at))
    trusted(at)
    announced(at, objects(at, stages, sources), suffix)
    return Theirs(at, at.folder / "discovered.yaml")


def announced(at: Installation, channel: str, suffix: str) -> None:
    """Step 5 as the console does it: one rule for everything, to the queue that both pipes share."""
    filters = [{"Name": "prefix", "Value": "snowplow/"}]
    if suffix:
        filters.append({"Name": "suffix", "Value": suffix})
    rule = {
        "Id": "snowpipe",
        "QueueArn": channel,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": filters}},
    }
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )


AWS_SIDE = """
variable "bucket" {}
variable "user" {}
variable "external_id" {}
variable "queue" { default = "" }

resource "aws_iam_role" "snowflake" {
  name = "snowflake-read-role"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = var.user }
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_policy" "read" {
  name = "snowflake-read-policy"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"],
        Resource = "arn:aws:s3:::${var.bucket}/*" },
      { Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation"],
        Resource = "arn:aws:s3:::${var.bucket}" },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.snowflake.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_s3_bucket_notification" "snowpipe" {
  count  = var.queue == "" ? 0 : 1
  bucket = var.bucket
  queue {
    queue_arn     = var.queue
    events        = ["s3:ObjectCreated:*"]
    filter_suffix = ".gz"
  }
}
"""


def by_terraform(at: Installation, plugins: str) -> Theirs:
    """The documented other order: Snowflake first, its values into somebody's own Terraform."""
    folder = at.folder / "theirs"
    folder.mkdir()
    (folder / "main.tf").write_text(AWS_SIDE)
    account = at.settings.aws.account_id
    integration(at, f"arn:aws:iam::{account}:role/snowflake-read-role")
    value = {str(row[0]): str(row[2]) for row in at.sql("DESC INTEGRATION SNOWPLOW_S3_INTEGRATION")}

    def terraform(*arguments: str, queue: str = "") -> None:
        environment = {
            **at.environment,
            "HOME": str(at.folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_VAR_bucket": at.settings.aws.bucket,
            "TF_VAR_user": value["STORAGE_AWS_IAM_USER_ARN"],
            "TF_VAR_external_id": value["STORAGE_AWS_EXTERNAL_ID"],
            "TF_VAR_queue": queue,
        }
        done = subprocess.run(
            ["terraform", *arguments, "-input=false", "-no-color"],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    terraform("init", "-plugin-dir", plugins)
    terraform("apply", "-auto-approve")
    terraform("apply", "-auto-approve", queue=objects(at, STAGES, SOURCES))
    return Theirs(at, at.folder / "discovered.yaml")


@pytest.mark.parametrize(
    ("stages", "sources"),
    [(STAGES, SOURCES), (ONE_STAGE, PATHS)],
    ids=["a stage each", "one stage, two paths"],
)
def test_what_others_made_is_discovered_verified_and_backfilled_as_it_is(
    installation: Installation, stages: list[str], sources: tuple[str, str]
) -> None:
    """Files before the pipe, files that load, files nobody announced: all there once at the end."""
    at = installation
    for folder, body in (("good", EVENT), ("bad", BAD)):
        Theirs(at, Path()).put(folder, "before.gz", body)
    theirs = by_hand(at, stages, sources)
    theirs.put("good", "a.gz", EVENT)
    theirs.put("bad", "b.gz", BAD)
    at.settle()

    before = at.control("GET", "/requests?since=0")["next"]
    said = theirs.discover()
    assert "2 streams (events, events_bad)" in said
    theirs.assert_healthy()
    status = json.loads(theirs.invoke("status", "--format", "json"))
    assert [(row["stream"], row["state"], row["loaded"], row["in_bucket"]) for row in status] == [
        ("events", "RUNNING", 1, 2),
        ("events_bad", "RUNNING", 1, 2),
    ]
    assert at.writes_since(before) == []

    theirs.unheard(("good", "c.gz", EVENT), ("bad", "d.gz", BAD))
    at.advance(hours=2)
    assert theirs.found()["root_causes"] == ["delivery.newest-file-reached-the-pipe"]
    # what lay there before table and pipe may be in the table all the same; two days on the year's view tells
    for again in (False, True):
        theirs.backfill(expect=1)
        assert (theirs.rows("EVENTS"), theirs.rows("EVENTS_BAD")) == (2, 2), again
    at.advance(days=3)
    for again in (False, True):
        theirs.backfill()
        assert (theirs.rows("EVENTS"), theirs.rows("EVENTS_BAD")) == (3, 3), again
    theirs.assert_healthy()


def test_the_file_says_what_differs_and_no_step_changes_it(installation: Installation) -> None:
    theirs = by_hand(installation, suffix=".gz")
    theirs.discover()
    text = " ".join(theirs.file.read_text().replace("#", " ").split())
    for said in (
        "owned by ACCOUNTADMIN",
        "no column of the table is known to name the file of a row",
        "states the format's options itself",
        "the role may more than loading needs",
    ):
        assert said in text
    assert 'suffix: ".gz"' in text
    before = installation.control("GET", "/requests?since=0")["next"]
    for task in ("step1-aws", "step4-snowflake", "up", "down", "plan", "replace-pipe"):
        arguments = ["--stream", "events"] if task == "replace-pipe" else []
        assert "others made" in theirs.invoke(task, *arguments, expect=2)
    assert installation.writes_since(before) == []
    assert "exists" in theirs.discover(expect=2)
    theirs.discover("--replace")


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        (
            "ALTER STORAGE INTEGRATION SNOWPLOW_S3_INTEGRATION SET ENABLED = FALSE",
            "step2.integration-is-enabled",
        ),
        (
            "ALTER PIPE RAW.SNOWPLOW.SNOWPLOW_PIPE SET PIPE_EXECUTION_PAUSED = TRUE",
            "step4.pipe-is-not-paused",
        ),
        (
            "CREATE OR REPLACE PIPE RAW.SNOWPLOW.SNOWPLOW_PIPE AUTO_INGEST = TRUE AS COPY INTO "
            "RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.SNOWPLOW_STAGE ON_ERROR = CONTINUE FILE_FORMAT = " + TSV,
            "step4.pipe-loses-no-row",
        ),
    ],
)
def test_what_breaks_later_is_one_root_cause_and_no_step_is_its_remedy(
    installation: Installation, statement: str, cause: str
) -> None:
    theirs = by_hand(installation)
    theirs.discover()
    theirs.assert_healthy()
    installation.sql(statement)
    found = theirs.found()
    assert found["root_causes"] == [cause]
    remedy = next(row["remedy"] for row in found["checks"] if row["id"] == cause)
    assert not remedy.startswith(("invoke step", "invoke replace-pipe"))


def test_a_trust_policy_of_another_integration_is_told(installation: Installation) -> None:
    theirs = by_hand(installation)
    theirs.discover()
    iam = installation.aws("iam")
    document = iam.get_role(RoleName="snowflake-read-role")["Role"]["AssumeRolePolicyDocument"]
    document["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "ANOTHER_SFCRole=1_x="
    iam.update_assume_role_policy(RoleName="snowflake-read-role", PolicyDocument=json.dumps(document))
    assert theirs.found()["root_causes"] == ["step3.trust-external-id"]


def test_the_right_that_is_missing_is_named(installation: Installation) -> None:
    theirs = by_hand(installation)
    assert "Choose one: --pipe" in installation.run("discover").stdout
    assert "names no pipe" in installation.run("discover", "--pipe", "PIPE", expect=2).stderr
    done = installation.run("discover", "--pipe", "RAW.SNOWPLOW.NONE", "--output", "-", expect=3)
    assert "MONITOR on pipe RAW.SNOWPLOW.NONE" in " ".join(done.stderr.split())
    environment = dict(installation.environment)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        installation.environment.pop(name)
    done = installation.run("discover", "--pipe", "RAW.SNOWPLOW.SNOWPLOW_PIPE", "--output", "-")
    assert "#   invoke -f environments/" in done.stdout
    assert "Could not be looked at" in done.stdout
    assert re.search(r"invoke -f environments/\S+[.]yaml verify", done.stdout)
    words = " ".join(re.sub(r"(?m)^# *", "", done.stdout).split())
    assert "suffixes, topics and the role were not looked at" in words
    installation.environment.update(environment)
    assert not theirs.file.exists()


def test_a_live_installation_needs_no_file_yet_only_a_connection(installation: Installation) -> None:
    theirs = by_hand(installation)
    home = Path(installation.environment["SNOWFLAKE_HOME"])
    mine = installation.folder / "home"
    shutil.copytree(home, mine)
    connections = (mine / "connections.toml").read_text()
    (mine / "connections.toml").write_text(connections.replace("[sandbox]", "[prod]"))
    installation.environment["SNOWFLAKE_HOME"] = str(mine)
    for name in ("INVOKE_AWS_ACCOUNT_ID", "INVOKE_AWS_BUCKET", "INVOKE_SNOWFLAKE_ACCOUNT"):
        installation.environment.pop(name)
    theirs.discover("--connection", "prod", "--name", "production")
    assert "target: production" in theirs.file.read_text()
    theirs.assert_healthy()


def test_what_somebodys_terraform_made_is_served_the_same(installation: Installation, plugins: str) -> None:
    theirs = by_terraform(installation, plugins)
    theirs.put("good", "a.gz", EVENT)
    theirs.put("bad", "b.gz", BAD)
    installation.settle()
    theirs.discover()
    assert 'suffix: ".gz"' in theirs.file.read_text()
    theirs.assert_healthy()
    theirs.unheard(("good", "c.gz", EVENT), ("bad", "d.gz", BAD))
    installation.advance(hours=2)
    for _ in range(2):
        theirs.backfill()
        assert (theirs.rows("EVENTS"), theirs.rows("EVENTS_BAD")) == (2, 2)
    theirs.assert_healthy()
