"""A pipe that is resumed by force, and files that keep arriving meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from runbook.errors import NotConverged
from runbook.facts.objects import Load, PipeStatus
from runbook.loading.forcing import wait_for_the_queue
from runbook.settings import Settings
from tests.unit.observed import NOW, FakeReader


def run_with(settings: Settings, reader: FakeReader, pending: Callable[[], int], loaded: list[str]) -> Any:
    """A run whose pipe has ``pending()`` files in its queue, and has loaded those of ``loaded``."""
    loads = [Load(key, "LOADED", NOW + timedelta(seconds=1), 1, 1, 0, "", "EVENTS_PIPE") for key in loaded]
    facts = SimpleNamespace(
        now=NOW,
        pipe_status=lambda _: PipeStatus({"executionState": "RUNNING", "pendingFileCount": pending()}),
        loads_since=lambda *_: tuple(loads[: int(reader.now() / 60) + 1]),
    )
    return SimpleNamespace(reader=reader, settings=settings, facts=lambda: facts)


def test_the_wait_ends_while_files_keep_arriving_and_says_what_is_not_loaded(settings: Settings) -> None:
    """One of the files that waited was lost, which only an empty queue would show; another was loaded."""
    reader, stream = FakeReader(settings), settings.stream("events")
    with pytest.raises(NotConverged, match=r"has not loaded 1 file that waited \(lost\.gz\)") as ended:
        wait_for_the_queue(run_with(settings, reader, lambda: 4, ["c1.gz"]), stream, ["lost.gz", "c1.gz"])
    assert "its queue holds 4 files" in ended.value.why
    assert "invoke backfill --pattern '.*' --stream events" in ended.value.remedy
    assert reader.now() < 2 * settings.checks.ready_within_seconds


def test_it_goes_on_as_long_as_fewer_are_left_and_ends_when_none_is(settings: Settings) -> None:
    reader, stream = FakeReader(settings), settings.stream("events")
    waited = [f"c{number}.gz" for number in range(5)]
    wait_for_the_queue(run_with(settings, reader, lambda: 9, waited), stream, waited)
    assert reader.now() > settings.checks.ready_within_seconds


def test_an_empty_queue_ends_it(settings: Settings) -> None:
    reader, stream = FakeReader(settings), settings.stream("events")
    wait_for_the_queue(run_with(settings, reader, lambda: 0, []), stream, ["lost.gz"])
    assert reader.slept == []
