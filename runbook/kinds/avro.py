"""Avro files of other producers.

Source: https://docs.snowflake.com/en/sql-reference/sql/create-file-format (TYPE = AVRO)
"""

from runbook.kinds.through import Shape, Through


def shape(_through: Through) -> Shape | str:
    """Why there is no canary."""
    return "its files are Avro, whose schema the producer knows: none is made up"
