"""A statement's way: which part of the sandbox it belongs to, its query, its line in the request log."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from snowpipe_sandbox.requests import Access
from snowpipe_sandbox.snowflake import errors, piped, plain_sql, tables
from snowpipe_sandbox.snowflake.commands import (
    altering,
    creating,
    describing,
    dropping,
    grants,
    loading,
    scripting,
    session_commands,
    showing,
    variables,
)
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Token, Tokens, split_statements, tokenize
from snowpipe_sandbox.snowflake.queries import CURRENT, Query
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

Command = Callable[["Session", Tokens], Result]
READS = {"SELECT", "WITH", "(", "VALUES", "SHOW", "DESC", "DESCRIBE", "LIST", "LS", "USE", "EXPLAIN", "->>"}
PLAIN = {"SELECT", "WITH", "(", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE"}

COMMANDS: dict[str, Command] = {
    "CREATE": creating.create,
    "ALTER": altering.alter,
    "DROP": dropping.drop,
    "DESC": describing.describe,
    "DESCRIBE": describing.describe,
    "SHOW": showing.show,
    "GRANT": grants.grant,
    "REVOKE": grants.revoke,
    "USE": session_commands.use,
    "COPY": loading.copy,
    "LIST": loading.list_files,
    "LS": loading.list_files,
    "REMOVE": loading.remove,
    "RM": loading.remove,
    "BEGIN": session_commands.begin,
    "START": session_commands.begin,
    "COMMIT": session_commands.commit,
    "ROLLBACK": session_commands.rollback,
    "EXECUTE": scripting.execute,
    "COMMENT": altering.comment,
    "SET": variables.set_,
    "UNSET": variables.unset,
    "TRUNCATE": lambda session, tokens: _table_statement(session, tokens.text),
}
"""Statements with a grammar of our own, by their first word."""

KNOWN_ELSEWHERE = {
    "CALL",
    "DECLARE",
    "EXPLAIN",
    "GET",
    "PUT",
    "UNDROP",
    "LET",
    "FOR",
    "IF",
    "WHILE",
    "REPEAT",
    "CASE",
    "ANALYZE",
    "UNLOAD",
}
"""First words of documented statements that are not emulated."""


def leading(text: str, n: int = 3) -> list[Token]:
    """The first tokens of a statement, without reading the rest of it; fewer where it cannot be read."""
    found: list[Token] = []
    with suppress(SnowflakeError):
        for token in tokenize(text):
            if len(found) == n:
                break
            found.append(token)
    return found


def run(session: Session, text: str, bindings: Sequence[exp.Expression]) -> Result:
    """Run one statement, or several joined by ``->>``. Raises SnowflakeError."""
    several = len(split_statements(text))
    if several > 1:
        raise SnowflakeError(
            8, "0A000", f"Actual statement count {several} did not match the desired statement count 1."
        )
    steps = piped.steps(text)
    if len(steps) > 1:
        return piped.run(session, steps, lambda step: _run_one(session, step, bindings))
    return _run_one(session, text, bindings)


def _run_one(session: Session, text: str, bindings: Sequence[exp.Expression]) -> Result:
    first = leading(text, 1)[0]
    word = first.value if first.kind in ("word", "symbol") else ""
    if word not in ("SET", "UNSET"):
        text = variables.substituted(session, text)
    if word in PLAIN:
        return plain_sql.run(session, text, bindings)
    if word in COMMANDS:
        return COMMANDS[word](session, Tokens(text))
    if word in KNOWN_ELSEWHERE:
        raise errors.not_emulated(" ".join(token.text for token in leading(text)))
    if first.kind == "end":
        raise SnowflakeError(900, "42601", "SQL compilation error: Empty SQL statement.")
    raise Tokens(text).error()


def _table_statement(session: Session, text: str) -> Result:
    """TRUNCATE as sqlglot reads it."""
    statement = plain_sql.one_statement(text)
    if not isinstance(statement, exp.TruncateTable) or statement.args.get("is_database"):
        raise errors.not_emulated(text.strip()[:60])
    return tables.truncate(session, statement)


# --- one statement, logged


def execute(query: Query, bindings: Sequence[exp.Expression] = ()) -> None:
    """Run the query to its end, whatever that is, in this thread; and log it."""
    session = query.session
    account = session.account
    token = CURRENT.set(query)
    role = session.role
    try:
        query.check()
        outcome = run(session, query.text, bindings)
        query.succeed(outcome, account.now())
    except SnowflakeError as error:
        query.fail(error, account.now())
    except Exception as error:  # noqa: BLE001 - a fault of the sandbox is told, not hidden
        account.report(error)
        query.fail(_internal(error), account.now())
    finally:
        CURRENT.reset(token)
        session.query_ids.append(query.id)
        _log(query, role)


def _internal(error: Exception) -> SnowflakeError:
    """A fault of the sandbox itself: 000603 (XX000), as Snowflake's internal errors."""
    del error
    return SnowflakeError(603, "XX000", "SQL execution internal error: see the sandbox's log.")


_SECRET = re.compile(
    r"((?:AWS_SECRET_KEY|AWS_TOKEN|MASTER_KEY|PASSWORD)\s*=\s*)(?:'[^']*'|\"[^\"]*\")", re.IGNORECASE
)


def _log(query: Query, role: str) -> None:
    session = query.session
    status = "success" if query.error is None else f"{query.error.errno:06d}"
    session.account.requests.append(
        "snowflake",
        f"{session.user}/{role}",
        operation(query.text),
        access(query.text),
        _SECRET.sub(r"\1'***'", query.text),
        status,
        query.started_at,
        query.ended_at or datetime.now(query.started_at.tzinfo),
    )


def operation(text: str) -> str:
    """The statement's first words, as the request log names it: ``CREATE PIPE``, ``SHOW PIPES``."""
    words = [token.value for token in leading(text, 8) if token.kind == "word"]
    skipped = {"OR", "REPLACE", "TEMPORARY", "TRANSIENT"}
    kept = [word for word in words if word not in skipped]
    first = kept[0] if kept else ""
    if first in (
        "SELECT",
        "WITH",
        "LIST",
        "LS",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
    ):
        return first
    two_word_kinds = {"STORAGE", "FILE", "DATABASE", "MATERIALIZED", "EXTERNAL", "COPY"}
    size = (
        3
        if len(kept) > 2
        and kept[1] in two_word_kinds
        and kept[2] in ("INTEGRATION", "INTEGRATIONS", "FORMAT", "FORMATS", "ROLE", "ROLES")
        else 2
    )
    return " ".join(kept[:size])


def access(text: str) -> Access:
    """Does the statement change anything outside its session? ALTER SESSION and transactions do not."""
    first, second = ([token.value for token in leading(text, 2)] + ["", ""])[:2]
    if first in READS:
        return "write" if "SYSTEM$PIPE_FORCE_RESUME" in text.upper() and first == "SELECT" else "read"
    if first == "ALTER" and second == "SESSION":
        return "read"
    if first == "BEGIN" and scripting.is_block(text):
        return "write"
    return "read" if first in ("BEGIN", "START", "COMMIT", "ROLLBACK") else "write"
