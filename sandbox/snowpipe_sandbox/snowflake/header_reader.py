"""CSV files with a header row as documents, for MATCH_BY_COLUMN_NAME: a row has the header's names.

Sources: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (PARSE_HEADER),
https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (MATCH_BY_COLUMN_NAME, INCLUDE_METADATA).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa

from snowpipe_sandbox.snowflake import csv_reader
from snowpipe_sandbox.snowflake.csv_records import RecordReader
from snowpipe_sandbox.snowflake.formats import FormatOptions
from snowpipe_sandbox.snowflake.rows import Chunk, column_names


def read(blocks: Iterable[bytes], options: FormatOptions, expected: int | None) -> Iterator[Chunk]:
    """The rows of a file given as blocks of decompressed bytes: one string column, c1, of JSON objects.

    ``expected``: how many fields a record must have, or None when nobody counts.
    """
    names, whole = first_record(blocks, options)
    if names:
        for chunk in csv_reader.read(whole, options, len(names), expected):
            yield _documents(chunk, names)


def first_record(blocks: Iterable[bytes], options: FormatOptions) -> tuple[list[str], Iterator[bytes]]:
    """The fields of a file's first record, and the whole file's blocks; no fields of a file without any."""
    blocks = iter(blocks)
    head = b""
    records = RecordReader(options)
    while True:
        block = next(blocks, b"")
        head += block
        record = records.read(head.removeprefix(csv_reader.BYTE_ORDER_MARK), 0, final=not block)
        if record is not None:
            names = [(records.meaning(one) or b"").decode("utf-8", "replace") for one in record.fields]
            return names, chain([head], blocks)
        if not block:
            return [], iter([head])


def _documents(chunk: Chunk, names: list[str]) -> Chunk:
    columns = [column.to_pylist() for column in chunk.table.columns]
    texts = [json.dumps(dict(zip(names, row, strict=False))) for row in zip(*columns, strict=True)]
    table = pa.table([pa.array(texts, pa.string())], names=column_names(1))
    return Chunk(table, chunk.row_numbers, chunk.origin, chunk.parsed, chunk.errors)
