"""What each run changed, one line of JSON a change, under ``.runbook/runs/``. No secret is ever in it.

``RUNBOOK_HOME`` is the folder, where it is not ``.runbook``.

The values recorded are the plan's own: statements, documents and references. Credentials never
pass through a plan, so none can reach a record.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from runbook.errors import SettingsWrong
from runbook.plan import Applied, AwsChange
from runbook.settings import Settings

FOLDER = Path(os.environ.get("RUNBOOK_HOME", ".runbook"))


def new_run_id() -> str:
    """A run's name: sortable by time, unique without asking anybody."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}"


class Record:
    """The record of one run; the file is made with the first line."""

    def __init__(self, settings: Settings, command: str, run_id: str, *, folder: Path = FOLDER) -> None:
        self.path = folder / "runs" / f"{run_id}.jsonl"
        self._head = {
            "run": run_id,
            "command": command,
            "target": settings.target,
            "settings": settings.fingerprint,
        }
        self.who: dict[str, str] = {}

    def applied(self, step: int, applied: Applied) -> None:
        """Note one change as it was made, with the clouds' references, and what it replaced."""
        change = applied.change
        line: dict[str, Any] = {
            "step": step,
            "change": change.title,
            "why": change.why,
            "text": str(change),
            "references": [receipt.reference for receipt in applied.receipts],
        }
        if isinstance(change, AwsChange) and change.before:
            line["before"] = change.before.answer
        self.note(line)

    def note(self, line: dict[str, Any]) -> None:
        """Append one line, on disk before the next change; raises SettingsWrong when it cannot."""
        row = {"at": datetime.now(UTC).isoformat(), **self._head, **self.who, **line}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SettingsWrong(
                "The record of this run cannot be written",
                where=str(self.path),
                why=str(error),
                remedy="make room or make the folder writable; nothing is changed without a record",
            ) from None
