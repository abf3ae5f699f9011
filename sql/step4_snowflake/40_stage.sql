-- Step 4, role <% owner_role %>: the stage of one stream, on the storage integration of step 2.
-- Needs: 10_schema.sql and USAGE on the integration (sql/step2_snowflake/30_usage.sql).
-- A second run changes nothing. Never replaced, and its URL never altered: either stops the pipe
-- for good. SET STORAGE_INTEGRATION stops nothing, and mends a stage whose integration was replaced.
USE ROLE <% owner_role %>;

CREATE STAGE IF NOT EXISTS <% stage %>
  URL = <% url %>
  STORAGE_INTEGRATION = <% integration %>
  COMMENT = 'Snowplow files in S3 (snowpipe-runbook)';

ALTER STAGE <% stage %> SET STORAGE_INTEGRATION = <% integration %>;
