"""`invoke step1-aws` … `step5-aws` and `up`: plan a step, say it, apply it, look again, prove it."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runbook import settings as reading
from runbook.commands.handoff import origin, tell_stale
from runbook.commands.verify import still_red
from runbook.errors import RunbookError, SettingsWrong, Unhealthy
from runbook.facts import Facts
from runbook.loading.leases import wait_for_nobody
from runbook.plan import Applied, apply, plan_step
from runbook.plan_formats import tell
from runbook.running import Run, running
from runbook.steps import STEPS
from runbook.steps.others import refuse_others
from runbook.terminal import Style, note, say, wrapped
from runbook.verify import Outcome, check, wait_until_healthy

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


def step(
    config: Mapping[str, Any], numbers: tuple[int, ...], *, dry_run: bool, yes: bool, adopt: bool
) -> int:
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
                tell(plan_step(STEPS[number - 1], _looked(run, number)))
            else:
                _one(run, number)
        if 4 in numbers and not dry_run:
            _tell_left_over(run.facts())
    return 0


def _looked_at_all(run: Run) -> Facts:
    facts = run.facts()
    facts.look(delivery=False, steps=(1, 2, 4, 5))
    return facts


def _tell_left_over(facts: Facts) -> None:
    """Name what is this installation's and not in its settings: it loads on until somebody takes it back."""
    for stream in facts.left_over:
        what = "stage" if stream.pipe == stream.stage else "pipe"
        words = (
            f"the {what} {stream.pipe.sql} on {stream.url} is this installation's and not in its settings; "
            f"when nothing arrives there any more: invoke down --stream {shlex.quote(stream.name)}"
        )
        note(wrapped("", words, Style.of(sys.stderr)))


def _one(run: Run, number: int) -> None:
    """One step: plan, tell, apply, observe again, prove."""
    this = STEPS[number - 1]
    if run.settings.is_terraforms(number):
        _verify_only(run, number)
        return
    _tell_origin(run)
    facts = _looked(run, number)
    found = plan_step(this, facts)
    tell(found, whole=not run.settings.is_sandbox)
    if found.blocked and not (run.settings.aws.managed_by != "runbook" and found.changes):
        raise found.blocked
    found = replace(found, blocked=None)  # under Terraform what can be made is made before the role is there
    if found.changes:
        run.ask(f"Apply step {number} on {run.settings.target}?")
        run.record.planned(number, found.changes)
        _wait_for_those_at_work(run, number, facts)
    facts = apply(found, facts, run.writer, lambda applied: _made(run, number, applied), run.ask)
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
        facts, seconds, still_red(), steps=(number,), apart=AFTERWARDS, may_clear=may_clear
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


def may_clear(outcome: Outcome) -> bool:
    """Whether something that is red may turn green by itself; what only a person changes does not.

    A missing right stays missing; who does not answer may answer.
    """
    causes = {row.id for row in outcome.results if row.outcome == "failed"}
    causes.update(by for row in outcome.results for by in row.blocked_by)
    unanswered = [row for row in outcome.results if row.outcome == "unknown" and not row.elsewhere]
    return bool(causes & CLEARS) or any(not row.missing_right for row in unanswered)


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
    default = run.settings.aws.bucket
    for name, found in run.facts().buckets.items():
        if found is None:
            its = [f"streams.{stream.name}.bucket" for stream in run.settings.in_bucket(name)]
            raise SettingsWrong(
                f"There is no bucket {name}",
                where=run.settings.target,
                why="The runbook never creates one",
                remedy=f"correct {'aws.bucket' if name == default else its[0]} in the settings, "
                "or create the bucket",
            )


def _looked(run: Run, number: int) -> Facts:
    facts = run.facts()
    facts.look(delivery=number == 4, steps=(number,))
    return facts


def _made(run: Run, number: int, applied: Applied) -> None:
    run.applied(number, applied)
    note(f"  done: {applied.change.done}")
