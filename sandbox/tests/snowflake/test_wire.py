"""The protocol as the connector uses it: async, multi-statement, bindings, cancel, several at once."""

import datetime
import os
import subprocess
import textwrap
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import snowflake.connector
from snowflake.connector import DictCursor


def test_wrong_password_role_or_account_cannot_log_in(tenant: Any) -> None:
    for wrong, errno in (
        ({"password": "no"}, 390100),
        ({"role": "NOPE"}, 390189),
        ({"account": "NOPE"}, 390201),
    ):
        with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
            tenant.connect(**wrong)
        assert caught.value.errno == errno


@pytest.mark.parametrize("what", ["database", "schema", "warehouse"])
def test_names_of_a_login_are_echoed_and_checked_where_the_client_asks(tenant: Any, what: str) -> None:
    for name in ("NOPE", "5"):
        unchecked = tenant.connect(**{what: name})
        assert getattr(unchecked, what) == name
        assert unchecked.cursor().execute(f"SELECT CURRENT_{what.upper()}()").fetchone() == (None,)
    with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
        tenant.connect(validate_default_parameters=True, **{what: "NOPE"})
    assert caught.value.errno == 390201
    assert f"The requested {what} does not exist or not authorized." in str(caught.value)


def test_the_account_may_be_named_with_its_organization(tenant: Any) -> None:
    described = tenant.described["snowflake"]
    connection = tenant.connect(account=f"{described['organization']}-{described['account']}")
    assert connection.cursor().execute("SELECT CURRENT_ORGANIZATION_NAME()").fetchone() == (
        described["organization"],
    )


def test_a_login_brings_role_and_context(tenant: Any, sql: Any) -> None:
    sql("CREATE DATABASE RAW")
    connection = tenant.connect(role="sysadmin", warehouse="sandbox_wh", database="raw", schema="public")
    row = (
        connection.cursor()
        .execute("SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE()")
        .fetchone()
    )
    assert row == ("SYSADMIN", "SANDBOX_WH", None)  # SYSADMIN may not use RAW
    assert tenant.connect(database="raw").schema == "PUBLIC"


def test_dict_cursor_gives_names(sql: Any) -> None:
    with sql.connection.cursor(DictCursor) as cursor:
        assert cursor.execute("SELECT 1 AS A, 'x' AS \"b\"").fetchall() == [{"A": 1, "b": "x"}]


ARROW = (
    "SELECT 1 AS n, 1.25 AS d, 'é' AS t, TRUE AS b, '2026-01-02 03:04:05.678901'::TIMESTAMP_NTZ AS at, "
    "'2026-01-02'::DATE AS day, NULL AS nothing FROM (SELECT 1 UNION ALL SELECT 2)"
)


def test_results_are_fetched_as_arrow(sql: Any) -> None:
    with sql.connection.cursor() as cursor:
        cursor.execute(ARROW)
        whole = pa.concat_tables(cursor.fetch_arrow_batches())
    assert whole.column_names == ["N", "D", "T", "B", "AT", "DAY", "NOTHING"]
    first, second = whole.to_pylist()
    assert first == second
    assert first == {
        "N": 1,
        "D": Decimal("1.25"),
        "T": "é",
        "B": True,
        "AT": datetime.datetime.fromisoformat("2026-01-02 03:04:05.678901"),
        "DAY": datetime.date(2026, 1, 2),
        "NOTHING": None,
    }


def test_results_are_fetched_in_batches(sql: Any) -> None:
    with sql.connection.cursor() as cursor:
        cursor.execute(ARROW)
        batches = cursor.get_result_batches()
        assert sum(batch.rowcount for batch in batches) == 2
        assert [row[0] for batch in batches for row in batch] == [1, 1]


def test_async_queries_are_watched_and_fetched(sql: Any) -> None:
    connection = sql.connection
    with connection.cursor() as cursor:
        cursor.execute_async("SELECT 42 AS A")
        query_id = cursor.sfqid
        while connection.is_still_running(connection.get_query_status(query_id)):
            time.sleep(0.01)
        cursor.get_results_from_sfqid(query_id)
        assert cursor.fetchall() == [(42,)]
    with connection.cursor() as cursor:
        cursor.execute_async("SELECT * FROM NOWHERE.AT.ALL")
        query_id = cursor.sfqid
        while connection.is_still_running(connection.get_query_status(query_id)):
            time.sleep(0.01)
        with pytest.raises(snowflake.connector.errors.ProgrammingError) as caught:
            connection.get_query_status_throw_if_error(query_id)
        assert caught.value.errno == 2003


def test_several_statements_in_one_request(sql: Any) -> None:
    with sql.connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT ';' -- ; no\n; SHOW ROLES LIKE 'PUBLIC'", num_statements=0)
        assert cursor.fetchall() == [(1,)]
        assert cursor.nextset()
        assert cursor.fetchall() == [(";",)]
        assert cursor.nextset()
        assert cursor.fetchone()[1] == "PUBLIC"
        assert not cursor.nextset()
    assert sql.errno("SELECT 1; SELECT 2") == 8


def test_the_first_failure_ends_a_request_of_several(sql: Any) -> None:
    with pytest.raises(snowflake.connector.errors.ProgrammingError) as caught:
        sql("CREATE ROLE A; CREATE ROLE A; CREATE ROLE B", num_statements=3)
    assert caught.value.errno == 2002
    assert [row["name"] for row in sql.dicts("SHOW ROLES") if row["name"] in ("A", "B")] == ["A"]


def test_values_are_bound_on_the_server(tenant: Any) -> None:
    connection = tenant.connect(paramstyle="qmark")
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001
    values = (1, "it's; --", 1.5, None, True, datetime.date(2026, 1, 2), moment)
    with connection.cursor() as cursor:
        assert cursor.execute("SELECT ?, ?, ?, ?, ?, ?, ?", values).fetchone()[:4] == (
            1,
            "it's; --",
            1.5,
            None,
        )
        cursor.execute("CREATE DATABASE RAW")
        cursor.execute("CREATE TABLE T (A INT, B VARCHAR)")
        cursor.executemany("INSERT INTO T VALUES (?, ?)", [(number, f"row {number}") for number in range(50)])
        assert cursor.rowcount == 50
        assert cursor.execute("SELECT B FROM T WHERE A = ?", (7,)).fetchall() == [("row 7",)]


def test_values_are_bound_on_the_client(sql: Any) -> None:
    assert sql("SELECT %s, %s", ("it's", 3)) == [("it's", 3)]
    assert sql("SELECT %(a)s", {"a": "x\\y"}) == [("x\\y",)]


def test_columns_are_described_without_running(sql: Any) -> None:
    sql("CREATE DATABASE RAW")
    sql("CREATE TABLE T (A NUMBER(10, 2), B VARCHAR)")
    with sql.connection.cursor() as cursor:
        described = cursor.describe("SELECT A, B, COUNT(*) AS N FROM T GROUP BY ALL")
    assert [(column.name, column.type_code) for column in described] == [("A", 0), ("B", 2), ("N", 0)]


def test_a_statement_is_cancelled(sql: Any, session_of: Any) -> None:
    sql.run(
        "CREATE DATABASE RAW", "CREATE TABLE T AS SELECT SEQ4() N FROM TABLE(GENERATOR(ROWCOUNT => 30000))"
    )
    slow = "SELECT COUNT(*) FROM T A, T B, T C WHERE MOD(A.N * B.N + C.N, 7) = 3"
    with sql.connection.cursor() as cursor:
        cursor.execute_async(slow)
        query_id = cursor.sfqid
    session_of()(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    while sql.connection.is_still_running(sql.connection.get_query_status(query_id)):
        time.sleep(0.01)
    with pytest.raises(snowflake.connector.errors.ProgrammingError) as caught:
        sql.connection.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 604


def test_a_statement_ends_after_its_timeout(sql: Any) -> None:
    sql.run(
        "CREATE DATABASE RAW",
        "CREATE TABLE T AS SELECT SEQ4() N FROM TABLE(GENERATOR(ROWCOUNT => 30000))",
        "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1",
    )
    assert sql.errno("SELECT COUNT(*) FROM T A, T B, T C WHERE MOD(A.N * B.N + C.N, 7) = 3") == 630


def test_a_long_statement_does_not_hold_up_other_sessions(sql: Any, session_of: Any) -> None:
    sql.run(
        "CREATE DATABASE RAW", "CREATE TABLE T AS SELECT SEQ4() N FROM TABLE(GENERATOR(ROWCOUNT => 30000))"
    )
    other = session_of()
    with sql.connection.cursor() as cursor:
        cursor.execute_async("SELECT COUNT(*) FROM T A, T B, T C WHERE MOD(A.N * B.N + C.N, 7) = 3")
        query_id = cursor.sfqid
    assert len(other("SHOW ROLES")) >= 6
    assert sql.connection.is_still_running(sql.connection.get_query_status(query_id))
    other(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")


def test_sessions_write_side_by_side(sql: Any, session_of: Any) -> None:
    """INSERTs do not wait for each other; UPDATEs and DELETEs of one table do, and none is lost."""
    sql.run(
        "CREATE DATABASE RAW",
        "CREATE TABLE RAW.PUBLIC.T (WHO INT, N INT)",
        "INSERT INTO RAW.PUBLIC.T VALUES (-1, 0)",
    )
    failures: list[Exception] = []

    def work(session: Any, who: int) -> None:
        try:
            for _ in range(10):
                session(f"INSERT INTO RAW.PUBLIC.T VALUES ({who}, 1)")
                session("UPDATE RAW.PUBLIC.T SET N = N + 1 WHERE WHO = -1")
        except Exception as error:  # noqa: BLE001 - shown by the assert below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(session_of(), who)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sql.one("SELECT N FROM RAW.PUBLIC.T WHERE WHO = -1") == 60
    assert sql.one("SELECT COUNT(*) FROM RAW.PUBLIC.T WHERE WHO >= 0") == 60


def test_a_session_that_was_closed_is_gone(tenant: Any) -> None:
    connection = tenant.connect()
    connection.close()
    with pytest.raises(snowflake.connector.errors.DatabaseError):
        connection.cursor().execute("SELECT 1")


def test_every_statement_is_logged_with_what_it_was(sql: Any, tenant: Any) -> None:
    start = tenant.control("GET", "/requests?since=0")["next"]
    sql.run(
        "SHOW PIPES IN ACCOUNT",
        "CREATE DATABASE RAW",
        "ALTER SESSION SET QUERY_TAG = 'x'",
        "USE ROLE SYSADMIN",
    )
    sql.errno("DROP PIPE RAW.PUBLIC.NOPE")
    logged = [
        (each["operation"], each["access"], each["status"], each["caller"].partition("/")[2])
        for each in tenant.requests(start)
        if each["cloud"] == "snowflake"
    ]
    assert logged == [
        ("SHOW PIPES", "read", "success", "ACCOUNTADMIN"),
        ("CREATE DATABASE", "write", "success", "ACCOUNTADMIN"),
        ("ALTER SESSION", "read", "success", "ACCOUNTADMIN"),
        ("USE ROLE", "read", "success", "ACCOUNTADMIN"),
        ("DROP PIPE", "write", "002003", "SYSADMIN"),
    ]


CONNECTOR_5 = os.environ.get("SANDBOX_CONNECTOR_5_PYTHON", "")


@pytest.mark.skipif(not CONNECTOR_5, reason="SANDBOX_CONNECTOR_5_PYTHON names no Python with connector 5.x")
def test_connector_5_speaks_it_too(tenant: Any) -> None:
    described = tenant.described["snowflake"]
    script = textwrap.dedent("""
        import sys, time, warnings
        warnings.simplefilter("ignore")
        import snowflake.connector
        assert snowflake.connector.__version__.startswith("5."), snowflake.connector.__version__
        host, port, account, user, password = sys.argv[1:]
        connection = snowflake.connector.connect(
            host=host, port=int(port), protocol="http", account=account, user=user, password=password,
            session_parameters={"TIMEZONE": "UTC"},
        )
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE RAW")
        cursor.execute("CREATE TABLE T (A INT, B VARCHAR, C TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP())")
        cursor.execute("INSERT INTO T (A, B) VALUES (%s, %s)", (1, "it's"))
        assert cursor.rowcount == 1
        cursor.execute("SELECT A, B, C IS NOT NULL, NULL, 1.5::NUMBER(5,2) FROM T")
        (row,) = cursor.fetchall()
        assert row[:4] == (1, "it's", True, None) and str(row[4]) == "1.50", row
        cursor.execute("SHOW TABLES")
        assert cursor.fetchone()[1] == "T"
        cursor.execute("SELECT 1; SELECT 2", num_statements=2)
        assert cursor.fetchall() == [(1,)] and cursor.nextset() and cursor.fetchall() == [(2,)]
        try:
            cursor.execute("SELECT * FROM NOPE")
        except snowflake.connector.errors.ProgrammingError as error:
            assert (error.errno, error.sqlstate) == (2003, "42S02"), error
        else:
            raise AssertionError("no error")
        handle = cursor.execute_async("SELECT COUNT(*) FROM T")
        query_id = handle["queryId"]
        while connection.is_still_running(connection.get_query_status(query_id)):
            time.sleep(0.01)
        cursor.get_results_from_sfqid(query_id)
        assert cursor.fetchall() == [(1,)]
        connection.close()
        print("fine")
    """)
    login = [str(described[key]) for key in ("host", "port", "account", "user", "password")]
    assert Path(CONNECTOR_5).exists()
    done = subprocess.run(
        [CONNECTOR_5, "-c", script, *login], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("fine", 0), done.stderr
