-- Operating, role <% operator_role %>: take back a pipe's own pause.
-- Needs: the pipe. A second run changes nothing.
-- UNSET, not SET FALSE: a pause that was put on the schema or the account stays in force.
USE ROLE <% operator_role %>;

ALTER PIPE <% pipe %> UNSET PIPE_EXECUTION_PAUSED;
