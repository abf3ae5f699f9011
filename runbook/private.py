"""Files and folders that only their owner reads, however loose the umask is.

They hold keys and passwords of the sandbox, or say what was changed by whom. A file is made under a name that
nobody can foresee, so that no link of somebody else's stands in its way.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Literal

FILE, FOLDER = 0o600, 0o700


def folder(path: Path) -> None:
    """Make the folder and those above it that are missing, mode 0700; one that is there stays as it is."""
    if not path.is_dir():
        folder(path.parent)
        path.mkdir(mode=FOLDER, exist_ok=True)


def opened(path: Path, mode: Literal["a", "w"]) -> IO[str]:
    """The file, made with mode 0600 where it is missing. Raises OSError."""
    how = {"a": os.O_APPEND, "w": os.O_TRUNC}[mode]
    number = os.open(path, os.O_WRONLY | os.O_CREAT | how, FILE)
    return os.fdopen(number, mode, encoding="utf-8")


def write(path: Path, text: str, *, keeps_mode: bool = False) -> None:
    """The file with this text, whole or not at all, mode 0600 or the one it has. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        if keeps_mode:
            shutil.copymode(path, draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
