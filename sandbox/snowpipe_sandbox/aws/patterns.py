"""IAM's wildcards and policy variables, as regular expressions.

Sources: `IAM JSON policy elements: Resource
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>`_ and
`variables and tags
<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>`_.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

Context = Mapping[str, tuple[str, ...]]
"""The request context: condition key in lower case -> its values; an absent key is not there."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}
_ARN_PARTS = 6


@lru_cache(maxsize=4096)
def _compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def expand(text: str, context: Context) -> list[tuple[str, bool]] | None:
    """``text`` as (piece, literal?) pairs with policy variables replaced; None when one has no value.

    ``${*}``, ``${?}`` and ``${$}`` are literal characters. A variable whose key is absent or has several
    values matches nothing, unless it names a default: ``${aws:username, 'anonymous'}``.
    """
    pieces: list[tuple[str, bool]] = []
    end = 0
    for variable in _VARIABLE.finditer(text):
        pieces.append((text[end : variable.start()], False))
        end = variable.end()
        value = _value_of(variable.group(1), context)
        if value is None:
            return None
        pieces.append((value, True))
    pieces.append((text[end:], False))
    return pieces


def _value_of(variable: str, context: Context) -> str | None:
    if variable in _LITERALS:
        return _LITERALS[variable]
    name, _, default = variable.partition(",")
    values = context.get(name.strip().lower(), ())
    if len(values) == 1:
        return values[0]
    default = default.strip()
    if default.startswith("'") and default.endswith("'") and len(default) > 1:
        return default[1:-1]
    return None


@lru_cache(maxsize=4096)
def _regex(pieces: tuple[tuple[str, bool], ...], *, wildcards: bool, star: str = ".*", one: str = ".") -> str:
    parts = []
    for piece, literal in pieces:
        for character in piece:
            if wildcards and not literal and character == "*":
                parts.append(star)
            elif wildcards and not literal and character == "?":
                parts.append(one)
            else:
                parts.append(re.escape(character))
    return "".join(parts)


def _pieces(text: str, context: Context | None) -> list[tuple[str, bool]] | None:
    return [(text, False)] if context is None else expand(text, context)


def text_matches(
    pattern: str, text: str, context: Context | None, *, wildcards: bool = True, ignore_case: bool = False
) -> bool:
    """Whether ``text`` is what ``pattern`` says, whole; ``context=None`` leaves variables unexpanded."""
    pieces = _pieces(pattern, context)
    if pieces is None:
        return False
    return (
        _compiled(_regex(tuple(pieces), wildcards=wildcards), ignore_case=ignore_case).fullmatch(text)
        is not None
    )


def action_matches(pattern: str, action: str) -> bool:
    """``s3:Get*`` against ``s3:GetObject``; case-insensitive, as IAM's actions are."""
    return text_matches(pattern, action, None, ignore_case=True)


def arn_matches(pattern: str, arn: str, context: Context | None) -> bool:
    """An ARN pattern against an ARN, case-sensitive, segment by segment.

    A wildcard stays within its segment unless it is the segment's last character, which reaches across
    colons; in the resource part (the sixth) it always does. ``*`` alone is everything.
    """
    if pattern == "*":
        return True
    pieces = _pieces(pattern, context)
    if pieces is None:
        return False
    return _compiled(_arn_regex(tuple(pieces)), ignore_case=False).fullmatch(arn) is not None


@lru_cache(maxsize=4096)
def _arn_regex(pieces: tuple[tuple[str, bool], ...]) -> str:
    """The regular expression of an ARN pattern; pieces from variables are literal."""
    flat = [(character, literal) for piece, literal in pieces for character in piece]
    parts = []
    segment = 1
    for index, (character, literal) in enumerate(flat):
        last = index + 1 == len(flat) or flat[index + 1] == (":", False)
        if character == ":" and segment < _ARN_PARTS:
            segment += 1
            parts.append(":")
        elif not literal and character == "*":
            parts.append(".*" if last or segment == _ARN_PARTS else "[^:]*")
        elif not literal and character == "?":
            parts.append("." if segment == _ARN_PARTS else "[^:]")
        else:
            parts.append(re.escape(character))
    return "".join(parts)
