"""The typed views: they are there, as the settings say, and take all that is in the data."""

import pytest

from checks.conftest import advice, mended_by
from runbook.claims import check
from runbook.facts import Facts
from runbook.facts.views import without_a_column
from runbook.remedy import invoke, remedy
from runbook.settings import Settings, Stream
from runbook.wanted.views import wanted

OFF = "views.enabled is not set"
IN_THE_RAW_TABLE = "have the producer mend it; the text is in the raw table, where it stays"


def _on(settings: Settings, stream: Stream | None = None) -> None:
    """Skips where there are no views, or none of this stream's events."""
    if not settings.views.enabled:
        pytest.skip(OFF)
    if stream is not None and (stream not in settings.viewed or stream.kind != "enriched"):
        pytest.skip("the stream's events have no typed view")


@check(
    remedy=invoke("views"),
    see="views",
    needs=("step4.table-exists",),
)
def check_views_exist(facts: Facts, settings: Settings) -> None:
    """The views that the settings name are there."""
    _on(settings)
    missing = [view.name.sql for view in wanted(settings) if facts.view(view) is None]
    assert missing == [], "somebody dropped them, or they were never made"


@check(
    remedy=invoke("views"),
    see="views",
    needs=("views.views-exist",),
)
def check_views_are_as_the_settings_say(facts: Facts, settings: Settings) -> None:
    """The views have the definition that the settings and sql/views give them."""
    _on(settings)
    other = [
        view.name.sql
        for view in wanted(settings)
        if (have := facts.view(view)) and have.comment != view.comment
    ]
    others = any((have := facts.view(view)) and not have.is_for(view) for view in wanted(settings))
    with mended_by(remedy("set views.schema to a name of this installation's own"), only=others):
        assert other == [], (
            "a schema was added to the settings, the project is of another version, or they were changed"
        )


@check(
    remedy=(
        "add it to views.entities or views.self_describing_events (",
        invoke("views", "--scan"),
        ")",
        invoke("views", lead=", then: "),
    ),
    see="new-schemas",
    needs=("views.views-are-as-the-settings-say", "delivery.rows-are-events"),
    deep=True,
)
def check_every_schema_has_a_column(facts: Facts, settings: Settings, stream: Stream) -> None:
    """Every schema in the events of the last 14 days has its column in the view."""
    _on(settings, stream)
    given = {"event": settings.views.self_describing_events, "entity": settings.views.entities}
    missing = without_a_column(facts.event_schemas(stream), given)
    assert missing == [], "events have a schema that the view has no column for: it is in the raw table only"


@check(
    remedy=IN_THE_RAW_TABLE,
    see="lost-values",
    needs=("views.views-exist", "delivery.rows-are-events"),
    deep=True,
)
def check_no_cast_loses_a_value(facts: Facts, settings: Settings, stream: Stream) -> None:
    """Every value of the last 14 days is of its column's type."""
    _on(settings, stream)
    with advice():
        found = [str(each) for each in facts.lost_values(stream)]
        assert found == [], "the text is not of the column's type, and NULL in the view"


@check(
    remedy=IN_THE_RAW_TABLE,
    see="lost-values",
    needs=("views.views-exist", "delivery.rows-are-events"),
    deep=True,
)
def check_json_can_be_read(facts: Facts, settings: Settings, stream: Stream) -> None:
    """The contexts and self-describing events of the last 14 days are JSON of the shape Snowplow gives it."""
    _on(settings, stream)
    with advice():
        found = [str(each) for each in facts.broken_json(stream)]
        assert found == [], "it cannot be read, so that no column of an entity or event has it"


@check(
    remedy="nothing, if models count each event once; else have whoever sends them again mend it",
    see="repeated-events",
    needs=(
        "views.views-exist",
        "delivery.no-file-repeats-another",
        "delivery.rows-are-there-once",
    ),
    deep=True,
)
def check_no_event_is_in_several_files(facts: Facts, settings: Settings, stream: Stream) -> None:
    """No event id of the last 14 days came in several files."""
    _on(settings, stream)
    with advice():
        found = [str(each) for each in facts.repeated_ids(stream)]
        assert found == [], "a tracker or the vendor sent them again"
