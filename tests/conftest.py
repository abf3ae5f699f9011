"""What holds for every test: the longer runs are asked for, and a short one repeats itself."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("checks")  # before a test imports them: what they compare is told

UNDER_LOAD: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""A busy machine is not a reason to fail."""
settings.register_profile("repeats", derandomize=True, **UNDER_LOAD)
settings.register_profile("looks", **UNDER_LOAD)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also the longer runs of tests with a short one")
    parser.addoption("--schedules", type=int, default=300, help="how many schedules are simulated")
    parser.addoption("--states", type=int, default=2000, help="how many states of a ledger are judged")
    parser.addoption("--first-seed", type=int, default=0, help="the seed of the first of them")
    parser.addoption(
        "--write-faults", metavar="FILE", help="write what every fault shows, as a matrix (with -n 0)"
    )
    parser.addoption(
        "--environment", metavar="FILE", help="the accounts that tests marked live are played on"
    )
    parser.addoption(
        "--write-command-line", action="store_true", help="write the table of docs/command-line.md again"
    )


def pytest_configure(config: pytest.Config) -> None:
    """A run that judges a change draws the same examples each time; the longer one looks for others."""
    # a shell's `pytest &` ignores Ctrl-C, and every process that a test starts would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    is_short = not config.getoption("--run-slow")
    settings.load_profile("repeats" if is_short else "looks")
    settings.register_profile("states", max_examples=config.getoption("--states"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="the longer run of a test: --run-slow"))


def states_asked(share: int = 1) -> settings:
    """How many states a property of the ledger is tried on, or a ``share`` of them where each takes long."""
    profile = settings.get_profile("states")
    return settings(profile, max_examples=max(profile.max_examples // share, 1))
