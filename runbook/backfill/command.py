"""`invoke backfill`: look, plan, tell, load, and compare again."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runbook.backfill import looking, statements
from runbook.backfill.asked import Asked
from runbook.backfill.asked import read as read_asked
from runbook.backfill.loading import Loader, Stop
from runbook.backfill.planning import BackfillPlan, Way, batches, plan_files, refreshes
from runbook.backfill.result import Result, counted
from runbook.backfill.tell import as_json, no_match, outcome_table, plan_table
from runbook.errors import NotConverged, Refused, SettingsWrong
from runbook.facts import Facts
from runbook.plan import SqlChange
from runbook.running import Run, running
from runbook.settings import Settings, Stream
from runbook.terminal import Style, note, say


def backfill(
    config: Mapping[str, Any],
    *,
    pattern: str,
    stream: str | None,
    since: str | None,
    until: str | None,
    max_files: int,
    reload_failed: bool,
    reload_gone: bool,
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> int:
    """Load what matches and is missing, once; 0 when nothing is missing afterwards. Writes unless dry."""
    asked = read_asked(
        pattern,
        since=since,
        until=until,
        max_files=max_files,
        reload_failed=reload_failed,
        reload_gone=reload_gone,
    )
    if output_format not in ("table", "json"):
        raise SettingsWrong(f"There is no format {output_format!r}", remedy="--format table|json")
    quiet = output_format == "json"
    with running(config, "backfill", sides=("snowflake",), yes=yes, quiet=quiet) as run:
        plans = _plans(run, asked, stream)
        _within_the_ceiling(plans, asked)
        # what cannot be copied by name is refused before anything is loaded
        texts = [every_statement(each, run.settings) for each in plans]
        if not quiet:
            _tell(plans, texts if dry_run else None)
        if dry_run:
            results = [Result(each.evidence.stream, each, each) for each in plans]
        else:
            _ask(run, plans)
            results = _load(run, plans)
    if quiet:
        document = {
            "target": run.settings.target,
            "dry_run": dry_run,
            "pattern": pattern,
            "since": asked.since.isoformat() if asked.since else None,
            "until": asked.until.isoformat() if asked.until else None,
            "streams": [
                as_json(each, [str(change) for change in changes])
                for each, changes in zip(results, texts, strict=True)
            ],
        }
        say(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        for each in results:
            say(outcome_table(each, Style.of(sys.stdout)))
    return 0 if dry_run else _ends(results)


def _plans(run: Run, asked: Asked, stream: str | None) -> list[BackfillPlan]:
    """A plan for every stream in which something matches; raises Refused where nothing does."""
    chosen = run.settings.streams if stream is None else (run.settings.stream(stream),)
    plans, nothing = [], []
    for each in chosen:
        facts = run.facts()
        files = looking.listed(facts, each)
        if any(asked.matches(file) for file in files):
            plans.append(plan_files(asked, files, looking.evidence(facts, each)))
        else:
            nothing.append(f"{each.name}: {no_match(asked, sorted(files, key=lambda file: file.key))}")
    if not plans:
        raise SettingsWrong(
            f"--pattern {asked.pattern.pattern!r} matches nothing",
            why="; ".join(nothing),
            remedy="PATTERN means what it means in COPY: the whole key, as in '.*/2026-01-.*[.]gz'",
        )
    return plans


def _within_the_ceiling(plans: list[BackfillPlan], asked: Asked) -> None:
    files = sum(len(plan.to_load) for plan in plans)
    if files > asked.max_files:
        raise Refused(
            f"{files} files would be loaded, more than --max-files {asked.max_files}",
            remedy=f"narrow it by --pattern, --since and --until, or raise it: --max-files {files}",
        )


def every_statement(plan: BackfillPlan, settings: Settings) -> list[SqlChange]:
    """Every statement of the plan, in order, as it would run now; raises Refused."""
    stream, pipe = plan.evidence.stream, plan.evidence.pipe
    found = [
        statements.copy(stream, settings, pipe, [row.file.key for row in rows], uncertain=uncertain)
        for uncertain, rows in batches(plan.by(Way.COPY), plan.evidence.now)
    ]
    found += [statements.replace(stream, settings, pipe, row.file.key) for row in plan.by(Way.REPLACE)]
    wanted = {row.file.key for row in plan.by(Way.REFRESH)}
    pairs, _ = refreshes(wanted, plan.listed, plan.evidence)
    return found + [statements.refresh(stream, settings, prefix, after) for prefix, after in pairs]


def _tell(plans: list[BackfillPlan], texts: list[list[SqlChange]] | None) -> None:
    style = Style.of(sys.stdout)
    for number, plan in enumerate(plans):
        say(plan_table(plan, style))
        for change in texts[number] if texts else ():
            say(f"  + {change.why}")
            for line in str(change).splitlines():
                say(style.paint(f"      {line}", "dim"))


def _ask(run: Run, plans: list[BackfillPlan]) -> None:
    files = sum(len(plan.to_load) for plan in plans)
    if files:
        replaced = sum(len(plan.by(Way.REPLACE)) for plan in plans)
        also = f", deleting the rows of {replaced} of them first" if replaced else ""
        run.ask(f"Load {files} files on {run.settings.target}{also}?")


def _load(run: Run, plans: list[BackfillPlan]) -> list[Result]:
    """Load, look at everything again, and count. Writes."""
    results = []
    total = sum(len(plan.to_load) for plan in plans)
    with Stop().listening() as stop, _progress(total) as progress:
        for plan in plans:
            stream = plan.evidence.stream
            keys = [verdict.file.key for verdict in plan.to_load]
            columns = _columns(run.facts(), stream)
            before = counted(run.reader, stream, columns, keys)
            loaded = Loader(run, stream, plan, stop, progress).load()
            facts = run.facts()
            now = plan_files(plan.asked, plan.listed, looking.evidence(facts, stream)) if keys else plan
            after = counted(run.reader, stream, columns, keys)
            results.append(Result(stream, plan, now, loaded, before, after))
    return results


def _columns(facts: Facts, stream: Stream) -> tuple[str, ...]:
    table = facts.table(stream)
    return table.names if table else ()


def _ends(results: list[Result]) -> int:
    """4 when it was stopped or the pipe is not done, 1 when something is missing or twice, else 0."""
    loaded = [result.loaded for result in results if result.loaded]
    if any(each.stopped for each in loaded):
        files = sum(len(each.files) for each in loaded)
        raise NotConverged(
            f"Stopped as asked, after {files} files",
            remedy="run the same command again: it goes on with what is missing",
        )
    missing = {verdict.file.key for result in results for verdict in result.missing}
    if missing & {key for each in loaded for key in each.queued}:
        note("some files are queued and not loaded yet: run the same command again in a while")
        return NotConverged.exit_code
    return 1 if missing or any(result.rows_twice for result in results) else 0


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, with files, rate and time left; nothing elsewhere."""
    if not total or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("loading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading", total=total)
        yield lambda files: bar.advance(task, files)
