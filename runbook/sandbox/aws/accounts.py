"""New AWS accounts with their first user, as somebody who just signed up would have them."""

from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends

from runbook.sandbox.aws.gateway import Gateway
from runbook.sandbox.aws.identities import aws_managed_policy
from runbook.sandbox.aws.realm import Realm
from runbook.sandbox.aws.stores import forget_accounts, partition_of

ADMINISTRATOR = "policy/AdministratorAccess"


@dataclass(frozen=True, slots=True)
class AccountUser:
    """An IAM user with an access key."""

    account_id: str
    name: str
    arn: str
    access_key_id: str
    secret_access_key: str


def open_account(
    gateway: Gateway, realm: Realm, account_id: str, *, user: str, region: str, policy: str | None = None
) -> AccountUser:
    """An account with one user: with ``policy`` inline, or AdministratorAccess when None."""
    partition = partition_of(region)
    backend: Any = iam_backends[account_id][partition]
    made = backend.create_user(region, user)
    if policy is None:
        arn = f"arn:{partition}:iam::aws:{ADMINISTRATOR}"
        aws_managed_policy(account_id, arn, partition)
        backend.attach_user_policy(arn, user)
    else:
        made.put_policy("permissions", policy)
    key = backend.create_access_key(user)
    gateway.realms.add(account_id, realm)
    gateway.identities.start(account_id)
    return AccountUser(account_id, user, made.arn, key.access_key_id, key.secret_access_key)


def close_accounts(gateway: Gateway, realm: Realm) -> None:
    """Remove a tenant's accounts and all they hold."""
    accounts = gateway.realms.remove(realm)
    gateway.deliveries.forget(realm)
    gateway.identities.forget(accounts)
    for bucket in forget_accounts(accounts):
        gateway.forget_bucket(bucket)
