"""Every line of the samples: a well-formed line is one row with exactly its values, a bad row one
document, and a malformed line ends where docs/runbook.md#malformed-lines says it does."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from snowpipe_sandbox.snowplow import hard_cases

from tests.scenarios.conftest import ROOT, Installation

PUBLIC = ROOT.parent / "shared" / "samples" / "public"
FIELDS = 131

Row = tuple[str | None, ...]


def expected(body: bytes) -> list[Row]:
    """The rows Snowflake makes of a TSV file: split on LF (CR LF is one line end), blank lines skipped,
    split on tabs, empty is NULL, short lines padded with NULL, surplus fields dropped, bad bytes U+FFFD."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    lines = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    fields = [line.decode("utf-8", errors="replace").split("\t") for line in lines if line]
    return [tuple((row[at] or None) if at < len(row) else None for at in range(FIELDS)) for row in fields]


def loaded(at: Installation, key: str) -> list[Row]:
    rows = at.sql(f"SELECT * FROM RAW.SNOWPLOW.EVENTS WHERE _file = '{key}' ORDER BY _file_row")
    return [row[:FIELDS] for row in rows]


def documents(body: bytes) -> list[object]:
    """The JSON documents of a file, with or without anything between them."""
    decoder, text, found, at = json.JSONDecoder(), body.decode(), [], 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def read(folder: Path | None, name: str) -> bytes:
    if folder is None:
        return hard_cases.sample(name)
    if not folder.is_dir():
        pytest.skip(
            "shared/samples/public is not on this machine: real events are never copied into the project"
        )
    return (folder / name).read_bytes()


ENRICHED: list[tuple[Path | None, str]] = [
    (None, "enriched-weird-synthetic.tsv"),
    (None, "wrongcount-synthetic.tsv"),
    (None, "nasty-bytes.tsv"),
    (None, "nasty-bom.tsv"),
    (PUBLIC, "enriched-rdb-loader-real.tsv"),
    (PUBLIC, "enriched-rdb-loader-generated.tsv"),
    (PUBLIC, "enriched-rdb-loader-specs.tsv"),
    (PUBLIC, "enriched-analytics-sdks.tsv"),
    (PUBLIC, "enriched-enrich-expected.tsv"),
    (PUBLIC, "wrongcount-real.tsv"),
]
BAD: list[tuple[Path | None, str]] = [
    (None, "bad-synthetic.jsonl"),
    (None, "bad-eventbridge-synthetic.jsonl"),
    (None, "bad-eventbridge-concatenated.json"),
    (PUBLIC, "bad-rdb-loader.jsonl"),
    (PUBLIC, "bad-event-recovery.jsonl"),
    (PUBLIC, "bad-enrich-spark.jsonl"),
]


def present(rows: list[tuple[Path | None, str]]) -> list[tuple[str, bytes]]:
    return [(name, read(folder, name)) for folder, name in rows if folder is None or folder.is_dir()]


def test_every_line_of_the_samples_ends_where_it_should(healthy: Installation) -> None:
    put: Callable[[str, str, bytes], str] = lambda stream, name, body: healthy.put(  # noqa: E731
        stream, f"{name}.gz", gzip.compress(body)
    )
    enriched = {put("events", name, body): body for name, body in present(ENRICHED)}
    plain = hard_cases.sample("wrongcount-synthetic.tsv")
    enriched[healthy.put("events", "plain-text.gz", plain)] = plain
    bad = {put("events_bad", name, body): body for name, body in present(BAD)}
    healthy.settle()
    for key, body in enriched.items():
        assert loaded(healthy, key) == expected(body), key
    for key, body in bad.items():
        rows = healthy.sql(
            f"SELECT document FROM RAW.SNOWPLOW.EVENTS_BAD WHERE _file = '{key}' ORDER BY _file_row"
        )
        assert [json.loads(row[0]) for row in rows] == documents(body), key
    # true findings: lines of another count of fields, and the same bad rows in two of the files
    named = {"delivery.new-files-hold-what-is-read", "delivery.no-file-repeats-another"}
    found = healthy.verify()
    assert set(found["root_causes"]) == named
    [row] = [
        row for row in found["checks"] if row["id"] in named and row["stream"] == "events" and row["observed"]
    ]
    told = set(re.findall(r"(\S+\.gz): ", row["observed"]))
    assert told == {key for key in enriched if re.search("wrongcount|plain-text", key)}


def test_the_public_samples_were_read() -> None:
    if not PUBLIC.is_dir():
        pytest.skip(
            "shared/samples/public is not on this machine: real events are never copied into the project"
        )
    assert len(present(ENRICHED)) == len(ENRICHED)
