"""`verify --record FILE` and `--replay FILE`: a verdict with every answer it stands on, told again anywhere.

What is recorded holds no credential, and nothing of what files hold. Names are replaced, each always by the
same, unless it is to be plain. A recording is told again at once, and one that says another thing than the
verdict, but for names, is not written.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from runbook import __version__, private
from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.reader import Reader, not_ours
from runbook.clouds.tape import Player, packed, unpacked
from runbook.errors import NotWritten, RunbookError, SettingsWrong
from runbook.facts import Facts
from runbook.redaction import redacted
from runbook.settings import SANDBOX, SECTIONS, Settings
from runbook.verify.checking import LONGEST, check
from runbook.verify.outcome import Outcome
from runbook.verify.remedies import leading
from runbook.verify.renaming import Renaming, derived

FORMAT = 1
"""Of the file; another one is refused."""
LEFT_OUT = ("watch",)
"""Sections that no verdict stands on."""
CUT = 100
"""By how much a text may get shorter or longer with other names, and still be told whole in both."""
_WORD = re.compile(r"[\w$]+")


class _Asked(BaseModel):
    """What the recorded run was asked."""

    step: int | None
    stream: str | None
    deep: bool


class _Recording(BaseModel):
    """What a recording has, whatever its answers are; a file that was cut or edited may not."""

    asked: _Asked
    started_at: datetime
    duration_s: float
    absent: list[Literal["aws", "snowflake"]]
    settings: dict[str, Any]
    answers: dict[str, list[dict[str, Any]]]


def recorded(
    settings: Mapping[str, Any],
    reader: Reader,
    answers: Mapping[str, list[Any]],
    outcome: Outcome,
    asked: Mapping[str, Any],
    *,
    plain: bool,
) -> dict[str, Any]:
    """What is written. Raises NotWritten where it would not tell the same verdict."""
    found = {
        "recording": FORMAT,
        "version": __version__,
        "asked": dict(asked),
        "started_at": outcome.started_at.isoformat(),
        "duration_s": outcome.duration_s,
        "absent": sorted(reader.absent),
        "settings": packed(
            {key: settings[key] for key in SECTIONS if key in settings and key not in LEFT_OUT}
        ),
        "answers": dict(answers),
    }
    if plain:
        made: dict[str, Any] = without_secrets(found)
        _is_told_again(made, outcome, lambda again: again.results == outcome.results, "report it")
    else:
        made, text = renamed(found, reader.settings)
        wanted = _said(outcome, text)  # a name may be a word of ours, such as `another`
        remedy = "--plain, which replaces no name, or report it"
        _is_told_again(made, outcome, lambda again: _said(again, text) == wanted, remedy)
    return made


def without_secrets(value: Any) -> Any:
    """The same, no text of it with a secret."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if isinstance(value, Mapping):
        return {redacted(key): without_secrets(each) for key, each in value.items()}
    return value


def renamed(found: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Callable[[str], str]]:
    """A recording with other names and without secrets; and what gives any text of it those names."""
    names = Renaming(found, settings)
    first = names.value(found["settings"])
    _call(first, settings)
    names.also(derived(settings, reading.read(unpacked(first), source="the recording")))
    made: dict[str, Any] = names.value(found)
    _call(made["settings"], settings)
    return made, names.text


def _call(made: dict[str, Any], settings: Settings) -> None:
    """Leave the sandbox its name: no other target is on this machine."""
    if settings.target == SANDBOX:
        made["target"] = settings.target
        made["snowflake"]["connection"] = settings.snowflake.connection


def _is_told_again(
    made: Mapping[str, Any], outcome: Outcome, same: Callable[[Outcome], bool], remedy: str
) -> None:
    """Raises NotWritten where the recording tells another verdict."""
    why = "a verdict would differ"
    try:
        again = replayed(made)
        if same(again):
            return
        pairs = zip(outcome.results, again.results, strict=False)
        differ = (one.id for one, other in pairs if one.outcome != other.outcome)
        why = next((f"the verdict of {name} would differ" for name in differ), why)
    except RunbookError as error:
        why = str(error)
    raise NotWritten("The recording would not tell the same verdict", why=why, remedy=remedy)


def _said(outcome: Outcome, text: Callable[[str], str]) -> list[tuple[object, ...]]:
    """What each check says by its words: where several are listed, other names may come in another order."""
    return [
        (
            *(row.id, text(row.stream or ""), row.outcome, row.blocked_by),
            *(_words(text(said)) for said in (row.title, row.observed, row.expected, row.cause)),
        )
        for row in outcome.results
    ]


def _words(text: str) -> list[str]:
    """The words of a text in order of the alphabet; none of one that was cut, which ends elsewhere then."""
    return [] if len(text) >= LONGEST - CUT else sorted(_WORD.findall(text))


def can_be_in(place: str) -> None:
    """Raises SettingsWrong where no file can be: before anybody is asked for what it would hold."""
    file = Path(place).absolute()
    try:
        why = (
            "that is a folder" if file.is_dir() else "" if file.parent.is_dir() else "there is no such folder"
        )
    except OSError as error:  # such as a name that is too long
        why = error.strerror or str(error)
    if why:
        raise SettingsWrong(
            "The recording cannot be written",
            where=place,
            why=why,
            remedy="--record FILE in a folder that exists",
        )


def write(made: Mapping[str, Any], place: str) -> None:
    """The recording as a file that only its owner reads; raises NotWritten."""
    try:
        private.write(Path(place).absolute(), json.dumps(made, indent=1, ensure_ascii=True) + "\n")
    except OSError as error:
        raise NotWritten(
            "The recording cannot be written",
            where=place,
            why=error.strerror or str(error),
            remedy="--record FILE in a folder that exists and has room",
        ) from None


def read(place: str) -> dict[str, Any]:
    """A recording; raises SettingsWrong for a file that is not one, or is of another version."""
    try:
        found = json.loads(Path(place).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsWrong("The recording cannot be read", where=place, why=error.strerror or "") from None
    except (ValueError, RecursionError) as error:
        raise SettingsWrong("The file is not a recording", where=place, why=str(error)) from None
    if not isinstance(found, dict) or "recording" not in found:
        raise SettingsWrong("The file is not a recording", where=place)
    of = (found["recording"], found.get("version"))
    if of != (FORMAT, __version__):
        raise SettingsWrong(
            "The recording is of another version",
            where=place,
            why=f"it is of snowpipe-runbook {of[1]}, format {of[0]}; this is {__version__}, format {FORMAT}",
            remedy="replay it with that version, or record it again",
        )
    try:
        _Recording.model_validate(found)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        raise SettingsWrong(
            "The recording is not whole", where=place, why=wrong, remedy="record it again"
        ) from None
    return found


def replayed(made: Mapping[str, Any]) -> Outcome:
    """The outcome that was recorded, found again from its answers; contacts nobody.

    Raises SettingsWrong where its settings are wrong, CannotTell as the recorded run did.
    """
    settings = reading.read(unpacked(made["settings"]), source="the recording")
    reader = Reader(Clouds(settings, run_id="replay", command="verify"), tape=Player(made["answers"]))
    reader.closed = {side: not_ours(side) for side in made["absent"]}
    sides = {side: side not in made["absent"] for side in ("aws", "snowflake")}
    reader.confirm(partly=True, **sides)
    asked = made["asked"]
    steps = None if asked["step"] is None else (int(asked["step"]),)
    outcome = check(Facts(reader), steps=steps, stream=asked["stream"], deep=bool(asked["deep"]))
    if settings.is_ours:
        outcome = replace(outcome, results=leading(outcome.results, Facts(reader)))
    started = datetime.fromisoformat(made["started_at"])
    return replace(outcome, started_at=started, duration_s=float(made["duration_s"]))


def settings_of(made: Mapping[str, Any]) -> Settings:
    """The settings that were recorded."""
    return reading.read(unpacked(made["settings"]), source="the recording")
