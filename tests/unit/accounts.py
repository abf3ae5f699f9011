"""Pretended accounts, one of AWS, some of Snowflake: planned changes are made, and facts read again."""

# ruff: noqa: N803 (methods and parameters are called as AWS calls them)

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from runbook.facts.aws import Bucket
from runbook.facts.objects import (
    Entry,
    FileFormat,
    Listing,
    Pause,
    Pipe,
    PipeStatus,
    Stage,
    StorageIntegration,
    Table,
)
from runbook.kinds import KINDS
from runbook.plan import AwsChange, SqlChange
from runbook.policies.held import Policy, Role, trust_sid
from runbook.settings import Settings, read
from runbook.sql import statements
from runbook.wanted.grants import Grant, integration_grants, loader_grants, operator_grants
from runbook.wanted.pipeline import made_as
from runbook.wanted.rules import BucketNotifications
from tests.unit.conftest import written
from tests.unit.observed import MADE, Known, of_bucket

DEFAULT = read(written())
_TEXT = r"'((?:[^']|'')*)'"


@cache
def _table(kind: str) -> Table:
    stream = next(stream for stream in DEFAULT.streams if stream.kind == kind)
    return Table(tuple(made_as(stream).items()))


def _text(name: str, statement: str) -> str | None:
    found = re.search(rf"\b{name} = {_TEXT}", statement)
    return found[1].replace("''", "'") if found else None


@dataclass
class Snowflake:
    """One account: its integrations, roles, and the objects of its schemas by their full names."""

    name: str
    integrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=set)
    objects: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"STAGE": {}, "PIPE": {}, "FILE FORMAT": {}, "TABLE": {}}
    )
    made: int = 0

    @property
    def user(self) -> str:
        return f"arn:aws:iam::999988887777:user/{self.name.lower()}"

    @property
    def queue(self) -> str:
        return f"arn:aws:sqs:us-west-2:999988887777:sf-snowpipe-AIDA{self.name.replace('-', '')}-x"

    regions: dict[str, str] = field(default_factory=dict)
    """The regions of the buckets that are not in us-west-2, by name."""

    def queue_for(self, definition: str) -> str:
        """The queue of a pipe: Snowflake has one in each region, and a pipe that of its bucket's."""
        stage = re.search(r"FROM @(\S+)", definition)
        url = self.objects["STAGE"].get(stage[1].rstrip(")"), {}).get("url", "") if stage else ""
        bucket = url.partition("://")[2].partition("/")[0]
        return self.queue.replace("us-west-2", self.regions.get(bucket, "us-west-2"))

    def run(self, statement: str) -> None:
        words = " ".join(statement.split())
        if found := re.match(
            r"(CREATE|ALTER|DROP) (STORAGE INTEGRATION) (?:IF (?:NOT )?EXISTS )?(\S+)", words
        ):
            self._integration(found[1], found[3], words)
        elif found := re.match(r"(CREATE|DROP) ROLE IF (?:NOT )?EXISTS (\S+)", words):
            self._role(found[1], found[2], words)
        elif found := re.match(r"CREATE SCHEMA IF NOT EXISTS (\S+)", words):
            self.schemas.add(found[1])
        elif found := re.match(
            r"(CREATE|ALTER|DROP) (STAGE|PIPE|FILE FORMAT|TABLE) (?:IF (?:NOT )?EXISTS )?(\S+)", words
        ):
            self._object(found[1], found[2], found[3], words)
        else:
            assert re.match(r"USE ROLE|GRANT|CREATE DATABASE", words), words

    def _integration(self, verb: str, name: str, words: str) -> None:
        if verb == "DROP":
            self.integrations.pop(name, None)
            return
        if verb == "CREATE" and name in self.integrations:
            return
        if verb == "CREATE":
            self.made += 1
            self.integrations[name] = {"external_id": f"{self.name}_SFCRole=2_{self.made}"}
        places = re.search(r"STORAGE_ALLOWED_LOCATIONS = \((.*?)\)", words)
        new = {
            "role_arn": _text("STORAGE_AWS_ROLE_ARN", words),
            "comment": _text("COMMENT", words),
            "allowed": tuple(re.findall(_TEXT, places[1])) if places else None,
        }
        self.integrations[name].update({key: value for key, value in new.items() if value is not None})

    def _role(self, verb: str, name: str, words: str) -> None:
        if verb == "DROP":
            self.roles.pop(name, None)
        else:
            self.roles.setdefault(name, _text("COMMENT", words) or "")

    def _object(self, verb: str, kind: str, name: str, words: str) -> None:
        there = self.objects[kind]
        if verb == "DROP":
            there.pop(name, None)
        elif verb == "CREATE" and name not in there:
            integration = re.search(r"STORAGE_INTEGRATION = (\S+)", words)
            there[name] = {
                "url": _text("URL", words) or "",
                "comment": _text("COMMENT", words) or "",
                "integration": integration[1] if integration else None,
                "definition": words[words.index("COPY INTO") :] if "COPY INTO" in words else "",
            }
        elif verb == "ALTER" and (integration := re.search(r"SET STORAGE_INTEGRATION = (\S+)", words)):
            there[name]["integration"] = integration[1]

    def shown(self, kind: str, schema: str | None = None) -> list[dict[str, Any]]:
        rows = []
        for name, row in sorted(self.objects[kind].items()):
            database, of, short = name.split(".")
            if schema in (None, f"{database}.{of}"):
                rows.append(
                    {
                        "name": short,
                        "database_name": database,
                        "schema_name": of,
                        "comment": row["comment"],
                        "storage_integration": row["integration"],
                        "url": row["url"],
                        "definition": row["definition"],
                        "notification_channel": self.queue_for(row["definition"]),
                    }
                )
        return rows


@dataclass
class Accounts:
    """One AWS account with a bucket or two, and the Snowflake accounts by name."""

    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    notifications: dict[str, dict[str, Any]] = field(default_factory=dict)
    snowflakes: dict[str, Snowflake] = field(
        default_factory=lambda: {name: Snowflake(name) for name in ("ORG-A1", "ORG-A2", "ORG-A3")}
    )

    def snowflake(self, settings: Settings) -> Snowflake:
        return self.snowflakes[settings.snowflake.account]

    def make(self, change: AwsChange | SqlChange, settings: Settings) -> None:
        if isinstance(change, SqlChange):
            for statement in statements(change.sql):
                self.snowflake(settings).run(statement)
            return
        getattr(self, f"_{change.operation}")(**change.parameters)

    def _CreatePolicy(self, PolicyName: str, Path: str, PolicyDocument: str, Tags: Any, **_: Any) -> None:
        arn = f"arn:aws:iam::111122223333:policy{Path}{PolicyName}"
        assert arn not in self.policies
        self.policies[arn] = {"document": json.loads(PolicyDocument), "tags": _dict(Tags)}

    def _TagPolicy(self, PolicyArn: str, Tags: Any) -> None:
        self.policies[PolicyArn]["tags"].update(_dict(Tags))

    def _UntagPolicy(self, PolicyArn: str, TagKeys: list[str]) -> None:
        for key in TagKeys:
            del self.policies[PolicyArn]["tags"][key]

    def _CreatePolicyVersion(self, PolicyArn: str, PolicyDocument: str, **_: Any) -> None:
        self.policies[PolicyArn]["document"] = json.loads(PolicyDocument)

    def _DeletePolicy(self, PolicyArn: str) -> None:
        assert not any(PolicyArn in role["attached"] for role in self.roles.values())
        del self.policies[PolicyArn]

    def _CreateRole(
        self, RoleName: str, Path: str, AssumeRolePolicyDocument: str, Tags: Any, **_: Any
    ) -> None:
        assert RoleName not in self.roles
        trust = json.loads(AssumeRolePolicyDocument)
        self.roles[RoleName] = {"path": Path, "trust": trust, "tags": _dict(Tags), "attached": set()}

    def _TagRole(self, RoleName: str, Tags: Any) -> None:
        self.roles[RoleName]["tags"].update(_dict(Tags))

    def _UntagRole(self, RoleName: str, TagKeys: list[str]) -> None:
        for key in TagKeys:
            del self.roles[RoleName]["tags"][key]

    def _AttachRolePolicy(self, RoleName: str, PolicyArn: str) -> None:
        self.roles[RoleName]["attached"].add(PolicyArn)

    def _DetachRolePolicy(self, RoleName: str, PolicyArn: str) -> None:
        self.roles[RoleName]["attached"].remove(PolicyArn)

    def _DeleteRole(self, RoleName: str) -> None:
        assert not self.roles[RoleName]["attached"]
        del self.roles[RoleName]

    def _UpdateAssumeRolePolicy(self, RoleName: str, PolicyDocument: str) -> None:
        self.roles[RoleName]["trust"] = json.loads(PolicyDocument)

    def _PutBucketNotificationConfiguration(
        self, Bucket: str, NotificationConfiguration: Any, **_: Any
    ) -> None:
        self.notifications[Bucket] = json.loads(json.dumps(NotificationConfiguration))

    def facts(self, settings: Settings, **more: Any) -> Known:
        """What this installation's administrator sees, who may see everything."""
        here, names = self.snowflake(settings), settings.snowflake
        schema = settings.schema_sql
        found: dict[Any, Any] = {
            "role": self._role(settings),
            "policy": self._policy(settings),
            "integration": self._integration(settings),
            "entry": Entry(succeeded=True, message=""),
            "roles": frozenset(here.roles) | {"ACCOUNTADMIN", "SYSADMIN"},
            "schema": schema in here.schemas,
            "stages": {
                row["name"]: Stage(row["url"], row["storage_integration"], names.owner_role, row["comment"])
                for row in here.shown("STAGE", schema)
            },
            "pipes": {
                row["name"]: Pipe(
                    row["definition"],
                    names.loader_role,
                    row["notification_channel"],
                    MADE,
                    None,
                    row["comment"],
                )
                for row in here.shown("PIPE", schema)
            },
        }
        for bucket, document in self.notifications.items():
            found["notifications", bucket] = BucketNotifications(document)
        for one in settings.buckets:
            found[of_bucket(settings, "bucket", one.name)] = Bucket(one.name, one.region)
            document = self.notifications.get(one.name, {})
            found[of_bucket(settings, "notifications", one.name)] = BucketNotifications(document)
        for stream in settings.streams:
            there = stream.file_format.sql in here.objects["FILE FORMAT"]
            found["format", stream.file_format] = (
                FileFormat(dict(KINDS[stream.kind].FORMAT)) if there else None
            )
            there = stream.table.sql in here.objects["TABLE"]
            found["table", stream.name] = _table(stream.kind) if there else None
            running = PipeStatus({"executionState": "RUNNING"})
            found["status", stream.name] = running if stream.pipe.name in found["pipes"] else None
            found["pause", stream.name] = Pause(paused=False, level="")
            found["listing", stream.name] = Listing()
        for role in {names.owner_role, names.loader_role, names.operator_role}:
            found["grants", role] = self._grants(settings, role)
        return Known(settings, found, answers=self._answers(settings), **more)

    def _role(self, settings: Settings) -> Role | None:
        row = self.roles.get(settings.aws.role_name)
        if row is None:
            return None
        arn = f"arn:aws:iam::111122223333:role{row['path']}{settings.aws.role_name}"
        tags = dict(row["tags"])
        return Role(arn, row["trust"], frozenset(row["attached"]), None, tags, trust_sid(settings, tags))

    def _policy(self, settings: Settings) -> Policy | None:
        row = self.policies.get(settings.aws.policy_arn)
        return row and Policy(settings.aws.policy_arn, row["document"], ("v1",), "v1", dict(row["tags"]))

    def _integration(self, settings: Settings) -> StorageIntegration | None:
        here, name = self.snowflake(settings), settings.snowflake.integration
        row = here.integrations.get(name)
        return row and StorageIntegration(
            name=name,
            enabled=True,
            provider="S3",
            role_arn=row["role_arn"],
            external_id=row["external_id"],
            iam_user_arn=here.user,
            allowed_locations=row["allowed"],
            blocked_locations=frozenset(),
            comment=row["comment"],
        )

    def _grants(self, settings: Settings, role: str) -> frozenset[Grant] | None:
        """All that the steps granted is there, for every schema of the account that shares the role."""
        here, names = self.snowflake(settings), settings.snowflake
        if role == names.owner_role:
            return frozenset(
                {*integration_grants(settings)}
                | {Grant("USAGE", "ROLE", name) for name in (names.loader_role, names.operator_role)}
            )
        if role not in here.roles:
            return None
        found = set(integration_grants(settings))
        for stream in settings.streams:
            if stream.pipe.sql in here.objects["PIPE"]:
                found |= {*loader_grants(stream), *operator_grants(settings, stream)}
        found |= {Grant("SELECT", "TABLE", name) for name in here.objects["TABLE"]}
        return frozenset(found)

    def _answers(self, settings: Settings) -> dict[str, Any]:
        here, aws = self.snowflake(settings), settings.aws
        schema = settings.schema_sql
        holders = [name for name, row in sorted(self.roles.items()) if aws.policy_arn in row["attached"]]
        return {
            **{f"SHOW {kind}S IN SCHEMA": here.shown(kind, schema) for kind in here.objects},
            **{f"SHOW {kind}S IN ACCOUNT": here.shown(kind) for kind in here.objects},
            **{
                f"DESC INTEGRATION {name}": [
                    {"property": "STORAGE_AWS_EXTERNAL_ID", "property_value": row["external_id"]}
                ]
                for name, row in here.integrations.items()
            },
            "SHOW ROLES": [
                {"name": name, "comment": comment} for name, comment in sorted(here.roles.items())
            ],
            "iam:ListRolePolicies": [],
            "iam:ListInstanceProfilesForRole": [],
            "iam:ListEntitiesForPolicy": {"PolicyRoles": [{"RoleName": name} for name in holders]},
        }


def _dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in tags}
