"""Avro files as rows: each record a document, in one column, as ``$1`` shows it.

What bytes, fixed and logical types look like in a VARIANT no page says: a file that has them is refused, by
name. A NULL is a member that is null (made up; a cast of it and of a missing member are both NULL). A library
would be one more compiled dependency for the few rules of the format that are read here.

Sources: https://avro.apache.org/docs/1.12.0/specification/ (object container files, binary encoding),
https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE = AVRO),
https://docs.snowflake.com/en/user-guide/semistructured-data-formats (each record into one VARIANT column)
"""

from __future__ import annotations

import bz2
import json
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import zstandard

from snowpipe_sandbox.snowflake.load_errors import FileError
from snowpipe_sandbox.snowflake.rows import Chunk, Documents, column_names

MAGIC = b"Obj\x01"
PARSING_ERROR = 100155
"""Made up: no public page has the number."""
_SYNC = 16
_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": lambda block: block,
    "deflate": lambda block: zlib.decompress(block, -15),
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "zstandard": lambda block: zstandard.ZstdDecompressor().decompressobj().decompress(block),
    "snappy": lambda block: _snappy(block[:-4]),  # a checksum follows
}

Read = Callable[["_Bytes"], Any]


def read(blocks: Iterable[bytes]) -> Iterator[Chunk]:
    """The rows of a file: one string column, c1, with a JSON document each. Raises FileError."""
    try:
        yield from _chunks(_Bytes(b"".join(blocks)))
    except (EOFError, KeyError, ValueError, struct.error, zlib.error, OSError, zstandard.ZstdError) as broken:
        raise FileError(f"Error parsing the avro file: {broken}", PARSING_ERROR) from None


@dataclass(slots=True)
class _Bytes:
    """Bytes that are taken one after the other."""

    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        """The next bytes. Raises EOFError where there are fewer."""
        if size < 0 or self.at + size > len(self.data):
            raise EOFError("the file ends in the middle of a value")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """An integer of variable length, zig-zag."""
        found = shift = 0
        while True:
            byte = self.take(1)[0]
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)

    def counts(self) -> Iterator[int]:
        """How many items each block of an array or map has."""
        while count := self.number():
            if count < 0:
                self.number()  # the block's size in bytes
            yield abs(count)


def fields(blocks: Iterable[bytes]) -> list[dict[str, Any]]:
    """The fields of a file's records, as its schema has them. Raises FileError."""
    try:
        schema = json.loads(_said(_Bytes(b"".join(blocks)))["avro.schema"])
        return list(schema["fields"])
    except (EOFError, KeyError, TypeError, ValueError) as broken:
        raise FileError(f"Error parsing the avro file: {broken}", PARSING_ERROR) from None


def _said(file: _Bytes) -> dict[str, bytes]:
    """What a file says of itself before its blocks."""
    if file.take(4) != MAGIC:
        raise ValueError("it does not begin as Avro does")
    said = {}
    for count in file.counts():
        for _ in range(count):
            name = file.take(file.number()).decode()
            said[name] = file.take(file.number())
    return said


def _chunks(file: _Bytes) -> Iterator[Chunk]:
    said = _said(file)
    codec = said.get("avro.codec", b"null").decode()
    if codec not in _CODECS:
        raise ValueError(f"not emulated: Avro blocks packed with {codec}")
    record = _reader(json.loads(said["avro.schema"]), {})
    sync, number = file.take(_SYNC), 1
    while file.at < len(file.data):
        count, size = file.number(), file.number()
        block = _Bytes(_CODECS[codec](file.take(size)))
        documents = [_text(record(block)) for _ in range(count)]
        if file.take(_SYNC) != sync:
            raise ValueError("a block does not end as the header says")
        numbers = list(range(number, number + count))
        table = pa.table([pa.array(documents, pa.string())], names=column_names(1))
        yield Chunk(table, numbers, Documents(numbers, documents), count, [])
        number += count


def _reader(schema: Any, named: dict[str, Read]) -> Read:
    """What reads a value of a schema; ``named``: the types that have a name by now."""
    if isinstance(schema, list):
        branches = [_reader(each, named) for each in schema]
        return lambda source: branches[source.number()](source)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and ("logicalType" in schema or kind in ("fixed", "bytes")):
        raise ValueError(f"not emulated: Avro values of {schema.get('logicalType', kind)}")
    if isinstance(kind, (dict, list)):
        return _reader(kind, named)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in named:
        return lambda source: named[kind](source)
    if not isinstance(schema, dict) or kind not in _COMPLEX:
        raise ValueError(f"not emulated: Avro values of {kind}")
    return _COMPLEX[kind](schema, named)


def _record(schema: dict[str, Any], named: dict[str, Read]) -> Read:
    def read(source: _Bytes) -> dict[str, Any]:
        return {name: inner(source) for name, inner in members}

    named[schema["name"]] = named[f"{schema.get('namespace', '')}.{schema['name']}"] = read
    members = [(each["name"], _reader(each["type"], named)) for each in schema["fields"]]
    return read


def _enum(schema: dict[str, Any], named: dict[str, Read]) -> Read:
    symbols = schema["symbols"]
    named[schema["name"]] = named[f"{schema.get('namespace', '')}.{schema['name']}"] = lambda source: symbols[
        source.number()
    ]
    return named[schema["name"]]


def _array(schema: dict[str, Any], named: dict[str, Read]) -> Read:
    item = _reader(schema["items"], named)
    return lambda source: [item(source) for count in source.counts() for _ in range(count)]


def _map(schema: dict[str, Any], named: dict[str, Read]) -> Read:
    value = _reader(schema["values"], named)
    return lambda source: {_string(source): value(source) for n in source.counts() for _ in range(n)}


def _string(source: _Bytes) -> str:
    return source.take(source.number()).decode()


_COMPLEX = {"record": _record, "error": _record, "enum": _enum, "array": _array, "map": _map}
_PLAIN: dict[str, Read] = {
    "null": lambda _source: None,
    "boolean": lambda source: source.take(1) != b"\0",
    "int": _Bytes.number,
    "long": _Bytes.number,
    "float": lambda source: struct.unpack("<f", source.take(4))[0],
    "double": lambda source: struct.unpack("<d", source.take(8))[0],
    "string": _string,
}


def _text(value: Any) -> str:
    """A value as JSON text; what is not a number is text, as it is for Parquet."""
    return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _snappy(block: bytes) -> bytes:
    size = shift = 0
    for byte in block:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return bytes(pa.Codec("snappy").decompress(block, size))
