"""Between ``tasks.py`` and the commands: the settings out of Invoke's configuration, and the sandbox.

Part of the tasks: nothing else starts the sandbox.
"""

import os
import re
import shlex
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.errors import CannotTell, RunbookError, SettingsWrong
from runbook.invocation import HERE, home
from runbook.running import ends
from runbook.settings import SANDBOX
from runbook.terminal import Style, note, say, say_as_is, say_secret, silence, wrapped

GIVEN = "RUNBOOK_SANDBOX_GIVEN"
"""When set, the environment already names a sandbox: start none, point at none."""
ASKED = "RUNBOOK_SANDBOX"
"""Set by ``invoke sandbox.env``: in this shell the sandbox is what is meant."""
RUNTIME_CONFIG = "INVOKE_RUNTIME_CONFIG"
"""The environment file that Invoke reads where no -f is given."""
WITHOUT_TARGET = ("sql", "runs")
"""Commands that contact nobody, and need no sandbox."""
REPORTING = ("verify", "check_pipe")
"""Commands that write a report in each format asked for, however they end."""
ONLY_READ = ("plan", "doctor", *REPORTING, "status", "watch", "runs", "sql")
"""Commands that change nothing on a cloud or on disk: a dry run of them is they themselves."""


def run(config: Any, command: str, *, debug: bool = False, **options: Any) -> int:
    """The exit code of a command; errors are told, not raised."""
    warnings.showwarning = _tell_warning
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: >&-
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (open as long as we run)
    # the connector's own threads; their caller tells what failed
    threading.excepthook = _tell_thread if debug else lambda _: None
    _here(config)
    return ends(lambda: _reported(config, command, options), debug=debug, leave=_leave)


def _here(config: Any) -> None:
    """Note where this process was called: the project folder, and the settings file that was given."""
    folder = Path(getattr(config, "_project_prefix", None) or "")
    HERE.project = Path() if folder.resolve() == Path.cwd() else folder.resolve()
    HERE.file = str(getattr(config, "_runtime_path", None) or "")


def _reported(config: Any, command: str, options: Mapping[str, Any]) -> int:
    """The command; where it is verify, each format asked for is written however it ends."""
    if command not in REPORTING:
        return _call(config, command, options)
    from runbook.verify.command import in_every_format

    target = str(config.get("target", "")) if _names_target(config) else HERE.file
    return in_every_format(
        options["formats"], options.get("output"), target, lambda: _call(config, command, options)
    )


def refused(error: RunbookError, arguments: Sequence[str]) -> int:
    """Tell why a command line is refused before any of its tasks; the exit code."""
    return ends(lambda: _raised(error, arguments), debug="--debug" in arguments)


def _raised(error: RunbookError, arguments: Sequence[str]) -> int:
    """Raises the error; where the line asks verify for formats, each is written first."""

    def action() -> int:
        raise error

    if not {"verify", "check"} & set(arguments):
        return action()
    from runbook.verify.command import asked_for, in_every_format

    formats, output = asked_for(arguments)
    return in_every_format(formats, output, _runtime_file(arguments) or "unknown", action)


def unreadable(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell what Invoke could not read before any task ran; the exit code."""

    def told() -> int:
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, BrokenPipeError):  # invoke --list | head: the reader has seen enough
            silence(sys.stdout)
            return 0
        if isinstance(error, ModuleNotFoundError):
            raise SettingsWrong(
                f"The package {error.name} is not installed", remedy="pip install -e '.[sandbox]'"
            ) from error
        wrong = SettingsWrong(
            "The settings or the command line cannot be read",
            where=_runtime_file(arguments),
            why=_in_words(error),
            remedy="invoke.yaml shows the sections, and invoke --help TASK the flags",
        )
        wrong.__cause__ = error
        return _raised(wrong, arguments)

    return ends(told, debug="--debug" in arguments)


def _runtime_file(arguments: Sequence[str]) -> str:
    """The file after -f or --config, as far as the words tell."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in ("-f", "--config"):
            return following
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return os.environ.get("INVOKE_RUNTIME_CONFIG", "")


def _in_words(error: BaseException) -> str:
    from invoke.config import AmbiguousMergeError
    from invoke.exceptions import UnknownFileType

    if isinstance(error, AmbiguousMergeError):
        return "A section (aws, snowflake, streams or one of them, checks) is a single value there"
    if isinstance(error, UnknownFileType) or "_load_" in str(error):
        return "A settings file's name ends in .yaml"
    if word := re.search(r"(?:with base 10|to float): ('.*')", str(error)):
        return f"{word[1]} is no number"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _tell_thread(failed: threading.ExceptHookArgs) -> None:
    note("".join(traceback.format_exception(failed.exc_value)) if failed.exc_value else str(failed.exc_type))


def _tell_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A library's warning as one paragraph, without the line of source that Python adds."""
    style = Style.of(sys.stderr)
    note(wrapped("warning: ", " ".join(str(message).split()), style, colour="yellow"))


def _leave(code: int) -> None:
    """End this process now: after Ctrl-C nobody waits for reads that are still under way."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _call(config: Any, command: str, options: Mapping[str, Any]) -> int:
    options = _obeying(config, command, options)
    if command.startswith("sandbox_"):
        return _SANDBOX[command]()
    settings = settings_of(config)
    if command == "demo":
        from runbook.demo import demo

        if settings.get("target") != SANDBOX:
            raise SettingsWrong("The demo plays on the sandbox only", remedy="leave out -f")
        return demo(settings, _asked("reset").tenant, point_at)
    if (
        settings.get("target") == SANDBOX
        and command not in WITHOUT_TARGET
        and _by_settings(settings, options)
    ):
        enter_sandbox()
    from runbook import commands

    code: int = getattr(commands, command)(settings, **options)
    return code


def _by_settings(settings: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether a command works on the settings' own target, and on no connection that it was given."""
    return options.get("connection") in (None, settings["snowflake"]["connection"])


def _obeying(config: Any, command: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, with Invoke's own dry run obeyed; raises SettingsWrong for a command that has none."""
    if not config.run.dry:
        return options
    if "dry_run" in options:
        return {**options, "dry_run": True}
    if command in ONLY_READ and not options.get("canary"):
        return options
    canary = " --canary" if options.get("canary") else ""
    raise SettingsWrong(
        f"`invoke {command.replace('sandbox_', 'sandbox.')}{canary}` has no dry run",
        why="Invoke's own dry run is on (--dry, -R, INVOKE_RUN_DRY or run.dry); nothing was done",
        remedy="run it without",
    )


def settings_of(config: Any) -> dict[str, Any]:
    """Our part of Invoke's configuration: everything Invoke does not use itself.

    Raises SettingsWrong, before anything is started or contacted: a -f file that is not there, an
    INVOKE_ variable that sets nothing (Invoke passes over both in silence), or a wrong setting.
    """
    from invoke.config import Config

    whole = {key: _plain(value) for key, value in dict(config).items()}
    theirs = Config.global_defaults()
    settings = {key: value for key, value in whole.items() if key not in theirs}
    file = getattr(config, "_runtime_path", None)
    if file and not getattr(config, "_runtime_found", True):
        raise SettingsWrong("The settings file does not exist", where=str(file), remedy="correct -f")
    known = {f"INVOKE_{name}" for name in _variables(whole)}
    ours = {f"INVOKE_{name}" for name in _variables(settings)}
    given = [name for name in os.environ if name.startswith("INVOKE_")]
    for name in sorted(set(given) - known - {"INVOKE_RUNTIME_CONFIG", "INVOKE_DEBUG"}):
        close = get_close_matches(name, ours, n=1, cutoff=0.75)
        raise SettingsWrong(
            f"The variable {name} sets nothing",
            why="No single value has that name in invoke.yaml",
            remedy=f"unset it{f', or set {close[0]}, if that was meant' if close else ''}",
        )
    files = ", ".join(["invoke.yaml", *([str(file)] if file else [])])
    reading.read(settings, source=files, variables=ours & set(given))
    if not _names_target(config):
        raise SettingsWrong(
            "The settings file names no target",
            where=str(file),
            why="Nothing says which installation it describes",
            remedy="write target: and a name into it (target: sandbox, where that is meant)",
        )
    return settings


def _names_target(config: Any) -> bool:
    """Whether the -f file, where one is given, says what its target is called."""
    file = getattr(config, "_runtime_path", None)
    return not file or bool((getattr(config, "_runtime", None) or {}).get("target"))


def _variables(settings: Mapping[Any, Any], path: str = "") -> Iterator[str]:
    """The names of the variables Invoke takes for these settings, without INVOKE_."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _variables(value, f"{path}{key}_")
        else:
            yield f"{path}{key}".upper()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) or hasattr(value, "_config"):
        return {key: _plain(inner) for key, inner in dict(value).items()}
    return value


def enter_sandbox() -> None:
    """Point this process at the sandbox, starting it if need be; leave a given one as it is.

    Raises SettingsWrong where nobody asked for it: what is forgotten in a schedule or a CI job is the live
    target, and a sandbox would be found healthy in its place.
    """
    if os.environ.get(GIVEN):
        return
    if not (_sandbox_is_asked_for() or _is_attended()):
        raise SettingsWrong(
            "No target is chosen, and nobody is at a terminal who could have meant the sandbox",
            remedy=f"for a live target invoke -f environments/NAME.yaml TASK, or {RUNTIME_CONFIG}="
            "environments/NAME.yaml; for the sandbox INVOKE_TARGET=sandbox",
        )
    point_at(_asked("start").tenant)


def _sandbox_is_asked_for() -> bool:
    """Whether the sandbox was named: by the -f file, by the target's variable, or by ``sandbox.env``."""
    return bool(HERE.file) or os.environ.get("INVOKE_TARGET") == SANDBOX or bool(os.environ.get(ASKED))


def _is_attended() -> bool:
    """Whether a person is at a terminal: none is in a CI job, whatever terminal it pretends to have."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false", "no"):
        return False
    return any(_is_terminal(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))


def _is_terminal(stream: Any) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def point_at(tenant: Mapping[str, Any]) -> None:
    """Make the ordinary clients of this process talk to a tenant, and to nothing else."""
    process = _process()
    for name in process.unset():
        os.environ.pop(name, None)
    os.environ.update(process.env(home().resolve() / "sandbox", tenant))


def _asked(verb: str) -> Any:
    """One of the process's verbs on this checkout's sandbox; raises CannotTell with its reason."""
    process = _process()
    try:
        return getattr(process, verb)(home().resolve() / "sandbox")
    except process.SandboxUnavailable as error:
        raise CannotTell("The sandbox cannot be used", why=str(error)) from None


def _process() -> Any:
    from runbook.sandbox import process

    return process


def _start() -> int:
    _where(_asked("start"))
    say('talk to it with: eval "$(invoke sandbox.env)"')
    return 0


def _stop() -> int:
    say("stopped" if _asked("stop") else "there was none")
    return 0


def _status() -> int:
    found = _asked("status")
    if found is None:
        say("not running; it starts by itself when a command needs it")
        return 1
    _where(found)
    return 0


def _env() -> int:
    process = _process()
    tenant = _asked("start").tenant
    for name in process.unset():
        say_as_is(f"unset {name}")
    for name, value in {**process.env(home().resolve() / "sandbox", tenant), ASKED: "asked"}.items():
        say_secret(f"export {name}={shlex.quote(value)}")
    return 0


def _reset() -> int:
    _asked("reset")
    say("the sandbox is empty")
    return 0


def _where(found: Any) -> None:
    snowflake = found.tenant["snowflake"]
    say(f"AWS side:       {found.tenant['aws']['endpoint_url']}")
    say(f"Snowflake side: http://{snowflake['host']}:{snowflake['port']} (connection sandbox)")


_SANDBOX: dict[str, Callable[[], int]] = {
    "sandbox_start": _start,
    "sandbox_stop": _stop,
    "sandbox_status": _status,
    "sandbox_env": _env,
    "sandbox_reset": _reset,
}
