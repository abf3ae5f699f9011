"""What streams of one content have in common and those of another have not: a module each.

A kind is made by SQL files of its own in ``sql/step4_snowflake``: ``2N_file_format_KIND.sql``,
``3N_table_KIND.sql`` and ``6N_pipe_KIND.sql``, where N is the kind's ``NUMBER``.
"""

from collections.abc import Mapping
from typing import Protocol

from runbook.kinds import bad_rows, documents, enriched, other
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
    "json": documents,
    "other": other,
}


def kind_read_by(file_type: str, columns: frozenset[str]) -> str:
    """The kind of a stream that others made, by the type of its files and the columns of its table."""
    if file_type == "CSV" and columns >= enriched.ALWAYS_THERE:
        return "enriched"
    return "bad_rows" if file_type == "JSON" and columns >= bad_rows.CANARYS_COLUMNS else "other"


def kind_of(stream: Stream) -> Kind:
    """The stream's kind."""
    return KINDS[stream.kind]
