-- Step 4, role <% owner_role %>: JSON documents, one a row, and where each came from.
-- The document is what the file holds, whatever its members are; own columns are the settings'.
-- Needs: 10_schema.sql. A second run changes nothing; an existing table is never altered.
USE ROLE <% owner_role %>;

CREATE TABLE IF NOT EXISTS <% table %> (
  document VARIANT,
  <% own_columns %>
  _file VARCHAR,
  _file_row NUMBER(38, 0),
  _loaded_at TIMESTAMP_NTZ(9)
)
COMMENT = 'JSON documents, loaded by Snowpipe (snowpipe-runbook)';
