"""Resource monitors: there by name, with quota and triggers; nothing here uses credits, so none ever fires.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-resource-monitor,
https://docs.snowflake.com/en/sql-reference/sql/show-resource-monitors (its columns; who may).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.catalog import Monitor
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session

OPTIONS: dict[str, options.Reader] = {
    "CREDIT_QUOTA": options.value,
    "FREQUENCY": options.word,
    "START_TIMESTAMP": options.word,
    "END_TIMESTAMP": options.word,
    "NOTIFY_USERS": lambda tokens: tokens.listed(tokens.identifier),
}
ACTIONS = ("NOTIFY", "SUSPEND", "SUSPEND_IMMEDIATE")
Triggers = dict[str, list[str]]


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE RESOURCE MONITOR: by ACCOUNTADMIN alone."""
    name = tokens.identifier()
    tokens.take("WITH")
    given, triggers = _properties(tokens)
    account = session.account
    with account.lock:
        _require_administrator(session)
        present = mode.existing(name, exists=name in account.catalog.monitors)
        if present is not None:
            return present
        account.catalog.monitors[name] = Monitor(name, session.role, account.now(), given, triggers)
    return result.status(f"Resource monitor {name} successfully created.")


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER RESOURCE MONITOR … SET … [TRIGGERS …]."""
    name = tokens.identifier()
    tokens.take("SET")
    given, triggers = _properties(tokens)
    with session.account.lock:
        found = _find(session, name)
        found.given |= given
        found.triggers = triggers or found.triggers
    return result.status("Statement executed successfully.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP RESOURCE MONITOR."""
    name = tokens.identifier()
    tokens.end()
    with session.account.lock:
        _find(session, name)
        del session.account.catalog.monitors[name]
    return result.status(f"{name} successfully dropped.")


def check(session: Session, name: str) -> None:
    """What a warehouse's RESOURCE_MONITOR names is there. Raises 2003."""
    if name.upper() != "NULL":
        _find(session, name)


def _find(session: Session, name: str) -> Monitor:
    found = session.account.catalog.monitors.get(name)
    if found is None or not _is_administrator(session):
        raise errors.does_not_exist("Resource monitor", quoted(name))
    return found


def _is_administrator(session: Session) -> bool:
    return "ACCOUNTADMIN" in session.account.privileges.closure(session.role)


def _require_administrator(session: Session) -> None:
    if not _is_administrator(session):
        raise errors.insufficient_privileges("account", session.account.name)


def _properties(tokens: Tokens) -> tuple[dict[str, Any], Triggers]:
    """The options, and ``TRIGGERS ON n PERCENT DO action …``."""
    given = options.read_options(tokens, OPTIONS, until=lambda: tokens.sees("TRIGGERS"))
    triggers: Triggers = {action: [] for action in ACTIONS}
    if tokens.take("TRIGGERS"):
        while not tokens.at_end:
            tokens.expect("ON")
            share = f"{tokens.integer()}%"
            tokens.expect("PERCENT", "DO")
            triggers[tokens.one_of(*ACTIONS)].append(share)
    return given, triggers


SHOWN = [
    *result.texts("name", "credit_quota", "used_credits", "remaining_credits", "level", "frequency"),
    *[result.Column(name, "TIMESTAMP_LTZ") for name in ("start_time", "end_time")],
    *result.texts("notify_at", "suspend_at", "suspend_immediately_at"),
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts("owner", "comment", "notify_users"),
]


def rows(session: Session) -> list[tuple[Any, ...]]:
    """The rows of SHOW RESOURCE MONITORS, for those who may see them."""
    if not _is_administrator(session):
        return []
    found = []
    for each in session.account.catalog.monitors.values():
        quota = each.given.get("CREDIT_QUOTA")
        at = [",".join(each.triggers[action]) or None for action in ACTIONS]
        users = ", ".join(each.given.get("NOTIFY_USERS", []))
        frequency = str(each.given.get("FREQUENCY", "MONTHLY")).upper()
        place = (each.name, quota, "0.00", quota, None, frequency, each.created_on, None)
        found.append((*place, *at, each.created_on, each.owner, "", users))
    return found
