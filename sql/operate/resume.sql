-- Operating, role <% operator_role %>: let a paused pipe run.
-- SET FALSE, not UNSET: OPERATE allows nothing else. The pipe's own FALSE then wins over a pause that is put
-- on the schema or the account later, until the pipe's owner takes it off (UNSET).
-- Needs: the pipe. A second run changes nothing.
USE ROLE <% operator_role %>;

ALTER PIPE <% pipe %> SET PIPE_EXECUTION_PAUSED = FALSE;
