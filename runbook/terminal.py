"""Writing for a person: colour only on a terminal, lines that fit, everything else on stderr."""

import os
import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import TextIO

_CODES = {"red": "31;1", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


@dataclass(frozen=True)
class Style:
    """How to write to one stream: whether colour is welcome, and how wide it is."""

    colour: bool
    width: int

    @classmethod
    def of(cls, stream: TextIO) -> "Style":
        """Colour on a terminal unless NO_COLOR is set (https://no-color.org)."""
        colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(colour, min(shutil.get_terminal_size((80, 24)).columns, 140))

    def paint(self, text: str, colour: str) -> str:
        """``text`` in that colour, where colour is welcome."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour else text


def wrapped(label: str, text: str, style: Style) -> str:
    """A labelled paragraph, its later lines under the first; long words stay whole to be copied."""
    return "\n".join(
        textwrap.wrap(
            text,
            width=max(style.width, 40),
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def say(text: str = "") -> None:
    """A line of the result, on standard output."""
    print(text, flush=True)  # noqa: T201 (the one place that writes to a terminal)


def note(text: str = "") -> None:
    """A line of progress or explanation, on standard error: never mixed into a result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
