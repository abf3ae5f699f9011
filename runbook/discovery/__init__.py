"""`invoke discover`: the settings of an installation that others made, read out of what is there.

``snowflake_side`` reads pipes, stages and the integration, ``aws_side`` the role and the bucket's rules;
both only read, and note what differs from what the steps make. ``written`` is the environment file.
"""
