-- Taking back, role <% admin_role %>: the role that owned the pipes, and with it everything granted to it.
-- Needs: that it owns nothing any more: what it owns would become the admin role's.
-- A second run changes nothing.
USE ROLE <% admin_role %>;

DROP ROLE IF EXISTS <% loader_role %>;
