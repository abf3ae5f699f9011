"""A backfill killed at every statement and call in turn: the next one ends it, and each row is there once."""

import gzip
import re
from collections.abc import Callable

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.killing import Killer, writing
from tests.scenarios.test_backfill import assert_once, event, silence


def put_all(at: Installation, names: list[str]) -> list[str]:
    """Many files by one client: making one takes longer than a file."""
    s3, prefix = at.aws("s3"), at.stream("events").prefix
    for name in names:
        body = gzip.compress(b"".join(event(name, row) + b"\n" for row in range(2)))
        s3.put_object(Bucket=at.settings.aws.bucket, Key=prefix + name, Body=body)
    return [prefix + name for name in names]


def unannounced(at: Installation, names: list[str]) -> list[str]:
    """One file that the pipe loaded, then files nobody announced: half older than REFRESH reaches.

    The one shows that the table was not emptied since; without it nobody knows what became of the old ones.
    """
    keys = put_all(at, ["before.gz"])
    at.settle()
    at.advance(minutes=1)
    silence(at)
    keys += put_all(at, names[1::2])
    at.advance(days=10)
    keys += put_all(at, names[::2])
    at.advance(hours=1)
    return keys


def folders(count: int, files: int) -> list[str]:
    return [f"point={point:03d}/{number:04d}.gz" for point in range(count) for number in range(files)]


def places() -> Callable[[str], bool]:
    """Counts each write, and of what only reads the first of its kind: how often it looks is chance."""
    seen: set[str] = set()

    def counts(text: str) -> bool:
        kind = re.sub(r"'[^']*'|\d+", "", text)
        is_new = kind not in seen
        seen.add(kind)
        return is_new or writing(text)

    return counts


def killed_at(at: Installation, point: int, number: int) -> list[str]:
    """A backfill of one folder, killed at its statement or call of that number; all up to there.

    A run that makes fewer is not killed.
    """
    killer = Killer(at, number, places(), timeout=180)
    code = killer.run("backfill", "--pattern", f".*/point={point:03d}/.*")
    assert (code == -9) == (len(killer.statements) >= number), (code, killer.statements)
    return killer.statements


def finished(at: Installation) -> None:
    """The same command once more, for everything; what is queued may take a second look."""
    for _ in range(5):
        at.settle()
        if at.run("backfill", "--pattern", ".*", expect=None, timeout=600).returncode == 0:
            return
    raise AssertionError(at.run("backfill", "--pattern", ".*", "--dry-run").stdout)


def test_killed_at_a_few_statements_and_calls_in_turn(healthy: Installation) -> None:
    points = 7
    keys = unannounced(healthy, folders(points, 4))
    asked = len(killed_at(healthy, 0, 10_000))
    for point in range(1, points):
        assert len(killed_at(healthy, point, asked * point // points)) >= asked * point // points
    finished(healthy)
    assert_once(healthy, keys)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_killed_at_every_statement_and_call_each_in_a_folder_of_its_own_of_three_thousand_files(
    healthy: Installation, part: int
) -> None:
    """In four parts, each with every fourth statement: together they are minutes."""
    points, files = 75, 40
    keys = unannounced(healthy, folders(points, files))
    asked = killed_at(healthy, 0, 10_000)
    assert 20 < len(asked) < points, f"{len(asked)} statements and calls, {points} folders: give each one"
    assert {"GET", "POST", "EXECUTE", "CREATE", "COPY", "SELECT", "SHOW"} <= {
        statement.split(maxsplit=1)[0] for statement in asked
    }
    for point in range(1 + part, points, 4):
        killed_at(healthy, point, point)
    finished(healthy)
    assert len(keys) == 3001
    assert_once(healthy, keys)


@pytest.mark.slow
def test_killed_at_every_writing_statement_of_a_backfill_of_three_thousand_files(
    new_installation: Callable[..., Installation],
) -> None:
    """Its COPYs run side by side, a thousand files each: another installation for each statement."""
    names = folders(1, 3000)
    number, code = 0, -9
    while code == -9:
        number += 1
        at = new_installation()
        at.run("up")
        keys = unannounced(at, names)
        killer = Killer(at, number, lambda text: writing(text) and "FILE FORMAT" not in text, timeout=600)
        code = killer.run("backfill", "--pattern", ".*")
        finished(at)
        assert_once(at, keys)
    assert code == 0
    assert number == 1 + 3, (
        "each killed once, and then none: two COPYs of the old files, a REFRESH of the young"
    )
