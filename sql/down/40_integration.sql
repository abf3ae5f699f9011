-- Taking back, role <% admin_role %>: the storage integration.
-- For good: its external ID. One that is made again has another, and the trust policy must follow.
-- Needs: that no stage stands on it any more (20_stage.sql). A second run changes nothing.
USE ROLE <% admin_role %>;

DROP STORAGE INTEGRATION IF EXISTS <% integration %>;
