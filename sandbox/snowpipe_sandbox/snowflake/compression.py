"""Compressed files as a stream of plain bytes, a few megabytes at a time.

COMPRESSION = AUTO recognises gzip, bzip2, deflate, raw deflate and zstd, not Brotli
(sources: Snowflake §1.3): by the first bytes where the format has a signature, by the name otherwise.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import pyarrow as pa

from snowpipe_sandbox.snowflake import load_errors

BLOCK = 4 * 1024 * 1024
COMPRESSED_SLICE = 64 * 1024
"""How much is decompressed at a time, so that what shrank a thousandfold still unpacks in bounded memory."""

_SUFFIXES = {
    ".gz": "GZIP",
    ".gzip": "GZIP",
    ".bz2": "BZ2",
    ".zst": "ZSTD",
    ".deflate": "DEFLATE",
    ".raw_deflate": "RAW_DEFLATE",
}
_WINDOW_BITS = {"GZIP": 31, "DEFLATE": 15, "RAW_DEFLATE": -15}


def detect(name: str, head: bytes) -> str:
    """The compression AUTO finds in a file of this name that begins with these bytes."""
    if head.startswith(b"\x1f\x8b"):
        return "GZIP"
    if head.startswith(b"BZh"):
        return "BZ2"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "ZSTD"
    suffix = next((s for s in (".deflate", ".raw_deflate") if name.lower().endswith(s)), "")
    return _SUFFIXES.get(suffix, "NONE")


def blocks(source: IO[bytes], name: str, compression: str = "AUTO") -> Iterator[bytes]:
    """The plain bytes of a file, in blocks of about 4 MB.

    ``compression`` is a format's COMPRESSION. Raises load_errors.FileError when the content is not of that
    compression or breaks off.
    """
    head = source.read(BLOCK)
    if compression == "AUTO":
        compression = detect(name, head)
    pieces = _pieces(head, source)
    if compression == "NONE":
        yield from pieces
        return
    try:
        yield from _joined(_decompressed(_slices(pieces), compression))
    except (OSError, EOFError, zlib.error, pa.ArrowException, ValueError) as broken:
        raise load_errors.not_decompressed(name, compression, _cause(compression)) from broken


def _cause(compression: str) -> str:
    return "Data corruption detected" if compression == "ZSTD" else "data error"


def _pieces(head: bytes, source: IO[bytes]) -> Iterator[bytes]:
    piece = head
    while piece:
        yield piece
        piece = source.read(BLOCK)


def _slices(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), COMPRESSED_SLICE):
            yield piece[start : start + COMPRESSED_SLICE]


def _decompressed(pieces: Iterable[bytes], compression: str) -> Iterator[bytes]:
    if compression == "ZSTD":
        return _zstd(pieces)
    if compression == "BZ2":
        return _members(pieces, bz2.BZ2Decompressor)
    bits = _WINDOW_BITS[compression]
    return _members(pieces, lambda: zlib.decompressobj(bits))


def _members(pieces: Iterable[bytes], new: Any) -> Iterator[bytes]:
    """Decompress one or more members written one after the other; EOFError if the last one breaks off."""
    decompressor = new()
    fed = False
    for piece in pieces:
        data = piece
        while data:
            if decompressor.eof:
                decompressor = new()
            fed = True
            yield decompressor.decompress(data)
            data = decompressor.unused_data if decompressor.eof else b""
            if not data.strip(b"\0"):  # padding after the last member is not a member
                data = b""
    if fed and not decompressor.eof:
        raise EOFError("compressed data breaks off")


class _Readable:
    """An iterator of bytes as the file object pyarrow wants."""

    closed = False

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(_Readable(pieces), mode="r"), "zstd") as stream:
        while piece := stream.read(BLOCK):
            yield piece


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks near BLOCK; a decompressor's own pieces may be tiny or huge."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), BLOCK):
            part = piece[start : start + BLOCK]
            waiting.append(part)
            size += len(part)
            if size >= BLOCK:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
