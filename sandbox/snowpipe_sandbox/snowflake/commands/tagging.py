"""Tags where they are set: at a CREATE and by ALTER. They are checked, and change nothing of what has them.

Sources: https://docs.snowflake.com/en/user-guide/object-tagging/work,
https://docs.snowflake.com/en/sql-reference/sql/create-table (``[WITH] TAG ( … )``, of a column too).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from snowpipe_sandbox.snowflake import errors, result
from snowpipe_sandbox.snowflake.catalog import Table
from snowpipe_sandbox.snowflake.commands import beside, grant_targets
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Token, Tokens, tokenize
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

DONE = "Statement executed successfully."
KINDS = (
    "DATABASE",
    "SCHEMA",
    "WAREHOUSE",
    "INTEGRATION",
    "STORAGE",
    "FILE",
    "STAGE",
    "PIPE",
    "STREAM",
    "TASK",
)
"""First words of what an ALTER can tag here, beside tables and views."""


def without(session: Session, text: str) -> str:
    """A CREATE without its ``[WITH] TAG ( name = '…', … )``, once the tags are found to be right."""
    words = list(tokenize(text))
    at = next((n for n, word in enumerate(words) if word.value == "TAG" and _opens(words[n : n + 4])), None)
    if at is None:
        return text
    tokens = Tokens(text[words[at].start :])
    _check(session, tokens)
    first = at - 1 if words[at - 1].value == "WITH" else at
    end = words[at].start + tokens.next.start
    return without(session, f"{text[: words[first].start]} {text[end:]}")


def _opens(words: Sequence[Token]) -> bool:
    return len(words) == 4 and words[1].value == "(" and words[3].value in ("=", ".")


def _check(session: Session, tokens: Tokens) -> None:
    """``TAG a = '…', …``, in parentheses or not: the tags are there, and allow the values.

    Raises 2003, and 1008 for a value that is not allowed (its number is ours).
    """
    tokens.expect("TAG")
    in_parentheses = tokens.take("(")
    while True:
        with session.account.lock:
            tag = beside.find(session, tokens, "TAG")
        tokens.expect("=")
        value = tokens.string()
        if value not in tag.given.get("allowed", [value]):
            raise errors.invalid_value(value, f"TAG {tag.name}")
        if not tokens.take(","):
            break
    if in_parentheses:
        tokens.expect(")")


def alter(session: Session, text: str) -> Result | None:
    """ALTER … SET TAG and UNSET TAG, of a column too; None for any other ALTER."""
    words = [token.value for token in tokenize(text) if token.kind in ("word", "symbol")]
    if not any(pair in (("SET", "TAG"), ("UNSET", "TAG")) for pair in pairwise(words)):
        return None
    if words[1] not in (*KINDS, "TABLE", "VIEW"):
        raise errors.not_emulated(f"tags of a {words[1].lower()}")
    tokens = Tokens(_IF_EXISTS.sub(" ", text, count=1))
    tokens.expect("ALTER")
    try:
        with session.account.lock:
            found = grant_targets.named(session, tokens)
            session.account.privileges.require_ownership(session.role, found)
    except SnowflakeError as error:
        if error.errno == 2003 and _IF_EXISTS.search(text):
            return result.status(DONE)
        raise
    if tokens.take("MODIFY") or tokens.take("ALTER"):
        tokens.take("COLUMN")
        name = tokens.identifier()
        if not isinstance(found, Table) or all(each.name != name for each in found.columns):
            raise errors.invalid_identifier(name)
    if tokens.one_of("SET", "UNSET") == "SET":
        _check(session, tokens)
    else:
        tokens.expect("TAG")
        with session.account.lock:
            beside.find(session, tokens, "TAG")
            while tokens.take(","):
                beside.find(session, tokens, "TAG")
    tokens.end()
    return result.status(DONE)


_IF_EXISTS = re.compile(r"\bIF\s+EXISTS\b", re.IGNORECASE)
