"""Pipes: an event's way to the table, pausing, stopping, stalling, refreshing.

Source: sources: Snowflake §1.5, §2.1, §3.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import boto3
import pytest
from snowpipe_sandbox.snowflake.pipe_events import created_objects

GOOD = "1,a\n"
PIPE = "COPY INTO D.S.T FROM @D.S.ST"
SELECT = (
    "COPY INTO D.S.T FROM (SELECT $1, $2, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, "
    "CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)::TIMESTAMP_NTZ, "
    "CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())::TIMESTAMP_NTZ FROM @D.S.ST)"
)


@pytest.fixture
def world(world):
    world.sql("CREATE TABLE T (A NUMBER, B VARCHAR)")
    world.stage()
    return world


@pytest.fixture
def piped(world):
    world.pipe(PIPE)
    world.notify()
    return world


def count(world, table="T"):
    return int(world.sql(f"SELECT COUNT(*) FROM {table}")[0][0])


def queue(world):
    """Snowflake's own view of its queue, for sending what S3 would not."""
    aws = world.account.aws
    client = boto3.client(
        "sqs",
        endpoint_url=aws.endpoint_url,
        region_name=world.tenant.region,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
    )
    channel = world.account.pipes.channels.all()[0]
    return lambda body: client.send_message(QueueUrl=channel.url, MessageBody=body)


def record(world, key, event="ObjectCreated:Put"):
    return {
        "eventVersion": "2.1",
        "eventName": event,
        "eventTime": world.account.now().isoformat(),
        "s3": {"bucket": {"name": world.bucket}, "object": {"key": key, "size": 4, "eTag": "x"}},
    }


class TestAnEventsWay:
    def test_a_new_file_is_loaded_without_anybody_asking(self, piped):
        piped.put("in/a.csv", GOOD)
        piped.settle()
        assert count(piped) == 1
        (row,) = piped.history()["a.csv"]
        assert row["PIPE_RECEIVED_TIME"] <= row["LAST_LOAD_TIME"]

    def test_files_from_before_are_not_loaded(self, world):
        world.put("in/before.csv", GOOD)
        world.pipe(PIPE)
        world.notify()
        world.settle()
        assert count(world) == 0

    def test_the_queue_is_snowflakes_and_in_the_buckets_region(self, piped):
        arn = piped.status()["notificationChannelName"]
        prefix, name = arn.rsplit(":", 1)
        assert prefix == f"arn:aws:sqs:{piped.tenant.region}:{piped.account.aws.account_id}"
        assert name.startswith("sf-snowpipe-AIDA")

    def test_pipes_of_a_region_share_a_queue(self, piped):
        piped.pipe(PIPE, name="P2")
        assert piped.status("P2")["notificationChannelName"] == piped.status()["notificationChannelName"]
        piped.account.pipes.channels.new_each_time = True
        piped.pipe(PIPE, name="P3")
        assert piped.status("P3")["notificationChannelName"] != piped.status()["notificationChannelName"]

    def test_messages_twice_out_of_order_and_in_envelopes(self, piped):
        send = queue(piped)
        piped.s3.put_bucket_notification_configuration(Bucket=piped.bucket, NotificationConfiguration={})
        for n in range(12):
            piped.put(f"in/{n}.csv", GOOD)
        for n in [5, 3, 11, 5, 0, 1, 2, 4, 6, 7, 8, 9, 10, 3]:
            send(json.dumps({"Records": [record(piped, f"in/{n}.csv")]}))
        piped.put("in/sns.csv", GOOD)
        inner = json.dumps({"Records": [record(piped, "in/sns.csv")]})
        send(json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": inner}))
        for body in ("no json", "[1]", '{"Records": [{}]}', '{"Event": "s3:TestEvent"}'):
            send(body)
        send(json.dumps({"Records": [record(piped, "in/none.csv", "ObjectRemoved:Delete")]}))
        piped.settle()
        assert count(piped) == 13

    @pytest.mark.parametrize("key", ["in/a b+c&d=e%41.csv", "in/ümläut/日本.csv", "in/a//b/../c.csv"])
    def test_keys_are_decoded(self, piped, key):
        piped.put(key, GOOD)
        piped.settle()
        assert count(piped) == 1

    def test_only_what_is_under_the_path_is_forwarded(self, world):
        world.pipe("COPY INTO D.S.T FROM @D.S.ST/sub/")
        world.notify()
        world.put("in/other/a.csv", GOOD)
        world.settle()
        status = world.status()
        assert "lastReceivedMessageTimestamp" in status
        assert "lastForwardedMessageTimestamp" not in status
        world.put("in/sub/a.csv", GOOD)
        world.settle()
        assert world.status()["lastForwardedFilePath"] == f"{world.bucket}/in/sub/a.csv"
        assert world.status()["lastIngestedFilePath"] == "sub/a.csv"
        assert count(world) == 1

    def test_pattern_is_matched_against_what_is_left_of_the_path(self, world):
        world.pipe(PIPE + " PATTERN = 'a[0-9]+[.]csv'")
        world.notify()
        world.put("in/xa1.csv", GOOD)
        world.settle()
        assert "lastForwardedMessageTimestamp" in world.status()
        assert (count(world), world.history()) == (0, {})
        world.put("in/a1.csv", GOOD)
        world.settle()
        assert count(world) == 1

    def test_a_patterns_path_begins_behind_the_stage_and_not_behind_the_copys_own(self, world):
        sub = PIPE.replace("@ST", "@ST/sub/")
        world.pipe(sub + " PATTERN = 'sub/a[.]csv'")
        world.pipe(sub + " PATTERN = 'a[.]csv'", name="NOT_BEHIND_IT")
        world.notify()
        world.put("in/sub/a.csv", GOOD)
        world.settle()
        assert count(world) == 1
        later = "ALTER PIPE NOT_BEHIND_IT REFRESH"
        assert world.sql(later) == []

    def test_two_pipes_on_one_path_each_load_the_file(self, piped):
        piped.pipe(PIPE, name="P2")
        piped.put("in/a.csv", GOOD)
        piped.settle()
        assert count(piped) == 2

    @pytest.mark.parametrize(
        ("denied", "message"),
        [
            (False, "Remote file 'in/gone.csv' was not found."),
            (True, "Failed to access remote file: access denied."),
        ],
    )
    def test_a_file_gone_before_it_is_loaded_has_failed(self, piped, denied, message):
        piped.account.bucket.gone_is_denied = denied
        piped.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = TRUE")
        piped.put("in/gone.csv", GOOD)
        piped.settle()
        piped.s3.delete_object(Bucket=piped.bucket, Key="in/gone.csv")
        piped.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = FALSE")
        piped.settle()
        (row,) = piped.history()["gone.csv"]
        assert row["STATUS"] == "Load failed"
        assert row["FIRST_ERROR_MESSAGE"].startswith(message)

    def test_many_small_files_are_loaded_once_each(self, piped):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: piped.put(f"in/{n}.csv", f"{n},x\n"), range(120)))
        piped.settle()
        assert count(piped) == 120
        assert piped.sql("SELECT COUNT(DISTINCT A) FROM T") == [(120,)]

    def test_a_pipe_and_a_copy_at_once_each_load_what_they_do_not_know(self, piped):
        for n in range(30):
            piped.put(f"in/{n}.csv", GOOD)
        session = piped.login("ACCOUNTADMIN")
        session.database, session.schema = "D", "S"
        with ThreadPoolExecutor(2) as pool:
            settled = pool.submit(piped.settle)
            copied = pool.submit(piped.sql, "COPY INTO T FROM @ST", session)
            settled.result()
            copied.result()
        assert count(piped) == 60


class TestOnError:
    @pytest.mark.parametrize(
        ("option", "rows", "status"),
        [
            ("", 0, "Load failed"),
            ("ON_ERROR = SKIP_FILE", 0, "Load failed"),
            ("ON_ERROR = CONTINUE", 2, "Partially loaded"),
            ("ON_ERROR = SKIP_FILE_2", 2, "Partially loaded"),
            ("ON_ERROR = SKIP_FILE_1", 0, "Load failed"),
            ("ON_ERROR = 'SKIP_FILE_70%'", 2, "Partially loaded"),
        ],
    )
    def test_default_is_skip_file(self, world, option, rows, status):
        world.pipe(f"{PIPE} {option}")
        world.notify()
        world.put("in/a.csv", "1,a\nx,b\n3,c\n")
        world.settle()
        assert count(world) == rows
        assert world.history()["a.csv"][0]["STATUS"] == status

    @pytest.mark.parametrize(
        "option",
        [
            "FILES = ('a')",
            "FORCE = TRUE",
            "ON_ERROR = ABORT_STATEMENT",
            "PURGE = TRUE",
            "SIZE_LIMIT = 10",
            "VALIDATION_MODE = RETURN_ERRORS",
            "RETURN_FAILED_ONLY = TRUE",
            "LOAD_UNCERTAIN_FILES = TRUE",
        ],
    )
    def test_options_a_pipe_may_not_have(self, world, option):
        with pytest.raises(Exception, match=r"COPY option|ABORT_STATEMENT|not emulated"):
            world.pipe(f"{PIPE} {option}")


class TestTransformation:
    @pytest.fixture
    def selecting(self, world):
        world.sql(
            "CREATE OR REPLACE TABLE T (A VARCHAR, B VARCHAR, F VARCHAR, N NUMBER, L TIMESTAMP_NTZ, "
            "C TIMESTAMP_NTZ)"
        )
        world.pipe(SELECT)
        world.notify()
        return world

    def test_fields_are_not_counted(self, selecting):
        selecting.put("in/a.csv", "1\n2,b,c\n")
        selecting.settle()
        assert selecting.sql("SELECT A, B, F, N FROM T ORDER BY N") == [
            ("1", None, "in/a.csv", 1),
            ("2", "b", "in/a.csv", 2),
        ]

    def test_current_timestamp_is_the_time_of_compilation(self, selecting):
        selecting.put("in/a.csv", GOOD)
        selecting.settle()
        selecting.later(minutes=30)
        selecting.put("in/b.csv", GOOD)
        selecting.settle()
        rows = {f: scanned - compiled for f, scanned, compiled in selecting.sql("SELECT F, L, C FROM T")}
        assert rows["in/b.csv"] - rows["in/a.csv"] >= timedelta(minutes=29)
        now = selecting.account.now().replace(tzinfo=None)
        scanned = selecting.sql("SELECT MAX(L) FROM T")[0][0]
        assert now - timedelta(minutes=1) < scanned <= now


def test_an_announced_file_may_wait(piped):
    piped.account.pipes.latency_s = 3600
    piped.put("in/a.csv", GOOD)
    piped.settle()
    status = piped.status()
    assert (status["executionState"], status["pendingFileCount"], count(piped)) == ("RUNNING", 1, 0)
    piped.later(hours=1)
    piped.settle()
    assert (piped.status()["pendingFileCount"], count(piped)) == (0, 1)


def test_for_a_moment_a_replaced_pipes_files_go_to_the_one_before(piped):
    piped.account.pipes.replaced_pipe_s = 30
    piped.pipe(PIPE, replace=True)
    piped.put("in/a.csv", GOOD)
    piped.settle()
    assert piped.sql("ALTER PIPE P REFRESH") == [("a.csv", "SENT")]
    piped.settle()
    assert (piped.status()["pendingFileCount"], count(piped)) == (0, 0)
    piped.later(seconds=31)
    piped.sql("ALTER PIPE P REFRESH")
    piped.settle()
    assert count(piped) == 1


class TestPausing:
    def test_a_paused_pipe_keeps_its_files(self, piped):
        piped.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = TRUE")
        piped.put("in/a.csv", GOOD)
        piped.settle()
        status = piped.status()
        assert (status["executionState"], status["pendingFileCount"], count(piped)) == ("PAUSED", 1, 0)
        assert status["oldestPendingFilePath"] == f"{piped.bucket}/in/a.csv"
        assert status["oldestFileTimestamp"].endswith("Z")
        piped.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = FALSE")
        piped.settle()
        assert (piped.status()["pendingFileCount"], count(piped)) == (0, 1)

    def test_a_refresh_of_a_paused_pipe_only_queues(self, world):
        world.put("in/a.csv", GOOD)
        world.pipe(PIPE)
        world.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = TRUE")
        assert world.sql("ALTER PIPE P REFRESH") == [("a.csv", "SENT")]
        world.settle()
        assert (world.status()["pendingFileCount"], count(world)) == (1, 0)

    def test_what_waits_longer_than_14_days_is_dropped(self, piped):
        piped.sql("ALTER PIPE P SET PIPE_EXECUTION_PAUSED = TRUE")
        piped.put("in/old.csv", GOOD)
        piped.settle()
        piped.later(days=13)
        piped.put("in/young.csv", GOOD)
        piped.settle()
        piped.later(days=2)
        assert piped.status()["pendingFileCount"] == 1
        piped.sql("SELECT SYSTEM$PIPE_FORCE_RESUME('D.S.P', 'STALENESS_CHECK_OVERRIDE')")
        piped.settle()
        assert set(piped.history()) == {"young.csv"}


class TestRefresh:
    def test_prefix_and_modified_after(self, world):
        world.put("in/a/1.csv", GOOD)
        world.later(hours=1)
        since = (world.account.now() - timedelta(seconds=1)).isoformat()  # S3 lists whole seconds
        world.put("in/a/2.csv", GOOD)
        world.put("in/b/3.csv", GOOD)
        world.pipe(PIPE)
        rows = world.sql(f"ALTER PIPE P REFRESH PREFIX = 'a/' MODIFIED_AFTER = '{since}'")
        assert rows == [("a/2.csv", "SENT")]
        world.settle()
        assert count(world) == 1

    def test_nothing_older_than_seven_days_even_when_asked(self, world):
        world.put("in/old.csv", GOOD)
        since = world.account.now() - timedelta(hours=1)
        world.later(days=7, hours=1)
        world.put("in/new.csv", GOOD)
        world.pipe(PIPE)
        rows = world.sql(f"ALTER PIPE P REFRESH MODIFIED_AFTER = '{since.isoformat()}'")
        assert rows == [("new.csv", "SENT")]

    def test_pattern_holds_there_too(self, world):
        world.put("in/a.csv", GOOD)
        world.put("in/a.txt", GOOD)
        world.pipe(PIPE + " PATTERN = '.*[.]csv'", auto_ingest=False)
        assert world.sql("ALTER PIPE P REFRESH") == [("a.csv", "SENT")]
        world.settle()
        assert count(world) == 1

    def test_a_second_refresh_sends_nothing(self, world):
        world.put("in/a.csv", GOOD)
        world.pipe(PIPE)
        world.sql("ALTER PIPE P REFRESH")
        assert world.sql("ALTER PIPE P REFRESH") == []


class TestStopping:
    def lost(self, world, state):
        """The pipe is in a stopped state, and events that come now are lost."""
        assert world.status()["executionState"] == state
        world.put("in/lost.csv", GOOD)
        world.settle()
        assert world.status()["pendingFileCount"] == 0

    def test_stage_replaced(self, piped):
        piped.sql("DROP STAGE ST")
        piped.stage()
        self.lost(piped, "STOPPED_STAGE_DROPPED")

    def test_stage_moved(self, piped):
        piped.sql(f"ALTER STAGE ST SET URL = 's3://{piped.bucket}/elsewhere/'")
        self.lost(piped, "STOPPED_STAGE_ALTERED")

    def test_format_dropped(self, world):
        world.sql("CREATE FILE FORMAT FF TYPE = CSV")
        world.pipe(PIPE + " FILE_FORMAT = (FORMAT_NAME = 'D.S.FF')")
        world.notify()
        world.sql("DROP FILE FORMAT FF")
        self.lost(world, "STOPPED_FILE_FORMAT_DROPPED")

    def test_missing_table_resumes_by_itself(self, piped):
        piped.sql("ALTER TABLE T RENAME TO T2")
        self.lost(piped, "STOPPED_MISSING_TABLE")
        piped.sql("ALTER TABLE T2 RENAME TO T")
        piped.put("in/after.csv", GOOD)
        piped.settle()
        assert set(piped.history()) == {"after.csv"}
        assert piped.status()["executionState"] == "RUNNING"

    def test_a_pipe_that_is_gone_has_no_status(self, piped):
        piped.sql("DROP PIPE P")
        with pytest.raises(Exception, match="does not exist or not authorized"):
            piped.status()


class TestStalling:
    def test_a_renamed_stage_stops_its_pipe(self, world):
        """What it is called then is not documented: https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage."""
        world.pipe("COPY INTO D.S.T FROM @D.S.ST")
        world.notify()
        world.sql("ALTER STAGE ST RENAME TO ST2")
        world.put("in/a.csv", GOOD)
        world.settle()
        assert world.status()["executionState"] != "RUNNING"
        assert count(world) == 0

    def test_a_dropped_column_stalls_until_it_is_back(self, world):
        world.pipe("COPY INTO D.S.T (A, B) FROM (SELECT $1, $2 FROM @D.S.ST)")
        world.notify()
        world.sql("ALTER TABLE T DROP COLUMN B")
        world.put("in/a.csv", GOOD)
        world.settle()
        status = world.status()
        assert status["executionState"] == "STALLED_COMPILATION_ERROR"
        assert "invalid identifier 'B'" in status["error"]
        assert (status["pendingFileCount"], count(world)) == (1, 0)
        world.sql("ALTER TABLE T ADD COLUMN B VARCHAR")
        world.settle()
        assert (world.status()["executionState"], count(world)) == ("RUNNING", 1)

    def test_a_lost_privilege_stalls_until_it_is_back(self, world):
        world.sql("CREATE ROLE LOADER")
        world.sql("GRANT USAGE ON DATABASE D TO ROLE LOADER")
        world.sql("GRANT USAGE, CREATE PIPE ON SCHEMA D.S TO ROLE LOADER")
        world.sql("GRANT USAGE ON STAGE ST TO ROLE LOADER")
        world.sql("GRANT SELECT, INSERT ON TABLE T TO ROLE LOADER")
        world.sql("GRANT ROLE LOADER TO ROLE ACCOUNTADMIN")
        loader = world.login("LOADER")
        loader.database, loader.schema = "D", "S"
        world.sql(f"CREATE PIPE P AUTO_INGEST = TRUE AS {PIPE}", loader)
        world.notify()
        world.sql("REVOKE INSERT ON TABLE T FROM ROLE LOADER")
        world.put("in/a.csv", GOOD)
        world.settle()
        status = world.status()
        assert status["executionState"] == "STALLED_COMPILATION_ERROR"
        assert "Insufficient privileges" in status["error"]
        world.sql("GRANT INSERT ON TABLE T TO ROLE LOADER")
        world.settle()
        assert count(world) == 1

    def test_broken_trust_fails_the_files_and_asking_rechecks(self, piped):
        piped.trust("somebody-else")
        piped.put("in/failed.csv", GOOD)
        piped.settle()
        status = piped.status()
        assert status["executionState"] == "STALLED_STAGE_PERMISSION_ERROR"
        assert "Error assuming AWS_ROLE" in status["error"]
        assert piped.history()["failed.csv"][0]["STATUS"] == "Load failed"
        piped.trust()
        assert piped.status()["executionState"] == "RUNNING"
        piped.put("in/later.csv", GOOD)
        piped.settle()
        assert count(piped) == 1  # what failed is not tried again
        assert piped.sql("ALTER PIPE P REFRESH") == []

    def test_a_replaced_integration_orphans_the_stage(self, piped):
        piped.sql(
            "CREATE OR REPLACE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
            f"ENABLED = TRUE STORAGE_AWS_ROLE_ARN = '{piped.role_arn}' "
            f"STORAGE_ALLOWED_LOCATIONS = ('s3://{piped.bucket}/')"
        )
        piped.put("in/a.csv", GOOD)
        piped.settle()
        assert "cannot be found" in piped.status()["error"]
        assert piped.history()["a.csv"][0]["STATUS"] == "Load failed"
        piped.trust()
        piped.sql("ALTER STAGE ST SET STORAGE_INTEGRATION = I")
        assert piped.status()["executionState"] == "RUNNING"

    def test_creating_an_auto_ingest_pipe_assumes_the_role(self, world):
        world.trust("somebody-else")
        world.pipe(PIPE, name="QUIET", auto_ingest=False)
        with pytest.raises(Exception, match="Error assuming AWS_ROLE") as refused:
            world.pipe(PIPE)
        assert refused.value.errno == 3167

    def test_denied_objects_look_missing(self, piped):
        piped.permit(without=["s3:GetObject"])
        piped.put("in/a.csv", GOOD)
        piped.settle()
        assert "was not found" in piped.history()["a.csv"][0]["FIRST_ERROR_MESSAGE"]

    def test_cached_credentials_outlive_a_broken_trust(self, piped):
        piped.account.bucket.credential_cache_s = 3600
        piped.put("in/a.csv", GOOD)
        piped.settle()
        piped.trust("somebody-else")
        piped.put("in/b.csv", GOOD)
        piped.settle()
        assert count(piped) == 2
        piped.later(hours=1, minutes=1)
        piped.put("in/c.csv", GOOD)
        piped.settle()
        assert count(piped) == 2


def test_a_pipe_that_received_nothing_has_a_short_status(world):
    world.pipe(PIPE, auto_ingest=False)
    assert world.status() == {
        "executionState": "RUNNING",
        "pendingFileCount": 0,
        "pendingHistoryRefreshJobsCount": 0,
    }


def test_settling_says_so_when_time_is_over(piped):
    piped.account.pipes.channels.outstanding = lambda _channel: 1
    assert piped.account.settle(0.05) is False


def test_records_that_are_no_events_say_nothing(world):
    now = world.account.now()
    assert list(created_objects('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}]}', now)) == []
    wrong_version = {"eventName": "ObjectCreated:Put", "eventVersion": "3.0"}
    assert list(created_objects(json.dumps({"Records": [wrong_version]}), now)) == []
