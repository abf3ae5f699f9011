"""Execution states that the sandbox cannot be brought into: the check is red, and the root cause."""

import pytest

from runbook.facts.objects import PipeStatus
from runbook.verify import check
from tests.unit.observed import Known, healthy


@pytest.mark.parametrize(
    "state",
    [
        "FAILING_OVER",
        "READ_ONLY",
        "STALLED_EXECUTION_ERROR",
        "STALLED_INITIALIZATION_ERROR",
        "STALLED_INTERNAL_ERROR",
        "STOPPED_BY_SNOWFLAKE_ADMIN",
        "STOPPED_FEATURE_DISABLED",
        "A_STATE_OF_NEXT_YEAR",
    ],
)
def test_a_pipe_in_such_a_state_does_not_run(settings, state):
    known = healthy(settings)
    known["status", "events"] = PipeStatus({"executionState": state})
    outcome = check(Known(settings, known), deep=True)
    assert [cause.id for cause in outcome.root_causes] == ["step4.pipe-runs"]
    assert outcome.root_causes[0].observed == state
