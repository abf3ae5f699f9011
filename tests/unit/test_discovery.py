"""The environment file that `invoke discover` writes says what was found, whatever the names are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from invoke.config import merge_dicts
from invoke.util import yaml as invokes_yaml

from runbook.clouds.connections import Clouds
from runbook.commands import discover
from runbook.discovery.described import Described
from runbook.discovery.snowflake_side import _stream_name
from runbook.discovery.written import written
from runbook.settings import QualifiedName, read

DEFAULTS = yaml.safe_load((Path(__file__).parents[2] / "invoke.yaml").read_text())
NAME = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=60)


def described(table: str, statement: str, notes: list[str]) -> Described:
    found = Described("prod")
    found.aws = {"account_id": "222233334444", "bucket": "theirs", "region": "eu-west-1", "path": "/a/"}
    found.snowflake = {"connection": "prod", "account": "ORG-ACCOUNT", "loader_role": quoted(table)}
    found.differs = notes
    found.proposed = {"theirs": [f"SELECT {statement}", *notes], "left out": ["SELECT 1;"]}
    found.streams["theirs"] = {
        "kind": "enriched",
        "prefix": "a=1/",
        "suffix": "",
        "table": quoted(table),
        "stage": "S",
        "pipe": "P",
        "sns_topic": None,
        "found": {"stage_url": "s3://theirs/a=1/", "statement": statement},
    }
    return found


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@given(NAME, TEXT, st.lists(TEXT, max_size=3))
def test_what_was_found_is_what_the_file_says(table: str, statement: str, notes: list[str]) -> None:
    found = described(table, statement, notes)
    text = written(found, "RAW.SNOWPLOW.P", DEFAULTS, "environments/prod.yaml")
    merged = merge_dicts(dict(merge_dicts({}, DEFAULTS)), invokes_yaml.safe_load(text))
    settings = read(merged)
    assert [stream.name for stream in settings.streams] == ["theirs"]
    assert settings == read(found.settings(DEFAULTS))
    assert settings.streams[0].table.name == table
    assert settings.streams[0].found is not None
    assert settings.streams[0].found.statement == statement
    assert not settings.is_ours


def test_statements_for_a_file_column_stand_in_the_file_as_they_are_typed() -> None:
    found = described("T", "COPY", [])
    found.proposed = {"theirs": ["ALTER TABLE T ADD COLUMN _FILE VARCHAR;", "CREATE PIPE P AS\nCOPY INTO T;"]}
    lines = written(found, "RAW.SNOWPLOW.P", DEFAULTS, "environments/prod.yaml").split("\n")
    at = lines.index("# theirs:")
    assert lines[at + 1 : at + 4] == [
        "#   ALTER TABLE T ADD COLUMN _FILE VARCHAR;",
        "#   CREATE PIPE P AS",
        "#   COPY INTO T;",
    ]


@given(st.lists(NAME, max_size=5))
def test_every_table_gives_a_stream_a_name_of_its_own(tables: list[str]) -> None:
    taken: dict[str, object] = {}
    for table in tables:
        name = _stream_name(table, taken)
        assert name not in taken
        assert name[0].islower()
        assert name.isascii()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
        taken[name] = None


@given(NAME, NAME, NAME)
def test_a_qualified_name_is_read_as_it_is_written(database: str, schema: str, name: str) -> None:
    parts = [quoted(part) for part in (database, schema, name)]
    assert [*map(str, parsed(".".join(parts)))] == [database, schema, name]


def parsed(text: str) -> tuple[str, str, str]:
    found = QualifiedName.parse(text)
    return found.database, found.schema, found.name


def test_who_chooses_a_pipe_signs_in_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each sign-in may be a browser's, or a second factor."""
    made: list[Clouds] = []

    def clouds(*given: Any, **named: Any) -> Clouds:
        made.append(Clouds(*given, **named))
        return made[-1]

    asked: list[Clouds] = []
    name = QualifiedName.parse("D.S.P")
    found = SimpleNamespace(streams={"p": {}}, left_out=[], unseen=[])

    def chosen(clouds: Clouds, **_: Any) -> str:
        asked.append(clouds)
        return "D.S.P"

    def looked(_: Any, clouds: Clouds, *__: Any, **___: Any) -> Any:
        asked.append(clouds)
        return found, [SimpleNamespace(name=name)]

    monkeypatch.setattr(discover, "Clouds", clouds)
    monkeypatch.setattr(discover, "_chosen", chosen)
    monkeypatch.setattr(discover, "_looked", looked)
    monkeypatch.setattr(discover, "written", lambda *_: "target: p")
    place = tmp_path / "p.yaml"
    code = discover.discover(
        DEFAULTS, pipe="", every=False, connection="mine", name=None, output=str(place), replace=False
    )
    assert code == 0
    assert place.read_text() == "target: p\n"
    assert asked == [made[0]] * 2
    assert made[0].settings.target == "s-p"
    assert len(made) == 1
