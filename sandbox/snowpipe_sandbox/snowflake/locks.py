"""Table locks: statements that change or delete rows of one table wait for each other.

UPDATE, DELETE, MERGE and TRUNCATE lock the table until their transaction ends; INSERT and COPY do not
(https://docs.snowflake.com/en/sql-reference/transactions, "resource locking").
A transaction left open by a client that vanished, or forgot it, is rolled back once it has been idle for
five minutes and somebody waits for it (the same page, "aborting transactions").
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowpipe_sandbox.snowflake.sessions import Session


IDLE = timedelta(minutes=5)


class TableLocks:
    """Who holds which table, by its hidden id."""

    def __init__(self) -> None:
        self._holders: dict[int, Session] = {}
        self._changed = threading.Condition()

    def acquire(self, session: Session, table_id: int) -> None:
        """Wait for the table. Raises 000604 or 000630 when the waiting statement is cancelled."""
        with self._changed:
            while self._holders.get(table_id, session) is not session:
                session.check_canceled()
                self._holders[table_id].abandon_if_idle(IDLE)
                self._changed.wait(0.05)
            self._holders[table_id] = session

    def release(self, session: Session) -> None:
        """Give back every table the session holds."""
        with self._changed:
            held = [table_id for table_id, holder in self._holders.items() if holder is session]
            for table_id in held:
                del self._holders[table_id]
            if held:
                self._changed.notify_all()
