"""JSON files as rows: one document a row, in one column, its text as it stands in the file.

Documents follow one another with or without anything between them (Data Firehose writes no newline unless
told to: sources: Snowplow §3.4). The text is kept, so big numbers and key order survive.

Sources: [create-file-format] https://docs.snowflake.com/en/sql-reference/sql/create-file-format;
an unpaired surrogate is taken for one document, with U+FFFD in its place, as text
that no UTF-8 can hold (a guess: no source says);
duplicate keys: https://docs.snowflake.com/en/sql-reference/data-types-semistructured ("duplicate object
attribute"), https://github.com/mlorek/frostlake (line and character of such an error). What is read on with
after a broken document is not documented: here the next line.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from snowpipe_sandbox.snowflake import load_errors
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.load_errors import RecordError
from snowpipe_sandbox.snowflake.rows import Chunk, Place, column_names

ROWS_PER_CHUNK = 2_000
_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"')


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return made


def _no_constant(word: str) -> None:
    raise ValueError(word)


def read(blocks: Iterable[bytes], options: FormatOptions) -> Iterator[Chunk]:
    """The documents of a file given as blocks of decompressed bytes: one string column, c1.

    With STRIP_OUTER_ARRAY each element of an outermost array is a row. A broken document is a RecordError;
    the rest of its line is lost with it. Memory stays near the size of a block, or of the longest document.
    """
    yield from _Reader(options).chunks(blocks)


@dataclass(slots=True)
class _Text:
    """Decoded text still to be read, and where in the file it starts."""

    text: str = ""
    position: int = 0
    line: int = 1
    character: int = 1
    byte_offset: int = 0

    def feed(self, more: str) -> None:
        """Append; what is already read is let go."""
        self.text = self.text[self.position :] + more
        self.position = 0

    def advance(self, to: int) -> None:
        """Move on to ``to``, counting lines and bytes."""
        passed = self.text[self.position : to]
        feeds = passed.count("\n")
        self.line += feeds
        self.character = len(passed) - passed.rfind("\n") if feeds else self.character + len(passed)
        self.byte_offset += len(passed.encode("utf-8", "surrogatepass"))
        self.position = to


@dataclass(slots=True)
class _Rows:
    """The documents of a chunk in the making."""

    documents: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    errors: list[RecordError] = field(default_factory=list)

    def chunk(self) -> Chunk:
        table = pa.table([pa.array(self.documents, pa.string())], names=column_names(1))
        parsed = len(self.documents) + len(self.errors)
        return Chunk(table, [p.row_number for p in self.places], _Places(self.places), parsed, self.errors)


@dataclass(slots=True)
class _Places:
    places: list[Place]

    def place(self, index: int) -> Place:
        return self.places[index]


class _Reader:
    def __init__(self, options: FormatOptions) -> None:
        self.options = options
        self.strip_array: bool = options["STRIP_OUTER_ARRAY"]
        self.decoder = json.JSONDecoder(
            object_pairs_hook=dict if options["ALLOW_DUPLICATE"] else _unique,
            parse_constant=_no_constant,
            parse_float=str,
            parse_int=str,
            strict=False,
        )
        self.at = _Text()
        self.row_number = 1
        self.in_array = False

    def chunks(self, blocks: Iterable[bytes]) -> Iterator[Chunk]:
        replacing = self.options["REPLACE_INVALID_CHARACTERS"] or self.options["IGNORE_UTF8_ERRORS"]
        # a broken byte travels as a lone surrogate, so that its document can be named
        decoder = codecs.getincrementaldecoder("utf-8")("replace" if replacing else "surrogateescape")
        first = True
        rows = _Rows()
        blocks = iter(blocks)
        ahead: bytes | None = next(blocks, b"")
        while ahead is not None:
            block, ahead = ahead, next(blocks, None)
            text = decoder.decode(block, final=ahead is None)
            if first and self.options["SKIP_BYTE_ORDER_MARK"] and text.startswith("\ufeff"):
                text = text[1:]
                self.at.byte_offset = 3
            first = first and not text
            self.at.feed(text)
            while self._next(rows, final=ahead is None):
                if len(rows.documents) + len(rows.errors) >= ROWS_PER_CHUNK:
                    yield rows.chunk()
                    rows = _Rows()
        if rows.documents or rows.errors:
            yield rows.chunk()

    def _next(self, rows: _Rows, *, final: bool) -> bool:
        """Read one document. False: there is none, or not all of it yet."""
        at = self.at
        between = _BETWEEN if self.in_array else _SPACE
        at.advance(between.match(at.text, at.position).end())  # type: ignore[union-attr]
        if at.position >= len(at.text):
            return False
        if self.strip_array and at.text[at.position] == ("]" if self.in_array else "["):
            self.in_array = not self.in_array
            at.advance(at.position + 1)
            return True
        return self._read_document(rows, final=final)

    def _read_document(self, rows: _Rows, *, final: bool) -> bool:
        at = self.at
        try:
            _, end = self.decoder.raw_decode(at.text, at.position)
        except _DuplicateKeyError as twice:
            return self._duplicate(rows, twice.key, final=final)
        except json.JSONDecodeError as broken:
            if not final and _may_go_on(broken, at.text):
                return False
            self._broken(rows, _detail(broken, at.text), broken.pos)
        except ValueError as constant:
            self._broken(rows, f'unknown keyword "{constant}"', at.position)
        except RecursionError:
            self._broken(rows, "too deeply nested", at.position)
        else:
            if end == len(at.text) and not final and at.text[end - 1] not in '}]"':
                return False  # a number or word may go on in the next block
            self._document(rows, end)
        return True

    def _document(self, rows: _Rows, end: int) -> None:
        at = self.at
        text = at.text[at.position : end]
        place = self._place(text)
        size = len(text.encode("utf-8", "surrogateescape"))
        if size > load_errors.MAX_VARIANT:
            detail = f"document is too large, max size {load_errors.MAX_VARIANT} bytes"
            rows.errors.append(place.error(load_errors.json_error(detail), 1, "parsing"))
        elif not _is_valid(text):
            broken = text.encode("utf-8", "surrogateescape")
            rows.errors.append(place.error(load_errors.invalid_utf8(broken), 1, "parsing"))
        else:
            text = _paired(text)
            rows.documents.append(_without_nulls(text) if self.options["STRIP_NULL_VALUES"] else text)
            rows.places.append(place)
        self.row_number += 1
        at.advance(end)

    def _place(self, text: str) -> Place:
        at = self.at
        raw = text.encode("utf-8", "surrogateescape")
        return Place(self.row_number, at.line, at.byte_offset, raw, raw.decode("utf-8", "replace"))

    def _duplicate(self, rows: _Rows, key: str, *, final: bool) -> bool:
        """A key twice in one object: found behind its second occurrence."""
        at = self.at
        decoder = json.JSONDecoder(strict=False)
        try:
            _, end = decoder.raw_decode(at.text, at.position)
        except ValueError:
            if not final:
                return False
            end = len(at.text)
        position = _second_key(at.text[at.position : end], key) + at.position
        self._broken(rows, f'duplicate object attribute "{key}"', position, end)
        return True

    def _broken(self, rows: _Rows, detail: str, position: int, end: int | None = None) -> None:
        """Reject the document; reading goes on behind ``end``, or on the next line."""
        at = self.at
        if end is None:
            feed = at.text.find("\n", position)
            end = len(at.text) if feed < 0 else feed + 1
        text = at.text[at.position : end].rstrip("\r\n")
        place = self._place(text)
        before = at.text[at.position : position]
        error = place.error(load_errors.json_error(detail), 1, "parsing")
        feeds = before.count("\n")
        character = len(before) - before.rfind("\n") if feeds else at.character + len(before)
        rows.errors.append(
            RecordError(
                message=error.message,
                code=error.code,
                sql_state=error.sql_state,
                category=error.category,
                line=at.line + feeds,
                character=character,
                byte_offset=at.byte_offset + len(before.encode("utf-8", "surrogateescape")),
                row_number=self.row_number,
                row_start_line=at.line,
                column=1,
                rejected_record=place.rejected,
            )
        )
        self.row_number += 1
        at.advance(end)


def _may_go_on(broken: json.JSONDecodeError, text: str) -> bool:
    """Is this the middle of a document that the next block may complete?"""
    return broken.msg.startswith("Unterminated string") or broken.pos >= len(text) - 16


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_ESCAPES = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)


def _paired(text: str) -> str:
    """The document with U+FFFD for every surrogate that stands alone; pairs and other escapes as they are."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPES.sub(lambda found: r"\ufffd" if _is_alone(found.group()) else found.group(), text)


def _is_alone(escape: str) -> bool:
    return len(escape) == len(r"\uxxxx")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _without_nulls(text: str) -> str:
    """The document without members and elements that are null (STRIP_NULL_VALUES); numbers as written."""
    document = json.loads(text, parse_float=_Number, parse_int=_Number, strict=False)
    return _stripped(document)


def _stripped(value: Any) -> str:
    if isinstance(value, dict):
        members = (
            f"{json.dumps(name)}:{_stripped(each)}" for name, each in value.items() if each is not None
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_stripped(each) for each in value if each is not None) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_WORDING = {
    "Unterminated string": "unterminated string",
    "Expecting ',' delimiter": "missing comma",
    "Expecting ':' delimiter": "missing colon",
}


def _detail(broken: json.JSONDecodeError, text: str) -> str:
    """Snowflake's words for what is wrong, as far as public reports show them."""
    for start, wording in _WORDING.items():
        if broken.msg.startswith(start) and broken.pos < len(text):
            return wording
    character = text[broken.pos : broken.pos + 1]
    if not character:
        return "unfinished JSON value"
    if character in "}]":
        return f"misplaced {character}"
    word = _WORD.match(text, broken.pos)
    return (
        f'unknown keyword "{word.group()}"'
        if word
        else f"invalid character outside of a string: '{character}'"
    )


def detail_of(text: str) -> str:
    """What Snowflake says of a text that is not JSON (PARSE_JSON, a field for a VARIANT column)."""
    try:
        _, end = json.JSONDecoder(parse_constant=_no_constant, strict=False).raw_decode(text.strip())
    except json.JSONDecodeError as broken:
        return f"{_detail(broken, text.strip())}, pos {broken.pos + 1}"
    except ValueError as constant:
        return f'unknown keyword "{constant}"'
    if end == len(text.strip()):
        return "not emulated: an unpaired surrogate outside of a JSON file"
    return f"more than one document in the input, pos {end + 1}"


def _second_key(text: str, key: str) -> int:
    """Where the repeated key ends, as far as the text alone can tell."""
    seen = 0
    for match in _KEY.finditer(text):
        if json.loads(match.group(), strict=False) == key and text[match.end() :].lstrip().startswith(":"):
            seen += 1
            if seen == 2:
                return match.end() - 1
    return 0
