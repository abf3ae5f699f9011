"""Plain SQL as this project's users write it, over tables, histories and system functions."""

import datetime
from decimal import Decimal
from typing import Any

import pytest


@pytest.fixture
def t(sql: Any) -> Any:
    """A table with one row of everything."""
    sql.run(
        "CREATE DATABASE RAW",
        "CREATE TABLE T (N INT, S VARCHAR(5), V VARIANT, TS TIMESTAMP_NTZ, L TIMESTAMP_LTZ, D NUMBER(10, 2))",
        "ALTER SESSION SET TIMEZONE = 'UTC'",
        'INSERT INTO T SELECT 1, \'a\', PARSE_JSON(\'{"b": {"c": [1, 2]}, "a": "x"}\'), '
        "'2026-01-01 00:00:00.125', '2026-01-01 00:00:00', 1.5",
    )
    return sql


def test_values_come_back_with_their_types(t: Any) -> None:
    ((n, s, v, ts, local, d),) = t("SELECT * FROM T")
    assert (n, s, d) == (1, "a", Decimal("1.50"))
    assert v == '{\n  "a": "x",\n  "b": {\n    "c": [\n      1,\n      2\n    ]\n  }\n}'
    assert ts == datetime.datetime(2026, 1, 1, 0, 0, 0, 125000)  # noqa: DTZ001
    assert local == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("TRY_TO_TIMESTAMP_NTZ('2026-01-01 00:00:00.5')", datetime.datetime(2026, 1, 1, 0, 0, 0, 500000)),  # noqa: DTZ001
        ("TRY_TO_TIMESTAMP_NTZ('no time')", None),
        ("TRY_PARSE_JSON('{')", None),
        ("V:b.c[1]::INT", 2),
        ("V:a::STRING", "x"),
        ("V:missing", None),
        ("COUNT_IF(N = 1)", 1),
        ("SUM(N)", 1),
        ("SUM(D)", Decimal("1.50")),
        ("S RLIKE '[a-z]'", True),
        ("'xa' RLIKE 'a'", False),
        ("DATEDIFF('second', TS, L)", 0),
        ("IFF(N = 1, 'one', 'other')", "one"),
        (
            "CONVERT_TIMEZONE('UTC', 'America/Los_Angeles', TS)",
            datetime.datetime(2025, 12, 31, 16, 0, 0, 125000),  # noqa: DTZ001
        ),
        ("TO_TIMESTAMP_NTZ(0)", datetime.datetime(1970, 1, 1)),  # noqa: DTZ001
        ("TO_VARCHAR(TS, 'YYYY-MM-DD HH24:MI')", "2026-01-01 00:00"),
        ("SPLIT_PART('a/b/c', '/', -1)", "c"),
        ("REGEXP_SUBSTR('run=2026-01-01/x', '[0-9-]+')", "2026-01-01"),
        ("OBJECT_CONSTRUCT('a', 1)", '{\n  "a": 1\n}'),
        ("TO_DATE('2026-01-01')", datetime.date(2026, 1, 1)),
        ("7 % 4", 3),
        ("LTRIM('//a/', '/') || RTRIM('b//', '/') || TRIM(' c ')", "a/bc"),
        ("TRIM('*-a-*', '*-')", "a"),
        ("CONCAT_WS('|', 'a', '', 'b')", "a||b"),
        ("CONCAT_WS('|', 'a', NULL)", None),
        ("REGEXP_LIKE('xab', 'ab')", False),
        ("REGEXP_LIKE('xab', '.*[ab]+')", True),
        ("REGEXP_REPLACE('s3://b/a/s3://c/d', '^[^:]*://[^/]*/', '')", "a/s3://c/d"),
        ("CONTAINS('abc', 'b') AND ENDSWITH('abc', 'bc')", True),
        ("DATE_PART(EPOCH_SECOND, TS)", 1767225600),
        ("DATE_PART(EPOCH_MICROSECOND, TS)", 1767225600125000),
        ("(N = 1)::INT", 1),
    ],
)
def test_functions_of_this_project(t: Any, expression: str, value: Any) -> None:
    grouped = " GROUP BY ALL" if not expression.startswith(("COUNT", "SUM")) else ""
    assert t.one(f"SELECT {expression} FROM T{grouped}") == value


def test_qualify_keeps_one_row_a_group(t: Any) -> None:
    t("INSERT INTO T (N, S) VALUES (1, 'b'), (2, 'c')")
    rows = t("SELECT N, S FROM T QUALIFY ROW_NUMBER() OVER (PARTITION BY N ORDER BY S DESC) = 1 ORDER BY N")
    assert rows == [(1, "b"), (2, "c")]


def test_a_table_may_be_overwritten_with_what_it_holds(t: Any) -> None:
    t("INSERT INTO T (N, S) VALUES (1, 'b'), (2, 'c'), (2, 'c')")
    t("INSERT OVERWRITE INTO T (N, S) SELECT DISTINCT N, S FROM T WHERE S <> 'b'")
    assert t("SELECT N, S FROM T ORDER BY N") == [(1, "a"), (2, "c")]
    t("BEGIN")
    t("INSERT OVERWRITE INTO T (N, S) SELECT N, S FROM T WHERE N = 2")
    t("ROLLBACK")
    assert t.one("SELECT COUNT(*) FROM T") == 2


def test_columns_are_called_as_snowflake_calls_them(t: Any) -> None:
    assert t.columns("SELECT COUNT(*), n, s AS \"low\", Max(n), v:a::string FROM t GROUP BY ALL") == [
        "COUNT(*)", "N", "low", "MAX(N)", "V:A::STRING",
    ]  # fmt: skip


def test_quoted_names_are_compared_with_their_case(t: Any) -> None:
    assert t.errno('SELECT "n" FROM T') == 904
    assert t.errno('SELECT * FROM "t"') == 2003
    assert t.one('SELECT "N" FROM "T"') == 1


def test_division_by_what_may_be_zero(t: Any) -> None:
    assert t("SELECT 1 / NULLIF(n - n, 0), 6 / (n + 1), 7 % (n + 1), IFF(n = 0, 0, 4 / n) FROM t") == [
        (None, 3.0, 1, 4.0)
    ]


def test_a_list_has_at_most_16384_expressions(t: Any) -> None:
    def asked(numbers: int) -> str:
        return f"SELECT COUNT(*) FROM t WHERE n NOT IN ({', '.join(map(str, range(numbers)))})"

    t(asked(16_384))
    assert t.error(asked(16_385)).errno == 1795
    assert t.error(asked(16_385).replace("SELECT COUNT(*)", "DELETE")).errno == 1795


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SELECT NOPE FROM T", 904),
        ("SELECT NO_FUNCTION(1)", 2),
        ("INSERT INTO T (S) VALUES ('too long for it')", 100078),
        ("INSERT INTO T (N) VALUES ('x')", 100038),
        ("INSERT INTO T VALUES (1)", 2020),
        ("SELECT TO_NUMBER('x')", 100038),
        ("SELECT 1 / 0", 100051),
        ("SELECT COUNT(*) FROM T WHERE 1 / (N - N) > 0", 100051),
        ("SELECT N % (N - N) FROM T", 100051),
        ("CREATE TABLE T (A INT)", 2002),
        ("CREATE TABLE U (A INT, A INT)", 2025),
        ("DROP TABLE NOPE", 2003),
        ("SELECT 1; SELECT 2", 8),
    ],
)
def test_mistakes_have_snowflakes_numbers(t: Any, statement: str, errno: int) -> None:
    assert t.errno(statement) == errno


def test_not_null_is_enforced_and_keys_are_not(t: Any) -> None:
    t("CREATE TABLE K (A INT NOT NULL, B INT UNIQUE)")
    t("INSERT INTO K VALUES (1, 1), (1, 1)")
    assert t.errno("INSERT INTO K VALUES (NULL, 1)") == 100072


def test_a_transaction_is_seen_by_others_when_it_is_committed(t: Any, session_of: Any) -> None:
    other = session_of()
    t.run("BEGIN", "DELETE FROM T WHERE S = 'a'", "INSERT INTO T (S) VALUES ('b')")
    assert other("SELECT S FROM RAW.PUBLIC.T") == [("a",)]
    t("COMMIT")
    assert other("SELECT S FROM RAW.PUBLIC.T") == [("b",)]
    t.run("BEGIN", "TRUNCATE TABLE T", "ROLLBACK")
    assert other("SELECT S FROM RAW.PUBLIC.T") == [("b",)]


def test_a_transaction_left_open_is_undone_when_somebody_waits(t: Any, tenant: Any, session_of: Any) -> None:
    other = session_of()
    t.run("BEGIN", "DELETE FROM T")
    other("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    assert other.errno("UPDATE RAW.PUBLIC.T SET S = 'b'") == 630
    tenant.control("POST", "/clock", {"advance_s": 301})
    other("UPDATE RAW.PUBLIC.T SET S = 'b'")
    t("COMMIT")
    assert other("SELECT S FROM RAW.PUBLIC.T") == [("b",)]


def test_differs_a_transaction_sees_others_commits_from_its_own_start_only(t: Any, session_of: Any) -> None:
    """Snowflake shows them to the next statement; whoever emulates that changes this and the document."""
    t.run("BEGIN", "SELECT S FROM T")
    session_of()("UPDATE RAW.PUBLIC.T SET S = 'b'")
    assert t("SELECT S FROM T") == [("a",)]
    t("COMMIT")
    assert t("SELECT S FROM T") == [("b",)]


def test_ddl_commits_the_transaction(t: Any, session_of: Any) -> None:
    t.run("BEGIN", "DELETE FROM T", "CREATE TABLE U (A INT)")
    assert session_of().one("SELECT COUNT(*) FROM RAW.PUBLIC.T") == 0


def test_merge_counts_what_it_did(t: Any) -> None:
    rows = t.dicts(
        "MERGE INTO T USING (SELECT 1 N, 'z' S UNION ALL SELECT 9, 'y') X ON T.N = X.N "
        "WHEN MATCHED THEN UPDATE SET S = X.S WHEN NOT MATCHED THEN INSERT (N, S) VALUES (X.N, X.S)"
    )
    assert rows == [{"number of rows inserted": 1, "number of rows updated": 1}]
    assert t("SELECT N, S FROM T ORDER BY N") == [(1, "z"), (9, "y")]
    # values without a table are of the source, https://docs.snowflake.com/en/sql-reference/sql/merge
    t(
        "MERGE INTO T USING (SELECT 7 N, 'q' S) X ON T.N = X.N "
        "WHEN NOT MATCHED THEN INSERT (N, S) VALUES (N, S)"
    )
    assert t.one("SELECT S FROM T WHERE N = 7") == "q"


def test_a_wide_table_is_made_and_described(t: Any) -> None:
    fields = ", ".join(f"F{number} VARCHAR" for number in range(131))
    t(f"CREATE TABLE WIDE ({fields}, ROW_NUMBER NUMBER(38, 0), LOADED TIMESTAMP_NTZ DEFAULT SYSDATE())")
    described = t.dicts("DESC TABLE WIDE")
    assert len(described) == 133
    assert [row["type"] for row in described[130:]] == [
        "VARCHAR(16777216)",
        "NUMBER(38,0)",
        "TIMESTAMP_NTZ(9)",
    ]
    t("INSERT INTO WIDE (F0) VALUES ('x')")
    assert t.one("SELECT DATEDIFF('minute', LOADED, SYSDATE()) FROM WIDE") == 0


def test_alter_table_keeps_rows_and_checks(t: Any) -> None:
    t.run(
        "ALTER TABLE T ADD COLUMN X VARCHAR(3) DEFAULT 'q'",
        "ALTER TABLE T RENAME COLUMN S TO S2",
        "ALTER TABLE T DROP COLUMN V",
        "ALTER TABLE T ALTER COLUMN S2 SET DATA TYPE VARCHAR(10)",
    )
    assert [row[0] for row in t("DESC TABLE T")] == ["N", "S2", "TS", "L", "D", "X"]
    t("INSERT INTO T (N, S2) VALUES (2, 'ten chars!')")
    assert t("SELECT S2, X FROM T ORDER BY N") == [("a", "q"), ("ten chars!", "q")]
    assert t.errno("INSERT INTO T (X) VALUES ('long')") == 100078


def test_result_scan_reads_an_earlier_show(t: Any) -> None:
    t("SHOW TABLES IN SCHEMA RAW.PUBLIC")
    assert t('SELECT "name", "rows" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))') == [("T", 1)]


def test_information_schema_shows_what_the_role_may_see(t: Any) -> None:
    t("CREATE TABLE HIDDEN (A INT)")
    assert t.one("SELECT COUNT(*) FROM RAW.INFORMATION_SCHEMA.TABLES") == 2
    t.run(
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE R",
        "GRANT USAGE ON SCHEMA RAW.PUBLIC TO ROLE R",
        "GRANT SELECT ON TABLE RAW.PUBLIC.T TO ROLE R",
        "USE ROLE R",
    )
    rows = t("SELECT T.TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES T WHERE T.TABLE_SCHEMA = 'PUBLIC'")
    assert rows == [("T",)]


def test_a_table_says_when_it_was_last_altered(t: Any) -> None:
    """LAST_ALTERED also by a change of rows, LAST_DDL only by one of the table (info-schema/tables)."""
    asked = "SELECT CREATED, LAST_ALTERED, LAST_DDL FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'A'"
    t("CREATE TABLE A (N INT)")
    ((made, altered, changed),) = t(asked)
    assert made == altered == changed
    t("INSERT INTO A VALUES (1)")
    ((_, rows_changed, changed),) = t(asked)
    assert rows_changed > made == changed
    t("ALTER TABLE A ADD COLUMN M INT")
    ((_, altered, changed),) = t(asked)
    assert altered == changed > rows_changed


def test_several_system_relations_in_one_statement_each_keep_their_own_rows(t: Any) -> None:
    t.run("CREATE SCHEMA IF NOT EXISTS RAW.OTHER")
    for _ in range(20):
        found = t(
            "SELECT DISTINCT s.schema_name, n.column_name, p.pipe_name "
            "FROM RAW.INFORMATION_SCHEMA.SCHEMATA s JOIN RAW.INFORMATION_SCHEMA.COLUMNS n "
            "ON n.column_name = 'TS' JOIN RAW.INFORMATION_SCHEMA.SCHEMATA o ON o.schema_name = s.schema_name "
            "JOIN RAW.INFORMATION_SCHEMA.TABLES t ON t.table_name = 'T' "
            "LEFT JOIN RAW.INFORMATION_SCHEMA.PIPES p ON p.pipe_name = 'P' WHERE s.schema_name = 'OTHER'"
        )
        assert found == [("OTHER", "TS", None)]


def test_time_is_the_tenants(t: Any, tenant: Any) -> None:
    before = t.one("SELECT CURRENT_TIMESTAMP()")
    tenant.control("POST", "/clock", {"advance_s": 10 * 86400})
    assert t.one("SELECT SYSDATE()") > before.replace(tzinfo=None) + datetime.timedelta(days=9)
    t.run(
        "CREATE TABLE D (A INT, AT TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP())", "INSERT INTO D (A) VALUES (1)"
    )
    assert t.one("SELECT AT FROM D") > before + datetime.timedelta(days=9)


def test_the_default_time_zone_is_snowflakes(session_of: Any) -> None:
    assert session_of().one("SELECT CURRENT_TIMESTAMP()").utcoffset() < datetime.timedelta(0)


def test_views_read_tables_and_need_their_own_privilege(t: Any) -> None:
    t("CREATE VIEW W AS SELECT N, COUNT(*) AS HOW_MANY FROM T GROUP BY N")
    assert t("SELECT * FROM W") == [(1, 1)]
    assert [row[:2] for row in t("DESC VIEW W")] == [("N", "NUMBER(38,0)"), ("HOW_MANY", "NUMBER(38,0)")]
    assert t.errno("INSERT INTO W VALUES (1, 1)") == 2


def test_create_table_as_select_takes_the_querys_columns(t: Any) -> None:
    t("CREATE TABLE C AS SELECT N, S AS NAME, COUNT(*) C FROM T GROUP BY ALL")
    assert t("SELECT * FROM C") == [(1, "a", 1)]
    assert [row[0] for row in t("DESC TABLE C")] == ["N", "NAME", "C"]


def test_a_statement_over_a_table_needs_a_warehouse(t: Any) -> None:
    t.run("CREATE WAREHOUSE W", "DROP WAREHOUSE W")
    assert t.errno("SELECT * FROM T") == 606
    assert t.one("SELECT 1") == 1
    t("USE WAREHOUSE SANDBOX_WH")
    assert t.one("SELECT COUNT(*) FROM T") == 1


def test_a_database_and_schema_are_needed_for_unqualified_names(session_of: Any) -> None:
    fresh = session_of()
    assert fresh.errno("SELECT * FROM T") == 90105
    assert fresh.errno("USE DATABASE NOPE") == 2043


def test_keys_are_kept_and_shown(t: Any) -> None:
    """Informational, as https://docs.snowflake.com/en/sql-reference/sql/create-table-constraint says."""
    t.run(
        "CREATE TABLE K (A INT, B INT UNIQUE, C INT, CONSTRAINT MY_KEY PRIMARY KEY (C, A))",
        "ALTER TABLE K RENAME COLUMN A TO A2",
        "CREATE TABLE K2 (A INT PRIMARY KEY)",
        "INSERT INTO K2 VALUES (1), (1)",
    )
    rows = t("SHOW PRIMARY KEYS IN TABLE K")
    assert [row[1:7] for row in rows] == [
        ("RAW", "PUBLIC", "K", "C", 1, "MY_KEY"),
        ("RAW", "PUBLIC", "K", "A2", 2, "MY_KEY"),
    ]
    ((*_, column, place, name, _rely, _comment),) = t("SHOW /* a tool */ UNIQUE KEYS IN TABLE RAW.PUBLIC.K")
    assert (column, place, name.startswith("SYS_CONSTRAINT_")) == ("B", 1, True)
    assert {row[3] for row in t("SHOW PRIMARY KEYS IN SCHEMA RAW.PUBLIC")} == {"K", "K2"}
    assert {row[3] for row in t("SHOW PRIMARY KEYS IN ACCOUNT")} == {"K", "K2"}
    described = {row[0]: (row[3], row[5], row[6]) for row in t("DESC TABLE K")}
    assert described == {"A2": ("N", "Y", "N"), "B": ("Y", "N", "Y"), "C": ("N", "Y", "N")}
    assert t("SHOW IMPORTED KEYS IN TABLE K") == []
    assert t("SHOW INDEXES IN TABLE K") == []
    t("CREATE TABLE K3 (A INT REFERENCES K2 (A))")
    assert "not emulated" in str(t.error("SHOW IMPORTED KEYS IN SCHEMA RAW.PUBLIC"))


def test_what_a_schema_and_a_database_hold(t: Any) -> None:
    t.run(
        "CREATE SCHEMA RAW.MORE", "CREATE TABLE RAW.MORE.B (A INT)", "CREATE VIEW RAW.MORE.A AS SELECT 1 AS N"
    )
    assert [row[1:] for row in t("DESC SCHEMA RAW.MORE")] == [("A", "VIEW"), ("B", "TABLE")]
    names = [row[1:] for row in t("DESCRIBE DATABASE RAW")]
    assert names == [(each, "SCHEMA") for each in ("INFORMATION_SCHEMA", "MORE", "PUBLIC")]
    assert t.errno("DESC SCHEMA RAW.NOPE") == 2003


def test_a_secure_view_is_shown_as_one(sql):
    """https://docs.snowflake.com/en/user-guide/views-secure."""
    sql.run("CREATE DATABASE D", "CREATE TABLE D.PUBLIC.T AS SELECT 1 AS a")
    sql("CREATE OR REPLACE SECURE VIEW D.PUBLIC.V COMMENT = 'ours' AS SELECT a FROM D.PUBLIC.T")
    sql("CREATE VIEW D.PUBLIC.W AS SELECT a FROM D.PUBLIC.T")
    shown = {
        row["name"]: (row["is_secure"], row["comment"]) for row in sql.dicts("SHOW VIEWS IN SCHEMA D.PUBLIC")
    }
    assert shown == {"V": ("true", "ours"), "W": ("false", "")}
    assert sql("SELECT a FROM D.PUBLIC.V") == [(1,)]


def test_a_temporary_view_is_of_its_session_alone(sql, session_of):
    """https://docs.snowflake.com/en/developer-guide/snowpark/reference/python/latest/snowpark/api/snowflake.snowpark.DataFrame.create_or_replace_temp_view."""
    other = session_of()
    sql.run("CREATE DATABASE D", "CREATE TABLE D.PUBLIC.T AS SELECT 1 AS a")
    for text in ("SELECT a FROM D.PUBLIC.T", "SELECT a + 1 AS a FROM D.PUBLIC.T"):
        sql(f"CREATE OR REPLACE TEMPORARY VIEW D.PUBLIC.V (A) AS ({text})")
    assert sql("SELECT V.A FROM D.PUBLIC.V") == [(2,)]
    assert sql("DESC TABLE D.PUBLIC.V")[0][0] == "A"
    assert [row["name"] for row in sql.dicts("SHOW VIEWS IN SCHEMA D.PUBLIC")] == ["V"]
    assert other.errno("SELECT * FROM D.PUBLIC.V") == 2003
    assert other("SHOW VIEWS IN SCHEMA D.PUBLIC") == []
    other("CREATE TEMP VIEW D.PUBLIC.V AS SELECT 7 AS a")
    assert (other.one("SELECT a FROM D.PUBLIC.V"), sql.one("SELECT a FROM D.PUBLIC.V")) == (7, 2)
    sql("DROP VIEW IF EXISTS D.PUBLIC.V CASCADE")
    assert sql.errno("SELECT * FROM D.PUBLIC.V") == 2003
    other.connection.close()


def test_a_temporary_table_is_of_its_session_and_hides_what_has_its_name(sql, session_of):
    """https://docs.snowflake.com/en/user-guide/tables-temp-transient."""
    other = session_of()
    sql.run("CREATE DATABASE D", "CREATE TABLE D.PUBLIC.T AS SELECT 1 AS a")
    sql("CREATE TEMPORARY TABLE D.PUBLIC.T AS SELECT a + 6 AS a FROM D.PUBLIC.T")
    sql("CREATE TEMP TABLE D.PUBLIC.X (n INT AUTOINCREMENT, b VARCHAR)")
    sql.run("INSERT INTO D.PUBLIC.X (b) VALUES ('p'), ('q')", "UPDATE D.PUBLIC.X SET b = 'r' WHERE n = 2")
    assert (sql.one("SELECT a FROM D.PUBLIC.T"), other.one("SELECT a FROM D.PUBLIC.T")) == (7, 1)
    assert sql("SELECT n, b FROM D.PUBLIC.X ORDER BY n") == [(1, "p"), (2, "r")]
    shown = {row["name"]: row["kind"] for row in sql.dicts("SHOW TABLES IN SCHEMA D.PUBLIC")}
    assert shown == {"T": "TEMPORARY", "X": "TEMPORARY"}
    assert other.errno("SELECT * FROM D.PUBLIC.X") == 2003
    sql.run("TRUNCATE TABLE D.PUBLIC.X", "DROP TABLE D.PUBLIC.T")
    assert (sql.one("SELECT COUNT(*) FROM D.PUBLIC.X"), sql.one("SELECT a FROM D.PUBLIC.T")) == (0, 1)
    other.connection.close()


def test_show_in_what_is_missing_is_another_error_than_a_query_of_it(sql):
    """2043: https://github.com/dbt-labs/dbt-adapters (impl.py of dbt-snowflake),
    https://github.com/open-metadata/OpenMetadata/issues/4547."""
    sql("CREATE DATABASE D")
    for text in (
        "OBJECTS IN D.NOPE",
        "OBJECTS IN SCHEMA D.NOPE",
        "TABLES IN SCHEMA NOPE.PUBLIC",
        "TERSE SCHEMAS IN DATABASE NOPE",
        "VIEWS IN DATABASE NOPE",
    ):
        assert sql.errno(f"SHOW {text}") == 2043, text


def test_terse_schemas_have_five_columns(sql):
    """https://docs.snowflake.com/en/sql-reference/sql/show-schemas."""
    sql.run("CREATE DATABASE D", "CREATE SCHEMA D.ATOMIC")
    columns = sql.columns("SHOW TERSE SCHEMAS LIKE 'atomic' IN DATABASE D LIMIT 10000")
    assert columns == ["created_on", "name", "kind", "database_name", "schema_name"]
    assert [row[1:] for row in sql("SHOW TERSE SCHEMAS LIKE 'atomic' IN DATABASE D")] == [
        ("ATOMIC", None, "D", None)
    ]


def test_two_names_that_differ_only_in_case_are_not_emulated(t: Any) -> None:
    """To Snowflake they are two; the engine underneath knows one, and that is no 002002."""
    for statement in ('CREATE TABLE "t" (n INT)', 'CREATE SCHEMA IF NOT EXISTS "public"'):
        error = t.error(statement)
        assert error.errno == 2
        assert "differ only in case" in str(error)
