"""The JSON reader: documents one after the other, each a row, its text kept.

Sources: sources: Snowflake §1.3, sources: Snowplow §3.4; error texts as json_reader.py names them.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snowpipe_sandbox.snowflake import formats, json_reader

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


def read(data, blocks=None, **options):
    """(documents, errors, parsed) of a file."""
    documents, errors, parsed = [], [], 0
    for chunk in json_reader.read(blocks or [data], formats.parse({"TYPE": "JSON", **options})):
        documents += chunk.table.column("c1").to_pylist()
        assert len(chunk.row_numbers) == chunk.table.num_rows
        errors += chunk.errors
        parsed += chunk.parsed
    return documents, errors, parsed


@pytest.mark.parametrize("between", ["", "\n", "\r\n", " \n\n\t"])
def test_documents_need_nothing_between_them(between):
    data = between.join(['{"a": 1}', "[1, 2]", '"x"', '{"b": {}}']).encode()
    assert read(data) == (['{"a": 1}', "[1, 2]", '"x"', '{"b": {}}'], [], 4)


def test_the_text_is_kept():
    data = rb'{"z": 12345678901234567890123.10, "a": "\u0000\ud83d\ude00 \"\\", "e": 1E400}'
    assert read(data)[0] == [data.decode()]


def test_strip_outer_array():
    data = b'[{"a":1},\n {"a":2}]\n[3]'
    assert read(data)[0] == ['[{"a":1},\n {"a":2}]', "[3]"]
    assert read(data, STRIP_OUTER_ARRAY=True)[0] == ['{"a":1}', '{"a":2}', "3"]


def test_nulls_are_stripped():
    data = b'{"a": null, "b": 1.50, "c": [null, 3, {"d": null}], "e": "\\u00fc"}'
    assert read(data, STRIP_NULL_VALUES=True)[0] == ['{"b":1.50,"c":[3,{}],"e":"\u00fc"}']


def test_duplicate_keys_are_an_error_unless_allowed():
    _, (error,), _ = read(b'{"a":1,"a":"x"}\n')
    assert error.message == 'Error parsing JSON: duplicate object attribute "a"'
    assert (error.code, error.sql_state, error.line, error.character) == (100069, "22P02", 1, 10)
    assert read(b'{"a":1,"A":2}')[1] == []
    assert read(b'{"a":1,"a":"x"}', ALLOW_DUPLICATE=True)[0] == ['{"a":1,"a":"x"}']
    assert len(read(b'{"o":{"k":1,"k":2}}')[1]) == 1


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        ("%PDF", "invalid character outside of a string: '%'"),
        ('{"a": All}', 'unknown keyword "All"'),
        ('{"a": 1 "b": 2}', "missing comma"),
        ('{"a" 1}', "missing colon"),
        ('{"a": }', "misplaced }"),
        ('{"a": NaN}', 'unknown keyword "NaN"'),
    ],
)
def test_a_broken_document_costs_its_line(broken, detail):
    data = f'{{"n":1}}\n{broken}\n{{"n":2}}\n'.encode()
    documents, (error,), parsed = read(data)
    assert documents == ['{"n":1}', '{"n":2}']
    assert error.message == f"Error parsing JSON: {detail}"
    assert (error.line, error.row_number, error.row_start_line) == (2, 2, 2)
    assert error.rejected_record.startswith(broken)
    assert parsed == len(documents) + 1


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        (r'{"a":"cut \ud83d"}', r'{"a":"cut \ufffd"}'),
        (r'{"a":"\uDE00 late"}', r'{"a":"\ufffd late"}'),
        (r'{"a":"\ud83d\ude00"}', r'{"a":"\ud83d\ude00"}'),
        (r'{"a":"\\ud83d"}', r'{"a":"\\ud83d"}'),
    ],
)
def test_an_unpaired_surrogate_does_not_break_a_document(text, read_as):
    documents, errors, _ = read(text.encode())
    assert (documents, errors) == ([read_as], [])


def test_a_document_cut_short_at_the_end_of_the_file():
    documents, (error,), _ = read(b'{"a":1}\n{"b": [1, 2')
    assert documents == ['{"a":1}']
    assert error.message == "Error parsing JSON: unfinished JSON value"


def test_invalid_utf8():
    documents, (error,), _ = read(b'{"a":"\xff"}\n{"a":"ok"}')
    assert documents == ['{"a":"ok"}']
    assert error.code == 100144
    assert read(b'{"a":"\xff"}', REPLACE_INVALID_CHARACTERS=True)[0] == ['{"a":"\ufffd"}']


def test_a_byte_order_mark_is_skipped():
    data = b'\xef\xbb\xbf{"a":1}'
    assert read(data)[0] == ['{"a":1}']
    assert read(data, blocks=[data[:1], data[1:2], data[2:]])[0] == ['{"a":1}']


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(documents=st.lists(DOCUMENTS, max_size=8), size=st.integers(1, 40))
def test_documents_do_not_depend_on_where_blocks_end(documents, size):
    data = "\n".join(json.dumps(document, ensure_ascii=False) for document in documents).encode()
    blocks = [data[n : n + size] for n in range(0, len(data), size)]
    found, errors, parsed = read(data, blocks=blocks)
    assert [json.loads(text) for text in found] == documents
    assert (errors, parsed) == ([], len(documents))


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_every_sample_bad_row_is_one_document(size):
    if not SAMPLES.exists():
        pytest.skip(f"no samples at {SAMPLES}")
    for file in [*SAMPLES.glob("*/bad-*.jsonl")]:
        data = file.read_bytes()[: 40_000 if size < 100 else None]
        data = data[: data.rfind(b"\n") + 1]
        blocks = [data[n : n + size] for n in range(0, len(data), size)]
        found, errors, _ = read(data, blocks=blocks if size > 1 else None)
        assert found == data.decode().split("\n")[:-1], file.name
        assert errors == []
    concatenated = (SAMPLES / "own" / "bad-eventbridge-concatenated.json").read_bytes()
    assert len(read(concatenated)[0]) == 3


class TestOptions:
    def test_defaults_are_described(self):
        shown = {row[0]: row[1:] for row in formats.parse({}).rows()}
        assert shown["TYPE"] == ("String", "CSV", "CSV")
        assert shown["NULL_IF"] == ("List", "[\\\\N]", "[\\\\N]")
        assert shown["ESCAPE_UNENCLOSED_FIELD"] == ("String", "\\\\", "\\\\")
        assert shown["SKIP_HEADER"] == ("Integer", "0", "0")
        assert shown["EMPTY_FIELD_AS_NULL"] == ("Boolean", "true", "true")

    def test_values_are_typed(self):
        options = formats.parse({"FIELD_DELIMITER": "\\t", "skip_header": "2", "TRIM_SPACE": "true"})
        assert (options["FIELD_DELIMITER"], options["SKIP_HEADER"], options["TRIM_SPACE"]) == ("\t", 2, True)
        assert formats.parse({"FIELD_DELIMITER": "0x01"})["FIELD_DELIMITER"] == "\x01"
        assert formats.parse({"NULL_IF": "x"})["NULL_IF"] == ("x",)

    @pytest.mark.parametrize(
        ("written", "number"),
        [
            ({"FIELD_DELIMETER": ","}, 1420),
            ({"TYPE": "JSON", "FIELD_DELIMITER": ","}, 1420),
            ({"SKIP_HEADER": "x"}, 1008),
            ({"TRIM_SPACE": "maybe"}, 1008),
            ({"ESCAPE": "ab"}, 1008),
            ({"COMPRESSION": "ZIP"}, 1008),
            ({"TYPE": "ORC"}, 2),
            ({"TYPE": "PARQUET", "COMPRESSION": "GZIP"}, 1008),
            ({"TYPE": "PARQUET", "STRIP_OUTER_ARRAY": True}, 1420),
            ({"COMPRESSION": "BROTLI"}, 2),
            ({"PARSE_HEADER": True, "SKIP_HEADER": 1}, 2029),
            ({"FIELD_DELIMITER": "\n"}, 2029),
        ],
    )
    def test_what_does_not_fit_is_refused(self, written, number):
        with pytest.raises(formats.SnowflakeError) as refused:
            formats.parse(written)
        assert refused.value.errno == number

    def test_changes_keep_what_was_written(self):
        options = formats.parse({"FIELD_DELIMITER": "\t"}).with_changes({"SKIP_HEADER": 1})
        assert (options["FIELD_DELIMITER"], options["SKIP_HEADER"]) == ("\t", 1)
        assert options.sql() == "TYPE = CSV FIELD_DELIMITER = '\\t' SKIP_HEADER = 1"
