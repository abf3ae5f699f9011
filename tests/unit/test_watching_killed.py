"""A watcher that is killed again and again: nothing is told twice, nothing is forgotten."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from runbook.errors import Refused
from runbook.watching.lock import alone
from runbook.watching.messages import Message
from tests.unit.test_watching_messages import BEGIN, CHECKS, STEP, Watcher

PHASES = ((), (CHECKS[2],), (), (CHECKS[0], CHECKS[3]), (CHECKS[3],), ())
LASTS = 8  # rounds
ROUNDS = LASTS * len(PHASES)
KILLS = 25


def _rounds(folder: Path) -> None:
    """Rounds from where the last watcher was killed; what the route takes is a line of a file."""
    watcher = Watcher(folder, messages_an_hour=1000)
    taken = os.open(folder / "taken", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def send(message: Message) -> None:
        os.write(taken, (json.dumps(message.as_json()) + "\n").encode())

    watcher.route.send = send  # type: ignore[method-assign]
    done = folder / "done"
    for number in range(int(done.read_text() if done.exists() else 0), ROUNDS):
        watcher.now = BEGIN + number * STEP
        watcher.round(*PHASES[number // LASTS])
        (folder / "next").write_text(str(number + 1))
        (folder / "next").replace(done)


def _killed_after(seconds: float, folder: Path) -> bool:
    """Whether there was somebody to kill by then."""
    child = os.fork()
    if child == 0:
        try:
            _rounds(folder)
        finally:
            os._exit(0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in range(1, 9))])
def test_killed_at_any_time(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    kills = 0
    while _killed_after(chance.uniform(0.005, 0.03) if kills < KILLS else 60, tmp_path):
        kills += 1
    told = [json.loads(line) for line in (tmp_path / "taken").read_text().splitlines()]
    often = Counter(row["id"] for row in told)
    once = list({row["id"]: row for row in told}.values())
    assert kills > 3
    assert [[row["kind"], *(each["id"] for each in row["new"])] for row in once] == [
        ["broken", CHECKS[2]],
        ["well"],
        ["broken", CHECKS[0], CHECKS[3]],
        ["changed"],
        ["well"],
    ]
    again = [row for row in told if row["repeated"]]
    assert sum(often.values()) - len(often) <= len(again) <= kills  # only what was under way, and it says so


def test_two_watchers_of_a_target(tmp_path: Path) -> None:
    path = tmp_path / "prod" / "lock"
    with (
        alone(path, "prod"),
        pytest.raises(Refused, match="Another watcher of prod is running") as raised,
        alone(path, "prod"),
    ):
        pass
    assert f"process {os.getpid()}" in str(raised.value)
    with alone(path, "prod"):  # it was let go
        pass


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_jumps(tmp_path: Path, years: int) -> None:
    """A round or two in another year, and back: what is wrong is told once, and its end once."""
    watcher = Watcher(tmp_path, remind_after=timedelta(hours=24))
    for _ in range(3):
        watcher.round(CHECKS[2])
    there, watcher.now = watcher.now, watcher.now + timedelta(days=365 * years)
    for _ in range(2):
        watcher.round(CHECKS[2])
    watcher.now = there
    for _ in range(20):
        watcher.round(CHECKS[2])
    for _ in range(3):
        watcher.round()
    assert [kind for kind in watcher.route.kinds if kind != "reminder"] == ["broken", "well"]
    assert watcher.route.kinds.count("reminder") <= 1


@pytest.mark.parametrize("unfinished", [0, 3])
def test_a_round_that_hangs_is_given_up_in_words(unfinished: int) -> None:
    program = f"""
import os, signal, threading, time
from runbook.commands import watch
watch.GRACE_S = 0.1
with watch._ended_by_signals(threading.Event(), {unfinished}):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == unfinished
    assert done.stderr.startswith("ended by SIGTERM; the round under way was given up")
