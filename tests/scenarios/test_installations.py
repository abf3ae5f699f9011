"""What runs on the real clouds runs here and is called healthy: found, verified, watched and filled."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.conftest import Installation
from tests.scenarios.installations import SITES, Site, built, put, worksheet

IN_EVERY_RUN = "four formats on one stage, a role of their own, one rule"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == IN_EVERY_RUN else pytest.mark.slow) for name in SITES]
)
def test_it_is_found_called_healthy_and_a_lost_file_is_brought_once(
    request: pytest.FixtureRequest, installation: Installation, tmp_path: Path, name: str
) -> None:
    at, site, file = installation, SITES[name], tmp_path / "found.yaml"
    built(at, site)
    assert counts(at, site) == site.rows
    at.run("discover", "--all", "--name", "sandbox", "--output", str(file))
    streams = yaml.safe_load(file.read_text())["streams"]
    assert {n: row["kind"] for n, row in streams.items() if row.get("enabled", True)} == site.streams
    assert "Left out" not in file.read_text()
    at.advance(minutes=20)
    assert red(at, file) == {}
    assert [row["state"] for row in of(at, file, "status")] == ["RUNNING"] * len(site.streams)
    assert to_load(at, file) == []
    if request.config.getoption("--run-slow"):
        _canaries(at, file, site)
    key, body, table, rows = site.lost
    at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    put(at, key, body)
    at.settle()
    at.control("DELETE", "/faults")
    at.advance(hours=2)
    assert any(each.startswith("delivery.") for each in red(at, file))
    assert to_load(at, file) == [1]
    at.run("-f", str(file), "backfill", "--pattern", ".*", "--yes")
    at.settle()
    wanted = {**site.rows, table: site.rows[table] + rows}
    assert counts(at, site) == wanted
    assert to_load(at, file) == []


@pytest.mark.slow
def test_the_proposed_statements_give_each_table_its_column(
    installation: Installation, tmp_path: Path
) -> None:
    """What the file's comments propose runs as it stands; the pipes load on, and name their files."""
    at, site, file = installation, SITES[IN_EVERY_RUN], tmp_path / "found.yaml"
    built(at, site)
    at.run("discover", "--all", "--name", "sandbox", "--output", str(file))
    _, proposed = file.read_text().split("# To have a column")
    lines = [line.removeprefix("#   ") for line in proposed.split("\n") if line.startswith("#   ")]
    statements = worksheet("\n".join(lines))
    assert sum("CREATE OR REPLACE PIPE" in each for each in statements) == 2
    at.worksheet(*statements)
    put(at, "land/orders/2.csv", "id|note|at\n3|b|\n")
    put(at, "land/audit/2.json", '{"a": 2}\n')
    at.settle()
    for table, key in (("orders", "land/orders/2.csv"), ("audit", "land/audit/2.json")):
        rows = at.sql(f"SELECT _FILE, COUNT(*) FROM lake.raw.{table} GROUP BY 1 ORDER BY 1 NULLS FIRST")
        assert rows == [(None, site.rows[f"lake.raw.{table}"]), (key, 1)]
    at.run("discover", "--all", "--name", "sandbox", "--output", str(file), "--replace")
    assert "To have a column" not in file.read_text()
    assert red(at, file) == {}


def _canaries(at: Installation, file: Path, site: Site) -> None:
    if site.canary:
        sent = of(at, file, "verify", "--canary", "--stream", site.canary, "--yes")["checks"]
        hops = {row["id"]: row["outcome"] for row in sent if row["id"].startswith("canary.")}
        assert (len(hops), set(hops.values())) == (5, {"passed"})
        assert counts(at, site) == site.rows
    if site.no_canary:
        stream, why = site.no_canary.split(": ")
        refused = at.run("-f", str(file), "verify", "--canary", "--stream", stream, "--yes", expect=None)
        assert why.lower() in " ".join((refused.stdout + refused.stderr).split()).lower()


def counts(at: Installation, site: Site) -> dict[str, int]:
    """The rows of every table."""
    return {table: at.sql(f"SELECT COUNT(*) FROM {table}")[0][0] for table in site.rows}


def of(at: Installation, file: Path, *command: str) -> Any:
    """The JSON of a command."""
    return json.loads(at.run("-f", str(file), *command, "--format", "json", expect=None).stdout)


def red(at: Installation, file: Path) -> dict[str, str]:
    """What is not right, without advice."""
    rows = of(at, file, "verify", "--deep")["checks"]
    fine = ("passed", "skipped", "advice")
    return {
        f"{row['id']}[{row['stream']}]": f"{row['observed']} {row['cause']}"
        for row in rows
        if row["outcome"] not in fine
    }


def to_load(at: Installation, file: Path) -> list[int]:
    """How many files each stream would load, where it would load any."""
    plans = of(at, file, "backfill", "--pattern", ".*", "--dry-run")["streams"]
    missing = [row for row in plans if row.get("missing") and not row["to_load"]["files"]]
    assert missing == []
    return [row["to_load"]["files"] for row in plans if row["to_load"]["files"]]
