"""DESC[RIBE] <kind> <name>."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, tables
from snowpipe_sandbox.snowflake.commands import file_formats, integrations, pipes, stages, streams, tasks
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


def _table(kind: str) -> Callable[[Session, Tokens], Result]:
    def describe_table(session: Session, tokens: Tokens) -> Result:
        parts = tokens.name()
        if tokens.take("TYPE", "=") and tokens.one_of("COLUMNS", "STAGE") == "STAGE":
            raise errors.not_emulated("DESC TABLE … TYPE = STAGE")
        tokens.end()
        return tables.describe(session, parts, kind)

    return describe_table


KINDS: list[tuple[tuple[str, ...], Callable[[Session, Tokens], Result]]] = [
    (("STORAGE", "INTEGRATION"), integrations.describe),
    (("NOTIFICATION", "INTEGRATION"), integrations.describe),
    (("INTEGRATION",), integrations.describe),
    (("STAGE",), stages.describe),
    (("FILE", "FORMAT"), file_formats.describe),
    (("PIPE",), pipes.describe),
    (("STREAM",), streams.describe),
    (("TASK",), tasks.describe),
    (("TABLE",), _table("TABLE")),
    (("VIEW",), _table("VIEW")),
]


def describe(session: Session, tokens: Tokens) -> Result:
    """DESC of any kind; DESC RESULT and the rest are not emulated."""
    tokens.one_of("DESC", "DESCRIBE")
    for words, describer in KINDS:
        if tokens.take(*words):
            return describer(session, tokens)
    if tokens.at_end or tokens.next.kind != "word":
        raise tokens.error()
    raise errors.not_emulated(f"DESC {tokens.next.value}")
