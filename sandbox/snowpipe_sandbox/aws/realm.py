"""A realm: the AWS accounts of one tenant, with its clock, request log and faults."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from snowpipe_sandbox.aws.faults import Faults
from snowpipe_sandbox.clock import Clock
from snowpipe_sandbox.requests import RequestLog


@dataclass
class Realm:
    """What belongs together: accounts of different realms know each other only as foreign accounts."""

    name: str
    clock: Clock = field(default_factory=Clock)
    requests: RequestLog = field(default_factory=RequestLog)
    faults: Faults = field(default_factory=Faults)


class Realms:
    """Which account is whose. Thread-safe."""

    def __init__(self) -> None:
        self._by_account: dict[str, Realm] = {}
        self._lock = threading.Lock()

    def add(self, account: str, realm: Realm) -> None:
        """Make ``account`` one of the realm's."""
        with self._lock:
            self._by_account[account] = realm

    def remove(self, realm: Realm) -> list[str]:
        """Forget the realm; the accounts that were its."""
        with self._lock:
            gone = [account for account, owner in self._by_account.items() if owner is realm]
            for account in gone:
                del self._by_account[account]
        return gone

    def of(self, account: str) -> Realm | None:
        """The realm of ``account``; None for an account the sandbox does not have."""
        return self._by_account.get(account)

    def snapshot(self) -> Mapping[str, Realm]:
        """Every account with its realm, as of now."""
        with self._lock:
            return dict(self._by_account)
