"""Broken on the way: files that were never announced, cannot be read, came twice, or are no files of ours."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault, set_trust, trust_document
from tests.scenarios.faults.snowflake import TABLE, TSV

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
    at.put("events", "announcement-lost-later.gz", _gz())
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
    _bring_back(at)


def _bring_back(at: Installation) -> None:
    at.run("backfill", "--stream", "events", "--pattern", ".*", "--reload-gone")


@fault("file", "pipe")
def arrived_while_there_was_no_pipe(at: Installation) -> None:
    at.advance(**LATE)
    at.sql("DROP PIPE RAW.SNOWPLOW.EVENTS_PIPE", "SNOWPLOW_LOADER")
    at.put("events", "arrived-while-there-was-no-pipe-meanwhile.gz", _gz())
    at.settle()
    at.run("step4-snowflake", expect=None)
    at.run("step5-aws")
    at.advance(**LATE)


@fault("file", "format")
def read_while_the_format_was_damaged(at: Installation) -> None:
    at.sql(f"ALTER FILE FORMAT {TSV} SET COMPRESSION = NONE")
    at.put("events", "unpacked.gz", _gz())
    at.settle()
    at.sql(f"ALTER FILE FORMAT {TSV} SET COMPRESSION = AUTO")


@fault("file")
def json_in_the_events_folder(at: Installation) -> Iterator[None]:
    at.put("events", "swapped.gz", gzip.compress(b'{"schema": "iglu:x"}\n'))
    at.settle()
    yield
    at.advance(**LATE)
    at.put("events", "swapped.gz", _gz())


@fault("file")
def packed_twice(at: Installation) -> Iterator[None]:
    at.put("events", "packed.gz", gzip.compress(_gz()))
    at.settle()
    yield
    at.advance(**LATE)
    at.put("events", "packed.gz", _gz())


@fault("file")
def gone_before_it_was_loaded(at: Installation) -> Iterator[None]:
    at.run("pause", "--stream", "events")
    key = at.put("events", "expired.gz", _gz())
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.settle()
    at.run("resume", "--stream", "events")
    at.settle()
    yield
    at.put("events", "expired.gz", _gz())


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


@fault("file", "key")
def file_encrypted_with_another_key(at: Installation) -> Iterator[None]:
    """The bucket's own key is one that the role may use; this file's is not."""
    arn = str(at.aws("kms").create_key()["KeyMetadata"]["Arn"])
    place = {"Bucket": at.settings.aws.bucket, "Key": at.stream("events").prefix + "keyed.gz"}
    at.aws("s3").put_object(**place, Body=_gz(), ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    at.settle()
    at.advance(minutes=1)
    at.put("events", "later-than-keyed.gz", _gz())
    at.settle()
    yield
    at.aws("s3").put_object(**place, Body=_gz())


@fault("file", "bucket-policy")
def bucket_policy_denies_a_part_of_the_folder(at: Installation) -> Iterator[None]:
    s3, aws, prefix = at.aws("s3"), at.settings.aws, at.stream("events").prefix
    row = {
        "Sid": "NotTheseYet",
        "Effect": "Deny",
        "Principal": {"AWS": aws.role_arn},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{aws.bucket}/{prefix}part/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [row]})
    s3.put_bucket_policy(Bucket=aws.bucket, Policy=policy)
    at.put("events", "part/denied.gz", _gz())
    at.settle()
    at.advance(minutes=1)
    at.put("events", "later-than-denied.gz", _gz())
    at.settle()
    yield
    s3.delete_bucket_policy(Bucket=aws.bucket)


@fault("file", "trust")
def failed_while_shut_out(at: Installation) -> None:
    right, wrong = trust_document(at), trust_document(at)
    wrong["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "SOMEBODY_ELSES"
    set_trust(at, wrong)
    at.put("events", "failed-while-shut-out-meanwhile.gz", _gz())
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


@fault("file", "rows")
def refresh_by_hand_took_a_note(at: Installation) -> Iterator[None]:
    """REFRESH takes every file in the folder, of whatever suffix."""
    at.put("events", "later.gz", _gz())
    at.settle()
    key = at.put("events", "readme.txt", b"please read me\n")
    at.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE REFRESH")
    at.settle()
    yield
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}'")


@fault("file")
def same_name_written_again(at: Installation) -> None:
    at.put("events", "same-name-written-again-again.gz", _gz(1))
    at.settle()
    at.advance(**LATE)
    at.put("events", "same-name-written-again-again.gz", _gz(2))
    at.settle()


@fault("file", "rows")
def loaded_twice_by_a_copy_by_hand(at: Installation) -> None:
    at.put("events", "twice.gz", _gz(3))
    at.settle()
    at.advance(**LATE)
    text = next(row[4] for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    at.sql(f"{text} FILES = ('twice.gz')")


@fault("file")
def rows_deleted(at: Installation) -> None:
    key = at.put("events", "gone.gz", _gz(3))
    at.settle()
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}'")


@fault("file")
def some_rows_deleted(at: Installation) -> None:
    key = at.put("events", "fewer.gz", _gz(3))
    at.settle()
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}' AND _file_row = 2")


@fault("file")
def file_names_emptied(at: Installation) -> Iterator[None]:
    """By a job that takes out what it does not know."""
    key = at.put("events", "nameless.gz", _gz(3))
    at.settle()
    at.sql(f"UPDATE {TABLE} SET _file = NULL WHERE _file = '{key}'")
    yield
    at.sql(f"UPDATE {TABLE} SET _file = '{key}' WHERE _file IS NULL")


@fault("file")
def file_names_rewritten(at: Installation) -> Iterator[None]:
    """As URLs, by a job that makes all tables alike: loaded again, they would be there twice."""
    key = at.put("events", "renamed.gz", _gz(3))
    at.settle()
    at.sql(f"UPDATE {TABLE} SET _file = 's3://bucket/' || _file WHERE _file = '{key}'")
    yield
    at.sql(f"UPDATE {TABLE} SET _file = '{key}' WHERE _file LIKE 's3:%'")


@fault("file")
def rows_deleted_by_a_retention_job(at: Installation) -> None:
    """By the events' own time, as such jobs do: rows of several files go, and not all of each."""
    for number in range(2):
        at.put("events", f"mixed-{number}.gz", gzip.compress(_event(1 + number) + LINE))
    at.settle()
    at.sql(f"DELETE FROM {TABLE} WHERE collector_tstamp < '2026-11-21'")


@fault("file")
def same_name_again_after_16_days(at: Installation) -> None:
    at.put("events", "same-name-again-after-16-days-again.gz", _gz(2))
    at.settle()
    at.advance(days=16)
    at.put("events", "same-name-again-after-16-days-again.gz", _gz(1))
    at.settle()
    at.advance(**LATE)


def _event(number: int) -> bytes:
    fields = [b""] * 131
    fields[0], fields[3] = b"app", b"2026-11-20 12:00:00.000"
    fields[6] = b"00000000-0000-4000-8000-%012d" % number
    return b"\t".join(fields) + b"\n"


@fault("file")
def folder_moved_within_the_prefix(at: Installation) -> Iterator[None]:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    key = at.put("events", "moved.gz", gzip.compress(_event(1) + _event(2)))
    at.settle()
    at.advance(**LATE)
    other = key.replace("moved.gz", "date=2026/moved.gz")
    s3.copy_object(Bucket=bucket, Key=other, CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    at.settle()
    yield
    s3.delete_object(Bucket=bucket, Key=other)
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{other}'")


BAD_ROW = (
    b'{"schema": "iglu:x", "data": {"processor": {"artifact": "x"}, "failure": {"timestamp": "2026"}}}\n'
)


@fault("file")
def bad_rows_under_another_name(at: Installation) -> Iterator[None]:
    for file in ("first.gz", "retry.gz"):
        key = at.put("events_bad", file, gzip.compress(BAD_ROW))
        at.settle()
        at.advance(**LATE)
    yield
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.sql(f"DELETE FROM RAW.SNOWPLOW.EVENTS_BAD WHERE _file = '{key}'")


@fault("file", "pipe")
def partly_loaded_before_the_pipe_was_replaced(at: Installation) -> Iterator[None]:
    pipe = "RAW.SNOWPLOW.EVENTS_BAD_PIPE"
    text = next(row[4] for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_BAD_PIPE")
    losing = text.replace("SKIP_FILE", "CONTINUE")
    at.sql(f"CREATE OR REPLACE PIPE {pipe} AUTO_INGEST = TRUE AS {losing}", "SNOWPLOW_LOADER")
    at.advance(**LATE)
    key = at.put("events_bad", "partly-before.gz", gzip.compress(b'{"a": 1}\n{"b": \n{"c": 3}\n'))
    at.settle()
    at.run("replace-pipe", "--stream", "events_bad")
    at.run("step4-snowflake")
    yield
    at.sql(f"DELETE FROM RAW.SNOWPLOW.EVENTS_BAD WHERE _file = '{key}'")
    at.put("events_bad", "whole-before.gz", gzip.compress(b'{"a": 1}\n{"b": 2}\n{"c": 3}\n'))
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.settle()


@fault("file")
def files_of_another_suffix(at: Installation) -> Iterator[None]:
    at.advance(days=15)
    at.put("events", "part.json", b"{}")
    yield
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=at.stream("events").prefix + "part.json")


@fault("file")
def half_of_the_files_of_another_suffix(at: Installation) -> Iterator[None]:
    s3, bucket, prefix = at.aws("s3"), at.settings.aws.bucket, at.stream("events").prefix
    for number in (1, 2):
        at.put("events", f"half-{number}.gz", _gz())
        at.put("events", f"half-{number}.zst", b"packed otherwise")
    at.settle()
    yield
    for number in (1, 2):
        s3.delete_object(Bucket=bucket, Key=f"{prefix}half-{number}.zst")


@fault("file")
def files_of_another_suffix_since_today(at: Installation) -> Iterator[None]:
    s3, bucket = at.aws("s3"), at.settings.aws.bucket
    for number in range(12):
        at.put("events", f"{number}-until-today.gz", _gz())
        at.settle()
        at.advance(hours=23)
    keys = [at.put("events", f"{number}-since-today.zst", b"packed otherwise") for number in range(3)]
    at.settle()
    yield
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)


@fault("file")
def no_files(at: Installation) -> Iterator[None]:
    at.environment["INVOKE_CHECKS_FILES_ARRIVE_WITHIN_HOURS"] = "2"
    at.advance(hours=3)
    at.put("events_bad", "no-files-there.gz", gzip.compress(b'{"a": 1}\n'))
    yield
    at.put("events", "no-files-there.gz", _gz())
    at.settle()


def _event_line(*more: bytes, fields: int = 131) -> bytes:
    row = [b"app"] + [b""] * (fields - 1)
    row[3], row[6] = b"2026-11-20 12:00:00.000", b"00000000-0000-4000-8000-000000000001"
    row[2], row[5] = row[3], b"page_view"
    return b"\t".join([*row, *more]) + b"\n"


NAMES = b"\t".join([b"app_id", b"platform", b"etl_tstamp", b"collector_tstamp"] + [b"more"] * 127) + b"\n"


def _swapped(line: bytes) -> bytes:
    """The event's id where its time belongs, and the time where the id does."""
    row = line.split(b"\t")
    row[3], row[6] = row[6], row[3]
    return b"\t".join(row)


def _without_nulls(line: bytes, word: bytes = b"\\N") -> bytes:
    """As an unload of another database, or Spark, writes it."""
    return b"\t".join(field or word for field in line.rstrip(b"\n").split(b"\t")) + b"\n"


def _numbered(line: bytes) -> bytes:
    """Its times as milliseconds since 1970."""
    return line.replace(b"2026-11-20 12:00:00.000", b"1795176000000")


ENTITIES = b'{"schema":"iglu:com.example/a/jsonschema/1-0-0","data":[]}'


def _with(line: bytes, place: int, value: bytes) -> bytes:
    row = line.split(b"\t")
    row[place] = value
    return b"\t".join(row)


def _by_csvs_rules(line: bytes) -> bytes:
    """Its entities as a writer of CSV quotes what holds quotes."""
    return _with(line, 52, b'"' + ENTITIES.replace(b'"', b'""') + b'"')


AS_ARRAY = b'[{"schema": "iglu:x", "data": {}},\n {"schema": "iglu:x", "data": {}}]\n'
AS_JSON = json.dumps({"app_id": "app", "event_id": "1", "collector_tstamp": "2026-11-20"}).encode() + b"\n"


def _tar(content: bytes) -> bytes:
    body, info = io.BytesIO(), tarfile.TarInfo("events.tsv")
    info.size = len(content)
    with tarfile.open(fileobj=body, mode="w") as archive:
        archive.addfile(info, io.BytesIO(content))
    return body.getvalue()


def _holds(name: str, body: bytes, *, stream: str = "events") -> None:
    """The newest file holds something else; by hand its producer writes it again as it should be."""
    file = f"{name}.gz"

    def breaks(at: Installation) -> Iterator[None]:
        at.put(stream, file, body)
        at.settle()
        yield
        at.advance(**LATE)
        at.put(stream, file, _gz() if stream == "events" else gzip.compress(b'{"a": 1}\n'))

    breaks.__name__ = name
    fault("file")(breaks)


_holds("zip_in_the_events_folder", b"PK\x03\x04" + b"x" * 200 + b"\n")
_holds("parquet_in_the_events_folder", b"PAR1" + b"x" * 200 + b"\nPAR1")
_holds("parquet_packed_in_the_events_folder", gzip.compress(b"PAR1" + b"x" * 200 + b"\n"))
_holds("lzo_in_the_events_folder", bytes.fromhex("894c5a4f000d0a1a0a") + b"\1" * 40 + b"\n")
_holds("web_page_in_the_events_folder", b"<html>denied</html>\n")
_holds("error_document_in_the_events_folder", b'<?xml version="1.0"?><Error>Denied</Error>\n')
_holds("bad_rows_in_the_events_folder", gzip.compress(b'{"schema": "iglu:x", "data": {}}\n' * 3))
_holds("header_line_in_the_file", gzip.compress(NAMES + _event_line()))
_holds("commas_instead_of_tabs", gzip.compress(_event_line().replace(b"\t", b",")))
_holds("fields_missing", gzip.compress(_event_line(fields=60)))
_holds("fields_too_many", gzip.compress(_event_line(b"one more")))
_holds("two_events_in_one_line", gzip.compress(_event_line().rstrip(b"\n") + b"\t" + _event_line()))
_holds("tab_inside_a_field", gzip.compress(b"\t" + _event_line()))
_holds("fields_in_another_order", gzip.compress(_swapped(_event_line())))
_holds("tar_in_the_events_folder", gzip.compress(_tar(_event_line())))
_holds("utf_16_in_the_events_folder", gzip.compress(_event_line().decode().encode("utf-16")))
_holds("words_in_the_events_folder", gzip.compress(b"Access denied"))
_holds("nulls_written_as_words", gzip.compress(_without_nulls(_event_line())))
_holds("nulls_written_as_nan", gzip.compress(_without_nulls(_event_line(), b"nan")))
_holds("times_written_as_numbers", gzip.compress(_numbered(_event_line())))
_holds("times_in_another_form", gzip.compress(_with(_event_line(), 3, b"20/11/2026 12:00:00")))
_holds("json_in_quotes", gzip.compress(_by_csvs_rules(_event_line())))
_holds("latin_1_in_the_events_folder", gzip.compress(_with(_event_line(), 20, "Bâle".encode("latin-1"))))
_holds("second_part_of_another_kind", _gz() + gzip.compress(b'{"schema": "iglu:x"}\n'))
_holds("json_among_the_events", gzip.compress(_event_line() * 3 + b'{"schema": "iglu:x"}\n'))
_holds("last_line_cut_short", gzip.compress(_event_line() * 3 + _event_line()[:60]))
_holds("bad_rows_packed_twice", gzip.compress(gzip.compress(b'{"a": 1}\n')), stream="events_bad")
_holds("events_in_the_bad_rows_folder", gzip.compress(_event_line()), stream="events_bad")
_holds("web_page_in_the_bad_rows_folder", b"<html>denied</html>\n", stream="events_bad")
_holds("bad_rows_in_one_array", gzip.compress(AS_ARRAY), stream="events_bad")
_holds("events_as_json_in_the_bad_rows_folder", gzip.compress(AS_JSON), stream="events_bad")


@fault("file")
def events_of_an_older_snowplow(at: Installation) -> Iterator[None]:
    key = at.put("events", "old.gz", gzip.compress(_event_line(fields=123)))
    at.settle()
    yield
    at.aws("s3").delete_object(Bucket=at.settings.aws.bucket, Key=key)
    at.sql(f"DELETE FROM {TABLE} WHERE _file = '{key}'")


def _among_the_rows(name: str, body: bytes, *, stream: str = "events") -> None:
    """The same in a file that is not among the newest: only the table's rows tell."""
    right = _gz() if stream == "events" else gzip.compress(b'{"a": 1}\n')

    def breaks(at: Installation) -> Iterator[None]:
        at.put(stream, f"{name}.gz", body)
        at.settle()
        for number in range(3):
            at.advance(minutes=1)
            at.put(stream, f"later-than-{name}-{number}.gz", right)
        at.settle()
        yield
        at.advance(**LATE)
        at.put(stream, f"{name}.gz", right)

    breaks.__name__ = name
    fault("file")(breaks)


_among_the_rows("rows_of_a_web_page", b"<html>denied</html>\n")
_among_the_rows("rows_of_a_header", gzip.compress(NAMES + _event_line()))
_among_the_rows("rows_of_commas", gzip.compress(_event_line().replace(b"\t", b",")))
_among_the_rows("rows_between_pipes", gzip.compress(_event_line().replace(b"\t", b"|")))
_among_the_rows("rows_of_lzo", bytes.fromhex("894c5a4f000d0a1a0a") + b"\1" * 40 + b"\n")
_among_the_rows("rows_with_a_tab_inside", gzip.compress(b"\t" + _event_line()))
_among_the_rows("rows_in_another_order", gzip.compress(_swapped(_event_line())))
_among_the_rows("rows_of_parquet", b"PAR1" + b"x" * 200 + b"\n")
_among_the_rows("rows_of_json", gzip.compress(b'{"schema": "iglu:x"}\n'))
_among_the_rows("rows_of_words_for_null", gzip.compress(_without_nulls(_event_line())))
_among_the_rows("rows_with_times_as_numbers", gzip.compress(_numbered(_event_line())))
_among_the_rows(
    "rows_with_times_in_another_form", gzip.compress(_with(_event_line(), 3, b"20/11/2026 12:00:00"))
)
_among_the_rows("rows_with_json_in_quotes", gzip.compress(_by_csvs_rules(_event_line())))
_among_the_rows("bad_rows_of_one_array", gzip.compress(AS_ARRAY), stream="events_bad")
_among_the_rows("bad_rows_that_are_events", gzip.compress(AS_JSON), stream="events_bad")


def _falls_silent(at: Installation, name: str, files: int, every: float, quiet: float) -> None:
    for number in range(files):
        at.put("events", f"{name}-{number}.gz", _gz())
        at.settle()  # a clock that jumps while a file is read ends the reader's session
        at.advance(hours=every)
    at.settle()
    at.advance(hours=quiet)


@fault("file")
def nothing_since_yesterday(at: Installation) -> Iterator[None]:
    _falls_silent(at, "yesterday", 4, 1, 26)
    yield
    at.put("events", "nothing-since-yesterday-again.gz", _gz())
    at.settle()


@fault("file")
def only_empty_files_since_yesterday(at: Installation) -> Iterator[None]:
    _falls_silent(at, "before-empty", 4, 1, 1)
    for number in range(5):
        at.put("events", f"{number}-empty.gz", gzip.compress(b""))
        at.put("events", "_SUCCESS", b"")
        at.settle()
        at.advance(hours=6)
    yield
    at.put("events", "only-empty-files-since-yesterday-again.gz", _gz())
    at.settle()


@fault("file")
def nothing_for_days_after_weeks(at: Installation) -> Iterator[None]:
    _falls_silent(at, "weeks", 31, 12, 48)
    yield
    at.put("events", "nothing-for-days-after-weeks-again.gz", _gz())
    at.settle()


@fault("file")
def producer_writes_into_another_folder(at: Installation) -> Iterator[None]:
    _falls_silent(at, "elsewhere", 3, 1, 1)
    s3, bucket, other = at.aws("s3"), at.settings.aws.bucket, "snowplow/enriched/good/"
    for number in range(4):
        s3.put_object(Bucket=bucket, Key=f"{other}{number}.gz", Body=_gz())
        at.advance(hours=12)
    yield
    at.put("events", "back.gz", _gz())
    at.settle()


@fault("file")
def later_than_a_person_said(at: Installation) -> Iterator[None]:
    at.environment["INVOKE_STREAMS_EVENTS_BAD_FILES_ARRIVE_WITHIN_HOURS"] = "1"
    at.advance(hours=2)
    yield
    at.put("events_bad", "later-than-a-person-said-again.gz", gzip.compress(b'{"a": 1}\n'))
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
