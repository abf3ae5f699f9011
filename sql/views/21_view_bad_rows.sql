-- Views, role <% owner_role %>: Snowplow's failed events; what their families name differently is one column.
-- A document is a bare failed event, one in its EventBridge envelope, or one of before 2020 (line, errors).
--   family, family_version: of which schema the failed event is
--   failure_schema:         the schema that the event did not fit, where that is why
--   error:                  the first message
--   event:                  the event in atomic shape, where the payload has it; event_id … are of it
-- Needs: the table (step 4). A second run makes the same view; why OR REPLACE: 20_view_enriched.sql.
USE ROLE <% owner_role %>;

CREATE OR REPLACE VIEW <% view %>
COPY GRANTS
COMMENT = <% view_comment %>
AS
SELECT
  SPLIT_PART(failed:schema::VARCHAR, '/', 2) AS family,
  SPLIT_PART(failed:schema::VARCHAR, '/', 4) AS family_version,
  COALESCE(
    failure:messages[0]:schemaKey::VARCHAR,
    failure:messages[0]:message:schemaKey::VARCHAR,
    failure:messages[0]:enrichment:schemaKey::VARCHAR,
    failure[0]:schemaKey::VARCHAR
  ) AS failure_schema,
  LEFT(
    COALESCE(
      failure:messages[0]:error:dataReports[0]:message::VARCHAR,
      failure:messages[0]:error:error::VARCHAR,
      failure:messages[0]:message:error::VARCHAR,
      failure:messages[0]:message:expectation::VARCHAR,
      failure:messages[0]:error::VARCHAR,
      failure:messages[0]:message::VARCHAR,
      failure:messages[0]:expectation::VARCHAR,
      failure:message:error::VARCHAR,
      failure:message:expectation::VARCHAR,
      failure:errors[0]::VARCHAR,
      failure:expectation::VARCHAR,
      failure:type::VARCHAR,
      failure[0]:error:error::VARCHAR,
      failed:errors[0]:message::VARCHAR,
      failure::VARCHAR
    ),
    1000
  ) AS error,
  TRY_TO_TIMESTAMP_NTZ(LEFT(REPLACE(failure:timestamp::VARCHAR, 'T', ' '), 19), 'YYYY-MM-DD HH24:MI:SS')
    AS failure_tstamp,
  failed:data:processor:artifact::VARCHAR AS processor,
  failed:data:processor:version::VARCHAR AS processor_version,
  COALESCE(event:event_id::VARCHAR, IFF(fields = 131, SPLIT_PART(line, '\t', 7), NULL)) AS event_id,
  COALESCE(event:app_id::VARCHAR, IFF(fields = 131, SPLIT_PART(line, '\t', 1), NULL)) AS app_id,
  COALESCE(event:platform::VARCHAR, IFF(fields = 131, SPLIT_PART(line, '\t', 2), NULL)) AS platform,
  TRY_TO_TIMESTAMP_NTZ(
    LEFT(REPLACE(event:collector_tstamp::VARCHAR, 'T', ' '), 19), 'YYYY-MM-DD HH24:MI:SS'
  ) AS collector_tstamp,
  event,
  failure,
  payload,
  document,
  _loaded_at AS load_tstamp,
  _file,
  _file_row,
  TO_TIMESTAMP_LTZ(DATE_PART(EPOCH_MICROSECOND, _loaded_at), 6) AS _loaded_at
FROM (
  SELECT
    *,
    failed:data:failure AS failure,
    failed:data:payload AS payload,
    COALESCE(
      AS_OBJECT(failed:data:payload:enriched),
      IFF(failed:data:payload:event_id IS NOT NULL, AS_OBJECT(failed:data:payload), NULL)
    ) AS event,
    IFF(TYPEOF(failed:data:payload) = 'VARCHAR', failed:data:payload::VARCHAR, NULL) AS line,
    LENGTH(line) - LENGTH(REPLACE(line, '\t', '')) + 1 AS fields
  FROM (
    SELECT
      *,
      COALESCE(document:detail, document) AS failed
    FROM <% table %>
  ) AS raw
) AS documents;
