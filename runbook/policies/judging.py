"""IAM's verdict on one request, as far as it can be known from here: yes, no, or only AWS knows (None).

A condition on a key that nobody here can read, such as where the request comes from, is neither met nor
unmet: Snowflake's own answer decides. Every rule is of the pages below.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from runbook.policies.documents import Document, as_list, statements

Held = bool | None
"""True, False, or None: only AWS knows."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SIGNS = {"*": "[*]", "?": "[?]", "$": "$"}  # ${*} is the sign itself
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnlike",
    "arnnotlike": "arnlike",
}


@dataclass(frozen=True)
class Who:
    """A principal by its names: its own ARN, and those of its account, which stand for it among others."""

    kind: str
    name: str
    account: frozenset[str] = frozenset()

    @property
    def session(self) -> str:
        """What the ARN of any session of it begins with, where it is a role."""
        role = self.name.rpartition("/")[2] if ":role/" in self.name else ""
        return f":assumed-role/{role}/" if role else ""


def principal(arn: str) -> Who:
    """An IAM user or role, with the two names of its account."""
    _, partition, _, _, account, _ = arn.split(":", 5)
    return Who("AWS", arn, frozenset({account, f"arn:{partition}:iam::{account}:root"}))


@dataclass(frozen=True)
class Asked:
    """One request. ``known``: its condition keys by their lower-case names; None for one it does not carry.

    A key that is not in ``known`` is one that only AWS knows. Without ``resource`` none is named, as in a
    trust policy.
    """

    action: str
    resource: str = ""
    known: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        prefix = self.known.get("s3:prefix")
        return f"{self.action} on {self.resource}" + (f" under {prefix}" if prefix else "")


def judged(document: Document, asked: Asked, who: Who | None = None) -> Held:
    """Whether the document allows it: an explicit Deny wins, and without an Allow it is denied.

    ``who`` asks, where the document is a resource's policy, which names principals.
    """
    denied = [takes(row, asked, who) for row in statements(document) if row.get("Effect") == "Deny"]
    allowed = [takes(row, asked, who) for row in statements(document) if row.get("Effect") == "Allow"]
    if True in denied or not (True in allowed or None in allowed):
        return False
    return True if True in allowed and None not in denied else None


def takes(row: Document, asked: Asked, who: Who | None = None) -> Held:
    """Whether the statement, whatever its effect, speaks of this request (of this principal)."""
    return every(
        [
            acts(row, asked.action),
            _on(row, asked),
            spoken_of(row, who) if who else True,
            every(held for _, held in conditions(row, asked.known)),
        ]
    )


def every(held: Iterable[Held]) -> Held:
    """All of them: no where one is no, else unknown where one is unknown."""
    found = list(held)
    return False if False in found else None if None in found else True


def acts(row: Document, action: str) -> bool:
    """Whether the statement's Action, or everything but its NotAction, takes in the action.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html
    """
    element = "NotAction" if "NotAction" in row else "Action"
    found = any(like(action.lower(), str(name).lower()) for name in as_list(row.get(element)))
    return found != (element == "NotAction")


def _on(row: Document, asked: Asked) -> Held:
    if not asked.resource:
        return True
    element = "NotResource" if "NotResource" in row else "Resource"
    found = _any(_match(str(name), asked.resource, asked.known) for name in as_list(row.get(element)))
    return _not(found) if element == "NotResource" else found


def spoken_of(row: Document, who: Who) -> Held:
    """Whether the statement's Principal, or everybody but its NotPrincipal, is this one."""
    if "NotPrincipal" not in row:
        return _named(row.get("Principal", {}), who)
    if _named(row["NotPrincipal"], who) is False:
        return True
    # a principal is excepted only together with its account, and a role with its session besides
    return False if _whole(row["NotPrincipal"], who) else None


def _named(element: Any, who: Who) -> Held:
    if element == "*":
        return True
    if not isinstance(element, Mapping):
        return False
    names = {str(name) for name in as_list(element.get(who.kind))}
    if "*" in {str(name) for name in as_list(element.get("AWS"))} or {who.name, *who.account} & names:
        return True
    return None if who.session and any(who.session in name for name in names) else False


def _whole(element: Any, who: Who) -> bool:
    names = set(map(str, as_list(element.get(who.kind)))) if isinstance(element, Mapping) else {"*"}
    return "*" in names or (who.name in names and bool(who.account & names) and not who.session)


def conditions(row: Document, known: Mapping[str, str | None]) -> list[tuple[str, Held]]:
    """Each condition key of a statement, and whether its condition is met."""
    return [
        (str(key), _met(str(operator), str(key).lower(), [_word(v) for v in as_list(values)], known))
        for operator, block in row.get("Condition", {}).items()
        for key, values in block.items()
    ]


def _met(operator: str, key: str, values: list[str], known: Mapping[str, str | None]) -> Held:
    quantifier, _, name = operator.lower().rpartition(":")
    if_exists, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    if key not in known:
        return None
    have = known[key]
    if name == "null":
        return (have is None) == (values == ["true"])
    if have is None:
        return if_exists or quantifier == "forallvalues" or (name in _NEGATED and not quantifier)
    found = _any(_compared(_NEGATED.get(name, name), have, value, known) for value in values)
    return _not(found) if name in _NEGATED else found


def _compared(name: str, have: str, value: str, known: Mapping[str, str | None]) -> Held:
    if name == "bool":
        return have.lower() == value.lower()
    if name == "stringequalsignorecase":
        return _match(_literal(value.lower()), have.lower(), known)
    if name == "stringequals":
        return _match(_literal(value), have, known)
    return _match(value, have, known) if name in ("stringlike", "arnlike", "arnequals") else None


def _literal(value: str) -> str:
    """The value with its wildcards as signs of their own, as StringEquals reads them."""
    return re.sub(r"\$\{[^}]*\}|[*?]", lambda m: m[0] if m[0][0] == "$" else f"${{{m[0]}}}", value)


def _match(pattern: str, have: str, known: Mapping[str, str | None]) -> Held:
    """IAM's wildcards ``*`` and ``?``; a variable of a key that only AWS knows leaves it open."""
    names = [name.partition(",")[0].strip().lower() for name in _VARIABLE.findall(pattern)]
    if any(name not in known and name not in _SIGNS for name in names):
        return None
    whole = _VARIABLE.sub(lambda found: f"\0{found[1].partition(',')[0].strip().lower()}\0", pattern)
    parts = whole.split("\0")
    text = "".join(_value(part, known) if number % 2 else _escaped(part) for number, part in enumerate(parts))
    return fnmatchcase(have, text)


def _value(name: str, known: Mapping[str, str | None]) -> str:
    if name in _SIGNS:
        return _SIGNS[name]
    return re.sub(r"[*?\[]", r"[\g<0>]", known[name] or "\0")  # one that is absent matches nothing


def _escaped(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def like(text: str, pattern: str) -> bool:
    """Whether IAM's StringLike takes the text for the pattern, which has no variable in it."""
    return fnmatchcase(text, _escaped(pattern))


def _any(held: Iterable[Held]) -> Held:
    return _not(every(_not(one) for one in held))


def _not(held: Held) -> Held:
    return None if held is None else not held


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
