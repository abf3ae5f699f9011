# ruff: noqa: E501, F811 - worksheets as their authors would write them; a fixture that is imported
"""Worksheets with ``AUTO_INGEST`` whose other half stands beside the pipe, or behind it.

Re-expressed from public repositories; nothing of theirs is copied. Each is run statement by statement, files
arrive, rows are counted. The repository (or kind of repository) each is like is named.
"""

import pytest
from test_installations import Shape, loaded, world  # noqa: F401 - world is the fixture
from test_worksheets import run_sheet

WORKSHEETS = {
    # https://github.com/BOSS6292/Cloud-Native-Real-Time-Data-Pipeline-Apache-NiFi-Snowflake- and its many siblings
    "slowly changing: procedure, streams, a view over a stream, tasks that forgive a MERGE": Shape(
        """
create database if not exists scd_demo; create schema if not exists scd2; use schema scd2;
create or replace table customer (customer_id number, first_name varchar, country varchar, update_timestamp timestamp_ntz default current_timestamp());
create or replace table customer_history (customer_id number, first_name varchar, country varchar, start_time timestamp_ntz default current_timestamp(), end_time timestamp_ntz default current_timestamp(), is_current boolean);
create or replace table customer_raw (customer_id number, first_name varchar, country varchar);
create or replace stream customer_table_changes on table customer;
CREATE OR REPLACE STAGE SCD_DEMO.SCD2.customer_ext_stage url='s3://{bucket}/stream_data' storage_integration = s3_int;
CREATE OR REPLACE FILE FORMAT SCD_DEMO.SCD2.CSV
TYPE = CSV,
FIELD_DELIMITER = ","
SKIP_HEADER = 1;
CREATE OR REPLACE PIPE customer_s3_pipe
  auto_ingest = true
  AS
  COPY INTO customer_raw
  FROM @customer_ext_stage
  FILE_FORMAT = CSV
  ;
CREATE OR REPLACE PROCEDURE pdr_scd_demo()
returns string not null
language javascript
as
    $$
      var cmd = `merge into customer c using customer_raw cr on c.customer_id = cr.customer_id
                 when not matched then insert (c.customer_id) values (cr.customer_id);`
      var sql1 = snowflake.createStatement({{sqlText: cmd}});
      return sql1.execute();
    $$;
use role securityadmin; create or replace role taskadmin; use role accountadmin;
grant execute task on account to role taskadmin;
create or replace task tsk_scd_raw warehouse = COMPUTE_WH schedule = '1 minute'
ERROR_ON_NONDETERMINISTIC_MERGE=FALSE
as
call pdr_scd_demo();
alter task tsk_scd_raw suspend; show tasks;
create or replace view v_customer_change_data as
select CUSTOMER_ID, FIRST_NAME, COUNTRY, start_time, end_time, is_current, 'I' as dml_type
from (select CUSTOMER_ID, FIRST_NAME, COUNTRY, update_timestamp as start_time,
        lag(update_timestamp) over (partition by customer_id order by update_timestamp desc) as end_time_raw,
        case when end_time_raw is null then '9999-12-31'::timestamp_ntz else end_time_raw end as end_time,
        case when end_time_raw is null then TRUE else FALSE end as is_current
      from (select CUSTOMER_ID, FIRST_NAME, COUNTRY, UPDATE_TIMESTAMP from SCD_DEMO.SCD2.CUSTOMER_TABLE_CHANGES
            where metadata$action = 'INSERT' and metadata$isupdate = 'FALSE'))
union
select ctc.CUSTOMER_ID, null, null, ch.start_time, current_timestamp()::timestamp_ntz, NULL, 'D'
from customer_history ch inner join customer_table_changes ctc on ch.customer_id = ctc.customer_id
where ctc.metadata$action = 'DELETE' and ctc.metadata$isupdate = 'FALSE' and ch.is_current = TRUE;
create or replace task tsk_scd_hist warehouse= COMPUTE_WH schedule='1 minute' ERROR_ON_NONDETERMINISTIC_MERGE=FALSE
as
merge into customer_history ch using v_customer_change_data ccd on ch.CUSTOMER_ID = ccd.CUSTOMER_ID
when matched and ccd.dml_type = 'D' then update set ch.end_time = ccd.end_time, ch.is_current = FALSE;
alter task tsk_scd_hist resume;
""",
        {"stream_data/customer_1.csv": "id,name,country\n1,Ann,NL\n2,Bob,SE\n"},
        {
            "SELECT customer_id, first_name, country FROM scd_demo.scd2.customer_raw ORDER BY 1": [
                (1, "Ann", "NL"),
                (2, "Bob", "SE"),
            ]
        },
    ),
    # https://github.com/sfc-gh-vthota/Snowpipe_DT_DEMOS, https://github.com/moniburnejko/snowflake-ingestion-patterns
    "dynamic tables behind the pipe, an alert, a materialized view, a temporary table to look with": Shape(
        """
CREATE DATABASE IF NOT EXISTS poc; CREATE SCHEMA IF NOT EXISTS poc.bronze; CREATE SCHEMA poc.gold; USE SCHEMA poc.bronze;
CREATE WAREHOUSE IF NOT EXISTS poc_wh WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 ENABLE_QUERY_ACCELERATION = FALSE STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 60;
CREATE TABLE events (raw VARIANT, file_name STRING, loaded_at TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP()) CHANGE_TRACKING = TRUE;
CREATE STAGE events_stage URL = 's3://{bucket}/events/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = JSON STRIP_OUTER_ARRAY = TRUE);
CREATE PIPE events_pipe AUTO_INGEST = TRUE AS COPY INTO poc.bronze.events (raw, file_name) FROM (SELECT $1, METADATA$FILENAME FROM @poc.bronze.events_stage);
CREATE OR REPLACE DYNAMIC TABLE poc.gold.orders TARGET_LAG = '1 minute' WAREHOUSE = poc_wh REFRESH_MODE = AUTO INITIALIZE = ON_CREATE
AS SELECT raw:id::NUMBER AS id, raw:amount::NUMBER(10,2) AS amount, file_name FROM poc.bronze.events WHERE raw:kind::STRING = 'order';
CREATE DYNAMIC TABLE poc.gold.totals TARGET_LAG = DOWNSTREAM WAREHOUSE = poc_wh AS SELECT file_name, SUM(amount) AS total FROM poc.gold.orders GROUP BY file_name;
ALTER DYNAMIC TABLE poc.gold.totals REFRESH;
CREATE MATERIALIZED VIEW poc.gold.kinds AS SELECT raw:kind::STRING AS kind, COUNT(*) AS n FROM poc.bronze.events GROUP BY raw:kind::STRING;
CREATE OR REPLACE TEMPORARY TABLE look AS SELECT * FROM poc.bronze.events LIMIT 10;
CREATE ALERT IF NOT EXISTS failed_loads WAREHOUSE = poc_wh SCHEDULE = '15 MINUTE'
  IF (EXISTS (SELECT 1 FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'EVENTS', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) WHERE STATUS = 'LOAD_FAILED'))
  THEN CALL SYSTEM$SEND_EMAIL('mail', 'a@b.c', 'Snowpipe', 'look');
ALTER ALERT failed_loads RESUME; SHOW ALERTS; SHOW DYNAMIC TABLES IN SCHEMA poc.gold;
GRANT SELECT ON ALL DYNAMIC TABLES IN SCHEMA poc.gold TO ROLE PUBLIC;
""",
        {
            "events/1.json": '[{{"id":1,"kind":"order","amount":2.5}},{{"id":2,"kind":"order","amount":1}},{{"kind":"click"}}]'
        },
        {
            "SELECT total FROM poc.gold.totals": [(3.5,)],
            "SELECT kind, n FROM poc.gold.kinds ORDER BY kind": [("click", 1), ("order", 2)],
        },
    ),
    # https://github.com/sfc-gh-osinger/SnowWatch, https://github.com/randypitcherii/snowflake_security_analytics
    "a security lake: the moment cut out of the file's name, keys in the stage's role's place, roles that own": Shape(
        """
USE ROLE SECURITYADMIN; CREATE ROLE IF NOT EXISTS watch_role; GRANT ROLE watch_role TO ROLE SYSADMIN; GRANT ROLE watch_role TO ROLE ACCOUNTADMIN; USE ROLE ACCOUNTADMIN;
CREATE OR REPLACE RESOURCE MONITOR watch_budget WITH CREDIT_QUOTA = 20 TRIGGERS ON 75 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND ON 110 PERCENT DO SUSPEND_IMMEDIATE;
CREATE OR REPLACE WAREHOUSE watch_wh WAREHOUSE_SIZE=XSMALL INITIALLY_SUSPENDED=TRUE AUTO_SUSPEND=120 RESOURCE_MONITOR = watch_budget;
GRANT OWNERSHIP ON WAREHOUSE watch_wh TO ROLE watch_role;
CREATE DATABASE IF NOT EXISTS watch; GRANT OWNERSHIP ON DATABASE watch TO ROLE watch_role; GRANT USAGE ON INTEGRATION s3_int TO ROLE watch_role;
USE ROLE watch_role; USE WAREHOUSE watch_wh; CREATE SCHEMA IF NOT EXISTS watch.aws;
CREATE TABLE IF NOT EXISTS
  watch.aws.role_landing_zone (
    RAW_DATA        VARIANT,
    MONITORED_TIME  TIMESTAMP_TZ,
    ARN             STRING,
    CREATE_DATE     TIMESTAMP_TZ,
    ACCOUNT_ID      STRING(12)
  );
CREATE FILE FORMAT IF NOT EXISTS watch.aws.json_array TYPE=JSON STRIP_OUTER_ARRAY=TRUE;
CREATE STAGE IF NOT EXISTS watch.aws.st URL= 's3://{bucket}' //'s3://name' + your account
  STORAGE_INTEGRATION = s3_int FILE_FORMAT=watch.aws.json_array;
CREATE OR REPLACE PIPE
  watch.aws.role_pipe
  AUTO_INGEST=TRUE
AS
  COPY INTO
    watch.aws.role_landing_zone
  FROM (
    SELECT
      $1                                      AS RAW_DATA,
      TO_TIMESTAMP_TZ(
        REGEXP_SUBSTR(
          METADATA$FILENAME, '\\/([^\\/]*)\\.json', 1, 1, 'e'
        ) || 'Z'
      )                                       AS MONITORED_TIME,
      $1:"Arn" :: STRING                      AS ARN,
      $1:"CreateDate" :: TIMESTAMP_TZ         AS CREATE_DATE,
      $1:"AccountId" :: STRING(12)            AS ACCOUNT_ID
    FROM
      @watch.aws.st/iam_monitoring/roles/
  );
ALTER PIPE watch.aws.role_pipe REFRESH;
USE ROLE ACCOUNTADMIN;
""",
        {
            "iam_monitoring/roles/2026-11-30T10:00:00.json": '[{{"Arn":"a","CreateDate":"2020-01-01T00:00:00Z","AccountId":"111122223333"}}]'
        },
        {
            "SELECT monitored_time::VARCHAR, arn, create_date::VARCHAR, account_id FROM watch.aws.role_landing_zone": [
                ("2026-11-30 10:00:00.000 +0000", "a", "2020-01-01 00:00:00.000 +0000", "111122223333")
            ]
        },
    ),
    # https://github.com/sanskar-sri/Snowflake-Streaming-Data-Warehouse-Zomato-Use-Case- (there on another cloud)
    "governed: tags on table, column and warehouse, policies made and not yet set, functions, a PATTERN with the COPY's own path": Shape(
        """
CREATE DATABASE dwh; CREATE SCHEMA dwh.raw; CREATE SCHEMA dwh.util; USE SCHEMA dwh.raw;
CREATE OR REPLACE TAG util.pii ALLOWED_VALUES 'email', 'phone' COMMENT = 'what a person is known by';
CREATE TAG IF NOT EXISTS util.cost_center;
CREATE OR REPLACE MASKING POLICY util.mask_email AS (val STRING) RETURNS STRING -> CASE WHEN CURRENT_ROLE() IN ('PII_ADMIN', 'ACCOUNTADMIN') THEN val ELSE REGEXP_REPLACE(val, '.+@', '****@') END;
CREATE OR REPLACE ROW ACCESS POLICY util.by_city AS (city STRING) RETURNS BOOLEAN -> CURRENT_ROLE() = 'ACCOUNTADMIN' OR city = 'Oslo';
CREATE OR REPLACE FUNCTION util.sla(a NUMBER, b NUMBER) RETURNS STRING LANGUAGE SQL AS $$ CASE WHEN a > b THEN 'late' ELSE 'in time' END $$;
CREATE OR REPLACE PROCEDURE util.load_dim() RETURNS STRING LANGUAGE SQL EXECUTE AS CALLER AS $$ BEGIN INSERT INTO dwh.raw.customers SELECT * FROM dwh.raw.customers; RETURN 'done'; END $$;
GRANT USAGE ON PROCEDURE util.load_dim() TO ROLE SYSADMIN; GRANT USAGE ON FUNCTION util.sla(NUMBER, NUMBER) TO ROLE SYSADMIN; GRANT APPLY ON TAG util.pii TO ROLE SYSADMIN;
CREATE TABLE customers (id NUMBER, email STRING WITH TAG (dwh.util.pii = 'email'), city STRING) WITH TAG (dwh.util.cost_center = 'sales') COMMENT = 'raw';
ALTER TABLE customers MODIFY COLUMN city SET TAG util.pii = 'phone'; ALTER WAREHOUSE COMPUTE_WH SET TAG util.cost_center = 'sales';
CREATE STAGE landing URL = 's3://{bucket}/landing/' STORAGE_INTEGRATION = s3_int FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1) WITH TAG (util.cost_center = 'sales');
CREATE PIPE customer_pipe AUTO_INGEST = TRUE AS COPY INTO dwh.raw.customers FROM @dwh.raw.landing/customers/ PATTERN = '.*/customers/.*[.]csv|customers/.*[.]csv';
SHOW TAGS IN DATABASE dwh; SHOW MASKING POLICIES IN DATABASE dwh; SHOW USER FUNCTIONS IN SCHEMA dwh.util;
""",
        {"landing/customers/1.csv": "id,email,city\n1,a@b.c,Oslo\n", "landing/customers/1.txt": "id\n9\n"},
        {"SELECT id, email, city FROM dwh.raw.customers": [(1, "a@b.c", "Oslo")]},
    ),
}


@pytest.mark.parametrize("shape", WORKSHEETS.values(), ids=list(WORKSHEETS))
def test_a_public_worksheet_is_built_and_loads(world, shape):
    loaded(world, shape, run_sheet)
