"""What the tasks do: plan and apply steps, verify, operate. One function a command, each an exit code."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from runbook import plan_formats
from runbook import settings as reading
from runbook.backfill import strays
from runbook.discovery import discover, discovered
from runbook.errors import Blocked, CannotTell, NotConverged, RunbookError, SettingsWrong, Unhealthy
from runbook.facts import Facts
from runbook.handoff import handoff, origin, tell_stale
from runbook.leases import guarded, is_late, leased, too_late, wait_for_nobody
from runbook.operate import loaded_everywhere, refresh_plan, refreshes, strays_of, whereabouts
from runbook.plan import Applied, Plan, SqlChange, Step, advice, apply, plan_step
from runbook.preflight.command import doctor
from runbook.running import Run, running
from runbook.session import DOES_NOT_EXIST, NO_PRIVILEGE, Receipt, Row, SqlFailed
from runbook.settings import Settings, Stream
from runbook.sql import rendered, statements
from runbook.steps import STEPS
from runbook.steps.others import refuse_others
from runbook.taking_back.command import down as taken_down
from runbook.terminal import Style, counted, note, say, say_as_is, say_json, table, wrapped
from runbook.tfvars import tfvars
from runbook.verify import Outcome, check, wait_until_healthy
from runbook.verify.command import reports, still_red, verify

__all__ = [
    "backfill",
    "check_pipe",
    "discover",
    "doctor",
    "down",
    "handoff",
    "pause",
    "plan",
    "refresh",
    "replace_pipe",
    "resume",
    "runs",
    "sql",
    "status",
    "step",
    "tfvars",
    "verify",
]

Config = Mapping[str, Any]

BOTH = ("aws", "snowflake")
AFTERWARDS = frozenset({"step4.nothing-of-ours-is-left-over"})
"""What no step brings about by being run again: told at the end, and not waited for."""
CLEARS = frozenset(
    {
        "step3.snowflake-gets-in",
        "step3.no-condition-keeps-snowflake-out",
        "step4.pipe-runs",
        "delivery.stage-can-be-listed",
        "delivery.queue-is-worked-off",
    }
)
"""What only time brings: IAM tells everybody, Snowflake forgets credentials, a pipe goes on by itself."""
SIDES = {1: ("aws",), 2: ("snowflake",), 3: ("aws", "snowflake"), 4: ("snowflake",), 5: ("aws", "snowflake")}


def step(config: Config, numbers: tuple[int, ...], *, dry_run: bool, yes: bool, adopt: bool) -> int:
    """Plan, apply and prove steps in order; ``dry_run`` only plans. Writes unless dry."""
    command = STEPS[numbers[0] - 1].task if len(numbers) == 1 else "up"
    reading.ours(config, command)
    sides = tuple(sorted({STEPS[number - 1].side for number in numbers}))
    spare = tuple(sorted({side for number in numbers for side in SIDES[number]} - set(sides)))
    with running(config, command, sides=sides, spare=spare, adopt=adopt, yes=yes) as run:
        if {1, 5} & set(numbers):
            _require_bucket(run)
        if len(numbers) > 1:
            refuse_others(_looked_at_all(run), numbers)
        for number in numbers:
            if dry_run and not run.settings.is_terraforms(number):
                _tell_plan(plan_step(STEPS[number - 1], _looked(run, number)))
            else:
                _one(run, number)
        if 4 in numbers and not dry_run:
            _tell_left_over(run.facts())
    return 0


def _looked_at_all(run: Run) -> Facts:
    facts = run.facts()
    facts.look(delivery=False, steps=(1, 2, 4))
    return facts


def _tell_left_over(facts: Facts) -> None:
    """Name what is this installation's and not in its settings: it loads on until somebody takes it back."""
    for stream in facts.left_over:
        what = "stage" if stream.pipe == stream.stage else "pipe"
        note(
            f"the {what} {stream.pipe.sql} on {stream.url} is this installation's and not in its settings; "
            f"when nothing arrives there any more: invoke down --stream {stream.name}"
        )


def down(config: Config, *, dry_run: bool, yes: bool, name: str, stream: str | None) -> int:
    """Remove what the steps made, in reverse, and prove that it is gone. Writes unless dry."""
    reading.ours(config, "down")
    return taken_down(config, dry_run=dry_run, yes=yes, name=name, stream=stream, tell=_tell_plan)


def plan(config: Config, *, output_format: str, exit_code: bool = False) -> int:
    """What every step would change; with ``exit_code``, 10 where that is something. Only reads."""
    _known(output_format, plan_formats.FORMATS)
    reading.ours(config, "plan")
    with running(config, "plan", sides=(), spare=BOTH, quiet=output_format != "table") as run:
        facts = run.facts()
        facts.look(delivery=False)
        plans = [plan_step(each, facts) for each in _ours(run)]
    _say_plans(plans, run.settings.target, output_format)
    return plan_formats.CHANGES if exit_code and not all(each.is_empty for each in plans) else 0


def _say_plans(plans: Sequence[Plan], target: str, output_format: str) -> None:
    if output_format == "json":
        say_json([plan_formats.as_json(each) for each in plans])
    elif output_format == "markdown":
        say(plan_formats.as_markdown(plans, target))
    elif output_format == "github":
        say(plan_formats.for_github(plans, target))
    else:
        for each in plans:
            _tell_plan(each)
        say(f"{target}: {plan_formats.count(plans)}")


def _ours(run: Run) -> list[Step]:
    """The steps to plan: not those of a side we may not see, nor those whose things are Terraform's."""
    seen = [each for each in STEPS if each.side not in run.reader.absent]
    return [each for each in seen if not run.settings.is_terraforms(each.number)]


def check_pipe(
    config: Config, *, pipe: str, connection: str | None, deep: bool, formats: list[str], every: bool
) -> int:
    """The outcome of every check on the installation a pipe belongs to. Only reads."""
    reports(formats, None)  # a wrong format is refused before anything is contacted
    found = discovered(config, pipe=pipe, connection=connection)
    return verify(found, formats=formats, deep=deep, every=every)


def status(config: Config, *, output_format: str) -> int:
    """Where the files and rows of every stream are. Only reads."""
    _known(output_format, ("table", "json"))
    with running(config, "status", sides=("snowflake",), quiet=True) as run:
        facts = run.facts()
        facts.look(deep=True, steps=(4,))
        rows = [whereabouts(facts, stream) for stream in run.settings.streams]
    if output_format == "json":
        say_json([row.as_json() for row in rows])
    else:
        style = Style.of(sys.stdout)
        say(table([row.as_row() for row in rows], style))
        for row in rows:
            if row.doubt:
                say(wrapped(f"{row.stream}: ", row.doubt, style))
        say(f"target {run.settings.target}")
    return 0


def refresh(config: Config, *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Queue what was never announced in the last 7 days, and wait until it is loaded. Writes."""
    with running(config, "refresh", sides=("snowflake",), stream=stream, yes=yes) as run:
        failed = [
            key
            for each in _streams(run.settings, stream)
            for key in refresh_stream(run, each, dry_run=dry_run)
        ]
    return 1 if failed else 0


def refresh_stream(run: Run, stream: Stream, *, dry_run: bool = False) -> list[str]:
    """Queue what was never announced to one pipe; the files that then failed to load. Writes unless dry."""
    found = refresh_plan(run.facts(), stream)
    say(wrapped(f"{stream.name}: ", str(found), Style.of(sys.stdout)))
    if not found.files:
        return []
    if dry_run:
        for change in refreshes(run.settings, stream, found):
            _tell_change(change)
        return []
    run.ask(f"Refresh {stream.pipe}?")
    with leased(run, stream) as holding:
        found = refresh_plan(run.facts(), stream)  # while it asked, the pipe may have been made again
        if not found.files:
            say(f"{stream.name}: loaded meanwhile")
            return []
        for change in refreshes(run.settings, stream, found):
            holding.keep()
            _make(run, stream, guarded(change, holding.lease))
        failed = loaded_everywhere(run.facts(), stream, found.files, run.settings.checks.ready_within_seconds)
    say(f"{stream.name}: {counted(len(found.files), 'file')} more in the load history")
    style = Style.of(sys.stdout)
    for each in failed:
        say(wrapped("  failed: ", each, style))
    others = strays_of(run.facts(), stream, found)
    for each in strays.told(others):
        say(wrapped("  loaded too: ", each, style))
    if others:
        say(wrapped("  to do: ", strays.remedy(stream, [stray.key for stray in others]), style))
    return [*failed, *(stray.key for stray in others)]


def pause(config: Config, *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Stop the pipes of one or all streams. Writes."""
    return _switch(config, "pause", stream, dry_run=dry_run, yes=yes)


def resume(config: Config, *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Take back a pipe's own pause; one on the schema or account is named, not overruled. Writes."""
    return _switch(config, "resume", stream, dry_run=dry_run, yes=yes)


def runs(config: Config, *, show: str | None, diff: str | None, output_format: str) -> int:
    """What earlier runs changed: all of them, one, or how two differ. Contacts nobody."""
    from runbook import runs as past

    _known(output_format, ("table", "json"))
    del config
    if show and diff:
        raise SettingsWrong("--show and --diff are two questions", remedy="ask one of them")
    if diff:
        say_as_is(past.difference(*past.pair(diff)))
    elif show:
        found = past.find(show)
        say_as_is(json.dumps(found.rows, indent=1) if output_format == "json" else past.told(found))
    else:
        found_runs = past.every()
        as_json = json.dumps([run.summary() for run in found_runs], indent=1)
        say_as_is(as_json if output_format == "json" else past.table(found_runs))
    return 0


def sql(config: Config, *, step_number: int) -> int:
    """The statements of a Snowflake step as they would run, for a worksheet. Contacts nobody."""
    from runbook.sql import files, parameters, template

    folder = {2: "step2_snowflake", 4: "step4_snowflake"}.get(step_number)
    if folder is None:
        said = f"Step {step_number} has no SQL" if step_number else "No step is given"
        raise SettingsWrong(said, remedy="invoke sql --step 2, or --step 4")
    settings = reading.read(config)
    for name in files(folder):
        of_stream = {"table", "stage", "pipe", "file_format", "url"} & set(parameters(template(name)))
        for stream in settings.streams if of_stream else (None,):
            if stream is None or name.removesuffix(".sql").endswith(stream.kind) or _for_all(name):
                say_as_is(rendered(name, settings, stream))
    note(f"target {settings.target}: printed only, nothing was run")
    return 0


def _for_all(name: str) -> bool:
    return not name.removesuffix(".sql").endswith(("enriched", "bad_rows"))


def _one(run: Run, number: int) -> None:
    """One step: plan, tell, apply, observe again, prove."""
    this = STEPS[number - 1]
    if run.settings.is_terraforms(number):
        _verify_only(run, number)
        return
    _tell_origin(run)
    facts = _looked(run, number)
    found = plan_step(this, facts)
    _tell_plan(found, whole=not run.settings.is_sandbox)
    if found.blocked and not (run.settings.aws.managed_by != "runbook" and found.changes):
        raise found.blocked
    found = replace(found, blocked=None)  # under Terraform what can be made is made before the role is there
    if found.changes:
        run.ask(f"Apply step {number} on {run.settings.target}?")
        run.record.planned(number, found.changes)
        _wait_for_those_at_work(run, number, facts)
    facts = apply(found, facts, run.writer, lambda applied: _made(run, number, applied))
    _prove(run, number, facts)
    tell_stale(facts)


def _wait_for_those_at_work(run: Run, number: int, facts: Facts) -> None:
    """Before a pipe is created or resumed: nobody loads with the one before it, or replaces it."""
    for stream in run.settings.streams if number == 4 and facts.schema_exists else ():
        pause = facts.pause(stream) if facts.pipe(stream) else None
        if pause is None or pause.paused:
            wait_for_nobody(run, stream)


TERRAFORM = "`invoke tfvars`, then terraform -chdir=terraform apply"


def _verify_only(run: Run, number: int) -> None:
    """A step whose things are Terraform's: what Terraform must still do, or that nothing is left."""
    style = Style.of(sys.stdout)
    say(style.paint(wrapped("", STEPS[number - 1].title, style), "bold"))
    outcome = check(run.facts(), steps=(number,))
    if not outcome.is_well_from_here:
        raise Unhealthy(
            f"Terraform has something left to do for step {number}",
            why="; ".join(f"{row.id}: {row.cause}" for row in outcome.root_causes or outcome.unknown_causes),
            remedy=TERRAFORM,
        )
    say("  Terraform's, and as it should be: nothing to do")


def _tell_origin(run: Run) -> None:
    """Where the other side's values come from; raises Refused when they do not fit our settings."""
    if run.reader.absent and (told := run.facts().handoff):
        note(origin(run.settings, told))


def _prove(run: Run, number: int, facts: Facts) -> None:
    seconds = run.settings.checks.ready_within_seconds
    outcome = wait_until_healthy(
        facts, seconds, still_red(), steps=(number,), apart=AFTERWARDS, may_clear=_may_clear
    )
    run.record.proved(
        number, {f"{row.id} {row.stream or ''}".strip(): row.outcome for row in outcome.results}
    )
    if not outcome.is_well_from_here:
        raise _unproven(number, outcome)
    passed = sum(row.outcome == "passed" for row in outcome.results)
    note(f"step {number} proven on {run.settings.target}: {passed} checks passed")
    if theirs := [row.id for row in outcome.results if row.elsewhere]:
        note(f"  for the other administrator to see: {', '.join(theirs)} (invoke verify --step {number})")


def _may_clear(outcome: Outcome) -> bool:
    """Whether something that is red may turn green by itself; what only a person changes does not.

    A missing right stays missing; who does not answer may answer.
    """
    causes = {row.id for row in outcome.results if row.outcome == "failed"}
    causes.update(by for row in outcome.results for by in row.blocked_by)
    unanswered = [row for row in outcome.results if row.outcome == "unknown" and not row.elsewhere]
    return bool(causes & CLEARS) or any(not row.remedy.startswith("grant ") for row in unanswered)


def _unproven(number: int, outcome: Outcome) -> RunbookError:
    causes = "; ".join(f"{row.id}: {row.cause}" for row in outcome.root_causes)
    blocked = sorted({by for row in outcome.results for by in row.blocked_by})
    unknown = "; ".join(f"{row.id}: {row.cause}" for row in outcome.results if row.outcome == "unknown")
    return Unhealthy(
        f"Step {number} is applied, but its checks do not pass",
        why=causes or (f"they wait for {', '.join(blocked)}" if blocked else unknown),
        remedy="`invoke verify` shows every cause with its remedy",
    )


def _require_bucket(run: Run) -> None:
    """Nothing is made for a bucket that is not there; raises SettingsWrong."""
    if run.facts().bucket is None:
        raise SettingsWrong(
            f"There is no bucket {run.settings.aws.bucket}",
            where=run.settings.target,
            why="The runbook never creates one",
            remedy="correct aws.bucket in the settings, or create the bucket",
        )


def _looked(run: Run, number: int) -> Facts:
    facts = run.facts()
    facts.look(delivery=number == 4, steps=(number,))
    return facts


def _made(run: Run, number: int, applied: Applied) -> None:
    run.applied(number, applied)
    note(f"  done: {applied.change.title}")


def _make(run: Run, stream: Stream, change: SqlChange) -> None:
    """Make a change under a lease and note it. Writes; raises Refused where it came too late."""
    receipts: list[Receipt] = []
    rows: list[Row] = []
    try:
        for statement in statements(change.sql):
            receipt, rows = run.writer.answer(statement)
            receipts.append(receipt)
    except SqlFailed as error:
        raise _refused(run, change, error) from None
    if is_late(rows):
        raise too_late(stream)
    run.applied(0, Applied(change, tuple(receipts)))
    note(f"  done: {change.title}")


def _refused(run: Run, change: SqlChange, error: SqlFailed) -> CannotTell:
    return CannotTell(
        f"{change.title} failed",
        where=run.settings.target,
        why=f"{error}; nothing was changed by it",
        remedy=f"{advice(error)}then run `invoke {run.command}` again",
    )


def _switch(config: Config, command: str, stream: str | None, *, dry_run: bool, yes: bool) -> int:
    with running(config, command, sides=("snowflake",), stream=stream, yes=yes) as run:
        for each in _streams(run.settings, stream):
            switch_stream(run, command, each, dry_run=dry_run)
    return 0


def switch_stream(run: Run, command: str, stream: Stream, *, dry_run: bool = False) -> None:
    """Pause or resume one pipe. Writes unless dry."""
    want, facts = command == "pause", run.facts()
    have = facts.pause(stream) if facts.pipe(stream) else None
    if have is None:
        raise Blocked(f"The pipe {stream.pipe} does not exist", by_step=4, remedy="invoke step4-snowflake")
    if not want and have.paused and have.level != "PIPE":
        raise RunbookError(
            f"{stream.pipe} is not paused itself, its {have.level.lower()} is",
            remedy=f"whoever paused that: ALTER {have.level} … UNSET PIPE_EXECUTION_PAUSED",
        )
    if have.paused == want:
        say(f"{stream.name}: is {'paused' if want else 'running'} already")
        return
    file = f"operate/{command}.sql"
    change = SqlChange(file, rendered(file, run.settings, stream), f"{stream.name}: {command}")
    if dry_run:
        _tell_change(change)
        return
    run.ask(f"{command.capitalize()} {stream.pipe}?")
    with nullcontext() if want else leased(run, stream):  # who replaces a pipe keeps it paused
        try:
            run.make(change)
        except SqlFailed as error:
            if want or error.errno in (*DOES_NOT_EXIST, *NO_PRIVILEGE):
                raise _refused(run, change, error) from None
            from runbook.resuming import force

            force(run, stream, error)
    now = run.facts().pause(stream)
    if now is None or now.paused != want:
        raise NotConverged(
            f"{stream.pipe} was told to {command} and did not", remedy="invoke verify --step 4"
        )
    say(f"{stream.name}: {'paused' if want else 'resumed'}")


def _streams(settings: Settings, name: str | None) -> tuple[Stream, ...]:
    return settings.streams if name is None else (settings.stream(name),)


def _tell_plan(found: Plan, *, whole: bool = True) -> None:
    """The step's plan; ``whole`` also writes out every statement and call."""
    style = Style.of(sys.stdout)
    say(style.paint(wrapped("", found.step.title, style), "bold"))
    for change in found.changes:
        _tell_change(change, whole=whole)
    if found.blocked:
        say(wrapped(f"  known after step {found.blocked.by_step}: ", found.blocked.what, style))
    if found.is_empty:
        say("  nothing to change")


def _tell_change(change: Any, *, whole: bool = True) -> None:
    style = Style.of(sys.stdout)
    say(wrapped(f"  {plan_formats.symbol(change)} ", f"{change.title}: {change.why}", style))
    for line in str(change).splitlines() if whole else ():
        say_as_is(style.paint(f"      {line}", "dim"))
    for line in plan_formats.replaced(change) if whole else ():
        say_as_is(style.paint(f"      {line}", "dim"))


def backfill(config: Config, **asked: Any) -> int:
    """Load what matches and is missing, each file once; see :mod:`runbook.backfill`. Writes unless dry."""
    with _scale():
        from runbook.backfill.command import backfill as command
    return command(config, **asked)


def replace_pipe(config: Config, **asked: Any) -> int:
    """Bring a changed COPY live; see :mod:`runbook.replacing`. Writes unless dry."""
    reading.ours(config, "replace-pipe")
    with _scale():
        from runbook.replacing.command import replace_pipe as command
    return command(config, **asked)


@contextmanager
def _scale() -> Iterator[None]:
    """Import what compares files with histories; raises SettingsWrong where the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("duckdb", "pyarrow"):
            raise
        raise SettingsWrong(
            f"{error.name} is not installed",
            why="files, load histories and rows are compared in DuckDB, with Arrow",
            remedy="pip install 'snowpipe-runbook[scale]'",
        ) from None


def _known(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise SettingsWrong(f"There is no format {name!r}", remedy=f"--format {'|'.join(known)}")
