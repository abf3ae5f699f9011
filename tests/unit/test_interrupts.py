"""Ctrl-C that falls where Python can raise nothing still ends the command."""

import subprocess
import sys

import pytest

HEAD = """
import os, signal, sys, time, weakref
from runbook import interrupts
sys.unraisablehook = interrupts.lost
"""
FALLS_IN = {
    "a weak reference's callback": """
class Thing: pass
def callback(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(10): pass
thing = Thing()
kept = weakref.ref(thing, callback)
""",
    "a finaliser": """
class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10): pass
thing = Thing()
""",
}
AND_THEN = {
    "works": "while True: pass",
    "waits": "time.sleep(60)",
}


@pytest.mark.parametrize("then", AND_THEN)
@pytest.mark.parametrize("place", FALLS_IN)
def test_an_interrupt_is_not_lost(place: str, then: str) -> None:
    program = f"""{HEAD}{FALLS_IN[place]}
try:
    del thing
    {AND_THEN[then]}
except KeyboardInterrupt:
    sys.exit(130)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_other_errors_there_are_still_told() -> None:
    program = f"{HEAD}\nclass Thing:\n    def __del__(self): raise ValueError('broken')\nThing()\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "broken" in done.stderr


@pytest.mark.parametrize("of_ctrl_c", ["default_int_handler", "SIG_IGN"])
def test_sigterm_ends_a_command_as_ctrl_c_does(of_ctrl_c: str) -> None:
    program = f"""{HEAD}
from runbook.running import ends
signal.signal(signal.SIGINT, signal.{of_ctrl_c})
interrupts.heed_sigterm()
def hanging():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
sys.exit(ends(hanging))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "interrupted; nothing was changed by this command\n"


def test_sigterm_goes_where_ctrl_c_goes_and_takes_nobodys_place() -> None:
    program = f"""{HEAD}
signal.signal(signal.SIGTERM, lambda *_: print("theirs"))
interrupts.heed_sigterm()
os.kill(os.getpid(), signal.SIGTERM)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
interrupts.heed_sigterm()
signal.signal(signal.SIGINT, lambda *_: print("stops after this file"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "theirs\nstops after this file\n"), done.stderr
