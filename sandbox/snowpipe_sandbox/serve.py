"""The sandbox's process: ``snowpipe-sandbox serve --dir DIR``.

Started by :mod:`snowpipe_sandbox.process`; ``--foreground`` keeps it on the terminal that started it.
"""

import argparse
import contextlib
import faulthandler
import fcntl
import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from snowpipe_sandbox import private, process

IDLE_S = 7_200.0
"""Two hours without a request end the process."""

_WATCH_S = 1.0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snowpipe-sandbox serve", description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, required=True, help="where state file, lock and log lie")
    parser.add_argument("--port", type=int, default=0, help="Snowflake and control port (0: a free one)")
    parser.add_argument("--aws-port", type=int, default=0, help="AWS port (0: a free one)")
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds without a request until it ends")
    parser.add_argument("--foreground", action="store_true", help="do not become a background process")
    return parser.parse_args(argv)


def _become_background(directory: Path) -> None:
    """Leave the terminal: a new session, output into the log, nothing of the parent kept open."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    log = os.open(directory / "sandbox.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _take_lock(directory: Path) -> IO[str] | None:
    """The lock that says "a sandbox runs here", held until the process ends; None when one does."""
    lock = private.opened(directory / "sandbox.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _watch(sandbox: Any, idle_s: float, done: threading.Event) -> None:
    while not done.wait(min(_WATCH_S, idle_s)):
        if sandbox.idle_s >= idle_s:
            logging.info("nobody asked anything for %.0f s: ending", idle_s)
            sandbox.stop()
            return


def _serve(arguments: argparse.Namespace) -> None:
    from snowpipe_sandbox.server import Sandbox

    directory: Path = arguments.dir
    sandbox = Sandbox(port=arguments.port, aws_port=arguments.aws_port)
    done = threading.Event()
    threading.Thread(target=_watch, args=(sandbox, arguments.idle, done), daemon=True).start()
    threading.Thread(target=sandbox.load_snowflake, daemon=True).start()
    state = {
        "pid": os.getpid(),
        "port": sandbox.port,
        "control_url": sandbox.control.url,
        "control_token": sandbox.control.token,
        "aws_endpoint_url": sandbox.aws_url,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tenant": sandbox.described(),
        "environment": process.variables(directory, sandbox.described()),
        "unset": process.unset(),
    }
    private.write(directory / "sandbox.json", json.dumps(state, indent=2) + "\n")
    logging.info("serving on %s and port %d", sandbox.aws_url, sandbox.port)
    try:
        sandbox.serve()
    finally:
        done.set()
        with contextlib.suppress(OSError):
            (directory / "sandbox.json").unlink()


def main(argv: list[str] | None = None) -> int:
    """Run the sandbox until it is told to stop, or nobody has asked anything for long."""
    arguments = _arguments(argv)
    os.umask(0o077)
    private.folder(arguments.dir)
    if not arguments.foreground:
        _become_background(arguments.dir)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    faulthandler.enable()
    lock = _take_lock(arguments.dir)
    if lock is None:
        logging.info("a sandbox runs in %s already", arguments.dir)
        return 0
    try:
        _serve(arguments)
    except OSError as error:
        sys.stderr.write(f"FATAL: {error}\n")
        return 1
    except Exception as error:
        logging.exception("the sandbox could not be started, or failed")
        sys.stderr.write(f"FATAL: {error}\n")
        return 1
    finally:
        lock.close()
    return 0
