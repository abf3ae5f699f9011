"""What a file holds, by its first bytes: events, bad rows, or something else. Pure functions.

A pipe's COPY has a SELECT, and then Snowflake counts no fields: a file that holds something else becomes
rows, without an error. Sources:
https://docs.snowflake.com/en/user-guide/data-load-transform (no column count),
https://docs.snowflake.com/en/sql-reference/sql/create-file-format (AUTO: gzip, bz2, zstd, deflate)
"""

import bz2
import re
import zlib
from codecs import getincrementaldecoder
from contextlib import suppress

from runbook.kinds import kind_of
from runbook.settings import Stream

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
_MARKUP = re.compile(rb"\s*<(!|\?|html|head|body|error)", re.IGNORECASE)


_MOST = 1 << 20


def wrong_in(first: bytes, stream: Stream, *, is_whole: bool = False) -> str:
    """What the file holds instead of what the stream's do; empty where its beginning is right or unknown.

    ``first``: its first bytes, as they lie there. ``is_whole``: whether these are all.
    """
    if kind := _foreign(first):
        return f"it is {kind}"
    plain, has_ended = _content(first)
    if first.startswith((_GZIP, _BZ2)) and plain.startswith((_GZIP, _BZ2, _ZSTD)):
        return "it is packed twice"
    if kind := _foreign(plain):
        return f"it holds {kind}"
    if plain.startswith(_ZSTD):
        return ""  # Snowflake unpacks it, and we do not
    ends_a_line = is_whole and has_ended and len(plain) < _MOST
    return _of_text(plain + b"\n" if ends_a_line else plain, stream)


def _of_text(plain: bytes, stream: Stream) -> str:
    """What is wrong with text."""
    if _MARKUP.match(plain):
        return "it holds a web page or an XML document"
    return kind_of(stream).wrong_in(plain) or _of_encoding(plain)


def _of_encoding(plain: bytes) -> str:
    """Whether its letters are written in another encoding; a single broken one may be in a sound file.

    Snowflake puts U+FFFD in the place of what is not UTF-8.
    Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (REPLACE_INVALID_CHARACTERS)
    """
    if plain.isascii():
        return ""
    text = getincrementaldecoder("utf-8")("replace").decode(plain)  # what is cut off at its end is not judged
    broken = text.count("\ufffd") - plain.count("\ufffd".encode())
    whole = sum(not char.isascii() for char in text) - broken
    return "its text is not UTF-8" if broken > whole else ""


def older(first: bytes, stream: Stream) -> str:
    """What shows that an older producer wrote the file; else empty."""
    return kind_of(stream).older(unpacked(first))


def unpacked(first: bytes) -> bytes:
    """As much of the content as the first bytes tell; themselves where they are not packed."""
    return _content(first)[0]


def _content(first: bytes) -> tuple[bytes, bool]:
    """The same, and whether the last of them ends what is packed: a file that was cut off has no end."""
    if first.startswith(_GZIP):
        return _members(first)
    if first.startswith(_BZ2):
        bz2_unpacker = bz2.BZ2Decompressor()
        with suppress(OSError):
            return bz2_unpacker.decompress(first, _MOST), bz2_unpacker.eof
        return b"", False
    if _is_zlib(first):
        unpacker = zlib.decompressobj()
        with suppress(zlib.error):
            return unpacker.decompress(first, _MOST), unpacker.eof
    return first, True


def _members(first: bytes) -> tuple[bytes, bool]:
    """The contents of gzip files one behind the other, which make one file: RFC 1952, section 2.2."""
    found, has_ended = b"", False
    with suppress(zlib.error):
        while first.startswith(_GZIP) and len(found) < _MOST:
            has_ended = False
            unpacker = zlib.decompressobj(wbits=31)
            found += unpacker.decompress(first, _MOST - len(found))
            first, has_ended = unpacker.unused_data, unpacker.eof
    return found, has_ended


def _is_zlib(first: bytes) -> bool:
    """Whether it may be DEFLATE with zlib's header, which AUTO unpacks too: RFC 1950, section 2.2."""
    return len(first) > 2 and first[0] == 0x78 and int.from_bytes(first[:2], "big") % 31 == 0


def _foreign(first: bytes) -> str:
    if first.startswith(_TAR, _TAR_AT):
        return "a tar archive"
    return next((name for sign, name in _FOREIGN.items() if first.startswith(sign)), "")
