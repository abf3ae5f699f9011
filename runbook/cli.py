"""Between ``tasks.py`` and the commands: the settings out of Invoke's configuration, and how errors end."""

import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.errors import RunbookError, SettingsWrong
from runbook.interrupts import heed_sigterm
from runbook.invocation import HERE
from runbook.running import ends
from runbook.settings import SANDBOX
from runbook.terminal import Style, note, silence, wrapped

RUNTIME_CONFIG = "INVOKE_RUNTIME_CONFIG"
"""The environment file that Invoke reads where no -f is given."""
LEADING = ("INVOKE_TARGET", "INVOKE_AWS_", "INVOKE_SNOWFLAKE_", "INVOKE_STREAMS_")
"""Variables that turn what a file describes into another installation."""
WITHOUT_TARGET = ("settings", "sql", "runs", "report", "compare")
"""Commands that contact nobody, and need no sandbox, or one of their own."""
REPORTING = ("verify", "check")
"""Commands that write a report in each format asked for, however they end."""
ONLY_READ = (
    "plan",
    "doctor",
    *REPORTING,
    "status",
    "explain",
    "report",
    "runs",
    "settings",
    "sql",
    "compare",
)
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
    heed_sigterm()
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
    from runbook.commands.verify import in_every_format

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
    from runbook.commands.verify import asked_for, in_every_format

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
                f"The package {error.name} is not installed",
                remedy=f"pip install {error.name}, in the runbook's environment",
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
    return os.environ.get(RUNTIME_CONFIG, "")


def _in_words(error: BaseException) -> str:
    from invoke.config import AmbiguousMergeError
    from invoke.exceptions import UnknownFileType

    if isinstance(error, AmbiguousMergeError):
        return "A section (aws, snowflake, streams or one of them, checks) is a single value there"
    if isinstance(error, AttributeError) and "has no attribute 'items'" in str(error):
        return "The file holds a single value or a list, where keys with values stand, such as target: prod"
    if isinstance(error, UnknownFileType) or "_load_" in str(error):
        return "A settings file's name ends in .yaml"
    if word := re.search(r"(?:with base 10|to float): ('.*')", str(error)):
        return f"{word[1]} is not a number"
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
    module, _, verb = command.partition("sandbox_")
    if verb:
        return _function("sandbox", verb)()
    settings = settings_of(config)
    is_sandbox = settings.get("target") == SANDBOX
    if command == "demo":
        if not is_sandbox:
            raise SettingsWrong("The demo plays on the sandbox only", remedy="leave out -f")
    elif is_sandbox and _asks_the_clouds(command, options) and _by_settings(settings, options):
        _function("sandbox", "enter")()
    return _function(module, module)(settings, **options)


def _asks_the_clouds(command: str, options: Mapping[str, Any]) -> bool:
    """Whether a command contacts anybody: not where it only tells again what was recorded."""
    return command not in WITHOUT_TARGET and options.get("replay") is None


def _function(module: str, name: str) -> Callable[..., int]:
    """A command's function, out of the module named as the command; no other command is imported."""
    found: Callable[..., int] = getattr(import_module(f"runbook.commands.{module}"), name)
    return found


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
    for each in (getattr(config, "_project_path", None), file):
        if each:
            _refuse_what_yaml_reads_otherwise(Path(each))
    known = {f"INVOKE_{name}" for name in _variables(whole)}
    ours = {f"INVOKE_{name}" for name in _variables(settings)}
    given = [name for name in os.environ if name.startswith("INVOKE_")]
    for name in sorted(set(given) - known - {RUNTIME_CONFIG, "INVOKE_DEBUG"}):
        close = get_close_matches(name, ours, n=1, cutoff=0.75)
        raise SettingsWrong(
            f"The variable {name} sets nothing",
            why="No single value has that name in invoke.yaml",
            remedy=f"unset it{f', or set {close[0]}, if that was meant' if close else ''}",
        )
    HERE.variables = _leading(config, ours & set(given)) if file else ()
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


def _leading(config: Any, variables: set[str]) -> tuple[tuple[str, str], ...]:
    """Those variables that turn what a file describes into another installation; the file's own values win.

    Source: https://docs.pyinvoke.org/en/stable/concepts/configuration.html#the-configuration-hierarchy
    """
    collection, project, in_file = (
        dict(_named(_plain(getattr(config, level, None) or {})))
        for level in ("_collection", "_project", "_runtime")
    )
    default = {**collection, **project}
    leading = (
        name
        for name in sorted(variables)
        if name.startswith(LEADING)
        and name.removeprefix("INVOKE_") not in in_file
        and str(default.get(name.removeprefix("INVOKE_"))) != os.environ[name]
    )
    return tuple((name, os.environ[name]) for name in leading)


_ANOTHER_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+)")
"""What YAML 1.1 reads in base 8 or in base 60. https://yaml.org/type/int.html"""


def _refuse_what_yaml_reads_otherwise(file: Path) -> None:
    """Raises SettingsWrong where YAML makes in silence another thing of the file than is written there.

    Of a section or a value that stands twice it takes the last; ``015`` is 13 to it, and ``1:30`` is 90.
    Source: https://yaml.org/spec/1.2.2/#3213-node-comparison (the keys of a mapping must be unique)
    """
    import yaml

    if file.suffix not in (".yaml", ".yml") or not file.is_file():
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nodes, seen = [yaml.compose(file.read_text(encoding="utf-8"), Loader=loader)], set[int]()
    while nodes:
        node, lines = nodes.pop(), dict[str, int]()
        if id(node) in seen:  # an alias, which may even be of what it stands in
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:int":
            _refuse_another_number(file, node)
        for key, inner in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            if key.value in lines:
                raise SettingsWrong(
                    f"The key {key.value} stands twice",
                    where=f"{file}, lines {lines[key.value]} and {line}",
                    why="Only one of the two would count",
                    remedy="make one of the two",
                )
            lines[str(key.value)] = line
            nodes.append(inner)


def _refuse_another_number(file: Path, node: Any) -> None:
    import yaml

    if _ANOTHER_NUMBER.fullmatch(node.value) and node.value.strip("0"):
        raise SettingsWrong(
            f"The value {node.value} is {yaml.safe_load(node.value)} to YAML",
            where=f"{file}, line {node.start_mark.line + 1}",
            why="A number that begins with 0 is read in base 8, and one with colons in base 60",
            remedy="write the number that is meant, or the text in quotes",
        )


def _names_target(config: Any) -> bool:
    """Whether the -f file, where one is given, says what its target is called."""
    file = getattr(config, "_runtime_path", None)
    return not file or bool((getattr(config, "_runtime", None) or {}).get("target"))


def _variables(settings: Mapping[Any, Any]) -> Iterator[str]:
    """The names of the variables Invoke takes for these settings, without INVOKE_."""
    return (name for name, _ in _named(settings))


def _named(settings: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Each single value with the name of its variable, without INVOKE_."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{path}{key}_")
        else:
            yield f"{path}{key}".upper(), value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) or hasattr(value, "_config"):
        return {key: _plain(inner) for key, inner in dict(value).items()}
    return value
