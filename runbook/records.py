"""What each run changed, one line of JSON a change, under ``.runbook/runs/``. No secret is ever in it.

The folder is ``.runbook`` in the project folder, or what ``RUNBOOK_HOME`` names.

The values recorded are the plan's own: statements, documents and references. Credentials never
pass through a plan; what a library says of an error may hold one, and is redacted.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from runbook import private
from runbook.errors import NotConverged, SettingsWrong
from runbook.invocation import home
from runbook.plan import Applied, AwsChange, Change
from runbook.redaction import redacted
from runbook.settings import Settings


def new_run_id() -> str:
    """A run's name: sortable by time, unique without asking anybody."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}"


class Record:
    """The record of one run; the file is made with the first line."""

    def __init__(self, settings: Settings, command: str, run_id: str, *, folder: Path | None = None) -> None:
        self.run_id = run_id
        self.path = (folder or home()) / "runs" / f"{run_id}.jsonl"
        self._is_sure = False
        self._head = {
            "run": run_id,
            "command": command,
            "target": settings.target,
            "settings": settings.fingerprint,
        }
        self.who: dict[str, str] = {}

    def make_sure(self) -> None:
        """Open the record before the first change; raises SettingsWrong where it cannot be kept. Writes."""
        if self._is_sure:
            return
        try:
            self.note({"begun": True})
        except SettingsWrong as error:
            error.remedy += "; nothing is changed without a record"
            raise

    def applied(self, step: int, applied: Applied) -> None:
        """Note one change as it was made, with the clouds' references, and what it replaced.

        Raises NotConverged where that cannot be noted: the change was made.
        """
        self.made(applied.change.title, self._line(step, applied))

    def made(self, change: str, line: dict[str, Any]) -> None:
        """Note a change that was made; raises NotConverged where that cannot be noted."""
        try:
            self.note(line)
        except SettingsWrong as error:
            raise NotConverged(
                f"{change} was made, but the record of this run cannot be written",
                where=error.where,
                why=error.why,
                remedy="make room or make the folder writable, then run the same command again",
            ) from None

    @staticmethod
    def _line(step: int, applied: Applied) -> dict[str, Any]:
        change = applied.change
        line: dict[str, Any] = {
            "step": step,
            "change": change.title,
            "why": change.why,
            "text": str(change),
            "references": [receipt.reference for receipt in applied.receipts],
        }
        if isinstance(change, AwsChange):
            line["parameters"] = change.parameters
            if change.before:
                line["before"] = change.before.answer
        return line

    def planned(self, step: int, changes: Sequence[Change]) -> None:
        """Note what is about to be done, so that a run that was cut off says what it meant to do."""
        rows = [{"change": change.title, "why": change.why, "text": str(change)} for change in changes]
        self.note({"step": step, "planned": rows})

    def proved(self, step: int, results: Mapping[str, object]) -> None:
        """Note how a step's checks ended."""
        self.note({"step": step, "checks": dict(results)})

    def ended(self, how: str, **more: object) -> None:
        """Note how the run ended; one that had nothing to note leaves no record."""
        if self.path.exists():
            with suppress(SettingsWrong):  # what was changed is on record already
                self.note({"ended": how, **more})

    def note(self, line: dict[str, Any]) -> None:
        """Append one line, on disk before the next change; raises SettingsWrong when it cannot."""
        row = {"at": datetime.now(UTC).isoformat(), **self._head, **self.who, **line}
        try:
            private.folder(self.path.parent)
            with private.opened(self.path, "a") as file:
                file.write(redacted(json.dumps(row, ensure_ascii=True)) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._is_sure = True
        except OSError as error:
            raise SettingsWrong(
                "The record of this run cannot be written",
                where=str(self.path),
                why=str(error),
                remedy="make room or make the folder writable",
            ) from None
