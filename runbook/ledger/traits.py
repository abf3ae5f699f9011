"""What the rules look at in a file, once, as SQL that DuckDB and Snowflake read alike.

Two files with the same traits get the same verdict, so one of them is judged for all. The rules
(:mod:`runbook.ledger.classes`) look at a file's name, whether it is empty, its times among the moments that
matter, and its loads and rows; a file whose loads differ is judged alone. A rule that looks at something new
needs a line here: the tests judge random states by each store.

Relations: ``listed`` (key, size, modified), ``told`` (a line a file that histories name: shape, loaded_at,
most, recent, older), ``present`` (a line a file with rows in the table).
"""

from collections.abc import Sequence

from runbook.ledger.classes import ARCHIVED_SAYS
from runbook.sql import literal

SHAPE = ("status", "pipe", "n = 0", f"contains(first_error, {literal(ARCHIVED_SAYS)})")
"""All that rules look at in one load, but for its time."""

ODD = (
    "min(shape) <> max(shape) OR min(n) <> max(n) OR coalesce(min(loaded_at) <> max(loaded_at), FALSE) "
    "OR count(loaded_at) NOT IN (0, count(*))"
)
"""A file whose loads differ in anything that a rule looks at."""


def traits(suffix: str, moments: Sequence[str]) -> list[tuple[str, int]]:
    """Each trait and how many values it has, beside NULL; ``moments`` are times as the store writes them."""
    places = 2 * len(moments) + 1
    return [
        (f"(right(listed.key, {len(suffix)}) = {literal(suffix)})::INT" if suffix else "1", 2),
        ("(right(listed.key, 1) = '/')::INT", 2),
        ("(size = 0)::INT", 2),
        (_place("modified", moments), places),
        (_place("told.loaded_at", moments), places),
        ("(modified > told.loaded_at)::INT", 2),
        ("recent::INT", 2),
        ("older::INT", 2),
        ("(present_rows IS NOT NULL)::INT", 2),
        ("(modified > read_at)::INT", 2),
        ("(twice > 0)::INT", 2),
        ("(misread > 0)::INT", 2),
        ("(present_rows < most)::INT", 2),
        ("(present_rows > most)::INT", 2),
    ]


def _place(column: str, moments: Sequence[str]) -> str:
    """Where a time stands among moments: before, at or after each of them."""
    each = [f"({column} >= {at})::INT + ({column} > {at})::INT" for at in moments]
    return f"({' + '.join(each)})" if each else "0"
