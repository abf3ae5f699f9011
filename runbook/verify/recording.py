"""`verify --record FILE` and `--replay FILE`: a verdict with every answer it stands on, told again anywhere.

What is recorded holds no credential, and nothing of what files hold. Account ids, the Snowflake account, its
users, external IDs and the bucket are replaced, each always by the same, unless it is to be plain; the names
of databases, tables, roles and files stay, for a verdict is about them. A recording is told again at once,
and one whose verdict is another is not written.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
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
from runbook.settings import SECTIONS, SSM, Settings
from runbook.verify.checking import check
from runbook.verify.outcome import Outcome
from runbook.verify.remedies import leading

FORMAT = 1
"""Of the file; another one is refused."""
LEFT_OUT = ("watch",)
"""Sections that no verdict stands on."""

_ACCOUNT = re.compile(r"\barn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12}):")
_AWS_ID = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|AIPA)[A-Z0-9]{12,17}\b")
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids"""
_ALONE = re.compile(r'"([0-9]{12})\\*"')
"""An account that is a whole value: a principal, or of a condition such as aws:SourceAccount."""
_EXTERNAL_ID = "STORAGE_AWS_EXTERNAL_ID"
_CONDITION = "sts:externalid"
_LONG_ENOUGH = 6
"""An external ID that is shorter could be a part of anything; AWS asks for two characters."""


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
    names = {} if plain else _other_names(found, reader.settings)
    made: dict[str, Any] = _renamed(found, names)
    made["settings"]["target"] = reader.settings.target  # what a person calls it here
    made["settings"]["snowflake"]["connection"] = reader.settings.snowflake.connection
    same, why = False, ""
    try:
        again = replayed(made)
        same = again.results == outcome.results if plain else _verdict(again) == _verdict(outcome)
    except RunbookError as error:
        why = str(error)
    if not same:
        remedy = "report it" if plain else "--plain, which replaces no name, or report it"
        raise NotWritten("The recording would not tell the same verdict", why=why, remedy=remedy)
    return made


def _verdict(outcome: Outcome) -> list[tuple[str, str | None, str]]:
    return [(row.id, row.stream, row.outcome) for row in outcome.results]


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


# -- other names ---------------------------------------------------------------------------------------


def _other_names(found: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """What is replaced by what: the same by the same, of the same shape."""
    text = json.dumps(found)
    accounts = {settings.aws.account_id, *_ACCOUNT.findall(text), *_ALONE.findall(text)}
    names = {each: f"5{number:011d}" for number, each in enumerate(sorted(accounts), 1)}
    names |= {each: each[:4] + _digits(each, len(each) - 4) for each in set(_AWS_ID.findall(text))}
    people: dict[str, str] = {}
    for number, who in enumerate(sorted(_people(found)), 1):
        people |= {who.lower(): f"name{number}", who.upper(): f"NAME{number}", who: f"NAME{number}"}
    for each in _external_ids(found):
        head, line, tail = each.rpartition("_")
        names[each] = f"{_renamed(head, people)}{line}{_digits(tail, len(tail))}"
    place = settings.handoff
    files = {place: "the-handoff.json"} if place and not place.startswith(SSM) else {}
    buckets = dict.fromkeys((settings.aws.bucket, *(bucket.name for bucket in settings.buckets)))
    called = {name: f"the-bucket-{number}" for number, name in enumerate(buckets, 1)}
    return names | people | files | called | {settings.aws.bucket: "the-bucket"}


def _people(found: Mapping[str, Any]) -> set[str]:
    """The Snowflake account's names, and the user that asked."""
    rows = [row for key, answers in found["answers"].items() if "CURRENT_ACCOUNT()" in key for row in answers]
    return {
        str(each[name])
        for row in rows
        for each in row.get("answer", ())
        for name in ("locator", "organization", "account_name", "user_name")
        if each.get(name)
    }


def _external_ids(found: Mapping[str, Any]) -> list[str]:
    """The external IDs of the integrations that were looked at, and of every trust policy: others' too."""
    answers = [row.get("answer") for rows in found["answers"].values() for row in rows]
    shown = [each for answer in answers if isinstance(answer, list) for each in answer]
    ids = [each for each in shown if isinstance(each, dict) and each.get("property") == _EXTERNAL_ID]
    shown_ids = {str(each["property_value"]) for each in ids if each.get("property_value")}
    return sorted(shown_ids | {each for each in _conditions(answers) if _stands_alone(each)})


def _conditions(value: Any) -> Iterator[str]:
    """The external IDs that policies ask for, wherever they stand."""
    if isinstance(value, list):
        for each in value:
            yield from _conditions(each)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key.lower() == _CONDITION:
                yield from map(str, inner if isinstance(inner, list) else [inner])
            else:
                yield from _conditions(inner)


def _stands_alone(external_id: str) -> bool:
    """Whether it can be replaced wherever it stands: it is not a pattern, and long enough."""
    return len(external_id) >= _LONG_ENOUGH and not set("*?") & set(external_id)


def _digits(text: str, length: int) -> str:
    """Letters that stand for a text, as many as asked for."""
    return hashlib.sha256(text.encode()).hexdigest().upper()[:length].ljust(length, "0")


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The value without secrets, and with other names wherever a name stands as a word."""
    words = sorted(names, key=len, reverse=True)
    either = "|".join(map(re.escape, words))
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{either})(?![A-Za-z0-9])") if words else None

    def renamed(inner: Any) -> Any:
        if isinstance(inner, str):
            text = redacted(inner)
            return pattern.sub(lambda found: names[found[0]], text) if pattern else text
        if isinstance(inner, list):
            return [renamed(each) for each in inner]
        if isinstance(inner, Mapping):
            return {renamed(key): renamed(each) for key, each in inner.items()}
        return inner

    return renamed(value)
