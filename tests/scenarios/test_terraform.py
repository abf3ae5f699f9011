"""The documented alternative: Snowflake first, then Terraform for AWS. Needs terraform and its provider."""

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from tests.scenarios.conftest import ROOT, Installation

OTHER = {"Id": "audit", "Events": ["s3:ObjectRemoved:*"]}


class Terraform:
    """`terraform` on a copy of terraform/, as the installation's AWS administrator."""

    def __init__(self, at: Installation, plugins: str) -> None:
        self.at = at
        self.folder = at.folder / "terraform"
        shutil.copytree(
            ROOT / "terraform", self.folder, ignore=shutil.ignore_patterns("*.tfstate*", "*.json")
        )
        self.environment = {**at.environment, "HOME": str(at.folder), "CHECKPOINT_DISABLE": "1"}
        self("init", "-plugin-dir", plugins, "-input=false")

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return " ".join((done.stdout + done.stderr).replace("│", " ").split())

    def tfvars(self) -> dict[str, Any]:
        file = self.folder / "terraform.tfvars.json"
        self.at.run("tfvars", "--output", str(file))
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def apply(self, expect: int = 0) -> str:
        return self("apply", "-auto-approve", "-input=false", expect=expect)


def documents(at: Installation) -> dict[str, list[dict[str, Any]]]:
    """The bucket's notification rules, by list."""
    found = at.aws("s3").get_bucket_notification_configuration(Bucket=at.settings.aws.bucket)
    return {key: value for key, value in found.items() if key.endswith("Configurations")}


def test_snowflake_first_and_terraform_for_aws(
    new_installation: Callable[..., Installation], plugins: str
) -> None:
    at = new_installation(INVOKE_AWS_MANAGED_BY="terraform")
    terraform = Terraform(at, plugins)
    at.run("step2-snowflake")
    early = at.run("step4-snowflake", expect=4)
    assert "went as far as it can" in early.stderr
    assert "terraform -chdir=terraform apply" in " ".join(early.stderr.split())
    assert len(at.sql("SHOW STAGES IN SCHEMA RAW.SNOWPLOW")) == 2
    before = at.control("GET", "/requests?since=0")["next"]
    assert "Terraform has something left to do" in " ".join(at.run("step1-aws", expect=1).stderr.split())
    assert at.writes_since(before) == []

    assert terraform.tfvars()["streams"]["events"]["queue_arn"] is None
    terraform.apply()
    at.run("step4-snowflake")
    terraform.tfvars()
    terraform.apply()
    at.assert_healthy()
    for step in ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake", "step5-aws"):
        assert "nothing to" in at.run(step).stdout
    terraform.tfvars()
    terraform("plan", "-detailed-exitcode", "-input=false")  # 2: there are changes


def test_rules_of_others_are_not_terraforms_to_delete(
    new_installation: Callable[..., Installation], plugins: str
) -> None:
    at = new_installation(INVOKE_AWS_MANAGED_BY="terraform")
    queue = at.aws("sqs")
    url = queue.create_queue(QueueName="audit")["QueueUrl"]
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [send]})
    queue.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    at.aws("s3").put_bucket_notification_configuration(
        Bucket=at.settings.aws.bucket,
        NotificationConfiguration={"QueueConfigurations": [{**OTHER, "QueueArn": arn}]},
    )
    theirs = documents(at)["QueueConfigurations"]

    terraform = Terraform(at, plugins)
    at.run("step2-snowflake")
    terraform.tfvars()
    terraform.apply()
    at.run("step4-snowflake")
    assert terraform.tfvars()["foreign_rules"] == ["audit"]
    refused = terraform.apply(expect=1)
    assert "notification rules of others (audit), which Terraform would delete" in refused
    assert documents(at)["QueueConfigurations"] == theirs

    at.environment["INVOKE_AWS_MANAGED_BY"] = "terraform_without_rules"
    terraform.tfvars()
    terraform.apply()
    at.run("step5-aws")
    assert [row for row in documents(at)["QueueConfigurations"] if row["Id"] == "audit"] == theirs
    at.assert_healthy()
    terraform("plan", "-detailed-exitcode", "-input=false")
