"""INFER_SCHEMA: the columns that files have, and a table made of them that loads those files."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from test_loading_avro import avro, event
from test_loading_parquet import parquet

TEMPLATE = "SELECT ARRAY_AGG(OBJECT_CONSTRUCT(*)) WITHIN GROUP (ORDER BY ORDER_ID) FROM TABLE(INFER_SCHEMA("


@pytest.fixture
def world(world):
    world.stage(path="in")
    world.sql(
        "CREATE FILE FORMAT HEADED TYPE = CSV PARSE_HEADER = TRUE ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE"
    )
    world.sql("CREATE FILE FORMAT PLAIN TYPE = CSV SKIP_HEADER = 1")
    world.sql("CREATE FILE FORMAT JS TYPE = JSON STRIP_OUTER_ARRAY = TRUE")
    world.sql("CREATE FILE FORMAT PQ TYPE = PARQUET")
    world.sql("CREATE FILE FORMAT AV TYPE = AVRO")
    return world


def types(world, path, file_format, more=""):
    call = f"TABLE(INFER_SCHEMA(LOCATION => '@ST/{path}', FILE_FORMAT => '{file_format}'{more}))"
    return dict(world.sql(f"SELECT COLUMN_NAME, TYPE FROM {call} ORDER BY ORDER_ID"))


def test_columns_of_csv_files_and_what_is_told_of_them(world):
    world.put("in/c/a.csv", "id,Rate,when,ok\n1,1.5,2026-01-01,true\n20,12.25,2026-01-02 10:00:00,false\n")
    world.put("in/c/b.csv", "id,more\n300,1e3\n")
    found = world.dicts("SELECT * FROM TABLE(INFER_SCHEMA(LOCATION=>'@D.S.ST/c', FILE_FORMAT=>'HEADED'))")
    assert found[0] == {
        "COLUMN_NAME": "id",
        "TYPE": "NUMBER(3, 0)",
        "NULLABLE": True,
        "EXPRESSION": "$1::NUMBER(3, 0)",
        "FILENAMES": "c/a.csv, c/b.csv",
        "ORDER_ID": 0,
    }
    assert {row["COLUMN_NAME"]: row["TYPE"] for row in found[1:]} == {
        "Rate": "NUMBER(4, 2)",
        "when": "TIMESTAMP_NTZ",
        "ok": "BOOLEAN",
        "more": "REAL",
    }
    assert types(world, "c/", "PLAIN", ", FILES => ('a.csv')") == {
        "c1": "NUMBER(2, 0)",
        "c2": "NUMBER(4, 2)",
        "c3": "TIMESTAMP_NTZ",
        "c4": "BOOLEAN",
    }


def test_columns_of_json_avro_and_parquet_files(world):
    world.put("in/j.json", '[{"a": 1, "b": {"c": 1}, "D": "2026-01-01"}, {"a": 2.5, "e": "x", "f": true}]')
    assert types(world, "j.json", "JS") == {
        "a": "NUMBER(2, 1)",
        "b": "VARIANT",
        "D": "DATE",
        "e": "TEXT",
        "f": "BOOLEAN",
    }
    assert list(types(world, "j.json", "JS", ", IGNORE_CASE => TRUE, MAX_RECORDS_PER_FILE => 1")) == [*"ABD"]
    world.put("in/e.avro", avro(event(1)))
    assert types(world, "e.avro", "AV") == {
        "id": "NUMBER(38, 0)",
        "note": "TEXT",
        "tags": "VARIANT",
        "more": "VARIANT",
        "way": "TEXT",
        "next": "VARIANT",
    }
    columns = {
        "i": pa.array([1], pa.int32()),
        "n": pa.array([Decimal("1.50")], pa.decimal128(10, 2)),
        "r": [1.5],
        "t": ["x"],
        "d": [dt.date(2026, 1, 1)],
        "at": pa.array([0], pa.timestamp("us", "UTC")),
        "l": [[1]],
    }
    world.put("in/p.parquet", parquet(pa.table(columns)))
    assert types(world, "p.parquet", "PQ") == {
        "i": "NUMBER(38, 0)",
        "n": "NUMBER(10, 2)",
        "r": "REAL",
        "t": "TEXT",
        "d": "DATE",
        "at": "TIMESTAMP_NTZ",
        "l": "VARIANT",
    }


def test_a_table_of_the_inferred_columns_loads_the_files(world):
    world.put("in/c/a.csv", "id,Name\n1,Ann\n")
    world.sql(
        f"CREATE OR REPLACE TABLE T USING TEMPLATE ({TEMPLATE}LOCATION => '@ST/c', FILE_FORMAT => 'HEADED')))"
    )
    assert [(row[0], row[1]) for row in world.sql("DESC TABLE T")] == [
        ("id", "NUMBER(1,0)"),
        ("Name", "VARCHAR(16777216)"),
    ]
    world.sql("COPY INTO T FROM @ST/c FILE_FORMAT = HEADED MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    assert world.sql('SELECT "id", "Name" FROM T') == [(1, "Ann")]
    world.sql(
        "CREATE TRANSIENT TABLE IF NOT EXISTS D.S.U USING TEMPLATE (SELECT ARRAY_AGG(OBJECT_CONSTRUCT("
        "'COLUMN_NAME', UPPER(COLUMN_NAME), 'TYPE', TYPE, 'NULLABLE', NULLABLE)) "
        "FROM TABLE(INFER_SCHEMA(LOCATION => '@ST/c', FILE_FORMAT => 'HEADED'))) COMMENT = 'made of files'"
    )
    assert {row[0] for row in world.sql("DESC TABLE U")} == {"ID", "NAME"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM TABLE(INFER_SCHEMA(LOCATION => '@ST/c', FILE_FORMAT => 'HEADED', KIND => 'ICEBERG'))",
        f"CREATE TABLE T USING TEMPLATE ({TEMPLATE}LOCATION => '@ST/none', FILE_FORMAT => 'HEADED')))",
        "CREATE TABLE T USING TEMPLATE (SELECT 'a')",
    ],
)
def test_what_is_not_emulated_of_it_is_refused(world, statement):
    with pytest.raises(SnowflakeError, match="not emulated"):
        world.sql(statement)


def test_a_file_that_is_named_and_missing_is_an_error(world):
    with pytest.raises(SnowflakeError, match="was not found"):
        types(world, "c/", "PLAIN", ", FILES => ('x.csv')")
