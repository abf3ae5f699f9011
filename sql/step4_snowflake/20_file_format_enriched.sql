-- Step 4, role <% owner_role %>: how Snowplow's enriched events are written.
-- 131 fields between tabs, LF after each line; nothing quoted, nothing escaped, empty = absent.
-- Every option that Snowflake's default gets wrong for this is written out:
--   ESCAPE_UNENCLOSED_FIELD: the default backslash would damage the JSON columns and join rows;
--   NULL_IF: the default would turn a field that holds \N into NULL;
--   REPLACE_INVALID_CHARACTERS: one bad byte costs one character, not the file.
-- Needs: 10_schema.sql. A second run changes nothing; never replaced, a pipe would lose it.
USE ROLE <% owner_role %>;

CREATE FILE FORMAT IF NOT EXISTS <% file_format %>
  TYPE = CSV
  COMMENT = 'Snowplow enriched events, TSV (snowpipe-runbook)';

ALTER FILE FORMAT <% file_format %> SET
  COMPRESSION = AUTO
  RECORD_DELIMITER = '\n'
  FIELD_DELIMITER = '\t'
  MULTI_LINE = FALSE
  PARSE_HEADER = FALSE
  SKIP_HEADER = 0
  SKIP_BLANK_LINES = TRUE
  ESCAPE = NONE
  ESCAPE_UNENCLOSED_FIELD = NONE
  TRIM_SPACE = FALSE
  FIELD_OPTIONALLY_ENCLOSED_BY = NONE
  NULL_IF = ()
  ERROR_ON_COLUMN_COUNT_MISMATCH = TRUE
  REPLACE_INVALID_CHARACTERS = TRUE
  EMPTY_FIELD_AS_NULL = TRUE
  SKIP_BYTE_ORDER_MARK = TRUE
  ENCODING = 'UTF8';
