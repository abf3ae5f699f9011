"""Who else has a say in what the role may read: other policies on it, its boundary, the bucket, the key.

A Deny in any of them wins over every Allow. What depends on where Snowflake comes from cannot be
judged from here, and is told apart from what surely denies.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbook.facts.access import requests, takes_in
from runbook.facts.aws import Key
from runbook.facts.documents import Document, as_list, statements
from runbook.settings import Settings


@dataclass(frozen=True)
class Refusal:
    """A Deny statement that takes in something loading needs. ``keys``: what it depends on."""

    where: str
    sid: str
    keys: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether it denies whatever Snowflake does."""
        return not self.keys

    def __str__(self) -> str:
        return f"{self.where}: {self.sid}" + (f" ({', '.join(self.keys)})" if self.keys else "")


def refusals(where: str, document: Document, settings: Settings) -> list[Refusal]:
    """The document's Deny statements that take in one of the requests loading makes with the role."""
    found = [
        Refusal(where, str(row.get("Sid", f"statement {number}")), keys)
        for number, row in enumerate(statements(document), 1)
        if row.get("Effect") == "Deny" and _hits(row, settings)
        for keys in _open_keys(row, settings)
    ]
    return list(dict.fromkeys(found))


def trust_conditions(rows: list[Document], principal: str) -> list[Refusal]:
    """What the trust statements that name ``principal`` ask beside the external ID."""
    return [
        Refusal("trust policy", str(row.get("Sid", "(without Sid)")), keys)
        for row in rows
        if principal in as_list(row.get("Principal", {}).get("AWS"))
        and (keys := tuple(key for key in _keys(row) if key.lower() != "sts:externalid"))
    ]


def _hits(row: Document, settings: Settings) -> bool:
    """Whether the statement speaks of the role; an identity's own policy names nobody."""
    if "Principal" not in row:
        return True  # NotPrincipal too: everybody else is meant
    principal = row["Principal"]
    names = as_list(principal.get("AWS")) if isinstance(principal, Mapping) else as_list(principal)
    aws = settings.aws
    root = f"arn:{aws.partition}:iam::{aws.account_id}:root"
    return bool({"*", aws.role_arn, aws.account_id, root} & set(map(str, names)))


def _open_keys(row: Document, settings: Settings) -> Iterator[tuple[str, ...]]:
    """For each request the statement takes in, the condition keys that decide; nothing where one is false."""
    for action, resource, context in requests(settings):
        if not (takes_in(row, "Action", action, str.lower) and takes_in(row, "Resource", resource, str)):
            continue
        known = {
            "aws:securetransport": "true",
            "aws:principalarn": settings.aws.role_arn,
            "aws:principalaccount": settings.aws.account_id,
            **context,
        }
        found = dict(verdicts(row, known))
        if False not in found.values():
            yield tuple(key for key, held in found.items() if held is None)


def _keys(row: Document) -> list[str]:
    return [str(key) for block in row.get("Condition", {}).values() for key in block]


def verdicts(row: Document, known: Mapping[str, str]) -> Iterator[tuple[str, bool | None]]:
    """Each condition key of a statement, and whether its condition holds; None: only AWS knows."""
    for operator, block in row.get("Condition", {}).items():
        for key, values in block.items():
            yield str(key), _held(operator, known.get(str(key).lower()), [str(v) for v in as_list(values)])


def _held(operator: str, have: str | None, values: list[str]) -> bool | None:
    """Whether a condition holds; None: it depends on what only AWS knows."""
    name = operator.lower().removesuffix("ifexists")
    if have is None:
        return None
    if name == "bool":
        return have.lower() in [value.lower() for value in values]
    found = any(fnmatchcase(have, value.replace("[", "[[]")) for value in values)
    if name in ("stringequals", "stringlike", "arnequals", "arnlike"):
        return found
    if name in ("stringnotequals", "stringnotlike", "arnnotequals", "arnnotlike"):
        return not found
    return None


def key_refuses(key: Key, settings: Settings) -> list[str]:
    """Why the key's policy does not let the role decrypt; it must name the role, or leave it to IAM."""
    granting = [
        row
        for row in statements(key.policy)
        if row.get("Effect") == "Allow"
        and _hits(row, settings)
        and takes_in(row, "Action", "kms:Decrypt", str.lower)
    ]
    denying = [
        f"{row.get('Sid', '(without Sid)')} denies it"
        for row in statements(key.policy)
        if row.get("Effect") == "Deny"
        and _hits(row, settings)
        and takes_in(row, "Action", "kms:Decrypt", str.lower)
        and not row.get("Condition")
    ]
    return denying or ([] if granting else ["no statement lets the role decrypt"])
