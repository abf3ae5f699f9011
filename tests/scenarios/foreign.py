"""What other people have in both accounts, generated; made and read by clients that are not the commands'."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.scenarios.conftest import Installation

EVENTS = ["s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"]
PLACES = ["logs/", "snowplow/raw/", "snowplow/enriched/other/", "date%3D1/", "a+b/", "%C3%A9t%C3%A9/", ""]


@dataclass
class Foreign:
    """Others' notification rules, a role, its trust policy, policies beside it, and their versions."""

    rules: dict[str, Any]
    trust: list[dict[str, Any]]
    has_role: bool
    inline: bool
    attached: bool
    has_policy: bool
    versions: int
    _topic: str = field(default="")

    def make(self, one: Installation) -> None:
        s3, iam, account = one.aws("s3"), one.aws("iam"), one.settings.aws.account_id
        queue, topic = targets(one)
        document = json.loads(json.dumps(self.rules).replace("QUEUE", queue).replace("TOPIC", topic))
        s3.put_bucket_notification_configuration(
            Bucket=one.settings.aws.bucket, NotificationConfiguration=document
        )
        name = one.settings.aws.role_name if self.has_role else "somebody-elses"
        trust = json.dumps({"Version": "2012-10-17", "Statement": self.trust}).replace("ACCOUNT", account)
        tags = [{"Key": "Team", "Value": "é"}, {"Key": "ManagedBy", "Value": "terraform"}]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)
        if self.inline:
            iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=_document("s3:ListBucket"))
        if self.attached:
            made = iam.create_policy(PolicyName="theirs", PolicyDocument=_document("sqs:ListQueues"))
            iam.attach_role_policy(RoleName=name, PolicyArn=made["Policy"]["Arn"])
        if self.has_policy:
            made = iam.create_policy(
                PolicyName="beside", Path="/theirs/", PolicyDocument=_document("sns:ListTopics")
            )
            for number in range(self.versions):
                iam.create_policy_version(
                    PolicyArn=made["Policy"]["Arn"], PolicyDocument=_document(f"sns:List{number}*")
                )
        one.sql("CREATE ROLE THEIRS COMMENT = 'somebody else'")
        one.sql("CREATE DATABASE IF NOT EXISTS RAW", "SYSADMIN")
        one.sql("CREATE SCHEMA IF NOT EXISTS RAW.SNOWPLOW", "SYSADMIN")
        one.sql("CREATE FILE FORMAT RAW.SNOWPLOW.THEIRS TYPE = CSV", "SYSADMIN")

    def read(self, one: Installation) -> dict[str, Any]:
        """All that is not ours, as an independent client reads it."""
        s3, iam = one.aws("s3"), one.aws("iam")
        document = s3.get_bucket_notification_configuration(Bucket=one.settings.aws.bucket)
        document.pop("ResponseMetadata")
        found: dict[str, Any] = {
            "rules": {
                kind: [row for row in rows if not str(row.get("Id", "")).startswith("snowpipe-runbook:")]
                if isinstance(rows, list)
                else rows
                for kind, rows in document.items()
            }
        }
        found["rules"] = {kind: rows for kind, rows in found["rules"].items() if rows != []}
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            tags = iam.list_role_tags(RoleName=name)["Tags"]
            if not any(tag["Key"] == "Team" for tag in tags):
                continue
            statements = role["AssumeRolePolicyDocument"]["Statement"]
            found[name] = {
                "trust": [row for row in statements if row.get("Sid") != "SnowpipeRunbookSnowflakeUser"],
                "tags": [tag for tag in tags if tag["Key"] not in ("AdoptedBy", "ManagedFor")],
                "inline": iam.list_role_policies(RoleName=name)["PolicyNames"],
                "attached": [
                    row["PolicyName"]
                    for row in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
                    if row["PolicyName"] == "theirs"
                ],
            }
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            if policy["PolicyName"] in ("theirs", "beside"):
                versions = iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]
                found[policy["Arn"]] = sorted((row["VersionId"], row["IsDefaultVersion"]) for row in versions)
        found["snowflake"] = [
            [row[1:] for row in one.sql(statement) if "THEIRS" in row]
            for statement in ("SHOW ROLES", "SHOW FILE FORMATS IN ACCOUNT")
        ]
        return found


def foreign_things(seed: int) -> Foreign:
    """One account's worth of other people's work."""
    random = Random(seed)
    has_role = random.random() < 0.5
    return Foreign(
        rules=_rules(random),
        trust=[_statement(random, number) for number in range(random.randint(1, 3))],
        has_role=has_role,
        inline=random.random() < 0.5,
        attached=random.random() < 0.5,
        has_policy=random.random() < 0.5,
        versions=random.randint(0, 4),
    )


def _rules(random: Random) -> dict[str, Any]:
    places = random.sample(PLACES[:-1], random.randint(0, 4))
    document: dict[str, Any] = {}
    for number, place in enumerate(places):
        kind, key, target = random.choice(
            [("QueueConfigurations", "QueueArn", "QUEUE"), ("TopicConfigurations", "TopicArn", "TOPIC")]
        )
        filters = [{"Name": random.choice(["Prefix", "prefix"]), "Value": place}]
        if random.random() < 0.3:
            filters.append({"Name": "Suffix", "Value": random.choice([".gz", "%2Bx", ".parquet"])})
        row = {
            "Id": random.choice([f"their rule {number}", f"tf-s3-{number}", f"é-{number}"]),
            key: target,
            "Events": random.sample(EVENTS[:1] if number % 2 else EVENTS[1:], 1),
            "Filter": {"Key": {"FilterRules": filters}},
        }
        document.setdefault(kind, []).append(row)
    if random.random() < 0.3:
        row = {"Id": "removals", "QueueArn": "QUEUE", "Events": ["s3:ObjectRemoved:DeleteMarkerCreated"]}
        clashing = [
            one
            for rows in document.values()
            for one in rows
            if any("Removed" in event for event in one["Events"])
        ]
        if not clashing:
            document.setdefault("QueueConfigurations", []).append(row)
    if random.random() < 0.5:
        document["EventBridgeConfiguration"] = {}
    return document


def _statement(random: Random, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "Effect": random.choice(["Allow", "Allow", "Deny"]),
        "Principal": random.choice(
            [{"Service": "lambda.amazonaws.com"}, {"Service": ["ec2.amazonaws.com", "glue.amazonaws.com"]}]
        ),
        "Action": "sts:AssumeRole",
    }
    if random.random() < 0.7:
        row["Sid"] = f"Theirs{number}"
    if random.random() < 0.4:
        row["Condition"] = {"StringEquals": {"aws:SourceAccount": ["ACCOUNT"]}}
    return row


def targets(one: Installation) -> tuple[str, str]:
    """A queue and a topic that take the bucket's events."""
    account, bucket = one.settings.aws.account_id, one.settings.aws.bucket
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": ["sqs:SendMessage", "sns:Publish"],
        "Resource": "*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    sqs, sns = one.aws("sqs"), one.aws("sns")
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "sqs:SendMessage"}]}
    queue = sqs.create_queue(QueueName="theirs", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = f"arn:aws:sns:{one.settings.aws.region}:{account}:theirs"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Action": "sns:Publish", "Resource": topic}],
    }
    sns.create_topic(Name="theirs", Attributes={"Policy": json.dumps(policy)})
    return arn, topic


def _document(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
