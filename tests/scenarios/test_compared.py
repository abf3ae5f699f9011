"""`compare`: the sandbox answers as it did when it was recorded; what is altered in a recording is named."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

Rows = list[dict[str, Any]]


def renamed(rows: Rows) -> None:
    for row in rows:
        row["belongs_to"] = row.pop("owner")


def fewer(rows: Rows) -> None:
    for row in rows:
        row.pop("has_credentials")


def in_another_order(rows: Rows) -> None:
    for row in rows:
        row["created_on"] = row.pop("created_on")


def otherwise_written(rows: Rows) -> None:
    for row in rows:
        row["grant_option"] = "N"


def as_text(rows: Rows) -> None:
    for row in rows:
        row["created_on"] = "2026-11-30 04:00:00.000 -0800"


def without_a_property(rows: Rows) -> None:
    rows[:] = [row for row in rows if row["property"] != "STORAGE_PROVIDER"]


def of_another_type(rows: Rows) -> None:
    rows[0]["property_type"] = "Text"


def with_another_field(rows: Rows) -> None:
    rows[0]["status"] = rows[0]["status"].replace("executionState", "state")


def a_text_for_a_number(answer: Any) -> None:
    answer["Role"]["MaxSessionDuration"] = "3600"


ALTERED: dict[str, tuple[str, Callable[[Any], None]]] = {
    "SHOW PIPES IN SCHEMA": ("columns", renamed),
    "SHOW STAGES IN SCHEMA": ("columns", fewer),
    "SHOW ROLES": ("order of columns", in_another_order),
    "SHOW GRANTS TO ROLE SNOWPLOW_LOADER": ("grant_option", otherwise_written),
    "SHOW SCHEMAS IN DATABASE": ("created_on", as_text),
    "DESC INTEGRATION": ("properties", without_a_property),
    "DESC FILE FORMAT RAW.SNOWPLOW.SNOWPLOW_TSV": ("TYPE, property_type", of_another_type),
    "SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.EVENTS_PIPE')": ("status: fields", with_another_field),
    '"iam", "GetRole"': ("Role: MaxSessionDuration", a_text_for_a_number),
}
CODE = ('"s3", "GetBucketPolicy"', "error")


@pytest.fixture
def bundle(healthy: Installation, tmp_path: Path) -> Path:
    for stream, body in (("events", b"app" + b"\t" * 130 + b"\n"), ("events_bad", b'{"schema": "x"}\n')):
        healthy.put(stream, "a.txt.gz", gzip.compress(body))
    healthy.settle()
    file = tmp_path / "bundle.json"
    healthy.run("verify", "--deep", "--record", str(file))
    return file


def compared(at: Installation, file: Path, code: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        at.run("compare", "--with", str(file), "--format", "json", expect=code).stdout
    )
    return found


def test_ten_alterations_are_ten_differences_and_no_other(healthy: Installation, bundle: Path) -> None:
    made = json.loads(bundle.read_text())
    for key, rows in made["answers"].items():
        for begins, (_, change) in ALTERED.items():
            if f'"{begins}' in key or begins in key[:40]:
                change(rows[-1]["answer"])
        if CODE[0] in key:
            rows[-1]["failed"]["code"] = "NoSuchPolicy"
    bundle.write_text(json.dumps(made))
    found = compared(healthy, bundle, 1)
    assert sorted(row["where"] for row in found["differences"]) == sorted(
        [*(where for where, _ in ALTERED.values()), CODE[1]]
    )
    assert found["compared"] > 25


@pytest.mark.slow
def test_the_sandbox_answers_as_it_answered(healthy: Installation, bundle: Path) -> None:
    found = compared(healthy, bundle, 0)
    assert found["differences"] == []
    assert found["compared"] > 25


def test_what_cannot_be_compared_is_refused(installation: Installation, tmp_path: Path) -> None:
    assert "--with names no file" in installation.run("compare", expect=2).stderr
    assert "cannot be read" in installation.run("compare", "--with", str(tmp_path / "none"), expect=2).stderr
    assert "no format" in installation.run("compare", "--with", "x", "--format", "xml", expect=2).stderr
