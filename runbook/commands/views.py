"""`invoke views`: plan the typed views, say it, apply it, look again, and read each once."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.errors import SettingsWrong, Unhealthy
from runbook.facts import views as seen
from runbook.invocation import HERE
from runbook.plan import Applied, apply, plan_step
from runbook.plan_formats import tell
from runbook.running import Run, running
from runbook.settings import Stream
from runbook.terminal import Style, counted, note, say, wrapped
from runbook.views import STEP
from runbook.views import scan as scanning
from runbook.wanted.views import wanted

MOST_DAYS = 365


def views(config: Mapping[str, Any], *, dry_run: bool, yes: bool, scan: bool, days: int) -> int:
    """Make the views that the settings ask for; with ``scan``, find the schemas in the data first.

    Writes unless dry; ``scan`` writes the environment file and nothing else.
    """
    reading.ours(config, "views")
    if not 0 < days <= MOST_DAYS:
        raise SettingsWrong(f"--days is {days}", remedy=f"a number from 1 to {MOST_DAYS}")
    settings = reading.read(config)
    if not settings.views.enabled and not scan:
        raise SettingsWrong(
            "The views are off",
            where=settings.target,
            why="views.enabled is not set",
            remedy="set views.enabled: true in the environment file; `invoke views --scan` writes it",
        )
    with running(config, "views", sides=("snowflake",), yes=yes) as run:
        if scan:
            return _scan(run, Path(HERE.file) if HERE.file else None, days, dry_run=dry_run)
        return _make(run, dry_run=dry_run)


def _make(run: Run, *, dry_run: bool) -> int:
    facts = run.facts()
    facts.look(delivery=False, steps=(4,))
    found = plan_step(STEP, facts)
    tell(found, whole=dry_run or not run.settings.is_sandbox)
    if dry_run:
        return 0
    if found.blocked:
        raise found.blocked
    if found.changes:
        run.ask(f"Make the views on {run.settings.target}?")
        run.record.planned(STEP.number, found.changes)
    apply(found, facts, run.writer, lambda applied: _made(run, applied), run.ask)
    _prove(run)
    return 0


def _made(run: Run, applied: Applied) -> None:
    run.applied(STEP.number, applied)
    note(f"  done: {applied.change.done}")


def _prove(run: Run) -> None:
    """Each view gives a row, or none: then its definition fits the table. Raises Unhealthy."""
    made = wanted(run.settings)
    for view in made:
        if why := seen.unreadable(run.reader, view):
            raise Unhealthy(
                f"The view {view.name} cannot be read",
                why=why,
                remedy="grant SELECT on it to the connection's role, or see `invoke verify`",
            )
    note(f"{counted(len(made), 'view')} made and read: {', '.join(view.name.sql for view in made)}")
    note("A view costs nothing at rest; each query parses what it reads: docs/views.md#cost.")


def _events(run: Run) -> Stream:
    for stream in run.settings.viewed:
        if stream.kind == "enriched":
            return stream
    raise SettingsWrong("There is no stream of kind enriched", where=run.settings.target)


def _scan(run: Run, file: Path | None, days: int, *, dry_run: bool) -> int:
    """Find the schemas, tell them, and write them into the environment file where there is one."""
    stream, style = _events(run), Style.of(sys.stdout)
    say(wrapped("scan: ", scanning.cost(run.reader, stream, days), style))
    if dry_run:
        return 0
    run.ask("Read them?")
    found = seen.schemas(run.reader, stream, run.facts().now - timedelta(days=days))
    for line in scanning.told(run.settings, found, style):
        say(line)
    schemas = scanning.merged(run.settings, found)
    if not any(schemas.values()):
        say("no schema was found, so nothing is written")
        return 0
    if file is None:
        say("put this into the environment file (no -f names one):")
        for line in ("views:", "  enabled: true", *scanning.section(schemas)):
            say(line)
        return 0
    _write(file, schemas)
    say("next: invoke views")
    return 0


def _write(file: Path, schemas: Mapping[str, list[str]]) -> None:
    before = file.read_text(encoding="utf-8")
    try:
        text = scanning.rewritten(before, schemas)
    except ValueError as error:
        for line in ("views:", *scanning.section(schemas)):
            say(line)
        raise SettingsWrong(
            "The environment file is left as it is",
            where=str(file),
            why=str(error),
            remedy="put the lists above into it by hand",
        ) from None
    if text != before:
        scanning.write(file, text)
    say(f"{file}: {'written' if text != before else 'nothing new'}")
