"""Where errors are pushed is recognised, and that it would stop in silence."""

from dataclasses import replace
from typing import Any

import pytest

from runbook.commands.doctor import _error_integrations
from runbook.settings import Settings
from runbook.wanted.grants import Grant
from tests.unit.observed import Known


def _pushing(settings: Settings, found: dict[Any, Any]) -> None:
    found["pipes"] = {
        name: replace(pipe, error_integration="ERRORS" if name == "EVENTS_PIPE" else None)
        for name, pipe in found["pipes"].items()
    }


@pytest.mark.parametrize("has", [True, False])
def test_told_with_the_right_it_needs(settings: Settings, found: dict[Any, Any], has: bool) -> None:
    _pushing(settings, found)
    owner = found["pipes"]["EVENTS_PIPE"].owner
    if has:
        key = ("grants", settings.snowflake.loader_role)
        found[key] = frozenset({*found[key], Grant("USAGE", "INTEGRATION", "ERRORS")})
    (finding,) = _error_integrations(Known(settings, found))
    assert finding.what == "errors of RAW.SNOWPLOW.EVENTS_PIPE are pushed through ERRORS"
    assert finding.word == ("held" if has else "missing")
    if not has:
        assert finding.grant == f"GRANT USAGE ON INTEGRATION ERRORS TO ROLE {owner};"


def test_without_one_nothing_is_said(settings: Settings, found: dict[Any, Any]) -> None:
    assert list(_error_integrations(Known(settings, found))) == []
