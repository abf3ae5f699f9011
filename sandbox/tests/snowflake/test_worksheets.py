# ruff: noqa: E501, F811 - worksheets as their authors would write them; a fixture that is imported
"""More worksheets with ``AUTO_INGEST``: tutorials, Terraform modules, dbt macros, scripts that build statements.

Re-expressed from public repositories and guides; nothing of theirs is copied. Each is run statement by statement,
files arrive, rows are counted.
"""

import io

import pytest
from snowflake.connector.util_text import split_statements
from test_installations import Shape, loaded, world  # noqa: F401 - world is the fixture

WORKSHEETS = {
    "a bank's tables: a format called CSV, the stage quoted, remarks inside the COPY": Shape(
        """
CREATE OR REPLACE DATABASE bank; USE DATABASE bank; USE SCHEMA public;
create or replace file format csv
type = csv
field_delimiter = ','
skip_header = 1;
CREATE OR REPLACE TABLE district (code INT PRIMARY KEY, name VARCHAR(30), salary DOUBLE PRECISION, kind CHAR(10) NOT NULL);
CREATE OR REPLACE TABLE account(
account_id INT PRIMARY KEY, code INT, opened DATE, FOREIGN KEY (code) references district(code)
);
CREATE OR REPLACE STAGE bank_stage
URL ='s3://{bucket}'
file_format=csv
storage_integration =s3_int;
LIST @bank_stage;
SHOW STAGES;
CREATE OR REPLACE PIPE bank_snowpipe AUTO_INGEST = TRUE AS
COPY INTO "BANK"."PUBLIC"."DISTRICT" --yourdatabase -- your schema ---your table
FROM '@bank_stage/district/' --s3 bucket subfolder name
FILE_FORMAT = CSV; --YOUR CSV FILE FORMAT NAME
CREATE OR REPLACE PIPE bank_snowpipe2 AUTO_INGEST=TRUE
AS COPY INTO "BANK"."PUBLIC"."ACCOUNT" --  (table)
FROM '@bank_stage/account/'   -- (name of the stage)
FILE_FORMAT = ( FORMAT_NAME = 'csv');
SHOW PIPES;
ALTER PIPE bank_snowpipe refresh;
SELECT COUNT(*) FROM district;
""",
        {
            "district/d.csv": "code,name,salary,kind\n1,North,1.5,city\n",
            "account/a.csv": "id,code,opened\n1,1,2026-01-02\n",
        },
        {
            "SELECT code, name, salary, kind FROM bank.public.district": [(1, "North", 1.5, "city")],
            "SELECT account_id, opened::VARCHAR FROM bank.public.account": [(1, "2026-01-02")],
        },
    ),
    "things: an octal quote, no compression, dashed text in a remark, a pipe refreshed by a task": Shape(
        """
CREATE DATABASE my_db; CREATE SCHEMA iot_schema; CREATE WAREHOUSE IF NOT EXISTS wh;
create or replace file format iot_csv
type='csv'
compression='none'
field_delimiter=','
field_optionally_enclosed_by='\\042' -- double quotes ASCII value
skip_header=1;
CREATE OR REPLACE STAGE iot_stage
URL ='s3://{bucket}/iot'
file_format = iot_csv
storage_integration = s3_int;
CREATE OR REPLACE TABLE load_things (device STRING, said STRING);
CREATE OR REPLACE PIPE iot_snowpipe AUTO_INGEST = TRUE AS
COPY INTO my_db.iot_schema.load_things
FROM '@iot_stage/one/' --s3 bucket subfolder name
FILE_FORMAT = iot_csv;
CREATE OR REPLACE TASK refresh_pipe WAREHOUSE = wh SCHEDULE = '1 MINUTE' AS ALTER PIPE my_db.iot_schema.iot_snowpipe REFRESH;
ALTER TASK refresh_pipe RESUME;
SHOW TASKS;
""",
        {"iot/one/a.csv": 'device,said\nd1,"yes, ""now"""\n'},
        {"SELECT device, said FROM load_things": [("d1", 'yes, "now"')]},
    ),
    "the table's columns are inferred from a file": Shape(
        """
CREATE DATABASE vani; CREATE SCHEMA e_stg; CREATE SCHEMA f_fmt; CREATE SCHEMA spipe; CREATE SCHEMA IF NOT EXISTS public;
create or replace file format f_fmt.csv_f type = csv skip_header = 1;
create or replace file format f_fmt.csv_f_is type = csv parse_header = true;
create or replace stage e_stg.empstg url = 's3://{bucket}/emps/' storage_integration = s3_int;
describe storage integration s3_int; describe stage e_stg.empstg;
List @e_stg.empstg;
create or replace table public.emps (id number, name text);
Select $1,$2 from @e_stg.empstg/emp1.csv;
create or replace pipe vani.spipe.emppipe auto_ingest = true as
copy into public.emps from @vani.e_stg.empstg
file_format = (format_name = vani.f_fmt.csv_f)
pattern = 'emp.*\\.csv';
use schema spipe;
describe pipe vani.spipe.emppipe;
select SYSTEM$PIPE_STATUS('VANI.SPIPE.emppipe');
Select dateadd('minute',-10, current_timestamp());
Select * from table(information_schema.copy_history(table_name => 'VANI.PUBLIC.EMPS', start_time => dateadd('minute',-30, current_timestamp()),END_TIME =>current_timestamp()));
Select * from SNOWFLAKE.account_usage.pipe_usage_history where pipe_name = UPPER('emppipe');
alter PIPE emppipe set pipe_execution_paused = true;
alter PIPE emppipe set pipe_execution_paused = false;
Select * from table(INFORMATION_SCHEMA.VALIDATE_PIPE_LOAD(PIPE_NAME => 'VANI.SPIPE.EMPPIPE',
    START_TIME => dateadd('hour', -1, current_timestamp()), END_TIME => current_timestamp()));
""",
        {"emps/emp1.csv": "id,name\n1,Ann\n", "emps/other.csv": "id,name\n2,Bob\n"},
        {"SELECT id, name FROM vani.public.emps": [(1, "Ann")]},
    ),
    "a game's logs: GET(), TEXT, CURRENT_TIMESTAMP(0), formats named in three ways": Shape(
        """
create database ags_game_audience; create schema ags_game_audience.raw; use schema ags_game_audience.raw;
create file format ff_json_logs type = JSON strip_outer_array = true;
create stage uni_pipeline url = 's3://{bucket}/kishore/' storage_integration = s3_int;
create or replace TABLE ed_pipeline_logs (
	LOG_FILE_NAME VARCHAR(100),
	LOG_FILE_ROW_ID NUMBER(18,0),
	LOAD_LTZ TIMESTAMP_LTZ(0),
	DATETIME_ISO8601 TIMESTAMP_NTZ(9),
	USER_EVENT VARCHAR(25),
	IP_ADDRESS VARCHAR(100)
);
SELECT METADATA$FILENAME, GET($1, 'user_event')::text FROM @uni_pipeline (file_format => ff_json_logs);
CREATE
    OR REPLACE PIPE PIPE_GET_NEW_FILES auto_ingest = true AS COPY INTO ED_PIPELINE_LOGS
FROM
    (
        SELECT
            METADATA$FILENAME as log_file_name --new metadata column
,
            METADATA$FILE_ROW_NUMBER as log_file_row_id --new metadata column
,
            current_timestamp(0) as load_ltz --new local time of load
,
            get($1, 'datetime_iso8601')::timestamp_ntz as DATETIME_ISO8601,
            get($1, 'user_event')::text as USER_EVENT,
            get($1, 'ip_address')::text as IP_ADDRESS
        FROM
            @AGS_GAME_AUDIENCE.RAW.UNI_PIPELINE
    ) file_format = 'ff_json_logs';
alter pipe ags_game_audience.raw.PIPE_GET_NEW_FILES set pipe_execution_paused = true;
select parse_json(SYSTEM$PIPE_STATUS( 'ags_game_audience.raw.PIPE_GET_NEW_FILES' ));
alter pipe ags_game_audience.raw.PIPE_GET_NEW_FILES set pipe_execution_paused = false;
create or replace stream ags_game_audience.raw.ed_cdc_stream on table AGS_GAME_AUDIENCE.RAW.ED_PIPELINE_LOGS;
show streams;
""",
        {
            "kishore/a.json": '[{{"datetime_iso8601": "2026-01-01 10:00:00.000", "user_event": "login", "ip_address": "1.2.3.4"}}]'
        },
        {
            "SELECT log_file_name, log_file_row_id, datetime_iso8601::VARCHAR, user_event, ip_address FROM ed_pipeline_logs": [
                ("kishore/a.json", 1, "2026-01-01 10:00:00.000", "login", "1.2.3.4")
            ]
        },
    ),
    "a security vendor's module: aliases, a folder without its slash, a format object on the stage": Shape(
        """
CREATE DATABASE anvil; CREATE SCHEMA anvil.staging;
CREATE FILE FORMAT "ANVIL"."STAGING"."FDR_STAGE_FORMAT" TYPE = JSON COMPRESSION = AUTO BINARY_FORMAT = HEX DATE_FORMAT = AUTO TIME_FORMAT = AUTO TIMESTAMP_FORMAT = AUTO STRIP_OUTER_ARRAY = false;
CREATE STAGE "ANVIL"."STAGING"."FDR_STAGE" URL = 's3://{bucket}/logs' STORAGE_INTEGRATION = "S3_INT" FILE_FORMAT = (FORMAT_NAME = ANVIL.STAGING.FDR_STAGE_FORMAT) COMMENT = 'made by Terraform';
CREATE TABLE "ANVIL"."STAGING"."FDR" ("RAW" VARIANT, "EVENT_SIMPLE_NAME" VARCHAR(255)) DATA_RETENTION_TIME_IN_DAYS = 1 CHANGE_TRACKING = false;
CREATE PIPE "ANVIL"."STAGING"."FDR_PIPE" AUTO_INGEST = TRUE COMMENT = 'Pipe for ingesting logs.  Created via Terraform.' AS         copy into ANVIL.STAGING.FDR
        from ( select
            $1 as raw,
            $1:event_simpleName::string as event_simple_name
        from @ANVIL.STAGING.FDR_STAGE/data/ )
        file_format = (format_name = ANVIL.STAGING.FDR_STAGE_FORMAT) ON_ERROR = 'skip_file_10%';
""",
        {"logs/data/2026/part-0.gz": '{{"event_simpleName": "Start"}}\n{{"x": 1}}\n'},
        {"SELECT event_simple_name FROM anvil.staging.fdr ORDER BY 1 NULLS LAST": [("Start",), (None,)]},
    ),
    "raw lines: no delimiter, the row's number, the time of loading": Shape(
        """
CREATE DATABASE "SNOWPIPE_DB"; CREATE SCHEMA "SNOWPIPE_DB"."raw_s3";
CREATE FILE FORMAT "SNOWPIPE_DB"."raw_s3"."LINES" TYPE = 'CSV' FIELD_DELIMITER = NONE RECORD_DELIMITER = '\\n' ESCAPE_UNENCLOSED_FIELD = NONE;
CREATE STAGE "SNOWPIPE_DB"."raw_s3"."stage_tf" URL = 's3://{bucket}/lines/' STORAGE_INTEGRATION = S3_INT;
CREATE TABLE "SNOWPIPE_DB"."raw_s3"."RAW_DATA" ("RAW_LINE" STRING, "FILE_NAME" STRING, "ROW_NUMBER" NUMBER, "INGESTED_AT" TIMESTAMP_NTZ DEFAULT CURRENT_TIMESTAMP) COMMENT = 'Raw ingested S3 lines with basic metadata';
CREATE PIPE "SNOWPIPE_DB"."raw_s3"."s3 pipe" AUTO_INGEST = TRUE AS COPY INTO "SNOWPIPE_DB"."raw_s3"."RAW_DATA" (RAW_LINE, FILE_NAME, ROW_NUMBER, INGESTED_AT)
    FROM (
      SELECT
        $1,
        METADATA$FILENAME,
        METADATA$FILE_ROW_NUMBER,
        CURRENT_TIMESTAMP
      FROM @"SNOWPIPE_DB"."raw_s3"."stage_tf"
    )
    FILE_FORMAT = (FORMAT_NAME = "SNOWPIPE_DB"."raw_s3"."LINES")
    ON_ERROR = 'CONTINUE';
""",
        {"lines/a.log": 'a,b "c" \\d\nsecond\n'},
        {
            'SELECT raw_line, file_name, row_number, ingested_at IS NOT NULL FROM "SNOWPIPE_DB"."raw_s3".raw_data ORDER BY 3': [
                ('a,b "c" \\d', "lines/a.log", 1, True),
                ("second", "lines/a.log", 2, True),
            ]
        },
    ),
    "every option of a CSV format that a console writes, NONE as text": Shape(
        """
CREATE DATABASE rocket; USE DATABASE rocket; CREATE SCHEMA rg_stg; create schema if not exists rocket_stg;
CREATE FILE FORMAT "ROCKET_STG".ROCKET_STG_CSV TYPE = 'CSV' COMPRESSION = 'AUTO' FIELD_DELIMITER = ',' RECORD_DELIMITER = '\\n'
SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = 'NONE' TRIM_SPACE = FALSE ERROR_ON_COLUMN_COUNT_MISMATCH = TRUE ESCAPE = 'NONE'
ESCAPE_UNENCLOSED_FIELD = '\\134' DATE_FORMAT = 'DD/MM/YYYY' TIMESTAMP_FORMAT = 'AUTO' NULL_IF = ('\\\\N');
create or replace stage rg_stg.stage_s3_ingest url = 's3://{bucket}/' storage_integration = s3_int;
create table rocket_stg.player_stg (id int, born date, seen timestamp);
create or replace pipe rocket_stg.player_stream
auto_ingest=TRUE
as COPY INTO rocket_stg.player_stg
FROM @rg_stg.stage_s3_ingest/stage_data/player/
FILE_FORMAT = ROCKET_STG.ROCKET_STG_CSV;
""",
        {"stage_data/player/a.csv": "id,born,seen\n1,31/12/2001,2026-01-01 00:00:01\n2,\\N,\\N\n"},
        {
            "SELECT id, born::VARCHAR, seen::VARCHAR FROM rocket.rocket_stg.player_stg ORDER BY id": [
                (1, "2001-12-31", "2026-01-01 00:00:01.000"),
                (2, None, None),
            ]
        },
    ),
    "appointments: the scan's time and the file's name behind positions": Shape(
        """
CREATE DATABASE clinic2; USE DATABASE clinic2; USE SCHEMA public;
CREATE STAGE stg_daily URL = 's3://{bucket}/daily/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = 'csv' FIELD_OPTIONALLY_ENCLOSED_BY = '"' skip_header = 1);
CREATE TABLE stg_daily_appointments (id STRING, minutes INT, load_ts TIMESTAMP_NTZ, file_name STRING);
create or replace pipe daily_incremental_pipe
auto_ingest = TRUE
AS
COPY INTO STG_DAILY_APPOINTMENTS
FROM (
    SELECT
        $1, $2,
         METADATA$START_SCAN_TIME AS LOAD_TS, METADATA$FILENAME
    FROM @stg_daily
);
-- desc used to get notification channel arn to add to properties of s3 bucket.
desc pipe daily_incremental_pipe;
""",
        {"daily/2026.csv": 'id,minutes\n"a","30"\n'},
        {
            "SELECT id, minutes, load_ts IS NOT NULL, file_name FROM stg_daily_appointments": [
                ("a", 30, True, "daily/2026.csv")
            ]
        },
    ),
    "names in quotes and small letters; a pipe named as its stage": Shape(
        """
create database "DE04"; create schema "DE04"."VIDEO"; use schema "DE04"."VIDEO";
create or replace table "DE04"."VIDEO"."json_raw"(
json_data_raw VARIANT
);
create or replace file format "DE04"."VIDEO"."raw_video_json_format"
type ='json'
strip_outer_array=true;
create or replace stage "DE04"."VIDEO"."json_external_s3_stage"
url='s3://{bucket}/RDS-kinesis/'
storage_integration=s3_int;
show stages;
create or replace pipe "DE04"."VIDEO"."json_external_s3_stage"
auto_ingest=true
as copy into "DE04"."VIDEO"."json_raw"
from @"DE04"."VIDEO"."json_external_s3_stage"
file_format="DE04"."VIDEO"."raw_video_json_format"
on_error='skip_file';
""",
        {"RDS-kinesis/1": '[{{"a": 1}},{{"a": 2}}]'},
        {'SELECT COUNT(*) FROM "json_raw"': [(2,)]},
    ),
    "news: the stage's options in another order, the stage queried with a format in two spellings": Shape(
        """
create database my_database; create schema my_database.external_stage; use schema my_database.external_stage;
create or replace file format csv_format1 type=csv field_delimiter=',' skip_header=1 null_if=('NULL','null') empty_field_as_null=true FIELD_OPTIONALLY_ENCLOSED_BY='"';
create or replace stage stage2
file_format=csv_format1
url='s3://{bucket}/transformed/'
storage_integration=s3_int;
create or replace table news(
source_name varchar(255),
title	varchar(255),
published_at timestamp_tz
);
select * from news;
SELECT $1, $2, $3
FROM @stage2
(FILE_FORMAT => 'csv_format1');
SELECT t.$1, t.$2 FROM @stage2 (FILE_FORMAT => csv_format1, PATTERN => '.*[.]csv') t;
desc file format csv_format1;
create pipe newspipe
auto_ingest=true
as copy into  news
from @stage2;
show pipes;
""",
        {"transformed/n.csv": 'source,title,at\nBBC,"One, two",2026-01-02T03:04:05Z\n,x,null\n'},
        {
            "SELECT source_name, title, published_at::VARCHAR FROM news ORDER BY title": [
                ("BBC", "One, two", "2026-01-02 03:04:05.000 +0000"),
                (None, "x", None),
            ]
        },
    ),
    "taxi trips: Parquet with whole numbers, decimals, times with a zone from text": Shape(
        """
CREATE DATABASE taxi; CREATE SCHEMA taxi.silver; USE SCHEMA taxi.silver;
CREATE TABLE cleaned (borough STRING, location BIGINT, pickup TIMESTAMP_TZ, passengers STRING, distance FLOAT, flag BOOLEAN);
CREATE STAGE parquet_stage URL = 's3://{bucket}/clean/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = PARQUET);
CREATE OR REPLACE PIPE snowpipe_taxi_parquet
  AUTO_INGEST = TRUE
  AS
  COPY INTO TAXI.SILVER.CLEANED
  FROM (
    SELECT
      $1:PUBorough::STRING,
      $1:PULocationID::BIGINT,
      TO_TIMESTAMP_TZ($1:pickup::STRING),
      $1:passengers::STRING,
      $1:distance::FLOAT,
      $1:flag::BOOLEAN
    FROM @parquet_stage
  )
  FILE_FORMAT = (TYPE = 'PARQUET')
  PATTERN = '.*\\.parquet';
""",
        {
            "clean/a.parquet": '{{"PUBorough": "Queens", "PULocationID": 7, "pickup": "2026-01-01 00:00:00 +0000", "passengers": 2, "distance": 1.5, "flag": true}}\n'
        },
        {
            "SELECT borough, location, pickup::VARCHAR, passengers, distance, flag FROM cleaned": [
                ("Queens", 7, "2026-01-01 00:00:00.000 +0000", "2", 1.5, True)
            ]
        },
    ),
    "Parquet whole, into one VARIANT": Shape(
        """
CREATE DATABASE whole; USE DATABASE whole; USE SCHEMA public;
CREATE OR REPLACE STAGE my_s3_stage
  URL = 's3://{bucket}/data/'
  STORAGE_INTEGRATION = s3_int
  FILE_FORMAT = (TYPE = 'PARQUET');
CREATE TABLE raw_events (
    event_data VARIANT,
    loaded_at TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP()
);
CREATE OR REPLACE PIPE my_pipe
  AUTO_INGEST = TRUE
  AS
  COPY INTO raw_events(event_data, loaded_at)
  FROM (SELECT $1, CURRENT_TIMESTAMP() FROM @my_s3_stage)
  FILE_FORMAT = (TYPE = 'PARQUET');
SELECT SYSTEM$PIPE_STATUS('my_pipe');
SELECT * FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
    TABLE_NAME => 'raw_events',
    START_TIME => DATEADD(hours, -24, CURRENT_TIMESTAMP())
));
""",
        {"data/a.parquet": '{{"id": 1, "tags": ["a", "b"], "who": {{"name": "x"}}}}\n'},
        {
            "SELECT event_data:id::INT, ARRAY_SIZE(event_data:tags), event_data:who.name::STRING, loaded_at IS NOT NULL FROM raw_events": [
                (1, 2, "x", True)
            ]
        },
    ),
    "an external-tables macro: casts of METADATA$ columns, NULLIF, CURRENT_TIMESTAMP::TIMESTAMP": Shape(
        """
create database ext; create schema ext.snowplow; use schema ext.snowplow;
create or replace stage ext.snowplow.st url = 's3://{bucket}/snowplow/' storage_integration = s3_int;
create or replace table ext.snowplow.event (
    value variant,
    metadata_filename varchar,
    metadata_file_row_number bigint,
    metadata_file_last_modified timestamp,
    _dbt_copied_at timestamp
);
create or replace table ext.snowplow.people (id integer, name varchar(20), metadata_filename varchar, metadata_file_row_number bigint, _dbt_copied_at timestamp);
create or replace pipe ext.snowplow.event
  auto_ingest = true
as

    copy into ext.snowplow.event
    from (
        select
            $1::variant as value,
            metadata$filename::varchar as metadata_filename,
            metadata$file_row_number::bigint as metadata_file_row_number,
            metadata$file_last_modified::timestamp as metadata_file_last_modified,
            current_timestamp::timestamp as _dbt_copied_at
        from @ext.snowplow.st/json/
    )
    file_format = (type = json)
    pattern = '.*[.]json';
create or replace pipe ext.snowplow.people
  auto_ingest = true
as
    copy into ext.snowplow.people
    from (
        select
            nullif($1,'')::integer as id,
            nullif($2,'')::varchar(20) as name,
            metadata$filename::varchar as metadata_filename,
            metadata$file_row_number::bigint as metadata_file_row_number,
            current_timestamp::timestamp as _dbt_copied_at
        from @ext.snowplow.st/csv/
    )
    file_format = ( type = csv skip_header = 1 );
""",
        {"snowplow/json/a.json": '{{"a": 1}}', "snowplow/csv/a.csv": "id,name\n,x\n2,\n"},
        {
            "SELECT value:a::INT, metadata_filename, metadata_file_row_number, _dbt_copied_at IS NOT NULL FROM event": [
                (1, "snowplow/json/a.json", 1, True)
            ],
            "SELECT id, name, metadata_file_row_number FROM people ORDER BY 3": [
                (None, "x", 1),
                (2, None, 2),
            ],
        },
    ),
    "an integration of every option; a PATTERN before the format; lines of JSON": Shape(
        """
CREATE STORAGE INTEGRATION IF NOT EXISTS every_option TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = true
  STORAGE_AWS_ROLE_ARN = '{role_arn}' STORAGE_AWS_OBJECT_ACL = 'bucket-owner-full-control' STORAGE_AWS_EXTERNAL_ID = 'MY_ID=1'
  STORAGE_ALLOWED_LOCATIONS = ('*') STORAGE_BLOCKED_LOCATIONS = ('s3://{bucket}/secret/') COMMENT = 'all';
DESC STORAGE INTEGRATION every_option; SHOW STORAGE INTEGRATIONS; SHOW INTEGRATIONS LIKE 'every%';
GRANT USAGE ON INTEGRATION every_option TO ROLE SYSADMIN;
CREATE DATABASE app_db; CREATE SCHEMA app_db.app_schema; USE SCHEMA app_db.app_schema;
CREATE FILE FORMAT json_format TYPE = 'JSON';
CREATE STAGE app_db_stage STORAGE_INTEGRATION = s3_int URL = 's3://{bucket}/';
CREATE TABLE main_images_raw (v VARIANT);
create or replace pipe APP_DB.APP_SCHEMA.MAIN_IMAGES_PIPE auto_ingest=true as COPY INTO APP_DB.APP_SCHEMA.MAIN_IMAGES_RAW
FROM @APP_DB_STAGE
PATTERN='main_images[0-9]+\\.jsonl$'
FILE_FORMAT = (FORMAT_NAME = 'APP_DB.APP_SCHEMA.json_format');
""",
        {"main_images1.jsonl": '{{"a": 1}}\n{{"a": 2}}\n', "others1.jsonl": '{{"a": 3}}\n'},
        {"SELECT COUNT(*) FROM main_images_raw": [(2,)]},
    ),
    "tables cloned and swapped before the pipe, a directory switched on after the stage": Shape(
        """
CREATE DATABASE rpe; CREATE SCHEMA rpe.namely; USE SCHEMA rpe.namely;
CREATE FILE FORMAT rpe.namely.parquet_file_format TYPE = PARQUET;
CREATE TABLE rpe.namely.template (ID INT, NAME STRING);
CREATE OR REPLACE TABLE rpe.namely.incremental_update CLONE rpe.namely.template;
CREATE OR REPLACE TABLE rpe.namely.other LIKE rpe.namely.template;
ALTER TABLE rpe.namely.incremental_update ADD COLUMN extra VARIANT;
CREATE OR REPLACE STAGE s3_time_off
STORAGE_INTEGRATION = s3_int
URL = 's3://{bucket}/custom/data/'
FILE_FORMAT = RPE.NAMELY.PARQUET_FILE_FORMAT;
ALTER STAGE s3_time_off SET DIRECTORY = (ENABLE = TRUE);
create or replace pipe RPE.NAMELY.INCREMENTAL_LOAD auto_ingest=true as COPY INTO RPE.NAMELY.INCREMENTAL_UPDATE
    FROM @RPE.NAMELY.S3_TIME_OFF
    file_format =  (FORMAT_NAME = RPE.NAMELY.PARQUET_FILE_FORMAT)
    match_by_column_name = case_insensitive;
""",
        {"custom/data/a.parquet": '{{"id": 1, "name": "x", "unknown": 2}}\n'},
        {"SELECT id, name, extra FROM rpe.namely.incremental_update": [(1, "x", None)]},
    ),
    "a tilde between fields; TRUNCATECOLUMNS; ENFORCE_LENGTH; a hexadecimal quote": Shape(
        """
CREATE DATABASE lake; CREATE SCHEMA lake.landingtemp; CREATE SCHEMA IF NOT EXISTS lake.public; USE SCHEMA lake.public;
CREATE STAGE dms_source URL = 's3://{bucket}/raw/' STORAGE_INTEGRATION = s3_int;
CREATE TABLE landingtemp.vchr (a VARCHAR(3), b NUMBER(10,2), c DATE);
create or replace pipe landingtemp.pipe_vchr
auto_ingest = true
as
copy into LANDINGTEMP.VCHR
from @public.dms_source/Supply_Chain/vchr/
file_format = (type = 'CSV' FIELD_DELIMITER='~' FIELD_OPTIONALLY_ENCLOSED_BY='0x22'  ESCAPE_UNENCLOSED_FIELD =NONE) TRUNCATECOLUMNS = TRUE;
""",
        {"raw/Supply_Chain/vchr/LOAD1.csv": '"abcdef"~1.50~2026-01-01\nx~~\n'},
        {
            "SELECT a, b, c::VARCHAR FROM landingtemp.vchr ORDER BY a": [
                ("abc", 1.5, "2026-01-01"),
                ("x", None, None),
            ]
        },
    ),
    "roles of a pipeline's own: creators, an owner, a monitor, users of two kinds": Shape(
        """
USE ROLE SECURITYADMIN; CREATE ROLE IF NOT EXISTS pipe_creator COMMENT = 'makes pipes'; GRANT ROLE pipe_creator TO ROLE SYSADMIN;
USE ROLE USERADMIN; CREATE USER IF NOT EXISTS ingest_user PASSWORD = 'a-Long-1' DEFAULT_ROLE = pipe_creator DEFAULT_WAREHOUSE = etl MUST_CHANGE_PASSWORD = FALSE;
USE ROLE ACCOUNTADMIN; GRANT ROLE pipe_creator TO USER ingest_user; CREATE WAREHOUSE IF NOT EXISTS etl WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60;
ALTER WAREHOUSE etl SET AUTO_SUSPEND = 30; ALTER SESSION SET TIMEZONE = 'UTC';
CREATE DATABASE own2; CREATE SCHEMA own2.raw;
GRANT USAGE ON DATABASE own2 TO ROLE pipe_creator; GRANT USAGE, CREATE TABLE, CREATE STAGE, CREATE PIPE, CREATE FILE FORMAT, CREATE STREAM, CREATE TASK, CREATE VIEW ON SCHEMA own2.raw TO ROLE pipe_creator;
GRANT USAGE ON INTEGRATION s3_int TO ROLE pipe_creator; GRANT EXECUTE TASK ON ACCOUNT TO ROLE pipe_creator; GRANT USAGE ON WAREHOUSE etl TO ROLE pipe_creator;
GRANT ROLE pipe_creator TO ROLE ACCOUNTADMIN;
USE ROLE pipe_creator; USE WAREHOUSE etl; USE SCHEMA own2.raw;
CREATE TABLE IF NOT EXISTS t (id NUMBER(38,0) IDENTITY(1,1), raw VARIANT, at TIMESTAMP_LTZ(9) NOT NULL DEFAULT SYSDATE(), CONSTRAINT pk PRIMARY KEY (id));
CREATE STAGE IF NOT EXISTS st URL = 's3://{bucket}/own/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP);
CREATE PIPE IF NOT EXISTS p AUTO_INGEST = TRUE AS COPY INTO own2.raw.t (raw) FROM (SELECT $1 FROM @own2.raw.st);
SHOW GRANTS ON PIPE p;
SELECT GET_DDL('PIPE', 'OWN2.RAW.P');
SELECT * FROM INFORMATION_SCHEMA.PIPES;
USE ROLE ACCOUNTADMIN;
""",
        {"own/a.json.gz": '{{"a": 1}}\n{{"a": 2}}'},
        {"SELECT id, raw:a::INT FROM own2.raw.t ORDER BY id": [(1, 1), (2, 2)]},
    ),
    "dates as they are written elsewhere: DATE_FORMAT, TIMESTAMP_FORMAT, TIME_FORMAT, TRY_TO_ with a format": Shape(
        """
CREATE DATABASE elsewhere; USE DATABASE elsewhere; USE SCHEMA public;
CREATE FILE FORMAT written TYPE = CSV DATE_FORMAT = 'MM/DD/YYYY' TIME_FORMAT = 'HH12:MI AM' TIMESTAMP_FORMAT = 'DD-MON-YYYY HH24:MI:SS TZHTZM';
CREATE STAGE st URL = 's3://{bucket}/dates/' STORAGE_INTEGRATION = s3_int;
CREATE TABLE plain (d DATE, t TIME, n TIMESTAMP_NTZ, l TIMESTAMP_LTZ);
CREATE TABLE tried (n TIMESTAMP_NTZ, d DATE, l TIMESTAMP_LTZ);
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO plain FROM @st/plain/ FILE_FORMAT = written ON_ERROR = CONTINUE;
CREATE PIPE q AUTO_INGEST = TRUE AS COPY INTO tried FROM (SELECT try_to_timestamp_ntz($1, 'MM/DD/YYYY HH24:MI:SS'),
  try_to_date($1, 'MM/DD/YYYY HH24:MI:SS'), try_to_timestamp_ltz($2, 'YYYY-MM-DD"T"HH24:MI:SS.FF3TZH:TZM') FROM @st/tried/)
  FILE_FORMAT = (TYPE = CSV);
""",
        {
            "dates/plain/a.csv": "02/01/2026,03:04 pm,01-FEB-2026 03:04:05 +0100,01-FEB-2026 03:04:05 +0100\n2026-02-01,,,\n",
            "dates/tried/a.csv": "1/2/2026 03:04:05,2026-01-02T03:04:05.123456+01:00\nnever,never\n",
        },
        {
            "SELECT d::VARCHAR, t::VARCHAR, n::VARCHAR, l::VARCHAR FROM plain": [
                ("2026-02-01", "15:04:00", "2026-02-01 03:04:05.000", "2026-02-01 02:04:05.000 +0000")
            ],
            "SELECT n::VARCHAR, d::VARCHAR, l::VARCHAR FROM tried ORDER BY n NULLS LAST": [
                ("2026-01-02 03:04:05.000", "2026-01-02", "2026-01-02 02:04:05.123 +0000"),
                (None, None, None),
            ],
        },
    ),
    "statements of the newer grammar: CREATE OR ALTER": Shape(
        """
CREATE DATABASE newer; CREATE SCHEMA newer.raw; USE SCHEMA newer.raw;
CREATE OR ALTER TABLE t (id INT, name STRING); CREATE OR ALTER TRANSIENT TABLE u (v VARIANT);
CREATE TABLE w (a INT) ENABLE_SCHEMA_EVOLUTION = FALSE; ALTER TABLE w SET DATA_RETENTION_TIME_IN_DAYS = 1;
CREATE OR ALTER FILE FORMAT ff TYPE = CSV SKIP_HEADER = 1;
CREATE OR ALTER STAGE st URL = 's3://{bucket}/newer/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (FORMAT_NAME = ff);
CREATE PIPE p AUTO_INGEST = TRUE AS COPY INTO t FROM @st;
""",
        {"newer/a.csv": "id,name\n1,x\n"},
        {"SELECT id, name FROM t": [(1, "x")]},
    ),
}


def run_sheet(world, text):
    """Every statement of a worksheet, as SnowSQL splits it."""
    for statement, _ in split_statements(io.StringIO(text), remove_comments=False):
        if statement.strip("; \n"):
            world.sql(statement.strip("; \n"))


@pytest.mark.parametrize("shape", WORKSHEETS.values(), ids=list(WORKSHEETS))
def test_a_public_worksheet_is_built_and_loads(world, shape):
    loaded(world, shape, run_sheet)
