"""The statements of a backfill: the pipe's own COPY, with names and options, and nothing that differs."""

from dataclasses import replace

import pytest

from runbook.errors import Refused
from runbook.loading import statements
from runbook.settings import Settings
from runbook.sql import statements as split
from tests.unit.observed import NOW, pipe


def test_copy_is_the_pipes_own_statement_with_files(settings: Settings) -> None:
    stream = settings.streams[0]
    own = pipe(settings, stream)
    keys = [f"{stream.prefix}day=1/it's.gz", f"{stream.prefix}b;.gz"]
    found = split(statements.copy(stream, settings, own, keys, uncertain=True).sql)
    assert found[:2] == ("USE ROLE SYSADMIN", "USE SCHEMA RAW.SNOWPLOW")
    assert found[2].startswith(own.definition.strip())
    assert found[2].endswith("FILES = ('day=1/it''s.gz', 'b;.gz')\nLOAD_UNCERTAIN_FILES = TRUE")
    assert "FORCE" not in found[2]


def test_a_pipe_without_on_error_skips_the_file_as_the_pipe_does(settings: Settings) -> None:
    stream = settings.streams[0]
    text = statements.own_copy(stream, pipe(settings, stream, definition="COPY INTO t FROM @enriched_stage;"))
    assert text == "COPY INTO t FROM @enriched_stage\nON_ERROR = SKIP_FILE"
    written = "copy into t from @RAW.snowplow.ENRICHED_STAGE on_error = continue"
    assert statements.own_copy(stream, pipe(settings, stream, definition=written)) == written


@pytest.mark.parametrize(
    "definition",
    [
        "COPY INTO t FROM @enriched_stage PATTERN = '.*[.]gz'",
        "COPY INTO t FROM @enriched_stage/2026/",
        "COPY INTO t FROM @other_stage",
        "COPY INTO t FROM @OTHER.enriched_stage",
    ],
)
def test_a_pipe_that_files_would_not_mean_the_same_for_is_refused(
    settings: Settings, definition: str
) -> None:
    stream = settings.streams[0]
    with pytest.raises(Refused):
        statements.own_copy(stream, pipe(settings, stream, definition=definition))


@pytest.mark.parametrize(
    "more",
    [
        "; DROP TABLE t",
        "; GRANT ROLE ACCOUNTADMIN TO ROLE SNOWPLOW_LOADER; --",
        "-- it's fine\n; DROP TABLE t",
        "// ; DROP TABLE t",
        "// it's open",
        "/* open",
        "'open",
        '"open',
        "$$ open",
    ],
)
def test_a_pipe_whose_copy_is_more_than_one_whole_statement_is_refused(settings: Settings, more: str) -> None:
    """Its owner wrote it, and the table's owner would run what is behind it."""
    stream = settings.streams[0]
    own = pipe(settings, stream)
    with pytest.raises(Refused, match="cannot be read"):
        statements.copy(
            stream, settings, replace(own, definition=own.definition + more), ["a"], uncertain=False
        )


def test_a_pipe_that_loads_another_table_is_refused(settings: Settings) -> None:
    stream = settings.streams[0]
    for table in (
        "RAW.SNOWPLOW.OTHER",
        "OTHER.SNOWPLOW.EVENTS",
        '"events"',
        "IDENTIFIER('OTHER')",
        '"a\u00a0b"',
    ):
        own = pipe(settings, stream, definition=f"COPY INTO {table} FROM @enriched_stage")
        with pytest.raises(Refused, match="does not load"):
            statements.replace(stream, settings, own, f"{stream.prefix}a.gz")


def test_a_replacement_is_one_transaction(settings: Settings) -> None:
    stream = settings.streams[0]
    change = statements.replace(stream, settings, pipe(settings, stream), f"{stream.prefix}a.gz")
    words = [text.split()[0] for text in split(change.sql)]
    assert words == ["USE", "USE", "BEGIN", "DELETE", "COPY", "COMMIT"]


def test_refresh_names_its_prefix_as_plain_text(settings: Settings) -> None:
    stream = settings.streams[0]
    assert split(statements.refresh(stream, settings, "o'clock/", NOW).sql)[1] == (
        "ALTER PIPE RAW.SNOWPLOW.EVENTS_PIPE REFRESH PREFIX = 'o''clock/' "
        "MODIFIED_AFTER = '2026-11-20T12:00:00+00:00'"
    )
    assert "PREFIX" not in statements.refresh(stream, settings, "", NOW).sql
