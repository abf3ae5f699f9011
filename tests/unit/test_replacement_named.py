"""A replacement that was cut off is named by `verify`, and as one cause."""

from typing import Any

import pytest

from checks.check_step4_snowflake import check_pipe_is_not_paused, check_pipe_loads_as_written
from runbook.facts.belongings import Belongings
from runbook.facts.objects import Pause
from runbook.replacing.note import Note
from runbook.settings import Settings
from tests.unit.observed import MADE, pipe


def test_a_replacement_that_was_cut_off_is_named_and_its_pause_is_not(settings: Settings) -> None:
    stream = settings.stream("events")
    whole: Any = pipe(settings, stream)
    check_pipe_loads_as_written(whole, stream, settings)
    note = Note("ours", Belongings({}, (), {}), None, MADE, MADE, MADE)
    held = pipe(settings, stream, comment=str(note))
    with pytest.raises(AssertionError, match="a replacement is under way or was cut off"):
        check_pipe_loads_as_written(held, stream, settings)
    paused = Pause(paused=True, level="PIPE")
    with pytest.raises(AssertionError, match="PIPE_EXECUTION_PAUSED is TRUE"):
        check_pipe_is_not_paused(paused, whole, stream)
    with pytest.raises(pytest.skip.Exception):
        check_pipe_is_not_paused(paused, held, stream)
