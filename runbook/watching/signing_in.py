"""The sessions of a watcher: kept over many rounds, opened again with care.

A refused sign-in counts: Snowflake locks a user after five in a row
(https://docs.snowflake.com/en/user-guide/admin-user-management). So a
watcher tries at most three times, with growing pauses, and after that only when what it signs in with has
changed, or a person asks for it at a terminal. A session that has ended, and a cloud that does not answer,
count nothing.
"""

import hashlib
import json
import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from runbook.clouds import sign_in_snowflake
from runbook.clouds.connections import Clouds
from runbook.clouds.reader import Reader, not_ours
from runbook.errors import CannotTell
from runbook.records import new_run_id
from runbook.settings import Settings
from runbook.watching.history import History, iso, when

PAUSES = (timedelta(0), timedelta(minutes=10), timedelta(hours=1))
"""Before the first, second and third attempt; there is no fourth."""
REFUSED = "refused.snowflake"
OF_THE_CONNECTION = ("SNOWFLAKE_", "PRIVATE_KEY")


class Sessions:
    """The reader of each round, on sessions that last as long as they work."""

    def __init__(self, settings: Settings, history: History) -> None:
        self.settings = settings
        self.history = history
        self.reader: Reader | None = None
        # as they were given: signing in sets some of its own
        self._variables = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(OF_THE_CONNECTION))

    def reader_for(self, now: datetime) -> Reader:
        """A reader that may ask whoever accepts the sign-in; who does not is closed to it, with the reason.

        Raises SettingsWrong where the sessions belong to other accounts than the settings pin.
        """
        kept = self.reader
        if kept is not None and not kept.is_refused and kept.closed.keys() <= kept.absent:
            kept.again()
        else:
            self.end()
            kept = self.reader = self._opened(now)
        self._count(kept, now)
        return kept

    def _opened(self, now: datetime) -> Reader:
        run_id = new_run_id()
        reader = Reader(Clouds(self.settings, run_id=run_id, command="watch"))
        for side in ("aws", "snowflake"):
            if self.settings.handoff and not reader.clouds.has_credentials(side):
                reader.closed[side] = not_ours(side)
                continue
            try:
                if side == "snowflake" and (why := self._not_yet(now)):
                    raise why
                reader.confirm(aws=side == "aws", snowflake=side == "snowflake")
            except CannotTell as error:
                reader.closed[side] = error
        return reader

    def _not_yet(self, now: datetime) -> CannotTell | None:
        """Why Snowflake is not asked to sign in at the moment; None where it may be asked."""
        kept = json.loads(self.history.noted(REFUSED) or "{}")
        if not kept or kept["with"] != self._material():
            return None
        count = int(kept["count"])
        if count < len(PAUSES) and not when(kept["at"]) <= now < when(kept["at"]) + PAUSES[count]:
            return None
        ahead = (
            f"the next attempt is at {when(kept['at']) + PAUSES[count]:%Y-%m-%d %H:%M} UTC"
            if count < len(PAUSES)
            else "it is not tried again, so that the user is not locked"
        )
        return CannotTell(
            "Signing in to Snowflake was refused",
            where=self.settings.target,
            why=f"{kept['why']}; attempts so far: {count}, {ahead}",
            remedy=f"{kept['remedy']}; a changed file or variable of the connection is tried at once, and "
            "`invoke watch --once` at a terminal always",
            final=True,
        )

    def _count(self, reader: Reader, now: datetime) -> None:
        """Remember a refusal, or that there is none any more."""
        kept = json.loads(self.history.noted(REFUSED) or "{}")
        why = reader.closed.get("snowflake")
        if why is None:
            if kept:
                self.forgive()
            return
        if not why.final or why.what == "Signing in to Snowflake was refused":
            return
        same = kept.get("with") == self._material()
        row = {
            "count": int(kept["count"]) + 1 if same else 1,
            "at": iso(now),
            "with": self._material(),
            "why": f"{why.what}: {why.why}",
            "remedy": why.remedy,
        }
        self.history.keep(REFUSED, json.dumps(row))

    def forgive(self) -> None:
        """A person is here, or it works again: count from the start."""
        self.history.keep(REFUSED, "")

    def _material(self) -> str:
        """What tells one state of the credentials from another, and tells nobody the credentials.

        Files by time and size; of variables 16 bits of a digest.
        """
        connection = sign_in_snowflake.connection_named(self.settings.snowflake.connection)
        names = [connection.file]
        names += [str(value) for key, value in connection.given.items() if key.endswith(("_file", "_path"))]
        parts = []
        for name in names:
            with suppress(OSError):
                found = Path(name).expanduser().stat()
                parts.append(f"{name} {found.st_mtime_ns} {found.st_size}")
        return hashlib.sha256("\n".join([*parts, *self._variables]).encode()).hexdigest()[:4]

    def end(self) -> None:
        """Let the sessions go."""
        if self.reader is not None:
            self.reader.clouds.close()
            self.reader = None
