"""How far it is, on a terminal; nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A number that grows, for what has no known end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    seen = 0

    with Console(stderr=True).status(f"{what}: 0") as status:

        def more(count: int) -> None:
            nonlocal seen
            seen += count
            status.update(f"{what}: {seen:,}")

        yield more


@contextmanager
def loading(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar with files, rows, rate and time left; told of files dealt with and rows that came."""
    if not total or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("loading"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[rows]:,} rows, {task.fields[rate]}, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("loading", total=total, rows=0, rate="- files/s")

        def more(files: int, rows: int) -> None:
            now = bar.tasks[0]
            speed = f"{now.speed:,.0f} files/s" if now.speed else "- files/s"
            bar.update(task, advance=files, rows=now.fields["rows"] + rows, rate=speed)

        yield more
