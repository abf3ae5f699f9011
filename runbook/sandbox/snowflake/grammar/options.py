"""``NAME = value`` lists of CREATE and ALTER … SET, read against what the object knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook.sandbox.snowflake import errors
from runbook.sandbox.snowflake.grammar.tokens import Tokens

Reader = Callable[[Tokens], Any]


def word(tokens: Tokens) -> str:
    """A bare word or a string."""
    if tokens.next.kind in ("word", "string"):
        return tokens.advance().value
    raise tokens.error()


def value(tokens: Tokens) -> Any:
    """A string, number, word or list of strings, whatever is written."""
    if tokens.sees("("):
        return tuple(tokens.strings())
    if tokens.next.kind in ("string", "number", "word"):
        return tokens.advance().value
    if tokens.sees("-"):
        return tokens.number()
    raise tokens.error()


def string(tokens: Tokens) -> str:
    """A string literal."""
    return tokens.string()


def boolean(tokens: Tokens) -> bool:
    """TRUE or FALSE."""
    return tokens.boolean()


def strings(tokens: Tokens) -> list[str]:
    """A list of string literals in parentheses."""
    return tokens.strings()


def name(tokens: Tokens) -> tuple[str, ...]:
    """An object's name, as an identifier or in a string."""
    if tokens.next.kind == "string":
        inner = Tokens(tokens.string())
        parts = inner.name()
        inner.end()
        return parts
    return tokens.name()


def refused(what: str) -> Reader:
    """An option Snowflake knows and the sandbox does not emulate."""

    def read(tokens: Tokens) -> Any:
        raise errors.not_emulated(f"{what} = {tokens.next.text}")

    return read


def only(what: str, *allowed: str) -> Reader:
    """An option of which only some values are emulated."""

    def read(tokens: Tokens) -> str:
        given = word(tokens)
        if given.upper() not in allowed:
            raise errors.not_emulated(f"{what} = {given}")
        return given.upper()

    return read


def read_options(
    tokens: Tokens, known: Mapping[str, Reader], *, until: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """The options up to the end of the statement (or until ``until`` says so), commas allowed between.

    Raises 001003 for an unknown option and for one that is written twice.
    """
    found: dict[str, Any] = {}
    while not tokens.at_end and not (until is not None and until()):
        tokens.take(",")
        token = tokens.next
        if token.kind != "word" or token.value not in known or token.value in found:
            raise tokens.error()
        tokens.advance()
        tokens.expect("=")
        found[token.value] = known[token.value](tokens)
    return found


def parenthesised(tokens: Tokens, known: Mapping[str, Reader]) -> dict[str, Any]:
    """``( NAME = value … )`` against the known options."""
    tokens.expect("(")
    found = read_options(tokens, known, until=lambda: tokens.sees(")"))
    tokens.expect(")")
    return found


def free(tokens: Tokens) -> dict[str, Any]:
    """``( NAME = value … )`` with names somebody else judges (file-format options)."""
    tokens.expect("(")
    found: dict[str, Any] = {}
    while not tokens.take(")"):
        tokens.take(",")
        key = tokens.identifier()
        tokens.expect("=")
        found[key] = name(tokens) if key == "FORMAT_NAME" else value(tokens)
    return found


def unset_list(tokens: Tokens, *known: str) -> list[str]:
    """The names after UNSET, commas between. Raises 001003 for an unknown one."""
    found = [tokens.one_of(*known)]
    while tokens.take(","):
        found.append(tokens.one_of(*known))
    tokens.end()
    return found
