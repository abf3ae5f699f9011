"""Views, Snowflake: the typed views on top of the raw tables.

They hold no data. A view whose definition differs from the settings' is replaced, with its grants; one that
somebody else made is left alone.
"""

from collections.abc import Iterator

from runbook.errors import Blocked, Refused
from runbook.facts import Facts
from runbook.facts.delivery import named
from runbook.plan import Change, SqlChange
from runbook.wanted.pipeline import missing_columns
from runbook.wanted.views import SCHEMA, TYPED, View, is_of_schema, named_in, schema_names, schema_sql, wanted


def plan(facts: Facts) -> Iterator[Change]:
    """Create the schemas and views that are missing, and replace what has another definition."""
    views = wanted(facts.settings)
    for view in views:
        _require_table(facts, view)
    made = set()
    for view in views:
        if not facts.view_schema_exists(view) and view.schema not in made:
            made.add(view.schema)
            yield SqlChange(
                SCHEMA, schema_sql(facts.settings, view), f"the schema {view.schema} does not exist"
            )
    for view in views:
        if why := _why(facts, view):
            yield SqlChange(view.file, view.sql, why)


def _require_table(facts: Facts, view: View) -> None:
    """Raises Blocked where the table is not there yet, and Refused where it lacks what the view reads."""
    table = facts.table(view.stream)
    if table is None:
        raise Blocked(
            f"The table {view.stream.table} does not exist", by_step=4, remedy="invoke step4-snowflake"
        )
    if missing := missing_columns(table.names, view.stream):
        raise Refused(
            f"The table {view.stream.table} has no column {', '.join(missing)}",
            why="the view reads it, and a table that exists is never altered",
            remedy="add the columns, or set another table",
        )


def _why(facts: Facts, view: View) -> str:
    have = facts.view(view)
    if have is None:
        return f"the view {view.name} does not exist"
    if not have.is_ours:
        raise Refused(
            f"There is a {have.kind.lower()} {view.name} that is not this project's",
            why="it would be replaced, and whoever reads it would read something else",
            remedy="set another name or schema under views, or rename it",
        )
    if not have.is_for(view):
        raise Refused(
            f"The view {view.name} belongs to another installation of this project",
            why=f"its comment names {named_in(have.comment)}; these settings are of {view.installation}",
            remedy="set views.schema to a name of this installation's own",
        )
    if have.comment == view.comment:
        return ""
    return f"the view {view.name} has another definition{_lost(facts, view)}"


def _lost(facts: Facts, view: View) -> str:
    """The columns that go with the new definition: whoever reads one of them gets an error."""
    if view.file != TYPED["enriched"]:
        return ""
    kept = schema_names(facts.settings)
    lost = [name for name in facts.view_columns(view) if is_of_schema(name) and name not in kept]
    if not lost:
        return ""
    return f" and loses {', '.join(named(lost))}: the settings no longer have a schema for this"
