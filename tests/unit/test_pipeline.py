"""What the pipeline must look like in Snowflake: columns, statements compared, privileges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.kinds import KINDS
from runbook.settings import read
from runbook.sql import template
from runbook.wanted.grants import Grant, integration_grants, loader_grants, missing_grants, operator_grants
from runbook.wanted.pipeline import (
    columns,
    missing_columns,
    of_another_kind,
    pipe_definition,
    same_statement,
)
from tests.unit.conftest import written


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("COPY INTO t FROM @s", "copy  into\n t\tfrom @S ;", True),
        ("COPY INTO t FROM @s", "COPY INTO t FROM @s;", True),
        ("SELECT $1,$2", "select $1 , $2", True),
        ("a::NUMBER(38,0)", "A :: number( 38, 0 )", True),
        ("ON_ERROR = SKIP_FILE", "ON_ERROR=skip_file", True),
        ("SELECT 'a b'", "SELECT 'a  b'", False),
        ("SELECT 'a'", "SELECT 'A'", False),
        ("SELECT 'it''s'", "SELECT 'it''S'", False),
        ('SELECT "a"', 'SELECT "A"', False),
        ("SELECT $1", "SELECT $2", False),
        ("ON_ERROR = SKIP_FILE", "ON_ERROR = CONTINUE", False),
        ("COPY INTO t", "COPY INTO t PATTERN = '.*'", False),
        ("COPY INTO ta", "COPY INTO t a", False),
        ("", "", True),
    ],
)
def test_statements_are_the_same_when_only_space_and_case_differ(one, other, answer):
    assert same_statement(one, other) is answer
    assert same_statement(other, one) is answer


space = st.text(" \n\t", min_size=1, max_size=3)


@given(st.data())
def test_a_definition_is_itself_however_it_is_laid_out(data):
    settings = read(written())
    definition = pipe_definition(settings, data.draw(st.sampled_from(settings.streams)))
    laid_out = "'".join(
        part if index % 2 else part.replace(" ", data.draw(space)).replace("\n", data.draw(space)).lower()
        for index, part in enumerate(definition.split("'"))
    )
    assert same_statement(definition, laid_out + data.draw(space) + ";")


def test_the_definition_is_the_copy_statement_alone(settings):
    for stream in settings.streams:
        text = pipe_definition(settings, stream)
        assert text.startswith(f"COPY INTO {stream.table.sql} (")
        assert text.endswith("ON_ERROR = SKIP_FILE")
        assert "AUTO_INGEST" not in text


def test_a_table_may_hold_more_than_the_pipe_writes(settings):
    for stream in settings.streams:
        names = columns(stream)
        assert missing_columns((*names, "OURS"), stream) == []
        assert missing_columns(names[1:], stream) == [names[0]]
        assert missing_columns((), stream) == list(names)


@pytest.mark.parametrize(("kind", "number"), [("enriched", "20"), ("bad_rows", "21"), ("json", "22")])
def test_every_option_that_is_compared_is_set_in_the_file(kind, number):
    text = template(f"step4_snowflake/{number}_file_format_{kind}.sql")
    for name in KINDS[kind].FORMAT:
        assert f"  {name} = " in text


def test_a_right_that_is_held_or_owned_is_not_missing(settings):
    stream = settings.stream("events")
    wanted = loader_grants(stream)
    assert missing_grants(frozenset(wanted), wanted) == []
    owned = {Grant("OWNERSHIP", grant.on, grant.name) for grant in wanted}
    assert missing_grants(frozenset(owned), wanted) == []
    assert missing_grants(None, wanted) == missing_grants(frozenset(), wanted)
    assert missing_grants(None, wanted) == [
        "USAGE on database RAW",
        "USAGE on schema RAW.SNOWPLOW",
        "USAGE on stage RAW.SNOWPLOW.ENRICHED_STAGE",
        "USAGE on file format RAW.SNOWPLOW.SNOWPLOW_TSV",
        "SELECT on table RAW.SNOWPLOW.EVENTS",
        "INSERT on table RAW.SNOWPLOW.EVENTS",
    ]


@given(st.data())
def test_exactly_what_was_revoked_is_missing(data):
    settings = read(written())
    wanted = operator_grants(settings, settings.streams[0])
    kept = data.draw(st.sets(st.sampled_from(wanted)))
    gone = [f"{grant.privilege} on {grant.on.lower()} {grant.name}" for grant in wanted if grant not in kept]
    assert missing_grants(frozenset(kept), wanted) == gone


def test_an_operator_needs_monitor_beside_operate(settings):
    """OPERATE does not show a pipe's status. Source: security-access-control-privileges"""
    stream = settings.stream("events")
    more = set(operator_grants(settings, stream)) - set(loader_grants(stream))
    assert more == {
        Grant("MONITOR", "PIPE", stream.pipe.sql),
        Grant("OPERATE", "PIPE", stream.pipe.sql),
        Grant("CREATE FILE FORMAT", "SCHEMA", "RAW.SNOWPLOW"),  # for leases: docs/adr/0017
    }
    assert integration_grants(settings) == (Grant("USAGE", "INTEGRATION", "SNOWPLOW_S3"),)


def test_a_column_that_is_no_text_keeps_its_kind(settings):
    stream = settings.stream("events_bad")
    made = [("DOCUMENT", "VARIANT"), ("_FILE", "VARCHAR"), ("_FILE_ROW", "NUMBER(38,0)")]
    assert of_another_kind([*made, ("_LOADED_AT", "TIMESTAMP_LTZ(9)")], stream) == []
    assert of_another_kind([("DOCUMENT", "VARCHAR(134217728)"), *made[1:]], stream) == [
        "DOCUMENT VARCHAR(134217728)"
    ]
    assert of_another_kind([*made, ("_LOADED_AT", "DATE"), ("OURS", "DATE")], stream) == ["_LOADED_AT DATE"]
