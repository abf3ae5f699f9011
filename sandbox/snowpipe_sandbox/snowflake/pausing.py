"""PIPE_EXECUTION_PAUSED, stale pipes and the resume that needs force (sources: Snowflake §2.2, §1.5).

The numbers and texts of the two refusals are not documented (sources: Snowflake §9); the ones here are ours.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake.catalog import Catalog, Pipe
from snowpipe_sandbox.snowflake.errors import SnowflakeError

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account

NOTIFICATIONS_KEPT = timedelta(days=14)


def note(catalog: Catalog, now: datetime) -> None:
    """After a change of any PIPE_EXECUTION_PAUSED: remember since when each pipe is paused."""
    for pipe in catalog.pipes:
        if not catalog.pipe_is_paused(pipe):
            pipe.paused_since = None
        elif pipe.paused_since is None:
            pipe.paused_since = now


def is_stale(pipe: Pipe, now: datetime) -> bool:
    """Has an auto-ingest pipe been paused for longer than its notifications are kept?"""
    return pipe.auto_ingest and pipe.paused_since is not None and now - pipe.paused_since > NOTIFICATIONS_KEPT


def stale_error(pipe: Pipe) -> SnowflakeError:
    """A stale pipe resumes only by force."""
    return SnowflakeError(
        3194,
        "55000",
        f"Pipe {pipe.full_name} cannot be resumed: it is stale, paused for more than 14 days. Use "
        "SYSTEM$PIPE_FORCE_RESUME with the argument 'staleness_check_override'.",
    )


def owner_changed_error(pipe: Pipe) -> SnowflakeError:
    """After a transfer of ownership a pipe resumes only by force."""
    return SnowflakeError(
        3195,
        "55000",
        f"Pipe {pipe.full_name} cannot be resumed: its ownership was transferred. Use "
        "SYSTEM$PIPE_FORCE_RESUME with the argument 'ownership_transfer_check_override'.",
    )


def cloned_error(pipe: Pipe) -> SnowflakeError:
    """A cloned pipe is stopped already, and cannot be paused; SET … = FALSE resumes it.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts (STOPPED_CLONED).
    """
    return SnowflakeError(
        3196, "55000", f"Pipe {pipe.full_name} cannot be paused: it was cloned and is stopped."
    )


def set_paused(account: Account, pipe: Pipe, *, paused: bool | None) -> None:
    """ALTER PIPE … SET or UNSET PIPE_EXECUTION_PAUSED. Raises where only SYSTEM$PIPE_FORCE_RESUME resumes.

    Hold ``account.lock``.
    """
    catalog, now = account.catalog, account.now()
    if pipe.cloned and paused:
        raise cloned_error(pipe)
    before = pipe.paused
    was_paused = catalog.pipe_is_paused(pipe)
    pipe.paused = paused
    if was_paused and not catalog.pipe_is_paused(pipe):
        problem = None
        if is_stale(pipe, now):
            problem = stale_error(pipe)
        elif pipe.owner_changed:
            problem = owner_changed_error(pipe)
        if problem is not None:
            pipe.paused = before
            raise problem
    if paused is False:
        pipe.cloned = False
    note(catalog, now)


def force(account: Account, pipe: Pipe, overrides: Collection[str]) -> None:
    """SYSTEM$PIPE_FORCE_RESUME with these checks overridden. Hold ``account.lock``."""
    if is_stale(pipe, account.now()) and "STALENESS_CHECK_OVERRIDE" not in overrides:
        raise stale_error(pipe)
    if pipe.owner_changed and "OWNERSHIP_TRANSFER_CHECK_OVERRIDE" not in overrides:
        raise owner_changed_error(pipe)
    pipe.owner_changed = False
    pipe.cloned = False
    pipe.paused = False
    note(account.catalog, account.now())
