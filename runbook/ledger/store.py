"""Where files, loads and rows of one stream are kept and judged: three stores behind one protocol.

:class:`runbook.ledger.plain.Plain` holds values, for the folders of most people and without a dependency;
:class:`runbook.ledger.on_disk.OnDisk` compares tens of millions in DuckDB; Snowflake itself
(:mod:`runbook.ledger.in_snowflake`) compares more than one wants to fetch. The rules are none of theirs: each
judges by the function it is given.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from runbook.facts.objects import Load, StagedFile
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence, Kind
from runbook.ledger.verdicts import Way
from runbook.listing.ranges import Page

TOGETHER = 10_000
"""Files whose loads and rows are values at a time."""

Judge = Callable[[StagedFile, Evidence], tuple[Kind, Way | None, bool]]
"""A file's kind, the tool that loads it, and whether a REFRESH would queue it."""


class Store(Protocol):
    """One stream's files and what is known of them; ``evidence`` holds what concerns no single file.

    ``as_of``: since when the list of files is, as Snowflake writes it; None where it is of now.
    """

    evidence: Evidence
    as_of: str | None

    def close(self) -> None:
        """Forget everything, on disk too."""

    # -- what is put in --------------------------------------------------------------------------------

    def add_pages(self, pages: Sequence[Page], asked: Asked) -> None:
        """Add files as S3 lists them."""

    def add_files(self, files: Iterable[StagedFile], asked: Asked) -> None:
        """Add files that are listed, as values."""

    def add_history(self, batch: Any, *, recent: bool) -> None:
        """Add lines of a history, as Snowflake answers: Arrow or rows."""

    def add_loads(self, loads: Iterable[Load], *, recent: bool) -> None:
        """Add lines of a history, as values."""

    def add_rows(self, batch: Any) -> None:
        """Add the table's rows by file, as Snowflake answers: Arrow or rows."""

    def forget_files(self) -> None:
        """Forget what is listed, to list it by other means."""

    def forget_histories(self) -> None:
        """Forget loads and rows, to read them again."""

    def rows_present(self) -> int:
        """How many rows of the table name their file."""

    def judged_as_a_whole(self, evidence: Evidence) -> Evidence:
        """The evidence with what follows from all files together: what is kept, what outlived the pipe."""

    # -- what is asked ---------------------------------------------------------------------------------

    def judge(self, asked: Asked, judge: Judge) -> None:
        """Give each file its verdict."""

    def take_away(self, keys: Collection[str]) -> None:
        """Leave some files without a tool, whatever was judged."""

    def tools(self) -> dict[tuple[Kind, Way | None], tuple[int, int]]:
        """Files and bytes that match, by class and tool."""

    def verdicts(
        self, *, kinds: Collection[Kind] | None = None, ways: Collection[Way] | None = None
    ) -> Iterator[list[tuple[StagedFile, Kind, Way | None]]]:
        """The files that match, oldest first, some at a time; only of some kinds, or some tools'."""

    def first(self, count: int) -> list[str]:
        """The keys of the first few that match, oldest first."""

    def near(
        self, keys: Collection[str] | None, also: Collection[str]
    ) -> tuple[set[str], set[str], datetime | None]:
        """Which files a REFRESH is for, which others it must not take, and since when it must reach.

        For ``keys``; without, for all that REFRESH loads. Others are those it would queue, and ``also``; of
        them only the nearest are named, in the order of keys.
        """

    def about(self, keys: Sequence[str]) -> Evidence:
        """The evidence about a few files, as values."""

    def listed(self, asked: Asked) -> tuple[int, int, int]:
        """How many files are listed, of these in time, and of these again named by the pattern."""

    def first_keys(self, count: int) -> list[str]:
        """The first keys listed, in their order."""

    def loaded_size(self) -> tuple[int, int]:
        """Rows and bytes of the loads of the last days whose files are there still."""
