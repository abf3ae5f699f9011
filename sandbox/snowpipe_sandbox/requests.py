"""The log of everything a tenant was asked, on both clouds."""

import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

Access = Literal["read", "write"]
Cloud = Literal["aws", "snowflake"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it was answered. ``text`` is the SQL, or the AWS call's parameters in brief."""

    n: int
    cloud: Cloud
    caller: str
    operation: str
    access: Access
    text: str
    status: str
    started_at: datetime
    ended_at: datetime


class RequestLog:
    """Append-only and thread-safe; readers page through it by number."""

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._lock = threading.Lock()

    def append(
        self,
        cloud: Cloud,
        caller: str,
        operation: str,
        access: Access,
        text: str,
        status: str,
        started_at: datetime,
        ended_at: datetime,
    ) -> None:
        """Record one answered call."""
        with self._lock:
            n = len(self._requests)
            self._requests.append(
                Request(n, cloud, caller, operation, access, text, status, started_at, ended_at)
            )

    def since(self, n: int) -> list[Request]:
        """The calls numbered ``n`` and later."""
        with self._lock:
            return self._requests[n:]

    def as_json(self, since: int = 0) -> dict[str, Any]:
        """``{"next": M, "requests": [...]}`` with ISO times."""
        rows = self.since(since)
        described = [
            asdict(row) | {"started_at": row.started_at.isoformat(), "ended_at": row.ended_at.isoformat()}
            for row in rows
        ]
        return {"next": since + len(rows), "requests": described}
