"""environment.schema.json: an editor says what is wrong in an environment file, and nothing that is right."""

import json
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from runbook.discovery.written import written as discovered
from runbook.errors import SettingsWrong
from runbook.settings import read
from runbook.settings import schema as settings_schema
from tests.unit.conftest import written
from tests.unit.test_discovery import DEFAULTS, described
from tests.unit.test_settings import LIVE, SECRETS, WRONG
from tests.unit.test_waivers import WRONG_WAIVERS

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "environment.schema.json").read_text())

ONLY_THE_PROGRAM = {
    ("aws__tags", "two keys that differ in their case only"),
    ("aws__tags", "the runbook's own tags are counted too"),
    ("streams", "what is not there comes from invoke.yaml"),
    ("streams__events__prefix", "bytes, not characters, are counted"),
}


def as_in_a_browser(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """ECMAScript's ``$`` is the end; Python's is also the place before a last line end."""
    by_python = pattern.removesuffix("$") + (r"\Z" if pattern.endswith("$") else "")
    if isinstance(value, str) and not re.search(by_python, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


Validator = extend(Draft7Validator, {"pattern": as_in_a_browser})
EDITOR = Validator(SCHEMA, format_checker=FormatChecker(["date"]))


def plain(value: Any) -> Any:
    """A document as JSON has it: YAML reads dates."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def marked(document: Any) -> list[str]:
    """What an editor marks, by place."""
    return [".".join(map(str, error.absolute_path)) for error in EDITOR.iter_errors(plain(document))]


def test_the_file_is_what_the_models_say() -> None:
    assert (ROOT / "environment.schema.json").read_text() == settings_schema.text(), (
        "python -m runbook.settings.schema > environment.schema.json"
    )
    Draft7Validator.check_schema(SCHEMA)


def patterns(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from patterns(each)
    elif isinstance(node, dict):
        for key, inner in node.items():
            if key == "pattern" and isinstance(inner, str):
                yield inner
            else:
                yield from patterns(inner)


def test_an_editor_can_read_every_pattern() -> None:
    found = sorted(set(patterns(SCHEMA)))
    assert found
    if shutil.which("node") is None:
        pytest.skip("no node: a reader of ECMAScript's patterns that we did not write")
    script = f"for (const one of {json.dumps(found)}) new RegExp(one, 'u')"
    subprocess.run(["node", "-e", script], check=True, timeout=60)


def test_every_key_is_explained_where_invoke_yaml_explains_it() -> None:
    aws = SCHEMA["properties"]["aws"]["properties"]
    assert aws["region"]["description"] == "the bucket's region"
    assert aws["region"]["default"] == "us-west-2"
    assert "default" not in aws["account_id"]
    stream = SCHEMA["properties"]["streams"]["additionalProperties"]["properties"]
    assert stream["prefix"]["description"] == "ends in a slash"


# ---- what is right is not marked


@pytest.mark.parametrize(
    "path",
    [ROOT / "invoke.yaml", *sorted((ROOT / "environments").glob("*.yaml"))],
    ids=lambda path: path.name,
)
def test_every_file_that_is_shipped_is_right(path: Path) -> None:
    assert marked(yaml.safe_load(path.read_text())) == []


def test_every_example_in_the_documents_is_right() -> None:
    sections = "|".join(SCHEMA["properties"])
    example = yaml.safe_load((ROOT / "environments" / "example.yaml").read_text())
    found = 0
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in re.findall(rf"(?:^|\n\n)( {{4,}}(?:{sections}):.*\n(?: {{4,}}.*\n)*)", page.read_text()):
            document = yaml.safe_load(textwrap.dedent(block))
            whole = {**example, **document}
            whole |= {key: {**example[key], **document.get(key, {})} for key in ("aws", "snowflake")}
            assert marked(whole) == [], page.name
            found += 1
    assert found >= 9


NAME = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(NAME, NAME)
def test_what_discover_writes_is_right(table: str, statement: str) -> None:
    text = discovered(described(table, statement, []), "RAW.SNOWPLOW.P", DEFAULTS, "environments/prod.yaml")
    assert marked(yaml.safe_load(text)) == []


TEXT = st.text(st.characters(codec="utf-8"), max_size=9) | st.text('aA1_$".- /*?{}\\,:=+@&\n', max_size=9)
VALUE = TEXT | st.integers() | st.booleans() | st.none() | st.dictionaries(TEXT, TEXT, max_size=2)
PLACES = sorted({path for path, _ in WRONG} | {"handoff", "aws__managed_by", "streams__events__kind"})


@given(st.sampled_from(PLACES), VALUE)
def test_what_the_program_takes_is_never_marked(path: str, value: Any) -> None:
    config = written(**{path: value})
    try:
        read(config)
    except SettingsWrong:
        return
    if not (isinstance(value, str | int) and path.startswith("checks__")):  # "15" is a number to the program
        assert marked(config) == []


# ---- what is wrong is marked


def reason(path: str, value: Any) -> str:
    """Why only the program can refuse a value; empty where an editor marks it."""
    if path == "streams":
        return "what is not there comes from invoke.yaml"
    if path == "aws__tags" and isinstance(value, dict):
        if len(value) > 40:
            return "the runbook's own tags are counted too"
        if {key.lower() for key in value} & {"team", "managedby"} and not marked(written(**{path: value})):
            return "two keys that differ in their case only"
    if path == "streams__events__prefix" and len(value) < 900 < len(value.encode()):
        return "bytes, not characters, are counted"
    return ""


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_marked_where_it_stands(path: str, value: Any) -> None:
    why = reason(path, value)
    if why:
        assert (path, why) in ONLY_THE_PROGRAM
        return
    places = marked(written(**{path: value}))
    assert any(place.startswith(path.replace("__", ".")) for place in places), places
    assert path == "target" or len({place.partition(".")[0] for place in places}) == 1


def test_what_only_the_program_can_refuse_is_little() -> None:
    used = {(path, reason(path, value)) for path, value in WRONG}
    assert {row for row in used if row[1]} == ONLY_THE_PROGRAM


@pytest.mark.parametrize("section", ["", "aws__", "snowflake__", "streams__events__", "checks__", "watch__"])
@pytest.mark.parametrize("name", ["bukket", *SECRETS])
def test_an_unknown_key_is_marked(section: str, name: str) -> None:
    assert marked(written(**{section + name: "x"})) == [section.rstrip("_").replace("__", ".")]


@pytest.mark.parametrize("pin", [path for path in LIVE if path != "target"])
def test_a_live_target_without_its_own_pins_is_marked(pin: str) -> None:
    right: dict[str, Any] = {"target": "prod", "aws": {}, "snowflake": {}}
    for path, value in LIVE.items():
        section, _, key = path.partition("__")
        if key:
            right[section][key] = value
    assert marked(right) == []
    section, _, key = pin.partition("__")
    assert marked({**right, section: {**right[section], key: written()[section][key]}}) == [
        f"{section}.{key}"
    ]
    del right[section][key]
    assert marked(right) == [section]


def test_a_file_without_a_target_is_marked() -> None:
    assert marked({"checks": {"loaded_within_minutes": 5}})


@pytest.mark.parametrize(("waiver", "key"), WRONG_WAIVERS)
def test_a_waiver_that_says_too_little_is_marked(waiver: dict[str, str], key: str) -> None:
    if key != "waivers.0.stream":  # which streams there are is known to the program
        assert marked(written(waivers=[waiver]))


@pytest.mark.parametrize("place", ["", "ssm:", "ssm:with space", "a\nb"])
def test_a_handoff_that_is_no_place_is_marked(place: str) -> None:
    assert marked(written(handoff=place)) == ["handoff"]


@pytest.mark.parametrize(
    "wrong", [{"routes": {"team": {}}}, {"limits": {"backlog_files": 0}}, {"statsd": "here"}]
)
def test_what_watch_cannot_use_is_marked(wrong: dict[str, Any]) -> None:
    assert marked(written(watch=wrong))
