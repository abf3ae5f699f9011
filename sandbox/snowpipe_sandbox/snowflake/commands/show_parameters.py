"""SHOW PARAMETERS [LIKE '…'] [IN | FOR SESSION | ACCOUNT | SCHEMA s | PIPE p]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, resolve, result
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.names import like_matches
from snowpipe_sandbox.snowflake.parameters import LOG_EVENT_LEVEL, PIPE_EXECUTION_PAUSED, SESSION, Parameter
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.catalog import Pipe, Schema
    from snowpipe_sandbox.snowflake.sessions import Session

SHOWN = result.texts("key", "value", "default", "level", "description", "type")
Line = tuple[str, str, str, str, str, str]


def show(session: Session, tokens: Tokens) -> Result:
    """The parameters of a level, with the level each value comes from (empty: the default)."""
    like = tokens.string() if tokens.take("LIKE") else None
    with session.account.lock:
        lines = _lines(session, tokens)
    tokens.end()
    rows = [line for line in lines if like is None or like_matches(like, line[0])]
    return Result(SHOWN, rows, result.SHOW)


def _lines(session: Session, tokens: Tokens) -> list[Line]:
    if not (tokens.take("IN") or tokens.take("FOR")) or tokens.take("SESSION"):
        return [_session_line(session, known) for known in SESSION.values()]
    if tokens.take("ACCOUNT"):
        defaults = [_line(known, known.default, "") for known in SESSION.values()]
        return [*defaults, _paused_line(session, None, None)]
    if tokens.take("SCHEMA"):
        schema = resolve.schema(session.account, session, tokens.name(2))
        return [_paused_line(session, schema, None)]
    if tokens.take("PIPE"):
        pipe = resolve.pipe(session.account, session, tokens.name())
        inside = session.account.catalog.schemas.get((pipe.database, pipe.schema))
        return [_event_level_line(pipe), _paused_line(session, inside, pipe)]
    if tokens.take("DATABASE"):
        resolve.database(session.account, session, tokens.identifier())
        return [_paused_line(session, None, None)]
    if tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"SHOW PARAMETERS IN {tokens.next.value}")


def _line(known: Parameter, value: str, level: str) -> Line:
    return (known.name, value, known.default, level, known.description, known.type)


def _session_line(session: Session, known: Parameter) -> Line:
    level = "SESSION" if session.parameters.is_set(known.name) else ""
    return _line(known, session.parameters[known.name], level)


def _event_level_line(pipe: Pipe) -> Line:
    """LOG_EVENT_LEVEL: here it can be set on a pipe only."""
    level = "PIPE" if pipe.log_event_level else ""
    return _line(LOG_EVENT_LEVEL, pipe.log_event_level or LOG_EVENT_LEVEL.default, level)


def _paused_line(session: Session, schema: Schema | None, pipe: Pipe | None) -> Line:
    """PIPE_EXECUTION_PAUSED as it counts here: the lowest level that is set."""
    levels = [
        ("PIPE", pipe.paused if pipe else None),
        ("SCHEMA", schema.pipe_execution_paused if schema else None),
        ("ACCOUNT", session.account.catalog.pipe_execution_paused),
    ]
    level, value = next(((name, held) for name, held in levels if held is not None), ("", False))
    return _line(PIPE_EXECUTION_PAUSED, str(value).lower(), level)
