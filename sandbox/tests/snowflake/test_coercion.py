"""Text beside numbers, times and booleans: what Snowflake documents of implicit conversion."""

from decimal import Decimal
from typing import Any

import pytest

GIVEN: list[tuple[str, Any]] = [
    # the text is what is converted: https://docs.snowflake.com/en/sql-reference/functions/coalesce
    ("s > 9", True),
    ("s = 10", True),
    ("s = 10.0", True),
    ("f = 2", False),  # '1.5' is not rounded
    ("s > n", True),
    ("n < s", True),
    ("f < n", True),
    ("s > d", True),
    ("s > '9'", False),  # two texts compare as text
    ("s <> 10", False),
    ("s IN (1, 10)", True),
    ("f IN (1, 2)", False),
    ("s BETWEEN 1 AND 20", True),
    ("n BETWEEN '1' AND s", True),
    ("n > '1.5'", True),
    ("dt > '2025-01-01'", True),
    ("day_text = dt", True),
    ("ts > day_text", True),
    ("b = yes", True),
    # arithmetic: https://docs.snowflake.com/en/sql-reference/data-type-conversion
    ("s + 1", Decimal("11.00000")),
    ("n * f", Decimal("3.00000")),
    ("n + '1'", 3),
    ("s - f", Decimal("8.50000")),
    ("-s", Decimal("-10.00000")),
    ("s + -f", Decimal("8.50000")),
    ("COALESCE(s, 1) > 9", True),
    ("IFF(s > 9, n + f, 0)", Decimal("3.50000")),
    ("s * d", 15.0),
    ("COALESCE('17', 1)", 17),
    ("COALESCE(s, 1)", Decimal("10.00000")),
    ("IFF(b, s, n)", Decimal("10.00000")),
    ("CASE WHEN b THEN n ELSE s END", Decimal("2.00000")),
    # https://docs.snowflake.com/en/sql-reference/functions/sum
    ("SUM(s)", 10.0),
    ("AVG(f)", 1.5),
    ("SUM(s) + 1", 11.0),
]


@pytest.fixture
def table(sql: Any) -> Any:
    sql.run(
        "CREATE DATABASE D",
        "CREATE TABLE D.PUBLIC.T (s VARCHAR, f VARCHAR, n INT, d FLOAT, b BOOLEAN, yes VARCHAR, dt DATE, "
        "ts TIMESTAMP_NTZ, day_text VARCHAR)",
        "INSERT INTO D.PUBLIC.T VALUES ('10', '1.5', 2, 1.5, TRUE, 'true', '2026-01-02', "
        "'2026-01-02 03:04:05', '2026-01-02')",
    )
    return sql


def test_text_is_converted_to_what_stands_beside_it(table: Any) -> None:
    got = [(text, table.one(f"SELECT {text} FROM D.PUBLIC.T"), value) for text, value in GIVEN]
    assert [each for each in got if each[1] != each[2]] == []


def test_also_in_a_condition_in_a_query_of_a_query_and_in_a_change(table: Any) -> None:
    asked = (
        "WITH a AS (SELECT MAX(s) AS m, COUNT(*) AS k FROM D.PUBLIC.T) SELECT m - k FROM a WHERE m > k",
        "SELECT x.s + y.n FROM D.PUBLIC.T AS x JOIN D.PUBLIC.T AS y ON x.s > y.n WHERE x.f < 2",
        "SELECT more + 1 FROM (SELECT s AS more FROM D.PUBLIC.T)",
    )
    assert [table.one(each) for each in asked] == [9, 12, 11]
    table("CREATE VIEW D.PUBLIC.V AS SELECT s, s + 1 AS one_more FROM D.PUBLIC.T WHERE s > 9")
    assert table("SELECT one_more FROM D.PUBLIC.V WHERE one_more > s") == [(11,)]
    assert table("UPDATE D.PUBLIC.T SET s = s * 2 WHERE s > 9 AND f < 2") == [(1, 0)]
    assert table("DELETE FROM D.PUBLIC.T WHERE s < 20") == [(0,)]
    assert table("DELETE FROM D.PUBLIC.T WHERE s = 20") == [(1,)]


@pytest.mark.parametrize("text", ["s > 9", "s = 9", "s + 1", "SUM(s)", "COALESCE(s, 1)", "s IN (1, 2)"])
def test_what_is_no_number_fails_as_a_cast_does(table: Any, text: str) -> None:
    table("INSERT INTO D.PUBLIC.T (s) VALUES ('ten')")
    error = table.error(f"SELECT {text} FROM D.PUBLIC.T")
    assert error.errno == 100038
    assert "Numeric value 'ten' is not recognized" in str(error)


@pytest.mark.parametrize("text", ["dt + day_text", "ABS(s)", "ROUND(f)"])
def test_what_cannot_be_worked_out_is_refused(table: Any, text: str) -> None:
    assert "not emulated" in str(table.error(f"SELECT {text} FROM D.PUBLIC.T"))
