-- Step 4, role <% loader_role %>: the pipe of one stream of JSON documents.
-- Needs: everything before. Snowflake assumes the role of step 1 here for the first time.
-- A second run changes nothing. A changed COPY statement is `invoke replace-pipe`'s business:
-- replacing a pipe forgets 14 days of load history and would load files twice.
USE ROLE <% loader_role %>;

CREATE PIPE IF NOT EXISTS <% pipe %>
  AUTO_INGEST = TRUE
  <% aws_sns_topic %>
  COMMENT = 'JSON documents (snowpipe-runbook)'
AS
COPY INTO <% table %> (
  document,
  <% own_names %>
  _file,
  _file_row,
  _loaded_at
)
FROM (
  SELECT
    $1,
    <% own_values %>
    METADATA$FILENAME,
    METADATA$FILE_ROW_NUMBER,
    CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)::TIMESTAMP_NTZ
  FROM @<% stage %>
)
FILE_FORMAT = (FORMAT_NAME = <% file_format %>)
ON_ERROR = SKIP_FILE;
