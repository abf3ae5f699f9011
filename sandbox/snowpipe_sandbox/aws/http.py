"""HTTP/1.1 on loopback: a threaded server that keeps connections alive, and the messages it passes on.

werkzeug's own server closes every connection, which costs a client more than the call itself.
"""

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it arrived: ``path`` still percent-encoded, header names in lower case."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def decoded_path(self) -> str:
        """The path with its escapes resolved."""
        return unquote(self.path)


@dataclass(slots=True)
class HttpResponse:
    """An answer; ``drop`` closes the connection instead of sending it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: bool = False


Application = Callable[[HttpRequest], HttpResponse]


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpRequest:
    """An :class:`HttpRequest` from a request line's target and headers."""
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return HttpRequest(method, parts.path or "/", parts.query, headers, body, query)


class _Connection(BaseHTTPRequestHandler):
    """One client connection, any number of requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "HttpServer"

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> bytes:
        """The body of a chunked request (AWS' aws-chunked framing inside it is moto's to undo)."""
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        # BaseHTTPRequestHandler folds a leading // of the path to /; S3 keys may begin with a slash.
        target = self.requestline.split(" ")[1]
        target = target if target.startswith("/") else self.path
        request = request_of(self.command, f"http://host{target}", headers, self._body())
        self.server.requests_served += 1
        response = self.server.application(request)
        if response.drop:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(response)

    def _send(self, response: HttpResponse) -> None:
        lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        names = {name.lower() for name in response.headers}
        if "content-length" not in names and response.status not in (204, 304):
            lines.append(f"Content-Length: {len(response.body)}")
        if "date" not in names:
            lines.append(f"Date: {self.date_time_string()}")
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        body = b"" if self.command == "HEAD" else response.body
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(head + body if len(body) < 65_536 else head)
            if len(body) >= 65_536:
                self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are in the tenant's log, not on standard error."""


class HttpServer(ThreadingHTTPServer):
    """Serves one application on 127.0.0.1; ``port`` 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, application: Application, port: int = 0) -> None:
        self.application = application
        self.requests_served = 0
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve in a background thread."""
        threading.Thread(target=self.serve_forever, args=(0.05,), name="aws-http", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; connections that are open end with their thread."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is not an error of ours; anything else is printed by the base class."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
