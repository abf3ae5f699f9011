"""Telling that a process of this machine is gone, so that nobody waits for a run that was killed."""

import os
import re
from pathlib import Path

PROC = Path("/proc")


def this() -> str:
    """This process as another one on the same machine recognises it; empty where the system does not say."""
    started = _started(os.getpid())
    return f"{_machine()} {os.getpid()} {started}" if started and _machine() else ""


def is_gone(known: str) -> bool:
    """Whether a process that :func:`this` named has ended; False where that is not known from here."""
    machine, _, rest = known.partition(" ")
    number, _, started = rest.partition(" ")
    if not re.fullmatch(r"[0-9]{1,12}", number) or not started or machine != _machine():
        return False
    return _started(int(number)) != started


def _machine() -> str:
    """The machine since it was started, and the container: process numbers mean the same within it."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{(PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(number: int) -> str:
    """When a process was started, in the system's own ticks; empty where there is none, or it has ended.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (fields 3 and 22)
    """
    try:
        fields = (PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    rest = fields.rpartition(")")[2].split()
    return "" if rest[0] in ("Z", "X") else rest[19]
