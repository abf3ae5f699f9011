"""The checklist's points on loading, each as an ordinary client sees it: sources: Snowflake §8, points 6-20.

The finer rules are in test_loading_*.py, beside the code they are about.
"""

from datetime import timedelta
from typing import Any

HISTORY = (
    "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', "
    "START_TIME => DATEADD(day, -14, DATEADD(minute, 1, CURRENT_TIMESTAMP()))))"
)
OUTPUT = [
    "file",
    "status",
    "rows_parsed",
    "rows_loaded",
    "error_limit",
    "errors_seen",
    "first_error",
    "first_error_line",
    "first_error_character",
    "first_error_column_name",
]
TABLE = "RAW.SNOWPLOW.EVENTS"
PIPE = "RAW.SNOWPLOW.P"


def later(at: Any, **span: float) -> None:
    at.tenant.control("POST", "/clock", {"advance_s": timedelta(**span).total_seconds()})


def faults(at: Any, **wanted: Any) -> None:
    at.tenant.control("POST", "/faults", wanted)


def loads(at: Any) -> list[tuple[str, str]]:
    """File and status of every load the table's history shows."""
    return sorted((row["FILE_NAME"].lstrip("/"), row["STATUS"]) for row in at.sql.dicts(HISTORY))


# --- 6: two memories


def test_06_pipe_and_copy_do_not_share_what_they_remember(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    running.sql(running.COPY)
    assert running.rows() == 2  # COPY does not ask the pipe
    running.put("b.tsv")
    running.settle()
    running.sql(f"ALTER PIPE {PIPE} REFRESH")
    running.settle()
    running.sql(running.COPY)
    assert running.rows() == 4  # and REFRESH asks both


def test_06_the_pipe_forgets_after_14_days_and_the_table_after_64(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    running.put("a.tsv", ["other\tcontent"])
    running.settle()
    assert running.rows() == 1  # a name, whatever is in it
    later(running, days=14, hours=1)
    running.put("a.tsv")
    running.settle()
    assert running.rows() == 2
    running.sql(running.COPY)
    later(running, days=63)
    running.sql(running.COPY)
    assert running.rows() == 3
    later(running, days=2)
    assert running.sql(running.COPY) == [("Copy executed with 0 files processed.",)]  # uncertain: left out
    running.sql(f"{running.COPY} LOAD_UNCERTAIN_FILES = TRUE")
    assert running.rows() == 4


def test_06_truncate_clears_the_tables_memory_and_not_the_pipes(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    running.sql(f"TRUNCATE TABLE {TABLE}")
    running.sql(f"ALTER PIPE {PIPE} REFRESH")
    running.settle()
    assert running.rows() == 0
    running.sql(running.COPY)
    running.sql(f"TRUNCATE TABLE {TABLE}")
    running.sql(running.COPY)
    assert running.rows() == 1
    running.pipe(verb="CREATE OR REPLACE")
    running.sql(f"TRUNCATE TABLE {TABLE}")
    running.sql(f"ALTER PIPE {PIPE} REFRESH")
    running.settle()
    assert running.rows() == 1


# --- 7: from the bucket to the table


def test_07_a_file_goes_to_every_pipe_whose_path_it_is_under_and_to_no_other(running: Any) -> None:
    running.sql("CREATE TABLE RAW.SNOWPLOW.DEEPER (A VARCHAR, B VARCHAR)")
    running.sql(
        "CREATE PIPE RAW.SNOWPLOW.P2 AUTO_INGEST = TRUE AS "
        "COPY INTO RAW.SNOWPLOW.DEEPER FROM @RAW.SNOWPLOW.ST/deep/"
    )
    running.put("a.tsv")
    running.put("deep/b.tsv")
    running.tenant.boto3("s3").put_object(Bucket=running.tenant.bucket, Key="elsewhere/c.tsv", Body=b"x\ty\n")
    running.settle()
    assert (running.rows(), running.sql.one("SELECT COUNT(*) FROM RAW.SNOWPLOW.DEEPER")) == (2, 1)
    first, second = running.status(), running.status("RAW.SNOWPLOW.P2")
    assert first["notificationChannelName"] == second["notificationChannelName"]
    assert second["lastForwardedFilePath"] == f"{running.tenant.bucket}/{running.prefix}deep/b.tsv"
    assert {"lastReceivedMessageTimestamp", "lastForwardedMessageTimestamp"} <= first.keys()


def test_07_only_the_rules_events_prefix_and_suffix_are_announced(running: Any) -> None:
    s3, bucket = running.tenant.boto3("s3"), running.tenant.bucket
    document = s3.get_bucket_notification_configuration(Bucket=bucket)
    (rule,) = document["QueueConfigurations"]
    rule["Filter"]["Key"]["FilterRules"].append({"Name": "suffix", "Value": ".tsv"})
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    running.put("a.tsv")
    running.put("b.txt")
    running.settle()
    assert loads(running) == [("a.tsv", "Loaded")]


def test_08_what_was_announced_while_paused_waits_at_most_14_days(running: Any) -> None:
    running.sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE")
    running.put("early.tsv")
    running.settle()
    assert (running.status()["pendingFileCount"], running.rows()) == (1, 0)
    later(running, days=13)
    running.put("late.tsv")
    running.sql(f"ALTER PIPE {PIPE} REFRESH")
    running.settle()
    assert running.rows() == 0
    later(running, days=2)
    running.sql(f"SELECT SYSTEM$PIPE_FORCE_RESUME('{PIPE}', 'staleness_check_override')")
    running.settle()
    assert loads(running) == [("late.tsv", "Loaded")]


# --- 9: while the table is away


def test_09_files_announced_while_the_table_is_missing_are_lost(running: Any) -> None:
    running.sql(f"ALTER TABLE {TABLE} RENAME TO RAW.SNOWPLOW.AWAY")
    running.put("lost.tsv")
    running.settle()
    assert running.status()["executionState"] == "STOPPED_MISSING_TABLE"
    assert running.status()["pendingFileCount"] == 0
    running.sql(f"ALTER TABLE RAW.SNOWPLOW.AWAY RENAME TO {TABLE}")
    running.put("after.tsv")
    running.settle()
    assert loads(running) == [("after.tsv", "Loaded")]


# --- 10: ON_ERROR


def test_10_a_pipe_skips_the_file_a_copy_aborts_and_remembers_nothing(running: Any) -> None:
    running.put("bad.tsv", ["1\tx", "2\ty\tz"])
    running.settle()
    assert (loads(running), running.rows()) == ([("bad.tsv", "Load failed")], 0)
    running.sql("CREATE TABLE RAW.SNOWPLOW.OTHER LIKE RAW.SNOWPLOW.EVENTS")
    copy = running.COPY.replace("EVENTS", "OTHER")
    assert running.sql.errno(copy) == 100016
    history = HISTORY.replace("SNOWPLOW.EVENTS", "SNOWPLOW.OTHER")
    assert running.sql.dicts(history) == []


# --- 11: a transformation counts no fields


def test_11_a_select_fills_what_is_missing_with_null_and_drops_what_is_too_much(running: Any) -> None:
    running.sql(f"DROP PIPE {PIPE}")
    running.sql(
        f"CREATE PIPE {PIPE} AUTO_INGEST = TRUE AS COPY INTO {TABLE} (A, B) "
        "FROM (SELECT $1, $2 FROM @RAW.SNOWPLOW.ST)"
    )
    running.put("a.tsv", ["1", "2\tb\tc"])
    running.settle()
    assert running.sql(f"SELECT A, B FROM {TABLE} ORDER BY A") == [("1", None), ("2", "b")]


# --- 12: PATTERN


def test_12_a_pipes_pattern_sees_the_remainder_and_a_copys_the_whole_path(running: Any) -> None:
    running.sql("CREATE TABLE RAW.SNOWPLOW.SOME (A VARCHAR, B VARCHAR)")
    copy = "COPY INTO RAW.SNOWPLOW.SOME FROM @RAW.SNOWPLOW.ST PATTERN = 'a[.]tsv'"
    running.sql(f"CREATE PIPE RAW.SNOWPLOW.P2 AUTO_INGEST = TRUE AS {copy}")
    running.put("a.tsv")
    running.put("xa.tsv")
    running.settle()
    assert running.sql.one("SELECT COUNT(*) FROM RAW.SNOWPLOW.SOME") == 1
    running.sql("TRUNCATE TABLE RAW.SNOWPLOW.SOME")
    assert running.sql(copy) == [("Copy executed with 0 files processed.",)]
    running.sql(copy.replace("'a[.]tsv'", "'.*/a[.]tsv'"))
    assert running.sql.one("SELECT COUNT(*) FROM RAW.SNOWPLOW.SOME") == 1


# --- 13: what COPY answers


def test_13_copy_answers_ten_columns_or_one_where_there_was_nothing_to_do(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    assert running.sql.columns(running.COPY) == OUTPUT
    assert running.sql.columns(running.COPY) == ["status"]
    assert running.sql(running.COPY) == [("Copy executed with 0 files processed.",)]


# --- 14: COPY_HISTORY


def test_14_copy_history_has_21_columns_mixed_case_status_and_14_days(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    found = running.sql.dicts(HISTORY)
    assert len(found[0]) == 21
    assert (found[0]["STATUS"], found[0]["PIPE_NAME"]) == ("Loaded", "P")
    later(running, days=14)
    assert running.sql.dicts(HISTORY) == []


def test_14_the_pipe_is_hidden_without_monitor(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    running.sql.run(
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE R",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE R",
        f"GRANT SELECT ON TABLE {TABLE} TO ROLE R",
        "USE ROLE R",
    )
    (row,) = running.sql.dicts(HISTORY)
    assert (row["PIPE_CATALOG_NAME"], row["PIPE_SCHEMA_NAME"], row["PIPE_NAME"]) == (None, None, None)


def test_14_a_new_table_forgets_copies_a_new_pipe_loads_and_the_view_is_late(
    running: Any,
) -> None:
    view = "SELECT file_name FROM SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY"
    running.put("a.tsv")
    running.settle()
    running.sql(running.COPY)
    assert (len(loads(running)), running.sql(view)) == (2, [])
    running.sql(f"CREATE OR REPLACE TABLE {TABLE} (A VARCHAR, B VARCHAR)")
    assert [row["PIPE_NAME"] for row in running.sql.dicts(HISTORY)] == ["P"]
    running.pipe(verb="CREATE OR REPLACE")
    assert loads(running) == []
    later(running, days=2, hours=1)
    assert len(running.sql(view)) == 2


# --- 17, 18, 20: what differs from time to time


def test_17_a_pipe_made_anew_may_have_another_queue(running: Any) -> None:
    before = running.status()["notificationChannelName"]
    assert running.pipe(verb="CREATE OR REPLACE") == before
    faults(running, new_queue_each_time=True)
    assert running.pipe(verb="CREATE OR REPLACE") != before


def test_18_credentials_that_were_fetched_outlive_a_broken_trust(running: Any) -> None:
    faults(running, credential_cache_s=3600)
    running.put("a.tsv")
    running.settle()
    running.trust("somebody-elses")
    running.put("b.tsv")
    running.settle()
    assert running.rows() == 2
    later(running, hours=1, minutes=1)
    running.put("c.tsv")
    running.settle()
    assert running.rows() == 2
    assert ("c.tsv", "Load failed") in loads(running)


def test_20_announcements_twice_and_out_of_order_load_each_file_once(running: Any) -> None:
    faults(running, notifications={"duplicate": 1.0, "reorder": 1.0})
    for number in range(20):
        running.put(f"{number}.tsv")
    running.settle()
    assert running.rows() == 20
    assert len(loads(running)) == 20
