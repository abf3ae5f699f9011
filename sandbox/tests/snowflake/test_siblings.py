# ruff: noqa: E501 - a table of statements, one a line
"""Statements that stand beside the pipe in public set-ups: each works, or is refused by its name.

Never a syntax error, an internal one, or another engine's words. They run in order, as an administrator, in RAW.S;
the page of each group is where Snowflake writes it so.
"""

from typing import Any

import fuzzing
import pytest
from test_fuzz import OTHERS_WORDS, Fuzz

SQL = "https://docs.snowflake.com/en/sql-reference/sql/"
SIBLINGS: dict[str, tuple[str, ...]] = {
    "create-stage": (
        "CREATE STAGE a1 URL = 's3://b/in/' STORAGE_INTEGRATION = s3int DIRECTORY = (ENABLE = TRUE AUTO_REFRESH = TRUE)",
        "CREATE STAGE a2 URL = 's3://b/in/' STORAGE_INTEGRATION = s3int ENCRYPTION = (TYPE = 'AWS_SSE_KMS' KMS_KEY_ID = 'aws/key')",
        "CREATE STAGE a3 URL = 's3://b/in/' CREDENTIALS = (AWS_ROLE = 'arn:aws:iam::111122223333:role/r') FILE_FORMAT = (TYPE = JSON)",
        "CREATE OR REPLACE TEMPORARY STAGE a4 FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1)",
        "CREATE STAGE IF NOT EXISTS a5 URL = 's3://b/in/' STORAGE_INTEGRATION = s3int FILE_FORMAT = (TYPE = PARQUET) COMMENT = 'x' WITH TAG (tg = 'v')",
        "CREATE STAGE a6 ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')",
        "CREATE STAGE a7 URL = 'azure://account.blob.core.windows.net/c/p/' STORAGE_INTEGRATION = s3int",
        "CREATE STAGE a8 URL = 'gcs://b/p/' STORAGE_INTEGRATION = s3int",
        "CREATE OR ALTER STAGE a1 URL = 's3://b/in/' STORAGE_INTEGRATION = s3int DIRECTORY = (ENABLE = TRUE)",
        "CREATE STAGE a9 CLONE st",
    ),
    "alter-stage": (
        "ALTER STAGE a1 SET URL = 's3://b/in/x/'",
        "ALTER STAGE a1 REFRESH",
        "ALTER STAGE a1 REFRESH SUBPATH = 'x/'",
        "ALTER STAGE IF EXISTS a1 SET TAG tg = 'v'",
        "ALTER STAGE a1 SET FILE_FORMAT = (FORMAT_NAME = 'f')",
        "ALTER STAGE a1 SET COMMENT = 'y'",
        "SHOW STAGES LIKE 'A%' IN ACCOUNT",
        "DESC STAGE a1",
        "SELECT GET_DDL('STAGE', 'RAW.S.A1')",
        "SELECT relative_path, size, last_modified FROM DIRECTORY(@a1)",
        "ALTER STAGE a1 SET DIRECTORY = (ENABLE = FALSE)",
        "LIST @a1 PATTERN = '.*[.]gz'",
        "REMOVE @a1/x/ PATTERN = '.*'",
        "GET @a6 file:///tmp/",
        "PUT file:///tmp/x.csv @a6 AUTO_COMPRESS = TRUE OVERWRITE = TRUE",
        "COPY FILES INTO @a6 FROM @a1",
        "DROP STAGE IF EXISTS a2",
    ),
    "create-file-format": (
        "CREATE FILE FORMAT b1 TYPE = CSV COMPRESSION = GZIP FIELD_DELIMITER = '\\t' RECORD_DELIMITER = '\\n' EMPTY_FIELD_AS_NULL = TRUE NULL_IF = ('', 'NULL', '\\\\N')",
        "CREATE FILE FORMAT b2 TYPE = JSON STRIP_OUTER_ARRAY = TRUE STRIP_NULL_VALUES = FALSE IGNORE_UTF8_ERRORS = TRUE",
        "CREATE FILE FORMAT b3 TYPE = AVRO COMPRESSION = AUTO TRIM_SPACE = TRUE",
        "CREATE FILE FORMAT b4 TYPE = PARQUET SNAPPY_COMPRESSION = TRUE BINARY_AS_TEXT = FALSE USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE",
        "CREATE FILE FORMAT b5 TYPE = ORC TRIM_SPACE = FALSE",
        "CREATE FILE FORMAT b6 TYPE = XML STRIP_OUTER_ELEMENT = TRUE",
        "CREATE OR REPLACE FILE FORMAT b7 TYPE = CSV PARSE_HEADER = TRUE FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE",
        "CREATE FILE FORMAT b8 TYPE = CSV ENCODING = 'ISO88591' DATE_FORMAT = 'YYYY-MM-DD' TIMESTAMP_FORMAT = 'AUTO' BINARY_FORMAT = HEX",
        "CREATE TEMPORARY FILE FORMAT b9 TYPE = CSV",
        "ALTER FILE FORMAT b1 RENAME TO b10",
        "ALTER FILE FORMAT b10 SET COMMENT = 'x'",
        "DESCRIBE FILE FORMAT b2",
        "SHOW FILE FORMATS LIKE 'B%' IN DATABASE raw",
        "SELECT GET_DDL('FILE_FORMAT', 'RAW.S.B2')",
        "DROP FILE FORMAT b5",
    ),
    "create-pipe": (
        "CREATE PIPE c1 AUTO_INGEST = TRUE COMMENT = 'x' AS COPY INTO t (a) FROM @st FILE_FORMAT = (TYPE = CSV)",
        "CREATE PIPE c2 AUTO_INGEST = TRUE AWS_SNS_TOPIC = 'arn:aws:sns:us-west-2:111122223333:t' AS COPY INTO t (a) FROM @st",
        "CREATE OR REPLACE PIPE c3 AUTO_INGEST = TRUE ERROR_INTEGRATION = n AS COPY INTO t (a, b) FROM (SELECT $1, METADATA$FILENAME FROM @st/x/) FILE_FORMAT = (FORMAT_NAME = f) ON_ERROR = SKIP_FILE_10",
        "CREATE PIPE c4 AS COPY INTO raw.s.j (v, f, n, t) FROM (SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME FROM @st) FILE_FORMAT = (TYPE = 'JSON')",
        "CREATE PIPE c5 AUTO_INGEST = TRUE INTEGRATION = 'N' AS COPY INTO t (a) FROM @st",
        "CREATE PIPE c6 AS COPY INTO j FROM @st FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
        "CREATE PIPE c7 AS COPY INTO t (a) FROM @st PATTERN = '.*[.]csv[.]gz' ON_ERROR = 'SKIP_FILE_5%'",
        "CREATE PIPE c8 AS COPY INTO t FROM (SELECT $1:a::INT, $1:b::VARCHAR FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')))",
        "ALTER PIPE c1 REFRESH PREFIX = 'x/' MODIFIED_AFTER = '2026-11-01T00:00:00-07:00'",
        "ALTER PIPE c1 SET TAG tg = 'v'",
        "ALTER PIPE IF EXISTS c1 SET PIPE_EXECUTION_PAUSED = TRUE",
        "ALTER PIPE c1 SET ERROR_INTEGRATION = n COMMENT = 'y'",
        "ALTER PIPE c1 UNSET COMMENT",
        "DESC PIPE c1",
        "SHOW PIPES LIKE 'C%' IN SCHEMA raw.s",
        "SHOW TERSE PIPES",
        "SELECT SYSTEM$PIPE_STATUS('raw.s.c1')",
        "SELECT PARSE_JSON(SYSTEM$PIPE_STATUS('raw.s.c1')):executionState::STRING",
        "SELECT SYSTEM$PIPE_FORCE_RESUME('raw.s.c1')",
        "SELECT SYSTEM$PIPE_FORCE_RESUME('raw.s.c1', 'staleness_check_override')",
        "SELECT SYSTEM$PIPE_REBINDING_WITH_NOTIFICATION_CHANNEL('raw.s.c1')",
        "SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY('arn:aws:sns:us-west-2:111122223333:t')",
        "SELECT GET_DDL('PIPE', 'raw.s.c1', TRUE)",
        "SELECT * FROM TABLE(VALIDATE_PIPE_LOAD(PIPE_NAME => 'raw.s.c1', START_TIME => DATEADD(HOUR, -1, CURRENT_TIMESTAMP())))",
        "SELECT * FROM TABLE(VALIDATE(t, JOB_ID => '_last'))",
        "SHOW CHANNELS IN PIPE c1",
        "DROP PIPE c2",
    ),
    "create-table": (
        "CREATE TABLE d1 LIKE t",
        "CREATE TABLE d2 CLONE t",
        "CREATE TABLE d3 USING TEMPLATE (SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) FROM TABLE(INFER_SCHEMA(LOCATION => '@st', FILE_FORMAT => 'b4')))",
        "CREATE TABLE d4 (a INT, d DATE) CLUSTER BY (d, TO_DATE(d)) DATA_RETENTION_TIME_IN_DAYS = 1 CHANGE_TRACKING = TRUE ENABLE_SCHEMA_EVOLUTION = TRUE",
        "CREATE EXTERNAL TABLE d5 (x VARCHAR AS (VALUE:c1::VARCHAR)) LOCATION = @st AUTO_REFRESH = TRUE FILE_FORMAT = (TYPE = CSV)",
        "CREATE ICEBERG TABLE d6 (a INT) CATALOG = 'SNOWFLAKE' EXTERNAL_VOLUME = 'v' BASE_LOCATION = 'x/'",
        "CREATE DYNAMIC TABLE d7 TARGET_LAG = '1 minute' WAREHOUSE = sandbox_wh AS SELECT a FROM t",
        "CREATE HYBRID TABLE d8 (a INT PRIMARY KEY)",
        "CREATE TABLE d9 (a INT, b VARCHAR COLLATE 'en-ci', c GEOGRAPHY, v VECTOR(FLOAT, 3))",
        "ALTER TABLE t SET ENABLE_SCHEMA_EVOLUTION = TRUE",
        "ALTER TABLE t CLUSTER BY (a)",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS loaded TIMESTAMP_NTZ",
        "ALTER TABLE t ADD SEARCH OPTIMIZATION",
        "ALTER TABLE d1 SWAP WITH d2",
        "DESC TABLE t TYPE = STAGE",
        "SHOW COLUMNS IN TABLE t",
        "SHOW PRIMARY KEYS IN TABLE t",
        "UNDROP TABLE d99",
        "CREATE MATERIALIZED VIEW d10 AS SELECT a FROM t",
        "CREATE SECURE VIEW d11 COPY GRANTS AS SELECT a FROM t",
    ),
    "create-stream": (
        "CREATE STREAM e1 ON TABLE t APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = FALSE",
        "CREATE OR REPLACE STREAM e2 ON STAGE a1",
        "CREATE STREAM e3 ON EXTERNAL TABLE d5 INSERT_ONLY = TRUE",
        "CREATE STREAM e4 ON TABLE t AT (OFFSET => -60)",
        "SELECT SYSTEM$STREAM_HAS_DATA('e1')",
        "SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('e1')",
        "SELECT *, METADATA$ACTION, METADATA$ISUPDATE FROM e1",
        "SHOW STREAMS IN SCHEMA raw.s",
        "DESC STREAM e1",
        "ALTER STREAM e1 SET COMMENT = 'x'",
        "DROP STREAM e1",
    ),
    "create-task": (
        "CREATE TASK g1 WAREHOUSE = sandbox_wh SCHEDULE = '5 MINUTE' AS ALTER PIPE c1 REFRESH",
        "CREATE TASK g2 USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE = 'XSMALL' SCHEDULE = 'USING CRON 0 * * * * UTC' ERROR_INTEGRATION = n AS CALL p()",
        "CREATE TASK g3 WAREHOUSE = sandbox_wh AFTER g1 WHEN SYSTEM$STREAM_HAS_DATA('e2') AS INSERT INTO t (a) SELECT 1",
        "CREATE TASK g4 WAREHOUSE = sandbox_wh SCHEDULE = '60 MINUTE' SUSPEND_TASK_AFTER_NUM_FAILURES = 3 AS COPY INTO t (a) FROM @st",
        "ALTER TASK g1 RESUME",
        "ALTER TASK g1 SET SCHEDULE = '10 MINUTE'",
        "EXECUTE TASK g1",
        "SHOW TASKS LIKE 'G%' IN SCHEMA raw.s",
        "SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('raw.s.g1')",
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY(TASK_NAME => 'G1', RESULT_LIMIT => 10))",
        "DROP TASK g4",
    ),
    "create-alert": (
        "CREATE ALERT h1 WAREHOUSE = sandbox_wh SCHEDULE = '1 MINUTE' IF (EXISTS (SELECT 1 FROM t)) THEN CALL SYSTEM$SEND_EMAIL('n', 'a@b.c', 's', 't')",
        "ALTER ALERT h1 RESUME",
        "SHOW ALERTS",
        "DESC ALERT h1",
        "DROP ALERT h1",
    ),
    "create-notification-integration": (
        "CREATE NOTIFICATION INTEGRATION k1 TYPE = EMAIL ENABLED = TRUE ALLOWED_RECIPIENTS = ('a@b.c')",
        "CREATE NOTIFICATION INTEGRATION k2 TYPE = WEBHOOK ENABLED = TRUE WEBHOOK_URL = 'https://hooks.slack.com/services/X' WEBHOOK_BODY_TEMPLATE = '{\"text\": \"SNOWFLAKE_WEBHOOK_MESSAGE\"}' WEBHOOK_HEADERS = ('Content-Type' = 'application/json')",
        "CREATE NOTIFICATION INTEGRATION k3 ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = AWS_SNS AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:111122223333:t' AWS_SNS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'",
        "CREATE NOTIFICATION INTEGRATION k4 ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = AZURE_STORAGE_QUEUE AZURE_STORAGE_QUEUE_PRIMARY_URI = 'https://x.queue.core.windows.net/q' AZURE_TENANT_ID = 't'",
        "CREATE NOTIFICATION INTEGRATION k5 ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = GCP_PUBSUB GCP_PUBSUB_SUBSCRIPTION_NAME = 'projects/p/subscriptions/s'",
        "DESC NOTIFICATION INTEGRATION k3",
        "DESC INTEGRATION k3",
        "SHOW NOTIFICATION INTEGRATIONS LIKE 'K%'",
        "ALTER NOTIFICATION INTEGRATION k3 SET ENABLED = FALSE",
        "CALL SYSTEM$SEND_SNOWFLAKE_NOTIFICATION('{\"text/plain\":\"x\"}', '{\"k1\":{}}')",
        "CREATE API INTEGRATION k6 API_PROVIDER = aws_api_gateway API_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' API_ALLOWED_PREFIXES = ('https://x') ENABLED = TRUE",
        "CREATE CATALOG INTEGRATION k7 CATALOG_SOURCE = GLUE TABLE_FORMAT = ICEBERG GLUE_AWS_ROLE_ARN = 'r' GLUE_CATALOG_ID = '1' ENABLED = TRUE",
        "CREATE EXTERNAL VOLUME v1 STORAGE_LOCATIONS = ((NAME = 'l' STORAGE_PROVIDER = 'S3' STORAGE_BASE_URL = 's3://b/' STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'))",
        "DROP INTEGRATION IF EXISTS k3",
    ),
    "create-storage-integration": (
        "CREATE STORAGE INTEGRATION l1 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_AWS_EXTERNAL_ID = 'mine-1' STORAGE_AWS_OBJECT_ACL = 'bucket-owner-full-control' STORAGE_ALLOWED_LOCATIONS = ('s3://b/in/') STORAGE_BLOCKED_LOCATIONS = ('s3://b/in/x/')",
        "CREATE STORAGE INTEGRATION l2 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'GCS' ENABLED = TRUE STORAGE_ALLOWED_LOCATIONS = ('gcs://b/')",
        "CREATE STORAGE INTEGRATION l3 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'AZURE' ENABLED = TRUE AZURE_TENANT_ID = 't' STORAGE_ALLOWED_LOCATIONS = ('azure://a.blob.core.windows.net/c/')",
        "CREATE STORAGE INTEGRATION l4 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ('*') USE_PRIVATELINK_ENDPOINT = TRUE",
        "ALTER STORAGE INTEGRATION l1 SET STORAGE_ALLOWED_LOCATIONS = ('s3://b/in/', 's3://b/out/')",
        "ALTER INTEGRATION l1 UNSET STORAGE_BLOCKED_LOCATIONS",
        "ALTER STORAGE INTEGRATION IF EXISTS l1 SET COMMENT = 'x'",
        "DESCRIBE STORAGE INTEGRATION l1",
        "SHOW STORAGE INTEGRATIONS LIKE 'L%'",
        "SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('l1', 's3://b/in/', 'x.txt', 'all')",
        "SELECT SYSTEM$GET_SNOWFLAKE_PLATFORM_INFO()",
    ),
    "grant-privilege": (
        "GRANT CREATE STAGE, CREATE PIPE, CREATE FILE FORMAT, CREATE STREAM ON SCHEMA raw.s TO ROLE sysadmin",
        "GRANT CREATE INTEGRATION ON ACCOUNT TO ROLE sysadmin",
        "GRANT USAGE ON INTEGRATION i TO ROLE sysadmin",
        "GRANT OPERATE, MONITOR ON PIPE c1 TO ROLE sysadmin",
        "GRANT OPERATE ON FUTURE PIPES IN SCHEMA raw.s TO ROLE sysadmin",
        "GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA raw.s TO ROLE sysadmin",
        "GRANT SELECT ON FUTURE TABLES IN DATABASE raw TO ROLE public",
        "ALTER PIPE c1 SET PIPE_EXECUTION_PAUSED = TRUE",
        "GRANT OWNERSHIP ON PIPE c1 TO ROLE sysadmin REVOKE CURRENT GRANTS",
        "GRANT OWNERSHIP ON ALL STAGES IN SCHEMA raw.s TO ROLE accountadmin COPY CURRENT GRANTS",
        "GRANT MONITOR USAGE ON ACCOUNT TO ROLE sysadmin",
        "GRANT MONITOR EXECUTION, EXECUTE MANAGED TASK ON ACCOUNT TO ROLE sysadmin",
        "GRANT IMPORTED PRIVILEGES ON DATABASE snowflake TO ROLE sysadmin",
        "GRANT DATABASE ROLE snowflake.usage_viewer TO ROLE sysadmin",
        "GRANT EVOLVE SCHEMA ON TABLE t TO ROLE sysadmin",
        "GRANT USAGE ON WAREHOUSE sandbox_wh TO ROLE public WITH GRANT OPTION",
        "REVOKE ALL ON FUTURE TABLES IN SCHEMA raw.s FROM ROLE public",
        "CREATE DATABASE ROLE raw.dr",
        "GRANT ROLE sysadmin TO USER IDENTIFIER('nobody')",
        "SHOW GRANTS OF ROLE sysadmin",
        "SHOW GRANTS TO USER IDENTIFIER($who)",
        "SHOW FUTURE GRANTS IN DATABASE raw",
        "SHOW GRANTS ON INTEGRATION i",
        "SHOW GRANTS ON ACCOUNT",
    ),
    "show": (
        "SHOW PARAMETERS IN ACCOUNT",
        "SHOW PARAMETERS LIKE 'TIMEZONE' IN SESSION",
        "SHOW WAREHOUSES LIKE 'SANDBOX%'",
        "SHOW USERS",
        "SHOW VARIABLES",
        "SHOW LOCKS",
        "SHOW TRANSACTIONS",
        "SHOW ORGANIZATION ACCOUNTS",
        "SHOW REGIONS",
        "SHOW FUNCTIONS LIKE 'X%'",
        "SHOW USER FUNCTIONS IN SCHEMA raw.s",
        "SHOW PROCEDURES",
        "SHOW SEQUENCES",
        "SHOW EXTERNAL TABLES",
        "SHOW DYNAMIC TABLES",
        "SHOW NETWORK POLICIES",
        "SHOW RESOURCE MONITORS",
        "SHOW SHARES",
        "SHOW TAGS IN ACCOUNT",
        "SHOW MASKING POLICIES",
        "SHOW DATABASES HISTORY",
        "SHOW TABLES HISTORY IN SCHEMA raw.s",
    ),
    "../info-schema": (
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'RAW.S.T', START_TIME => DATEADD(DAYS, -7, CURRENT_TIMESTAMP()))) WHERE STATUS = 'LOAD_FAILED'",
        "SELECT * FROM TABLE(raw.information_schema.PIPE_USAGE_HISTORY(DATE_RANGE_START => DATEADD('hour', -12, CURRENT_TIMESTAMP()), PIPE_NAME => 'raw.s.c1'))",
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 5))",
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.NOTIFICATION_HISTORY())",
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.STAGE_DIRECTORY_FILE_REGISTRATION_HISTORY(STAGE_NAME => 'A1'))",
        "SELECT * FROM TABLE(INFORMATION_SCHEMA.WAREHOUSE_METERING_HISTORY(CURRENT_DATE() - 1))",
        "SELECT pipe_name, is_autoingest_enabled, notification_channel_name, definition FROM raw.information_schema.pipes",
        "SELECT stage_name, stage_url, stage_type FROM raw.information_schema.stages",
        "SELECT * FROM raw.information_schema.load_history WHERE table_name = 'T'",
        "SELECT * FROM raw.information_schema.file_formats",
        "SELECT * FROM raw.information_schema.applicable_roles",
        "SELECT * FROM raw.information_schema.object_privileges WHERE object_type = 'PIPE'",
        "SELECT * FROM raw.information_schema.usage_privileges",
        "SELECT table_name, row_count, bytes FROM raw.information_schema.tables WHERE table_schema = 'S'",
        "SELECT * FROM raw.information_schema.event_tables",
    ),
    "../account-usage": (
        "SELECT file_name, status, first_error_message FROM snowflake.account_usage.copy_history WHERE pipe_name = 'C1' AND last_load_time > DATEADD(day, -2, CURRENT_TIMESTAMP())",
        "SELECT pipe_name, SUM(credits_used) FROM snowflake.account_usage.pipe_usage_history GROUP BY 1",
        "SELECT * FROM snowflake.account_usage.load_history LIMIT 1",
        "SELECT * FROM snowflake.account_usage.pipes WHERE deleted IS NULL",
        "SELECT * FROM snowflake.account_usage.stages",
        "SELECT * FROM snowflake.account_usage.query_history WHERE query_text ILIKE '%copy into%' LIMIT 1",
        "SELECT * FROM snowflake.account_usage.login_history LIMIT 1",
        "SELECT * FROM snowflake.account_usage.grants_to_roles LIMIT 1",
        "SELECT * FROM snowflake.account_usage.metering_daily_history LIMIT 1",
        "SELECT * FROM snowflake.account_usage.task_history LIMIT 1",
        "SELECT * FROM snowflake.organization_usage.usage_in_currency_daily LIMIT 1",
    ),
    "create-event-table": (
        "CREATE EVENT TABLE m1",
        "ALTER ACCOUNT SET EVENT_TABLE = raw.s.m1",
        "ALTER DATABASE raw SET LOG_LEVEL = INFO",
        "ALTER SCHEMA raw.s SET PIPE_EXECUTION_PAUSED = TRUE",
        "ALTER SCHEMA raw.s UNSET PIPE_EXECUTION_PAUSED",
        "ALTER ACCOUNT SET PIPE_EXECUTION_PAUSED = FALSE",
        "ALTER SESSION SET TIMEZONE = 'UTC', QUERY_TAG = 'x'",
        "ALTER USER IF EXISTS nobody SET DEFAULT_ROLE = sysadmin",
        "CREATE TAG tg ALLOWED_VALUES 'v', 'w'",
        "CREATE NETWORK POLICY np ALLOWED_IP_LIST = ('0.0.0.0/0')",
        "CREATE NETWORK RULE nr TYPE = IPV4 VALUE_LIST = ('203.0.113.0/24') MODE = INGRESS",
        "CREATE RESOURCE MONITOR rm WITH CREDIT_QUOTA = 10 TRIGGERS ON 90 PERCENT DO NOTIFY",
        "CREATE SECRET sc TYPE = PASSWORD USERNAME = 'u' PASSWORD = 'p'",
        "CREATE MASKING POLICY mp AS (v STRING) RETURNS STRING -> '***'",
        "CREATE PROCEDURE p() RETURNS VARCHAR LANGUAGE SQL AS $$ BEGIN RETURN 'x'; END $$",
        "CREATE FUNCTION fn(x INT) RETURNS INT AS 'x + 1'",
        "CREATE SERVICE USER su RSA_PUBLIC_KEY = 'MIIB'",
    ),
}  # fmt: skip
"""Statements by the page that documents their form."""
BESIDE = (
    "CREATE TABLE IF NOT EXISTS RAW.S.J (V VARIANT, F VARCHAR, N INT, T TIMESTAMP_LTZ)",
    "CREATE NOTIFICATION INTEGRATION IF NOT EXISTS N ENABLED = TRUE TYPE = QUEUE DIRECTION = OUTBOUND NOTIFICATION_PROVIDER = "
    "AWS_SNS AWS_SNS_TOPIC_ARN = 'arn:aws:sns:us-west-2:111122223333:t' AWS_SNS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'",
    "SET WHO = CURRENT_USER()",
)
MISSING = (2003, 2043)
"""What was not made because its statement is not emulated is missing afterwards."""
ASKED_AWS = (3167, 93100)
"""AWS is asked last: by then the statement was understood."""


STAGED = "'s3://b/"
"""Where the statements read; the bucket in its place is the tenant's."""


@pytest.fixture
def beside(sandbox: Any, tenant: Any, pipeline: Any) -> Fuzz:
    """A session beside a stage that can be listed, so that pipes are made."""
    found = Fuzz(sandbox.tenants.get(tenant.name).account())
    pipeline.role()
    pipeline.integration()
    pipeline.trust()
    stage = f"CREATE STAGE RAW.S.ST URL = 's3://{tenant.bucket}/in/' STORAGE_INTEGRATION = S3INT"
    for statement in (*fuzzing.SETUP[:6], stage, *fuzzing.SETUP[6:], *BESIDE):
        error = found.run(statement).error
        assert error is None, f"{statement}: {error}"
    return found


def test_each_works_or_is_refused_by_its_name(beside: Fuzz, tenant: Any) -> None:
    assert sum(map(len, SIBLINGS.values())) >= 150
    wrong = []
    for page, group in SIBLINGS.items():
        for statement in group:
            error = beside.run(statement.replace(STAGED, f"'s3://{tenant.bucket}/")).error
            if error is None or (error.errno == 2 and "not emulated" in error.message):
                continue
            said = error.message.replace(statement, "")
            if error.errno not in (*MISSING, *ASKED_AWS) or OTHERS_WORDS.search(said):
                wrong.append(f"{SQL}{page}: {statement}: {error}")
    assert not wrong + beside.wrong, "\n".join([*wrong, *beside.wrong])
