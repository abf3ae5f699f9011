"""What is loaded again and what is not: sources: Snowflake §3.1-3.3, every cell of the table in §3.2.

Four files, one for each column of the table, meet one action, also when 7, 14 and 64 days have passed.
"""

from datetime import timedelta

import pytest

GOOD, BAD, OTHER = "1,a\n", "1,a\nx,b\n", "2,b\n"
BY_PIPE, BY_COPY, FAILED, NEW = "by_pipe.csv", "by_copy.csv", "failed.csv", "new.csv"
EACH = (BY_PIPE, BY_COPY, FAILED, NEW)

PIPE = "COPY INTO D.S.T FROM @D.S.ST"
LENIENT = PIPE + " ON_ERROR = CONTINUE"


def prepare(world):
    """Table, pipe, and the four files as the table's columns say; the new one is not announced."""
    world.sql("CREATE TABLE T (A NUMBER, B VARCHAR)")
    world.stage()
    world.put(f"in/{BY_COPY}", GOOD)
    world.sql("COPY INTO T FROM @ST")
    world.pipe(PIPE)
    world.notify("in/")
    world.put(f"in/{BY_PIPE}", GOOD)
    world.put(f"in/{FAILED}", BAD)
    world.settle()
    world.s3.put_bucket_notification_configuration(Bucket=world.bucket, NotificationConfiguration={})
    world.put(f"in/{NEW}", GOOD)


def event(world, again=True):
    """Each file is announced (again), its content as before."""
    world.notify("in/")
    for file in EACH:
        world.put(f"in/{file}", BAD if file == FAILED else GOOD)
    world.settle()


def event_of_new_content(world):
    world.notify("in/")
    for file in EACH[:3]:
        world.put(f"in/{file}", OTHER)
    world.settle()


def refresh(world):
    world.sql("ALTER PIPE P REFRESH")
    world.settle()


def copy(world):
    world.sql("COPY INTO T FROM @ST ON_ERROR = CONTINUE")


def copy_uncertain(world):
    world.sql("COPY INTO T FROM @ST ON_ERROR = CONTINUE LOAD_UNCERTAIN_FILES = TRUE")


def copy_of_new_content(world):
    for file in EACH[:3]:
        world.put(f"in/{file}", OTHER)
    copy(world)


def copy_force(world):
    world.sql("COPY INTO T FROM @ST ON_ERROR = CONTINUE FORCE = TRUE")


def second_pipe(world):
    world.pipe(LENIENT, name="P2")
    world.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = TRUE")
    event(world)


def replaced_pipe_refresh(world):
    world.pipe(LENIENT, replace=True)
    refresh(world)


def truncated_copy(world):
    world.sql("TRUNCATE TABLE T")
    copy(world)


def truncated_refresh(world):
    world.sql("TRUNCATE TABLE T")
    refresh(world)


def truncated_event(world):
    world.sql("TRUNCATE TABLE T")
    event(world)


def replaced_table_copy(world):
    world.sql("CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR)")
    copy(world)


def replaced_table_refresh(world):
    world.sql("CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR)")
    refresh(world)


Y, N = "loaded", "skipped"

TABLE = {
    # action: what becomes of (loaded by pipe, loaded by COPY, failed in pipe, new), after so many days
    event: {0: (N, Y, N, Y), 7: (N, Y, N, Y), 14: (Y, Y, N, Y), 64: (Y, Y, N, Y)},
    event_of_new_content: {0: (N, Y, N, None), 7: (N, Y, N, None), 14: (Y, Y, Y, None), 64: (Y, Y, Y, None)},
    refresh: {0: (N, N, N, Y), 7: (N, N, N, N), 14: (N, N, N, N), 64: (N, N, N, N)},
    copy: {0: (Y, N, Y, Y), 7: (Y, N, Y, Y), 14: (Y, N, Y, Y), 64: (N, N, N, N)},
    copy_uncertain: {0: (Y, N, Y, Y), 7: (Y, N, Y, Y), 14: (Y, N, Y, Y), 64: (Y, Y, Y, Y)},
    copy_of_new_content: {0: (Y, Y, Y, Y), 7: (Y, Y, Y, Y), 14: (Y, Y, Y, Y), 64: (Y, Y, Y, N)},
    copy_force: {0: (Y, Y, Y, Y), 7: (Y, Y, Y, Y), 14: (Y, Y, Y, Y), 64: (Y, Y, Y, Y)},
    second_pipe: {0: (Y, Y, Y, Y), 7: (Y, Y, Y, Y), 14: (Y, Y, Y, Y), 64: (Y, Y, Y, Y)},
    replaced_pipe_refresh: {0: (Y, N, Y, Y), 7: (N, N, N, N), 14: (N, N, N, N), 64: (N, N, N, N)},
    truncated_copy: {0: (Y, Y, Y, Y), 7: (Y, Y, Y, Y), 14: (Y, Y, Y, Y), 64: (Y, Y, Y, Y)},
    truncated_refresh: {0: (N, Y, N, Y), 7: (N, N, N, N), 14: (N, N, N, N), 64: (N, N, N, N)},
    truncated_event: {0: (N, Y, N, Y), 7: (N, Y, N, Y), 14: (Y, Y, N, Y), 64: (Y, Y, N, Y)},
    replaced_table_copy: {0: (Y, Y, Y, Y), 7: (Y, Y, Y, Y), 14: (Y, Y, Y, Y), 64: (Y, Y, Y, Y)},
    replaced_table_refresh: {0: (N, Y, N, Y), 7: (N, N, N, N), 14: (N, N, N, N), 64: (N, N, N, N)},
}
CELLS = [(action, days, want) for action, by_days in TABLE.items() for days, want in by_days.items()]


@pytest.mark.parametrize(("action", "days", "want"), CELLS, ids=[f"{c[0].__name__}-{c[1]}" for c in CELLS])
def test_truth_table(world, action, days, want):
    prepare(world)
    world.later(days=days)
    before = loads(world)
    action(world)
    after = loads(world)
    found = tuple(
        (Y if after.get(file, 0) > before.get(file, 0) else N) if expected else None
        for file, expected in zip(EACH, want, strict=True)
    )
    assert found == want
    assert all(after.get(file, 0) - before.get(file, 0) <= 1 for file in EACH)
    rows = world.sql("SELECT COUNT(*) FROM T")[0][0]
    truncated = "truncated" in action.__name__ or "replaced_table" in action.__name__
    assert rows == sum(after.values()) - (sum(before.values()) if truncated else 0)


def loads(world):
    """How often each file was loaded, wholly or partly, whatever was truncated or replaced since."""
    found = {}
    for attempt in world.account.history.attempts():
        if attempt.status in ("Loaded", "Partially loaded"):
            name = attempt.file_path.rpartition("/")[2]
            found[name] = found.get(name, 0) + 1
    return found


def test_a_failed_file_is_tried_again_after_14_days(world):
    prepare(world)
    world.later(days=14)
    event(world)
    assert [row["STATUS"] for row in world.history()[FAILED]] == ["Load failed"]
    tried = [each for each in world.account.history.attempts() if each.file_path.endswith(FAILED)]
    assert [each.status for each in tried] == ["Load failed", "Load failed"]


def test_an_old_file_loads_into_a_young_table(world):
    world.sql("CREATE TABLE OLD (A NUMBER, B VARCHAR)")
    world.stage()
    world.put("in/old.csv", GOOD)
    world.sql("COPY INTO OLD FROM @ST")
    world.later(days=100)
    world.sql("CREATE TABLE YOUNG (A NUMBER, B VARCHAR)")
    assert world.copy("COPY INTO YOUNG FROM @ST")["old.csv"]["status"] == "LOADED"
    assert world.copy("COPY INTO OLD FROM @ST") == "Copy executed with 0 files processed."


def test_a_file_loaded_in_a_transaction_that_is_undone_was_never_loaded(world):
    world.sql("CREATE TABLE T (A NUMBER, B VARCHAR)")
    world.stage()
    world.put("in/a.csv", GOOD)
    world.sql("BEGIN")
    assert world.copy("COPY INTO T FROM @ST")["a.csv"]["status"] == "LOADED"
    world.sql("ROLLBACK")
    assert world.sql("SELECT COUNT(*) FROM T") == [(0,)]
    assert world.history() == {}
    assert world.copy("COPY INTO T FROM @ST")["a.csv"]["status"] == "LOADED"


def test_or_it_was_for_no_page_says_which(world):
    world.sql("CREATE TABLE T (A NUMBER, B VARCHAR)")
    world.stage()
    world.put("in/a.csv", GOOD)
    world.account.history.rollback_keeps_copies = True
    world.sql("BEGIN")
    world.sql("COPY INTO T FROM @ST")
    world.sql("ROLLBACK")
    assert world.history() == {}
    assert world.copy("COPY INTO T FROM @ST") == "Copy executed with 0 files processed."
    assert world.copy("COPY INTO T FROM @ST FORCE = TRUE")["a.csv"]["status"] == "LOADED"


class TestHistories:
    def test_copy_history_has_its_21_columns(self, world):
        prepare(world)
        rows = world.history()
        (row,) = rows[BY_PIPE]
        assert list(row) == [
            "FILE_NAME",
            "STAGE_LOCATION",
            "LAST_LOAD_TIME",
            "ROW_COUNT",
            "ROW_PARSED",
            "FILE_SIZE",
            "FIRST_ERROR_MESSAGE",
            "FIRST_ERROR_LINE_NUMBER",
            "FIRST_ERROR_CHARACTER_POS",
            "FIRST_ERROR_COLUMN_NAME",
            "ERROR_COUNT",
            "ERROR_LIMIT",
            "STATUS",
            "TABLE_CATALOG_NAME",
            "TABLE_SCHEMA_NAME",
            "TABLE_NAME",
            "PIPE_CATALOG_NAME",
            "PIPE_SCHEMA_NAME",
            "PIPE_NAME",
            "PIPE_RECEIVED_TIME",
            "BYTES_BILLED",
        ]
        assert (row["STATUS"], row["PIPE_NAME"], row["ROW_COUNT"], row["BYTES_BILLED"]) == (
            "Loaded",
            "P",
            1,
            len(GOOD),
        )
        assert rows[BY_COPY][0]["PIPE_NAME"] is None
        (failed,) = rows[FAILED]
        assert (failed["STATUS"], failed["FIRST_ERROR_MESSAGE"]) == (
            "Load failed",
            "Numeric value 'x' is not recognized",
        )
        assert (failed["FIRST_ERROR_LINE_NUMBER"], failed["FIRST_ERROR_CHARACTER_POS"]) == (2, 1)

    def test_the_slash_between_location_and_name_moves(self, world):
        prepare(world)
        rows = world.history()
        for file in (BY_PIPE, BY_COPY):
            (row,) = rows[file]
            assert row["STAGE_LOCATION"] + row["FILE_NAME"] == f"s3://{world.bucket}/in/{file}"
        assert rows[BY_PIPE][0]["FILE_NAME"].startswith("/")
        assert rows[BY_COPY][0]["STAGE_LOCATION"].endswith("/")

    def test_the_function_forgets_and_the_view_does_not(self, world):
        prepare(world)
        world.later(hours=3)
        everything = {BY_PIPE, BY_COPY, FAILED}
        assert set(world.history()) == everything
        world.sql("CREATE OR REPLACE TABLE T (A NUMBER, B VARCHAR)")
        assert set(world.history()) == {BY_PIPE, FAILED}
        world.pipe(PIPE, replace=True)
        assert set(world.history()) == set()
        assert set(world.history(view=True)) == everything

    def test_before_the_behavior_change_truncate_hides_only_what_copy_loaded(self, world):
        """https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_04/bcr-2305"""
        prepare(world)
        world.account.history.truncate_keeps_pipe_loads = True
        world.sql("TRUNCATE TABLE T")
        assert set(world.history()) == {BY_PIPE, FAILED}

    def test_truncate_hides_what_was_before(self, world):
        prepare(world)
        world.sql("TRUNCATE TABLE T")
        assert world.history() == {}
        copy(world)
        assert NEW in world.history()

    def test_the_function_looks_back_14_days(self, world):
        prepare(world)
        world.later(days=14, hours=1)
        assert world.history() == {}
        assert set(world.history(view=True)) == {BY_PIPE, BY_COPY, FAILED}
        world.later(days=352)
        assert world.history(view=True) == {}

    def test_the_view_is_two_hours_late(self, world):
        prepare(world)
        assert world.history(view=True) == {}
        world.later(hours=2)
        (row,) = world.history(view=True)[BY_PIPE]
        assert len(row) == 25
        assert row["FIRST_COMMIT_TIME"] is not None

    def test_load_history_knows_copy_only(self, world):
        prepare(world)
        rows = world.dicts("SELECT * FROM D.INFORMATION_SCHEMA.LOAD_HISTORY")
        assert [(row["FILE_NAME"], row["STATUS"]) for row in rows] == [
            (f"s3://{world.bucket}/in/{BY_COPY}", "LOADED")
        ]

    def test_pipe_usage_history(self, world):
        prepare(world)
        (row,) = world.dicts("SELECT * FROM TABLE(D.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY())")
        assert (row["PIPE_NAME"], row["FILES_INSERTED"], row["BYTES_INSERTED"]) == (None, 1, len(GOOD))
        assert row["END_TIME"] - row["START_TIME"] <= timedelta(minutes=5)
        days = (
            "DATE_RANGE_START => DATEADD('day', -14, CURRENT_DATE()), "
            "DATE_RANGE_END => DATEADD('day', 1, CURRENT_DATE())"
        )
        (row,) = world.dicts(
            f"SELECT * FROM TABLE(D.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY({days}, PIPE_NAME => 'D.S.P'))"
        )
        assert (row["PIPE_NAME"], row["FILES_INSERTED"]) == ("D.S.P", 1)
        assert row["END_TIME"] - row["START_TIME"] == timedelta(days=1)
        with pytest.raises(Exception, match="more than 15 days ago"):
            world.sql(
                "SELECT * FROM TABLE(D.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY("
                "DATE_RANGE_START => DATEADD('day', -16, CURRENT_DATE())))"
            )

    def test_validate_pipe_load_names_rejected_records(self, world):
        prepare(world)
        call = (
            "SELECT * FROM TABLE(D.INFORMATION_SCHEMA.VALIDATE_PIPE_LOAD(PIPE_NAME => 'D.S.P', "
            "START_TIME => DATEADD(hour, -1, CURRENT_TIMESTAMP())))"
        )
        (row,) = world.dicts(call)
        assert world.dicts(call.replace("D.INFORMATION_SCHEMA.", "")) == [row]
        assert (row["ERROR"], row["FILE"], row["LINE"], row["CODE"], row["REJECTED_RECORD"]) == (
            "Numeric value 'x' is not recognized",
            f"in/{FAILED}",
            2,
            100038,
            "x,b",
        )
        world.pipe("COPY INTO D.S.T FROM (SELECT $1, $2 FROM @D.S.ST)", replace=True)
        with pytest.raises(Exception, match="transforms data"):
            world.sql(call)


def test_a_copy_skips_what_another_one_has_marked_and_does_not_wait(world):
    """https://docs.snowflake.com/en/user-guide/data-load-considerations-load; [copy]."""
    world.sql("CREATE TABLE T (A NUMBER, B VARCHAR)")
    world.stage()
    world.put("in/a.csv", GOOD)
    other = world.login("ACCOUNTADMIN")
    other.database, other.schema = "D", "S"
    world.sql("BEGIN")
    assert world.copy("COPY INTO T FROM @ST")["a.csv"]["status"] == "LOADED"
    assert (
        world.copy("COPY INTO T FROM @ST FILES = ('a.csv')", other) == "Copy executed with 0 files processed."
    )
    world.sql("ROLLBACK")
    assert world.copy("COPY INTO T FROM @ST", other)["a.csv"]["status"] == "LOADED"
    assert world.sql("SELECT COUNT(*) FROM T") == [(1,)]
