-- Operating, role <% operator_role %>: resume a pipe that Snowflake resumes by force only: paused for more
-- than 14 days, or handed to another owner. What was announced more than 14 days ago may be gone from its
-- queue: `invoke resume` loads that by name afterwards.
-- Needs: the pipe. A second run changes nothing.
USE ROLE <% operator_role %>;

SELECT SYSTEM$PIPE_FORCE_RESUME(
  <% pipe_name %>, 'STALENESS_CHECK_OVERRIDE, OWNERSHIP_TRANSFER_CHECK_OVERRIDE'
);
