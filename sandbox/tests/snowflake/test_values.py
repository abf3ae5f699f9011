"""Values as Snowflake reads and writes them: text of times, casts, TYPEOF, formats, errors."""

from datetime import date, datetime
from typing import Any

import pytest

MORNING = datetime.fromisoformat("2026-01-31T10:00:00")
VALUES: list[tuple[str, Any]] = [
    ("'2026-01-02 03:04:05.678901'::TIMESTAMP_NTZ::VARCHAR", "2026-01-02 03:04:05.678"),
    ("TO_VARCHAR('2026-01-02'::TIMESTAMP_NTZ)", "2026-01-02 00:00:00.000"),
    ("'2026-01-02 03:04:05 +00:00'::TIMESTAMP_LTZ::VARCHAR", "2026-01-01 19:04:05.000 -0800"),
    ("'a' || '2026-01-02'::TIMESTAMP_NTZ", "a2026-01-02 00:00:00.000"),
    ("'03:04:05.5'::TIME::VARCHAR", "03:04:05"),
    (
        "TO_VARCHAR(CONVERT_TIMEZONE('UTC', '2026-01-02 03:04:05 +00:00'::TIMESTAMP_LTZ), "
        "'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM')",
        "2026-01-02T03:04:05+00:00",
    ),
    ("TO_VARCHAR('2026-01-02 03:04:05.5'::TIMESTAMP_NTZ, 'HH24:MI:SS.FF3')", "03:04:05.500"),
    ("'ab'::BINARY", b"\xab"),
    ("TO_BINARY('ab')", b"\xab"),
    ("TO_BINARY('ab', 'UTF-8')", b"ab"),
    ("'on'::BOOLEAN", True),
    ("'off'::BOOLEAN", False),
    ("TYPEOF(PARSE_JSON('1.5'))", "DECIMAL"),
    ("TYPEOF(PARSE_JSON('1'))", "INTEGER"),
    ("TYPEOF(PARSE_JSON('null'))", "NULL_VALUE"),
    ("YEAR(TO_TIMESTAMP('1600000000123'))", 2020),
    ("YEAR(TO_TIMESTAMP('1600000000'))", 2020),
    ("NULLIF(PARSE_JSON('{\"a\": \"\"}'):a, '')::VARCHAR(10)", None),
    ("COALESCE(PARSE_JSON('{}'):a, 'x')::VARCHAR", "x"),
    ("PARSE_JSON('\"x\"')::VARCHAR", "x"),
    ("1::ARRAY", "[\n  1\n]"),
    ("1.0::FLOAT::VARCHAR", "1"),
    ("'ab'::BINARY::VARCHAR", "AB"),
    ("LENGTH(TO_BINARY('abcd'))", 2),
    ("LENGTH(PARSE_JSON('\"Text\"'))", 4),
    ("DATE_TRUNC('month', '2026-01-31'::DATE)", date(2026, 1, 1)),
    (
        "DATE_TRUNC('hour', '2026-01-31 10:20:30'::TIMESTAMP_NTZ)",
        datetime.fromisoformat("2026-01-31T10:00:00"),
    ),
    ("TRUNC('2026-01-31'::DATE, 'month')::VARCHAR", "2026-01-01"),
    ("ARRAY_CONSTRUCT('1', 'a')::VARCHAR", '["1","a"]'),
    ("OBJECT_KEYS(PARSE_JSON('{\"k\": 1}'))::VARCHAR", '["k"]'),
    ("STRTOK_TO_ARRAY('a.b', '.')::VARCHAR", '["a","b"]'),
    ("ARRAY_SLICE(PARSE_JSON('[1,2,3]'), 0, 2)::VARCHAR", "[1,2]"),
]
REFUSED = [
    ("'abz'::BINARY", 100115),
    ("'abc'::VARCHAR(2)", 100078),
    ("1::OBJECT", 100071),
    ("PARSE_JSON('{bad')", 100069),
    ("'x'::INT", 100038),
    ("1000::NUMBER(3, 0)", 100039),
]


def test_values(sql: Any) -> None:
    sql("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    wrong = [(text, got) for text, value in VALUES if (got := sql.one(f"SELECT {text}")) != value]
    assert wrong == []


def test_values_that_do_not_convert(sql: Any) -> None:
    wrong = [(text, got) for text, errno in REFUSED if (got := sql.errno(f"SELECT {text}")) != errno]
    assert wrong == []


def test_a_format_may_be_bound(session_of: Any) -> None:
    session = session_of(paramstyle="qmark")
    assert session("SELECT TO_CHAR(TO_DATE(?, ?), ?)", ("02/01/2026", "DD/MM/YYYY", "YYYY-MM")) == [
        ("2026-01",)
    ]


def test_a_result_scan_has_the_results_names(sql: Any) -> None:
    sql("SELECT 1+1, UPPER('x')")
    assert sql.columns("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))") == ["1+1", "UPPER('X')"]


@pytest.mark.parametrize("format_", ["json", "arrow"])
def test_years_above_9999_reach_the_client(session_of: Any, format_: str) -> None:
    session = session_of(session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": format_})
    with session.connection.cursor() as cursor:
        cursor.execute("SELECT '10000-01-01'::DATE AS D, 1 AS N")  # what Python makes of it is the client's
        assert [column.name for column in cursor.description] == ["D", "N"]


def test_a_missing_object_is_named_as_it_was_written(sql: Any) -> None:
    sql("CREATE DATABASE RAW")
    assert "Object 'NOPE' does not exist" in str(sql.error("SELECT * FROM nope"))
    assert "Object 'PUBLIC.NOPE' does not exist" in str(sql.error("SELECT * FROM public.nope"))
    assert {row["name"] for row in sql.dicts("SHOW SCHEMAS")} == {"INFORMATION_SCHEMA", "PUBLIC"}
