"""Who may do what: roles, grants, ownership (facts/snowflake.md §4)."""
