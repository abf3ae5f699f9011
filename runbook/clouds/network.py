"""The network between here and the clouds: how long it is waited for, and what failed on it.

Nobody is waited for without end: a call of AWS is given up after two minutes, a statement that Snowflake does
not answer after two and a half. One that Snowflake says it is working on may take STATEMENT_TIMEOUT_S.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runbook.redaction import redacted

STATEMENT_TIMEOUT_S = 3600
LOGIN_S = 30
SILENT_S = 90
"""A request to Snowflake that failed for so long is not sent again. While a statement runs, Snowflake says so
every 45 seconds, and an attempt is waited for 60 (DEFAULT_SOCKET_CONNECT_TIMEOUT of snowflake.connector)."""

AWS_BOUNDS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 20,
    "retries": {"mode": "standard", "total_max_attempts": 5},
}
"""Of each attempt in seconds; the pauses between five are 15 in all at most.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""


def snowflake_bounds(version: str) -> dict[str, Any]:
    """The time limits of a connection and its good-bye, in the words of that version of the connector.

    Sources: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-connect,
    and connection_config.py of 5.x.
    """
    if int(version.partition(".")[0]) < 5:
        # network_timeout ends statements too, and without it a request is repeated for ever
        return {
            "login_timeout": LOGIN_S,
            "network_timeout": STATEMENT_TIMEOUT_S,
            "backoff_policy": pauses,
        }
    return {
        "login_timeout": LOGIN_S,
        "connect_timeout": 10,
        "query_timeout": STATEMENT_TIMEOUT_S,
        "request_timeout": SILENT_S,
        "retry_timeout": 60,
        "retry_max_attempts": 2,
        # no statement of ours outlives its connection; unsaid, 5.x warns of it
        "enable_server_session_keep_alive_auto_detection": False,
    }


def pauses(now: Callable[[], float] = time.monotonic) -> Iterator[int]:
    """Seconds between a request's attempts; raises the connector's OperationalError once it is given up."""
    from snowflake.connector import errors

    begun, pause = now(), 1
    while (waited := now() - begun) < SILENT_S:
        yield pause
        pause = min(2 * pause, 8)
    raise errors.OperationalError(msg=f"no answer for {waited:.0f} seconds", errno=250001)


def failure(error: BaseException) -> str:
    """What failed on the network, out of an error's chain of causes: the host and the innermost reason."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) and inner not in chain:
        chain.append(inner)
    texts = [_words(each) for each in chain]
    hosts = (re.search(r"host='([^']+)', port=(\d+)", text) for text in map(str, chain))
    where = next((f"{found[1]}:{found[2]}: " for found in hosts if found), "")
    return where + next((text for text in reversed(texts) if text), type(error).__name__)


def _words(error: BaseException) -> str:
    """An error in a few words; OpenSSL gives a list of (library, function, reason)."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if error.args and isinstance(error.args[0], list):
        return ", ".join(str(part[-1]) for part in error.args[0] if isinstance(part, tuple) and part)
    return one_line(str(error))


PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def proxy_in_between() -> str:
    """The variable that names a proxy, for a remedy; never its value, which may hold a password."""
    found = next((name for name in PROXIES if os.environ.get(name)), "")
    return f", the proxy that {found} names (NO_PROXY keeps hosts from it)" if found else ""


def one_line(text: str) -> str:
    """Text from outside on one line, without secrets, control characters shown instead of obeyed."""
    visible = (
        char if char.isprintable() else " " if char.isspace() else ascii(char)[1:-1]
        for char in redacted(text)  # before it is cut to a length, too
    )
    return " ".join("".join(visible).split())
