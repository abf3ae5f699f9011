"""How long a step waits for its checks: to the end only for what time brings."""

from dataclasses import replace

import pytest

from runbook.commands.step import may_clear as time_clears
from runbook.verify import checking
from tests.unit.observed import Known
from tests.unit.test_outcome import outcome, result
from tests.unit.test_taking_back import SETTINGS


def waited(monkeypatch, rows, *, may_clear=time_clears):
    monkeypatch.setattr(checking, "check", lambda *_, **__: outcome(*rows))
    facts = Known(SETTINGS, {})
    facts.reader.is_refused = False
    facts.reader.again = lambda: None
    found = checking.wait_until_healthy(facts, 120, lambda _: None, may_clear=may_clear)
    assert not found.is_healthy
    return facts.reader.clock


def test_what_a_person_must_change_is_not_waited_for(monkeypatch):
    assert waited(monkeypatch, [result("step1.bucket-policy-lets-the-role-read", "failed")]) <= 10


@pytest.mark.parametrize("check", ["step3.snowflake-gets-in", "step4.pipe-runs"])
def test_what_time_brings_is_waited_for_to_the_end(monkeypatch, check):
    assert waited(monkeypatch, [result(check, "failed")]) > 90
    blocked = result("step4.pipe-exists", "blocked", blocked_by=[check])
    assert waited(monkeypatch, [blocked]) > 90


def test_a_missing_right_stays_missing_and_who_is_silent_may_answer(monkeypatch):
    silent = result("step1.role-exists", "unknown", remedy="check the network")
    assert waited(monkeypatch, [replace(silent, missing_right="iam:GetRole")]) <= 10
    assert waited(monkeypatch, [silent]) > 90


def test_verify_waits_for_whatever_somebody_may_mend_meanwhile(monkeypatch):
    rows = [result("step1.bucket-policy-lets-the-role-read", "failed")]
    assert waited(monkeypatch, rows, may_clear=lambda _: True) > 90
