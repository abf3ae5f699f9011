"""Only this machine's own programs are answered, and the control interface only with its token.

A page may send requests to loopback though it comes from elsewhere: across sites (the browser then says so in
``Origin`` or ``Sec-Fetch-Site``), or under a name of its own that it has let resolve to 127.0.0.1 (DNS
rebinding; the browser then says that name in ``Host``). No AWS or Snowflake client does either.
"""

from collections.abc import Mapping
from hmac import compare_digest
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


CONTROL = "/control"


class TokenRequired:
    """An ASGI application: ``/control/TOKEN/…`` goes to the control interface, other paths elsewhere.

    Whoever controls the sandbox reads its keys and passwords, so it asks for what only its owner can read:
    the token in the state file. A wrong one is refused with 403 before anything of the request is read.
    """

    def __init__(self, control: Any, elsewhere: Any, token: str) -> None:
        self._control = control
        self._elsewhere = elsewhere
        self._token = token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection of the server's."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not f"{path}/".startswith(f"{CONTROL}/"):
            await self._elsewhere(scope, receive, send)
            return
        token, slash, rest = path.removeprefix(CONTROL).removeprefix("/").partition("/")
        if compare_digest(token.encode("utf-8", "replace"), self._token):
            await self._control({**scope, "path": f"{CONTROL}{slash}{rest}"}, receive, send)
            return
        why = "the control interface asks for the token of its state file: see control_url in sandbox.json"
        await JSONResponse({"error": why}, 403)(scope, receive, send)
