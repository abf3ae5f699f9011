# ruff: noqa: E501 - a table of statements, one a line
"""What stands beside a pipe and is only there, and what is read as of now: made as public set-ups make it."""

import pytest
from loading_rig import World
from snowpipe_sandbox.snowflake.errors import SnowflakeError


@pytest.fixture
def world(sandbox):
    made = World(sandbox.tenants)
    for statement in (
        "CREATE WAREHOUSE COMPUTE_WH",
        "CREATE DATABASE D",
        "CREATE SCHEMA D.S",
        "CREATE TABLE D.S.T (A INT, B VARCHAR)",
        "INSERT INTO D.S.T VALUES (1, 'x'), (2, 'y')",
    ):
        made.sql(statement)
    made.sql("USE SCHEMA D.S")
    yield made
    sandbox.tenants.delete(made.name)


def refused(world, statement):
    with pytest.raises(SnowflakeError) as caught:
        world.sql(statement)
    return caught.value


MADE = (
    (
        "CREATE OR REPLACE PROCEDURE merge_it() RETURNS STRING NOT NULL LANGUAGE JAVASCRIPT AS $$ return 'x'; $$",
        "SHOW PROCEDURES LIKE 'MERGE_IT'",
        {"name": "MERGE_IT", "arguments": "MERGE_IT() RETURN VARCHAR", "min_num_arguments": 0},
        ("GRANT USAGE ON PROCEDURE merge_it() TO ROLE SYSADMIN", "DROP PROCEDURE merge_it()"),
        ("CALL merge_it()",),
    ),
    (
        "CREATE PROCEDURE load(p DATE, n NUMBER(10, 2) DEFAULT 0.5) COPY GRANTS RETURNS TABLE (D DATE) LANGUAGE SQL "
        "EXECUTE AS CALLER AS BEGIN RETURN 'x'; END",
        "SHOW PROCEDURES IN SCHEMA D.S",
        {"arguments": "LOAD(DATE, NUMBER) RETURN TABLE (D DATE)", "is_table_function": "Y"},
        ("DROP PROCEDURE IF EXISTS load(DATE, NUMBER)",),
        (),
    ),
    (
        "CREATE SECURE FUNCTION bucket_of(a NUMBER) RETURNS STRING LANGUAGE SQL AS 'IFF(a > 1, ''b'', ''s'')'",
        "SHOW USER FUNCTIONS",
        {"name": "BUCKET_OF", "arguments": "BUCKET_OF(NUMBER) RETURN VARCHAR"},
        ("GRANT USAGE ON ALL FUNCTIONS IN SCHEMA D.S TO ROLE SYSADMIN", "DROP FUNCTION bucket_of(INT)"),
        ("SELECT bucket_of(1)",),
    ),
    (
        "CREATE OR REPLACE MASKING POLICY hide AS (v STRING) RETURNS STRING -> CASE WHEN CURRENT_ROLE() = 'A' THEN v END",
        "SHOW MASKING POLICIES",
        {"name": "HIDE", "kind": "MASKING_POLICY", "owner": "ACCOUNTADMIN"},
        ("GRANT APPLY ON MASKING POLICY hide TO ROLE SYSADMIN", "DROP MASKING POLICY hide"),
        ("ALTER TABLE T MODIFY COLUMN B SET MASKING POLICY hide",),
    ),
    (
        "CREATE ROW ACCESS POLICY some AS (b VARCHAR) RETURNS BOOLEAN -> b = 'x'",
        "SHOW ROW ACCESS POLICIES IN SCHEMA D.S",
        {"name": "SOME", "kind": "ROW_ACCESS_POLICY"},
        ("DROP ROW ACCESS POLICY some",),
        ("ALTER TABLE T ADD ROW ACCESS POLICY some ON (B)",),
    ),
    (
        "CREATE ALERT late WAREHOUSE = COMPUTE_WH SCHEDULE = '15 MINUTE' IF (EXISTS (SELECT 1)) THEN "
        "CALL SYSTEM$SEND_EMAIL('n', 'a@b.c', 's', 't')",
        "SHOW ALERTS",
        {"name": "LATE", "state": "suspended", "schedule": "15 MINUTE", "condition": "(EXISTS (SELECT 1))"},
        ("ALTER ALERT late RESUME", "DROP ALERT late"),
        (),
    ),
    (
        "CREATE RESOURCE MONITOR budget WITH CREDIT_QUOTA = 20 FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY "
        "TRIGGERS ON 50 PERCENT DO NOTIFY ON 75 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND",
        "SHOW RESOURCE MONITORS LIKE 'BUDGET'",
        {"credit_quota": "20", "notify_at": "50%,75%", "suspend_at": "100%", "frequency": "MONTHLY"},
        ("ALTER WAREHOUSE COMPUTE_WH SET RESOURCE_MONITOR = budget", "DROP RESOURCE MONITOR budget"),
        (),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("statement", "show", "shown", "later", "acting"), MADE, ids=[m[1] for m in MADE])
def test_each_is_made_shown_granted_on_and_dropped_and_does_not_act(
    world, statement, show, shown, later, acting
):
    world.sql(statement)
    (row,) = world.dicts(show)
    assert {name: row[name] for name in shown} == shown
    for each in acting:
        assert "not emulated" in refused(world, each).message
    for each in later:
        world.sql(each)
    assert world.sql(show) == []


def test_a_schema_takes_them_with_it_and_a_role_needs_the_privilege_to_make_them(world):
    world.sql("CREATE ROLE R")
    world.sql("GRANT USAGE ON DATABASE D TO ROLE R")
    world.sql("GRANT USAGE ON SCHEMA D.S TO ROLE R")
    made = "CREATE PROCEDURE D.S.P() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'"
    session = world.login("R")
    with pytest.raises(SnowflakeError, match="Insufficient privileges"):
        world.sql(made, session)
    world.sql("GRANT CREATE PROCEDURE ON SCHEMA D.S TO ROLE R")
    world.sql(made, session)
    world.sql("DROP SCHEMA D.S")
    world.sql("CREATE SCHEMA D.S")
    assert world.sql("SHOW PROCEDURES IN SCHEMA D.S") == []


def test_tags_are_checked_where_they_are_set_and_change_nothing(world):
    world.sql("CREATE TAG cost ALLOWED_VALUES 'a', 'b' COMMENT = 'who pays'")
    assert world.dicts("SHOW TAGS")[0]["allowed_values"] == '["a","b"]'
    world.sql(
        "CREATE TABLE U (A INT WITH TAG (cost = 'a'), B VARCHAR TAG (D.S.COST = 'b')) WITH TAG (cost = 'b')"
    )
    for statement in (
        "ALTER TABLE U SET TAG cost = 'a'",
        "ALTER TABLE IF EXISTS U MODIFY COLUMN A SET TAG cost = 'b'",
        "ALTER WAREHOUSE COMPUTE_WH SET TAG cost = 'a'",
        "ALTER TABLE U UNSET TAG cost",
    ):
        world.sql(statement)
    assert refused(world, "ALTER TABLE U SET TAG cost = 'z'").errno == 1008
    assert refused(world, "ALTER TABLE U SET TAG nobody = 'a'").errno == 2003
    assert [row[0] for row in world.sql("DESC TABLE U")] == ["A", "B"]


def test_a_dynamic_table_and_a_materialized_view_are_read_as_of_now(world):
    world.sql(
        "CREATE OR REPLACE DYNAMIC TABLE counted TARGET_LAG = '1 minute' WAREHOUSE = COMPUTE_WH REFRESH_MODE = "
        "INCREMENTAL INITIALIZE = ON_CREATE AS SELECT A, COUNT(*) AS N FROM T GROUP BY A"
    )
    world.sql("CREATE MATERIALIZED VIEW m AS SELECT A FROM T WHERE B = 'x'")
    world.sql("INSERT INTO T VALUES (1, 'x')")
    assert world.sql("SELECT A, N FROM counted ORDER BY A") == [(1, 2), (2, 1)]
    assert world.sql("SELECT COUNT(*) FROM m") == [(2,)]
    (row,) = world.dicts("SHOW DYNAMIC TABLES")
    assert (row["target_lag"], row["refresh_mode"], row["scheduling_state"]) == (
        "1 minute",
        "INCREMENTAL",
        "ACTIVE",
    )
    assert {each["name"]: each["is_dynamic"] for each in world.dicts("SHOW TABLES")} == {
        "COUNTED": "Y",
        "T": "N",
    }
    assert world.dicts("SHOW VIEWS")[0]["is_materialized"] == "true"
    world.sql("ALTER DYNAMIC TABLE counted SUSPEND")
    assert "not emulated" in refused(world, "INSERT INTO counted VALUES (1, 1)").message
    assert refused(world, "CREATE DYNAMIC TABLE x WAREHOUSE = COMPUTE_WH AS SELECT 1 AS A").errno == 2029
    joined = "CREATE MATERIALIZED VIEW y AS SELECT T.A FROM T JOIN T U ON T.A = U.A"
    assert "not emulated" in refused(world, joined).message
    for statement in ("DROP DYNAMIC TABLE counted", "DROP MATERIALIZED VIEW m"):
        world.sql(statement)


def test_a_view_over_a_stream_is_there_and_cannot_be_asked(world):
    world.sql("CREATE STREAM changes ON TABLE T")
    world.sql(
        "CREATE VIEW v AS SELECT c.A, METADATA$ACTION AS action FROM changes c JOIN T ON T.A = c.A "
        "WHERE c.METADATA$ISUPDATE = FALSE"
    )
    assert [row[0] for row in world.sql("DESC VIEW v")] == ["A", "ACTION"]
    assert "reading a stream, through a view" in refused(world, "SELECT * FROM v").message


def test_a_task_takes_parameters_of_its_session(world):
    world.sql(
        "CREATE TASK g WAREHOUSE = COMPUTE_WH SCHEDULE = '1 minute' ERROR_ON_NONDETERMINISTIC_MERGE = FALSE "
        "TIMEZONE = 'UTC' AS CALL merge_it()"
    )
    assert world.dicts("SHOW TASKS")[0]["definition"] == "CALL merge_it()"


def test_what_unloads_to_a_bare_url_is_refused_by_name(world):
    assert "COPY INTO <location>" in refused(world, "COPY INTO s3://b/out/ FROM T").message
