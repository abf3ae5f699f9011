"""Signs in with the connector of whatever Python runs this, as a table says, and prints what became of it.

Run as a script: ``{"settings": …, "cases": {name: {"given": …, "answer": …}}}`` on standard input. ``given``
are lines of a named connection, ``answer`` what its host answers a sign-in with: a Snowflake error
(``"390100 text"``), a second factor that is refused (``"mfa text"``), an HTTP status (``"http 502"``) or a
text (``"text <html>"``). Prints for each its kind, exit_code, final, unreachable, told and sign_ins.
"""

import gzip
import json
import os
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
LIVE = {
    "target": "live",
    "aws": {"account_id": "999988887777", "bucket": "some-bucket"},
    "snowflake": {"account": "ACME-LIVE"},
}


def answer_of(answer: str) -> tuple[int, bytes]:
    """The HTTP status and body of an answer as the table writes it."""
    kind, _, rest = answer.partition(" ")
    if kind == "http":
        return int(rest), b"{}"
    if kind == "text":
        return 200, rest.encode()
    if kind == "mfa":
        data: dict[str, Any] = {"nextAction": "EXT_AUTHN_DUO_ALL", "inFlightCtx": "x"}
        return 200, json.dumps({"data": data, "code": None, "message": rest, "success": True}).encode()
    return 200, json.dumps({"data": {}, "code": kind, "message": rest, "success": False}).encode()


def host(answers: dict[str, str], counted: Counter[str]) -> ThreadingHTTPServer:
    """Answers a sign-in by its user's name; a second request of one sign-in is not counted."""

    class Host(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if body[:2] == b"\x1f\x8b":
                body = gzip.decompress(body)
            asked = json.loads(body) if body[:1] == b"{" else {}
            user = str(asked.get("data", {}).get("LOGIN_NAME", "")).lower()
            if "login-request" in self.path and "inFlightCtx" not in asked:
                counted[user] += 1
            status, text = answer_of(answers.get(user, "http 404"))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def settings(config: dict[str, Any], name: str) -> Any:
    """A live target's settings, with this connection."""
    from runbook import settings as reading

    for section, values in LIVE.items():
        config[section] = {**config[section], **values} if isinstance(values, dict) else values
    config["snowflake"] = {**config["snowflake"], "connection": name}
    return reading.read(config)


def became(config: dict[str, Any], name: str) -> dict[str, Any]:
    """How signing in ends; tried three times, as parallel reads and a write would."""
    from runbook.clouds.connections import Clouds
    from runbook.errors import RunbookError

    clouds = Clouds(settings(dict(config), name), run_id="r", command="status")
    found: dict[str, Any] = {}
    for purpose in ("read", "write", "read"):
        try:
            clouds.snowflake(purpose)
            return {"kind": "signed in"}
        except RunbookError as error:
            found = {
                "kind": type(error).__name__,
                "exit_code": error.exit_code,
                "final": getattr(error, "final", False),
                "unreachable": getattr(error, "unreachable", False),
                "told": str(error),
            }
        except Exception as error:  # noqa: BLE001 (what the test is to see)
            return {"kind": type(error).__name__, "told": str(error)}
    return found


def main() -> None:
    asked = json.load(sys.stdin)
    cases = asked["cases"]
    counted: Counter[str] = Counter()
    server = host({name: case["answer"] for name, case in cases.items()}, counted)
    with TemporaryDirectory() as home, ThreadPoolExecutor(8) as pool:
        os.environ["SNOWFLAKE_HOME"] = home
        os.environ["BROWSER"] = "/bin/false"
        ours = {"account": "ACME-LIVE", "host": "127.0.0.1", "port": server.server_port, "protocol": "http"}
        lines = []
        for name, case in cases.items():
            given = {"user": name, **ours, **case["given"]}
            values = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
            lines += [f"[{name}]", *values]
        file = Path(home) / "connections.toml"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        found = dict(zip(cases, pool.map(partial(became, asked["settings"]), cases), strict=True))
    for name, case in found.items():
        case["sign_ins"] = counted[name]
    print(json.dumps(found), file=sys.__stdout__, flush=True)
    os._exit(0)  # the connector's own threads are not waited for


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    main()
