"""Other people's objects with names that nothing here could be called: passed over, or named as they are."""

from tests.scenarios.conftest import Installation

ODD = [
    "Umsatz\u00a02026",
    'a"b',
    "a.b",
    "2026",
    "lower case",
    "\U0001f600",
    "a\u202eb",
    "a;b -- '",
    "x $(id) `id`",
    "z\nUSE ROLE ACCOUNTADMIN",
]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_pipes_of_others_with_odd_names_are_in_nobodys_way(healthy: Installation) -> None:
    at, url = healthy, f"s3://{healthy.settings.aws.bucket}/theirs/"
    at.sql(
        "ALTER STORAGE INTEGRATION SNOWPLOW_S3 SET STORAGE_ALLOWED_LOCATIONS = "
        f"({', '.join(repr(stream.url) for stream in at.settings.streams)}, '{url}')"
    )
    at.sql("CREATE SCHEMA RAW.THEIRS", "SYSADMIN")
    for schema, names in (("RAW.THEIRS", ODD), ("RAW.SNOWPLOW", ODD[:2])):
        for number, name in enumerate(names):
            stage, table = f"{schema}.{quoted(f'stage {name}')}", f"{schema}.{quoted(name)}"
            folder = url if schema == "RAW.SNOWPLOW" else at.stream("events_bad").url
            at.sql(f"CREATE TABLE {table} (A VARCHAR)", "SYSADMIN")
            at.sql(
                f"CREATE STAGE {stage} URL = '{folder}{number}/' STORAGE_INTEGRATION = SNOWPLOW_S3",
                "SYSADMIN",
            )
            copy = f"COPY INTO {table} FROM (SELECT $1 FROM @{stage})"
            at.sql(f"CREATE PIPE {schema}.{quoted(f'pipe {name}')} AS {copy}", "SYSADMIN")
    red = [
        row for row in at.verify()["checks"] if row["outcome"] == "unknown" or "DROP" in row.get("remedy", "")
    ]
    assert red == []
    found = at.run("discover", "--pipe", "RAW.SNOWPLOW.EVENTS_PIPE", "--output", "-").stdout
    assert "table: EVENTS\n" in found
    assert "Left out" in found
    for line in found.splitlines():
        assert line.isprintable()
        assert not line.startswith("USE ROLE")
    assert at.run("step4-snowflake", expect=None).returncode == 0
    told = at.run("down", "--dry-run", expect=2).stderr
    assert "Others use what would be removed" in told
