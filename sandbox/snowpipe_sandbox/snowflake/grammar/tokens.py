"""SQL text as tokens, with the positions Snowflake's syntax errors speak of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.errors import SnowflakeError

T = TypeVar("T")
TokenKind = Literal["word", "quoted", "string", "number", "symbol", "end"]

TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)
  | (?P<dollar>\$\$.*?\$\$)
  | (?P<string>'(?:[^'\\]|''|\\.)*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*|\$[A-Za-z0-9_]+)
  | (?P<symbol>=>|->>|->|::|<>|!=|<=|>=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)

ESCAPE = re.compile(r"''|\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[0-7]{1,3}|.)", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``value`` is what it means: an upper-cased word, a string without quotes and escapes."""

    kind: TokenKind
    value: str
    text: str
    start: int
    end: int


def unescape(body: str) -> str:
    r"""A string literal's content: ``''`` and backslash sequences resolved.

    Source: https://docs.snowflake.com/en/sql-reference/data-types-text (escape sequences in
    single-quoted string constants). A backslash before any other character is dropped.
    """

    def resolved(match: re.Match[str]) -> str:
        escaped = match.group(1)
        if escaped is None:
            return "'"
        if escaped[0] in "ux" and len(escaped) > 1:
            return chr(int(escaped[1:], 16))
        if escaped.isdigit() and escaped[0] in "01234567" and len(escaped) > 1:
            return chr(int(escaped, 8))
        return ESCAPED.get(escaped, escaped)

    return ESCAPE.sub(resolved, body)


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of ``text`` without white space and comments; the last is of kind "end"."""
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:  # unreachable: "." takes everything
            raise errors.syntax_error("unexpected text.")
        start, position = position, match.end()
        kind, raw = match.lastgroup, match.group()
        if kind == "space":
            continue
        if raw in ("'", '"') or (raw == "/" and text.startswith("/*", start)):
            line, column = _line_and_column(text, start)
            raise SnowflakeError(
                1003,
                "42000",
                f"SQL compilation error:\nparse error line {line} at position {column} near '<EOF>'.",
            )
        yield _token(kind, raw, start, position)
    yield Token("end", "<EOF>", "<EOF>", len(text), len(text))


def _token(kind: str, raw: str, start: int, end: int) -> Token:
    if kind == "dollar":
        return Token("string", raw[2:-2], raw, start, end)
    if kind == "string":
        return Token("string", unescape(raw[1:-1]), raw, start, end)
    if kind == "quoted":
        return Token("quoted", raw[1:-1].replace('""', '"'), raw, start, end)
    if kind == "word":
        return Token("word", raw.upper(), raw, start, end)
    return Token("number" if kind == "number" else "symbol", raw, raw, start, end)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1)


def split_statements(text: str) -> list[str]:
    """The statements of a text, divided at semicolons outside literals and comments; empty ones left out."""
    statements: list[str] = []
    start = 0
    words: list[str] = []
    for token in tokenize(text):
        ends = token.kind == "symbol" and token.value == ";" and not _in_block(words)
        if token.kind == "end" or ends:
            if words:
                statements.append(text[start : token.start].strip())
            start, words = token.end, []
        else:
            words.append(token.value if token.kind in ("word", "symbol") else "")
    return statements


def _in_block(words: Sequence[str]) -> bool:
    """Is a block of Snowflake Scripting open: of its own, or in a definition (``CREATE … AS BEGIN``)?

    Source: https://docs.snowflake.com/en/developer-guide/snowflake-scripting/blocks
    """
    if "BEGIN" not in words:
        return "DECLARE" in words[:1]
    at = words.index("BEGIN")
    if at == 0:
        if len(words) == 1 or words[1] in ("TRANSACTION", "WORK", "NAME"):
            return False
    elif words[at - 1] != "AS" and "DECLARE" not in words[:at]:
        return False
    depth = 0
    for n, word in enumerate(words[at:], at):
        if word == "BEGIN" or (word == "CASE" and words[n - 1] != "END"):
            depth += 1
        elif word == "END" and (words[n + 1 : n + 2] or [""])[0] not in (
            "IF",
            "FOR",
            "WHILE",
            "LOOP",
            "REPEAT",
        ):
            depth -= 1
    return depth > 0


class Tokens:
    """A statement being read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: Sequence[Token] = list(tokenize(text))
        self._at = 0
        while self._tokens[-2:-1] and self._tokens[-2].value == ";" and self._tokens[-2].kind == "symbol":
            self._tokens = [*self._tokens[:-2], self._tokens[-1]]

    @property
    def next(self) -> Token:
        """The token that comes next; it is not consumed."""
        return self._tokens[self._at]

    def ahead(self, n: int) -> Token:
        """The token ``n`` places after the next one."""
        return self._tokens[min(self._at + n, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Consume the next token and return it."""
        token = self.next
        if token.kind != "end":
            self._at += 1
        return token

    @property
    def at_end(self) -> bool:
        """Is everything consumed?"""
        return self.next.kind == "end"

    def error(self) -> SnowflakeError:
        """001003: the next token does not belong here."""
        line, column = _line_and_column(self.text, self.next.start)
        return errors.syntax_error(f"unexpected '{self.next.text}'.", line, column)

    def end(self) -> None:
        """Raise 001003 unless everything is consumed."""
        if not self.at_end:
            raise self.error()

    def sees(self, *words: str) -> bool:
        """Are these the next words (or symbols)?"""
        return all(
            self.ahead(n).kind in ("word", "symbol") and self.ahead(n).value == word
            for n, word in enumerate(words)
        )

    def take(self, *words: str) -> bool:
        """Consume these words or symbols if all of them come next."""
        if not self.sees(*words):
            return False
        for _ in words:
            self.advance()
        return True

    def expect(self, *words: str) -> None:
        """Consume these words or symbols, or raise 001003."""
        for word in words:
            if not self.take(word):
                raise self.error()

    def one_of(self, *words: str) -> str:
        """Consume one of these words and return it, or raise 001003."""
        for word in words:
            if self.take(word):
                return word
        raise self.error()

    def identifier(self) -> str:
        """One identifier as stored: upper-cased unless quoted. ``IDENTIFIER('a')`` is understood."""
        if self.sees("IDENTIFIER", "("):
            return self._identifier_call(1)[0]
        if self.next.kind == "word" and not self.next.value.startswith("$"):
            return self.advance().value
        if self.next.kind == "quoted" and self.next.value:
            return self.advance().value
        raise self.error()

    def name(self, at_most: int = 3) -> tuple[str, ...]:
        """A dotted name of one to three stored parts. ``IDENTIFIER('a.b')`` is understood."""
        if self.sees("IDENTIFIER", "("):
            return self._identifier_call(at_most)
        parts = [self.identifier()]
        while len(parts) < at_most and self.take("."):
            parts.append(self.identifier())
        return tuple(parts)

    def upcoming(self) -> str:
        """The last part of the name that comes next, which is not consumed; empty for what is not a name."""
        at = self._at
        try:
            return self.name()[-1]
        except SnowflakeError:
            return ""
        finally:
            self._at = at

    def _identifier_call(self, at_most: int) -> tuple[str, ...]:
        """https://docs.snowflake.com/en/sql-reference/identifier-literal; of a variable it is refused."""
        self.expect("IDENTIFIER", "(")
        if self.next.value.startswith("$") or self.next.value in ("?", ":"):
            raise errors.not_emulated("IDENTIFIER of a variable")
        inner = Tokens(self.string())
        self.expect(")")
        parts = inner.name(at_most)
        inner.end()
        return parts

    def string(self) -> str:
        """A string literal's value."""
        if self.next.kind != "string":
            raise self.error()
        return self.advance().value

    def strings(self) -> list[str]:
        """``( 'a', 'b' )``: a list of string literals, possibly empty."""
        return self.listed(self.string)

    def listed(self, read: Callable[[], T]) -> list[T]:
        """``( …, … )``: a list, possibly empty, of what ``read`` reads."""
        self.expect("(")
        values: list[T] = []
        while not self.take(")"):
            if values:
                self.expect(",")
            values.append(read())
        return values

    def number(self) -> str:
        """A number literal, possibly negative, as text."""
        sign = "-" if self.take("-") else ""
        if self.next.kind != "number":
            raise self.error()
        return sign + self.advance().value

    def integer(self) -> int:
        """A whole number of zero or more."""
        if not self.next.value.isdigit() or self.next.kind != "number":
            raise self.error()
        return int(self.advance().value)

    def boolean(self) -> bool:
        """TRUE or FALSE; quoted as a string it counts too."""
        token = self.next
        if token.kind in ("word", "string") and token.value.upper() in ("TRUE", "FALSE"):
            self.advance()
            return token.value.upper() == "TRUE"
        raise self.error()

    def until(self, word: str) -> str:
        """Everything up to ``word`` outside parentheses, as written; consumes it, not the word."""
        start, end, depth = self.next.start, self.next.start, 0
        while depth or not self.sees(word):
            if self.at_end:
                raise self.error()
            token = self.advance()
            end = token.end
            depth += {"(": 1, ")": -1}.get(token.value if token.kind == "symbol" else "", 0)
        return self.text[start:end]

    def rest(self) -> str:
        """Everything not yet consumed, as written; consumes it."""
        text = self.text[self.next.start : self._tokens[-2].end] if not self.at_end else ""
        self._at = len(self._tokens) - 1
        return text
