"""Broken in Snowflake: what pipes stand on, what they say, and what stops them."""

from collections.abc import Iterator
from datetime import timedelta

from runbook.facts.belongings import Belongings
from runbook.replacing.note import Note
from runbook.sql import literal
from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault
from tests.scenarios.faults.snowflake import INTEGRATION, LOADER, OPERATOR, PIPE, STAGE, TABLE, TSV

OWNER = "SYSADMIN"


# ---- what they stand on


@fault("format", "pipe", "stops")
def format_dropped(at: Installation) -> None:
    at.sql(f"DROP FILE FORMAT {TSV}")


@fault("format", "pipe", "stops")
def format_replaced(at: Installation) -> None:
    ddl = at.sql(f"SELECT GET_DDL('FILE_FORMAT', '{TSV}')")[0][0]
    _, _, options = ddl.partition("TYPE")
    at.sql(f"CREATE OR REPLACE FILE FORMAT {TSV} TYPE{options.rstrip().rstrip(';')}", OWNER)


@fault("table", "loader", "operator")
def table_replaced(at: Installation) -> None:
    ddl = at.sql(f"SELECT GET_DDL('TABLE', '{TABLE}')")[0][0]
    _, _, columns = ddl.partition("(")
    at.sql(f"CREATE OR REPLACE TABLE {TABLE} ({columns.rstrip().rstrip(';')}", OWNER)


@fault("stage", "pipe", "stops")
def stage_dropped(at: Installation) -> None:
    at.sql(f"DROP STAGE {STAGE}")


@fault("stage", "pipe", "loader", "operator", "stops")
def stage_replaced(at: Installation) -> None:
    url = at.stream("events").url
    at.sql(
        f"CREATE OR REPLACE STAGE {STAGE} URL = '{url}' STORAGE_INTEGRATION = {INTEGRATION} "
        "COMMENT = 'Snowplow files in S3 (snowpipe-runbook)'",
        OWNER,
    )


@fault("stage", "pipe", "stops")
def stage_moved(at: Installation) -> Iterator[None]:
    url = at.stream("events").url
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url}2026/'")
    yield
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url}'")


@fault("stage", "pipe", "integration", "stops")
def stage_without_its_last_slash(at: Installation) -> Iterator[None]:
    url = at.stream("events").url
    places = f"('{url.rstrip('/')}', '{at.stream('events_bad').url}')"
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET STORAGE_ALLOWED_LOCATIONS = {places}")
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url.rstrip('/')}'")
    yield
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url}'")


@fault("stage", "pipe", "stops")
def stage_moved_and_put_back(at: Installation) -> None:
    url = at.stream("events").url
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url}2026/'")
    at.sql(f"ALTER STAGE {STAGE} SET URL = '{url}'")


# ---- what they say


def _made_anew(
    at: Installation, *changes: tuple[str, str], auto_ingest: str = "TRUE", grants: bool = True
) -> None:
    """The pipe of the stream ``events``, replaced by one whose COPY reads otherwise."""
    row = next(row for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    text, comment = str(row[4]), str(row[7])
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    at.sql(
        f"CREATE OR REPLACE PIPE {PIPE} AUTO_INGEST = {auto_ingest} COMMENT = '{comment}' AS {text}", LOADER
    )
    if grants:
        at.sql(f"GRANT MONITOR, OPERATE ON PIPE {PIPE} TO ROLE {OPERATOR}", LOADER)


def _says(name: str, *changes: tuple[str, str]) -> None:
    def breaks(at: Installation) -> None:
        _made_anew(at, *changes)

    breaks.__name__ = name
    fault("pipe", "loader")(breaks)


_says("pipe_with_a_pattern", ("ON_ERROR", "PATTERN = '.*[.]csv' ON_ERROR"))
_says("pipe_reads_a_part", (f"FROM @{STAGE}", f"FROM @{STAGE}/2026/"))
_says("pipe_skips_files_from_ten_errors", ("ON_ERROR = SKIP_FILE", "ON_ERROR = SKIP_FILE_10"))
_says("pipe_skips_files_from_five_percent", ("ON_ERROR = SKIP_FILE", "ON_ERROR = 'SKIP_FILE_5%'"))
_says("pipe_cuts_long_values", ("ON_ERROR", "TRUNCATECOLUMNS = TRUE ON_ERROR"))
_says("pipe_writes_a_constant", ("    $2,\n    $3,", "    'web',\n    $3,"))
_says("pipe_continues_on_error", ("ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE"))
_says(
    "pipe_asks_an_early_clock",
    (
        "CONVERT_TIMEZONE('UTC', METADATA$START_SCAN_TIME)::TIMESTAMP_NTZ",
        "CURRENT_TIMESTAMP()::TIMESTAMP_NTZ",
    ),
)
_says("pipe_without_the_file_format", (f"FORMAT_NAME = {TSV}", "TYPE = CSV FIELD_DELIMITER = '\\t'"))
_says("pipe_swaps_two_columns", ("  app_id,\n  platform,", "  platform,\n  app_id,"))


@fault("pipe", "loader")
def replacement_cut_off(at: Installation) -> None:
    """Killed in its last moments: the new pipe and its grants are there, what waited was not looked at."""
    row = next(row for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    before = row[0] - timedelta(seconds=1)
    note = Note(str(row[7]), Belongings({}, (), {}), str(row[6]), before - timedelta(days=1), before, before)
    at.sql(f"ALTER PIPE {PIPE} SET COMMENT = {literal(str(note))}", LOADER)


@fault("pipe", "loader")
def pipe_writes_another_table(at: Installation) -> Iterator[None]:
    at.sql(f"CREATE TABLE RAW.SNOWPLOW.EVENTS_TEST LIKE {TABLE}", OWNER)
    at.sql(f"GRANT SELECT, INSERT ON TABLE RAW.SNOWPLOW.EVENTS_TEST TO ROLE {LOADER}", OWNER)
    _made_anew(at, (f"INTO {TABLE}", "INTO RAW.SNOWPLOW.EVENTS_TEST"))
    yield
    at.run("replace-pipe", "--stream", "events")
    at.sql("DROP TABLE RAW.SNOWPLOW.EVENTS_TEST", OWNER)


@fault("pipe", "loader")
def pipe_without_auto_ingest(at: Installation) -> Iterator[None]:
    _made_anew(at, auto_ingest="FALSE")
    yield
    at.sql(f"DROP PIPE {PIPE}")
    at.run("step4-snowflake", "step5-aws")


@fault("pipe", "operator", "loader")
def pipe_replaced_without_its_grants(at: Installation) -> None:
    _made_anew(at, grants=False)


@fault("pipe", "rule", "loader")
def pipe_made_anew_with_another_queue(at: Installation) -> None:
    at.control("POST", "/faults", {"new_queue_each_time": 1})
    _made_anew(at)


# ---- who owns them, and who else loads


def _owned_by(at: Installation, role: str) -> None:
    at.sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE")
    at.sql(f"GRANT OWNERSHIP ON PIPE {PIPE} TO ROLE {role} COPY CURRENT GRANTS")
    at.sql(f"SELECT SYSTEM$PIPE_FORCE_RESUME('{PIPE}')", role)
    at.sql(f"ALTER PIPE {PIPE} UNSET PIPE_EXECUTION_PAUSED", role)


@fault("pipe", "loader")
def pipe_owned_by_another_role(at: Installation) -> Iterator[None]:
    _owned_by(at, OWNER)
    yield
    _owned_by(at, LOADER)


@fault("second", "stops")
def pipe_left_over(at: Installation) -> Iterator[None]:
    at.sql("CREATE TABLE RAW.SNOWPLOW.OLD (document VARIANT)", OWNER)
    at.sql(f"GRANT SELECT, INSERT ON TABLE RAW.SNOWPLOW.OLD TO ROLE {LOADER}", OWNER)
    at.sql(
        "CREATE PIPE RAW.SNOWPLOW.OLD_PIPE AUTO_INGEST = TRUE COMMENT = 'old (snowpipe-runbook)' AS "
        f"COPY INTO RAW.SNOWPLOW.OLD FROM @{at.stream('events_bad').stage} FILE_FORMAT = (TYPE = JSON)",
        LOADER,
    )
    yield
    at.run("down", "--stream", "OLD_PIPE")


def _second(at: Installation, name: str, stage: str) -> None:
    text = next(row[4] for row in at.sql("SHOW PIPES IN SCHEMA RAW.SNOWPLOW") if row[1] == "EVENTS_PIPE")
    text = str(text).replace(f"@{STAGE}", f"@{stage}")
    at.sql(f"CREATE PIPE {name} AUTO_INGEST = TRUE AS {text}")


@fault("second", "stops")
def two_pipes_on_one_prefix(at: Installation) -> Iterator[None]:
    _second(at, "RAW.SNOWPLOW.EVENTS_PIPE_NEW", STAGE)
    yield
    at.sql("DROP PIPE RAW.SNOWPLOW.EVENTS_PIPE_NEW")


@fault("second", "stops")
def schema_cloned(at: Installation) -> Iterator[None]:
    """The clone's pipe is stopped; somebody resumes it, and its COPY names our table."""
    at.sql("CREATE SCHEMA RAW.SNOWPLOW_CLONE CLONE RAW.SNOWPLOW")
    at.sql("DROP PIPE RAW.SNOWPLOW_CLONE.EVENTS_BAD_PIPE")
    at.sql("SELECT SYSTEM$PIPE_FORCE_RESUME('RAW.SNOWPLOW_CLONE.EVENTS_PIPE')")
    yield
    at.sql("DROP PIPE RAW.SNOWPLOW_CLONE.EVENTS_PIPE")
    at.sql("DROP SCHEMA RAW.SNOWPLOW_CLONE")


# ---- pauses


def _paused(name: str, what: str) -> None:
    def breaks(at: Installation) -> Iterator[None]:
        at.sql(f"ALTER {what} SET PIPE_EXECUTION_PAUSED = TRUE")
        yield
        at.sql(f"ALTER {what} UNSET PIPE_EXECUTION_PAUSED")

    breaks.__name__ = name
    fault("pause")(breaks)


_paused("schema_paused", "SCHEMA RAW.SNOWPLOW")
_paused("account_paused", "ACCOUNT")


@fault("pause", "pipe")
def pipe_paused_for_fifteen_days(at: Installation) -> None:
    at.sql("ALTER PIPE RAW.SNOWPLOW.EVENTS_BAD_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    at.advance(days=15)


# ---- roles and the integration


@fault("roles", "pipe", "operator", "loader")
def loader_role_dropped(at: Installation) -> Iterator[None]:
    at.sql(f"DROP ROLE {LOADER}")
    yield
    for stream in at.settings.streams:
        name = stream.pipe.sql
        at.sql(f"ALTER PIPE {name} SET PIPE_EXECUTION_PAUSED = TRUE")
        at.sql(f"GRANT OWNERSHIP ON PIPE {name} TO ROLE {LOADER} COPY CURRENT GRANTS")
        at.sql(f"SELECT SYSTEM$PIPE_FORCE_RESUME('{name}')", LOADER)
        at.sql(f"ALTER PIPE {name} UNSET PIPE_EXECUTION_PAUSED", LOADER)


@fault("roles")
def loader_role_not_inherited(at: Installation) -> None:
    at.sql(f"REVOKE ROLE {LOADER} FROM ROLE SYSADMIN")


@fault("integration")
def integration_blocks_a_folder(at: Installation) -> Iterator[None]:
    url = at.stream("events").url
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET STORAGE_BLOCKED_LOCATIONS = ('{url}')")
    yield
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} UNSET STORAGE_BLOCKED_LOCATIONS")


@fault("integration")
def integration_blocks_a_part_of_a_folder(at: Installation) -> Iterator[None]:
    url = f"{at.stream('events').url}2026/"
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET STORAGE_BLOCKED_LOCATIONS = ('{url}')")
    yield
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} UNSET STORAGE_BLOCKED_LOCATIONS")
