"""Ordinary AWS clients for the Snowflake side: botocore against an endpoint, with whoever's credentials.

A client is made once per endpoint, service and region, and signs with the credentials its thread acts with,
so that a hundred accounts and a new role session per statement cost no new clients. Nothing is read from the
machine's own AWS configuration.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import botocore.config
import botocore.credentials
import botocore.session


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key, and a session token if the key is temporary."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


_ACTING: ContextVar[Keys | None] = ContextVar("aws keys", default=None)


@contextmanager
def acting(keys: Keys) -> Iterator[None]:
    """Sign this thread's calls with these keys."""
    token = _ACTING.set(keys)
    try:
        yield
    finally:
        _ACTING.reset(token)


class _ActingCredentials(botocore.credentials.Credentials):
    """What botocore asks for when it signs: the keys of the moment."""

    def __init__(self) -> None:
        super().__init__("unused", "unused", method="acting")

    def get_frozen_credentials(self) -> Any:
        keys = _ACTING.get()
        if keys is None:
            raise RuntimeError("an AWS call outside acting()")
        return botocore.credentials.ReadOnlyCredentials(
            keys.access_key_id, keys.secret_access_key, keys.session_token
        )


class _ActingProvider(botocore.credentials.CredentialProvider):
    METHOD = "acting"

    def load(self) -> Any:
        return _ActingCredentials()


def _session() -> Any:
    nothing = (None, None, os.devnull, None)
    variables = {
        "profile": (None, None, None, None),
        "config_file": nothing,
        "credentials_file": nothing,
        "ignore_configured_endpoint_urls": (None, None, True, None),
    }
    session = botocore.session.Session(session_vars=variables)
    session.register_component(
        "credential_provider", botocore.credentials.CredentialResolver([_ActingProvider()])
    )
    return session


_LOCK = threading.Lock()
_CLIENTS: dict[tuple[str, str, str], Any] = {}
_SESSION: list[Any] = []
_CONFIG = botocore.config.Config(
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=32,
    proxies={},
    user_agent="snowflake-sandbox",  # botocore would put its own together again for every call
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def client(endpoint_url: str, service: str, region: str) -> Any:
    """The client of a service in a region; use it inside :func:`acting`. Thread-safe."""
    with _LOCK:
        found = _CLIENTS.get((endpoint_url, service, region))
        if found is None:
            if not _SESSION:
                _SESSION.append(_session())
            found = _SESSION[0].create_client(
                service, region_name=region, endpoint_url=endpoint_url, config=_CONFIG
            )
            _CLIENTS[endpoint_url, service, region] = found
        return found
