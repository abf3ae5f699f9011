"""The control interface: what tests, demo and bench turn, and nobody else uses. JSON over HTTP, loopback.

Its routes stand behind :class:`snowpipe_sandbox.local.TokenRequired`: every path begins with a token.
"""

import os
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowpipe_sandbox.aws.accounts import Aws
from snowpipe_sandbox.local import CONTROL
from snowpipe_sandbox.tenant import NoSuchTenant, Tenant, Tenants

_SETTLE_S = 10.0
_POLL_S = 0.005


class Control:
    """The interface's routes over one process' tenants."""

    def __init__(self, tenants: Tenants, aws: Aws, port: int, stop: Callable[[], None]) -> None:
        self._tenants = tenants
        self._aws = aws
        self._port = port
        self._stop = stop
        self.token = secrets.token_urlsafe(24)
        self.last_request = time.monotonic()

    @property
    def url(self) -> str:
        """The interface's URL, with its token: a path is appended to it."""
        return f"http://127.0.0.1:{self._port}{CONTROL}/{self.token}"

    def routes(self) -> list[Route]:
        """Every route."""
        table: list[tuple[str, list[str], Callable[[Request, Any], Any]]] = [
            ("/control", ["GET"], self._show),
            ("/control/tenants", ["POST"], self._create),
            ("/control/shutdown", ["POST"], self._shutdown),
            ("/control/{tenant}", ["GET"], self._tenant),
            ("/control/{tenant}", ["DELETE"], self._delete),
            ("/control/{tenant}/accounts", ["POST"], self._account),
            ("/control/{tenant}/clock", ["GET"], self._clock),
            ("/control/{tenant}/clock", ["POST"], self._advance),
            ("/control/{tenant}/settle", ["POST"], self._settle),
            ("/control/{tenant}/requests", ["GET"], self._requests),
            ("/control/{tenant}/sign-ins", ["GET"], self._sign_ins),
            ("/control/{tenant}/sign-ins", ["POST"], self._set_sign_ins),
            ("/control/{tenant}/faults", ["GET"], self._faults),
            ("/control/{tenant}/faults", ["POST", "PUT", "DELETE"], self._set_faults),
        ]
        return [Route(path, self._endpoint(answer), methods=methods) for path, methods, answer in table]

    def _endpoint(self, answer: Callable[[Request, Any], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self.last_request = time.monotonic()
            try:
                body = await request.json() if await request.body() else {}
                return JSONResponse(await run_in_threadpool(answer, request, body))
            except NoSuchTenant as unknown:
                return JSONResponse({"error": f"no tenant {unknown}"}, 404)
            except (KeyError, TypeError, ValueError) as wrong:
                return JSONResponse({"error": str(wrong)}, 400)

        return endpoint

    def _of(self, request: Request) -> Tenant:
        return self._tenants.get(request.path_params["tenant"])

    def _show(self, _request: Request, _body: Any) -> dict[str, Any]:
        return {"version": _version(), "pid": os.getpid(), "tenants": self._tenants.names()}

    def _create(self, _request: Request, body: Any) -> dict[str, Any]:
        known = {"name", "region", "bucket", "seed"}
        if unknown := set(body) - known:
            raise ValueError(f"a tenant has no {', '.join(sorted(unknown))}")
        name = body.pop("name", None)
        return self._tenants.create(name, **body).as_json(self._port, self.url)

    def _tenant(self, request: Request, _body: Any) -> dict[str, Any]:
        return self._of(request).as_json(self._port, self.url)

    def _delete(self, request: Request, _body: Any) -> dict[str, Any]:
        self._tenants.delete(request.path_params["tenant"])
        return {"deleted": request.path_params["tenant"]}

    def _account(self, request: Request, _body: Any) -> dict[str, Any]:
        made = self._tenants.add_aws_account(request.path_params["tenant"])
        return {
            "account_id": made.account_id,
            "access_key_id": made.access_key_id,
            "secret_access_key": made.secret_access_key,
        }

    def _clock(self, request: Request, _body: Any) -> dict[str, Any]:
        return {"now": self._of(request).realm.clock.now().isoformat()}

    def _advance(self, request: Request, body: Any) -> dict[str, Any]:
        by = timedelta(seconds=float(body["advance_s"]))
        return {"now": self._of(request).realm.clock.advance(by).isoformat()}

    def _settle(self, request: Request, body: Any) -> dict[str, Any]:
        return {"settled": settle(self._of(request), self._aws, float(body.get("timeout_s", _SETTLE_S)))}

    def _requests(self, request: Request, _body: Any) -> dict[str, Any]:
        return self._of(request).realm.requests.as_json(int(request.query_params.get("since", "0")))

    def _sign_ins(self, request: Request, _body: Any) -> dict[str, Any]:
        """How often in a row the user failed to sign in, and whether it is locked now."""
        sign_ins = self._of(request).account().sign_ins
        return {"failed": sign_ins.failed, "locked": sign_ins.locked_until is not None}

    def _set_sign_ins(self, request: Request, body: Any) -> dict[str, Any]:
        """Tokens that were given out, the user's second factor, and whether a network policy keeps it out."""
        if unknown := set(body) - {"tokens", "second_factor", "is_from_elsewhere"}:
            raise ValueError(f"sign-ins have no {', '.join(sorted(unknown))}")
        sign_ins = self._of(request).account().sign_ins
        sign_ins.tokens = dict(body.get("tokens", sign_ins.tokens))
        sign_ins.second_factor = str(body.get("second_factor", sign_ins.second_factor))
        sign_ins.is_from_elsewhere = bool(body.get("is_from_elsewhere", sign_ins.is_from_elsewhere))
        return self._sign_ins(request, body)

    def _faults(self, request: Request, _body: Any) -> dict[str, Any]:
        return self._of(request).realm.faults.as_json()

    def _set_faults(self, request: Request, body: Any) -> dict[str, Any]:
        """POST adds to the faults that are set, PUT replaces them, DELETE clears them."""
        tenant = self._of(request)
        faults = tenant.realm.faults
        if request.method == "DELETE":
            faults.replace({})
        else:
            faults.replace({**faults.as_json(), **body} if request.method == "POST" else body)
        account = tenant.account()
        account.bucket.credential_cache_s = faults.number("credential_cache_s")
        account.pipes.latency_s = faults.number("pipe_latency_s")
        account.pipes.replaced_pipe_s = faults.number("replaced_pipe_s")
        account.history.truncate_keeps_pipe_loads = bool(faults.number("truncate_keeps_pipe_loads"))
        account.history.rollback_keeps_copies = bool(faults.number("rollback_keeps_copies"))
        account.bucket.gone_is_denied = bool(faults.number("gone_file_is_denied"))
        account.pipes.channels.new_each_time = bool(faults.number("new_queue_each_time"))
        return faults.as_json()

    def _shutdown(self, _request: Request, _body: Any) -> dict[str, Any]:
        self._stop()
        return {"stopping": True}


def settle(tenant: Tenant, aws: Aws, timeout_s: float) -> bool:
    """Wait until no notification is on its way and the Snowflake side has nothing left to do."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        if left < 0:
            return False
        if aws.pending(tenant.realm):
            time.sleep(_POLL_S)
            continue
        account = tenant.opened_account
        if account is not None and not account.settle(left):
            return False
        if not aws.pending(tenant.realm):
            return True


def _version() -> str:
    try:
        return version("snowpipe-sandbox")
    except PackageNotFoundError:
        return "unknown"
