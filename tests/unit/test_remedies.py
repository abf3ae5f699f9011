"""A remedy that names files names them so that a shell and `backfill --pattern` read them back."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.facts.objects import FileFormat
from runbook.ledger.asked import read as asked
from runbook.remedy import FILES, STREAM, invoke, of_all, pattern_of, remedy, told
from runbook.verify.remedies import leading
from tests.unit.observed import Known, healthy, integration, policy, role
from tests.unit.test_layout import CHECKS
from tests.unit.test_outcome import result
from tests.unit.test_taking_back import SETTINGS

LETTERS = st.characters(exclude_characters="\n")  # which `.*` does not take, in COPY's PATTERN neither
KEYS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=6, unique=True).map(tuple)
REMEDY = remedy(
    "correct it",
    invoke("backfill", "--stream", STREAM, "--pattern", FILES, "--reload-failed", lead=", then: "),
)


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
    words = shlex.split(str(REMEDY.filled("events", keys)))
    assert words[words.index("--stream") + 1] == "events"
    assert words[words.index("--pattern") + 1] == pattern_of(keys)
    assert str(REMEDY.filled("events", keys)).isprintable()


def test_a_key_may_hold_the_words_that_are_filled_in():
    made = str(REMEDY.filled("bad", ("in/STREAM KEY.gz",)))
    assert made.endswith("--stream bad --pattern 'in/STREAM KEY[.]gz' --reload-failed")
    assert str(REMEDY.filled("bad", ())).endswith("--stream bad --pattern KEY --reload-failed")


def test_many_files_are_named_by_what_they_begin_with():
    keys = tuple(f"enriched/run={day}/part.gz" for day in (1, 2, 3))
    assert pattern_of(keys) == "enriched/run=.*"
    assert pattern_of(("a.gz", "b.gz", "c.gz")) == ".*"


INSTEAD = "whoever made it mends it; what is to be done: docs/runbook.md#x"


def test_others_are_told_of_no_step_and_keep_what_a_person_can_do():
    for check in CHECKS:
        said = check.claim.remedy.without_steps(INSTEAD)
        assert [command for command in said.commands if command.only_for_ours] == []
        assert said == check.claim.remedy or str(said).endswith(INSTEAD)
    narrow = remedy("narrow that rule", invoke("step5-aws", lead="; then run: "))
    assert str(narrow.without_steps("ask")) == "narrow that rule; ask"
    assert str(remedy(invoke("step5-aws")).without_steps("ask")) == "ask"


@given(st.text("abc .,;:", max_size=20), st.sampled_from(["", "; then: ", ", or ", ": "]))
def test_what_an_error_advises_reads_as_it_was_written(words, lead):
    assert str(told(f"{words}{lead}invoke step1-aws step3-aws")) == f"{words}{lead}invoke step1-aws step3-aws"
    assert str(told(words)) == words


def test_a_command_at_the_end_of_an_errors_words_is_one():
    assert told("invoke refresh --stream events_bad").command is not None
    assert [each.line for each in told("mend it; then: invoke step1-aws").commands] == ["invoke step1-aws"]
    assert told("`invoke plan` shows it, and nothing else").commands == ()


def test_a_remedy_of_every_stream_is_one_line():
    both = [REMEDY.filled("events", ("a",)), REMEDY.filled("bad", ("b",))]
    assert of_all(both) == (
        "correct it, then: invoke backfill --stream events --pattern a --reload-failed"
        " && invoke backfill --stream bad --pattern b --reload-failed"
    )


def step(*tasks, **more):
    return result("step1.a", "failed", remedy=f"invoke {' '.join(tasks)}", **more)


def test_a_remedy_that_its_step_does_not_refuse_stays(facts_of):
    [row] = leading([step("step1-aws")], facts_of())
    assert str(row.remedy) == "invoke step1-aws"


def test_where_only_the_tags_are_gone_it_adopts(facts_of):
    bare = {"policy": policy(SETTINGS, tags={}), "role": role(SETTINGS, tags={})}
    [first, third] = leading([step("step1-aws", "step3-aws"), step("step3-aws")], facts_of(**bare))
    assert str(first.remedy) == "invoke step1-aws --adopt step3-aws"
    assert str(third.remedy) == "invoke step1-aws --adopt && invoke step3-aws"


def test_what_is_somebody_elses_is_not_adopted_unasked(facts_of):
    theirs = policy(SETTINGS, tags={}, document={"Version": "2012-10-17", "Statement": [{"Sid": "Theirs"}]})
    [row] = leading([step("step1-aws")], facts_of(policy=theirs, role=role(SETTINGS, tags={})))
    assert "was not made by this project: run the step with --adopt to take it over, or" in str(row.remedy)
    assert str(row.remedy).endswith("; then: invoke step1-aws")


def test_a_policy_that_our_marked_role_holds_is_adopted():
    """Somebody wrote it anew and took its tags off: the role still says whose it is."""
    anew = policy(SETTINGS, tags={}, document={"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]})
    holders = {"PolicyRoles": [{"RoleName": SETTINGS.aws.role_name}], "PolicyUsers": [], "PolicyGroups": []}
    known = Known(
        SETTINGS, {**healthy(SETTINGS), "policy": anew}, answers={"iam:ListEntitiesForPolicy": holders}
    )
    [row] = leading([step("step1-aws")], known)
    assert str(row.remedy) == "invoke step1-aws --adopt"


def test_whom_the_integration_belongs_to_is_named(facts_of):
    off = integration(SETTINGS, enabled=False)
    theirs = {("other owner", "INTEGRATION", "SNOWPLOW_S3"): "PLATFORM"}
    [row] = leading(
        [step("step2-snowflake")], Known(SETTINGS, {**healthy(SETTINGS), "integration": off, **theirs})
    )
    assert "have PLATFORM alter it" in str(row.remedy)
    assert "GRANT OWNERSHIP ON INTEGRATION" in str(row.remedy)


def test_whom_what_a_stream_stands_on_belongs_to_is_named():
    stream = SETTINGS.streams[0]
    format_of = ("format", stream.file_format)
    damaged = FileFormat({**healthy(SETTINGS)[format_of].options, "FIELD_DELIMITER": ","})
    theirs = {("other owner", "FILE FORMAT", stream.file_format.sql): "PLATFORM"}
    shown = [{"name": stream.file_format.name, "comment": "Snowplow (snowpipe-runbook)"}]
    facts = Known(
        SETTINGS,
        {**healthy(SETTINGS), format_of: damaged, **theirs},
        answers={f"SHOW FILE FORMATS IN SCHEMA {SETTINGS.schema_sql}": shown},
    )
    [row] = leading([step("step4-snowflake")], facts)
    assert "is owned by the role PLATFORM: have PLATFORM alter it" in str(row.remedy)
    assert f"GRANT OWNERSHIP ON FILE FORMAT {stream.file_format.sql} TO ROLE SYSADMIN" in str(row.remedy)


def test_whose_grant_is_missing_is_named():
    stream = SETTINGS.streams[0]
    held = healthy(SETTINGS)[("grants", SETTINGS.snowflake.loader_role)]
    fewer = frozenset(row for row in held if row.name != stream.stage.sql)
    theirs = {
        ("other owner", "STAGE", stream.stage.sql): "PLATFORM",
        ("grants", SETTINGS.snowflake.loader_role): fewer,
    }
    [row] = leading([step("step4-snowflake")], Known(SETTINGS, {**healthy(SETTINGS), **theirs}))
    assert "have PLATFORM grant it" in str(row.remedy)


def test_what_passed_or_is_a_persons_to_do_asks_nothing(facts_of):
    rows = [result("step1.a", remedy="invoke step1-aws"), result("step1.b", "failed", remedy="ask somebody")]
    assert list(leading(rows, None)) == rows


@pytest.fixture
def facts_of():
    return lambda **changed: Known(SETTINGS, {**healthy(SETTINGS), **changed})


def test_one_command_of_many_streams_is_a_loop_that_a_shell_runs():
    one = remedy("it is paused", invoke("resume", "--stream", STREAM, "--yes", lead="; then "))
    text = of_all(one.filled(f"s{number:02}", ()) for number in range(9))
    assert text == (
        "it is paused; then for stream in s00 s01 s02 s03 s04 s05 s06 s07 s08; do "
        'invoke resume --stream "$stream" --yes || break; done'
    )
    loop = text.removeprefix("it is paused; then ").replace("invoke", "echo")
    said = subprocess.run(["bash", "-c", loop], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "resume --stream s08 --yes"
    few = of_all(one.filled(f"s{number}", ()) for number in range(2))
    assert few == "it is paused; then invoke resume --stream s0 --yes && invoke resume --stream s1 --yes"
