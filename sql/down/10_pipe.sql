-- Taking back, role <% loader_role %>: the pipe of one stream.
-- For good: its 14 days of load history, and what waits in its queue. The table and its rows stay.
-- Needs: the role. A second run changes nothing.
USE ROLE <% loader_role %>;

DROP PIPE IF EXISTS <% pipe %>;
