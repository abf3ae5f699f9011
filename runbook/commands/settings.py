"""`invoke settings`: the settings as they are read; whether an environment file is right. Contacts nobody."""

from collections.abc import Mapping
from typing import Any

import yaml

from runbook import settings as reading
from runbook.settings.schema import text
from runbook.terminal import note, say_as_is


def settings(config: Mapping[str, Any], *, schema: bool) -> int:
    """Print the settings with their defaults, or the schema of an environment file. Contacts nobody."""
    if schema:
        say_as_is(text().rstrip())
        return 0
    found = reading.read(config)
    say_as_is(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True).rstrip())
    note(f"target {found.target}: these settings are right in themselves; nobody was asked")
    return 0
