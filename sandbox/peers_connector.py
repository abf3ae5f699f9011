"""The Python connector's cases for peers.py: run in its environment, with the name of one."""

# ruff: noqa: D103, PT017, FBT003 - a case is called by its name, and asserts without pytest

import datetime
import decimal
import os
import sys
from typing import Any

import snowflake.connector
from snowflake.connector import DictCursor, errors

GIVEN = {
    "account": os.environ.get("PEER_ACCOUNT", ""),
    "user": os.environ.get("PEER_USER", ""),
    "password": os.environ.get("PEER_PASSWORD", ""),
    "database": "RAW",
    "schema": "SNOWPLOW",
}
ROWS = [(1, "a", datetime.date(2026, 1, 2), 1.5, True), (2, None, None, None, None)]


def session(**more: Any) -> Any:
    """A connection."""
    return snowflake.connector.connect(**{**GIVEN, **more})


def table(cursor: Any) -> None:
    """A table with ROWS."""
    cursor.execute("CREATE OR REPLACE TABLE N (I INT, S STRING, D DATE, F FLOAT, B BOOLEAN)")
    cursor.executemany("INSERT INTO N VALUES (%s, %s, %s, %s, %s)", ROWS)


def case_describes_a_result_before_it_runs(cursor: Any) -> None:
    assert [each.name for each in cursor.describe("SELECT 1 AS A, 2.5 AS B")] == ["A", "B"]


def case_rows_as_dictionaries(cursor: Any) -> None:
    found = cursor.connection.cursor(DictCursor).execute("SELECT 1 AS A").fetchone()
    assert found == {"A": 1}


def case_binds_by_percent(cursor: Any) -> None:
    assert cursor.execute("SELECT %s, %s", (1, "it's")).fetchone() == (1, "it's")
    assert cursor.execute("SELECT %(x)s", {"x": "y"}).fetchone() == ("y",)


def case_binds_by_question_mark(_: Any) -> None:
    snowflake.connector.paramstyle = "qmark"
    assert session().cursor().execute("SELECT ?, ?", (1, "a")).fetchone() == (1, "a")


def case_executemany_counts_rows(cursor: Any) -> None:
    table(cursor)
    assert cursor.rowcount == 2


def case_types_come_back(cursor: Any) -> None:
    table(cursor)
    assert cursor.execute("SELECT * FROM N ORDER BY I").fetchall() == ROWS


def case_numbers_with_a_scale_are_decimals(cursor: Any) -> None:
    assert cursor.execute("SELECT 1.50::NUMBER(10, 2)").fetchone() == (decimal.Decimal("1.50"),)


def case_times_with_and_without_a_zone(cursor: Any) -> None:
    asked = "SELECT '2026-01-02 03:04:05'::TIMESTAMP_NTZ, '2026-01-02 03:04:05 +0100'::TIMESTAMP_LTZ"
    plain, zoned = cursor.execute(asked).fetchone()
    assert plain == datetime.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - it has none
    assert zoned == datetime.datetime(2026, 1, 2, 2, 4, 5, tzinfo=datetime.UTC)


def case_several_statements(cursor: Any) -> None:
    cursor.execute("SELECT 1; SELECT 2", num_statements=2)
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]


def case_execute_string(cursor: Any) -> None:
    found = cursor.connection.execute_string("SELECT 1; SELECT 2;")
    assert [each.fetchall() for each in found] == [[(1,)], [(2,)]]


def case_an_asynchronous_query(cursor: Any) -> None:
    cursor.execute_async("SELECT 7")
    cursor.get_results_from_sfqid(cursor.sfqid)
    assert cursor.fetchall() == [(7,)]


def case_fetchmany_and_an_iteration(cursor: Any) -> None:
    cursor.execute("SELECT COLUMN1 FROM VALUES (1), (2), (3)")
    assert len(cursor.fetchmany(2)) == 2
    assert len(list(cursor)) == 1


def case_arrow(cursor: Any) -> None:
    assert cursor.execute("SELECT 1 AS A, 2 AS B").fetch_arrow_all().num_columns == 2


def case_pandas(cursor: Any) -> None:
    assert list(cursor.execute("SELECT 1 AS A").fetch_pandas_all()["A"]) == [1]


def case_an_error_has_its_number_and_state(cursor: Any) -> None:
    try:
        cursor.execute("SELECT * FROM NOPE")
    except errors.ProgrammingError as error:
        assert (error.errno, error.sqlstate) == (2003, "42S02"), (error.errno, error.sqlstate)
    else:
        raise AssertionError


def case_a_syntax_error(cursor: Any) -> None:
    try:
        cursor.execute("SELEC 1")
    except errors.ProgrammingError as error:
        assert error.errno == 1003, error.errno
    else:
        raise AssertionError


def case_a_transaction_is_undone(cursor: Any) -> None:
    table(cursor)
    cursor.connection.autocommit(False)
    cursor.execute("DELETE FROM N")
    cursor.connection.rollback()
    assert cursor.execute("SELECT COUNT(*) FROM N").fetchone() == (2,)


def case_a_wrong_password(_: Any) -> None:
    try:
        session(password="wrong")  # noqa: S106
    except errors.DatabaseError as error:
        assert error.errno in (250001, 390100), error.errno  # of connector 4, and of 5
    else:
        raise AssertionError


def case_parameters_of_a_session(_: Any) -> None:
    cursor = session(session_parameters={"QUERY_TAG": "peer"}).cursor(DictCursor)
    assert cursor.execute("SHOW PARAMETERS LIKE 'QUERY_TAG' IN SESSION").fetchone()["value"] == "peer"


def case_a_query_has_an_id(cursor: Any) -> None:
    cursor.execute("SELECT 1")
    assert cursor.sfqid
    assert cursor.execute("SELECT LAST_QUERY_ID()").fetchone()[0]


def case_semi_structured_values_are_text(cursor: Any) -> None:
    (found,) = cursor.execute("SELECT PARSE_JSON('{\"a\": 1}')").fetchone()
    assert "".join(found.split()) == '{"a":1}'


if __name__ == "__main__":
    globals()[sys.argv[1]](session().cursor())
