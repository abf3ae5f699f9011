# ruff: noqa: E501 - worksheets as their authors would write them
"""Shapes that public installations have: each is built as its author would, files arrive, rows are counted.

What the shapes come from: repositories and Terraform modules with ``AUTO_INGEST``, re-expressed; nothing of
theirs is copied. A shape the sandbox does not have is refused as "not emulated", by name.
"""

import io
import json
import re
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from loading_rig import World
from snowpipe_sandbox.snowflake.errors import SnowflakeError


@dataclass(frozen=True)
class Shape:
    """``sheet``: the author's worksheet; ``files``: what arrives; ``found``: queries and their rows."""

    sheet: str
    files: dict[str, str]
    found: dict[str, list[tuple]]
    notified: str = ""
    pipes: tuple[str, ...] = field(default=())


def parquet(lines):
    sink = io.BytesIO()
    pq.write_table(pa.json.read_json(io.BytesIO(lines.encode())), sink)
    return sink.getvalue()


INTEGRATION = """
USE ROLE ACCOUNTADMIN;
CREATE OR REPLACE STORAGE INTEGRATION s3_int
  TYPE = EXTERNAL_STAGE
  STORAGE_PROVIDER = 'S3'
  ENABLED = TRUE
  STORAGE_AWS_ROLE_ARN = '{role_arn}'
  STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket}/');
"""

SHAPES = {
    "csv: format named in the stage, header, NULL texts, pipe in a schema of its own": Shape(
        """
CREATE OR REPLACE DATABASE manage_db; CREATE OR REPLACE SCHEMA manage_db.file_formats;
CREATE OR REPLACE SCHEMA manage_db.external_stages; CREATE OR REPLACE SCHEMA manage_db.pipes;
CREATE OR REPLACE DATABASE our_first_db;
// Create table first
CREATE OR REPLACE TABLE our_first_db.public.employees (id INT, first_name STRING, email STRING);
CREATE OR REPLACE file format manage_db.file_formats.csv_fileformat
    type = csv
    field_delimiter = ','
    skip_header = 1
    null_if = ('NULL','null')
    empty_field_as_null = TRUE;
CREATE OR REPLACE stage manage_db.external_stages.csv_folder
    URL = 's3://{bucket}/csv/snowpipe'
    STORAGE_INTEGRATION = s3_int
    FILE_FORMAT = manage_db.file_formats.csv_fileformat;
LIST @manage_db.external_stages.csv_folder  ;
CREATE OR REPLACE pipe manage_db.pipes.p
auto_ingest = TRUE
AS
COPY INTO our_first_db.public.employees
FROM @manage_db.external_stages.csv_folder  ;
DESC PIPE manage_db.pipes.p;
ALTER PIPE manage_db.pipes.p refresh;
SELECT SYSTEM$PIPE_STATUS('manage_db.pipes.p');
""",
        {"csv/snowpipe/e1.csv": "id,first_name,email\n1,Ann,NULL\n2,,b@c\n"},
        {
            "SELECT id, first_name, email FROM our_first_db.public.employees ORDER BY id": [
                (1, "Ann", None),
                (2, None, "b@c"),
            ],
            "SELECT STATUS FROM TABLE(our_first_db.INFORMATION_SCHEMA.COPY_HISTORY(table_name => "
            "'OUR_FIRST_DB.PUBLIC.EMPLOYEES', START_TIME => DATEADD(HOUR, -2, CURRENT_TIMESTAMP())))": [
                ("Loaded",)
            ],
        },
    ),
    "csv: dates and times cast by the SELECT, the file's name, defaults": Shape(
        """
CREATE DATABASE clinic; USE DATABASE clinic; CREATE SCHEMA raw;
CREATE FILE FORMAT raw.csv_format TYPE = 'CSV' FIELD_OPTIONALLY_ENCLOSED_BY = '"' SKIP_HEADER = 1
  TRIM_SPACE = TRUE ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE ENCODING = 'UTF8';
CREATE STAGE IF NOT EXISTS raw.patients_stage URL = 's3://{bucket}/patients/' STORAGE_INTEGRATION = s3_int
  FILE_FORMAT = raw.csv_format;
CREATE TABLE raw.patients (patient_id VARCHAR(20), born DATE, updated_at TIMESTAMP_NTZ, _source_file VARCHAR,
  _loaded_at TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP());
CREATE PIPE IF NOT EXISTS raw.p
    AUTO_INGEST = TRUE
    COMMENT     = 'Loads new patient CSV files from S3 automatically'
AS
    COPY INTO raw.patients (patient_id, born, updated_at, _source_file)
    FROM (SELECT $1, $2::DATE, $3::TIMESTAMP_NTZ, METADATA$FILENAME FROM @raw.patients_stage)
    FILE_FORMAT = raw.csv_format;
""",
        {"patients/1.csv": 'id,born,upd\n"p1" ,2020-02-29,2026-01-01 10:00:00\n'},
        {
            "SELECT patient_id, born::VARCHAR, updated_at::VARCHAR, _source_file, _loaded_at IS NOT NULL "
            "FROM raw.patients": [("p1", "2020-02-29", "2026-01-01 10:00:00.000", "patients/1.csv", True)]
        },
    ),
    "csv: several pipes on one stage told apart by PATTERN": Shape(
        """
CREATE DATABASE snowpipe_demo; USE DATABASE snowpipe_demo; CREATE SCHEMA s; USE SCHEMA s;
CREATE OR REPLACE FILE FORMAT my_csv_format TYPE = 'CSV' FIELD_DELIMITER = ',' SKIP_HEADER = 1;
CREATE STAGE snowpipe_stage URL = 's3://{bucket}/in/' STORAGE_INTEGRATION = s3_int;
CREATE TABLE stg_customer (id INT); CREATE TABLE stg_item (id INT);
create or replace pipe p auto_ingest=true as copy into stg_customer
FROM @SNOWPIPE_STAGE
FILE_FORMAT = MY_CSV_FORMAT
PATTERN ='.*customer.*\\.csv';
create or replace pipe q auto_ingest=true as copy into stg_item
from @snowpipe_stage
FILE_FORMAT = my_csv_format
pattern = '.*order_item.*[.]csv';
""",
        {"in/customer_1.csv": "id\n1\n", "in/x/order_item_1.csv": "id\n1\n2\n", "in/other.csv": "id\n1\n"},
        {"SELECT COUNT(*) FROM stg_customer": [(1,)], "SELECT COUNT(*) FROM stg_item": [(2,)]},
    ),
    "tsv: delimiters in octal and hex, backslashes kept, SKIP_FILE_10%": Shape(
        """
CREATE DATABASE d1; CREATE SCHEMA d1.raw;
CREATE TABLE d1.raw.t (a VARCHAR, b NUMBER(10, 2), c BOOLEAN);
CREATE STAGE d1.raw.st STORAGE_INTEGRATION = s3_int URL = 's3://{bucket}/t/'
  FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '\\x09' RECORD_DELIMITER = '\\n' ESCAPE_UNENCLOSED_FIELD = NONE
  NULL_IF = ('\\\\N') COMPRESSION = GZIP);
CREATE PIPE d1.raw.p AUTO_INGEST = TRUE AS COPY INTO d1.raw.t FROM @d1.raw.st ON_ERROR = 'SKIP_FILE_10%';
""",
        {"t/a.tsv.gz": "x\\y\t1.50\tyes\n\\N\t2\tf\n", "t/bad.tsv.gz": "x\tnope\tyes\n"},
        {"SELECT a, b, c FROM d1.raw.t ORDER BY b": [("x\\y", 1.5, True), (None, 2, False)]},
    ),
    "json: one VARIANT, the file's name and a default, whole-bucket stage with paths": Shape(
        """
CREATE DATABASE landing; CREATE SCHEMA landing.raw WITH MANAGED ACCESS;
CREATE TABLE landing.raw.orders (FILENAME VARCHAR(16777216) NOT NULL, JSON VARIANT,
  LOAD_TIME TIMESTAMP_NTZ(9) DEFAULT CURRENT_TIMESTAMP()) CLUSTER BY (TO_DATE(LOAD_TIME));
CREATE STAGE landing.raw.st URL = 's3://{bucket}/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = 'JSON');
CREATE PIPE landing.raw.p AUTO_INGEST = TRUE COMMENT = 'A pipe to get data into the table' AS
  COPY INTO landing.raw.orders (FILENAME, JSON)
  FROM (SELECT METADATA$FILENAME, $1 FROM @landing.raw.st/orders/);
""",
        {"orders/2026/01/01/1.json": '{{"id": 1}}\n{{"id": 2}}', "others/1.json": '{{"id": 3}}'},
        {
            "SELECT FILENAME, JSON:id::INT, LOAD_TIME IS NOT NULL FROM landing.raw.orders ORDER BY 2": [
                ("orders/2026/01/01/1.json", 1, True),
                ("orders/2026/01/01/1.json", 2, True),
            ]
        },
    ),
    "json: every METADATA$ column, named, format behind the stage": Shape(
        """
CREATE DATABASE logs; CREATE SCHEMA logs.cwl;
CREATE FILE FORMAT logs.cwl.ff TYPE = JSON COMPRESSION = AUTO STRIP_OUTER_ARRAY = FALSE;
CREATE STAGE logs.cwl.st URL = 's3://{bucket}/cwl/' STORAGE_INTEGRATION = s3_int;
CREATE TABLE logs.cwl.t (file_name VARCHAR, file_row_number NUMBER, file_content_key VARCHAR,
  file_last_modified TIMESTAMP_NTZ, start_scan_time TIMESTAMP_LTZ, cloudwatch_log VARIANT);
CREATE PIPE logs.cwl.p AUTO_INGEST = TRUE AS copy into logs.cwl.t from (select metadata$filename AS file_name,
  metadata$file_row_number AS file_row_number, metadata$file_content_key AS file_content_key,
  metadata$file_last_modified AS file_last_modified, metadata$start_scan_time, $1 AS cloudwatch_log
  from @logs.cwl.st (file_format => logs.cwl.ff));
""",
        {"cwl/a.gz": '{{"logEvents": [{{"id": "1"}}]}}'},
        {
            "SELECT file_name, file_row_number, LENGTH(file_content_key), file_last_modified IS NOT NULL, "
            "start_scan_time IS NOT NULL, cloudwatch_log:logEvents[0].id::STRING FROM logs.cwl.t": [
                ("cwl/a.gz", 1, 32, True, True, "1")
            ]
        },
    ),
    "json: deep paths, OBJECT and ARRAY casts, DATE of a member": Shape(
        """
CREATE DATABASE serp; CREATE SCHEMA serp.raw; USE SCHEMA serp.raw;
CREATE TABLE results (params OBJECT, processed DATE, organic ARRAY, first_title STRING, n NUMBER(38,0), ok BOOLEAN);
CREATE STAGE results_stage URL='s3://{bucket}/results/' STORAGE_INTEGRATION=s3_int FILE_FORMAT=(TYPE='JSON');
CREATE PIPE serp.raw.p AUTO_INGEST = TRUE AS COPY INTO results FROM (SELECT
    $1:result.params::OBJECT, $1:result.meta.at::DATE, $1:result.organic::ARRAY,
    $1:result.organic[0].title::STRING, $1['result']['n']::NUMBER, t.$1:result."ok"::BOOLEAN
    FROM @results_stage t);
""",
        {
            "results/a.json": '{{"result": {{"params": {{"q": "x"}}, "meta": {{"at": "2026-01-02T03:04:05Z"}}, '
            '"organic": [{{"title": "first"}}], "n": 7, "ok": true}}}}'
        },
        {
            "SELECT params:q::STRING, processed::VARCHAR, ARRAY_SIZE(organic), first_title, n, ok FROM results": [
                ("x", "2026-01-02", 1, "first", 7, True)
            ]
        },
    ),
    "json: array stripped, MATCH_BY_COLUMN_NAME with metadata, format by name in the stage": Shape(
        """
CREATE DATABASE "Analytics"; CREATE SCHEMA "Analytics"."Raw"; USE SCHEMA "Analytics"."Raw";
create file format "Json Rows" type = json strip_outer_array = true;
create stage if not exists "Analytics"."Raw"."St" storage_integration = "S3_INT" url = 's3://{bucket}/m/'
  file_format = "Analytics"."Raw"."Json Rows";
create table "Analytics"."Raw"."Reviews" (review_id STRING, star_rating INT, _INGESTED_AT TIMESTAMP_LTZ,
  _SOURCE_FILE_PATH STRING, _FILE_ROW_NUMBER INT, _FILE_CONTENT_KEY STRING);
create pipe if not exists "Analytics"."Raw"."P"
  auto_ingest = true
  as
  copy into "Analytics"."Raw"."Reviews"
  from @"Analytics"."Raw"."St"
  match_by_column_name = case_insensitive
  include_metadata = (
      _INGESTED_AT = metadata$start_scan_time,
      _SOURCE_FILE_PATH = metadata$filename,
      _FILE_ROW_NUMBER = metadata$file_row_number,
      _FILE_CONTENT_KEY = metadata$file_content_key
  );
""",
        {"m/a.json": '[{{"review_id": "r1", "star_rating": 5}}, {{"review_id": "r2"}}]'},
        {
            'SELECT review_id, star_rating, _SOURCE_FILE_PATH, _FILE_ROW_NUMBER FROM "Reviews" ORDER BY 1': [
                ("r1", 5, "m/a.json", 1),
                ("r2", None, "m/a.json", 2),
            ]
        },
        pipes=('"Analytics"."Raw"."P"',),
    ),
    "json: parts of the file's name as columns": Shape(
        """
CREATE DATABASE parts; CREATE SCHEMA parts.raw; USE SCHEMA parts.raw;
CREATE TABLE t (dt DATE, tenant STRING, stem STRING, seconds TIMESTAMP_NTZ, raw VARIANT);
CREATE STAGE st URL = 's3://{bucket}/exports/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON);
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM (
  SELECT TO_DATE(SPLIT_PART(SPLIT_PART(METADATA$FILENAME, '/', 2), '=', 2), 'YYYY-MM-DD'),
    UPPER(REGEXP_SUBSTR(METADATA$FILENAME, 'tenant=([a-z]+)', 1, 1, 'e')),
    REGEXP_REPLACE(SPLIT_PART(METADATA$FILENAME, '/', -1), '[.]json$', ''),
    TRY_TO_TIMESTAMP($1:at::STRING), $1 FROM @st/);
""",
        {
            "exports/dt=2026-01-02/tenant=acme/part-0.json": '{{"at": "2026-01-02 03:04:05"}}\n{{"at": "never"}}'
        },
        {
            "SELECT dt::VARCHAR, tenant, stem, seconds::VARCHAR FROM t ORDER BY seconds NULLS LAST": [
                ("2026-01-02", "ACME", "part-0", "2026-01-02 03:04:05.000"),
                ("2026-01-02", "ACME", "part-0", None),
            ]
        },
    ),
    "json: conditional expressions, text within text, epochs": Shape(
        """
CREATE DATABASE expr; CREATE SCHEMA expr.raw; USE SCHEMA expr.raw;
CREATE TABLE t (id STRING, kind STRING, payload VARIANT, epoch TIMESTAMP_NTZ, amount NUMBER(12,2), who STRING,
  size_ INT, hash STRING);
CREATE STAGE st URL = 's3://{bucket}/e/' STORAGE_INTEGRATION = s3_int;
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM (
  SELECT COALESCE($1:id::STRING, 'none'),
    CASE WHEN $1:type::STRING = 'a' THEN 'Alpha' ELSE 'other' END,
    PARSE_JSON($1:payload::STRING),
    TO_TIMESTAMP_NTZ($1:ms::NUMBER, 3),
    TRY_TO_NUMBER($1:amount::STRING, 12, 2),
    NVL($1:first::STRING, '') || ' ' || NVL($1:last::STRING, ''),
    LENGTH($1:id::STRING), MD5($1:id::STRING)
  FROM @st) FILE_FORMAT = (TYPE = 'JSON') ON_ERROR = CONTINUE;
""",
        {
            "e/a.json": '{{"id": "x", "type": "a", "payload": "{{\\"k\\": 1}}", "ms": 1600000000123, "amount": "1.25", '
            '"first": "A", "last": "B"}}'
        },
        {
            "SELECT id, kind, payload:k::INT, epoch::VARCHAR, amount, who, size_, hash FROM t": [
                (
                    "x",
                    "Alpha",
                    1,
                    "2020-09-13 12:26:40.123",
                    1.25,
                    "A B",
                    1,
                    "9dd4e461268c8034f5c8564e155c67a6",
                )
            ]
        },
    ),
    "parquet: options beside each other with commas, MATCH_BY_COLUMN_NAME": Shape(
        """
CREATE OR REPLACE DATABASE wh; CREATE OR REPLACE SCHEMA wh.land; CREATE OR REPLACE SCHEMA wh.raw_table;
CREATE OR REPLACE TABLE wh.raw_table.orders (ORDER_ID NUMBER, CUSTOMER STRING, ORDERED_AT TIMESTAMP_NTZ);
CREATE OR REPLACE STAGE wh.land.orders_raw
STORAGE_INTEGRATION = S3_INT
URL = 's3://{bucket}/raw/orders/'
FILE_FORMAT = (TYPE = PARQUET, USE_LOGICAL_TYPE = FALSE);
LIST @wh.land.orders_raw;
create or replace pipe wh.land.p auto_ingest=true as COPY INTO wh.raw_table.orders
  FROM @wh.land.orders_raw
  FILE_FORMAT = (TYPE = PARQUET, USE_LOGICAL_TYPE = TRUE)
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;
""",
        {"raw/orders/a.parquet": '{{"order_id": 1, "customer": "c", "ordered_at": "2026-01-02 03:04:05"}}\n'},
        {
            "SELECT ORDER_ID, CUSTOMER, ORDERED_AT::VARCHAR FROM wh.raw_table.orders": [
                (1, "c", "2026-01-02 03:04:05.000")
            ]
        },
    ),
    "parquet: typed SELECT with a column list, text cast twice, a schema-wide format": Shape(
        """
CREATE DATABASE reddit; CREATE SCHEMA reddit.raw; USE SCHEMA reddit.raw;
create file format reddit.raw.parquet_fmt
  type = parquet
  compression = auto;
create or replace stage reddit.raw.st
  url = 's3://{bucket}/gold/'
  storage_integration = s3_int
  file_format = reddit.raw.parquet_fmt;
create or replace table t (post_id VARCHAR(50), upvotes INTEGER, created_at TIMESTAMP_NTZ, tags ARRAY,
  src_filename STRING, loaded_at timestamp_ntz default current_timestamp());
CREATE OR REPLACE PIPE reddit.raw.p
AUTO_INGEST = TRUE
AS
COPY INTO reddit.raw.t (post_id, upvotes, created_at, tags, src_filename)
FROM (
    SELECT
        $1:post_id::VARCHAR(50) AS post_id, -- the key
        $1:upvotes::INTEGER AS upvotes,
        $1:created_at::VARCHAR::TIMESTAMP_NTZ AS created_at,
        $1:tags::ARRAY,
        metadata$filename
    FROM @reddit.raw.st/posts/
)
PATTERN = '.*[.]parquet';
""",
        {
            "gold/posts/part-0.snappy.parquet": '{{"post_id": "p", "upvotes": 3, "created_at": "x 2026", '
            '"tags": ["a", "b"]}}\n{{"post_id": "q"}}\n',
            "gold/posts/_SUCCESS": "",
            "gold/other/part-0.parquet": '{{"post_id": "z"}}\n',
        },
        {"SELECT COUNT(*) FROM t": [(0,)]},  # 'x 2026' is no time: the file is skipped
    ),
    "csv: MATCH_BY_COLUMN_NAME with PARSE_HEADER": Shape(
        """
CREATE DATABASE hdr; CREATE SCHEMA hdr.raw; USE SCHEMA hdr.raw;
CREATE FILE FORMAT ff TYPE = CSV PARSE_HEADER = TRUE ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE;
CREATE TABLE t (ID INT, NAME VARCHAR, SRC VARCHAR);
CREATE STAGE st URL = 's3://{bucket}/h/' STORAGE_INTEGRATION = s3_int;
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM @st FILE_FORMAT = (FORMAT_NAME = 'ff')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (SRC = METADATA$FILENAME) ON_ERROR = SKIP_FILE;
""",
        {"h/a.csv": "name,id\nx,1\ny,2\n"},
        {"SELECT ID, NAME, SRC FROM t ORDER BY ID": [(1, "x", "h/a.csv"), (2, "y", "h/a.csv")]},
    ),
    "roles: a loader with future grants and ALL PRIVILEGES, a monitor, ownership of the schema": Shape(
        """
CREATE ROLE IF NOT EXISTS loader; CREATE ROLE IF NOT EXISTS analyst; GRANT ROLE loader TO ROLE SYSADMIN;
GRANT ROLE analyst TO ROLE loader;
CREATE WAREHOUSE IF NOT EXISTS load_wh WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE
  INITIALLY_SUSPENDED = TRUE COMMENT = 'for loading';
GRANT USAGE, OPERATE ON WAREHOUSE load_wh TO ROLE loader;
CREATE DATABASE IF NOT EXISTS own DATA_RETENTION_TIME_IN_DAYS = 1; CREATE SCHEMA own.raw;
GRANT ALL PRIVILEGES ON DATABASE own TO ROLE loader; GRANT ALL ON SCHEMA own.raw TO ROLE loader;
GRANT USAGE ON DATABASE own TO ROLE analyst; GRANT USAGE ON SCHEMA own.raw TO ROLE analyst;
GRANT SELECT ON FUTURE TABLES IN SCHEMA own.raw TO ROLE analyst;
GRANT MONITOR ON FUTURE PIPES IN SCHEMA own.raw TO ROLE analyst;
GRANT USAGE ON FUTURE STAGES IN DATABASE own TO ROLE analyst;
GRANT USAGE ON INTEGRATION s3_int TO ROLE loader;
USE ROLE loader; USE WAREHOUSE load_wh; USE SCHEMA own.raw;
CREATE TRANSIENT TABLE t (v VARIANT);
CREATE STAGE st URL = 's3://{bucket}/r/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON);
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO own.raw.t FROM @own.raw.st;
GRANT OPERATE, MONITOR ON PIPE own.raw.p TO ROLE SYSADMIN;
SHOW GRANTS ON PIPE own.raw.p; SHOW GRANTS TO ROLE loader; SHOW FUTURE GRANTS IN SCHEMA own.raw;
USE ROLE analyst;
SELECT SYSTEM$PIPE_STATUS('own.raw.p');
USE ROLE ACCOUNTADMIN;
""",
        {"r/a.json": '{{"a": 1}}'},
        {"SELECT v:a::INT FROM own.raw.t": [(1,)]},
    ),
    "roles: what is there already is granted at once, GRANT ON ALL": Shape(
        """
CREATE DATABASE allof; CREATE SCHEMA allof.raw; USE SCHEMA allof.raw; CREATE ROLE reader;
CREATE TABLE t (v VARIANT); CREATE FILE FORMAT ff TYPE = JSON;
CREATE STAGE st URL = 's3://{bucket}/a/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (FORMAT_NAME = allof.raw.ff);
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM @st;
GRANT USAGE ON DATABASE allof TO ROLE reader; GRANT USAGE ON ALL SCHEMAS IN DATABASE allof TO ROLE reader;
GRANT SELECT ON ALL TABLES IN SCHEMA allof.raw TO reader;
GRANT MONITOR ON PIPE allof.raw.p TO ROLE reader;
GRANT ROLE reader TO ROLE SYSADMIN;
USE ROLE reader; SHOW PIPES IN DATABASE allof; SELECT SYSTEM$PIPE_STATUS('allof.raw.p'); USE ROLE ACCOUNTADMIN;
""",
        {"a/a.json": '{{"a": 1}}'},
        {"SELECT COUNT(*) FROM allof.raw.t": [(1,)]},
    ),
    "a stream and a task behind the pipe, a view over it": Shape(
        """
CREATE DATABASE cdc; CREATE SCHEMA cdc.raw; USE SCHEMA cdc.raw; CREATE WAREHOUSE IF NOT EXISTS etl_wh;
CREATE TABLE t (v VARIANT, f STRING); CREATE TABLE clean (id INT);
CREATE STREAM IF NOT EXISTS t_stream ON TABLE t APPEND_ONLY = TRUE;
CREATE OR REPLACE VIEW v AS SELECT v:id::INT AS id, f FROM t;
CREATE OR REPLACE TASK merge_t WAREHOUSE = etl_wh SCHEDULE = '5 MINUTE' WHEN SYSTEM$STREAM_HAS_DATA('T_STREAM')
  AS INSERT INTO clean SELECT v:id::INT FROM t_stream;
ALTER TASK merge_t RESUME;
CREATE STAGE st URL = 's3://{bucket}/c/' STORAGE_INTEGRATION = s3_int;
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t(v, f) FROM (SELECT $1, METADATA$FILENAME FROM @st)
  FILE_FORMAT = (TYPE = JSON, STRIP_OUTER_ARRAY = TRUE);
""",
        {"c/a.json": '[{{"id": 1}}, {{"id": 2}}]'},
        {"SELECT id, f FROM v ORDER BY id": [(1, "c/a.json"), (2, "c/a.json")]},
    ),
    "a directory table on the stage, a comment, a stage encrypted with KMS": Shape(
        """
CREATE DATABASE dirs; CREATE SCHEMA dirs.raw; USE SCHEMA dirs.raw; CREATE TABLE t (v VARIANT);
CREATE STAGE st URL = 's3://{bucket}/d/' STORAGE_INTEGRATION = s3_int DIRECTORY = (ENABLE = TRUE)
  ENCRYPTION = (TYPE = 'AWS_SSE_KMS') FILE_FORMAT = (TYPE = 'JSON') COMMENT = 'a stage';
ALTER STAGE st REFRESH;
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM @st;
""",
        {"d/a.json": '{{"a": 1}}'},
        {"SELECT COUNT(*) FROM t": [(1,)]},
    ),
    "one line, no spaces, upper and lower case, comments anywhere": Shape(
        """
create database MiXed;create schema mixed."raw data";use schema mixed."raw data";
create table "Events Table"("v" variant /* all of it */, file_name text);
create stage st url='s3://{bucket}/x/'storage_integration=s3_int file_format=(type=json)comment='c';
create pipe if not exists "Events Pipe" auto_ingest=true comment='it''s a pipe'as copy into "Events Table"("v",
file_name)from(select $1,metadata$filename from @st)/* nothing */on_error=skip_file_2;
""",
        {"x/a.json": '{{"a": 1}}'},
        {'SELECT "v":a::INT, file_name FROM "Events Table"': [(1, "x/a.json")]},
        pipes=('MIXED."raw data"."Events Pipe"',),
    ),
    "names by IDENTIFIER and $ variables of the session": Shape(
        """
SET db = 'IDS'; SET target = 'IDS.RAW.T';
CREATE DATABASE IF NOT EXISTS IDENTIFIER($db); USE DATABASE IDENTIFIER($db); CREATE SCHEMA IF NOT EXISTS raw;
CREATE TABLE IF NOT EXISTS IDENTIFIER($target) (v VARIANT);
CREATE STAGE IF NOT EXISTS ids.raw.st URL = 's3://{bucket}/i/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON);
CREATE PIPE IF NOT EXISTS ids.raw.p AUTO_INGEST = TRUE AS COPY INTO ids.raw.t FROM @ids.raw.st;
""",
        {"i/a.json": '{{"a": 1}}'},
        {"SELECT COUNT(*) FROM ids.raw.t": [(1,)]},
    ),
}


@pytest.fixture
def world(sandbox):
    made = World(sandbox.tenants)
    made.iam.create_role(RoleName="snowflake", AssumeRolePolicyDocument=made._trust("nobody-yet"))
    made.permit()
    made.sql("CREATE WAREHOUSE IF NOT EXISTS COMPUTE_WH")
    yield made
    sandbox.tenants.delete(made.name)


def run_sheet(world, text):
    """Every statement of a worksheet, as a worksheet of Snowflake's would split it."""
    for statement in re.split(r";(?=(?:[^']*'[^']*')*[^']*$)", text):
        if re.sub(r"(?m)(--|//).*$", "", statement).strip():
            world.sql(statement.strip())


def loaded(world, shape, run=run_sheet):
    """Build the shape as its author would, let its files arrive, and compare the rows."""
    names = {"bucket": world.bucket, "role_arn": world.role_arn}
    run(world, INTEGRATION.format(**names))
    world.trust(world.account.catalog.integrations["S3_INT"].external_id)
    run(world, shape.sheet.format(**names))
    pipes = world.dicts("SHOW PIPES IN ACCOUNT")
    rule = {"Id": "all", "QueueArn": pipes[0]["notification_channel"], "Events": ["s3:ObjectCreated:*"]}
    world.s3.put_bucket_notification_configuration(
        Bucket=world.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    for key, text in shape.files.items():
        body = text.format() if "{{" in text else text
        is_parquet = key.endswith(".parquet")
        world.put(key, parquet(body) if is_parquet else body, compress=key.endswith(".gz"))
    world.settle()
    for query, rows in shape.found.items():
        assert world.sql(query) == rows, query


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_public_shape_is_built_and_loads(world, shape):
    loaded(world, shape)


NOT_EMULATED = (
    "CREATE PIPE P AS COPY INTO T FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING'))",
    "CREATE PIPE P AUTO_INGEST = TRUE INTEGRATION = 'AZURE_Q' AS COPY INTO T FROM @S",
    "CREATE FILE FORMAT F TYPE = 'XML'",
    "CREATE OR ALTER SEQUENCE SQ START 1",
)


@pytest.mark.parametrize("statement", NOT_EMULATED)
def test_a_shape_outside_is_refused_by_name(world, statement):
    world.sql("CREATE DATABASE D")
    world.sql("CREATE SCHEMA D.S")
    world.sql("USE SCHEMA D.S")
    with pytest.raises(SnowflakeError, match="not emulated"):
        world.sql(statement)


def test_the_pages_own_policy_lists_a_stage_without_a_last_slash(world):
    """Policy for ``load/files/*`` and stage on ``…/load/files``, as one page prints both: it lists the folder."""
    names = {"bucket": world.bucket, "role_arn": world.role_arn}
    run_sheet(world, INTEGRATION.format(**names))
    world.trust(world.account.catalog.integrations["S3_INT"].external_id)
    bucket = f"arn:aws:s3:::{world.bucket}"
    reading = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"{bucket}/load/files/*"}
    listing = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": bucket,
        "Condition": {"StringLike": {"s3:prefix": ["load/files/*"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading, listing]})
    world.iam.put_role_policy(RoleName="snowflake", PolicyName="read", PolicyDocument=document)
    world.put("load/files/a.json", "{}")
    world.put("load/files_of_others/b.json", "{}")
    world.sql("CREATE DATABASE D")
    world.sql(f"CREATE STAGE D.PUBLIC.ST URL = 's3://{world.bucket}/load/files' STORAGE_INTEGRATION = s3_int")
    listed = [row[0].rpartition("/")[2] for row in world.sql("LIST @D.PUBLIC.ST")]
    assert listed == ["a.json"]
    world.sql(f"CREATE STAGE D.PUBLIC.S2 URL = 's3://{world.bucket}/load' STORAGE_INTEGRATION = s3_int")
    with pytest.raises(SnowflakeError, match="Access Denied"):
        world.sql("LIST @D.PUBLIC.S2")
