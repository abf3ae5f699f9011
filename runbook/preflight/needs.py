"""Every right that a step uses, as data: IAM actions on resources, Snowflake privileges of roles.

Sources: the service authorization reference of IAM and S3
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html),
https://docs.snowflake.com/en/user-guide/security-access-control-privileges
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runbook.facts.rights import GRANT_OPTION
from runbook.settings import SSM, Identifier, Settings

ROLE_ACTIONS = {
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
}
BOUNDARY_ACTION = "iam:PutRolePermissionsBoundary"
POLICY_ACTIONS = (
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:CreatePolicy",
    "iam:TagPolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
)
BUCKET_ACTIONS = {
    1: ("s3:ListBucket", "s3:GetBucketPolicy", "s3:GetEncryptionConfiguration"),
    5: ("s3:ListBucket", "s3:GetBucketNotification", "s3:PutBucketNotification"),
}
PARAMETER_ACTIONS = ("ssm:GetParameter", "ssm:PutParameter")


@dataclass(frozen=True)
class AwsRight:
    """An IAM action a step calls, and on what."""

    step: int
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class SnowflakeRight:
    """A privilege a role needs for a step, as SHOW GRANTS has it; ``or_else``: what is as good."""

    step: int
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
        """The statement that grants it."""
        kind, _, name = self.on.partition(" ")
        on = f"{kind.upper()} {name}".rstrip()
        return (
            f"GRANT {self.privilege} ON {on} TO ROLE {self.role.sql}{' WITH GRANT OPTION' * self.handed_on};"
        )

    @property
    def held_as(self) -> frozenset[str]:
        """Every form in which a role may hold it."""
        right = f"{self.privilege} on {self.on}"
        return frozenset((f"{right} {GRANT_OPTION}" if self.handed_on else right, *self.or_else))


def aws_rights(settings: Settings) -> Iterator[AwsRight]:
    """What the steps call on AWS, in the order of the steps."""
    aws = settings.aws
    for step in (1, 3, 5):
        actions = ROLE_ACTIONS.get(step, ())
        if step == 1 and aws.permissions_boundary:
            actions = (*actions, BOUNDARY_ACTION)
        yield from (AwsRight(step, action, aws.role_arn) for action in actions)
        if step == 1:
            yield from (AwsRight(step, action, aws.policy_arn) for action in POLICY_ACTIONS)
        yield from (AwsRight(step, action, aws.bucket_arn) for action in BUCKET_ACTIONS.get(step, ()))
    if (settings.handoff or "").startswith(SSM):
        name = (settings.handoff or "").removeprefix(SSM).lstrip("/")
        arn = f"arn:{aws.partition}:ssm:{aws.region}:{aws.account_id}:parameter/{name}"
        yield from (AwsRight(3, action, arn) for action in PARAMETER_ACTIONS)


@dataclass(frozen=True)
class There:
    """What exists already decides which privileges the Snowflake steps still use."""

    integration: bool
    loader: bool
    operator: bool
    database: bool
    schema: bool


def snowflake_rights(settings: Settings, there: There) -> Iterator[SnowflakeRight]:
    """What the roles of steps 2 and 4 need to bring about what is missing, and to alter what is there."""
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
    for privilege in ("USAGE", "CREATE PIPE"):
        yield SnowflakeRight(4, owner, privilege, schema, owned, handed_on=True)
    for privilege in ("CREATE TABLE", "CREATE STAGE", "CREATE FILE FORMAT"):
        yield SnowflakeRight(4, owner, privilege, schema, owned)
