"""What each kind of stream says, and which kind a pipe of somebody else's is."""

import pytest

from runbook.errors import SettingsWrong
from runbook.facts.objects import Entry
from runbook.kinds import KINDS, documents, kind_read_by
from runbook.settings import read
from runbook.sql import FOLDER, rendered
from runbook.verify.checking import check
from runbook.wanted.pipeline import columns, pipe_definition
from tests.unit.conftest import written
from tests.unit.observed import Known, healthy, integration, nothing
from tests.unit.planned import changes

EVENTS = {"APP_ID", "EVENT_ID", "COLLECTOR_TSTAMP", "PLATFORM"}


@pytest.mark.parametrize(
    ("file_type", "columns", "kind"),
    [
        ("CSV", EVENTS, "enriched"),
        ("CSV", {"ID", "NAME"}, "other"),
        ("CSV", set(), "other"),
        ("PARQUET", EVENTS, "other"),
        ("JSON", {"DOCUMENT", "_FILE"}, "bad_rows"),
        ("JSON", {"RAW"}, "other"),
        ("AVRO", {"DOCUMENT"}, "other"),
    ],
)
def test_a_pipe_is_snowplows_only_where_its_files_and_columns_are(file_type, columns, kind):
    assert kind_read_by(file_type, frozenset(columns)) == kind


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_is_made_has_its_files(name):
    files = {path.name for path in (FOLDER / "step4_snowflake").iterdir()}
    wanted = {
        f"{ten + KINDS[name].NUMBER}_{what}_{name}.sql"
        for ten, what in ((20, "file_format"), (30, "table"), (60, "pipe"))
    }
    assert (wanted <= files) == (KINDS[name].NUMBER >= 0)


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


def test_no_step_makes_what_only_others_have():
    with pytest.raises(SettingsWrong, match="no step makes a stream of the kind other"):
        read(written(streams__events__kind="other"))
