"""What each kind of stream says, and which kind a pipe of somebody else's is."""

from typing import get_args

import pytest

from runbook.errors import SettingsWrong
from runbook.facts.copy_columns import through
from runbook.kinds import CANARY, KINDS, SHAPES, SNOWPLOWS, kind_read_by
from runbook.kinds.through import MEMBER
from runbook.settings import read
from runbook.settings.values import MADE, StreamKind
from runbook.sql import FOLDER
from tests.unit.conftest import written

EVENTS = {"APP_ID", "EVENT_ID", "COLLECTOR_TSTAMP", "PLATFORM"}
COLUMNS = (("ID", "NUMBER(38,0)"), ("NAME", "VARCHAR(16777216)"), ("AT", "TIMESTAMP_NTZ(9)"))
DOCUMENTS = (("V", "VARIANT"), ("F", "VARCHAR(16777216)"))
RUN = "20261120T120000Z-0a1b2c"


@pytest.mark.parametrize(
    ("file_type", "columns", "kind"),
    [
        ("CSV", EVENTS, "enriched"),
        ("CSV", {"ID", "NAME"}, "text"),
        ("CSV", set(), "text"),
        ("PARQUET", EVENTS, "parquet"),
        ("JSON", {"DOCUMENT", "_FILE"}, "bad_rows"),
        ("JSON", {"RAW"}, "json"),
        ("AVRO", {"DOCUMENT"}, "avro"),
        ("ORC", set(), "other"),
        ("XML", {"V"}, "other"),
    ],
)
def test_a_pipe_is_snowplows_only_where_its_files_and_columns_are(file_type, columns, kind):
    names = "enriched/bad/ RAW.SNOWPLOW.EVENTS_BAD"
    assert kind_read_by(file_type, frozenset(columns), delimiter="\\t", names=names) == kind


def test_a_likeness_is_no_proof():
    """Events exported as CSV with commas, and documents of a shop: a canary of Snowplow's fits neither."""
    assert kind_read_by("CSV", frozenset(EVENTS), delimiter=",") == "text"
    assert kind_read_by("JSON", frozenset({"DOCUMENT"}), names="shop/orders/ RAW.SHOP.ORDERS") == "json"


def canary(file_type, copy, columns, required=(), **options):
    kind = kind_read_by(file_type, frozenset())
    return SHAPES[kind](through(copy, columns, {"TYPE": file_type, **options}, required))


@pytest.mark.parametrize(
    ("copy", "columns", "options", "content", "row"),
    [
        (
            "COPY INTO t FROM @s",
            COLUMNS,
            {"TYPE": "CSV", "SKIP_HEADER": "1", "FIELD_DELIMITER": "|"},
            f"|{CANARY}-{RUN}|\n" * 2,
            f"STARTSWITH(NAME, '{CANARY}-')",
        ),
        (
            "COPY INTO t (id, name) FROM (SELECT $1, $3::STRING FROM @s)",
            COLUMNS,
            {"TYPE": "CSV", "FIELD_DELIMITER": "\\t"},
            f"\t\t{CANARY}-{RUN}\n",
            f"STARTSWITH(NAME, '{CANARY}-')",
        ),
        (
            "COPY INTO t FROM (SELECT $1, METADATA$FILENAME fn FROM @s) FILE_FORMAT = (TYPE = JSON)",
            DOCUMENTS,
            {"TYPE": "JSON"},
            f'{{"{MEMBER}": "{RUN}"}}\n',
            f"F LIKE '%{CANARY}-%'",
        ),
        (
            "COPY INTO t (v) FROM @s",
            DOCUMENTS,
            {"TYPE": "JSON"},
            f'{{"{MEMBER}": "{RUN}"}}\n',
            f"V:{MEMBER}::VARCHAR IS NOT NULL",
        ),
        (
            'COPY INTO t (id, name) FROM (SELECT $1:id::NUMBER, s.$1:"a b".c::VARCHAR(99) n FROM @s s)',
            COLUMNS,
            {"TYPE": "JSON"},
            f'{{"{MEMBER}": "{RUN}", "a b": {{"c": "{CANARY}-{RUN}"}}}}\n',
            f"STARTSWITH(NAME, '{CANARY}-')",
        ),
        (
            "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
            COLUMNS,
            {"TYPE": "JSON"},
            f'{{"{MEMBER}": "{RUN}", "NAME": "{CANARY}-{RUN}"}}\n',
            f"STARTSWITH(NAME, '{CANARY}-')",
        ),
    ],
)
def test_a_canary_is_a_record_the_pipe_reads_and_its_row_is_known_again(copy, columns, options, content, row):
    found = canary(options.pop("TYPE"), copy, columns, **options)
    assert (found.content(RUN), found.row) == (content, row)


@pytest.mark.parametrize(
    ("file_type", "copy", "columns", "options", "why"),
    [
        ("CSV", "COPY INTO t FROM @s", COLUMNS[:1], {}, "no column of text takes a mark"),
        ("CSV", "COPY INTO t FROM @s", (("C", "VARCHAR(3)"),), {}, "no column of text takes a mark"),
        ("CSV", "COPY INTO t FROM @s MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", COLUMNS, {}, "header of each"),
        ("CSV", "COPY INTO t FROM @s", COLUMNS, {"EMPTY_FIELD_AS_NULL": "false"}, "an empty field is text"),
        ("CSV", "COPY INTO t FROM @s", COLUMNS, {"ENCODING": "UTF16"}, "written in UTF16"),
        ("CSV", "COPY INTO t FROM (SELECT TO_DATE($1), $2, $3 FROM @s)", COLUMNS, {}, "works values out"),
        ("CSV", "COPY INTO t (nope) FROM @s", COLUMNS, {}, "other columns than the table has"),
        ("JSON", "COPY INTO t FROM (SELECT PARSE_JSON($1) FROM @s)", DOCUMENTS, {}, "works values out"),
        ("JSON", "COPY INTO t (id) FROM (SELECT $1:id::INT FROM @s)", COLUMNS, {}, "none of its columns"),
        ("JSON", "COPY INTO t (name) FROM (SELECT $1 FROM @s)", COLUMNS, {}, "else than a VARIANT"),
        ("PARQUET", "COPY INTO t (v) FROM @s", DOCUMENTS, {}, "Parquet"),
        ("AVRO", "COPY INTO t (v) FROM @s", DOCUMENTS, {}, "Avro"),
    ],
)
def test_where_none_can_be_recognised_it_is_said_why(file_type, copy, columns, options, why):
    found = canary(file_type, copy, columns, **options)
    assert isinstance(found, str)
    assert why in found


def test_a_column_that_must_have_a_value_and_gets_none_refuses_a_canary():
    assert canary("CSV", "COPY INTO t FROM @s", COLUMNS, ("ID",)) == "ID must have a value"
    filled = "COPY INTO t (name, at) FROM (SELECT $1, CURRENT_TIMESTAMP() FROM @s)"
    assert not isinstance(canary("CSV", filled, COLUMNS, ("AT",)), str)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_is_made_has_its_files(name):
    files = {path.name for path in (FOLDER / "step4_snowflake").iterdir()}
    wanted = {
        f"{ten + KINDS[name].NUMBER}_{what}_{name}.sql"
        for ten, what in ((20, "file_format"), (30, "table"), (60, "pipe"))
    }
    assert (wanted <= files) == (name in MADE)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(MADE)))
def test_no_step_makes_what_only_others_have(kind):
    with pytest.raises(SettingsWrong, match=f"no step makes a stream of the kind {kind}"):
        read(written(streams__events__kind=kind))


def test_every_kind_that_is_read_from_a_format_says_what_its_canary_is():
    assert set(SHAPES) == set(KINDS) - set(SNOWPLOWS) - {"other"}
    assert set(KINDS) == set(get_args(StreamKind))
