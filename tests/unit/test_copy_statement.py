"""A pipe's COPY, read as Snowflake reads it: comments and strings are no words."""

# ruff: noqa: E501 (a case is one line)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.facts.copy_statement import beyond, read, without_pattern
from runbook.facts.patterns import is_read_alike, told_apart
from runbook.settings import Identifier, QualifiedName

D, S = Identifier("D"), Identifier("S")
MANY = "CURRENT_TIMESTAMP, 'from @x', 'it''s', $$ from @y $$, $1:from::string, EXTRACT(year FROM $2)"


def name(text):
    return QualifiedName.parse(text)


def shown(text):
    copy = read(text, D, S)
    return (str(copy.table), str(copy.stage), copy.path, str(copy.file_format), copy.pattern, copy.on_error)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("COPY INTO T FROM @ST", ("D.S.T", "D.S.ST", "", "None", "", "SKIP_FILE")),
        ("copy into a.b.t from @a.b.st/in/", ("A.B.T", "A.B.ST", "in/", "None", "", "SKIP_FILE")),
        ("COPY INTO T FROM '@a.b.st/in put/x'", ("D.S.T", "A.B.ST", "in put/x", "None", "", "SKIP_FILE")),
        ('COPY INTO "t 1" FROM @"s t"/part-', ('D.S."t 1"', 'D.S."s t"', "part-", "None", "", "SKIP_FILE")),
        ("COPY INTO IDENTIFIER('a.b.t') (x, y) FROM @st", ("A.B.T", "D.S.ST", "", "None", "", "SKIP_FILE")),
        (f"COPY INTO T FROM (SELECT {MANY} FROM @ST/p/ t) FILE_FORMAT = f", ("D.S.T", "D.S.ST", "p/", "D.S.F", "", "SKIP_FILE")),
        ("COPY INTO T FROM @ST FILE_FORMAT = (FORMAT_NAME = 'x.y.\"z\"')", ("D.S.T", "D.S.ST", "", 'X.Y."z"', "", "SKIP_FILE")),
        ("COPY INTO T FROM @ST FILE_FORMAT=(FORMAT_NAME=x.y.z) ON_ERROR=continue", ("D.S.T", "D.S.ST", "", "X.Y.Z", "", "CONTINUE")),
        ("COPY INTO T FROM @ST FILE_FORMAT = x.y.z, ON_ERROR = 'SKIP_FILE_10%'", ("D.S.T", "D.S.ST", "", "X.Y.Z", "", "SKIP_FILE_10%")),
        ("COPY INTO T FROM @ST ON_ERROR = skip_file_10% FILE_FORMAT = 'f'", ("D.S.T", "D.S.ST", "", "D.S.F", "", "SKIP_FILE_10%")),
        ("COPY INTO T FROM (SELECT $1 FROM @ST/p (FILE_FORMAT => f, PATTERN => '.*\\\\.gz') x)", ("D.S.T", "D.S.ST", "p", "D.S.F", ".*\\.gz", "SKIP_FILE")),
        ("COPY INTO T FROM @ST PATTERN = $$.*\\.gz$$ FILE_FORMAT = (TYPE = JSON)", ("D.S.T", "D.S.ST", "", "None", ".*\\.gz", "SKIP_FILE")),
        ("COPY INTO T FROM @ST PATTERN='it''s'", ("D.S.T", "D.S.ST", "", "None", "it's", "SKIP_FILE")),
        ("COPY INTO T -- FROM @old PATTERN = 'x'\nFROM /* @older */ @ST // ON_ERROR = CONTINUE\n", ("D.S.T", "D.S.ST", "", "None", "", "SKIP_FILE")),
        ("COPY INTO T FROM (SELECT a.on_error = 'x', IFF(pattern = 'p', 1, 2) FROM @ST a)", ("D.S.T", "D.S.ST", "", "None", "", "SKIP_FILE")),
        ("COPY INTO T FROM @ST FILE_FORMAT = (TYPE=CSV FIELD_DELIMITER=',' NULL_IF=('a', 'b')) ON_ERROR = ABORT_STATEMENT", ("D.S.T", "D.S.ST", "", "None", "", "ABORT_STATEMENT")),
        ('COPY INTO "D1"."s 1"."T" FROM @"D1"."s.1"."St"/p/ FILE_FORMAT = "D1"."S1"."f"', ('D1."s 1".T', 'D1."s.1"."St"', "p/", 'D1.S1."f"', "", "SKIP_FILE")),
        ('COPY INTO T FROM @A."s".ST', ("D.S.T", 'A."s".ST', "", "None", "", "SKIP_FILE")),
        ("COPY INTO T FROM '@\"A\".\"s\".\"st\"/a b/' FILE_FORMAT = (FORMAT_NAME = \"A\".B.\"c\")", ("D.S.T", 'A."s"."st"', "a b/", 'A.B."c"', "", "SKIP_FILE")),
        ("COPY INTO T FROM (SELECT $1 FROM '@\"A\".\"B\".\"C\"/p/' (FILE_FORMAT => \"f\") t)", ("D.S.T", "A.B.C", "p/", 'D.S."f"', "", "SKIP_FILE")),
        ('COPY INTO T FROM @ST PATTERN = ".*[.]gz" ON_ERROR = "CONTINUE"', ("D.S.T", "D.S.ST", "", "None", ".*[.]gz", "CONTINUE")),
        ("COPY INTO T FROM @ST INCLUDE_METADATA = (F = METADATA$FILENAME) MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE', FILE_FORMAT = (TYPE = PARQUET)", ("D.S.T", "D.S.ST", "", "None", "", "SKIP_FILE")),
    ],
)  # fmt: skip
def test_what_a_copy_says(text, found):
    assert shown(text) == found
    assert read(text, D, S).doubt == ""
    assert shown(f"/* a comment */ {text}; -- the end") == found


def test_a_clock_in_a_string_or_a_comment_is_none():
    asked = "COPY INTO T FROM (SELECT 'CURRENT_DATE', /* SYSDATE() */ Current_Time() FROM @ST)"
    assert read(asked, D, S).clocks == ("CURRENT_TIME",)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("COPY INTO T FROM 's3://b/x'", "it reads from no stage"),
        ("COPY INTO T FROM @~/x", "'' is"),
        ("COPY INTO T FROM (SELECT $1 FROM @A JOIN @B)", "it reads from more than one place"),
        ("COPY INTO T FROM @A . B . C", "the stage's name goes on behind @A"),
        ('COPY INTO T FROM @A/"b c"/', "the stage's name goes on behind @A"),
        ("COPY INTO T FROM @IDENTIFIER('a.b.c')", "the stage's name goes on"),
        ("SELECT 1", "it names no table; it reads from no stage"),
    ],
)
def test_what_is_not_understood_is_said(text, doubt):
    found = read(text, D, S).doubt
    assert found.startswith(doubt) or (doubt == "'' is" and found)


def test_options_are_read_whatever_quotes_they_have():
    said = "FILE_FORMAT = (TYPE = \"CSV\", FIELD_DELIMITER = \",\" NULL_IF = ('', 'NULL') SKIP_HEADER = 1)"
    assert read(f"COPY INTO T FROM @ST {said}", D, S).options == {
        "TYPE": "CSV",
        "FIELD_DELIMITER": ",",
        "NULL_IF": "('','NULL')",
        "SKIP_HEADER": "1",
    }


@pytest.mark.parametrize(
    ("form", "states", "kind"),
    [
        ("", False, None),
        ("FILE_FORMAT = (TYPE = 'JSON')", True, "JSON"),
        ("FILE_FORMAT = (FORMAT_NAME = F)", True, None),
        ("FILE_FORMAT = F", True, None),
    ],
)
def test_a_copy_that_states_no_format_reads_by_the_stages(form, states, kind):
    copy = read(f"COPY INTO T FROM @ST {form}", D, S)
    assert copy.states_a_format is states
    assert copy.options.get("TYPE") == kind


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("COPY INTO T FROM @ST PATTERN = '.*' ON_ERROR = CONTINUE", "COPY INTO T FROM @ST ON_ERROR = CONTINUE"),
        ("COPY INTO T FROM @ST\nPATTERN='a b'", "COPY INTO T FROM @ST"),
        ("COPY INTO T FROM @ST (FILE_FORMAT => f, PATTERN => 'x')", "COPY INTO T FROM @ST (FILE_FORMAT => f )"),
        ("COPY INTO T FROM (SELECT $1 FROM @ST (PATTERN => 'x', FILE_FORMAT => f) t)", "COPY INTO T FROM (SELECT $1 FROM @ST ( FILE_FORMAT => f) t)"),
        ("COPY INTO T FROM (SELECT $1 FROM @ST (PATTERN => 'x') t)", "COPY INTO T FROM (SELECT $1 FROM @ST t)"),
        ("COPY INTO T FROM @ST PATTERN = 'x', FORCE = TRUE", "COPY INTO T FROM @ST FORCE = TRUE"),
        ("COPY INTO T FROM (SELECT pattern = 'p' FROM @ST)", "COPY INTO T FROM (SELECT pattern = 'p' FROM @ST)"),
        ("COPY INTO T FROM @ST -- PATTERN = 'x'\n", "COPY INTO T FROM @ST -- PATTERN = 'x'\n"),
    ],
)  # fmt: skip
def test_the_statement_without_its_pattern(text, without):
    assert without_pattern(text) == without


@pytest.mark.parametrize("pattern", [".*", ".*[.]gz", r".*\.csv", "a|b", "(x|y)+[0-9]{2}", r"\d+_\w*", ""])
def test_a_plain_pattern_is_read_alike(pattern):
    assert is_read_alike(pattern)


@pytest.mark.parametrize(
    "pattern", ["(?i)a", ".*?", "a++", r"(a)\1", r"\p{L}", r"\Qa\E", "[a-z&&[b]]", "[[:alpha:]]"]
)
def test_what_java_and_python_read_otherwise_is_said(pattern):
    assert not is_read_alike(pattern)


texts = st.text(st.sampled_from("ab@'\"\\/*-\n$(),=;.%x~ "), max_size=30)


@given(texts, texts)
def test_no_text_keeps_it_from_reading(one, other):
    """Whatever is written: an answer or a doubt, never a crash, and nothing out of a comment."""
    read(f"COPY INTO T FROM @ST {one}", D, S)
    read(f"{one} COPY INTO T FROM (SELECT {other}", D, S)
    comment = (one + other).replace("*/", "")
    assert shown(f"COPY INTO T /* {comment} */ FROM @ST")[1] == "D.S.ST" or comment.endswith("*")


@given(st.text(max_size=20).filter(lambda text: "\\" not in text))
def test_a_string_is_one_word_whatever_it_holds(text):
    quoted = text.replace("'", "''")
    found = read(f"COPY INTO T FROM (SELECT '{quoted}' FROM @ST) PATTERN = '{quoted}'", D, S)
    assert (str(found.stage), found.pattern, found.doubt) == ("D.S.ST", text, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'\t'", "\t"),
        (r"'\\t'", r"\t"),
        (r"'\x09'", "\t"),
        (r"'\011'", "\t"),
        (r"'\u00e9'", "é"),
        (r"'it''s \'so\''", "it's 'so'"),
        (r"'.*\\.csv'", r".*\.csv"),
        (r"'.*\.csv'", ".*.csv"),
        ("$$\\d$$", r"\d"),
    ],
)
def test_a_string_is_read_with_its_escapes(written: str, meant: str) -> None:
    """As https://docs.snowflake.com/en/sql-reference/data-types-text has them."""
    copy = read(f"COPY INTO T FROM @ST FILE_FORMAT = (TYPE = CSV NULL_IF = {written})", D, S)
    assert copy.options["NULL_IF"] == meant


WRITTEN = "COPY INTO D.S.T (a, b) FROM (SELECT $1, METADATA$FILENAME FROM @D.S.ST) FILE_FORMAT = (FORMAT_NAME = D.S.F) ON_ERROR = SKIP_FILE"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("COPY INTO D.S.T", "/* by hand */ copy into t"),
        ("D.S.T", '"D"."S"."T"'),
        ("D.S.T", "IDENTIFIER('D.S.T')"),
        ("FROM @D.S.ST", "FROM @D.S.ST/ -- all of it\n AS x"),
        ("SELECT $1, METADATA$FILENAME FROM @D.S.ST", "select t.$1, metadata$filename from '@st' t"),
        ("FROM @D.S.ST", "FROM @ST (FILE_FORMAT => F) t"),
        ("(FORMAT_NAME = D.S.F)", "'D.S.F'"),
        ("(FORMAT_NAME = D.S.F) ON_ERROR = SKIP_FILE", "(FORMAT_NAME = 'f'), ON_ERROR = 'SKIP_FILE';"),
        ("FILE_FORMAT = (FORMAT_NAME = D.S.F) ON_ERROR = SKIP_FILE", "on_error = skip_file file_format = D.S.F"),
        (" ON_ERROR = SKIP_FILE", ""),
        ("(a, b)", '("A", B)'),
    ],
)  # fmt: skip
def test_another_spelling_says_nothing_beyond(before, after):
    text = WRITTEN.replace(before, after, 1)
    assert text != WRITTEN
    assert beyond(text) == beyond(WRITTEN)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("$1", "$2"),
        ("$1", "TRIM($1)"),
        ("(a, b)", "(b, a)"),
        ("(a, b)", '("a", b)'),
        ("$1, METADATA$FILENAME", "METADATA$FILENAME, $1"),
        ("SKIP_FILE", "SKIP_FILE FORCE = TRUE"),
        ("SKIP_FILE", "SKIP_FILE TRUNCATECOLUMNS = TRUE"),
        ("FORMAT_NAME = D.S.F", "TYPE = CSV SKIP_HEADER = 1"),
        ("FORMAT_NAME = D.S.F", "FORMAT_NAME = D.S.F TRIM_SPACE = TRUE"),
        ("$1", "'a'"),
    ],
)  # fmt: skip
def test_what_loads_otherwise_is_seen(before, after):
    assert beyond(WRITTEN.replace(before, after, 1)) != beyond(WRITTEN)


@given(texts, texts)
def test_whatever_is_written_can_be_spelled(one, other):
    assert beyond(f"COPY INTO T FROM @ST {one} ({other}") == beyond(f"copy into T FROM @ST {one} ({other}")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (".*[.]json", r".*\.csv$", True),
        (".*orders.*[.]csv", ".*items.*[.]csv", False),
        (".*[.]gz", ".*[.]json[.]gz", False),
        (".*[.](json|csv)", ".*[.]txt", False),
        (r".*\d", ".*x", False),
        (".*", ".*[.]csv", False),
        ("", "", False),
        (".*a", "", False),
    ],
)
def test_two_patterns_are_told_apart_by_their_endings_alone(one, other, apart):
    assert told_apart(one, other) is apart
    assert told_apart(other, one) is apart
