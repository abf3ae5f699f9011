"""Kill -9 in the middle of a command: after a writing statement was done, before the command hears of it."""

import gzip
import json
import os
import signal
import threading
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.warm import Command

READING = ("SELECT", "SHOW", "DESC", "LIST", "USE", "ALTER SESSION")


class Killer:
    """Stands between a command and the sandbox's Snowflake side, kills it at its nth writing statement."""

    def __init__(self, at: Installation, number: int) -> None:
        self.at, self.number = at, number
        self.statements: list[str] = []
        self.command: Command | None = None
        self._started = threading.Event()
        killer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                killer._pass_on(self)

            def do_GET(self) -> None:
                killer._pass_on(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run(self, *arguments: str) -> int:
        """The command's exit code, or the negative number of the signal."""
        side = self.at.tenant["snowflake"]
        own = Path(self.at.environment["SNOWFLAKE_HOME"]) / "connections.toml"
        home = self.at.folder / "killed"
        home.mkdir(exist_ok=True)
        text = own.read_text().replace(f"port = {side['port']}", f"port = {self.server.server_address[1]}")
        (home / "connections.toml").write_text(text)
        (home / "connections.toml").chmod(0o600)
        environment = {**self.at.environment, "SNOWFLAKE_HOME": str(home)}
        with Path(os.devnull).open("w") as nowhere:
            self.command = self.at.warm.started(arguments, ROOT, environment, nowhere, nowhere)
        self._started.set()
        try:
            return self.command.wait(60)
        finally:
            self.server.shutdown()
            self.server.server_close()

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        mine = self._is_the_one(request, body)
        side = self.at.tenant["snowflake"]
        with closing(HTTPConnection(side["host"], side["port"], timeout=60)) as connection:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        if mine:
            self._kill()
            return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _is_the_one(self, request: BaseHTTPRequestHandler, body: bytes) -> bool:
        if "query-request" not in request.path:
            return False
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        statement = json.loads(text).get("sqlText", "").strip()
        if statement.upper().startswith(READING):
            return False
        self.statements.append(statement)
        return len(self.statements) == self.number

    def _kill(self) -> None:
        self._started.wait(10)
        if self.command is not None:
            os.kill(self.command.pid, signal.SIGKILL)
