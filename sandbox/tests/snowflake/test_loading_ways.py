"""Ways of loading beside $1, $2: members by their names, metadata, queries over a stage, AUTO's times."""

import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError


def test_members_go_to_the_columns_of_their_names(world):
    world.stage(file_format="TYPE = JSON")
    world.put("in/a.json", '{"id":1,"Name":"x","tags":["a"],"more":1}\n{"ID":2}\n')
    world.sql("CREATE TABLE M (ID INT, NAME VARCHAR, TAGS ARRAY, F VARCHAR, K INT AUTOINCREMENT)")
    by_name = "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE INCLUDE_METADATA = (F = METADATA$FILENAME)"
    assert world.copy(f"COPY INTO M FROM @ST {by_name}")["a.json"]["rows_loaded"] == 2
    assert world.sql("SELECT ID, NAME, F, K FROM M ORDER BY ID") == [
        (1, "x", "in/a.json", 1),
        (2, None, "in/a.json", 2),
    ]
    world.sql('CREATE TABLE S (ID INT, "Name" VARCHAR)')
    world.sql("COPY INTO S FROM @ST MATCH_BY_COLUMN_NAME = CASE_SENSITIVE")
    assert world.sql('SELECT ID, "Name" FROM S ORDER BY ID') == [(2, None), (None, "x")]


def test_trim_and_null_if_of_documents_count_by_name_only(world):
    world.stage(file_format="TYPE = JSON TRIM_SPACE = TRUE NULL_IF = ('NA')")
    world.put("in/a.json", '{"a": " x ", "b": "NA"}')
    world.sql("CREATE TABLE M (A VARCHAR, B VARCHAR)")
    world.sql("COPY INTO M FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
    world.sql("COPY INTO M FROM (SELECT $1:a, $1:b FROM @ST) FORCE = TRUE")
    assert sorted(world.sql("SELECT A, B FROM M"), key=str) == [(" x ", "NA"), ("x", None)]


def test_purge_deletes_what_was_loaded_where_it_may(world):
    world.stage(file_format="TYPE = CSV")
    world.put("in/good.csv", "1\n")
    world.put("in/bad.csv", "x\n")
    world.sql("CREATE TABLE M (A INT)")
    world.sql("COPY INTO M FROM @ST PURGE = TRUE ON_ERROR = CONTINUE")
    assert len(world.sql("LIST @ST")) == 2  # the role may not delete, and that is no error
    world.permit(more=["s3:DeleteObject"])
    world.sql("COPY INTO M FROM @ST PURGE = TRUE ON_ERROR = CONTINUE FORCE = TRUE")
    assert [row[0].rpartition("/")[2] for row in world.sql("LIST @ST")] == ["bad.csv"]
    with pytest.raises(SnowflakeError, match="PURGE is not supported in a pipe definition"):
        world.pipe("COPY INTO M FROM @ST PURGE = TRUE")


def test_remove_deletes_the_files_of_a_path(world):
    world.stage()
    for key in ("in/a/1.csv", "in/a/2.txt", "in/b/1.csv"):
        world.put(key, "1\n")
    with pytest.raises(SnowflakeError, match="Access Denied"):
        world.sql("REMOVE @ST/a/")
    world.permit(more=["s3:DeleteObject"])
    assert world.sql("RM @ST/a/ PATTERN = '.*csv'") == [("in/a/1.csv", "removed")]
    assert world.sql("REMOVE @ST/a/") == [("in/a/2.txt", "removed")]
    assert len(world.sql("LIST @ST")) == 1


def test_a_stages_own_on_error_counts_where_the_copy_says_nothing(world):
    world.sql(
        f"CREATE STAGE ST URL = 's3://{world.bucket}/in/' STORAGE_INTEGRATION = I "
        "FILE_FORMAT = (TYPE = CSV) COPY_OPTIONS = (ON_ERROR = 'CONTINUE')"
    )
    world.put("in/a.csv", "1\nx\n")
    world.sql("CREATE TABLE M (A INT)")
    assert world.copy("COPY INTO M FROM @ST")["a.csv"]["rows_loaded"] == 1
    with pytest.raises(SnowflakeError, match="Numeric value"):
        world.sql("COPY INTO M FROM @ST FORCE = TRUE ON_ERROR = ABORT_STATEMENT")
    described = {row[1]: row[3] for row in world.sql("DESC STAGE ST") if row[0] == "STAGE_COPY_OPTIONS"}
    assert described["ON_ERROR"] == "CONTINUE"


def test_what_excludes_or_needs_matching_by_name(world):
    world.stage(file_format="TYPE = JSON")
    world.sql("CREATE TABLE M (ID INT, F VARCHAR)")
    for copy, errno in (
        ("COPY INTO M FROM (SELECT $1 FROM @ST) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", 2029),
        ("COPY INTO M FROM @ST INCLUDE_METADATA = (F = METADATA$FILENAME)", 2029),
        (
            "COPY INTO M FROM @ST MATCH_BY_COLUMN_NAME = CASE_SENSITIVE "
            "INCLUDE_METADATA = (X = METADATA$FILENAME)",
            904,
        ),
        ("COPY INTO M FROM @ST FILE_FORMAT = (TYPE = CSV) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE", 2),
    ):
        with pytest.raises(SnowflakeError) as caught:
            world.sql(copy)
        assert caught.value.errno == errno, copy


def test_fields_of_a_csv_file_go_to_the_columns_of_its_header(world):
    header = "TYPE = CSV PARSE_HEADER = TRUE FIELD_OPTIONALLY_ENCLOSED_BY = '\"'"
    world.stage(file_format=f"{header} ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE")
    world.put("in/a.csv", 'Name,"id",more\n"x, y",1,z\n,2,\n')
    world.put("in/b.csv", "id\nno\n3\n")
    world.sql("CREATE TABLE M (ID INT, NAME VARCHAR, F VARCHAR, R INT)")
    found = world.copy(
        "COPY INTO M FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = CONTINUE "
        "INCLUDE_METADATA = (F = METADATA$FILENAME, R = METADATA$FILE_ROW_NUMBER)"
    )
    assert world.sql("SELECT ID, NAME, F, R FROM M ORDER BY ID") == [
        (1, "x, y", "in/a.csv", 1),
        (2, None, "in/a.csv", 2),
        (3, None, "in/b.csv", 2),
    ]
    assert found["b.csv"]["first_error"] == "Numeric value 'no' is not recognized"
    world.stage("COUNTED", file_format=header)
    world.sql("CREATE TABLE N (ID INT, NAME VARCHAR)")
    row = world.copy(
        "COPY INTO N FROM @COUNTED/a MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = CONTINUE"
    )
    assert row["a.csv"]["first_error"].startswith("Number of columns in file (3) does not match")


def test_a_pipe_matches_by_name(world):
    world.stage(file_format="TYPE = JSON")
    world.sql("CREATE TABLE M (ID INT)")
    world.pipe("COPY INTO M FROM @ST MATCH_BY_COLUMN_NAME = 'CASE_INSENSITIVE'")
    world.notify("in/")
    world.put("in/a.json", '{"id":1}{"id":2}')
    world.settle()
    assert world.sql("SELECT COUNT(*) FROM M") == [(2,)]


def test_a_query_reads_the_files_of_a_stage(world):
    world.stage()
    world.put("in/a.csv", "1|x\n2|y\n")
    world.put("in/b.json", '{"a": {"b": 3}}\n')
    world.sql("CREATE FILE FORMAT BARS TYPE = CSV FIELD_DELIMITER = '|'")
    world.sql("CREATE FILE FORMAT J TYPE = JSON")
    csv = "@ST (FILE_FORMAT => 'BARS', PATTERN => '.*csv')"
    assert world.sql(f"SELECT t.$2, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER FROM {csv} t ORDER BY 3") == [
        ("x", "in/a.csv", 1),
        ("y", "in/a.csv", 2),
    ]
    assert world.sql(f"SELECT COUNT(*), MAX($1::INT) FROM {csv}") == [(2, 2)]
    assert world.sql("SELECT $1:a.b::INT FROM @ST/b.json (FILE_FORMAT => J)") == [(3,)]
    world.sql(f"CREATE TABLE C AS SELECT $1::INT AS N FROM {csv}")
    world.sql("INSERT INTO C SELECT $1:a.b::INT FROM @ST/b (FILE_FORMAT => J)")
    assert world.sql("SELECT SUM(N) FROM C") == [(6,)]
    for refused, errno in (
        (f"SELECT * FROM {csv}", 2),
        ("SELECT $1 FROM @NOPE", 2003),
        ("SELECT $1 FROM C", 2),
    ):
        with pytest.raises(SnowflakeError) as caught:
            world.sql(refused)
        assert caught.value.errno == errno, refused


TIMES = {
    "01/02/2026 03:04:05": "2026-01-02 03:04:05.000",
    "2026-01-02T03": "2026-01-02 03:00:00.000",
    "Fri, 02 Jan 2026 03:04:05 +0200": "2026-01-02 03:04:05.000",
    "Fri, 02 Jan 2026 03:04:05 PM": "2026-01-02 15:04:05.000",
    "Fri Jan 02 03:04:05 +0200 2026": "2026-01-02 03:04:05.000",
    "1600000000": "2020-09-13 12:26:40.000",
    "1600000000123": "2020-09-13 12:26:40.123",
    "1600000000123000": "2020-09-13 12:26:40.123",
    "1600000000123000000": "2020-09-13 12:26:40.123",
}


def test_auto_takes_what_its_page_lists(world):
    world.stage(file_format="TYPE = CSV FIELD_DELIMITER = '|'")
    world.put("in/a.csv", "".join(f"{text}|{text}\n" for text in TIMES) + "nonsense|nonsense\n")
    world.sql("CREATE TABLE T (N TIMESTAMP_NTZ, L TIMESTAMP_LTZ)")
    row = world.copy("COPY INTO T FROM @ST ON_ERROR = CONTINUE")["a.csv"]
    assert (row["rows_loaded"], row["errors_seen"]) == (len(TIMES), 1)
    assert sorted(text for (text,) in world.sql("SELECT N::VARCHAR FROM T")) == sorted(TIMES.values())
    zoned = "SELECT COUNT(*) FROM T WHERE L = '2026-01-02 01:04:05 +00:00'::TIMESTAMP_LTZ"
    assert world.sql(zoned) == [(2,)]
    world.put("days/a.csv", "01/02/2026\n02-JAN-2026\n2026-01-02\n")
    world.stage("DAYS", "days/")
    world.sql("CREATE TABLE D (A DATE)")
    world.sql("COPY INTO D FROM @DAYS")
    assert world.sql("SELECT COUNT(*) FROM D WHERE A = '2026-01-02'::DATE") == [(3,)]


def test_a_transformation_casts_as_snowflake_does(world):
    world.stage(file_format="TYPE = JSON")
    world.put("in/2026-01-02T00:00:00.json", '{"id":"","tags":["a"],"o":{"k":1},"long":"abcdef"}')
    world.sql("CREATE TABLE T (ID VARCHAR, TAGS ARRAY, O OBJECT, NAMED TIMESTAMP_TZ, V VARIANT)")
    world.sql(
        "COPY INTO T FROM (SELECT NULLIF($1:id, '')::VARCHAR(255), $1:tags::ARRAY, $1:o::OBJECT, "
        "TO_TIMESTAMP_TZ(REGEXP_SUBSTR(METADATA$FILENAME, '\\\\/([^\\\\/]*)\\\\.json', 1, 1, 'e') || 'Z'), "
        "$1 FROM @ST)"
    )
    ((identifier, tags, document, named),) = world.sql(
        "SELECT ID, TAGS[0]::VARCHAR, O:k::INT, NAMED::VARCHAR FROM T"
    )
    assert (identifier, tags, document, named) == (None, "a", 1, "2026-01-02 00:00:00.000 +0000")
    world.sql("CREATE TABLE S (A VARCHAR)")
    row = world.copy("COPY INTO S FROM (SELECT $1:long::VARCHAR(3) FROM @ST) ON_ERROR = CONTINUE")
    (failed,) = row.values()
    assert failed["first_error"] == "String 'abcdef' is too long and would be truncated"
