"""What a healthy verify costs: round trips one after the other, and calls that no number of files adds to."""

from collections import Counter
from typing import Any

import pytest

from tests.scenarios.conftest import Installation

MOST_IN_A_ROW = 8


def calls(at: Installation, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """What a healthy `invoke verify` asks each cloud; what Snowflake asks of AWS is not ours."""
    before = len(at.requests())
    at.run("verify", *arguments)
    snowflakes = at.sql("DESC INTEGRATION SNOWPLOW_S3")
    user = next(str(row[2]) for row in snowflakes if row[0] == "STORAGE_AWS_IAM_USER_ARN")
    role = f"assumed-role/{at.settings.aws.role_name}/"
    rows = [row for row in at.requests()[before:] if row["caller"] != user and role not in row["caller"]]
    rows = [row for row in rows if not row["text"].startswith(("USE ROLE ACCOUNTADMIN", "DESC INTEGRATION"))]
    return {cloud: [row for row in rows if row["cloud"] == cloud] for cloud in ("aws", "snowflake")}


def in_a_row(rows: list[dict[str, Any]]) -> int:
    """The longest chain of calls each of which started when the one before had ended."""
    longest: list[int] = []
    rows = sorted(rows, key=lambda row: row["started_at"])
    for row in rows:
        ended = [n for n, other in zip(longest, rows, strict=False) if other["ended_at"] <= row["started_at"]]
        longest.append(1 + max(ended, default=0))
    return max(longest)


def test_a_chain_is_counted_and_what_runs_side_by_side_is_not() -> None:
    def row(start: int, end: int) -> dict[str, Any]:
        return {"started_at": start, "ended_at": end}

    assert in_a_row([row(0, 1), row(1, 2), row(3, 4)]) == 3
    assert in_a_row([row(0, 3), row(1, 4), row(2, 5)]) == 1
    assert in_a_row([row(0, 1), row(0, 2), row(2, 3), row(1, 4)]) == 2


@pytest.mark.parametrize("arguments", [(), ("--deep",)], ids=["plain", "deep"])
def test_a_healthy_verify_is_at_most_eight_round_trips_deep(
    shared: Installation, arguments: tuple[str, ...]
) -> None:
    """Log-in and log-out count. A busy machine only makes calls look as if they waited: the best of three.

    A call that a busy machine starts late looks so where it is later than another one takes.
    """
    shared.control("POST", "/faults", {"latency_ms": 250})
    depths: list[dict[str, int]] = []
    for _ in range(3):
        found = calls(shared, *arguments)
        assert len(found["snowflake"]) > MOST_IN_A_ROW  # else there is nothing to show
        depths.append({cloud: in_a_row(rows) for cloud, rows in found.items()})
        if max(depths[-1].values()) <= MOST_IN_A_ROW:
            return
    raise AssertionError(f"calls one after the other: {depths}")


@pytest.mark.parametrize("files", [30, pytest.param(1_100, marks=pytest.mark.slow)])
def test_the_number_of_calls_does_not_grow_with_the_files(shared: Installation, files: int) -> None:
    def counted() -> Counter[str]:
        found = calls(shared, "--deep")
        return Counter(row["operation"] for rows in found.values() for row in rows)

    for number in range(3):  # of the newest three the beginning is read, of the newest by Snowflake too
        shared.put("events_bad", f"first-{number}.gz", b"{}")
    shared.settle()
    before = counted()
    assert before
    for number in range(files):
        shared.put("events_bad", f"{number}.gz", b"{}")
    shared.settle()
    assert counted() == before
