"""Broken in Snowflake: roles, integration, formats, tables, stages, pipes, grants, pauses."""

from collections.abc import Iterator

from tests.scenarios.conftest import Installation
from tests.scenarios.faults.fault import fault

INTEGRATION = "SNOWPLOW_S3"
STAGE = "RAW.SNOWPLOW.ENRICHED_STAGE"
TABLE = "RAW.SNOWPLOW.EVENTS"
PIPE = "RAW.SNOWPLOW.EVENTS_PIPE"
TSV = "RAW.SNOWPLOW.SNOWPLOW_TSV"
LOADER = "SNOWPLOW_LOADER"
OPERATOR = "SNOWPLOW_OPERATOR"


def _integration(at: Installation, name: str = INTEGRATION, verb: str = "CREATE OR REPLACE") -> None:
    urls = ", ".join(repr(url) for url in at.settings.allowed_locations)
    at.sql(
        f"{verb} STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
        f"STORAGE_AWS_ROLE_ARN = '{at.settings.aws.role_arn}' ENABLED = TRUE "
        f"STORAGE_ALLOWED_LOCATIONS = ({urls})"
    )


def _alter_integration(at: Installation, what: str) -> None:
    at.sql(f"ALTER STORAGE INTEGRATION {INTEGRATION} SET {what}")


# ---- the integration


@fault("integration")
def integration_dropped(at: Installation) -> None:
    at.sql(f"DROP INTEGRATION {INTEGRATION}")


@fault("integration")
def integration_replaced(at: Installation) -> None:
    _integration(at)


@fault("integration")
def integration_disabled(at: Installation) -> None:
    _alter_integration(at, "ENABLED = FALSE")


@fault("integration")
def integration_names_another_role(at: Installation) -> None:
    _alter_integration(at, f"STORAGE_AWS_ROLE_ARN = '{at.settings.aws.role_arn}-old'")


@fault("integration")
def integration_misses_a_folder(at: Installation) -> None:
    _alter_integration(at, f"STORAGE_ALLOWED_LOCATIONS = ('{at.stream('events').url}')")


@fault("integration", "trust")
def external_id_altered_in_snowflake(at: Installation) -> None:
    _alter_integration(at, "STORAGE_AWS_EXTERNAL_ID = 'CHOSEN_BY_HAND'")


# ---- roles and what they hold


def _revoke(at: Installation, what: str, role: str) -> None:
    at.sql(f"REVOKE {what} FROM ROLE {role}")


@fault("operator")
def operator_role_dropped(at: Installation) -> None:
    at.sql(f"DROP ROLE {OPERATOR}")


@fault("usage")
def owner_may_not_use_the_integration(at: Installation) -> None:
    _revoke(at, f"USAGE ON INTEGRATION {INTEGRATION}", "SYSADMIN")


@fault("usage")
def loader_may_not_use_the_integration(at: Installation) -> None:
    _revoke(at, f"USAGE ON INTEGRATION {INTEGRATION}", LOADER)


@fault("usage")
def operator_may_not_use_the_integration(at: Installation) -> None:
    _revoke(at, f"USAGE ON INTEGRATION {INTEGRATION}", OPERATOR)


SINGLE = {
    "database": "USAGE ON DATABASE RAW",
    "schema": "USAGE ON SCHEMA RAW.SNOWPLOW",
    "stage": f"USAGE ON STAGE {STAGE}",
    "file_format": f"USAGE ON FILE FORMAT {TSV}",
    "select": f"SELECT ON TABLE {TABLE}",
    "insert": f"INSERT ON TABLE {TABLE}",
}


def _lacks(who: str, role: str, what: str, grant: str) -> None:
    def breaks(at: Installation) -> None:
        _revoke(at, grant, role)

    breaks.__name__ = f"{who}_lacks_{what}"
    fault(who)(breaks)


for _what, _grant in SINGLE.items():
    _lacks("loader", LOADER, _what, _grant)
    _lacks("operator", OPERATOR, _what, _grant)
for _what in ("monitor", "operate"):
    _lacks("operator", OPERATOR, _what, f"{_what.upper()} ON PIPE {PIPE}")


# ---- formats and tables


def _drifts(name: str, format_name: str, option: str) -> None:
    def breaks(at: Installation) -> None:
        at.sql(f"ALTER FILE FORMAT RAW.SNOWPLOW.{format_name} SET {option}")

    breaks.__name__ = name
    fault("format")(breaks)


_drifts("format_splits_at_commas", "SNOWPLOW_TSV", "FIELD_DELIMITER = ','")
_drifts("format_eats_backslashes", "SNOWPLOW_TSV", "ESCAPE_UNENCLOSED_FIELD = '\\\\'")
_drifts("format_reads_null", "SNOWPLOW_TSV", "NULL_IF = ('\\\\N')")
_drifts("format_fails_on_bad_bytes", "SNOWPLOW_TSV", "REPLACE_INVALID_CHARACTERS = FALSE")
_drifts("format_skips_the_first_line", "SNOWPLOW_TSV", "SKIP_HEADER = 1")
_drifts("format_unquotes", "SNOWPLOW_TSV", "FIELD_OPTIONALLY_ENCLOSED_BY = '\"'")
_drifts("format_trims", "SNOWPLOW_TSV", "TRIM_SPACE = TRUE")
_drifts("format_unpacks_nothing", "SNOWPLOW_TSV", "COMPRESSION = NONE")
_drifts("format_of_another_encoding", "SNOWPLOW_TSV", "ENCODING = 'ISO88591'")
_drifts("format_keeps_blank_lines", "SNOWPLOW_TSV", "SKIP_BLANK_LINES = FALSE")
_drifts("format_escapes", "SNOWPLOW_TSV", "ESCAPE = '\\\\'")
_drifts("format_keeps_empty_fields", "SNOWPLOW_TSV", "EMPTY_FIELD_AS_NULL = FALSE")
_drifts("format_counts_no_columns", "SNOWPLOW_TSV", "ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE")
_drifts("format_reads_records_across_lines", "SNOWPLOW_TSV", "MULTI_LINE = TRUE")
_drifts("format_keeps_the_byte_order_mark", "SNOWPLOW_TSV", "SKIP_BYTE_ORDER_MARK = FALSE")
_drifts("format_ends_records_otherwise", "SNOWPLOW_TSV", "RECORD_DELIMITER = '\\r\\n'")
_drifts("format_unpacks_gzip_alone", "SNOWPLOW_TSV", "COMPRESSION = GZIP")
_drifts("bad_rows_format_fails_on_bad_bytes", "SNOWPLOW_BAD_JSON", "REPLACE_INVALID_CHARACTERS = FALSE")
_drifts("bad_rows_format_unpacks_nothing", "SNOWPLOW_BAD_JSON", "COMPRESSION = NONE")
_drifts("bad_rows_format_keeps_the_byte_order_mark", "SNOWPLOW_BAD_JSON", "SKIP_BYTE_ORDER_MARK = FALSE")
_drifts("format_strips_nulls", "SNOWPLOW_BAD_JSON", "STRIP_NULL_VALUES = TRUE")
_drifts("format_takes_a_name_twice", "SNOWPLOW_BAD_JSON", "ALLOW_DUPLICATE = TRUE")
_drifts("format_strips_the_outer_array", "SNOWPLOW_BAD_JSON", "STRIP_OUTER_ARRAY = TRUE")


@fault("table")
def table_lacks_a_column(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER TABLE {TABLE} DROP COLUMN mkt_clickid")
    yield
    at.sql(f"ALTER TABLE {TABLE} ADD COLUMN mkt_clickid VARCHAR")


@fault("table")
def column_renamed(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER TABLE {TABLE} RENAME COLUMN mkt_clickid TO click")
    at.sql(f"ALTER TABLE {TABLE} RENAME COLUMN page_url TO url")
    yield
    at.sql(f"ALTER TABLE {TABLE} RENAME COLUMN click TO mkt_clickid")
    at.sql(f"ALTER TABLE {TABLE} RENAME COLUMN url TO page_url")


@fault("table")
def column_refuses_missing_values(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER TABLE {TABLE} ALTER COLUMN app_id SET NOT NULL")
    yield
    at.sql(f"ALTER TABLE {TABLE} ALTER COLUMN app_id DROP NOT NULL")


def _another_type(at: Installation, kind: str) -> Iterator[None]:
    """A column dropped and added again with another type; by hand, as text."""
    for each in (kind, "VARCHAR"):
        at.sql(f"ALTER TABLE {TABLE} DROP COLUMN name_tracker")
        at.sql(f"ALTER TABLE {TABLE} ADD COLUMN name_tracker {each}")
        if each == kind:
            yield


@fault("table")
def column_became_a_number(at: Installation) -> Iterator[None]:
    yield from _another_type(at, "NUMBER")


@fault("table")
def column_became_short(at: Installation) -> Iterator[None]:
    yield from _another_type(at, "VARCHAR(8)")


@fault("table")
def document_became_text(at: Installation) -> Iterator[None]:
    """The column of the failed events was made again, as text."""
    table = at.stream("events_bad").table.sql
    at.sql(f"ALTER TABLE {table} DROP COLUMN document")
    at.sql(f"ALTER TABLE {table} ADD COLUMN document VARCHAR")
    yield
    at.sql(f"ALTER TABLE {table} DROP COLUMN document")
    at.sql(f"ALTER TABLE {table} ADD COLUMN document VARIANT")


@fault("table", "rows")  # they stay in the other
def table_swapped(at: Installation) -> None:
    """With one of the same columns and grants, as a job does that builds tables anew."""
    at.sql(f"CREATE TABLE {TABLE}_NEW LIKE {TABLE}", "SYSADMIN")
    for role in ("SNOWPLOW_LOADER", "SNOWPLOW_OPERATOR"):
        at.sql(f"GRANT SELECT, INSERT ON TABLE {TABLE}_NEW TO ROLE {role}", "SYSADMIN")
    at.sql(f"ALTER TABLE {TABLE} SWAP WITH {TABLE}_NEW", "SYSADMIN")


@fault("table")
def table_renamed(at: Installation) -> Iterator[None]:
    at.sql(f"ALTER TABLE {TABLE} RENAME TO RAW.SNOWPLOW.EVENTS_OLD")
    yield
    at.sql(f"ALTER TABLE RAW.SNOWPLOW.EVENTS_OLD RENAME TO {TABLE}")


# ---- stages


@fault("stage")
def stage_on_another_integration(at: Installation) -> Iterator[None]:
    _integration(at, "OTHER_S3", "CREATE")
    at.sql(f"ALTER STAGE {STAGE} SET STORAGE_INTEGRATION = OTHER_S3")
    yield
    at.run("step4-snowflake")
    at.sql("DROP INTEGRATION OTHER_S3")


# ---- pipes


@fault("pipe")
def pipe_dropped(at: Installation) -> None:
    at.sql(f"DROP PIPE {PIPE}")


@fault("pause")
def pipe_paused(at: Installation) -> None:
    at.sql(f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = TRUE")
