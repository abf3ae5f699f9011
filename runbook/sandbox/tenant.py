"""Tenants: one customer AWS account, one Snowflake account, and Snowflake's own AWS account for it.

Many live in one process, and know nothing of each other (bucket names are shared by all, as on AWS).
"""

import itertools
import json
import secrets
import string
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbook.sandbox.aws.accounts import AccountUser, close_accounts, open_account
from runbook.sandbox.aws.gateway import Gateway
from runbook.sandbox.aws.objectstore import make_bucket
from runbook.sandbox.aws.realm import Realm

DEFAULT = "sandbox"
DEFAULT_REGION = "us-west-2"
DEFAULT_BUCKET = "snowplow-sandbox"
DEFAULT_CUSTOMER = "111122223333"
DEFAULT_SNOWFLAKE = "444455556666"
ORGANIZATION = "SANDBOXORG"

# What Snowflake's user may do: assume the customers' roles, keep its queues, subscribe them to topics.
_SNOWFLAKE_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["sts:AssumeRole", "sns:Subscribe"], "Resource": "*"},
            {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:*:sqs:*:*:sf-snowpipe-*"},
        ],
    }
)


class NoSuchTenant(Exception):
    """There is no tenant of this name."""


@dataclass
class Tenant:
    """One tenant; ``account()`` is its Snowflake side, made when it is first asked for."""

    name: str
    region: str
    bucket: str | None
    realm: Realm
    admin: AccountUser
    snowflake_user: AccountUser
    account_name: str
    password: str
    endpoint_url: str
    _account: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def account(self) -> Any:
        """The Snowflake account (runbook.sandbox.snowflake.account.Account)."""
        from runbook.sandbox.snowflake.account import Account, AwsIdentity

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

    def as_json(self, port: int) -> dict[str, Any]:
        """What a client needs to know; ``port`` is the Snowflake and control side's."""
        return {
            "name": self.name,
            "aws": {
                "endpoint_url": self.endpoint_url,
                "account_id": self.admin.account_id,
                "access_key_id": self.admin.access_key_id,
                "secret_access_key": self.admin.secret_access_key,
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
            "control_url": f"http://127.0.0.1:{port}/control/{self.name}",
        }


class Tenants:
    """All tenants of one process. Thread-safe."""

    def __init__(self, gateway: Gateway, endpoint_url: str) -> None:
        self._gateway = gateway
        self._endpoint_url = endpoint_url
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
            number = next(self._numbers)
            name = name or f"tenant-{number}"
            if name in self._tenants:
                raise ValueError(f"there is a tenant {name} already")
            tenant = self._open(name, number, region, _bucket_name(name, bucket))
            if seed is not None:
                tenant.realm.faults.replace({"seed": seed})
            self._tenants[name] = tenant
        return tenant

    def _open(self, name: str, number: int, region: str, bucket: str | None) -> Tenant:
        realm = Realm(name)
        default = name == DEFAULT
        customer = DEFAULT_CUSTOMER if default else f"2{number:011d}"
        theirs = DEFAULT_SNOWFLAKE if default else f"9{number:011d}"
        admin = open_account(self._gateway, realm, customer, user="administrator", region=region)
        user = open_account(
            self._gateway,
            realm,
            theirs,
            user=_snowflake_user_name(),
            region=region,
            policy=_SNOWFLAKE_POLICY,
        )
        if bucket is not None:
            make_bucket(admin, bucket, region)
        account_name = "".join(c if c.isalnum() else "_" for c in name.upper())
        return Tenant(
            name=name,
            region=region,
            bucket=bucket,
            realm=realm,
            admin=admin,
            snowflake_user=user,
            account_name=account_name,
            password=secrets.token_urlsafe(12),
            endpoint_url=self._endpoint_url,
        )

    def add_aws_account(self, name: str) -> AccountUser:
        """One more AWS account for a tenant, with an administrator: for what spans accounts."""
        tenant = self.get(name)
        with self._lock:
            number = next(self._numbers)
        return open_account(
            self._gateway, tenant.realm, f"3{number:011d}", user="administrator", region=tenant.region
        )

    def delete(self, name: str) -> None:
        """Remove a tenant and everything it had; NoSuchTenant."""
        tenant = self.get(name)
        with self._lock:
            self._tenants.pop(name, None)
        tenant.close()
        close_accounts(self._gateway, tenant.realm)

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


def _snowflake_user_name() -> str:
    """As Snowflake names its users: ``abc1-s-v2st0001``."""
    letters = string.ascii_lowercase + string.digits
    first = "".join(secrets.choice(letters) for _ in range(4))
    return f"{first}-s-" + "".join(secrets.choice(letters) for _ in range(8))
