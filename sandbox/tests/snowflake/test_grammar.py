# ruff: noqa: E501 - a table of statements, one a line
"""What Snowflake's parser takes is taken: statements as documents and public installations write them."""

from typing import Any

DOCS = "https://docs.snowflake.com/en/sql-reference/"
QUICKSTART = "https://quickstarts.snowflake.com/guide/getting_started_with_snowpipe"
AUTO_S3 = "https://docs.snowflake.com/en/user-guide/data-load-snowpipe-auto-s3"

CORPUS: list[tuple[str, str]] = [
    # names
    ("USE ROLE IDENTIFIER('ACCOUNTADMIN')", DOCS + "identifier-literal"),
    ("USE WAREHOUSE IDENTIFIER('SANDBOX_WH')", DOCS + "identifier-literal"),
    ("CREATE DATABASE IDENTIFIER('\"db 2\"')", DOCS + "identifier-literal"),
    ("USE SCHEMA IDENTIFIER('\"db 2\".public')", DOCS + "identifier-literal"),
    ("DROP DATABASE IDENTIFIER('\"db 2\"')", DOCS + "identifier-literal"),
    ("CREATE WAREHOUSE IF NOT EXISTS w2 WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60", DOCS + "sql/create-warehouse"),
    ("DROP WAREHOUSE IDENTIFIER('w2')", DOCS + "identifier-literal"),
    ("use warehouse sandbox_wh", DOCS + "sql/use-warehouse"),
    ("use schema raw.s", DOCS + "sql/use-schema"),
    ("DESC INTEGRATION IDENTIFIER('i')", DOCS + "identifier-literal"),
    ("select * from identifier('raw.s.t')", DOCS + "identifier-literal"),
    ("copy into identifier('t') (a) from @st", DOCS + "identifier-literal"),
    ("describe table raw.s.\"T\"", DOCS + "identifiers-syntax"),
    # values of options
    ("CREATE STORAGE INTEGRATION i2 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = S3 ENABLED = TRUE "
     "STORAGE_AWS_ROLE_ARN = \"arn:aws:iam::111122223333:role/r\" STORAGE_ALLOWED_LOCATIONS = (\"s3://b/in/\")", QUICKSTART),
    ("CREATE STORAGE INTEGRATION i3 COMMENT = 'c' TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = 'true' "
     "STORAGE_ALLOWED_LOCATIONS = ('S3://b/in/', '*') STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/p/r'",
     "https://github.com/infinityworks/snow-cannon"),
    ("CREATE OR REPLACE STAGE s2 url = ('s3://b/in/') storage_integration = i2", QUICKSTART),
    ("CREATE STAGE s3 URL = \"s3://b/in/\", STORAGE_INTEGRATION = i2, FILE_FORMAT = raw.s.f, COMMENT = \"x\"", DOCS + "sql/create-stage"),
    ("CREATE STAGE s4 STORAGE_INTEGRATION = i2 FILE_FORMAT = f URL = 's3://b/in/'", DOCS + "sql/create-stage"),
    ("CREATE STAGE s5 URL = 'S3://b/in/' STORAGE_INTEGRATION = i3 FILE_FORMAT = (FORMAT_NAME = \"RAW\".\"S\".\"F\")", DOCS + "sql/create-stage"),
    ("CREATE STAGE s6 url = 's3://b/in' credentials = (aws_key_id = 'AKIA' aws_secret_key = 's') file_format = f", DOCS + "sql/create-stage"),
    ("CREATE STAGE s7", DOCS + "sql/create-stage"),
    ("CREATE FILE FORMAT csv TYPE = CSV,\nFIELD_DELIMITER = \",\"\nSKIP_HEADER = 1", DOCS + "sql/create-file-format"),
    ("CREATE FILE FORMAT f2 SKIP_HEADER = 1, NULL_IF = (\"a\", 'b'), TYPE = \"csv\" COMMENT = \"c\"", DOCS + "sql/create-file-format"),
    ("ALTER FILE FORMAT csv SET FIELD_DELIMITER = \"|\"", DOCS + "sql/alter-file-format"),
    # pipes and COPY
    ("CREATE PIPE p2 AS (COPY INTO t (a) FROM @st)", DOCS + "sql/create-pipe"),
    ("create or replace pipe p3 comment = \"pipe\" auto_ingest = false as\n  copy into t (a)\n  from @st\n  file_format = csv\n  ", DOCS + "sql/create-pipe"),
    ("CREATE PIPE IF NOT EXISTS p4 AS COPY INTO raw.s.t (a) FROM (SELECT $1 -- the id\n FROM @raw.s.st (FILE_FORMAT => csv, PATTERN => '.*[.]csv')) ON_ERROR = 'CONTINUE'", DOCS + "sql/create-pipe"),
    ("CREATE PIPE p5 AS COPY INTO t (a) FROM @st (FILE_FORMAT => 'csv', PATTERN => '.*') on_error= skip_file", DOCS + "sql/copy-into-table"),
    ("CREATE PIPE p6 AS COPY INTO t (a) FROM '@raw.s.st/a b/' FILE_FORMAT = (FORMAT_NAME = csv)", DOCS + "sql/copy-into-table"),
    ("CREATE PIPE p7 AS COPY INTO t (a) FROM @st PATTERN = \".*\" FILE_FORMAT = raw.s.csv ON_ERROR = CONTINUE", DOCS + "sql/copy-into-table"),
    ("CREATE PIPE p8 ERROR_INTEGRATION = n AS COPY INTO t FROM @st FILE_FORMAT = (TYPE = 'JSON') MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE' "
     "INCLUDE_METADATA = (b = METADATA$FILENAME)", DOCS + "sql/copy-into-table"),
    ("ALTER PIPE p3 SET COMMENT = \"other\"", DOCS + "sql/alter-pipe"),
    ("ALTER PIPE p3 SET LOG_EVENT_LEVEL = INFO", DOCS + "sql/alter-pipe"),
    ("ALTER PIPE p3 UNSET LOG_EVENT_LEVEL", DOCS + "sql/alter-pipe"),
    ("ALTER PIPE p3 SET PIPE_EXECUTION_PAUSED = TRUE, COMMENT = 'x'", DOCS + "sql/alter-pipe"),
    ("ALTER PIPE p8 UNSET ERROR_INTEGRATION, COMMENT", DOCS + "sql/alter-pipe"),
    # SHOW
    ("SHOW SCHEMAS LIKE '%' IN DATABASE raw STARTS WITH 'S' LIMIT 1", DOCS + "sql/show-schemas"),
    ("SHOW SCHEMAS IN ACCOUNT LIMIT 1 FROM 'A'", DOCS + "sql/show-schemas"),
    ("SHOW TERSE SCHEMAS IN DATABASE raw", DOCS + "sql/show-schemas"),
    ("SHOW TERSE TABLES IN raw.s", DOCS + "sql/show-tables"),
    ("SHOW PIPES ->> SELECT \"name\", \"definition\" FROM $1 WHERE \"name\" LIKE 'P%'", DOCS + "operators-flow"),
    ("SHOW STAGES ->> SELECT COUNT(*) AS n FROM $1 ->> SELECT n + 1 FROM $1", DOCS + "operators-flow"),
    ("SHOW VIEWS", DOCS + "sql/show-views"),
    ("SHOW OBJECTS IN SCHEMA raw.s", DOCS + "sql/show-objects"),
    ("SHOW NOTIFICATION INTEGRATIONS", DOCS + "sql/show-notification-integrations"),
    ("/* JDBC */ show /* terse */ databases in account -- all\n", DOCS + "sql/show-databases"),
    # GRANT
    ("GRANT INSERT, SELECT ON raw.s.t TO ROLE public", AUTO_S3),
    ("GRANT USAGE, READ ON STAGE raw.s.st TO ROLE public", AUTO_S3),
    ("REVOKE SELECT ON raw.s.t FROM ROLE public", DOCS + "sql/revoke-privilege"),
    ("GRANT APPLY TAG ON ACCOUNT TO ROLE sysadmin", DOCS + "sql/grant-privilege"),
    ("GRANT MODIFY LOG EVENT LEVEL ON ACCOUNT TO ROLE sysadmin", DOCS + "sql/alter-pipe"),
    ("GRANT EXECUTE TASK ON ACCOUNT TO ROLE sysadmin", DOCS + "sql/grant-privilege"),
    ("GRANT CREATE STREAM, CREATE TASK ON SCHEMA raw.s TO ROLE sysadmin", DOCS + "sql/grant-privilege"),
    ("GRANT SELECT ON FUTURE STREAMS IN SCHEMA raw.s TO ROLE sysadmin", DOCS + "sql/grant-privilege"),
    # tables and queries
    ("create table if not exists t2 (k integer primary key autoincrement not null comment 'A key.', a integer null, b text null, "
     "c timestamp_ntz(9) default cast(current_timestamp() as timestamp_ntz(9)))", DOCS + "sql/create-table"),
    ("create or replace transient table t3 (a array, o object, v variant, z timestamp_tz(9), l timestamp_ltz)", DOCS + "sql/create-table"),
    ("create table t4 (k int identity (10, 5), n int autoincrement start 1 increment 2 order)", DOCS + "sql/create-table"),
    ("merge into t x using t2 y on x.a = y.a when matched then update set x.b = y.b when not matched then insert (x.a, x.b) values (y.a, y.b)", DOCS + "sql/merge"),
    ("select s.t.a, raw.s.t.b from raw.s.t", DOCS + "identifiers-syntax"),
    ("create task tk2 warehouse = sandbox_wh schedule = 'USING CRON */1 * * * * UTC' when system$stream_has_data('sm') as begin insert into t (a) values (1); "
     "if (1 = 1) then delete from t; end if; end;", DOCS + "sql/create-task"),
]  # fmt: skip
"""Statement and where it, or its form, is written. They run in order, as an administrator, in RAW.S."""


def test_a_corpus_of_statements_is_taken(sql: Any) -> None:
    sql.run(
        "CREATE DATABASE RAW",
        "CREATE SCHEMA S",
        "CREATE TABLE T (A INT, B VARCHAR)",
        "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ('*')",
        "CREATE NOTIFICATION INTEGRATION N ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = "
        "AWS_SNS AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:111122223333:t' "
        "AWS_SNS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'",
        "CREATE STAGE ST URL = 's3://b/in/' STORAGE_INTEGRATION = I",
        "CREATE FILE FORMAT F TYPE = CSV",
    )
    refused = []
    for statement, _source in CORPUS:
        try:
            sql(statement)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
            if getattr(error, "errno", None) != 3167:  # AWS is asked last: by then the text was understood
                refused.append((statement, str(error)[:200]))
    assert refused == []


def test_what_was_written_in_double_quotes_counts(sql: Any) -> None:
    sql.run(
        "CREATE DATABASE RAW",
        'CREATE FILE FORMAT F TYPE = "csv" FIELD_DELIMITER = "|", RECORD_DELIMITER = "\\n" SKIP_HEADER = 2',
    )
    shown = {row[0]: row[2] for row in sql("DESC FILE FORMAT F")}
    assert (shown["TYPE"], shown["FIELD_DELIMITER"], shown["SKIP_HEADER"]) == ("CSV", "|", "2")
    assert shown["RECORD_DELIMITER"] == "\\n"


def test_several_statements_in_one_request_are_counted_whatever_they_are(sql: Any) -> None:
    for text in ("SHOW DATABASES; SHOW SCHEMAS", "USE ROLE PUBLIC; SELECT 1", "SELECT 1; SELECT 2"):
        assert sql.errno(text) == 8


def test_the_flow_operator_hands_results_on(sql: Any) -> None:
    sql.run("CREATE DATABASE RAW", "CREATE TABLE T (A INT)", "CREATE TABLE U (A INT)")
    assert sql('SHOW TABLES ->> SELECT "name" FROM $1 WHERE "name" = \'U\'') == [("U",)]
    assert sql("SHOW TABLES ->> SHOW SCHEMAS ->> SELECT COUNT(*) FROM $2") == [(2,)]
    assert sql.one("SELECT 'a ->> b'") == "a ->> b"
