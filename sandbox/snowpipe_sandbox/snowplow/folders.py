"""Folders of generated files, made side by side in blocks of rows.

Each block has its own seed, so the same order gives the same bytes whatever the number of jobs.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from .bad_rows import BadRow, bad_rows, enveloped
from .events import Counts, Rates, events
from .files import Layout, LoaderFile, compressed, loader_files
from .hard_cases import weird_events

_BLOCK = 50_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to write where.

    Attributes:
        rows: enriched events, duplicates among them.
        out: the folder; keys become paths below it.
        seed: same order, same bytes.
        start: aware time of the first event.
        per_file: rows of a flush.
        bad_per_file: bad rows of a flush.
        per_second: mean events a second, of the events' time.
        bad_share: bad rows for each enriched event.
        envelope: whether bad rows come in the EventBridge envelope.
        enriched: names and ends of the enriched files.
        bad: names and ends of the files of bad rows.
        rates: how often what happens.
        hard_cases: whether a file of lines that break naive readers stands among the enriched.
    """

    rows: int
    out: Path
    seed: str
    start: datetime
    per_file: int
    bad_per_file: int
    per_second: float
    bad_share: float
    envelope: bool
    enriched: Layout
    bad: Layout
    rates: Rates
    hard_cases: bool = False


@dataclass
class Written:
    """What has been written; adds up over blocks."""

    files: int = 0
    bytes: int = 0
    enriched: int = 0
    distinct_event_ids: int = 0
    natural_duplicates: int = 0
    synthetic_duplicates: int = 0
    late: int = 0
    events: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Written") -> None:
        """Add another block's figures to these."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def write_folder(order: Order, *, jobs: int = 1, tell: Callable[[Written], None] | None = None) -> Written:
    """Write all files of an order.

    Args:
        order: what to write where.
        jobs: processes to share the blocks among; the bytes do not depend on it.
        tell: is told the sum so far after each block.

    Raises:
        FileExistsError: if the folder holds anything; its rows would not be the ones asked for.
        OSError: if it cannot be written; what was written is then not complete.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    if any(order.out.iterdir()):
        raise FileExistsError(f"{order.out} is not empty: its rows would not be the ones asked for")
    total = Written()
    if order.hard_cases:
        _save(order.out, [_hard_cases(order)], total)
    blocks = range(0, order.rows, _block(order))
    for written in _mapped(partial(write_block, order), blocks, jobs):
        total.add(written)
        if tell:
            tell(total)
    return total


def _mapped(work: Callable[[int], Written], blocks: Iterable[int], jobs: int) -> Iterator[Written]:
    if jobs == 1:
        yield from map(work, blocks)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, blocks)


def write_block(order: Order, first: int) -> Written:
    """Write the block of rows that starts at row ``first``; same order and row, same files."""
    rows = min(_block(order), order.rows - first)
    start = order.start + timedelta(seconds=first / order.per_second)
    seed, counts, written = f"{order.seed} {first}", Counts(), Written()
    made = events(seed, start, rows=rows, per_second=order.per_second, rates=order.rates, counts=counts)
    _save(order.out, loader_files(made, per_file=order.per_file, layout=order.enriched, seed=seed), written)
    bad = bad_rows(
        seed, start, rows=round(rows * order.bad_share), per_second=order.per_second * order.bad_share
    )
    counted = _counted(bad, written.bad, envelope=order.envelope)
    if order.bad_share > 0:
        _save(
            order.out,
            loader_files(counted, per_file=order.bad_per_file, layout=order.bad, seed=seed),
            written,
        )
    written.enriched, written.distinct_event_ids = counts.rows, counts.distinct_event_ids
    written.natural_duplicates, written.synthetic_duplicates = (
        counts.natural_duplicates,
        counts.synthetic_duplicates,
    )
    written.late, written.events, written.odd = counts.late, counts.events, counts.odd
    return written


def _hard_cases(order: Order) -> LoaderFile:
    """A file of events that a careless file format would damage, as the loader would name it."""
    lines = [case.line for case in weird_events()]
    key = f"{order.enriched.path}{order.start:%Y-%m-%d-%H%M%S}-hard-cases.gz"
    return LoaderFile(key, compressed(b"\n".join(lines) + b"\n"), len(lines), order.start)


def _block(order: Order) -> int:
    """Rows of a block: whole files, so that blocks do not show."""
    return order.per_file * max(1, _BLOCK // order.per_file)


def _counted(rows: Iterator[BadRow], families: Counter[str], *, envelope: bool) -> Iterator[BadRow]:
    for row in rows:
        families[row.family] += 1
        yield enveloped(row) if envelope else row


def _save(out: Path, made: Iterable[LoaderFile], written: Written) -> None:
    for file in made:
        target = out / file.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.body)
        written.files += 1
        written.bytes += len(file.body)
