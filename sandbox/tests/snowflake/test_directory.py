"""Directory tables: they show what the last refresh saw, to whom the stage may be used by."""

from typing import Any

import pytest

STAGE = (
    "RAW.SNOWPLOW.D URL = 's3://{bucket}/enriched/' STORAGE_INTEGRATION = S3INT "
    "DIRECTORY = (ENABLE = TRUE{more})"
)
REFRESH = "ALTER STAGE RAW.SNOWPLOW.D REFRESH"
PATHS = "SELECT RELATIVE_PATH FROM DIRECTORY(@RAW.SNOWPLOW.D) ORDER BY 1"


@pytest.fixture
def staged(running: Any) -> Any:
    """A stage with a directory table over one file, which was refreshed when it was made."""
    running.put("a/1.gz")
    running.sql("CREATE STAGE " + STAGE.format(bucket=running.tenant.bucket, more=""))
    return running


def remove(pipeline: Any, name: str) -> None:
    pipeline.tenant.boto3("s3").delete_object(Bucket=pipeline.tenant.bucket, Key=pipeline.prefix + name)


def test_a_row_has_the_documented_columns_and_what_s3_says(staged: Any) -> None:
    (row,) = staged.sql.dicts("SELECT * FROM DIRECTORY(@RAW.SNOWPLOW.D)")
    s3 = staged.tenant.boto3("s3").head_object(Bucket=staged.tenant.bucket, Key="enriched/a/1.gz")

    assert list(row) == ["RELATIVE_PATH", "SIZE", "LAST_MODIFIED", "MD5", "ETAG", "FILE_URL"]
    assert (row["RELATIVE_PATH"], row["SIZE"]) == ("a/1.gz", s3["ContentLength"])
    assert row["LAST_MODIFIED"] == s3["LastModified"]
    assert row["ETAG"] == s3["ETag"].strip('"')
    assert row["FILE_URL"].endswith("/api/files/RAW.SNOWPLOW.D/a/1.gz")


def test_it_shows_what_the_last_refresh_saw_and_a_refresh_tells_what_is_new(staged: Any) -> None:
    staged.put("a/2.gz")
    staged.put("a/1.gz", ["other\tcontent"])
    assert staged.sql(PATHS) == [("a/1.gz",)]

    told = staged.sql(REFRESH)
    assert sorted(row[:2] for row in told) == [
        ("a/1.gz", "REGISTERED_UPDATE"),
        ("a/2.gz", "REGISTERED_NEW"),
    ]
    assert staged.sql(PATHS) == [("a/1.gz",), ("a/2.gz",)]

    remove(staged, "a/1.gz")
    assert staged.sql(PATHS) == [("a/1.gz",), ("a/2.gz",)]
    assert [row[:2] for row in staged.sql(REFRESH)] == [("a/1.gz", "UNREGISTERED")]
    assert staged.sql(PATHS) == [("a/2.gz",)]


def test_a_subpath_refreshes_only_what_lies_under_it(staged: Any) -> None:
    staged.put("b/1.gz")
    staged.put("c/1.gz")
    remove(staged, "a/1.gz")
    staged.sql(REFRESH + " SUBPATH = 'b/'")
    assert staged.sql(PATHS) == [("a/1.gz",), ("b/1.gz",)]


@pytest.mark.parametrize("more", [" REFRESH_ON_CREATE = FALSE", None])
def test_it_is_empty_until_it_is_refreshed_where_nothing_refreshed_it(running: Any, more: str | None) -> None:
    running.put("a/1.gz")
    if more is None:
        bare = STAGE.format(bucket=running.tenant.bucket, more="").partition(" DIRECTORY")[0]
        running.sql.run("CREATE STAGE " + bare, "ALTER STAGE RAW.SNOWPLOW.D SET DIRECTORY = (ENABLE = TRUE)")
    else:
        running.sql("CREATE STAGE " + STAGE.format(bucket=running.tenant.bucket, more=more))
    assert running.sql(PATHS) == []
    described = {row[1]: row[3] for row in running.sql("DESC STAGE RAW.SNOWPLOW.D") if row[0] == "DIRECTORY"}
    assert (described["ENABLE"], described["LAST_REFRESHED_ON"]) == ("true", "")
    running.sql(REFRESH)
    assert running.sql(PATHS) == [("a/1.gz",)]


def test_a_stage_made_anew_has_lost_what_its_directory_table_held(staged: Any) -> None:
    more = " REFRESH_ON_CREATE = FALSE"
    staged.sql("CREATE OR REPLACE STAGE " + STAGE.format(bucket=staged.tenant.bucket, more=more))
    assert staged.sql(PATHS) == []


def test_without_a_directory_table_there_is_nothing_to_ask_or_to_refresh(staged: Any) -> None:
    staged.sql("ALTER STAGE RAW.SNOWPLOW.D SET DIRECTORY = (ENABLE = FALSE)")
    assert staged.sql.errno(PATHS) == 2096
    assert staged.sql.errno(REFRESH) == 2096
    assert staged.sql.errno("SELECT * FROM DIRECTORY(@RAW.SNOWPLOW.NONE)") == 2003
    assert [row["directory_enabled"] for row in staged.sql.dicts("SHOW STAGES IN SCHEMA RAW.SNOWPLOW")] == [
        "N",
        "N",
    ]


def test_usage_is_enough_to_ask_and_to_refresh_and_nothing_less_is(staged: Any, session_of: Any) -> None:
    staged.sql.run(
        "CREATE ROLE READER",
        f"GRANT ROLE READER TO USER {staged.sql.one('SELECT CURRENT_USER()')}",
        "GRANT USAGE ON DATABASE RAW TO ROLE READER",
        "GRANT USAGE ON SCHEMA RAW.SNOWPLOW TO ROLE READER",
        "GRANT USAGE ON WAREHOUSE SANDBOX_WH TO ROLE READER",
    )
    reader = session_of(role="READER")
    assert reader.errno(PATHS) == 2003
    assert reader.errno(REFRESH) == 2003
    staged.sql("GRANT USAGE ON STAGE RAW.SNOWPLOW.D TO ROLE READER")
    staged.put("a/2.gz")
    reader(REFRESH)
    assert reader(PATHS) == [("a/1.gz",), ("a/2.gz",)]


def test_a_refresh_that_aws_refuses_changes_nothing(staged: Any) -> None:
    staged.tenant.boto3("iam").delete_role_policy(RoleName="snowflake-read", PolicyName="read")
    assert staged.sql.errno(REFRESH) == 91003
    assert staged.sql(PATHS) == [("a/1.gz",)]


def test_it_is_joined_with_a_table_and_counted(staged: Any) -> None:
    staged.sql("INSERT INTO RAW.SNOWPLOW.EVENTS VALUES ('a/1.gz', 'x')")
    joined = (
        "SELECT COUNT(*) FROM DIRECTORY(@RAW.SNOWPLOW.D) d JOIN RAW.SNOWPLOW.EVENTS e "
        "ON e.A = d.RELATIVE_PATH WHERE d.SIZE > 0"
    )
    assert staged.sql.one(joined) == 1


def test_its_url_ends_with_a_slash_and_or_alter_does_not_refresh(running: Any) -> None:
    no_slash = STAGE.format(bucket=running.tenant.bucket, more="").replace("enriched/'", "enriched'")
    assert running.sql.errno("CREATE STAGE " + no_slash) == 1011
    more = " REFRESH_ON_CREATE = TRUE"
    or_alter = "CREATE OR ALTER STAGE " + STAGE.format(bucket=running.tenant.bucket, more=more)
    assert "REFRESH_ON_CREATE" in str(running.sql.error(or_alter))


def test_what_is_not_emulated_is_refused(staged: Any) -> None:
    for statement in (
        "CREATE STAGE RAW.SNOWPLOW.E URL = 's3://{bucket}/e/' STORAGE_INTEGRATION = S3INT "
        "DIRECTORY = (ENABLE = TRUE AUTO_REFRESH = TRUE)",
        "ALTER STAGE RAW.SNOWPLOW.D SET URL = 's3://{bucket}/other/'",
        "SELECT GET_DDL('STAGE', 'RAW.SNOWPLOW.D')",
        "SELECT * FROM DIRECTORY(@RAW.SNOWPLOW.D/a)",
    ):
        assert staged.sql.errno(statement.format(bucket=staged.tenant.bucket)) == 2
    assert staged.sql(PATHS) == [("a/1.gz",)]
