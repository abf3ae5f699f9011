"""What each kind of stream says, and which kind a pipe of somebody else's is."""

from typing import get_args

import pytest

from runbook.errors import SettingsWrong
from runbook.facts.copy_columns import through
from runbook.facts.objects import Entry
from runbook.kinds import CANARY, KINDS, SHAPES, SNOWPLOWS, documents, kind_read_by
from runbook.kinds.through import MEMBER
from runbook.settings import read
from runbook.settings.values import MADE, StreamKind
from runbook.sql import FOLDER, rendered
from runbook.verify.checking import check
from runbook.wanted.pipeline import columns, pipe_definition
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy, integration, nothing
from tests.unit.planned import changes

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


THIRD = {
    "kind": "json",
    "prefix": "orders/",
    "table": "ORDERS",
    "stage": "ORDERS_STAGE",
    "pipe": "ORDERS_PIPE",
}


def test_a_third_stream_needs_settings_only(settings):
    """Documents of another producer: their own files, format and table, and a canary like the others'."""
    third = read(written(streams__orders=THIRD))
    stream = third.stream("orders")
    assert (stream.suffix, stream.file_format.sql) == (".gz", "RAW.SNOWPLOW.JSON_DOCUMENTS")
    assert columns(stream) == ("DOCUMENT", "_FILE", "_FILE_ROW", "_LOADED_AT")
    found = nothing(third) | {
        "integration": integration(third),
        "entry": Entry(succeeded=True, message=""),
        ("grants", third.snowflake.loader_role): frozenset(),
        ("grants", third.snowflake.operator_role): frozenset(),
    }
    made = [change.file for change in changes(4, Known(third, found)) if change.why.startswith("orders: ")]
    assert [file.removeprefix("step4_snowflake/") for file in made] == [
        "22_file_format_json.sql",
        "32_table_json.sql",
        "40_stage.sql",
        "50_loader_rights.sql",
        "62_pipe_json.sql",
        "80_operator_rights.sql",
    ]
    assert check(Known(third, healthy(third), answers={})).root_causes == ()
    assert [each.kind for each in third.viewed] == ["enriched", "bad_rows"]
    assert third.agreed["snowflake"] != settings.agreed["snowflake"]
    again = read(written(snowflake__file_format_json="ANOTHER"))
    assert (again.agreed, again.fingerprint) == (settings.agreed, settings.fingerprint)  # nothing has it


def test_own_columns_stand_beside_the_document_and_cost_no_file():
    own = {"orderId": "VARCHAR", "total": "NUMBER(12, 2)", "lines": "VARIANT"}
    settings = read(written(streams__orders={**THIRD, "columns": own}))
    stream = settings.stream("orders")
    assert columns(stream) == ("DOCUMENT", "ORDERID", "TOTAL", "LINES", "_FILE", "_FILE_ROW", "_LOADED_AT")
    assert "  ORDERID VARCHAR,\n" in rendered("step4_snowflake/32_table_json.sql", settings, stream)
    copy = " ".join(pipe_definition(settings, stream).split())
    assert "( document, ORDERID, TOTAL, LINES, _file," in copy
    assert (
        '$1, $1:"orderId"::VARCHAR, TRY_CAST($1:"total"::VARCHAR AS NUMBER(12, 2)), $1:"lines", METADATA'
    ) in copy
    assert check(Known(settings, healthy(settings), answers={})).root_causes == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"columns": {"a b": "VARCHAR"}}, "'a b' is not a column's name"),
        ({"columns": {"_File": "VARCHAR"}}, "'_File' is not a column's name"),
        ({"columns": {"a": "VARCHAR, b VARCHAR"}}, "is not a type such as VARCHAR"),
        ({"columns": {"a": "VARCHAR", "A": "VARCHAR"}}, "differ in their case only"),
        ({"columns": {"a": "VARCHAR"}, "kind": "bad_rows"}, "columns are for a stream of the kind json"),
    ],
)
def test_own_columns_that_cannot_be_are_refused(row, said):
    with pytest.raises(SettingsWrong, match=said):
        read(written(streams__orders={**THIRD, **row}))


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (b'\xef\xbb\xbf {"a": 1}', ""),
        (b"[1, 2]", ""),
        (b"-1", ""),
        (b"", ""),
        (b"a,b,c\n", "it does not hold JSON"),
        (b"PAR1", "it does not hold JSON"),
    ],
)
def test_files_that_hold_no_documents_are_named(begins, said):
    assert documents.wrong_in(begins) == said


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(MADE)))
def test_no_step_makes_what_only_others_have(kind):
    with pytest.raises(SettingsWrong, match=f"no step makes a stream of the kind {kind}"):
        read(written(streams__events__kind=kind))


def test_every_kind_that_is_read_from_a_format_says_what_its_canary_is():
    assert set(SHAPES) == set(KINDS) - set(SNOWPLOWS) - {"other"}
    assert set(KINDS) == set(get_args(StreamKind))
