"""The documented Snowpipe set-up for Snowplow events, as a program."""

__version__ = "0.1.0"
