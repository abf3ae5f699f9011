"""Every right that a step uses, as data: IAM actions on resources, Snowflake privileges of roles.

Sources: the service authorization reference of IAM and S3
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html),
https://docs.snowflake.com/en/user-guide/security-access-control-privileges
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.facts.rights import GRANT_OPTION
from runbook.settings import SSM, Identifier, Settings, Stream

ROLE_ACTIONS: dict[int | str, tuple[str, ...]] = {
    1: (
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:GetRolePolicy",
        "iam:CreateRole",
        "iam:TagRole",
        "iam:AttachRolePolicy",
    ),
    3: ("iam:GetRole", "iam:UpdateAssumeRolePolicy"),
    "down": (
        "iam:UpdateAssumeRolePolicy",
        "iam:ListInstanceProfilesForRole",
        "iam:DetachRolePolicy",
        "iam:DeleteRole",
        "iam:UntagRole",
    ),
}
BOUNDARY_ACTION = "iam:PutRolePermissionsBoundary"
POLICY_ACTIONS: dict[int | str, tuple[str, ...]] = {
    1: (
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:CreatePolicy",
        "iam:TagPolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
    ),
    "down": ("iam:ListEntitiesForPolicy", "iam:DeletePolicyVersion", "iam:DeletePolicy", "iam:UntagPolicy"),
}
BUCKET_ACTIONS: dict[int | str, tuple[str, ...]] = {
    1: ("s3:ListBucket", "s3:GetBucketPolicy", "s3:GetEncryptionConfiguration"),
    5: ("s3:ListBucket", "s3:GetBucketNotification", "s3:PutBucketNotification"),
    "down": ("s3:GetBucketNotification", "s3:PutBucketNotification"),
    "backfill": ("s3:ListBucket",),
    "explain": ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketNotification"),
    "replace-pipe": ("s3:ListBucket", "s3:GetBucketNotification", "s3:PutBucketNotification"),
}
OBJECT_ACTIONS: dict[int | str, tuple[str, ...]] = {
    "verify --canary": ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"),
}
KEY_ACTIONS: dict[int | str, tuple[str, ...]] = {1: ("kms:DescribeKey", "kms:GetKeyPolicy")}
TOPIC_ACTIONS: dict[int | str, tuple[str, ...]] = {
    3: ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:SetTopicAttributes"),
    "down": ("sns:GetTopicAttributes", "sns:SetTopicAttributes"),
}
PARAMETER_ACTIONS: dict[int | str, tuple[str, ...]] = {
    3: ("ssm:GetParameter", "ssm:PutParameter"),
    "down": ("ssm:GetParameter", "ssm:DeleteParameter"),
}
OPTIONAL = ("iam:GetAccountSummary", "kms:ListGrants")
"""Asked where a role is full of others' policies, or where a key's policy leaves the role out.

Step 1 does without the first, and takes IAM's default of ten; without the second no grant is known.
"""
COMMANDS = ("explain", "backfill", "replace-pipe", "verify --deep", "verify --canary", "down")
"""The commands that need rights of their own, beside those of the steps."""


@dataclass(frozen=True)
class AwsRight:
    """An IAM action a step (its number) or a command (its name) calls, and on what."""

    step: int | str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class SnowflakeRight:
    """A privilege a role needs, as SHOW GRANTS has it; ``or_else``: what is as good."""

    step: int | str
    role: Identifier
    privilege: str
    on: str
    or_else: tuple[str, ...] = ()
    handed_on: bool = False

    def __str__(self) -> str:
        option = f" {GRANT_OPTION}" if self.handed_on else ""
        return f"{self.privilege} on {self.on} for {self.role}{option}"

    @property
    def grant(self) -> str:
        """The statement that grants it.

        Without COPY CURRENT GRANTS ownership goes over only where nobody else has a right on the thing.
        Source: https://docs.snowflake.com/en/sql-reference/sql/grant-ownership
        """
        kind = "file format" if self.on.startswith("file format ") else self.on.partition(" ")[0]
        on = f"{kind.upper()}{self.on.removeprefix(kind)}"
        option = (
            " COPY CURRENT GRANTS" * (self.privilege == "OWNERSHIP") + " WITH GRANT OPTION" * self.handed_on
        )
        return f"GRANT {self.privilege} ON {on} TO ROLE {self.role.sql}{option};"

    @property
    def held_as(self) -> frozenset[str]:
        """Every form in which a role may hold it."""
        right = f"{self.privilege} on {self.on}"
        return frozenset((f"{right} {GRANT_OPTION}" if self.handed_on else right, *self.or_else))


def aws_rights(settings: Settings) -> Iterator[AwsRight]:
    """What steps and commands call on AWS, in their order."""
    aws = settings.aws
    buckets = settings.buckets
    arns = {bucket.name: bucket.arn for bucket in buckets}
    objects = [f"{arns[stream.bucket]}/{stream.prefix}*" for stream in settings.streams]
    keys = list(dict.fromkeys(bucket.kms_key_arn for bucket in buckets if bucket.kms_key_arn))
    parameter = [_parameter(settings)] if (settings.handoff or "").startswith(SSM) else []
    on: list[tuple[list[str], dict[int | str, tuple[str, ...]]]] = [
        ([aws.role_arn], ROLE_ACTIONS),
        ([aws.policy_arn], POLICY_ACTIONS),
        (list(arns.values()), BUCKET_ACTIONS),
        (keys, KEY_ACTIONS),
        (list(settings.topics), TOPIC_ACTIONS),
        (objects, OBJECT_ACTIONS),
        (parameter, PARAMETER_ACTIONS),
    ]
    for step in (1, 3, 5, *COMMANDS):
        if step == 1 and aws.permissions_boundary and not settings.is_terraforms(1):
            yield AwsRight(1, BOUNDARY_ACTION, aws.role_arn)
        for resources, actions in on:
            for resource in resources:
                for action in actions.get(step, ()):
                    if not _is_terraforms(settings, action):
                        yield AwsRight(step, action, resource)


def _parameter(settings: Settings) -> str:
    aws, name = settings.aws, (settings.handoff or "").removeprefix(SSM).lstrip("/")
    return f"arn:{aws.partition}:ssm:{aws.region}:{aws.account_id}:parameter/{name}"


def _is_terraforms(settings: Settings, action: str) -> bool:
    """Whether Terraform makes the call in our place: what it makes, we only read."""
    service, _, name = action.partition(":")
    if name.startswith(("Get", "List", "Describe")) or service not in ("iam", "s3"):
        return False
    of_role_or_rules = {"iam": 1, "s3": 5}[service]
    return action not in OBJECT_ACTIONS["verify --canary"] and settings.is_terraforms(of_role_or_rules)


@dataclass(frozen=True)
class There:
    """What exists already decides which privileges the Snowflake steps and commands still use.

    ``role``, ``warehouse``: the connection's own, as its session has them. ``made``: the streams' objects
    that carry our mark, as GRANT names them (``stage RAW.SNOWPLOW.ENRICHED_STAGE``), each with its stream.
    """

    integration: bool
    loader: bool
    operator: bool
    database: bool
    schema: bool
    role: Identifier | None = None
    warehouse: Identifier | None = None
    made: tuple[str, ...] = ()
    tables: tuple[Stream, ...] = ()


def snowflake_rights(settings: Settings, there: There) -> Iterator[SnowflakeRight]:
    """What steps 2 and 4, and then the commands, need for what is missing and for what is there."""
    yield from _of_steps(settings, there)
    yield from _of_commands(settings, there)


def _of_steps(settings: Settings, there: There) -> Iterator[SnowflakeRight]:
    """What brings about what is missing, and alters what is there."""
    snowflake = settings.snowflake
    admin, owner = snowflake.admin_role, snowflake.owner_role
    name = f"integration {snowflake.integration.sql}"
    if there.integration:
        yield SnowflakeRight(2, admin, "OWNERSHIP", name)
    else:
        either = ("CREATE STORAGE INTEGRATION on account",)
        yield SnowflakeRight(2, admin, "CREATE INTEGRATION", "account", either)
    if not (there.loader and there.operator):
        yield SnowflakeRight(2, admin, "CREATE ROLE", "account")
    database = f"database {snowflake.database.sql}"
    schema = f"schema {snowflake.database.sql}.{snowflake.schema_name.sql}"
    if not there.database:
        yield SnowflakeRight(4, owner, "CREATE DATABASE", "account")
        return
    yield SnowflakeRight(4, owner, "USAGE", database, (f"OWNERSHIP on {database}",), handed_on=True)
    if not there.schema:
        yield SnowflakeRight(4, owner, "CREATE SCHEMA", database, (f"OWNERSHIP on {database}",))
        return
    owned = (f"OWNERSHIP on {schema}",)
    for privilege in ("USAGE", "CREATE PIPE", "CREATE FILE FORMAT"):
        yield SnowflakeRight(4, owner, privilege, schema, owned, handed_on=True)
    for privilege in ("CREATE TABLE", "CREATE STAGE"):
        yield SnowflakeRight(4, owner, privilege, schema, owned)


def _of_commands(settings: Settings, there: There) -> Iterator[SnowflakeRight]:
    """What loading by name, looking deeper and taking back use beside that.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (access control),
    https://docs.snowflake.com/en/sql-reference/sql/drop-stage and the pages of the other DROP statements.
    """
    snowflake = settings.snowflake
    owner = snowflake.owner_role
    if there.warehouse is not None:
        on = f"warehouse {there.warehouse.sql}"
        either = (f"OWNERSHIP on {on}",)
        yield SnowflakeRight("backfill", owner, "USAGE", on, either)
        if there.role is not None:
            yield SnowflakeRight("verify --deep", there.role, "USAGE", on, either)
    for stream in there.tables:
        on = f"table {stream.table.sql}"
        for privilege in ("SELECT", "INSERT", "DELETE"):
            yield SnowflakeRight("backfill", owner, privilege, on, (f"OWNERSHIP on {on}",))
    for on in there.made:
        kind = on.partition(" ")[0]
        by = {"role": snowflake.admin_role, "pipe": snowflake.loader_role}.get(kind, owner)
        yield SnowflakeRight("down", by, "OWNERSHIP", on)
        if kind == "pipe":
            yield SnowflakeRight("replace-pipe", by, "OWNERSHIP", on)
