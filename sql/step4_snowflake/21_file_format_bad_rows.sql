-- Step 4, role <% owner_role %>: how Snowplow's bad rows are written.
-- JSON documents, one a line; Firehose writes them one after the other without a line end.
-- Needs: 10_schema.sql. A second run changes nothing; never replaced, a pipe would lose it.
USE ROLE <% owner_role %>;

CREATE FILE FORMAT IF NOT EXISTS <% file_format %>
  TYPE = JSON
  COMMENT = 'Snowplow bad rows, JSON documents (snowpipe-runbook)';

ALTER FILE FORMAT <% file_format %> SET
  COMPRESSION = AUTO
  STRIP_OUTER_ARRAY = FALSE
  STRIP_NULL_VALUES = FALSE
  ALLOW_DUPLICATE = FALSE
  ENABLE_OCTAL = FALSE
  REPLACE_INVALID_CHARACTERS = TRUE
  SKIP_BYTE_ORDER_MARK = TRUE;
