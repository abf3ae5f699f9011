"""The default settings, and facts and clouds that are pretended."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings as hypothesis_settings

from runbook.settings import Settings, read
from tests.unit.observed import Known, healthy, nothing

ROOT = Path(__file__).parents[2]

# the machine's speed is no property of the code
hypothesis_settings.register_profile("unit", deadline=None, max_examples=60)
hypothesis_settings.load_profile("unit")

DEFAULTS: dict[str, Any] = yaml.safe_load((ROOT / "invoke.yaml").read_text(encoding="utf-8"))


def written(**changes: Any) -> dict[str, Any]:
    """The default settings as written, with ``aws__bucket="x"`` in place of aws.bucket."""
    config = copy.deepcopy(DEFAULTS)
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = config
        for folder in folders:
            place = place[folder]
        place[last] = value
    return config


@pytest.fixture(scope="session")
def settings() -> Settings:
    return read(copy.deepcopy(DEFAULTS))


@pytest.fixture
def found(settings: Settings) -> dict[Any, Any]:
    """Every fact of a healthy installation, to be broken one at a time."""
    return healthy(settings)


@pytest.fixture
def absent(settings: Settings) -> dict[Any, Any]:
    """Every fact of two empty accounts."""
    return nothing(settings)


@pytest.fixture
def facts(settings: Settings) -> Callable[..., Known]:
    """``facts(found)``: those facts, and an error for any other."""
    return lambda found, **more: Known(settings, found, **more)
