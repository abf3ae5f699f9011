"""Roles, policies and keys as AWS shows them, and what their documents name."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from runbook.policies.documents import Document, as_list, statements
from runbook.policies.judging import acts
from runbook.settings import ADOPTED_BY, MANAGED_BY, MANAGED_FOR, Settings

NOBODY_SID = "AssumableByNobodyUntilStep3"
TRUST_SID = "SnowpipeRunbookSnowflakeUser"


@dataclass(frozen=True)
class Policy:
    """The permissions policy: the text of its default version."""

    arn: str
    document: Document
    versions: tuple[str, ...]
    default_version: str
    tags: dict[str, str]

    @property
    def is_ours(self) -> bool:
        """Whether this project made it, or adopted it, for whichever installation."""
        return MANAGED_BY in (self.tags.get("ManagedBy"), self.tags.get(ADOPTED_BY))

    @property
    def installation(self) -> str:
        """The installation it is marked for; empty where none is named, as by a former version."""
        return self.tags.get(MANAGED_FOR, "") if self.is_ours else ""


@dataclass(frozen=True)
class Role:
    """The role Snowflake assumes."""

    arn: str
    trust: Document
    attached_policies: frozenset[str]
    permissions_boundary: str | None
    tags: dict[str, str]
    sid: str = TRUST_SID
    """Of the statement that lets this installation's Snowflake user in."""

    @property
    def is_ours(self) -> bool:
        """Whether this project made it, or adopted it, for whichever installation."""
        return MANAGED_BY in (self.tags.get("ManagedBy"), self.tags.get(ADOPTED_BY))

    @property
    def installation(self) -> str:
        """The installation it is marked for; empty where none is named, as by a former version."""
        return self.tags.get(MANAGED_FOR, "") if self.is_ours else ""

    @property
    def trust_statements(self) -> list[Document]:
        """The trust policy's statements."""
        return statements(self.trust)

    @property
    def others_statements(self) -> list[Document]:
        """The trust statements that no step wrote for this installation."""
        return [row for row in self.trust_statements if row.get("Sid") not in (NOBODY_SID, self.sid)]

    @property
    def own_statement(self) -> Document | None:
        """The statement that step 3 wrote for this installation, whatever has become of it."""
        return next((row for row in self.trust_statements if row.get("Sid") == self.sid), None)

    def without_external_ids(self, gone: tuple[str, ...]) -> Document:
        """The trust policy, and our statement in it without these of its external IDs."""

        def kept(values: object) -> object:
            left = [one for one in as_list(values) if one not in gone]
            return left[0] if len(left) == 1 else left

        def asked(row: Document) -> Document:
            if row != self.own_statement or not gone:
                return row
            blocks = {
                operator: {
                    key: kept(values) if key.lower() == "sts:externalid" else values
                    for key, values in block.items()
                }
                for operator, block in row["Condition"].items()
            }
            return {**row, "Condition": blocks}

        return {**self.trust, "Statement": [asked(row) for row in self.trust_statements]}

    @property
    def denies_everybody(self) -> bool:
        """Whether the closed statement of step 1 is still there."""
        return any(row.get("Sid") == NOBODY_SID for row in self.trust_statements)

    @property
    def allowing(self) -> list[Document]:
        """The trust statements that let somebody assume the role."""
        return [
            row
            for row in self.trust_statements
            if row.get("Effect") == "Allow" and acts(row, "sts:AssumeRole")
        ]

    @property
    def trusted_principals(self) -> frozenset[str]:
        """Every principal an Allow statement names, as written (``AIDA…`` for a user that is gone)."""
        found: set[str] = set()
        for row in self.allowing:
            principal = row.get("Principal", {})
            if isinstance(principal, str):
                found.add(principal)
            else:
                found.update(str(name) for names in principal.values() for name in as_list(names))
        return frozenset(found)


def principals_of(row: Document) -> list[str]:
    """The AWS principals a statement names, as written."""
    named = row.get("Principal", {})
    return [str(name) for name in (as_list(named.get("AWS")) if isinstance(named, dict) else [named])]


def conditions_on_id(row: Document) -> list[str]:
    """Every condition of a trust statement on the external ID, as ``operator value``."""
    return [
        f"{operator} {value}"
        for operator, block in row.get("Condition", {}).items()
        for key, values in block.items()
        if key.lower() == "sts:externalid"
        for value in as_list(values)
    ]


def ids_asked_for(row: Document) -> set[str]:
    """The external IDs that a trust statement asks for exactly.

    ``*`` stands for "any": a statement without such a condition; a pattern is told as one.
    """
    for operator, block in row.get("Condition", {}).items():
        for key, values in block.items():
            if key.lower() == "sts:externalid":
                exact = operator.lower() in ("stringequals", "foranyvalue:stringequals")
                like = "" if exact else f"{operator} "
                return {f"{like}{value}" for value in as_list(values)}
    return {"*"}


@dataclass(frozen=True)
class RolePolicies:
    """What the role has beside our policy, by name, and its boundary's text (empty: it has none)."""

    others: dict[str, Document] = field(default_factory=dict)
    boundary: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A KMS key: its state, such as Enabled, and its policy."""

    arn: str
    state: str
    policy: Document


def trust_sid(settings: Settings, tags: dict[str, str]) -> str:
    """The Sid of our statement: one of this installation's own on a role that is another's too."""
    if not settings.aws.share_role or tags.get(MANAGED_FOR) == settings.installation:
        return TRUST_SID
    return TRUST_SID + sha256(settings.installation.encode()).hexdigest()[:8]


class SnowflakesUser(Protocol):
    """Whom a trust policy trusts: Snowflake's IAM user, and the external ID it brings."""

    @property
    def iam_user_arn(self) -> str:
        """STORAGE_AWS_IAM_USER_ARN."""

    @property
    def external_id(self) -> str:
        """STORAGE_AWS_EXTERNAL_ID."""
