"""File-format options: what may be written, what is meant when nothing is, and how DESC shows them.

Sources: [create-file-format] https://docs.snowflake.com/en/sql-reference/sql/create-file-format
(options, defaults, DESC columns) and sources: Snowflake §1.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.errors import SnowflakeError

Kind = Literal["string", "character", "delimiter", "boolean", "integer", "list", "word"]
NONE = "NONE"

NOT_EMULATED_TYPES = ("ORC", "XML", "CUSTOM")

COMPRESSIONS = ("AUTO", "GZIP", "BZ2", "ZSTD", "DEFLATE", "RAW_DEFLATE", "NONE")
COMPRESSIONS_NOT_EMULATED = ("BROTLI", "LZO", "SNAPPY")

ENCODINGS = {
    "UTF8": "utf-8",
    "UTF-8": "utf-8",
    "UTF16": "utf-16",
    "UTF-16": "utf-16",
    "UTF16BE": "utf-16-be",
    "UTF-16BE": "utf-16-be",
    "UTF16LE": "utf-16-le",
    "UTF-16LE": "utf-16-le",
    "UTF32": "utf-32",
    "UTF-32": "utf-32",
    "BIG5": "big5",
    "EUCJP": "euc_jp",
    "EUCKR": "euc_kr",
    "GB18030": "gb18030",
    "IBM420": "",
    "IBM424": "cp424",
    "ISO2022JP": "iso2022_jp",
    "ISO88591": "iso8859-1",
    "ISO88592": "iso8859-2",
    "ISO88595": "iso8859-5",
    "ISO88597": "iso8859-7",
    "ISO88598": "iso8859-8",
    "ISO88599": "iso8859-9",
    "ISO885915": "iso8859-15",
    "KOI8R": "koi8-r",
    "SHIFTJIS": "shift_jis",
    "WINDOWS1250": "cp1250",
    "WINDOWS1251": "cp1251",
    "WINDOWS1252": "cp1252",
    "WINDOWS1253": "cp1253",
    "WINDOWS1254": "cp1254",
    "WINDOWS1255": "cp1255",
    "WINDOWS1256": "cp1256",
}

_WORDS: dict[str, tuple[str, ...]] = {
    "COMPRESSION": COMPRESSIONS + COMPRESSIONS_NOT_EMULATED,
    "BINARY_FORMAT": ("HEX", "BASE64", "UTF8", "UTF-8"),
    "ENCODING": tuple(ENCODINGS),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a file-format type: what a value may be, and its default."""

    name: str
    kind: Kind
    default: Any

    @property
    def shown_type(self) -> str:
        """property_type in DESC FILE FORMAT."""
        return {"boolean": "Boolean", "integer": "Integer", "list": "List"}.get(self.kind, "String")


CSV_OPTIONS: tuple[Option, ...] = (
    Option("RECORD_DELIMITER", "delimiter", default="\n"),
    Option("FIELD_DELIMITER", "delimiter", default=","),
    Option("FILE_EXTENSION", "string", default=""),
    Option("SKIP_HEADER", "integer", default=0),
    Option("PARSE_HEADER", "boolean", default=False),
    Option("DATE_FORMAT", "string", default="AUTO"),
    Option("TIME_FORMAT", "string", default="AUTO"),
    Option("TIMESTAMP_FORMAT", "string", default="AUTO"),
    Option("BINARY_FORMAT", "word", default="HEX"),
    Option("ESCAPE", "character", default=NONE),
    Option("ESCAPE_UNENCLOSED_FIELD", "character", default="\\"),
    Option("TRIM_SPACE", "boolean", default=False),
    Option("FIELD_OPTIONALLY_ENCLOSED_BY", "character", default=NONE),
    Option("NULL_IF", "list", default=("\\N",)),
    Option("COMPRESSION", "word", default="AUTO"),
    Option("ERROR_ON_COLUMN_COUNT_MISMATCH", "boolean", default=True),
    Option("VALIDATE_UTF8", "boolean", default=True),
    Option("SKIP_BLANK_LINES", "boolean", default=False),
    Option("REPLACE_INVALID_CHARACTERS", "boolean", default=False),
    Option("EMPTY_FIELD_AS_NULL", "boolean", default=True),
    Option("SKIP_BYTE_ORDER_MARK", "boolean", default=True),
    Option("ENCODING", "word", default="UTF8"),
    Option("MULTI_LINE", "boolean", default=True),
)

JSON_OPTIONS: tuple[Option, ...] = (
    Option("FILE_EXTENSION", "string", default=""),
    Option("DATE_FORMAT", "string", default="AUTO"),
    Option("TIME_FORMAT", "string", default="AUTO"),
    Option("TIMESTAMP_FORMAT", "string", default="AUTO"),
    Option("BINARY_FORMAT", "word", default="HEX"),
    Option("TRIM_SPACE", "boolean", default=False),
    Option("NULL_IF", "list", default=()),
    Option("COMPRESSION", "word", default="AUTO"),
    Option("ENABLE_OCTAL", "boolean", default=False),
    Option("ALLOW_DUPLICATE", "boolean", default=False),
    Option("STRIP_OUTER_ARRAY", "boolean", default=False),
    Option("STRIP_NULL_VALUES", "boolean", default=False),
    Option("IGNORE_UTF8_ERRORS", "boolean", default=False),
    Option("REPLACE_INVALID_CHARACTERS", "boolean", default=False),
    Option("SKIP_BYTE_ORDER_MARK", "boolean", default=True),
    Option("MULTI_LINE", "boolean", default=True),
)

PARQUET_OPTIONS: tuple[Option, ...] = (
    Option("TRIM_SPACE", "boolean", default=False),
    Option("NULL_IF", "list", default=("\\N",)),
    Option("COMPRESSION", "word", default="AUTO"),
    Option("SNAPPY_COMPRESSION", "boolean", default=True),
    Option("BINARY_AS_TEXT", "boolean", default=True),
    Option("USE_LOGICAL_TYPE", "boolean", default=False),
    Option("USE_VECTORIZED_SCANNER", "boolean", default=False),
    Option("REPLACE_INVALID_CHARACTERS", "boolean", default=False),
)
"""COMPRESSION is of the blocks inside, and read from the file itself."""

AVRO_OPTIONS: tuple[Option, ...] = (
    Option("TRIM_SPACE", "boolean", default=False),
    Option("NULL_IF", "list", default=("\\N",)),
    Option("COMPRESSION", "word", default="AUTO"),
    Option("REPLACE_INVALID_CHARACTERS", "boolean", default=False),
)
"""COMPRESSION is of the file as a whole; that of the blocks inside is read from the file itself."""

OPTIONS: dict[str, dict[str, Option]] = {
    "AVRO": {option.name: option for option in AVRO_OPTIONS},
    "CSV": {option.name: option for option in CSV_OPTIONS},
    "JSON": {option.name: option for option in JSON_OPTIONS},
    "PARQUET": {option.name: option for option in PARQUET_OPTIONS},
}


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """The options of one file format: what was written; everything else is the type's default.

    ``type`` is CSV, JSON, PARQUET or AVRO. Values in ``written`` are typed: str, bool, int or a tuple of str.
    """

    type: str = "CSV"
    written: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The value that counts for an option of this type. KeyError: the type has no such option."""
        option = OPTIONS[self.type][name]
        return self.written.get(name, option.default)

    def with_changes(self, options: Mapping[str, Any]) -> FormatOptions:
        """These options with some others written over them (ALTER FILE FORMAT … SET; COPY's own options).

        Raises SnowflakeError for an unknown option, a bad value, a conflict, or another TYPE.
        """
        typed = {name.upper(): value for name, value in options.items()}
        other = str(typed.pop("TYPE", self.type)).upper()
        if other != self.type:
            raise SnowflakeError(
                2029, "42601", f"SQL compilation error:\nFile format type cannot be changed to '{other}'."
            )
        changed = {**self.written, **_checked(self.type, typed)}
        return _without_conflicts(replace(self, written=changed))

    def rows(self) -> list[tuple[str, str, str, str]]:
        """DESC FILE FORMAT: (property, property_type, property_value, property_default)."""
        shown = [("TYPE", "String", self.type, "CSV")]
        shown += [
            (option.name, option.shown_type, shown_value(self[option.name]), shown_value(option.default))
            for option in OPTIONS[self.type].values()
        ]
        return shown

    def sql(self) -> str:
        """The options as GET_DDL writes them: TYPE and what was written."""
        parts = [f"TYPE = {self.type}"]
        parts += [f"{name} = {sql_value(value)}" for name, value in self.written.items()]
        return " ".join(parts)

    @property
    def codec(self) -> str:
        """The Python codec of ENCODING."""
        return ENCODINGS[self["ENCODING"]] if self.type == "CSV" else "utf-8"


def parse(options: Mapping[str, Any]) -> FormatOptions:
    """Typed options from what a statement wrote, e.g. ``{"TYPE": "CSV", "SKIP_HEADER": "1"}``.

    Values may be str, int, bool or a sequence of str. Without TYPE it is CSV. Raises SnowflakeError: a type
    that is not emulated, an option the type does not have (001003, as an unexpected word), a value that does
    not fit (001008), options that exclude each other.
    """
    typed = {name.upper(): value for name, value in options.items()}
    type_ = str(typed.pop("TYPE", "CSV")).upper()
    if type_ in NOT_EMULATED_TYPES:
        raise errors.not_emulated(f"file format TYPE = {type_}")
    if type_ not in OPTIONS:
        raise errors.invalid_value(type_, "TYPE")
    return _without_conflicts(FormatOptions(type_, _checked(type_, typed)))


def _checked(type_: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = OPTIONS[type_]
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            raise errors.invalid_property(name, f"FILE_FORMAT({type_})")
        if type_ == "PARQUET" and name == "COMPRESSION":
            checked[name] = _parquet_compression(value)
            continue
        checked[name] = _typed(known[name], value)
    return checked


def _parquet_compression(value: Any) -> str:
    """AUTO, SNAPPY, NONE or LZO. Raises SnowflakeError 001008 for another one."""
    word = str(value).upper()
    if word not in ("AUTO", "SNAPPY", "NONE", "LZO"):
        raise errors.invalid_value(word, "COMPRESSION")
    return word


def _typed(option: Option, value: Any) -> Any:
    """The value as the option's type, or SnowflakeError 001008."""
    if option.kind == "list":
        return (value,) if isinstance(value, str) else tuple(str(item) for item in value)
    return _READ[option.kind](option.name, value)


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not str(value).strip().isdigit():
        raise errors.invalid_value(str(value), name)
    return int(value)


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).upper() in ("TRUE", "FALSE"):
        return str(value).upper() == "TRUE"
    raise errors.invalid_value(str(value), name)


def _word(name: str, value: Any) -> str:
    word = str(value).upper()
    if name == "COMPRESSION" and word == "AUTO_DETECT":
        return "AUTO"
    if word not in _WORDS[name]:
        raise errors.invalid_value(word, name)
    if name == "COMPRESSION" and word in COMPRESSIONS_NOT_EMULATED:
        raise errors.not_emulated(f"COMPRESSION = {word}")
    if name == "ENCODING" and not ENCODINGS[word]:
        raise errors.not_emulated(f"ENCODING = {word}")
    return word


_ESCAPED = re.compile(r"((?:\\x[0-9A-Fa-f]{2})+)|\\([0-7]{1,3})|\\u([0-9A-Fa-f]{4})|\\(.)", re.DOTALL)
_SINGLE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"'}


def unescaped(text: str) -> str:
    r"""Octal (``\\101``) and hex (``\\x41`` / ``0x41``) forms of a delimiter or character.

    Snowflake takes them as two-character texts; an SQL literal's own escapes are gone by now. A cent is
    ``\\xC2\\xA2``: the bytes of UTF-8. What is not an escape stays as it is.
    """
    if re.fullmatch(r"0[xX](?:[0-9A-Fa-f]{2})+", text):
        return _text(text[2:])
    return _ESCAPED.sub(_meant, text) if len(text) > 1 else text


def _meant(found: re.Match[str]) -> str:
    octets, octal, code, single = found.groups()
    if octets:
        return _text(octets.replace("\\x", ""))
    if octal or code:
        return chr(int(octal, 8) if octal else int(code, 16))
    return _SINGLE.get(single, found[0])


def _text(digits: str) -> str:
    """The text of bytes: UTF-8 or, where it is none, a character for each."""
    octets = bytes.fromhex(digits)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _character(name: str, value: Any) -> str:
    """A single character, or NONE; also in octal and hex."""
    text = str(value)
    if text.upper() == NONE:
        return NONE
    character = unescaped(text) if text != "\\" else text
    if len(character) != 1:
        raise errors.invalid_value(text, name)
    if name == "FIELD_OPTIONALLY_ENCLOSED_BY" and character not in "'\"":
        raise errors.invalid_value(text, name)
    return character


def _delimiter(name: str, value: Any) -> str:
    """One or more characters (at most 20), or NONE."""
    text = str(value)
    if text.upper() == NONE:
        return NONE
    try:
        delimiter = unescaped(text)
    except (ValueError, UnicodeDecodeError):
        delimiter = text
    if not delimiter or len(delimiter) > 20:
        raise errors.invalid_value(text, name)
    return delimiter


_READ: dict[str, Callable[[str, Any], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "word": _word,
    "character": _character,
    "delimiter": _delimiter,
    "string": lambda _name, value: str(value),
}


def _without_conflicts(options: FormatOptions) -> FormatOptions:
    """The same options, or SnowflakeError where two of them exclude each other."""
    if options.type in ("PARQUET", "AVRO"):
        return options
    if options.type != "CSV":
        if options["ENABLE_OCTAL"]:
            raise errors.not_emulated("ENABLE_OCTAL = TRUE in a JSON file format")
        return options
    if not options["VALIDATE_UTF8"]:
        raise errors.not_emulated("VALIDATE_UTF8 = FALSE")
    if options["PARSE_HEADER"] and options["SKIP_HEADER"]:
        raise _conflict("PARSE_HEADER", "SKIP_HEADER")
    field_delimiter, record_delimiter = options["FIELD_DELIMITER"], options["RECORD_DELIMITER"]
    if NONE not in (field_delimiter, record_delimiter) and (
        field_delimiter in record_delimiter or record_delimiter in field_delimiter
    ):
        # "the delimiter cannot be a substring of the delimiter for the other file format option"
        raise _conflict("FIELD_DELIMITER", "RECORD_DELIMITER")
    return options


def _conflict(one: str, other: str) -> SnowflakeError:
    return SnowflakeError(
        2029,
        "42601",
        f"SQL compilation error:\nFile format options '{one}' and '{other}' are in conflict with each other.",
    )


def shown_value(value: Any) -> str:
    r"""A value as DESC shows it: ``true``, ``[\\N]``, ``\t``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(shown_value(item) for item in value) + "]"
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def sql_value(value: Any) -> str:
    """A value as SQL text."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(sql_value(item) for item in value) + ")"
    if value == NONE or value in COMPRESSIONS or value in ENCODINGS:
        return str(value)
    return "'" + shown_value(value).replace("'", "\\'") + "'"
