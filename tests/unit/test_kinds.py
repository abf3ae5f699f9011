"""What each kind of stream says, and which kind a pipe of somebody else's is."""

import pytest

from runbook.errors import SettingsWrong
from runbook.kinds import KINDS, kind_read_by
from runbook.settings import read
from runbook.sql import FOLDER
from tests.unit.conftest import written

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


def test_no_step_makes_what_only_others_have():
    with pytest.raises(SettingsWrong, match="no step makes a stream of the kind other"):
        read(written(streams__events__kind="other"))
