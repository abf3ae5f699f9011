"""Every command in a code block of the documentation is run on a healthy installation, as it stands there."""

import re
import shlex

import pytest

from tests.scenarios.conftest import Installation
from tests.scenarios.test_backfill import event
from tests.unit.test_documents import PAGES, commands_in_blocks

RUN_ELSEWHERE = {
    "lint": "about a checkout: .ci/run",
    "demo": "test_demo.py, and the README's first command",
    "sandbox.start": "sandbox/tests/test_process.py",
    "sandbox.reset": "sandbox/tests/test_process.py",
    "sandbox.stop": "sandbox/tests/test_process.py",
    "tfvars": "test_terraform.py: it writes beside the module",
    "discover": "test_discover.py: it writes an environment file of the checkout",
}
"""What is not run here, and where it is."""
STREAM_OF_THE_PAGE = "partners"
ASKING = {"up", "down", "backfill", "refresh", "pause", "resume", "views"}
ENDS_OTHERWISE = {
    "watch --test-message": 1,  # no route is set
    "explain --event 6f1d3b2a-0000-4000-8000-000000000001": 1,  # nobody sent that event
    "views --dry-run": 2,  # they are off until the environment file asks for them
    "views": 2,
}


def as_documented() -> list[str]:
    """The commands of all pages, each once and without its environment file; what takes back comes last."""
    found = dict.fromkeys(
        re.sub(r"^(invoke|snowpipe-runbook)( -f \S+)? ", "", command)
        for page in PAGES
        for command in commands_in_blocks(page)
    )
    kept = [each for each in found if each.split()[0] not in RUN_ELSEWHERE and "--every" not in each]
    return sorted(
        kept, key=lambda each: (each.startswith("down"), "--dry-run" not in each and "down" in each)
    )


def test_every_documented_command_runs(healthy: Installation) -> None:
    """None is refused for what it says, and none is a mistake of ours; files go into a folder of the test."""
    healthy.put("events", "2026-01-31/part-00000.gz", event("a", 0) + b"\n")  # the one that pages speak of
    healthy.settle()
    healthy.run("watch", "--once")  # the past that `report` tells of
    commands = as_documented()
    assert len(commands) > 40
    wrong = {}
    for command in commands:
        done = healthy.run(*of_the_test(healthy, command), expect=None)
        if done.returncode != ENDS_OTHERWISE.get(command, 0):
            wrong[command] = f"{done.returncode}: {done.stderr[-400:]}"
    assert not wrong, "\n".join(f"{command}\n{said}" for command, said in wrong.items())


def of_the_test(at: Installation, command: str) -> list[str]:
    """The command's words on this installation: its stream, its connection, its folder, and nobody asked."""
    words = [
        in_folder(at, word.replace(STREAM_OF_THE_PAGE, "events"))
        for word in shlex.split(re.sub(r" --connection \S+", "", command))
    ]
    asks = words[0] in ASKING or words[0].startswith("step")
    return [*words, "--yes"] if asks and not {"--dry-run", "--yes"} & {*words} else words


def in_folder(at: Installation, word: str) -> str:
    """A file that is written goes into the test's folder."""
    found = re.fullmatch(r"((?:json|junit)=)?(?:/\S*/)?([\w.-]+\.(?:json|xml|html|prom))", word)
    return f"{found[1] or ''}{at.folder / found[2]}" if found else word


@pytest.mark.parametrize("task", RUN_ELSEWHERE)
def test_what_is_run_elsewhere_is_documented(task: str) -> None:
    assert any(f" {task}" in command for page in PAGES for command in commands_in_blocks(page))
