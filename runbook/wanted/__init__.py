"""What the settings ask for, in Snowflake's and AWS' own terms. Pure functions."""
