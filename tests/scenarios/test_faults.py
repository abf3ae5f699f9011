"""docs/faults.md, row by row: that one thing broken from outside is the root cause, and its remedy heals.

What follows from it is blocked, everything else green. The remedy is run as printed, or done by hand
where only a person can, and then everything is green again.
"""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.faults import FAULTS, matrix, page
from tests.scenarios.faults.pool import Pool
from tests.scenarios.recordings import recorded
from tests.unit.test_layout import CHECKS

ROWS = page.rows() if page.PAGE.exists() else {}
SEEN: dict[str, matrix.Line] = {}


@pytest.fixture(scope="session")
def pool(sandbox_process: Any, warm: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    found = Pool(tmp_path_factory.mktemp("pool"), sandbox_process.control_url, warm)
    yield found
    found.close()


@pytest.fixture(scope="module", autouse=True)
def matrix_page(pytestconfig: pytest.Config) -> Iterator[None]:
    yield
    if path := pytestconfig.getoption("--write-faults"):
        lines = [SEEN[name] for name in FAULTS if name in SEEN]
        Path(path).write_text(matrix.page(lines, [check.id for check in CHECKS]))


def test_every_row_has_its_scenario_and_every_scenario_its_row() -> None:
    assert sorted(ROWS) == sorted(FAULTS)
    assert len(FAULTS) >= 80


ELSEWHERE = {
    "step4.pipe-runs": "test_states_nobody_can_reach.py",
}
"""Checks seen red by other tests: of states the sandbox cannot be brought into."""


def test_every_check_is_the_root_cause_of_a_row() -> None:
    assert {row.check for row in ROWS.values()} | ELSEWHERE.keys() == {check.id for check in CHECKS}
    for check, file in ELSEWHERE.items():
        assert any(check in path.read_text() for path in (ROOT / "tests").rglob(file)), check


def test_every_cell_of_every_row_says_something() -> None:
    for row in ROWS.values():
        assert all((row.symptom, row.cause, *row.remedies)), row.name
        assert "](https://" in row.source, row.name
        assert row.known in page.KNOWN, row.name


def test_what_is_only_inferred_is_advice_at_most() -> None:
    assert {row.outcome for row in ROWS.values() if row.known == "inferred"} <= {"advice"}
    assert {row.known for row in ROWS.values() if row.outcome == "failed"} == {"documented", "recorded"}


def of_many_checks(every: int) -> set[str]:
    """Every so many-th row: first one of each check, and then its second, as they stand in the page."""
    found: dict[str, list[str]] = {}
    for name, row in ROWS.items():
        found.setdefault(row.check, []).append(name)
    by_turns = [name for turn in zip_longest(*found.values()) for name in turn if name]
    return set(by_turns[::every])


OFTEN = of_many_checks(12)
RECORDED = of_many_checks(48)
"""Those whose verdict is also recorded and told again in every run; all are at night."""
BY_NAME = [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in FAULTS]


def test_rows_of_every_part_are_broken_in_every_run() -> None:
    """All of them are at night (.ci/nightly)."""
    assert len(OFTEN) >= 18
    assert len(RECORDED) >= 3
    assert RECORDED <= OFTEN
    assert {ROWS[name].check.partition(".")[0] for name in OFTEN} == {
        row.check.partition(".")[0] for row in ROWS.values()
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_one_root_cause_and_its_remedy_heals(pool: Pool, name: str, pytestconfig: pytest.Config) -> None:
    row = ROWS[name]
    is_recorded = name in RECORDED or pytestconfig.getoption("--run-slow")
    with pool.healthy(FAULTS[name].shape) as at:
        by_hand = FAULTS[name].begin(at)
        found = recorded(at) if is_recorded else at.verify()
        told = {"failed": found["root_causes"], "advice": found["advice"]}
        assert told == {"failed": [], "advice": [], row.outcome: [row.check]}, red(found)
        assert found["healthy"] == (row.outcome == "advice"), red(found)
        assert {by for one in found["checks"] for by in one["blocked_by"]} <= {row.check}, red(found)
        assert "unknown" not in {one["outcome"] for one in found["checks"]}, red(found)
        SEEN[name] = matrix.seen(name, at, found)
        for number, remedy in enumerate(row.remedies, 1):
            assert wrong(found), f"nothing is wrong before {remedy}"
            found = mended(at, found, remedy, by_hand, last=number == len(row.remedies))
        assert found["healthy"], red(found)
        assert not wrong(found), red(found)


def wrong(found: dict[str, Any]) -> list[str]:
    """What failed, and what is advised."""
    return [*found["root_causes"], *found["advice"]]


@cache
def hidden_by(check: str) -> set[str]:
    """The check, and every one that stands on it, directly or further back: what a failure of it hides."""
    found = {check}
    while more := {each.id for each in CHECKS if found & {*each.needs, *each.asks}} - found:
        found |= more
    return found


def forgotten(one: str, other: str) -> bool:
    """Whether the one makes the pipe anew, which forgets the files that failed."""
    return any(
        "pipe" in FAULTS[pipe].of and ROWS[file].check == "delivery.no-file-failed"
        for pipe, file in ((one, other), (other, one))
    )


def drawn(seed: int, count: int) -> list[tuple[str, str]]:
    """Random pairs of faults that do not hide each other: neither's check stands on the other's."""
    pairs = [
        (one, other)
        for one, other in combinations(sorted(FAULTS.keys() & ROWS.keys()), 2)
        if not (FAULTS[one].of & FAULTS[other].of or FAULTS[one].shape or FAULTS[other].shape)
        and not forgotten(one, other)
        and ROWS[one].check not in hidden_by(ROWS[other].check)
        and ROWS[other].check not in hidden_by(ROWS[one].check)
    ]
    return random.Random(seed).sample(pairs, min(count, len(pairs)))


# what docs/faults.md says of two at once, beside what needs hide: the first is not there while the second is
MASKED = {"bucket-policy-denies-the-role": "role-under-another-path"}


def first_files_then_pipes(name: str) -> int:
    """Files are broken while the way is open, and pipes are made anew while they may be: before the rest."""
    of = FAULTS[name].of
    return 0 if "file" in of else 1 if of & {"pipe", "second"} else 2


def both(pool: Pool, one: str, other: str) -> None:
    """Two faults at once: both root causes, and no third."""
    with pool.spent() as at:
        for name in sorted((one, other), key=first_files_then_pipes):
            FAULTS[name].begin(at)
        found = at.verify()
        seen = {name for name in (one, other) if MASKED.get(name) not in (one, other)}
        assert set(wrong(found)) == {ROWS[name].check for name in seen}, red(found)


def test_no_two_faults_look_alike() -> None:
    """Of the faults this process has broken, those with the same evidence are mended by the same remedies."""
    mended_by: dict[object, set[tuple[str, ...]]] = {}
    for name, line in SEEN.items():
        mended_by.setdefault(line.evidence, set()).add(ROWS[name].remedies)
    assert {row: remedies for row, remedies in mended_by.items() if len(remedies) > 1} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), [*drawn(4, 12), ("schema-cloned", "settings-name-another-bucket")])
def test_two_faults_are_both_named(pool: Pool, one: str, other: str) -> None:
    both(pool, one, other)


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), dict.fromkeys([*drawn(2026, 200), *drawn(2027, 101)]))
def test_three_hundred_pairs_are_both_named(pool: Pool, one: str, other: str) -> None:
    both(pool, one, other)


def mended(
    at: Installation, found: dict[str, Any], remedy: str, by_hand: Iterator[None], *, last: bool
) -> Any:
    """What `verify` shows after the remedy it printed, which is the row's.

    A step that is not the ``last`` remedy ends by telling that its own checks do not pass yet.
    """
    failed = [one for one in found["checks"] if one["outcome"] in ("failed", "advice")]
    for one in failed:
        told = re.sub(r"--pattern (?!'[.][*]').* --reload", "--pattern KEY --reload", one["remedy"])
        assert told == remedy.replace("STREAM", one["stream"] or ""), red(found)
    if not remedy.startswith("invoke "):
        next(by_hand, None)
    for printed in dict.fromkeys(one["remedy"] for one in failed):
        words, named, command = printed.partition("invoke ")
        if not words or "--pattern KEY" in remedy:
            at.shell(named + command, expect=0 if last else None)
    return at.verify()


def red(found: dict[str, Any]) -> str:
    """Every check that is not green, for a person."""
    return json.dumps(
        [one for one in found["checks"] if one["outcome"] not in ("passed", "skipped")], indent=1
    )
