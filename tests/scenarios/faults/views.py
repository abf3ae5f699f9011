"""Broken on top of the tables: the typed views, and what in the data they cannot show."""

import gzip
from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault
from tests.scenarios.faults.snowflake import TABLE
from tests.scenarios.test_views import contexts, event

LATE = {"minutes": 20}


def _with_views(at: Installation) -> None:
    at.environment["INVOKE_VIEWS_ENABLED"] = "1"
    at.run("views")


def _load(at: Installation, name: str, *lines: bytes) -> str:
    key = at.put("events", name, gzip.compress(b"".join(lines)))
    at.settle()
    return key


def _take_away(at: Installation, key: str) -> None:
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}'")


@fault("view")
def view_dropped(at: Installation) -> None:
    _with_views(at)
    at.sql("DROP VIEW RAW.ATOMIC.EVENTS", "SYSADMIN")


@fault("view")
def view_of_other_settings(at: Installation) -> None:
    _with_views(at)
    at.environment["INVOKE_VIEWS_ENTITIES"] = "com.acme/user/1"


@fault("view", "file", "rows")
def schema_without_a_column(at: Installation) -> Iterator[None]:
    _with_views(at)
    _load(at, "new.gz", event(contexts=contexts(("com.acme/user/jsonschema/2-0-0", {"a": 1}))))
    yield
    at.environment["INVOKE_VIEWS_ENTITIES"] = "com.acme/user/2"
    at.run("views")


@fault("view", "file", "rows")
def value_of_another_type(at: Installation) -> Iterator[None]:
    _with_views(at)
    key = _load(at, "word.gz", event(br_viewwidth="wide"))
    yield
    _take_away(at, key)


@fault("view", "file", "rows")
def contexts_cut_short(at: Installation) -> Iterator[None]:
    _with_views(at)
    key = _load(at, "cut.gz", event(contexts=contexts(("com.acme/user/jsonschema/1-0-0", {}))[:-9]))
    yield
    _take_away(at, key)


@fault("view", "file", "rows")
def event_sent_again(at: Installation) -> Iterator[None]:
    _with_views(at)
    _load(at, "first.gz", event())
    at.advance(**LATE)
    key = _load(at, "retry.gz", event(collector_tstamp="2026-11-20 10:20:00.000"))
    yield
    _take_away(at, key)
