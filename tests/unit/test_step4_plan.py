"""Step 4 plans, given these facts, these changes: formats, tables, stages, pipes and grants."""

from dataclasses import replace

import pytest

from runbook.clouds.failures import SqlFailed
from runbook.errors import CannotTell, Refused
from runbook.facts.objects import Entry, Listing, Pause, Table
from runbook.plan import plan_step
from runbook.sql import rendered
from runbook.steps import STEPS
from runbook.steps.others import refuse_others
from runbook.wanted.grants import Grant
from tests.unit.observed import Known, integration, pipe, stage
from tests.unit.planned import changes, files

FROM_NOTHING = [
    "10_schema.sql",
    "20_file_format_enriched.sql",
    "30_table_enriched.sql",
    "40_stage.sql",
    "50_loader_rights.sql",
    "21_file_format_bad_rows.sql",
    "31_table_bad_rows.sql",
    "40_stage.sql",
    "50_loader_rights.sql",
    "60_pipe_enriched.sql",
    "80_operator_rights.sql",
    "61_pipe_bad_rows.sql",
    "80_operator_rights.sql",
]


def after_step_3(settings, absent):
    return {
        **absent,
        "integration": integration(settings),
        "entry": Entry(succeeded=True, message=""),
        ("grants", settings.snowflake.loader_role): frozenset(),
        ("grants", settings.snowflake.operator_role): frozenset(),
    }


def test_from_nothing_makes_everything_in_order(settings, absent, facts):
    made = changes(4, facts(after_step_3(settings, absent)))
    assert [change.file.removeprefix("step4_snowflake/") for change in made] == FROM_NOTHING
    for change in made:
        streams = [stream for stream in settings.streams if change.why.startswith(f"{stream.name}: ")]
        assert change.sql == rendered(change.file, settings, streams[0] if streams else None)
        assert change.stream == (streams[0].name if streams else "")
    assert len({change.done for change in made}) == len(made)  # each line that says what is done is another


def test_is_blocked_without_an_integration(absent, facts):
    assert plan_step(STEPS[3], facts(absent)).blocked.by_step == 2


def test_makes_no_pipe_before_snowflake_gets_in(settings, absent, facts):
    known = after_step_3(settings, absent) | {"entry": Entry(succeeded=False, message="s3://x/: denied")}
    plan = plan_step(STEPS[3], facts(known))
    assert [change.file.removeprefix("step4_snowflake/") for change in plan.changes] == FROM_NOTHING[:9]
    assert plan.blocked.by_step == 3
    assert "s3://x/: denied" in str(plan.blocked)


def test_a_format_that_drifted_is_altered(settings, found, facts):
    stream = settings.stream("events")
    key = ("format", stream.file_format)
    found[key] = replace(
        found[key], options={**found[key].options, "ESCAPE_UNENCLOSED_FIELD": "\\\\", "NULL_IF": "[\\\\N]"}
    )
    assert files(4, Known(settings, found, answers=shown(settings))) == [
        ("20_file_format_enriched.sql", "events: ESCAPE_UNENCLOSED_FIELD, NULL_IF of the file format differ")
    ]


def shown(settings, comment="Snowplow enriched events, TSV (snowpipe-runbook)"):
    """What SHOW FILE FORMATS says of both."""
    rows = [{"name": stream.file_format.name, "comment": comment} for stream in settings.streams]
    return {f"SHOW FILE FORMATS IN SCHEMA {settings.schema_sql}": rows}


def test_a_stage_on_another_integration_is_moved(settings, found, facts):
    stream = settings.stream("events")
    for other, why in (("OLD", "OLD"), (None, "none")):
        found["stages"] = {**found["stages"], stream.stage.name: stage(settings, stream, integration=other)}
        assert files(4, facts(found)) == [("40_stage.sql", f"events: the stage is on the integration {why}")]


def test_a_stage_that_others_made_is_altered_only_when_it_is_adopted(settings, found, facts):
    stream = settings.stream("events")
    theirs = stage(settings, stream, integration="BOBS", comment="Bob reads this")
    found["stages"] = {**found["stages"], stream.stage.name: theirs}
    with pytest.raises(
        Refused, match=r"stage .* was not made by this project.* on the integration BOBS"
    ) as told:
        changes(4, facts(found))
    assert told.value.remedy.startswith(
        "invoke step4-snowflake --adopt alters it; or set streams.events.stage"
    )
    with pytest.raises(Refused, match="was not made by this project"):
        refuse_others(facts(found), (4,))
    assert files(4, Known(settings, found, adopt=True)) == [
        ("40_stage.sql", "events: the stage is on the integration BOBS")
    ]


def test_a_format_that_others_made_is_altered_only_when_it_is_adopted(settings, found, facts):
    key = ("format", settings.stream("events").file_format)
    found[key] = replace(found[key], options={**found[key].options, "NULL_IF": "[x]"})
    theirs = shown(settings, comment="Bob's")
    with pytest.raises(Refused, match=r"format .* was not made by this project.*NULL_IF"):
        changes(4, Known(settings, found, answers=theirs))
    assert len(files(4, Known(settings, found, answers=theirs, adopt=True))) == 1


def test_a_pause_of_somebody_elses_pipe_is_theirs_to_end(settings, found, facts):
    stream = settings.stream("events")
    found["pipes"] = {**found["pipes"], "EVENTS_PIPE": pipe(settings, stream, comment="Bob's")}
    assert changes(4, facts(found)) == []
    found[("pause", "events")] = Pause(paused=True, level="PIPE")
    with pytest.raises(Refused, match="somebody has paused it") as told:
        changes(4, facts(found))
    assert told.value.remedy == "invoke resume --stream events"


def test_a_stage_whose_integration_was_replaced_is_mended(found, facts):
    found[("listing", "events_bad")] = Listing(error=SqlFailed(3139, "Integration gone", "q", "LIST"))
    assert files(4, facts(found)) == [
        ("40_stage.sql", "events_bad: the integration the stage was made on has been replaced")
    ]


def test_a_stage_that_cannot_be_listed_for_another_reason_is_not_this_steps_business(found, facts):
    found[("listing", "events")] = Listing(error=SqlFailed(3167, "Error assuming AWS_ROLE", "q", "LIST"))
    assert changes(4, facts(found)) == []


@pytest.mark.parametrize(
    "url", ["s3://snowplow-sandbox/other/", "s3://snowplow-sandbox/snowplow/enriched/stream"]
)
def test_a_stage_on_another_folder_is_refused(settings, found, facts, url):
    stream = settings.stream("events")
    found["stages"] = {**found["stages"], stream.stage.name: stage(settings, stream, url=url)}
    with pytest.raises(Refused, match=f"is on {url}, not on {stream.url}"):
        changes(4, facts(found))


def test_a_table_without_a_column_is_refused(settings, found, facts):
    have = found[("table", "events")]
    found[("table", "events")] = Table(
        tuple(row for row in have.columns if row[0] not in ("_FILE", "EVENT_ID"))
    )
    with pytest.raises(Refused, match="has no column EVENT_ID, _FILE"):
        changes(4, facts(found))


def test_a_table_of_another_order_with_more_columns_is_left_alone(found, facts):
    have = found[("table", "events")]
    found[("table", "events")] = Table((("OURS", "NUMBER"), *have.columns[::-1]))
    assert changes(4, facts(found)) == []


@pytest.mark.parametrize(
    ("who", "file", "gone"),
    [
        ("loader_role", "50_loader_rights.sql", "USAGE on stage RAW.SNOWPLOW.BAD_ROWS_STAGE"),
        ("loader_role", "50_loader_rights.sql", "INSERT on table RAW.SNOWPLOW.EVENTS_BAD"),
        ("loader_role", "50_loader_rights.sql", "USAGE on file format RAW.SNOWPLOW.SNOWPLOW_BAD_JSON"),
        ("operator_role", "80_operator_rights.sql", "MONITOR on pipe RAW.SNOWPLOW.EVENTS_BAD_PIPE"),
        ("operator_role", "80_operator_rights.sql", "OPERATE on pipe RAW.SNOWPLOW.EVENTS_BAD_PIPE"),
    ],
)
def test_a_right_that_was_revoked_is_granted_again(settings, found, facts, who, file, gone):
    privilege, _, rest = gone.partition(" on ")
    name = rest.rpartition(" ")
    key = ("grants", getattr(settings.snowflake, who))
    found[key] = found[key] - {Grant(privilege, name[0].upper(), name[2])}
    assert files(4, facts(found)) == [(file, f"events_bad: {key[1]} lacks {gone}")]


@pytest.mark.parametrize(
    ("pause", "planned"),
    [
        (Pause(paused=True, level="PIPE"), [("70_resume.sql", "events: the pipe is paused")]),
        (Pause(paused=True, level="SCHEMA"), []),  # somebody's decision over more than this pipe
        (Pause(paused=True, level="ACCOUNT"), []),
        (Pause(paused=False, level="PIPE"), []),
        (None, []),
    ],
)
def test_a_paused_pipe_is_resumed_where_the_pipe_itself_is_paused(found, facts, pause, planned):
    found[("pause", "events")] = pause
    assert files(4, facts(found)) == planned


def test_a_pipe_that_is_gone_comes_back_without_touching_the_other(found, facts):
    found["pipes"] = {name: row for name, row in found["pipes"].items() if name != "EVENTS_PIPE"}
    assert files(4, facts(found)) == [("60_pipe_enriched.sql", "events: the pipe does not exist")]


def test_a_pipe_with_another_statement_is_never_replaced(settings, found, facts):
    stream = settings.stream("events")
    other = pipe(settings, stream, definition="COPY INTO x FROM @y")
    found["pipes"] = {**found["pipes"], "EVENTS_PIPE": other}
    assert changes(4, facts(found)) == []


def test_what_cannot_be_told_is_not_planned_around(found, facts):
    found["stages"] = CannotTell("The stages cannot be read", missing_right="USAGE on schema")
    with pytest.raises(CannotTell):
        changes(4, facts(found))
