-- Step 4, role <% owner_role %>: Snowplow's bad rows, one JSON document a row, and where it came from.
-- The document is what the file holds: a bare bad row, or one in its EventBridge envelope
-- (read COALESCE(document:detail, document)).
-- Needs: 10_schema.sql. A second run changes nothing; an existing table is never altered.
USE ROLE <% owner_role %>;

CREATE TABLE IF NOT EXISTS <% table %> (
  document VARIANT,
  _file VARCHAR,
  _file_row NUMBER(38, 0),
  _loaded_at TIMESTAMP_NTZ(9)
)
COMMENT = 'Snowplow bad rows, loaded by Snowpipe (snowpipe-runbook)';
