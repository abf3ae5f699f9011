"""A recording held against what `verify` said: the same bytes as it is, the same words with other names."""

import json
import re
from pathlib import Path
from typing import Any

from runbook.verify import recording
from runbook.verify.formats import FORMATS
from runbook.verify.outcome import Outcome
from tests.scenarios.conftest import Installation


def recorded(at: Installation, *flags: str) -> dict[str, Any]:
    """What `verify --deep` finds, recorded; it is told again byte for byte, and by other names."""
    file = at.folder / "bundle.json"
    done = at.run(
        *flags, "verify", "--deep", "--format", "json", "--record", str(file), "--plain", expect=None
    )
    assert done.returncode in (0, 1, 3), done.stderr
    made = recording.read(str(file))
    assert told_again(at, flags, file) == done.stdout
    file.unlink()
    by_other_names(made)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told_again(at: Installation, flags: tuple[str, ...], file: Path) -> str:
    """The replay as JSON; where flags are given by a command of its own, for it prints them."""
    if not flags:
        return json_of(recording.replayed(recording.read(str(file))))
    return at.run(*flags, "verify", "--replay", str(file), "--format", "json", expect=None).stdout


def by_other_names(made: dict[str, Any]) -> dict[str, Any]:
    """The recording with other names; asserts that what it tells differs in names alone."""
    settings = recording.settings_of(made)
    other, text = recording.renamed(made, settings)
    assert not leaked(made, other), leaked(made, other)
    wanted, again = (
        json.loads(json_of(recording.replayed(made))),
        json.loads(json_of(recording.replayed(other))),
    )
    for one, two in zip(wanted["checks"], again["checks"], strict=True):
        both = said(two, text), said(one, text)  # a name may be a word of ours, such as `another`
        for key in both[0].keys() & both[1].keys():
            assert both[0][key] == both[1][key], f"{text(json.dumps(one))}\n{json.dumps(two)}"
    return other


def json_of(outcome: Outcome) -> str:
    return FORMATS["json"](outcome.typed()) + "\n"


def said(row: dict[str, Any], text: Any) -> dict[str, Any]:
    """One check's words; what was cut off at a length is not compared."""
    return {
        key: sorted(re.findall(r"[\w$]+", text(str(value))))
        for key, value in row.items()
        if len(str(value)) < 300
    }


def leaked(made: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Whose it is, by what the settings of these tests call theirs, where it still stands."""
    settings, text = recording.settings_of(made), json.dumps(other, ensure_ascii=False)
    whose = [settings.aws.account_id, settings.aws.bucket]
    return [each for each in whose if each in text]
