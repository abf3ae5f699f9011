"""Whom messages go to: local servers that take only what the vendors document."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """A vendor's endpoint on loopback, and what it was sent."""

    port: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    beats: int = 0
    answer: int = 200
    """What it answers instead of judging, where that is not 200."""
    before_answering: Any = None

    def url(self, vendor: str) -> str:
        return f"http://127.0.0.1:{self.port}/{vendor}/T00000000/B00000000/pl4ntedS3cretInTheUrl"

    def of(self, vendor: str) -> list[dict[str, Any]]:
        return [row["document"] for row in self.taken if row["vendor"] == vendor]


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.beats += 1
            self._end(200, b"OK")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            vendor = self.path.split("/")[1]
            if found.answer != 200:
                self._end(found.answer, b"no")
                return
            document = json.loads(body)
            wrong = VENDORS[vendor](document, len(body)) if vendor in VENDORS else ""
            if wrong:
                found.refused.append(f"{vendor}: {wrong}")
                self._end(400, wrong.encode())
                return
            found.taken.append(
                {"vendor": vendor, "document": document, "key": self.headers.get("Idempotency-Key")}
            )
            if found.before_answering:
                found.before_answering()
            self._end(202 if vendor in ("pagerduty", "teams") else 200, b"ok")

        def _end(self, code: int, text: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def slack(document: dict[str, Any], _size: int) -> str:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and the blocks' reference:
    text or blocks; at most 50 blocks; a header is plain text of 150 characters, a section's text of 3,000."""
    if set(document) - {"text", "blocks", "attachments", "thread_ts", "mrkdwn", "username", "icon_emoji"}:
        return "invalid_payload"
    if not document.get("text"):
        return "no_text"
    blocks = document.get("blocks", [])
    if len(blocks) > 50:
        return "invalid_blocks"
    for block in blocks:
        text = block.get("text", {})
        kind, said = text.get("type"), text.get("text", "")
        if block["type"] == "header" and (kind != "plain_text" or not 1 <= len(said) <= 150):
            return "invalid_blocks"
        if block["type"] == "section" and (
            kind not in ("mrkdwn", "plain_text") or not 1 <= len(said) <= 3000
        ):
            return "invalid_blocks"
        if block["type"] not in ("header", "section", "divider", "context"):
            return "invalid_blocks"
        if kind == "mrkdwn" and ("<" in said or ">" in said):
            return "unescaped"
    return ""


def teams(document: dict[str, Any], size: int) -> str:
    """A message with one Adaptive Card, at most 28 KB.

    https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
    """
    if size > 28 * 1024:
        return "Payload is too large"
    if document.get("type") != "message" or len(document.get("attachments", [])) != 1:
        return "not a message"
    attachment = document["attachments"][0]
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return "not a card"
    card = attachment["content"]
    if card.get("type") != "AdaptiveCard" or not card.get("version") or not card.get("body"):
        return "not an Adaptive Card"
    for element in card["body"]:
        if element["type"] != "TextBlock" or not element.get("text"):
            return "not a TextBlock"
        if element.get("color", "Default") not in {
            "Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention",
        }:  # fmt: skip
            return "no such colour"
    return ""


def pagerduty(document: dict[str, Any], size: int) -> str:
    """https://github.com/PagerDuty/api-schema reference/events-v2/openapiv3.json: required fields and
    enumerations; a summary of 1,024 characters, a key of 255.
    """
    known = {"payload", "routing_key", "event_action", "dedup_key", "client", "client_url", "links", "images"}
    if set(document) - known or len(document.get("routing_key", "")) != 32:
        return "Length of 'routing_key' is incorrect (should be 32 characters)"
    if document.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        return "event_action"
    if document["event_action"] != "trigger" and not document.get("dedup_key"):
        return "dedup_key"
    if len(document.get("dedup_key", "")) > 255 or size > 512 * 1024:
        return "too long"
    payload = document.get("payload", {})
    if document["event_action"] == "trigger":
        if not payload.get("summary") or len(payload["summary"]) > 1024 or not payload.get("source"):
            return "payload"
        if payload.get("severity") not in ("critical", "warning", "error", "info"):
            return "severity"
    return ""


def webhook(document: dict[str, Any], _size: int) -> str:
    """docs/watch.md."""
    wanted = {
        "id", "tool", "target", "kind", "at", "well", "title", "text", "new", "ended", "open", "repeated",
    }  # fmt: skip
    return "" if set(document) == wanted else f"keys are {sorted(document)}"


VENDORS = {"slack": slack, "teams": teams, "pagerduty": pagerduty, "webhook": webhook}
