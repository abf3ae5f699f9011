-- Operating, role <% operator_role %>: queue files of the last 7 days that were never announced.
-- REFRESH asks the pipe's and the table's load history, and queues what neither knows. A pipe that
-- was re-created knows nothing of what it loaded before: `invoke refresh` looks at that first.
-- Needs: the pipe. A second run queues nothing that the first has loaded.
USE ROLE <% operator_role %>;

ALTER PIPE <% pipe %> REFRESH;
