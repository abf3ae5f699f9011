"""What a pipe makes of a record, and the record by which its row is known again. Values only."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from runbook.kinds.enriched import CANARY
from runbook.settings import Identifier
from runbook.sql import literal

MEMBER = "snowpipe_runbook_canary"
"""The member of a document that only a canary has."""
RUN_LENGTH = len("20260101T000000Z-000000")
LONGEST = len(CANARY) + 1 + RUN_LENGTH
"""What a column of text must hold."""
_TEXT = re.compile(r"(?:VARCHAR|TEXT|STRING|CHAR)(?:\((\d+)\))?", re.IGNORECASE)
_DOCUMENT = re.compile(r"(?:VARIANT|OBJECT)", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """What fills a column.

    A field, which of a document is all of it; a member of a document; the file's name; what a canary leaves
    NULL; something harmless, such as a time; or what is not known.
    """

    is_a: Literal["field", "member", "file", "null", "harmless", "unknown"]
    number: int = 0
    """Of a field; the first is 1."""
    path: tuple[str, ...] = ()
    """Of a member of a document."""


@dataclass(frozen=True)
class Through:
    """How a COPY fills its table.

    ``columns``: name and type, in order. ``filled``: what fills which column; ``selects``: whether a SELECT
    says so. ``by_name``: columns are filled by the names in the file. ``options``: of the file format, as far
    as they are stated. ``required``: columns that must have a value and have no default.
    """

    columns: tuple[tuple[str, str], ...]
    filled: dict[str, Item] = field(default_factory=dict)
    selects: bool = False
    by_name: bool = False
    options: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    unmatched: bool = False
    """More or fewer expressions than columns, or a column the table has not."""

    def option(self, name: str, otherwise: str) -> str:
        """An option of the format, without its escapes."""
        return plain(self.options.get(name) or otherwise)

    def text(self, name: str) -> bool:
        """Whether a column takes a canary's mark as text."""
        found = _TEXT.fullmatch(dict(self.columns).get(name, ""))
        return found is not None and (not found[1] or int(found[1]) >= LONGEST)

    def document(self, name: str) -> bool:
        """Whether a column takes a document."""
        return _DOCUMENT.fullmatch(dict(self.columns).get(name, "")) is not None

    @property
    def file_column(self) -> str:
        """The column that names the file of its row; empty where none does."""
        return next((name for name, item in self.filled.items() if item.is_a == "file"), "")


@dataclass(frozen=True)
class Shape:
    """A canary: what its file holds, and the SQL by which its row and its run are found."""

    content: Callable[[str], str]
    row: str
    run: str


def why_unknown(through: Through) -> Iterator[str]:
    """Why the row that a record becomes is not known."""
    if through.unmatched:
        yield "its COPY fills other columns than the table has"
    if any(item.is_a == "unknown" for item in through.filled.values()):
        yield "its SELECT works values out, which a record made up for it may not survive"


def why_refused(through: Through, given: Iterable[str]) -> Iterator[str]:
    """Why the table would refuse a record that gives these columns a value."""
    known = {name for name, item in through.filled.items() if item.is_a in ("file", "harmless")}
    if missing := [name for name in through.required if name not in known and name not in set(given)]:
        yield f"{', '.join(missing)} must have a value"


def by_file(through: Through, content: Callable[[str], str]) -> Shape | None:
    """The shape of a row that is known by the name of its file; None where no column has it."""
    if not through.file_column:
        return None
    column = Identifier(through.file_column).sql
    run = f"LEFT(SPLIT_PART({column}, {literal(f'{CANARY}-')}, 2), {RUN_LENGTH})"
    return Shape(content, f"{column} LIKE {literal(f'%{CANARY}-%')}", run)


def by_text(column: str, content: Callable[[str], str]) -> Shape:
    """The shape of a row that has the mark in a column of text."""
    name = Identifier(column).sql
    run = f"SUBSTR({name}, {len(CANARY) + 2})"
    return Shape(content, f"STARTSWITH({name}, {literal(f'{CANARY}-')})", run)


def by_member(column: str, content: Callable[[str], str]) -> Shape:
    """The shape of a row whose document has the canary's member."""
    member = f"{Identifier(column).sql}:{MEMBER}::VARCHAR"
    return Shape(content, f"{member} IS NOT NULL", member)


def marked(run: str) -> str:
    """The mark of a run, as text."""
    return f"{CANARY}-{run}"


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


def plain(text: str) -> str:
    r"""A format's value without escapes: DESC shows a tab as ``\t``, and statements write ``\t`` or ``0x09``.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (FIELD_DELIMITER)
    """
    if found := re.fullmatch(r"(?:0x|\\x)([0-9a-fA-F]{2})", text):
        return chr(int(found[1], 16))
    if found := re.fullmatch(r"\\([0-7]{3})", text):
        return chr(int(found[1], 8))
    return re.sub(r"\\([tnrbf0\\])", lambda found: _ESCAPES.get(found[1], found[1]), text)
