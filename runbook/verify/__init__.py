"""Runs the checks with pytest, finds the root cause, and tells the outcome."""

from runbook.verify.checking import check, wait_until_healthy
from runbook.verify.outcome import Outcome, Result

__all__ = ["Outcome", "Result", "check", "wait_until_healthy"]
