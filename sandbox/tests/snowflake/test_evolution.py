"""ENABLE_SCHEMA_EVOLUTION: a load by names changes the table as the files need it, and as it is allowed."""

import json

import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError

COPY = "COPY INTO T FROM @ST FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"


@pytest.fixture
def world(world):
    world.stage()
    return world


def put(world, name, *documents):
    world.put(f"in/{name}", "\n".join(json.dumps(each) for each in documents))


def columns(world):
    return {row[0]: (row[1], row[3]) for row in world.sql("DESC TABLE D.S.T")}


def test_a_copy_adds_columns_and_drops_not_null(world):
    world.sql("CREATE TABLE T (ID INT, NAME VARCHAR NOT NULL) ENABLE_SCHEMA_EVOLUTION = TRUE")
    assert [row["enable_schema_evolution"] for row in world.dicts("SHOW TABLES")] == ["Y"]
    put(world, "a.json", {"id": 1, "name": "x"}, {"id": 2, "name": "y", "price": 1.5, "more": {"a": 1}})
    assert world.copy(COPY)["a.json"]["rows_loaded"] == 2
    put(world, "b.json", {"id": 3, "when": "2026-01-01"})
    world.sql(COPY)
    assert columns(world) == {
        "ID": ("NUMBER(38,0)", "Y"),
        "NAME": ("VARCHAR(16777216)", "Y"),
        "PRICE": ("NUMBER(38,1)", "Y"),
        "MORE": ("VARIANT", "Y"),
        "WHEN": ("DATE", "Y"),
    }
    assert world.sql("SELECT NAME, PRICE FROM T ORDER BY ID") == [("x", None), ("y", 1.5), (None, None)]


def test_a_pipe_evolves_its_table_once_a_load_and_loads_every_file(world):
    world.sql("CREATE TABLE T (ID INT)")
    world.sql("ALTER TABLE T SET ENABLE_SCHEMA_EVOLUTION = TRUE")
    world.pipe(COPY)
    put(world, "a.json", {"id": 1, "a": "x"})
    put(world, "b.json", {"id": 2, "b": True})
    put(world, "c.json", {"id": 3})
    world.sql("ALTER PIPE P REFRESH")
    world.settle()
    assert world.sql("SELECT ID, A, B FROM T ORDER BY ID") == [
        (1, "x", None),
        (2, None, True),
        (3, None, None),
    ]


def test_csv_evolves_only_where_its_fields_are_not_counted(world):
    world.sql("CREATE TABLE T (ID INT) ENABLE_SCHEMA_EVOLUTION = TRUE")
    world.sql("CREATE FILE FORMAT F TYPE = CSV PARSE_HEADER = TRUE")
    world.put("in/a.csv", "id,more\n1,x\n")
    copy = "COPY INTO T FROM @ST FILE_FORMAT = F MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    with pytest.raises(SnowflakeError, match="Number of columns in file"):
        world.sql(copy)
    world.sql("ALTER FILE FORMAT F SET ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE")
    world.sql(copy)
    assert world.sql("SELECT ID, MORE FROM T") == [(1, "x")]


@pytest.mark.parametrize(("more", "evolved"), [((), False), (("EVOLVE SCHEMA",), True)])
def test_the_role_that_loads_needs_evolve_schema(world, more, evolved):
    world.sql("CREATE TABLE T (ID INT) ENABLE_SCHEMA_EVOLUTION = TRUE")
    world.sql("CREATE ROLE R")
    for what in ("DATABASE D", "SCHEMA S", "STAGE ST", "INTEGRATION I", "WAREHOUSE COMPUTE_WH"):
        world.sql(f"GRANT USAGE ON {what} TO ROLE R")
    for privilege in ("INSERT", "SELECT", *more):
        world.sql(f"GRANT {privilege} ON TABLE T TO ROLE R")
    put(world, "a.json", {"id": 1, "a": "x"})
    session = world.login("R")
    world.sql("USE SCHEMA D.S", session)
    world.sql(COPY, session)
    assert ("A" in columns(world)) is evolved
    assert world.sql("SELECT ID FROM T") == [(1,)]


def test_what_a_table_does_not_evolve_into(world):
    world.sql("CREATE TABLE T (ID INT) ENABLE_SCHEMA_EVOLUTION = TRUE")
    put(world, "a.json", {f"c{n}": n for n in range(101)})
    with pytest.raises(SnowflakeError, match="not emulated: schema evolution by more than 100 columns"):
        world.sql(COPY)
    put(world, "a.json", {"id": 1, "a": 1})
    put(world, "b.json", {"id": 1, "b": 1})
    with pytest.raises(SnowflakeError, match="not emulated: a COPY of files that evolve the table in two"):
        world.sql(COPY)
    world.sql("ALTER TABLE T SET ENABLE_SCHEMA_EVOLUTION = FALSE")
    world.sql(COPY)
    world.sql("COPY INTO T FROM (SELECT $1:id FROM @ST) FILE_FORMAT = (TYPE = JSON) FORCE = TRUE")
    assert list(columns(world)) == ["ID"]
