"""How far it is, on a terminal; nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A number that grows, for what has no known end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar(desc=what, bar_format="{desc}: {n:,}") as bar:
        yield bar.update


@contextmanager
def loading(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar with files, rows, rate and time left; told of files dealt with and rows that came."""
    if not total or not sys.stderr.isatty():
        yield lambda *_: None
        return
    words = "loading {bar} {n:,}/{total:,} files, {postfix[0]:,} rows, {rate_noinv_fmt}, {remaining} left"
    seen = [0]
    with _bar(total=total, unit=" files", bar_format=words, postfix=seen) as bar:

        def more(files: int, rows: int) -> None:
            seen[0] += rows
            bar.update(files)

        yield more


def _bar(**options: Any) -> Any:
    """A bar on standard error that leaves nothing behind, drawn by no thread of its own."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    return tqdm(file=sys.stderr, leave=False, dynamic_ncols=True, **options)
