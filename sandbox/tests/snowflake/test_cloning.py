"""Clones: the rows, none of the load history, and pipes that wait to be resumed into the wrong table.

Sources: https://docs.snowflake.com/en/user-guide/object-clone,
https://docs.snowflake.com/en/sql-reference/sql/create-clone, Snowflake §2.1 (STOPPED_CLONED), §5.2 row 34.
"""

from typing import Any

import pytest

CLONE = "CREATE SCHEMA RAW.COPY CLONE RAW.SNOWPLOW"
FORCE = "SELECT SYSTEM$PIPE_FORCE_RESUME('RAW.COPY.P')"


def rows_of(at: Any, schema: str) -> int:
    return int(at.sql.one(f"SELECT COUNT(*) FROM RAW.{schema}.EVENTS"))


def test_a_cloned_table_has_the_rows_and_forgets_what_was_loaded(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    for clone in ("SCHEMA RAW.COPY CLONE RAW.SNOWPLOW", "TABLE RAW.COPY.ALONE CLONE RAW.SNOWPLOW.EVENTS"):
        running.sql(f"CREATE {clone}")
    running.sql("INSERT INTO RAW.SNOWPLOW.EVENTS VALUES ('later', '')")
    assert (rows_of(running, "COPY"), running.sql.one("SELECT COUNT(*) FROM RAW.COPY.ALONE")) == (1, 1)
    for table in ("RAW.COPY.EVENTS", "RAW.COPY.ALONE"):
        running.sql(f"COPY INTO {table} FROM @RAW.COPY.ST")
        assert running.sql.one(f"SELECT COUNT(*) FROM {table}") == 2
    assert running.rows() == 2


@pytest.mark.parametrize("resume", [FORCE, "ALTER PIPE RAW.COPY.P SET PIPE_EXECUTION_PAUSED = FALSE"])
def test_a_cloned_pipe_is_stopped_and_gets_no_notifications_until_it_is_resumed(
    running: Any, resume: str
) -> None:
    running.sql(CLONE)
    assert running.status("RAW.COPY.P")["executionState"] == "STOPPED_CLONED"
    with pytest.raises(Exception, match="cannot be paused"):
        running.sql("ALTER PIPE RAW.COPY.P SET PIPE_EXECUTION_PAUSED = TRUE")
    assert running.status("RAW.COPY.P")["executionState"] == "STOPPED_CLONED"
    running.put("before.tsv")
    running.settle()
    assert (running.rows(), rows_of(running, "COPY")) == (1, 0)
    running.sql(resume)
    assert running.status("RAW.COPY.P")["executionState"] == "RUNNING"
    running.settle()
    assert running.rows() == 1  # what it was not told of is not queued either


def test_resumed_it_loads_into_the_source_where_its_copy_names_the_table_in_full(running: Any) -> None:
    running.sql.run(CLONE, FORCE)
    running.put("a.tsv")
    running.settle()
    assert (running.rows(), rows_of(running, "COPY")) == (2, 0)


def test_resumed_it_loads_into_the_clone_where_its_copy_does_not(running: Any) -> None:
    running.sql.run(
        "CREATE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV FIELD_DELIMITER = '\\t'",
        "DROP PIPE RAW.SNOWPLOW.P",
        "CREATE PIPE RAW.SNOWPLOW.P AUTO_INGEST = TRUE AS "
        "COPY INTO EVENTS FROM @ST FILE_FORMAT = (FORMAT_NAME = F)",
        CLONE,
        FORCE,
        "DROP STAGE RAW.SNOWPLOW.ST",
        "DROP FILE FORMAT RAW.SNOWPLOW.F",
    )
    assert running.status()["executionState"] == "STOPPED_STAGE_DROPPED"
    running.put("a.tsv")
    running.settle()
    assert (running.rows(), rows_of(running, "COPY")) == (0, 1)


def test_a_cloned_pipe_without_auto_ingest_is_paused(running: Any) -> None:
    running.sql.run(f"CREATE PIPE RAW.SNOWPLOW.BY_HAND AS {running.COPY}", CLONE)
    assert running.status("RAW.COPY.BY_HAND")["executionState"] == "PAUSED"
    assert running.status("RAW.SNOWPLOW.BY_HAND")["executionState"] == "RUNNING"


def test_children_keep_their_grants_the_schema_has_none_and_pipes_belong_to_the_one_who_clones(
    running: Any,
) -> None:
    running.sql.run(
        "CREATE ROLE READER",
        "GRANT ROLE READER TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE READER",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE READER",
        "GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE READER",
        "CREATE ROLE CLONER",
        "GRANT ROLE CLONER TO ROLE ACCOUNTADMIN",
        "GRANT USAGE, CREATE SCHEMA ON DATABASE RAW TO ROLE CLONER",
        "USE ROLE CLONER",
    )
    assert running.sql.errno(CLONE) == 2003  # it may not see the source
    running.sql.run(
        "USE ROLE ACCOUNTADMIN", "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE CLONER", "USE ROLE CLONER", CLONE
    )
    owners = {row["name"]: row["owner"] for row in running.sql.dicts("SHOW PIPES IN SCHEMA RAW.COPY")}
    assert owners == {"P": "CLONER"}
    running.sql("USE ROLE READER")
    assert running.sql.errno("SELECT * FROM RAW.COPY.EVENTS") == 2003
    running.sql.run("USE ROLE CLONER", "GRANT USAGE ON SCHEMA RAW.COPY TO ROLE READER", "USE ROLE READER")
    assert running.sql("SELECT * FROM RAW.COPY.EVENTS") == []


def test_a_cloned_stage_has_no_directory_table_that_works(running: Any) -> None:
    running.sql.run("ALTER STAGE RAW.SNOWPLOW.ST SET DIRECTORY = (ENABLE = TRUE)", CLONE)
    running.sql("ALTER STAGE RAW.SNOWPLOW.ST REFRESH")
    running.sql.error("ALTER STAGE RAW.COPY.ST REFRESH")


@pytest.mark.parametrize(
    "statement",
    [
        f"{CLONE} AT (OFFSET => -60)",
        "CREATE OR REPLACE SCHEMA RAW.SNOWPLOW CLONE RAW.SNOWPLOW",
        "CREATE TABLE RAW.SNOWPLOW.T CLONE RAW.SNOWPLOW.EVENTS BEFORE (OFFSET => -60)",
        "CREATE TABLE RAW.SNOWPLOW.T COPY GRANTS CLONE RAW.SNOWPLOW.EVENTS",
    ],
)
def test_clones_of_another_time_are_refused(running: Any, statement: str) -> None:
    assert "not emulated" in running.sql.error(statement).msg
    assert [row[1] for row in running.sql("SHOW SCHEMAS LIKE 'COPY' IN DATABASE RAW")] == []


def test_a_schema_with_a_view_is_refused_as_a_whole(running: Any) -> None:
    running.sql("CREATE VIEW RAW.SNOWPLOW.V AS SELECT A FROM RAW.SNOWPLOW.EVENTS")
    assert "not emulated" in running.sql.error(CLONE).msg
