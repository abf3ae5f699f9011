"""Only this machine's own programs are answered, never a page in somebody's browser.

A page may send requests to loopback though it comes from elsewhere: across sites (the browser then says so in
``Origin`` or ``Sec-Fetch-Site``), or under a name of its own that it has let resolve to 127.0.0.1 (DNS
rebinding; the browser then says that name in ``Host``). No AWS or Snowflake client does either.
"""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
BY_HAND = "none"
"""Sec-Fetch-Site of an address typed or a link opened by the person themselves: a presigned URL, say."""


def why_refused(headers: Mapping[str, str]) -> str:
    """Why a request is not answered, by its headers (names in lower case); empty where it is.

    Sources: https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/,
    RFC 6761 6.3 (every name under localhost is loopback).
    """
    if "origin" in headers or headers.get("sec-fetch-site", BY_HAND) != BY_HAND:
        return "the sandbox does not answer web pages"
    host = headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    name = name if colon and port.isdigit() else host
    if name in LOOPBACK or name.endswith(".localhost"):
        return ""
    return f"the sandbox answers on loopback only, not as {name or 'a host without a name'}"


class LocalOnly:
    """An ASGI application that passes on what may be answered, and refuses the rest with 403."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection of the server's."""
        why = why_refused(Headers(scope=scope)) if scope["type"] == "http" else ""
        answers = JSONResponse({"error": why}, 403) if why else self._application
        await answers(scope, receive, send)
