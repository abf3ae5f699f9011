"""`invoke compare`: ask a sandbox what a recording asked of the clouds; list where it answers otherwise."""

import gzip
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from runbook import settings as reading
from runbook.clouds.connections import Clouds
from runbook.clouds.failures import AwsFailed, SqlFailed
from runbook.clouds.reader import Reader
from runbook.clouds.tape import Recorder, unpacked
from runbook.clouds.writer import Writer
from runbook.commands import sandbox
from runbook.errors import CannotTell, SettingsWrong
from runbook.facts import Facts
from runbook.plan import Applied, apply, plan_step
from runbook.settings import SANDBOX, Settings
from runbook.settings.values import MADE
from runbook.shipped import DEFAULTS
from runbook.steps import STEPS
from runbook.terminal import Style, counted, note, say, say_as_is, wrapped
from runbook.verify import recording
from runbook.verify.comparing import Difference, differences

ASKED = ("aws", "aws_pages", "sql")
"""Kinds of questions that go to a cloud; the others are about files of this machine."""
FILES = 3
"""How many files of each stream lie in the sandbox while it is asked."""
BODIES = {
    "enriched": b"app" + b"\t" * 130 + b"\n",
    "bad_rows": b'{"schema": "x", "data": {}}\n',
    "json": b'{"a": 1}\n',
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def compare(_config: Mapping[str, Any], *, file: str, format: str = "table") -> int:  # noqa: A002 (the flag's name)
    """List where the sandbox answers otherwise than what was recorded; 1 if anywhere. Reads no real cloud.

    A sandbox of its own is asked twice: while nothing is there, and with the recording's installation made
    and files loaded. Raises SettingsWrong for what is not a recording.
    """
    if format not in ("table", "json"):
        raise SettingsWrong(f"There is no format {format!r}", remedy="--format table or json")
    if not file:
        raise SettingsWrong("--with names no file", remedy="--with FILE, as verify --record writes it")
    made = recording.read(file)
    with TemporaryDirectory() as folder, sandbox.apart(Path(folder)) as state:
        found, compared, nothing = _compared(made, state)
    if format == "json":
        rows = [vars(each) for each in found]
        say_as_is(json.dumps({"differences": rows, "compared": compared, "not_compared": nothing}, indent=1))
    else:
        _tell(found, compared, nothing)
    return 1 if found else 0


def _compared(made: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[list[Difference], int, list[str]]:
    """The differences, how many questions were compared, and which could not be."""
    settings, here = _here(made, state)
    questions = [(key, rows[-1]) for key, rows in made["answers"].items() if json.loads(key)[0] in ASKED]
    empty = _answers(settings, [here(key) for key, _ in questions])
    _build(settings, state)
    built = _answers(settings, [here(key) for key, _ in questions])
    found: list[Difference] = []
    nothing = []
    for (key, row), one, other in zip(questions, built, empty, strict=True):
        told = differences(_called(key), row, [one, other])
        found += told or []
        nothing += [_called(key)] if told is None else []
    return found, len(questions) - len(nothing), nothing


def _called(key: str) -> str:
    """A question as a person would ask it."""
    kind, *rest = json.loads(key)
    return str(rest[0]) if kind == "sql" else " ".join(map(str, rest[:2]))


def _here(made: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[Settings, Any]:
    """The recorded settings on the sandbox, and what turns a question of the recording into one to it."""
    was = recording.settings_of(made)
    given = unpacked(made["settings"])
    default = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    aws, side = state["tenant"]["aws"], state["tenant"]["snowflake"]
    account = f"{side['organization']}-{side['account_name']}"
    instead = {was.aws.bucket: aws["bucket"], was.aws.account_id: aws["account_id"]}
    instead[was.snowflake.account] = account
    words = re.compile("|".join(map(re.escape, sorted(instead, key=len, reverse=True))))
    later = datetime.now(UTC) - datetime.fromisoformat(made["started_at"])

    def here(text: str) -> str:
        return _TIME.sub(lambda each: _moved(each[0], later), words.sub(lambda each: instead[each[0]], text))

    given = json.loads(words.sub(lambda each: instead[each[0]], json.dumps(given)))
    given |= {
        "target": SANDBOX,
        "made_by": "runbook",
        "handoff": None,
        "waivers": [],
        "views": default["views"],
    }
    given["aws"] |= {"region": aws["region"], "managed_by": "runbook", "share_role": False}
    given["aws"] |= {"permissions_boundary": None, "kms_key_arn": None, "buckets": {}}
    given["snowflake"] |= {"connection": SANDBOX, "share_integration": False, "without_integration": False}
    for stream in given["streams"].values():
        stream.pop("found", None)
        stream |= {"sns_topic": None, "bucket": None}
        if stream["kind"] not in MADE:
            stream |= {"kind": "enriched", "columns": {}}
    return reading.read(given, source="the recording, on the sandbox"), here


def _moved(text: str, later: timedelta) -> str:
    """A time of the recording as the same time before now: a history is asked for its last days."""
    return (datetime.fromisoformat(text) + later).isoformat(text[10], "seconds")


def _answers(settings: Settings, keys: list[str]) -> list[dict[str, Any]]:
    """The sandbox's answers to questions, as a recording keeps them."""
    tape = Recorder()
    reader = Reader(Clouds(settings, run_id="compare", command="compare"), tape=tape)
    for key in keys:
        kind, *rest = (unpacked(each) for each in json.loads(key))
        with suppress(AwsFailed, SqlFailed, CannotTell):
            if kind == "sql":
                reader.sql(*rest)
            elif kind == "aws":
                reader.aws(*rest[:2], **rest[2])
            else:
                reader.aws_pages(*rest[:3], **rest[3])
    return [tape.answers.get(key, [{}])[-1] for key in keys]


def _build(settings: Settings, state: Mapping[str, Any]) -> None:
    """Make the installation on the sandbox, and load some files. Writes there."""
    clouds = Clouds(settings, run_id="compare", command="compare")
    reader, writer = Reader(clouds), Writer(clouds)
    reader.confirm()
    for step in STEPS:
        facts = Facts(reader)
        apply(plan_step(step, facts), facts, writer, _unsaid, _unsaid)
    for stream in settings.streams:
        for number in range(FILES):
            body = BODIES[stream.kind]
            clouds.aws("s3").put_object(
                Bucket=stream.bucket,
                Key=f"{stream.prefix}{number}{stream.suffix}",
                Body=gzip.compress(body) if stream.suffix.endswith(".gz") else body,
            )
    sandbox.settle(state)


def _unsaid(_: Applied | str) -> None:
    """Nobody is asked or told: it is a sandbox of our own."""


def _tell(found: list[Difference], compared: int, nothing: list[str]) -> None:
    style = Style.of(None)
    for each in found:
        say(
            wrapped(
                "  ",
                f"{each.question}: {each.where}: recorded {each.recorded}; the sandbox {each.sandbox}",
                style,
            )
        )
    told = counted(len(found), "difference") if found else "no difference"
    say(f"{told} in {counted(compared, 'question')}")
    if nothing:
        note(f"{counted(len(nothing), 'question')} had no rows, or are about what is not in this sandbox")
