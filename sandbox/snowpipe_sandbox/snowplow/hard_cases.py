"""Lines that break naive readers, byte for byte, with what is expected of each.

Files: ``samples/`` in this package (package data, ``-text`` in ``.gitattributes``). Lines are split on the
line feed only: several hold U+0085, U+2028, VT, FF or CR, which ``str.splitlines`` would cut at.
"""

import codecs
from importlib.resources import files
from typing import Literal, NamedTuple

from .fields import FIELDS

Expected = Literal["row", "no event", "wrong count", "bad bytes", "ends in CR", "starts with BOM", "blank"]
"""What a line is.

- ``row``: 131 fields of valid UTF-8; becomes one row, values exactly as written.
- ``no event``: 131 fields, but a header or nothing: a load that only counts fields takes it as a row.
- ``wrong count``: not 131 fields.
- ``bad bytes``: 131 fields, not valid UTF-8.
- ``ends in CR``: 131 fields and CR LF, which Snowflake reads as one line end: the CR is not data.
- ``starts with BOM``: 131 fields after a byte order mark, which SKIP_BYTE_ORDER_MARK drops.
- ``blank``: nothing at all.
"""

_NO_EVENT = {"header line", "nothing but tabs"}


class HardCase(NamedTuple):
    """One line.

    Attributes:
        name: file and line number, then what is hard about it.
        line: its bytes, without the line feed.
        fields: how many fields a reader finds that splits at tabs only (0 for a blank line).
        expected: what kind of line it is.
    """

    name: str
    line: bytes
    fields: int
    expected: Expected


_WEIRD = (
    "only the four never-empty fields",
    "app_id empty",
    "non-ASCII: Greek, CJK, emoji, right to left, combining, joined",
    "U+2028, U+2029, U+0085, U+00A0, U+200B, U+FEFF",
    "JSON with unicode escapes, one lone surrogate",
    "JSON with escaped quotes",
    "JSON with escaped backslashes, one at the end of a value",
    "JSON with escaped line feeds, tabs and other short escapes",
    "JSON with escaped NUL and other control characters",
    "field ends in one backslash",
    "field ends in two backslashes",
    "field is one backslash",
    "escapes as plain text",
    "double quotes: leading, unbalanced, embedded, doubled",
    r"field is \N",
    "fields are NULL, null, None, NaN, empty JSON",
    "leading and trailing spaces, only spaces",
    "four spaces where a tab was",
    "commas, pipes, semicolons, SQL, HTML",
    "control characters in the user agent",
    "page_url of 4097 characters",
    "page_url of 10000 characters",
    "contexts of 64 KiB",
    "collector_tstamp without a fraction",
    "timestamps with six and nine digits",
    "timestamps of the years 0000, 1970, 9999",
    "timestamps in ISO 8601",
    "event_id in upper case",
    "event_id that is not a UUID",
    "natural duplicate, first",
    "natural duplicate, second",
    "synthetic duplicate, first",
    "synthetic duplicate, second",
    "event_fingerprint empty",
    "numbers out of range, with exponents, a decimal for an integer",
    "flags, one of them invalid",
    "contexts with a null entity",
    "contexts without entities",
    "contexts with spaces between tokens",
    "contexts that are not JSON",
    "contexts cut short",
    "contexts with duplicate keys and big integers",
    "self-describing event with derived contexts",
    "structured event",
    "page ping",
    "transaction",
    "transaction item",
    "failed event as TSV",
    "IPv6 address and all lookups",
    "address unknown, anonymised, mobile",
    "campaign fields with encoded characters",
    "every field filled",
)
_WRONG_COUNT = (
    "one field more at the end",
    "raw tab in page_title",
    "last field missing",
    "trailing empty fields stripped",
    "failure wrapper of Firehose",
    "event as flattened JSON",
    "bad row among the events",
    "header line",
    "empty line",
    "nothing but tabs",
    "two events on one line",
)
_NASTY = (
    "bytes FF FE",
    "multi-byte character cut before a tab",
    "Latin-1 byte E9",
    "surrogates in CESU-8",
    "NUL in the user agent",
    "lone CR in page_title",
    "line ends in CR LF",
    "raw line feed in page_title, first half",
    "raw line feed in page_title, second half",
    "overlong encoding C0 80",
    "last field ends in a backslash",
    "the line after it",
    "no final line feed",
)
_BOM = ("starts with a byte order mark", "the line after it")


def weird_events() -> list[HardCase]:
    """52 lines of 131 fields of valid UTF-8: each is one row, whatever is in it."""
    return _cases("enriched-weird-synthetic.tsv", _WEIRD)


def wrong_counts() -> list[HardCase]:
    """11 lines that are not an event of 131 fields; two of them have 131 all the same (``no event``)."""
    return _cases("wrongcount-synthetic.tsv", _WRONG_COUNT)


def nasty_bytes() -> list[HardCase]:
    """13 lines, most of them not valid UTF-8; the eighth and ninth are one event cut in two."""
    return _cases("nasty-bytes.tsv", _NASTY)


def byte_order_mark() -> list[HardCase]:
    """2 lines, the first starting with a UTF-8 byte order mark."""
    return _cases("nasty-bom.tsv", _BOM)


def bad_documents() -> list[HardCase]:
    """16 bad rows of all families, one JSON document a line."""
    return _documents("bad-synthetic.jsonl")


def enveloped_documents() -> list[HardCase]:
    """The same 16 in the EventBridge envelope."""
    return _documents("bad-eventbridge-synthetic.jsonl")


def concatenated_documents() -> bytes:
    """3 of these without anything between them, as Firehose writes records by default."""
    return sample("bad-eventbridge-concatenated.json")


def sample(name: str) -> bytes:
    """A sample file as it is. Raises FileNotFoundError for a name that is not known."""
    return files(__package__).joinpath("samples", name).read_bytes()


def lines(data: bytes) -> list[bytes]:
    """Lines split on the line feed only; what follows the last one counts if there is anything."""
    split = data.split(b"\n")
    return split if split[-1] else split[:-1]


def _cases(name: str, titles: tuple[str, ...]) -> list[HardCase]:
    cases = []
    for number, (line, title) in enumerate(zip(lines(sample(name)), titles, strict=True), start=1):
        count = line.count(b"\t") + 1 if line else 0
        cases.append(HardCase(f"{name}:{number} {title}", line, count, _expected(line, count, title)))
    return cases


def _expected(line: bytes, fields: int, title: str) -> Expected:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "bad bytes" if fields == len(FIELDS) else "wrong count"
    marks: tuple[tuple[bool, Expected], ...] = (
        (not line, "blank"),
        (fields != len(FIELDS), "wrong count"),
        (title in _NO_EVENT, "no event"),
        (line.endswith(b"\r"), "ends in CR"),
        (line.startswith(codecs.BOM_UTF8), "starts with BOM"),
    )
    return next((expected for holds, expected in marks if holds), "row")


def _documents(name: str) -> list[HardCase]:
    found = enumerate(lines(sample(name)), start=1)
    return [HardCase(f"{name}:{number}", line, 1, "row") for number, line in found]
