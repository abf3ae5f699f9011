"""SYSTEM$ functions and GET_DDL (sources: Snowflake §1.2, §2.1-§2.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, pausing, resolve, stream_reading
from snowpipe_sandbox.snowflake.names import split

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.catalog import Pipe
    from snowpipe_sandbox.snowflake.sessions import Session


def _pipe(session: Session, name: Any) -> Pipe:
    """The pipe a function's string argument names, if the role may see it. Raises 2003."""
    with session.account.lock:
        return resolve.pipe(session.account, session, split(str(name)))


def pipe_status(session: Session, name: str) -> str:
    """SYSTEM$PIPE_STATUS: JSON. Needs OWNERSHIP or MONITOR on the pipe, or global MONITOR EXECUTION."""
    pipe = _pipe(session, name)
    privileges = session.account.privileges
    with session.account.lock:
        if not privileges.has_on_account(session.role, "MONITOR EXECUTION"):
            privileges.require(session.role, pipe, "MONITOR")
    return json.dumps(session.account.pipes.status(pipe), separators=(",", ":"))


def stream_has_data(session: Session, name: str) -> bool:
    """SYSTEM$STREAM_HAS_DATA."""
    return stream_reading.has_data(session, name)


FLAGS = {"STALENESS_CHECK_OVERRIDE", "OWNERSHIP_TRANSFER_CHECK_OVERRIDE"}


def pipe_force_resume(session: Session, name: str, flags: str | None = None) -> str:
    """SYSTEM$PIPE_FORCE_RESUME: resume after a change of owner, or a pause longer than 14 days.

    Without flags only the ownership check is overridden (sources: Snowflake §2.2).
    """
    pipe = _pipe(session, name)
    given = {flag.strip().upper() for flag in (flags or "OWNERSHIP_TRANSFER_CHECK_OVERRIDE").split(",")}
    if not given <= FLAGS:
        raise errors.invalid_value(str(flags), "SYSTEM$PIPE_FORCE_RESUME")
    account = session.account
    with account.lock:
        account.privileges.require_any(session.role, pipe, "OPERATE")
        pausing.force(account, pipe, given)
    account.pipes.wake(pipe)
    return "SUCCESS"


def validate_storage_integration(session: Session, *arguments: str) -> str:
    """SYSTEM$VALIDATE_STORAGE_INTEGRATION: JSON. USAGE on the integration; its name is case-sensitive."""
    if len(arguments) != 4:
        raise errors.SnowflakeError(
            938,
            "22023",
            "SQL compilation error: error line 1 at position 7\n"
            "not enough arguments for function [SYSTEM$VALIDATE_STORAGE_INTEGRATION]",
        )
    name, url, file, action = (str(argument) for argument in arguments)
    account = session.account
    if action.lower() not in ("read", "write", "list", "delete", "all"):
        raise errors.invalid_value(action, "validate_action")
    with account.lock:
        integration = resolve.integration(account, session, name)
        account.privileges.require(session.role, integration, "USAGE")
        if not integration.enabled:
            raise resolve.disabled_integration(name)
        if not integration.allows(url):
            raise errors.location_not_allowed(url, integration.name)
    outcome = account.bucket.validate(integration, url, file, action.lower())
    return json.dumps(outcome, indent=2)


def aws_sns_iam_policy(session: Session, topic: str) -> str:
    """SYSTEM$GET_AWS_SNS_IAM_POLICY: the statement that lets Snowflake's user subscribe to the topic."""
    statement = {
        "Sid": "1",
        "Effect": "Allow",
        "Principal": {"AWS": session.account.aws.user_arn},
        "Action": ["sns:Subscribe"],
        "Resource": [topic],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def cancel_query(session: Session, query_id: str) -> str:
    """SYSTEM$CANCEL_QUERY: stop a running query of this account's user."""
    query = session.account.queries.get(query_id)
    if query is None or query.session.user != session.user:
        return f"Identified SQL statement is not currently executing: {query_id}"
    if query.finished.is_set():
        return f"Identified SQL statement is not currently executing: {query_id}"
    query.cancel()
    return f"query [{query_id}] terminated."


def typeof(_session: Session, _value: Any = None) -> str:
    """SYSTEM$TYPEOF is known and not emulated."""
    raise errors.not_emulated("SYSTEM$TYPEOF")


def get_ddl(session: Session, kind: str, name: str, _qualified: Any = None) -> str:
    """GET_DDL for a pipe, stage, file format, table or integration."""
    from snowpipe_sandbox.snowflake import ddl_text

    return ddl_text.get_ddl(session, kind, name)


def last_query_id(session: Session, which: int = -1) -> str | None:
    """LAST_QUERY_ID: the id of the session's last finished query; 1 is its first."""
    ids = session.query_ids
    try:
        return ids[which] if which < 0 else ids[which - 1]
    except IndexError:
        return None


def is_role_in_session(session: Session, role: str) -> bool:
    """IS_ROLE_IN_SESSION: does the current role inherit this one?"""
    return session.account.privileges.holds_role(session.role, role.upper())
