"""`invoke …` as a process of its own, without paying for its imports each time.

A parent that has imported the libraries forks for every command; what is forked has its own environment,
folder and streams, ends by its own exit code and can be killed, like the command typed at a terminal.
"""

import array
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

LIBRARIES = [
    "_pytest.config",
    "asn1crypto.ocsp",
    "boto3",
    "botocore.session",
    "cryptography.x509",
    "duckdb",
    "filelock",
    "invoke.main",
    "jwt",
    "OpenSSL",
    "packaging.requirements",
    "platformdirs",
    "pyarrow.compute",
    "pydantic",
    "pytest",
    "pytz",
    "requests",
    "rich.console",
    "sortedcontainers",
    "tabulate",
    "tomlkit",
    "runbook.command_line",
    "runbook.steps",
    "runbook.verify",
    *(
        f"runbook.commands.{file.stem}"
        for file in (Path(__file__).parents[2] / "runbook/commands").glob("*.py")
    ),
]
"""Imported beforehand; not what reads the environment while it is imported, as the connector does."""
_DESCRIPTORS = array.array("i").itemsize * 2


class Command:
    """One command under way."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = self._number()
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; negative: the number of the signal that ended it. Raises TimeoutError."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = self._number()
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            more = self._connection.recv(16)
            assert more, "the commands' parent has died"
            line += more
        return int(line)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Warm:
    """The parent of commands. ``python``: the interpreter, and so the environment, they run in."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self._path = str(folder / "warm.sock")
        self._parent = subprocess.Popen([python, __file__, self._path], stdout=subprocess.PIPE, text=True)
        assert self._parent.stdout is not None
        assert self._parent.stdout.readline() == "ready\n"

    def started(
        self,
        arguments: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[Any],
        stderr: IO[Any],
    ) -> Command:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        asked = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        streams = array.array("i", [stdout.fileno(), stderr.fileno()])
        connection.sendmsg(
            [len(asked).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams.tobytes())]
        )
        connection.sendall(asked)
        return Command(connection)

    def close(self) -> None:
        self._parent.terminate()
        self._parent.wait()
        assert self._parent.stdout is not None
        self._parent.stdout.close()


def _serve(path: str) -> None:
    for name in LIBRARIES:
        if find_spec(name.partition(".")[0]):  # connector 5 brings fewer than connector 4
            import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keep(connection)
        connection.close()


def _keep(connection: socket.socket) -> None:
    """Start the command, tell its process number, then how it ended."""
    head, extra, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(_DESCRIPTORS))
    streams = array.array("i")
    streams.frombytes(extra[0][2][:_DESCRIPTORS])
    asked = bytearray()
    while len(asked) < int.from_bytes(head, "big"):
        asked += connection.recv(1 << 16)
    child = os.fork()
    if child == 0:
        connection.close()
        _become(json.loads(asked), streams)
    connection.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(asked: dict[str, Any], streams: Sequence[int]) -> None:
    from invoke.main import program

    os.setsid()  # a signal to the tests' terminal is not the command's
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["invoke", *asked["arguments"]]
    program.run(sys.argv)
    sys.exit(0)  # through every caller, so that it ends as a process does: threads joined, exits called


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])
    _serve(sys.argv[1])
