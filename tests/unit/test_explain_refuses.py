"""What `invoke explain` refuses before anybody is contacted."""

import pytest

from runbook.commands.explain import explain
from runbook.errors import SettingsWrong
from tests.unit.conftest import written


@pytest.mark.parametrize(
    ("key", "pattern", "event", "said"),
    [
        ("(", True, False, "not a regular expression"),
        ("elsewhere/x.gz", False, False, "No stream reads elsewhere/x.gz"),
        ("snowplow/enriched/stream/\udcff.gz", False, False, "not text in UTF-8"),
        ("\u00fcn\u00ef", False, True, "not an event's id"),
    ],
)
def test_what_cannot_be_meant(
    monkeypatch: pytest.MonkeyPatch, key: str, pattern: bool, event: bool, said: str
) -> None:
    monkeypatch.setattr("runbook.commands.explain.running", None)  # whoever is contacted is contacted in it
    with pytest.raises(SettingsWrong, match=said):
        explain(
            written(), key=key, pattern=pattern, event=event, stream=None, max_files=1, output_format="table"
        )
