"""`invoke check`: every check on the installation that a pipe belongs to, however it was made. Only reads."""

from collections.abc import Mapping
from typing import Any

from runbook.commands.discover import discovered
from runbook.commands.verify import reports, verify


def check(
    config: Mapping[str, Any],
    *,
    pipe: str,
    connection: str | None,
    deep: bool,
    formats: list[str],
    every: bool,
) -> int:
    """The outcome of every check on the installation a pipe belongs to. Only reads."""
    reports(formats, None)  # a wrong format is refused before anything is contacted
    found = discovered(config, pipe=pipe, connection=connection)
    return verify(found, formats=formats, deep=deep, every=every)
