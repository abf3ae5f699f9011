"""What streams of one content have in common and those of another have not: a module each.

A kind is made by SQL files of its own in ``sql/step4_snowflake``: ``2N_file_format_KIND.sql``,
``3N_table_KIND.sql`` and ``6N_pipe_KIND.sql``, where N is the kind's ``NUMBER``.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from runbook.kinds import avro, bad_rows, documents, enriched, json, other, parquet, text
from runbook.kinds.through import Shape, Through, plain
from runbook.settings import Stream

CANARY = enriched.CANARY


class Kind(Protocol):
    """What a kind's module says."""

    @property
    def NUMBER(self) -> int:  # noqa: N802 (a module's constant)
        """Which of its SQL files are the kind's."""

    @property
    def FORMAT(self) -> Mapping[str, str]:  # noqa: N802
        """Every option of its file format, as DESC FILE FORMAT writes it (docs/runbook.md#file-format)."""

    @property
    def MAY_STAY_AWAY(self) -> bool:  # noqa: N802
        """Whether nothing is wrong where none comes for long."""

    @property
    def MARK(self) -> str:  # noqa: N802
        """SQL for what a row is known by; NULL for a row that has nothing."""

    @property
    def CANARYS_COLUMNS(self) -> frozenset[str] | None:  # noqa: N802
        """The columns a canary is found by; None where it could not be told from other rows."""

    @property
    def CANARYS_ROW(self) -> str:  # noqa: N802
        """SQL that is true of a canary's row and of no other."""

    @property
    def CANARYS_RUN(self) -> str:  # noqa: N802
        """SQL for the run that sent a canary, out of its row."""

    def canary(self, run: str, /) -> str:
        """One record that tells itself from every other."""

    def misread(self, columns: frozenset[str], /) -> str:
        """SQL that counts the rows which none of the kind is read as; ``columns``: of the table."""

    def wrong_in(self, plain: bytes, /) -> str:
        """What text holds instead; empty where its beginning is right or unknown."""

    def older(self, plain: bytes, /) -> str:
        """What shows that an older producer wrote it; else empty."""


KINDS: dict[str, Kind] = {
    "enriched": enriched,
    "bad_rows": bad_rows,
    "text": other,
    "json": documents,
    "parquet": other,
    "avro": other,
    "other": other,
}
"""What is true of all rows and files of a kind; of what others made, nothing is."""

SNOWPLOWS = ("enriched", "bad_rows")
"""The kinds of which it is known, whoever made the stream, what its format must be to lose nothing."""

SHAPES: dict[str, Callable[[Through], Shape | str]] = {
    "text": text.shape,
    "json": json.shape,
    "parquet": parquet.shape,
    "avro": avro.shape,
}
"""What a canary is among what others made, by the format of their files."""
_READ_AS = {"CSV": "text", "JSON": "json", "PARQUET": "parquet", "AVRO": "avro"}


def kind_read_by(file_type: str, columns: frozenset[str], *, delimiter: str = "", names: str = "") -> str:
    """The kind of a stream that others made. A wrong guess would send a canary that fits nothing.

    ``file_type`` and ``delimiter``: of its format. ``columns``: of its table. ``names``: of folder, pipe and
    table. Enriched events are separated by tabs, in a table with their columns; a name tells bad rows.
    """
    if file_type == "CSV" and columns >= enriched.ALWAYS_THERE and plain(delimiter) == "\t":
        return "enriched"
    if file_type == "JSON" and columns >= bad_rows.CANARYS_COLUMNS and _SAYS_BAD.search(names):
        return "bad_rows"
    return _READ_AS.get(file_type, "other")


_SAYS_BAD = re.compile(r"bad|fail", re.IGNORECASE)


def kind_of(stream: Stream) -> Kind:
    """The stream's kind."""
    return KINDS[stream.kind]


def canary_through(stream: Stream, through: Through) -> Shape | str:
    """The canary of a stream that others made; or why there is none.

    ``through``: how its pipe fills the table.
    """
    if shape := SHAPES.get(stream.kind):
        return shape(through)
    kind = kind_of(stream)
    if kind.CANARYS_COLUMNS is None:
        return "what its files hold is not known"
    if missing := kind.CANARYS_COLUMNS - {name for name, _ in through.columns}:
        return f"the table has no {', '.join(sorted(missing))}"
    return shape_of(kind)


def shape_of(kind: Kind) -> Shape:
    """The canary of a kind whose every row is alike."""
    return Shape(lambda run: f"{kind.canary(run)}\n", kind.CANARYS_ROW, kind.CANARYS_RUN)
