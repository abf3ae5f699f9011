"""Remedies that lead somewhere: what a step would answer is asked before the step is printed.

A check prints the step that made a thing. That step may refuse: the thing's tags or comment were taken off,
another installation holds it, somebody else's rule stands in the way. Then the printed remedy is what the
refusal asks for. Only reads, and only where something failed.
"""

from collections.abc import Iterable
from dataclasses import replace

from runbook.errors import Refused, RunbookError
from runbook.facts import Facts
from runbook.plan import Step, plan_step
from runbook.policies.documents import statements
from runbook.remedy import Command, Remedy, invoke, remedy
from runbook.steps import STEPS
from runbook.verify.outcome import Result

OWN_SIDS = frozenset({"ReadObjects", "ListFolders", "LocateBucket"})  # of runbook.steps.step1_aws

_TASKS = frozenset(step.task for step in STEPS)


def leading(results: Iterable[Result], facts: Facts) -> tuple[Result, ...]:
    """The results, each remedy replaced that would be refused as it is printed. Only reads."""
    refusals: dict[Step, Refused | None] = {}
    return tuple(_leading(row, facts, refusals) for row in results)


def _leading(row: Result, facts: Facts, refusals: dict[Step, Refused | None]) -> Result:
    command = row.remedy.command
    if row.outcome not in ("failed", "advice") or command is None or command.words[0] not in _TASKS:
        return row
    for step in (step for step in STEPS if step.task in command.words):
        if step not in refusals:
            refusals[step] = _refusal(step, facts)
        if refused := refusals[step]:
            return replace(row, remedy=_instead(command, step, refused, facts))
    return row


def _refusal(step: Step, facts: Facts) -> Refused | None:
    """Why the step would refuse; None where it would not, or where that is not known. Only reads."""
    try:
        plan_step(step, facts)
    except Refused as error:
        return error
    except RunbookError:
        return None
    return None


def _instead(command: Command, step: Step, refused: Refused, facts: Facts) -> Remedy:
    """What to do where the step refuses: adopt, where it would then go on; else what the refusal says."""
    if first := refused.adopts:
        if step.number != 1:  # where the role and the policy are taken over, they are looked at
            is_it = first.words[: len(command.words)] == command.words
            return remedy(first) if is_it else remedy(first, replace(command, lead=" && "))
        if _is_recognised(facts) and _refusal(step, facts.adopting()) is None:
            at = command.words.index(step.task) + 1
            return remedy(invoke(*command.words[:at], "--adopt", *command.words[at:]))
    return remedy(f"{refused.what}: {refused.remedy}", replace(command, lead="; then: "))


def _is_recognised(facts: Facts) -> bool:
    """Whether policy and role, by their content, are what a step made: only their tags are gone.

    A role that is marked as ours, and holds the policy, tells of a policy that was written again, too.
    """
    policy, role = facts.policy, facts.role
    if role and role.is_ours and facts.settings.aws.policy_arn in role.attached_policies:
        return True
    sids = {row.get("Sid") for row in statements(policy.document)} if policy else OWN_SIDS
    mine = role is None or bool(role.own_statement) or facts.settings.aws.policy_arn in role.attached_policies
    return mine and bool(sids & OWN_SIDS)
