"""Notification integrations: CREATE, ALTER, and their part of DROP, DESC and SHOW. Nothing is ever sent.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-notification-integration-queue-outbound-aws,
https://docs.snowflake.com/en/sql-reference/sql/create-notification-integration-email,
https://docs.snowflake.com/en/sql-reference/sql/desc-integration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, resolve, result
from snowpipe_sandbox.snowflake.catalog import NotificationIntegration
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
OPTIONS: dict[str, options.Reader] = {
    "ENABLED": options.boolean,
    "AWS_SNS_TOPIC_ARN": options.string,
    "AWS_SNS_ROLE_ARN": options.string,
    "ALLOWED_RECIPIENTS": options.strings,
    "DEFAULT_RECIPIENTS": options.strings,
    "DEFAULT_SUBJECT": options.string,
    "COMMENT": options.string,
}
CREATE_OPTIONS: dict[str, options.Reader] = {
    "TYPE": options.only("TYPE", "QUEUE", "EMAIL"),
    "DIRECTION": options.only("DIRECTION", "OUTBOUND"),
    "NOTIFICATION_PROVIDER": options.only("NOTIFICATION_PROVIDER", "AWS_SNS"),
} | OPTIONS
REQUIRED = {
    "QUEUE": ("ENABLED", "DIRECTION", "NOTIFICATION_PROVIDER", "AWS_SNS_TOPIC_ARN", "AWS_SNS_ROLE_ARN"),
    "EMAIL": ("ENABLED",),
}


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE NOTIFICATION INTEGRATION to an SNS topic, or by email; every other kind is not emulated."""
    name = tokens.identifier()
    given = options.read_options(tokens, CREATE_OPTIONS)
    account = session.account
    with account.lock:
        account.privileges.require_on_account(session.role, "CREATE INTEGRATION")
        existing = account.catalog.notifications.get(name)
        if name in account.catalog.integrations:
            raise errors.already_exists(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        if "TYPE" not in given:
            raise errors.missing_options("TYPE")
        missing = [each for each in REQUIRED[given["TYPE"]] if each not in given]
        if missing:
            raise errors.missing_options(*missing)
        account.privileges.displace(session.role, existing)
        account.catalog.notifications[name] = NotificationIntegration(
            account.catalog.next_id(),
            name,
            given.pop("TYPE"),
            resolve.new_external_id(account),
            given,
            session.role,
            account.now(),
        )
    return result.status(f"Integration {name} successfully created.")


def find(session: Session, name: str) -> NotificationIntegration | None:
    """The notification integration of this name, if there is one and the role may see it."""
    account = session.account
    found = account.catalog.notifications.get(name)
    return found if found and account.privileges.has_any(session.role, found) else None


def alter(session: Session, found: NotificationIntegration, tokens: Tokens) -> Result:
    """ALTER NOTIFICATION INTEGRATION … SET or UNSET."""
    session.account.privileges.require_ownership(session.role, found)
    if tokens.one_of("SET", "UNSET") == "SET":
        given = options.read_options(tokens, OPTIONS)
        if not given:
            raise tokens.error()
        found.options.update(given)
    else:
        for option in options.unset_list(tokens, *OPTIONS):
            found.options.pop(option, None)
    return result.status(DONE)


def drop(session: Session, found: NotificationIntegration) -> Result:
    """DROP INTEGRATION: pipes and tasks keep its name."""
    account = session.account
    account.privileges.require_ownership(session.role, found)
    del account.catalog.notifications[found.name]
    account.privileges.forget(found)
    return result.status(f"{found.name} successfully dropped.")


def described(session: Session, found: NotificationIntegration) -> list[tuple[str, str, str, str]]:
    """The rows of DESC INTEGRATION."""
    session.account.privileges.require(session.role, found, "USAGE")
    given = found.options
    rows = [("ENABLED", "Boolean", str(given.get("ENABLED", False)).lower(), "false")]
    if found.type == "QUEUE":
        rows += [
            ("NOTIFICATION_PROVIDER", "String", "AWS_SNS", ""),
            ("DIRECTION", "String", "OUTBOUND", "INBOUND"),
            ("AWS_SNS_TOPIC_ARN", "String", given["AWS_SNS_TOPIC_ARN"], ""),
            ("AWS_SNS_ROLE_ARN", "String", given["AWS_SNS_ROLE_ARN"], ""),
            ("SF_AWS_IAM_USER_ARN", "String", session.account.aws.user_arn, ""),
            ("SF_AWS_EXTERNAL_ID", "String", found.external_id, ""),
        ]
    else:
        rows += [
            ("ALLOWED_RECIPIENTS", "List", ",".join(given.get("ALLOWED_RECIPIENTS", ())), "[]"),
            ("DEFAULT_RECIPIENTS", "List", ",".join(given.get("DEFAULT_RECIPIENTS", ())), "[]"),
            ("DEFAULT_SUBJECT", "String", given.get("DEFAULT_SUBJECT", ""), ""),
            ("DIRECTION", "String", "OUTBOUND", "INBOUND"),
        ]
    return [*rows, ("COMMENT", "String", given.get("COMMENT", ""), "")]


def show_rows(session: Session) -> list[tuple[Any, ...]]:
    """Their rows of SHOW INTEGRATIONS."""
    account = session.account
    return [
        (
            each.name,
            "QUEUE - AWS_SNS" if each.type == "QUEUE" else each.type,
            "NOTIFICATION",
            str(each.options.get("ENABLED", False)).lower(),
            each.options.get("COMMENT") or None,
            each.created_on,
        )
        for _, each in sorted(account.catalog.notifications.items())
        if account.privileges.has_any(session.role, each)
    ]
