"""The simulation can fail: with one rule of the product taken out it does, within some hundred schedules."""

import copy
import os.path
from collections.abc import Iterable

import pytest

from runbook.ledger.classes import Evidence
from runbook.loading import planning
from runbook.settings import Settings, read
from tests.simulation.schedule import played, schedule
from tests.unit.conftest import DEFAULTS


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read(copy.deepcopy(DEFAULTS))


def refresh_everything(prefixes: list[str], wanted: Iterable[str]) -> list[str]:
    """REFRESH without looking at what else it takes."""
    return [os.path.commonprefix(sorted(wanted))]  # noqa: RUF071 (of keys, not of folders)


WORSE: dict[str, tuple[object, str, object]] = {
    "REFRESH without looking": (planning, "whole_names", refresh_everything),
    "COPY of files whose event may come": (Evidence, "is_young", lambda self, file: False),
    "nothing is half-way": (Evidence, "may_be_half_way", lambda self, file: False),
    "a new pipe knows what the old one loaded": (Evidence, "pipe_knows", lambda self, file: True),
}


LATE = "COPY of files whose event may come"  # found out after a minute of schedules


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[pytest.mark.slow] if how == LATE else []) for how in WORSE]
)
def test_a_worse_product_is_found_out(settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*WORSE[how])
    assert any(_fails(settings, seed) for seed in range(1500)), how


def _fails(settings: Settings, seed: int) -> bool:
    try:
        played(settings, seed, schedule(seed))
    except AssertionError:
        return True
    return False
