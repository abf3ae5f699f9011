"""`invoke backfill`: look, plan, tell, load, and compare again."""

import math
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from types import ModuleType
from typing import Any

from runbook.backfill.afterwards import advice
from runbook.backfill.progress import counting, loading
from runbook.backfill.result import Result, repetitions
from runbook.backfill.tell import no_match, outcome_table, plan_json, plan_table, result_json
from runbook.errors import NotConverged, Refused, SettingsWrong
from runbook.facts import Facts, views
from runbook.ledger import looking
from runbook.ledger.asked import Asked
from runbook.ledger.asked import read as read_asked
from runbook.ledger.verdicts import Way
from runbook.loading import statements
from runbook.loading.loader import Loaded, Loader, Stop
from runbook.loading.planning import BackfillPlan, batches, plan_store
from runbook.plan import SqlChange
from runbook.running import Run, running
from runbook.settings import Settings, Stream
from runbook.terminal import Style, counted, note, say, say_as_is, say_json, wrapped

ENGINES = {"local": "looking", "snowflake": "in_snowflake"}
"""Where files, loads and rows are compared; both lead to the same plan."""


def backfill(
    config: Mapping[str, Any],
    *,
    pattern: str,
    stream: str | None,
    since: str | None,
    until: str | None,
    max_files: int,
    max_gb: int,
    reload_failed: bool,
    reload_gone: bool,
    engine: str,
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> int:
    """Load what matches and is missing, once; 0 when nothing is missing afterwards. Writes unless dry."""
    if not pattern:
        raise SettingsWrong("--pattern is missing", remedy="--pattern '.*' for every file")
    asked = read_asked(
        pattern,
        since=since,
        until=until,
        max_files=max_files,
        max_gb=max_gb,
        reload_failed=reload_failed,
        reload_gone=reload_gone,
    )
    if engine not in ENGINES:
        raise SettingsWrong(f"There is no engine {engine!r}", remedy=f"--engine {'|'.join(ENGINES)}")
    if output_format not in ("table", "json"):
        raise SettingsWrong(f"There is no format {output_format!r}", remedy="--format table|json")
    quiet = output_format == "json"
    with running(config, "backfill", sides=("snowflake",), yes=yes, quiet=quiet) as run, ExitStack() as open_:
        compare = _engine(engine)
        plans = _plans(run, compare, asked, stream, open_)
        narrow = "narrow it by --pattern, --since and --until, or raise it"
        refuse_above_the_ceiling(plans, max_files=max_files, max_gb=max_gb, remedy=narrow)
        # what cannot be copied by name is refused before anything is loaded
        texts = [every_statement(each, run.settings) for each in plans]
        planned = [
            plan_json(each, [str(change) for change in changes])
            for each, changes in zip(plans, texts, strict=True)
        ]  # before anything is loaded: a plan's store is compared again afterwards
        if not quiet:
            _tell(plans, texts if dry_run else None)
        results, said = (_nothing_loaded(plans), []) if dry_run else _loaded(run, compare, asked, plans)
        if quiet:
            say_json(_as_json(run.settings.target, asked, planned, results, said, dry_run=dry_run))
        else:
            _tell_results(results, said)
        return 0 if dry_run else _ends(results)


def _nothing_loaded(plans: list[BackfillPlan]) -> list[Result]:
    """What a dry run ends with: what was found before."""
    return [Result(each.evidence.stream, each) for each in plans]


def _loaded(
    run: Run, engine: ModuleType, asked: Asked, plans: list[BackfillPlan]
) -> tuple[list[Result], list[str]]:
    """Ask, load, and look again; what came of it, and what a person may want to do next. Writes."""
    _ask(run, plans)
    run.record.note({"asked": asked.journal, "files": sum(plan.loaded_by()[0] for plan in plans)})
    begun = run.facts().now
    results = _load(run, engine, plans)
    return results, list(advice(run.settings, results, lambda of: views.schemas(run.reader, of, begun)))


def _as_json(
    target: str,
    asked: Asked,
    planned: list[dict[str, Any]],
    results: list[Result],
    said: list[str],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """The whole run for a program: for each stream its plan, as it was before, and its result."""
    return {
        "target": target,
        "dry_run": dry_run,
        "pattern": asked.pattern.pattern,
        "since": asked.since.isoformat() if asked.since else None,
        "until": asked.until.isoformat() if asked.until else None,
        "streams": [{**plan, **result_json(result)} for plan, result in zip(planned, results, strict=True)],
        "advice": said,
    }


def _tell_results(results: list[Result], said: list[str]) -> None:
    style = Style.of(sys.stdout)
    for each in results:
        say(outcome_table(each, style))
    for sentence in said:
        say(wrapped("advice: ", sentence, style))


def _engine(name: str) -> ModuleType:
    with looking.scale():
        return import_module(f"runbook.ledger.{ENGINES[name]}")


def _plans(
    run: Run, engine: ModuleType, asked: Asked, stream: str | None, open_: ExitStack
) -> list[BackfillPlan]:
    """A plan for every stream in which something matches; raises SettingsWrong where nothing does."""
    chosen = run.settings.streams if stream is None else (run.settings.stream(stream),)
    plans, nothing, files, timely = [], [], 0, 0
    for each in chosen:
        with counting(f"{each.name}: files listed") as told:
            store = engine.surveyed(run.facts(), asked, each, told)
        open_.callback(store.close)
        listed, in_time, matching = store.listed(asked)
        files, timely = files + listed, timely + in_time
        if matching:
            plans.append(plan_store(asked, store))
        else:
            nothing.append(f"{each.name}: {no_match(asked, store)}")
    if files and not timely:
        raise SettingsWrong(
            "No file is of the time that --since and --until say",
            why="; ".join(nothing),
            remedy="the time is S3's LastModified, in UTC where no zone is named",
        )
    if not plans:
        raise SettingsWrong(
            f"--pattern {asked.pattern.pattern!r} matches nothing",
            why="; ".join(nothing),
            remedy="PATTERN means what it means in COPY: the whole key, as in '.*/2026-01-.*[.]gz'",
        )
    return plans


def refuse_above_the_ceiling(plans: list[BackfillPlan], *, max_files: int, max_gb: int, remedy: str) -> None:
    """Raises Refused where more would be loaded than was said on purpose."""
    files = sum(plan.loaded_by()[0] for plan in plans)
    gigabytes = sum(plan.loaded_by()[1] for plan in plans) / 1e9
    if files > max_files:
        raise Refused(
            f"{files} files would be loaded, more than --max-files {max_files}",
            remedy=f"{remedy}: --max-files {files}",
        )
    if gigabytes > max_gb:
        raise Refused(
            f"{gigabytes:,.1f} GB would be loaded, more than --max-gb {max_gb}",
            remedy=f"{remedy}: --max-gb {math.ceil(gigabytes)}",
        )


def every_statement(plan: BackfillPlan, settings: Settings) -> list[SqlChange]:
    """Every statement of the plan, in order, as it would run now; raises Refused."""
    stream, pipe = plan.evidence.stream, plan.evidence.pipe
    found = [
        statements.copy(stream, settings, pipe, [row.file.key for row in rows], uncertain=uncertain)
        for uncertain, rows in batches(plan.by(Way.COPY), plan.evidence.now)
    ]
    found += [statements.replace(stream, settings, pipe, row.file.key) for row in plan.by(Way.REPLACE)]
    pairs, _ = plan.refreshes()
    return found + [statements.refresh(stream, settings, prefix, after) for prefix, after in pairs]


def _tell(plans: list[BackfillPlan], texts: list[list[SqlChange]] | None) -> None:
    style = Style.of(sys.stdout)
    for number, plan in enumerate(plans):
        say(plan_table(plan, style))
        for change in texts[number] if texts else ():
            say(wrapped("  + ", change.why, style))
            for line in str(change).splitlines():
                say_as_is(style.paint(f"      {line}", "dim"))


def _ask(run: Run, plans: list[BackfillPlan]) -> None:
    files = sum(plan.loaded_by()[0] for plan in plans)
    if files:
        replaced = sum(plan.loaded_by(Way.REPLACE)[0] for plan in plans)
        also = f", deleting the rows of {replaced} of them first" if replaced else ""
        run.ask(f"Load {counted(files, 'file')} on {run.settings.target}{also}?")


def _load(run: Run, engine: ModuleType, plans: list[BackfillPlan]) -> list[Result]:
    """Load, look at everything again, and count. Writes."""
    results = []
    with Stop().listening() as stop, loading(sum(plan.loaded_by()[0] for plan in plans)) as progress:
        for plan in plans:
            stream = plan.evidence.stream
            keys = [verdict.file.key for verdict in plan.to_load]
            if not keys:
                results.append(Result(stream, plan, Loaded(stopped=stop.asked)))
                continue
            columns = _columns(run.facts(), stream)
            before = repetitions(run.reader, stream, columns, keys)
            loaded = Loader(run, stream, plan, stop, progress).load()
            engine.read_histories(run.facts(), plan.store)
            now = plan_store(plan.asked, plan.store)
            after = repetitions(run.reader, stream, columns, keys)
            results.append(Result(stream, now, loaded, before, after))
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
    if any(each.queued for each in loaded):
        note("some files are queued and not loaded yet: run the same command again in a while")
        return NotConverged.exit_code
    if any(each.at_others for each in loaded):
        note("another COPY is loading some of the files: run the same command again in a while")
        return NotConverged.exit_code
    if untils := [result.unsettled_until for result in results if result.unsettled_until]:
        note(f"the pipe was just recreated: run the same command again after {max(untils):%H:%M:%S} UTC")
        return NotConverged.exit_code
    strays = any(each.strays for each in loaded)
    return 1 if strays or any(result.files_missing or result.rows_twice for result in results) else 0
