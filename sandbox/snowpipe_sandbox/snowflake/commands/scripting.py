"""A Snowflake Scripting block: IF … THEN RETURN '…'; END IF, statements, RETURN '…'; and EXECUTE IMMEDIATE.

A block is run by EXECUTE IMMEDIATE, or stands as it is, as worksheets have it. Variables, loops, handlers
and everything else of the language are refused. A statement that fails ends the block; the error keeps its
number.

Sources: https://docs.snowflake.com/en/sql-reference/sql/execute-immediate,
https://docs.snowflake.com/en/developer-guide/snowflake-scripting/blocks,
https://docs.snowflake.com/en/developer-guide/snowflake-scripting/exceptions (what ends a block)
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from snowpipe_sandbox.snowflake import errors, plain_sql, result
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar.tokens import Token, Tokens, tokenize
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

RUN = {"ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "COPY", "INSERT", "UPDATE", "DELETE", "MERGE"} | {
    "TRUNCATE"
}
"""First words of the statements a block may run here."""


def execute(session: Session, tokens: Tokens) -> Result:
    """EXECUTE IMMEDIATE '<block or statement>'; of a statement the result is its own."""
    tokens.expect("EXECUTE")
    if not tokens.take("IMMEDIATE") or tokens.next.kind != "string":
        raise errors.not_emulated(" ".join(tokens.text.split()[:3]))
    text = tokens.string()
    tokens.end()
    if not is_block(text):
        return _statements().run(session, text, ())
    return anonymous(session, text)


def is_block(text: str) -> bool:
    """Whether the text is a block, which is not the beginning of a transaction."""
    first, second = [*islice((token.value for token in tokenize(text)), 2), ""][:2]
    return first == "DECLARE" or (first == "BEGIN" and second not in _OF_A_TRANSACTION)


_OF_A_TRANSACTION = ("<EOF>", ";", "TRANSACTION", "WORK", "NAME")


def anonymous(session: Session, text: str) -> Result:
    """Run a block; what it returns."""
    return Result(result.texts("anonymous block"), [(_block(session, text),)])


def _statements() -> Any:
    from snowpipe_sandbox.snowflake import statements

    return statements


def _block(session: Session, text: str) -> str | None:
    """What the block returns; None at its end."""
    parts = _parts(text)
    if not parts or parts[-1] != "END":
        raise errors.not_emulated("a block of anything but BEGIN … END")
    if any(part.upper().split()[:1] == ["EXCEPTION"] for part in parts):
        raise errors.not_emulated("a block with EXCEPTION")
    at = 0
    while at < len(parts) - 1:
        part = Tokens(parts[at])
        if part.sees("IF"):
            if parts[at + 1].upper().split() != ["END", "IF"]:
                raise errors.not_emulated("IF with more than one RETURN in it")
            condition, value = _condition(part)
            if _holds(session, condition):
                return value
            at += 1
        elif part.take("RETURN"):
            return _returned(part)
        else:
            _statement(session, part)
        at += 1
    return None


def _parts(text: str) -> list[str]:
    """The block's statements; empty where the text is not a block."""
    found: list[str] = []
    words: list[Token] = []
    for token in tokenize(text):
        if token.kind == "end" or (token.kind, token.value) == ("symbol", ";"):
            if words:
                found.append(text[words[0].start : words[-1].end])
            words = []
        elif not found and not words and (token.kind, token.value) == ("word", "BEGIN"):
            found.append("")
        else:
            words.append(token)
    if found[:1] != [""]:
        return []
    return ["END" if part.upper() == "END" else part for part in found[1:]]


def _condition(part: Tokens) -> tuple[str, str]:
    """``IF ( condition ) THEN RETURN '…'``: the condition as written, and what is returned."""
    part.expect("IF")
    start = part.next.start
    part.expect("(")
    depth = 1
    while depth:
        token = part.advance()
        if token.kind == "end":
            raise part.error()
        depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "symbol" else 0
    condition = part.text[start : part.next.start]
    part.expect("THEN")
    if not part.take("RETURN"):
        raise errors.not_emulated("IF … THEN anything but RETURN")
    return condition, _returned(part)


def _returned(part: Tokens) -> str:
    if part.next.kind != "string":
        raise errors.not_emulated("RETURN of anything but a string")
    value = part.string()
    part.end()
    return value


def _holds(session: Session, condition: str) -> bool:
    return bool(plain_sql.run(session, f"SELECT {condition}", ()).rows[0][0])


def _statement(session: Session, part: Tokens) -> None:
    if part.next.value not in RUN:
        raise errors.not_emulated(f"{part.next.text} in a block")
    try:
        _statements().run(session, part.text, ())
    except SnowflakeError as error:
        raise SnowflakeError(
            error.errno,
            error.sqlstate,
            f"Uncaught exception of type 'STATEMENT_ERROR' on line 1 at position 0 : {error.message}",
        ) from None
