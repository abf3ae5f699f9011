-- Step 2, role <% admin_role %>: the storage integration for the role of step 1.
-- Needs: the role's name, not yet the role: Snowflake does not call AWS here.
-- A second run changes nothing. It is never replaced: that would make a new external ID,
-- and every stage on it would lose it (error 3139). The comment names the schema it serves.
USE ROLE <% admin_role %>;

CREATE STORAGE INTEGRATION IF NOT EXISTS <% integration %>
  TYPE = EXTERNAL_STAGE
  STORAGE_PROVIDER = <% storage_provider %>
  STORAGE_AWS_ROLE_ARN = <% role_arn %>
  ENABLED = TRUE
  STORAGE_ALLOWED_LOCATIONS = <% allowed_locations %>
  COMMENT = <% integration_comment %>;

-- IF NOT EXISTS leaves an existing one as it is; this brings it to what is wanted.
ALTER STORAGE INTEGRATION <% integration %> SET
  STORAGE_AWS_ROLE_ARN = <% role_arn %>
  ENABLED = TRUE
  STORAGE_ALLOWED_LOCATIONS = <% allowed_locations %>
  COMMENT = <% integration_comment %>;
