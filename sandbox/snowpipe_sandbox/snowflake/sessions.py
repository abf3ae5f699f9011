"""A client's session: its role, context, parameters and transaction."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from snowpipe_sandbox.snowflake import duckdb_errors, errors
from snowpipe_sandbox.snowflake.catalog import Objects, Table
from snowpipe_sandbox.snowflake.names import duckdb_name
from snowpipe_sandbox.snowflake.parameters import SESSION, SessionParameters
from snowpipe_sandbox.snowflake.queries import CURRENT, Query

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.account import Account


class Session:
    """One login. Satisfies :class:`~snowpipe_sandbox.snowflake.names.Context`.

    Statements of one session may overlap (asynchronous ones do): whoever uses :attr:`duck` holds
    :attr:`lock`.
    """

    def __init__(self, account: Account, user: str, role: str, parameters: SessionParameters) -> None:
        self.account = account
        self.user = user
        self.role = role
        self.parameters = parameters
        self.id = str(secrets.randbelow(10**14) + 10**13)
        self.token = secrets.token_urlsafe(48)
        self.master_token = secrets.token_urlsafe(48)
        self.warehouse: str | None = None
        self.database: str | None = None
        self.schema: str | None = None
        self.client = ""
        self.closed = False
        self.in_transaction = False
        self.query_ids: list[str] = []
        self.temporary: Objects[Table] = Objects()
        """Temporary views; they end with the session."""
        self.variables: dict[str, Any] = {}
        """By SET: ``$name`` in a statement."""
        self.lock = threading.RLock()
        self._duck: Any = None
        self._timezone = ""
        self._after_commit: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []
        self._last_query_at = account.now()

    @property
    def query_id(self) -> str:
        """The id of the statement this thread runs for the session."""
        query = CURRENT.get()
        return "" if query is None else query.id

    @property
    def query_tag(self) -> str:
        """QUERY_TAG."""
        return self.parameters["QUERY_TAG"]

    def check_canceled(self) -> None:
        """Raise 000604 or 000630 if the running statement should stop."""
        query = CURRENT.get()
        if query is not None:
            query.check()

    def new_query(self, text: str, settings: dict[str, Any]) -> Query:
        """A query of this session; ``settings`` are session parameters for this statement alone."""
        self._last_query_at = self.account.now()
        limit = int(
            settings.get("STATEMENT_TIMEOUT_IN_SECONDS", self.parameters["STATEMENT_TIMEOUT_IN_SECONDS"])
        )
        warehouse = self.account.catalog.warehouses.get(self.warehouse or "")
        if warehouse is not None and warehouse.statement_timeout_s:  # the lower of the two counts
            limit = min(limit or warehouse.statement_timeout_s, warehouse.statement_timeout_s)
        default = SESSION["STATEMENT_TIMEOUT_IN_SECONDS"].default
        timeout_s = None if limit in (0, int(default)) else float(limit)
        return Query(self, text, self.account.now(), timeout_s, settings)

    @contextmanager
    def with_settings(self, query: Query) -> Iterator[None]:
        """The query's own parameters while it runs; ALTER SESSION in it stays."""
        before = {name: self.parameters.own(name) for name in query.settings if name in SESSION}
        for name, value in query.settings.items():
            if name in SESSION and SESSION[name].effect:
                self.parameters.set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    self.parameters.unset(name)
                else:
                    self.parameters.set(name, value)

    @property
    def duck(self) -> Any:
        """The session's own DuckDB connection, in its time zone. Hold :attr:`lock` while using it."""
        if self._duck is None:
            self._duck = self.account.engine.cursor()
        self.account.engine.follow(self.account.clock)
        if self._timezone != self.parameters.timezone:
            self._timezone = self.parameters.timezone
            self._duck.execute(f"SET TimeZone = '{self._timezone}'")
        return self._duck

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A DuckDB connection to write with: the session's own inside a transaction, else a fresh one."""
        if self.in_transaction:
            with self.lock:
                yield self.duck
            return
        cursor = self.account.engine.cursor(self.parameters.timezone)
        try:
            yield cursor
        finally:
            cursor.close()

    def require_warehouse(self) -> None:
        """Raise 000606 in a session without a warehouse it may use."""
        warehouse = self.account.catalog.warehouses.get(self.warehouse or "")
        if warehouse is None or not self.account.privileges.has(self.role, "USAGE", warehouse):
            raise errors.no_warehouse()

    # --- transactions

    def begin(self) -> None:
        """Open a transaction unless one is open."""
        with self.lock:
            if not self.in_transaction:
                self.duck.execute("BEGIN TRANSACTION")
                self.in_transaction = True

    def commit(self) -> None:
        """End the transaction, if any, and keep what it did."""
        with self.lock:
            if not self.in_transaction:
                return
            hooks, ends = self._end("COMMIT")
        for hook in (*hooks, *ends):
            hook()

    def rollback(self) -> None:
        """End the transaction, if any, and undo what it did."""
        with self.lock:
            if self.in_transaction:
                _, ends = self._end("ROLLBACK")
                for hook in ends:
                    hook()

    def abandon_if_idle(self, limit: timedelta) -> None:
        """Undo a transaction in which nothing has run for that long; never waits for the session."""
        if self.account.now() - self._last_query_at <= limit or self.account.queries.running(self):
            return
        if self.lock.acquire(blocking=False):
            try:
                self.rollback()
            finally:
                self.lock.release()

    def _end(self, how: str) -> tuple[list[Callable[[], None]], list[Callable[[], None]]]:
        """End the open transaction, whatever DuckDB says; what is done after a commit, and anyway."""
        hooks, self._after_commit = self._after_commit, []
        ends, self._at_end = self._at_end, []
        self.in_transaction = False
        try:
            self.duck.execute(how)
        except duckdb.Error as error:
            for hook in ends:
                hook()
            raise duckdb_errors.translate(error) from None
        finally:
            self.account.locks.release(self)
        return hooks, ends

    def after_commit(self, what: Callable[[], None]) -> None:
        """Do this once the running transaction is committed (now, if none is open); never if it is undone."""
        if self.in_transaction:
            self._after_commit.append(what)
        else:
            what()

    def at_end(self, what: Callable[[], None]) -> None:
        """Do this once the running transaction has ended, one way or the other (now, if none is open)."""
        if self.in_transaction:
            self._at_end.append(what)
        else:
            what()

    def close(self) -> None:
        """Cancel what runs, undo an open transaction, free the connection."""
        self.closed = True
        for query in self.account.queries.running(self):
            query.cancel()
        with self.lock:
            self.rollback()
            with suppress(duckdb.Error):  # its schema may be gone
                for each in self.temporary:
                    kind = "VIEW" if each.is_query else "TABLE"
                    self.duck.execute(f"DROP {kind} IF EXISTS {duckdb_name(each.lies_at)}")
            if self._duck is not None:
                self._duck.close()
                self._duck = None
