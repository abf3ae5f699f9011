"""One Snowflake account of the sandbox: everything behind the wire."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook.sandbox.clock import Clock
from runbook.sandbox.requests import RequestLog
from runbook.sandbox.snowflake.bucket import BucketReader
from runbook.sandbox.snowflake.catalog import Catalog
from runbook.sandbox.snowflake.engine import Engine
from runbook.sandbox.snowflake.history import LoadHistory
from runbook.sandbox.snowflake.pipe_service import PipeService
from runbook.sandbox.snowflake.privileges import Privileges


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Snowflake's own IAM user, in Snowflake's own AWS account, and where AWS is."""

    endpoint_url: str
    account_id: str
    user_name: str
    user_arn: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-west-2"


class Account:
    """A Snowflake account.

    ``lock`` guards the catalogue and the privileges: held while a statement looks objects up or changes
    them, never while a file is read or AWS is called. ``duckdb()`` is safe from any thread.
    """

    def __init__(
        self,
        name: str,
        organization: str,
        password: str,
        aws: AwsIdentity,
        clock: Clock,
        requests: RequestLog,
    ) -> None:
        self.name = name.upper()
        self.organization = organization.upper()
        self.password = password
        self.aws = aws
        self.clock = clock
        self.requests = requests
        self.lock = threading.RLock()
        self.locator = "".join(secrets.choice(string.ascii_uppercase) for _ in range(2)) + str(
            secrets.randbelow(90000) + 10000
        )
        self.engine = Engine()
        self.catalog = Catalog()
        self.privileges = Privileges(self.catalog, clock, self.name)
        self.history = LoadHistory(self)
        self.bucket = BucketReader(self)
        self.pipes = PipeService(self)

    def now(self) -> datetime:
        """The tenant's time, aware UTC."""
        return self.clock.now()

    def duckdb(self) -> Any:
        """A fresh DuckDB cursor on the account's data, for one thread; the caller closes it.

        A table RAW.SNOWPLOW.EVENTS is DuckDB's ``RAW.SNOWPLOW.EVENTS``.
        """
        return self.engine.cursor()

    def settle(self, timeout_s: float) -> bool:
        """Wait until the queue is drained and no pipe has work that could be done; False: time went by."""
        return self.pipes.settle(timeout_s)

    def close(self) -> None:
        """Stop the pipe service and free the data."""
        self.pipes.close()
        self.engine.close()
