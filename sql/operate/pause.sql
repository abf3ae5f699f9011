-- Operating, role <% operator_role %>: stop a pipe from loading.
-- What is announced meanwhile waits up to 14 days.
-- Needs: the pipe. A second run changes nothing.
USE ROLE <% operator_role %>;

ALTER PIPE <% pipe %> SET PIPE_EXECUTION_PAUSED = TRUE;
