"""New AWS accounts with their first user, as somebody who just signed up would have them."""

import itertools
import json
import secrets
import string
from dataclasses import dataclass
from typing import Any, Protocol

from snowpipe_sandbox.aws.realm import Realm

DEFAULT_CUSTOMER = "111122223333"
DEFAULT_SNOWFLAKE = "444455556666"

# What Snowflake's user may do: assume the customers' roles, keep its queues, subscribe them to topics.
SNOWFLAKE_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["sts:AssumeRole", "sns:Subscribe"], "Resource": "*"},
            {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:*:sqs:*:*:sf-snowpipe-*"},
        ],
    }
)


@dataclass(frozen=True, slots=True)
class AccountUser:
    """An IAM user with an access key; a session of a role where there is a token."""

    account_id: str
    name: str
    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str = ""


@dataclass(frozen=True, slots=True)
class TenantAccounts:
    """A tenant's AWS: the customer's administrator, and Snowflake's user in Snowflake's own account."""

    customer: AccountUser
    snowflake: AccountUser


class Aws(Protocol):
    """Where tenants get their AWS accounts: the gateway of this process, or another endpoint."""

    endpoint_url: str

    def open(self, realm: Realm, region: str, bucket: str | None, *, default: bool) -> TenantAccounts:
        """Accounts for a new tenant, and its bucket; ValueError when the bucket cannot be had."""

    def open_another(self, realm: Realm, region: str) -> AccountUser:
        """One more account for a tenant, with an administrator."""

    def close(self, realm: Realm, accounts: TenantAccounts) -> None:
        """Remove what :meth:`open` made."""

    def pending(self, realm: Realm) -> int:
        """How many event notifications are on their way."""

    @property
    def last_request(self) -> float:
        """When AWS was last asked something (time.monotonic)."""


class LocalAws:
    """Accounts behind the gateway of this process. Nothing here is a request, so nothing is logged."""

    def __init__(self, gateway: Any, endpoint_url: str) -> None:
        self.gateway = gateway
        self.endpoint_url = endpoint_url
        self._numbers = itertools.count(1)

    @property
    def last_request(self) -> float:
        """When the gateway last answered."""
        return float(self.gateway.last_request)

    def open(self, realm: Realm, region: str, bucket: str | None, *, default: bool) -> TenantAccounts:
        """Two new accounts, one user each, and the customer's bucket."""
        number = next(self._numbers)
        customer = DEFAULT_CUSTOMER if default else f"2{number:011d}"
        theirs = DEFAULT_SNOWFLAKE if default else f"9{number:011d}"
        if bucket is not None:
            self.gateway.check_bucket_is_free(bucket)
        admin = self.gateway.open_account(realm, customer, "administrator", region)
        user = self.gateway.open_account(realm, theirs, snowflake_user_name(), region, SNOWFLAKE_POLICY)
        if bucket is not None:
            self.gateway.make_bucket(customer, bucket, region)
        return TenantAccounts(AccountUser(*admin), AccountUser(*user))

    def open_another(self, realm: Realm, region: str) -> AccountUser:
        """One more account, known to the tenant's others only by its number."""
        account = f"3{next(self._numbers):011d}"
        return AccountUser(*self.gateway.open_account(realm, account, "administrator", region))

    def close(self, realm: Realm, accounts: TenantAccounts) -> None:  # noqa: ARG002
        """Remove all accounts of the realm and all they hold."""
        self.gateway.close_accounts(realm)

    def pending(self, realm: Realm) -> int:
        """How many event notifications are on their way."""
        return int(self.gateway.deliveries.pending(realm))


def snowflake_user_name() -> str:
    """As Snowflake names its users: ``abc1-s-v2st0001``."""
    letters = string.ascii_lowercase + string.digits
    first = "".join(secrets.choice(letters) for _ in range(4))
    return f"{first}-s-" + "".join(secrets.choice(letters) for _ in range(8))
