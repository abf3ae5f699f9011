"""What a file's reader hands on: rows as Arrow columns, rejected records, and where each row came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from snowpipe_sandbox.snowflake.load_errors import RecordError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in its file: row number, first line, first byte, and its bytes as they are there."""

    row_number: int
    line: int
    byte_offset: int
    raw: bytes
    rejected: str
    """The record as REJECTED_RECORD quotes it."""
    starts: Sequence[int] = (0,)
    """Where each field starts in ``raw``."""

    def error(
        self, problem: tuple[str, int, str], column: int | None = None, category: str = "conversion"
    ) -> RecordError:
        """This row's error in the field of ``column`` (from 1), or at its start."""
        at = self.starts[column - 1] if column and column <= len(self.starts) else 0
        before = self.raw[:at]
        line_start = before.rfind(b"\n") + 1
        message, code, sql_state = problem
        return RecordError(
            message=message,
            code=code,
            sql_state=sql_state,
            category=category,
            line=self.line + before.count(b"\n"),
            character=len(before[line_start:].decode("utf-8", "replace")) + 1,
            byte_offset=self.byte_offset + at,
            row_number=self.row_number,
            row_start_line=self.line,
            column=column,
            rejected_record=self.rejected,
        )


class Origin(Protocol):
    """Finds the place of a chunk's row, on demand: only rejected rows need it."""

    def place(self, index: int) -> Place:
        """The place of the chunk's row ``index`` (from 0)."""


@dataclass(slots=True)
class Documents:
    """The origin of rows that have no lines: a rejected one is quoted as its document."""

    numbers: Sequence[int]
    documents: Sequence[str]

    def place(self, index: int) -> Place:
        """The place of the chunk's row ``index`` (from 0)."""
        number = self.numbers[index]
        return Place(number, number, 0, self.documents[index].encode(), self.documents[index])


@dataclass(slots=True)
class Chunk:
    """Some consecutive records of a file.

    ``table``: an Arrow table of the good ones, one string column c1, c2, … for each $n that was asked for;
    ``row_numbers``: their METADATA$FILE_ROW_NUMBER; ``parsed`` counts every record, rejected and blank ones
    too, as rows_parsed does [frostlake: CopyDataSemanticsTest].
    """

    table: Any
    row_numbers: Sequence[int]
    origin: Origin
    parsed: int
    errors: list[RecordError] = field(default_factory=list)


def column_names(count: int) -> list[str]:
    """c1 … cN: the names under which $1 … $N travel."""
    return [f"c{n}" for n in range(1, count + 1)]
