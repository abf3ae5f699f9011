"""Kill -9 in the middle of a command: after a statement or call was done, before the command hears of it."""

import gzip
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from tests.scenarios.conftest import ROOT, Installation
from tests.scenarios.warm import Command

READING = ("SELECT", "SHOW", "DESC", "LIST", "USE", "ALTER SESSION")


def writing(statement: str) -> bool:
    return not statement.upper().startswith((*READING, "GET /", "POST /"))


def every(_statement: str) -> bool:
    return True


class Killer:
    """Stands between a command and both clouds, and kills it at its nth statement or call that counts.

    ``statements``: what counted so far; a call of AWS stands there as method and path.
    ``meanwhile``: done right before that statement reaches its cloud, and nobody is killed then.
    ``said``: what the command printed, afterwards.
    """

    def __init__(
        self,
        at: Installation,
        number: int,
        counts: Callable[[str], bool] = writing,
        timeout: float = 60,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        self.at, self.number, self.counts, self.timeout = at, number, counts, timeout
        self.meanwhile, self.said = meanwhile, ""
        self.statements: list[str] = []
        self.command: Command | None = None
        self._started = threading.Event()
        self._counting = threading.Lock()
        side, aws = at.tenant["snowflake"], urlsplit(at.tenant["aws"]["endpoint_url"])
        self.snowflake = self._relay(side["host"], side["port"])
        self.aws = self._relay(aws.hostname or "", aws.port or 80)

    def _relay(self, host: str, port: int) -> ThreadingHTTPServer:
        killer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                killer._pass_on(self, host, port)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def run(self, *arguments: str) -> int:
        """The command's exit code, or the negative number of the signal."""
        side = self.at.tenant["snowflake"]
        own = Path(self.at.environment["SNOWFLAKE_HOME"]) / "connections.toml"
        home = self.at.folder / "killed"
        home.mkdir(exist_ok=True)
        text = own.read_text().replace(f"port = {side['port']}", f"port = {self.snowflake.server_port}")
        (home / "connections.toml").write_text(text)
        (home / "connections.toml").chmod(0o600)
        environment = {
            **self.at.environment,
            "SNOWFLAKE_HOME": str(home),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws.server_port}",
        }
        with TemporaryFile("w+") as said:
            self.command = self.at.warm.started(arguments, ROOT, environment, said, said)
            self._started.set()
            try:
                return self._waited(self.command)
            finally:
                said.seek(0)
                self.said = " ".join(said.read().split())

    def _waited(self, command: Command) -> int:
        try:
            return command.wait(self.timeout)
        finally:
            for server in (self.snowflake, self.aws):
                server.shutdown()
                server.server_close()

    def _pass_on(self, request: BaseHTTPRequestHandler, host: str, port: int) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        mine = self._is_the_one(request, body)
        if mine and self.meanwhile:
            self.meanwhile()
            mine = False
        with closing(HTTPConnection(host, port, timeout=60)) as connection:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        if mine:
            self._kill()
            return
        with suppress(ConnectionError):  # of a command that was killed meanwhile
            self._answer(request, answer, content)

    def _answer(self, request: BaseHTTPRequestHandler, answer: HTTPResponse, content: bytes) -> None:
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _is_the_one(self, request: BaseHTTPRequestHandler, body: bytes) -> bool:
        if request.server is self.aws:
            statement = f"{request.command} {urlsplit(request.path).path}"
        elif "query-request" in request.path:
            text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            statement = json.loads(text).get("sqlText", "").strip()
        else:
            return False
        if not self.counts(statement):
            return False
        with self._counting:
            self.statements.append(statement)
            return len(self.statements) == self.number

    def _kill(self) -> None:
        self._started.wait(10)
        if self.command is not None:
            os.kill(self.command.pid, signal.SIGKILL)
