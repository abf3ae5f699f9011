"""A plan and its outcome: for a person, and as JSON whose keys stay as they are."""

from typing import Any

from runbook.backfill.asked import Asked
from runbook.backfill.classes import SAYS, Kind
from runbook.backfill.planning import EXAMPLES, BackfillPlan, Way
from runbook.backfill.result import Result
from runbook.facts.snowflake import StagedFile
from runbook.terminal import Style, wrapped

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
        ways = sorted({verdict.way for verdict in plan.verdicts if verdict.kind is kind and verdict.way})
        rows.append([SAYS[kind], files, size(count), " and ".join(ways) or "-"])
    total = sum(verdict.file.size for verdict in plan.verdicts)
    rows.append(["matching", len(plan.verdicts), size(total), ""])
    stream = plan.evidence.stream
    lines = [
        style.paint(f"{stream.name}: {stream.table}", "bold"),
        tabulate(rows, headers=["files that are", "files", "bytes", "loaded now by"], tablefmt="simple"),
    ]
    examples = ", ".join(verdict.file.key for verdict in plan.verdicts[:EXAMPLES])
    lines.append(wrapped("  first: ", examples, style))
    if plan.to_load:
        rows_said = f", about {plan.estimated_rows:,} rows" if plan.estimated_rows else ""
        count = sum(verdict.file.size for verdict in plan.to_load)
        lines.append(f"  to load: {len(plan.to_load)} files, {size(count)}{rows_said}")
        for way, what in _COSTS.items():
            if plan.by(way):
                lines.append(wrapped(f"  {way}: ", what, style))
    lines += [wrapped("  note: ", text, style) for text in reach(plan)]
    return "\n".join(lines)


# https://www.snowflake.com/legal-files/CreditConsumptionTable.pdf, by the pricing in force since 2025-12-08
_COSTS = {
    Way.REFRESH: "Snowpipe loads it: 0.0037 credits for each GB of uncompressed text",
    Way.COPY: "runs on the connection's warehouse, billed for the time it runs",
    Way.REPLACE: "deletes the file's rows and loads it again, in one transaction a file, on the warehouse",
}


def reach(plan: BackfillPlan) -> list[str]:
    """How far back is known, where that is not for ever."""
    said = []
    evidence = plan.evidence
    if evidence.known_since:
        said.append(
            f"what happened to files from before {evidence.known_since:%Y-%m-%d %H:%M} UTC is on no record"
        )
    if evidence.account is None:
        said.append(
            "ACCOUNT_USAGE.COPY_HISTORY may not be read (grant SNOWFLAKE.USAGE_VIEWER): failures and "
            "deleted rows older than 14 days cannot be told from files that were never loaded"
        )
    return said


def no_match(asked: Asked, listed: list[StagedFile]) -> str:
    """Why a pattern matched nothing: what it was matched against, and what would have."""
    if not listed:
        return "there is no file under the stage"
    shown = ", ".join(file.key for file in listed[:EXAMPLES])
    inside = sum(asked.pattern.search(file.key) is not None for file in listed)
    in_time = sum(asked.in_time(file) for file in listed)
    hint = f"; '.*{asked.pattern.pattern}.*' would match {inside}" if inside and in_time else ""
    time = f", of which {in_time} in that time" if in_time < len(listed) else ""
    return f"it must match the whole object key of one of {len(listed)} files{time}: {shown}{hint}"


def outcome_table(result: Result, style: Style) -> str:
    """What was loaded, and what is missing by name and reason."""
    lines = []
    if result.loaded is not None:
        lines.append(f"{result.stream.name}: {len(result.loaded.files)} files loaded, {result.rows:,} rows")
        if result.event_ids is not None:
            before, after = result.event_ids
            lines.append(f"  event_ids that repeat, in the range: {before} before, {after} after")
        if result.rows_twice:
            lines.append(style.paint(f"  ROWS TWICE: {result.rows_twice} (a file and row number)", "red"))
    missing = result.missing
    lines += [
        wrapped("  missing: ", f"{verdict.file.key}: {SAYS[verdict.kind]}; {result.why(verdict)}", style)
        for verdict in missing[:NAMED]
    ]
    if len(missing) > NAMED:
        lines.append(f"  and {len(missing) - NAMED} more (--format json names all)")
    waiting = result.now.counts.get(Kind.IN_FLIGHT)
    if waiting:
        lines.append(f"  {waiting[0]} files are in flight: look again later")
    if not missing and not result.rows_twice:
        lines.append(style.paint(f"{result.stream.name}: nothing is missing", "green"))
    return "\n".join(lines)


def as_json(result: Result, statements: list[str]) -> dict[str, Any]:
    """One stream's plan and outcome. ``loaded`` is null after a dry run."""
    plan = result.plan
    files = [verdict.file for verdict in plan.verdicts]
    return {
        "stream": result.stream.name,
        "table": result.stream.table.sql,
        "matched": {"files": len(files), "bytes": sum(file.size for file in files)},
        "first": [file.key for file in files[:EXAMPLES]],
        "classes": {
            str(kind): {
                "files": count,
                "bytes": total,
                "refresh": _of(plan, kind, Way.REFRESH),
                "copy": _of(plan, kind, Way.COPY),
                "replace": _of(plan, kind, Way.REPLACE),
            }
            for kind, (count, total) in plan.counts.items()
        },
        "to_load": {
            "files": len(plan.to_load),
            "bytes": sum(verdict.file.size for verdict in plan.to_load),
            "estimated_rows": plan.estimated_rows,
        },
        "known_since": plan.evidence.known_since.isoformat() if plan.evidence.known_since else None,
        "account_usage": plan.evidence.account is not None,
        "statements": statements,
        "loaded": None
        if result.loaded is None
        else {
            "files": len(result.loaded.files),
            "rows": result.rows,
            "stopped": result.loaded.stopped,
            "event_ids_repeated": dict(zip(("before", "after"), result.event_ids, strict=True))
            if result.event_ids
            else None,
            "rows_twice": result.rows_twice,
        },
        "missing": [
            {"key": verdict.file.key, "class": str(verdict.kind), "reason": result.why(verdict)}
            for verdict in result.missing
        ],
    }


def _of(plan: BackfillPlan, kind: Kind, way: Way) -> int:
    return sum(verdict.kind is kind and verdict.way is way for verdict in plan.verdicts)
