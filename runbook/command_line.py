"""The command line, read before Invoke reads it: refused whole where it does not say what was meant.

Invoke binds a flag to the task before it, gives the next word to a flag whatever that word is, and takes its
own switches anywhere without using most of them. Here a line is refused before any of its tasks runs: an
unknown task or flag with the nearest name, a missing value, a switch of Invoke's that would do nothing, and
a line of several tasks in which --dry-run, --yes or --stream follows only some of them.

Source: https://docs.pyinvoke.org/en/stable/concepts/invoking-tasks.html
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from runbook.errors import SettingsWrong
from runbook.invocation import HERE

HELP = ("--help", "-h")
AFTER_A_TASK = {"config", "dry", "list"}
"""Invoke's own switches that do after a task what they do before it."""
OF_SHELL_COMMANDS = {"command-timeout", "echo", "hide", "prompt-for-sudo-password", "pty", "warn-only"}
"""Invoke's own switches for the shell commands a task runs; only lint runs any."""
ALIKE = ("--dry-run", "--yes", "--stream")
"""Flags that must follow every task of a line that changes something, or none of them."""
READING = (
    "plan",
    "check",
    "doctor",
    "verify",
    "status",
    "explain",
    "watch",
    "report",
    "runs",
    "settings",
    "sql",
    "compare",
    "lint",
    "sandbox.status",
)
FORMATS = ("table", "json", "junit", "tap", "nagios", "prometheus")
REQUIRED = {"backfill": "--pattern", "replace-pipe": "--stream", "check": "--pipe", "explain": "--key"}


@dataclass
class Called:
    """One task of a line, and the flags that follow it, each with its value (True for a switch)."""

    task: str
    context: Any
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether the task may change something, as it is called here."""
        return self.task not in READING or "--canary" in self.given

    @property
    def words(self) -> str:
        """The task and its flags as they are typed."""
        pairs = [[flag] if value is True else [flag, value] for flag, value in self.given.items()]
        return shlex.join([self.task, *(word for pair in pairs for word in pair)])


def checked(program: Any, collection: Any) -> None:
    """Read what a running ``invoke`` was given; raises SettingsWrong where it does not say what was meant.

    A line that asks for help anywhere becomes one that only helps.
    """
    core = program.core[0].args
    HERE.root = core["search-root"].value or "" if "search-root" in core else ""
    HERE.collection = core["collection"].value or "" if "collection" in core else ""
    HERE.file = core["config"].value or HERE.file
    words: list[str] = program.core.unparsed
    named = [value for value in (core["help"].value, core["list"].value) if isinstance(value, str)]
    if core["complete"].value:
        return
    _one_file(program.argv)
    if not (words or named):
        _no_task_at_all(program, collection)
        return
    taken = deepcopy(collection).to_contexts()  # Invoke takes each help text out of the task as it reads it
    contexts = {name: context for context in taken for name in _names(context)}
    if helped := _asks_for_help(words, contexts):
        core["help"].value, words[:] = helped, []  # as if it stood before: a task's own words may be missing
        return
    _no_such_help(core["help"].value, core["list"].value, contexts, collection)
    own = program.initial_context
    line = list(_read(words, contexts, own))
    if program.core.remainder:
        raise SettingsWrong(
            "What stands after -- means nothing here", remedy=f"leave out -- {program.core.remainder}"
        )
    _means_something([arg.name for arg in core.values() if arg.got_value], line)
    for one in line:
        _is_whole(one)
    _all_alike(line)


def _no_task_at_all(program: Any, collection: Any) -> None:
    """Raises SettingsWrong for a line without a task: Invoke would print its help and end with 0."""
    core = program.core[0].args
    file, behind = core["config"].value, program.core.remainder
    if core["list"].value or core["help"].value or (file is None and not behind):
        return
    lost = behind or (file if file in collection.task_names else "")
    raise SettingsWrong(
        "No task is given",
        why=f"{lost!r} is taken for what follows --" if behind else f"{file!r} is taken for the file of -f",
        remedy=f"invoke {'' if behind else '-f FILE '}{lost or 'TASK'}",
    )


def _names(context: Any) -> list[str]:
    return [context.name, *context.aliases]


def _asks_for_help(words: Sequence[str], contexts: dict[str, Any]) -> str:
    """The task that help is asked for; empty where it is not, or for no task that exists."""
    for number, word in enumerate(words):
        if word in HELP:
            before = [task for task in words[:number] if task in contexts]
            return before[-1] if before else ""
    return ""


def _no_such_help(helped: object, listed: object, contexts: dict[str, Any], collection: Any) -> None:
    if isinstance(helped, str) and helped not in contexts:
        raise _no_task(helped, contexts)
    if isinstance(listed, str) and listed not in collection.collections:
        raise SettingsWrong(f"There is no group of tasks {listed!r}", remedy="see invoke --list")


# -- reading -----------------------------------------------------------------------------------------------


def _read(words: Sequence[str], contexts: dict[str, Any], own: Any) -> Iterator[Called]:
    """The tasks of a line with their flags, by Invoke's rules; raises SettingsWrong for any other word."""
    one: Called | None = None
    for flag, value in _pairs(words, contexts, own):
        if value is None:
            if one:
                yield one
            one = Called(flag, contexts[flag])
        elif one and flag in one.context.flags:
            _once(one, flag)
            _is_number(one, flag, value)
            one.given[flag] = value
    if one:
        yield one


def _one_file(words: Sequence[str]) -> None:
    """Raises SettingsWrong where -f is given twice (Invoke takes the second file for a task) or empty."""
    short = [word for word in words if word.startswith("-f")]
    if len(short) + sum(word.partition("=")[0] == "--config" for word in words) > 1:
        raise SettingsWrong(
            "-f is given twice",
            remedy="one environment file a line; a flag of a task is written out, such as --format",
        )
    if any(
        word == "--config=" or (word in ("-f", "--config") and not following)
        for word, following in pairwise([*words, "the end"])
    ):
        raise SettingsWrong(
            "-f names no file", why="What follows it is empty", remedy="-f environments/NAME.yaml"
        )


def _once(one: Called, flag: str) -> None:
    if flag in one.given and one.context.flags[flag].kind is not list:
        raise SettingsWrong(f"{flag} is given twice after {one.task}", remedy="give it once")


def _is_number(one: Called, flag: str, value: str) -> None:
    """Raises SettingsWrong where a flag that takes a number is given anything else."""
    if one.context.flags[flag].kind is int and not value.lstrip("-").isdecimal():
        raise SettingsWrong(
            f"{flag} {value!r} is not a whole number",
            where=f"invoke {one.task}",
            remedy=f"{flag} NUMBER; invoke {one.task} --help says of what",
        )


def _pairs(words: Sequence[str], contexts: dict[str, Any], own: Any) -> Iterator[tuple[str, Any]]:
    """Each task with None, and each flag with its value; raises SettingsWrong for what is neither."""
    task, rest, places = "", list(words), list[Any]()
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") and places:
            yield f"--{places.pop(0).name}", word
            continue
        if not word.startswith("-"):
            if word not in contexts:
                raise _no_task(word, contexts, after=task)
            task, places = word, list(contexts[word].positional_args)
            yield word, None
            continue
        flag, has_value, value = word.partition("=")
        argument = _argument(flag, task, contexts, own)
        if not argument.takes_value:
            if has_value:
                raise SettingsWrong(f"{flag} takes no value", remedy=f"{flag} alone, or leave it out")
            yield flag, True
        elif has_value:
            yield flag, value
        elif rest and _is_value(rest[0], argument):
            yield flag, rest.pop(0)
        elif not argument.optional:
            raise _no_value(flag, task, rest)


def _argument(flag: str, task: str, contexts: dict[str, Any], own: Any) -> Any:
    """The flag of the task, or Invoke's own; raises SettingsWrong where it is neither."""
    if task and flag in contexts[task].flags:
        return contexts[task].flags[flag]
    found = None
    if flag in own.flags:  # a Lexicon: its get() knows no short names
        found = own.flags[flag]
    if found is not None and (not task or found.name in AFTER_A_TASK):
        return found
    flags = contexts[task].flags if task else own.flags
    whose = f"`invoke {task}`" if task else "invoke"
    letter = [name for name in flags if name.startswith(f"-{flag}")] if len(flag) == 2 else []
    close = " or ".join(letter or get_close_matches(flag, flags, n=1, cutoff=0.5))
    raise SettingsWrong(
        f"There is no flag {flag} of {whose}",
        why="Invoke's own switches stand before the task" if found is not None else "",
        remedy=(f"{close}, if that was meant; " if close else "")
        + (f"invoke {task} --help lists its flags" if task else "invoke --help lists them"),
    )


def _is_value(word: str, argument: Any) -> bool:
    """Whether a word can be what a flag waits for: a number below zero can, another flag cannot."""
    return not word.startswith("-") or word == "-" or (argument.kind is int and word[1:].isdigit())


def _no_value(flag: str, task: str, rest: Sequence[str]) -> SettingsWrong:
    return SettingsWrong(
        f"{flag} needs a value" + (f", and {rest[0]} is a flag" if rest else ""),
        where=f"invoke {task}" if task else "",
        remedy=f"{flag} VALUE; or {flag}=VALUE, where it begins with a dash",
    )


def _no_task(word: str, contexts: dict[str, Any], *, after: str = "") -> SettingsWrong:
    close = get_close_matches(word, contexts, n=1, cutoff=0.5)
    meant = next((name for name in contexts if name.startswith(f"{word}-")), close[0] if close else "")
    pattern = "a pattern goes in quotes, --pattern '.*'; " if after == "backfill" else ""
    if after and f"--{word}" in contexts[after].flags:
        meant = f"{after} --{word}"
    if word == "help":
        meant = "--help"
    return SettingsWrong(
        f"There is no task {word!r}",
        remedy=pattern
        + (f"invoke {meant}, if that was meant; " if meant else "")
        + "invoke --list names them all",
    )


# -- judging -----------------------------------------------------------------------------------------------


def _means_something(switches: Iterable[str], line: Sequence[Called]) -> None:
    """Raises SettingsWrong for a switch of Invoke's that would do nothing."""
    for name in switches:
        if name in OF_SHELL_COMMANDS and not all(one.task == "lint" for one in line):
            raise SettingsWrong(
                f"Invoke's own --{name} does nothing here",
                why="It is about shell commands, and no task runs any",
                remedy="leave it out",
            )


def _is_whole(one: Called) -> None:
    """Raises SettingsWrong where a flag that a task needs is missing."""
    needed = REQUIRED.get(one.task)
    if needed and not one.given.get(needed):
        is_word = needed.removeprefix("--") in {each.name for each in one.context.positional_args}
        raise SettingsWrong(
            f"{needed.removeprefix('--').upper() if is_word else needed} is missing",
            where=f"invoke {one.task}",
            remedy=f"invoke {one.task} {'' if is_word else f'{needed} '}{_example(one.task)}",
        )


def _example(task: str) -> str:
    return {
        "backfill": "'.*/2026-01-.*'",
        "replace-pipe": "events",
        "check": "DATABASE.SCHEMA.PIPE",
        "explain": "s3://BUCKET/KEY",
    }[task]


def _all_alike(line: Sequence[Called]) -> None:
    """Raises SettingsWrong where a flag follows only some of the tasks that change something."""
    for flag in ALIKE:
        given = [one for one in line if flag in one.given]
        if not given:
            continue
        if flag == "--dry-run" and (wet := [one for one in line if one.changes and not _has(one, flag)]):
            raise SettingsWrong(
                f"--dry-run follows {given[0].task}, and {wet[0].task} has none",
                why="Nothing was done",
                remedy=f"run {wet[0].task} by itself",
            )
        if [one for one in line if one.changes and _has(one, flag) and flag not in one.given]:
            raise _only_some(line, flag, given)


def _has(one: Called, flag: str) -> bool:
    return flag in one.context.flags


def _only_some(line: Sequence[Called], flag: str, given: Sequence[Called]) -> SettingsWrong:
    value = given[0].given[flag]
    for one in line:
        if one.changes and _has(one, flag):
            one.given.setdefault(flag, value)
    words = " ".join(one.words for one in line)
    return SettingsWrong(
        f"{flag} follows only {', '.join(one.task for one in given)}",
        why="A flag is of the task before it. Nothing was done",
        remedy=f"{HERE.words} {words}, if that was meant",
    )
