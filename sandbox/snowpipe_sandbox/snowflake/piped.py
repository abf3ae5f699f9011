"""The flow operator: ``SHOW PIPES ->> SELECT "name" FROM $1``.

Each statement runs in turn; ``$n`` in a later one is the result of the n-th statement before it.
Source: https://docs.snowflake.com/en/sql-reference/operators-flow
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.grammar.tokens import tokenize
from snowpipe_sandbox.snowflake.queries import Query
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def steps(text: str) -> list[str]:
    """The statements between ``->>`` operators; one for most texts."""
    if "->>" not in text:
        return [text]
    found: list[str] = []
    start = 0
    for token in tokenize(text):
        if token.kind == "symbol" and token.value == "->>":
            found.append(text[start : token.start])
            start = token.end
    return [*found, text[start:]]


def run(session: Session, written: Sequence[str], run_one: Callable[[str], Result]) -> Result:
    """Run the statements in order and return what the last one returns. Raises SnowflakeError."""
    before: list[str] = []
    outcome: Result | None = None
    for step in written:
        outcome = run_one(_named(step, before))
        before.append(_kept(session, step, outcome))
    if outcome is None:  # there is one step at least
        raise errors.syntax_error("unexpected '->>'.")
    return outcome


def _named(step: str, before: Sequence[str]) -> str:
    """The statement with ``$n`` behind FROM, JOIN or a comma written as the result it stands for."""
    made, start, previous = "", 0, ""
    for token in tokenize(step):
        if token.kind == "word" and token.value[1:].isdigit() and previous in ("FROM", "JOIN", ","):
            back = int(token.value[1:])
            if not 1 <= back <= len(before):
                raise errors.syntax_error(f"unexpected '{token.text}'.")
            made += f"{step[start : token.start]}TABLE(RESULT_SCAN('{before[-back]}'))"
            start = token.end
        previous = token.value
    return made + step[start:]


def _kept(session: Session, text: str, outcome: Result) -> str:
    """Remember a step's result as that of a query of its own; the query's id."""
    query: Query = session.new_query(text, {})
    session.account.queries.add(query)
    query.succeed(outcome, session.account.now())
    return query.id
