-- Step 4, role <% owner_role %>: what operating a stream needs, and no more.
-- OPERATE pauses, resumes and refreshes, but does not show the pipe's status: MONITOR does.
-- REFRESH also asks for the stage, the format and the table.
-- CREATE FILE FORMAT: a command that loads says so by an object that everybody sees (docs/adr/0017).
-- Needs: the stream's pipe. A second run changes nothing.
USE ROLE <% owner_role %>;

GRANT USAGE ON DATABASE <% database %> TO ROLE <% operator_role %>;

GRANT USAGE, CREATE FILE FORMAT ON SCHEMA <% schema %> TO ROLE <% operator_role %>;

GRANT USAGE ON STAGE <% stage %> TO ROLE <% operator_role %>;

GRANT USAGE ON FILE FORMAT <% file_format %> TO ROLE <% operator_role %>;

GRANT SELECT, INSERT ON TABLE <% table %> TO ROLE <% operator_role %>;

USE ROLE <% loader_role %>;

GRANT MONITOR, OPERATE ON PIPE <% pipe %> TO ROLE <% operator_role %>;
