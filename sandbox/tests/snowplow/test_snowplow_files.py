"""Files as loaders write them: keys, gzip bodies, final newlines, folders, determinism."""

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from snowpipe_sandbox.snowplow.__main__ import main
from snowpipe_sandbox.snowplow.bad_rows import bad_rows, enveloped
from snowpipe_sandbox.snowplow.events import events
from snowpipe_sandbox.snowplow.files import Layout, LoaderFile, compressed, loader_files

START = datetime(2026, 11, 1, 23, 59, 50, tzinfo=UTC)
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def good(rows=2500):
    return list(events(1, START, rows=rows))


def lines(body: bytes) -> list[str]:
    return gzip.decompress(body).decode().removesuffix("\n").split("\n")


def written(records, **arguments) -> list[LoaderFile]:
    return list(loader_files(records, **arguments))


def test_3x_one_file_a_flush_named_by_time_and_uuid():
    records = good()
    made = written(records, per_file=1000, layout=Layout(path="enriched/"))
    assert [file.rows for file in made] == [1000, 1000, 500]
    for file in made:
        assert re.fullmatch(rf"enriched/2026-11-0[12]-\d{{6}}-{UUID}\.gz", file.key)
        assert f"{file.written_at:%Y-%m-%d-%H%M%S}" in file.key
        assert gzip.decompress(file.body).endswith(b"\n")
    assert [line for file in made for line in lines(file.body)] == [record.line for record in records]


def test_2x_one_file_a_shard_and_flush_named_by_sequence_numbers():
    records = good()
    made = written(
        records, per_file=1000, layout=Layout(generation="2.x", path="e/", filename_prefix="sp", shards=2)
    )
    assert len(made) == 6
    numbers = []
    for file in made:
        found = re.fullmatch(r"e/sp-2026-11-0[12]-\d{6}-(\d{56})-(\d{56})\.gz", file.key)
        assert found
        numbers += [int(found[1]), int(found[2])]
    assert numbers == sorted(numbers)
    assert len({file.key for file in made}) == 6
    assert Counter(line for file in made for line in lines(file.body)) == Counter(
        record.line for record in records
    )
    assert sum(file.rows for file in made) == len(records)


def test_3_0_has_no_final_newline():
    (file,) = written(good(10), per_file=10, layout=Layout(final_newline=False))
    body = gzip.decompress(file.body)
    assert body.count(b"\n") == 9
    assert not body.endswith(b"\n")


@pytest.mark.parametrize(
    ("generation", "partition"), [("3.x", "year={yyyy}/{MM}/{dd}/{HH}"), ("2.x", "year={yy}/{mm}/{dd}/{HH}")]
)
def test_date_folders(generation, partition):
    made = written(
        good(), per_file=1000, layout=Layout(generation=generation, path="enriched/", partition=partition)
    )
    assert {file.key.rsplit("/", 1)[0] for file in made} == {"enriched/year=2026/11/02/00"}


def test_bad_rows_lie_in_a_folder_of_their_family():
    records = list(bad_rows(1, START, rows=200))
    made = written(records, per_file=100, layout=Layout(path="bad/partitioned/"))
    found = Counter()
    for file in made:
        folder = re.fullmatch(
            rf"bad/partitioned/com\.snowplowanalytics\.snowplow\.badrows\.(\w+)/2026-11-\d\d-\d{{6}}-{UUID}\.gz",
            file.key,
        )
        assert folder
        documents = [json.loads(line) for line in lines(file.body)]
        assert {document["schema"].split("/")[1] for document in documents} == {folder[1]}
        assert len(documents) == file.rows
        found[folder[1]] += file.rows
    assert found == Counter(record.family for record in records)


def test_bad_rows_in_folders_of_all_schema_parts_and_time():
    partition = "{vendor}/{name}/{schema}/{format}/{model}/{yyyy}-{mm}-{ss}"
    (file,) = written(
        bad_rows(1, START, rows=1, weights={"schema_violations": 1}),
        per_file=1,
        layout=Layout(partition=partition),
    )
    vendor, name, again, form, model, time = file.key.split("/")[:6]
    assert (vendor, name, again) == (
        "com.snowplowanalytics.snowplow.badrows",
        "schema_violations",
        "schema_violations",
    )
    assert (form, model) == ("jsonschema", "2")
    assert time == f"{file.written_at:%Y-%M-%S}"


def test_firehose_concatenates_below_the_hour():
    records = [enveloped(row) for row in bad_rows(1, START, rows=30)]
    layout = Layout(generation="firehose", path="bad/", delimiter="", filename_prefix="bad-rows")
    made = written(records, per_file=20, layout=layout)
    assert [file.rows for file in made] == [20, 10]
    for file in made:
        assert re.fullmatch(
            rf"bad/2026/11/\d\d/\d\d/bad-rows-1-2026-11-\d\d-\d\d-\d\d-\d\d-{UUID}\.gz", file.key
        )
    assert gzip.decompress(made[0].body).decode() == "".join(record.line for record in records[:20])


def test_same_seed_same_files_and_no_time_in_the_gzip_header():
    first = written(good(), per_file=700, seed="a")
    assert first == written(good(), per_file=700, seed="a")
    assert {file.key for file in first}.isdisjoint(
        file.key for file in written(good(), per_file=700, seed="b")
    )
    assert compressed(b"x")[4:8] == b"\0\0\0\0"


def test_gzip_level_changes_the_size_only():
    quick, small = (written(good(500), per_file=500, layout=Layout(level=level))[0] for level in (1, 9))
    assert len(small.body) < len(quick.body)
    assert gzip.decompress(small.body) == gzip.decompress(quick.body)


def test_no_records_no_files():
    assert written([], per_file=10) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shards": 2}, "only 2.x"),
        ({"generation": "2.x", "shards": 0}, "at least one"),
        ({"path": "enriched"}, "final slash"),
        ({"partition": "{weekday}"}, "not emulated"),
        ({"generation": "2.x", "partition": "{MMM}"}, "not emulated"),
        ({"generation": "firehose", "partition": "{yyyy}"}, "not emulated"),
    ],
)
def test_layouts_no_loader_has_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Layout(**arguments)


def test_enriched_events_by_schema_are_refused():
    with pytest.raises(ValueError, match="only be partitioned by time"):
        written(good(5), per_file=5, layout=Layout(partition="{vendor}"))


def test_files_need_rows():
    with pytest.raises(ValueError, match="at least one record"):
        written(good(1), per_file=0)


def run(out: Path, *arguments: str, capsys) -> dict:
    assert main(["--rows", "1200", "--per-file", "500", "--out", str(out), *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_command_writes_what_its_summary_says(tmp_path, capsys):
    summary = run(
        tmp_path / "out", "--bad-share", "0.05", "--envelope", "--natural-duplicates", "0.05", capsys=capsys
    )
    files = tree(tmp_path / "out")
    enriched = [line for name, body in files.items() if name.startswith("enriched/") for line in lines(body)]
    bad = [
        json.loads(line) for name, body in files.items() if name.startswith("bad/") for line in lines(body)
    ]
    assert (len(enriched), len(files)) == (summary["enriched"], summary["files"]) == (1200, summary["files"])
    assert len({line.split("\t")[6] for line in enriched}) == summary["distinct_event_ids"] < 1200
    assert Counter(document["detail"]["schema"].split("/")[1] for document in bad) == summary["bad"]
    assert sum(summary["bad"].values()) == 60
    assert sum(map(len, files.values())) == summary["bytes"]
    assert sum(summary["events"].values()) == 1200


def test_command_gives_the_same_bytes_with_any_number_of_jobs(tmp_path):
    for jobs in ("1", "2"):
        command = [sys.executable, "-m", "snowpipe_sandbox.snowplow", "--rows", "1500", "--per-file", "25001"]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / jobs), "--jobs", jobs, "--seed", "x", "--layout", "2.x"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "1,500 of 1,500 events" in done.stderr
    assert tree(tmp_path / "1") == tree(tmp_path / "2") != {}


def test_command_refuses_a_folder_that_holds_something(tmp_path, capsys):
    (tmp_path / "here").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        main(["--rows", "5", "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "here").read_text() == "mine"


def test_command_says_when_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--rows", "5", "--out", str(tmp_path / "file" / "out")]) == 1
    assert "could not write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rows", "-1"),
        ("--rows", "5", "--odd", "1.5"),
        ("--rows", "5", "--per-file", "0"),
        ("--rows", "5", "--partition", "{weekday}"),
        ("--rows", "5", "--start", "yesterday"),
    ],
)
def test_command_refuses_arguments_that_make_no_sense(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err
