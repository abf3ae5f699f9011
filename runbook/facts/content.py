"""What a file holds, by its first bytes: events, bad rows, or something else. Pure functions.

A pipe's COPY has a SELECT, and then Snowflake counts no fields: a file that holds something else becomes
rows, without an error. Sources:
https://docs.snowflake.com/en/user-guide/data-load-transform (no column count),
https://docs.snowflake.com/en/sql-reference/sql/create-file-format (AUTO: gzip, bz2, zstd, deflate),
https://docs.snowplow.io/docs/fundamentals/canonical-event/understanding-the-enriched-tsv-format/ (131 fields)
"""

import bz2
import re
import zlib
from contextlib import suppress

from runbook.settings import Stream

FIELDS = 131
FIRST_FIELDS = 108
"""What the oldest enriched events have; later versions only added to the end."""

_GZIP, _BZ2 = b"\x1f\x8b", b"BZh"
_FOREIGN = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a zip archive",
    b"\x89LZO": "LZO",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\xff\x06\x00\x00sNaPpY": "Snappy",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_TAR_AT, _TAR = 257, b"ustar"
_ZSTD = b"\x28\xb5\x2f\xfd"
_EVENT_ID = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.*")
_MARKUP = re.compile(rb"\s*<(!|\?|html|head|body|error)", re.IGNORECASE)


_MOST = 1 << 20


def wrong_in(first: bytes, stream: Stream, *, is_whole: bool = False) -> str:
    """What the file holds instead of what the stream's do; empty where its beginning is right or unknown.

    ``first``: its first bytes, as they lie there. ``is_whole``: whether these are all.
    """
    if kind := _foreign(first):
        return f"it is {kind}"
    plain = unpacked(first)
    if first.startswith((_GZIP, _BZ2)) and plain.startswith((_GZIP, _BZ2, _ZSTD)):
        return "it is packed twice"
    if kind := _foreign(plain):
        return f"it holds {kind}"
    if plain.startswith(_ZSTD):
        return ""  # Snowflake unpacks it, and we do not
    return _of_text(plain + b"\n" if is_whole and len(plain) < _MOST else plain, stream)


def _of_text(plain: bytes, stream: Stream) -> str:
    """What is wrong with text."""
    if _MARKUP.match(plain):
        return "it holds a web page or an XML document"
    return _of_bad_rows(plain) if stream.kind == "bad_rows" else _of_events(plain)


def older(first: bytes, stream: Stream) -> str:
    """How many fields the first line has, where it is an event of an older Snowplow's; else empty."""
    if stream.kind == "bad_rows":
        return ""
    fields = _first_line(unpacked(first)).count(b"\t") + 1
    return f"its first line has {fields} of {FIELDS} fields" if FIRST_FIELDS <= fields < FIELDS else ""


def unpacked(first: bytes) -> bytes:
    """As much of the content as the first bytes tell; themselves where they are not packed."""
    if first.startswith(_GZIP):
        with suppress(zlib.error):
            return zlib.decompressobj(wbits=31).decompress(first, _MOST)
        return b""
    if first.startswith(_BZ2):
        with suppress(OSError):
            return bz2.BZ2Decompressor().decompress(first, _MOST)
        return b""
    return first


def _foreign(first: bytes) -> str:
    if first.startswith(_TAR, _TAR_AT):
        return "a tar archive"
    return next((name for sign, name in _FOREIGN.items() if first.startswith(sign)), "")


def _first_line(plain: bytes) -> bytes:
    """The first line that is not empty; nothing where its end is not among what was read."""
    line, end, _ = plain.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").partition(b"\n")
    return line if end else b""


def _of_events(plain: bytes) -> str:
    if plain.lstrip(b"\xef\xbb\xbf \r\n").startswith((b"{", b"[")):
        return "it holds JSON"
    line = _first_line(plain)
    return (_of_fields(line.split(b"\t")) if line.strip(b"\r\t ") else "") or _of_later_lines(plain)


def _of_later_lines(plain: bytes) -> str:
    """The first line that is not an event by the number of its fields; one that is not whole is unknown."""
    for number, line in enumerate(plain.split(b"\n")[:-1], 1):
        fields = line.count(b"\t") + 1
        if line.strip(b"\r\t ") and not FIRST_FIELDS <= fields <= FIELDS:
            return f"its line {number:,} has {fields} of {FIELDS} fields"
    return ""


def _of_fields(fields: list[bytes]) -> str:
    """What is wrong with an event's fields."""
    if len(fields) > 6 and fields[0].lower() == b"app_id" and fields[1].lower() == b"platform":
        return "its first line is a header"
    if len(fields) < FIRST_FIELDS:
        return f"its first line has {len(fields)} of {FIELDS} fields"
    if (fields[6] and not _EVENT_ID.fullmatch(fields[6])) or (fields[3] and not _MOMENT.fullmatch(fields[3])):
        return "the fields of its first line are not in their places"
    if len(fields) > FIELDS:
        return f"its first line has {len(fields)} fields, more than {FIELDS}"
    return ""


def _of_bad_rows(plain: bytes) -> str:
    begin = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begin or begin.startswith((b"{", b"[")):
        return ""
    return "it holds enriched events" if begin.count(b"\t") > 100 else "it does not hold JSON"
