-- Views, role <% owner_role %>: the events as the documented pipeline's table has them, as text.
-- For models that were written for that table: its 131 columns in order and uploaded_at, 132 in all.
-- uploaded_at: when the file was read, UTC; the documented table's may be hours early, and in another zone.
-- Needs: the table (step 4). A second run makes the same view; why OR REPLACE: 20_view_enriched.sql.
USE ROLE <% owner_role %>;

CREATE OR REPLACE VIEW <% view %>
COPY GRANTS
COMMENT = <% view_comment %>
AS
SELECT
  <% event_columns %>
  _loaded_at AS uploaded_at
FROM <% table %>;
