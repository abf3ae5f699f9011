"""Tenants: one customer AWS account, one Snowflake account, and Snowflake's own AWS account for it.

Many live in one process, and know nothing of each other (bucket names are shared by all, as on AWS).
"""

import itertools
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snowpipe_sandbox.aws.accounts import AccountUser, Aws, TenantAccounts
from snowpipe_sandbox.aws.realm import Realm

DEFAULT = "sandbox"
DEFAULT_REGION = "us-west-2"
DEFAULT_BUCKET = "snowplow-sandbox"
ORGANIZATION = "SANDBOXORG"


class NoSuchTenant(Exception):
    """There is no tenant of this name."""


@dataclass
class Tenant:
    """One tenant; ``account()`` is its Snowflake side, made when it is first asked for."""

    name: str
    region: str
    bucket: str | None
    realm: Realm
    accounts: TenantAccounts
    account_name: str
    password: str
    endpoint_url: str
    _account: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def admin(self) -> AccountUser:
        """The administrator of the customer's AWS account."""
        return self.accounts.customer

    @property
    def snowflake_user(self) -> AccountUser:
        """Snowflake's IAM user, in Snowflake's own AWS account."""
        return self.accounts.snowflake

    def account(self) -> Any:
        """The Snowflake account (snowpipe_sandbox.snowflake.account.Account)."""
        from snowpipe_sandbox.snowflake.account import Account, AwsIdentity

        with self._lock:
            if self._account is None:
                user = self.snowflake_user
                identity = AwsIdentity(
                    endpoint_url=self.endpoint_url,
                    account_id=user.account_id,
                    user_name=user.name,
                    user_arn=user.arn,
                    access_key_id=user.access_key_id,
                    secret_access_key=user.secret_access_key,
                    region=self.region,
                )
                self._account = Account(
                    self.account_name,
                    ORGANIZATION,
                    self.password,
                    identity,
                    self.realm.clock,
                    self.realm.requests,
                    self.realm.faults.latency_s,
                )
            return self._account

    @property
    def opened_account(self) -> Any:
        """The Snowflake account if anybody has asked for it yet, else None."""
        return self._account

    def close(self) -> None:
        """Stop the Snowflake side, if it ever started."""
        with self._lock:
            if self._account is not None:
                self._account.close()

    def as_json(self, port: int, control_url: str) -> dict[str, Any]:
        """What a client needs to know; ``port`` is the Snowflake side's, ``control_url`` has the token."""
        return {
            "name": self.name,
            "aws": {
                "endpoint_url": self.endpoint_url,
                "account_id": self.admin.account_id,
                "access_key_id": self.admin.access_key_id,
                "secret_access_key": self.admin.secret_access_key,
                "session_token": self.admin.session_token,
                "region": self.region,
                "bucket": self.bucket,
            },
            "snowflake": {
                "host": "127.0.0.1",
                "port": port,
                "account": self.account_name,
                "user": self.account_name,
                "password": self.password,
                "organization": ORGANIZATION,
                "account_name": self.account_name,
            },
            "control_url": f"{control_url}/{self.name}",
        }


class Tenants:
    """All tenants of one process. Thread-safe."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._tenants: dict[str, Tenant] = {}

    def names(self) -> list[str]:
        """Every tenant's name."""
        with self._lock:
            return list(self._tenants)

    def get(self, name: str) -> Tenant:
        """The tenant of this name; NoSuchTenant."""
        with self._lock:
            found = self._tenants.get(name)
        if found is None:
            raise NoSuchTenant(name)
        return found

    def create(
        self,
        name: str | None = None,
        *,
        region: str = DEFAULT_REGION,
        bucket: str | None = "",
        seed: int | None = None,
    ) -> Tenant:
        """A new tenant. ``bucket``: a name, "" for one made up, None for none. ValueError if it exists."""
        with self._lock:
            name = name or f"tenant-{next(self._numbers)}"
            if name in self._tenants:
                raise ValueError(f"there is a tenant {name} already")
            tenant = self._open(name, region, _bucket_name(name, bucket))
            if seed is not None:
                tenant.realm.faults.replace({"seed": seed})
            self._tenants[name] = tenant
        return tenant

    def _open(self, name: str, region: str, bucket: str | None) -> Tenant:
        realm = Realm(name)
        accounts = self._aws.open(realm, region, bucket, default=name == DEFAULT)
        account_name = "".join(c if c.isalnum() else "_" for c in name.upper())
        return Tenant(
            name=name,
            region=region,
            bucket=bucket,
            realm=realm,
            accounts=accounts,
            account_name=account_name,
            password=secrets.token_urlsafe(12),
            endpoint_url=self._aws.endpoint_url,
        )

    def add_aws_account(self, name: str) -> AccountUser:
        """One more AWS account for a tenant, with an administrator: for what spans accounts."""
        tenant = self.get(name)
        return self._aws.open_another(tenant.realm, tenant.region)

    def delete(self, name: str) -> None:
        """Remove a tenant and everything it had; NoSuchTenant."""
        tenant = self.get(name)
        with self._lock:
            self._tenants.pop(name, None)
        tenant.close()
        self._aws.close(tenant.realm, tenant.accounts)

    def close(self) -> None:
        """Remove all."""
        for name in self.names():
            self.delete(name)


class SnowflakeAccounts(Mapping[str, Any]):
    """The tenants' Snowflake accounts by upper-case name, each opened at its first login."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    def _named(self, name: str) -> Tenant | None:
        for tenant_name in self._tenants.names():
            try:
                tenant = self._tenants.get(tenant_name)
            except NoSuchTenant:
                continue
            if tenant.account_name.upper() == name.upper():
                return tenant
        return None

    def __getitem__(self, name: str) -> Any:
        tenant = self._named(name)
        if tenant is None:
            raise KeyError(name)
        return tenant.account()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._named(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter([self._tenants.get(name).account_name for name in self._tenants.names()])

    def __len__(self) -> int:
        return len(self._tenants.names())


def _bucket_name(tenant: str, wanted: str | None) -> str | None:
    if wanted == "":
        return DEFAULT_BUCKET if tenant == DEFAULT else f"snowplow-{tenant.lower()}".replace("_", "-")
    return wanted
