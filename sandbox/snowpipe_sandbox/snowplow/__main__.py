"""Write folders of generated files: ``python -m snowpipe_sandbox.snowplow --rows 100000 --out DIR``.

Progress goes to stderr, a JSON summary to stdout.
"""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from .events import Rates
from .files import Layout
from .folders import Order, Written, write_folder

_LAYOUTS = {
    "2.x": Layout(generation="2.x", shards=2),
    "3.x": Layout(generation="3.x"),
    "3.0": Layout(generation="3.x", final_newline=False),
}


def main(arguments: list[str] | None = None) -> int:
    """Write the files. Exit codes: 0 done; 1 could not write; 2 wrong arguments; 130 stopped."""
    parser = _parser()
    given = parser.parse_args(arguments)
    order, started = _order(parser, given), datetime.now(UTC)

    def tell(total: Written) -> None:
        seconds = max((datetime.now(UTC) - started).total_seconds(), 0.001)
        speed = total.enriched / seconds
        sys.stderr.write(f"{total.enriched:,} of {order.rows:,} events, {speed:,.0f} a second\n")

    try:
        written = write_folder(order, jobs=given.jobs, tell=tell)
    except FileExistsError as problem:
        parser.error(str(problem))
    except OSError as problem:
        sys.stderr.write(f"could not write to {order.out}: {problem}. It is not complete: empty it first.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped. {order.out} is not complete: empty it before the next try.\n")
        return 130
    sys.stdout.write(f"{json.dumps(vars(written), indent=2)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m snowpipe_sandbox.snowplow",
        description="Write Snowplow enriched events and bad rows as an S3 loader writes them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    rates = Rates()
    add = parser.add_argument
    add("--rows", type=int, required=True, help="enriched events, duplicates among them")
    add("--out", type=Path, required=True, help="folder to write to; must be empty or not there")
    add("--seed", default="1", help="same seed and arguments, same bytes")
    add(
        "--start",
        type=datetime.fromisoformat,
        default="2026-11-01T00:00:00+00:00",
        help="time of the first event",
    )
    add("--per-second", type=float, default=50.0, help="mean events a second, of the events' time")
    add("--per-file", type=int, default=5000, help="rows of a file")
    add("--bad-per-file", type=int, help="bad rows of a file (default: as --per-file)")
    add("--hard-cases", action="store_true", help="also a file of events that careless readers damage")
    add("--bad-share", type=float, default=0.02, help="bad rows for each enriched event")
    add("--envelope", action="store_true", help="bad rows in the EventBridge envelope")
    add("--bad-firehose", action="store_true", help="bad rows as Firehose writes them: concatenated")
    add("--layout", choices=sorted(_LAYOUTS), default="3.x", help="generation of the S3 Loader")
    add(
        "--partition",
        help="folders of the enriched files, such as {yyyy}/{MM}/{dd}/{HH} (2.x: {yy}/{mm}/{dd}/{hh})",
    )
    add("--enriched-path", default="enriched/", help="folder of the enriched files")
    add("--bad-path", default="bad/partitioned/", help="folder of the bad rows")
    add("--bad-partition", help="folders of the bad rows (default: by schema)")
    add("--natural-duplicates", type=float, default=rates.natural_duplicates, help="share of events")
    add("--synthetic-duplicates", type=float, default=rates.synthetic_duplicates, help="share of events")
    add("--late", type=float, default=rates.late, help="share of sessions kept on the device")
    add("--odd", type=float, default=rates.odd, help="share of events with values that break naive readers")
    add("--level", type=int, choices=range(1, 10), default=1, help="gzip level")
    add("--jobs", type=int, default=1, help="processes")
    return parser


def _order(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Order:
    """The arguments as an order; ends the process with exit code 2 where they make no sense."""
    if (
        given.rows < 0
        or min(given.per_file, given.bad_per_file or 1) < 1
        or given.per_second <= 0
        or given.jobs < 1
    ):
        parser.error("--rows must be at least 0, --per-file and --jobs at least 1, --per-second above 0")
    for name in ("bad_share", "natural_duplicates", "synthetic_duplicates", "late", "odd"):
        if not 0 <= getattr(given, name) <= 1:
            parser.error(f"--{name.replace('_', '-')} is a share, between 0 and 1")
    start: datetime = given.start if given.start.tzinfo else given.start.replace(tzinfo=UTC)
    base = replace(_LAYOUTS[given.layout], level=given.level)
    try:
        enriched = replace(base, path=given.enriched_path, partition=given.partition)
        bad = replace(base, path=given.bad_path, partition=given.bad_partition)
        if given.bad_firehose:
            bad = Layout(
                generation="firehose",
                path=given.bad_path,
                delimiter="",
                final_newline=False,
                level=given.level,
            )
    except ValueError as problem:
        parser.error(str(problem))
    return Order(
        rows=given.rows,
        out=given.out,
        seed=given.seed,
        start=start.astimezone(UTC),
        per_file=given.per_file,
        bad_per_file=given.bad_per_file or given.per_file,
        hard_cases=given.hard_cases,
        per_second=given.per_second,
        bad_share=given.bad_share,
        envelope=given.envelope,
        enriched=enriched,
        bad=bad,
        rates=Rates(
            natural_duplicates=given.natural_duplicates,
            synthetic_duplicates=given.synthetic_duplicates,
            late=given.late,
            odd=given.odd,
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
