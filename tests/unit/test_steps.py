"""The steps together: their order, and nothing to do where all is done."""

import pytest

from runbook.plan import plan_step
from runbook.steps import STEPS


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_whole_installation_has_nothing_to_change(found, facts, number):
    assert plan_step(STEPS[number - 1], facts(found)).is_empty


def test_five_steps_alternate_between_the_two_clouds():
    assert [(step.number, step.task, step.side) for step in STEPS] == [
        (1, "step1-aws", "aws"),
        (2, "step2-snowflake", "snowflake"),
        (3, "step3-aws", "aws"),
        (4, "step4-snowflake", "snowflake"),
        (5, "step5-aws", "aws"),
    ]
    for step in STEPS:
        assert step.title.startswith(f"Step {step.number}, ")
        assert "Documented as: " in step.documented
