"""One Snowflake account of the sandbox: everything behind the wire."""

from __future__ import annotations

import logging
import secrets
import string
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snowpipe_sandbox.clock import Clock
from snowpipe_sandbox.requests import RequestLog
from snowpipe_sandbox.snowflake.bucket import BucketReader
from snowpipe_sandbox.snowflake.catalog import Catalog, User, Warehouse
from snowpipe_sandbox.snowflake.engine import Engine
from snowpipe_sandbox.snowflake.history import LoadHistory
from snowpipe_sandbox.snowflake.locks import TableLocks
from snowpipe_sandbox.snowflake.parameters import SESSION
from snowpipe_sandbox.snowflake.pipe_service import PipeService
from snowpipe_sandbox.snowflake.privileges import Privileges
from snowpipe_sandbox.snowflake.queries import Queries
from snowpipe_sandbox.snowflake.sessions import Session
from snowpipe_sandbox.snowflake.sign_in import SignIns

log = logging.getLogger(__name__)


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
    them, never while a file is read, a query runs or AWS is called. ``duckdb()`` is safe from any thread.
    """

    def __init__(
        self,
        name: str,
        organization: str,
        password: str,
        aws: AwsIdentity,
        clock: Clock,
        requests: RequestLog,
        latency_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name: str = name.upper()
        self.organization: str = organization.upper()
        self.user = self.name
        self.password = password
        self.users: dict[str, User] = {}
        """Users by name, without the one that signs in."""
        self.sign_ins = SignIns(self.name, self.organization, self.user, password, clock.now)
        self.aws = aws
        self.clock = clock
        self.requests = requests
        self.latency_s = latency_s
        self.created_on = clock.now()
        self.default_role = "ACCOUNTADMIN"
        self.default_warehouse = "SANDBOX_WH"
        self.timezone = SESSION["TIMEZONE"].default
        self.lock = threading.RLock()
        letters = "".join(secrets.choice(string.ascii_uppercase) for _ in range(2))
        self.locator: str = letters + str(secrets.randbelow(90000) + 10000)
        self.engine = Engine(clock)
        self.catalog = Catalog()
        self.privileges = Privileges(self.catalog, clock, self.name)
        self.queries = Queries()
        self.locks = TableLocks()
        self.sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self.history = LoadHistory(self)
        self.bucket = BucketReader(self)
        self.pipes = PipeService(self)
        warehouse = Warehouse(self.catalog.next_id(), self.default_warehouse, "ACCOUNTADMIN", self.created_on)
        self.catalog.warehouses[warehouse.name] = warehouse
        self.privileges.grant("USAGE", warehouse, "PUBLIC", "ACCOUNTADMIN", option=False)

    @property
    def region(self) -> str:
        """CURRENT_REGION: ``AWS_US_WEST_2``."""
        return "AWS_" + self.aws.region.upper().replace("-", "_")

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

    def report(self, error: Exception) -> None:
        """Log a fault of the sandbox itself, with its traceback."""
        log.error("account %s: %s", self.name, error, exc_info=error)

    def close(self) -> None:
        """Stop the pipe service, end the sessions, free the data."""
        self.pipes.close()
        for session in list(self.sessions):
            session.close()
        self.engine.close()
