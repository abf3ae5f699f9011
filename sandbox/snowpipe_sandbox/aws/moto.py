"""moto, called inside the process: the request goes to its WSGI application as if it came by HTTP.

The account is chosen by moto's own ``x-moto-account-id`` header, set here and never taken from a client.
"""

import io
import string
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cache
from typing import Any
from urllib.parse import unquote

import moto.backends
import moto.core.responses
import moto.iam.models
import moto.sqs.models
from moto.iam.access_control import PermissionResult
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.moto_api._internal import mock_random
from moto.moto_server.utilities import RegexConverter
from moto.s3.models import FakeBucket
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.routing import BaseConverter

from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.http import HttpRequest, HttpResponse

_HOP_BY_HOP = {"connection", "server", "date", "transfer-encoding"}
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# These wait (long polling) or are heavy and independent: moto runs them without our lock.
_UNLOCKED = {"sqs:ReceiveMessage"}


def _unique_id(size: int = 20) -> str:
    """A user's unique id as IAM makes them (``AIDA…``); moto's are lower-case and without the prefix.

    Source: `IAM identifiers
    <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>`_.
    """
    return "AIDA" + "".join(mock_random.choice(_UPPER) for _ in range(size - 3))


def _is_retained(backend: Any, queue_name: str, message: Any) -> bool:
    """The rule moto has, which would work out all of the queue's attributes for every message it looks at."""
    retained_s = int(backend.get_queue(queue_name).message_retention_period)
    return retained_s + float(message.sent_timestamp) / 1000 > time.time()


def _random_text(size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(mock_random.choices(alphabet, k=size))


def _request_id(headers: dict[str, Any] | None = None) -> str:
    found = _random_text(52)
    if headers is not None:
        headers["x-amzn-requestid"] = found
    return found


def _of_any_characters(self: RegexConverter, url_map: Any, *items: Any) -> None:
    """A part of a path that may hold a line feed, as an object's key may."""
    BaseConverter.__init__(self, url_map)
    self.regex = f"(?s:{items[0]})"


moto.iam.models.random_resource_id = _unique_id
RegexConverter.__init__ = _of_any_characters
# Judged before a call comes here, by everything they say: moto denies whatever the condition of a Deny, and
# knows no wildcard in a trust policy's actions.
FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL
IAMTrustPolicyDocumentValidator._validate_trust_policy_action = staticmethod(lambda _: None)  # noqa: SLF001
# What moto does again for every request, and a thousand small files feel: it lists its own folders to see
# which services it has, works out the same names, and rolls a die for every letter of an id.
_services = frozenset(moto.backends.list_of_moto_modules())
moto.backends.list_of_moto_modules = lambda: _services
for module in (moto.core.responses, moto.sqs.models):
    module.camelcase_to_underscores = cache(module.camelcase_to_underscores)
moto.core.responses.gen_amzn_requestid_long = _request_id
moto.sqs.models.unix_time_millis = lambda: time.time() * 1000  # asked of every message in a queue, twice
moto.sqs.models.generate_receipt_handle = lambda: _random_text(185, string.ascii_lowercase)
moto.sqs.models.SQSBackend.is_message_valid_based_on_retention_period = _is_retained


def _application_of(service: str) -> Any:
    """One service, as moto serves it, but not in Flask's debug mode, where a request keeps itself alive."""
    found = create_backend_app(service)
    found.debug, found.testing = False, True  # testing: what goes wrong is raised, as in debug mode
    return found


class Moto:
    """The state behind the gateway. Thread-safe: one call at a time in each service and account."""

    def __init__(self) -> None:
        self._application = DomainDispatcherApplication(_application_of)
        self._locks: dict[tuple[str, str], threading.RLock] = defaultdict(threading.RLock)

    def lock(self, service: str, account: str) -> threading.RLock:
        """The lock of one service's state in one account."""
        return self._locks[service, account]

    def call(self, call: Call, account: str, request: HttpRequest | None = None) -> HttpResponse:
        """What moto answers in ``account``; ``request`` replaces the call's own."""
        request = request or call.request
        lock = nullcontext() if call.name in _UNLOCKED else self.lock(call.service, account)
        with lock:
            return self._run(_environ(request, call, account))

    def _run(self, environ: dict[str, Any]) -> HttpResponse:
        answer = HttpResponse(500)

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001
            answer.status = int(status.split(" ", maxsplit=1)[0])
            answer.headers = {name: value for name, value in headers if name.lower() not in _HOP_BY_HOP}

        body = self._application(environ, start_response)
        try:
            answer.body = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return answer


def _environ(request: HttpRequest, call: Call, account: str) -> dict[str, Any]:
    host = request.headers.get("host", "127.0.0.1")
    name, _, port = host.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path).encode("utf-8").decode("latin-1"),
        "RAW_URI": request.path + (f"?{request.query_string}" if request.query_string else ""),
        "REQUEST_URI": request.path + (f"?{request.query_string}" if request.query_string else ""),
        "QUERY_STRING": request.query_string,
        "SERVER_NAME": name or host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **_header_environ(request.headers),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_X_MOTO_ACCOUNT_ID": account,
        # the signature was verified already; moto only reads service and region from the scope
        "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/"
        f"{call.region}/{call.service}/aws4_request, SignedHeaders=host, Signature=0",
    }
    # virtual-host requests were turned into path style, so the host must not name a bucket
    environ["HTTP_HOST"] = f"127.0.0.1:{port or '80'}" if call.service == "s3" else host
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _header_environ(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        found[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return found
