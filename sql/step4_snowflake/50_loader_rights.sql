-- Step 4, role <% owner_role %>: what the pipes' owner needs, per stream.
-- All of it must stay granted: a pipe that lost one right stalls, and nothing says so when it is revoked.
-- Needs: the stream's table, stage and file format. A second run changes nothing.
USE ROLE <% owner_role %>;

GRANT USAGE ON DATABASE <% database %> TO ROLE <% loader_role %>;

GRANT USAGE, CREATE PIPE ON SCHEMA <% schema %> TO ROLE <% loader_role %>;

GRANT USAGE ON STAGE <% stage %> TO ROLE <% loader_role %>;

GRANT USAGE ON FILE FORMAT <% file_format %> TO ROLE <% loader_role %>;

GRANT SELECT, INSERT ON TABLE <% table %> TO ROLE <% loader_role %>;
