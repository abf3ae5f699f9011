"""The sandbox's Snowflake account: its wire protocol, objects, privileges, loading and plain SQL."""
