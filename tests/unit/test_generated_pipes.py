"""Pipes of every format, transformation, pattern and owner: found as what they are, and none is faulty."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from runbook.discovery.described import Described
from runbook.discovery.snowflake_side import FoundPipe, looked
from runbook.facts.copy_columns import through, with_file_column
from runbook.facts.copy_statement import read as read_copy
from runbook.facts.history import TableRows
from runbook.facts.objects import Load, PipeStatus
from runbook.kinds import canary_through
from runbook.ledger import asked as asking
from runbook.ledger.classes import Evidence
from runbook.loading.planning import plan_files
from runbook.settings import Identifier, QualifiedName, Settings, read
from tests.unit import sound
from tests.unit.at_once import red
from tests.unit.conftest import written
from tests.unit.observed import MADE, NOW, staged
from tests.unit.observed import pipe as a_pipe

EVERYTHING = asking.read(".*", since=None, until=None, max_files=100, reload_failed=False, reload_gone=False)
KINDS = {"CSV": "text", "JSON": "json", "PARQUET": "parquet", "AVRO": "avro"}
COLUMNS = (
    ("ID", "NUMBER(38,0)"),
    ("NAME", "VARCHAR(16777216)"),
    ("v", "VARIANT"),
    ("SRC", "VARCHAR(99)"),
)
FORMATS = (
    "FILE_FORMAT = (TYPE = {type})",
    "FILE_FORMAT = (FORMAT_NAME = 'FF')",
    "file_format = raw.app.ff",
    'FILE_FORMAT = (FORMAT_NAME = \'"RAW"."APP"."FF"\')',
    "",  # the stage's, by name
    " ",  # the stage's, stated there
)
FILLS = (
    "EVENTS FROM {at}",
    "RAW.APP.EVENTS (NAME) FROM {at}",
    'events (id, "v") FROM (SELECT $1, $2 FROM {at})',
    "EVENTS (NAME, SRC) FROM (SELECT t.$1:name::STRING AS name, METADATA$FILENAME FROM {at} t)",
    "EVENTS (ID) FROM (SELECT TO_NUMBER($1:a[0]) FROM {at})",
    "EVENTS FROM {at} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
    "EVENTS FROM {at} MATCH_BY_COLUMN_NAME = 'CASE_SENSITIVE' INCLUDE_METADATA = (SRC = METADATA$FILENAME)",
)
PATTERNS = (
    "",
    " PATTERN = '.*[.]gz'",
    " pattern='events/[ab]?/?[0-9][.](json[.])?gz'",
    " PATTERN = $$.*\\.gz$$",
)
STAGES = ("@ST/events/", "@RAW.APP.ST/events/", '@"RAW"."APP"."ST"/events/', "'@ST/events/'")


@dataclass(frozen=True)
class Pipe:
    """One pipe that somebody made."""

    file_type: str
    statement: str
    stages: str
    owner: str
    named: bool


def drawn(seed: int) -> Pipe:
    """The pipe of that number: always the same one; the first ones have every format with every filling."""
    pick = Random(seed).choice
    every = list(product(KINDS, FILLS))
    file_type, fill = every[seed % len(every)]
    form = pick(FORMATS)
    copy = f"COPY INTO {fill.format(at=pick(STAGES))} {form.format(type=file_type)}{pick(PATTERNS)}"
    stages = {"": "named", " ": "stated"}.get(form, "nothing")
    return Pipe(file_type, copy, stages, pick(sound.OWNERS), "ff" in form.lower() or stages == "named")


class Account:
    """What Snowflake answers about a pipe: only reads, and nothing else is asked."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        place = {"database_name": "RAW", "schema_name": "APP"}
        queue = "arn:aws:sqs:us-west-2:123456789012:sf-snowpipe-x"
        self.answers: dict[str, list[dict[str, Any]]] = {
            "SHOW PIPES IN ACCOUNT": [
                {**place, "name": "P", "definition": pipe.statement, "owner": pipe.owner}
                | {"notification_channel": queue}
            ],
            "SHOW STAGES IN ACCOUNT": [
                {**place, "name": "ST", "url": "s3://snowplow-sandbox/in/", "storage_integration": "INT"}
            ],
            "DESC INTEGRATION INT": [
                {
                    "property": "STORAGE_AWS_ROLE_ARN",
                    "property_value": "arn:aws:iam::111122223333:role/reader",
                }
            ],
            "DESC TABLE RAW.APP.EVENTS": [{"name": name, "type": kind} for name, kind in COLUMNS],
            "SHOW TABLES LIKE 'EVENTS' IN SCHEMA RAW.APP": [
                {"name": "EVENTS", "owner": "SYSADMIN", "rows": 5}
            ],
            "DESC FILE FORMAT RAW.APP.FF": [{"property": "TYPE", "property_value": pipe.file_type}],
            "DESC STAGE RAW.APP.ST": self._on_stage(),
        }

    def _on_stage(self) -> list[dict[str, str]]:
        said = {
            "named": ("FORMAT_NAME", r"\"RAW\".\"APP\".\"FF\""),
            "stated": ("TYPE", self.pipe.file_type),
            "nothing": ("TYPE", "CSV"),
        }
        name, value = said[self.pipe.stages]
        return [{"parent_property": "STAGE_FILE_FORMAT", "property": name, "property_value": value}]

    def sql(self, statement: str) -> list[dict[str, Any]]:
        return self.answers[statement]


def discovered(pipe: Pipe) -> tuple[Settings, Described]:
    """The settings that discover writes for it."""
    found = Described("sandbox")
    found.aws["account_id"] = "111122223333"
    pipes: list[FoundPipe] = looked(Account(pipe), QualifiedName.parse("RAW.APP.P"), found, lambda: None)  # type: ignore[arg-type]
    assert [str(each.name) for each in pipes] == ["RAW.APP.P"]
    return read(found.settings(written())), found


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(28, 1000, 108))]
)
def test_every_pipe_is_found_as_what_it_is_and_none_is_called_faulty(first: int) -> None:
    wrong = {}
    for seed in range(first, first + (28 if first == 0 else 108)):
        pipe = drawn(seed)
        settings, found = discovered(pipe)
        stream = settings.streams[0]
        assert (stream.kind, stream.names_a_format) == (KINDS[pipe.file_type], pipe.named), pipe
        assert stream.found is not None
        assert stream.found.statement == pipe.statement
        shape = replace(SHAPE, owner=pipe.owner)
        if alarms := red(sound.facts_of(shape, settings)):
            wrong[str(pipe)] = alarms
        _fills_what_was_missed_once(settings)
        _proposes_what_keeps_the_pipe(pipe, found)
        _has_a_canary_or_a_reason(pipe, settings)
    assert wrong == {}


def _fills_what_was_missed_once(settings: Settings) -> None:
    """Of loaded files, missed ones and such as PATTERN leaves out: the missed ones, new and old."""
    stream = settings.streams[0]
    recent, old = NOW - timedelta(hours=3), NOW - timedelta(days=9)
    loaded = [staged(f"{sound.FOLDER}a/{n}.gz", modified=at) for n, at in enumerate((recent, old))]
    missed = [staged(f"{sound.FOLDER}b/{n}.json.gz", modified=at) for n, at in enumerate((recent, old))]
    others = [
        staged(f"{sound.FOLDER}c/README", modified=recent),
        staged(f"{sound.FOLDER}d/", modified=recent),
    ]
    evidence = Evidence(
        stream=stream,
        now=NOW,
        pipe=a_pipe(settings, stream, created_on=MADE),
        status=PipeStatus({"executionState": "RUNNING", "pendingFileCount": 0}),
        recent=tuple(Load(each.key, "LOADED", each.modified, 1, 1, 0, "", "P") for each in loaded),
        account=(),
        table=TableRows(2, MADE - timedelta(days=99), None),
        patience=timedelta(minutes=15),
    )
    plan = plan_files(EVERYTHING, [*loaded, *missed, *others], evidence)
    wanted = [each.key for each in missed if stream.takes(each.key)]
    taken = [*wanted, *(each.key for each in others if stream.takes(each.key))]
    assert sorted(verdict.file.key for verdict in plan.to_load) == sorted(taken), stream.found


def _proposes_what_keeps_the_pipe(pipe: Pipe, found: Described) -> None:
    """The COPY that also names the file reads and fills the same, and the column besides."""
    names = [name for name, _ in COLUMNS]
    filled = through(pipe.statement, COLUMNS)
    if filled.file_column:
        assert found.proposed == {}
        return
    text = with_file_column(pipe.statement, names, "_FILE")
    assert any(text in statement for statement in found.proposed["events"]) or "'@" in pipe.statement
    if text:
        where = Identifier("RAW"), Identifier("APP")
        before, after = read_copy(pipe.statement, *where), read_copy(text, *where)
        assert replace(before, doubt="") == replace(after, doubt="")
        new = through(text, [*COLUMNS, ("_FILE", "VARCHAR")])
        assert new.file_column == "_FILE"
        assert {name: item for name, item in new.filled.items() if name != "_FILE"} == filled.filled


def _has_a_canary_or_a_reason(pipe: Pipe, settings: Settings) -> None:
    stream = settings.streams[0]
    shape = canary_through(stream, through(pipe.statement, COLUMNS, {"TYPE": pipe.file_type}))
    if isinstance(shape, str):
        assert shape
        assert "\n" not in shape
    else:
        assert stream.kind in ("text", "json")
        assert shape.content("20261120T120000Z-0a1b2c").endswith("\n")


SHAPE = replace(
    sound.drawn(0),
    policy="everything",
    trust="as documented",
    bucket="none",
    announced="one rule",
    held="itself",
    key="",
    place=0,
)
