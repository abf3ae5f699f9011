"""One watcher a target on this machine: a lock that the system takes back when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from runbook import private
from runbook.errors import Refused, SettingsWrong


@contextmanager
def alone(path: Path, target: str) -> Iterator[None]:
    """Hold the target's lock; raises Refused where another watcher does."""
    with _locked(path, target) as file:
        with suppress(OSError):  # who holds it is for the other's refusal only: a full disk ends no watch
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        yield


def _locked(path: Path, target: str) -> IO[str]:
    try:
        private.folder(path.parent)
        file = private.opened(path, "a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
    except BlockingIOError:
        raise Refused(
            f"Another watcher of {target} is running",
            why=f"It holds {path}{_who(path)}",
            remedy="let it be, or end it first: two would tell everything twice",
        ) from None
    except OSError as error:
        raise SettingsWrong(
            "The watcher's lock cannot be kept",
            where=str(path),
            why=error.strerror or str(error),
            remedy="make the folder writable, or set RUNBOOK_HOME to one that is",
        ) from None
    return file


def _who(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return f" (process {text})" if text.isdigit() else ""
