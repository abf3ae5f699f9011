"""Before a sandbox's AWS: one folder's listing is answered by bench.s3_endpoint, all else is passed on.

    python -m bench.front --aws http://127.0.0.1:4566 --listing http://127.0.0.1:4567

Prints its port. GET /asked answers how many pages of that folder were asked for.
"""

import argparse
import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from bench.s3_endpoint import PREFIX

OF_ONE_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Front(ThreadingHTTPServer):
    """The server, with where it passes requests on to."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, aws: str, listing: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.aws, self.listing = urlsplit(aws), urlsplit(listing)
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    """One request: passed on as it is, with its Host, which the signature covers."""

    protocol_version = "HTTP/1.1"
    server: Front

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/asked":
            self._end(200, {}, str(self.server.asked).encode())
            return
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        is_listing = self.command == "GET" and query.get("prefix") == PREFIX and "list-type" in query
        self.server.asked += is_listing
        to = self.server.listing if is_listing else self.server.aws
        onward = http.client.HTTPConnection(str(to.hostname), to.port, timeout=60)
        try:
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in OF_ONE_CONNECTION - {"content-length"}:
                    onward.putheader(name, value)
            onward.endheaders(body or None)
            answer = onward.getresponse()
            self._end(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            onward.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 (http.server's names)

    def _end(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A request is not news."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aws", required=True)
    parser.add_argument("--listing", required=True)
    given = parser.parse_args()
    server = Front(given.aws, given.listing)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
