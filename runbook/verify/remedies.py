"""Remedies that lead somewhere: what a step would answer is asked before the step is printed.

A check prints the step that made a thing. That step may refuse: the thing's tags or comment were taken off,
another installation holds it, somebody else's rule stands in the way. Then the printed remedy is what the
refusal asks for. Only reads, and only where something failed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from runbook.errors import Refused, RunbookError
from runbook.facts import Facts
from runbook.plan import Step, plan_step
from runbook.policies.documents import statements
from runbook.steps import STEPS
from runbook.verify.outcome import Result

OWN_SIDS = frozenset({"ReadObjects", "ListFolders", "LocateBucket"})  # of runbook.steps.step1_aws
BY_STEPS = ("invoke step", "invoke replace-pipe", "invoke up")
"""What only serves what the steps made."""

_OF_STEPS = re.compile(rf"invoke ({'|'.join(step.task for step in STEPS)})( [\w-]+)*")
_FURTHER_ON = re.compile(r"[;,.]?\s*(?:(?:or|and|then|if)\b[^;,.]*)?:?\s*\Z")


def leading(results: Iterable[Result], facts: Facts) -> tuple[Result, ...]:
    """The results, each remedy replaced that would be refused as it is printed. Only reads."""
    refusals: dict[Step, Refused | None] = {}
    return tuple(_leading(row, facts, refusals) for row in results)


def _leading(row: Result, facts: Facts, refusals: dict[Step, Refused | None]) -> Result:
    if row.outcome not in ("failed", "advice") or not _OF_STEPS.fullmatch(row.remedy):
        return row
    tasks = row.remedy.removeprefix("invoke ").split()
    for step in (step for step in STEPS if step.task in tasks):
        if step not in refusals:
            refusals[step] = _refusal(step, facts)
        if refused := refusals[step]:
            return replace(row, remedy=_instead(row.remedy, step, refused, facts))
    return row


def _refusal(step: Step, facts: Facts) -> Refused | None:
    """Why the step would refuse; None where it would not, or where that cannot be told. Only reads."""
    try:
        plan_step(step, facts)
    except Refused as error:
        return error
    except RunbookError:
        return None
    return None


def _instead(remedy: str, step: Step, refused: Refused, facts: Facts) -> str:
    """What to do where the step refuses: adopt, where it would then go on; else what the refusal says."""
    if "--adopt" in refused.remedy:
        if refused.remedy.startswith("invoke step"):  # another step adopts it
            first = refused.remedy.partition(" alters it")[0]
            return first if f"{first} ".startswith(f"{remedy} ") else f"{first} && {remedy}"
        if _is_recognised(facts) and _refusal(step, facts.adopting()) is None:
            return remedy.replace(step.task, f"{step.task} --adopt", 1)
    return f"{refused.what}: {refused.remedy}; then: {remedy}"


def _is_recognised(facts: Facts) -> bool:
    """Whether policy and role, by their content, are what a step made: only their tags are gone."""
    policy, role = facts.policy, facts.role
    sids = {row.get("Sid") for row in statements(policy.document)} if policy else OWN_SIDS
    mine = role is None or bool(role.own_statement) or facts.settings.aws.policy_arn in role.attached_policies
    return mine and bool(sids & OWN_SIDS)


def for_others(remedy: str, see: str) -> str:
    """The remedy for an installation that no step touches: what a person can do, and where to read on."""
    at = min((found for each in BY_STEPS if (found := remedy.find(each)) >= 0), default=-1)
    if at < 0:
        return remedy
    head = _FURTHER_ON.sub("", remedy[:at]).rstrip("`( ")
    mends = f"whoever made it mends it; what is to be done: {see or 'docs/runbook.md'}"
    return f"{head}; {mends}" if head else mends
