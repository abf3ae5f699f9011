"""A plan and its outcome: for a person, and as JSON whose keys stay as they are."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any

from runbook.backfill.result import Result
from runbook.ledger.asked import Asked
from runbook.ledger.classes import SAYS, Kind
from runbook.ledger.store import Store
from runbook.ledger.verdicts import Way
from runbook.loading import strays
from runbook.loading.planning import EXAMPLES, BackfillPlan
from runbook.terminal import Style, counted, wrapped

SEARCHED = 10_000  # keys tried to say what would have matched
NAMED = 20  # missing files a person is shown; the JSON has all


def size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def plan_table(plan: BackfillPlan, style: Style) -> str:
    """The classes with files, bytes and tool; the first matches; what cannot be known."""
    from tabulate import tabulate

    rows: list[list[Any]] = []
    for kind, (files, count) in plan.counts.items():
        ways = [way for (each, way) in plan.tools if each is kind and way]
        rows.append([SAYS[kind], f"{files:,}", size(count), " and ".join(ways) or "-"])
    rows.append(["matching", f"{plan.matching[0]:,}", size(plan.matching[1]), ""])
    stream = plan.evidence.stream
    lines = [
        style.paint(f"{stream.name}: {stream.table}", "bold"),
        tabulate(
            rows,
            headers=["files that are", "files", "bytes", "loaded now by"],
            tablefmt="simple",
            colalign=("left", "right", "right", "left"),
            disable_numparse=True,
        ),
    ]
    lines.append(wrapped("  first: ", ", ".join(plan.first), style))
    files, count = plan.loaded_by()
    if files:
        rows_said = f", about {plan.estimated_rows:,} rows" if plan.estimated_rows else ""
        lines.append(f"  to load: {counted(files, 'file')}, {size(count)}{rows_said}")
        for way, what in _COSTS.items():
            if plan.loaded_by(way)[0]:
                said = what.format(credits=credits_at_least(plan))
                lines.append(wrapped(f"  {way}: ", said, style))
    lines += [wrapped("  note: ", text, style) for text in reach(plan)]
    return "\n".join(lines)


# https://www.snowflake.com/legal-files/CreditConsumptionTable.pdf, by the pricing in force since 2025-12-08
_COSTS = {
    Way.REFRESH: "Snowpipe loads it, 0.0037 credits for each GB of uncompressed text: at least "
    "{credits:.6f} here, and as many times that as the files grow when unpacked",
    Way.COPY: "runs on the connection's warehouse, billed for the time it runs",
    Way.REPLACE: "deletes the file's rows and loads it again, in one transaction a file, on the warehouse",
}


CREDITS_PER_GB = 0.0037


def credits_at_least(plan: BackfillPlan) -> float:
    """What Snowpipe takes for what it loads, were the files not compressed; Snowflake counts their text.

    What COPY costs is the warehouse's running time, which no plan knows.
    """
    return plan.loaded_by(Way.REFRESH)[1] / 1e9 * CREDITS_PER_GB


def reach(plan: BackfillPlan) -> list[str]:
    """How far back is known, where that is not for ever; how new; and what is not compared at all."""
    said = []
    evidence = plan.evidence
    if plan.store.as_of:
        said.append(
            "the files are those of the directory table's last refresh "
            f"({whole_seconds(plan.store.as_of)}); later ones are not in this plan"
        )
    others, size_of_others = plan.counts.get(Kind.OTHER_SUFFIX, (0, 0))
    if size_of_others:  # folders and marks are empty
        said.append(
            f"{counted(others, 'file')} that match{'es' if others == 1 else ''} "
            f"{'is' if others == 1 else 'are'} not the stream's, by name: nothing announces or loads such "
            "files (docs/runbook.md#other-files)"
        )
    if evidence.known_since:
        said.append(
            f"what happened to files from before {evidence.known_since:%Y-%m-%d %H:%M} UTC is on no record"
        )
    if evidence.table.files is None:
        said.append("the table has no _file column: rows deleted from it or loaded twice cannot be seen")
    if evidence.account is None:
        said.append(
            "ACCOUNT_USAGE.COPY_HISTORY may not be read (grant SNOWFLAKE.USAGE_VIEWER): failures and "
            "deleted rows older than 14 days cannot be distinguished from files that were never loaded"
        )
    return said


def whole_seconds(time: str) -> str:
    """A time as Snowflake writes it, without what no person reads."""
    return re.sub(r"\.\d+", "", time)


def no_match(asked: Asked, store: Store) -> str:
    """Why a pattern matched nothing: what it was matched against, and what would have."""
    listed, in_time, _ = store.listed(asked)
    if not listed:
        return "there is no file under the stage"
    wider = _wider(asked.pattern.pattern)
    inside = sum(bool(wider and wider.fullmatch(key)) for key in store.first_keys(SEARCHED))
    more = " or more" if listed > SEARCHED else ""
    hint = f"; '{wider.pattern}' would match {inside}{more}" if wider and inside and in_time else ""
    time = f", of which {in_time} in that time" if in_time < listed else ""
    shown = ", ".join(store.first_keys(EXAMPLES))
    return f"it must match the whole object key of one of {listed} files{time}: {shown}{hint}"


def _wider(pattern: str) -> re.Pattern[str] | None:
    """The pattern with anything before and after it; None where there is no such pattern."""
    try:
        return re.compile(f".*({pattern}).*" if "|" in pattern else f".*{pattern}.*")
    except re.error:  # flags stand at the start only
        return None


def outcome_table(result: Result, style: Style) -> str:
    """What was loaded, and what is missing by name and reason."""
    lines = []
    if result.loaded is not None:
        files, rows = counted(len(result.loaded.files), "file"), counted(result.rows, "row")
        lines.append(f"{result.stream.name}: {files} loaded, {rows}")
        if result.event_ids is not None:
            before, after = result.event_ids
            lines.append(f"  event_ids that repeat, in the range: {before} before, {after} after")
        if result.rows_twice:
            lines.append(style.paint(f"  ROWS TWICE: {result.rows_twice} (a file and row number)", "red"))
    if result.loaded is not None and result.loaded.strays:
        lines += [wrapped("  loaded too: ", text, style) for text in strays.told(result.loaded.strays)]
        what = strays.remedy(result.stream, [stray.key for stray in result.loaded.strays])
        lines.append(wrapped("  to do: ", what, style))
    missing = result.files_missing
    alike = defaultdict(list)
    for verdict in islice(result.missing, NAMED):
        alike[f"{SAYS[verdict.kind]}; {result.why(verdict)}"].append(verdict.file.key)
    for reason, keys in alike.items():
        lines += [wrapped("  missing: ", reason, style), *(f"    {key}" for key in keys)]
    if missing > NAMED:
        lines.append(f"  and {missing - NAMED:,} more (--format json names all)")
    waiting = result.now.counts.get(Kind.IN_FLIGHT)
    if waiting:
        until = result.unsettled_until
        when = f"after {until:%H:%M:%S} UTC: an earlier pipe may still be loading" if until else "later"
        lines.append(f"  in flight: {counted(waiting[0], 'file')}, to look at again {when}")
    if not missing and not result.rows_twice:
        nothing = "nothing else" if waiting else "nothing"
        lines.append(style.paint(f"{result.stream.name}: {nothing} is missing", "green"))
    return "\n".join(lines)


def plan_json(plan: BackfillPlan, statements: list[str]) -> dict[str, Any]:
    """One stream's plan; every key is explained in docs/runbook.md#backfill-json."""
    stream, evidence = plan.evidence.stream, plan.evidence
    files, count = plan.loaded_by()
    return {
        "stream": stream.name,
        "table": stream.table.sql,
        "matched": dict(zip(("files", "bytes"), plan.matching, strict=True)),
        "first": list(plan.first),
        "classes": {
            str(kind): {"files": files, "bytes": count}
            | {str(way): plan.tools.get((kind, way), (0, 0))[0] for way in Way}
            for kind, (files, count) in plan.counts.items()
        },
        "to_load": {
            "files": files,
            "bytes": count,
            "estimated_rows": plan.estimated_rows,
            "snowpipe_credits_at_least": round(credits_at_least(plan), 9),
        },
        "known_since": evidence.known_since.isoformat() if evidence.known_since else None,
        "account_usage": evidence.account is not None,
        "files_as_of": plan.store.as_of,
        "statements": statements,
    }


def result_json(result: Result) -> dict[str, Any]:
    """What came of it: ``loaded`` is null after a dry run; what is missing, by name and reason."""
    loaded = result.loaded and {
        "files": len(result.loaded.files),
        "rows": result.rows,
        "stopped": result.loaded.stopped,
        "event_ids_repeated": dict(zip(("before", "after"), result.event_ids, strict=True))
        if result.event_ids
        else None,
        "rows_twice": result.rows_twice,
        "other_files": [{"key": stray.key, "rows": stray.rows} for stray in result.loaded.strays],
    }
    return {"loaded": loaded, "missing": _Missing(result)}


class _Missing(list[Any]):
    """A list for json.dump alone, one file at a time: there may be millions."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result

    def __bool__(self) -> bool:
        return self.result.files_missing > 0

    def __len__(self) -> int:
        return self.result.files_missing

    def __iter__(self) -> Iterator[Any]:
        for verdict in self.result.missing:
            reason = self.result.why(verdict)
            yield {"key": verdict.file.key, "class": str(verdict.kind), "reason": reason}
