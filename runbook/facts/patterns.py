"""A COPY's PATTERN: whether Python reads it as Snowflake does, and which two share no file."""

import re

# what Java's regular expressions, which Snowflake's PATTERN takes, and Python's do not read alike
_READ_OTHERWISE = re.compile(r"\(\?|[*+?}][?+]|\\(?![dwsDWS])\w|\[\[|&&")


def is_read_alike(pattern: str) -> bool:
    """Whether a PATTERN surely means here what it means to Snowflake."""
    return _READ_OTHERWISE.search(pattern) is None


_ENDING = re.compile(r"(?<!\\)((?:\\[^A-Za-z0-9]|\[\.\]|[A-Za-z0-9_-])+)\$?")


def _ending(pattern: str) -> str:
    """The letters every name that the PATTERN takes ends with; nothing where that is not known."""
    found = None if "|" in pattern or "(" in pattern else re.search(rf"{_ENDING.pattern}\Z", pattern)
    return re.sub(r"\\(.)|\[(\.)\]", r"\1\2", found[1]) if found else ""


def told_apart(one: str, other: str) -> bool:
    """Whether no file can be taken by both PATTERNs, as they end differently (``.json``, ``.csv``)."""
    first, second = _ending(one), _ending(other)
    return bool(first and second) and not (first.endswith(second) or second.endswith(first))
