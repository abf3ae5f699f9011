"""Typed views on top of the raw tables: what Snowplow's own loaders would have made of the same events.

    plan    what `invoke views` makes or changes: the schemas, and a view for each table
    finding `invoke explain --event`: one event by its id, in the raw tables
    scan    `invoke views --scan`: which schemas the data has, and the environment file with them

The statements are in sql/views, what they are rendered with in runbook.wanted.views.
"""

from runbook.plan import VIEWS, Step
from runbook.views import plan

STEP = Step(VIEWS, "views", "snowflake", plan)
"""Planned, applied and told like a step, and behind them all."""
