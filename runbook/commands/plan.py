"""`invoke plan`: what every step would change, and `invoke views` where it is on. Only reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from runbook import plan_formats
from runbook import settings as reading
from runbook.plan import Plan, Step, plan_step
from runbook.running import Run, known, running
from runbook.steps import STEPS
from runbook.terminal import say, say_json
from runbook.views import STEP as VIEWS

BOTH = ("aws", "snowflake")


def plan(config: Mapping[str, Any], *, output_format: str, exit_code: bool = False) -> int:
    """What every step would change; with ``exit_code``, 10 where that is something. Only reads."""
    known(output_format, plan_formats.FORMATS)
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
            plan_formats.tell(each)
        say(f"{target}: {plan_formats.count(plans)}")


def _ours(run: Run) -> list[Step]:
    """The steps to plan: not those of a side we may not see, nor those whose things are Terraform's."""
    every = (*STEPS, VIEWS) if run.settings.views.enabled else STEPS
    seen = [each for each in every if each.side not in run.reader.absent]
    return [each for each in seen if not run.settings.is_terraforms(each.number)]
