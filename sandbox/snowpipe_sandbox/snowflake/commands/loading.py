"""COPY INTO <table> and LIST: handed to the loading side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import copying, errors
from snowpipe_sandbox.snowflake.copy_statement import parse_copy
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def copy(session: Session, tokens: Tokens) -> Result:
    """COPY INTO <table>; unloading (COPY INTO @stage) is not emulated."""
    if tokens.sees("COPY", "INTO", "@") or (tokens.sees("COPY", "INTO") and tokens.ahead(2).kind == "string"):
        raise errors.not_emulated("COPY INTO <location>")
    if (
        tokens.sees("COPY", "INTO")
        and tokens.ahead(2).value in ("S3", "GCS", "AZURE")
        and tokens.ahead(3).value == ":"
    ):
        raise errors.not_emulated("COPY INTO <location>")  # a URL, which may stand without quotes
    if tokens.sees("COPY", "FILES"):
        raise errors.not_emulated("COPY FILES")
    statement = parse_copy(tokens.text)
    session.require_warehouse()
    if session.parameters["AUTOCOMMIT"] == "false":
        session.begin()
    return copying.run(session.account, session, statement)


def remove(session: Session, tokens: Tokens) -> Result:
    """REMOVE @stage[/path] [PATTERN = '…']."""
    return copying.remove(session.account, session, tokens.text)


def list_files(session: Session, tokens: Tokens) -> Result:
    """LIST @stage[/path] [PATTERN = '…']."""
    return copying.list_stage(session.account, session, tokens.text)
