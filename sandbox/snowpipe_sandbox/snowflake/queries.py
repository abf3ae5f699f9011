"""One statement on its way: its id, how it stands, its outcome, and how it is cancelled."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.result import Result

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session

Status = Literal["RUNNING", "SUCCESS", "FAILED_WITH_ERROR", "ABORTED"]
REMEMBERED = 2000
RESULTS_KEPT = 500

CURRENT: ContextVar[Query | None] = ContextVar("current query", default=None)
"""The query this thread is running."""


class Query:
    """A statement as clients ask about it: RUNNING until it has a result or an error."""

    def __init__(
        self,
        session: Session,
        text: str,
        started_at: datetime,
        timeout_s: float | None,
        settings: dict[str, Any],
    ) -> None:
        self.id = str(uuid.uuid4())
        self.session = session
        self.text = text
        self.settings = settings
        self.status: Status = "RUNNING"
        self.result: Result | None = None
        self.error: SnowflakeError | None = None
        self.children: list[str] = []
        self.started_at = started_at
        self.ended_at: datetime | None = None
        self.finished = threading.Event()
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._canceled = False
        self._interrupt: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def timeout_s(self) -> float | None:
        """Seconds the statement may run."""
        return self._timeout_s

    def check(self) -> None:
        """Raise 000604 if the query was cancelled, 000630 if its time is over."""
        if self._canceled:
            raise errors.canceled()
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise errors.timed_out(int(self._timeout_s or 0))

    def cancel(self) -> None:
        """Ask the query to stop; it ends with 000604 at the next place where it looks."""
        self._canceled = True
        self.interrupt()

    def interrupt(self) -> None:
        """Break whatever DuckDB is doing for it."""
        with self._lock:
            if self._interrupt is not None:
                self._interrupt()

    def interruptible(self, interrupt: Callable[[], None] | None) -> None:
        """While set, ``interrupt`` is what breaks the running work."""
        with self._lock:
            self._interrupt = interrupt

    def succeed(self, result: Result, ended_at: datetime) -> None:
        """Done."""
        self.result, self.ended_at, self.status = result, ended_at, "SUCCESS"
        self.finished.set()

    def fail(self, error: SnowflakeError, ended_at: datetime) -> None:
        """Failed or aborted."""
        self.error, self.ended_at = error, ended_at
        self.status = "ABORTED" if error.errno == 604 else "FAILED_WITH_ERROR"
        self.finished.set()


class Queries:
    """The account's queries, the newest few thousand; results of the newest few only."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, Query] = OrderedDict()
        self._by_request: OrderedDict[tuple[str, str], Query] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, query: Query, request_id: str | None = None) -> None:
        """Remember a query, also under its client's request id: a request sent twice runs once."""
        with self._lock:
            self._by_id[query.id] = query
            if request_id:
                self._by_request[query.session.id, request_id] = query
            self._shed()

    def get(self, query_id: str) -> Query | None:
        """The query with this id."""
        with self._lock:
            return self._by_id.get(query_id)

    def of_request(self, session_id: str, request_id: str | None) -> Query | None:
        """The query a client's request already started."""
        with self._lock:
            return self._by_request.get((session_id, request_id)) if request_id else None

    def running(self, session: Session) -> list[Query]:
        """The session's unfinished queries."""
        with self._lock:
            return [
                query for query in self._by_id.values() if query.session is session and not query.ended_at
            ]

    def _shed(self) -> None:
        while len(self._by_id) > REMEMBERED:
            self._by_id.popitem(last=False)
        while len(self._by_request) > REMEMBERED:
            self._by_request.popitem(last=False)
        if len(self._by_id) > RESULTS_KEPT:
            old = list(self._by_id.values())[-RESULTS_KEPT - 1]
            if old.finished.is_set() and old.result is not None:
                old.result = None
