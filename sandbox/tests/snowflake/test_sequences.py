"""Columns that count by themselves: AUTOINCREMENT in every spelling, and sequences."""

import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError

SPELLINGS = (
    ("AUTOINCREMENT START = 1 INCREMENT =1", (1, 2)),
    ("AUTOINCREMENT START WITH 10 INCREMENT BY 5", (10, 15)),
    ("IDENTITY START WITH = 3 INCREMENT BY = 1 NOORDER NOT NULL", (3, 4)),
    ("NOT NULL AUTOINCREMENT START 0 INCREMENT 1 ORDER COMMENT 'START = 9'", (0, 1)),
    ("IDENTITY (7, -2) ORDER", (7, 5)),
    ("IDENTITY START -1 INCREMENT -1", (-1, -2)),
    ("PRIMARY KEY AUTOINCREMENT NOORDER", (1, 2)),
)


def test_a_column_counts_however_it_is_written(world):
    for n, (spelling, counted) in enumerate(SPELLINGS):
        world.sql(f"CREATE TABLE T{n} (ID INT {spelling}, B VARCHAR)")
        world.sql(f"INSERT INTO T{n} (B) VALUES ('x'), ('y')")
        assert world.sql(f"SELECT ID FROM T{n} ORDER BY B") == [(each,) for each in counted], spelling


def test_a_sequence_counts_in_a_default_in_a_query_and_in_a_load(world):
    world.sql("CREATE OR REPLACE SEQUENCE SQ WITH START = 5 INCREMENT BY 2 ORDER COMMENT = 'ids'")
    world.sql("CREATE SEQUENCE IF NOT EXISTS SQ")
    world.sql("CREATE TABLE T (ID INT DEFAULT SQ.NEXTVAL, B VARCHAR)")
    world.sql("INSERT INTO T (B) VALUES ('x')")
    world.sql("INSERT INTO T SELECT D.S.SQ.NEXTVAL, 'y'")
    world.stage()
    world.put("in/a.csv", "p\nq\n")
    world.sql("COPY INTO T (B) FROM @ST")
    world.put("in/b.csv", "r\n")
    world.sql("COPY INTO T FROM (SELECT SQ.NEXTVAL, $1 FROM @ST)")
    ids = dict(world.sql("SELECT B, ID FROM T"))
    assert (ids["x"], ids["y"]) == (5, 7)
    assert sorted(ids.values()) == [5, 7, 9, 11, 13]
    (shown,) = world.dicts("SHOW SEQUENCES")
    wanted = {"name": "SQ", "next_value": 15, "interval": 2, "comment": "ids", "ordered": "Y"}
    assert {name: shown[name] for name in wanted} == wanted
    assert world.dicts("DESC SEQUENCE SQ") == [shown]
    assert [row[4] for row in world.sql("DESC TABLE T")] == ["D.S.SQ.NEXTVAL", None]


def test_a_pipe_fills_a_column_from_a_sequence(world):
    world.sql("CREATE SEQUENCE SQ")
    world.sql("CREATE TABLE T (ID INT DEFAULT SQ.NEXTVAL, B VARCHAR)")
    world.stage()
    world.pipe("COPY INTO T (B) FROM (SELECT $1 FROM @ST)")
    world.put("in/a.csv", "p\nq\n")
    world.sql("ALTER PIPE P REFRESH")
    world.settle()
    assert world.sql("SELECT ID FROM T ORDER BY ID") == [(1,), (2,)]


def test_a_sequence_made_anew_counts_for_the_columns_that_name_it_and_stays_while_they_do(world):
    world.sql("CREATE SEQUENCE SQ")
    world.sql("CREATE TABLE T (ID INT DEFAULT SQ.NEXTVAL, B VARCHAR)")
    world.sql("CREATE OR REPLACE SEQUENCE SQ START 100")
    world.sql("INSERT INTO T (B) VALUES ('x')")
    assert world.sql("SELECT ID FROM T") == [(100,)]
    world.sql("CREATE SCHEMA D.ELSEWHERE")
    world.sql("CREATE TABLE D.ELSEWHERE.U (ID INT DEFAULT D.S.SQ.NEXTVAL)")
    world.sql("CREATE DATABASE E")
    for statement in (
        "DROP SEQUENCE D.S.SQ",
        "DROP SCHEMA D.S",
        "CREATE SCHEMA D.C CLONE D.S",
        "CREATE TABLE E.PUBLIC.V (ID INT DEFAULT D.S.SQ.NEXTVAL)",
        "ALTER SEQUENCE D.S.SQ SET INCREMENT 5",
    ):
        with pytest.raises(SnowflakeError, match="not emulated"):
            world.sql(statement)
    world.sql("DROP TABLE D.ELSEWHERE.U")
    world.sql("DROP TABLE D.S.T")
    world.sql("DROP SEQUENCE D.S.SQ")
    with pytest.raises(SnowflakeError, match="does not exist or not authorized"):
        world.sql("SELECT D.S.SQ.NEXTVAL")


def test_a_role_needs_usage_to_name_a_sequence_and_none_to_fill_its_column(world):
    world.sql("CREATE SEQUENCE SQ")
    world.sql("CREATE TABLE T (ID INT DEFAULT SQ.NEXTVAL, B VARCHAR)")
    world.sql("CREATE ROLE R")
    for what in (
        "USAGE ON DATABASE D",
        "USAGE ON SCHEMA D.S",
        "INSERT ON TABLE T",
        "USAGE ON WAREHOUSE COMPUTE_WH",
    ):
        world.sql(f"GRANT {what} TO ROLE R")
    session = world.login("R")
    world.sql("INSERT INTO D.S.T (B) VALUES ('x')", session)
    with pytest.raises(SnowflakeError, match="does not exist or not authorized"):
        world.sql("SELECT D.S.SQ.NEXTVAL", session)
    world.sql("GRANT USAGE ON SEQUENCE SQ TO ROLE R")
    assert world.sql("SELECT D.S.SQ.NEXTVAL", session) == [(2,)]
