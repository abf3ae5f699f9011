"""A tenant's clock: real time plus whatever a test has added."""

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Time as one tenant sees it; always aware, always UTC, never backwards."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The tenant's time."""
        with self._lock:
            return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward and return the new time. Raises ValueError for a step back."""
        if by < timedelta(0):
            raise ValueError(f"a clock only moves forward, not by {by}")
        with self._lock:
            self._ahead += by
        return self.now()
