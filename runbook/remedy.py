"""What mends what a check found, as a value: words for a person, and commands that can be run.

A check declares its remedy with :func:`remedy` and :func:`invoke`; whoever prints, joins, refuses or runs it
works on the parts and reads no prose.
"""

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from runbook.invocation import HERE, typed

BY_NAME = 2  # files that a command names one by one
ONE_BY_ONE = 6  # streams whose commands are told one by one


class Blank(StrEnum):
    """What a check does not know when it is written, as it is printed until it is known."""

    STREAM = "STREAM"
    FILES = "KEY"


STREAM, FILES = Blank.STREAM, Blank.FILES


@dataclass(frozen=True)
class Command:
    """Words behind ``invoke``; ``lead``: what joins the command to the words before it."""

    words: tuple[str, ...]
    lead: str = ""
    program: str = "invoke"

    def __str__(self) -> str:
        return f"{self.lead}{self.line}"

    @property
    def line(self) -> str:
        """The command as a shell reads it."""
        words = (word.value if isinstance(word, Blank) else shlex.quote(word) for word in self.words)
        return f"{self.program} {' '.join(words)}"

    @property
    def of_stream(self) -> bool:
        """Whether it is for one stream."""
        return "--stream" in self.words

    @property
    def only_for_ours(self) -> bool:
        """Whether it serves only what the steps made."""
        return self.words[0] in ("up", "replace-pipe") or self.words[0].startswith("step")


Part = str | Command


@dataclass(frozen=True)
class Remedy:
    """Words and commands in the order they are read; nothing where there is nothing to do."""

    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands in it."""
        return tuple(part for part in self.parts if isinstance(part, Command))

    @property
    def command(self) -> Command | None:
        """The command, where the remedy is nothing else."""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], Command) else None

    def filled(self, stream: str, keys: tuple[str, ...]) -> "Remedy":
        """The remedy as it can be run: of this stream, and of these files where there are any."""
        known: dict[str, str] = {STREAM: stream, **({FILES: pattern_of(keys)} if keys else {})}

        def fill(part: Part) -> Part:
            if isinstance(part, Command):
                return replace(part, words=tuple(_put(word, known) for word in part.words))
            return _put(part, known) if part is STREAM else part

        return Remedy(tuple(map(fill, self.parts)))

    def without_steps(self, instead: str) -> "Remedy":
        """What comes before a command that only serves what the steps make, and ``instead``."""
        kept: list[Part] = []
        for part in self.parts:
            if isinstance(part, Command) and part.only_for_ours:
                return Remedy((*kept, f"; {instead}" if kept else instead))
            kept.append(part)
        return self

    def typed(self) -> "Remedy":
        """The remedy with every command as it must be typed to go where this process went."""
        return Remedy(
            tuple(
                replace(part, program=HERE.words) if isinstance(part, Command) else typed(part)
                for part in self.parts
            )
        )


NOTHING = Remedy()


def _put(word: str, known: dict[str, str]) -> str:
    return known.get(word, word) if isinstance(word, Blank) else word


def invoke(*words: str, lead: str = "") -> Command:
    """A command of ours: ``invoke("refresh", "--stream", STREAM)``."""
    return Command(words, lead)


def remedy(*parts: Part) -> Remedy:
    """A remedy of words and commands."""
    return Remedy(parts)


_INVOKE = re.compile(
    r"""(?P<lead>[;,.]?\s*(?:\b(?:or|and|then|if)\b[^;,.]*)?:?\s*)
    (?<![\w`])invoke\ (?P<words>[\w-]+(?:\ --?[\w-]+|\ step\d-\w+|\ (?<=--stream\ )\w+|\ \d+)*)""",
    re.VERBOSE,
)


def told(words: str) -> Remedy:
    """A remedy as an error tells it; a command at its end is one."""
    found = _INVOKE.search(words)
    if found is None or found.end() < len(words):
        return Remedy((words,)) if words else NOTHING
    before = words[: found.start()]
    command = Command(tuple(found["words"].split(" ")), found["lead"])
    return Remedy((before, command) if before else (command,))


def of_all(remedies: Iterable[Remedy]) -> str:
    """One check's remedies for several streams as one line: one command after the other."""
    every = list(remedies)
    first = every[0]
    if not any(command.of_stream for command in first.commands):
        return str(first)
    words = "".join(str(part) for part in first.parts[: first.parts.index(first.commands[0])])
    lead = first.commands[0].lead
    if len(every) > ONE_BY_ONE and (loop := _looped(every)):
        return f"{words}{lead}{loop}"
    return f"{words}{lead}" + " && ".join(str(each).removeprefix(f"{words}{lead}") for each in every)


def _looped(every: list[Remedy]) -> str:
    """One command of many streams as a shell runs it over them; empty where they differ in more."""
    names, lines = [], set()
    for each in every:
        if len(each.commands) != 1 or each.parts[-1] != each.commands[0]:
            return ""
        words = list(each.commands[0].words)
        at = words.index("--stream") + 1
        names.append(shlex.quote(words[at]))
        words = [shlex.quote(word) for word in words]
        lines.add(" ".join([each.commands[0].program, *words[:at], '"$stream"', *words[at + 1 :]]))
    over = f"for stream in {' '.join(names)}; do {min(lines)} || break; done"
    return over if len(lines) == 1 else ""


def pattern_of(keys: tuple[str, ...]) -> str:
    """A regular expression of the files: each by name, or where they are many what their names begin with."""
    if len(keys) <= BY_NAME:
        return "|".join(map(_literal, sorted(keys)))
    return f"{_literal(os.path.commonprefix(keys))}.*"  # noqa: RUF071 - a key is letters, not a path


def _literal(text: str) -> str:
    """The text itself, as COPY's PATTERN and a terminal read it."""
    text = re.sub(r"[\\^$*+?{}\[\]()|]", r"\\\g<0>", text).replace(".", "[.]")
    return "".join(sign if sign.isprintable() else "[^/]" for sign in text)
