-- Step 4, role <% owner_role %>: the database and schema.
-- Needs: nothing. A second run changes nothing.
USE ROLE <% owner_role %>;

CREATE DATABASE IF NOT EXISTS <% database %>;

CREATE SCHEMA IF NOT EXISTS <% schema %>;
