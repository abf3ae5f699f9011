"""File formats: CREATE, ALTER, DROP, DESC, SHOW (sources: Snowflake §1.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, formats, resolve, result
from snowpipe_sandbox.snowflake.catalog import FileFormat
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import quoted
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.commands.creating import Mode
    from snowpipe_sandbox.snowflake.sessions import Session


def _written(tokens: Tokens) -> tuple[dict[str, Any], str | None]:
    """The options to the end of the statement, and the comment."""
    found: dict[str, Any] = {}
    while not tokens.at_end:
        tokens.take(",")
        options.tags(tokens)
        key = tokens.identifier()
        tokens.expect("=")
        if key in found:
            raise tokens.error()
        found[key] = options.string(tokens) if key == "COMMENT" else options.value(tokens)
    return found, found.pop("COMMENT", None)


def create(session: Session, tokens: Tokens, mode: Mode) -> Result:
    """CREATE FILE FORMAT. OR REPLACE gives a new hidden id; OR ALTER keeps it, resets what is left out."""
    parts = tokens.name()
    written, comment = _written(tokens)
    if "TYPE" not in written:
        raise errors.missing_options("TYPE")
    parsed = formats.parse(written)
    account = session.account
    with account.lock:
        name, _ = resolve.schema_for_create(account, session, parts, "CREATE FILE FORMAT")
        existing = account.catalog.file_formats.get(name)
        present = mode.present(session, existing)
        if present is not None:
            return present
        if existing is not None:
            account.privileges.require_ownership(session.role, existing)
        if existing is not None and mode.or_alter:
            if existing.options.type != parsed.type:
                raise errors.not_emulated("CREATE OR ALTER FILE FORMAT with another TYPE")
            existing.options, existing.comment = parsed, comment or ""
            return result.status(f"File format {name.name} successfully altered.")
        if existing is not None:
            account.privileges.forget(existing)
        made = FileFormat(
            account.catalog.next_id(), *name, session.role, account.now(), parsed, comment=comment or ""
        )
        account.catalog.file_formats.put(made)
        account.privileges.created(made)
    account.pipes.wake_all()
    return result.status(f"File format {name.name} successfully created.")


def _find(session: Session, parts: tuple[str, ...]) -> FileFormat:
    return resolve.visible(
        session.account, session, session.account.catalog.file_formats, "File format", parts
    )


def alter(session: Session, tokens: Tokens) -> Result:
    """ALTER FILE FORMAT … SET or RENAME TO: pipes that use it parse later files differently at once."""
    parts = tokens.name()
    verb = tokens.one_of("SET", "RENAME", "UNSET")
    account = session.account
    target: tuple[str, ...] = ()
    written: dict[str, Any] = {}
    comment: str | None = None
    if verb == "RENAME":
        tokens.expect("TO")
        target = tokens.name()
        tokens.end()
    elif verb == "UNSET":
        options.unset_list(tokens, "COMMENT")
        comment = ""
    else:
        written, comment = _written(tokens)
        if not written and comment is None:
            raise tokens.error()
    with account.lock:
        found = _find(session, parts)
        account.privileges.require_ownership(session.role, found)
        if verb == "RENAME":
            new, _ = resolve.schema_for_create(account, session, target, "CREATE FILE FORMAT")
            if account.catalog.file_formats.get(new) is not None:
                raise errors.already_exists(str(new))
            account.catalog.file_formats.rename(found.full_name, new)
        if written:
            found.options = found.options.with_changes(written)
        if comment is not None:
            found.comment = comment
    account.pipes.wake_all()
    return result.status("Statement executed successfully.")


def drop(session: Session, tokens: Tokens) -> Result:
    """DROP FILE FORMAT: pipes that name it stop."""
    parts = tokens.name()
    tokens.end()
    account = session.account
    with account.lock:
        found = _find(session, parts)
        account.privileges.require_ownership(session.role, found)
        account.catalog.file_formats.remove(found.full_name)
        account.privileges.forget(found)
    account.pipes.wake_all()
    return result.status(f"{found.name} successfully dropped.")


DESCRIBED = result.texts("property", "property_type", "property_value", "property_default")


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC FILE FORMAT: every option with its value and default."""
    parts = tokens.name()
    tokens.end()
    with session.account.lock:
        found = _find(session, parts)
        session.account.privileges.require(session.role, found, "USAGE")
        return Result(DESCRIBED, found.options.rows(), result.DESCRIBE)


SHOWN = [
    result.Column("created_on", "TIMESTAMP_LTZ"),
    *result.texts(
        "name",
        "database_name",
        "schema_name",
        "type",
        "owner",
        "comment",
        "format_options",
        "owner_role_type",
    ),
]
"""https://docs.snowflake.com/en/sql-reference/sql/show-file-formats."""


def show_row(found: FileFormat) -> tuple[Any, ...]:
    """A row of SHOW FILE FORMATS."""
    values = {row[0]: found.options[row[0]] for row in found.options.rows() if row[0] != "TYPE"}
    shown = json.dumps({"TYPE": found.options.type} | values, default=list, separators=(",", ":"))
    return (
        found.created_on,
        found.name,
        found.database,
        found.schema,
        found.options.type,
        found.owner,
        found.comment,
        shown,
        "ROLE",
    )


def ddl(found: FileFormat) -> str:
    """CREATE OR REPLACE … as GET_DDL writes it."""
    return f"CREATE OR REPLACE FILE FORMAT {quoted(found.name)} {found.options.sql()};"
