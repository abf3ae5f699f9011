"""The hard-case lines: all there, byte for byte, and what is expected of each is true."""

import hashlib
import json
import re
from collections import Counter

import pytest
from snowpipe_sandbox.snowplow import hard_cases
from snowpipe_sandbox.snowplow.fields import NEVER_EMPTY, POSITIONS

# Copies must stay byte for byte (line ends, NUL, byte order marks): see .gitattributes.
DIGESTS = {
    "bad-eventbridge-concatenated.json": "4ece126db1cbd0f6610b59283179d61e0f70968769690360abda8ef1cd08bfa2",
    "bad-eventbridge-synthetic.jsonl": "dc6ca40222550c193e315eca023de90ef95a9c4b43539338e2fc14e2ed153882",
    "bad-synthetic.jsonl": "07b6cf34118e7058027164eae3f7476f145865b737ae6e82d4fc4147843b6f54",
    "enriched-weird-synthetic.tsv": "02e67e944c1d6a424fd078dd821b3deb95731a0d33d27f51e49f879608870e32",
    "nasty-bom.tsv": "ced3816cf58d04391b262a55567078f0630a372c6dd813a91306fe35b6d6feca",
    "nasty-bytes.tsv": "4c43157896447d9c949f409ceac5d8db16959a3d469b1553606879ea463f77a6",
    "wrongcount-synthetic.tsv": "268155b7958c05224f672d6346731e3b82f60051e70e9b22ab1608d8c94e265d",
}


@pytest.mark.parametrize(("name", "digest"), DIGESTS.items())
def test_bytes_are_untouched(name, digest):
    assert hashlib.sha256(hard_cases.sample(name)).hexdigest() == digest


def test_a_sample_that_is_none():
    with pytest.raises(FileNotFoundError):
        hard_cases.sample("no-such-file.tsv")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        (hard_cases.weird_events, {"row": 52}),
        (hard_cases.wrong_counts, {"wrong count": 8, "no event": 2, "blank": 1}),
        (hard_cases.nasty_bytes, {"bad bytes": 5, "wrong count": 2, "ends in CR": 1, "row": 5}),
        (hard_cases.byte_order_mark, {"starts with BOM": 1, "row": 1}),
    ],
)
def test_what_is_expected(cases, expected):
    found = cases()
    assert Counter(case.expected for case in found) == expected
    assert len({case.name for case in found}) == len(found)


def test_expectations_hold():
    for case in [
        *hard_cases.weird_events(),
        *hard_cases.wrong_counts(),
        *hard_cases.nasty_bytes(),
        *hard_cases.byte_order_mark(),
    ]:
        assert b"\n" not in case.line
        assert (len(case.line.split(b"\t")) if case.line else 0) == case.fields, case.name
        assert (case.fields == 131) == (case.expected not in {"wrong count", "blank"}), case.name
        if case.expected == "bad bytes":
            with pytest.raises(UnicodeDecodeError):
                case.line.decode()
        elif case.expected == "row":
            values = case.line.decode().split("\t")
            assert all(values[POSITIONS[name]] for name in NEVER_EMPTY), case.name


@pytest.mark.parametrize(
    ("title", "holds"),
    [
        ("U+2028", lambda text: "\u2028" in text and "\u0085" in text),
        ("field ends in one backslash", lambda text: len(text) > 1 and re.search(r"[^\\]\\$", text)),
        ("field ends in two backslashes", lambda text: text.endswith("\\\\")),
        ("field is one backslash", lambda text: text == "\\"),
        (r"field is \N", lambda text: text == "\\N"),
        ("double quotes", lambda text: text.startswith('"')),
        ("four spaces", lambda text: "    " in text),
        ("control characters", lambda text: "\x0b" in text),
        ("event_id in upper case", lambda text: re.fullmatch("[0-9A-F]{8}-[0-9A-F-]{27}", text)),
        ("contexts of 64 KiB", lambda text: len(text) > 60_000),
    ],
)
def test_names_tell_the_truth(title, holds):
    (case,) = (case for case in hard_cases.weird_events() if case.name.split(" ", 1)[1].startswith(title))
    assert any(holds(text) for text in case.line.decode().split("\t"))


def test_splitlines_would_cut_where_the_line_feed_does_not():
    data = hard_cases.sample("enriched-weird-synthetic.tsv")
    assert len(hard_cases.lines(data)) == 52
    assert len(data.decode().splitlines()) > 52


def test_no_final_line_feed_is_kept_apart():
    assert hard_cases.lines(b"a\nb") == [b"a", b"b"]
    assert hard_cases.lines(b"a\n\nb\n") == [b"a", b"", b"b"]
    assert hard_cases.lines(b"") == []
    assert not hard_cases.sample("nasty-bytes.tsv").endswith(b"\n")


def test_documents():
    bare = [json.loads(case.line) for case in hard_cases.bad_documents()]
    wrapped = [json.loads(case.line) for case in hard_cases.enveloped_documents()]
    assert len(bare) == 16
    assert [event["detail"] for event in wrapped] == bare
    text, decoder, found = hard_cases.concatenated_documents().decode(), json.JSONDecoder(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    assert len(found) == 3
    assert all("detail" in document for document in found)
