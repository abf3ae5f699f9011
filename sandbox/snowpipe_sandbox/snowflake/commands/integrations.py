"""Storage integrations: CREATE, ALTER, DROP, DESC, SHOW (sources: Snowflake §1.1).

None of these calls AWS: only syntax and the role's ARN are checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve, result
from snowpipe_sandbox.snowflake.catalog import Integration
from snowpipe_sandbox.snowflake.commands import notifications
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+")
S3_URL = re.compile(r"s3://[^/]+(/.*)?")

PRIVATELINK = options.only("USE_PRIVATELINK_ENDPOINT", "FALSE")
OPTIONS: dict[str, options.Reader] = {
    "STORAGE_AWS_ROLE_ARN": options.string,
    "STORAGE_AWS_EXTERNAL_ID": options.string,
    "STORAGE_AWS_OBJECT_ACL": options.string,
    "USE_PRIVATELINK_ENDPOINT": PRIVATELINK,
    "ENABLED": options.boolean,
    "STORAGE_ALLOWED_LOCATIONS": options.locations,
    "STORAGE_BLOCKED_LOCATIONS": options.locations,
    "COMMENT": options.string,
}
CREATE_OPTIONS: dict[str, options.Reader] = {
    "TYPE": options.only("TYPE", "EXTERNAL_STAGE"),
    "STORAGE_PROVIDER": options.only("STORAGE_PROVIDER", "S3"),
} | OPTIONS
REQUIRED = ("TYPE", "STORAGE_PROVIDER", "ENABLED", "STORAGE_AWS_ROLE_ARN", "STORAGE_ALLOWED_LOCATIONS")
UNSETTABLE = (
    "ENABLED",
    "STORAGE_BLOCKED_LOCATIONS",
    "COMMENT",
    "STORAGE_AWS_EXTERNAL_ID",
    "STORAGE_AWS_OBJECT_ACL",
    "USE_PRIVATELINK_ENDPOINT",
)


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE STORAGE INTEGRATION. Replacing gives a new hidden id and, unless given, a new external id."""
    name = tokens.identifier()
    given = options.read_options(tokens, CREATE_OPTIONS)
    account = session.account
    with account.lock:
        account.privileges.require_on_account(
            session.role, "CREATE INTEGRATION", "CREATE STORAGE INTEGRATION"
        )
        existing = account.catalog.integrations.get(name)
        if name in account.catalog.notifications:
            raise errors.already_exists(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        missing = [each for each in REQUIRED if each not in given]
        if missing:
            raise errors.missing_options(*missing)
        _check(given)
        account.privileges.displace(session.role, existing)
        account.catalog.integrations[name] = Integration(
            id=account.catalog.next_id(),
            name=name,
            provider="S3",
            role_arn=given["STORAGE_AWS_ROLE_ARN"],
            external_id=given.get("STORAGE_AWS_EXTERNAL_ID") or resolve.new_external_id(account),
            enabled=given["ENABLED"],
            allowed_locations=given["STORAGE_ALLOWED_LOCATIONS"],
            blocked_locations=given.get("STORAGE_BLOCKED_LOCATIONS", []),
            comment=given.get("COMMENT", ""),
            owner=session.role,
            created_on=account.now(),
            object_acl=given.get("STORAGE_AWS_OBJECT_ACL", ""),
        )
    account.pipes.wake_all()
    return result.status(f"Integration {name} successfully created.")


def _check(given: dict[str, Any]) -> None:
    """The values' syntax, which is all Snowflake checks here. Raises 001008-like errors."""
    arn = given.get("STORAGE_AWS_ROLE_ARN")
    if arn is not None and not ROLE_ARN.fullmatch(arn):
        raise SnowflakeError(
            2029,
            "42601",
            f"SQL compilation error:\ninvalid value [{arn}] for parameter 'STORAGE_AWS_ROLE_ARN'",
        )
    if given.get("STORAGE_AWS_EXTERNAL_ID") == "":
        raise errors.invalid_value("", "STORAGE_AWS_EXTERNAL_ID")
    for option in ("STORAGE_ALLOWED_LOCATIONS", "STORAGE_BLOCKED_LOCATIONS"):
        for place in given.get(option, []):
            if place == "*" and option == "STORAGE_ALLOWED_LOCATIONS":
                continue
            if not S3_URL.match(place):
                raise errors.invalid_url(place)
    if given.get("STORAGE_ALLOWED_LOCATIONS") == []:
        raise errors.invalid_value("", "STORAGE_ALLOWED_LOCATIONS")


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER [STORAGE] INTEGRATION … SET or UNSET: the hidden id stays, so stages stay attached."""
    name = tokens.identifier()
    with session.account.lock:
        notification = notifications.find(session, name)
        if notification is not None:
            return notifications.alter(session, notification, tokens)
    given: dict[str, Any] = {}
    unset: list[str] = []
    if tokens.one_of("SET", "UNSET") == "SET":
        given = options.read_options(tokens, OPTIONS)
        if not given:
            raise tokens.error()
        _check(given)
    else:
        unset = options.unset_list(tokens, *UNSETTABLE)
    account = session.account
    with account.lock:
        integration = _owned(session, name)
        _set(integration, given)
        for option in unset:
            _unset(account, integration, option)
    account.pipes.wake_all()
    return result.status("Statement executed successfully.")


def _owned(session: Session, name: str) -> Integration:
    integration = resolve.integration(session.account, session, name)
    session.account.privileges.require_ownership(session.role, integration)
    return integration


def _set(integration: Integration, given: dict[str, Any]) -> None:
    integration.role_arn = given.get("STORAGE_AWS_ROLE_ARN", integration.role_arn)
    integration.external_id = given.get("STORAGE_AWS_EXTERNAL_ID", integration.external_id)
    integration.object_acl = given.get("STORAGE_AWS_OBJECT_ACL", integration.object_acl)
    integration.enabled = given.get("ENABLED", integration.enabled)
    integration.allowed_locations = given.get("STORAGE_ALLOWED_LOCATIONS", integration.allowed_locations)
    integration.blocked_locations = given.get("STORAGE_BLOCKED_LOCATIONS", integration.blocked_locations)
    integration.comment = given.get("COMMENT", integration.comment)


def _unset(account: Account, integration: Integration, option: str) -> None:
    if option == "USE_PRIVATELINK_ENDPOINT":
        raise SnowflakeError(
            1422,
            "22023",
            "SQL compilation error:\nCannot unset property 'USE_PRIVATELINK_ENDPOINT' on integration "
            f"'{integration.name}'",
        )
    if option == "ENABLED":
        integration.enabled = False
    elif option == "STORAGE_BLOCKED_LOCATIONS":
        integration.blocked_locations = []
    elif option == "COMMENT":
        integration.comment = ""
    elif option == "STORAGE_AWS_EXTERNAL_ID":
        integration.external_id = resolve.new_external_id(account)
    else:
        integration.object_acl = ""


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP STORAGE INTEGRATION: stages that know its id are orphaned."""
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        notification = notifications.find(session, name)
        if notification is not None:
            return notifications.drop(session, notification)
        integration = _owned(session, name)
        del account.catalog.integrations[name]
        account.privileges.forget(integration)
    account.pipes.wake_all()
    return result.status(f"{name} successfully dropped.")


DESCRIBED = result.texts("property", "property_type", "property_value", "property_default")


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC INTEGRATION: nine rows, ten with an object ACL."""
    name = tokens.identifier()
    tokens.end()
    account = session.account
    with account.lock:
        notification = notifications.find(session, name)
        if notification is not None:
            return Result(DESCRIBED, notifications.described(session, notification), result.DESCRIBE)
        found = resolve.integration(account, session, name)
        account.privileges.require(session.role, found, "USAGE")
        rows = [
            ("ENABLED", "Boolean", str(found.enabled).lower(), "false"),
            ("STORAGE_PROVIDER", "String", found.provider, ""),
            ("STORAGE_ALLOWED_LOCATIONS", "List", ",".join(found.allowed_locations), "[]"),
            ("STORAGE_BLOCKED_LOCATIONS", "List", ",".join(found.blocked_locations), "[]"),
            ("STORAGE_AWS_IAM_USER_ARN", "String", account.aws.user_arn, ""),
            ("STORAGE_AWS_ROLE_ARN", "String", found.role_arn, ""),
            ("STORAGE_AWS_EXTERNAL_ID", "String", found.external_id, ""),
            ("USE_PRIVATELINK_ENDPOINT", "Boolean", "false", "false"),
            ("COMMENT", "String", found.comment, ""),
        ]
        if found.object_acl:
            rows.append(("STORAGE_AWS_OBJECT_ACL", "String", found.object_acl, ""))
    return Result(DESCRIBED, rows, result.DESCRIBE)


SHOWN = [
    *result.texts("name", "type", "category", "enabled", "comment"),
    result.Column("created_on", "TIMESTAMP_LTZ"),
]


def show_rows(session: Session) -> list[tuple[Any, ...]]:
    """SHOW INTEGRATIONS: those the role holds any privilege on."""
    account = session.account
    return [
        (
            each.name,
            "EXTERNAL_STAGE",
            "STORAGE",
            str(each.enabled).lower(),
            each.comment or None,
            each.created_on,
        )
        for _, each in sorted(account.catalog.integrations.items())
        if account.privileges.has_any(session.role, each)
    ]


def ddl(integration: Integration) -> str:
    """CREATE OR REPLACE … as GET_DDL writes it."""

    def listed(places: list[str]) -> str:
        return "(" + ", ".join(f"'{place}'" for place in places) + ")"

    lines = [
        f"create or replace STORAGE INTEGRATION {quoted(integration.name)}",
        "TYPE = EXTERNAL_STAGE",
        "STORAGE_PROVIDER = 'S3'",
        f"STORAGE_AWS_ROLE_ARN = '{integration.role_arn}'",
        f"STORAGE_AWS_EXTERNAL_ID = '{integration.external_id}'",
        f"ENABLED = {str(integration.enabled).upper()}",
        f"STORAGE_ALLOWED_LOCATIONS = {listed(integration.allowed_locations)}",
    ]
    if integration.blocked_locations:
        lines.append(f"STORAGE_BLOCKED_LOCATIONS = {listed(integration.blocked_locations)}")
    return "\n".join(lines) + ";"
