"""AWS and Snowflake as they are reached: signing in, reading, writing, and what goes wrong on the way."""
