"""Fixtures for what needs the sandbox: one server for the session, a fresh tenant for each test."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from snowpipe_sandbox.server import Sandbox

UNDER_LOAD: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""A busy machine is not a reason to fail."""


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # beside the runbook's tests, which have the same option
        parser.addoption(
            "--run-slow", action="store_true", help="also the longer runs of tests with a short one"
        )


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("looks", **UNDER_LOAD)
    settings.register_profile("repeats", derandomize=True, **UNDER_LOAD)
    settings.load_profile("looks" if config.getoption("--run-slow") else "repeats")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--run-slow"):
            item.add_marker(pytest.mark.skip(reason="the longer run of a test: --run-slow"))


_CONFIG = Config(
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    signature_version="v4",
    max_pool_connections=50,
)
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4"))
_session = boto3.session.Session()


def aws_client(
    service: str, endpoint_url: str, region: str, key: str, secret: str, token: str | None = None
) -> Any:
    """A boto3 client with explicit credentials and no retries."""
    return _session.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=_S3_CONFIG if service == "s3" else _CONFIG,
    )


@dataclass
class TenantClient:
    """A tenant as its users see it: AWS clients, Snowflake connections, the control interface."""

    described: dict[str, Any]
    port: int
    _clients: dict[str, Any] = field(default_factory=dict)
    _connections: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.described["name"])

    @property
    def account_id(self) -> str:
        return str(self.described["aws"]["account_id"])

    @property
    def region(self) -> str:
        return str(self.described["aws"]["region"])

    @property
    def bucket(self) -> str:
        return str(self.described["aws"]["bucket"])

    @property
    def endpoint_url(self) -> str:
        return str(self.described["aws"]["endpoint_url"])

    def boto3(self, service: str) -> Any:
        """A client of the account's administrator."""
        if service not in self._clients:
            aws = self.described["aws"]
            self._clients[service] = self.client_for(service, aws["access_key_id"], aws["secret_access_key"])
        return self._clients[service]

    def client_for(
        self, service: str, key: str, secret: str, token: str | None = None, region: str = ""
    ) -> Any:
        """A client with other credentials."""
        return aws_client(service, self.endpoint_url, region or self.region, key, secret, token)

    def connect(self, **kwargs: Any) -> Any:
        """A Snowflake connection; closed with the test."""
        import snowflake.connector

        snowflake_side = self.described["snowflake"]
        wanted = {
            "account": snowflake_side["account"],
            "user": snowflake_side["user"],
            "password": snowflake_side["password"],
            "host": snowflake_side["host"],
            "port": snowflake_side["port"],
            "protocol": "http",
        }
        connection = snowflake.connector.connect(**(wanted | kwargs))
        self._connections.append(connection)
        return connection

    def control(self, method: str, path: str = "", body: Any = None) -> Any:
        """The control interface's answer; AssertionError for a refusal."""
        status, answer = self.control_raw(method, f"/{self.name}{path}", body)
        assert status == 200, answer
        return answer

    def control_raw(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Status and answer of any control request; ``path`` is what comes behind the token."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(
                method,
                self.control_path + path,
                text,
                {"Content-Type": "application/json", **(headers or {})},
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    @property
    def control_path(self) -> str:
        """Where the control interface is, with its token."""
        return urlsplit(self.described["control_url"]).path.removesuffix(f"/{self.name}")

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The tenant's request log."""
        found: list[dict[str, Any]] = self.control("GET", f"/requests?since={since}")["requests"]
        return found

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox, serving for the whole session."""
    with Sandbox(default_tenant=False).running() as running:
        yield running


_numbers = itertools.count()


@pytest.fixture
def new_tenant(sandbox: Sandbox) -> Iterator[Callable[..., TenantClient]]:
    """Makes tenants; each is removed after the test."""
    made: list[TenantClient] = []

    def make(**wanted: Any) -> TenantClient:
        name = wanted.pop("name", None) or f"t{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        tenant = sandbox.tenants.create(name, **wanted)
        client = TenantClient(sandbox.described(tenant.name), sandbox.port)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
        if client.name in sandbox.tenants.names():
            sandbox.tenants.delete(client.name)


@pytest.fixture
def tenant(new_tenant: Callable[..., TenantClient]) -> TenantClient:
    """A fresh tenant with one bucket."""
    return new_tenant()


@pytest.fixture
def client_of() -> type[TenantClient]:
    """A tenant's clients, made of what the control interface says of it and its port."""
    return TenantClient
