-- Step 2, role <% admin_role %>: the roles that load and operate the pipes.
-- Needs: nothing. A second run changes nothing.
-- The owner role inherits both, as Snowflake advises: no custom role stands outside the hierarchy.
USE ROLE <% admin_role %>;

CREATE ROLE IF NOT EXISTS <% loader_role %>
  COMMENT = 'Owns the Snowpipe pipes; they load with its privileges (snowpipe-runbook)';

CREATE ROLE IF NOT EXISTS <% operator_role %>
  COMMENT = 'Watches, pauses, resumes and refreshes the Snowpipe pipes (snowpipe-runbook)';

GRANT ROLE <% loader_role %> TO ROLE <% owner_role %>;

GRANT ROLE <% operator_role %> TO ROLE <% owner_role %>;
