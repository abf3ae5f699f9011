-- Step 2, role <% admin_role %>: who may build stages on the integration, load and list through it.
-- Needs: 10_roles.sql, 20_integration.sql. A second run changes nothing.
USE ROLE <% admin_role %>;

GRANT USAGE ON INTEGRATION <% integration %> TO ROLE <% owner_role %>;

GRANT USAGE ON INTEGRATION <% integration %> TO ROLE <% loader_role %>;

GRANT USAGE ON INTEGRATION <% integration %> TO ROLE <% operator_role %>;
