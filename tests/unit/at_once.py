"""The checks, called one after the other without pytest: thousands of installations in seconds."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from checks import (
    check_delivery,
    check_step1_aws,
    check_step2_snowflake,
    check_step3_aws,
    check_step4_snowflake,
    check_step5_aws,
    check_views,
    conftest,
)
from runbook.errors import Absent, Advised, CannotTell
from runbook.facts import Facts
from runbook.settings import Stream

MODULES = (
    check_step1_aws,
    check_step2_snowflake,
    check_step3_aws,
    check_step4_snowflake,
    check_step5_aws,
    check_delivery,
    check_views,
)
CHECKS: dict[str, Callable[..., None]] = {
    f"{module.__name__.split('_')[1]}.{name.removeprefix('check_').replace('_', '-')}": function
    for module in MODULES
    for name, function in vars(module).items()
    if name.startswith("check_")
}


def judged(facts: Facts) -> dict[str, str]:
    """What every check says: ``step4.pipe-exists[events]`` is passed, failed: …, advice: … and so on."""
    found: dict[str, str] = {}
    for name, check in CHECKS.items():
        if _is_of_a_stream(check):
            for stream in facts.settings.streams:
                found[f"{name}[{stream.name}]"] = _said(check, facts, stream)
        else:
            found[name] = _said(check, facts, None)
    return found


def red(facts: Facts) -> dict[str, str]:
    """What is neither passed nor skipped nor advice."""
    return {name: said for name, said in judged(facts).items() if said.split(":")[0] not in GOOD}


GOOD = ("passed", "skipped", "advice")


def advised(facts: Facts) -> set[str]:
    """The checks that advise."""
    return {name.partition("[")[0] for name, said in judged(facts).items() if said.startswith("advice")}


@cache
def _names(function: Callable[..., Any]) -> tuple[str, ...]:
    """What a check or a fixture asks for."""
    return tuple(inspect.signature(function).parameters)


@cache
def _is_of_a_stream(function: Callable[..., Any]) -> bool:
    """Whether it is asked of every stream, itself or by a fixture."""
    names = set(_names(function)) - {"facts", "settings"}
    return "stream" in names or any(_is_of_a_stream(conftest.GIVEN[name]) for name in names)


def _said(check: Callable[..., None], facts: Facts, stream: Stream | None) -> str:
    try:
        check(**_arguments(check, facts, stream))
    except pytest.skip.Exception as reason:
        return f"skipped: {reason.msg}"
    except Advised as told:
        return f"advice: {told}"
    except AssertionError as wrong:
        return f"failed: {wrong}"
    except Absent as absent:
        return f"blocked: {absent.asserted_by}"
    except CannotTell as reason:
        return f"unknown: {reason}"
    return "passed"


def _arguments(function: Callable[..., Any], facts: Facts, stream: Stream | None) -> dict[str, Any]:
    return dict(_each_argument(function, facts, stream))


def _each_argument(
    function: Callable[..., Any], facts: Facts, stream: Stream | None
) -> Iterator[tuple[str, Any]]:
    for name in _names(function):
        given = {"facts": facts, "settings": facts.settings, "stream": stream}
        if name in given:
            yield name, given[name]
        else:
            made = conftest.GIVEN[name]
            yield name, made(**_arguments(made, facts, stream))
