"""A backfill's plan and outcome, as a person reads them."""

from runbook.backfill.result import Result
from runbook.backfill.tell import outcome_table, plan_table, whole_seconds
from runbook.ledger.classes import Kind
from runbook.ledger.verdicts import Way
from runbook.loading.planning import plan_files
from runbook.settings import Settings
from runbook.terminal import Style
from tests.unit.observed import staged
from tests.unit.test_backfill_classes import EVERYTHING, KEY_A, evidence_of

PLAIN = Style(colour=False, width=80)


def test_the_plan_of_millions_of_files_of_every_class_fits_80_columns(settings: Settings) -> None:
    plan = plan_files(EVERYTHING, [staged(KEY_A)], evidence_of(settings))
    many = (1_000_000, 10**12)
    vars(plan)["tools"] = {(kind, way): many for kind in Kind for way in (Way.REFRESH, Way.COPY)}
    text = plan_table(plan, PLAIN)
    assert text.count("refresh and copy") == len(Kind)
    assert max(map(len, text.splitlines())) <= 80


def test_files_missing_for_one_reason_are_named_below_it(settings: Settings) -> None:
    keys = [KEY_A, KEY_A.replace("a.gz", "y.gz"), KEY_A.replace("a.gz", "z.gz")]
    plan = plan_files(EVERYTHING, [staged(key) for key in keys], evidence_of(settings))
    lines = outcome_table(Result(plan.evidence.stream, plan), PLAIN).splitlines()
    assert lines == [
        "  missing: never announced to the pipe; refresh would load it",
        *(f"    {key}" for key in keys),
    ]


def test_a_time_is_said_without_parts_of_a_second() -> None:
    assert whole_seconds("2026-11-23 20:02:41.985197+00:00") == "2026-11-23 20:02:41+00:00"
    assert whole_seconds("2026-11-23 12:02:41.985 -0800") == "2026-11-23 12:02:41 -0800"
