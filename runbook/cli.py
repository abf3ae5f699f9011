"""Between ``tasks.py`` and the commands: the settings out of Invoke's configuration, and the sandbox.

Part of the tasks: nothing else starts the sandbox.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runbook.errors import CannotTell
from runbook.running import ends
from runbook.settings import SANDBOX

SANDBOX_FOLDER = Path(os.environ.get("RUNBOOK_HOME", ".runbook")) / "sandbox"
GIVEN = "RUNBOOK_SANDBOX_GIVEN"
"""When set, the environment already names a sandbox: start none, point at none."""


def run(config: Any, command: str, *, debug: bool = False, **options: Any) -> int:
    """The exit code of a command; errors are told, not raised."""
    return ends(lambda: _call(config, command, options), debug=debug)


def _call(config: Any, command: str, options: Mapping[str, Any]) -> int:
    if command.startswith("sandbox_"):
        return _SANDBOX[command]()
    if command == "demo":
        from runbook.demo import demo

        return demo(settings_of(config), _asked("reset").tenant, point_at)
    from runbook import commands

    settings = settings_of(config)
    if settings.get("target") == SANDBOX and command != "sql":
        enter_sandbox()
    code: int = getattr(commands, command)(settings, **options)
    return code


def settings_of(config: Any) -> dict[str, Any]:
    """Our part of Invoke's configuration: everything Invoke does not use itself."""
    from invoke.config import Config

    theirs = Config.global_defaults()
    return {key: _plain(value) for key, value in dict(config).items() if key not in theirs}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) or hasattr(value, "_config"):
        return {key: _plain(inner) for key, inner in dict(value).items()}
    return value


def enter_sandbox() -> None:
    """Point this process at the sandbox, starting it if need be; leave a given one as it is."""
    if not os.environ.get(GIVEN):
        point_at(_asked("start").tenant)


def point_at(tenant: Mapping[str, Any]) -> None:
    """Make the ordinary clients of this process talk to a tenant, and to nothing else."""
    process = _process()
    for name in process.unset():
        os.environ.pop(name, None)
    os.environ.update(process.env(SANDBOX_FOLDER, tenant))


def _asked(verb: str) -> Any:
    """One of the process's verbs on this checkout's sandbox; raises CannotTell with its reason."""
    process = _process()
    try:
        return getattr(process, verb)(SANDBOX_FOLDER)
    except process.SandboxUnavailable as error:
        raise CannotTell("The sandbox cannot be used", why=str(error)) from None


def _process() -> Any:
    from runbook.sandbox import process

    return process


def _start() -> int:
    _where(_asked("start"))
    _say('talk to it with: eval "$(invoke sandbox.env)"')
    return 0


def _stop() -> int:
    _say("stopped" if _asked("stop") else "there was none")
    return 0


def _status() -> int:
    found = _asked("status")
    if found is None:
        _say("not running; it starts by itself when a command needs it")
        return 1
    _where(found)
    return 0


def _env() -> int:
    process = _process()
    for name in process.unset():
        _say(f"unset {name}")
    for name, value in process.env(SANDBOX_FOLDER, _asked("start").tenant).items():
        _say(f"export {name}={shlex.quote(value)}")
    return 0


def _reset() -> int:
    _asked("reset")
    _say("the sandbox is empty")
    return 0


def _where(found: Any) -> None:
    snowflake = found.tenant["snowflake"]
    _say(f"AWS side:       {found.tenant['aws']['endpoint_url']}")
    _say(f"Snowflake side: http://{snowflake['host']}:{snowflake['port']} (connection sandbox)")


def _say(text: str) -> None:
    from runbook.terminal import say

    say(text)


_SANDBOX: dict[str, Callable[[], int]] = {
    "sandbox_start": _start,
    "sandbox_stop": _stop,
    "sandbox_status": _status,
    "sandbox_env": _env,
    "sandbox_reset": _reset,
}
