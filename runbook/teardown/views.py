"""The views taken back, Snowflake. They hold no data; their schemas stay, with whatever else is in them."""

from collections.abc import Iterator

from runbook.facts import Facts
from runbook.plan import Change, SqlChange
from runbook.sql import rendered
from runbook.wanted.views import wanted

FILE = "down/05_view.sql"


def plan(facts: Facts) -> Iterator[Change]:
    """Drop the views of the settings that carry this installation's comment."""
    for view in wanted(facts.settings):
        have = facts.view(view)
        if have is not None and have.is_for(view):
            sql = rendered(FILE, facts.settings, view.stream, {"view": view.name})
            yield SqlChange(FILE, sql, f"{view.name} was made by `invoke views`")
