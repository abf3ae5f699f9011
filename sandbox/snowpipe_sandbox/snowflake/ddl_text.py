"""GET_DDL: objects as the statements that would make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, relations, resolve
from snowpipe_sandbox.snowflake.catalog import Table
from snowpipe_sandbox.snowflake.commands import file_formats, integrations, pipes, stages
from snowpipe_sandbox.snowflake.names import quoted, split

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def get_ddl(session: Session, kind: str, name: str) -> str:
    """The statement for a pipe, stage, file format, table or integration. Raises 2003, or not emulated."""
    account = session.account
    wanted = kind.upper().replace("_", " ")
    parts = split(name)
    with account.lock:
        if wanted == "PIPE":
            return pipes.ddl(resolve.pipe(account, session, parts))
        if wanted == "STAGE":
            return stages.ddl(
                session, resolve.visible(account, session, account.catalog.stages, "Stage", parts)
            )
        if wanted == "FILE FORMAT":
            found = resolve.visible(account, session, account.catalog.file_formats, "File format", parts)
            return file_formats.ddl(found)
        if wanted in ("INTEGRATION", "STORAGE INTEGRATION"):
            return integrations.ddl(resolve.integration(account, session, parts[-1]))
    if wanted == "TABLE":
        return table_ddl(relations.find(session, tuple(parts), "Table"))
    raise errors.not_emulated(f"GET_DDL of a {kind}")


def table_ddl(table: Table) -> str:
    """CREATE OR REPLACE TABLE with its columns."""
    if table.kind != "TABLE":
        raise errors.not_emulated("GET_DDL of a view")
    lines = []
    for column in table.columns:
        line = f"\t{quoted(column.name)} {column.type}"
        line += "" if column.nullable else " NOT NULL"
        line += "" if column.default is None else f" DEFAULT {column.default}"
        line += "" if column.comment is None else f" COMMENT '{column.comment}'"
        lines.append(line)
    body = ",\n".join(lines)
    return f"create or replace TABLE {quoted(table.name)} (\n{body}\n);"
