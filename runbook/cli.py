"""Between ``tasks.py`` and the commands: the settings out of Invoke's configuration, and the sandbox.

Part of the tasks: nothing else starts the sandbox.
"""

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runbook.errors import SettingsWrong
from runbook.running import ends
from runbook.settings import SANDBOX

SANDBOX_FOLDER = Path(os.environ.get("RUNBOOK_HOME", ".runbook")) / "sandbox"
GIVEN = "RUNBOOK_SANDBOX"
"""Set by ``invoke sandbox.env``: the environment already names a sandbox; start none."""


def run(config: Any, command: str, *, debug: bool = False, **options: Any) -> int:
    """The exit code of a command; errors are told, not raised."""
    return ends(lambda: _call(config, command, options), debug=debug)


def _call(config: Any, command: str, options: Mapping[str, Any]) -> int:
    if command.startswith("sandbox_"):
        return _SANDBOX[command]()
    if command == "demo":
        from runbook.demo import demo

        return demo(settings_of(config), SANDBOX_FOLDER)
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
    if os.environ.get(GIVEN):
        return
    point_at(_process().start(SANDBOX_FOLDER))


def point_at(tenant: Mapping[str, Any]) -> None:
    """Make the ordinary clients of this process talk to a tenant, and to nothing else."""
    process = _process()
    os.environ.update(process.env(SANDBOX_FOLDER, tenant))
    for name in process.unset():
        os.environ.pop(name, None)


def _process() -> Any:
    try:
        from runbook.sandbox import process
    except ImportError as error:
        raise _not_installed(error) from None
    return process


def _not_installed(error: ImportError) -> SettingsWrong:
    return SettingsWrong(
        "The sandbox is not installed",
        why=str(error),
        remedy="pip install 'snowpipe-runbook[sandbox]', or choose a live target with -f",
    )


def _start() -> int:
    tenant = _process().start(SANDBOX_FOLDER)
    _say(f"sandbox: AWS at {tenant['aws']['endpoint_url']}, Snowflake at {_host(tenant)}")
    _say('talk to it with: eval "$(invoke sandbox.env)"')
    return 0


def _stop() -> int:
    _say("stopped" if _process().stop(SANDBOX_FOLDER) else "there was none")
    return 0


def _status() -> int:
    tenant = _process().status(SANDBOX_FOLDER)
    if tenant is None:
        _say("not running; it starts by itself when a command needs it")
        return 1
    _say(f"running: AWS at {tenant['aws']['endpoint_url']}, Snowflake at {_host(tenant)}")
    return 0


def _env() -> int:
    process = _process()
    tenant = process.start(SANDBOX_FOLDER)
    for name in process.unset():
        _say(f"unset {name}")
    for name, value in process.env(SANDBOX_FOLDER, tenant).items():
        _say(f"export {name}={shlex.quote(value)}")
    return 0


def _reset() -> int:
    _process().reset(SANDBOX_FOLDER)
    _say("the sandbox is empty")
    return 0


def _host(tenant: Mapping[str, Any]) -> str:
    return f"{tenant['snowflake']['host']}:{tenant['snowflake']['port']}"


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

__all__ = ["enter_sandbox", "point_at", "run", "settings_of"]
