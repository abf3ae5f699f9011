"""Session and account parameters: those with an effect here, those that only clients use, the rest refused.

Names and defaults: https://docs.snowflake.com/en/sql-reference/parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from snowpipe_sandbox.snowflake import errors


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as SHOW PARAMETERS lists it. ``effect``: changing it changes what the sandbox does."""

    name: str
    type: str
    default: str
    description: str = ""
    effect: bool = True


_ALL = (
    Parameter(
        "AUTOCOMMIT",
        "BOOLEAN",
        "true",
        "The autocommit property determines whether statements "
        "should be implicitly wrapped within a transaction or not.",
    ),
    Parameter("BINARY_INPUT_FORMAT", "STRING", "HEX", effect=False),
    Parameter("BINARY_OUTPUT_FORMAT", "STRING", "HEX", effect=False),
    Parameter("CLIENT_SESSION_KEEP_ALIVE", "BOOLEAN", "false"),
    Parameter("CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "NUMBER", "3600"),
    Parameter("CLIENT_TIMESTAMP_TYPE_MAPPING", "STRING", "TIMESTAMP_LTZ", effect=False),
    Parameter("DATE_INPUT_FORMAT", "STRING", "AUTO", effect=False),
    Parameter("DATE_OUTPUT_FORMAT", "STRING", "YYYY-MM-DD", effect=False),
    Parameter("ERROR_ON_NONDETERMINISTIC_MERGE", "BOOLEAN", "true", effect=False),
    Parameter("ERROR_ON_NONDETERMINISTIC_UPDATE", "BOOLEAN", "false", effect=False),
    Parameter("JSON_INDENT", "NUMBER", "2"),
    Parameter("LOCK_TIMEOUT", "NUMBER", "43200", effect=False),
    Parameter("MULTI_STATEMENT_COUNT", "NUMBER", "1"),
    Parameter("PYTHON_CONNECTOR_QUERY_RESULT_FORMAT", "STRING", "ARROW"),
    Parameter(
        "QUERY_TAG",
        "STRING",
        "",
        "Optional string that can be used to tag queries and other SQL statements executed within a session.",
    ),
    Parameter("QUOTED_IDENTIFIERS_IGNORE_CASE", "BOOLEAN", "false", effect=False),
    Parameter("ROWS_PER_RESULTSET", "NUMBER", "0", effect=False),
    Parameter("STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "NUMBER", "0"),
    Parameter(
        "STATEMENT_TIMEOUT_IN_SECONDS",
        "NUMBER",
        "172800",
        "Timeout in seconds for statements: "
        "statements are automatically canceled if they run for longer; if set to zero, max value "
        "(604800) is enforced.",
    ),
    Parameter("STRICT_JSON_OUTPUT", "BOOLEAN", "false", effect=False),
    Parameter("TIMESTAMP_DAY_IS_ALWAYS_24H", "BOOLEAN", "false", effect=False),
    Parameter("TIMESTAMP_INPUT_FORMAT", "STRING", "AUTO", effect=False),
    Parameter("TIMESTAMP_LTZ_OUTPUT_FORMAT", "STRING", "", effect=False),
    Parameter("TIMESTAMP_NTZ_OUTPUT_FORMAT", "STRING", "YYYY-MM-DD HH24:MI:SS.FF3", effect=False),
    Parameter("TIMESTAMP_OUTPUT_FORMAT", "STRING", "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM", effect=False),
    Parameter("TIMESTAMP_TYPE_MAPPING", "STRING", "TIMESTAMP_NTZ", effect=False),
    Parameter("TIMESTAMP_TZ_OUTPUT_FORMAT", "STRING", "", effect=False),
    Parameter("TIMEZONE", "STRING", "America/Los_Angeles", "time zone"),
    Parameter("TIME_INPUT_FORMAT", "STRING", "AUTO", effect=False),
    Parameter("TIME_OUTPUT_FORMAT", "STRING", "HH24:MI:SS", effect=False),
    Parameter("TRANSACTION_ABORT_ON_ERROR", "BOOLEAN", "false", effect=False),
    Parameter("USE_CACHED_RESULT", "BOOLEAN", "true"),
    Parameter("WEEK_OF_YEAR_POLICY", "NUMBER", "0", effect=False),
    Parameter("WEEK_START", "NUMBER", "0", effect=False),
)
SESSION = {parameter.name: parameter for parameter in _ALL}

PIPE_EXECUTION_PAUSED = Parameter(
    "PIPE_EXECUTION_PAUSED",
    "BOOLEAN",
    "false",
    "Specifies whether to pause a running pipe, primarily in preparation for transferring ownership of the "
    "pipe to a different role.",
)


LOG_EVENT_LEVEL = Parameter("LOG_EVENT_LEVEL", "STRING", "OFF", "Severity of events that a pipe logs.")


class SessionParameters:
    """What one session has set; everything else has its default."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._set: dict[str, str] = {}
        for name, value in given.items():
            known = SESSION.get(name.upper())
            if known is not None and known.effect:
                self.set(name.upper(), value)

    def __getitem__(self, name: str) -> str:
        return self._set.get(name, SESSION[name].default)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value that counts, or ``default`` for a name that is not a parameter."""
        return self[name] if name in SESSION else default

    def own(self, name: str) -> str | None:
        """What was set in this session; None if nothing was."""
        return self._set.get(name)

    def is_set(self, name: str) -> bool:
        """Was it set in this session?"""
        return name in self._set

    def set(self, name: str, value: Any) -> None:
        """Set one, checked. Raises 001420 for an unknown one, 001008 for a bad value, or not emulated."""
        known = SESSION.get(name)
        if known is None:
            if name.startswith(("CLIENT_", "PYTHON_", "ENABLE_", "JDBC_")):
                return  # read by clients only
            raise errors.invalid_property(name, "SESSION")
        text = _checked(known, value)
        if not known.effect and text.upper() != known.default.upper():
            raise errors.not_emulated(f"{name} = {text}")
        self._set[name] = text

    def unset(self, name: str) -> None:
        """Back to the default. Raises 001420 for an unknown one."""
        if name not in SESSION:
            raise errors.invalid_property(name, "SESSION")
        self._set.pop(name, None)

    @property
    def timezone(self) -> str:
        """TIMEZONE, an IANA name."""
        return self["TIMEZONE"]

    def local(self, moment: datetime) -> datetime:
        """An aware time in the session's time zone."""
        return moment.astimezone(ZoneInfo(self.timezone))


def _checked(known: Parameter, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if known.type == "BOOLEAN":
        if text.lower() not in ("true", "false"):
            raise errors.invalid_value(text, known.name)
        return text.lower()
    if known.type == "NUMBER" and not text.isdigit():
        raise errors.invalid_value(text, known.name)
    if known.name == "QUERY_TAG" and len(text) > 2000:
        raise errors.invalid_value(text[:40] + "...", known.name)
    if known.name == "TIMEZONE":
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError):
            raise errors.invalid_value(text, known.name) from None
    return text
