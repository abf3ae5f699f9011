"""``NAME = value`` lists of CREATE and ALTER … SET, read against what the object knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snowpipe_sandbox.snowflake import errors
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens

Reader = Callable[[Tokens], Any]

ELSEWHERE = frozenset(
    [
        "API_AWS_ROLE_ARN",
        "AUTO_SUSPEND_SECS",
        "AZURE_EVENT_GRID_TOPIC_ENDPOINT",
        "AZURE_STORAGE_QUEUE_PRIMARY_URI",
        "GCP_PUBSUB_SUBSCRIPTION_NAME",
        "GCP_PUBSUB_TOPIC_NAME",
        "WEBHOOK_BODY_TEMPLATE",
        "WEBHOOK_HEADERS",
        "WEBHOOK_SECRET",
        "WEBHOOK_URL",
        "AUTO_RECLUSTER",
        "AWS_ACCESS_POINT_ARN",
        "AZURE_TENANT_ID",
        "BASE_LOCATION",
        "CATALOG",
        "CATALOG_SYNC",
        "CHANGE_TRACKING",
        "CLASSIFICATION_PROFILE",
        "COPY_OPTIONS",
        "DATA_METRIC_SCHEDULE",
        "DEFAULT_DDL_COLLATION",
        "DEFAULT_NOTEBOOK_COMPUTE_POOL_CPU",
        "DEFAULT_NOTEBOOK_COMPUTE_POOL_GPU",
        "DEFAULT_STREAMLIT_NOTEBOOK_WAREHOUSE",
        "ENABLE_CONSOLE_OUTPUT",
        "ENABLE_QUERY_ACCELERATION",
        "ENABLE_SCHEMA_EVOLUTION",
        "ENCRYPTION",
        "ENDPOINT",
        "EVENT_TABLE",
        "EXTERNAL_VOLUME",
        "GENERATION",
        "INTEGRATION",
        "LOG_LEVEL",
        "MAX_CONCURRENCY_LEVEL",
        "METRIC_LEVEL",
        "NOTIFICATION_INTEGRATION",
        "OBJECT_VISIBILITY",
        "PIPE_EXECUTION_PAUSED",
        "POLARIS_CATALOG",
        "QUERY_ACCELERATION_MAX_SCALE_FACTOR",
        "QUOTED_IDENTIFIERS_IGNORE_CASE",
        "REPLACE_INVALID_CHARACTERS",
        "RESOURCE_CONSTRAINT",
        "RESOURCE_MONITOR",
        "SERVERLESS_TASK_MAX_STATEMENT_SIZE",
        "SERVERLESS_TASK_MIN_STATEMENT_SIZE",
        "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS",
        "STATEMENT_TIMEOUT_IN_SECONDS",
        "STORAGE_SERIALIZATION_POLICY",
        "SUSPEND_TASK_AFTER_NUM_FAILURES",
        "TASK_AUTO_RETRY_ATTEMPTS",
        "TRACE_LEVEL",
        "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE",
        "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS",
        "USER_TASK_TIMEOUT_MS",
        "USE_PRIVATELINK_ENDPOINT",
    ]
)
"""Documented properties of objects; where a statement's own list lacks one it is refused by name."""


def word(tokens: Tokens) -> str:
    """A bare word or a string."""
    if tokens.next.kind in ("word", "string", "quoted"):
        return tokens.advance().value
    raise tokens.error()


def value(tokens: Tokens) -> Any:
    """A string, number, word or list of strings, whatever is written."""
    if tokens.sees("("):
        return tuple(strings(tokens))
    if tokens.next.kind in ("string", "number", "word", "quoted"):
        return tokens.advance().value
    if tokens.sees("-"):
        return tokens.number()
    raise tokens.error()


def string(tokens: Tokens) -> str:
    """A string, in single or in double quotes: Snowflake takes both as an option's value.

    Sources: https://docs.snowflake.com/en/sql-reference/sql/alter-pipe (``COMMENT = "…"``);
    https://quickstarts.snowflake.com/guide/getting_started_with_snowpipe (``STORAGE_AWS_ROLE_ARN = "…"``).
    """
    if tokens.next.kind == "quoted":
        return tokens.advance().value
    return tokens.string()


def location(tokens: Tokens) -> str:
    """A URL, in parentheses or not (``URL = ('s3://…')``), with its scheme in small letters (``S3://…``).

    Sources: https://quickstarts.snowflake.com/guide/getting_started_with_snowpipe (parentheses);
    https://github.com/infinityworks/snow-cannon (capitals).
    """
    if not tokens.take("("):
        return _lower_scheme(string(tokens))
    found = string(tokens)
    tokens.expect(")")
    return _lower_scheme(found)


def locations(tokens: Tokens) -> list[str]:
    """A list of URLs, their schemes in small letters."""
    return [_lower_scheme(each) for each in strings(tokens)]


def _lower_scheme(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return scheme.lower() + separator + rest if separator else url


def boolean(tokens: Tokens) -> bool:
    """TRUE or FALSE."""
    return tokens.boolean()


def strings(tokens: Tokens) -> list[str]:
    """A list of strings in parentheses, possibly empty."""
    return tokens.listed(lambda: string(tokens))


def name(tokens: Tokens) -> tuple[str, ...]:
    """An object's name, as an identifier or in a string."""
    if tokens.next.kind == "string":
        inner = Tokens(tokens.string())
        parts = inner.name()
        inner.end()
        return parts
    return tokens.name()


def file_format(tokens: Tokens) -> dict[str, Any]:
    """``FILE_FORMAT = ( … )``, or a format's own name without parentheses."""
    return free(tokens) if tokens.sees("(") else {"FORMAT_NAME": name(tokens)}


def tags(tokens: Tokens) -> None:
    """Raise not emulated where tags are written; nothing otherwise."""
    if tokens.sees("TAG") or tokens.sees("WITH", "TAG"):
        raise errors.not_emulated("tags")


def refused(what: str) -> Reader:
    """An option Snowflake knows and the sandbox does not emulate."""

    def read(tokens: Tokens) -> Any:
        raise errors.not_emulated(f"{what} = {tokens.next.text}")

    return read


def only(what: str, *allowed: str) -> Reader:
    """An option of which only some values are emulated."""

    def read(tokens: Tokens) -> str:
        given = word(tokens)
        if given.upper() not in allowed:
            raise errors.not_emulated(f"{what} = {given}")
        return given.upper()

    return read


def read_options(
    tokens: Tokens, known: Mapping[str, Reader], *, until: Callable[[], bool] | None = None
) -> dict[str, Any]:
    """The options up to the end of the statement (or until ``until`` says so), commas allowed between.

    Raises 001003 for an unknown option and for one that is written twice, not emulated for one that only
    Snowflake knows.
    """
    found: dict[str, Any] = {}
    while not tokens.at_end and not (until is not None and until()):
        tokens.take(",")
        tags(tokens)
        token = tokens.next
        if token.kind == "word" and token.value in ELSEWHERE and token.value not in known:
            raise errors.not_emulated(f"the option {token.value}")
        if token.kind != "word" or token.value not in known or token.value in found:
            raise tokens.error()
        tokens.advance()
        tokens.expect("=")
        found[token.value] = known[token.value](tokens)
    return found


def parenthesised(tokens: Tokens, known: Mapping[str, Reader]) -> dict[str, Any]:
    """``( NAME = value … )`` against the known options."""
    tokens.expect("(")
    found = read_options(tokens, known, until=lambda: tokens.sees(")"))
    tokens.expect(")")
    return found


def free(tokens: Tokens) -> dict[str, Any]:
    """``( NAME = value … )`` with names somebody else judges (file-format options)."""
    tokens.expect("(")
    found: dict[str, Any] = {}
    while not tokens.take(")"):
        tokens.take(",")
        key = tokens.identifier()
        tokens.expect("=")
        found[key] = name(tokens) if key == "FORMAT_NAME" else value(tokens)
    return found


def comment_only(tokens: Tokens) -> str:
    """``SET COMMENT = '…'`` or ``UNSET COMMENT``: the comment, or nothing."""
    if tokens.one_of("SET", "UNSET") == "UNSET":
        unset_list(tokens, "COMMENT")
        return ""
    given = read_options(tokens, {"COMMENT": string})
    if not given:
        raise tokens.error()
    return str(given["COMMENT"])


def unset_list(tokens: Tokens, *known: str) -> list[str]:
    """The names after UNSET, commas between or not. Raises 001003 for an unknown one."""
    found: list[str] = []
    while not found or not tokens.at_end:
        if found:
            tokens.take(",")
        tags(tokens)
        if tokens.next.value in ELSEWHERE and tokens.next.value not in known:
            raise errors.not_emulated(f"UNSET {tokens.next.value}")
        found.append(tokens.one_of(*known))
    return found
