"""What the rows that were just loaded make worth saying: schemas without a column, and a share that is high.

A backfill brings old files: trackers of then, schemas of then. It is advice, and changes no exit code.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from runbook.backfill.result import Result
from runbook.clouds.failures import SqlFailed
from runbook.errors import RunbookError
from runbook.facts.views import Found, without_a_column
from runbook.kinds import SNOWPLOWS
from runbook.settings import Settings, Stream
from runbook.settings.watch import FEWEST_ROWS

MOST_ROWS = 10_000_000  # whose JSON is parsed again to look for schemas
NAMED = 5


def advice(
    settings: Settings, results: Sequence[Result], look: Callable[[Stream], dict[str, dict[str, Found]]]
) -> Iterator[str]:
    """Sentences about what was loaded. ``look``: the schemas in a stream's rows of this run."""
    loaded = [each for each in results if each.loaded and each.loaded.files]
    if (limit := settings.watch.limits.bad_rows_percent) is not None:
        yield from _share(loaded, limit)
    for each in loaded:
        if settings.views.enabled and each.stream in settings.viewed and each.stream.kind == "enriched":
            with suppress(RunbookError, SqlFailed):  # loading is done; verify --deep asks again
                yield from _schemas(settings, each, look)


def _share(loaded: Sequence[Result], limit: float) -> Iterator[str]:
    rows = {kind: sum(each.rows for each in loaded if each.stream.kind == kind) for kind in SNOWPLOWS}
    whole = sum(rows.values())
    if whole >= FEWEST_ROWS and all(rows.values()) and rows["bad_rows"] / whole * 100 > limit:
        yield (
            f"{rows['bad_rows'] / whole:.0%} of the loaded rows are bad rows; the limit is {limit:g} % "
            "(watch.limits.bad_rows_percent)"
        )


def _schemas(
    settings: Settings, result: Result, look: Callable[[Stream], dict[str, dict[str, Found]]]
) -> Iterator[str]:
    if result.rows > MOST_ROWS:
        yield f"{result.stream.name}: schemas without a column were not looked for: invoke verify --deep"
        return
    given = {"event": settings.views.self_describing_events, "entity": settings.views.entities}
    missing = without_a_column(look(result.stream), given).names
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        yield (
            f"{result.stream.name}: the loaded events have schemas that the view has no column for: "
            f"{', '.join(missing[:NAMED])}{more}; invoke views --scan writes them into the settings"
        )
