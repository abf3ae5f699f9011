"""`invoke resume`: let a paused pipe load again.

Where Snowflake resumes it by force only, see :mod:`runbook.loading.forcing`.
"""

from collections.abc import Mapping
from typing import Any

from runbook.commands.pause import switch


def resume(config: Mapping[str, Any], *, stream: str | None, dry_run: bool, yes: bool) -> int:
    """Take back a pipe's own pause; one on the schema or account is named, not overruled. Writes."""
    return switch(config, "resume", stream, dry_run=dry_run, yes=yes)
