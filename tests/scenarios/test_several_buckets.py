"""Two buckets in two regions, with rules of others in both: from `up` to `down`, and by Terraform."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml

from runbook.kinds import kind_of
from runbook.settings import read
from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.test_terraform import Terraform

SECOND = "partners-of-"
ORDERS = {
    "kind": "json",
    "prefix": "shop/orders/",
    "table": "ORDERS",
    "stage": "ORDERS_STAGE",
    "pipe": "ORDERS_PIPE",
    "columns": {"orderId": "VARCHAR", "total": "NUMBER(12, 2)"},
}


ORDER = '{"orderId": "a1", "total": "many", "lines": [1]}'


@dataclass
class Two:
    """An installation whose failed events lie in a second bucket."""

    at: Installation
    file: Path
    bucket: str
    region: str

    @classmethod
    def made(cls, at: Installation, region: str, **aws: str) -> "Two":
        bucket = SECOND + at.tenant["name"]
        own = {"region": region} if region != at.settings.aws.region else {}
        file = at.folder / "two.yaml"
        told = {
            "target": "sandbox",
            "aws": {"buckets": {bucket: own}, **aws},
            "streams": {"events_bad": {"bucket": bucket}, "orders": {**ORDERS, "bucket": bucket}},
        }
        file.write_text(yaml.safe_dump(told))
        found = cls(at, file, bucket, region)
        found.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region}
        )
        config = yaml.safe_load((ROOT / "invoke.yaml").read_text())
        config["aws"] |= told["aws"] | {"bucket": at.settings.aws.bucket, "region": at.settings.aws.region}
        config["aws"]["account_id"] = at.settings.aws.account_id
        config["streams"]["events_bad"] |= told["streams"]["events_bad"]
        config["streams"]["orders"] = told["streams"]["orders"]
        at.settings = read(config)
        return found

    def client(self, service: str) -> Any:
        aws = self.at.tenant["aws"]
        return boto3.Session().client(
            service,
            endpoint_url=aws["endpoint_url"],
            region_name=self.region,
            aws_access_key_id=aws["access_key_id"],
            aws_secret_access_key=aws["secret_access_key"],
            aws_session_token=aws["session_token"] or None,
        )

    def run(self, *arguments: str, expect: int | None = 0) -> Any:
        return self.at.run("-f", str(self.file), *arguments, expect=expect)

    def healthy(self) -> None:
        done = self.run("verify", "--deep", "--format", "json", expect=None)
        found = json.loads(done.stdout)
        red = [row for row in found["checks"] if row["outcome"] not in ("passed", "skipped")]
        assert found["healthy"], json.dumps(red, indent=1)

    def rules(self) -> dict[str, Any]:
        """Both buckets' notification documents."""
        s3 = {self.at.settings.aws.bucket: self.at.aws("s3"), self.bucket: self.client("s3")}
        answers = {name: s3[name].get_bucket_notification_configuration(Bucket=name) for name in s3}
        return {
            name: {key: value for key, value in answer.items() if key != "ResponseMetadata"}
            for name, answer in answers.items()
        }

    def others_rules(self) -> None:
        """A rule to a queue of somebody's in each bucket, for what is deleted."""
        for name, sqs, s3 in (
            (self.at.settings.aws.bucket, self.at.aws("sqs"), self.at.aws("s3")),
            (self.bucket, self.client("sqs"), self.client("s3")),
        ):
            url = sqs.create_queue(QueueName=f"audit-{name}")["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            send = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
            policy = {"Statement": [{**send, "Action": "sqs:SendMessage", "Resource": arn}]}
            policy["Version"] = "2012-10-17"  # type: ignore[assignment]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
            rule = {"Id": "audit", "QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]}
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"QueueConfigurations": [rule]}
            )

    def put(self, stream: str, name: str) -> str:
        one = self.at.settings.stream(stream)
        text = ORDER if stream == "orders" else kind_of(one).canary("20260101T000000Z-abcdefgh")
        body = gzip.compress(f"{text}\n".encode())
        self.client_of(one.bucket).put_object(Bucket=one.bucket, Key=one.prefix + name, Body=body)
        return one.prefix + name

    def client_of(self, bucket: str) -> Any:
        return self.client("s3") if bucket == self.bucket else self.at.aws("s3")

    def loaded(self) -> list[int]:
        return [
            int(self.at.sql(f"SELECT COUNT(*) FROM RAW.SNOWPLOW.{table}")[0][0])
            for table in ("EVENTS", "EVENTS_BAD", "ORDERS")
        ]


def test_two_buckets_in_two_regions(new_installation: Callable[..., Installation]) -> None:
    two = Two.made(new_installation(), "eu-west-1")
    two.others_rules()
    theirs = two.rules()
    old = two.put("events_bad", "old.gz")  # before the pipe: announced to nobody
    two.run("up")
    for stream in ("events", "events_bad", "orders"):
        two.put(stream, "new.gz")
    two.at.settle()
    assert two.loaded() == [1, 1, 1]
    assert two.at.sql("SELECT orderid, total, document:lines[0]::NUMBER FROM RAW.SNOWPLOW.ORDERS") == [
        ("a1", None, 1)
    ]
    told = two.run("backfill", "--stream", "events_bad", "--pattern", ".*", "--yes").stdout
    two.at.settle()
    assert two.loaded() == [1, 2, 1], told
    two.healthy()
    two.run("verify", "--canary")
    assert two.loaded() == [1, 2, 1]
    assert f"s3://{two.bucket}/{old}" in two.run("explain", old, "--stream", "events_bad").stdout
    two.run("doctor")
    for step in ("step1-aws", "step2-snowflake", "step3-aws", "step4-snowflake", "step5-aws"):
        assert "nothing to" in two.run(step).stdout
    ours = two.rules()
    regions = [
        row["QueueArn"].split(":")[3]
        for document in ours.values()
        for row in document["QueueConfigurations"]
        if row["Id"] != "audit"
    ]
    assert regions == ["us-west-2", "eu-west-1", "eu-west-1"]
    two.run("down")
    assert two.rules() == theirs
    assert {each["Key"] for each in two.client("s3").list_objects_v2(Bucket=two.bucket)["Contents"]} >= {old}


def test_terraform_refuses_rules_of_others_in_either_bucket(
    new_installation: Callable[..., Installation], plugins: str
) -> None:
    two = Two.made(new_installation(), "us-west-2", managed_by="terraform")
    two.others_rules()
    theirs = two.rules()
    terraform = Terraform(two.at, plugins)

    def tfvars() -> dict[str, Any]:
        file = terraform.folder / "terraform.tfvars.json"
        two.run("tfvars", "--output", str(file))
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    two.run("step2-snowflake")
    tfvars()
    terraform.apply()
    two.run("step4-snowflake")
    assert tfvars()["other_foreign_rules"] == {two.bucket: ["audit"]}
    refused = terraform.apply(expect=1)
    assert f"{two.bucket} has notification rules of others (audit)" in refused
    assert two.rules() == theirs

    two.file.write_text(two.file.read_text().replace("by: terraform", "by: terraform_without_rules"))
    tfvars()
    terraform.apply()
    two.run("step5-aws")
    two.healthy()
    for bucket, document in two.rules().items():
        [kept] = [row for row in document["QueueConfigurations"] if row["Id"] == "audit"]
        assert kept == theirs[bucket]["QueueConfigurations"][0]
    terraform("plan", "-detailed-exitcode", "-input=false")
    two.run("down")
    assert two.rules() == theirs


def test_terraform_makes_the_rules_of_both_buckets(
    new_installation: Callable[..., Installation], plugins: str
) -> None:
    two = Two.made(new_installation(), "us-west-2", managed_by="terraform")
    terraform = Terraform(two.at, plugins)
    for step in ("step2-snowflake", "step4-snowflake"):
        two.run(step, expect=None)
        two.run("tfvars", "--output", str(terraform.folder / "terraform.tfvars.json"))
        terraform.apply()
    two.run("step4-snowflake")
    two.run("tfvars", "--output", str(terraform.folder / "terraform.tfvars.json"))
    terraform.apply()
    two.healthy()
    assert [len(document["QueueConfigurations"]) for document in two.rules().values()] == [1, 2]
