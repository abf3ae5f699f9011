"""Streams: new rows are read until a change has read them; what cannot be told is refused."""

import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError


@pytest.fixture
def world(world):
    world.sql("CREATE TABLE SRC (ID INT, NAME VARCHAR)")
    world.sql("CREATE TABLE TGT (ID INT, NAME VARCHAR)")
    world.sql("INSERT INTO SRC VALUES (1, 'a')")
    world.sql("CREATE STREAM SM ON TABLE SRC APPEND_ONLY = TRUE")
    return world


def test_a_stream_has_what_came_since_and_a_change_that_reads_it_moves_its_offset(world):
    assert world.sql("SELECT SYSTEM$STREAM_HAS_DATA('SM')") == [(False,)]
    world.sql("INSERT INTO SRC VALUES (2, 'b'), (3, 'c')")
    assert world.sql("SELECT SYSTEM$STREAM_HAS_DATA('D.S.SM')") == [(True,)]
    (row, _) = world.dicts("SELECT * FROM SM ORDER BY ID")
    assert row.pop("METADATA$ROW_ID")
    assert row == {"ID": 2, "NAME": "b", "METADATA$ACTION": "INSERT", "METADATA$ISUPDATE": False}
    world.sql("INSERT INTO TGT SELECT ID, NAME FROM SM S WHERE S.METADATA$ISUPDATE = FALSE")
    assert world.sql("SELECT COUNT(*) FROM SM") == [(0,)]
    world.sql("INSERT INTO SRC VALUES (3, 'new'), (4, 'd')")
    world.sql(
        "MERGE INTO TGT T USING (SELECT * FROM SM) S ON T.ID = S.ID "
        "WHEN MATCHED THEN UPDATE SET T.NAME = S.NAME "
        "WHEN NOT MATCHED THEN INSERT (ID, NAME) VALUES (S.ID, S.NAME)"
    )
    assert world.sql("SELECT * FROM TGT ORDER BY ID") == [(2, "b"), (3, "new"), (4, "d")]
    assert world.sql("SELECT * FROM SM") == []


def test_an_offset_moves_with_the_commit(world):
    world.sql("INSERT INTO SRC VALUES (2, 'b')")
    for end, left in (("ROLLBACK", 1), ("COMMIT", 0)):
        world.sql("BEGIN")
        world.sql("INSERT INTO TGT SELECT ID, NAME FROM SM")
        world.sql(end)
        assert world.sql("SELECT COUNT(*) FROM SM") == [(left,)]


def test_what_a_pipe_loads_comes_through_a_stream(world):
    world.stage()
    world.sql("CREATE STREAM ALL_OF_IT ON TABLE SRC SHOW_INITIAL_ROWS = TRUE")
    world.pipe("COPY INTO SRC FROM @ST")
    world.put("in/a.csv", "5,p\n6,q\n")
    world.sql("ALTER PIPE P REFRESH")
    world.settle()
    assert world.sql("SELECT ID FROM SM ORDER BY ID") == [(5,), (6,)]
    assert world.sql("SELECT COUNT(*) FROM ALL_OF_IT") == [(3,)]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM SRC WHERE ID = 1",
        "UPDATE SRC SET NAME = 'z'",
        "TRUNCATE TABLE SRC",
        "INSERT OVERWRITE INTO SRC SELECT 1, 'x'",
        "ALTER TABLE SRC ADD COLUMN MORE INT",
        "CREATE OR REPLACE TABLE SRC (ID INT)",
    ],
)
def test_a_stream_over_rows_that_were_changed_is_refused(world, change):
    world.sql(change)
    for read in (
        "SELECT * FROM SM",
        "SELECT SYSTEM$STREAM_HAS_DATA('SM')",
        "CREATE TABLE C AS SELECT * FROM SM",
    ):
        with pytest.raises(SnowflakeError, match="not emulated"):
            world.sql(read)


def test_a_stream_needs_select_on_it_and_on_its_table(world):
    world.sql("CREATE ROLE R")
    for what in ("USAGE ON DATABASE D", "USAGE ON SCHEMA S", "USAGE ON WAREHOUSE COMPUTE_WH"):
        world.sql(f"GRANT {what} TO ROLE R")
    session = world.login("R")
    for grant in ("SELECT ON STREAM SM", "SELECT ON TABLE SRC"):
        with pytest.raises(SnowflakeError, match="does not exist or not authorized"):
            world.sql("SELECT * FROM D.S.SM", session)
        world.sql(f"GRANT {grant} TO ROLE R")
    assert world.sql("SELECT * FROM D.S.SM", session) == []
