# ruff: noqa: E501 (a statement is one line)
"""What fills which column, as a COPY's text says, and the text that also fills one with the file's name."""

import pytest

from runbook.discovery.differences import file_column_statements
from runbook.facts.copy_columns import through, with_file_column
from runbook.facts.copy_statement import read
from runbook.settings import QualifiedName

COLUMNS = [("A", "VARCHAR"), ("B", "NUMBER"), ("c d", "VARIANT"), ("F", "VARCHAR")]
NAMES = [name for name, _ in COLUMNS]


def filled(text):
    found = through(text, COLUMNS)
    return {
        name: item.is_a + (str(item.number) if item.number else "") + ".".join(item.path)
        for name, item in found.filled.items()
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("COPY INTO t FROM @s", {"A": "field1", "B": "field2", "c d": "field3", "F": "field4"}),
        ('COPY INTO t (b, "c d") FROM @s', {"B": "field1", "c d": "field2"}),
        ("COPY INTO IDENTIFIER('t') (b) FROM @s", {"B": "field1"}),
        ("copy into t from (select $1, t.$2 as x from @s t)", {"A": "field1", "B": "field2"}),
        ("copy into t (a, f) from (select $1:from::string n, metadata$filename fn from @s)", {"A": "memberfrom", "F": "file"}),
        ("COPY INTO t (b) FROM (SELECT $1:a.b::NUMBER(10, 2) FROM @s)", {"B": "null"}),
        ("COPY INTO t (b) FROM (SELECT $2::DATE AS d FROM @s)", {"B": "null2"}),
        ("COPY INTO t (b) FROM (SELECT CURRENT_TIMESTAMP() FROM @s)", {"B": "harmless"}),
        ("COPY INTO t (b) FROM (SELECT $1:tags::ARRAY FROM @s)", {"B": "unknown"}),
        ("COPY INTO t (a) FROM (SELECT CASE WHEN $1 = ',' THEN 'from' END FROM @s)", {"A": "unknown"}),
        ("COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = NONE", {"A": "field1", "B": "field2", "c d": "field3", "F": "field4"}),
        (
            "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE' INCLUDE_METADATA = (f = METADATA$FILENAME, b=METADATA$FILE_ROW_NUMBER)",
            {"F": "file", "B": "harmless"},
        ),
    ],
)  # fmt: skip
def test_what_fills_a_column(text, found):
    assert filled(text) == found


def test_more_values_than_columns_are_noticed():
    assert through("COPY INTO t (a) FROM (SELECT $1, $2 FROM @s)", COLUMNS).unmatched
    assert through("COPY INTO t (nope) FROM @s", COLUMNS).unmatched


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "COPY INTO t FROM @s/x/ FILE_FORMAT = (TYPE = CSV)",
            'COPY INTO t (A, B, "c d", F, N) FROM (SELECT $1, $2, $3, $4, METADATA$FILENAME FROM @s/x/) FILE_FORMAT = (TYPE = CSV)',
        ),
        ("COPY INTO t (a) FROM @s (FILE_FORMAT => f)", "COPY INTO t (a, N) FROM (SELECT $1, METADATA$FILENAME FROM @s (FILE_FORMAT => f))"),
        ("COPY INTO d.s.t FROM (SELECT $1 -- ,\n FROM @s)", "COPY INTO d.s.t (A, N) FROM (SELECT $1, METADATA$FILENAME -- ,\n FROM @s)"),
        ("COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;", "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\nINCLUDE_METADATA = (N = METADATA$FILENAME)"),
        (
            "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (b = METADATA$FILE_ROW_NUMBER)",
            "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (N = METADATA$FILENAME, b = METADATA$FILE_ROW_NUMBER)",
        ),
        ("COPY INTO t FROM '@s/a b/'", ""),
    ],
)  # fmt: skip
def test_a_copy_that_also_fills_a_column_with_the_files_name(text, found):
    assert with_file_column(text, NAMES, "N") == found
    if found:
        pipe = QualifiedName.parse("D.S.P")
        before, after = (read(each, pipe.database, pipe.schema) for each in (text, found))
        assert (before.table, before.source, before.pattern, before.options) == (
            after.table,
            after.source,
            after.pattern,
            after.options,
        )
        added = through(found, [*COLUMNS, ("N", "VARCHAR")])
        assert (added.file_column, added.unmatched) == ("N", False)


def test_the_statements_stop_the_pipe_first_and_keep_what_it_has():
    pipe, table = QualifiedName.parse("D.S.P"), QualifiedName.parse('D.S."t"')
    found = file_column_statements(
        pipe, table, "COPY INTO t FROM @s", ["A", "_FILE"], {"AWS_SNS_TOPIC": "'arn'", "COMMENT": ""}
    )
    assert found[0] == "ALTER PIPE D.S.P SET PIPE_EXECUTION_PAUSED = TRUE;"
    assert found[3] == 'ALTER TABLE D.S."t" ADD COLUMN SOURCE_FILE VARCHAR;'
    assert found[4].startswith(
        "CREATE OR REPLACE PIPE D.S.P AUTO_INGEST = TRUE AWS_SNS_TOPIC = 'arn' AS\nCOPY"
    )
    assert file_column_statements(pipe, table, "COPY INTO t FROM '@s'", ["A"], {}) == []
