"""Roles, grants and what they allow: sources: Snowflake §4."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def as_role(pipeline: Any) -> Callable[..., Any]:
    """A session under a fresh role that holds what is given, over an untouched stream."""
    pipeline.role()
    pipeline.integration()
    pipeline.trust()
    pipeline.objects()
    pipeline.sql.run(
        f"CREATE PIPE RAW.SNOWPLOW.P AS {pipeline.COPY}",
        "CREATE FILE FORMAT RAW.SNOWPLOW.F TYPE = CSV",
        "CREATE ROLE R",
        "GRANT ROLE R TO USER SANDBOX"
        if pipeline.tenant.described["snowflake"]["user"] == "SANDBOX"
        else f'GRANT ROLE R TO USER "{pipeline.tenant.described["snowflake"]["user"].upper()}"',
    )

    def make(*grants: str) -> Any:
        for grant in grants:
            pipeline.sql(f"GRANT {grant} TO ROLE R")
        return type(pipeline.sql)(pipeline.tenant.connect(role="R"))

    return make


PIPE = "PIPE RAW.SNOWPLOW.P"
EVENT_LEVEL = "ALTER PIPE RAW.SNOWPLOW.P SET LOG_EVENT_LEVEL = INFO"
PAUSE = "ALTER PIPE RAW.SNOWPLOW.P SET PIPE_EXECUTION_PAUSED = TRUE"
HERE = ("USAGE ON DATABASE RAW", "USAGE ON SCHEMA RAW.SNOWPLOW")
STAGE = "USAGE ON STAGE RAW.SNOWPLOW.ST"
INTEGRATION = "USAGE ON INTEGRATION S3INT"
TABLE = "SELECT, INSERT ON TABLE RAW.SNOWPLOW.EVENTS"
COPY = "COPY INTO RAW.SNOWPLOW.EVENTS FROM @RAW.SNOWPLOW.ST"


@pytest.mark.parametrize(
    ("grants", "statement", "errno"),
    [
        # sources: Snowflake §4.1, row by row: what is missing, and the error it gives
        ((), "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE", 3001),
        ((), "CREATE DATABASE D", 3001),
        ((), "CREATE ROLE X", 3001),
        ((), "DESC INTEGRATION S3INT", 2003),
        ((), "USE DATABASE RAW", 2043),
        (HERE[:1], "USE SCHEMA RAW.SNOWPLOW", 2043),
        (HERE[:1], "CREATE SCHEMA RAW.X", 3001),
        (HERE, "CREATE STAGE RAW.SNOWPLOW.S URL = 's3://x/' STORAGE_INTEGRATION = S3INT", 3001),
        (
            (*HERE, "CREATE STAGE ON SCHEMA RAW.SNOWPLOW"),
            "CREATE STAGE RAW.SNOWPLOW.S URL = 's3://x/' STORAGE_INTEGRATION = S3INT",
            2003,
        ),
        (HERE, "CREATE FILE FORMAT RAW.SNOWPLOW.X TYPE = CSV", 3001),
        (HERE, "CREATE TABLE RAW.SNOWPLOW.X (A INT)", 3001),
        (HERE, f"CREATE PIPE RAW.SNOWPLOW.X AS {COPY}", 3001),
        ((*HERE, "CREATE PIPE ON SCHEMA RAW.SNOWPLOW", STAGE), f"CREATE PIPE RAW.SNOWPLOW.X AS {COPY}", 2003),
        ((*HERE, "CREATE PIPE ON SCHEMA RAW.SNOWPLOW", TABLE), f"CREATE PIPE RAW.SNOWPLOW.X AS {COPY}", 2003),
        (
            (*HERE, "CREATE PIPE ON SCHEMA RAW.SNOWPLOW", STAGE, "INSERT ON TABLE RAW.SNOWPLOW.EVENTS"),
            f"CREATE PIPE RAW.SNOWPLOW.X AS {COPY}",
            3001,
        ),
        (HERE, "LIST @RAW.SNOWPLOW.ST", 2003),
        (HERE, COPY, 2003),
        ((*HERE, STAGE, "SELECT ON TABLE RAW.SNOWPLOW.EVENTS"), COPY, 3001),
        (HERE, "DESC PIPE RAW.SNOWPLOW.P", 2003),
        ((*HERE, "MONITOR ON " + PIPE), PAUSE, 3001),
        ((*HERE, "MONITOR ON " + PIPE), "ALTER PIPE RAW.SNOWPLOW.P REFRESH", 3001),
        ((*HERE, "OPERATE ON " + PIPE), "ALTER PIPE RAW.SNOWPLOW.P SET COMMENT = 'x'", 3001),
        ((*HERE, "OPERATE ON " + PIPE), "ALTER PIPE RAW.SNOWPLOW.P UNSET PIPE_EXECUTION_PAUSED", 3001),
        ((*HERE, "OPERATE ON " + PIPE), "DROP PIPE RAW.SNOWPLOW.P", 3001),
        ((*HERE, "OPERATE ON " + PIPE), EVENT_LEVEL, 3001),
        ((*HERE, "MODIFY LOG EVENT LEVEL ON ACCOUNT", "MONITOR ON " + PIPE), EVENT_LEVEL, 3001),
        ((*HERE, "OPERATE ON " + PIPE, STAGE), "ALTER PIPE RAW.SNOWPLOW.P REFRESH", 3001),
        ((*HERE, "MONITOR ON " + PIPE), "SELECT SYSTEM$PIPE_FORCE_RESUME('RAW.SNOWPLOW.P')", 3001),
        ((*HERE, TABLE), "DELETE FROM RAW.SNOWPLOW.EVENTS", 3001),
        ((*HERE, TABLE), "UPDATE RAW.SNOWPLOW.EVENTS SET A = 'x'", 3001),
        ((*HERE, TABLE), "TRUNCATE TABLE RAW.SNOWPLOW.EVENTS", 3001),
        ((*HERE, TABLE), "DROP TABLE RAW.SNOWPLOW.EVENTS", 3001),
        ((*HERE, TABLE), "ALTER TABLE RAW.SNOWPLOW.EVENTS ADD COLUMN X INT", 3001),
        ((*HERE, "INSERT ON TABLE RAW.SNOWPLOW.EVENTS"), "SELECT * FROM RAW.SNOWPLOW.EVENTS", 3001),
        ((*HERE, TABLE), "INSERT OVERWRITE INTO RAW.SNOWPLOW.EVENTS SELECT 'a', 'b'", 3001),
        (
            (*HERE, TABLE),
            "MERGE INTO RAW.SNOWPLOW.EVENTS E USING (SELECT 1 A) S ON E.A = S.A WHEN MATCHED THEN DELETE",
            3001,
        ),
        ((INTEGRATION,), "ALTER STORAGE INTEGRATION S3INT SET ENABLED = FALSE", 3001),
        ((INTEGRATION,), "DROP INTEGRATION S3INT", 3001),
        (HERE, "ALTER SCHEMA RAW.SNOWPLOW SET PIPE_EXECUTION_PAUSED = TRUE", 3001),
        ((), "ALTER ACCOUNT SET PIPE_EXECUTION_PAUSED = TRUE", 3001),
        (HERE, "GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE PUBLIC", 2003),
        ((*HERE, TABLE), "GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE PUBLIC", 3001),
        ((*HERE, TABLE), "GRANT OWNERSHIP ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE R", 3001),
        ((), "GRANT ROLE SYSADMIN TO ROLE R", 3001),
        ((), "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY", 2003),
        ((), "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY())", 2003),
        (HERE, "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY())", 3001),
        (
            HERE,
            "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', "
            "START_TIME => CURRENT_TIMESTAMP()))",
            2003,
        ),
    ],
)
def test_what_a_role_without_the_privilege_gets(
    as_role: Any, grants: tuple[str, ...], statement: str, errno: int
) -> None:
    assert as_role(*grants).errno(statement) == errno


@pytest.mark.parametrize(
    ("grants", "statement"),
    [
        (
            ("CREATE STORAGE INTEGRATION ON ACCOUNT",),
            "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE "
            "STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::111122223333:role/r' "
            "STORAGE_ALLOWED_LOCATIONS = ('*')",
        ),
        ((INTEGRATION,), "DESC INTEGRATION S3INT"),
        ((*HERE, STAGE), "LIST @RAW.SNOWPLOW.ST"),  # the stage's owner holds USAGE on the integration
        ((*HERE, STAGE, "INSERT ON TABLE RAW.SNOWPLOW.EVENTS"), COPY),
        (
            (*HERE, STAGE, TABLE, "CREATE PIPE ON SCHEMA RAW.SNOWPLOW"),
            f"CREATE PIPE RAW.SNOWPLOW.X AS {COPY}",
        ),
        ((*HERE, STAGE, TABLE, "OPERATE ON " + PIPE), "ALTER PIPE RAW.SNOWPLOW.P REFRESH"),
        ((*HERE, "OPERATE ON " + PIPE), PAUSE),
        ((*HERE, "OPERATE ON " + PIPE), PAUSE.replace("TRUE", "FALSE")),
        ((*HERE, "OPERATE ON " + PIPE, "MODIFY LOG EVENT LEVEL ON ACCOUNT"), EVENT_LEVEL),
        ((*HERE, "MONITOR ON " + PIPE), "SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.P')"),
        ((*HERE, "MONITOR EXECUTION ON ACCOUNT"), "SELECT SYSTEM$PIPE_STATUS('RAW.SNOWPLOW.P')"),
        ((*HERE, "ALL ON " + PIPE), "DESC PIPE RAW.SNOWPLOW.P"),
        (
            (*HERE, "MODIFY ON SCHEMA RAW.SNOWPLOW"),
            "ALTER SCHEMA RAW.SNOWPLOW SET PIPE_EXECUTION_PAUSED = TRUE",
        ),
        (
            (*HERE, "MONITOR USAGE ON ACCOUNT"),
            "SELECT * FROM TABLE(RAW.INFORMATION_SCHEMA.PIPE_USAGE_HISTORY())",
        ),
        ((*HERE, "DELETE ON TABLE RAW.SNOWPLOW.EVENTS"), "DELETE FROM RAW.SNOWPLOW.EVENTS"),
        (
            ("IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE",),
            "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.PIPES",
        ),
        (
            ("DATABASE ROLE SNOWFLAKE.USAGE_VIEWER",),
            "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.COPY_HISTORY",
        ),
        (("DATABASE ROLE SNOWFLAKE.OBJECT_VIEWER",), "SELECT COUNT(*) FROM SNOWFLAKE.ACCOUNT_USAGE.PIPES"),
        (("ROLE SYSADMIN",), "CREATE DATABASE D"),
    ],
)
def test_what_a_role_with_the_privilege_may_do(as_role: Any, grants: tuple[str, ...], statement: str) -> None:
    as_role(*grants)(statement)


@pytest.mark.parametrize("clause", ["", "IF NOT EXISTS "])
def test_what_is_there_and_the_role_holds_nothing_on_is_not_made_and_not_passed_over(
    as_role: Any, clause: str
) -> None:
    creating = ("CREATE TABLE", "CREATE STAGE", "CREATE PIPE", "CREATE FILE FORMAT")
    role = as_role(
        "CREATE DATABASE ON ACCOUNT",
        "CREATE STORAGE INTEGRATION ON ACCOUNT",
        "USAGE, CREATE SCHEMA ON DATABASE RAW",
        f"USAGE, {', '.join(creating)} ON SCHEMA RAW.SNOWPLOW",
    )
    for statement in (
        f"CREATE STORAGE INTEGRATION {clause}S3INT TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        "ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/x' "
        "STORAGE_ALLOWED_LOCATIONS = ('s3://b/')",
        f"CREATE TABLE {clause}RAW.SNOWPLOW.EVENTS (A VARCHAR)",
        f"CREATE FILE FORMAT {clause}RAW.SNOWPLOW.F TYPE = CSV",
        f"CREATE STAGE {clause}RAW.SNOWPLOW.ST URL = 's3://b/' STORAGE_INTEGRATION = S3INT",
        f"CREATE PIPE {clause}RAW.SNOWPLOW.P AS {COPY}",
    ):
        refused = role.error(statement)
        assert (refused.errno, refused.sqlstate) == (3041, "42710")
        assert "already exists, but current role has no privileges on it" in refused.msg


def test_a_database_nothing_is_held_on_is_not_passed_over(as_role: Any) -> None:
    role = as_role("CREATE DATABASE ON ACCOUNT")
    assert role.errno("CREATE DATABASE IF NOT EXISTS RAW") == 3041
    assert role.errno("CREATE DATABASE RAW") == 3041


def test_usage_on_the_integration_counts_with_the_user_or_the_stages_owner(
    as_role: Any, pipeline: Any
) -> None:
    session = as_role(*HERE, STAGE)
    session("LIST @RAW.SNOWPLOW.ST")
    pipeline.sql.run(
        "CREATE ROLE OWNER", "GRANT OWNERSHIP ON STAGE RAW.SNOWPLOW.ST TO ROLE OWNER COPY CURRENT GRANTS"
    )
    assert session.errno("LIST @RAW.SNOWPLOW.ST") == 2003
    pipeline.sql("GRANT USAGE ON INTEGRATION S3INT TO ROLE R")
    session("LIST @RAW.SNOWPLOW.ST")


def test_accountadmin_does_not_see_what_no_role_below_it_owns(as_role: Any, pipeline: Any) -> None:
    session = as_role("CREATE DATABASE ON ACCOUNT")
    session("CREATE DATABASE PRIVATE")
    assert pipeline.sql.errno("USE DATABASE PRIVATE") == 2043
    assert "PRIVATE" not in {row["name"] for row in pipeline.sql.dicts("SHOW DATABASES")}
    pipeline.sql("GRANT ROLE R TO ROLE SYSADMIN")
    pipeline.sql("USE DATABASE PRIVATE")


def test_show_lists_only_what_the_role_may_see(as_role: Any) -> None:
    session = as_role(*HERE, "SELECT ON TABLE RAW.SNOWPLOW.EVENTS")
    for kind, expected in (("TABLES", ["EVENTS"]), ("PIPES", []), ("STAGES", []), ("FILE FORMATS", [])):
        assert [row["name"] for row in session.dicts(f"SHOW {kind} IN ACCOUNT")] == expected
    assert session.dicts("SHOW INTEGRATIONS") == []
    assert [row["name"] for row in session.dicts("SHOW SCHEMAS IN DATABASE RAW")] == [
        "INFORMATION_SCHEMA",
        "SNOWPLOW",
    ]


def test_the_pipe_columns_of_copy_history_are_hidden_without_monitor(running: Any) -> None:
    running.put("a.tsv")
    running.settle()
    running.sql.run(
        "CREATE ROLE R",
        "GRANT ROLE R TO ROLE ACCOUNTADMIN",
        *(f"GRANT {grant} TO ROLE R" for grant in (*HERE, "SELECT ON TABLE RAW.SNOWPLOW.EVENTS")),
    )
    query = (
        "SELECT STATUS, PIPE_NAME FROM TABLE(RAW.INFORMATION_SCHEMA.COPY_HISTORY("
        "TABLE_NAME => 'RAW.SNOWPLOW.EVENTS', START_TIME => DATEADD(hour, -1, CURRENT_TIMESTAMP())))"
    )
    assert running.sql(query) == [("Loaded", "P")]
    running.sql("USE ROLE R")
    assert running.sql(query) == [("Loaded", None)]
    running.sql.run("USE ROLE ACCOUNTADMIN", "GRANT MONITOR ON PIPE RAW.SNOWPLOW.P TO ROLE R", "USE ROLE R")
    assert running.sql(query) == [("Loaded", "P")]


def test_show_grants_in_its_forms(as_role: Any, pipeline: Any) -> None:
    as_role(*HERE, "MONITOR, OPERATE ON " + PIPE, "SELECT ON FUTURE TABLES IN SCHEMA RAW.SNOWPLOW")
    sql = pipeline.sql
    assert sql.columns("SHOW GRANTS ON " + PIPE) == [
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by_role_type",
        "granted_by",
    ]
    on = [
        (row["privilege"], row["grantee_name"], row["grant_option"])
        for row in sql.dicts("SHOW GRANTS ON " + PIPE)
    ]
    assert on == [("MONITOR", "R", "false"), ("OPERATE", "R", "false"), ("OWNERSHIP", "ACCOUNTADMIN", "true")]
    to = {(row["privilege"], row["granted_on"], row["name"]) for row in sql.dicts("SHOW GRANTS TO ROLE R")}
    assert to == {
        ("USAGE", "DATABASE", "RAW"),
        ("USAGE", "SCHEMA", "RAW.SNOWPLOW"),
        ("MONITOR", "PIPE", "RAW.SNOWPLOW.P"),
        ("OPERATE", "PIPE", "RAW.SNOWPLOW.P"),
    }
    assert "granted_by_role_type" not in sql.columns("SHOW GRANTS TO ROLE R")
    assert [row["grantee_name"] for row in sql.dicts("SHOW GRANTS OF ROLE SECURITYADMIN")] == ["ACCOUNTADMIN"]
    future = sql.dicts("SHOW FUTURE GRANTS IN SCHEMA RAW.SNOWPLOW")
    assert [(row["privilege"], row["grant_on"], row["name"]) for row in future] == [
        ("SELECT", "TABLE", "RAW.SNOWPLOW.<TABLE>")
    ]


def test_grants_can_be_given_on_with_the_option(as_role: Any, pipeline: Any) -> None:
    session = as_role(*HERE)
    pipeline.sql("GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE R WITH GRANT OPTION")
    session("GRANT SELECT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE PUBLIC")
    assert session.errno("GRANT SELECT, INSERT ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE PUBLIC") == 3011


def test_ownership_moves_with_or_without_the_grants(as_role: Any, pipeline: Any) -> None:
    as_role(*HERE, "SELECT ON TABLE RAW.SNOWPLOW.EVENTS")
    sql = pipeline.sql
    sql("CREATE ROLE NEXT")
    move = "GRANT OWNERSHIP ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE NEXT"
    assert sql.errno(move) == 3082
    sql(f"{move} COPY CURRENT GRANTS")
    assert [(row[1], row[5]) for row in sql("SHOW GRANTS ON TABLE RAW.SNOWPLOW.EVENTS")] == [
        ("OWNERSHIP", "NEXT"),
        ("SELECT", "R"),
    ]
    sql("GRANT OWNERSHIP ON TABLE RAW.SNOWPLOW.EVENTS TO ROLE R REVOKE CURRENT GRANTS")
    assert [(row[1], row[5]) for row in sql("SHOW GRANTS ON TABLE RAW.SNOWPLOW.EVENTS")] == [
        ("OWNERSHIP", "R")
    ]


def test_a_dropped_role_leaves_what_it_owned_to_who_dropped_it(as_role: Any, pipeline: Any) -> None:
    session = as_role(*HERE, "CREATE TABLE ON SCHEMA RAW.SNOWPLOW")
    session("CREATE TABLE RAW.SNOWPLOW.MINE (A INT)")
    pipeline.sql("DROP ROLE R")
    assert pipeline.sql.dicts("SHOW TABLES LIKE 'MINE' IN ACCOUNT")[0]["owner"] == "ACCOUNTADMIN"


def test_a_role_that_was_not_given_to_the_user_cannot_be_used(sql: Any) -> None:
    sql("CREATE ROLE LONELY")
    assert sql.errno("USE ROLE LONELY") == 3013
    assert sql.errno("USE ROLE NOT_THERE") == 2043
    sql.run("GRANT ROLE LONELY TO ROLE SYSADMIN", "USE ROLE LONELY")
    assert sql.one("SELECT CURRENT_ROLE()") == "LONELY"
    assert sql.errno("GRANT ROLE SYSADMIN TO ROLE LONELY") == 3001


def test_roles_cannot_be_granted_in_a_circle(sql: Any) -> None:
    sql.run("CREATE ROLE A", "CREATE ROLE B", "GRANT ROLE A TO ROLE B")
    assert sql.errno("GRANT ROLE B TO ROLE A") == 3007
