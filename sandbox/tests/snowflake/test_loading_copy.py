"""COPY INTO, VALIDATION_MODE and LIST (sources: Snowflake §1.4, §1.6).

Result rows and messages: https://github.com/mlorek/frostlake, whose COPY tests quote a live account.
"""

import gzip
import json
import re
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading_rig import TSV, World, zstd
from snowpipe_sandbox.snowflake.copy_statement import CONTINUE, OnError, parse_copy
from snowpipe_sandbox.snowflake.errors import SnowflakeError

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
NOTHING = "Copy executed with 0 files processed."
ADVICE = (
    "  If you would like to continue loading when an error is encountered, use other values such as "
    "'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option. For more information on loading options, please run "
    "'info loading_data' in a SQL client."
)
OUTPUT = [
    "file",
    "status",
    "rows_parsed",
    "rows_loaded",
    "error_limit",
    "errors_seen",
    "first_error",
    "first_error_line",
    "first_error_character",
    "first_error_column_name",
]
BAD = "1,x\nNOPE,y\n3,z\n"


@pytest.fixture(scope="module")
def connected(sandbox):
    made = World(sandbox.tenants).connect()
    yield made
    sandbox.tenants.delete(made.name)


@pytest.fixture
def world(connected):
    """A stage of its own for each test, on an empty table."""
    for each in connected.s3.list_objects_v2(Bucket=connected.bucket).get("Contents", ()):
        connected.s3.delete_object(Bucket=connected.bucket, Key=each["Key"])
    connected.session.rollback()
    connected.sql("CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR)")
    connected.sql("DROP STAGE IF EXISTS ST")
    connected.stage()
    return connected


def row(found):
    """A result row without its file."""
    return tuple(found[name] for name in OUTPUT[1:])


def refusal(world, text):
    with pytest.raises(SnowflakeError) as refused:
        world.sql(text)
    return refused.value


class TestOutput:
    def test_a_clean_load(self, world):
        world.put("in/good.csv", "1,x\n2,y\n")
        found = world.copy("COPY INTO T FROM @ST")["good.csv"]
        assert list(found) == OUTPUT
        assert found["file"] == f"s3://{world.bucket}/in/good.csv"
        assert row(found) == ("LOADED", 2, 2, 1, 0, None, None, None, None)

    def test_a_named_file_loaded_before_is_reported_a_listed_one_is_not(self, world):
        world.put("in/good.csv", "1,x\n")
        world.sql("COPY INTO T FROM @ST")
        assert world.copy("COPY INTO T FROM @ST") == NOTHING
        assert row(world.copy("COPY INTO T FROM @ST FILES = ('good.csv')")["good.csv"]) == (
            "LOAD_SKIPPED",
            0,
            0,
            None,
            1,
            "File was loaded before.",
            None,
            None,
            None,
        )

    @pytest.mark.parametrize(
        ("on_error", "want"),
        [
            ("CONTINUE", ("PARTIALLY_LOADED", 3, 2, 3, 1)),
            ("SKIP_FILE", ("LOAD_FAILED", 3, 0, 1, 1)),
            ("SKIP_FILE_1", ("LOAD_FAILED", 3, 0, 1, 1)),
            ("SKIP_FILE_2", ("PARTIALLY_LOADED", 3, 2, 2, 1)),
            ("'SKIP_FILE_70%'", ("PARTIALLY_LOADED", 3, 2, 2, 1)),
            ("'SKIP_FILE_10%'", ("LOAD_FAILED", 3, 0, 1, 1)),
        ],
    )
    def test_on_error(self, world, on_error, want):
        world.put("in/bad.csv", BAD)
        found = row(world.copy(f"COPY INTO T FROM @ST ON_ERROR = {on_error}")["bad.csv"])
        assert found[:5] == want
        assert found[5:] == ("Numeric value 'NOPE' is not recognized", 2, 1, '"T"["A":1]')
        assert world.sql("SELECT COUNT(*) FROM T") == [(want[2],)]

    def test_abort_statement_loads_nothing_and_remembers_nothing(self, world):
        world.put("in/bad.csv", BAD)
        world.put("in/agood.csv", "1,x\n")
        error = refusal(world, "COPY INTO T FROM @ST")
        assert (error.errno, error.sqlstate) == (100038, "22018")
        assert error.message == (
            "Numeric value 'NOPE' is not recognized\n  File 'in/bad.csv', line 2, character 1\n"
            f'  Row 2, column "T"["A":1]\n{ADVICE}'
        )
        assert world.sql("SELECT COUNT(*) FROM T") == [(0,)]
        assert world.history() == {}

    def test_a_failed_file_may_be_copied_again(self, world):
        world.put("in/bad.csv", BAD)
        world.sql("COPY INTO T FROM @ST ON_ERROR = SKIP_FILE")
        assert world.copy("COPY INTO T FROM @ST ON_ERROR = CONTINUE")["bad.csv"]["rows_loaded"] == 2

    def test_every_record_rejected_is_load_failed(self, world):
        world.put("in/bad.csv", "x,x\ny,y\n")
        assert world.copy("COPY INTO T FROM @ST ON_ERROR = CONTINUE")["bad.csv"]["status"] == "LOAD_FAILED"

    def test_empty_files_are_loaded(self, world):
        world.put("in/empty.csv", "")
        assert row(world.copy("COPY INTO T FROM @ST")["empty.csv"])[:5] == ("LOADED", 0, 0, 1, 0)

    def test_return_failed_only(self, world):
        world.put("in/bad.csv", BAD)
        world.put("in/good.csv", "1,x\n")
        found = world.copy("COPY INTO T FROM @ST ON_ERROR = SKIP_FILE RETURN_FAILED_ONLY = TRUE")
        assert list(found) == ["bad.csv"]


class TestWhichFiles:
    def test_files_are_glued_to_the_path(self, world):
        world.put("in/sub/a.csv", "1,x\n")
        assert "a.csv" in world.copy("COPY INTO T FROM @ST/su FILES = ('b/a.csv')")

    def test_a_missing_file_aborts(self, world):
        world.put("in/good.csv", "1,x\n")
        error = refusal(world, "COPY INTO T FROM @ST FILES = ('good.csv', 'none.csv')")
        assert error.errno == 91016
        assert error.message.startswith("Remote file 'in/none.csv' was not found. If you are running a copy")
        assert world.sql("SELECT COUNT(*) FROM T") == [(0,)]

    def test_a_missing_file_is_skipped_by_other_modes(self, world):
        world.put("in/good.csv", "1,x\n")
        found = world.copy("COPY INTO T FROM @ST FILES = ('none.csv', 'good.csv') ON_ERROR = SKIP_FILE")
        assert found["good.csv"]["status"] == "LOADED"
        assert found["none.csv"]["status"] == "LOAD_FAILED"
        assert "There are several potential causes." in found["none.csv"]["first_error"]

    def test_many_named_files(self, world):
        for n in range(25):
            world.put(f"in/{n}.csv", f"{n},x\n")
        names = ", ".join(f"'{n}.csv'" for n in range(25))
        assert len(world.copy(f"COPY INTO T FROM @ST FILES = ({names})")) == 25
        too_many = ", ".join(f"'{n}'" for n in range(1001))
        assert refusal(world, f"COPY INTO T FROM @ST FILES = ({too_many})").errno == 1003

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("a[.]csv", False),
            (".*a[.]csv", True),
            ("in/a[.]csv", True),
            (".*a", False),
            (".*/A[.]csv", False),
        ],
    )
    def test_pattern_is_matched_against_the_whole_path(self, world, pattern, found):
        world.put("in/a.csv", "1,x\n")
        assert (world.copy(f"COPY INTO T FROM @ST PATTERN = '{pattern}'") != NOTHING) is found

    def test_a_broken_pattern_is_refused(self, world):
        assert "Invalid regular expression" in refusal(world, "COPY INTO T FROM @ST PATTERN = '('").message

    def test_a_prefix_without_slash_takes_its_neighbours(self, world):
        world.put("in/a/1.csv", "1,x\n")
        world.put("in/a2/2.csv", "2,x\n")
        assert set(world.copy("COPY INTO T FROM @ST/a")) == {"1.csv", "2.csv"}

    def test_size_limit_stops_once_it_is_exceeded(self, world):
        for name in ("a", "b", "c"):
            world.put(f"in/{name}.csv", "1,x\n2,y\n")
        assert set(world.copy("COPY INTO T FROM @ST SIZE_LIMIT = 8")) == {"a.csv", "b.csv"}
        world.put("in/d.csv", "1,x\n2,y\n")
        assert set(world.copy("COPY INTO T FROM @ST SIZE_LIMIT = 1")) == {"c.csv"}

    def test_list_shows_urls_etags_and_gmt_dates(self, world):
        etag = world.put("in/a b.csv", "1,x\n")
        world.put("other/c.csv", "")
        (found,) = world.dicts("LIST @ST")
        assert list(found) == ["name", "size", "md5", "last_modified"]
        assert (found["name"], found["size"], found["md5"]) == (f"s3://{world.bucket}/in/a b.csv", 4, etag)
        assert found["last_modified"].endswith(" GMT")
        assert world.dicts("LS @ST/z") == []
        assert world.dicts("LIST @ST PATTERN = 'a b.csv'") == []
        assert len(world.dicts("LIST @ST PATTERN = '.*a b.csv'")) == 1


class TestCompiling:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("COPY INTO NONE FROM @ST", 2003),
            ("COPY INTO T FROM @NONE", 2003),
            ("COPY INTO T FROM @ST FILE_FORMAT = (FORMAT_NAME = 'NONE')", 2003),
            ("COPY INTO T (A, C) FROM @ST", 904),
            ("COPY INTO T (A, A) FROM @ST", 2025),
            ("COPY INTO T FROM (SELECT $1 FROM @ST)", 2020),
            ("COPY INTO T FROM (SELECT $1, $2, $3 FROM @ST)", 2020),
            ("COPY INTO T FROM (SELECT $1, nonsense FROM @ST)", 904),
            ("COPY INTO T FROM (SELECT $1, x.$2 FROM @ST t)", 904),
            ("COPY INTO T FROM (SELECT $1, $2:a FROM @ST)", 1044),
            ("COPY INTO T FROM (SELECT $1, $2 FROM @ST WHERE $1 = '1')", 2098),
            ("COPY INTO T FROM (SELECT $1, $2 FROM @ST LIMIT 1)", 2098),
            ("COPY INTO T FROM (SELECT $1, COUNT(*) FROM @ST)", 2098),
            ("COPY INTO T FROM (SELECT $1, (SELECT 1) FROM @ST)", 2098),
            ("COPY INTO T FROM (SELECT $1, $2 FROM T)", 2098),
            ("COPY INTO T FROM (SELECT $1, NO_SUCH_FUNCTION($2) FROM @ST)", 2),
            ("COPY INTO T FROM @ST ON_ERROR = 2", 1008),
            ("COPY INTO T FROM @ST ON_ERROR = KEEP_GOING", 1008),
            ("COPY INTO T FROM @ST FOO = 1", 1003),
            ("COPY INTO T FROM @ST FILE_FORMAT = (TYPE = CSV FOO = 1)", 1420),
            ("COPY INTO T FROM @ST FILE_FORMAT = (TYPE = ORC)", 2),
            ("COPY INTO T FROM @ST FILE_FORMAT = (TYPE = PARQUET)", 2019),
            ("COPY INTO T FROM @ST MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE", 2),
            ("COPY INTO T FROM 's3://bucket/x'", 2),
            ("COPY INTO T FROM @~/x", 2),
            ("COPY INTO @ST FROM T", 2),
            ("COPY INTO T FROM @ST FILE_FORMAT = (TYPE = JSON)", 2019),
        ],
    )
    def test_what_does_not_compile(self, world, text, number):
        assert refusal(world, text).errno == number

    def test_a_warehouse_is_needed(self, world):
        session = world.login("ACCOUNTADMIN")
        session.database, session.schema, session.warehouse = "D", "S", None
        with pytest.raises(SnowflakeError) as refused:
            world.sql("COPY INTO T FROM @ST", session)
        assert refused.value.errno == 606

    def test_privileges(self, world):
        world.sql("CREATE ROLE IF NOT EXISTS READER")
        world.sql("GRANT USAGE ON DATABASE D TO ROLE READER")
        world.sql("GRANT USAGE ON SCHEMA D.S TO ROLE READER")
        world.sql("GRANT USAGE ON WAREHOUSE COMPUTE_WH TO ROLE READER")
        world.sql("GRANT SELECT ON TABLE T TO ROLE READER")
        session = world.login("READER")
        session.database, session.schema = "D", "S"
        with pytest.raises(SnowflakeError) as refused:
            world.sql("COPY INTO T FROM @ST", session)
        assert refused.value.errno == 3001
        world.sql("GRANT INSERT ON TABLE T TO ROLE READER")
        with pytest.raises(SnowflakeError) as refused:
            world.sql("COPY INTO T FROM @ST", session)
        assert refused.value.errno == 2003

    def test_storage_that_is_shut(self, world):
        world.put("in/a.csv", "1,x\n")
        try:
            world.permit(without=["s3:ListBucket"])
            error = refusal(world, "COPY INTO T FROM @ST")
            assert error.errno == 91003
            assert error.message == (
                "Failure using stage area. "
                "Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]"
            )
            assert refusal(world, "LIST @ST").errno == 91003
            world.permit(without=["s3:GetObject"])
            assert len(world.sql("LIST @ST")) == 1
            assert refusal(world, "COPY INTO T FROM @ST").errno == 91016
            world.trust("another")
            error = refusal(world, "LIST @ST")
            assert error.errno == 3167
            assert "is not authorized to perform: sts:AssumeRole on resource" in error.message
        finally:
            world.permit()
            world.trust()


class TestColumns:
    def test_fields_are_counted_without_a_column_list_only(self, world):
        world.put("in/a.csv", "1,x,extra\n")
        found = world.copy("COPY INTO T FROM @ST ON_ERROR = CONTINUE")["a.csv"]
        assert found["first_error"].startswith("Number of columns in file (3) does not match")
        assert found["first_error_column_name"] == '"T"[3]'
        assert world.copy("COPY INTO T (A, B) FROM @ST")["a.csv"]["status"] == "LOADED"
        loose = "COPY INTO T FROM @ST FORCE = TRUE FILE_FORMAT = (ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE)"
        assert world.copy(loose)["a.csv"]["status"] == "LOADED"

    def test_types_and_what_does_not_convert(self, world):
        world.sql(
            "CREATE OR REPLACE TABLE T (N NUMBER(5,2), F FLOAT, O BOOLEAN, D DATE, S TIMESTAMP_NTZ, "
            "V VARIANT, C VARCHAR(3), K VARCHAR NOT NULL)"
        )
        good = '1.239|1e3|yes|2024-02-29|2024-01-02 03:04:05.678|{"a": 1}|abc|k\n'
        bad = [
            ("x|1|0|||||k", "Numeric value 'x' is not recognized", 100038, "N"),
            ("1_000|1|0|||||k", "Numeric value '1_000' is not recognized", 100038, "N"),
            ("1|x|0|||||k", "Numeric value 'x' is not recognized", 100038, "F"),
            ("1|1|maybe|||||k", "Boolean value 'maybe' is not recognized", 100037, "O"),
            ("1|1|0|2023-02-29||||k", "Date '2023-02-29' is not recognized", 100040, "D"),
            ("1|1|0||noon|||k", "Timestamp 'noon' is not recognized", 100035, "S"),
            ("1|1|0|||All||k", 'Error parsing JSON: unknown keyword "All", pos 1', 100069, "V"),
            ("1|1|0||||abcd|k", "User character length limit (3) exceeded by string 'abcd'", 100074, "C"),
            ("1|1|0|||||", "NULL result in a non-nullable column", 100072, "K"),
        ]
        world.put("in/a.csv", good + "".join(line + "\n" for line, *_ in bad))
        options = "FILE_FORMAT = (FIELD_DELIMITER = '|')"
        errors = world.dicts(f"COPY INTO T FROM @ST {options} VALIDATION_MODE = RETURN_ERRORS")
        names = list("NFODSVCK")
        assert [(each["ERROR"], each["CODE"], each["COLUMN_NAME"]) for each in errors] == [
            (message, code, f'"T"["{column}":{names.index(column) + 1}]') for _, message, code, column in bad
        ]
        found = world.copy(f"COPY INTO T FROM @ST {options} ON_ERROR = CONTINUE")["a.csv"]
        assert (found["rows_parsed"], found["rows_loaded"], found["errors_seen"]) == (10, 1, 9)
        (loaded,) = world.sql("SELECT N::VARCHAR, F, O, D, S, V:a::NUMBER, C, K FROM T")
        assert loaded == (
            "1.24",
            1000.0,
            True,
            date(2024, 2, 29),
            datetime.fromisoformat("2024-01-02 03:04:05.678"),
            1,
            "abc",
            "k",
        )

    def test_truncatecolumns(self, world):
        world.sql("CREATE OR REPLACE TABLE T (A VARCHAR(2), B VARCHAR)")
        world.put("in/a.csv", "abc,x\n")
        assert refusal(world, "COPY INTO T FROM @ST").errno == 100074
        assert world.copy("COPY INTO T FROM @ST TRUNCATECOLUMNS = TRUE")["a.csv"]["status"] == "LOADED"
        assert world.copy("COPY INTO T FROM @ST FORCE = TRUE ENFORCE_LENGTH = FALSE") != NOTHING
        assert world.sql("SELECT DISTINCT A FROM T") == [("ab",)]

    def test_defaults_fill_the_columns_that_are_left_out(self, world):
        world.sql(
            "CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR DEFAULT 'none', "
            "L TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP())"
        )
        world.put("in/a.csv", "1\n")
        before = world.account.now()
        world.sql("COPY INTO T (A) FROM @ST")
        ((a, b, loaded_at),) = world.sql("SELECT * FROM T")
        assert (a, b) == (1, "none")
        assert abs((loaded_at - before).total_seconds()) < 5

    def test_json_goes_into_one_variant_column(self, world):
        world.sql("CREATE OR REPLACE TABLE T (V VARIANT)")
        world.put("in/a.json.gz", '{"a": {"b": [1, 2]}}{"a": null}\nnope\n', compress=True)
        found = world.copy("COPY INTO T FROM @ST FILE_FORMAT = (TYPE = JSON) ON_ERROR = CONTINUE")[
            "a.json.gz"
        ]
        assert row(found) == (
            "PARTIALLY_LOADED",
            3,
            2,
            3,
            1,
            'Error parsing JSON: unknown keyword "nope"',
            2,
            1,
            '"T"["V":1]',
        )
        assert world.sql("SELECT V:a:b[1]::NUMBER FROM T") == [(2,), (None,)]


class TestTransformation:
    def test_expressions(self, world):
        world.sql("CREATE OR REPLACE TABLE T (A VARCHAR, B NUMBER, C VARCHAR, D VARIANT, E TIMESTAMP_NTZ)")
        world.put("in/a.csv", '7|x|{"k": "v"}|2024-01-02\n|y||bad\n')
        world.sql(
            "COPY INTO T FROM (SELECT UPPER(t.$2), NULLIF(TRY_TO_NUMBER(t.$1), 0), "
            "IFF(t.$2 = 'x', PARSE_JSON(t.$3):k::VARCHAR, 'none'), TRY_PARSE_JSON(t.$4), "
            "TRY_TO_TIMESTAMP_NTZ(t.$4) FROM @ST t) FILE_FORMAT = (FIELD_DELIMITER = '|')"
        )
        assert world.sql("SELECT A, B, C, E FROM T ORDER BY A") == [
            ("X", 7, "v", datetime.fromisoformat("2024-01-02")),
            ("Y", None, "none", None),
        ]

    def test_a_text_beside_a_number_and_a_time_is_converted(self, world):
        """https://docs.snowflake.com/en/sql-reference/data-type-conversion"""
        world.sql("CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR, C NUMBER, D BOOLEAN, E NUMBER(9, 2))")
        world.put("in/a.csv", "7,2026-01-02\n,\n")
        world.sql(
            "COPY INTO T FROM (SELECT $1 + 1, IFF($1 > 5, 'many', 'few'), COALESCE($1, 0), "
            "$2 > '2026-01-01'::DATE, $1 * 1.5 FROM @ST)"
        )
        assert world.sql("SELECT A, B, C, D, E FROM T ORDER BY A NULLS LAST") == [
            (8, "many", 7, True, 10.5),
            (None, "few", 0, None, None),
        ]

    def test_a_time_becomes_a_text_by_the_output_formats(self, world):
        world.sql("CREATE OR REPLACE TABLE T (A VARCHAR, B VARCHAR, C VARCHAR)")
        world.put("in/a.csv", "1767225600,2026-01-01T00:00:00Z\n")
        world.sql(
            "COPY INTO T FROM (SELECT TO_TIMESTAMP($1), TO_TIMESTAMP_LTZ($2), NULL::TIMESTAMP_NTZ FROM @ST)"
        )
        assert world.sql("SELECT * FROM T") == [
            ("2026-01-01 00:00:00.000", "2026-01-01 00:00:00.000 +0000", None)
        ]

    def test_dates_times_and_bytes_become_the_texts_they_are_in_a_query(self, world):
        world.sql("CREATE OR REPLACE TABLE T (A VARCHAR, B VARCHAR, C VARCHAR, D DATE)")
        world.put("in/a.csv", "2026-01-31,ff\n")
        world.sql(
            "COPY INTO T FROM (SELECT DATE_TRUNC('month', $1::DATE), TRY_TO_BINARY($2), CURRENT_TIME(), "
            "DATE_TRUNC('month', TO_DATE($1)) FROM @ST)"
        )
        ((month, code, time, first),) = world.sql("SELECT * FROM T")
        assert (month, code, first) == ("2026-01-01", "FF", date(2026, 1, 1))
        assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
        with pytest.raises(SnowflakeError, match="not emulated: HASH"):
            world.sql("COPY INTO T (A) FROM (SELECT HASH($1) FROM @ST) FORCE = TRUE")

    def test_functions_of_documents_and_texts(self, world):
        """The page of each, such as https://docs.snowflake.com/en/sql-reference/functions/array_to_string."""
        world.sql(
            "CREATE OR REPLACE TABLE T (A VARCHAR, B VARCHAR, C NUMBER, D VARCHAR, E NUMBER, F BOOLEAN)"
        )
        world.put("in/a.json", '{"l": ["a", "b"], "n": 7, "s": "é"}')
        world.sql(
            "COPY INTO T FROM (SELECT ARRAY_TO_STRING($1:l, ','), LPAD($1:n::INT, 3, '0'), AS_INTEGER($1:n), "
            "AS_VARCHAR($1:n), OCTET_LENGTH($1:s::STRING), IS_OBJECT($1) FROM @ST) "
            "FILE_FORMAT = (TYPE = JSON)"
        )
        assert world.sql("SELECT * FROM T") == [("a,b", "007", 7, None, 2, True)]

    def test_metadata(self, world):
        world.sql(
            "CREATE OR REPLACE TABLE T (F VARCHAR, N NUMBER, K VARCHAR, M TIMESTAMP_NTZ, S TIMESTAMP_LTZ)"
        )
        etag = world.put("in/a.csv.gz", "h\n1\n2\n", compress=True)
        world.put("in/b.csv.zst", zstd(b"h\n3\n"))
        before = world.account.now()
        world.sql(
            "COPY INTO T FROM (SELECT METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, "
            "METADATA$FILE_CONTENT_KEY, METADATA$FILE_LAST_MODIFIED, METADATA$START_SCAN_TIME FROM @ST) "
            "FILE_FORMAT = (SKIP_HEADER = 1)"
        )
        rows = world.sql("SELECT * FROM T ORDER BY F, N")
        assert [each[:2] for each in rows] == [("in/a.csv.gz", 1), ("in/a.csv.gz", 2), ("in/b.csv.zst", 1)]
        assert rows[0][2] == etag
        for _, _, _, modified, scanned in rows:
            assert abs((modified - before.replace(tzinfo=None)).total_seconds()) < 10
            assert scanned >= before

    def test_strict_casts_reject_their_record(self, world):
        world.put("in/a.csv", "".join(f"{n},x\n" for n in range(50)) + "oops,y\n51,{\n")
        found = world.copy(
            "COPY INTO T FROM (SELECT $1::NUMBER, PARSE_JSON(IFF($2 = 'x', '1', $2))::VARCHAR FROM @ST) "
            "ON_ERROR = CONTINUE"
        )["a.csv"]
        assert (found["rows_parsed"], found["rows_loaded"], found["errors_seen"]) == (52, 50, 2)
        assert found["first_error"] == "Numeric value 'oops' is not recognized"
        assert (found["first_error_line"], found["first_error_character"]) == (51, 1)
        assert found["first_error_column_name"] == '"TRANSIENT_STAGE_TABLE"["$1":1]'

    def test_an_empty_field_reads_as_the_format_says(self, world):
        world.put("in/a.csv", "1,\n")
        options = "FILE_FORMAT = (EMPTY_FIELD_AS_NULL = FALSE)"
        world.sql(f"COPY INTO T FROM (SELECT $1, $2 FROM @ST) {options}")
        assert world.sql("SELECT B FROM T") == [("",)]


class TestValidationMode:
    def test_errors(self, world):
        world.put("in/bad.csv", BAD)
        (found,) = world.dicts("COPY INTO T FROM @ST VALIDATION_MODE = RETURN_ERRORS")
        assert found == {
            "ERROR": "Numeric value 'NOPE' is not recognized",
            "FILE": "in/bad.csv",
            "LINE": 2,
            "CHARACTER": 1,
            "BYTE_OFFSET": 4,
            "CATEGORY": "conversion",
            "CODE": 100038,
            "SQL_STATE": "22018",
            "COLUMN_NAME": '"T"["A":1]',
            "ROW_NUMBER": 2,
            "ROW_START_LINE": 2,
            "REJECTED_RECORD": "NOPE,y\n",
        }
        assert world.sql("SELECT COUNT(*) FROM T") == [(0,)]

    def test_errors_of_files_partly_loaded_before(self, world):
        world.put("in/bad.csv", BAD)
        world.sql("COPY INTO T FROM @ST ON_ERROR = CONTINUE")
        assert world.sql("COPY INTO T FROM @ST VALIDATION_MODE = RETURN_ERRORS") == []
        assert len(world.sql("COPY INTO T FROM @ST VALIDATION_MODE = RETURN_ALL_ERRORS")) == 1

    def test_a_missing_file_is_of_the_other_category(self, world):
        (found,) = world.dicts("COPY INTO T FROM @ST FILES = ('none') VALIDATION_MODE = RETURN_ERRORS")
        assert (found["CATEGORY"], found["CODE"], found["LINE"], found["ROW_NUMBER"]) == (
            "other",
            100112,
            None,
            0,
        )

    def test_rows(self, world):
        world.put("in/a.csv", "1,x\n2,y\n3,z\n")
        assert world.sql("COPY INTO T FROM @ST VALIDATION_MODE = RETURN_2_ROWS") == [(1, "x"), (2, "y")]
        world.put("in/bad.csv", BAD)
        assert refusal(world, "COPY INTO T FROM @ST VALIDATION_MODE = RETURN_9_ROWS").errno == 100038
        assert world.sql("SELECT COUNT(*) FROM T") == [(0,)]

    def test_not_with_a_select(self, world):
        text = "COPY INTO T FROM (SELECT $1, $2 FROM @ST) VALIDATION_MODE = RETURN_ERRORS"
        assert refusal(world, text).errno == 2


class TestFormats:
    def test_a_broken_file_fails_alone(self, world):
        world.put("in/cut.csv.gz", gzip.compress(b"1,x\n" * 1000)[:30])
        world.put("in/good.csv.gz", "1,x\n", compress=True)
        found = world.copy("COPY INTO T FROM @ST ON_ERROR = SKIP_FILE")
        assert found["cut.csv.gz"]["first_error"].startswith("Invalid data encountered during decompression")
        assert (found["cut.csv.gz"]["status"], found["good.csv.gz"]["status"]) == ("LOAD_FAILED", "LOADED")

    def test_a_plain_file_in_a_gzip_format_fails_loudly(self, world):
        world.put("in/plain.gz", "1,x\n")
        error = refusal(world, "COPY INTO T FROM @ST FILE_FORMAT = (COMPRESSION = GZIP)")
        assert "compression type used: 'GZIP'" in error.message

    def test_a_named_format_is_followed(self, world):
        world.sql("CREATE OR REPLACE FILE FORMAT FF TYPE = CSV FIELD_DELIMITER = '|'")
        world.put("in/a.csv", "1|x\n")
        world.sql("COPY INTO T FROM @ST FILE_FORMAT = (FORMAT_NAME = 'D.S.FF')")
        world.sql("ALTER FILE FORMAT FF SET SKIP_HEADER = 1")
        found = world.copy("COPY INTO T FROM @ST FILE_FORMAT = (FORMAT_NAME = FF) FORCE = TRUE")
        assert found["a.csv"]["rows_parsed"] == 0


@pytest.mark.parametrize("select", [True, False])
def test_every_sample_line_arrives_with_exactly_its_values(world, select):
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    columns = [f"C{n}" for n in range(1, 132)]
    world.sql(f"CREATE OR REPLACE TABLE E ({', '.join(f'{name} VARCHAR' for name in columns)})")
    want = []
    for file in sorted(SAMPLES.glob("*/enriched-*.tsv")):
        data = file.read_bytes()
        world.put(f"in/{file.stem}.gz", gzip.compress(data, mtime=0))
        want += [
            tuple(f or None for f in line.split("\t")) for line in data.decode().rstrip("\n").split("\n")
        ]
    source = "@ST"
    if select:
        source = f"(SELECT {', '.join(f'${n}' for n in range(1, 132))} FROM @ST)"
    world.sql(f"COPY INTO E FROM {source} FILE_FORMAT = ({TSV})")
    found = world.sql("SELECT * FROM E")
    assert sorted(found, key=repr) == sorted(want, key=repr)


def test_every_sample_bad_row_arrives_as_its_document(world):
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    world.sql("CREATE OR REPLACE TABLE E (V VARIANT, F VARCHAR)")
    want = []
    for file in sorted(SAMPLES.glob("*/bad-*.json*")):
        data = file.read_bytes()
        world.put(f"in/{file.name}.gz", gzip.compress(data, mtime=0))
        if file.suffix == ".jsonl":
            want += [json.loads(line) for line in data.decode().split("\n")[:-1]]
    world.sql("COPY INTO E FROM (SELECT $1, METADATA$FILENAME FROM @ST) FILE_FORMAT = (TYPE = JSON)")
    found = world.sql("SELECT V FROM E WHERE F NOT LIKE '%concatenated%'")
    as_text = sorted(json.dumps(document, sort_keys=True) for document in want)
    assert sorted(json.dumps(json.loads(v), sort_keys=True) for (v,) in found) == as_text
    assert world.sql("SELECT COUNT(*) FROM E WHERE F LIKE '%concatenated%'") == [(3,)]


class TestStatements:
    def test_everything_written_is_understood(self):
        statement = parse_copy(
            'COPY INTO RAW."Snow".EVENTS (a, "b") FROM (SELECT $1, t.$2 FROM @RAW.S.ST/x/y-z.d/ '
            "(FILE_FORMAT => 'RAW.S.FF', PATTERN => '.*') AS t) ON_ERROR = 'skip_file_3%' SIZE_LIMIT = 10;"
        )
        assert statement.table == ("RAW", "Snow", "EVENTS")
        assert statement.columns == ("A", "b")
        assert (statement.stage.parts, statement.stage.path) == (("RAW", "S", "ST"), "/x/y-z.d/")
        assert (statement.select, statement.alias) == ("$1, t.$2", "T")
        assert statement.file_format.name == ("RAW", "S", "FF")
        assert statement.on_error == OnError("SKIP_FILE", 3, percent=True)

    @pytest.mark.parametrize(
        ("stage_path", "written", "prefix"),
        [
            ("p/", "@S", "p/"),
            ("p/", "@S/", "p/"),
            ("p/", "@S/x", "p/x"),
            ("p", "@S", "p"),
            ("p", "@S/x", "p/x"),
            ("", "@S/x/", "x/"),
            ("p/", "@S/x//y", "p/x//y"),
            ("p/", "'@S/with space/'", "p/with space/"),
        ],
    )
    def test_paths(self, stage_path, written, prefix):
        assert parse_copy(f"COPY INTO T FROM {written}").stage.prefix(stage_path) == prefix

    @given(number=st.integers(0, 500), parsed=st.integers(0, 5000))
    def test_error_limits(self, number, parsed):
        assert OnError("SKIP_FILE", number).limit(parsed) == number
        assert OnError("SKIP_FILE", number, percent=True).limit(parsed) == max(1, number * parsed // 100)
        assert CONTINUE.limit(parsed) == max(1, parsed)
