"""The CSV reader: what Snowflake makes of the bytes of a delimited file.

Error texts, places and what counts as parsed: https://github.com/mlorek/frostlake (COPY measured on a live
account), sources: Snowflake §1.3 and §1.6, sources: Snowplow §1.6-1.7.
"""

import bz2
import gzip
import io
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowpipe_sandbox.snowflake import compression, csv_reader, formats
from snowpipe_sandbox.snowflake.load_errors import FileError

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
TSV = {"FIELD_DELIMITER": "\t", "ESCAPE_UNENCLOSED_FIELD": "NONE", "NULL_IF": ()}


def read(data, wanted=2, expected=None, fast=True, blocks=None, **options):
    """(rows, errors, parsed) of a file; rows as tuples."""
    rows, errors, parsed = [], [], 0
    pieces = blocks or [data]
    for chunk in csv_reader.read(pieces, formats.parse(options), wanted, expected, fast=fast):
        rows += [
            (number, tuple(row.values()))
            for number, row in zip(chunk.row_numbers, chunk.table.to_pylist(), strict=True)
        ]
        errors += chunk.errors
        parsed += chunk.parsed
    return rows, errors, parsed


def values(*args, **options):
    """Just the rows' values."""
    return [row for _, row in read(*args, **options)[0]]


class TestDelimiters:
    def test_records_end_at_line_feeds_and_at_nothing_else(self):
        odd = "a\u2028b\u0085c\u2029d\vé\ff\x1cg"
        assert values(f"{odd},x\n".encode()) == [(odd, "x")]

    def test_carriage_return_line_feed_is_one_record_delimiter(self):
        assert values(b"1,a\r\n2,b\r\n") == [("1", "a"), ("2", "b")]

    def test_a_lone_carriage_return_is_data(self):
        assert values(b"1,a\rb\n2,c\n") == [("1", "a\rb"), ("2", "c")]

    def test_a_missing_final_newline_loses_nothing(self):
        assert values(b"1,a\n2,b") == [("1", "a"), ("2", "b")]

    def test_nul_bytes_are_data(self):
        assert values(b"1,a\0b\n") == [("1", "a\0b")]

    def test_delimiters_of_several_characters(self):
        assert values(b"1||a;;2||b;;", FIELD_DELIMITER="||", RECORD_DELIMITER=";;") == [
            ("1", "a"),
            ("2", "b"),
        ]

    def test_without_field_delimiter_a_record_is_one_field(self):
        assert values(b"a,b\nc\n", wanted=1, FIELD_DELIMITER="NONE") == [("a,b",), ("c",)]

    def test_without_record_delimiter_a_file_is_one_record(self):
        assert values(b"a,b\nc", wanted=2, RECORD_DELIMITER="NONE") == [("a", "b\nc")]

    def test_header_lines_are_skipped_by_line_feeds(self):
        rows, _, parsed = read(b"one\ntwo\n1,a\n", SKIP_HEADER=2)
        assert (rows, parsed) == ([(1, ("1", "a"))], 1)

    def test_blank_lines_are_rows_of_nulls_unless_skipped(self):
        assert read(b"1,a\n\n2,b\n")[0] == [(1, ("1", "a")), (2, (None, None)), (3, ("2", "b"))]
        assert read(b"1,a\n\n2,b\n", SKIP_BLANK_LINES=True) == ([(1, ("1", "a")), (3, ("2", "b"))], [], 3)

    def test_a_byte_order_mark_is_skipped_at_the_start_only(self):
        assert values(b"\xef\xbb\xbf1,a\n\xef\xbb\xbf2,b\n") == [("1", "a"), ("\ufeff2", "b")]
        assert values(b"", blocks=[b"\xef", b"\xbb", b"\xbf1,a\n"]) == [("1", "a")]
        assert values(b"\xef\xbb\xbf1,a\n", SKIP_BYTE_ORDER_MARK=False) == [("\ufeff1", "a")]


class TestFields:
    def test_the_default_escape_really_eats_backslashes(self):
        assert values(rb"""{"a":"say \"hi\""},x""") == [('{"a":"say "hi""}', "x")]
        assert values(b"ends in \\,tab\n", wanted=2) == [("ends in ,tab", None)]
        assert values(b"1,line ends in \\\n2,b\n", wanted=3) == [("1", "line ends in \n2", "b")]

    def test_with_escape_none_backslashes_are_data(self):
        line = rb"""{"a":"say \"hi\""}""" + b"\tends in \\\n"
        assert values(line, **TSV) == [('{"a":"say \\"hi\\""}', "ends in \\")]

    def test_enclosed_fields_keep_delimiters_and_double_their_quotes(self):
        data = b'"a,b","say ""hi""\nthere"\n'
        assert values(data, FIELD_OPTIONALLY_ENCLOSED_BY='"') == [("a,b", 'say "hi"\nthere')]

    def test_escape_works_inside_enclosures_only(self):
        data = b'"a\\"b",c\\d\n'
        options = {"FIELD_OPTIONALLY_ENCLOSED_BY": '"', "ESCAPE": "\\", "ESCAPE_UNENCLOSED_FIELD": "NONE"}
        assert values(data, **options) == [('a"b', "c\\d")]

    def test_quotes_are_data_when_nothing_is_enclosed(self):
        assert values(b'"a,b"\n') == [('"a', 'b"')]

    def test_null_if_and_empty_fields(self):
        assert values(b"\\N,\n") == [(None, None)]
        assert values(b"\\N,\n", **TSV | {"FIELD_DELIMITER": ","}) == [("\\N", None)]
        assert values(b"NULL,\n", NULL_IF=["NULL"], EMPTY_FIELD_AS_NULL=False) == [(None, "")]
        assert values(b"x,\n", NULL_IF=[""], EMPTY_FIELD_AS_NULL=False) == [("x", None)]

    def test_an_enclosed_empty_field_is_an_empty_string(self):
        assert values(b'"",\n', FIELD_OPTIONALLY_ENCLOSED_BY='"') == [("", None)]

    def test_trim_space_spares_what_is_enclosed(self):
        data = b' 1 , " x y " \n'
        assert values(data, FIELD_OPTIONALLY_ENCLOSED_BY='"', TRIM_SPACE=True) == [("1", " x y ")]
        assert values(b"   ,x\n", TRIM_SPACE=True) == [(None, "x")]
        assert values(b"   ,x\n") == [("   ", "x")]

    def test_missing_fields_are_null_and_surplus_ones_vanish_when_nobody_counts(self):
        assert values(b"1\n2,b,c\n3,d\n") == [("1", None), ("2", "b"), ("3", "d")]


class TestErrors:
    """Each with message, code, line, character, byte offset, row, and column."""

    def one(self, data, **options):
        _, errors, _ = read(data, expected=2, **options)
        (error,) = errors
        return error

    def test_the_first_record_counts_against_the_table(self):
        error = self.one(b"id,name\n1,a,extra\n2,b\n", SKIP_HEADER=1)
        assert error.message == (
            "Number of columns in file (3) does not match that of the corresponding table (2), "
            "use file format option error_on_column_count_mismatch=false to ignore this error"
        )
        assert (error.code, error.sql_state, error.category) == (100080, "22000", "parsing")
        assert (error.line, error.character, error.column) == (3, 1, 3)
        assert (error.row_number, error.row_start_line) == (1, 2)
        assert error.rejected_record == "1,a,extra\n"

    def test_the_only_record_is_reported_at_its_own_end(self):
        error = self.one(b"id,name\n1,a,extra\n", SKIP_HEADER=1)
        assert (error.line, error.character, error.column) == (2, 10, 3)
        error = self.one(b"id,name\n1\n", SKIP_HEADER=1)
        assert (error.line, error.character, error.column) == (2, 2, 1)

    def test_a_later_record_with_too_many_fields_meets_a_delimiter(self):
        error = self.one(b"id|name\n1|a\n2|b|extra\n", SKIP_HEADER=1, FIELD_DELIMITER="|")
        assert error.message == "Field delimiter '|' found while expecting record delimiter '\\n'"
        assert (error.code, error.line, error.character, error.column) == (100016, 3, 4, 2)

    def test_a_later_record_with_too_few_fields_meets_its_end(self):
        error = self.one(b"id,name\n1,a\n2\n", SKIP_HEADER=1)
        assert error.named("T", ["ID", "NAME"]).message == (
            'End of record reached while expected to parse column \'"T"["NAME":2]\''
        )
        assert (error.code, error.line, error.character, error.column) == (100068, 3, 2, 2)

    def test_a_blank_line_is_a_record_too_short(self):
        error = self.one(b"1,x\n\n2,y\n")
        assert (error.code, error.line, error.character, error.column) == (100068, 2, 1, 2)

    def test_characters_behind_an_enclosure(self):
        error = self.one(b'a,b\n"x"y,1\n', FIELD_OPTIONALLY_ENCLOSED_BY='"')
        assert error.message == "Found character 'y' instead of field delimiter ','"
        assert (error.code, error.line, error.character, error.column) == (100016, 2, 4, 1)
        error = self.one(b'1,"x\ny"z\n', FIELD_OPTIONALLY_ENCLOSED_BY='"')
        assert error.message == "Found character 'z' instead of record delimiter '\\n'"
        assert (error.line, error.character, error.row_start_line) == (2, 3, 1)

    def test_an_enclosure_that_never_ends(self):
        error = self.one(b'1,2\n3,"x\n', FIELD_OPTIONALLY_ENCLOSED_BY='"')
        assert error.message == "matching enclosing character '\"' not found before end of file"
        assert (error.line, error.character) == (2, 3)

    def test_an_enclosed_line_feed_is_an_error_when_not_multi_line(self):
        rows, errors, _ = read(
            b'1,"x\ny"\n2,b\n', expected=2, FIELD_OPTIONALLY_ENCLOSED_BY='"', MULTI_LINE=False
        )
        assert [row for _, row in rows] == [("2", "b")]
        assert [error.row_number for error in errors] == [1, 2]

    @pytest.mark.parametrize("fast", [True, False])
    def test_invalid_utf8(self, fast):
        rows, (error,), parsed = read(b"ok,1\nSt\xa0r,2\nfine,3\n", fast=fast)
        assert rows == [(1, ("ok", "1")), (3, ("fine", "3"))]
        assert (error.message, error.code) == ("Invalid UTF8 detected in string 'St0xA0r'", 100144)
        assert (error.line, error.character, error.column, parsed) == (2, 1, 1, 3)

    def test_invalid_utf8_is_replaced_when_asked_for(self):
        assert values(b"St\xa0r,2\n", REPLACE_INVALID_CHARACTERS=True) == [("St\ufffdr", "2")]

    def test_other_encodings(self):
        assert values("é,ß\n".encode("latin-1"), ENCODING="ISO88591") == [("é", "ß")]
        assert values("é,ß\n".encode("utf-16"), ENCODING="UTF16") == [("é", "ß")]
        with pytest.raises(FileError, match="Invalid UTF8"):
            read(b"\x81,a\n", ENCODING="WINDOWS1252")


class TestBlocks:
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
    def test_rows_do_not_depend_on_where_blocks_end(self, size):
        data = b'h,h\n1,"a\r\n""b"\r\n\n2,c\\,d\n"x"y,1\n3,"e"\n'
        options = {"FIELD_OPTIONALLY_ENCLOSED_BY": '"', "SKIP_HEADER": 1}
        blocks = [data[n : n + size] for n in range(0, len(data), size)]
        assert read(data, blocks=blocks, expected=2, **options) == read(data, expected=2, **options)


ALPHABET = [b"a", b"bc", b"\t", b"\t", b"\n", b"\n", b"\r\n", b"\r", b"\\", b"\\N", b'"', b" ", b"\0"]
ALPHABET += ["é".encode(), "\u2028".encode(), b"\xff", b"\xef\xbb\xbf", b"\x0b", b"1\t2\n", b"3\t4\n5\t6\n"]


@given(
    pieces=st.lists(st.sampled_from(ALPHABET), max_size=40),
    block=st.integers(1, 30),
    options=st.fixed_dictionaries(
        {},
        optional={
            "ESCAPE_UNENCLOSED_FIELD": st.just("NONE"),
            "NULL_IF": st.sampled_from([(), ("a", "1")]),
            "EMPTY_FIELD_AS_NULL": st.just(False),
            "REPLACE_INVALID_CHARACTERS": st.just(True),
            "SKIP_BLANK_LINES": st.just(True),
            "SKIP_BYTE_ORDER_MARK": st.just(False),
            "SKIP_HEADER": st.just(1),
        },
    ),
    expected=st.sampled_from([None, 2]),
)
def test_the_fast_way_is_the_exact_way(pieces, block, options, expected):
    data = b"".join(pieces)
    blocks = [data[n : n + block] for n in range(0, len(data), block)]
    exact = read(data, expected=expected, fast=False, FIELD_DELIMITER="\t", **options)
    assert read(data, expected=expected, FIELD_DELIMITER="\t", **options) == exact
    assert read(data, expected=expected, blocks=blocks, FIELD_DELIMITER="\t", **options) == exact


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


class TestCompression:
    DATA = b"1,a\n" * 100_000

    @pytest.mark.parametrize(
        ("name", "compress", "option"),
        [
            ("f.gz", gzip.compress, "AUTO"),
            ("no-suffix", gzip.compress, "AUTO"),
            ("f.bz2", bz2.compress, "BZ2"),
            ("f", bz2.compress, "AUTO"),
            ("f.zst", zstd, "AUTO"),
            ("f", zstd, "ZSTD"),
            ("f.deflate", zlib.compress, "AUTO"),
            ("f", raw_deflate, "RAW_DEFLATE"),
            ("f.csv", bytes, "AUTO"),
            ("f.csv", bytes, "NONE"),
        ],
    )
    def test_is_undone(self, name, compress, option):
        blocks = list(compression.blocks(io.BytesIO(compress(self.DATA)), name, option))
        assert b"".join(blocks) == self.DATA

    def test_members_one_after_the_other_are_one_file(self):
        twice = gzip.compress(b"1,a\n") + gzip.compress(b"2,b\n")
        assert b"".join(compression.blocks(io.BytesIO(twice), "f.gz")) == b"1,a\n2,b\n"

    def test_unpacks_in_bounded_pieces(self):
        bomb = gzip.compress(bytes(64_000_000))
        assert max(len(block) for block in compression.blocks(io.BytesIO(bomb), "f.gz")) < 16_000_000

    @pytest.mark.parametrize(
        ("name", "data", "option"),
        [
            ("plain.gz", b"1,a\n", "GZIP"),
            ("cut.gz", gzip.compress(DATA)[:100], "AUTO"),
            ("cut.bz2", bz2.compress(DATA)[:30], "AUTO"),
            ("cut.zst", zstd(DATA)[:30], "AUTO"),
        ],
        ids=["plain.gz", "cut.gz", "cut.bz2", "cut.zst"],
    )
    def test_a_broken_file_is_an_error_of_the_file(self, name, data, option):
        with pytest.raises(FileError, match="Invalid data encountered during decompression for file"):
            list(compression.blocks(io.BytesIO(data), name, option))


@pytest.mark.parametrize("folder", ["own", "public"])
@pytest.mark.parametrize("fast", [True, False])
def test_every_sample_line_is_one_row_of_exactly_its_fields(folder, fast):
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    for file in sorted((SAMPLES / folder).glob("enriched-*.tsv")):
        data = file.read_bytes()
        rows, errors, parsed = read(data, wanted=131, expected=131, fast=fast, **TSV)
        lines = data.decode().removesuffix("\n").split("\n")
        want = [tuple(field or None for field in line.split("\t")) for line in lines]
        assert ([row for _, row in rows], errors, parsed) == (want, [], len(lines)), file.name


def test_malformed_sample_lines_are_each_one_error():
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    for file, bad, good in [("public/wrongcount-real.tsv", 14, 0), ("own/wrongcount-synthetic.tsv", 9, 2)]:
        rows, errors, parsed = read((SAMPLES / file).read_bytes(), wanted=131, expected=131, **TSV)
        assert (len(errors), len(rows), parsed) == (bad, good, bad + good), file


def test_nasty_bytes_survive_or_are_named():
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    data = (SAMPLES / "own" / "nasty-bytes.tsv").read_bytes()
    rows, errors, _ = read(data, wanted=131, expected=131, **TSV)
    assert [error.row_number for error in errors if error.code == 100144] == [1, 2, 3, 4, 10]
    replaced, left, _ = read(data, wanted=131, expected=131, REPLACE_INVALID_CHARACTERS=True, **TSV)
    assert {error.code for error in left} == {100068}
    assert len(replaced) == len(rows) + 5
