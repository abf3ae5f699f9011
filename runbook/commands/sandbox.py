"""The `sandbox` tasks: the one place that starts a sandbox, and knows where it runs.

The sandbox is a program of its own (``sandbox/``), in this environment or in another one, and is met by its
command line and by the address in its state file alone.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from runbook.errors import CannotTell, SettingsWrong
from runbook.invocation import HERE, home
from runbook.settings import SANDBOX
from runbook.terminal import note, say, say_as_is, say_secret

PROGRAM = "snowpipe_sandbox"
PYTHON = "RUNBOOK_SANDBOX_PYTHON"
"""The Python of the environment where the sandbox is installed, where that is not this one."""
GIVEN = "RUNBOOK_SANDBOX_GIVEN"
"""When set, the environment already names a sandbox: start none, point at none."""
ASKED = "RUNBOOK_SANDBOX"
"""Set by ``invoke sandbox.env``: in this shell the sandbox is what is meant."""

State = Mapping[str, Any]


def enter() -> None:
    """Point this process at the sandbox, starting it if need be; leave a given one as it is.

    Raises SettingsWrong where nobody asked for it: what is forgotten in a schedule or a CI job is the live
    target, and a sandbox would be found healthy in its place.
    """
    if os.environ.get(GIVEN):
        return
    if not (_is_asked_for() or _is_attended()):
        raise SettingsWrong(
            "No target is chosen, and nobody is at a terminal who could have meant the sandbox",
            remedy=f"for a live target {HERE.program} -f environments/NAME.yaml TASK, or "
            "INVOKE_RUNTIME_CONFIG=environments/NAME.yaml; for the sandbox INVOKE_TARGET=sandbox",
        )
    point_at(_started())


def _is_asked_for() -> bool:
    """Whether the sandbox was named: by the -f file, by the target's variable, or by ``sandbox.env``."""
    return bool(HERE.file) or os.environ.get("INVOKE_TARGET") == SANDBOX or bool(os.environ.get(ASKED))


def _is_attended() -> bool:
    """Whether a person is at a terminal: none is in a CI job, whatever terminal it pretends to have."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false", "no"):
        return False
    return any(_is_terminal(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))


def _is_terminal(stream: Any) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def point_at(state: State) -> None:
    """Make the ordinary clients of this process talk to the sandbox, and to nothing else."""
    for name in state["unset"]:
        os.environ.pop(name, None)
    os.environ.update({**state["environment"], **_past_the_proxy()})


def afresh() -> State:
    """The sandbox, emptied."""
    found: State = _told("reset")
    return found


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a module of the sandbox's package says on its command line; raises CannotTell, not installed."""
    python = os.environ.get(PYTHON) or sys.executable
    if python == sys.executable and find_spec(PROGRAM) is None:
        raise CannotTell(
            "The sandbox is not installed",
            why="It is a package of its own: snowpipe-sandbox",
            remedy=f"pip install ./sandbox in a checkout (or its wheel), or set {PYTHON} "
            "to the Python of the environment where it is installed",
        )
    try:
        return subprocess.run(  # noqa: S603 (this environment's Python, or the one the user named)
            [python, "-m", *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CannotTell(
            "The sandbox cannot be started",
            where=python,
            why=error.strerror or str(error),
            remedy=f"correct {PYTHON}",
        ) from None


@contextmanager
def apart(folder: Path) -> Iterator[State]:
    """A sandbox of its own for this process alone, stopped at the end; the other one stays as it is."""
    state: State = _told("start", folder)
    try:
        point_at(state)
        yield state
    finally:
        _told("stop", folder)


def settle(state: State) -> None:
    """Let the pipes finish what has been announced; raises CannotTell when they do not."""
    request = Request(  # noqa: S310 (the sandbox's own loopback address)
        f"{state['tenant']['control_url']}/settle",
        data=json.dumps({"timeout_s": 60}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=90) as answer:  # noqa: S310
        if not json.load(answer)["settled"]:
            raise CannotTell("The sandbox's pipes did not come to rest within a minute")


def _told(verb: str, folder: Path | None = None) -> Any:
    """What the sandbox's command line answers to a verb; raises CannotTell with its reason."""
    done = program(PROGRAM, verb, "--dir", str(folder or _folder()))
    if done.returncode:
        why = done.stderr.strip().rpartition("Error: ")[2] or f"exit code {done.returncode}"
        raise CannotTell("The sandbox cannot be used", why=why)
    return json.loads(done.stdout)


def _folder() -> Path:
    return home().resolve() / "sandbox"


def _started() -> State:
    if found := _found():
        return found
    note(_starts())
    made: State = _told("start")
    return made


def _starts() -> str:
    """That an empty sandbox starts, and where; and that the one of the project folder is another one."""
    folder = HERE.project.resolve() / ".runbook" / "sandbox"
    said = f"A sandbox starts in {_folder()}, with nothing in it."
    if folder == _folder() or _found(folder) is None:
        return said
    return f"{said} The one in {folder} is another one, and goes on: RUNBOOK_HOME names another folder."


def _found(folder: Path | None = None) -> State | None:
    """The sandbox whose address is in the state file, if it answers there. Only reads."""
    try:
        state: State = json.loads(((folder or _folder()) / "sandbox.json").read_text())
        return state if _answers(state) else None
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None


def _answers(state: State) -> bool:
    """Whether the process that wrote the state file answers at its address."""
    control = urlsplit(state["control_url"])
    connection = HTTPConnection(control.hostname or "", control.port, timeout=30)
    try:
        connection.request("GET", control.path)
        return bool(json.loads(connection.getresponse().read())["pid"] == state["pid"])
    finally:
        connection.close()


def _past_the_proxy() -> dict[str, str]:
    """NO_PROXY in both spellings, with what it has: a company's proxy does not reach this machine's loopback.

    Source: https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies
    """
    there = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in there.split(",") if host.strip()]
    hosts += [host for host in ("127.0.0.1", "localhost", "::1") if host not in hosts]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))


def start() -> int:
    """Start the sandbox where none runs, and say where it is."""
    _say_where(_started())
    say('talk to it with: eval "$(invoke sandbox.env)"')
    return 0


def stop() -> int:
    """Stop the sandbox; what was in it is gone."""
    say("stopped" if _found() and _told("stop")["stopped"] else "there was none")
    return 0


def status() -> int:
    """Say whether the sandbox runs, and where; 1 when it does not."""
    found = _found()
    if found is None:
        say("not running; it starts by itself when a command needs it")
        return 1
    _say_where(found)
    return 0


def env() -> int:
    """Print the variables that any client needs."""
    state = _started()
    for name in state["unset"]:
        say_as_is(f"unset {name}")
    for name, value in {**state["environment"], **_past_the_proxy(), ASKED: "asked"}.items():
        say_secret(f"export {name}={shlex.quote(value)}")
    return 0


def reset() -> int:
    """Empty the sandbox."""
    afresh()
    say("the sandbox is empty")
    return 0


def _say_where(state: State) -> None:
    snowflake = state["tenant"]["snowflake"]
    say(f"AWS side:       {state['tenant']['aws']['endpoint_url']}")
    say(f"Snowflake side: http://{snowflake['host']}:{snowflake['port']} (connection sandbox)")
