"""What a file's first bytes tell, and that the beginning of a right file is never called wrong."""

import bz2
import gzip
import io
import json
import tarfile
import uuid
import zlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.facts.content import older, wrong_in
from tests.unit.test_taking_back import SETTINGS

EVENTS, BAD = SETTINGS.streams
NAMES = ["app_id", "platform", "etl_tstamp", "collector_tstamp", "dvce_created_tstamp", "event", "event_id"]


def event(count=131, **values):
    fields = [""] * count
    for at, value in {3: "2026-11-20 12:00:00.000", 6: str(uuid.UUID(int=7)), **values}.items():
        fields[int(str(at).removeprefix("f"))] = value
    return "\t".join(fields).encode() + b"\n"


def tar():
    body, info = io.BytesIO(), tarfile.TarInfo("events.tsv")
    with tarfile.open(fileobj=body, mode="w") as archive:
        archive.addfile(info, io.BytesIO())
    return body.getvalue()


ENTITY = '{"schema":"iglu:x","data":[]}'
CSVS = '"' + ENTITY.replace('"', '""') + '"'
JSONS = json.dumps(ENTITY)[1:-1]
packed = partial(gzip.compress, mtime=0)  # the same bytes in every worker: they are a test's name
PACKINGS = [bytes, packed, bz2.compress, zlib.compress]


@pytest.mark.parametrize("packed", PACKINGS)
@pytest.mark.parametrize("plain", [event(), b"app" + b"\t" * 130 + b"\n", b"\t" * 130 + b"\n", b"\xef\xbb\xbf" + event(), b"\n" + event(), event(f6="odd"), event(f3="odd"), event(f0="{x}"), event(f52=ENTITY, f20=CSVS), event(f20="東京 é", f3="2026-11-20T12:00:00Z"), event(f20="東京 é") + event().replace(b"12", b"\xff")])  # fmt: skip  # noqa: E501
def test_events_are_right_however_they_are_packed(packed, plain):
    assert wrong_in(packed(plain), EVENTS) == ""
    assert older(packed(plain), EVENTS) == ""


@pytest.mark.parametrize("packed", PACKINGS[1:])
def test_a_file_that_was_cut_off_holds_nothing_else(packed):
    """Snowflake refuses it, and says so: its last line is no line."""
    whole = packed(b"".join(event(f6=str(uuid.UUID(int=n))) for n in range(40)))
    for length in range(20, len(whole), 7):
        assert wrong_in(whole[:length], EVENTS, is_whole=True) == "", length


@pytest.mark.parametrize("plain", [b'{"schema": "iglu:x"}\n', b' {"a": 1}{"b": 2}', b"[1]"])
def test_documents_are_right_among_bad_rows(plain):
    assert wrong_in(packed(plain), BAD) == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (packed(packed(event())), "it is packed twice"),
        (b"PK\x03\x04" + b"x" * 100, "it is a zip archive"),
        (b"PAR1" + b"x" * 100, "it is Parquet"),
        (packed(b"PAR1" + b"x" * 100), "it holds Parquet"),
        (bytes.fromhex("894c5a4f000d0a1a0a") + b"\1" * 40, "it is LZO"),
        (b"<html>denied</html>\n", "it holds a web page or an XML document"),
        (b'<?xml version="1.0"?><Error/>', "it holds a web page or an XML document"),
        (packed(b'{"schema": "iglu:x"}\n'), "it holds JSON"),
        (packed("\t".join(NAMES + [""] * 124).encode() + b"\n"), "its first line is a header"),
        (packed(event().replace(b"\t", b",")), "its first line has 1 of 131 fields"),
        (packed(event(60)), "its first line has 60 of 131 fields"),
        (packed(event(132)), "its first line has 132 fields, more than 131"),
        (
            packed(event().rstrip(b"\n") + b"\t" + event()),
            "its first line has 262 fields, more than 131",
        ),
        (packed(event().decode().encode("utf-16")), "it holds text in UTF-16"),
        (packed(tar()), "it holds a tar archive"),
        (packed(event()) + packed(b'{"schema": "iglu:x"}\n'), "its line 2 has 1 of 131 fields"),
        (
            packed(b"\t".join(field or b"\\N" for field in event().split(b"\t"))),
            "the empty fields of its first line hold \\N",
        ),
        (
            packed(b"\t".join(field or b"nan" for field in event().split(b"\t"))),
            "the empty fields of its first line hold nan",
        ),
        (
            packed(b"\t".join(field or b"(empty)" for field in event().split(b"\t"))),
            "the empty fields of its first line hold (empty)",
        ),
        (packed(event(f3="1763640000000")), "the collector_tstamp of its first line is a number"),
        (packed(event() * 2 + b'{"schema": "iglu:x"}\n' + event()), "its line 3 has 1 of 131 fields"),
        (packed(event() + event().rstrip(b"\n") + event()), "its line 2 has 261 of 131 fields"),
        (
            packed(event(f6="no id", f3="no time")),
            "the fields of its first line are not in their places",
        ),
        (
            packed(event(f5=str(uuid.UUID(int=7)), f6="")),
            "the fields of its first line are not in their places",
        ),
        (packed(event(f6="page_view")), "the fields of its first line are not in their places"),
        (packed(event(f20="Ré à Bâle").decode().encode("latin-1")), "its text is not UTF-8"),
        (
            packed(event(f3="20/11/2026 12:00:00")),
            "the collector_tstamp of its first line is not a time as Enrich writes it",
        ),
        (
            packed(event(f3="Nov 20, 2026 12:00:00 PM")),
            "the collector_tstamp of its first line is not a time as Enrich writes it",
        ),
        (
            packed(event() + event(f52=CSVS)),
            "the contexts of its line 2 is JSON that was written as text once more",
        ),
        (
            packed(event(f58=JSONS)),
            "the unstruct_event of its line 1 is JSON that was written as text once more",
        ),
    ],
)
def test_what_no_pipe_of_ours_reads_is_named(body, said):
    assert wrong_in(body, EVENTS) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (packed(event()), "it holds enriched events"),
        (packed(b"plain words\n"), "it does not hold JSON"),
        (packed(b'{"event_id": "x", "collector_tstamp": "2026"}\n'), "it holds enriched events as JSON"),
        (packed(packed(b"{}")), "it is packed twice"),
        (packed(b'[\n {"schema": "iglu:x"}]'), "it holds documents in one array, which becomes one row"),
    ],
)
def test_what_are_no_bad_rows_is_named(body, said):
    assert wrong_in(body, BAD) == said


def test_an_older_event_is_told_as_that():
    assert wrong_in(packed(event(123)), EVENTS) == ""
    assert older(packed(event(123)), EVENTS) == "its first line has 123 of 131 fields"
    assert older(packed(b"{}"), BAD) == ""


@given(st.integers(0, 600), st.sampled_from(PACKINGS))
def test_a_beginning_that_is_cut_off_anywhere_is_not_called_wrong(length, packed):
    assert wrong_in(packed(event(f20="x" * 500))[:length], EVENTS) == ""


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (b"Access denied", "its first line has 1 of 131 fields"),
        (event() + b"app\tweb\t", "its line 2 has 3 of 131 fields"),
        (event() + event().rstrip(b"\n"), ""),
        (b"app\tweb", "its first line has 2 of 131 fields"),
        (b"", ""),
    ],
)
def test_of_a_file_that_was_read_whole_the_last_line_counts_too(plain, said):
    assert wrong_in(packed(plain), EVENTS, is_whole=True) == said
    assert wrong_in(packed(plain), EVENTS) == ""


@given(st.binary(max_size=300), st.sampled_from([EVENTS, BAD]))
def test_any_bytes_end_in_a_sentence(first, stream):
    assert json.dumps(wrong_in(first, stream) + older(first, stream)).isprintable()
