"""A statement's result: typed columns and rows of Python values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SELECT = 0x1000
INSERT, UPDATE, DELETE, MERGE, COPY = 0x3100, 0x3200, 0x3300, 0x3400, 0x3600
USE, SHOW, DESCRIBE, LIST = 0x4300, 0x4400, 0x4500, 0x4700
TRANSACTION = 0x5000
DDL = 0x6000
DML = (INSERT, UPDATE, DELETE, MERGE)
"""Statement type ids, as clients know them (snowflake-jdbc's SFStatementType, fakesnow)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A result column: its name as the client sees it, and Snowflake's wire type.

    ``type`` is one of TEXT, FIXED, REAL, BOOLEAN, DATE, TIME, BINARY, TIMESTAMP_NTZ, TIMESTAMP_LTZ,
    TIMESTAMP_TZ, VARIANT, OBJECT, ARRAY.
    """

    name: str
    type: str = "TEXT"
    nullable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


class Result:
    """Columns and rows; rows may be given as an Arrow table instead, and are made from it when asked for.

    Rows hold str, int, Decimal, float, bool, date, time, bytes, datetime (aware for LTZ and TZ) or None.
    """

    def __init__(
        self,
        columns: list[Column],
        rows: Sequence[tuple[Any, ...]] = (),
        statement_type: int = SELECT,
        table: Any = None,
    ) -> None:
        self.columns = columns
        self.statement_type = statement_type
        self.table = table
        self._rows = rows

    @property
    def rows(self) -> Sequence[tuple[Any, ...]]:
        """The rows as tuples."""
        if self.table is not None and not self._rows:
            self._rows = list(zip(*(column.to_pylist() for column in self.table.columns), strict=True))
        return self._rows

    @property
    def row_count(self) -> int:
        """How many rows."""
        return int(self.table.num_rows) if self.table is not None else len(self._rows)


def texts(*names: str) -> list[Column]:
    """VARCHAR columns of these names."""
    return [Column(name) for name in names]


def status(text: str, statement_type: int = DDL) -> Result:
    """The one-cell result of DDL: column ``status``."""
    return Result(texts("status"), [(text,)], statement_type)


def count(what: str, number: int, statement_type: int) -> Result:
    """The one-cell result of DML: ``number of rows inserted`` and the like."""
    return Result(
        [Column(f"number of rows {what}", "FIXED", precision=19, scale=0)], [(number,)], statement_type
    )
