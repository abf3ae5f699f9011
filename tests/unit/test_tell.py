"""The outcome for a person."""

# ruff: noqa: E501 (results one a line)

import re
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.clouds.network import one_line
from runbook.terminal import Style, wrapped
from runbook.verify.checking import LONGEST, NOT_ASKED, shown
from runbook.verify.tell import as_table
from tests.unit.test_outcome import outcome, result

PLAIN = Style(colour=False, width=80)
COLOURFUL = Style(colour=True, width=80)


def broken():
    """A run with every outcome in it."""
    return outcome(
        result("step1.bucket-exists"),
        result("step3.trust-has-the-external-id", "failed", observed="a", expected="b", cause="it differs", remedy="invoke step3-aws", see="docs/runbook.md#trust"),
        result("step4.stage-exists", stream="events"),
        result("step4.stage-exists", stream="events_bad"),
        result("step4.pipe-is-not-paused", "failed", stream="events", cause="it is paused", remedy="invoke resume --stream events"),
        result("step4.pipe-is-not-paused", "failed", stream="events_bad", cause="it is paused", remedy="invoke resume --stream events_bad"),
        result("step4.pipe-runs", "failed", stream="events", needs=["step4.pipe-is-not-paused"]),
        result("step5.rule-exists", "unknown", stream="events", cause="no permission", remedy="grant s3:GetBucketNotification"),
        result("delivery.files-keep-arriving", "skipped", stream="events", cause="not set"),
    )  # fmt: skip


def test_the_table_says_first_what_is_wrong_and_what_to_do():
    text = as_table(broken(), PLAIN)
    assert text.startswith(
        "not healthy: sandbox, 2 root causes (3 passed, 3 failed, 1 blocked, 1 unknown, 1\n             skipped)"
    )
    assert re.search(
        r"root cause: step3\.trust-has-the-external-id\n  claim +step3.*\n  but +it differs", text
    )
    assert (
        "  observed                              expected\n"
        "  a                                     b\n"
        "  remedy    invoke step3-aws\n  see       docs/runbook.md#trust" in text
    )
    assert "root cause: step4.pipe-is-not-paused  (events, events_bad)" in text
    assert "  remedy    invoke resume --stream events && invoke resume --stream events_bad" in text
    assert "  blocks    step4.pipe-runs" in text
    assert "cannot tell: step5.rule-exists  (events)\n  because   no permission\n  remedy    grant" in text
    assert text.count("root cause: ") == 2


def test_evidence_is_side_by_side_unless_a_word_is_too_long_for_its_half():
    arn = "arn:aws:iam::111122223333:user/abcdefghijklmnop"
    row = result("step3.a", "failed", observed="one two", expected=arn, cause="it differs")
    narrow, wide = (as_table(outcome(row), Style(colour=False, width=width)) for width in (80, 140))
    assert f"  observed  one two\n  expected  {arn}\n" in narrow
    assert [line.split() for line in wide.splitlines() if "one two" in line] == [["one", "two", arn]]


def test_a_list_of_what_is_wrong_is_told_as_that():
    row = result("step4.a", "failed", observed="INSERT on table T", expected="(none)", cause="it is missing")
    text = as_table(outcome(row), PLAIN)
    assert "  but       it is missing\n  namely    INSERT on table T\n" in text
    assert "observed" not in text
    assert "(none)" not in text


def test_what_was_skipped_is_said_once_a_reason():
    rows = [result(f"delivery.{name}", "skipped", cause="needs a warehouse") for name in "ab"]
    text = as_table(outcome(result("step1.a"), *rows), PLAIN, every=True)
    assert "skipped   delivery.a, delivery.b: needs a warehouse" in text


def test_what_was_skipped_is_one_line_with_the_headlines_numbers():
    deep = [
        result(f"delivery.d{n}", "skipped", cause=NOT_ASKED, stream=stream)
        for n in range(10)
        for stream in ("events", "events_bad")
    ]
    rest = [result(f"step3.t{n}", "skipped", cause="there is no topic") for n in range(20)]
    text = as_table(outcome(result("step1.a"), *deep, *rest), PLAIN)
    assert "skipped   20 need a warehouse (--deep), 20 do not apply; --all lists them" in text
    assert "1 passed, 40 skipped" in text
    assert "step3.t1" not in text


def test_many_blocked_checks_are_counted():
    rows = [result(f"step4.c{n}", "failed", needs=["step1.a"]) for n in range(35)]
    text = as_table(outcome(result("step1.a", "failed"), *rows), PLAIN)
    assert "  blocks    35 of step4 (--all names them)" in text
    assert len(text.splitlines()) < 24
    assert "step4.c34" in as_table(outcome(result("step1.a", "failed"), *rows), PLAIN, every=True)


def first_things(word, **more):
    names = ("step1.policy-exists", "step1.role-exists", "step2.integration-exists")
    return [result(name, word, remedy="invoke step1-aws", **more) for name in names]


def test_where_nothing_is_set_up_one_sentence_says_so():
    rows = [result(f"step4.c{n}", "failed", needs=["step2.integration-exists"]) for n in range(90)]
    text = as_table(outcome(*first_things("failed"), *rows), PLAIN)
    assert "not set up: there is no policy and no role and no storage integration" in text
    assert "  remedy    invoke up" in text
    assert len(text.splitlines()) < 12
    assert "root cause: step1.policy-exists" in as_table(outcome(*first_things("failed")), PLAIN, every=True)


def test_one_thing_that_is_gone_is_a_root_cause():
    rows = [*first_things("failed")[:1], *first_things("passed")[1:]]
    assert "root cause: step1.policy-exists" in as_table(outcome(*rows), PLAIN)
    made = [*first_things("failed"), result("step4.pipe-exists", stream="events")]
    assert "not set up" not in as_table(outcome(*made), PLAIN)


def test_what_only_the_other_administrator_sees_says_nothing_of_it():
    rows = [*first_things("failed")[:2], replace(first_things("unknown")[2], elsewhere=True)]
    assert "not set up: there is no policy and no role of the names" in as_table(outcome(*rows), PLAIN)


def rows_of(text):
    """The table's rows by their first word, one column a stream."""
    head, _, *lines = text.split("\n\n")[-2].replace("\n- ", "\n").splitlines()
    rows = [line.removeprefix("- ").split() for line in lines]
    return head.split(), {first: " ".join(rest) for first, *rest in rows}


def test_every_area_is_counted_and_what_did_not_pass_has_its_line():
    assert rows_of(as_table(broken(), PLAIN)) == (
        ["shared", "events", "events_bad"],
        {
            "step1": "1 of 1 ok - -",
            "step3": "0 of 1 ok - -",
            "trust-has-the-external-id": "FAILED",
            "step4": "- 1 of 3 ok 1 of 2 ok",
            "pipe-is-not-paused": "FAILED FAILED",
            "pipe-runs": "blocked",
            "step5": "- 0 of 1 ok -",
            "rule-exists": "unknown",
        },
    )


def test_the_columns_add_up_to_what_the_headline_counts():
    """With advice among what is ok, as in the areas' lines."""
    counts = broken().counts
    _, rows = rows_of(as_table(broken(), PLAIN))
    found = [re.findall(r"(\d+) of (\d+) ok", line) for line in rows.values()]
    good, judged = (sum(int(pair[at]) for pairs in found for pair in pairs) for at in (0, 1))
    assert good == counts["passed"] + counts["advice"]
    assert judged == sum(counts.values()) - counts["skipped"]


def test_every_check_has_its_line_when_asked():
    _, rows = rows_of(as_table(broken(), PLAIN, every=True))
    assert rows["bucket-exists"] == "ok"
    assert rows["stage-exists"] == "ok ok"
    assert rows["files-keep-arriving"] == "-"
    assert len(rows) == 5 + 7


def test_checks_stand_under_their_area():
    lines = as_table(broken(), PLAIN).splitlines()
    assert any(line.startswith("step4 ") for line in lines)
    assert any(line.startswith("- pipe-runs ") for line in lines)


def test_a_healthy_outcome_is_one_line_and_the_checks():
    text = as_table(outcome(result("step1.a"), result("step1.b", "skipped")), PLAIN)
    assert text.startswith("healthy: sandbox, 1 passed, 1 skipped\n\n")
    assert "root cause" not in text


def test_nothing_at_all_is_not_healthy():
    assert as_table(outcome(), PLAIN).startswith("not healthy: sandbox, some checks could not tell")


@given(
    st.lists(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12), max_size=60).map(
        " ".join
    )
)
def test_the_table_fits_eighty_columns(sentence):
    rows = [
        result("step2.integration-was-not-replaced", "failed", cause=sentence, observed=sentence, expected=sentence, remedy=sentence),
        result("step5.rule-covers-the-stream", "unknown", stream="events", cause=sentence, remedy=sentence),
        result("step5.rule-reaches-the-pipes-queue", "failed", stream="events_bad", cause=sentence),
    ]  # fmt: skip
    for line in as_table(outcome(*rows), PLAIN).splitlines():
        assert len(line) <= 80


def test_colour_changes_nothing_but_the_colour():
    coloured = as_table(broken(), COLOURFUL)
    assert "\x1b[31;1m" in coloured
    without = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert without == as_table(broken(), PLAIN)
    assert "\x1b" not in as_table(broken(), PLAIN)


def test_colour_is_for_terminals_that_welcome_it(monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Style.of(Terminal()).colour
    assert not Style.of(StringIO()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Style.of(Terminal()).colour
    monkeypatch.setenv("NO_COLOR", "")
    assert Style.of(Terminal()).colour
    monkeypatch.setenv("TERM", "dumb")
    assert not Style.of(Terminal()).colour


HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "a\nb\r\nc",
    "<&>\"'",
    "]]>",
    "\x00\x07\x08",
    "\u202e\u2028\x85",
    "\ud800",
    "\uffff",
    "日本 é",
    "x" * 5000,
]


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters())))
def test_text_from_outside_becomes_one_line_that_commands_nothing(text):
    line = one_line(text)
    assert line.isprintable()
    assert "\n" not in line
    assert line == one_line(line)
    line.encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\n c", "a b c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("", ""),
        ("  x  ", "x"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_how_such_a_line_looks(text, line):
    assert one_line(text) == line


def test_a_long_word_stays_whole_to_be_copied():
    arn = "arn:aws:iam::111122223333:role/" + "x" * 90
    text = wrapped("  remedy  ", f"look at {arn} again", PLAIN)
    assert arn in text.splitlines()[1]
    assert [line[:10] for line in text.splitlines()] == ["  remedy  ", " " * 10, " " * 10]


def test_advice_stands_below_what_is_broken_and_a_healthy_run_stays_healthy():
    advised = result("step1.b", "advice", observed="s3:PutObject", expected="(none)", cause="it grants more", remedy="invoke step1-aws")  # fmt: skip
    text = as_table(outcome(result("step1.a"), advised), PLAIN)
    assert text.startswith("healthy: sandbox, 1 passed, 1 advice\n\nadvice: step1.b\n")
    assert "  namely    s3:PutObject\n  remedy    invoke step1-aws" in text
    assert "root cause" not in text
    text = as_table(outcome(result("step1.a"), advised, result("step2.c", "failed")), PLAIN)
    assert text.index("root cause: step2.c") < text.index("advice: step1.b")
    strict = replace(outcome(result("step1.a"), advised), strict=True)
    assert as_table(strict, PLAIN).startswith("not healthy: sandbox, advice counts (--strict) (1 passed, 1")


MANY = [f"s{number:02}" for number in range(40)]


def test_forty_streams_fit_eighty_columns_and_one_cause_is_one_line():
    rows = [result("step1.policy-exists", "failed", cause="it is gone", remedy="invoke step1-aws")]
    rows += [result("step4.pipe-exists", stream=name) for name in MANY]
    rows += [
        result("step4.pipe-runs", "failed" if name < "s09" else "passed", stream=name, cause="stopped")
        for name in MANY
    ]
    rows += [
        result("delivery.stage-can-be-listed", "failed", stream=name, needs=["step1.policy-exists"])
        for name in MANY
    ]
    lines = as_table(outcome(*rows), PLAIN).splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert "root cause: step4.pipe-runs  (s00, s01, s02 and 6 more (--all names them))" in lines
    told = dict(
        re.split("  +", line, maxsplit=1)
        for line in lines
        if re.match("step|delivery|- ", line) and "  " in line
    )
    assert told["step4"] == "71 of 80 ok"
    assert told["- policy-exists"] == "FAILED"
    assert told["- stage-can-be-listed"] == "blocked"
    assert told["- pipe-runs"] == "FAILED s00, s01, s02 and 6 more (--all names"
    assert len(lines) < 30


def test_a_cause_in_every_one_of_many_streams_says_so_and_names_them_when_asked():
    rows = [result("step4.pipe-runs", "failed", stream=name, cause="stopped") for name in MANY]
    assert "root cause: step4.pipe-runs  (all 40 streams)" in as_table(outcome(*rows), PLAIN).splitlines()
    text = as_table(outcome(*rows), PLAIN, every=True)
    assert all(name in text.split("claim")[0] for name in MANY)


def test_a_long_list_is_cut_between_its_parts():
    names = [f"the pipe LEFT_OVER_{number} on s3://a-bucket/snowplow/old-{number}/" for number in range(30)]
    text = shown(names)
    first, _, more = text.rpartition(" and ")
    assert first.split(", ") == names[: len(first.split(", "))]
    assert more == f"{30 - len(first.split(', '))} more"
    assert len(text) < LONGEST + 20
    assert shown(names[:2]) == ", ".join(names[:2])
    assert shown([]) == "(none)"
