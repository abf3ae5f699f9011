"""Who a caller is and what their policies say: users, roles and sessions of every account.

Read from moto's IAM state; what changes there is seen at once by IAM's own read calls, and by the
decisions only after the tenant's propagation delay (`IAM is eventually consistent
<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html>`_).
"""

import json
import secrets
import string
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from moto.iam.models import AWSManagedPolicy, aws_managed_policies_data, iam_backends

from snowpipe_sandbox.aws.iam import Document, Policies, Principal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def parsed(document: str) -> Document:
    """A stored policy document; what cannot be parsed says nothing."""
    try:
        found = json.loads(document)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Entity:
    """A user or role as its policies stand: documents as text; ``boundary`` None means there is none.

    ``sources`` says of each document which policy it is, as IAM's simulator names them.
    """

    arn: str
    unique_id: str
    policies: tuple[str, ...]
    sources: tuple[str, ...]
    boundary: str | None
    trust: str = ""
    max_session: timedelta = timedelta(hours=1)
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Without the path."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class View:
    """An account's entities by unique id, at one moment."""

    entities: Mapping[str, Entity] = field(default_factory=dict)

    def by_arn(self, arn: str) -> Entity | None:
        """The user or role with this ARN."""
        return next((entity for entity in self.entities.values() if entity.arn == arn), None)


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials of an assumed role."""

    access_key_id: str
    secret: str
    token: str
    account: str
    role_id: str
    role_arn: str
    role_name: str
    name: str
    policies: tuple[str, ...] | None
    issued_at: datetime
    expires_at: datetime

    @property
    def arn(self) -> str:
        """``arn:aws:sts::<account>:assumed-role/<role>/<session>``: without the role's path."""
        partition = self.role_arn.split(":")[1]
        return f"arn:{partition}:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal with the means to prove it, and where its policies are."""

    principal: Principal
    secret: str = ""
    token: str = ""
    user_name: str = ""
    session: Session | None = None


def aws_managed_policy(account: str, arn: str, partition: str = "aws") -> bool:
    """Make AWS' own managed policy ``arn`` known to the account; False when AWS has none of this name."""
    known = iam_backends[account][partition].managed_policies
    if arn in known:
        return True
    name = arn.rpartition("/")[2]
    source = _aws_managed_policies().get(name)
    if source is None:
        return False
    region = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}.get(partition, "us-east-1")
    policy = AWSManagedPolicy.from_data(name, account, region, source)
    if policy.arn != arn:
        return False
    known[arn] = policy
    return True


@lru_cache(maxsize=1)
def _aws_managed_policies() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def _entity(thing: Any, managed: Mapping[str, Any], trust: str = "", groups: Sequence[Any] = ()) -> Entity:
    kind = "role" if ":role/" in thing.arn else "user"
    documents = _documents(thing, kind)
    for group in groups:
        documents |= _documents(group, "group")
    boundary_arn = getattr(thing, "permissions_boundary_arn", None)
    boundary = None
    if boundary_arn:
        policy = managed.get(boundary_arn)
        boundary = _default_document(policy) if policy else "{}"
    seconds = int(getattr(thing, "max_session_duration", None) or 3600)
    tags = getattr(thing, "tags", None) or []
    pairs = tuple((tag["Key"], tag["Value"]) for tag in tags)
    return Entity(
        thing.arn,
        thing.id,
        tuple(documents.values()),
        tuple(documents),
        boundary,
        trust,
        timedelta(seconds=seconds),
        pairs,
    )


def _documents(thing: Any, kind: str) -> dict[str, str]:
    """What a user, role or group holds, by the policy's name in the simulator; one attached twice is one."""
    inline = {f"{kind}_{thing.name}_{name}": str(text) for name, text in thing.policies.items()}
    return inline | {policy.name: _default_document(policy) for policy in thing.managed_policies.values()}


def _default_document(policy: Any) -> str:
    version = next(v for v in policy.versions if v.version_id == policy.default_version_id)
    return str(version.document)


def _current(account: str) -> View:
    found: dict[str, Entity] = {}
    for backend in iam_backends[account].values():
        managed = backend.managed_policies
        for user in backend.users.values():
            groups = [group for group in backend.groups.values() if user in group.users]
            found[user.id] = _entity(user, managed, groups=groups)
        for role in backend.roles.values():
            found[role.id] = _entity(role, managed, str(role.assume_role_policy_document))
    return View(found)


def _random(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


class Identities:
    """Views of every account over time, and every session. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: dict[str, list[tuple[datetime, View]]] = {}
        self._sessions: dict[str, Session] = {}
        self._keys: dict[str, tuple[str, str, str]] = {}

    def start(self, account: str) -> None:
        """Take the account's present state as the one it always had."""
        with self._lock:
            self._views[account] = [(_EPOCH, _current(account))]

    def forget(self, accounts: list[str]) -> None:
        """Drop everything about these accounts."""
        with self._lock:
            for account in accounts:
                self._views.pop(account, None)
            gone = set(accounts)
            self._sessions = {k: s for k, s in self._sessions.items() if s.account not in gone}
            self._keys = {k: v for k, v in self._keys.items() if v[0] not in gone}

    def changed(self, account: str, at: datetime) -> None:
        """IAM state of ``account`` was written at ``at``."""
        view = _current(account)
        with self._lock:
            history = self._views.setdefault(account, [])
            history.append((at, view))
            old = [index for index, (moment, _) in enumerate(history) if moment < at - timedelta(hours=2)]
            del history[: max(0, len(old) - 1)]

    def view(self, account: str, at: datetime | None = None) -> View:
        """The account as decisions see it at ``at`` (None: as it is now)."""
        with self._lock:
            history = self._views.get(account)
            if not history:
                return View()
            if at is None:
                return history[-1][1]
            seen = [view for moment, view in history if moment <= at]
            return seen[-1] if seen else history[0][1]

    def open_session(
        self,
        entity: Entity,
        account: str,
        *,
        name: str,
        policies: tuple[str, ...] | None,
        now: datetime,
        duration: timedelta,
    ) -> Session:
        """New temporary credentials for a role."""
        session = Session(
            access_key_id="ASIA" + _random(16, string.ascii_uppercase + "234567"),
            secret=_random(40),
            token="IQoJ" + _random(320),
            account=account,
            role_id=entity.unique_id,
            role_arn=entity.arn,
            role_name=entity.arn.rpartition("/")[2],
            name=name,
            policies=policies,
            issued_at=now,
            expires_at=now + duration,
        )
        with self._lock:
            self._sessions[session.access_key_id] = session
        return session

    def caller(self, access_key_id: str, accounts: Mapping[str, Any]) -> Caller | None:
        """Whose access key this is; None when nobody's (or it is inactive)."""
        session = self._sessions.get(access_key_id)
        if session is not None:
            principal = Principal(
                "assumed-role",
                session.arn,
                session.account,
                f"{session.role_id}:{session.name}",
                session.role_arn,
            )
            return Caller(principal, session.secret, session.token, session=session)
        return self._user(access_key_id, accounts)

    def _user(self, access_key_id: str, accounts: Mapping[str, Any]) -> Caller | None:
        known = self._keys.get(access_key_id)
        for account in [known[0]] if known else list(accounts):
            for backend in list(iam_backends[account].values()):
                key = backend.access_keys.get(access_key_id)
                user = backend.users.get(key.user_name) if key else None
                if user is None or key.status != "Active":
                    continue
                self._keys[access_key_id] = (account, user.name, "")
                principal = Principal("user", user.arn, account, user.id)
                return Caller(principal, key.secret_access_key, user_name=user.name)
        return None

    def tags_of(self, caller: Caller, at: datetime | None) -> dict[str, tuple[str, ...]]:
        """The caller's tags as condition keys: aws:PrincipalTag/<key>.

        Source: `global condition keys
        <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>`_.
        """
        unique_id = caller.principal.unique_id.split(":")[0]
        entity = self.view(caller.principal.account, at).entities.get(unique_id)
        return {f"aws:principaltag/{key.lower()}": (value,) for key, value in entity.tags} if entity else {}

    def policies_of(self, caller: Caller, at: datetime | None) -> Policies:
        """The caller's side of a decision: identity policies, boundary and session policies."""
        unique_id = caller.principal.unique_id.split(":")[0]
        entity = self.view(caller.principal.account, at).entities.get(unique_id)
        if entity is None:
            return Policies()
        session = caller.session.policies if caller.session else None
        return Policies(
            identity=[parsed(text) for text in entity.policies],
            boundary=None if entity.boundary is None else parsed(entity.boundary),
            session=None if session is None else [parsed(text) for text in session],
        )
