"""`invoke sql`: the statements of a Snowflake step as they would run, for a worksheet. Contacts nobody."""

from collections.abc import Mapping
from typing import Any

from runbook import settings as reading
from runbook.errors import SettingsWrong
from runbook.kinds import KINDS
from runbook.sql import files, parameters, rendered, template
from runbook.terminal import note, say_as_is


def sql(config: Mapping[str, Any], *, step_number: int) -> int:
    """The statements of a Snowflake step as they would run, for a worksheet. Contacts nobody."""
    folder = {2: "step2_snowflake", 4: "step4_snowflake"}.get(step_number)
    if folder is None:
        said = f"Step {step_number} has no SQL" if step_number else "No step is given"
        raise SettingsWrong(said, remedy="invoke sql --step 2, or --step 4")
    settings = reading.read(config)
    for name in files(folder):
        of_stream = {"table", "stage", "pipe", "file_format", "url"} & set(parameters(template(name)))
        for stream in settings.streams if of_stream else (None,):
            if stream is None or name.removesuffix(".sql").endswith(stream.kind) or _for_all(name):
                say_as_is(rendered(name, settings, stream))
    note(f"target {settings.target}: printed only, nothing was run")
    return 0


def _for_all(name: str) -> bool:
    return not name.removesuffix(".sql").endswith(tuple(KINDS))
