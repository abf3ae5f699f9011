"""A statement's result: typed columns and rows of Python values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(slots=True)
class Result:
    """Rows hold str, int, Decimal, float, bool, date, time, bytes, datetime (aware for LTZ/TZ) or None."""

    columns: list[Column]
    rows: Sequence[tuple[Any, ...]] = field(default_factory=list)
    statement_type: int = 0x1000
    """What kind of statement this was, as clients are told (SELECT 0x1000, DML 0x3000…, DDL 0x6000…)."""


def status(text: str, statement_type: int = 0x6000) -> Result:
    """The one-cell result of DDL: column ``status``."""
    return Result([Column("status")], [(text,)], statement_type)
