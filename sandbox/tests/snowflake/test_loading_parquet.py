"""Parquet: what a value becomes, by its type and the format's options; files through COPY and pipes."""

import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowpipe_sandbox.snowflake import formats, parquet_reader
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.load_errors import FileError

NOON = dt.datetime(2026, 1, 2, 12, 0, 0)  # noqa: DTZ001 - a wall clock, as files hold them


def parquet(table, **how):
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def rows(*documents):
    return parquet(pa.Table.from_pylist(list(documents)))


def shown(table, timezone="UTC", how=None, **options):
    """$1 of each row."""
    source = io.BytesIO(table if isinstance(table, bytes) else parquet(table, **(how or {})))
    chunks = list(parquet_reader.read(source, formats.parse({"TYPE": "PARQUET", **options}), timezone))
    return [json.loads(text) for chunk in chunks for text in chunk.table.column("c1").to_pylist()]


def one(array, **options):
    (document,) = shown(pa.table({"v": array}), **options)
    return document.get("v", "absent")


def test_values():
    assert one(pa.array([7], pa.int8())) == 7
    assert one(pa.array([1.5])) == 1.5
    assert one(pa.array([2.0])) == 2
    assert one(pa.array([Decimal("12.30")])) == 12.30
    assert one(pa.array([True])) is True
    assert one(pa.array(["ü\n"])) == "ü\n"
    assert one(pa.array([dt.date(2026, 1, 2)])) == "2026-01-02"
    assert one(pa.array(["a"]).dictionary_encode()) == "a"
    assert one(pa.array([{"k": [1, 2]}])) == {"k": [1, 2]}


def test_nulls_are_shown_by_the_vectorized_scanner_only():
    table = pa.table({"a": [1], "b": pa.array([None], pa.int32()), "l": [["x", None]]})
    assert shown(table) == [{"a": 1, "l": ["x"]}]
    assert shown(table, USE_VECTORIZED_SCANNER=True) == [{"a": 1, "b": None, "l": ["x", None]}]


def test_maps():
    array = pa.array([[("k1", "v1")]], pa.map_(pa.string(), pa.string()))
    assert one(array) == {"key_value": [{"key": "k1", "value": "v1"}]}
    assert one(array, USE_VECTORIZED_SCANNER=True) == {"k1": "v1"}


MICROS = int(NOON.replace(tzinfo=dt.UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("kind", "plain", "logical", "vectorized"),
    [
        # pyarrow writes a converted type beside times in UTC, and beside no others
        (pa.timestamp("us", "UTC"), "12:00:00.000", "04:00:00.000 -0800", "04:00:00.000 -0800"),
        (pa.timestamp("us"), MICROS, "12:00:00.000", "12:00:00.000"),
        (pa.timestamp("ns"), MICROS * 1000, "12:00:00.000", "12:00:00.000"),
        (pa.timestamp("ns", "UTC"), MICROS * 1000, "04:00:00.000 -0800", "04:00:00.000 -0800"),
    ],
)
def test_times_by_what_the_file_says_of_them(kind, plain, logical, vectorized):
    array = pa.array([NOON if kind.tz is None else NOON.replace(tzinfo=dt.UTC)], kind)
    zone = {"timezone": "America/Los_Angeles"}
    for wanted, options in (
        (plain, {}),
        (logical, {"USE_LOGICAL_TYPE": True}),
        (vectorized, {"USE_VECTORIZED_SCANNER": True}),
    ):
        found = one(array, **zone, **options)
        assert found == (wanted if isinstance(wanted, int) else f"2026-01-02 {wanted}")


def test_int96_and_times_of_day():
    old = {"how": {"use_deprecated_int96_timestamps": True}, "timezone": "Asia/Tokyo"}
    array = pa.array([NOON], pa.timestamp("ns"))
    assert one(array, **old) == "2026-01-02 12:00:00.000"
    assert one(array, **old, USE_VECTORIZED_SCANNER=True) == "2026-01-02 21:00:00.000 +0900"
    nanos = pa.array([1_000_000_001], pa.time64("ns"))
    assert (one(nanos), one(nanos, USE_LOGICAL_TYPE=True)) == (1_000_000_001, "00:00:01")


def test_bytes():
    array = pa.array([b"ab"])
    assert one(array) == "ab"
    assert one(array, BINARY_AS_TEXT=False) == "6162"
    assert one(array, USE_VECTORIZED_SCANNER=True) == "6162"
    broken = parquet(pa.table({"v": [b"\xff"]}))
    (chunk,) = parquet_reader.read(io.BytesIO(broken), formats.parse({"TYPE": "PARQUET"}))
    assert (chunk.parsed, chunk.errors[0].message) == (1, "Invalid UTF8 detected in string '0xFF'")
    assert shown(broken, REPLACE_INVALID_CHARACTERS=True) == [{"v": "\ufffd"}]


@pytest.mark.parametrize("data", [b"", b'{"a": 1}\n', b"PAR1 and then nothing PAR1"])
def test_what_is_no_parquet_fails_as_a_file(data):
    with pytest.raises(FileError, match=r"^Error parsing the parquet file: Invalid: "):
        shown(data)


def test_a_copy_selects_members(world):
    world.sql("CREATE FILE FORMAT PQ TYPE = PARQUET COMPRESSION = SNAPPY USE_LOGICAL_TYPE = TRUE")
    world.stage(file_format="FORMAT_NAME = PQ")
    document = {"id": 1, "ts": NOON, "tags": ["a", "b"], "meta": '{"k": 2}', "deep": {"er": {"n": 5}}}
    world.put("in/a.parquet", rows(document, {"id": 2}))
    world.sql("CREATE TABLE T (ID INT, TS TIMESTAMP_NTZ, TAGS ARRAY, META VARIANT, N INT, F VARCHAR, R INT)")
    row = world.copy(
        "COPY INTO T FROM (SELECT $1:id::NUMBER, $1:ts::TIMESTAMP_NTZ, $1:tags::ARRAY, PARSE_JSON($1:meta), "
        "$1:deep.er.n::INT, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM @ST)"
    )["a.parquet"]
    assert (row["status"], row["rows_loaded"]) == ("LOADED", 2)
    found = world.sql("SELECT ID, TS::VARCHAR, TAGS[1]::VARCHAR, META:k::INT, N, F, R FROM T ORDER BY ID")
    assert found == [
        (1, "2026-01-02 12:00:00.000", "b", 2, 5, "in/a.parquet", 1),
        (2, None, None, None, None, "in/a.parquet", 2),
    ]
    assert world.sql("SELECT $1:id::INT FROM @ST ORDER BY 1") == [(1,), (2,)]


def test_a_document_goes_into_one_variant_column_only(world):
    world.stage(file_format="TYPE = PARQUET")
    world.put("in/a.parquet", rows({"a": "x"}))
    world.sql("CREATE TABLE V (V VARIANT)")
    world.sql("COPY INTO V FROM @ST")
    assert world.sql("SELECT V:a::VARCHAR FROM V") == [("x",)]
    world.sql("CREATE TABLE W (A VARCHAR, B VARCHAR)")
    with pytest.raises(SnowflakeError, match="PARQUET file format can produce one and only one column"):
        world.sql("COPY INTO W FROM @ST")


def test_columns_match_by_name(world):
    world.stage(file_format="TYPE = PARQUET TRIM_SPACE = TRUE NULL_IF = ('NA')")
    world.put("in/a.parquet", rows({"id": 1, "Name": " x ", "more": True, "gone": "NA"}))
    world.sql("CREATE TABLE M (ID INT, NAME VARCHAR, GONE VARCHAR, F VARCHAR, AT TIMESTAMP_LTZ, OTHER INT)")
    world.sql(
        "COPY INTO M FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE "
        "INCLUDE_METADATA = (F = METADATA$FILENAME, AT = METADATA$START_SCAN_TIME)"
    )
    assert world.sql("SELECT ID, NAME, GONE, F, OTHER, AT IS NOT NULL FROM M") == [
        (1, "x", None, "in/a.parquet", None, True)
    ]


def test_a_pipe_loads_and_skips_what_is_no_parquet(world):
    world.stage(file_format="TYPE = PARQUET")
    world.sql("CREATE TABLE M (ID INT, TS TIMESTAMP_NTZ)")
    world.pipe(
        "COPY INTO M FROM @ST FILE_FORMAT = (TYPE = 'PARQUET' USE_LOGICAL_TYPE = TRUE) "
        "MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE'"
    )
    world.notify("in/")
    world.put("in/a.parquet", rows({"ID": 1, "ts": NOON}))
    world.put("in/b.parquet", '{"id": 2}\n')
    world.settle()
    assert world.sql("SELECT ID, TS::VARCHAR FROM M") == [(1, "2026-01-02 12:00:00.000")]
    history = world.history("M")
    assert history["a.parquet"][0]["STATUS"] == "Loaded"
    assert history["b.parquet"][0]["STATUS"] == "Load failed"
    assert history["b.parquet"][0]["FIRST_ERROR_MESSAGE"].startswith(
        "Error parsing the parquet file: Invalid:"
    )


def test_a_value_that_does_not_convert_is_the_rows_error(world):
    world.stage(file_format="TYPE = PARQUET")
    world.put("in/a.parquet", rows({"id": "x"}, {"id": "3"}))
    world.sql("CREATE TABLE T (ID INT)")
    row = world.copy("COPY INTO T FROM (SELECT $1:id FROM @ST) ON_ERROR = CONTINUE")["a.parquet"]
    assert (row["rows_loaded"], row["errors_seen"]) == (1, 1)
    assert row["first_error"] == 'Failed to cast variant value "x" to FIXED'


def test_a_number_is_seconds_whatever_was_meant(world):
    """As pandas' times are read without USE_LOGICAL_TYPE: rows load, and their times are wrong."""
    world.stage(file_format="TYPE = PARQUET")
    world.put("in/a.parquet", rows({"s": 1_600_000_000, "ms": 1_600_000_000_123, "us": NOON}))
    world.sql("CREATE TABLE T (S TIMESTAMP_NTZ, MS TIMESTAMP_NTZ, US TIMESTAMP_NTZ, L TIMESTAMP_LTZ)")
    world.sql("COPY INTO T FROM (SELECT $1:s::TIMESTAMP_NTZ, $1:ms, $1:us::TIMESTAMP, $1:s FROM @ST)")
    world.sql("COPY INTO T FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE")
    assert world.sql("SELECT DISTINCT S::VARCHAR, YEAR(MS) FROM T") == [("2020-09-13 12:26:40.000", 52671)]
    assert world.sql("SELECT COUNT(*) FROM T WHERE US > '9999-12-31'") == [(2,)]
    assert world.sql("SELECT COUNT(*) FROM T WHERE L = '2020-09-13 12:26:40 +00:00'::TIMESTAMP_LTZ") == [(1,)]
