-- Views, role <% owner_role %>: the failed events as the documented pipeline's table has them.
-- Needs: the table (step 4). A second run makes the same view; why OR REPLACE: 20_view_enriched.sql.
USE ROLE <% owner_role %>;

CREATE OR REPLACE VIEW <% view %>
COPY GRANTS
COMMENT = <% view_comment %>
AS
SELECT
  document AS jsontext,
  _loaded_at AS uploaded_at
FROM <% table %>;
