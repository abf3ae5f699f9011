"""Broken on the way: files that were never announced, cannot be read, came twice, or are no files of ours."""

import gzip
from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, set_trust, trust_document
from tests.scenarios.faults.snowflake import TABLE

LINE = b"app" + b"\t" * 130 + b"\n"
LATE = {"minutes": 20}  # later than checks.loaded_within_minutes


def _gz(lines: int = 1) -> bytes:
    return gzip.compress(LINE * lines)


def _unheard(at: Installation, file: str) -> None:
    at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    at.put("events", file, _gz())
    at.settle()
    at.control("DELETE", "/faults")
    at.advance(**LATE)


@fault("file")
def announcement_lost(at: Installation) -> None:
    _unheard(at, "lost.gz")
    at.put("events", "later.gz", _gz())
    at.settle()


@fault("file")
def announcements_stopped(at: Installation) -> None:
    at.advance(minutes=1)  # after the last file the pipe heard of: files are listed by whole seconds
    _unheard(at, "silent.gz")


@fault("file")
def table_emptied(at: Installation) -> Iterator[None]:
    at.advance(**LATE)
    at.put("events", "emptied.gz", _gz())
    at.settle()
    at.advance(**LATE)
    at.sql(f"TRUNCATE TABLE {TABLE}")
    yield
    at.advance(days=2, hours=2)
    at.run("backfill", "--stream", "events", "--pattern", ".*", "--reload-gone")


def _unreadable(name: str, stream: str, file: str, body: bytes, right: bytes) -> None:
    def breaks(at: Installation) -> Iterator[None]:
        at.put(stream, file, body)
        at.settle()
        yield
        at.put(stream, file, right)

    breaks.__name__ = name
    fault("file")(breaks)


_unreadable("file_cut_short", "events", "short.gz", gzip.compress(LINE * 500)[:40], _gz())
_unreadable(
    "bad_row_is_no_json",
    "events_bad",
    "broken.gz",
    gzip.compress(b'{"schema": \n'),
    gzip.compress(b'{"a": 1}\n'),
)


@fault("file")
def file_archived(at: Installation) -> Iterator[None]:
    key = at.stream("events").prefix + "cold.gz"
    place = {"Bucket": at.settings.aws.bucket, "Key": key, "Body": _gz()}
    at.aws("s3").put_object(**place, StorageClass="GLACIER")
    at.settle()
    yield
    at.aws("s3").put_object(**place)


@fault("file", "trust")
def failed_while_shut_out(at: Installation) -> None:
    right, wrong = trust_document(at), trust_document(at)
    wrong["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    set_trust(at, wrong)
    at.put("events", "meanwhile.gz", _gz())
    at.settle()
    set_trust(at, right)


@fault("file")
def rows_lost_by_a_copy_by_hand(at: Installation) -> Iterator[None]:
    at.control("POST", "/faults", {"notifications": {"drop": 1.0}})
    broken = gzip.compress(b'{"a": 1}\n{"b": \n{"c": 3}\n')
    key = at.put("events_bad", "partly.gz", broken)
    at.settle()
    at.control("DELETE", "/faults")
    at.sql(
        "COPY INTO RAW.SNOWPLOW.EVENTS_BAD (document, _file, _file_row, _loaded_at) FROM (SELECT $1, "
        "METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)"
        "::TIMESTAMP_NTZ FROM @RAW.SNOWPLOW.BAD_ROWS_STAGE) FILES = ('partly.gz') "
        "FILE_FORMAT = (FORMAT_NAME = RAW.SNOWPLOW.SNOWPLOW_BAD_JSON) ON_ERROR = CONTINUE"
    )
    yield
    at.sql(f"DELETE FROM RAW.SNOWPLOW.EVENTS_BAD WHERE _file = '{key}'")
    at.put("events_bad", "whole.gz", gzip.compress(b'{"a": 1}\n{"b": 2}\n{"c": 3}\n'))
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.settle()


@fault("file")
def same_name_written_again(at: Installation) -> None:
    at.put("events", "again.gz", _gz(1))
    at.settle()
    at.advance(**LATE)
    at.put("events", "again.gz", _gz(2))
    at.settle()


@fault("file")
def loaded_twice_by_a_copy_by_hand(at: Installation) -> Iterator[None]:
    key = at.put("events", "twice.gz", _gz(3))
    at.settle()
    at.advance(**LATE)
    text = next(row[4] for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    at.sql(f"{text} FILES = ('twice.gz')")
    yield
    latest = f"(SELECT MAX(_loaded_at) FROM {TABLE} WHERE _file = '{key}')"
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}' AND _loaded_at = {latest}")


@fault("file")
def rows_deleted(at: Installation) -> None:
    key = at.put("events", "gone.gz", _gz(3))
    at.settle()
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}'")


@fault("file")
def files_of_another_suffix(at: Installation) -> Iterator[None]:
    at.advance(days=15)
    at.put("events", "part.json", b"{}")
    yield
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=at.stream("events").prefix + "part.json")


@fault("file")
def no_files(at: Installation) -> Iterator[None]:
    at.environment["INVOKE_CHECKS_FILES_ARRIVE_WITHIN_HOURS"] = "2"
    at.advance(hours=3)
    at.put("events_bad", "there.gz", gzip.compress(b'{"a": 1}\n'))
    yield
    at.put("events", "there.gz", _gz())
    at.settle()


@fault("file")
def queue_stands_still(at: Installation) -> Iterator[None]:
    at.control("POST", "/faults", {"pipe_latency_s": 7200})
    at.put("events", "stuck.gz", _gz())
    at.settle()
    at.advance(**LATE)
    yield
    at.control("DELETE", "/faults")
    at.settle()
