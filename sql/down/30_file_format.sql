-- Taking back, role <% owner_role %>: a file format of the streams.
-- Needs: that no pipe names it any more (10_pipe.sql). A second run changes nothing.
USE ROLE <% owner_role %>;

DROP FILE FORMAT IF EXISTS <% file_format %>;
