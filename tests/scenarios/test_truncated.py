"""A table that was truncated, before and after BCR-2305: named in both states, and filled once.

Source: https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_04/bcr-2305 (Snowpipe's own entries of
COPY_HISTORY survive TRUNCATE before it, and do not after it).
"""

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import TABLE, assert_once, backfill, classes, put


@pytest.mark.parametrize("kept", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["after", "before"])
def test_an_emptied_table_is_named_and_filled_once(healthy: Installation, *, kept: bool) -> None:
    healthy.control("POST", "/faults", {"truncate_keeps_pipe_loads": int(kept)})
    keys = put(healthy, "one.gz", "two.gz")
    healthy.settle()
    healthy.advance(hours=3)
    healthy.assert_healthy()
    healthy.sql(f"TRUNCATE TABLE {TABLE}")
    healthy.advance(hours=3)
    found = healthy.verify()
    # before it the history still shows the loads, so it is their rows that are missed
    named = "delivery.loaded-rows-are-still-there" if kept else "delivery.table-was-not-emptied"
    assert found["root_causes"] == [named], found["root_causes"]
    assert classes(backfill(healthy, expect=1)) == {"rows_gone": 2}
    assert backfill(healthy, "--reload-gone")["loaded"]["files"] == 2
    assert_once(healthy, keys)
    assert backfill(healthy, "--reload-gone")["loaded"]["files"] == 0
    healthy.assert_healthy()
