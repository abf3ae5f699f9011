-- Taking back, role <% owner_role %>: the stage of one stream; the files in the bucket stay.
-- Needs: that no pipe stands on it any more (10_pipe.sql). A second run changes nothing.
USE ROLE <% owner_role %>;

DROP STAGE IF EXISTS <% stage %>;
