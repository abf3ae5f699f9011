-- Taking back, role <% admin_role %>: our folders out of an integration that others go on using.
-- Needs: that none of our stages stands on it any more (20_stage.sql). A second run changes nothing.
USE ROLE <% admin_role %>;

ALTER STORAGE INTEGRATION <% integration %> SET
  STORAGE_ALLOWED_LOCATIONS = <% allowed_locations %>;
