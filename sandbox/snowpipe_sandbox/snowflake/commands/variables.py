"""Session variables: SET, UNSET, and ``$name`` wherever a constant may stand.

Source: https://docs.snowflake.com/en/sql-reference/session-variables. The text of the error is seen in public
reports, its number is not (*open*).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, plain_sql, result
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Token, Tokens, tokenize
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

LONGEST = 256
DONE = "Statement executed successfully."


def set_(session: Session, tokens: Tokens) -> Result:
    """SET name = expression, and SET (a, b) = (x, y). Raises 001003, and what the expressions raise."""
    tokens.expect("SET")
    several = tokens.take("(")
    names = [tokens.identifier()]
    while several and tokens.take(","):
        names.append(tokens.identifier())
    if several:
        tokens.expect(")")
    tokens.expect("=")
    rest = tokens.text[tokens.next.start :]
    if several:
        rest = rest.strip().removeprefix("(").removesuffix(")")
    query = substituted(session, rest)
    if not query.lstrip().upper().startswith("SELECT"):
        query = f"SELECT {query}"
    found = plain_sql.run(session, query, ()).rows
    if len(found) != 1 or len(found[0]) != len(names):
        raise errors.not_emulated("SET with another number of values than of names")
    for name, value in zip(names, found[0], strict=True):
        if len(str(value)) > LONGEST:
            raise SnowflakeError(
                1003, "42000", f"SQL compilation error:\nThe value of '{name}' exceeds {LONGEST} bytes."
            )
        session.variables[name] = value
    return result.status(DONE)


def unset(session: Session, tokens: Tokens) -> Result:
    """UNSET name, and UNSET (a, b)."""
    tokens.expect("UNSET")
    several = tokens.take("(")
    names = [tokens.identifier()]
    while several and tokens.take(","):
        names.append(tokens.identifier())
    if several:
        tokens.expect(")")
    tokens.end()
    for name in names:
        session.variables.pop(name, None)
    return result.status(DONE)


def substituted(session: Session, text: str) -> str:
    """The statement with its variables written as constants. Raises an error for one that is not set."""
    if "$" not in text:
        return text
    made, position = [], 0
    for token in tokenize(text):
        if not _is_variable(token):
            continue
        name = token.value[1:]
        if name not in session.variables:
            raise SnowflakeError(
                2211,
                "02000",
                "SQL compilation error: error line 1 at position 0\n"
                f"Session variable '{token.value}' does not exist",
            )
        made += [text[position : token.start], _literal(session.variables[name])]
        position = token.end
    return "".join(made) + text[position:]


def _is_variable(token: Token) -> bool:
    return token.kind == "word" and token.text.startswith("$") and not token.text[1:].isdigit()


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float | Decimal):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
