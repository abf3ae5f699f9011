-- Down, role <% owner_role %>: remove a view. It holds no data; its schema stays, and the tables.
-- A second run changes nothing.
USE ROLE <% owner_role %>;

DROP VIEW IF EXISTS <% view %>;
