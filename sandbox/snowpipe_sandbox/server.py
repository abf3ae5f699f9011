"""Both sides and the control interface, running: one process, two ports on loopback."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount

from snowpipe_sandbox.aws.accounts import Aws, LocalAws
from snowpipe_sandbox.aws.foreign import from_environment
from snowpipe_sandbox.aws.gateway import Gateway
from snowpipe_sandbox.aws.http import HttpServer
from snowpipe_sandbox.control import Control
from snowpipe_sandbox.local import LocalOnly, TokenRequired
from snowpipe_sandbox.tenant import DEFAULT, SnowflakeAccounts, Tenant, Tenants

log = logging.getLogger(__name__)
_STARTED_WITHIN_S = 30.0


class PortTaken(OSError):
    """Somebody else listens on the port that was asked for."""


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by every connection; without it an answer's body waits 40 ms for the head's acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error
    return listener


class Sandbox:
    """The whole sandbox. ``serve()`` blocks; ``running()`` serves in the background of a test."""

    def __init__(self, *, port: int = 0, aws_port: int = 0, default_tenant: bool = True) -> None:
        foreign = from_environment()
        self.gateway = Gateway()
        self._listener = _listen(port)
        self.port: int = self._listener.getsockname()[1]
        self._aws: HttpServer | None = None if foreign else self._listen_aws(aws_port)
        self.aws: Aws = foreign or LocalAws(self.gateway, f"http://127.0.0.1:{aws_port_of(self._aws)}")
        self.aws_url = self.aws.endpoint_url
        self.tenants = Tenants(self.aws)
        self.control = Control(self.tenants, self.aws, self.port, self.stop)
        self._snowflake = _SnowflakeSide(self.tenants)
        control = Starlette(routes=self.control.routes())
        snowflake = Starlette(routes=[Mount("/", app=self._snowflake)])
        config = uvicorn.Config(
            LocalOnly(TokenRequired(control, snowflake, self.control.token)),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        if default_tenant:
            self.tenants.create(DEFAULT)

    def _listen_aws(self, port: int) -> HttpServer:
        try:
            return HttpServer(self.gateway, port)
        except OSError as error:
            self._listener.close()
            raise PortTaken(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error

    def serve(self) -> None:
        """Serve until :meth:`stop`; then close every tenant."""
        if self._aws is not None:
            self._aws.start()
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self.tenants.close()
            if self._aws is not None:
                self._aws.stop()
            self._listener.close()

    def load_snowflake(self) -> None:
        """Load the Snowflake side now, so that the first login need not wait for it."""
        self._snowflake.load()

    def stop(self) -> None:
        """Ask ``serve`` to return."""
        self._server.should_exit = True

    @property
    def idle_s(self) -> float:
        """Seconds since anybody asked anything."""
        last = max(self.aws.last_request, self.control.last_request, self._snowflake.last_request)
        return time.monotonic() - last

    @contextlib.contextmanager
    def running(self) -> Iterator["Sandbox"]:
        """Serve in a background thread for the length of a ``with``."""
        thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)
        thread.start()
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while not self._server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        try:
            yield self
        finally:
            self.stop()
            thread.join(timeout=10)

    def described(self, name: str = DEFAULT) -> dict[str, Any]:
        """What a client needs to know of a tenant, its keys among it."""
        return self.tenant(name).as_json(self.port, self.control.url)

    def tenant(self, name: str = DEFAULT) -> Tenant:
        """A tenant by name."""
        return self.tenants.get(name)


def aws_port_of(server: HttpServer | None) -> int:
    """The port of the AWS side; 0 when it is elsewhere."""
    return server.port if server is not None else 0


class _SnowflakeSide:
    """The Snowflake side's ASGI application, loaded when it is first asked; remembers when that was last.

    Its engine takes a second to import, which whoever only talks to AWS need not wait for.
    """

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._application: Any = None
        self._loading = threading.Lock()
        self.last_request = time.monotonic()

    def load(self) -> Any:
        """The application; its own import error when it cannot be loaded."""
        from snowpipe_sandbox.snowflake.wire import application

        with self._loading:
            if self._application is None:
                self._application = application(SnowflakeAccounts(self._tenants))
            return self._application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.last_request = time.monotonic()
        application = self._application or await run_in_threadpool(self.load)
        await application(scope, receive, send)
