"""Ctrl-C that is never lost and never called another name, and SIGTERM, which ends a command as it does."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

AGAIN_AFTER_SECONDS = 0.02


def lost(unraisable: Any) -> None:
    """A KeyboardInterrupt that fell where nothing can be raised comes again a moment later.

    Python raises Ctrl-C in whatever line is running. In a weak reference's callback or a finaliser (the
    import system has some) it would only print "Exception ignored in …", and the command would go on.
    Stands in ``sys.unraisablehook``: https://docs.python.org/3/library/sys.html#sys.unraisablehook
    """
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(AGAIN_AFTER_SECONDS, _interrupt)
    again.daemon = True
    with suppress(RuntimeError):  # the process is ending anyway
        again.start()


def heed_sigterm() -> None:
    """From now on SIGTERM, as a scheduler or CI sends it, ends this process in words, as Ctrl-C does.

    It goes to whatever Ctrl-C goes to; where that is ignored, as in the background of a script, the command
    is interrupted all the same. A handler that the process has already stays.
    """
    if threading.current_thread() is threading.main_thread() and _is_default(signal.SIGTERM):
        signal.signal(signal.SIGTERM, _as_sigint)


def _is_default(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_DFL


def _as_sigint(_number: int, frame: FrameType | None) -> None:
    of_ctrl_c = signal.getsignal(signal.SIGINT)
    if not callable(of_ctrl_c):
        raise KeyboardInterrupt
    of_ctrl_c(signal.SIGINT, frame)


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """KeyboardInterrupt for what DuckDB raises in its place when Ctrl-C falls into one of its calls.

    Observed with duckdb 2.0: RuntimeError("Query interrupted"), or its own InterruptException.
    """
    try:
        yield
    except Exception as error:
        if str(error) == "Query interrupted" or type(error).__name__ == "InterruptException":
            raise KeyboardInterrupt from error
        raise


def _interrupt() -> None:
    """Ctrl-C for the main thread, also where it waits for a cloud."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
