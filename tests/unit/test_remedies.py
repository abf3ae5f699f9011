"""A remedy that names files names them so that a shell and `backfill --pattern` read them back."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.facts.snowflake import FileFormat
from runbook.ledger.asked import read as asked
from runbook.verify.checking import filled, pattern_of
from runbook.verify.remedies import for_others, leading
from tests.unit.observed import Known, healthy, integration, policy, role
from tests.unit.test_layout import CHECKS
from tests.unit.test_outcome import result
from tests.unit.test_taking_back import SETTINGS

LETTERS = st.characters(exclude_characters="\n")  # which `.*` does not take, in COPY's PATTERN neither
KEYS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=6, unique=True).map(tuple)
REMEDY = "correct it, then: invoke backfill --stream STREAM --pattern KEY --reload-failed"


def read(pattern):
    """As `backfill --pattern` reads it."""
    return asked(pattern, since=None, until=None, max_files=1, reload_failed=False, reload_gone=False).pattern


@given(KEYS)
def test_the_pattern_takes_every_file_it_is_of(keys):
    pattern = read(pattern_of(keys))
    assert [key for key in keys if not pattern.fullmatch(key)] == []


@given(KEYS.filter(lambda keys: all(key.isprintable() for key in keys)), st.text(min_size=1, max_size=40))
def test_one_or_two_files_are_named_and_nothing_else(keys, other):
    pattern = read(pattern_of(keys[:2]))
    assert (pattern.fullmatch(other) is not None) == (other in keys[:2])


@given(KEYS)
def test_a_shell_reads_the_pattern_as_one_word(keys):
    words = shlex.split(filled(REMEDY, "events", keys))
    assert words[words.index("--stream") + 1] == "events"
    assert words[words.index("--pattern") + 1] == pattern_of(keys)
    assert filled(REMEDY, "events", keys).isprintable()


def test_a_key_may_hold_the_words_that_are_filled_in():
    made = filled(REMEDY, "bad", ("in/STREAM KEY.gz",))
    assert made.endswith("--stream bad --pattern 'in/STREAM KEY[.]gz' --reload-failed")
    assert filled(REMEDY, "bad", ()).endswith("--stream bad --pattern KEY --reload-failed")


def test_many_files_are_named_by_what_they_begin_with():
    keys = tuple(f"enriched/run={day}/part.gz" for day in (1, 2, 3))
    assert pattern_of(keys) == "enriched/run=.*"
    assert pattern_of(("a.gz", "b.gz", "c.gz")) == ".*"


def test_others_are_told_of_no_step_and_keep_what_a_person_can_do():
    for check in CHECKS:
        remedy = check.line("Remedy").strip("`")
        said = for_others(remedy, "docs/runbook.md#x")
        assert "invoke step" not in said
        assert "invoke up" not in said
        assert "invoke replace-pipe" not in said
        assert said == remedy or said.endswith(
            "whoever made it mends it; what is to be done: docs/runbook.md#x"
        )
    assert for_others("narrow that rule; then run: invoke step5-aws", "there").startswith(
        "narrow that rule; who"
    )


def step(*tasks, **more):
    return result("step1.a", "failed", remedy=f"invoke {' '.join(tasks)}", **more)


def test_a_remedy_that_its_step_does_not_refuse_stays(facts_of):
    [row] = leading([step("step1-aws")], facts_of())
    assert row.remedy == "invoke step1-aws"


def test_where_only_the_tags_are_gone_it_adopts(facts_of):
    bare = {"policy": policy(SETTINGS, tags={}), "role": role(SETTINGS, tags={})}
    [first, third] = leading([step("step1-aws", "step3-aws"), step("step3-aws")], facts_of(**bare))
    assert first.remedy == "invoke step1-aws --adopt step3-aws"
    assert third.remedy == "invoke step1-aws --adopt && invoke step3-aws"


def test_what_is_somebody_elses_is_not_adopted_unasked(facts_of):
    theirs = policy(SETTINGS, tags={}, document={"Version": "2012-10-17", "Statement": [{"Sid": "Theirs"}]})
    [row] = leading([step("step1-aws")], facts_of(policy=theirs, role=role(SETTINGS, tags={})))
    assert "was not made by this project: run the step with --adopt to take it over, or" in row.remedy
    assert row.remedy.endswith("; then: invoke step1-aws")


def test_whom_the_integration_belongs_to_is_named(facts_of):
    off = integration(SETTINGS, enabled=False)
    theirs = {("other owner", "INTEGRATION", "SNOWPLOW_S3"): "PLATFORM"}
    [row] = leading(
        [step("step2-snowflake")], Known(SETTINGS, {**healthy(SETTINGS), "integration": off, **theirs})
    )
    assert "have PLATFORM alter it" in row.remedy
    assert "GRANT OWNERSHIP ON INTEGRATION" in row.remedy


def test_whom_what_a_stream_stands_on_belongs_to_is_named():
    stream = SETTINGS.streams[0]
    format_of = ("format", stream.file_format)
    damaged = FileFormat({**healthy(SETTINGS)[format_of].options, "FIELD_DELIMITER": ","})
    theirs = {("other owner", "FILE FORMAT", stream.file_format.sql): "PLATFORM"}
    [row] = leading(
        [step("step4-snowflake")], Known(SETTINGS, {**healthy(SETTINGS), format_of: damaged, **theirs})
    )
    assert "is owned by the role PLATFORM: have PLATFORM alter it" in row.remedy
    assert f"GRANT OWNERSHIP ON FILE FORMAT {stream.file_format.sql} TO ROLE SYSADMIN" in row.remedy


def test_whose_grant_is_missing_is_named():
    stream = SETTINGS.streams[0]
    held = healthy(SETTINGS)[("grants", SETTINGS.snowflake.loader_role)]
    fewer = frozenset(row for row in held if row.name != stream.stage.sql)
    theirs = {
        ("other owner", "STAGE", stream.stage.sql): "PLATFORM",
        ("grants", SETTINGS.snowflake.loader_role): fewer,
    }
    [row] = leading([step("step4-snowflake")], Known(SETTINGS, {**healthy(SETTINGS), **theirs}))
    assert "have PLATFORM grant it" in row.remedy


def test_what_passed_or_is_a_persons_to_do_asks_nothing(facts_of):
    rows = [result("step1.a", remedy="invoke step1-aws"), result("step1.b", "failed", remedy="ask somebody")]
    assert list(leading(rows, None)) == rows


@pytest.fixture
def facts_of():
    return lambda **changed: Known(SETTINGS, {**healthy(SETTINGS), **changed})
