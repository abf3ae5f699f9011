"""Another AWS-compatible endpoint instead of the gateway: set up and used by its public API alone.

Chosen by SANDBOX_AWS_ENDPOINT, with credentials that may manage IAM in two of its accounts:
SANDBOX_AWS_CUSTOMER_KEY/_SECRET (and _TOKEN, if they are a role's) and SANDBOX_AWS_SNOWFLAKE_KEY/_SECRET.
What only our gateway has (faults, the tenant's clock, the request log of AWS calls, more accounts) is refused
or absent there.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from snowpipe_sandbox.aws.accounts import SNOWFLAKE_POLICY, AccountUser, TenantAccounts, snowflake_user_name
from snowpipe_sandbox.aws.realm import Realm

_PREFIX = "SANDBOX_AWS_"
_NEEDED = ("CUSTOMER_KEY", "CUSTOMER_SECRET", "SNOWFLAKE_KEY", "SNOWFLAKE_SECRET")


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret; a session's also have a token."""

    key: str
    secret: str
    token: str = ""


class ForeignAws:
    """Tenants' accounts on another endpoint."""

    def __init__(self, endpoint_url: str, customer: Keys, snowflake: Keys) -> None:
        self.endpoint_url = endpoint_url
        self._customer = customer
        self._snowflake = snowflake
        self._session: Any = boto3.session.Session()
        self._opened = time.monotonic()

    @property
    def last_request(self) -> float:
        """Unknown: its requests do not pass here. The time it was opened."""
        return self._opened

    def _client(self, service: str, keys: Keys, region: str) -> Any:
        return self._session.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id=keys.key,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token or None,
            config=Config(s3={"addressing_style": "path"}),
        )

    def open(self, realm: Realm, region: str, bucket: str | None, *, default: bool) -> TenantAccounts:  # noqa: ARG002
        """The customer as given, a new user for Snowflake, and the bucket if it is not there yet."""
        try:
            identity = self._client("sts", self._customer, region).get_caller_identity()
            customer = AccountUser(
                identity["Account"],
                identity["Arn"].rpartition("/")[2],
                identity["Arn"],
                self._customer.key,
                self._customer.secret,
                self._customer.token,
            )
            user = self._make_snowflake_user(region)
            if bucket is not None:
                self._make_bucket(bucket, region)
        except (BotoCoreError, ClientError) as error:
            raise ValueError(f"the AWS endpoint {self.endpoint_url} refused the set-up: {error}") from error
        return TenantAccounts(customer, user)

    def _make_snowflake_user(self, region: str) -> AccountUser:
        iam = self._client("iam", self._snowflake, region)
        name = snowflake_user_name()
        made = iam.create_user(UserName=name)["User"]
        iam.put_user_policy(UserName=name, PolicyName="permissions", PolicyDocument=SNOWFLAKE_POLICY)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        account = made["Arn"].split(":")[4]
        return AccountUser(account, name, made["Arn"], key["AccessKeyId"], key["SecretAccessKey"])

    def _make_bucket(self, bucket: str, region: str) -> None:
        s3 = self._client("s3", self._customer, region)
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            s3.create_bucket(Bucket=bucket, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def open_another(self, realm: Realm, region: str) -> AccountUser:  # noqa: ARG002
        """Refused: another endpoint's accounts are not ours to open."""
        raise ValueError("not emulated: more accounts on another AWS endpoint")

    def close(self, realm: Realm, accounts: TenantAccounts) -> None:  # noqa: ARG002
        """Remove Snowflake's user; the customer's account and bucket are left as they are."""
        iam = self._client("iam", self._snowflake, "us-east-1")
        name = accounts.snowflake.name
        with contextlib.suppress(BotoCoreError, ClientError):
            iam.delete_access_key(UserName=name, AccessKeyId=accounts.snowflake.access_key_id)
            iam.delete_user_policy(UserName=name, PolicyName="permissions")
            iam.delete_user(UserName=name)

    def pending(self, realm: Realm) -> int:  # noqa: ARG002
        """None that could be known of."""
        return 0


def from_environment(environment: Mapping[str, str] = os.environ) -> ForeignAws | None:
    """The endpoint SANDBOX_AWS_ENDPOINT names; None without one. ValueError when its keys are missing."""
    endpoint = environment.get(f"{_PREFIX}ENDPOINT")
    if not endpoint:
        return None
    missing = [f"{_PREFIX}{name}" for name in _NEEDED if not environment.get(f"{_PREFIX}{name}")]
    if missing:
        raise ValueError(f"SANDBOX_AWS_ENDPOINT is set, but not {', '.join(missing)}")
    key = {name: environment[f"{_PREFIX}{name}"] for name in _NEEDED}
    return ForeignAws(
        endpoint,
        Keys(key["CUSTOMER_KEY"], key["CUSTOMER_SECRET"], environment.get(f"{_PREFIX}CUSTOMER_TOKEN", "")),
        Keys(key["SNOWFLAKE_KEY"], key["SNOWFLAKE_SECRET"]),
    )
