-- Step 4, role <% loader_role %>: let the pipe run.
-- Needs: the stream's pipe. A second run changes nothing.
-- UNSET, not SET FALSE: a pause that was put on the schema or the account stays in force.
USE ROLE <% loader_role %>;

ALTER PIPE <% pipe %> UNSET PIPE_EXECUTION_PAUSED;
