"""Three stores, one plan: what DuckDB and Snowflake put together is judged as each file would be alone."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from snowpipe_sandbox.snowflake.engine import Engine, parse, translate

from runbook.errors import SettingsWrong
from runbook.facts.history import RowsOfFile
from runbook.facts.objects import StagedFile
from runbook.ledger import in_snowflake as inside
from runbook.ledger.asked import Asked
from runbook.ledger.classes import Evidence
from runbook.ledger.on_disk import OnDisk
from runbook.ledger.plain import Plain
from runbook.loading.planning import BackfillPlan, plan_store
from runbook.settings import QualifiedName, Settings
from tests.conftest import states_asked
from tests.unit.observed import staged
from tests.unit.test_backfill_classes import (
    AGES,
    EVERYTHING,
    KEYS,
    NOTHING_MORE,
    NOW,
    evidence_of,
    load,
    states,
)

NUMBER, TEXT, TRUTH = pa.int64(), pa.string(), pa.bool_()
LISTED = {"key": TEXT, "size": NUMBER, "modified": NUMBER, "matches": TRUTH, "in_time": TRUTH}
HISTORIES = {
    "key": TEXT,
    "status": TEXT,
    "loaded_at": NUMBER,
    "n": NUMBER,
    "parsed": NUMBER,
    "errors": NUMBER,
    "first_error": TEXT,
    "pipe": TEXT,
    "recent": NUMBER,
}
PRESENT = {"key": TEXT, "present_rows": NUMBER, "read_at": NUMBER, "twice": NUMBER, "misread": NUMBER}


class Snowflake:
    """Snowflake's part: its SQL by the sandbox's translation, over relations that are given."""

    def __init__(self, engine: Engine, asked: Asked, files: list[StagedFile], evidence: Evidence) -> None:
        self.cursor = engine.cursor()
        self.fetched = 0
        histories = [
            (
                *(load.key, load.status, micros(load.loaded_at), load.rows, load.rows_parsed, load.errors),
                *(load.first_error, load.pipe, recent),
            )
            for loads, recent in ((evidence.recent, 1), (evidence.account or (), 0))
            for load in loads
        ]
        given = {
            "listed": (
                LISTED,
                [
                    (file.key, file.size, micros(file.modified), asked.names(file.key), asked.in_time(file))
                    for file in files
                ],
            ),
            "histories": (HISTORIES, histories),
            "present": (
                PRESENT,
                [
                    (key, row.rows, micros(row.read_at), row.twice, row.misread)
                    for key, row in (evidence.table.files or {}).items()
                ],
            ),
        }
        self.relations = {}
        for name, (schema, rows) in given.items():
            columns = list(zip(*rows, strict=True)) or [()] * len(schema)
            arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.values(), strict=True)]
            self.cursor.register(f"GIVEN_{name.upper()}", pa.table(arrays, [each.upper() for each in schema]))
            self.relations[name] = f"SELECT * FROM given_{name}"

    def sql(self, statement: str) -> list[dict[str, Any]]:
        (text,) = translate(parse(statement)[0])
        rows = self.cursor.execute(text).fetchall()
        names = [column[0].lower() for column in self.cursor.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def batches(self, statement: str) -> Any:
        rows = self.sql(statement)
        self.fetched += len(rows)
        yield rows


def micros(moment: datetime | None) -> int | None:
    return moment and int(moment.timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def engine() -> Any:
    from snowpipe_sandbox.clock import Clock

    made = Engine(Clock())
    yield made
    made.close()


def planned_inside(
    engine: Engine, asked: Asked, files: list[StagedFile], evidence: Evidence
) -> tuple[BackfillPlan, Snowflake]:
    about_none = evidence.about((), () if evidence.account is not None else None, {})
    snowflake = Snowflake(engine, asked, files, evidence)
    question = inside.Question(asked, QualifiedName.parse("A.B.C"), about_none, ("_FILE", "_LOADED_AT"))
    question.relations |= snowflake.relations
    store = inside.Counted(about_none, "then")
    facts: Any = SimpleNamespace(reader=snowflake)
    inside._fill(facts, asked, question, store, lambda _: None)
    return plan_store(asked, store), snowflake


def everything(plan: BackfillPlan) -> dict[str, Any]:
    return {
        "tools": plan.tools,
        "matching": plan.matching,
        "listed": plan.store.listed(plan.asked),
        "first": plan.first,
        "estimated_rows": plan.estimated_rows,
        "to_load": list(plan.to_load),
        "missing": list(plan.missing),
        "refreshes": plan.refreshes(),
    }


@settings_of_hypothesis(states_asked(60), deadline=None)
@given(data=st.data())
def test_all_stores_make_the_same_plan(engine: Engine, settings: Settings, data: Any) -> None:
    names = [f"{key[: key.rindex('/') + 1]}{n}{key[key.rindex('/') + 1 :]}" for key in KEYS for n in range(3)]
    files, evidence = data.draw(states(settings, [*KEYS, *names]))
    asked = data.draw(st.sampled_from([EVERYTHING, NOTHING_MORE]))
    asked = replace(
        asked,
        pattern=data.draw(st.sampled_from([asked.pattern, re.compile(".*[0-2]?b/.*")])),
        since=data.draw(st.none() | st.sampled_from([NOW - age for age in AGES])),
    )
    files = [replace(file, etag="") for file in files]  # no rule asks for it, and DuckDB does not keep it
    inside_snowflake, _ = planned_inside(engine, asked, files, evidence)
    on_disk = plan_store(asked, OnDisk.of(asked, files, evidence))
    try:
        plain = everything(plan_store(asked, Plain.of(files, evidence)))
        assert everything(on_disk) == plain
        assert everything(inside_snowflake) == plain
    finally:
        inside_snowflake.store.close()
        on_disk.store.close()


def many_loaded(settings: Settings, count: int) -> tuple[list[StagedFile], Evidence]:
    """So many files that the pipe has loaded, and two that it was never told of."""
    loaded = [staged(f"{KEYS[2]}{n}.gz", modified=NOW - timedelta(days=2)) for n in range(count)]
    missing = [staged(f"{KEYS[3]}{n}.gz", modified=NOW - timedelta(days=1)) for n in range(2)]
    loads = tuple(load(file.key, loaded_at=file.modified + timedelta(minutes=1)) for file in loaded)
    evidence = evidence_of(settings, recent=loads, made=NOW - timedelta(days=30))
    rows = {file.key: RowsOfFile(3, NOW) for file in loaded}
    return [*loaded, *missing], replace(evidence, table=replace(evidence.table, files=rows))


def test_what_is_fetched_does_not_grow_with_what_is_loaded(engine: Engine, settings: Settings) -> None:
    """A hundred files or ten thousand that are loaded: their number is told, not their names."""
    fetched = []
    for count in (100, 10_000):
        files, evidence = many_loaded(settings, count)
        plan, snowflake = planned_inside(engine, EVERYTHING, files, evidence)
        assert (plan.matching[0], plan.loaded_by()[0]) == (count + 2, 2)
        fetched.append(snowflake.fetched)
        plan.store.close()
    assert fetched[0] == fetched[1] < 20


@pytest.mark.parametrize("pattern", ["(?i).*gz", "a*?", "a++", ".*(?!bad).*", r"(.)\1.*"])
def test_a_pattern_that_snowflake_reads_otherwise_is_refused(pattern: str) -> None:
    asked = replace(EVERYTHING, pattern=re.compile(pattern))
    with pytest.raises(SettingsWrong, match="Snowflake's regular"):
        inside.refuse_patterns_read_otherwise(asked)


@pytest.mark.parametrize("pattern", [".*", ".*/2026-01-[0-9]{2}/.*[.]gz", r".*\.gz", "(a|b)+/.*"])
def test_an_ordinary_pattern_is_read_alike(pattern: str) -> None:
    inside.refuse_patterns_read_otherwise(replace(EVERYTHING, pattern=re.compile(pattern)))
