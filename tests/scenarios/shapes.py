"""Healthy installations of many shapes: what the settings say, who made it, and what else is going on."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from runbook.settings import Settings, Stream, read
from runbook.sql import statements
from runbook.wanted.rules import encoded
from tests.scenarios.conftest import ROOT, Installation

REGIONS = ("us-west-2", "us-east-1", "eu-central-1", "ap-southeast-2")
FOLDERS = (
    "snowplow/enriched/stream/",
    "enriched/archive/run=2026/",
    "date=2026-01-31/hour=08/",
    "data lake/raw events/",
    "événements/проба/イベント/",
    "a+b/c&d/",
    "x/",
)
SUFFIXES = (".gz", ".gz", "", ".tsv.gz", "=1.gz", " copy.gz")
NAMES = ("{}", "SP_{}", '"{} 2"', '"été_{}"', '"{}.x"')
FOREIGN = ("rules", "trust", "policies", "eventbridge", "clone")
MAKERS = ("up", "hand", "hand, then adopted")


@dataclass(frozen=True)
class Shape:
    """One healthy installation."""

    seed: int
    region: str
    maker: str
    streams: dict[str, dict[str, Any]]
    aws: dict[str, Any]
    snowflake: dict[str, Any]
    foreign: frozenset[str]
    state: str

    def __str__(self) -> str:
        foreign = ", ".join(sorted(self.foreign)) or "nothing"
        return (
            f"{self.maker}; {len(self.streams)} streams in {self.region}; beside it {foreign}; {self.state}"
        )


def shape(seed: int) -> Shape:
    """The shape with that number; always the same one."""
    pick = Random(seed)
    name = pick.choice(NAMES)
    streams = {}
    folders = pick.sample(FOLDERS, len(FOLDERS))
    for number in range(pick.choice((1, 2, 2, 3, 5))):
        kind = "enriched" if number == 0 else pick.choice(("enriched", "bad_rows"))
        streams[f"stream_{number}"] = {
            "kind": kind,
            "prefix": folders[number],
            "suffix": pick.choice(SUFFIXES),
            "table": name.format(f"T{number}"),
            "stage": name.format(f"STAGE{number}"),
            "pipe": name.format(f"PIPE{number}"),
        }
    return Shape(
        seed=seed,
        region=pick.choice(REGIONS),
        maker=pick.choice(MAKERS),
        streams=streams,
        aws={
            "role_name": pick.choice(("snowflake-read-role", "snow.read+role@x", "R")),
            "path": pick.choice(("/", "/data/platform/")),
        },
        snowflake={
            "database": pick.choice(("RAW", '"raw data"', "LAKE_1")),
            "schema": pick.choice(("SNOWPLOW", '"sp"', "PUBLIC_1")),
            "integration": pick.choice(("SNOWPLOW_S3", "S3$INT", "I")),
            "loader_role": pick.choice(("SNOWPLOW_LOADER", '"loader role"')),
            "operator_role": pick.choice(("SNOWPLOW_OPERATOR", '"on-call"')),
        },
        foreign=frozenset(kind for kind in FOREIGN if pick.random() < 0.4),
        state=pick.choice(
            ("new", "files before the pipe", "loaded", "files pending", "a quiet night", "a quiet fortnight")
        ),
    )


class Making:
    """One shape being made on one tenant."""

    def __init__(self, at: Installation, wanted: Shape) -> None:
        self.at = at
        self.shape = wanted
        off = {name: {"enabled": False} for name in ("events", "events_bad")}
        given = {"aws": wanted.aws, "snowflake": wanted.snowflake, "streams": {**off, **wanted.streams}}
        self.file = Path(at.folder) / "environment.yaml"
        written = yaml.safe_dump({"target": "sandbox", **given}, allow_unicode=True)
        self.file.write_text(written, encoding="utf-8")
        whole = yaml.safe_load((ROOT / "invoke.yaml").read_text(encoding="utf-8"))
        for section, values in given.items():
            whole[section].update(values)
        for key in ("account_id", "bucket", "region"):
            whole["aws"][key] = at.environment[f"INVOKE_AWS_{key.upper()}"]
        whole["snowflake"]["account"] = at.environment["INVOKE_SNOWFLAKE_ACCOUNT"]
        self.settings: Settings = read(whole)
        self._files = 0

    def run(self, *arguments: str, expect: int | None = 0) -> str:
        return self.at.run("-f", str(self.file), *arguments, expect=expect).stdout

    def make(self) -> None:
        """Everything, in the order things happen to real installations."""
        self._foreign_rules()
        if self.shape.state == "files before the pipe":
            self._files_arrive()
        if self.shape.maker == "up":
            self.run("up")
        else:
            self._by_hand()
            if "adopted" in self.shape.maker:
                self.run("up", "--adopt")
        self._foreign_statements()
        if self.shape.state in ("loaded", "a quiet night", "a quiet fortnight"):
            self._files_arrive()
            self.at.settle()
        if self.shape.state == "a quiet night":
            self.at.advance(hours=11)
        if self.shape.state == "a quiet fortnight":
            self.at.advance(days=13)
        if self.shape.state == "files pending":
            self.at.control("POST", "/faults", {"notifications": {"delay_s": 30}})
            self._files_arrive()

    def _files_arrive(self) -> None:
        for stream in self.settings.streams:
            self._files += 1
            record = b"\t" * 130 if stream.kind == "enriched" else b'{"schema": "x", "data": {}}'
            body = record + b"\n"
            key = f"{stream.prefix}{self._files} née=1{stream.suffix}"
            packed = gzip.compress(body) if key.endswith(".gz") else body
            self.at.aws("s3").put_object(Bucket=self.settings.aws.bucket, Key=key, Body=packed)

    # ---- somebody else's things

    def _foreign_rules(self) -> None:
        s3, bucket = self.at.aws("s3"), self.settings.aws.bucket
        document: dict[str, Any] = {}
        if "rules" in self.shape.foreign:
            queue = self.at.aws("sqs").create_queue(QueueName="theirs")["QueueUrl"]
            arn = self.at.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
            theirs = arn["Attributes"]["QueueArn"]
            policy = {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "s3.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": theirs,
                    }
                ],
            }
            attributes = {"Policy": json.dumps(policy)}
            self.at.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes=attributes)
            rules = [{"Name": "prefix", "Value": "somewhere/else/"}]
            document["QueueConfigurations"] = [
                {
                    "Id": "theirs",
                    "QueueArn": theirs,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": rules}},
                }
            ]
        if "eventbridge" in self.shape.foreign:
            document["EventBridgeConfiguration"] = {}
        if document:
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=document)

    def _foreign_statements(self) -> None:
        iam, aws = self.at.aws("iam"), self.settings.aws
        if "trust" in self.shape.foreign:
            other = iam.create_role(
                RoleName="auditor", AssumeRolePolicyDocument=trust({"AWS": aws.account_id})
            )
            document = iam.get_role(RoleName=aws.role_name)["Role"]["AssumeRolePolicyDocument"]
            principal = {"AWS": other["Role"]["Arn"]}
            document["Statement"].append(
                {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
            )
            iam.update_assume_role_policy(RoleName=aws.role_name, PolicyDocument=json.dumps(document))
        if "policies" in self.shape.foreign:
            statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
            text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            made = iam.create_policy(PolicyName="theirs", PolicyDocument=text)["Policy"]["Arn"]
            iam.attach_role_policy(RoleName=aws.role_name, PolicyArn=made)
        if "clone" in self.shape.foreign:  # its pipes name our tables, and are stopped
            snowflake = self.settings.snowflake
            database = snowflake.database.sql
            self.at.sql(f'CREATE SCHEMA {database}."their copy" CLONE {database}.{snowflake.schema_name.sql}')

    # ---- as the documented procedure is done by hand, or by Terraform

    def _by_hand(self) -> None:
        iam, aws = self.at.aws("iam"), self.settings.aws
        policy = iam.create_policy(
            PolicyName=aws.policy_name, Path=aws.path, PolicyDocument=json.dumps(self._permissions())
        )["Policy"]["Arn"]
        iam.create_role(
            RoleName=aws.role_name, Path=aws.path, AssumeRolePolicyDocument=trust({"AWS": aws.account_id})
        )
        iam.attach_role_policy(RoleName=aws.role_name, PolicyArn=policy)
        self._worksheet(2)
        shown = self.at.sql(f"DESC INTEGRATION {self.settings.snowflake.integration.sql}")
        value = {str(row[0]): str(row[2]) for row in shown}
        condition = {"StringEquals": {"sts:ExternalId": value["STORAGE_AWS_EXTERNAL_ID"]}}
        iam.update_assume_role_policy(
            RoleName=aws.role_name,
            PolicyDocument=trust({"AWS": value["STORAGE_AWS_IAM_USER_ARN"]}, Condition=condition),
        )
        self._worksheet(4)
        self._rules()

    def _permissions(self) -> dict[str, Any]:
        """The same rights as the documents', in one statement an action."""
        arn = self.settings.aws.bucket_arn
        prefixes = [stream.prefix for stream in self.settings.streams]
        listed = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
        objects = [f"{arn}/{prefix}*" for prefix in prefixes]
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:GetObjectVersion"], "Resource": objects},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects},
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": listed},
                {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": [arn]},
            ],
        }

    def _worksheet(self, step: int) -> None:
        """What `invoke sql` prints, run as a person would."""
        role = "ACCOUNTADMIN"
        for statement in statements(self.run("sql", "--step", str(step))):
            if statement.upper().startswith("USE ROLE "):
                role = statement[len("USE ROLE ") :].rstrip(";")
            else:
                self.at.sql(statement, role=role)

    def _rules(self) -> None:
        """Notification rules as the console makes them: names of their own."""
        s3, bucket = self.at.aws("s3"), self.settings.aws.bucket
        document = s3.get_bucket_notification_configuration(Bucket=bucket)
        document.pop("ResponseMetadata")
        schema = self.settings.qualified(self.settings.streams[0].pipe.name)
        shown = self.at.sql(f"SHOW PIPES IN SCHEMA {schema.database.sql}.{schema.schema.sql}")
        channels = {str(row[1]): str(row[6]) for row in shown}
        rules = document.setdefault("QueueConfigurations", [])
        rules += [console_rule(stream, channels[stream.pipe.name]) for stream in self.settings.streams]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=document)


def trust(principal: dict[str, str], **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def console_rule(stream: Stream, queue: str) -> dict[str, Any]:
    filters = [{"Name": "prefix", "Value": encoded(stream.prefix)}]
    if stream.suffix:
        filters.append({"Name": "suffix", "Value": encoded(stream.suffix)})
    return {
        "Id": f"auto-ingest {stream.name}",
        "QueueArn": queue,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": filters}},
    }
