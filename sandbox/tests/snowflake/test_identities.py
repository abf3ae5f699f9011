"""Hidden identities and what follows from them: sources: Snowflake §8, points 1-5, 15-17, 19, 21, 22."""

import json
from typing import Any

import pytest

INTEGRATION_ROWS = [
    "ENABLED",
    "STORAGE_PROVIDER",
    "STORAGE_ALLOWED_LOCATIONS",
    "STORAGE_BLOCKED_LOCATIONS",
    "STORAGE_AWS_IAM_USER_ARN",
    "STORAGE_AWS_ROLE_ARN",
    "STORAGE_AWS_EXTERNAL_ID",
    "USE_PRIVATELINK_ENDPOINT",
    "COMMENT",
]


@pytest.fixture
def made(pipeline: Any) -> Any:
    """Integration, schema, table and stage; nothing on the AWS side."""
    pipeline.integration()
    pipeline.objects()
    return pipeline


# --- 1: errors have numbers; missing and not visible are the same


def test_01_an_error_carries_number_sqlstate_and_query_id(sql: Any) -> None:
    error = sql.error("SELECT * FROM NOWHERE.AT.ALL")
    assert (error.errno, error.sqlstate) == (2003, "02000")
    assert error.sfqid


def test_01_missing_and_not_visible_are_the_same_error(made: Any) -> None:
    made.sql.run(
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE R",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE R",
        "USE ROLE R",
    )
    hidden = made.sql.error("DESC STAGE RAW.SNOWPLOW.ST")
    missing = made.sql.error("DESC STAGE RAW.SNOWPLOW.NOT_THERE")
    assert hidden.errno == missing.errno == 2003
    assert hidden.raw_msg.replace("ST'", "X'") == missing.raw_msg.replace("NOT_THERE'", "X'")


def test_01_the_role_sees_the_object_and_may_not_use_it(made: Any) -> None:
    made.sql.run(
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE R",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE R",
        "GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE R",
        "USE ROLE R",
    )
    assert made.sql("SELECT * FROM RAW.SNOWPLOW.EVENTS") == []
    assert made.sql.errno("INSERT INTO RAW.SNOWPLOW.EVENTS VALUES ('a', 'b')") == 3001
    assert made.sql.errno("CREATE TABLE RAW.SNOWPLOW.T (A INT)") == 3001


# --- 2: DESC INTEGRATION


def test_02_desc_integration_has_four_lower_case_columns_and_joined_lists(sql: Any, tenant: Any) -> None:
    sql(
        "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' "
        "STORAGE_ALLOWED_LOCATIONS = ('s3://a/', 's3://b/c/') STORAGE_BLOCKED_LOCATIONS = ('s3://a/x/')"
    )
    assert sql.columns("DESC INTEGRATION I") == [
        "property",
        "property_type",
        "property_value",
        "property_default",
    ]
    rows = {row[0]: row for row in sql("DESC STORAGE INTEGRATION I")}
    assert list(rows) == INTEGRATION_ROWS
    assert rows["STORAGE_ALLOWED_LOCATIONS"] == (
        "STORAGE_ALLOWED_LOCATIONS",
        "List",
        "s3://a/,s3://b/c/",
        "[]",
    )
    assert rows["STORAGE_BLOCKED_LOCATIONS"][2] == "s3://a/x/"
    assert rows["STORAGE_AWS_IAM_USER_ARN"][2].startswith("arn:aws:iam::")
    locator, _, token = rows["STORAGE_AWS_EXTERNAL_ID"][2].partition("_SFCRole=")
    assert locator == sql.one("SELECT CURRENT_ACCOUNT()")
    assert token.partition("_")[0].isdigit()


def test_02_the_external_id_changes_on_replace_and_unset_and_stays_on_alter(made: Any) -> None:
    first = made.described()["STORAGE_AWS_EXTERNAL_ID"]
    made.sql("ALTER STORAGE INTEGRATION S3INT SET COMMENT = 'c'")
    assert made.described()["STORAGE_AWS_EXTERNAL_ID"] == first
    made.sql("ALTER STORAGE INTEGRATION S3INT SET STORAGE_AWS_EXTERNAL_ID = 'mine'")
    assert made.described()["STORAGE_AWS_EXTERNAL_ID"] == "mine"
    made.sql("ALTER STORAGE INTEGRATION S3INT UNSET STORAGE_AWS_EXTERNAL_ID")
    assert made.described()["STORAGE_AWS_EXTERNAL_ID"] not in (first, "mine")


def test_02_if_not_exists_reports_success_and_changes_nothing(made: Any) -> None:
    before = made.described()
    ((text,),) = made.sql(
        "CREATE STORAGE INTEGRATION IF NOT EXISTS S3INT TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        "ENABLED = FALSE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/other' "
        "STORAGE_ALLOWED_LOCATIONS = ('s3://other/')"
    )
    assert "already exists" in text
    assert made.described() == before


@pytest.mark.parametrize(
    ("clause", "errno"),
    [
        ("ENABLED = TRUE STORAGE_BLOCKED_LOCATION = ('s3://x/')", 1003),
        ("STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r'", 2029),
        ("ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'no-arn' STORAGE_ALLOWED_LOCATIONS = ('s3://x/')", 2029),
        (
            "ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' "
            "STORAGE_ALLOWED_LOCATIONS = ('http://x/')",
            1011,
        ),
    ],
)
def test_02_an_integration_is_checked_for_syntax_only(sql: Any, clause: str, errno: int) -> None:
    create = "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
    assert sql.errno(create + clause) == errno


def test_02_replace_and_if_not_exists_exclude_each_other(sql: Any) -> None:
    assert sql.errno("CREATE OR REPLACE STORAGE INTEGRATION IF NOT EXISTS I TYPE = EXTERNAL_STAGE") == 1003


# --- 3: ids, not names


def test_03_a_replaced_integration_orphans_its_stages(running: Any) -> None:
    old = running.described()["STORAGE_AWS_EXTERNAL_ID"]
    running.sql("DROP STORAGE INTEGRATION S3INT")
    running.integration()
    assert running.described()["STORAGE_AWS_EXTERNAL_ID"] != old
    assert running.sql.errno("LIST @RAW.SNOWPLOW.ST") == 3139
    assert running.sql.dicts("SHOW STAGES IN ACCOUNT")[0]["storage_integration"] is None

    running.sql("ALTER STAGE RAW.SNOWPLOW.ST SET STORAGE_INTEGRATION = S3INT")
    assert running.sql.errno("LIST @RAW.SNOWPLOW.ST") == 3167  # the trust policy has the old external id
    running.trust()
    assert running.sql("LIST @RAW.SNOWPLOW.ST") == []
    assert running.status()["executionState"] == "RUNNING"


def test_03_a_replaced_stage_stops_its_pipes(running: Any) -> None:
    running.sql(
        f"CREATE OR REPLACE STAGE RAW.SNOWPLOW.ST URL = '{running.url}' STORAGE_INTEGRATION = S3INT "
        "FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = '\\t')"
    )
    assert running.status()["executionState"] == "STOPPED_STAGE_DROPPED"


def test_03_another_url_stops_the_pipes_and_another_integration_does_not(running: Any) -> None:
    running.sql("ALTER STAGE RAW.SNOWPLOW.ST SET STORAGE_INTEGRATION = S3INT COMMENT = 'c'")
    assert running.status()["executionState"] == "RUNNING"
    running.sql(f"ALTER STAGE RAW.SNOWPLOW.ST SET URL = '{running.url}deeper/'")
    assert running.status()["executionState"] == "STOPPED_STAGE_ALTERED"
    running.sql(f"ALTER STAGE RAW.SNOWPLOW.ST SET URL = '{running.url}'")
    assert running.status()["executionState"] == "STOPPED_STAGE_ALTERED"


def test_03_a_dropped_format_stops_the_pipe_and_an_altered_one_does_not(running: Any) -> None:
    running.sql.run(
        "CREATE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV FIELD_DELIMITER = '\\t'",
        "CREATE PIPE RAW.SNOWPLOW.Q AS COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST "
        "FILE_FORMAT = (FORMAT_NAME = 'RAW.SNOWPLOW.F')",
        "ALTER FILE FORMAT RAW.SNOWPLOW.F SET SKIP_HEADER = 1",
        "CREATE OR ALTER FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV SKIP_HEADER = 2",
    )
    assert running.status("RAW.SNOWPLOW.Q")["executionState"] == "RUNNING"
    running.sql("CREATE OR REPLACE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV")
    assert running.status("RAW.SNOWPLOW.Q")["executionState"] == "STOPPED_FILE_FORMAT_DROPPED"


def test_03_a_missing_table_stops_the_pipe_until_its_name_is_back(running: Any) -> None:
    running.sql("ALTER TABLE RAW.SNOWPLOW.EVENTS RENAME TO EVENTS_OLD")
    assert running.status()["executionState"] == "STOPPED_MISSING_TABLE"
    running.sql("ALTER TABLE RAW.SNOWPLOW.EVENTS_OLD RENAME TO EVENTS")
    assert running.status()["executionState"] == "RUNNING"


# --- 4: what is validated when


def test_04_create_stage_does_not_ask_aws(made: Any) -> None:
    """No role exists, and the stage is made: only locations and privileges are checked."""
    calls = [
        each
        for each in made.tenant.requests()
        if each["cloud"] == "aws" and "AssumeRole" in each["operation"]
    ]
    assert calls == []
    assert made.sql.errno("LIST @RAW.SNOWPLOW.ST") == 3167


def test_04_create_pipe_with_auto_ingest_assumes_the_role(made: Any) -> None:
    assert made.sql.errno(f"CREATE PIPE RAW.SNOWPLOW.P AUTO_INGEST = TRUE AS {made.COPY}") == 3167
    made.sql(f"CREATE PIPE RAW.SNOWPLOW.P AUTO_INGEST = FALSE AS {made.COPY}")
    made.role()
    made.trust("wrong-external-id")
    assert made.sql.errno(f"CREATE OR REPLACE PIPE RAW.SNOWPLOW.P AUTO_INGEST = TRUE AS {made.COPY}") == 3167
    made.trust()
    assert made.pipe(verb="CREATE OR REPLACE").startswith(f"arn:aws:sqs:{made.tenant.region}:")


def test_04_unqualified_names_of_a_pipes_copy_need_a_current_schema(made: Any, session_of: Any) -> None:
    fresh = session_of()
    create = "CREATE PIPE RAW.SNOWPLOW.P AS COPY INTO {} FROM @{} FILE_FORMAT = ({})"
    own = "TYPE = CSV"
    made.sql("CREATE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV")
    for table, stage, form in (
        ("EVENTS", "RAW.SNOWPLOW.ST", own),
        ("RAW.SNOWPLOW.EVENTS", "ST", own),
        ("RAW.SNOWPLOW.EVENTS", "SNOWPLOW.ST", own),
        ("RAW.SNOWPLOW.EVENTS", "RAW.SNOWPLOW.ST", "FORMAT_NAME = F"),
    ):
        assert fresh.errno(create.format(table, stage, form)) == 90105
    fresh("CREATE PIPE RAW.SNOWPLOW.P AS COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST")
    fresh("USE SCHEMA RAW.SNOWPLOW")
    fresh("CREATE PIPE Q AS COPY INTO EVENTS FROM @ST FILE_FORMAT = (FORMAT_NAME = F)")


def test_04_a_pipe_whose_copy_does_not_compile_is_not_made(made: Any) -> None:
    assert (
        made.sql.errno("CREATE PIPE RAW.SNOWPLOW.P AS COPY INTO RAW.SNOWPLOW.NOPE FROM @RAW.SNOWPLOW.ST")
        == 2003
    )
    assert (
        made.sql.errno("CREATE PIPE RAW.SNOWPLOW.P AS COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.NOPE")
        == 2003
    )
    assert made.sql("SHOW PIPES IN ACCOUNT") == []


@pytest.mark.parametrize(
    "option", ["FORCE = TRUE", "ON_ERROR = ABORT_STATEMENT", "SIZE_LIMIT = 1", "FILES = ('a')"]
)
def test_04_options_a_pipe_may_not_have(made: Any, option: str) -> None:
    assert made.sql.errno(f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY} {option}") == 1008


def test_04_a_disabled_integration_gives_no_access(running: Any) -> None:
    running.sql("ALTER STORAGE INTEGRATION S3INT SET ENABLED = FALSE")
    assert running.sql.errno("LIST @RAW.SNOWPLOW.ST") == 3131
    create = f"CREATE STAGE RAW.SNOWPLOW.S2 URL = '{running.url}' STORAGE_INTEGRATION = S3INT"
    assert running.sql.errno(create) == 3131


# --- 5: locations


def locations(sql: Any, allowed: str, blocked: str = "") -> None:
    block = f"STORAGE_BLOCKED_LOCATIONS = ({blocked})" if blocked else ""
    sql.run(
        "CREATE DATABASE IF NOT EXISTS D",
        "CREATE OR REPLACE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        "ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' "
        f"STORAGE_ALLOWED_LOCATIONS = ({allowed}) {block}",
    )


@pytest.mark.parametrize(
    ("allowed", "blocked", "url", "passes"),
    [
        ("'s3://b/p/'", "", "s3://b/p/", True),
        ("'s3://b/p/'", "", "s3://b/p/deeper/", True),
        ("'s3://b/p/'", "", "s3://b/p1/", False),
        ("'s3://b/p'", "", "s3://b/p1/", True),
        ("'*'", "", "s3://anything/", True),
        ("'*'", "'s3://b/secret/'", "s3://b/secret/x/", False),
        ("'s3://b/'", "'s3://b/'", "s3://b/", False),
        ("'*'", "'s3://b/x/, s3://b/y/'", "s3://b/y/", True),
    ],
)
def test_05_locations_match_by_prefix_and_blocked_wins(
    sql: Any, allowed: str, blocked: str, url: str, *, passes: bool
) -> None:
    locations(sql, allowed, blocked)
    create = f"CREATE STAGE D.PUBLIC.S URL = '{url}' STORAGE_INTEGRATION = I"
    if passes:
        sql(create)
    else:
        assert sql.errno(create) == 3127


def test_05_url_and_integration_can_move_together_only(sql: Any) -> None:
    locations(sql, "'s3://a/'")
    sql.run(
        "CREATE STAGE D.PUBLIC.S URL = 's3://a/' STORAGE_INTEGRATION = I",
        "CREATE STORAGE INTEGRATION J TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://b/')",
    )
    assert sql.errno("ALTER STAGE D.PUBLIC.S SET URL = 's3://b/'") == 3127
    assert sql.errno("ALTER STAGE D.PUBLIC.S SET STORAGE_INTEGRATION = J") == 3127
    sql("ALTER STAGE D.PUBLIC.S SET URL = 's3://b/' STORAGE_INTEGRATION = J")
    assert sql.dicts("SHOW STAGES IN ACCOUNT")[0]["url"] == "s3://b/"


def test_05_credentials_beside_an_integration_are_refused(sql: Any) -> None:
    locations(sql, "'*'")
    create = (
        "CREATE STAGE D.PUBLIC.S URL = 's3://a/' STORAGE_INTEGRATION = I CREDENTIALS = (AWS_KEY_ID = 'x')"
    )
    assert "CREDENTIALS property is not allowed" in sql.error(create).raw_msg


# --- 15: PIPE_STATUS is asked with MONITOR


def test_15_pipe_status_needs_monitor_and_operate_is_not_enough(made: Any) -> None:
    made.sql.run(
        f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}",
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE R",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE R",
        "GRANT OPERATE ON PIPE RAW.SNOWPLOW.P TO ROLE R",
        "USE ROLE R",
    )
    assert made.sql.errno("SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.P')") == 3001
    assert [row["name"] for row in made.sql.dicts("SHOW PIPES IN ACCOUNT")] == ["P"]
    made.sql.run("USE ROLE ACCOUNTADMIN", "GRANT MONITOR ON PIPE RAW.SNOWPLOW.P TO ROLE R", "USE ROLE R")
    assert made.status()["executionState"] == "RUNNING"


def test_15_an_unknown_pipe_is_an_error_and_no_state(made: Any) -> None:
    assert made.sql.errno("SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.NOPE')") == 2003


# --- 16: SHOW … LIKE


def test_16_show_like_ignores_case_and_underscore_is_a_wildcard(made: Any) -> None:
    for name in ("EVENTS_PIPE", "EVENTSXPIPE", "OTHER"):
        made.sql(f"CREATE PIPE RAW.SNOWPLOW.{name} AS {made.COPY}")

    def names(clause: str) -> list[str]:
        return [row["name"] for row in made.sql.dicts(f"SHOW PIPES {clause}")]

    assert names("LIKE 'events_pipe' IN SCHEMA RAW.SNOWPLOW") == ["EVENTSXPIPE", "EVENTS_PIPE"]
    assert names("LIKE 'EVENTS\\\\_PIPE' IN ACCOUNT") == ["EVENTS_PIPE"]
    assert names("LIKE '%ER' IN DATABASE RAW") == ["OTHER"]
    assert names("STARTS WITH 'EVENTS' LIMIT 1") == ["EVENTSXPIPE"]
    assert names("LIKE 'nothing'") == []


def test_16_show_pipes_has_the_documented_columns(made: Any) -> None:
    assert made.sql.columns("SHOW PIPES IN ACCOUNT") == [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "definition",
        "owner",
        "notification_channel",
        "comment",
        "integration",
        "pattern",
        "error_integration",
        "owner_role_type",
        "invalid_reason",
        "kind",
        "is_snowflake_managed",
    ]
    made.sql(f"CREATE PIPE RAW.SNOWPLOW.P COMMENT = 'c' AS {made.COPY} PATTERN = '.*gz'")
    (row,) = made.sql.dicts("DESC PIPE RAW.SNOWPLOW.P")
    assert row["definition"] == f"{made.COPY} PATTERN = '.*gz'"
    assert (row["pattern"], row["comment"], row["kind"], row["invalid_reason"]) == (
        ".*gz",
        "c",
        "STAGE",
        None,
    )
    assert row["notification_channel"] is None
    assert row["is_snowflake_managed"] is False


def test_16_show_stages_and_integrations_have_the_documented_columns(made: Any) -> None:
    assert made.sql.columns("SHOW STAGES IN ACCOUNT") == [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "url",
        "has_credentials",
        "has_encryption_key",
        "owner",
        "comment",
        "region",
        "type",
        "cloud",
        "notification_channel",
        "storage_integration",
        "endpoint",
        "owner_role_type",
        "directory_enabled",
    ]
    assert made.sql.columns("SHOW STORAGE INTEGRATIONS") == [
        "name",
        "type",
        "category",
        "enabled",
        "comment",
        "created_on",
    ]
    assert made.sql.columns("DESC STAGE RAW.SNOWPLOW.ST") == [
        "parent_property",
        "property",
        "property_type",
        "property_value",
        "property_default",
    ]
    rows = {(row[0], row[1]): row[3] for row in made.sql("DESC STAGE RAW.SNOWPLOW.ST")}
    assert rows["STAGE_LOCATION", "URL"] == json.dumps([made.url])
    assert rows["STAGE_FILE_FORMAT", "FIELD_DELIMITER"] == "\\t"


# --- 19: grants and replacing


def test_19_grants_are_lost_on_replace_and_future_grants_come_back(made: Any) -> None:
    made.sql.run(
        "CREATE ROLE ONCE",
        "CREATE ROLE ALWAYS",
        f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}",
        "GRANT MONITOR ON PIPE RAW.SNOWPLOW.P TO ROLE ONCE",
        "GRANT MONITOR, OPERATE ON FUTURE PIPES IN SCHEMA RAW.SNOWPLOW TO ROLE ALWAYS",
        f"CREATE OR REPLACE PIPE RAW.SNOWPLOW.P AS {made.COPY}",
    )
    grants = {
        (row["privilege"], row["grantee_name"])
        for row in made.sql.dicts("SHOW GRANTS ON PIPE RAW.SNOWPLOW.P")
    }
    assert grants == {("OWNERSHIP", "ACCOUNTADMIN"), ("MONITOR", "ALWAYS"), ("OPERATE", "ALWAYS")}


def test_19_the_event_level_is_lost_on_replace(made: Any) -> None:
    def level() -> tuple[str, str]:
        (row,) = made.sql.dicts("SHOW PARAMETERS LIKE 'LOG_EVENT_LEVEL' IN PIPE RAW.SNOWPLOW.P")
        return row["value"], row["level"]

    made.sql(f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}")
    assert level() == ("OFF", "")
    made.sql("ALTER PIPE RAW.SNOWPLOW.P SET LOG_EVENT_LEVEL = 'error'")
    assert level() == ("ERROR", "PIPE")
    made.sql(f"CREATE OR REPLACE PIPE RAW.SNOWPLOW.P AS {made.COPY}")
    assert level() == ("OFF", "")


def test_19_grants_on_the_schema_beat_those_on_the_database(made: Any) -> None:
    made.sql.run(
        "CREATE ROLE A",
        "CREATE ROLE B",
        "GRANT SELECT ON FUTURE TABLES IN DATABASE RAW TO ROLE A",
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA RAW.SNOWPLOW TO ROLE B",
        "CREATE TABLE RAW.SNOWPLOW.T (A INT)",
        "CREATE TABLE RAW.PUBLIC.T (A INT)",
    )

    def readers(table: str) -> set[str]:
        rows = made.sql.dicts(f"SHOW GRANTS ON TABLE {table}")
        return {row["grantee_name"] for row in rows if row["privilege"] == "SELECT"}

    assert readers("RAW.SNOWPLOW.T") == {"B"}
    assert readers("RAW.PUBLIC.T") == {"A"}


def test_19_create_or_replace_table_loses_grants_unless_copied(made: Any) -> None:
    made.sql.run("CREATE ROLE R", "GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE R")
    made.sql("CREATE OR REPLACE TABLE RAW.SNOWPLOW.EVENTS (A INT) COPY GRANTS")
    assert len(made.sql("SHOW GRANTS ON TABLE RAW.SNOWPLOW.EVENTS")) == 2
    made.sql("CREATE OR REPLACE TABLE RAW.SNOWPLOW.EVENTS (A INT)")
    assert len(made.sql("SHOW GRANTS ON TABLE RAW.SNOWPLOW.EVENTS")) == 1


# --- 8, 22: pausing


def test_08_the_lowest_level_that_is_set_decides(made: Any) -> None:
    made.sql(f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}")

    def level() -> tuple[str, str, str]:
        (row,) = made.sql.dicts("SHOW PARAMETERS LIKE 'PIPE_EXECUTION_PAUSED' IN PIPE RAW.SNOWPLOW.P")
        return row["value"], row["level"], made.status()["executionState"]

    assert level() == ("false", "", "RUNNING")
    made.sql("ALTER ACCOUNT SET PIPE_EXECUTION_PAUSED = TRUE")
    assert level() == ("true", "ACCOUNT", "PAUSED")
    made.sql("ALTER SCHEMA RAW.SNOWPLOW SET PIPE_EXECUTION_PAUSED = FALSE")
    assert level() == ("false", "SCHEMA", "RUNNING")
    made.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE")
    assert level() == ("true", "PIPE", "PAUSED")
    made.sql("ALTER PIPE RAW.SNOWPLOW.P UNSET PIPE_EXECUTION_PAUSED")
    assert level() == ("false", "SCHEMA", "RUNNING")
    made.sql.run(
        "ALTER SCHEMA RAW.SNOWPLOW UNSET PIPE_EXECUTION_PAUSED", "ALTER ACCOUNT UNSET PIPE_EXECUTION_PAUSED"
    )
    assert level() == ("false", "", "RUNNING")


def test_08_a_paused_pipe_keeps_its_files_and_loads_them_when_resumed(running: Any) -> None:
    running.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE")
    running.put("waiting.tsv")
    running.settle()
    status = running.status()
    assert (status["executionState"], status["pendingFileCount"], running.rows()) == ("PAUSED", 1, 0)
    running.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = FALSE")
    running.settle()
    assert running.rows() == 1


def test_22_a_pipe_paused_for_more_than_14_days_resumes_only_by_force(running: Any) -> None:
    running.sql("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE")
    running.tenant.control("POST", "/clock", {"advance_s": 13 * 86400})
    running.sql.run(
        "ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = FALSE",
        "ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE",
    )
    running.tenant.control("POST", "/clock", {"advance_s": 15 * 86400})
    resume = "ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = FALSE"
    assert "stale" in running.sql.error(resume).raw_msg
    force = "SELECT SYSTEM$PIPE_FORCE_RESUME('RAW.SNOWPLOW.P'{})"
    assert "stale" in running.sql.error(force.format("")).raw_msg
    running.sql(force.format(", 'staleness_check_override'"))
    assert running.status()["executionState"] == "RUNNING"


def test_22_after_a_change_of_owner_the_pipe_resumes_only_by_force(running: Any) -> None:
    running.sql("CREATE ROLE NEW_OWNER")
    transfer = "GRANT OWNERSHIP ON PIPE RAW.SNOWPLOW.P TO ROLE NEW_OWNER"
    assert running.sql.error(transfer).raw_msg == (
        "Pipe P not in paused state. To pause pipe run ALTER PIPE P SET PIPE_EXECUTION_PAUSED=true"
    )
    running.sql.run(
        "ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE",
        transfer,
        "GRANT ROLE NEW_OWNER TO ROLE ACCOUNTADMIN",
    )
    assert (
        "ownership"
        in running.sql.error("ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = FALSE").raw_msg
    )
    running.sql("SELECT SYSTEM$PIPE_FORCE_RESUME('RAW.SNOWPLOW.P')")
    # the new owner lacks everything the pipe needs
    status = running.status()
    assert status["executionState"] == "STALLED_COMPILATION_ERROR"
    assert "does not exist or not authorized" in status["error"]


def test_22_a_revoked_privilege_of_the_owner_stalls_the_pipe(running: Any) -> None:
    running.sql.run(
        "CREATE ROLE LOADER",
        "GRANT ROLE LOADER TO ROLE ACCOUNTADMIN",
        "GRANT USAGE ON DATABASE RAW TO ROLE LOADER",
        "GRANT USAGE, CREATE PIPE ON SCHEMA RAW.SNOWPLOW TO ROLE LOADER",
        "GRANT USAGE ON STAGE RAW.SNOWPLOW.ST TO ROLE LOADER",
        "GRANT SELECT, INSERT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE LOADER",
        "USE ROLE LOADER",
        f"CREATE PIPE RAW.SNOWPLOW.OWNED AS {running.COPY}",
        "USE ROLE ACCOUNTADMIN",
    )
    assert running.status("RAW.SNOWPLOW.OWNED")["executionState"] == "RUNNING"
    running.sql("REVOKE USAGE ON STAGE RAW.SNOWPLOW.ST FROM ROLE LOADER")
    status = running.status("RAW.SNOWPLOW.OWNED")
    assert (status["executionState"], "Stage" in status["error"]) == ("STALLED_COMPILATION_ERROR", True)
    running.sql("GRANT USAGE ON STAGE RAW.SNOWPLOW.ST TO ROLE LOADER")
    assert running.status("RAW.SNOWPLOW.OWNED")["executionState"] == "RUNNING"


# --- 21: LIST


def test_21_list_gives_urls_gmt_dates_and_unquoted_etags(running: Any) -> None:
    running.put("a.tsv")
    (row,) = running.sql.dicts("LIST @RAW.SNOWPLOW.ST")
    assert list(row) == ["name", "size", "md5", "last_modified"]
    assert row["name"] == f"{running.url}a.tsv"
    assert row["size"] == 4
    assert '"' not in row["md5"]
    assert row["last_modified"].endswith(" GMT")


# --- or alter, GET_DDL, validation


def test_create_or_alter_pipe_changes_comment_and_pause_only(made: Any) -> None:
    made.sql(f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}")
    made.sql(f"CREATE OR ALTER PIPE RAW.SNOWPLOW.P PIPE_EXECUTION_PAUSED = TRUE COMMENT = 'c' AS {made.COPY}")
    assert made.status()["executionState"] == "PAUSED"
    assert made.sql.dicts("DESC PIPE RAW.SNOWPLOW.P")[0]["comment"] == "c"
    assert made.sql.errno(f"CREATE OR ALTER PIPE RAW.SNOWPLOW.P AS {made.COPY} PATTERN = 'x'") == 2


@pytest.mark.parametrize(
    ("kind", "name"),
    [("PIPE", "RAW.SNOWPLOW.P"), ("FILE_FORMAT", "RAW.SNOWPLOW.F"), ("TABLE", "RAW.SNOWPLOW.EVENTS")],
)
def test_get_ddl_makes_the_same_object_again(made: Any, kind: str, name: str) -> None:
    made.sql.run(
        f"CREATE PIPE RAW.SNOWPLOW.P AS {made.COPY}",
        "CREATE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV FIELD_DELIMITER = '\\t' ESCAPE_UNENCLOSED_FIELD = NONE",
    )
    ddl = made.sql.one(f"SELECT GET_DDL('{kind}', '{name}')")
    made.sql("USE SCHEMA RAW.SNOWPLOW")
    made.sql(ddl)
    assert made.sql.one(f"SELECT GET_DDL('{kind}', '{name}')") == ddl


def test_validate_storage_integration_reads_and_lists(running: Any) -> None:
    running.put("there.tsv")

    def validate(file: str, action: str) -> dict[str, Any]:
        call = f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('S3INT', '{running.url}', '{file}', '{action}')"
        found: dict[str, Any] = json.loads(running.sql.one(call))
        return found

    assert validate("there.tsv", "list")["status"] == "success"
    assert validate("there.tsv", "read")["status"] == "success"
    assert validate("not-there.tsv", "read")["status"] == "failure"
    assert validate("new.tsv", "all")["status"] == "failure"  # the role may only read
    assert (
        running.sql.errno("SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('s3int', 's3://x/', 'f', 'list')")
        == 2003
    )
    assert (
        running.sql.errno("SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('S3INT', 's3://x/', 'f', 'list')")
        == 3127
    )


def test_sns_policy_names_snowflakes_user(sql: Any) -> None:
    topic = "arn:aws:sns:us-west-2:111122223333:t"
    policy = json.loads(sql.one(f"SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY('{topic}')"))
    (statement,) = policy["Statement"]
    assert statement["Resource"] == [topic]
    assert statement["Principal"]["AWS"].startswith("arn:aws:iam::")
