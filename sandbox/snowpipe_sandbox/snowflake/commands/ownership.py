"""GRANT OWNERSHIP: who may give an object away, and what that does to a pipe.

Source: https://docs.snowflake.com/en/sql-reference/sql/grant-ownership. The number for a running pipe is not
documented; the text is ours (sources: Snowflake §9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake.catalog import Pipe
from snowpipe_sandbox.snowflake.commands.grant_targets import manages
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.privileges import Owned, shown_name

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def transfer(session: Session, obj: Owned, role: str, mode: str) -> None:
    """Make ``role`` the owner. ``mode``: REVOKE or COPY the grants others hold; without one they forbid it.

    A pipe must be paused (and then resumes only by force), and the granting role must hold INSERT on its
    table. Raises 003001, 003082, 003192 or 003193.
    """
    privileges = session.account.privileges
    if not manages(session):
        privileges.require_ownership(session.role, obj)
    if obj.owner == role:
        return
    outbound = [held for held in privileges.grants if held.object_id == obj.id]
    if outbound and not mode:
        raise SnowflakeError(
            3082,
            "42501",
            "SQL execution error: Dependent grant of privilege "
            f"'{outbound[0].privilege}' on securable '{shown_name(obj)}' to role '{outbound[0].role}' "
            "exists. It must be revoked first. More than one dependent grant may exist: use 'SHOW GRANTS' "
            "command to view them. To revoke all dependent grants while transferring object ownership, use "
            "convenience command 'GRANT OWNERSHIP ON <target_objects> TO <target_role> REVOKE CURRENT "
            "GRANTS'.",
        )
    if isinstance(obj, Pipe):
        _check_pipe_transfer(session, obj)
        obj.owner_changed = True
    if mode == "REVOKE":
        privileges.grants = [held for held in privileges.grants if held.object_id != obj.id]
    obj.owner = role


def _check_pipe_transfer(session: Session, pipe: Pipe) -> None:
    """The pipe is paused, and the granting role may insert into its table (sources: Snowflake §4.1).

    The first text: https://github.com/snowflakedb/terraform-provider-snowflake (grants_integration_test.go).
    """
    account = session.account
    if not account.catalog.pipe_is_paused(pipe):
        raise SnowflakeError(
            3193,
            "55000",
            f"Pipe {pipe.name} not in paused state. To pause pipe run ALTER PIPE {pipe.name} SET "
            "PIPE_EXECUTION_PAUSED=true",
        )
    table = account.catalog.pipe_table(pipe)
    if table is not None and not account.privileges.has(session.role, "INSERT", table):
        raise SnowflakeError(
            3192,
            "42501",
            "Pipe may have pending files that could be loaded into table when resumed. To do grant, use role "
            f"with INSERT privilege on the target table {table.name}",
        )
