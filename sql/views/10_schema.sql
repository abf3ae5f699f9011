-- Views, role <% owner_role %>: the schema of the views.
-- Needs: the database. A second run changes nothing.
USE ROLE <% owner_role %>;

CREATE SCHEMA IF NOT EXISTS <% view_schema %>;
