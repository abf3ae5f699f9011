"""From a name in a statement to an object the role may use for it, or the right error.

A missing object and one the role may not know of are the same error (2003); what may be seen and not
used is 3001 (sources: Snowflake §1.7).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.catalog import (
    Database,
    FileFormat,
    Integration,
    NotificationIntegration,
    Objects,
    Pipe,
    Schema,
    SchemaObject,
    Stage,
    Table,
)
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.names import Context, Name, dotted, qualify, quoted

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account

SO = TypeVar("SO", bound=SchemaObject)


@dataclass(frozen=True, slots=True)
class PipeContext:
    """A pipe as the one who loads: its schema, and its owner's privileges."""

    pipe: Pipe

    @property
    def database(self) -> str | None:
        """The pipe's database."""
        return self.pipe.database

    @property
    def schema(self) -> str | None:
        """The pipe's schema."""
        return self.pipe.schema

    @property
    def role(self) -> str:
        """The pipe's owner."""
        return self.pipe.owner


def database(account: Account, context: Context, name: str) -> Database:
    """A database the role may see. Raises 2003."""
    found = account.catalog.databases.get(name)
    if found is None or not account.privileges.sees(context.role, found):
        raise errors.does_not_exist("Database", quoted(name))
    return found


def schema(account: Account, context: Context, parts: Sequence[str]) -> Schema:
    """A schema the role may see, from one or two parts. Raises 2003 or 090105."""
    if len(parts) == 1:
        if context.database is None:
            raise errors.no_database("operation")
        parts = (context.database, parts[0])
    database(account, context, parts[0])
    found = account.catalog.schemas.get((parts[0], parts[1]))
    if found is None or not account.privileges.sees(context.role, found):
        raise errors.does_not_exist("Schema", dotted(parts))
    return found


def schema_for_create(
    account: Account, context: Context, parts: Sequence[str], privilege: str
) -> tuple[Name, Schema]:
    """The full name of an object to be made, and its schema. Raises 2003, 3001, 090105 or 090106."""
    name = qualify(parts, context, "CREATE")
    found = schema(account, context, name[:2])
    if not account.privileges.may_reach(context.role, *name[:2]):
        raise errors.does_not_exist("Schema", dotted(name[:2]))
    account.privileges.require(context.role, found, privilege)
    return name, found


def visible(account: Account, context: Context, objects: Objects[SO], kind: str, parts: Sequence[str]) -> SO:
    """An object in a schema that the role may see. Raises 2003."""
    name = qualify(parts, context)
    reachable = account.privileges.may_reach(context.role, name.database, name.schema)
    found = objects.get(name)
    if not reachable or found is None or not account.privileges.sees(context.role, found):
        raise _missing(account, context, kind, name)
    return found


def _missing(account: Account, context: Context, kind: str, name: Name) -> SnowflakeError:
    """2003 for the outermost thing the role cannot reach: database, schema or the object itself."""
    if not account.privileges.may_reach(context.role, name.database):
        return errors.does_not_exist("Database", quoted(name.database))
    if not account.privileges.may_reach(context.role, name.database, name.schema):
        return errors.does_not_exist("Schema", dotted(name[:2]))
    return errors.does_not_exist(kind, str(name))


def integration(account: Account, context: Context, name: str) -> Integration:
    """A storage integration the role may see, which needs USAGE or OWNERSHIP. Raises 2003."""
    found = account.catalog.integrations.get(name)
    if found is None or not account.privileges.has_any(context.role, found):
        raise errors.does_not_exist("Integration", quoted(name))
    return found


def error_integration(account: Account, context: Context, name: str) -> NotificationIntegration:
    """The notification integration a pipe or task sends its errors to. Raises 2003.

    Source: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-errors.
    """
    found = account.catalog.notifications.get(name)
    if found is None or not account.privileges.has_any(context.role, found):
        raise errors.does_not_exist("Integration", quoted(name))
    return found


def new_external_id(account: Account) -> str:
    """An external id in Snowflake's shape: ``<locator>_SFCRole=<n>_<base64>``."""
    token = base64.b64encode(secrets.token_bytes(20)).decode("ascii")
    return f"{account.locator}_SFCRole={secrets.randbelow(90000) + 10000}_{token}"


def stage_for_use(account: Account, context: Context, parts: Sequence[str]) -> tuple[Stage, Integration]:
    """A stage whose files the role may read, and its integration.

    Raises 2003 for stage or integration, 3139 where the integration was replaced or dropped, 3001 where it
    is disabled. Does not call AWS. Needs USAGE on the stage, and on the integration unless the role that
    owns the stage holds it (sources: Snowflake §1.4, §4.1).
    """
    with account.lock:
        stage = visible(account, context, account.catalog.stages, "Stage", parts)
        return stage, stage_integration(account, context, stage)


def stage_integration(account: Account, context: Context, stage: Stage) -> Integration:
    """The stage's own integration, usable by the role; errors as in :func:`stage_for_use`."""
    account.privileges.require(context.role, stage, "USAGE")
    if not stage.url:
        raise errors.not_emulated("the files of an internal stage")
    found = account.catalog.stage_integration(stage)
    if found is None:
        raise errors.integration_not_found(str(stage.integration_name), stage.name)
    if not account.privileges.integration_usable(context.role, stage, found):
        raise errors.does_not_exist("Integration", quoted(found.name))
    if not found.enabled:
        raise disabled_integration(found.name)
    return found


def disabled_integration(name: str) -> SnowflakeError:
    """An integration with ENABLED = FALSE gives no access. The number is not documented; the text is ours."""
    return SnowflakeError(3131, "42601", f"SQL compilation error:\nIntegration '{name}' is not enabled.")


def format_for_use(account: Account, context: Context, parts: Sequence[str]) -> FileFormat:
    """A named file format the role has USAGE on. Raises 2003 or 3001."""
    with account.lock:
        found = visible(account, context, account.catalog.file_formats, "File format", parts)
        account.privileges.require(context.role, found, "USAGE")
        return found


def table_for_load(
    account: Account, context: Context, parts: Sequence[str], privileges: Sequence[str] = ("INSERT",)
) -> Table:
    """A table the role may load into. Raises 2003 or 3001."""
    with account.lock:
        found = visible(account, context, account.catalog.tables, "Table", parts)
        account.privileges.require(context.role, found, *privileges)
        return found


def pipe(account: Account, context: Context, parts: Sequence[str]) -> Pipe:
    """A pipe the role may see. Raises 2003."""
    return visible(account, context, account.catalog.pipes, "Pipe", parts)
