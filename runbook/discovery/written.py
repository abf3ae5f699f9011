"""The environment file: what was discovered as settings, and around them what a person should know."""

import json
import re
import shlex
from textwrap import wrap
from typing import Any

from runbook.discovery.described import Described
from runbook.invocation import HERE

WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$./-]*")
_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")  # YAML 1.1 reads these as no text


def written(found: Described, pipe: str, defaults: dict[str, Any], place: str) -> str:
    """The file's text; it merges over invoke.yaml, whose streams that are not there are switched off."""
    missing = [name for name in defaults["streams"] if name not in found.streams]
    parts = [
        _comment(
            f"Discovered from the pipe {pipe}: an installation that others made. verify, status, backfill, "
            "refresh, pause and resume serve it as it is:"
        ),
        f"#   {HERE.program} -f {shlex.quote(_visible(place))} verify",
        *_notes("It differs from what the steps make", _together(found.differs, list(found.streams))),
        *_notes("Left out", found.left_out),
        *_notes("Could not be looked at", found.unseen),
        *_proposed(found),
        "",
        f"target: {_scalar(found.target)}",
        "made_by: others                 # the steps, up, down and replace-pipe leave it alone",
        "",
        *_section("aws", found.aws),
        "",
        *_section("snowflake", found.snowflake),
        "",
        "streams:",
    ]
    for name, row in found.streams.items():
        parts += [f"  {name}:", *_lines(row, "    ")]
    parts += [f"  {name}:\n    enabled: false" for name in missing]
    return "\n".join(parts)


def _notes(title: str, rows: list[str]) -> list[str]:
    return ["#", f"# {title}:", *(_comment(row, "- ") for row in rows)] if rows else []


def _proposed(found: Described) -> list[str]:
    """The statements by which tables would name their rows' files, as a person would type them."""
    rows: list[str] = []
    for name, statements in found.proposed.items():
        if statements and name in found.streams:
            lines = [line for each in statements for line in each.split("\n")]
            rows += ["#", f"# {name}:", *(f"#   {_visible(line)}".rstrip() for line in lines)]
    return ["#", _comment(PROPOSED), *rows] if rows else []


PROPOSED = (
    "To have a column that names the file of each row loaded from then on, the owners of table and pipe may "
    "run, stream by stream (then discover again; what came meanwhile, backfill loads):"
)


def _together(rows: list[str], streams: list[str]) -> list[str]:
    """What is said of several streams, once."""
    said: dict[str, list[str]] = {}
    for row in rows:
        name, _, text = row.partition(": ")
        of_stream = name in streams and text
        said.setdefault(text if of_stream else row, []).extend([name] if of_stream else [])
    return [f"{', '.join(names)}: {text}" if names else text for text, names in said.items()]


def _comment(text: str, mark: str = "") -> str:
    lines = wrap(_visible(text), WIDTH - 4, initial_indent=mark, subsequent_indent=" " * len(mark))
    return "\n".join(f"# {line}" for line in lines)


def _visible(text: str) -> str:
    """Text that stays in its comment: without line ends and all else that is not printed."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _section(name: str, rows: dict[str, Any]) -> list[str]:
    return [f"{name}:", *_lines(rows, "  ")]


def _lines(rows: dict[str, Any], indent: str) -> list[str]:
    found = []
    for key, value in rows.items():
        if isinstance(value, dict):
            found += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        elif isinstance(value, str) and "\n" in value and _is_a_block(value):
            found += [f"{indent}{key}: |-", *(f"{indent}  {line}".rstrip() for line in value.split("\n"))]
        else:
            found.append(f"{indent}{key}: {_scalar(value)}")
    return found


def _is_a_block(text: str) -> bool:
    """Whether YAML gives the text back as it is when it is written line by line."""
    lines = text.split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return plain and bool(lines[0]) and not lines[0].startswith(" ") and bool(lines[-1])


def _scalar(value: Any) -> str:
    """A plain word as it is; else JSON, which is YAML but for what lies beyond 16 bits: two halves of it."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value

    def whole(pair: re.Match[str]) -> str:
        return f"\\U{ord(json.loads(chr(34) + pair[0] + chr(34))):08x}"

    return re.sub(r"\\ud[89ab]..\\ud[c-f]..", whole, json.dumps(value))
