"""Database roles: what they hold, who gets it from them, and what they cannot hold."""

import pytest
from snowpipe_sandbox.snowflake.errors import SnowflakeError


@pytest.fixture
def world(world):
    world.sql("CREATE TABLE T (A VARCHAR)")
    world.sql("CREATE ROLE R")
    world.sql("GRANT USAGE ON WAREHOUSE COMPUTE_WH TO ROLE R")
    return world


def test_privileges_come_through_a_database_role(world):
    world.sql("CREATE DATABASE ROLE D.READER COMMENT = 'reads'")
    world.sql("CREATE DATABASE ROLE IF NOT EXISTS READER")
    world.sql("CREATE DATABASE ROLE D.WRITER")
    world.sql("GRANT USAGE ON SCHEMA D.S TO DATABASE ROLE D.READER")
    world.sql("GRANT SELECT ON ALL TABLES IN SCHEMA D.S TO DATABASE ROLE READER")
    world.sql("GRANT SELECT ON FUTURE TABLES IN SCHEMA D.S TO DATABASE ROLE READER")
    world.sql("GRANT DATABASE ROLE D.READER TO DATABASE ROLE D.WRITER")
    world.sql("GRANT DATABASE ROLE D.WRITER TO ROLE R")
    session = world.login("R")
    assert world.sql("SELECT COUNT(*) FROM D.S.T", session) == [(0,)]
    world.sql("CREATE TABLE U (A INT)")
    assert world.sql("SELECT COUNT(*) FROM D.S.U", session) == [(0,)]
    world.sql("REVOKE DATABASE ROLE D.READER FROM DATABASE ROLE D.WRITER")
    with pytest.raises(SnowflakeError, match="does not exist or not authorized"):
        world.sql("SELECT COUNT(*) FROM D.S.T", session)


def test_a_pipes_owner_may_have_its_rights_through_one(world):
    world.stage()
    world.sql("CREATE DATABASE ROLE D.LOADER")
    for what in ("USAGE, CREATE PIPE ON SCHEMA D.S", "INSERT, SELECT ON TABLE T", "USAGE ON STAGE ST"):
        world.sql(f"GRANT {what} TO DATABASE ROLE D.LOADER")
    world.sql("GRANT DATABASE ROLE D.LOADER TO ROLE R")
    world.sql("GRANT USAGE ON INTEGRATION I TO ROLE R")
    session = world.login("R")
    world.sql("USE SCHEMA D.S", session)
    world.sql("CREATE PIPE P AUTO_INGEST = TRUE AS COPY INTO T FROM @ST", session)
    world.put("in/a.csv", "x\n")
    world.sql("ALTER PIPE P REFRESH", session)
    world.settle()
    assert world.sql("SELECT A FROM T") == [("x",)]
    world.sql("DROP DATABASE ROLE D.LOADER")
    assert world.status()["executionState"] == "STALLED_COMPILATION_ERROR"


def test_they_are_shown_with_what_they_hold_and_who_has_them(world):
    world.sql("CREATE DATABASE ROLE D.READER COMMENT = 'reads'")
    world.sql("GRANT SELECT ON TABLE T TO DATABASE ROLE D.READER")
    world.sql("GRANT DATABASE ROLE D.READER TO ROLE R")
    (row,) = world.dicts("SHOW DATABASE ROLES IN DATABASE D")
    assert (row["name"], row["granted_to_roles"], row["owner"], row["comment"]) == (
        "READER",
        1,
        "ACCOUNTADMIN",
        "reads",
    )
    held = world.dicts("SHOW GRANTS TO DATABASE ROLE D.READER")
    assert [(each["privilege"], each["name"], each["granted_to"], each["grantee_name"]) for each in held] == [
        ("USAGE", "D", "DATABASE_ROLE", "D.READER"),
        ("SELECT", "D.S.T", "DATABASE_ROLE", "D.READER"),
    ]
    (holder,) = world.dicts("SHOW GRANTS OF DATABASE ROLE D.READER")
    assert (holder["granted_to"], holder["grantee_name"]) == ("ROLE", "R")
    assert ("USAGE", "DATABASE_ROLE", "D.READER") in [row[1:4] for row in world.sql("SHOW GRANTS TO ROLE R")]
    assert "D.READER" not in [each["name"] for each in world.dicts("SHOW ROLES")]
    world.sql("CREATE OR REPLACE DATABASE D")
    assert world.sql("SHOW DATABASE ROLES IN DATABASE D") == []
    assert [row[1] for row in world.sql("SHOW GRANTS TO ROLE R")] == ["USAGE"]


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT USAGE ON WAREHOUSE COMPUTE_WH TO DATABASE ROLE D.READER",
        "GRANT USAGE ON DATABASE E TO DATABASE ROLE D.READER",
        "GRANT OWNERSHIP ON TABLE T TO DATABASE ROLE D.READER",
        "GRANT DATABASE ROLE D.READER TO DATABASE ROLE E.OTHER",
        "GRANT DATABASE ROLE D.READER TO USER SOMEBODY",
        "ALTER DATABASE ROLE D.READER RENAME TO D.OTHER",
        "SHOW GRANTS ON DATABASE ROLE D.READER",
    ],
)
def test_what_is_outside_of_its_database_is_refused(world, statement):
    world.sql("CREATE DATABASE ROLE D.READER")
    world.sql("CREATE DATABASE E")
    world.sql("CREATE DATABASE ROLE E.OTHER")
    world.sql("USE SCHEMA D.S")
    with pytest.raises(SnowflakeError, match="not emulated"):
        world.sql(statement)


def test_no_session_has_one_and_making_one_needs_the_privilege(world):
    world.sql("CREATE DATABASE ROLE D.READER")
    with pytest.raises(SnowflakeError):
        world.sql('USE ROLE "D.READER"')
    session = world.login("R")
    world.sql("GRANT USAGE ON DATABASE D TO ROLE R")
    with pytest.raises(SnowflakeError, match="Insufficient privileges"):
        world.sql("CREATE DATABASE ROLE D.MINE", session)
    world.sql("GRANT CREATE DATABASE ROLE ON DATABASE D TO ROLE R")
    world.sql("CREATE DATABASE ROLE D.MINE", session)
    with pytest.raises(SnowflakeError, match="circle"):
        world.sql("GRANT DATABASE ROLE D.MINE TO DATABASE ROLE D.MINE", session)
    with pytest.raises(SnowflakeError, match="Insufficient privileges"):
        world.sql("DROP DATABASE ROLE D.READER", session)
