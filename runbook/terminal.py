"""Writing for a person: colour only on a terminal, lines that fit, everything else on stderr."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from runbook.errors import NotWritten
from runbook.invocation import HERE, typed
from runbook.redaction import redacted

PIECES = 5000  # of a document, written at once
_GLUE = "\ue000"  # a blank that no line ends at: a private character, in no text of ours

_CODES = {"red": "31;1", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


@dataclass(frozen=True)
class Style:
    """How to write to one stream: whether colour is welcome, and how wide it is."""

    colour: bool
    width: int

    @classmethod
    def of(cls, stream: TextIO | None) -> "Style":
        """Colour on a terminal, never with NO_COLOR, always with FORCE_COLOR; a closed stream has none.

        Sources: https://no-color.org, https://force-color.org (NO_COLOR counts where both are set).
        """
        is_terminal = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
        forced = stream is not None and bool(os.environ.get("FORCE_COLOR"))
        colour = (is_terminal or forced) and not os.environ.get("NO_COLOR")
        return cls(colour, min(shutil.get_terminal_size((80, 24)).columns, 140))

    def paint(self, text: str, colour: str) -> str:
        """``text`` in that colour, where colour is welcome."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colour else text


def wrapped(label: str, text: str, style: Style, *, colour: str = "") -> str:
    """A labelled paragraph, its later lines under the first; long words stay whole to be copied.

    Commands in it go to the target of this process.
    """
    lines = textwrap.wrap(
        typed(text).replace(HERE.words, HERE.words.replace(" ", _GLUE)),
        width=max(style.width, 40),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
    paragraph = "\n".join(lines).replace(_GLUE, " ")
    return style.paint(label, colour) + paragraph.removeprefix(label) if colour else paragraph


def table(rows: Sequence[Mapping[str, Any]], style: Style) -> str:
    """A line for each row; where that is too wide, a column for each; else a paragraph for each.

    A column or a paragraph is named by the row's first value.
    """
    from tabulate import tabulate

    first, *names = rows[0]
    heads = ["", *(str(row[first]) for row in rows)]
    cells = [[name, *(row[name] for row in rows)] for name in names]
    right = ["left", *["right"] * len(rows)]
    for lines in (
        tabulate(rows, headers="keys", tablefmt="simple"),
        tabulate(cells, headers=heads, tablefmt="simple", colalign=right, disable_numparse=True),
    ):
        if max(map(len, lines.splitlines())) <= style.width:
            return lines
    widest = max(map(len, heads))
    return "\n".join(
        wrapped(f"{row[first]!s:<{widest}}  ", ", ".join(f"{name} {row[name]}" for name in names), style)
        for row in rows
    )


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


_OURS = re.compile("|".join(rf"\x1b\[{code}m" for code in (*_CODES.values(), "0")))


def visible(text: str) -> str:
    """``text`` with everything that is not printed shown instead of obeyed, but for line ends.

    File names and comments come from outside: control characters and those that turn the direction of
    writing would rewrite what is on the screen. Written as JSON writes them, so that JSON stays JSON.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def _shown(text: str, stream: TextIO | None) -> str:
    """What may reach a stream: no secret; our own colours where colour is welcome, nothing else that acts."""
    return _acting(redacted(text), stream)


def _acting(text: str, stream: TextIO | None) -> str:
    if not Style.of(stream).colour:
        return _writable(visible(text), stream)
    kept = _OURS.findall(text)
    pieces = [visible(piece) for piece in _OURS.split(text)]
    return _writable("".join(piece + code for piece, code in zip(pieces, [*kept, ""], strict=True)), stream)


def _writable(text: str, stream: TextIO | None) -> str:
    """``text`` with what the stream's encoding has not (ASCII, Latin 1) written as JSON writes it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        pieces = (char.encode(encoding, "ignore").decode(encoding) or json.dumps(char)[1:-1] for char in text)
        return "".join(pieces)
    return text


def say_json(document: Any) -> None:
    """A result for programs, on standard output, written as it is made: it may be long."""
    written: list[str] = []
    for piece in json.JSONEncoder(indent=1, ensure_ascii=False).iterencode(document):
        written.append(piece)
        if len(written) >= PIECES:
            say_as_is("".join(written), end="")
            written.clear()
    say_as_is("".join(written))


def say(text: str = "") -> None:
    """A line of the result, on standard output; commands in it go to the target of this process.

    Raises NotWritten when standard output takes no more.
    """
    say_as_is(typed(text))


def say_as_is(text: str, *, end: str = "\n") -> None:
    """What is data and no sentence, letter by letter: a statement, a document. Raises NotWritten."""
    try:
        print(_shown(text, sys.stdout), end=end, flush=True)  # noqa: T201 (the one place that writes)
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise NotWritten(
            "The result cannot be written", where="standard output", why=error.strerror or str(error)
        ) from None


def say_secret(text: str) -> None:
    """A line on standard output that is asked for because of the secret in it: `sandbox.env`."""
    print(_acting(text, sys.stdout), flush=True)  # noqa: T201


def note(text: str = "") -> None:
    """A line of progress or explanation, on standard error: never mixed into a result.

    Commands in it go to the target of this process.
    """
    try:
        print(_shown(typed(text), sys.stderr), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: Python would complain about it at its end.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
