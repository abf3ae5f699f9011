"""One CSV record at a time, exactly as the file-format options say.

The reading itself: delimiters, enclosures, escapes; what a field means (TRIM_SPACE, NULL_IF,
EMPTY_FIELD_AS_NULL, in that order [frostlake]). Works on UTF-8 bytes; a record may span lines inside an
enclosure or behind an escape character.

Sources: [create-file-format] https://docs.snowflake.com/en/sql-reference/sql/create-file-format;
[frostlake] https://github.com/mlorek/frostlake (COPY tests measured on a live account); facts/snowplow.md
§1.6-1.7 for what the default ESCAPE_UNENCLOSED_FIELD does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from snowpipe_sandbox.snowflake import load_errors
from snowpipe_sandbox.snowflake.formats import NONE, FormatOptions

ESCAPED = {
    ord("n"): b"\n",
    ord("t"): b"\t",
    ord("r"): b"\r",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord("0"): b"\0",
}
"""What a backslash makes of the byte behind it; any other byte stands for itself."""

WHITE_SPACE = b" \t\r\n\v\f"


@dataclass(slots=True)
class Field:
    """A field as read: its bytes, unescaped; where it starts in the record; how it was written."""

    value: bytes
    start: int
    raw: bytes
    enclosed: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record cannot be read: the error, where in the record, in which field (from 0)."""

    text: tuple[str, int, str]
    at: int
    field: int


@dataclass(slots=True)
class Record:
    """A record as read: buffer[start:end]; ``raw`` is that without the record delimiter."""

    fields: list[Field]
    raw: bytes
    start: int
    end: int
    terminated: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Broken:
    """A field that ends the reading of its record."""

    at: int
    resume: int
    """The next record begins behind the first record delimiter from here on."""
    open_ended: bool


_FieldRead = tuple[Field, int, bytes] | _Broken
"""A field, where reading goes on, and the delimiter that ended it (empty: the file's end)."""


@dataclass(slots=True)
class _Syntax:
    """The options as bytes, and the patterns that find the next byte that matters."""

    field_delimiter: bytes
    record_delimiter: bytes
    enclosure: bytes
    escape_enclosed: bytes
    escape_unenclosed: bytes
    trim: bool
    multi_line: bool
    backslash: bool = False
    stop: re.Pattern[bytes] = field(init=False)
    stop_enclosed: re.Pattern[bytes] | None = field(init=False)

    def __post_init__(self) -> None:
        stops = [s for s in (self.escape_unenclosed, self.record_delimiter, self.field_delimiter) if s]
        # the longer delimiter first, should one begin like the other
        stops.sort(key=len, reverse=True)
        self.stop = re.compile(b"|".join(re.escape(s) for s in stops) if stops else b"(?!)")
        inside = [s for s in (self.enclosure, self.escape_enclosed) if s]
        if self.enclosure and not self.multi_line and self.record_delimiter:
            inside.append(self.record_delimiter)
        self.stop_enclosed = re.compile(b"|".join(re.escape(s) for s in inside)) if self.enclosure else None


def _bytes(value: str) -> bytes:
    return b"" if value == NONE else value.encode()


class RecordReader:
    """Reads records out of a buffer of UTF-8 bytes."""

    def __init__(self, options: FormatOptions, columns: int | None = None) -> None:
        """``columns``: how many the target has, where that decides an error's wording; None if unknown."""
        self.syntax = _Syntax(
            field_delimiter=_bytes(options["FIELD_DELIMITER"]),
            record_delimiter=_bytes(options["RECORD_DELIMITER"]),
            enclosure=_bytes(options["FIELD_OPTIONALLY_ENCLOSED_BY"]),
            escape_enclosed=_bytes(options["ESCAPE"]),
            escape_unenclosed=_bytes(options["ESCAPE_UNENCLOSED_FIELD"]),
            trim=options["TRIM_SPACE"],
            multi_line=options["MULTI_LINE"],
        )
        self.columns = columns
        self._nulls = frozenset(text.encode() for text in options["NULL_IF"])
        self._empty_is_null: bool = options["EMPTY_FIELD_AS_NULL"]
        self._trim: bool = options["TRIM_SPACE"]

    def read(self, buffer: bytes, start: int, *, final: bool) -> Record | None:
        """The record that begins at ``start``; None if the buffer ends inside it and is not the last."""
        position = start
        fields: list[Field] = []
        while True:
            found = self._field(buffer, position, start, final=final)
            if found is None:
                return None
            if isinstance(found, _Broken):
                return self._unreadable(buffer, start, fields, found, final=final)
            one, position, ending = found
            fields.append(one)
            if not ending or ending != self.syntax.field_delimiter:
                break
        raw = buffer[start : position - len(ending)]
        if ending == b"\n" and raw.endswith(b"\r"):
            raw = raw[:-1]
            last = fields[-1]
            if not last.enclosed and last.value.endswith(b"\r"):
                last.value, last.raw = last.value[:-1], last.raw.removesuffix(b"\r")
        return Record(fields, raw, start, position, bool(ending))

    def _unreadable(
        self, buffer: bytes, start: int, fields: list[Field], broken: _Broken, *, final: bool
    ) -> Record | None:
        """The record with its problem; reading goes on behind the next record delimiter."""
        delimiter = self.syntax.record_delimiter
        found = buffer.find(delimiter, broken.resume) if delimiter else -1
        if found < 0 and not final:
            return None
        end = len(buffer) if found < 0 else found + len(delimiter)
        raw = buffer[start : len(buffer) if found < 0 else found]
        if broken.open_ended:
            text = load_errors.open_enclosure(self.syntax.enclosure.decode())
        else:
            text = self._foreign_character(buffer, broken.at, len(fields) + 1)
        problem = Problem(text, broken.at - start, len(fields))
        return Record(fields, raw, start, end, found >= 0, problem)

    def _foreign_character(self, buffer: bytes, position: int, column: int) -> tuple[str, int, str]:
        character = buffer[position : position + 4].decode("utf-8", "replace")[:1]
        if column == self.columns:
            return load_errors.after_enclosure(character, self.syntax.record_delimiter.decode(), "record")
        return load_errors.after_enclosure(character, self.syntax.field_delimiter.decode(), "field")

    def _field(self, buffer: bytes, position: int, record_start: int, *, final: bool) -> _FieldRead | None:
        syntax = self.syntax
        if syntax.enclosure:
            begin = self._behind_white_space(buffer, position) if syntax.trim else position
            if begin >= len(buffer) and not final:
                return None
            if buffer.startswith(syntax.enclosure, begin):
                return self._enclosed(buffer, position, begin, record_start, final=final)
        return self._unenclosed(buffer, position, record_start, final=final)

    def _behind_white_space(self, buffer: bytes, position: int) -> int:
        while position < len(buffer) and buffer[position] in b" \t":
            if self.syntax.field_delimiter and buffer.startswith(self.syntax.field_delimiter, position):
                break
            position += 1
        return position

    def _unenclosed(self, buffer: bytes, start: int, record_start: int, *, final: bool) -> _FieldRead | None:
        syntax = self.syntax
        pieces: list[bytes] = []
        position = start
        while True:
            match = syntax.stop.search(buffer, position)
            if match is None:
                if not final:
                    return None
                pieces.append(buffer[position:])
                end, ending = len(buffer), b""
                break
            token = match.group()
            pieces.append(buffer[position : match.start()])
            if token == syntax.escape_unenclosed:
                if match.end() >= len(buffer):
                    if not final:
                        return None
                    pieces.append(token)
                    end, ending = len(buffer), b""
                    break
                escaped = buffer[match.end()]
                pieces.append(self._unescaped(token, escaped))
                position = match.end() + 1
                continue
            end, ending = match.end(), token
            break
        raw = buffer[start : end - len(ending)]
        return Field(b"".join(pieces), start - record_start, raw), end, ending

    @staticmethod
    def _unescaped(escape: bytes, byte: int) -> bytes:
        if escape == b"\\" and byte in ESCAPED:
            return ESCAPED[byte]
        return bytes((byte,))

    def _enclosed(
        self, buffer: bytes, start: int, begin: int, record_start: int, *, final: bool
    ) -> _FieldRead | None:
        syntax = self.syntax
        assert syntax.stop_enclosed is not None
        pieces: list[bytes] = []
        position = begin + 1
        while True:
            match = syntax.stop_enclosed.search(buffer, position)
            if not final and (match is None or match.end() >= len(buffer)):
                return None
            if match is None:
                return _Broken(start, len(buffer), open_ended=True)
            token = match.group()
            pieces.append(buffer[position : match.start()])
            position = match.end()
            if token == syntax.enclosure:
                if not buffer.startswith(syntax.enclosure, position):
                    break
                pieces.append(syntax.enclosure)
                position += 1
            elif token == syntax.escape_enclosed:
                if position < len(buffer):
                    pieces.append(self._unescaped(token, buffer[position]))
                    position += 1
            else:  # the record delimiter, in a file that is not MULTI_LINE
                return _Broken(start, match.start(), open_ended=True)
        one = Field(b"".join(pieces), start - record_start, buffer[start:position], enclosed=True)
        return self._behind_enclosure(buffer, one, position, final=final)

    def _behind_enclosure(
        self, buffer: bytes, one: Field, position: int, *, final: bool
    ) -> _FieldRead | None:
        """What follows a closing enclosure must be a delimiter or the file's end."""
        syntax = self.syntax
        here = self._behind_white_space(buffer, position) if syntax.trim else position
        longest = max(len(syntax.field_delimiter), len(syntax.record_delimiter), 2)
        if here + longest > len(buffer) and not final:
            return None
        if here >= len(buffer):
            return one, here, b""
        for delimiter in (syntax.field_delimiter, syntax.record_delimiter):
            if delimiter and buffer.startswith(delimiter, here):
                return one, here + len(delimiter), delimiter
        if syntax.record_delimiter == b"\n" and buffer.startswith(b"\r\n", here):
            return one, here + 2, b"\n"
        return _Broken(here, here, open_ended=False)

    def meaning(self, one: Field) -> bytes | None:
        """The field's value: trimmed, and None where NULL_IF or EMPTY_FIELD_AS_NULL make it NULL."""
        value = one.value
        if self._trim and not one.enclosed:
            value = value.strip(WHITE_SPACE)
        if value in self._nulls or (not one.enclosed and one.raw in self._nulls):
            return None
        if not value and not one.enclosed and self._empty_is_null:
            return None
        return value
