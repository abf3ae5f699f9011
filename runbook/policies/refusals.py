"""Who else has a say in what the role may read: other policies on it, its boundary, the bucket, the key.

A Deny in any of them wins over every Allow. What depends on where Snowflake comes from cannot be
judged from here, and is told apart from what surely denies.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from runbook.policies.access import (
    NEEDED,
    Files,
    decrypting,
    reader_of,
    reads,
    requests,
    requests_of,
)
from runbook.policies.documents import Document, statements
from runbook.policies.held import Key
from runbook.policies.judging import Asked, conditions, judged, takes
from runbook.settings import S3Bucket, Settings, region_of_key


@dataclass(frozen=True)
class Refusal:
    """A statement that keeps something loading needs from being done. ``keys``: what it depends on."""

    where: str
    sid: str
    keys: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether it denies whatever Snowflake does."""
        return not self.keys

    def __str__(self) -> str:
        return f"{self.where}: {self.sid}" + (f" ({', '.join(self.keys)})" if self.keys else "")


def refusals(
    where: str,
    document: Document,
    settings: Settings,
    actions: Iterable[str] = NEEDED,
    bucket: S3Bucket | None = None,
    files: Files = MappingProxyType({}),
) -> list[Refusal]:
    """The document's Deny statements that take in, or may take in, one of the requests loading makes.

    ``document``: a policy of the role's, or that of a ``bucket``, which speaks of nothing else. ``files``: of
    all the buckets, by name; they are read too.
    """
    of_bucket = {bucket.name: files.get(bucket.name, ())} if bucket else {}
    every = (
        requests_of(bucket, settings) + reads(settings, of_bucket) if bucket else requests(settings, files)
    )
    asked = [one for one in every if one.action in actions]
    return list(dict.fromkeys(_denying(where, document, settings, asked)))


def of_files(
    where: str, document: Document, settings: Settings, bucket: str, keys: Iterable[str]
) -> list[Refusal]:
    """The document's Deny statements that take in, or may take in, the reading of one of a bucket's files."""
    asked = reads(settings, {bucket: tuple(keys)})
    return list(dict.fromkeys(_denying(where, document, settings, asked)))


def _denying(where: str, document: Document, settings: Settings, asked: list[Asked]) -> Iterator[Refusal]:
    for number, row in enumerate(statements(document), 1):
        if row.get("Effect") != "Deny":
            continue
        for one in asked:
            held = takes(row, one, reader_of(settings) if _names_somebody(row) else None)
            if held is not False:
                keys = () if held else _open_keys(row, one) or ("whom it excepts",)
                yield Refusal(where, _sid(row, number), keys)


def conditional(
    where: str, document: Document, settings: Settings, files: Files = MappingProxyType({})
) -> list[Refusal]:
    """The document's Allow statements on whose conditions alone it depends whether something is allowed."""
    asked = [one for one in requests(settings, files) if one.action in NEEDED]
    return _allowing(where, document, [one for one in asked if judged(document, one) is None])


def _allowing(where: str, document: Document, asked: list[Asked]) -> list[Refusal]:
    found = [
        Refusal(where, _sid(row, number), _open_keys(row, one))
        for number, row in enumerate(statements(document), 1)
        if row.get("Effect") == "Allow"
        for one in asked
        if takes(row, one) is None
    ]
    return list(dict.fromkeys(found))


def key_refuses(key: Key, settings: Settings) -> list[str]:
    """Why the key's policy surely does not let the role decrypt: it must name it, or leave it to IAM."""
    asked, who = decrypting(key.arn, settings, region_of_key(key.arn)), reader_of(settings)
    if judged(key.policy, asked, who) is not False:
        return []
    denying = [
        f"{row.get('Sid', '(without Sid)')} denies it"
        for row in statements(key.policy)
        if row.get("Effect") == "Deny" and takes(row, asked, who)
    ]
    return denying or ["no statement lets the role decrypt"]


def key_denies(key: Key, settings: Settings) -> bool:
    """Whether a statement of the key's policy surely denies the role to decrypt: no grant wins over it."""
    asked, who = decrypting(key.arn, settings, region_of_key(key.arn)), reader_of(settings)
    return any(row.get("Effect") == "Deny" and takes(row, asked, who) for row in statements(key.policy))


def key_admits(key: Key, settings: Settings) -> bool:
    """Whether the key's policy may let the role decrypt by its own name; then its own policies need not.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/control-access.html (the key policy alone)
    """
    by_name = replace(reader_of(settings), account=frozenset())
    return judged(key.policy, decrypting(key.arn, settings, region_of_key(key.arn)), by_name) is not False


def key_conditions(key: Key, settings: Settings) -> list[Refusal]:
    """The conditions of the key's policy on which it depends whether the role may decrypt."""
    asked, who = decrypting(key.arn, settings, region_of_key(key.arn)), reader_of(settings)
    if judged(key.policy, asked, who) is not None:
        return []
    return [
        Refusal("key policy", _sid(row, number), _open_keys(row, asked) or ("whom it excepts",))
        for number, row in enumerate(statements(key.policy), 1)
        if takes(row, asked, who) is None
    ]


def _open_keys(row: Document, asked: Asked) -> tuple[str, ...]:
    return tuple(key for key, held in conditions(row, asked.known) if held is None)


def _names_somebody(row: Document) -> bool:
    """Whether it is a resource's policy; an identity's own names nobody."""
    return "Principal" in row or "NotPrincipal" in row


def _sid(row: Document, number: int) -> str:
    return str(row.get("Sid", f"statement {number}"))
