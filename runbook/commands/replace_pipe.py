"""`invoke replace-pipe`: look, tell, replace, give back, load what waited."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.commands.backfill import every_statement, refuse_above_the_ceiling
from runbook.errors import CannotTell, SettingsWrong
from runbook.facts import Facts
from runbook.facts.belongings import Belongings
from runbook.facts.objects import PipeStatus
from runbook.ledger import looking
from runbook.ledger.classes import SAYS, Kind
from runbook.ledger.evidence import evidence as known
from runbook.loading.planning import BackfillPlan, plan_files
from runbook.plan import AwsChange, SqlChange, again
from runbook.replacing import statements
from runbook.replacing.procedure import (
    Replacement,
    Replacing,
    at_rest,
    look,
    refuse_what_cannot_be_told,
    restored,
    waited,
)
from runbook.replacing.witness import witnessed
from runbook.running import Run, running
from runbook.settings import ours
from runbook.terminal import Style, counted, say, say_as_is, say_json, wrapped


def replace_pipe(
    config: Mapping[str, Any],
    *,
    stream: str,
    max_files: int,
    max_gb: int,
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> int:
    """Bring the COPY in sql/step4_snowflake live, or end what was cut off. Writes unless dry."""
    if output_format not in ("table", "json"):
        raise SettingsWrong(f"There is no format {output_format!r}", remedy="--format table|json")
    if not stream:
        raise SettingsWrong("--stream is missing", remedy="one pipe at a time: --stream events")
    ours(config, "replace-pipe")
    quiet = output_format == "json"
    with running(config, "replace-pipe", sides=("snowflake",), stream=stream, yes=yes, quiet=quiet) as run:
        found = look(run.facts(), run.settings.stream(stream))
        if found.why:
            refuse_what_cannot_be_told(run.facts(), found)
        predicted = _predicted(run.facts(), found)
        if predicted:
            refuse_above_the_ceiling([predicted], max_files=max_files, max_gb=max_gb, remedy="raise it")
        changes = _changes(run, found, predicted)
        if not quiet:
            _tell(found, changes if dry_run else [])
        plan = None
        if found.note and not dry_run:
            files = f", and load {counted(len(predicted.to_load), 'file')} that waited" if predicted else ""
            run.ask(f"Replace {found.stream.pipe} on {run.settings.target}{files}?")
            plan = _work(run, found)
        elif dry_run:
            plan = predicted
    if quiet:
        say_json(_as_json(run, found, changes, plan, dry_run=dry_run))
    elif found.note and not dry_run:
        tell_end(found, plan)
    return 0 if dry_run or not plan or all(each.kind is Kind.WAITING for each in plan.missing) else 1


def _work(run: Run, found: Replacement) -> BackfillPlan | None:
    try:
        return Replacing(run, found.stream).work(found)
    except (SqlFailed, AwsFailed) as error:
        raise CannotTell(
            f"A statement of the replacement of {found.stream.pipe} was refused",
            why=str(error),
            remedy=again(error, f"replace-pipe --stream {found.stream.name}"),
        ) from None


def _predicted(facts: Facts, found: Replacement) -> BackfillPlan | None:
    """What there will be to load once the pipe is replaced, as far as it is known now. Only reads."""
    if found.note is None:
        return None
    note = witnessed(facts, found.stream, found.note) if found.why else found.note
    files = looking.listed(facts, found.stream)
    evidence = at_rest(known(facts, found.stream), note, files)
    if found.why:
        mine = found.stream.pipe.name
        evidence = replace(
            evidence,
            pipe=replace(evidence.pipe, created_on=evidence.now),
            status=PipeStatus({"executionState": "PAUSED" if found.stays_paused else "RUNNING"}),
            recent=tuple(load for load in evidence.recent if load.pipe != mine),
            account=(*(evidence.account or ()), *evidence.recent),
        )
    return plan_files(waited(found.note, paused=found.stays_paused), files, evidence)


def _changes(run: Run, found: Replacement, predicted: BackfillPlan | None) -> list[SqlChange | AwsChange]:
    """Every statement in order, as it would run now."""
    note = found.note
    if note is None or predicted is None:
        return []
    changes: list[SqlChange | AwsChange] = []
    after = found
    if found.why:
        level = statements.level(found.stream, found.pipe, note)
        changes += [level] if level else []
        if not found.is_stopped:
            changes.append(statements.hold(found.stream, found.pipe, note))
        changes.append(statements.create(found.stream, found.pipe, note, found.definition))
        after = replace(found, have=Belongings({}, (), {}))
    changes += restored(after, note)
    changes += every_statement(predicted, run.settings)
    last = witnessed(run.facts(), found.stream, note) if found.why else note
    return [*changes, statements.end(found.stream, found.pipe, last)]


def _tell(found: Replacement, changes: list[SqlChange | AwsChange]) -> None:
    style = Style.of(sys.stdout)
    stream = found.stream
    if found.note is None:
        say(f"{stream.name}: the COPY of {stream.pipe} is as it should be, nothing to do")
        return
    why = found.why or "a replacement was cut off and is ended now"
    say(wrapped(f"{stream.name}: ", f"{stream.pipe} is replaced: {why}", style))
    for change in changes:
        say(wrapped("  + ", change.why, style))
        for line in str(change).splitlines():
            say_as_is(style.paint(f"      {line}", "dim"))
    if changes and found.why:
        say(
            wrapped(
                "  note: ",
                "what arrives meanwhile is loaded too; should the new pipe have another queue, the bucket's "
                "rule is pointed at it (s3api put-bucket-notification-configuration)",
                style,
            )
        )


def tell_end(found: Replacement, plan: BackfillPlan | None) -> None:
    """What came of it, and what is left to a person."""
    style = Style.of(sys.stdout)
    say(style.paint(f"{found.stream.name}: {found.stream.pipe} loads by the COPY as written", "green"))
    if found.stays_paused:
        say(f"  it is paused, as before: invoke resume --stream {found.stream.name}")
    elif found.was_held and found.note:
        text = (
            f"a replacement that was cut off had paused it at {found.note.begun:%Y-%m-%d %H:%M} UTC, and "
            "it runs again; if somebody paused it by SQL since then, which looks the same: "
            f"invoke pause --stream {found.stream.name}"
        )
        say(wrapped("  note: ", text, style))
    missing = list(plan.missing) if plan else []
    for verdict in missing:
        text = f"{verdict.file.key}: {SAYS[verdict.kind]}; {verdict.why or 'queued'}"
        say(wrapped("  missing: ", text, style))
    if any(verdict.kind is not Kind.WAITING for verdict in missing):
        more = f"invoke backfill --pattern '.*' --stream {found.stream.name} --dry-run"
        say(f"  what can be done about them: {more}")


def _as_json(
    run: Run,
    found: Replacement,
    changes: list[SqlChange | AwsChange],
    plan: BackfillPlan | None,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    return {
        "target": run.settings.target,
        "dry_run": dry_run,
        "stream": found.stream.name,
        "pipe": found.stream.pipe.sql,
        "replace": bool(found.why),
        "why": found.why,
        "to_end": bool(found.note),
        "since": found.note.since.isoformat() if found.note else None,
        "statements": [str(change) for change in changes],
        "missing": [
            {"key": verdict.file.key, "class": str(verdict.kind), "reason": verdict.why}
            for verdict in (plan.missing if plan else ())
        ],
    }
